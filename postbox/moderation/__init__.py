"""Moderation: the one way from private to public."""
