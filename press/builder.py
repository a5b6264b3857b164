"""Builder: renders a site, and again what has changed in it.

Pelican runs beside the output, what it made is checked, and moves into place by rename; whatever fails,
the last good output stays as it was. What a run found out is kept for the next, in memory and in the cache.
"""

import contextlib
import gc
import os
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace as with_changes
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pelican.contents import Article

from contract import atomic, manifest
from press.errors import BuildError, origin, place_of, refuse, shown
from press.incremental.cache import Cache, version_of
from press.incremental.comments import Conversations, Stamp, stamp_of
from press.incremental.pages import PageRecord, Pages
from press.incremental.parallel import Progress
from press.output.compression import Compressor, replace
from press.output.folder import files_below, is_same, lock, move, output_of, sweep, watch_lock
from press.output.links import PageLinks, dead_links
from press.plugin.facts import now_in, set_conversation
from press.plugin.run import content_of, fingerprint_of, run, settings_of
from press.plugin.snapshot import key_of, take

PREVIEW: dict[str, Any] = {
    "PREVIEW": True,
    **dict.fromkeys(("DRAFT_SAVE_AS", "DRAFT_PAGE_SAVE_AS"), "drafts/{slug}/index.html"),
    **dict.fromkeys(("DRAFT_LANG_SAVE_AS", "DRAFT_PAGE_LANG_SAVE_AS"), "drafts/{lang}/{slug}/index.html"),
}
HERE = Path(__file__).parent
LIVE = 200  # comments whose time is told


def build(config: Path, **overrides: Any) -> None:
    """Build the site that ``config`` describes and move it into its ``OUTPUT_PATH``.

    Pages appear by rename: new ones, then changed ones, then the removals, then the facts for the intake.

    Raises:
        BuildError: with everything that is wrong; the output is then untouched.
    """
    with contextlib.closing(Builder(config, overrides)) as builder:
        builder.build_all()


