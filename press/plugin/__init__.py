"""Pelican plugin: published comments into articles and feeds, the facts of the site into every template."""

from press.plugin.plugin import register

__all__ = ["register"]
