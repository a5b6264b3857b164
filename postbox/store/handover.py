"""Hand-over of what is public, through two tables: the desk fills them from its files, each intake writes them as files of its own.

A comment that is gone leaves its row behind without content, so that an intake that was away takes it off too.
"""

import hashlib
import logging
import os
import select
import shutil
import socket
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

from contract.comment import CommentError, path_of
from contract.manifest import STATUS_FILE
from postbox import log
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.postgresql import Connection
from postbox.store.tokens import new_id

MAX_BYTES = 32 * 1024 * 1024  # of one file
PORTION = 100  # comments in memory at a time
LOOK_SECONDS = 1.0  # between two looks at the desk's files
QUIET_SECONDS = 20.0  # until an intake looks without having been told
FIRST_SECONDS = 5.0  # for what has been handed over, before the first reader is answered
WAIT_SECONDS = 10.0  # for whoever holds the inbox
LONGEST_PAUSE_SECONDS = 30.0
PUBLIC = "postbox_public"  # the channel
_Stamp = tuple[int, int]


class Sender:
    """The desk's side: compares its files with the tables, and writes what differs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[Path, _Stamp] = {}

    def send(self, connection: Connection) -> None:
        """Write down what has changed since the last time, in one transaction, and tell the intakes."""
        found = {path: stamp for path in self._files() if (stamp := _stamp(path))}
        changed = [path for path, stamp in found.items() if self._known.get(path) != stamp]
        gone = self._known.keys() - found.keys()
        is_first = not self._known
        if is_first:
            changed = _differing(connection, changed)  # so that a desk that starts holds nobody up
        if not (changed or gone or is_first):
            return
        with transaction(cast("sqlite3.Connection", connection)):
            version = _newest(connection) + 1
            for path in changed:
                self._write(connection, path, version)
            ids = {(path.parent.name, path.stem) for path in gone if path.suffix == ".md"}
            if is_first:
                there = {(path.parent.name, path.stem) for path in found if path.suffix == ".md"}
                rows = connection.execute("SELECT article, id FROM published WHERE content IS NOT NULL")
                ids = {(row["article"], row["id"]) for row in rows} - there
            for article, id in ids:
                query = "UPDATE published SET content = NULL, version = ? WHERE article = ? AND id = ?"
                connection.execute(query, (version, article, id))
            connection.execute(f"NOTIFY {PUBLIC}")
        self._known = found

    def _files(self) -> Iterator[Path]:
        yield from (self._settings.site, self._settings.site.with_name(STATUS_FILE))
        yield from self._settings.comments.glob("*/*.md")

    @staticmethod
    def _write(connection: Connection, path: Path, version: int) -> None:
        try:
            content = path.read_bytes()
        except OSError:  # taken away meanwhile; the next look sees so
            return
        if len(content) > MAX_BYTES:
            log.event("a file is too large to be handed over", level=logging.WARNING, file=path.name)
            return
        keys, names = ((path.name,), "name") if path.suffix != ".md" else ((path.parent.name, path.stem), "article, id")
        table = "site_file" if path.suffix != ".md" else "published"
        marks = ", ".join("?" * (len(keys) + 2))
        differs = "" if path.name == STATUS_FILE else " WHERE kept.content IS DISTINCT FROM excluded.content"
        connection.execute(
            f"INSERT INTO {table} AS kept ({names}, content, version) VALUES ({marks}) ON CONFLICT ({names}) DO UPDATE"  # noqa: S608  # our own names
            f" SET content = excluded.content, version = excluded.version{differs}",  # the press is alive as its file's time says
            (*keys, content, version),
        )


class Receiver:
    """The intake's side: writes what has changed as files below its own folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._version = settings, -1

    def receive(self, connection: Connection) -> None:
        """Take what is newer than the last time; the first time, also take away what is not there."""
        newest, is_first, last = _newest(connection), self._version < 0, ("", "")
        if newest == self._version:
            return
        query = "SELECT name, content FROM site_file WHERE version > ?"
        for row in connection.execute(query, (self._version,)).fetchall():
            if row["name"] in (self._settings.site.name, STATUS_FILE):
                _put(self._settings.site.with_name(row["name"]), row["content"])
        strangers = set(self._settings.comments.glob("*/*.md")) if is_first else set()
        query = (
            "SELECT article, id, content FROM published WHERE version > ? AND (article, id) > (?, ?)"
            " ORDER BY article, id LIMIT ?"
        )
        while rows := connection.execute(query, (self._version, *last, PORTION)).fetchall():
            for row in rows:
                with suppress(CommentError):  # names no file
                    path = path_of(self._settings.comments, row["article"], row["id"])
                    _put(path, row["content"])
                    strangers.discard(path)
            last = rows[-1]["article"], rows[-1]["id"]
        for path in strangers:
            path.unlink(missing_ok=True)
        self._version = newest


