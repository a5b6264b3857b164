"""What is kept no longer: gone from every file after its days, not a day before, and never from a page or the queue."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from contract.manifest import dumps
from postbox.desk import app as desk
from postbox.desk.sessions import SignIn
from postbox.moderation.errors import ModerationError
from postbox.moderation.service import Moderation
from postbox.privacy.retention import Tidied, tidy
from postbox.public import app as intake
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.messages import Enquiry, Messages
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions
from tests.support.intake import browser
from tests.support.moderation import (
    SITE,
    a_place,
    a_published,
    a_waiting,
    by,
    change,
    everywhere,
    file_of,
    files,
    published,
    the_one_waiting,
)
from tests.support.pages import shown
from tests.support.place import ARTICLE
from tests.support.process import PATIENCE_SECONDS
from tests.support.store import forge, latest, submission_meta

Clock = Callable[[], datetime]

SECRET = "Secretwords. "
NOTHING = Tidied(addresses=0, codes=0, comments=0, messages=0, mails=0)
ADDRESS = "secret@feet.example"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a place that keeps words for 10 days, addresses for 20 and messages for 30."""
    settings = a_place(tmp_path)
    headers = {"Content-Security-Policy": "default-src 'none'"}
    site = replace(
        SITE, keep_rejected_days=10, keep_address_days=20, keep_message_days=30, headers=headers, timezone="UTC"
    )
    settings.site.write_text(dumps(site), "utf-8")
    return settings


def tidied(settings: Settings, clock: Clock, *, days: float) -> Tidied:
    """Tidy so many days after the clock's time."""
    return tidy(Moderation.open(settings), now=clock() + timedelta(days=days))


def judge(settings: Settings, clock: Clock, decision: str, id: str, **more: str) -> None:
    """Decide on what waits of a comment."""
    moderation = Moderation.open(settings)
    getattr(moderation, decision)(the_one_waiting(moderation, id).name, **by(clock), **more)


def follow(settings: Settings, id: str, *, is_confirmed: bool = True) -> None:
    """Leave an address with a comment."""
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        Subscriptions(inbox).ask(id, ADDRESS)
        if is_confirmed:
            Subscriptions(inbox).choose(id, ("author",))


def a_message(settings: Settings, clock: Clock) -> str:
    """Put a message in the inbox; return its id."""
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        enquiry = Enquiry(name="Secretname", contact=ADDRESS, body=SECRET * 200)
        return Messages(inbox).add(enquiry, submission_meta(clock()), ())


# Words


@pytest.mark.parametrize("decision", ["reject", "spam"])
def test_refused_words_are_in_no_file_after_their_days_and_not_a_day_before(
    settings: Settings, clock: Clock, decision: str
) -> None:
    id = a_waiting(settings, clock, author="Secretname", body=SECRET * 200)
    judge(settings, clock, decision, id, **({"reason": "Secretreason"} if decision == "reject" else {}))

    assert tidied(settings, clock, days=9.9) == NOTHING
    assert latest(settings, id).body == SECRET * 200
    assert tidied(settings, clock, days=10.1).comments == 1

    assert b"Secret" not in everywhere(settings)
    assert latest(settings, id).state == ("rejected" if decision == "reject" else "spam")
    assert tidied(settings, clock, days=10.1) == NOTHING


def test_what_is_published_stays_word_for_word_and_leaves_the_record_of_decisions(
    settings: Settings, clock: Clock
) -> None:
    id = a_published(settings, clock, body="Kept for its readers.")
    before = files(settings)

    tidied(settings, clock, days=4000)

    assert files(settings) == before
    assert latest(settings, id).body == "Kept for its readers."
    assert b"Kept for its readers" not in (settings.desk / "desk.sqlite").read_bytes()


def test_what_waits_stays_however_long(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, body="Patient.")
    follow(settings, id)

    assert tidied(settings, clock, days=4000) == NOTHING

    assert latest(settings, id).body == "Patient."
    assert Subscriptions(Inbox(settings.inbox)).of(id)


def test_a_change_that_waits_stays_beside_what_is_published(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, body="First.")
    change(settings, clock, id, "Second.")

    tidied(settings, clock, days=4000)

    assert [revision.body for revision in Inbox(settings.inbox).revisions(id)] == ["First.", "Second."]
    judge(settings, clock, "approve", id)
    assert published(settings, id).body == "Second."


