"""Publisher: writes a decision down with the text approved, carries it out, and repairs what a crash left undone.

Repair believes only the record of decisions, which lies where the intake can neither read nor write.
Whom a decision concerns is put into the outbox in the transaction that records it.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from contract.comment import Comment, CommentError, dumps, path_of, read
from postbox.log import event
from postbox.moderation.errors import ModerationError
from postbox.store.database import sync, transaction, wipe
from postbox.store.decisions import ERASURES, NO_FILE
from postbox.store.unit_of_work import Store, UnitOfWork

NOTICE_DELAY = timedelta(minutes=1)  # before a reader hears of a decision, so that it can be undone


class Publisher:
    """The one writer of the folder of published comments."""

    def __init__(self, store: Store, work: UnitOfWork) -> None:
        self._settings, self._comments = store.settings, store.settings.comments
        self._erasures, self._work = store.erasures, work

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let the desk and the command line decide one after the other; the system frees it when a process dies.

        What that process had decided is carried out first, so that nobody decides on what is no longer so.
        It waits, so never enter it in an event loop.
        """
        with (self._settings.desk / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._apply()
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
        self._apply()
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

    def _apply(self) -> None:
        """Carry out every decision that is not yet; each step may be taken twice, so a crash between them does no harm."""
        for decision in self._work.decisions.to_apply():
            self._carry_out(decision)

    def _carry_out(self, decision: sqlite3.Row) -> None:
        id, is_erasure = decision["comment"], decision["action"] in ERASURES
        if is_erasure:
            self._erasures.add([("comment", id)])
        if decision["file"] is not None and (is_erasure or not self._erasures.has("comment", id)):
            write(path_of(self._comments, decision["article"], id), decision["file"])
        inbox, decisions = self._work.inbox, self._work.decisions
        with transaction(inbox.connection):
            if is_erasure:
                inbox.forget(id)
                inbox.close_deletion_request(id)
            elif decision["number"]:
                inbox.set_state(id, decision["number"], decision["state"], decision["reason"])
        with transaction(decisions.connection):
            if is_erasure:
                decisions.drop_texts(id)
            decisions.applied(decision["sequence"])
        if is_erasure:
            self.wipe()


def write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, or take it away for ``NO_FILE``; a power cut changes neither.

    One writer at a time: the draft of one that was killed is the next one's, so none stays behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if text == NO_FILE:
        path.unlink(missing_ok=True)
    else:
        draft = path.with_name(f".{path.name}.new")
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    sync(path.parent)


def file_of(**fields: object) -> str:
    """Return the file of a comment; what breaks its rules is refused before anything is recorded."""
    try:
        return dumps(Comment(**fields))  # type: ignore[arg-type]  # the callers' fields are a comment's
    except CommentError as error:
        raise ModerationError("broken", str(fields["id"]), str(error)) from None
