"""Unit of work: what one request or task reads and changes (Percival and Gregory, Architecture Patterns with Python, 6).

A process opens its databases here and nowhere else. A unit belongs to one thread at a time, and when its work is over
its connections serve the next one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from postbox.settings import Settings
from postbox.store.decisions import Decisions
from postbox.store.erasures import Erasures
from postbox.store.messages import Messages
from postbox.store.outbox import Outbox
from postbox.store.published import PublishedComments
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions
from postbox.store.tokens import secret


class UnitOfWork:
    """Inbox, decisions and outbox over one connection to each of both databases."""

    def __init__(self, settings: Settings) -> None:
        self.inbox = Inbox(settings.inbox)
        self.subscriptions = Subscriptions(self.inbox)
        self.messages = Messages(self.inbox)
        self.decisions = Decisions(settings.desk)
        self.outbox = Outbox(self.decisions.connection)

    def rollback(self) -> None:
        """Take back what a thread has left unfinished."""
        for connection in (self.inbox.connection, self.decisions.connection):
            if connection.in_transaction:
                connection.execute("ROLLBACK")


class Store:
    """Private databases of a process that judges: the desk, or a command."""

    def __init__(self, settings: Settings) -> None:
        """Open or make them."""
        settings.desk.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = settings
        self.erasures = Erasures(settings.erased)
        self.published = PublishedComments(settings.comments)
        self.key = secret(settings.desk / "key", mode=0o600)
        self._lock = threading.Lock()
        self._idle: list[UnitOfWork] = []
        with self.unit():
            pass

    def open(self) -> UnitOfWork:
        """Return a unit of work for as long as the process lasts."""
        return self._idle.pop() if self._idle else UnitOfWork(self.settings)

    @contextmanager
    def unit(self) -> Iterator[UnitOfWork]:
        """Give a unit of work to one thread; what it did not commit is taken back."""
        with self._lock:
            work = self.open()
        try:
            yield work
        finally:
            work.rollback()
            with self._lock:
                self._idle.append(work)
