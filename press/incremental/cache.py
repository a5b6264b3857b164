"""What the press keeps between two runs, in one file: texts made of Markdown, and what was last printed.

The file is the values one after another, then an index (``marshal``), then a fixed foot::

    value … value  index  foot: magic, version, place and length of the index, checksum of the index

Each value is found by the hash of what it was made of, and has a checksum of its own.
A file that is missing, damaged or another version's is an empty one: nothing in it is ever needed, or believed.
"""

import contextlib
import hashlib
import marshal
import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

MAGIC = b"press  1"
FOOT = struct.Struct("<8s16sQQ16s")
COPY_BYTES = 1 << 20
# Whose release may change what a text or a template becomes.
LIBRARIES = ("pelican", "markdown", "markdown-it-py", "nh3", "jinja2", "lightningcss", "selectolax")


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

    ``save`` keeps the values whose keys are ``live`` and replaces the file as a whole.
    """

    def __init__(self, path: Path, version: bytes) -> None:
        self._path, self._version = path, version
        self._index: dict[bytes, tuple[int, int, int]] = {}  # place, length and checksum
        self.state: dict[str, Any] = {}
        self.live: set[bytes] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._apart: dict[bytes, Any] | None = None
        # Without a buffer, of which each fork would have a copy to write.
        self._new: IO[bytes] = tempfile.TemporaryFile(buffering=0, dir=path.parent)  # noqa: SIM115  # it lives as long as the cache
        self._old: IO[bytes] = self._new
        self._start = self._length = 0  # what lies below the start is in the old file, the rest in the new one
        with contextlib.suppress(OSError, ValueError, EOFError, TypeError, struct.error):
            self._old = path.open("rb")
            self._load(self._old.fileno())

    def _load(self, file: int) -> None:
        foot = os.fstat(file).st_size - FOOT.size
        magic, version, start, length, checksum = FOOT.unpack(os.pread(file, FOOT.size, max(0, foot)))
        if (magic, version, start + length) != (MAGIC, self._version, foot):
            return
        index = os.pread(file, length, start)
        if digest(index) == checksum:
            self._index, self.state = marshal.loads(index)  # noqa: S302  # it has the checksum that we gave it
            self._start = start

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return not self._index

    def get(self, key: bytes) -> Any:
        """Return a value, or None if there is none that is whole."""
        if self._apart and key in self._apart:
            return self._apart[key]
        if key not in self._index:
            return None
        place, length, checksum = self._index[key]
        data = self._bytes(place, length)
        if zlib.crc32(data) != checksum:
            del self._index[key]
            return None
        return marshal.loads(data)  # noqa: S302  # as above

    def put(self, key: bytes, value: Any) -> None:
        """Keep a value of plain types for its key."""
        if self._apart is not None:
            self._apart[key] = value
            return
        data = marshal.dumps(value)
        self._index[key] = (self._start + self._length, len(data), zlib.crc32(data))
        self._new.write(data)
        self._length += len(data)

    @contextlib.contextmanager
    def apart(self) -> Iterator[dict[bytes, Any]]:
        """Collect what is put meanwhile, and leave the file alone: a fork shares it with its parent."""
        self._apart = {}
        try:
            yield self._apart
        finally:
            self._apart = None

    def save(self) -> None:
        """Replace the file by one with the live values and the state."""
        kept = sorted((self._index[key], key) for key in self.live if key in self._index)
        index: dict[bytes, tuple[int, int, int]] = {}
        with tempfile.NamedTemporaryFile(dir=self._path.parent, delete=False) as file:
            end = 0
            run, length = 0, 0  # neighbours are copied in one piece
            for (place, size, checksum), key in kept:
                if place != run + length or length > COPY_BYTES:
                    file.write(self._bytes(run, length))
                    run, length = place, 0
                index[key] = (end, size, checksum)
                end, length = end + size, length + size
            file.write(self._bytes(run, length))
            packed = marshal.dumps((index, self.state))
            file.write(packed + FOOT.pack(MAGIC, self._version, end, len(packed), digest(packed)))
        Path(file.name).replace(self._path)

    def _bytes(self, place: int, length: int) -> bytes:
        if place < self._start:
            below = min(length, self._start - place)
            data = os.pread(self._old.fileno(), below, place)
            return data if below == length else data + self._bytes(self._start, length - below)
        return os.pread(self._new.fileno(), length, place - self._start)

    def close(self) -> None:
        """Close its files."""
        self._new.close()
        self._old.close()
