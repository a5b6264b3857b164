"""Submissions and their revisions in the inbox: private, durable before the answer, never opened by the build.

The intake adds, moderation decides. Ids are random and never used twice; a comment that is gone leaves its id behind.
A receipt is the private link of a comment's writer: the id, signed with the inbox's own key.
What someone is to be told of is noted in the transaction that keeps it: a kind and an id, which the desk makes a mail of.
What a reader erases is noted likewise, for the desk's record of erasures.
"""

import hashlib
import json
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from contract.comment import READER_FIELDS, Words
from postbox import log
from postbox.settings import Settings
from postbox.store.database import EVERY_ROW, ROW_BYTES, connect, copy, open_in_memory, refuse_code
from postbox.store.tokens import Tokens, new_id, secret

T = TypeVar("T")
Role = Literal["desk", "intake"]

MIGRATIONS = [
    """
    CREATE TABLE comment (
        id TEXT PRIMARY KEY,
        article TEXT NOT NULL,
        reply_to TEXT,
        sender BLOB,
        resend_key BLOB UNIQUE,
        wish TEXT NOT NULL DEFAULT '' CHECK (wish IN ('', 'delete', 'done'))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revision (
        comment TEXT NOT NULL REFERENCES comment (id),
        number INTEGER NOT NULL,
        author TEXT NOT NULL,
        body TEXT NOT NULL,
        digest BLOB NOT NULL,
        received TEXT NOT NULL,
        held TEXT NOT NULL,
        state TEXT NOT NULL
            CHECK (state IN ('waiting', 'published', 'replaced', 'rejected', 'spam', 'removed', 'deleted')),
        reason TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (comment, number)
    ) STRICT;
    CREATE INDEX revision_by_state ON revision (state, received);
    CREATE INDEX revision_by_digest ON revision (digest, received);
    CREATE INDEX comment_by_wish ON comment (wish) WHERE wish = 'delete'
    """,
    """
    ALTER TABLE comment DROP COLUMN sender;
    CREATE TABLE follower (
        comment TEXT PRIMARY KEY REFERENCES comment (id),
        address TEXT NOT NULL COLLATE NOCASE,
        wants TEXT NOT NULL,
        is_confirmed INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX follower_by_address ON follower (address);
    CREATE TABLE refused (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE message (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        contact TEXT NOT NULL COLLATE NOCASE,
        body TEXT NOT NULL,
        received TEXT NOT NULL,
        held TEXT NOT NULL,
        resend_key BLOB UNIQUE,
        state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'done', 'deleted'))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX message_by_state ON message (state, received);
    CREATE TABLE note (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        about TEXT NOT NULL
    ) STRICT;
    CREATE TABLE erasure (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        about TEXT NOT NULL
    ) STRICT
    """,
    """
    ALTER TABLE follower RENAME TO subscription;
    ALTER TABLE subscription RENAME COLUMN wants TO events;
    DROP INDEX follower_by_address;
    CREATE INDEX subscription_by_address ON subscription (address);
    ALTER TABLE note RENAME TO event;
    ALTER TABLE comment RENAME COLUMN wish TO deletion;
    DROP INDEX comment_by_wish;
    CREATE INDEX comment_by_deletion ON comment (deletion) WHERE deletion = 'delete'
    """,
]


TABLES = ("comment", "revision", "message", "subscription", "refused", "event", "erasure")
MAX_REQUESTS = 100  # for a deletion, at once
MAX_REVISIONS = 200  # of one comment, as far as they are read
ROW_LENGTH = ROW_BYTES // 4  # characters of a row in all, of four bytes at most
PORTION = 50  # comments or messages in memory at a time, where all are looked through
_WORDS = ", ".join(READER_FIELDS)
_ERASED = ", ".join(f"{name} = ''" for name in (*READER_FIELDS, "reason")) + ", digest = x'', held = '[]'"


