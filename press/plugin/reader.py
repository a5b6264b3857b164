"""Reader of articles and pages: a strict header, one Markdown parser for all of them, and no text parsed twice."""

import json
import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from markdown import Markdown
from pelican.readers import BaseReader
from pelican.settings import DEFAULT_CONFIG
from pelican.urlwrappers import Author, Tag, URLWrapper
from pelican.utils import SafeDatetime, slugify

from contract import header
from contract.comment import ARTICLE_ID, is_ours
from press.errors import BuildError, shown
from press.incremental.cache import Cache, digest
from press.incremental.parallel import on_every_core
from press.plugin.checks import refused_html

FOLDERS = {header.ARTICLE: "ARTICLE_PATHS", header.PAGE: "PAGE_PATHS"}
AT_ONCE = 8  # texts
WORDS_A_MINUTE = 220  # silent reading of English is about 238 (Brysbaert 2019)
TEXT_BYTES = 1 << 20  # Python-Markdown is quadratic on some texts


class MarkdownReader(BaseReader):  # type: ignore[misc]  # Pelican ships no types
    """Markdown with a header of declared keys (``contract.header``); remembers in the press's cache what it has parsed."""

    file_extensions = ("md",)

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self._markdown: Markdown | None = None
        self._shared: dict[tuple[type[URLWrapper], str], URLWrapper] = {}
        self._content = f"{settings['PATH']}{os.sep}"  # Pelican has made it absolute
        self._pages = tuple(f"{self._content}{path}{os.sep}" for path in settings["PAGE_PATHS"])
        self._key = json.dumps(settings["MARKDOWN"], sort_keys=True, default=repr).encode()

    def read(self, source_path: str) -> tuple[str, dict[str, Any]]:
        """Return the HTML of a text, and its header as Pelican's objects.

        Raises:
            BuildError: with everything that is wrong with it, as file, line and cause.
        """
        if "PRESS" in self.settings:
            self.settings["PRESS"].progress("taking texts", 1, 0)
        source = _decoded(source_path)
        text = self._split(source_path, source)
        key, (html, faults, _, minutes) = self._parse(source, text.body)
        if "PRESS" in self.settings:
            self.settings["PRESS"].sources[source_path.removeprefix(self._content)] = key
        if faults:
            raise BuildError("\n".join(f"{shown(source_path)}:{text.line + line}: {cause}" for line, cause in faults))
        if "slug" not in text.values:
            text.values["slug"] = _slug(source_path, text.values["title"])
        own = {key.lower().replace("-", "_"): "" for key in self.settings["HEADER_KEYS"]}
        return html, own | {"minutes": minutes} | {
            name: self._object(name, value) for name, value in text.values.items()
        }

    def read_ahead(self) -> None:
        """Parse on every core the texts that Pelican will ask for one by one."""
        folders = [Path(self.settings["PATH"], path) for kind in FOLDERS.values() for path in self.settings[kind]]
        paths = sorted(str(path) for folder in folders for path in folder.rglob("*.md") if is_ours(path.name))
        cache: Cache = self.settings["PRESS"].cache
        self._parser()  # or every fork would make one
        for known in on_every_core(self._parse_all, paths, AT_ONCE):
            self.settings["PRESS"].progress("reading texts", len(known), len(paths))
            for key, value in known.items():
                cache.put(key, value)

    def _parse_all(self, paths: Sequence[str]) -> dict[bytes, Any]:
        cache: Cache = self.settings["PRESS"].cache
        with cache.apart() as known:
            for path in paths:
                with suppress(Exception):  # Pelican comes to it, and says what is wrong with which text
                    source = _decoded(path)
                    self._parse(source, self._split(path, source).body)
        return known

    def _split(self, path: str, source: str) -> header.Text:
        kind = header.PAGE if path.startswith(self._pages) else header.ARTICLE
        try:
            return header.read(source, kind, self.settings["HEADER_KEYS"])
        except header.HeaderError as error:
            raise BuildError("\n".join(f"{shown(path)}:{line}: {cause}" for line, cause in error.faults)) from None

    def _parse(self, source: str, body: str) -> tuple[bytes, tuple[str, list[tuple[int, str]], str, int]]:
        """Return the key of a text in the cache, and what is kept there.

        That is its HTML, what of it no browser will show (lines and causes), its source, and in how many minutes one reads it.
        """
        cache: Cache | None = self.settings["PRESS"].cache if "PRESS" in self.settings else None
        key = digest(b"article", self._key, source.encode())
        known = cache.get(key) if cache else None
        if known is None:
            html = self._parser().reset().convert(body)
            known = html, refused_html(html, body), source, _minutes(html)
            if cache:
                cache.put(key, known)
        if cache:
            cache.live.add(key)
        return key, known

    def _object(self, name: str, value: Any) -> Any:
        """Return Pelican's object for a value; articles of one tag or author share it."""
        match name:
            case "date" | "modified":
                return SafeDatetime.fromisoformat(value.isoformat())
            case "author":
                return self._share(Author(value, self.settings))
            case "tags":
                return [self._share(Tag(tag, self.settings)) for tag in value]
        return value

    def _share(self, made: URLWrapper) -> URLWrapper:
        return self._shared.setdefault((type(made), made.name), made)

    def _parser(self) -> Markdown:
        if self._markdown is None:
            self._markdown = Markdown(**self.settings["MARKDOWN"])
        return self._markdown


def _minutes(html: str) -> int:
    words = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", html, flags=re.DOTALL).split()
    return max(1, round(len(words) / WORDS_A_MINUTE))


def _slug(path: str, title: str) -> str:
    slug = slugify(title, DEFAULT_CONFIG["SLUG_REGEX_SUBSTITUTIONS"])
    if not ARTICLE_ID.fullmatch(slug):
        raise BuildError(f"{shown(path)}:1: the title makes no address; add a line “Slug: …” to the header")
    return str(slug)


def _decoded(path: str) -> str:
    """Return the text of an ordinary file."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123  # a pipe would never end
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise BuildError(f"{shown(path)}: this is no ordinary file; delete it")
        data = file.read(min(TEXT_BYTES, status.st_size) + 1)  # room for more is made before anything is read
    if len(data) > TEXT_BYTES:
        raise BuildError(f"{shown(path)}: the text is larger than {TEXT_BYTES:,} bytes; split it")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        cause = f"byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise BuildError(f"{shown(path)}:{line}: {cause}") from None
