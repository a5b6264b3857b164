"""Shared by tests: correspondence."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.messages import Enquiry, Messages
from postbox.store.submissions import Inbox
from tests.support.desk import KEYS, a_place
from tests.support.inbox import submission_meta
from tests.support.place import Place


@pytest.fixture
def settings(shipped: Place, tmp_path: Path) -> Settings:
    """Settings of a place with a mail server, at which nobody listens."""
    return a_place(shipped, tmp_path, smtp="smtp://127.0.0.1:9")


def a_message(settings: Settings, *, ago: float = 0, held: Sequence[str] = (), **fields: Any) -> str:
    """Send a message some minutes ago; return its id."""
    enquiry = Enquiry(**({"name": "Ann", "contact": "ann@example.org", "body": "May I come?"} | fields))
    meta = submission_meta(datetime.now(UTC) - timedelta(minutes=ago), key=f"message {next(KEYS)}".encode())
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        return Messages(inbox).add(enquiry, meta, held)


def a_failed(settings: Settings, kind: str, about: str, error: str = "550 No such user here") -> None:
    """Put a mail that was given up into the outbox."""
    with sqlite3.connect(settings.desk / "desk.sqlite") as database:
        row = (kind, about, error, datetime.now(UTC).timestamp())
        columns = "kind, about, error, added, due, tries, state"
        database.execute(f"INSERT OR REPLACE INTO outbox ({columns}) VALUES (?, ?, ?, ?, ?4, 10, 'failed')", row)
