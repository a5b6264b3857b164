"""The reader of articles and pages: one Markdown parser for all of them, and no text parsed twice."""

import json
from typing import Any

from markdown import Markdown
from pelican import readers
from pelican.utils import pelican_open

from press.cache import Cache, digest


def article_key(settings: dict[str, Any], text: str) -> bytes:
    """Return the key for what is made of an author's words under these settings."""
    return digest(b"article", json.dumps(settings, sort_keys=True, default=repr).encode(), text.encode())


class MarkdownReader(readers.MarkdownReader):  # type: ignore[misc]  # Pelican ships no types
    """Pelican's own, with a memory; the name goes into what it says of an article."""

    def read(self, source_path: str) -> tuple[str, dict[str, Any]]:
        """Return the HTML of a text, and its header as Pelican's objects."""
        cache: Cache = self.settings["PRESS"].cache
        settings = self.settings["MARKDOWN"]
        with pelican_open(source_path) as text:
            key = article_key(settings, text)
            if (known := cache.get(key)) is None:
                parser = self._parser()
                parser.reset()
                known = parser.convert(text), parser.Meta
                cache.put(key, known)
        cache.live.add(key)
        html, header = known
        return html, self._header(source_path, header)

    def _parser(self) -> Markdown:
        if not hasattr(self, "_md"):
            self._md = Markdown(**self.settings["MARKDOWN"])
        return self._md

    def _header(self, source_path: str, header: dict[str, list[str]]) -> dict[str, Any]:
        """Let Pelican make its objects of a header; it takes the parser's way of finding headers away, for it makes a new one each time."""
        finder = self._parser().preprocessors["meta"]
        self._source_path = source_path
        try:
            return self._parse_metadata(header)  # type: ignore[no-any-return]
        finally:
            self._parser().preprocessors.register(finder, "meta", 27)
