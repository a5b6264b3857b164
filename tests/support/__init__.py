"""What tests share: builders, places, clients, processes."""