def test_what_its_writer_changed_goes_once_the_change_is_published(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, body=SECRET)
    change(settings, clock, id, f"{SECRET} Again.")
    change(settings, clock, id, "What I meant.")
    judge(settings, clock, "approve", id)

    tidied(settings, clock, days=11)

    assert SECRET.strip().encode() not in everywhere(settings)
    assert [revision.body for revision in Inbox(settings.inbox).revisions(id)] == ["", "", "What I meant."]
    assert published(settings, id).body == "What I meant."


def test_a_refused_change_goes_and_the_published_comment_stays_its_writers(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, body="First.")
    change(settings, clock, id, SECRET)
    judge(settings, clock, "reject", id)

    tidied(settings, clock, days=11)

    assert SECRET.strip().encode() not in everywhere(settings)
    assert published(settings, id).body == "First."
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.delete(id)
    Moderation.open(settings).carry_out_deletions(now=clock())
    assert published(settings, id).removed == "yes"


@pytest.mark.parametrize("decision", ["reject", "spam", "approve"])
def test_its_writer_and_its_judge_still_see_what_became_of_it(settings: Settings, clock: Clock, decision: str) -> None:
    id = a_waiting(settings, clock)
    judge(settings, clock, decision, id)
    change(settings, clock, id, "Changed.") if decision == "approve" else None
    tidied(settings, clock, days=11)

    with browser(intake.application(settings)) as client:
        page = client.get(f"/comments/receipt/{Inbox(settings.inbox).receipt(id)}")
    with TestClient(desk.application(settings), follow_redirects=False) as david:
        david.post("/sign-in", data={"token": SignIn(settings.desk).issue(datetime.now(UTC))})
        item = david.get(f"/comment/{id}")

    assert (page.status_code, item.status_code) == (200, 200)
    assert ("not to publish your comment" in shown(page)) == (decision != "approve")
    assert {"reject": "Rejected", "spam": "Marked as spam", "approve": "Changed."}[decision] in item.text


def test_what_was_taken_off_its_page_goes_and_its_place_stays(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, body=SECRET)
    moderation = Moderation.open(settings)
    removal = moderation.remove(ARTICLE, id, seen=moderation.review.seen(published(settings, id)), **by(clock))

    tidied(settings, clock, days=11)

    assert SECRET.strip().encode() not in everywhere(settings)
    assert published(settings, id).removed == "by the site"
    with pytest.raises(ModerationError, match="cannot be undone any more"):
        Moderation.open(settings).undo(removal, **by(clock))
    assert published(settings, id).removed == "by the site"


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_what_is_gone_cannot_be_undone_and_no_button_says_so(settings: Settings, clock: Clock, decision: str) -> None:
    id = a_waiting(settings, clock)
    judge(settings, clock, decision, id)
    tidied(settings, clock, days=11)
    moderation, before = Moderation.open(settings), files(settings)

    [line] = moderation.work.decisions.latest()

    assert not line.can_be_undone
    with pytest.raises(ModerationError, match="cannot be undone any more"):
        moderation.undo(line.sequence, **by(clock))
    assert files(settings) == before


