"""Desk: the author's own web application."""
