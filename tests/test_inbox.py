"""The inbox: durable, ids of its own, one writer for many senders."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from postbox.database import transaction
from postbox.form import Submission
from postbox.inbox import GroupCommit, Inbox

Clock = Callable[[], datetime]


def a_submission(**fields: str | None) -> Submission:
    """Return a submission with whatever is interesting about it."""
    return Submission(**({"article": "feet", "reply_to": None, "author": "Tom", "body": "Hello."} | fields))  # type: ignore[arg-type]


def add(inbox: Inbox, now: datetime, *, key: bytes = b"once", **fields: str | None) -> str:
    """Put a submission in, as the intake does."""
    with transaction(inbox.connection):
        return inbox.add(a_submission(**fields), resend_key=key, resend_after=now - timedelta(minutes=10), now=now)


def test_what_was_added_waits_word_for_word(tmp_path: Path, clock: Clock) -> None:
    inbox = Inbox(tmp_path)

    id = add(inbox, clock(), author="Zoë 🦶", body="One\n\nTwo'; DROP TABLE comment")

    [waiting] = inbox.waiting()
    assert (waiting.id, waiting.author, waiting.body) == (id, "Zoë 🦶", "One\n\nTwo'; DROP TABLE comment")
    assert (waiting.state, waiting.received) == ("waiting", clock())


def test_it_is_there_after_the_process_is_gone(tmp_path: Path, clock: Clock) -> None:
    id = add(Inbox(tmp_path), clock())

    [waiting] = Inbox(tmp_path).waiting()

    assert waiting.id == id


def test_the_same_form_sent_again_within_ten_minutes_is_one_comment(tmp_path: Path, clock: Clock) -> None:
    inbox = Inbox(tmp_path)
    first = add(inbox, clock())

    again = add(inbox, clock() + timedelta(minutes=9))
    later = add(inbox, clock() + timedelta(minutes=11))

    assert again == first
    assert later != first
    assert len(inbox.waiting()) == 2


def test_a_receipt_opens_its_own_comment_and_no_other(tmp_path: Path, clock: Clock) -> None:
    inbox = Inbox(tmp_path)
    mine, other = add(inbox, clock(), key=b"1"), add(inbox, clock(), key=b"2")

    receipt = inbox.receipt(mine)
    forged = receipt.replace(mine, other)

    assert [waiting.id for waiting in inbox.by_receipt(receipt)] == [mine]
    assert inbox.by_receipt(forged) == []
    assert inbox.by_receipt(mine) == []
    assert inbox.by_receipt("ünïcode-\ud800".encode("utf-8", "replace").decode()) == []


def test_a_failing_operation_takes_no_other_of_its_transaction_along(tmp_path: Path, clock: Clock) -> None:
    inbox = Inbox(tmp_path)
    writer = GroupCommit(inbox)

    def add_and_fail(inbox: Inbox) -> None:
        add_plain(inbox)
        raise LookupError("after the insert")

    def add_plain(inbox: Inbox) -> str:
        return inbox.add(a_submission(), resend_key=b"k", resend_after=clock(), now=clock())

    failing, good = writer.submit(add_and_fail), writer.submit(add_plain)
    with pytest.raises(LookupError):
        failing.result(10)
    id = good.result(10)
    writer.close()

    assert [waiting.id for waiting in inbox.waiting()] == [id]


def test_many_senders_are_each_answered_with_their_own(tmp_path: Path, clock: Clock) -> None:
    inbox = Inbox(tmp_path)
    writer = GroupCommit(inbox, most=16)

    def adding(number: int) -> Callable[[Inbox], str]:
        submission = a_submission(body=f"Number {number}")
        return lambda inbox: inbox.add(submission, resend_key=b"%d" % number, resend_after=clock(), now=clock())

    futures = [writer.submit(adding(number)) for number in range(200)]
    ids = [future.result(10) for future in futures]
    writer.close()

    bodies = {waiting.id: waiting.body for waiting in inbox.waiting()}
    assert [bodies[id] for id in ids] == [f"Number {number}" for number in range(200)]


def test_a_state_that_is_no_word_of_the_inbox_is_refused(tmp_path: Path, clock: Clock) -> None:
    inbox = Inbox(tmp_path)
    id = add(inbox, clock())

    with pytest.raises(sqlite3.IntegrityError):
        inbox.set_state(id, 1, "approved")
