"""Shared by tests: inbox."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from postbox.store.database import transaction
from postbox.store.submissions import Inbox, Submission, SubmissionMeta


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


DAMAGED = [
    "received = 'yesterday'",
    "received = ''",
    "received = '2026-11-22'",
    "received = '0001-01-01T00:00:00+14:00'",
    "received = '9999-12-31T23:59:59-14:00'",
    "received = '2026-11-22T10:15:00'",
    "held = ''",
    "held = '{'",
    "held = '5'",
    "held = '[[1, null], {}]'",
    "held = replace(hex(zeroblob(100000)), '0', '[')",
    "author = CAST(x'ff00fe' AS TEXT)",
    "body = CAST(x'c3' AS TEXT)",
    "body = replace(hex(zeroblob(5000000)), '00', 'ab')",
    "body = ''",
    "reason = CAST(x'80' AS TEXT)",
    "number = -9223372036854775808",
    "number = 9223372036854775807",
]
