"""Atomic writing: a file is there whole or not at all, by a draft beside it and a rename (POSIX, rename)."""

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path


def write(path: Path, data: bytes | None, *, is_durable: bool = True) -> datetime:
    """Write a file with the rights that it had, or take it away for None; return the time right before it appeared.

    One writer at a time: the draft of one that was killed, ``.NAME.new``, is the next one's, so none stays behind.
    No link is followed. A power cut changes nothing if it ``is_durable``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is None:
        moment = datetime.now(UTC)
        path.unlink(missing_ok=True)
    else:
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
            with suppress(FileNotFoundError):
                if stat.S_ISREG(mode := path.lstat().st_mode):  # a link has every right
                    os.fchmod(descriptor, stat.S_IMODE(mode))
            file.write(data)
            if is_durable:
                file.flush()
                os.fsync(descriptor)
        moment = datetime.now(UTC)  # not later: who watches may have begun before this knows that the rename is done
        draft.replace(path)
    if is_durable:
        sync(path.parent)
    return moment


def sync(folder: Path) -> None:
    """Make the names in a folder durable, as ``fsync`` makes the bytes of a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
