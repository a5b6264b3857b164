"""Publisher: writes a decision down with the text approved, carries it out, and repairs what a crash left undone.

Repair believes only the record of decisions, which lies where the intake can neither read nor write.
Whom a decision concerns is put into the outbox in the transaction that records it.
"""

import fcntl
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from contract import atomic
from contract.comment import Comment, CommentError, dumps, path_of, read
from postbox.log import event
from postbox.moderation.errors import ModerationError
from postbox.store.database import transaction, wipe
from postbox.store.decisions import ERASURES
from postbox.store.unit_of_work import Store, UnitOfWork

NOTICE_DELAY = timedelta(minutes=1)  # before a reader hears of a decision, so that it can be undone
HELD_SECONDS = 1.0  # until an inbox that another program held is tried again


class Publisher:
    """The one writer of the folder of published comments."""

    def __init__(self, store: Store, work: UnitOfWork) -> None:
        self._settings, self._comments = store.settings, store.settings.comments
        self._store, self._erasures, self._work = store, store.erasures, work

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let the desk and the command line decide one after the other; the system frees it when a process dies.

        What that process had decided is carried out first, so that nobody decides on what is no longer so.
        It waits, so never enter it in an event loop.
        """
        with (self._settings.desk / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.apply()
            yield

    def record(
        self,
        action: str,
        id: str,
        article: str,
        *,
        who: str,
        now: datetime,
        number: int = 0,
        state: str = "",
        state_before: str = "",
        reason: str = "",
        file: str | None = None,
        notify: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Write a decision down, with the mails that it leads to, then carry it out; the caller holds the lock."""
        before = None
        if file is not None:  # or there is no path: a row whose id or article names no file can still be rejected
            with suppress(FileNotFoundError):
                before = path_of(self._comments, article, id).read_bytes().decode()
        with transaction(self._work.decisions.connection):
            sequence = self._work.decisions.add(
                now,
                who=who,
                action=action,
                comment=id,
                article=article,
                number=number,
                state=state,
                reason=reason,
                file=file,
                state_before=state_before,
                file_before=before,
            )
            for kind, about in notify:
                self._work.outbox.add(kind, about, now=now, delay=NOTICE_DELAY)
        event("decision", action=action, sequence=sequence)
        self.apply()
        return sequence

    def has_replies(self, article: str, id: str) -> bool:
        """Tell whether a published file answers a comment."""
        for path in path_of(self._comments, article, id).parent.glob("*.md"):
            with suppress(CommentError, OSError):  # what is no comment answers nothing
                if read(path).reply_to == id:
                    return True
        return False

    def wipe(self) -> None:
        """Take what was erased out of both databases' logs too."""
        for database in (self._work.inbox.connection, self._work.decisions.connection):
            wipe(database)

    def apply(self) -> bool:
        """Carry out every decision that is not yet, and return whether all of it was done; the caller holds the lock.

        Each step may be taken twice, so a crash between them does no harm. What is recorded is decided: the page has it
        at once, and where another program holds the inbox, that follows.
        """
        pending = self._work.decisions.to_apply()
        last = {row["comment"]: row["sequence"] for row in pending if row["file"] is not None}
        for decision in pending:
            self._write(decision, is_last=last.get(decision["comment"]) == decision["sequence"])
        return all(self._follow(decision) for decision in pending)

    def _write(self, decision: sqlite3.Row, *, is_last: bool) -> None:
        """Bring the page to what the last decision on a comment says."""
        id, is_erasure = decision["comment"], decision["action"] in ERASURES
        if is_erasure:
            self._erasures.add([("comment", id)])
        if is_last and (is_erasure or not self._erasures.has("comment", id)):
            atomic.write(path_of(self._comments, decision["article"], id), decision["file"].encode() or None)

    def _follow(self, decision: sqlite3.Row) -> bool:
        """Bring the inbox to what a decision says; return False while that cannot be written."""
        id, is_erasure = decision["comment"], decision["action"] in ERASURES
        inbox, decisions, store = self._work.inbox, self._work.decisions, self._store
        if self._work.set_aside or time.monotonic() < store.held_until:
            return False
        try:
            with transaction(inbox.connection):
                if is_erasure:
                    inbox.forget(id)
                    inbox.close_deletion_request(id)
                elif decision["number"]:
                    inbox.set_state(id, decision["number"], decision["state"], decision["reason"])
        except sqlite3.OperationalError as error:
            store.held_until = time.monotonic() + HELD_SECONDS
            event(
                "the inbox is held or cannot be written; what was decided follows there",
                level=logging.WARNING,
                error=error,
            )
            return False
        with transaction(decisions.connection):
            if is_erasure:
                decisions.drop_texts(id)
            decisions.applied(decision["sequence"])
        if is_erasure:
            self.wipe()
        return True


def file_of(**fields: object) -> str:
    """Return the file of a comment; what breaks its rules is refused before anything is recorded."""
    try:
        return dumps(Comment(**fields))  # type: ignore[arg-type]  # the callers' fields are a comment's
    except CommentError as error:
        raise ModerationError("broken", str(fields["id"]), str(error)) from None
