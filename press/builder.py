"""The press: prints a site, and again what has changed in it.

Pelican runs beside the output, what it made is checked, and moves into place by rename; whatever fails,
the last good output stays as it was. What a run found out is kept for the next, in memory and in the cache.
"""

import gc
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pelican.contents import Article

from contract import manifest
from press.errors import BuildError, origin, place_of, refuse
from press.incremental.cache import Cache, version_of
from press.incremental.comments import Conversations
from press.incremental.pages import PageRecord, Pages
from press.output.links import PageLinks, dead_links
from press.plugin.plugin import converse
from press.plugin.run import files_below, move, run, settings_of, theme_of

PREVIEW: dict[str, Any] = {
    "PREVIEW": True,
    "DRAFT_SAVE_AS": "drafts/{slug}/index.html",
    "DRAFT_PAGE_SAVE_AS": "drafts/{slug}/index.html",
}
HERE = Path(__file__).parent
LIVE = 200  # comments whose time is told


def build(config: Path, **overrides: Any) -> None:
    """Build the site that ``config`` describes and move it into its ``OUTPUT_PATH``.

    Pages appear by rename: new ones, then changed ones, then the removals, then the facts for the intake.

    Raises:
        BuildError: with everything that is wrong; the output is then untouched.
    """
    with closing(Builder(config, overrides)) as press:
        press.print_all()


