"""What waits for judgement: private, durable before the answer, never opened by the build.

The intake adds, moderation decides. Ids are random and never used twice.
A receipt is the private link of a comment's writer: the id, and a MAC over it under the inbox's own key.
"""

import hashlib
import hmac
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from postbox.comment import ID
from postbox.database import connect, transaction
from postbox.form import Submission

T = TypeVar("T")
_Job = tuple[Callable[["Inbox"], Any], Future[Any]]

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: read out over the telephone without a doubt
ID_LENGTH = 12
KEY_BYTES = 32

MIGRATIONS = [
    """
    CREATE TABLE comment (
        id TEXT PRIMARY KEY,
        article TEXT NOT NULL,
        reply_to TEXT,
        resend_key BLOB UNIQUE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revision (
        comment TEXT NOT NULL REFERENCES comment (id),
        number INTEGER NOT NULL,
        author TEXT NOT NULL,
        body TEXT NOT NULL,
        received TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'published', 'rejected')),
        PRIMARY KEY (comment, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX revision_by_state ON revision (state, received)
    """,
]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One revision of a comment in the inbox; ``state`` is waiting, published or rejected."""

    id: str
    number: int
    article: str
    reply_to: str | None
    author: str
    body: str
    received: datetime
    state: str


class Inbox:
    """The narrow interface to the engine behind it; each method is one statement or a few, within the caller's transaction."""

    def __init__(self, folder: Path) -> None:
        """Open or make the inbox in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        self.key = secret(folder / "key", mode=0o640)
        self.connection = connect(folder / "inbox.sqlite", MIGRATIONS)

    def add(self, submission: Submission, *, resend_key: bytes, resend_after: datetime, now: datetime) -> str:
        """Keep a submission and return its comment's id.

        The same ``resend_key`` since ``resend_after`` is the same submission sent again: the id is that of the first.
        """
        again = self.connection.execute(
            "SELECT id FROM comment JOIN revision ON comment = id AND number = 1 WHERE resend_key = ? AND received > ?",
            (resend_key, _text(resend_after)),
        ).fetchone()
        if again:
            return str(again["id"])
        id = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
        self.connection.execute("UPDATE comment SET resend_key = NULL WHERE resend_key = ?", (resend_key,))
        self.connection.execute(
            "INSERT INTO comment VALUES (?, ?, ?, ?)", (id, submission.article, submission.reply_to, resend_key)
        )
        self.connection.execute(
            "INSERT INTO revision VALUES (?, 1, ?, ?, ?, 'waiting')",
            (id, submission.author, submission.body, _text(now)),
        )
        return id

    def waiting(self) -> list[Waiting]:
        """Return what no one has judged, oldest first."""
        return self._find("state = 'waiting' ORDER BY received, id, number")

    def revisions(self, id: str) -> list[Waiting]:
        """Return every revision of a comment, oldest first."""
        return self._find("id = ? ORDER BY number", id)

    def set_state(self, id: str, number: int, state: str) -> None:
        """Record what became of a revision."""
        self.connection.execute("UPDATE revision SET state = ? WHERE comment = ? AND number = ?", (state, id, number))

    def receipt(self, id: str) -> str:
        """Return the private part of the link that only the comment's writer is given."""
        return f"{id}-{hmac.new(self.key, f'receipt:{id}'.encode(), hashlib.sha256).hexdigest()[:32]}"

    def by_receipt(self, receipt: str) -> list[Waiting]:
        """Return the revisions of the comment that a receipt is for, or none if it was not made here."""
        id = receipt.partition("-")[0]
        genuine = ID.fullmatch(id) and hmac.compare_digest(receipt.encode(), self.receipt(id).encode())
        return self.revisions(id) if genuine else []

    def _find(self, condition: str, *values: object) -> list[Waiting]:
        rows = self.connection.execute(
            "SELECT id, number, article, reply_to, author, body, received, state"  # noqa: S608  # conditions are this module's own
            f" FROM revision JOIN comment ON comment = id WHERE {condition}",
            values,
        )
        return [Waiting(**dict(row) | {"received": datetime.fromisoformat(row["received"])}) for row in rows]


class GroupCommit:
    """One writer for many senders: all that wait share one transaction, and each is answered once it is durable."""

    def __init__(self, inbox: Inbox, *, most: int = 256) -> None:
        """Start the writer; ``most`` is how many operations may share a transaction."""
        self._inbox = inbox
        self._most = most
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Callable[[Inbox], T]) -> Future[T]:
        """Run ``operation`` in the writer; the future holds its result, or its error, after the commit."""
        future: Future[T] = Future()
        self._queue.put((operation, future))
        return future

    def close(self) -> None:
        """Finish what waits and stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch = [self._queue.get()]
            with suppress(queue.Empty):
                while len(batch) < self._most:
                    batch.append(self._queue.get_nowait())
            open_ = None not in batch
            self._commit([job for job in batch if job])

    def _commit(self, jobs: list[_Job]) -> None:
        outcomes = []
        try:
            with transaction(self._inbox.connection):
                for operation, _ in jobs:
                    outcomes.append(self._attempt(operation))
        except sqlite3.Error as error:
            outcomes = [(None, error)] * len(jobs)
        for (_, future), (result, failure) in zip(jobs, outcomes, strict=True):
            if failure:
                future.set_exception(failure)
            else:
                future.set_result(result)

    def _attempt(self, operation: Callable[[Inbox], Any]) -> tuple[Any, Exception | None]:
        """Run one operation so that its failure takes no other along."""
        execute = self._inbox.connection.execute
        execute("SAVEPOINT one")
        try:
            return operation(self._inbox), None
        except Exception as error:  # handed to whoever waits for this operation
            execute("ROLLBACK TO one")
            return None, error
        finally:
            execute("RELEASE one")


def secret(path: Path, *, mode: int) -> bytes:
    """Return the key in a file, made at random where there is none yet."""
    with suppress(FileExistsError):
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        fresh.write_bytes(secrets.token_bytes(KEY_BYTES))
        fresh.chmod(mode)
        try:
            path.hardlink_to(fresh)  # all of it or nothing, and never over another's
        finally:
            fresh.unlink()
    return path.read_bytes()


def _text(date: datetime) -> str:
    return date.isoformat(timespec="microseconds")