class InboxError(ValueError):
    """What was asked of a comment cannot be done any more; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Submission(Words):
    """What a reader typed, once it keeps every rule."""

    article: str
    reply_to: str | None = None
    email: str = ""


@dataclass(frozen=True, kw_only=True)
class Revision(Words):
    """One revision of a comment in the inbox.

    ``state`` is waiting, published, replaced (by a change before anyone judged it), rejected, spam, removed (by the site)
    or deleted (words and all). Of the published and the removed, the last says what is on the page.
    ``held`` says why it deserves a second look, ``reason`` why it was rejected.
    """

    id: str
    number: int
    article: str
    reply_to: str | None
    received: datetime
    held: tuple[str, ...]
    state: str
    reason: str

    @property
    def can_be_sent_again(self) -> bool:
        """Whether it was rejected with a note to its writer, who can then try again."""
        return self.state == "rejected" and bool(self.reason)


@dataclass(frozen=True, kw_only=True)
class SubmissionMeta:
    """What comes with a submission and is never shown: when, and how it may be recognised if sent again."""

    received: datetime
    resend_key: bytes
    resend_after: datetime


@dataclass(frozen=True)
class Event:
    """What someone is to be told of.

    ``kind`` is comment (a revision that waits), message (from the contact form) or confirm (an address);
    ``about`` is the id of the comment or message.
    """

    sequence: int
    kind: str
    about: str


class Inbox:
    """The narrow interface to the engine behind it; what changes something runs within the caller's transaction."""

    is_remote = False  # a statement waits for the network

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        wait_seconds: float | None = None,
        may_make: bool = True,
        role: Role | None = None,
    ) -> "Inbox":
        """Open or make the inbox of the settings, on the engine that they name; ``role`` is whose it is to be opened as."""
        if settings.postgresql:
            from postbox.store.shared_inbox import SharedInbox

            return SharedInbox(settings, wait_seconds=wait_seconds, role=role)
        return cls(settings.inbox, wait_seconds=wait_seconds, may_make=may_make)

    def __init__(self, folder: Path, *, wait_seconds: float | None = None, may_make: bool = True) -> None:
        """Open or make the inbox in ``folder``; ``wait_seconds`` is how long a statement waits for another program's."""
        folder.mkdir(parents=True, exist_ok=True)
        self.connection: sqlite3.Connection
        self._folder, self._wait = folder, wait_seconds
        self.file: tuple[int, int] | None = None
        self._path = folder / "inbox.sqlite"
        self._open(may_make=may_make)

    @classmethod
    def stand_in(cls) -> "Inbox":
        """Return an empty inbox in memory, for while the real one cannot be used."""
        inbox = cls.__new__(cls)
        inbox.connection, inbox.file = open_in_memory(MIGRATIONS), None
        inbox._prepare()
        return inbox

    def refresh(self) -> None:
        """Open the database again if another file lies there now, as after a backup was brought back.

        Raises:
            sqlite3.Error: if none lies there, or one that cannot be used; words are never kept in a file that nobody finds.
        """
        if _identity(self._path) == self.file:
            return
        before = self.connection
        try:
            self._open(may_make=False)
        except (InboxError, sqlite3.Error) as error:
            self.connection = before
            raise sqlite3.OperationalError(str(error)) from error
        before.close()

    def begin(self) -> None:
        """Begin a transaction that changes something."""
        self.refresh()
        self.connection.execute("BEGIN IMMEDIATE")

    def look(self, task: "Callable[[Inbox], T]") -> T:
        """Do what only reads."""
        self.refresh()
        return task(self)

    def check(self) -> None:
        """See that the database can be read, is the one that lies there, and holds nothing that runs; begin a new count of rows.

        Raises:
            sqlite3.Error: if not.
        """
        self.refresh()
        refuse_code(self.connection)
        self.connection.execute("DELETE FROM temp.too_long")

    def _open(self, *, may_make: bool) -> None:
        if not may_make and not os.path.lexists(self._path):
            raise InboxError(f"there is none in {self._folder}; put the last good copy there")
        _refuse_traps(self._path)
        self.connection = connect(self._path, MIGRATIONS, wait_seconds=self._wait, may_make=may_make)
        try:
            refuse_code(self.connection)
            self._prepare()
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise InboxError(f"{self._path}: {error}; put the last good copy there") from error
        self.file = _identity(self._path)

    def _prepare(self) -> None:
        self.dropped: set[str] = set()  # tables of which a row was dropped, for it was longer than any of the intake's
        add_columns(self.connection)
        self.connection.execute("PRAGMA temp_store = MEMORY")
        self.connection.execute("CREATE TEMP TABLE too_long (of_table TEXT, row ANY)")
        # Only the intake writes UTF-8 for sure; a row of another's making is shown, and stops no other.
        self.connection.text_factory = lambda data: data.decode("utf-8", "replace")

    @cached_property
    def key(self) -> bytes:
        """What receipts and the links in mails to readers are signed with; of the desk only the mail reads it."""
        return secret(self._folder / "key", mode=0o640)

    @cached_property
    def tokens(self) -> Tokens:
        """What signs receipts and the links in mails to readers, and reads them."""
        return Tokens(self.key)

    def add(self, submission: Submission, meta: SubmissionMeta, held: Sequence[str]) -> str:
        """Keep a submission and return its comment's id; sent again since ``resend_after``, the id of the first."""
        id = new_id()
        values = (id, submission.article, submission.reply_to, meta.resend_key)
        insert = (
            "INSERT INTO comment (id, article, reply_to, resend_key) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (resend_key) DO NOTHING"
        )
        if not self.run(insert, *values):
            query = "SELECT id, received FROM comment JOIN revision ON comment = id AND number = 1 WHERE resend_key = ?"
            before = self.one(query, meta.resend_key)
            if before and before["received"] > stamp(meta.resend_after):
                return str(before["id"])
            self.run("UPDATE comment SET resend_key = NULL WHERE resend_key = ?", meta.resend_key)
            self.run(insert, *values)
        self._add_revision(id, 1, submission, meta.received, held)
        return id

    def add_known(self, id: str, submission: Submission, received: datetime, held: Sequence[str]) -> None:
        """Keep what waited elsewhere, under the id that it had there; nobody is told, and an id that was ever here stays as it is."""
        insert = "INSERT INTO comment (id, article, reply_to) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
        if self.run(insert, id, submission.article, submission.reply_to):
            self._add_revision(id, 1, submission, received, held, is_news=False)

    def change(self, id: str, submission: Submission, received: datetime, held: Sequence[str]) -> None:
        """Keep a writer's change as a new revision, which waits while a published one stays.

        The same words as the latest revision change nothing, so a form sent twice is one change.

        Raises:
            InboxError: if the comment was deleted, removed, or rejected without a note.
        """
        latest = self.revisions(id)[-1]
        if latest.state not in ("waiting", "published") and not latest.can_be_sent_again:
            raise InboxError("You can’t change this comment any more.")
        if latest.words == submission.words:
            return
        self.run("UPDATE revision SET state = 'replaced' WHERE comment = ? AND state = 'waiting'", id)
        self._add_revision(id, latest.number + 1, submission, received, held)

    def delete(self, id: str) -> None:
        """Take a writer's words out of the inbox at once, and leave the request for moderation, which takes them off the page."""
        self.run("UPDATE comment SET deletion = 'delete' WHERE id = ? AND deletion = ''", id)
        self.forget(id)

    def forget(self, id: str) -> None:
        """Erase every word of a comment and what could name its writer; its id stays, so that it is never used again."""
        self.run("UPDATE comment SET resend_key = NULL WHERE id = ?", id)
        self.run("DELETE FROM subscription WHERE comment = ?", id)
        self.run(f"UPDATE revision SET {_ERASED}, state = 'deleted' WHERE comment = ?", id)  # noqa: S608  # declared names

    def expire(self, id: str, *, is_published: bool) -> None:
        """Erase the words of a comment that do not wait, all but those on its page; what became of them stays to be seen."""
        on_page = "(SELECT max(number) FROM revision AS r WHERE r.comment = revision.comment AND r.state = 'published')"
        self.run(
            f"UPDATE revision SET {_ERASED}"  # noqa: S608  # this module's own
            f" WHERE comment = ? AND state NOT IN ('waiting', 'deleted') AND NOT (? AND number = {on_page})",
            id,
            is_published,
        )

    def waiting(self, *, limit: int = EVERY_ROW, offset: int = 0) -> list[Revision]:
        """Return what no one has judged: the plain first, then what is held, each oldest first."""
        order = "held <> '[]', received, id, number"
        return self._find(f"state = 'waiting' ORDER BY {order} LIMIT ? OFFSET ?", limit, offset)

    def size(self) -> int:
        """Return how many wait."""
        found = self.one("SELECT count(*) AS size FROM revision WHERE state = 'waiting'")
        return int(found["size"]) if found else 0

    def revisions(self, id: str) -> list[Revision]:
        """Return the revisions of a comment, oldest first: the first and the latest, ``MAX_REVISIONS`` in all."""
        first = "(SELECT min(number) FROM revision WHERE comment = ?1)"
        latest = "(SELECT number FROM revision WHERE comment = ?1 ORDER BY number DESC LIMIT ?2)"
        return self._find(
            f"id = ?1 AND (number = {first} OR number IN {latest}) ORDER BY number", id, MAX_REVISIONS - 1
        )

    def everything(self) -> Iterator[Revision]:
        """Yield every revision of every comment, ``PORTION`` in memory at a time."""
        query = "SELECT DISTINCT comment FROM revision WHERE comment > ? ORDER BY comment LIMIT ?"
        last, ids = None, [""]
        while ids and ids[-1] != last:  # a forged id that is no UTF-8 is read as another, and may be behind itself
            last = ids[-1]
            ids = [str(row["comment"]) for row in self.connection.execute(query, (last, PORTION))]
            for id in ids:
                yield from self.revisions(id)

    def deletion_requests(self, *, limit: int = MAX_REQUESTS) -> list[str]:
        """Return the ids of comments whose writers deleted them and which may still be on a page.

        They come in no order, so that those which cannot be carried out keep no place from the others for ever.
        """
        query, found = "SELECT id FROM comment WHERE deletion = 'delete'", []
        try:
            return [str(row["id"]) for row in self.connection.execute(f"{query} ORDER BY random() LIMIT ?", (limit,))]
        except sqlite3.DataError:  # an id longer than any of ours keeps no place from the others either
            for place in range(limit):
                with suppress(sqlite3.DataError):
                    found += [str(row["id"]) for row in self.connection.execute(f"{query} LIMIT 1 OFFSET ?", (place,))]
        return found

    def close_deletion_request(self, id: str) -> None:
        """Record that a deletion request was carried out."""
        self.run("UPDATE comment SET deletion = 'done' WHERE id = ? AND deletion = 'delete'", id)

    def repeated(self, body: str, since: datetime, *, apart_from: str = "") -> int:
        """Return how often the same words came since then, not counting what one comment itself has said."""
        query = "SELECT count(*) AS times FROM revision WHERE digest = ? AND received > ? AND comment <> ?"
        found = self.one(query, _digest(body), stamp(since), apart_from)
        return int(found["times"]) if found else 0

    def set_state(self, id: str, number: int, state: str, reason: str = "") -> None:
        """Record what became of a revision; one that its writer has changed since cannot wait again."""
        is_latest = "number = (SELECT max(number) FROM revision AS r WHERE r.comment = revision.comment)"
        self.run(
            f"UPDATE revision SET state = CASE WHEN ?1 <> 'waiting' OR {is_latest} THEN ?1 ELSE 'replaced' END, reason = ?2"  # noqa: S608  # this module's own
            " WHERE comment = ?3 AND number = ?4 AND state <> 'deleted'",
            state,
            reason,
            id,
            number,
        )

    def receipt(self, id: str) -> str:
        """Return the private part of the link that only the comment's writer is given."""
        return self.tokens.sign(id, "receipt")

    def by_receipt(self, receipt: str) -> list[Revision]:
        """Return the revisions of the comment that a receipt is for, or none if it was not made here."""
        id = self.tokens.read(receipt, "receipt")
        return self.revisions(id) if id else []

    # Who is to be told

    def add_event(self, kind: str, about: str) -> None:
        """Queue an event that the desk makes a mail of."""
        self.run("INSERT INTO event (kind, about) VALUES (?, ?)", kind, about)

    def events(self, *, limit: int) -> list[Event]:
        """Return the oldest events."""
        return [Event(**row) for row in self.oldest("event", limit=limit)]

    def drop(self, event: Event) -> None:
        """Drop an event, once the desk has it."""
        self.run("DELETE FROM event WHERE sequence = ?", event.sequence)

    def erased(self, kind: str, about: str) -> None:
        """Leave word for the desk that a reader erased something, so that no backup brings it back."""
        self.run("INSERT INTO erasure (kind, about) VALUES (?, ?)", kind, about)

    # For the modules beside this one, which keep other things in the same file

    def one(self, query: str, *values: object) -> sqlite3.Row | None:
        """Return the first row that a query finds."""
        return self.connection.execute(query, values).fetchone()  # type: ignore[no-any-return]  # the connection's row factory

    def run(self, query: str, *values: object) -> int:
        """Change something within the caller's transaction; return how many rows it was."""
        return self.connection.execute(query, values).rowcount

    def rows(self, table: str, query: str, values: Sequence[object], keys: str, one: str) -> list[sqlite3.Row]:
        """Return the rows that a query finds; those longer than any of the intake's are set aside, and the query leaves them out.

        ``keys`` finds the key of each row of the table without reading its words, ``one`` the row of a key.
        """
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.DataError:
            for (key,) in self.connection.execute(keys).fetchall():
                try:
                    row = self.connection.execute(one, (key,)).fetchone() or ()
                    is_too_long = sum(len(value) for value in row if isinstance(value, str | bytes)) > ROW_LENGTH
                except sqlite3.DataError:
                    is_too_long = True
                if is_too_long:
                    self.run("INSERT INTO temp.too_long VALUES (?, ?)", table, key)
            return self.connection.execute(query, values).fetchall()

    def fitting(self, table: str, key: str) -> str:
        """Return the condition that a row was not set aside."""
        return f"{key} NOT IN (SELECT row FROM temp.too_long WHERE of_table = '{table}')"  # noqa: S608  # our own names

    def copy(self, path: Path) -> None:
        """Copy it as of one moment into a database of SQLite."""
        copy(self.connection, path)

    def oldest(self, table: str, *, limit: int) -> list[sqlite3.Row]:
        """Return the oldest rows of a table of events or erasures; those longer than any of the intake's are dropped."""
        query, rest = f"SELECT sequence, kind, about FROM {table}", "ORDER BY sequence LIMIT ?"  # noqa: S608  # a table of this module's
        try:
            return self.connection.execute(f"{query} {rest}", (limit,)).fetchall()
        except sqlite3.DataError:
            for row in self.connection.execute(f"SELECT sequence FROM {table} {rest}", (limit,)).fetchall():  # noqa: S608  # as above
                try:
                    self.one(f"{query} WHERE sequence = ?", row["sequence"])
                except sqlite3.DataError as error:
                    self.run(f"DELETE FROM {table} WHERE sequence = ?", row["sequence"])  # noqa: S608  # as above
                    self.dropped.add(table)
                    log.event(
                        "a row longer than any of ours is dropped", level=logging.WARNING, table=table, error=error
                    )
            return self.connection.execute(f"{query} {rest}", (limit,)).fetchall()

    def overlong(self) -> set[str]:
        """Return the tables with a row longer than any of the intake's; it reads them all."""
        found = set()
        for table in TABLES:
            columns = [row["name"] for row in self.connection.execute(f"PRAGMA table_info({table})")]
            read = " || ".join(f'"{name}"' for name in columns)
            try:
                self.connection.execute(f"SELECT count(*) FROM {table} NOT INDEXED WHERE {read} || '' = ''")  # noqa: S608  # as above
            except sqlite3.DataError:
                found.add(table)
        return found

    def sweep(self) -> None:
        """Take away what counts posts no more; nothing does in a file."""

    @property
    def too_long(self) -> int:
        """How many rows were set aside since the last check because they are longer than any of the intake's."""
        found = self.one("SELECT count(*) AS size FROM temp.too_long")
        return int(found["size"]) if found else 0

    # How

    def _add_revision(
        self,
        id: str,
        number: int,
        submission: Submission,
        received: datetime,
        held: Sequence[str],
        *,
        is_news: bool = True,
    ) -> None:
        values = {
            "comment": id,
            "number": number,
            **submission.words,
            "digest": _digest(submission.body),
            "received": stamp(received),
            "held": json.dumps(held, ensure_ascii=False) if held else "[]",
            "state": "waiting",
        }
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self.run(f"INSERT INTO revision ({columns}) VALUES ({marks})", *values.values())  # noqa: S608  # declared names
        if is_news:
            self.add_event("comment", id)

    def _find(self, condition: str, *values: object) -> list[Revision]:
        query = (
            f"SELECT id, number, article, reply_to, {_WORDS}, received, held, state, reason"  # noqa: S608  # conditions are this module's own
            " FROM revision JOIN comment ON comment = id WHERE"
            f" {self.fitting('revision', 'revision.rowid')} AND {condition}"
        )
        rows = "SELECT rowid AS key FROM revision NOT INDEXED"
        one = "SELECT * FROM revision LEFT JOIN comment ON comment = id WHERE revision.rowid = ?"
        return [Revision(**fields_of(row)) for row in self.rows("revision", query, values, rows, one)]