class Builder:
    """Prints the site that ``config`` describes.

    ``state`` is what others are told of it; ``due`` when the site changes by itself, for an article
    is published or a conversation closes; ``shared`` are the files that show something of more than one article,
    the front page first. ``progress`` is called for each text and page of a whole run.
    """

    def __init__(
        self,
        config: Path,
        overrides: dict[str, Any],
        *,
        is_watching: bool = False,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.due: datetime | None = None
        self.shared: list[str] = []
        self._config, self._overrides, self._progress = config, overrides, progress
        self._settings = settings_of(config, overrides)
        self.state = replace(manifest.BuildStatus.load(self._told), watching=is_watching)
        self._version = version_of(HERE, HERE.parent / "contract")
        self._cache = Cache(Path(self._settings["PRESS_CACHE"]), self._version)
        self._prints = self._remembered_prints()
        self._conversations = Conversations(
            Path(self._settings["PATH"], "comments"), self._cache.state.get("conversations")
        )
        # Of the last good run
        self._sheets: Pages
        self._articles: dict[str, Article] = {}
        self._has_lost_ids = self._has_news = False
        self._lost_words: set[bytes] = set()  # keys in the cache

    def print_all(self) -> None:
        """Run Pelican, and print what has changed.

        Raises:
            BuildError: with everything that is wrong; the output is then untouched.
        """
        started = time.perf_counter()
        live, self._cache.live = self._cache.live, set()
        gc.disable()  # most of what a run makes stays, and to look through it for garbage takes a sixth of the time
        try:
            settings = settings_of(self._config, self._overrides)
            printed = self._run(settings)
        except (BuildError, OSError) as error:
            self._cache.live = live
            self.tell(faults=str(error).split("\n"))
            raise
        finally:
            gc.enable()
        self._settings = settings
        ids = (entry.comment.id for id in printed for entry in self._articles[id].conversation)
        self.tell(islice(ids, LIVE), seconds=time.perf_counter() - started, faults=[])
        self._save()

    def _run(self, settings: dict[str, Any]) -> list[str]:
        """PageRecord what has changed; return the articles whose page was printed, the latest talked about first."""
        output, facts = Path(settings["OUTPUT_PATH"]), Path(settings["SITE_JSON"])
        # Beside the output, for a rename does not cross file systems.
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as folder:
            beside, staged = Path(folder, "output"), Path(folder, "site", facts.name)
            beside.mkdir()
            theme = theme_of(settings, self._config, self._version)
            pages = Pages(output, beside, theme, self._prints, self._cache, self._progress)
            handed = {"PRESS": pages, "CONVERSATIONS": self._conversations}
            run(settings | handed | {"OUTPUT_PATH": str(beside), "SITE_JSON": str(staged)}, theme, self._cache)
            made = set(files_below(beside))
            for file in made - pages.prints.keys():
                pages.read(file, beside / file)
            refuse(_dead(settings, pages.links, pages, made | pages.files))
            move(beside, output, pages.files)
            pages.settle(made)
            facts.parent.mkdir(parents=True, exist_ok=True)
            for path in sorted(staged.parent.iterdir()):
                path.replace(facts.parent / path.name)
        self._sheets, self._prints = pages, pages.prints
        self.shared = [file for file, page in pages.by_file.items() if "article" not in page.variables]
        self.due = None if settings["NOW"] else pages.context["due"]
        shown = [article for key in ("articles", "hidden_articles", "drafts") for article in pages.context[key]]
        self._articles = {article.id: article for article in shown}
        sheets_made = [pages.by_file[file] for file in made & pages.by_file.keys()]
        printed = {page.variables["article"].id for page in sheets_made if "article" in page.variables}
        return [a.id for a in sorted(shown, key=lambda a: a.updated, reverse=True) if a.id in printed]

    # What a new comment changes

    def look(self, folder: str = "") -> set[str]:
        """Read the comments of one folder again, or all; return the articles in whose pages something has changed."""
        if folder:
            looked_at = self._conversations.refresh(folder)
        else:
            self._conversations.scan()
            looked_at = set(self._articles)
        changed = set()
        for id in looked_at & self._articles.keys():
            article, conversation = self._articles[id], self._conversations[id]
            if article.conversation.known.digest != conversation.known.digest:
                self._lost_words |= {*article.conversation.known.keys} - {*conversation.known.keys}
                converse(article, conversation)
                self._sheets.forget(article)
                changed.add(id)
        return changed

    @property
    def problems(self) -> list[str]:
        """The files of comments that are set aside."""
        return [f"{os.path.relpath(problem.path)}: {problem.cause}" for problem in self._conversations.problems]

    @property
    def folders(self) -> tuple[Path, Path]:
        """Where the words and the theme lie."""
        return Path(self._settings["PATH"]).resolve(), Path(self._settings["THEME"]).resolve()

    @property
    def image_cache(self) -> Path:
        """Where what is made of images is kept."""
        return Path(self._settings["IMAGE_CACHE"]).absolute()

    def pages_of(self, article: str) -> list[str]:
        """Return the files that are an article's own: its page, then its feed."""
        files = self._articles[article].save_as, f"{self._articles[article].url}comments.xml"
        return [file for file in files if file in self._sheets.by_file]

    def size_of(self, file: str) -> int:
        """Return how many bytes a file has that was printed, or 0."""
        stamp = self._sheets.prints[file].stamp
        return stamp[0] if stamp else 0

    def print_page(self, file: str) -> bool:
        """PageRecord one file if it has changed; tell whether it has.

        Raises:
            BuildError: with what is wrong; the page then stays as it was.
        """
        pages, settings = self._sheets, self._settings
        before = pages.prints[file]
        try:
            data = pages.draw(pages.by_file[file])
            if data is not None:
                refuse(_dead(settings, [file], pages, pages.files))
        except Exception as error:  # as in a run
            pages.take(file, before)
            raise error if isinstance(error, BuildError) else BuildError(place_of(error)) from error
        if data is None:
            return False
        output = Path(settings["OUTPUT_PATH"])
        draft = output.with_name(f".{output.name}-{os.getpid()}")
        draft.write_bytes(data)
        draft.replace(output / file)
        pages.settle([file])
        self._has_lost_ids |= bool(before.links.ids - pages.links[file].ids)
        self._has_news = True
        return True

    def forget(self) -> None:
        """Take the words of comments that have gone or changed out of the cache; an erased one may not stay in it."""
        if self._lost_words:
            self._save()

    def check(self) -> None:
        """Check that nothing links to a comment that has gone; its page is printed without it all the same.

        Raises:
            BuildError: with every link that leads nowhere.
        """
        if self._has_lost_ids:
            refuse(_dead(self._settings, self._sheets.links, self._sheets, self._sheets.files))
            self._has_lost_ids = False

    # What is kept and told

    @property
    def _told(self) -> Path:
        return Path(self._settings["SITE_JSON"]).with_name(manifest.STATUS_FILE)

    def tell(self, comments: Iterable[str] = (), **changes: Any) -> None:
        """Tell others how it stands: which comments have just been printed, and what else has changed."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        if "seconds" in changes:  # something was printed
            changes["finished"] = now
        live = dict.fromkeys(comments, now)
        older = {id: time for id, time in self.state.live.items() if id not in live}
        changes["live"] = dict([*older.items(), *live.items()][-LIVE:])
        self.state = replace(self.state, **changes)
        self._told.parent.mkdir(parents=True, exist_ok=True)
        draft = self._told.with_name(f".{self._told.name}")
        draft.write_text(self.state.dumps(), "utf-8")
        draft.replace(self._told)

    def close(self) -> None:
        """Keep what this process has found out for the next one, and tell that it prints no more."""
        if self._has_news:
            self._save()
        if self.state.watching:
            self.tell(watching=False)
        self._cache.close()

    def _remembered_prints(self) -> dict[str, PageRecord]:
        state = self._cache.state
        if state.get("output") != str(Path(self._settings["OUTPUT_PATH"]).absolute()):
            return {}
        return {
            file: PageRecord(inputs, stamp, PageLinks(*links))
            for file, (inputs, stamp, links) in state["prints"].items()
        }

    def _save(self) -> None:
        self._cache.live -= self._lost_words
        self._cache.live |= set(self._conversations.keys)
        self._cache.state = {
            "output": str(Path(self._settings["OUTPUT_PATH"]).absolute()),
            "prints": {
                file: (printed.inputs, printed.stamp, (printed.links.links, printed.links.ids))
                for file, printed in self._prints.items()
            },
            "conversations": self._conversations.state,
        }
        self._cache.save()
        self._cache.state = {}
        self._has_news = False
        self._lost_words = set()


def _dead(settings: dict[str, Any], checked: Iterable[str], pages: Pages, files: Collection[str]) -> Iterator[str]:
    """Yield each link that leads nowhere, with the place where its author wrote it."""
    for file, address, cause in dead_links(checked, pages.links, files):
        yield f"{origin(settings, address) or file}: link to {address}: {cause}"
