"""Hooks of the press in Pelican: a plugin beside ``press.plugin.plugin``, through documented signals alone.

A site builds without it too, to the same bytes and only slower.
"""

from collections import defaultdict

from pelican import Pelican, signals
from pelican.contents import Article, Content
from pelican.generators import ArticlesGenerator

from press.plugin.writer import Writer

# What of Pelican is relied on although its documentation does not promise it; a test holds each.
INTERNALS = {
    "pelican.readers.Readers.reader_classes": "the readers by the ends of names, at readers_init not yet made",
    "pelican.contents.Content._content": "the HTML of a text before its links are replaced",
    "pelican.contents.Content.get_content": "and get_summary: hold every article that there ever was in their cache",
    "pelican.generators.ArticlesGenerator.tags": "and categories and authors: lists by name, made before any article is read",
    "pelican.paginator.Paginator": "cuts a list into pages, each with url and save_as",
    "pelican.writers.FileOverwriteFailedError": "what a writer raises at two pages of one address",
    "pelican.writers.Writer.write_file": "is called for every page, with the template and what it may read by name",
    "pelican.log": "its loggers have disable_filter(), and a failed page is logged and not raised",
}


def register() -> None:
    """Connect to Pelican; it calls this once for each build, and connecting twice is connecting once."""
    signals.initialized.connect(forget_articles)
    signals.get_writer.connect(_use_writer)
    signals.article_generator_init.connect(_use_listings)


def forget_articles(pelican: Pelican | None = None) -> None:
    """Let go of the articles of earlier runs, which Pelican would hold for as long as the process lives."""
    for remembered in (Content.get_content, Content.get_summary):
        remembered.cache.clear()


def _use_writer(pelican: Pelican) -> type[Writer] | None:
    return Writer if "PRESS" in pelican.settings else None


class Listing(list[Article]):
    """Articles of one tag; Pelican asks of every article of the site whether it is among them."""

    _ids: frozenset[int] = frozenset()

    def __contains__(self, article: object) -> bool:
        if len(self._ids) != len(self):
            self._ids = frozenset(map(id, self))
        return id(article) in self._ids


def _use_listings(generator: ArticlesGenerator) -> None:
    if "PRESS" in generator.settings:
        generator.tags, generator.categories, generator.authors = (defaultdict(Listing) for _ in range(3))
