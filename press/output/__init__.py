"""Output: links checked, feeds, structured data, tables."""
