"""Conversations of the site; a folder of comments is read again only when one of its files has changed.

A file is trusted by its size, its time and its inode. What is known of a conversation without its words
(how many comments, the latest date, …) outlives the process in the cache.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from contract.comment import Comment, CommentError, is_ours, read
from contract.thread import Entry, Problem, gather, thread
from press.incremental.cache import digest
from press.incremental.parallel import Progress, on_every_core

# So many are held, so that one more in a long conversation costs one reading.
READ = 20_000  # comments, by their file
HELD = 1_000  # conversations
KEY_BYTES = 16
AT_ONCE = 32  # folders

Stamp = tuple[int, int, int]


def stamp_of(stat: os.stat_result) -> Stamp:
    """Return what tells that a file is as it was: its size, time and inode."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def words_key(text: str) -> bytes:
    """Return what tells a reader's words from any others."""
    return digest(b"comment", text.encode())


@dataclass(frozen=True)
class Known:
    """What is known of a conversation without reading it; ``digest`` changes with all that can be shown of it.

    ``stamp`` is that of all its files, ``count`` how many comments there are to read.
    ``latest`` is the date of the latest comment, ``newest`` that of the latest to read (in seconds, or None),
    ``has_undated`` whether one to read has none.
    ``words`` are the keys of their words, one after another.
    ``problems`` are the files set aside, by name, each with its cause.
    """

    stamp: bytes = b""
    digest: bytes = b""
    count: int = 0
    latest: float | None = None
    newest: float | None = None
    has_undated: bool = False
    words: bytes = b""
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def keys(self) -> Iterator[bytes]:
        """The keys in ``words``."""
        return (self.words[start : start + KEY_BYTES] for start in range(0, len(self.words), KEY_BYTES))


class Conversation:
    """One article's conversation: yields its entries in reading order, and reads them when it is asked to."""

    def __init__(
        self, known: Known, folder: str, files: dict[str, Stamp], read: Callable[["Conversation"], list[Entry]]
    ) -> None:
        self.known, self.folder, self.files = known, folder, files
        self._read = read

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._read(self))

    @property
    def latest(self) -> datetime | None:
        """The date of the latest comment, removed or not."""
        return None if self.known.latest is None else datetime.fromtimestamp(self.known.latest, UTC)


NOTHING_SAID = Conversation(Known(), "", {}, lambda _: [])


