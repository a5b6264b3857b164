"""Inbox in PostgreSQL, shared by the intakes of several machines and by one desk."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from contract.comment import READER_FIELDS
from postbox.settings import Settings
from postbox.store.database import TIMEOUT_SECONDS, connect, transaction
from postbox.store.postgresql import Connection, migrate
from postbox.store.submissions import MIGRATIONS, Inbox, add_columns

TABLES = ("comment", "revision", "subscription", "refused", "message", "event", "erasure")
PORTION = 500  # rows in memory, where all are copied


class SharedInbox(Inbox):
    """The inbox at an address; what is longer than any of the intake's is refused by the database."""

    is_remote = True

    def __init__(self, settings: Settings, *, wait_seconds: float | None = None) -> None:
        """Connect; ``wait_seconds`` is how long a change waits for another machine's."""
        self._settings, self._wait = settings, wait_seconds
        self._connect()

    def refresh(self) -> None:
        """Connect again if the connection has ended."""
        if cast("Connection", self.connection).is_closed:
            self._connect()

    def check(self) -> None:
        """See that the database answers.

        Raises:
            sqlite3.Error: if not.
        """
        self.refresh()
        self.one("SELECT 1 AS one")

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

    def copy(self, path: Path) -> None:
        """Copy it as of one moment into a database of SQLite, the form of every backup."""
        with closing(connect(path, MIGRATIONS)) as target, transaction(target), transaction(self.connection):
            add_columns(target)
            target.execute("PRAGMA defer_foreign_keys = ON")
            for table in TABLES:
                names = [row["name"] for row in target.execute(f"PRAGMA table_info({table})")]
                columns, marks = ", ".join(names), ", ".join("?" * len(names))
                rows: Any = self.connection.execute(f"SELECT {columns} FROM {table}")  # noqa: S608  # our own names
                while portion := rows.fetchmany(PORTION):
                    values = [[row[name] for name in names] for row in portion]
                    target.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608

    def _connect(self) -> None:
        wait = TIMEOUT_SECONDS if self._wait is None else self._wait
        connection = Connection(self._settings.postgresql, wait_seconds=wait)
        try:
            migrate(connection, READER_FIELDS)
            row: Any = connection.execute(
                "SELECT oid::bigint AS database, 'comment'::regclass::oid::bigint AS name FROM pg_database"
                " WHERE datname = current_database()"
            ).fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        self.file = int(row["database"]), int(row["name"])  # another after a backup was brought back
        self.connection = cast("sqlite3.Connection", connection)
