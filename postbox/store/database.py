"""Databases: opened in WAL mode, durable before the answer, migrated in order."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TIMEOUT_SECONDS = 10.0  # for another process to finish what it writes
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",  # what was erased is not to be read in the file's free places
    "trusted_schema=OFF",  # whoever can write the file may not name functions that run in the other's process
)


def connect(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open or make a database and bring its schema up to the last of ``migrations``.

    The file is group-writable: the intake and the desk are two users of one group.

    Raises:
        sqlite3.DatabaseError: if the file is not a database, or a newer version's; the text names it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch()
        path.chmod(0o660)
    connection = None
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=TIMEOUT_SECONDS, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        for pragma in PRAGMAS:
            _patiently(connection, f"PRAGMA {pragma}")
        with transaction(connection):
            _migrate(connection, migrations)
    except sqlite3.Error as error:
        if connection:
            connection.close()
        raise type(error)(f"{path}: {error}") from error
    return connection


def refuse_code(connection: sqlite3.Connection) -> None:
    """Refuse a database that another user may write if it has a view or a trigger, which would run as whoever reads it.

    Raises:
        sqlite3.DatabaseError: with the name of the first.
    """
    query = "SELECT name FROM sqlite_schema WHERE type IN ('view', 'trigger') LIMIT 1"
    if found := connection.execute(query).fetchone():
        raise sqlite3.DatabaseError(f"“{found[0]}” is a view or a trigger, and not of our making")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Keep all of it or nothing; durable when it ends."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def wipe(connection: sqlite3.Connection) -> None:
    """Take what was erased out of the write-ahead log too, where it would stand until that is written over."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def sync(folder: Path) -> None:
    """Make the names in a folder durable, as ``fsync`` makes the bytes of a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Run a statement that does not wait for another process by itself, as the first switch to WAL does not."""
    for wait in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0):
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        time.sleep(wait)
    connection.execute(statement)


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise sqlite3.DatabaseError("written by a newer version; update this one")
    for number, migration in enumerate(migrations[version:], version + 1):
        for statement in migration.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={number}")
