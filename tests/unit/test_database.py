"""The database: migrated in order, durable, and all of a transaction or nothing."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from postbox.store.database import connect, transaction

Open = Callable[..., sqlite3.Connection]

TABLE = "CREATE TABLE word (text TEXT NOT NULL UNIQUE) STRICT"
ROW = "INSERT INTO word VALUES ('one')"
COLUMN = "ALTER TABLE word ADD COLUMN number INTEGER NOT NULL DEFAULT 1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database may be made, its folder included."""
    return tmp_path / "var" / "inbox" / "inbox.sqlite"


@pytest.fixture
def open(path: Path) -> Iterator[Open]:
    """Open the database as each process does; all are closed at the end."""
    with ExitStack() as opened:
        yield lambda migrations=(TABLE,): opened.enter_context(closing(connect(path, migrations)))


def words(connection: sqlite3.Connection) -> list[str]:
    """Return what is in the table, in the order it came."""
    return [row["text"] for row in connection.execute("SELECT text FROM word ORDER BY rowid")]


def write(connection: sqlite3.Connection, *texts: str, fault: type[BaseException] | None = None) -> None:
    """Put words in, all or none."""
    with transaction(connection):
        connection.executemany("INSERT INTO word VALUES (?)", [(text,) for text in texts])
        if fault:
            raise fault


def version(connection: sqlite3.Connection) -> int:
    """Return how many migrations were made."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize(("before", "migrations", "rows"), [
    ([], [TABLE, ROW, COLUMN], [("one", 1)]),
    ([TABLE, ROW], [TABLE, ROW], [("one",)]),
    ([TABLE, ROW], [TABLE, ROW, COLUMN, "INSERT INTO word VALUES ('two', 2)"], [("one", 1), ("two", 2)]),
    ([], [f"{TABLE};\n{ROW};\n"], [("one",)]),
], ids=["in order", "once", "on what is there", "of several statements"])  # fmt: skip
def test_migrations_are_made(open: Open, before: list[str], migrations: list[str], rows: list[Any]) -> None:
    if before:
        open(before)

    connection = open(migrations)

    assert [tuple(row) for row in connection.execute("SELECT * FROM word ORDER BY rowid")] == rows
    assert version(connection) == len(migrations)


@pytest.mark.parametrize("broken", ["INSERT INTO nothing VALUES (1)", f"{ROW}; {ROW}", f"{COLUMN}; nonsense"])
def test_a_migration_that_fails_leaves_the_last_good_state(open: Open, path: Path, broken: str) -> None:
    open([TABLE])

    with pytest.raises(sqlite3.Error, match=str(path)):
        open([TABLE, "INSERT INTO word VALUES ('two')", broken])

    connection = open([TABLE])
    assert words(connection) == []
    assert version(connection) == 1


def test_a_newer_versions_database_is_refused_and_left_as_it_is(open: Open, path: Path) -> None:
    connection = open([TABLE, ROW])

    with pytest.raises(sqlite3.DatabaseError, match="newer version; update this one") as refusal:
        open([TABLE])

    assert str(path) in str(refusal.value)
    assert (version(connection), words(connection)) == (2, ["one"])


def test_a_file_that_is_no_database_is_named_and_left_as_it_is(open: Open, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("These are words. " * 100)

    with pytest.raises(sqlite3.DatabaseError, match="file is not a database") as refusal:
        open()

    assert str(path) in str(refusal.value)
    assert path.read_text() == "These are words. " * 100


def test_a_refused_database_is_closed(open: Open, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open([TABLE, ROW]).close()
    refused = sqlite3.connect(path, isolation_level=None)
    monkeypatch.setattr("sqlite3.connect", lambda *_, **__: refused)

    with pytest.raises(sqlite3.DatabaseError):
        open([TABLE])

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        refused.execute("SELECT 1")


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_what_was_answered_survives_a_power_cut(open: Open, pragma: str, value: object) -> None:
    for connection in (open(), open()):
        assert connection.execute(f"PRAGMA {pragma}").fetchone()[0] == value


def test_nobody_meets_a_database_without_the_rights_of_its_group(
    open: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    was_there, change_mode = [], os.fchmod

    def note(descriptor: int, mode: int) -> None:
        was_there.append(path.exists())
        change_mode(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", note)

    open()

    assert was_there == [False]
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_a_file_system_without_links_will_do(open: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)

    with open() as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_group_may_write_and_others_may_not_read(open: Open, path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        open()
    finally:
        os.umask(before)

    files = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()}
    assert files == dict.fromkeys(["inbox.sqlite", "inbox.sqlite-wal", "inbox.sqlite-shm"], "0o660")


def test_a_transaction_that_ends_is_seen_by_others(open: Open) -> None:
    writer, reader = open(), open()

    with transaction(writer):
        writer.execute(ROW)
        during = words(reader)

    assert during == []
    assert words(reader) == ["one"]


@pytest.mark.parametrize(("texts", "fault"), [
    *[(["one"], fault) for fault in (ValueError, sqlite3.IntegrityError, KeyboardInterrupt, SystemExit)],
    (["one", "one"], None),  # which breaks the rule that each is there once
])  # fmt: skip
def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(
    open: Open, texts: list[str], fault: type[BaseException] | None
) -> None:
    connection = open()

    with pytest.raises(fault or sqlite3.IntegrityError):
        write(connection, *texts, fault=fault)

    write(connection, "two")
    assert words(connection) == ["two"]


def test_a_second_writer_waits_for_the_first(open: Open) -> None:
    first, second = open(), open()
    second.execute("PRAGMA busy_timeout = 1")

    with transaction(first), pytest.raises(sqlite3.OperationalError, match="locked"):
        write(second, "one")

    write(second, "two")
    assert words(first) == ["two"]
