"""Record of erasures, in a place that a restored backup does not bring back.

``var/erased/log`` only grows, a line for each erasure: a kind and an id, or for ``refused`` the keyed hash that the inbox has::

    comment k3v9tq2mxw7d
    message 9w2mxk3v7dtq
    subscription k3v9tq2mxw7d

``subscription`` is the address that came with that comment. No name, no word and no address is in it.
"""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from contract import atomic
from postbox.store.database import transaction, wipe
from postbox.store.messages import Messages
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions

MAX_NOTED = 100  # taken over at once
MAX_BYTES = 64 * 1024 * 1024  # of the record, more than a million erasures
_ENTRY = re.compile(r"(?:comment|message|subscription) [a-z0-9]{1,32}|refused [0-9a-f]{64}")
# Not a comment: only moderation can tell whether it is its writer's to erase.
_BY_READERS = ("message", "subscription", "refused")


class Erasures:
    """The record; whoever erases writes here first, and what comes back is erased again."""

    def __init__(self, folder: Path) -> None:
        """Open or make the record in ``folder``."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / "log"
        with self._open() as file:
            file.seek(0)
            text = file.read(MAX_BYTES).decode("utf-8", "replace")
        lines = text.replace("follower ", "subscription ").split("\n")[:-1]
        self._entries = set(filter(_ENTRY.fullmatch, lines))

    def of(self, kind: str) -> set[str]:
        """Return the ids or hashes of a kind."""
        return {entry.removeprefix(f"{kind} ") for entry in self._entries if entry.startswith(f"{kind} ")}

    def has(self, kind: str, about: str) -> bool:
        """Tell whether something was erased."""
        return f"{kind} {about}" in self._entries

    def add(self, entries: Iterable[tuple[str, str]]) -> None:
        """Record erasures, each a kind and an id, before they are carried out; durable once this returns.

        What is no id names nothing that could come back, and is left out.
        """
        fresh = {entry for kind, about in entries if _ENTRY.fullmatch(entry := f"{kind} {about}")} - self._entries
        if not fresh:
            return
        with self._open() as file:
            # A line that a power cut left unfinished is ended here, and no id.
            file.write(b"" if _is_whole(file) else b"?\n")
            file.write("".join(f"{entry}\n" for entry in sorted(fresh)).encode())
            file.flush()
            os.fsync(file.fileno())
        atomic.sync(self._path.parent)
        self._entries |= fresh

    def _open(self) -> BinaryIO:
        """Open the record to read and to add to, following no link.

        Raises:
            OSError: if a link, a folder or a pipe lies there, or more than the record can be.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o600)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            os.close(descriptor)
            raise OSError(f"{self._path} is not the record of erasures; put the last good copy there")
        return os.fdopen(descriptor, "a+b")

    def take_over(self, inbox: Inbox) -> None:
        """Record what readers have erased themselves, of which the inbox holds an event."""
        if rows := inbox.oldest("erasure", limit=MAX_NOTED):
            self.add((row["kind"], row["about"]) for row in rows if row["kind"] in _BY_READERS)
            with transaction(inbox.connection):
                inbox.run("DELETE FROM erasure WHERE sequence <= ?", rows[-1]["sequence"])
            wipe(inbox.connection)

    def erase_again(self, inbox: Inbox) -> None:
        """Erase the messages and addresses that have come back; comments are for moderation to erase."""
        kept = "SELECT 1 FROM message WHERE id = ? AND state <> 'deleted'"
        addressed, known = "SELECT 1 FROM subscription WHERE comment = ?", "SELECT 1 FROM refused WHERE digest = ?"
        messages = [id for id in self.of("message") if inbox.one(kept, id)]
        addresses = [id for id in self.of("subscription") if inbox.one(addressed, id)]
        refused = [digest for digest in self.of("refused") if not inbox.one(known, bytes.fromhex(digest))]
        if messages or addresses or refused:
            with transaction(inbox.connection):
                for id in messages:
                    Messages(inbox).forget(id)
                for comment in addresses:
                    Subscriptions(inbox).stop(comment)
                for digest in refused:
                    Subscriptions(inbox).refuse_digest(bytes.fromhex(digest))
            wipe(inbox.connection)


def _is_whole(file: BinaryIO) -> bool:
    if not file.seek(0, os.SEEK_END):
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
