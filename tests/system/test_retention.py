"""What is kept no longer: gone from every file after its days, not a day before, and never from a page or the queue."""

import logging
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from contract.manifest import dumps
from postbox.desk import app as desk
from postbox.desk.sessions import SignIn
from postbox.moderation.errors import ModerationError
from postbox.privacy.retention import Tidied, tidy
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.messages import Enquiry, Messages
from postbox.store.subscriptions import Subscriptions
from tests.support.engines import Overrides
from tests.support.intake import application, browser
from tests.support.moderation import SITE, House, a_place, house
from tests.support.pages import shown
from tests.support.process import wait_until
from tests.support.store import forge, latest, submission_meta

ON_BOTH_ENGINES = True
__all__ = ["house"]  # fixtures

SECRET = "Secretwords. "
NOTHING = Tidied(addresses=0, codes=0, comments=0, messages=0, mails=0)
ADDRESS = "secret@feet.example"


@pytest.fixture
def settings(tmp_path: Path, engine: Overrides) -> Settings:
    """Settings of a place that keeps words for 10 days, addresses for 20 and messages for 30."""
    settings = a_place(tmp_path, **engine)
    headers = {"Content-Security-Policy": "default-src 'none'"}
    days = {"keep_rejected_days": 10, "keep_address_days": 20, "keep_message_days": 30}
    site = replace(SITE, headers=headers, timezone="UTC", **days)  # type: ignore[arg-type]
    settings.site.write_text(dumps(site), "utf-8")
    return settings


def tidied(house: House, *, days: float) -> Tidied:
    """Tidy so many days after everything was written."""
    return tidy(house.moderation, now=house.now + timedelta(days=days))


def judge(house: House, decision: str, id: str, **more: Any) -> None:
    """Decide on what waits of a comment."""
    getattr(house.moderation, decision)(house.name(id), **(house.by | more))


def follow(house: House, id: str, *, is_confirmed: bool = True) -> None:
    """Leave an address with a comment."""
    with transaction(house.inbox.connection):
        Subscriptions(house.inbox).ask(id, ADDRESS)
        if is_confirmed:
            Subscriptions(house.inbox).choose(id, ("author",))


def a_message(house: House) -> str:
    """Put a message in the inbox; return its id."""
    with transaction(house.inbox.connection):
        enquiry = Enquiry(name="Secretname", contact=ADDRESS, body=SECRET * 200)
        return Messages(house.inbox).add(enquiry, submission_meta(house.now), ())


# Words


@pytest.mark.parametrize("decision", ["reject", "spam"])
def test_refused_words_are_in_no_file_after_their_days_and_not_a_day_before(house: House, decision: str) -> None:
    id = house.send(author="Secretname", body=SECRET * 200)
    judge(house, decision, id, **({"reason": "Secretreason"} if decision == "reject" else {}))

    assert tidied(house, days=9.9) == NOTHING
    assert latest(house.settings, id).body == SECRET * 200
    assert tidied(house, days=10.1).comments == 1

    assert b"Secret" not in house.everywhere()
    assert latest(house.settings, id).state == ("rejected" if decision == "reject" else "spam")
    assert tidied(house, days=10.1) == NOTHING


def test_what_is_published_stays_word_for_word_and_leaves_the_record_of_decisions(house: House) -> None:
    id = house.published(body="Kept for its readers.")
    before = house.files()

    tidied(house, days=4000)

    assert house.files() == before
    assert latest(house.settings, id).body == "Kept for its readers."
    assert b"Kept for its readers" not in (house.settings.desk / "desk.sqlite").read_bytes()


def test_what_waits_stays_however_long(house: House) -> None:
    id = house.send(body="Patient.")
    follow(house, id)

    assert tidied(house, days=4000) == NOTHING

    assert latest(house.settings, id).body == "Patient."
    assert Subscriptions(house.inbox).of(id)


def test_a_change_that_waits_stays_beside_what_is_published(house: House) -> None:
    id = house.published(body="First.")
    house.change(id, "Second.")

    tidied(house, days=4000)

    assert [revision.body for revision in house.inbox.revisions(id)] == ["First.", "Second."]
    judge(house, "approve", id)
    assert house.comment(id).body == "Second."


