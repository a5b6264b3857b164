"""Postbox: from a reader's form to a Markdown file. Imports neither Pelican nor ``press``."""
