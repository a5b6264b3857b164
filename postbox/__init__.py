"""From a reader's form to a Markdown file: intake, inbox, moderation.

Imports neither Pelican nor ``press``; ``tests/test_house.py`` holds the table of who may import whom.
"""