def test_what_its_writer_changed_goes_once_the_change_is_published(house: House) -> None:
    id = house.published(body=SECRET)
    house.change(id, f"{SECRET} Again.")
    house.change(id, "What I meant.")
    judge(house, "approve", id)

    tidied(house, days=11)

    assert SECRET.strip().encode() not in house.everywhere()
    assert [revision.body for revision in house.inbox.revisions(id)] == ["", "", "What I meant."]
    assert house.comment(id).body == "What I meant."


def test_a_refused_change_goes_and_the_published_comment_stays_its_writers(house: House) -> None:
    id = house.published(body="First.")
    house.change(id, SECRET)
    judge(house, "reject", id)

    tidied(house, days=11)

    assert SECRET.strip().encode() not in house.everywhere()
    assert house.comment(id).body == "First."
    house.delete(id)
    house.carry_out_deletions()
    assert house.comment(id).removed == "yes"


@pytest.mark.sqlite  # nothing is handed over here
@pytest.mark.parametrize("decision", ["reject", "spam", "approve"])
def test_its_writer_and_its_judge_still_see_what_became_of_it(house: House, decision: str) -> None:
    id = house.send()
    judge(house, decision, id)
    house.change(id, "Changed.") if decision == "approve" else None
    tidied(house, days=11)

    with browser(application(house.settings)) as client:
        page = client.get(f"/comments/receipt/{house.inbox.receipt(id)}")
    with TestClient(desk.application(house.settings), follow_redirects=False) as david:
        david.post("/sign-in", data={"token": SignIn(house.settings.desk).issue(datetime.now(UTC))})
        item = david.get(f"/comment/{id}")

    assert (page.status_code, item.status_code) == (200, 200)
    assert ("not to publish your comment" in shown(page)) == (decision != "approve")
    assert {"reject": "Rejected", "spam": "Marked as spam", "approve": "Changed."}[decision] in item.text


def test_what_was_taken_off_its_page_goes_and_its_place_stays(house: House) -> None:
    id = house.published(body=SECRET)
    removal = house.remove(id)

    tidied(house, days=11)

    assert SECRET.strip().encode() not in house.everywhere()
    assert house.comment(id).removed == "by the site"
    with pytest.raises(ModerationError, match="can’t be undone now"):
        house.undo(removal)
    assert house.comment(id).removed == "by the site"


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_what_is_gone_cannot_be_undone_and_no_button_says_so(house: House, decision: str) -> None:
    id = house.send()
    judge(house, decision, id)
    tidied(house, days=11)
    before = house.files()

    [line] = house.decisions.latest()

    assert not line.can_be_undone
    with pytest.raises(ModerationError, match="can’t be undone now"):
        house.undo(line.sequence)
    assert house.files() == before


def test_the_days_count_from_the_last_decision(house: House) -> None:
    id = house.send()
    judge(house, "reject", id)
    [decision] = house.decisions.latest()
    house.moderation.undo(decision.sequence, who="David", now=house.now + timedelta(days=5))
    judge(house, "spam", id, now=house.now + timedelta(days=6))

    assert tidied(house, days=15) == NOTHING
    assert tidied(house, days=17).comments == 1


def test_more_than_one_round_takes_are_all_erased(house: House) -> None:
    for number in range(130):
        judge(house, "spam", house.send(body=f"{SECRET}{number}"))

    assert tidied(house, days=11).comments == 130

    assert SECRET.strip().encode() not in house.everywhere()


# Addresses


@pytest.mark.sqlite  # its file
def test_an_address_and_the_code_of_its_form_go_after_their_days(house: House) -> None:
    id = house.published()
    follow(house, id)

    assert tidied(house, days=19.9).addresses == 0
    assert ADDRESS.encode() in house.everywhere()
    assert tidied(house, days=20.1) == replace(NOTHING, addresses=1, codes=1)

    assert ADDRESS.encode() not in house.everywhere()
    assert house.inbox.one("SELECT 1 FROM comment WHERE resend_key IS NOT NULL") is None
    assert house.comment(id).body == "Hello."


