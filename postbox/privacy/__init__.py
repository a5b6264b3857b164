"""Rights of people over their data: retention, subject access, backup."""
