"""Snapshot of a run of Pelican: its pages with what they were handed, for a later process where nothing but comments has changed.

It is kept in the press's cache by the hash of all that the run hung on, and holds no reader's words.
None is taken of a site of which that hash cannot be all: with plugins of its own, or pages of which it cannot be said what they read.
"""

import copyreg
import io
import os
import pickle
import stat
from typing import Any

from pelican.contents import Article, Content
from pelican.contents import Page as PageText
from pelican.generators import Generator
from zlib_ng import gzip_ng

from press.incremental.cache import digest
from press.incremental.comments import stamp_of
from press.incremental.pages import Page, Pages
from press.plugin import plugin
from press.plugin.hooks import Listing, forget_articles

# Known by their bytes, for an editor can be quicker than a file's clock; others are known by their stamps.
TEXTS, TEXT_BYTES = (".md", ".toml"), 1 << 20
# What the context is asked for beside what templates read.
ASKED = {"site", "due", "held_back", "articles", "hidden_articles", "drafts"}
# Of a text: what belongs to one process, and what depends on comments.
NOT_KEPT = {"_context", "conversation", "comment_count", "updated"}


class Settings(dict[str, Any]):
    """The settings of a run, which every text and list holds on to; a snapshot keeps none."""


def key_of(settings: dict[str, Any], fingerprint: bytes) -> bytes:
    """Return the hash of all that a run hangs on but comments and the clock, or nothing where that cannot be all.

    ``fingerprint`` is the hash of what every page hangs on.
    """
    if settings["PLUGINS"] != ["press.plugin"]:
        return b""
    parts = [fingerprint, repr(settings["NOW"]).encode()]
    for root in (settings["PATH"], settings["THEME"]):
        for folder, folders, names in os.walk(root):
            if folder == settings["PATH"] and "comments" in folders:
                folders.remove("comments")
            if any(os.path.islink(f"{folder}/{name}") for name in folders):  # noqa: PTH114  # as os.walk gives them; a Path costs more
                return b""  # Pelican follows it, wherever that leads
            folders.sort()
            for path in (f"{folder}/{name}" for name in sorted(names)):
                parts += (path.encode(), _known(path))
    return digest(*parts)


def take(pages: Pages) -> bytes | None:
    """Return what ``restore`` makes the pages of a run of again, or None."""
    images = pages.context["images"]
    if images.notes or any(pages.records[file].inputs is None for file in pages.by_file):
        return None
    names = ASKED.union(*(pages.names(page.template) or () for page in pages.by_file.values()))
    context = {name: pages.context[name] for name in names if name in pages.context}
    rows = [(page.file, page.template.name, page.variables) for page in pages.by_file.values()]
    made = io.BytesIO()
    with gzip_ng.open(made, "wb", 1) as file:  # type: ignore[no-untyped-call]  # it ships no types for this
        _Pickler(file, pickle.HIGHEST_PROTOCOL).dump((context, rows))
    return made.getvalue()


def restore(data: bytes, settings: dict[str, Any], pages: Pages) -> None:
    """Hand the pages of an earlier run to ``pages``, with the conversations as they are now."""
    forget_articles()
    generator = Generator({}, settings, settings["PATH"], settings["THEME"], settings["OUTPUT_PATH"])
    plugin.prepare_templates(generator)
    with gzip_ng.open(io.BytesIO(data)) as file:  # type: ignore[no-untyped-call]  # as above
        context, rows = _Unpickler(file, settings).load()
    plugin.add_conversations(settings, [*context["articles"], *context["hidden_articles"], *context["drafts"]])
    for file, template, variables in rows:
        pages.add(Page(file, generator.env.get_template(template), variables), context)


def _known(path: str) -> bytes:
    """Return what tells that a file is as it was."""
    try:
        status = os.stat(path)  # noqa: PTH116  # of every file of a site; a Path costs as much again
        if path.endswith(TEXTS) and stat.S_ISREG(status.st_mode) and status.st_size <= TEXT_BYTES:
            with open(path, "rb") as file:  # noqa: PTH123  # likewise
                return file.read()
        return repr(stamp_of(status)).encode()
    except OSError as error:  # the run says what is wrong with it
        return repr(error).encode()


def _text(content: Content) -> tuple[Any, ...]:
    kept = {name: value for name, value in vars(content).items() if name not in NOT_KEPT}
    return copyreg.__newobj__, (type(content),), kept | {"_content": content.content, "_context": {}}  # type: ignore[attr-defined]


def _listing(articles: Listing) -> tuple[Any, ...]:
    return list, (list(articles),)


def _settings(_: Settings) -> tuple[Any, ...]:
    return Settings, ()


class _Pickler(pickle.Pickler):
    dispatch_table = copyreg.dispatch_table | {Article: _text, PageText: _text, Listing: _listing, Settings: _settings}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: gzip_ng.GzipNGFile, settings: dict[str, Any]) -> None:
        super().__init__(file)
        self._settings = settings

    def find_class(self, module: str, name: str) -> Any:
        return (lambda: self._settings) if name == Settings.__name__ else super().find_class(module, name)
