"""Messages from the contact form: for its reader alone, and never on any page."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from postbox.store.database import EVERY_ROW
from postbox.store.submissions import PORTION, Inbox, SubmissionMeta, fields_of, stamp
from postbox.store.tokens import new_id


@dataclass(frozen=True, kw_only=True)
class Enquiry:
    """What was typed into the contact form; ``contact`` is a telephone number or an email address."""

    name: str
    contact: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as it is kept; ``state`` is new, done or deleted (words and all)."""

    id: str
    name: str
    contact: str
    body: str
    received: datetime
    held: tuple[str, ...]
    state: str


class Messages:
    """The messages in an inbox; what changes something runs within the caller's transaction."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def add(self, enquiry: Enquiry, meta: SubmissionMeta, held: Sequence[str]) -> str:
        """Keep a message and return its id; sent again since ``resend_after``, the id of the first."""
        if before := self._inbox.one("SELECT id, received FROM message WHERE resend_key = ?", meta.resend_key):
            if before["received"] > stamp(meta.resend_after):
                return str(before["id"])
            self._inbox.run("UPDATE message SET resend_key = NULL WHERE id = ?", before["id"])
        id = new_id()
        self._inbox.run(
            "INSERT INTO message (id, name, contact, body, received, held, resend_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
            id,
            enquiry.name,
            enquiry.contact,
            enquiry.body,
            stamp(meta.received),
            json.dumps(held, ensure_ascii=False),
            meta.resend_key,
        )
        self._inbox.add_event("message", id)
        return id

    def kept(self, *, limit: int = EVERY_ROW, offset: int = 0) -> list[Message]:
        """Return what is not deleted: the new, oldest first, then what is done, the latest first."""
        order = "state = 'done', CASE state WHEN 'new' THEN received END, received DESC, id"
        return self._find(f"state <> 'deleted' ORDER BY {order} LIMIT ? OFFSET ?", limit, offset)

    def everything(self) -> Iterator[Message]:
        """Yield every message, ``PORTION`` in memory at a time."""
        last = ""
        while (portion := self._find("id > ? ORDER BY id LIMIT ?", last, PORTION)) and portion[-1].id != last:
            yield from portion
            last = portion[-1].id

    def size(self, state: str = "new") -> int:
        """Return how many are new, or in another state."""
        found = self._inbox.one("SELECT count(*) AS size FROM message WHERE state = ?", state)
        return int(found["size"]) if found else 0

    def one(self, id: str) -> Message | None:
        """Return a message, or None."""
        return next(iter(self._find("id = ?", id)), None)

    def finish(self, id: str) -> None:
        """Record that its reader is done with a message."""
        self._inbox.run("UPDATE message SET state = 'done' WHERE id = ? AND state = 'new'", id)

    def forget(self, id: str) -> None:
        """Erase every word of a message; its id stays, so that its receipt can say so."""
        self._inbox.run(
            "UPDATE message SET name = '', contact = '', body = '', held = '[]', resend_key = NULL,"
            " state = 'deleted' WHERE id = ?",
            id,
        )
        self._inbox.erased("message", id)

    def receipt(self, id: str) -> str:
        """Return the private part of the link that only the message's writer is given."""
        return self._inbox.tokens.sign(id, "message")

    def by_receipt(self, receipt: str) -> Message | None:
        """Return the message that a receipt is for, or None if it was not made here."""
        id = self._inbox.tokens.read(receipt, "message")
        return self.one(id) if id else None

    def _find(self, condition: str, *values: object) -> list[Message]:
        query = (
            "SELECT id, name, contact, body, received, held, state FROM message"  # noqa: S608  # conditions are this module's own
            f" WHERE {self._inbox.fitting('message', 'id')} AND {condition}"
        )
        keys, one = "SELECT id AS key FROM message", "SELECT * FROM message WHERE id = ?"
        return [Message(**fields_of(row)) for row in self._inbox.rows("message", query, values, keys, one)]
