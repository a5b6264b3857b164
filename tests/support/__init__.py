"""What tests share: places, builders, clients, processes."""
