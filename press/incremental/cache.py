"""Cache of the press between two runs: what was made of texts, and what was last rendered, as tables in SQLite.

Each value is found by the hash of what it was made of, and has a checksum of its own.
A file that is missing, damaged or another version's is an empty one: nothing in it is ever needed, or believed.
What is deleted is overwritten, and no journal keeps it. A reader's words never come here.
"""

import contextlib
import hashlib
import marshal
import os
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

AT_ONCE = 500  # values in a transaction
SECONDS = 30.0  # that a fork waits for its parent's transaction
STATE = b"state"
DAMAGED = sqlite3.Error, UnicodeDecodeError  # the second in its own words for a damage
# A crash in the middle of a transaction makes an empty cache at worst.
SCHEMA = """
PRAGMA secure_delete = ON;
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS made (key BLOB PRIMARY KEY, checksum INTEGER NOT NULL, value BLOB NOT NULL);
"""
# Whose release may change what a text, a template, an image or a file becomes.
LIBRARIES = (
    *("pelican", "markdown", "markdown-it-py", "nh3", "jinja2", "markupsafe", "lightningcss", "rjsmin", "selectolax"),
    *("pillow", "pikepdf", "resvg-py", "uharfbuzz", "zlib-ng", "fontpkg-crimson-text"),
)


def digest(*parts: bytes) -> bytes:
    """Return the hash of some bytes, and of where each part of them ends."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little"))
        hashed.update(part)
    return hashed.digest()


def version_of(*folders: Path) -> bytes:
    """Return the hash of this Python, the libraries and the source in some folders."""
    source = [file.read_bytes() for folder in folders for file in sorted(folder.rglob("*.py"))]
    return digest(sys.version.encode(), *(version(name).encode() for name in LIBRARIES), *source)


class Cache:
    """Values by their key, and one ``state`` of plain lists, dicts, texts, bytes and numbers (empty at first).

    ``save`` keeps the values whose keys are ``live``, and deletes the others.

    Raises:
        OSError: here and in every method that writes, if the file cannot be written.
    """

    def __init__(self, path: Path, version: bytes) -> None:
        self._path, self._version = path, version
        self._new: dict[bytes, tuple[int, bytes]] = {}  # what is not in the file yet
        self._apart: dict[bytes, Any] | None = None
        self._written: set[bytes] | None = None  # all keys of a file that began empty
        self.live: set[bytes] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._process = self._open(), os.getpid()
        kept = self._read(STATE)
        if kept is None or kept[0] != version:
            self._begin_anew()
        self.state: dict[str, Any] = kept[1] if kept and kept[0] == version else {}
        self.is_empty = not self.state

    def get(self, key: bytes) -> Any:
        """Return a value, or None if there is none that is whole."""
        if self._apart and key in self._apart:
            return self._apart[key]
        return self._read(key)

    def put(self, key: bytes, value: Any) -> None:
        """Keep a value of plain types for its key."""
        if self._apart is not None:
            self._apart[key] = value
            return
        data = marshal.dumps(value)
        self._new[key] = zlib.crc32(data), data
        if len(self._new) >= AT_ONCE:
            self._write()

    @contextlib.contextmanager
    def apart(self) -> Iterator[dict[bytes, Any]]:
        """Collect what is put meanwhile, and leave the file alone: a fork shares it with its parent."""
        self._apart = {}
        try:
            yield self._apart
        finally:
            self._apart = None

    @property
    def has_new(self) -> bool:
        """Whether something was put that is not in the file yet."""
        return bool(self._new)

    def save(self) -> None:
        """Delete all values but the live ones, and keep the state."""
        self.put(STATE, (self._version, self.state))
        self._write(self.live | {STATE})
        self.is_empty = False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> sqlite3.Connection:
        file = sqlite3.connect(self._path, SECONDS, isolation_level=None, check_same_thread=False)
        with contextlib.suppress(*DAMAGED):  # damaged, or of another kind: nothing will be found in it
            file.executescript(SCHEMA)
        return file

    def _begin_anew(self) -> None:
        self._file.close()
        self._written = set()
        self._path.unlink(missing_ok=True)
        try:
            self._file = self._open()
        except DAMAGED as error:
            raise OSError(f"{self._path}: {error}") from error

    def _read(self, key: bytes) -> Any:
        if os.getpid() != self._process:  # a connection does not outlive a fork
            self._file, self._process = sqlite3.connect(self._path, SECONDS, isolation_level=None), os.getpid()
        row = self._new.get(key)
        if not row and (self._written is None or key in self._written):
            with contextlib.suppress(*DAMAGED):
                row = self._file.execute("SELECT checksum, value FROM made WHERE key = ?", (key,)).fetchone()
        if row and isinstance(row[1], bytes) and zlib.crc32(row[1]) == row[0]:
            return marshal.loads(row[1])  # noqa: S302  # it has the checksum that we gave it
        return None

    def _write(self, live: set[bytes] | None = None) -> None:
        """Write what is new, and delete what is not live; begin anew if the file does not take it."""
        for is_second in (False, True):
            try:
                with contextlib.closing(self._file.cursor()) as cursor:
                    cursor.execute("BEGIN IMMEDIATE")
                    cursor.executemany(
                        "INSERT OR REPLACE INTO made VALUES (?, ?, ?)", ((k, *v) for k, v in self._new.items())
                    )
                    if live is not None:
                        dead = [row for row in cursor.execute("SELECT key FROM made") if row[0] not in live]
                        cursor.executemany("DELETE FROM made WHERE key = ?", dead)
                    cursor.execute("COMMIT")
                break
            except DAMAGED as error:
                if is_second:
                    raise OSError(f"{self._path}: {error}") from error
                self._begin_anew()
        if self._written is not None:
            self._written |= self._new.keys()
        self._new.clear()