def test_an_address_that_nobody_confirms_goes_sooner(house: House) -> None:
    follow(house, house.send(body="One."), is_confirmed=False)
    kept = house.send(body="Two.")
    follow(house, kept)

    assert tidied(house, days=9.9).addresses == 0
    assert tidied(house, days=10.1).addresses == 1

    assert [it.comment for it in Subscriptions(house.inbox).having(ADDRESS)] == [kept]


# Messages


@pytest.mark.parametrize("is_done", [True, False])
def test_a_message_goes_after_its_days(house: House, is_done: bool) -> None:
    id = a_message(house)
    if is_done:
        Messages(house.inbox).finish(id)

    assert tidied(house, days=29.9) == NOTHING
    assert tidied(house, days=30.1).messages == 1

    assert b"Secret" not in house.everywhere()
    assert ADDRESS.encode() not in house.everywhere()


def test_a_mail_that_lies_in_a_file_goes_with_the_words_that_it_tells(house: House) -> None:
    house.settings.mail.mkdir()
    for name, days in (("old", 0), ("new", 5)):
        mail = house.settings.mail / f"{name}.eml"
        mail.write_text(SECRET, "utf-8")
        written = (house.now + timedelta(days=days)).timestamp()
        os.utime(mail, (written, written))

    assert tidied(house, days=11).mails == 1

    assert [path.name for path in house.settings.mail.iterdir()] == ["new.eml"]


# What a forged row can do


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59+00:00", "0001-01-01", "", "soon", "\ud7ff"])
@pytest.mark.parametrize("table", ["revision", "message"])
def test_a_forged_date_stops_nothing_and_erases_nothing_that_waits(house: House, table: str, date: str) -> None:
    shown, waits = house.published(body="On its page."), house.send(body="Waits.")
    refused, message = house.send(body=SECRET), a_message(house)
    judge(house, "spam", refused)
    forge(house.settings, f"UPDATE {table} SET received = ?", date)

    tidied(house, days=11)

    assert house.comment(shown).body == "On its page."
    assert latest(house.settings, waits).body == "Waits."
    assert latest(house.settings, refused).body == ""
    kept = Messages(house.inbox).one(message)
    assert kept
    assert kept.body == SECRET * 200


@pytest.mark.sqlite  # a state that PostgreSQL refuses
@pytest.mark.parametrize("forgery", [
    "UPDATE revision SET state = 'rejected'", "UPDATE revision SET state = 'nonsense'",
    "UPDATE revision SET number = number + 100", "UPDATE comment SET article = '../..'", "DELETE FROM revision",
])  # fmt: skip
def test_no_forged_row_takes_a_comment_off_its_page(house: House, forgery: str) -> None:
    id = house.published()
    before = house.file(id).read_bytes()
    forge(house.settings, forgery)

    tidied(house, days=4000)

    assert house.file(id).read_bytes() == before


@pytest.mark.parametrize("state", ["published", "removed", "waiting"])
def test_a_forged_row_that_calls_itself_published_does_not_keep_refused_words_in_the_record(
    house: House, state: str
) -> None:
    id = house.send()
    judge(house, "reject", id, reason="Secretreason")
    forge(house.settings, f"UPDATE revision SET state = '{state}'")

    tidied(house, days=11)

    assert b"Secretreason" not in (house.settings.desk / "desk.sqlite").read_bytes()
    assert latest(house.settings, id).body == ("Hello." if state == "waiting" else "")


# The desk's process


def test_the_desk_tidies_when_it_starts(house: House) -> None:
    id = house.send(body=SECRET)
    judge(house, "reject", id, now=datetime.now(UTC) - timedelta(days=11))

    with TestClient(desk.application(house.settings)):
        wait_until(lambda: not latest(house.settings, id).body, "the words are gone")


def test_a_fault_is_logged_and_the_desk_goes_on(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.settings.site.write_text("{}", "utf-8")

    with caplog.at_level(logging.ERROR), TestClient(desk.application(house.settings)):
        wait_until(lambda: "build the site again" in caplog.text, "the fault is told")
        id = house.published()
        house.delete(id)
        wait_until(lambda: house.comment(id).removed == "yes", "the comment is off its page")
