"""The warm press: holds the site in memory, watches what it is made of, and prints what has changed.

A comment is on its article's page first; what else shows something of it follows. Any other change is a whole run,
which prints what hangs on the change and links the rest.

Changes come in crowds. A page that was printed a moment ago waits for a pause in them, and so does what many articles
share, the longer the longer it takes to draw; so two hundred approvals at once cost at most two prints of any page.
"""

import contextlib
import gc
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import watchfiles

from press.assets.preparation import prepare
from press.builder import Builder
from press.errors import BuildError

CONFIGURATION = ("pelicanconf.py", "publishconf.py")
STEP_MS = 3  # the default waits 50 ms for more changes; an approved comment can be on its page by then
ROUND_MS = 200
SPEED = 10e6  # bytes that are drawn in a second, for what this process has not drawn yet
# In seconds
MOMENT = 0.3
PAUSE = 0.03
PAUSES = 20  # what takes long to draw waits for a pause so many times as long
PATIENCE = 20.0
TURN = 0.5  # how often ``is_over`` is asked
AGAIN = timedelta(minutes=1)  # until what fell due and could not be built is tried again

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

    def listen(ready: threading.Event, *paths: Path, **options: object) -> None:
        common = {"rust_timeout": ROUND_MS, "yield_on_timeout": True, "stop_event": stop}
        for changed in watchfiles.watch(*paths, **common, **options):  # type: ignore[arg-type]
            ready.set()
            if changed:
                found = {Path(path) for _, path in changed}
                comments = {path for path in found if path.is_relative_to(content / "comments")}
                if comments:
                    changes.put(comments)
                if found - comments:
                    waiting.submit(pass_on, found - comments)

    # The folder of the configuration and not its files, for an editor may put others in their place.
    listeners: list[tuple[tuple[Path, ...], dict[str, object]]] = [
        ((content, theme), {"step": STEP_MS}),
        ((configuration,), {"recursive": False, "watch_filter": lambda _, path: Path(path).name in CONFIGURATION}),
    ]
    threads = []
    for paths, options in listeners:
        ready = threading.Event()
        threads.append(threading.Thread(target=listen, args=(ready, *paths), kwargs=options, daemon=True))
        threads[-1].start()
        ready.wait()
    try:
        yield changes
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        waiting.shutdown(cancel_futures=True)


class Watcher:
    """Prints what changes, until it is told that it is over.

    ``say`` takes a line for the terminal.
    """

    def __init__(self, press: Builder, changes: Changes, comments: Path, say: Callable[[str], None]) -> None:
        self._builder, self._changes, self._comments, self._say = press, changes, comments, say
        self._faults: list[str] = []
        self._pages: dict[str, float] = {}  # those to be printed, and since when
        self._shared: dict[str, float] = {}
        self._ids: dict[str, set[str]] = {}  # the comments that come with a page
        self._printed: dict[str, float] = {}
        self._cost: dict[str, float] = {}
        self._last = 0.0  # when something changed
        self._live: list[str] = []
        self._is_unfinished = False
        self._set_aside: set[str] = set()

    def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """PageRecord what changes."""
        while not is_over():
            self.turn(self._wait())

    @property
    def is_busy(self) -> bool:
        """Whether anything waits to be printed."""
        return bool(self._pages or self._shared)

    def turn(self, changed: set[Path]) -> None:
        """Take some changes, then print what is due."""
        if changed:
            self._last = time.monotonic()
        is_due = self._builder.due and datetime.now(UTC) >= self._builder.due
        if is_due or any(not path.is_relative_to(self._comments) for path in changed):
            self.print_all()
        else:
            self._look(changed)
        for waiting in (self._pages, self._shared):
            started = time.monotonic()
            if self._print(waiting):
                self._builder.tell(self._live, seconds=time.monotonic() - started, faults=self._faults)
        if self._is_unfinished and not self.is_busy:
            self._is_unfinished, self._live = False, []
            self._finish()

    def print_all(self) -> bool:
        """PageRecord the whole site, and tell whether that went well; what is wrong is said, and the last good output stays."""
        gc.unfreeze()
        started = time.perf_counter()
        try:
            self._builder.print_all()
        except (BuildError, OSError) as error:
            self._faults = str(error).split("\n")
            if self._builder.due:  # what fell due may be what is wrong; a change is tried at once all the same
                self._builder.due = max(self._builder.due, datetime.now(UTC) + AGAIN)
            self._say(f"{error}\nNot built; the last good output stays as it was.")
            self._take(self._builder.look())
        else:
            self._faults = []
            self._say(f"built in {time.perf_counter() - started:.2f} s")
            self._pages.clear()
            self._shared.clear()
        # What is held in memory is not looked through again for garbage, which would take longer than a print.
        gc.collect()
        gc.freeze()
        return not self._faults

    def _wait(self) -> set[Path]:
        """Return what has changed; wait for it until something else is to be done."""
        now, pause = time.monotonic(), time.monotonic() - self._last
        waits = [self._patience(file) - pause for file in self._pages or self._shared]
        if self._builder.due:
            waits.append((self._builder.due - datetime.now(UTC)).total_seconds())
        waits += [PATIENCE - (now - since) for since in self._pages.values()]
        changed: set[Path] = set()
        with contextlib.suppress(queue.Empty):
            changed |= self._changes.get(timeout=max(0.0, min([TURN, *waits])))
            while True:
                changed |= self._changes.get_nowait()
        return changed

    def _look(self, changed: set[Path]) -> None:
        """Find out what comments have changed."""
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
            with contextlib.suppress(FileNotFoundError):  # taken away in this moment, which is a change of its own
                self._take(self._builder.look(folder), ids)

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

    def _print(self, waiting: dict[str, float]) -> bool:
        """PageRecord the files for which the pause has come; tell whether anything has changed in the output."""
        has_printed = False
        for file, since in list(waiting.items()):
            now = time.monotonic()
            if now - self._last < self._patience(file) and now - since < PATIENCE:
                continue
            if waiting is self._shared and (self._pages or not self._changes.empty()):
                break  # a page comes first, or what links to it would lead nowhere
            del waiting[file]
            try:
                is_new = self._builder.print_page(file)
            except (BuildError, OSError) as error:
                self._fail(error)
                continue
            self._printed[file] = now
            self._live += self._ids.pop(file, ())
            self._cost[file] = max(time.monotonic() - now, self._cost.get(file, 0.0) / 2)
            has_printed |= is_new
        return has_printed

    def _finish(self) -> None:
        """Forget what has gone, and say what is wrong with the comments that have been printed."""
        self._builder.forget()
        try:
            self._builder.check()
        except BuildError as error:
            self._fail(error)
        for problem in set(self._builder.problems) - self._set_aside:
            self._say(f"set aside: {problem}")
        self._set_aside = set(self._builder.problems)

    def _fail(self, error: Exception) -> None:
        self._say(f"{error}\nNot built; the last good output stays as it was.")
        self._faults = list(dict.fromkeys([*self._faults, *str(error).split("\n")]))
        self._builder.tell(faults=self._faults)

    def _patience(self, file: str) -> float:
        """Return how long a pause a file waits for."""
        if file in self._pages and time.monotonic() - self._printed.get(file, -MOMENT) >= MOMENT:
            return 0.0
        cost = self._cost[file] if file in self._cost else self._builder.size_of(file) / SPEED
        return max(PAUSE, PAUSES * cost)
