"""Shared by tests: contact."""

FORM = {"name": "Tom", "contact": "07700 900123", "message": "Could you ring me?\n\nAfter six."}
