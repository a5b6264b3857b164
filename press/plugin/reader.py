"""The reader of articles and pages: one Markdown parser for all of them, and no text parsed twice."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from markdown import Markdown
from pelican import readers
from pelican.urlwrappers import URLWrapper
from pelican.utils import SafeDatetime, pelican_open

from press.incremental.cache import Cache, digest
from press.incremental.parallel import on_every_core

KINDS = ("ARTICLE_PATHS", "PAGE_PATHS")
AT_ONCE = 8  # texts
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def article_key(settings: dict[str, Any], text: str) -> bytes:
    """Return the key for what is made of an author's words under these settings."""
    return digest(b"article", json.dumps(settings, sort_keys=True, default=repr).encode(), text.encode())


class MarkdownReader(readers.MarkdownReader):  # type: ignore[misc]  # Pelican ships no types
    """Pelican's own, with a memory; the name goes into what it says of an article."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self._dates: dict[str, datetime] = {}
        self._shared: dict[tuple[type[URLWrapper], str], URLWrapper] = {}

    def read(self, source_path: str) -> tuple[str, dict[str, Any]]:
        """Return the HTML of a text, and its header as Pelican's objects."""
        self.settings["PRESS"].progress()
        html, header = self._parse(source_path)
        return html, self._header(source_path, header)

    def read_ahead(self) -> None:
        """Parse on every core the texts that Pelican will ask for one by one."""
        folders = [Path(self.settings["PATH"], path) for kind in KINDS for path in self.settings[kind]]
        paths = sorted(str(path) for folder in folders for path in folder.rglob("*.md"))
        cache: Cache = self.settings["PRESS"].cache
        for known in on_every_core(self._parse_all, paths, AT_ONCE):
            for key, value in known.items():
                cache.put(key, value)

    def _parse_all(self, paths: Sequence[str]) -> dict[bytes, Any]:
        cache: Cache = self.settings["PRESS"].cache
        with cache.apart() as known:
            for path in paths:
                with suppress(Exception):  # Pelican comes to it, and says what is wrong with which text
                    self._parse(path)
        return known

    def _parse(self, path: str) -> Any:
        """Return the HTML of a text, and the lines of its header by their keys."""
        cache: Cache = self.settings["PRESS"].cache
        settings = self.settings["MARKDOWN"]
        with pelican_open(path) as text:
            key = article_key(settings, text)
            if (known := cache.get(key)) is None:
                parser = self._parser()
                parser.reset()
                known = parser.convert(text), parser.Meta
                cache.put(key, known)
        cache.live.add(key)
        return known

    def process_metadata(self, name: str, value: str) -> Any:
        """Return Pelican's object for a line of a header; articles of one tag, author or day share it."""
        if name in ("date", "modified"):
            if ISO_DATE.fullmatch(value):  # which Pelican's parser of any date takes a sixth of a refresh for
                with suppress(ValueError):  # it says what is wrong
                    return SafeDatetime.fromisoformat(value)
            if value in self._dates:
                return self._dates[value]
        made = super().process_metadata(name, value)
        if isinstance(made, datetime):
            self._dates[value] = made
        return [self._share(one) for one in made] if isinstance(made, list) else self._share(made)

    def _share(self, made: Any) -> Any:
        return self._shared.setdefault((type(made), made.name), made) if isinstance(made, URLWrapper) else made

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
