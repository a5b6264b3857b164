"""Builders of what readers send into the store, and forged rows that the intake would never write."""

import itertools
import json
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.messages import Enquiry, Messages
from postbox.store.submissions import Inbox, Revision, Submission, SubmissionMeta

Clock = Callable[[], datetime]

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
KEYS = (str(number).encode() for number in itertools.count())  # of forms, each sent once

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>"

DAMAGED = [
    "received = 'yesterday'", "received = ''", "received = '2026-11-22'", "received = '0001-01-01T00:00:00+14:00'",
    "received = '9999-12-31T23:59:59-14:00'", "received = '2026-11-22T10:15:00'", "held = ''", "held = '{'",
    "held = '5'", "held = '[[1, null], {}]'", "held = replace(hex(zeroblob(100000)), '0', '[')",
    "author = CAST(x'ff00fe' AS TEXT)", "body = CAST(x'c3' AS TEXT)",
    "body = replace(hex(zeroblob(500000)), '00', 'ab')", "body = ''", "reason = CAST(x'80' AS TEXT)",
    "number = -9223372036854775808", "number = 9223372036854775807",
]  # fmt: skip

FORGED = [
    # published without a decision, or with a deletion that is not its writer's
    "INSERT INTO comment (id, article) VALUES ('0001', 'big-toe-and-glutes')",
    "INSERT INTO comment (id, article, deletion) VALUES ('0001', 'big-toe-and-glutes', 'delete')",
    "INSERT INTO comment (id, article, deletion) VALUES ('0002', '../comments/big-toe-and-glutes', 'delete')",
    "INSERT INTO comment (id, article, deletion) VALUES ('*', 'big-toe-and-glutes', 'delete')",
    "INSERT INTO comment (id, article, deletion) VALUES ('**', '**', 'delete')",
    "INSERT INTO comment (id, article, deletion) VALUES ('../0001', '..', 'delete')",
    "INSERT INTO comment (id, article, deletion) VALUES ('big-toe-and-glutes/0001', '', 'delete')",
    "INSERT INTO comment (id, article, deletion) VALUES (CAST(x'00ff' AS TEXT), CAST(x'00' AS TEXT), 'delete')",
    "INSERT INTO comment (id, article, deletion) VALUES (replace(hex(zeroblob(4000)), '0', 'a'), '/', 'delete')",
    "UPDATE comment SET id = '0001'", "UPDATE comment SET id = '0002', deletion = 'delete'",
    "UPDATE comment SET id = '0001', article = 'another'", "UPDATE comment SET article = '../../articles'",
    "UPDATE comment SET article = '../../../var/desk', deletion = 'delete'",
    "UPDATE comment SET article = '..', reply_to = '0001'", "UPDATE comment SET article = ''",
    "UPDATE comment SET article = CAST(x'ff' AS TEXT), deletion = 'delete'",
    "UPDATE comment SET reply_to = '../0001'", "UPDATE comment SET reply_to = id",
    "UPDATE comment SET id = '../0001'", "UPDATE comment SET id = '*', deletion = 'delete'",
    "UPDATE comment SET id = 'a/../../articles/x'", "UPDATE comment SET deletion = 'forget'",
    "UPDATE revision SET state = 'published'", "UPDATE revision SET state = 'approved'",
    "UPDATE revision SET author = 'David' || char(10) || 'Is-Author: yes'", "UPDATE revision SET author = ''",
    "UPDATE revision SET author = 'Tom' || char(0) || '0001', body = char(0)", "DELETE FROM revision",
    "DELETE FROM comment", *(f"UPDATE revision SET {damage}" for damage in DAMAGED),
]  # fmt: skip

