"""Databases: opened in WAL mode, durable before the answer, migrated in order, read within limits of size and time.

Another user may write the inbox and its folder, so a file there is made only where there is none (``link``), has its
rights set by descriptor, and is read only once SQLite has told that it opened this very name and followed no link.
"""

import logging
import os
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from postbox import log

TIMEOUT_SECONDS = 10.0  # for another process to finish what it writes
STATEMENT_SECONDS = 5.0  # from its start to its last row
STEPS = 10_000  # of SQLite's machine, between two looks at the clock
EVERY_ROW = 2**63 - 1  # as a limit, on either engine
ROW_BYTES = 1024 * 1024  # the longest comment is a sixteenth of it
FILE_BYTES = 1024 * 1024 * 1024  # of a database or its log
PRAGMAS = (
    "hard_heap_limit=268435456",  # of the whole process: a forged row of an index is read whole, whatever its length
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",  # what was erased is not to be read in the file's free places
    "trusted_schema=OFF",  # whoever can write the file may not name functions that run in the other's process
)


class LimitedConnection(sqlite3.Connection):
    """Connection whose rows have a greatest length and whose statements have ``STATEMENT_SECONDS``.

    A row that is too long raises ``sqlite3.DataError``, a statement that takes too long ``sqlite3.OperationalError``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, ROW_BYTES)
        self._began = began = [time.monotonic()]  # no reference to the connection, which would keep it open
        self.set_progress_handler(lambda: time.monotonic() - began[0] > STATEMENT_SECONDS, STEPS)

    def cursor(self, *args: Any) -> Any:
        """Begin the time of a statement."""
        self._began[0] = time.monotonic()
        return super().cursor(*args)

    def execute(self, *args: Any) -> sqlite3.Cursor:
        """Run a statement within its time."""
        self._began[0] = time.monotonic()
        return super().execute(*args)


def connect(
    path: Path, migrations: Sequence[str], *, wait_seconds: float | None = None, may_make: bool = True
) -> sqlite3.Connection:
    """Open or make a database and bring its schema up to the last of ``migrations``.

    The file is group-writable: the intake and the desk are two users of one group. One that is as it should be is only
    read, so that nobody who keeps the right to write holds up its opening. ``wait_seconds`` is how long a statement
    waits for whoever does, ``TIMEOUT_SECONDS`` if it is not given.

    Raises:
        sqlite3.DatabaseError: if the file is not a database, or a newer version's; the text names it.
    """
    connection: sqlite3.Connection | None = None
    try:
        if may_make:
            _make(path)
        _check_file(path)
        timeout = TIMEOUT_SECONDS if wait_seconds is None else wait_seconds
        options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False, "factory": LimitedConnection}
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout, **options)
        connection.row_factory = sqlite3.Row
        _check_name(connection, path)
        for pragma in PRAGMAS:
            _patiently(connection, f"PRAGMA {pragma}")
        if connection.execute("PRAGMA user_version").fetchone()[0] != len(migrations):
            with transaction(connection):
                _migrate(connection, migrations)
    except sqlite3.Error as error:
        if connection:
            connection.close()
        raise type(error)(f"{path}: {error}") from error
    return connection


def open_in_memory(migrations: Sequence[str]) -> sqlite3.Connection:
    """Return an empty database in memory, with the same schema and limits."""
    connection: sqlite3.Connection = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, factory=LimitedConnection
    )
    connection.row_factory = sqlite3.Row
    _migrate(connection, migrations)
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


def copy(connection: sqlite3.Connection, path: Path) -> None:
    """Copy a database as of one moment, page by page, so that neither its size nor a row of any length stops the copy.

    What was erased is not in it: its places are written over with zeros (``secure_delete``).
    """
    with closing(sqlite3.connect(path)) as target:
        connection.backup(target)


def wipe(connection: sqlite3.Connection) -> None:
    """Take what was erased out of the write-ahead log too, where it would stand until that is written over.

    PostgreSQL, where another holds a table or nothing answers, does so later by itself: what was erased is erased already.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        if isinstance(connection, sqlite3.Connection):
            raise
        log.event("the places of what was erased are freed later", level=logging.WARNING, error=error)


def _make(path: Path) -> None:
    """Make an empty file where there is none; whatever lies there already is left as it is.

    It has its rights before it has its name, for the other user may be opening it in that moment.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        return
    descriptor, made = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        os.fchmod(descriptor, 0o660)
        os.link(made, path, follow_symlinks=False)
    except FileExistsError:
        pass  # another process was first
    except OSError:  # a file system without links, which has but one owner for all files
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o660))
    finally:
        os.close(descriptor)
        os.unlink(made)  # noqa: PTH108  # mkstemp gives a text


def _check_file(path: Path) -> None:
    """Refuse what is no file, or is larger than any of ours.

    By name and not by descriptor: to close one would free every lock that the process has on the file (sqlite.org/howtocorrupt, 2.2).
    """
    for file in (path, path.with_name(f"{path.name}-wal")):
        with suppress(FileNotFoundError):
            status = file.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise sqlite3.OperationalError(f"{file.name} is a link, a folder or a pipe; delete it")
            if status.st_size > FILE_BYTES:
                raise sqlite3.OperationalError(f"{file.name} is larger than {FILE_BYTES:,} bytes")


def _check_name(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that SQLite was led to by a link, before anything is read of it; it follows none at the end of the name that it tells."""
    opened = connection.execute("PRAGMA database_list").fetchone()[2]
    if opened != str(path.parent.resolve() / path.name):
        raise sqlite3.OperationalError("a link leads elsewhere; delete it")


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
