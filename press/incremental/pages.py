"""Pages of a site: each page or feed with all that goes into it, rendered when any of that has changed.

What a template reads is found in its source, and what it reads is hashed; so nobody keeps a list of what depends on what.
A page of which this cannot be said is rendered each time, and written where its bytes differ.
"""

import os
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2 import Environment, Template, TemplateError, meta
from pelican.contents import Article, Content
from pelican.paginator import Page as PageOfList
from pelican.urlwrappers import URLWrapper
from pelican.writers import FileOverwriteFailedError

from contract.manifest import Site, dumps
from press.assets.images import Images
from press.errors import BuildError, place_of
from press.incremental.cache import Cache, digest
from press.incremental.comments import Conversation, Stamp, stamp_of
from press.incremental.parallel import Progress, on_every_core
from press.output.feeds import Newest
from press.output.links import Link, PageLinks, page_links

AT_ONCE = 32  # pages
# Of an article: where it came from; everything else that a template can ask it for is hashed.
NOT_SHOWN = {"settings", "source_path", "translations", "metadata", "_context", "_content"}


@dataclass(slots=True)
class Page:
    """One file of the output: its template, and what that is handed beside the context that all share."""

    file: str
    template: Template
    variables: dict[str, Any]


@dataclass(slots=True)
class PageRecord:
    """A file as it was last rendered: the hash of all that went into it, or None; its stamp, once it is in the output; its links."""

    inputs: bytes | None
    stamp: Stamp | None
    links: PageLinks