class Conversations:
    """The conversations below a folder, by the id of their article; ``state`` is what an earlier process knew.

    ``progress`` is told of each that is read.
    """

    def __init__(
        self, root: Path, state: dict[str, tuple[object, ...]] | None = None, progress: Progress = lambda *_: None
    ) -> None:
        self._root, self._progress = root, progress
        self._found: dict[str, Conversation] = {}
        self._remembered = {id: Known(*known) for id, known in (state or {}).items()}  # type: ignore[arg-type]  # as ``state`` gave it
        self._places: dict[str, tuple[str, ...]] = {}  # the folders that have a file of a name
        self._strays: list[Problem] = []
        self._faulty: set[str] = set()  # the folders that have a file set aside
        self._fresh: dict[str, tuple[bytes, list[Comment]]] = {}  # just read to be known, and about to be drawn
        # A Path costs half as much as to read the file.
        self._comment = lru_cache(READ)(lambda folder, name, _: read(f"{root}/{folder}/{name}"))
        self._entries = lru_cache(HELD)(self._read_entries)

    def __getitem__(self, article: str) -> Conversation:
        """Return an article's conversation; nobody may have said anything yet."""
        return self._found.get(article, NOTHING_SAID)

    @property
    def state(self) -> dict[str, tuple[object, ...]]:
        """What a later process need not find out again."""
        return {id: tuple(vars(conversation.known).values()) for id, conversation in self._found.items()}

    @property
    def keys(self) -> Iterator[bytes]:
        """The keys of the words of each comment, those of an earlier process until they are looked at."""
        for known in (*self._remembered.values(), *(conversation.known for conversation in self._found.values())):
            yield from known.keys

    @property
    def problems(self) -> list[Problem]:
        """The files that are set aside."""
        return self._strays + [
            Problem(self._root / id / name, cause)
            for id in sorted(self._faulty)
            for name, cause in self._found[id].known.problems
        ]

    def scan(self) -> set[str]:
        """Look at every folder; return the articles whose conversation has changed."""
        listed = sorted(os.scandir(self._root), key=lambda entry: entry.name) if self._root.is_dir() else []
        listed = [entry for entry in listed if is_ours(entry.name)]
        looks = {}
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                looks[entry.name] = self._look(entry.name)
                self._progress("looking at conversations", 1, len(listed))
        before, self._places = self._places, {}
        self._fresh.clear()
        for folder, (files, _, _) in looks.items():
            for name in files:
                self._places[name] = (*self._places.get(name, ()), folder)
        contested = {
            folder
            for name, folders in self._places.items()
            if (len(folders) > 1 or len(before.get(name, ())) > 1) and folders != before.get(name)
            for folder in folders
        }
        unread = [
            folder
            for folder, (_, stamp, _) in looks.items()
            if folder not in self._found and self._remembered.get(folder, Known()).stamp != stamp
        ]
        # Those that this process can hold are read here, for the forks that draw them have them then.
        at_once = AT_ONCE if sum(len(looks[folder][0]) for folder in unread) > READ else max(1, len(unread))
        for known in on_every_core(
            lambda folders: {id: self._learn(id, *looks[id][:2]) for id in folders}, unread, at_once
        ):
            self._progress("reading conversations", len(known), len(unread))
            self._remembered |= known
        gone = self._found.keys() - looks.keys()
        for folder in gone:
            del self._found[folder]
            self._faulty.discard(folder)
        changed = {
            folder for folder, look in looks.items() if self._update(folder, *look[:2], anew=folder in contested)
        }
        self._remembered = {}
        astray = [
            Path(entry.path)
            for entry in listed
            if entry.name not in looks and (entry.is_symlink() or entry.name.endswith(".md"))
        ]
        astray += [path for folder, look in looks.items() for path in look[2]]
        self._strays = [problem for path in astray for problem in gather(self._root, path.parent, [path.name], {})[1]]
        return changed | gone

    def refresh(self, folder: str) -> set[str]:
        """Look at one folder; return the articles whose conversation has changed."""
        files, stamp, deeper = self._look(folder)
        known = self._found[folder].files.keys() if folder in self._found else set()
        moved = files.keys() ^ known
        if deeper or not files or any(self._places.get(name, (folder,)) != (folder,) for name in moved | files.keys()):
            return self.scan()  # rare: what is said here may bear on another folder
        for name in moved:
            self._places[name] = (folder,)
            if name not in files:
                del self._places[name]
        return {folder} if self._update(folder, files, stamp, anew=False) else set()

    def _look(self, folder: str) -> tuple[dict[str, Stamp], bytes, list[Path]]:
        """Return a folder's files by name, what tells that they are as they were, and the files that lie deeper."""
        files: dict[str, Stamp] = {}
        deeper: list[Path] = []
        try:
            for entry in os.scandir(self._root / folder):
                if entry.is_dir(follow_symlinks=False):
                    deeper += sorted(path for path in Path(entry.path).rglob("*.md") if is_ours(path.name))
                elif entry.name.endswith(".md") and is_ours(entry.name):
                    files[entry.name] = stamp_of(entry.stat(follow_symlinks=False))
        except FileNotFoundError:  # gone in this moment; whoever took it away tells that too
            return self._look(folder) if (self._root / folder).is_dir() else ({}, b"", [])
        files = dict(sorted(files.items()))
        return files, digest(repr(files).encode()), deeper

    def _update(self, folder: str, files: dict[str, Stamp], stamp: bytes, *, anew: bool) -> bool:
        """Take what stands in a folder; tell whether anything shown of it has changed."""
        was = self._found.get(folder)
        known = was.known if was else self._remembered.get(folder)
        if known is None or anew or known.stamp != stamp:
            known = self._learn(folder, files, stamp)
        if was is None or was.known is not known:
            self._found[folder] = Conversation(known, folder, files, self._entries)
        (self._faulty.add if known.problems else self._faulty.discard)(folder)
        return was is None or was.known.digest != known.digest

    def _read_entries(self, conversation: Conversation) -> list[Entry]:
        stamp, comments = self._fresh.pop(conversation.folder, (b"", []))
        if stamp != conversation.known.stamp:
            comments, _ = self._gather(conversation.folder, conversation.files)
        return list(thread(comments))

    def _learn(self, folder: str, files: dict[str, Stamp], stamp: bytes) -> Known:
        comments, problems = self._gather(folder, files)
        if len(self._fresh) < HELD:
            self._fresh[folder] = stamp, comments
        return _known(stamp, comments, problems)

    def _gather(self, folder: str, files: dict[str, Stamp]) -> tuple[list[Comment], list[Problem]]:
        taken: dict[str, str] = {}
        for name in files:
            for other in self._places.get(name, ()):
                if other < folder and self._stands(other, name):
                    taken.setdefault(Path(name).stem, other)
        return gather(
            self._root, self._root / folder, files, taken, lambda _, name: self._comment(folder, name, files[name])
        )

    def _stands(self, folder: str, name: str) -> bool:
        try:
            return bool(self._comment(folder, name, stamp_of((self._root / folder / name).lstat())))
        except (CommentError, OSError):
            return False


def _known(stamp: bytes, comments: list[Comment], problems: list[Problem]) -> Known:
    shown = [comment for comment in comments if not comment.removed]
    return Known(
        stamp,
        digest(*(repr(vars(comment)).encode() for comment in comments)),
        len(shown),
        max((comment.date.timestamp() for comment in comments if comment.date), default=None),
        max((comment.date.timestamp() for comment in shown if comment.date), default=None),
        any(comment.date is None for comment in shown),
        b"".join(words_key(comment.body) for comment in shown),
        tuple((problem.path.name, problem.cause) for problem in problems),
    )
