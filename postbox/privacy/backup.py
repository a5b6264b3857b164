"""Backup while everything runs: one archive of the words, what readers sent, what was decided, and what was erased.

Names in it are::

    content/articles/…  content/comments/…  content/images/…  and whatever else lies there
    var/inbox/inbox.sqlite  var/inbox/key
    var/desk/desk.sqlite    var/desk/texts.sqlite  var/desk/key
    var/erased/log

Sessions are not in it, and no word that was erased: the databases are copied without their free places.
An inbox in PostgreSQL is in it in the same form, and with the same key: it can be brought back with PostgreSQL or without.
The record of erasures is added to the one that is there, or bringing yesterday back would bring back what was erased today.
"""

import contextlib
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.submissions import InboxError
from postbox.writing.texts import Texts


def write(settings: Settings, file: BinaryIO) -> None:
    """Write the archive (tar, gzip) to ``file``.

    Raises:
        InboxError: if the intake's key is a link or a pipe.
    """
    key = settings.inbox / "key"
    if key.is_symlink() or (key.exists() and not key.is_file()):
        raise InboxError(f"{key} is not of our making; delete it")
    with tempfile.TemporaryDirectory(dir=settings.desk) as name, tarfile.open(fileobj=file, mode="w:gz") as archive:
        folder = Path(name)
        Moderation.open(settings).copy(folder)
        Texts(settings.content, settings.desk).copy(folder / "texts.sqlite")
        (folder / "inbox.sqlite").chmod(0o660)  # or the intake cannot write what is brought back
        if settings.inbox_key:  # which then is in no file
            key = folder / "inbox-key"
            key.write_bytes(bytes.fromhex(settings.inbox_key))
            key.chmod(0o640)
        for path, kept in (
            *_words(settings),
            ("content/comments", folder / "comments"),
            ("var/inbox/inbox.sqlite", folder / "inbox.sqlite"),
            ("var/inbox/key", key),
            ("var/desk/desk.sqlite", folder / "desk.sqlite"),
            ("var/desk/texts.sqlite", folder / "texts.sqlite"),
            ("var/desk/key", settings.desk / "key"),
            ("var/erased/log", settings.erased / "log"),
        ):
            # What has gone in this moment; and there is no key before the first comment.
            with contextlib.suppress(FileNotFoundError):
                archive.add(kept, path, filter=_plain)


def _words(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield what its author has written, each file by itself; published comments are copied as of one moment."""
    for path in sorted(settings.content.rglob("*")):
        if not path.is_relative_to(settings.comments) and not path.is_dir():
            yield f"content/{path.relative_to(settings.content).as_posix()}", path


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out what is no file: a pipe would hold up the backup, a link lead out of it; let the press read the words."""
    if member.name.startswith("content/"):
        member.mode = 0o755 if member.isdir() else 0o644
    return member if member.isfile() or member.isdir() else None