FORGERIES: list[tuple[str, tuple[object, ...]]] = [
    *[("UPDATE revision SET held = ?", (held,)) for held in ("no JSON", "", "null", "5", "[" * 100_000)],
    *[("UPDATE revision SET received = ?", (date,)) for date in ("never", "", "2026-13-45", "0001-01-01T00:00:00")],
    ("UPDATE revision SET received = '9999-12-31T23:59:59.999999-12:00'", ()),
    ("UPDATE revision SET received = '0001-01-01T00:00:00+14:00'", ()),
    ("UPDATE revision SET body = CAST(x'ff' AS TEXT)", ()),
    ("UPDATE revision SET author = ?, body = ?, reason = ?", (HOSTILE,) * 3),
    ("UPDATE revision SET held = ?", (json.dumps([HOSTILE, None, {"a": [1]}]),)),
    ("UPDATE revision SET held = ?", (json.dumps([["deep"], 5] * 1000),)),
    ("UPDATE revision SET author = ?", ("bell\x07\0\n\u202e",)),
    ("UPDATE revision SET author = ''", ()),
    ("UPDATE revision SET author = ?", ("x" * 100_000,)),
    ("UPDATE revision SET body = ''", ()),
    ("UPDATE revision SET body = ?", ("x" * 1_000_000,)),
    ("UPDATE revision SET body = ?", ("> " * 20_000,)),
    ("UPDATE comment SET article = 'gone'", ()),
    ("UPDATE comment SET article = ?", (HOSTILE,)),
    ("UPDATE comment SET article = '../../articles'", ()),
    ("UPDATE comment SET reply_to = ?", (HOSTILE,)),
    ("UPDATE comment SET reply_to = '../0001'", ()),
    ("UPDATE comment SET reply_to = id", ()),
]


def a_submission(**fields: str | None) -> Submission:
    """Return a submission with whatever is interesting about it."""
    return Submission(**({"article": "feet", "reply_to": None, "author": "Tom", "body": "Hello."} | fields))  # type: ignore[arg-type]


def submission_meta(now: datetime, *, key: bytes = b"once") -> SubmissionMeta:
    """Return what comes with a submission."""
    return SubmissionMeta(received=now, resend_key=key, resend_after=now - timedelta(minutes=10))


def add(inbox: Inbox, now: datetime, *, key: bytes = b"once", held: Sequence[str] = (), **fields: str | None) -> str:
    """Put a submission in, as the intake does."""
    with transaction(inbox.connection):
        return inbox.add(a_submission(**fields), submission_meta(now, key=key), held)


def a_message(settings: Settings, *, ago: float = 0, held: Sequence[str] = (), **fields: Any) -> str:
    """Send a message some minutes ago; return its id."""
    enquiry = Enquiry(**({"name": "Ann", "contact": "ann@example.org", "body": "May I come?"} | fields))
    meta = submission_meta(datetime.now(UTC) - timedelta(minutes=ago), key=next(KEYS))
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        return Messages(inbox).add(enquiry, meta, held)


def a_failed(settings: Settings, kind: str, about: str, error: str = "550 No such user here") -> None:
    """Put a mail that was given up into the outbox."""
    with sqlite3.connect(settings.desk / "desk.sqlite") as database:
        row = (kind, about, error, datetime.now(UTC).timestamp())
        columns = "kind, about, error, added, due, tries, state"
        database.execute(f"INSERT OR REPLACE INTO outbox ({columns}) VALUES (?, ?, ?, ?, ?4, 10, 'failed')", row)


def forge(settings: Settings, statement: str, *values: object) -> None:
    """Write into the inbox what the intake never would; of SQLite nothing stops whoever has its rights, PostgreSQL has rules."""
    inbox = Inbox.open(settings)
    for pragma in () if settings.postgresql else ("foreign_keys=OFF", "ignore_check_constraints=ON"):
        inbox.connection.execute(f"PRAGMA {pragma}")
    with suppress(sqlite3.IntegrityError) if settings.postgresql else nullcontext():
        inbox.connection.execute(statement, values)


def revisions(settings: Settings) -> list[Revision]:
    """Return all that is in the inbox."""
    return [*Inbox.open(settings).everything()]


def latest(settings: Settings, id: str) -> Revision:
    """Return the latest revision of a comment."""
    return Inbox.open(settings).revisions(id)[-1]


def dump(settings: Settings) -> list[str]:
    """Return all that the inbox holds, as SQL."""
    inbox = Inbox.open(settings)
    if not inbox.is_remote:
        return list(inbox.connection.iterdump())
    with tempfile.TemporaryDirectory() as folder:
        inbox.copy(Path(folder) / "inbox.sqlite")
        with closing(sqlite3.connect(Path(folder) / "inbox.sqlite")) as copy:
            return list(copy.iterdump())