class Listener:
    """A thread with a connection of its own that does something again whenever a channel is notified, and now and then."""

    def __init__(self, settings: Settings, channel: str, task: Callable[[Connection], None], *, seconds: float) -> None:
        """Do ``task`` at a notification, and after so many seconds without one; begin with ``start``."""
        self._settings, self._channel, self._task, self._seconds = settings, channel, task, seconds
        self._is_ended, self._is_done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=channel, daemon=True)

    def start(self, *, wait_seconds: float = 0) -> None:
        """Begin, and wait so long at most until it is done once."""
        self._ending, self._ended = socket.socketpair()
        self._thread.start()
        self._is_done.wait(wait_seconds)

    def close(self) -> None:
        """End it with what it is at."""
        self._is_ended.set()
        self._ended.close()
        self._thread.join(LONGEST_PAUSE_SECONDS)
        self._ending.close()

    def _run(self) -> None:
        pause, logged = 1.0, ""
        while not self._is_ended.is_set():
            try:
                with closing(Connection(self._settings.postgresql, wait_seconds=WAIT_SECONDS)) as connection:
                    connection.execute(f"LISTEN {self._channel}")
                    while not self._is_ended.is_set():
                        self._task(connection)
                        self._is_done.set()
                        pause, logged = 1.0, ""
                        self._wait(connection)
            except Exception as error:  # what does not answer now, or is not understood, may be later
                if repr(error) != logged:
                    log.event("nothing is handed over", level=logging.WARNING, error=error, channel=self._channel)
                logged = repr(error)
                self._is_ended.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _wait(self, connection: Connection) -> None:
        """Wait for a notification, the end, or the time."""
        if not connection.notified():
            select.select([connection.fileno(), self._ending.fileno()], [], [], self._seconds)
            connection.notified()


class Copies:
    """An intake's own copies of what the desk hands over, in a folder for temporary files: at each start all come again."""

    def __init__(self, settings: Settings) -> None:
        """Choose a folder, which is made at the start; ``settings`` are those of an intake that reads there."""
        self._folder = Path(tempfile.gettempdir()) / f"postbox-{new_id()}"
        self.settings = replace(settings, content=self._folder, var=self._folder)
        self._listener = Listener(settings, PUBLIC, Receiver(self.settings).receive, seconds=QUIET_SECONDS)

    def start(self) -> None:
        """Begin to take them, and wait a moment for the first."""
        self._folder.mkdir(mode=0o700)  # where another has made one of this name, it is refused
        self._listener.start(wait_seconds=FIRST_SECONDS)

    def close(self) -> None:
        """End with what it is at, and take them away."""
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _differing(connection: Connection, paths: list[Path]) -> list[Path]:
    """Leave out the comments that are there as they are."""
    query = "SELECT article, id, md5(content) AS digest FROM published WHERE content IS NOT NULL"
    there = {(row["article"], row["id"]): row["digest"] for row in connection.execute(query)}
    return [path for path in paths if path.suffix != ".md" or there.get((path.parent.name, path.stem)) != _digest(path)]


def _digest(path: Path) -> str | None:
    with suppress(OSError):
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return None


def _newest(connection: Connection) -> int:
    query = "SELECT greatest((SELECT max(version) FROM published), (SELECT max(version) FROM site_file), 0) AS version"
    row = connection.execute(query).fetchone()
    return int(row["version"]) if row else 0


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes with a file, or None if there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None


def _put(path: Path, content: bytes | None) -> None:
    """Write a file whole, by rename, or take it away."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)
