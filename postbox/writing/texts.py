"""Texts of the site as their author works on them: the files, one unfinished copy of each, and every earlier version.

The file in ``content/`` is the truth. A working copy lies in the desk's own folder with the hash of the file that it began
from; nothing unfinished is ever in ``content/``. Every text found in a file or written to one stays as a version.
"""

import json
import os
import re
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contract import atomic
from contract.facts import FILE as FACTS_FILE
from postbox.store.database import connect, transaction
from postbox.writing.text_file import TEXT_BYTES, TextError, TextFile, hash_of, read

KEY = re.compile(r"(articles|pages)/(?!\.)[\w.-]{1,120}(/(?!\.)[\w.-]{1,120}){0,3}")
NEW = re.compile(r"articles/new-[0-9a-f]{12}|pages/new-[0-9a-f]{12}")
FOLDERS = ("articles", "pages")
FAULTS, FAULT_LENGTH = 100, 200  # that are remembered of before a change, and of how many characters
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
    """,
    """
    CREATE TABLE pending (
        key TEXT PRIMARY KEY,
        old BLOB NOT NULL,
        hash TEXT NOT NULL,
        version INTEGER NOT NULL,
        written TEXT NOT NULL,
        faults TEXT NOT NULL
    ) STRICT
    """,
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


@dataclass(frozen=True)
class Pending:
    """A file that was written, of which the press has not told yet: what stood there before, and the hash of what stands now.

    ``version`` is what was written, ``faults`` is what was wrong with the site before.
    """

    key: str
    old: bytes
    hash: str
    version: int
    written: datetime
    faults: list[str]


class Texts:
    """Articles and pages by their key: the path below ``content/`` without its end, like ``articles/shoes``.

    The facts of the site are one more, by the name of their file.
    """

    def __init__(self, content: Path, desk: Path) -> None:
        """Open or make ``texts.sqlite`` in the desk's folder; whoever compares before a change holds the ``lock`` for both."""
        self._content, self.lock = content, threading.RLock()
        self._headers: dict[str, tuple[tuple[int, ...], TextFile]] = {}
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
        return self._content / self.place(key)

    @staticmethod
    def place(key: str) -> str:
        """Return the path of a text's file below the content folder.

        Raises:
            TextError: if that is no key.
        """
        if key == FACTS_FILE:
            return key
        if not KEY.fullmatch(key) or ".." in key:
            raise TextError("there is no such text")
        return f"{key}.md"

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
            raise TextError(f"{self.place(key)} cannot be read: {error.strerror}") from None
        with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TextError(f"{self.place(key)} is no ordinary file")
            data = file.read(TEXT_BYTES + 1)
        if len(data) > TEXT_BYTES:
            raise TextError(f"{self.place(key)} has more than {TEXT_BYTES:,} bytes; it cannot be edited here")
        return data

    def header(self, key: str) -> TextFile:
        """Return the header of a text's file, without its text; of one that has not changed it is remembered.

        Raises:
            TextError: as ``file`` and ``read`` do.
        """
        with suppress(FileNotFoundError):
            status = self.path(key).lstat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._headers.get(key)
            if not known or known[0] != stamp:
                known = self._headers[key] = stamp, TextFile(read(self.file(key)).fields, "")
            return known[1]
        self._headers.pop(key, None)
        return TextFile({}, "")

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
        """Write the file of a text whole or not at all, or take it away if there is no ``data``; return when."""
        with self.lock:
            return atomic.write(self.path(key), data or None)

    def put_picture(self, name: str, data: bytes) -> str:
        """Put a picture among the images, where nothing publishes it but a text that shows it; return its place."""
        with self.lock:
            path = self._content / "images" / name
            if not path.exists():  # its name tells its bytes
                atomic.write(path, data)
        return f"images/{name}"

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
            connection.execute("DELETE FROM pending WHERE key = ?", (key,))

    # Files of which the press has not told yet

    def expect(self, pending: Pending) -> None:
        """Remember that a file is about to be written."""
        faults = json.dumps([fault[:FAULT_LENGTH] for fault in pending.faults[:FAULTS]])
        values = (pending.key, pending.old, pending.hash, pending.version, pending.written.isoformat(), faults)
        with self.change() as connection:
            connection.execute("INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?)", values)

    def pending(self) -> dict[str, Pending]:
        """Return what the press has not told of yet, by key."""
        with self.lock:
            rows = self._connection.execute("SELECT * FROM pending LIMIT ?", (FILES,)).fetchall()
        made = {
            row["key"]: {"written": datetime.fromisoformat(row["written"]), "faults": json.loads(row["faults"])}
            for row in rows
        }
        return {row["key"]: Pending(**dict(row) | made[row["key"]]) for row in rows}

    def settle(self, key: str, version: int) -> None:
        """Forget that a version was written to a file; the press has told of it, or it was not. A later one stays."""
        with self.change() as connection:
            connection.execute("DELETE FROM pending WHERE key = ? AND version = ?", (key, version))

    def _working(self, condition: str, *values: object) -> Iterator[WorkingCopy]:
        with self.lock:
            rows = self._connection.execute(f"SELECT * FROM working_copy WHERE {condition}", values).fetchall()  # noqa: S608  # our own
        for row in rows:
            changed = {"changed": datetime.fromisoformat(row["changed"]), "is_deleted": bool(row["is_deleted"])}
            yield WorkingCopy(**dict(row) | changed)
