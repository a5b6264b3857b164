"""Record of erasures, in a place that a restored backup does not bring back.

``var/erased/log`` only grows, a line for each erasure: a kind and an id, or for ``refused`` the keyed hash that the inbox has::

    comment k3v9tq2mxw7d
    message 9w2mxk3v7dtq
    subscription k3v9tq2mxw7d

``subscription`` is the address that came with that comment. No name, no word and no address is in it.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from postbox.store.database import sync, transaction, wipe
from postbox.store.messages import Messages
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions

MAX_NOTED = 100  # taken over at once
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
            text = file.read().decode("utf-8", "replace")
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
        sync(self._path.parent)
        self._entries |= fresh

    def _open(self) -> BinaryIO:
        """Open the record to read and to add to, following no link.

        Raises:
            OSError: if a link lies there, or a folder.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(self._path, flags, 0o600), "a+b")

    def take_over(self, inbox: Inbox) -> None:
        """Record what readers have erased themselves, of which the inbox holds an event."""
        query = "SELECT sequence, kind, about FROM erasure ORDER BY sequence LIMIT ?"
        if rows := inbox.connection.execute(query, (MAX_NOTED,)).fetchall():
            self.add((row["kind"], row["about"]) for row in rows if row["kind"] in _BY_READERS)
            with transaction(inbox.connection):
                inbox.run("DELETE FROM erasure WHERE sequence <= ?", rows[-1]["sequence"])
            wipe(inbox.connection)

    def erase_again(self, inbox: Inbox) -> None:
        """Erase the messages and addresses that have come back; comments are for moderation to erase."""
        rows = inbox.connection.execute
        messages = self.of("message") & {row["id"] for row in rows("SELECT id FROM message WHERE state <> 'deleted'")}
        addresses = self.of("subscription") & {row["comment"] for row in rows("SELECT comment FROM subscription")}
        refused = self.of("refused") - {bytes(row["digest"]).hex() for row in rows("SELECT digest FROM refused")}
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
