"""Inbox in PostgreSQL, shared by the intakes of several machines and by one desk."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from contract.comment import READER_FIELDS
from postbox import log
from postbox.settings import Settings
from postbox.store.database import TIMEOUT_SECONDS, connect, transaction
from postbox.store.postgresql import Connection, migrate, owns
from postbox.store.submissions import MIGRATIONS, TABLES, Inbox, InboxError, Role, add_columns

T = TypeVar("T")

NUMBERED = ("event", "erasure")  # in the order in which they came
COPIED_BYTES = 64 * 1024 * 1024  # of a row that is copied, or looked at and left out
PORTION = 500  # rows in memory, where all are copied
AGAIN_SECONDS = 1.0  # between two tries to connect
SWEEP_SECONDS = 10.0
MAX_BUCKETS = 50_000  # of networks; more, and those that are empty soonest are let go
TAKE = """
    INSERT INTO rate AS kept (bucket, empty_at) VALUES (?1, seconds() + ?2)
    ON CONFLICT (bucket) DO UPDATE SET empty_at = greatest(kept.empty_at, seconds()) + ?2
    WHERE greatest(kept.empty_at, seconds()) + ?2 <= seconds() + ?3
    """
SWEEP = """
    DELETE FROM rate WHERE bucket IN (
        SELECT bucket FROM rate WHERE empty_at < seconds() OR bucket IN (SELECT bucket FROM rate ORDER BY empty_at DESC OFFSET ?)
        FOR UPDATE SKIP LOCKED
    )
    """
WRONG_ROLE = {
    "desk": "POSTBOX_INBOX names a role that does not own the database; give the desk the one that does",
    "intake": "POSTBOX_INBOX names the desk’s role, with which an intake could write what decides; give it postbox_intake",
}


class SharedInbox(Inbox):
    """The inbox at an address; what is longer than any of the intake's is refused by the database."""

    is_remote = True

    def __init__(self, settings: Settings, *, wait_seconds: float | None = None, role: Role | None = None) -> None:
        """Connect; ``wait_seconds`` is how long a change waits for another machine's.

        Raises:
            InboxError: if the address names the other's role.
        """
        self._settings, self._wait, self._role = settings, wait_seconds, role
        self.dropped = set()
        self._failure, self._again_at, self._sweep_at = "", 0.0, 0.0
        self._connect()

    def refresh(self) -> None:
        """Connect again if the connection has ended, unless that has failed a moment ago.

        Raises:
            sqlite3.Error: if nothing answers.
        """
        if not self._has_ended:
            return
        if self._failure and time.monotonic() < self._again_at:
            raise sqlite3.OperationalError(self._failure)
        try:
            self._connect()
        except sqlite3.Error as error:
            self._failure, self._again_at = str(error), time.monotonic() + AGAIN_SECONDS
            raise
        self._failure = ""

    def begin(self) -> None:
        """Begin a transaction, on a new connection if the server has ended this one meanwhile."""
        self.look(lambda inbox: inbox.connection.execute("BEGIN IMMEDIATE"))

    def look(self, task: Callable[[Inbox], T]) -> T:
        """Do what only reads, once more on a new connection if the server has ended this one meanwhile."""
        self.refresh()
        try:
            return task(self)
        except sqlite3.Error:
            if not self._has_ended:
                raise
        self.refresh()
        return task(self)

    def check(self) -> None:
        """See that the database answers, and whether its tables are still those that they were.

        Raises:
            sqlite3.Error: if nothing answers.
        """
        self.file = self.look(_identity)

    def take_place(self, bucket: bytes, limit: int, seconds: float) -> float:
        """Take one post from a bucket that every machine sees; return 0, or the seconds until there is room, with nothing taken.

        A row says when its bucket will be empty (the theoretical arrival time of ITU-T I.371, less a post), by the server's
        own clock; one that is empty is as good as none. What is over, and what is too many, is taken away now and then, by the desk where nobody posts.
        """
        if time.monotonic() > self._sweep_at:
            self._sweep_at = time.monotonic() + SWEEP_SECONDS
            self.sweep()
        each, seconds = seconds / limit, float(seconds)
        if self.run(TAKE, bucket, each, seconds):
            return 0.0
        query = "SELECT empty_at + ? - ? - seconds() AS wait FROM rate WHERE bucket = ?"
        row = self.one(query, each, seconds, bucket)
        return max(1.0, row["wait"] if row else 0.0)

    def sweep(self) -> None:
        """Take away the buckets that are empty, and those that are too many."""
        self.run(SWEEP, MAX_BUCKETS)

    @cached_property
    def key(self) -> bytes:
        """What every machine signs receipts and the links in mails to readers with."""
        return bytes.fromhex(self._settings.inbox_key)

    def rows(self, table: str, query: str, values: Sequence[object], keys: str, one: str) -> list[sqlite3.Row]:
        """Return the rows that a query finds."""
        return self.connection.execute(query, values).fetchall()

    def fitting(self, table: str, key: str) -> str:
        """Return a condition that every row meets."""
        return "true"

    @property
    def too_long(self) -> int:
        """No row is."""
        return 0

    def overlong(self) -> set[str]:
        """No table has a row that is."""
        return set()

    def copy(self, path: Path) -> None:
        """Copy it as of one moment into a database of SQLite, the form of every backup; nobody who writes waits for that."""
        with closing(connect(path, MIGRATIONS)) as target, transaction(target), self._snapshot():
            add_columns(target)
            target.set_progress_handler(None, 0)  # a table takes as long as it takes
            target.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, COPIED_BYTES)  # no row of the intakes' role stops it
            target.execute("PRAGMA defer_foreign_keys = ON")
            for table in TABLES:
                names = [row["name"] for row in target.execute(f"PRAGMA table_info({table})")]
                columns, marks = ", ".join(names), ", ".join("?" * len(names))
                self.run(f"DECLARE copied NO SCROLL CURSOR FOR SELECT {columns} FROM {table}")  # noqa: S608  # our own names
                while portion := self.connection.execute(f"FETCH {PORTION} FROM copied").fetchall():
                    values = [[row[name] for name in names] for row in portion]
                    target.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608  # our own names
                self.run("CLOSE copied")

    def load(self, path: Path, *, may_replace: bool = False) -> int:
        """Take the rows of a copy instead of those that are there, in one transaction; return how many comments there are then.

        The copy is a database of SQLite, of either engine and any version. What breaks a rule of the tables was never of our
        writing, and is left out. An address that wants no mail now wants none whatever the copy says.

        Raises:
            InboxError: if there are comments or messages, and they may not be replaced.
        """
        with closing(connect(path, MIGRATIONS)) as source, transaction(self.connection):
            source.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, COPIED_BYTES)
            source.text_factory = lambda data: data.decode("utf-8", "replace")
            add_columns(source)
            source.set_progress_handler(None, 0)
            if not may_replace and self.one("SELECT id FROM comment UNION ALL SELECT id FROM message LIMIT 1"):
                raise InboxError(
                    "there are comments or messages in PostgreSQL already; say it again with --replace, and they are gone"
                )
            self.run(f"TRUNCATE {', '.join(table for table in TABLES if table != 'refused')}")
            for table in TABLES:
                names = [
                    row["name"] for row in source.execute(f"PRAGMA table_info({table})") if row["name"] != "sequence"
                ]
                columns, marks = ", ".join(names), ", ".join("?" * len(names))
                query = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608  # our own names
                query += " ON CONFLICT DO NOTHING" if table == "refused" else ""
                order = "ORDER BY sequence" if table in NUMBERED else ""
                for row in source.execute(f"SELECT {columns} FROM {table} {order}"):  # noqa: S608  # our own names
                    self._load_row(table, query, row)
            found = self.one("SELECT count(*) AS size FROM comment")
        return int(found["size"]) if found else 0

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """See it as of one moment, without the lock of those that write."""
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            yield
        finally:
            if self.connection.in_transaction:
                self.run("ROLLBACK")

    def _load_row(self, table: str, query: str, row: sqlite3.Row) -> None:
        self.run("SAVEPOINT one")
        try:
            self.run(query, *row)
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            self.run("ROLLBACK TO one")
            log.event("a row is left out", level=logging.WARNING, table=table, error=error)
        self.run("RELEASE one")

    @property
    def _has_ended(self) -> bool:
        return cast("Connection", self.connection).is_closed

    def _connect(self) -> None:
        wait = TIMEOUT_SECONDS if self._wait is None else self._wait
        connection = Connection(self._settings.postgresql, wait_seconds=wait)
        try:
            migrate(connection, READER_FIELDS)
            if self._role and (self._role == "desk") != owns(connection):
                raise InboxError(WRONG_ROLE[self._role])
        except (sqlite3.Error, InboxError):
            connection.close()
            raise
        self.connection = cast("sqlite3.Connection", connection)
        self.file = _identity(self)


def _identity(inbox: Inbox) -> tuple[int, int]:
    """Return what names the rows of the tables: another after a backup was brought back."""
    row: Any = inbox.one(
        "SELECT oid::bigint AS database, pg_relation_filenode('comment')::bigint AS rows FROM pg_database"
        " WHERE datname = current_database()"
    )
    return int(row["database"]), int(row["rows"])
