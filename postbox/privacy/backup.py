"""Backup while everything runs: one archive of what readers sent, what was decided, and what is published.

Names in it are those below the site's folder::

    content/comments/<article id>/<id>.md
    var/inbox/inbox.sqlite  var/inbox/key
    var/desk/desk.sqlite    var/desk/key

Sessions are not in it, and no word that was erased: the databases are copied without their free places.
The record of erasures is not in it either, or bringing yesterday back would bring back what was erased today.
"""

import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.submissions import InboxError


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
        (folder / "inbox.sqlite").chmod(0o660)  # or the intake cannot write what is brought back
        for path, kept in (
            ("content/comments", folder / "comments"),
            ("var/inbox/inbox.sqlite", folder / "inbox.sqlite"),
            ("var/inbox/key", key),
            ("var/desk/desk.sqlite", folder / "desk.sqlite"),
            ("var/desk/key", settings.desk / "key"),
        ):
            if kept.exists():  # there is no key before the first comment
                archive.add(kept, path)