def add_columns(connection: sqlite3.Connection) -> None:
    """Give each declared field its column."""
    columns = {row["name"] for row in connection.execute("PRAGMA table_info(revision)")}
    for name in READER_FIELDS.keys() - columns:
        connection.execute(f"ALTER TABLE revision ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what names a file on this machine, whatever its path, or None if it is not there."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _refuse_traps(path: Path) -> None:
    """Refuse what whoever may write in the folder could lay for the other user who opens the database.

    A link leads to a file of that user's, and a pipe nowhere. A forged rollback journal names a file that SQLite then deletes, with the
    rights of whoever opens the database (its “super-journal”; sqlite.org/atomiccommit.html, 5.5); in WAL mode there is none
    but for a moment while the database is made.
    """
    journal = path.with_name(f"{path.name}-journal")
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise InboxError(f"{path} is a link, a folder or a pipe; put the database itself there")
    for _ in range(100):
        if not os.path.lexists(journal):
            return
        time.sleep(0.01)
    raise InboxError(f"{journal} is not of our making; delete it")


def fields_of(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row with its date and its reasons read; one of another's making is shown as such."""
    try:
        received = datetime.fromisoformat(row["received"]).astimezone(UTC)
        held = tuple(str(reason) for reason in json.loads(row["held"]))
    except (ValueError, TypeError, OverflowError, RecursionError):
        received, held = datetime.fromtimestamp(0, UTC), ("its row in the inbox is not of the intake’s writing",)
    texts = {key: "" if row[key] is None else str(row[key]) for key in row.keys() if key not in ("number", "reply_to")}  # noqa: SIM118  # a row's own
    return dict(row) | texts | {"received": received, "held": held}


def _digest(body: str) -> bytes:
    """Name a body's words, whatever their case and spacing."""
    return hashlib.sha256(" ".join(body.casefold().split()).encode()).digest()


def stamp(date: datetime) -> str:
    """Return a date as it is kept, so that dates sort as texts."""
    return date.isoformat(timespec="microseconds")
