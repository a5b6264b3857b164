"""Watcher: holds the site in memory, watches what it is made of, and renders what has changed.

A comment is on its article's page first; what else shows something of it follows. Any other change is a whole run,
which renders what hangs on the change and links the rest.

Changes are debounced. A page that was rendered a moment ago waits for a pause in them, and so does what many articles
share, the longer the longer it takes to render; so two hundred approvals at once render any page at most twice.
Whatever goes wrong is told, and tried again: at the next change, or by itself where no change would tell (a full disk).
"""

import contextlib
import gc
import queue
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import watchfiles

from contract.manifest import BEAT_SECONDS
from press.assets.preparation import prepare
from press.builder import Builder
from press.deploy import PAUSE as PUSH_PAUSE
from press.deploy import Deployment
from press.errors import BuildError, place_of

CONFIGURATION = ("pelicanconf.py", "publishconf.py")
STEP_MS = 3  # the default waits 50 ms for more changes; an approved comment can be on its page by then
ROUND_MS = 200
SPEED = 10e6  # bytes that are rendered in a second, for what this process has not rendered yet
# In seconds
MOMENT = 0.3
PAUSE = 0.03
PAUSES = 20  # what takes long to render waits for a pause so many times as long
PATIENCE = 20.0
TURN = 0.5  # how often ``is_over`` is asked
RETRY, LONGEST_RETRY = 1.0, 60.0  # until what could not be written or read is tried again, twice as long each time
AGAIN = timedelta(minutes=1)  # until what fell due and could not be built is tried again

WHOLE, LINKS = "the site", "links to comments"  # of which a fault can be, besides a file

Changes = queue.SimpleQueue[set[Path]]


@contextlib.contextmanager
def watching(content: Path, theme: Path, configuration: Path, image_cache: Path | None = None) -> Iterator[Changes]:
    """Collect the files that change, from the moment it begins.

    With an ``image_cache`` a photograph comes when its sizes are in it, and what changed after it comes behind it;
    comments wait for neither.
    """
    changes: Changes = queue.SimpleQueue()
    stop = threading.Event()
    waiting = ThreadPoolExecutor(1)

    def pass_on(paths: set[Path]) -> None:
        try:
            if image_cache:
                prepare(image_cache, paths, stop)
        finally:
            changes.put(paths)

    def listen(begun: Future[None], *paths: Path, **options: object) -> None:
        common = {"rust_timeout": ROUND_MS, "yield_on_timeout": True, "stop_event": stop}
        try:
            for changed in watchfiles.watch(*paths, **common, **options):  # type: ignore[arg-type]
                if not begun.done():
                    begun.set_result(None)
                found = {Path(path) for _, path in changed}
                comments = {path for path in found if path.is_relative_to(content / "comments")}
                if comments:
                    changes.put(comments)
                if found - comments:
                    waiting.submit(pass_on, found - comments)
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(OSError(f"What changes cannot be watched: {error}"))

    # The folder of the configuration and not its files, for an editor may put others in their place.
    listeners: list[tuple[tuple[Path, ...], dict[str, object]]] = [
        ((content, theme), {"step": STEP_MS, "watch_filter": _NoDrafts()}),
        ((configuration,), {"recursive": False, "watch_filter": lambda _, path: Path(path).name in CONFIGURATION}),
    ]
    threads = []
    try:
        for paths, options in listeners:
            begun: Future[None] = Future()
            threads.append(threading.Thread(target=listen, args=(begun, *paths), kwargs=options, daemon=True))
            threads[-1].start()
            begun.result()  # raises what the system says: a user can watch so many folders and no more
        yield changes
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        waiting.shutdown(cancel_futures=True)


class _NoDrafts(watchfiles.DefaultFilter):
    """Filter of what is on its way to its name: a whole build would begin for ``.shoes.md.new``, and a second for ``shoes.md``."""

    def __call__(self, change: watchfiles.Change, path: str) -> bool:
        return super().__call__(change, path) and not re.search(r"[/\\]\.[^/\\]+\.new$", path)


