"""Texts of the site as their author works on them: the files, one unfinished copy of each, and every earlier version.

The file in ``content/`` is the truth. A working copy lies in the desk's own folder with the hash of the file that it began
from; nothing unfinished is ever in ``content/``. Every text found in a file or written to one stays as a version.
"""

import os
import re
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from postbox.store.database import connect, sync, transaction
from postbox.writing.text_file import TEXT_BYTES, TextError, hash_of

KEY = re.compile(r"(articles|pages)/(?!\.)[\w.-]{1,120}(/(?!\.)[\w.-]{1,120}){0,3}")
NEW = re.compile(r"articles/new-[0-9a-f]{12}|pages/new-[0-9a-f]{12}")
FOLDERS = ("articles", "pages")
FILES = 20_000  # that are looked at
VERSIONS = 200  # of a text that are kept
MIGRATIONS = [
    """
    CREATE TABLE working_copy (
        key TEXT PRIMARY KEY,
        data BLOB NOT NULL,
        base TEXT NOT NULL,
        number INTEGER NOT NULL,
        changed TEXT NOT NULL,
        is_deleted INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE version (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        data BLOB NOT NULL,
        hash TEXT NOT NULL,
        made TEXT NOT NULL,
        why TEXT NOT NULL
    ) STRICT;
    CREATE INDEX version_by_key ON version (key, id)
    """
]


@dataclass(frozen=True)
class WorkingCopy:
    """An unfinished text: the whole file as it would be, the hash of the one that it began from, and how often it was saved."""

    key: str
    data: bytes
    base: str
    number: int
    changed: datetime
    is_deleted: bool


@dataclass(frozen=True)
class Version:
    """A text as it once was; ``why`` is found, published, taken off, deleted, restored, undone or replaced."""

    id: int
    key: str
    data: bytes
    hash: str
    made: datetime
    why: str


class Texts:
    """Articles and pages by their key: the path below ``content/`` without its end, like ``articles/shoes``."""

    def __init__(self, content: Path, desk: Path) -> None:
        """Open or make ``texts.sqlite`` in the desk's folder; whoever compares before a change holds the ``lock`` for both."""
        self._content, self.lock = content, threading.RLock()
        self._connection = connect(desk / "texts.sqlite", MIGRATIONS)

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Keep all of some changes or none, one thread at a time."""
        with self.lock, transaction(self._connection):
            yield self._connection

    def copy(self, path: Path) -> None:
        """Write the working copies and versions to a new database, as of one moment."""
        with self.lock, closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)

    # Files

    def path(self, key: str) -> Path:
        """Return where a text's file is.

        Raises:
            TextError: if that is no key.
        """
        if not KEY.fullmatch(key) or ".." in key:
            raise TextError("there is no such text")
        return self._content / f"{key}.md"

    def file(self, key: str) -> bytes:
        """Return the file of a text, empty for none; no link is followed.

        Raises:
            TextError: if it is no ordinary file, or too long.
        """
        try:
            descriptor = os.open(self.path(key), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            raise TextError(f"{key}.md cannot be read: {error.strerror}") from None
        with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TextError(f"{key}.md is no ordinary file")
            data = file.read(TEXT_BYTES + 1)
        if len(data) > TEXT_BYTES:
            raise TextError(f"{key}.md has more than {TEXT_BYTES:,} bytes; it cannot be edited here")
        return data

    def all_keys(self) -> list[str]:
        """Return the keys of all files, at most ``FILES``."""
        found: list[str] = []
        for folder in FOLDERS:
            for path in (self._content / folder).rglob("*.md"):
                key = path.relative_to(self._content).as_posix().removesuffix(".md")
                if KEY.fullmatch(key) and len(found) < FILES:
                    found.append(key)
        return sorted(found)

    def put(self, key: str, data: bytes) -> datetime:
        """Write the file of a text whole or not at all, or take it away if there is no ``data``; return when.

        The time is that before the rename, for the press may have begun before this knows that the rename is done.
        """
        path = self.path(key)
        with self.lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._drafted(path, data) if data else None
            written = datetime.now(UTC)
            if draft:
                draft.replace(path)
            else:
                path.unlink(missing_ok=True)
            sync(path.parent)
        return written

    @staticmethod
    def _drafted(path: Path, data: bytes) -> Path:
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            with suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        return draft

    # Working copies

    def working(self, key: str) -> WorkingCopy | None:
        """Return the working copy of a text, if there is one."""
        return next(iter(self._working("key = ?", key)), None)

    def all_working(self) -> list[WorkingCopy]:
        """Return all working copies."""
        return list(self._working("1 LIMIT ?", FILES))

    def save(self, key: str, data: bytes, *, base: str, number: int, now: datetime, is_deleted: bool = False) -> int:
        """Keep a working copy; return its number."""
        self.path(key)
        with self.change() as connection:
            values = (key, data, base, number + 1, now.isoformat(), is_deleted)
            connection.execute("INSERT OR REPLACE INTO working_copy VALUES (?, ?, ?, ?, ?, ?)", values)
        return number + 1

    def drop(self, key: str) -> None:
        """Forget a working copy."""
        with self.change() as connection:
            connection.execute("DELETE FROM working_copy WHERE key = ?", (key,))

    def rename(self, key: str, new: str) -> None:
        """Give a text that was never published its key."""
        self.path(new)
        with self.change() as connection:
            connection.execute("UPDATE working_copy SET key = ? WHERE key = ?", (new, key))
            connection.execute("UPDATE version SET key = ? WHERE key = ?", (new, key))

    # Versions

    def keep(self, key: str, data: bytes, why: str, now: datetime) -> int:
        """Keep a version and return its id; one that is the latest already is not kept twice as ``found``."""
        latest = next(iter(self.versions(key, limit=1)), None)
        if why == "found" and latest and latest.hash == hash_of(data):
            return latest.id
        with self.change() as connection:
            query = "INSERT INTO version (key, data, hash, made, why) VALUES (?, ?, ?, ?, ?)"
            id = connection.execute(query, (key, data, hash_of(data), now.isoformat(), why)).lastrowid or 0
            old = "SELECT id FROM version WHERE key = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
            connection.execute(f"DELETE FROM version WHERE id IN ({old})", (key, VERSIONS))  # noqa: S608  # our own
        return id

    def versions(self, key: str, *, limit: int = VERSIONS, before: int = 1 << 62) -> list[Version]:
        """Return the versions of a text, the latest first."""
        query = "SELECT * FROM version WHERE key = ? AND id < ? ORDER BY id DESC LIMIT ?"
        with self.lock:
            rows = self._connection.execute(query, (key, before, limit)).fetchall()
        return [Version(**dict(row) | {"made": datetime.fromisoformat(row["made"])}) for row in rows]

    def version(self, key: str, id: int) -> Version | None:
        """Return one version of a text."""
        return next(iter(self.versions(key, limit=1, before=id + 1)), None) if id else None

    def forget(self, key: str) -> None:
        """Delete a text for good, with every version."""
        with self.change() as connection:
            connection.execute("DELETE FROM working_copy WHERE key = ?", (key,))
            connection.execute("DELETE FROM version WHERE key = ?", (key,))

    def _working(self, condition: str, *values: object) -> Iterator[WorkingCopy]:
        with self.lock:
            rows = self._connection.execute(f"SELECT * FROM working_copy WHERE {condition}", values).fetchall()  # noqa: S608  # our own
        for row in rows:
            changed = {"changed": datetime.fromisoformat(row["changed"]), "is_deleted": bool(row["is_deleted"])}
            yield WorkingCopy(**dict(row) | changed)
