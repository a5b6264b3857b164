"""Incremental build: what a page hangs on, and whether that has changed."""