class Pages:
    """All pages of one run; those that have changed are rendered into ``staging``, beside the ``output``.

    ``fingerprint`` is the hash of what all pages hang on; ``before`` are the records of an earlier run.
    ``progress`` is told of each text and each page.
    """

    def __init__(
        self,
        output: Path,
        staging: Path,
        fingerprint: bytes,
        before: Mapping[str, PageRecord],
        cache: Cache,
        progress: Progress,
    ) -> None:
        self.cache, self.progress = cache, progress
        self.context: dict[str, Any] = {}
        self.by_file: dict[str, Page] = {}
        self.records: dict[str, PageRecord] = {}
        self.links: dict[str, PageLinks] = {}
        self.sources: dict[str, bytes] = {}  # the key of each text in the cache, by its path below the content
        self.files: set[str] = set()  # those that stand in the output, and stay
        self._output, self._staging, self._fingerprint, self._before = output, staging, fingerprint, before
        self._reads: dict[str | None, list[str] | None] = {}
        self._hashes: dict[str, bytes] = {}

    def add(self, page: Page, context: dict[str, Any]) -> None:
        """Take a page of this run, to be rendered when all are known."""
        if page.file in self.by_file:
            raise FileOverwriteFailedError(f"{page.file}: two pages have this address; change that of one")
        if not self.context:
            self.context = context
            self._fingerprint = digest(self._fingerprint, dumps(context["site"]).encode())
        self.by_file[page.file] = page

    def render_all(self) -> None:
        """Render the pages that have changed since they last were, on every core.

        Raises:
            BuildError: with what is wrong.
        """
        changed = []
        for file, page in self.by_file.items():
            if file not in self._before or not self._is_current(file, self._inputs(page)):
                changed.append(page)
            self.progress("looking at pages", 1, len(self.by_file))
        for page in changed:
            for value in page.variables.values():
                if isinstance(value, Content):
                    _ = value.content  # Pelican makes it now, and warns of it here
        # One of each template, so that the others find it compiled.
        first = {page.template.name: page.file for page in changed}
        # A page and the feed of its comments together, so that these are read once.
        rest = sorted({page.file for page in changed} - {*first.values()})
        known: dict[Link, Link] = {}  # each of the links that most pages have is held once
        for records, texts in chain(
            [self._render_part([*first.values()])], on_every_core(self._render_part, rest, AT_ONCE)
        ):
            self.progress("drawing pages", len(records), len(changed))
            for file, record in records.items():
                links = tuple(known.setdefault(link, link) for link in record.links.links)
                self.take(file, replace(record, links=replace(record.links, links=links)))
            for key, text in texts.items():
                self.cache.put(key, text)

    def _render_part(self, files: Sequence[str]) -> tuple[dict[str, PageRecord], dict[bytes, Any]]:
        """Render some pages; return their records, and what the cache is to keep."""
        folders: set[str] = set()
        with self.cache.apart() as texts:
            for file in files:
                try:
                    data = self.render(self.by_file[file])
                except Exception as error:  # whatever a template raises is reported, with its place
                    raise BuildError(place_of(error)) from error
                if data is None:
                    continue
                path = f"{self._staging}/{file}"
                if (folder := path.rpartition("/")[0]) not in folders:
                    folders.add(folder)
                    os.makedirs(folder, exist_ok=True)  # noqa: PTH103  # a Path costs as much as writing the page
                with open(path, "wb") as written:  # noqa: PTH123  # likewise
                    written.write(data)
        return {file: self.records[file] for file in files}, texts

    def render(self, page: Page) -> bytes | None:
        """Return the bytes of a page, or None if they are what stands in the output."""
        file, inputs = page.file, self._inputs(page)
        if self._is_current(file, inputs):
            return None
        stamp = self.stamp(file)
        text = page.template.render(self._read_by(page))
        data, links = text.encode(), self._links(file, text)
        if stamp and stamp[0] == len(data) and (self._output / file).read_bytes() == data:
            self.take(file, PageRecord(inputs, stamp, links))
            return None
        self.take(file, PageRecord(inputs, None, links))
        return data

    def _is_current(self, file: str, inputs: bytes | None) -> bool:
        """Tell whether a page is in the output as it would be rendered of these."""
        was = self.records.get(file) or self._before.get(file)
        if was and inputs and was.inputs == inputs and was.stamp == self.stamp(file):
            self.take(file, was)
            return True
        return False

    def take(self, file: str, record: PageRecord) -> None:
        """Take note of how a file was rendered."""
        self.records[file] = record
        self.links[file] = record.links
        if record.stamp:
            self.files.add(file)

    def settle(self, files: Iterable[str]) -> None:
        """Take note that files have moved into the output."""
        for file in files:
            self.files.add(file)
            if file in self.records:
                self.records[file].stamp = self.stamp(file)

    def keep(self, file: str) -> bool:
        """Let a file stay whose name holds the hash of its content; tell whether it is there."""
        if is_there := self.stamp(file) is not None:
            self.files.add(file)
        return is_there

    def read(self, file: str, path: Path) -> None:
        """Take note of a file that is no page, and of its links if it is a page or a feed."""
        if _has_links(file):
            self.take(file, PageRecord(None, None, self._links(file, path.read_text("utf-8"))))

    def forget(self, article: Article) -> None:
        """Take no earlier hash of an article: it has changed."""
        self._hashes.pop(article.source_path, None)

    def stamp(self, file: str) -> Stamp | None:
        """Return the stamp of a file in the output, or None if there is none."""
        try:
            return stamp_of(os.stat(f"{self._output}/{file}"))  # noqa: PTH116  # a Path costs as much again
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _links(self, file: str, text: str) -> PageLinks:
        site: Site = self.context["site"]
        return (
            page_links(text, file, site.url, except_below=(site.intake, "/preview"))
            if _has_links(file)
            else PageLinks()
        )

    def _inputs(self, page: Page) -> bytes | None:
        """Return the hash of everything that goes into a page, or None if that cannot be said."""
        names = self.names(page.template)
        if names is None:
            return None
        values = [self._hash(page.variables.get(name, self.context.get(name))) for name in names]
        known = [value for value in values if value is not None]
        return (
            digest(self._fingerprint, str(page.template.name).encode(), *known) if len(known) == len(values) else None
        )

    def _read_by(self, page: Page) -> dict[str, Any]:
        """Return what a template reads; to copy all of Pelican's settings for each page takes longer than many pages do."""
        given = ChainMap({"output_file": page.file}, page.variables, self.context)
        names = self.names(page.template)
        return {name: given[name] for name in (given if names is None else (*names, "site")) if name in given}

    def names(self, template: Template) -> list[str] | None:
        """Return what a template and those that it draws on read by name, but for the facts of the site."""
        if template.name not in self._reads:
            self._reads[template.name] = self._find_names(template.environment, str(template.name))
        return self._reads[template.name]

    def _find_names(self, environment: Environment, first: str) -> list[str] | None:
        names: set[str] = set()
        templates = [first]
        for name in templates:  # grows on the way
            try:
                source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]  # it was loaded with it
                key = digest(b"template", source.encode())
                if (found := self.cache.get(key)) is None:
                    tree = environment.parse(source)
                    found = [*meta.find_undeclared_variables(tree)], [*meta.find_referenced_templates(tree)]
                    self.cache.put(key, found)
            except TemplateError:
                return None  # to draw it will say where
            self.cache.live.add(key)
            if None in found[1]:
                return None  # one whose name is not in the source
            names |= set(found[0])
            templates += [other for other in found[1] if other not in templates]
        return sorted(names - environment.globals.keys() - {"site"})

    def _hash(self, value: object) -> bytes | None:
        """Return the hash of all that a template can see of a value, or None if that cannot be said."""
        match value:
            case None | str() | int():
                return repr(value).encode()
            case Content():
                if value.source_path not in self._hashes:
                    self._hashes[value.source_path] = _hash_of(value)
                return self._hashes[value.source_path]
            case URLWrapper():
                return repr((value.name, value.url)).encode()
            case Newest():
                return self._hash(value.articles)
            case PageOfList():
                return self._hash((value.number, value.paginator.num_pages, value.object_list))
            case Images():
                return b""  # what it makes of a text hangs on the text and the theme
            case list() | tuple():
                found = [self._hash(item) for item in value]
                known = [item for item in found if item is not None]
                return digest(*known) if len(known) == len(found) else None
        return None


def _has_links(file: str) -> bool:
    # The feed of an article's comments leads where that of all leads, to the comments of its page.
    return file.endswith((".html", ".xml")) and not file.endswith("/comments.xml")


def _hash_of(content: Content) -> bytes:
    """Return the hash of an article or a page, with its conversation."""
    shown = [
        (name, value.known.digest if isinstance(value, Conversation) else value)
        for name, value in sorted(vars(content).items())
        if name not in NOT_SHOWN
    ]
    return digest(content.content.encode(), content.url.encode(), repr(shown).encode())
