"""Unit of work: what one request or task reads and changes (Percival and Gregory, Architecture Patterns with Python, 6).

A process opens its databases here and nowhere else. A unit belongs to one thread at a time, and when its work is over
its connections serve the next one.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from postbox.settings import Settings
from postbox.store.decisions import Decisions
from postbox.store.erasures import Erasures
from postbox.store.messages import Messages
from postbox.store.outbox import Outbox
from postbox.store.published import PublishedComments
from postbox.store.submissions import Inbox, InboxError
from postbox.store.subscriptions import Subscriptions
from postbox.store.tokens import secret

LOOK_AGAIN_SECONDS = 5.0  # at an inbox that was set aside
INBOX_FAULTS = (InboxError, OSError, sqlite3.Error, MemoryError)  # the last is SQLite's own limit


class UnitOfWork:
    """Inbox, decisions and outbox over one connection to each of both databases.

    While the inbox cannot be used, an empty one in memory stands in for it and ``set_aside`` says why.
    """

    def __init__(self, settings: Settings, *, wait_seconds: float | None) -> None:
        self._settings, self._wait = settings, wait_seconds
        self._inbox: Inbox | None = None
        self.decisions = Decisions(settings.desk)
        self.outbox = Outbox(self.decisions.connection)
        self.set_aside = ""

    def begin(self, set_aside: str) -> None:
        """Take the inbox, unless it is set aside already."""
        try:
            if not set_aside:
                self._inbox = self._inbox or self._open_inbox()
                self._inbox.check()
        except INBOX_FAULTS as error:
            set_aside = str(error) or type(error).__name__
            self._inbox = None
        self.set_aside = set_aside
        self.inbox = self._inbox if self._inbox and not set_aside else Inbox.stand_in()
        self.subscriptions = Subscriptions(self.inbox)
        self.messages = Messages(self.inbox)

    def _open_inbox(self) -> Inbox:
        return Inbox.open(self._settings, wait_seconds=self._wait, may_make=False, role="desk")

    def need_inbox(self) -> None:
        """Raise what is wrong with the inbox, for a task that is none without it.

        Raises:
            InboxError: if the inbox is set aside.
        """
        if self.set_aside:
            raise InboxError(self.set_aside)

    def rollback(self) -> None:
        """Take back what a thread has left unfinished."""
        for connection in (self.inbox.connection, self.decisions.connection):
            if connection.in_transaction:
                connection.execute("ROLLBACK")


class Store:
    """Private databases of a process that judges: the desk, or a command.

    The intake's user may write the inbox, so whatever is wrong with that is set aside and told, and the rest goes on.
    """

    def __init__(self, settings: Settings, *, wait_seconds: float | None = None) -> None:
        """Open or make them; ``wait_seconds`` is how long a change of the inbox waits for another program's."""
        settings.desk.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings, self._wait = settings, wait_seconds
        self.erasures = Erasures(settings.erased)
        self.published = PublishedComments(settings.comments)
        self.key = secret(settings.desk / "key", mode=0o600)
        self._lock = threading.Lock()
        self._idle: list[UnitOfWork] = []
        self.set_aside = ""
        self.dropped: set[str] = set()  # tables of the inbox that had a row longer than any of the intake's
        self.held_until = 0.0  # by the monotonic clock: the inbox was found held by another program
        self._look_at = 0.0
        with suppress(*INBOX_FAULTS):  # the unit below says what is wrong
            Inbox.open(settings, wait_seconds=wait_seconds, role="desk").connection.close()
        with self.unit():
            pass

    def open(self) -> UnitOfWork:
        """Return a unit of work for as long as the process lasts."""
        with self._lock:
            work = self._idle.pop() if self._idle else None
        work = work or UnitOfWork(self.settings, wait_seconds=self._wait)
        if self.set_aside and time.monotonic() > self._look_at:
            self.set_aside = ""
        is_new = not self.set_aside
        work.begin(self.set_aside)
        if is_new and work.set_aside:
            self.put_aside(work.set_aside)
        return work

    def put_aside(self, why: str) -> None:
        """Do without the inbox for ``LOOK_AGAIN_SECONDS``."""
        self.set_aside, self._look_at = why, time.monotonic() + LOOK_AGAIN_SECONDS

    @contextmanager
    def unit(self) -> Iterator[UnitOfWork]:
        """Give a unit of work to one thread; what it did not commit is taken back."""
        work = self.open()
        try:
            yield work
        finally:
            work.rollback()
            self.dropped |= work.inbox.dropped
            with self._lock:
                self._idle.append(work)
