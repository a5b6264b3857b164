"""Reader of an Isso database (schema 5, Isso 0.14), which is opened read-only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from moving import records
from moving.records import Comment, MovingError, Progress, Record, Thread

TEXT_BYTES = 1_000_000  # of one value
STEPS = 100_000_000  # of SQLite's machine for one answer
STATES = {1: records.PUBLISHED, 2: records.HELD, 4: records.REMOVED}
COLUMNS = {
    "threads": ("id", "uri"),
    "comments": ("id", "tid", "parent", "created", "mode", "author", "website", "text"),
}


def read(path: Path, progress: Progress) -> Iterator[Record]:
    """Yield the threads, then the comments; a ``place`` names the row, as there are no lines.

    Raises:
        MovingError: if it is no such database.
    """
    if not path.is_file():
        raise MovingError(f"{path}: there is no such file")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as database:
            _refuse_traps(database, path)
            for id, uri in _rows(database, "threads"):
                yield Thread(place=f"{path.name}:thread {id}", key=str(id), address=str(uri or ""))
            for row in _rows(database, "comments"):
                yield _comment(row, path.name)
        progress(path.stat().st_size)
    except sqlite3.Error as error:
        raise MovingError(f"{path}: it is no whole Isso database ({error}); copy it while Isso is stopped") from None


def _refuse_traps(database: sqlite3.Connection, path: Path) -> None:
    """Read tables only, for a view could compute for ever, and no value that fills the memory."""
    database.execute("PRAGMA trusted_schema=OFF")
    database.text_factory = lambda data: data.decode("utf-8", "replace")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, TEXT_BYTES)
    database.set_progress_handler(lambda: 1, STEPS)
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('threads', 'comments')"
    if len(database.execute(query).fetchall()) < 2:
        raise MovingError(f"{path}: it has no tables threads and comments; is it Isso’s database?")


def _rows(database: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    columns = ", ".join(COLUMNS[table])
    yield from database.execute(f"SELECT {columns} FROM {table} ORDER BY id")  # noqa: S608  # names of this module's own


def _comment(row: tuple[object, ...], file: str) -> Comment:
    id, thread, parent, created, mode, author, website, text = row
    state = STATES.get(mode, records.LEFT_OUT) if isinstance(mode, int) else records.LEFT_OUT
    return Comment(
        place=f"{file}:comment {id}",
        key=f"isso{id}",
        thread=str(thread),
        parent=f"isso{parent}" if parent else "",
        state=state,
        reason="neither published nor waiting" if state == records.LEFT_OUT else "",
        author=" ".join(str(author or "").split()),
        website=str(website or ""),
        date=_date(created),
        body=str(text or ""),
        is_html=False,
        held=("it waited in Isso",) if state == records.HELD else (),
    )


def _date(seconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if isinstance(seconds, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None