def test_the_days_count_from_the_last_decision(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    judge(settings, clock, "reject", id)
    moderation = Moderation.open(settings)
    moderation.undo(moderation.work.decisions.latest()[0].sequence, who="David", now=clock() + timedelta(days=5))
    judge(settings, lambda: clock() + timedelta(days=6), "spam", id)

    assert tidied(settings, clock, days=15) == NOTHING
    assert tidied(settings, clock, days=17).comments == 1


def test_more_than_one_round_takes_are_all_erased(settings: Settings, clock: Clock) -> None:
    for number in range(130):
        judge(settings, clock, "spam", a_waiting(settings, clock, body=f"{SECRET}{number}"))

    assert tidied(settings, clock, days=11).comments == 130

    assert SECRET.strip().encode() not in everywhere(settings)


# Addresses


def test_an_address_and_the_code_of_its_form_go_after_their_days(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock)
    follow(settings, id)

    assert tidied(settings, clock, days=19.9).addresses == 0
    assert ADDRESS.encode() in everywhere(settings)
    assert tidied(settings, clock, days=20.1) == replace(NOTHING, addresses=1, codes=1)

    assert ADDRESS.encode() not in everywhere(settings)
    assert Inbox(settings.inbox).one("SELECT 1 FROM comment WHERE resend_key IS NOT NULL") is None
    assert published(settings, id).body == "Hello."


def test_an_address_that_nobody_confirms_goes_sooner(settings: Settings, clock: Clock) -> None:
    follow(settings, a_waiting(settings, clock, body="One."), is_confirmed=False)
    kept = a_waiting(settings, clock, body="Two.")
    follow(settings, kept)

    assert tidied(settings, clock, days=9.9).addresses == 0
    assert tidied(settings, clock, days=10.1).addresses == 1

    assert [it.comment for it in Subscriptions(Inbox(settings.inbox)).having(ADDRESS)] == [kept]


# Messages


@pytest.mark.parametrize("is_done", [True, False])
def test_a_message_goes_after_its_days(settings: Settings, clock: Clock, is_done: bool) -> None:
    id = a_message(settings, clock)
    if is_done:
        Messages(Inbox(settings.inbox)).finish(id)

    assert tidied(settings, clock, days=29.9) == NOTHING
    assert tidied(settings, clock, days=30.1).messages == 1

    assert b"Secret" not in everywhere(settings)
    assert ADDRESS.encode() not in everywhere(settings)


def test_a_mail_that_lies_in_a_file_goes_with_the_words_that_it_tells(settings: Settings, clock: Clock) -> None:
    settings.mail.mkdir()
    for name, days in (("old", 0), ("new", 5)):
        mail = settings.mail / f"{name}.eml"
        mail.write_text(SECRET, "utf-8")
        written = (clock() + timedelta(days=days)).timestamp()
        os.utime(mail, (written, written))

    assert tidied(settings, clock, days=11).mails == 1

    assert [path.name for path in settings.mail.iterdir()] == ["new.eml"]


# What a forged row can do


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59+00:00", "0001-01-01", "", "soon", "\ud7ff"])
@pytest.mark.parametrize("table", ["revision", "message"])
def test_a_forged_date_stops_nothing_and_erases_nothing_that_waits(
    settings: Settings, clock: Clock, table: str, date: str
) -> None:
    shown, waits = a_published(settings, clock, body="On its page."), a_waiting(settings, clock, body="Waits.")
    refused, message = a_waiting(settings, clock, body=SECRET), a_message(settings, clock)
    judge(settings, clock, "spam", refused)
    forge(settings, f"UPDATE {table} SET received = ?", date)

    tidied(settings, clock, days=11)

    assert published(settings, shown).body == "On its page."
    assert latest(settings, waits).body == "Waits."
    assert latest(settings, refused).body == ""
    kept = Messages(Inbox(settings.inbox)).one(message)
    assert kept
    assert kept.body == SECRET * 200


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE revision SET state = 'rejected'",
        "UPDATE revision SET state = 'nonsense'",
        "UPDATE revision SET number = number + 100",
        "UPDATE comment SET article = '../..'",
        "DELETE FROM revision",
    ],
)
def test_no_forged_row_takes_a_comment_off_its_page(settings: Settings, clock: Clock, forgery: str) -> None:
    id = a_published(settings, clock)
    before = file_of(settings, id).read_bytes()
    forge(settings, forgery)

    tidied(settings, clock, days=4000)

    assert file_of(settings, id).read_bytes() == before


@pytest.mark.parametrize("state", ["published", "removed", "waiting"])
def test_a_forged_row_that_calls_itself_published_does_not_keep_refused_words_in_the_record(
    settings: Settings, clock: Clock, state: str
) -> None:
    id = a_waiting(settings, clock)
    judge(settings, clock, "reject", id, reason="Secretreason")
    forge(settings, f"UPDATE revision SET state = '{state}'")

    tidied(settings, clock, days=11)

    assert b"Secretreason" not in (settings.desk / "desk.sqlite").read_bytes()
    assert latest(settings, id).body == ("Hello." if state == "waiting" else "")


# The desk's process


def test_the_desk_tidies_when_it_starts(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, body=SECRET)
    judge(settings, lambda: datetime.now(UTC) - timedelta(days=11), "reject", id)

    with TestClient(desk.application(settings)):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while latest(settings, id).body and time.monotonic() < deadline:
            time.sleep(0.02)

    assert latest(settings, id).body == ""


def test_a_fault_is_logged_and_the_desk_goes_on(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    settings.site.write_text("{}", "utf-8")

    with caplog.at_level(logging.ERROR), TestClient(desk.application(settings)):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "build the site again" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.02)
        id = a_published(settings, clock)
        inbox = Inbox(settings.inbox)
        with transaction(inbox.connection):
            inbox.delete(id)
        while not published(settings, id).removed and time.monotonic() < deadline:
            time.sleep(0.02)

    assert "build the site again" in caplog.text
    assert published(settings, id).removed == "yes"