class Watcher:
    """Renders what changes, until it is told that it is over.

    ``say`` takes a line for the terminal; ``deployment`` sends what was printed.
    """

    def __init__(
        self,
        builder: Builder,
        changes: Changes,
        comments: Path,
        say: Callable[[str], None],
        deployment: Deployment | None = None,
    ) -> None:
        self._deployment = deployment
        self._builder, self._changes, self._comments, self._say = builder, changes, comments, say
        self._faults: dict[str, list[str]] = {}  # by what they are of
        self._pages: dict[str, float] = {}  # those to be rendered, and since when
        self._shared: dict[str, float] = {}
        self._ids: dict[str, set[str]] = {}  # the comments that come with a page
        self._rendered: dict[str, float] = {}
        self._cost: dict[str, float] = {}
        self._last = 0.0  # when something changed
        self._live: list[str] = []
        self._is_unfinished = False
        self._set_aside: set[str] = set()
        self._held_back: list[str] = []
        self._retry: float | None = None  # when to build all again
        self._retry_after = RETRY

    def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Render what changes."""
        beaten = time.monotonic()
        while not is_over():
            self.turn(self._wait())
            if time.monotonic() - beaten > BEAT_SECONDS:
                beaten = time.monotonic()
                self._builder.beat()

    @property
    def is_busy(self) -> bool:
        """Whether anything waits to be rendered."""
        return bool(self._pages or self._shared)

    def turn(self, changed: set[Path]) -> None:
        """Take some changes, then render what is due."""
        if changed:
            self._last = time.monotonic()
        is_due = self._builder.due and datetime.now(UTC) >= self._builder.due
        is_due = is_due or (self._retry is not None and time.monotonic() >= self._retry)
        if is_due or any(not path.is_relative_to(self._comments) for path in changed):
            self.build_all()
        elif changed:
            self._look(changed)
        for waiting in (self._pages, self._shared):
            started = time.monotonic()
            if self._render(waiting):
                self._tell(self._live, seconds=time.monotonic() - started)
        if self._is_unfinished and not self.is_busy:
            self._is_unfinished, self._live = False, []
            self._finish()
        if not self.is_busy:
            self._builder.forget()
        if self._deployment:
            is_quiet = not self.is_busy and time.monotonic() - self._last >= PUSH_PAUSE
            if ended := self._deployment.turn(self._builder.state, is_quiet=is_quiet):
                self._tell(**ended)

    def build_all(self) -> bool:
        """Build the whole site, and tell whether that went well; what is wrong is said, and the last good output stays."""
        gc.unfreeze()
        started, self._retry = time.perf_counter(), None
        try:
            self._builder.build_all()
        except (BuildError, OSError) as error:
            if self._builder.due:  # what fell due may be what is wrong; a change is tried at once all the same
                self._builder.due = max(self._builder.due, datetime.now(UTC) + AGAIN)
            self._fail(WHOLE, error)
            with contextlib.suppress(OSError):  # it is tried again
                self._take(self._builder.look())
        else:
            self._faults, self._retry_after = {}, RETRY
            self._say(f"built in {time.perf_counter() - started:.2f} s")
            self._pages.clear()
            self._shared.clear()
            self._set_aside = set(self._builder.problems)  # the plugin has said so
            for line in self._builder.held_back:
                if line not in self._held_back:
                    self._say(line)
            self._held_back = self._builder.held_back
        # What is held in memory is not looked through again for garbage, which would take longer than to render a page.
        gc.collect()
        gc.freeze()
        return not self._faults

    def _wait(self) -> set[Path]:
        """Return what has changed; wait for it until something else is to be done."""
        now, pause = time.monotonic(), time.monotonic() - self._last
        waits = [self._patience(file) - pause for file in self._pages or self._shared]
        if self._builder.due:
            waits.append((self._builder.due - datetime.now(UTC)).total_seconds())
        if self._retry is not None:
            waits.append(self._retry - now)
        waits += [PATIENCE - (now - since) for since in self._pages.values()]
        changed: set[Path] = set()
        with contextlib.suppress(queue.Empty):
            changed |= self._changes.get(timeout=max(0.0, min([TURN, *waits])))
            while True:
                changed |= self._changes.get_nowait()
        return changed

    def _look(self, changed: set[Path]) -> None:
        """Find out what comments have changed, and say which files are set aside."""
        folders: dict[str, set[str]] = {}
        for path in changed:
            match path.relative_to(self._comments).parts:
                case (folder, name) if name.endswith(".md"):
                    folders.setdefault(folder, set()).add(path.stem)
                case (folder,) if not folder.endswith(".md"):
                    folders.setdefault(folder, set())
                case parts if not parts or path.suffix == ".md":
                    folders[""] = set()
        for folder, ids in folders.items():
            try:
                self._take(self._builder.look(folder), ids)
            except FileNotFoundError:
                continue  # taken away in this moment, which is a change of its own
            except OSError as error:
                self._fail(WHOLE, error)
        before, self._set_aside = self._set_aside, set(self._builder.problems)
        for problem in self._set_aside - before:
            self._say(f"set aside: {problem}")

    def _take(self, articles: set[str], comments: Collection[str] = ()) -> None:
        now = time.monotonic()
        for article in articles:
            page, *feed = self._builder.pages_of(article)
            self._pages.setdefault(page, now)
            self._ids.setdefault(page, set()).update(comments)
            for file in feed:
                self._shared.setdefault(file, now)
        self._is_unfinished |= bool(articles)
        if articles:
            for file in self._builder.shared:
                self._shared.setdefault(file, now)

    def _render(self, waiting: dict[str, float]) -> bool:
        """Render the files for which the pause has come; tell whether anything has changed in the output."""
        has_rendered = False
        for file, since in list(waiting.items()):
            now = time.monotonic()
            if now - self._last < self._patience(file) and now - since < PATIENCE:
                continue
            if waiting is self._shared and (self._pages or not self._changes.empty()):
                break  # a page comes first, or what links to it would lead nowhere
            del waiting[file]
            try:
                is_new = self._builder.render_page(file)
            except (BuildError, OSError) as error:
                self._fail(file, error)
                continue
            has_rendered |= is_new | bool(self._faults.pop(file, None))
            self._rendered[file] = now
            self._live += self._ids.pop(file, ())
            self._cost[file] = max(time.monotonic() - now, self._cost.get(file, 0.0) / 2)
        return has_rendered

    def _finish(self) -> None:
        """Say what is wrong with the comments that have been rendered."""
        try:
            self._builder.check(again=LINKS in self._faults)
        except (BuildError, OSError) as error:
            self._fail(LINKS, error)
        else:
            if self._faults.pop(LINKS, None):
                self._tell()

    def _fail(self, of: str, error: Exception) -> None:
        """Say and tell what is wrong; what no change would mend is tried again."""
        self._say(f"{place_of(error)}\nNot built; the last good output stays as it was.")
        self._faults[of] = place_of(error).split("\n")
        self._tell()
        if isinstance(error, OSError):
            self._try_again()

    def _tell(self, comments: Collection[str] = (), **changes: Any) -> None:
        faults = list(dict.fromkeys(fault for of in self._faults.values() for fault in of))
        try:
            self._builder.tell(comments, faults=faults, **changes)
        except OSError:
            self._try_again()

    def _try_again(self) -> None:
        if self._retry is None:
            self._retry = time.monotonic() + self._retry_after
            self._retry_after = min(2 * self._retry_after, LONGEST_RETRY)

    def _patience(self, file: str) -> float:
        """Return how long a pause a file waits for."""
        if file in self._pages and time.monotonic() - self._rendered.get(file, -MOMENT) >= MOMENT:
            return 0.0
        cost = self._cost[file] if file in self._cost else self._builder.size_of(file) / SPEED
        return max(PAUSE, PAUSES * cost)