class Builder:
    """Builds the site that ``config`` describes; one at a time works in a folder.

    ``state`` is what others are told of it; ``due`` when the site changes by itself, for an article
    is published or a conversation closes; ``shared`` are the files that show something of more than one article,
    the front page first; ``held_back`` says which texts are not published, and until when.
    With ``is_compressing`` what stands in the output gets compressed copies, in a thread of its own.
    ``progress`` is told what a whole run is doing.

    Raises:
        BuildError: if the settings cannot be read, or another press works here.
    """

    def __init__(
        self,
        config: Path,
        overrides: dict[str, Any],
        *,
        is_watching: bool = False,
        is_compressing: bool = False,
        progress: Progress = lambda *_: None,
    ) -> None:
        self.due: datetime | None = None
        self.shared: list[str] = []
        self.held_back: list[str] = []
        self._config, self._overrides, self._progress = config, overrides, progress
        self._settings = settings_of(config, overrides)
        self._lock = lock(Path(self._settings["PRESS_CACHE"]).parent)
        sweep(self._settings)
        if is_watching:
            self._lock.push(watch_lock(self._told.with_name(manifest.LOCK_FILE)))
        self.state = with_changes(manifest.BuildStatus.load(self._told), watching=is_watching, killed=False)
        self._version = version_of(HERE, HERE.parent / "contract")
        self._cache = Cache(Path(self._settings["PRESS_CACHE"]), self._version)
        self._compressor = Compressor(output_of(self._settings)) if is_compressing else None
        self._records = self._remembered_records()
        self._conversations = Conversations(
            Path(self._settings["PATH"], "comments"), self._cache.state.get("conversations"), progress
        )
        # Of the last good run
        self._sources: dict[str, bytes] = self._cache.state.get("sources", {})
        self._pages: Pages | None = None
        self._articles: dict[str, Article] = {}
        self._has_lost_ids = self._has_lost_words = self._has_news = False
        self._printed = set(self._conversations.keys)  # of the words on the pages

    def build_all(self) -> None:
        """Run Pelican, and write what has changed.

        Raises:
            BuildError: with everything that is wrong; the articles in the output then stay as they were.
            OSError: if something cannot be written.
        """
        started, began = time.perf_counter(), _now()
        live, self._cache.live = self._cache.live, set()
        gc.disable()  # most of what a run makes stays, and to look through it for garbage takes a sixth of the time
        try:
            settings = settings_of(self._config, self._overrides)
            rendered = self._run(settings)
        except (BuildError, OSError) as error:
            self._cache.live = live
            if not self._pages and self._sources and isinstance(error, BuildError):
                self._build_last_good(started)
            with contextlib.suppress(OSError):  # on a full disk
                self.tell(faults=place_of(error).split("\n"), failed=began)
            raise
        finally:
            gc.enable()
        self._settings = settings
        self._finish(rendered, started, faults=[], built=began)

    def _build_last_good(self, started: float) -> None:
        """Build the articles as they last were right, so that one that is wrong holds back no comment and no erasure."""
        texts = {path: known[2] for path, key in self._sources.items() if (known := self._cache.get(key))}
        with contextlib.suppress(BuildError, OSError), content_of(self._settings, texts) as folder:
            self._finish(self._run(self._settings, folder), started)

    def _finish(self, rendered: list[str], started: float, **changes: Any) -> None:
        ids = (entry.comment.id for id in rendered for entry in self._articles[id].conversation)
        self.tell(islice(ids, LIVE), seconds=time.perf_counter() - started, **changes)
        self._save()

    def _run(self, settings: dict[str, Any], content: Path | None = None) -> list[str]:
        """Write what has changed; return the articles whose page was, the latest talked about first.

        ``content`` is where the texts lie, if that is not what the settings say.
        """
        output, facts = output_of(settings), Path(settings["SITE_JSON"])
        for folder in (output.parent, facts.parent):
            folder.mkdir(parents=True, exist_ok=True)
        # Each beside its place, for a rename does not cross file systems.
        with (
            tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as staging,
            tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=facts.parent) as staged,
        ):
            fingerprint = fingerprint_of(settings, self._config, self._version)
            pages = Pages(output, Path(staging), fingerprint, self._records, self._cache, self._progress)
            changed = {"PRESS": pages, "CONVERSATIONS": self._conversations, "PATH": str(content or settings["PATH"])}
            changed |= {"OUTPUT_PATH": staging, "SITE_JSON": str(Path(staged, facts.name))}
            key = b"" if content else key_of(settings, fingerprint)
            known = self._snapshot(key, settings, pages)
            run(settings | changed, fingerprint, self._cache, known)
            made = set(files_below(Path(staging)))
            for file in made - pages.records.keys():
                pages.read(file, Path(staging, file))
            # Texts that were right may lead to a comment that has gone since.
            refuse(_dead(settings, pages.links, pages, made | pages.files, with_ids=not content))
            move(Path(staging), output, pages.files)
            pages.settle(made)
            told = {path.name: path for path in Path(staged).iterdir()}
            for name, path in sorted(told.items()):
                if not is_same(path, facts.parent / name):  # or a web server would read its file again
                    path.replace(facts.parent / name)
        # Of what did not change meanwhile.
        if key and not known and key == key_of(settings, fingerprint_of(settings, self._config, self._version)):
            self._keep_snapshot(key, settings, pages, told)
        if self._compressor:
            self._compressor.add(sorted(made | pages.files))
        self._pages, self._records, self._sources = pages, pages.records, pages.sources
        self.shared = [file for file, page in pages.by_file.items() if "article" not in page.variables]
        self.due = None if settings["NOW"] else pages.context["due"]
        self.held_back = [f"held back: {file}, {until}" for file, until in pages.context["held_back"]]
        visible = [article for key in ("articles", "hidden_articles", "drafts") for article in pages.context[key]]
        self._articles = {article.id: article for article in visible}
        pages_made = [pages.by_file[file] for file in made & pages.by_file.keys()]
        rendered = {page.variables["article"].id for page in pages_made if "article" in page.variables}
        return [a.id for a in sorted(visible, key=lambda a: a.updated, reverse=True) if a.id in rendered]

    def _snapshot(self, key: bytes, settings: dict[str, Any], pages: Pages) -> bytes:
        """Return the snapshot of a run that would be this one, if all that it made stands, and take note of that; or nothing."""
        if not key or not (kept := self._cache.get(key)):
            return b""
        data, due, files, told, sources, live = kept
        if due and due <= now_in(settings).timestamp():
            return b""
        if any(pages.stamp(file) != stamp for file, stamp in files.items()) or _stamps(settings, told) != told:
            return b""
        for file in files:
            pages.take(file, self._records[file]) if file in self._records else pages.files.add(file)
        pages.sources |= sources
        self._cache.live |= {key, *live}
        return bytes(data)

    def _keep_snapshot(self, key: bytes, settings: dict[str, Any], pages: Pages, told: Iterable[str]) -> None:
        if data := take(pages):
            due, live = pages.context["due"], [*self._cache.live]
            files = {file: pages.stamp(file) for file in pages.files - pages.by_file.keys()}
            kept = (data, due and due.timestamp(), files, _stamps(settings, told), pages.sources, live)
            self._cache.put(key, kept)
            self._cache.live.add(key)

    # What a new comment changes

    def look(self, folder: str = "") -> set[str]:
        """Read the comments of one folder again, or all; return the articles in whose pages something has changed."""
        before = self._keys_of(folder)
        if folder:
            looked_at = self._conversations.refresh(folder)
        else:
            self._conversations.scan()
            looked_at = set(self._articles)
        self._has_lost_words |= bool(before - self._keys_of(folder))
        changed = set()
        for id in looked_at & self._articles.keys():
            article, conversation = self._articles[id], self._conversations[id]
            if article.conversation.known.digest != conversation.known.digest:
                set_conversation(article, conversation)
                self._good.forget(article)
                changed.add(id)
        return changed

    def _keys_of(self, folder: str) -> set[bytes]:
        conversations = self._conversations
        return set(conversations[folder].known.keys if folder else conversations.keys)

    def forget(self) -> None:
        """Delete the keys of words that have gone from the cache."""
        if self._has_lost_words and self._pages:
            with contextlib.suppress(OSError):  # on a full disk; it is tried again
                self._save()

    @property
    def problems(self) -> list[str]:
        """The files of comments that are set aside."""
        return [f"{shown(problem.path)}: {problem.cause}" for problem in self._conversations.problems]

    @property
    def folders(self) -> tuple[Path, Path]:
        """Where the words and the theme lie."""
        return Path(self._settings["PATH"]).resolve(), Path(self._settings["THEME"]).resolve()

    @property
    def image_cache(self) -> Path:
        """Where what is made of images is kept."""
        return Path(self._settings["IMAGE_CACHE"]).absolute()

    @property
    def proofs(self) -> Path:
        """Where proofs are asked for and made."""
        return Path(self._settings["PROOFS"]).absolute()

    @property
    def _good(self) -> Pages:
        assert self._pages, "nothing was built yet"  # noqa: S101  # there are no articles then
        return self._pages

    @property
    def has_output(self) -> bool:
        """Whether a site stands there, of this run or an earlier one."""
        return (
            Path(self._settings["OUTPUT_PATH"], "index.html").is_file() and Path(self._settings["SITE_JSON"]).is_file()
        )

    def pages_of(self, article: str) -> list[str]:
        """Return the files that are an article's own: its page, then its feed."""
        files = self._articles[article].save_as, f"{self._articles[article].url}comments.xml"
        return [file for file in files if file in self._good.by_file]

    def size_of(self, file: str) -> int:
        """Return how many bytes a file has that was rendered, or 0."""
        stamp = self._good.records[file].stamp
        return stamp[0] if stamp else 0

    def render_page(self, file: str) -> bool:
        """Write one file if it has changed; tell whether it has.

        Raises:
            BuildError: with what is wrong; the page then stays as it was.
        """
        pages, settings = self._good, self._settings
        before = pages.records[file]
        try:
            data = pages.render(pages.by_file[file])
            if data is not None:
                refuse(_dead(settings, [file], pages, pages.files))
        except Exception as error:  # as in a run
            pages.take(file, before)
            raise error if isinstance(error, BuildError) else BuildError(place_of(error)) from error
        if data is None:
            return False
        output = output_of(settings)
        draft = output.with_name(f".{output.name}-{os.getpid()}")
        draft.write_bytes(data)
        replace(draft, output / file)
        pages.settle([file])
        if self._compressor:
            self._compressor.add([file])
        self._has_lost_ids |= bool(before.links.ids - pages.links[file].ids)
        self._has_news = True
        return True

    def check(self, *, again: bool = False) -> None:
        """Check that nothing links to a comment that has gone; its page is written without it all the same.

        Raises:
            BuildError: with every link that leads nowhere.
        """
        if self._has_lost_ids or again:
            self._has_lost_ids = False
            refuse(_dead(self._settings, self._good.links, self._good, self._good.files))

    # What is kept and told

    @property
    def _told(self) -> Path:
        return Path(self._settings["SITE_JSON"]).with_name(manifest.STATUS_FILE)

    def tell(self, comments: Iterable[str] = (), **changes: Any) -> None:
        """Tell others how it stands: which comments are on their page now, and what else has changed."""
        now = _now()
        if "seconds" in changes:  # something was written
            changes["finished"] = now
            changes |= self._unsent(now)
        live = dict.fromkeys(comments, now)
        older = {id: time for id, time in self.state.live.items() if id not in live}
        changes["live"] = dict([*older.items(), *live.items()][-LIVE:])
        self.state = with_changes(self.state, **changes)
        atomic.write(self._told, self.state.dumps().encode(), is_durable=False)

    def _unsent(self, now: str) -> dict[str, Any]:
        """Return what a print changes where commands send it: one more is on its way, and perhaps words were taken off."""
        if not self._settings["SITE_PUSH"]:
            return {"unsent": 0, "erased_since": "", "push_fault": ""}
        before, self._printed = self._printed, set(self._conversations.keys)
        has_erased = bool(before - self._printed)
        return {
            "unsent": self.state.unsent + 1,
            "unsent_since": self.state.unsent_since or now,
            "erased_since": now if has_erased else self.state.erased_since,
        }

    @property
    def push_commands(self) -> str:
        """The commands that send what was printed."""
        return str(self._settings["SITE_PUSH"])

    def beat(self) -> None:
        """Tell that the press is alive."""
        with contextlib.suppress(OSError):  # on a full disk, or gone; it is told at the next print
            os.utime(self._told)

    def close(self) -> None:
        """Keep what this process has found out for the next one, and tell that it watches no more."""
        with contextlib.suppress(OSError):  # on a full disk; the next one finds out again
            if self._has_news:
                self._save()
            if self.state.watching:
                self.tell(watching=False)
        if self._compressor:
            self._compressor.close()
        self._cache.close()
        self._lock.close()

    def _remembered_records(self) -> dict[str, PageRecord]:
        state = self._cache.state
        if state.get("output") != str(Path(self._settings["OUTPUT_PATH"]).absolute()):
            return {}
        return {
            file: PageRecord(inputs, stamp, PageLinks(*links))
            for file, (inputs, stamp, links) in state["records"].items()
        }

    def _save(self) -> None:
        state = {
            "output": str(Path(self._settings["OUTPUT_PATH"]).absolute()),
            "records": {
                file: (record.inputs, record.stamp, (record.links.links, record.links.ids))
                for file, record in self._records.items()
            },
            "sources": self._sources,
            "conversations": self._conversations.state,
        }
        if state != self._cache.state or self._cache.has_new:  # a press that starts on a finished site writes nothing
            self._cache.state = state
            self._cache.save()
        self._cache.state = {}
        self._has_news = self._has_lost_words = False


def _stamps(settings: dict[str, Any], names: Iterable[str]) -> dict[str, Stamp | None]:
    """Return the stamps of what was handed to others."""
    paths = {name: Path(settings["SITE_JSON"]).with_name(name) for name in names}
    return {name: stamp_of(path.stat()) if path.is_file() else None for name, path in paths.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _dead(
    settings: dict[str, Any], checked: Iterable[str], pages: Pages, files: Collection[str], *, with_ids: bool = True
) -> Iterator[str]:
    """Yield each link that leads nowhere, with the place where its author wrote it."""
    root = urlsplit(settings["SITE_URL"]).path
    for file, led, cause in dead_links(checked, pages.links, files, with_ids=with_ids):
        address = led.removeprefix(root)
        yield f"{origin(settings, address) or file}: link to {address}: {cause}"
