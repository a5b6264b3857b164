"""People as they write: pasted words, names that are addresses, contacts of every kind; from the form to desk and mail."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from postbox.settings import Settings
from postbox.store.messages import Messages
from postbox.store.submissions import Inbox
from postbox.web.validation import ADDRESS_AS_NAME, OUT_OF_REACH, check, check_enquiry
from tests.support.desk import a_client, send, signed_in
from tests.support.facts import a_site
from tests.support.intake import client, clock, sent
from tests.support.mail import House, a_place, text_of
from tests.support.store import revisions

__all__ = ["client", "clock"]  # fixtures

FLAG = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
MESSAGE = {"name": "Ann", "message": "Can you ring me?"}


@pytest.mark.parametrize(("typed", "kept"), [
    ("First\u2028second\u2029third", "First\nsecond\nthird"), ("One\x0btwo\x0cthree", "One\ntwo\nthree"),
    (f"Come on {FLAG}", f"Come on {FLAG}"), ("soft\u00adhyphen and \ufeffBOM and word\u2060joiner", "soft\u00adhyphen and BOM and wordjoiner"),
    ("שלום, האם זה עובד?\n\u200fתודה!", "שלום, האם זה עובד?\n\u200fתודה!"),
])  # fmt: skip
def test_pasted_words_are_kept_and_held_for_nothing(
    client: TestClient, settings: Settings, typed: str, kept: str
) -> None:
    sent(client, comment=typed)

    [revision] = revisions(settings)
    assert (revision.body, revision.held) == (kept, ())


def test_no_clock_of_a_reader_is_compared_with_ours(client: TestClient, settings: Settings) -> None:
    sent(client, comment="From a clock that is ahead.", opened="9999999999", seconds="60")

    assert revisions(settings)[0].held == ()


@pytest.mark.parametrize(("fields", "errors"), [
    ({"name": "jane@example.org"}, {"name": ADDRESS_AS_NAME}), ({"name": "Jane 07700 900456"}, {"name": ADDRESS_AS_NAME}),
    ({"name": "\u3164"}, {"name": "Enter your name"}), ({"name": "\u2028\u034f"}, {"name": "Enter your name"}),
    ({"comment": "\u2800"}, {"comment": "Enter your comment"}),
    ({"email": "josé@example.org"}, {"email": OUT_OF_REACH}), ({"email": "info@bücher.example"}, {}),
])  # fmt: skip
def test_a_name_shows_something_and_no_address_and_mail_reaches_any_host(
    fields: dict[str, str], errors: dict[str, str]
) -> None:
    submission, found = check({"name": "Jane", "comment": "Hello."} | fields, a_site(notices=True))

    assert found == errors
    assert submission.email in ("", "josé@example.org", "info@xn--bcher-kva.example")


@pytest.mark.parametrize(
    "contact",
    ["info@bücher.example", "josé@example.org", "07504 000000 or ann@example.org", "\u202a+44 7700 900456\u202c"],
)
def test_a_message_is_taken_however_it_can_be_answered(contact: str) -> None:
    enquiry, errors = check_enquiry(MESSAGE | {"contact": contact}, a_site())

    assert (enquiry.contact, errors) == (contact.strip("\u202a\u202c"), {})


@pytest.mark.parametrize(("contact", "reply_to", "said"), [
    ("info@bücher.example", "info@xn--bcher-kva.example", "Write to info@bücher.example\n"),
    ("07504 000000 or ann@example.org", "ann@example.org", "> 07504 000000 or ann@example.org\n>\n> Can you ring me?"),
    ("josé@example.org", None, "Write to josé@example.org\n"),
    ("ann@example.org bob@example.org", None, "> ann@example.org bob@example.org\n"),
])  # fmt: skip
def test_the_mail_says_how_a_message_can_be_answered(
    tmp_path: Path, contact: str, reply_to: str | None, said: str
) -> None:
    house = House(a_place(tmp_path))

    mail = house.mail("message", house.message(contact=contact))

    assert mail["Reply-To"] == reply_to
    assert said in text_of(mail)


def test_an_address_used_as_a_name_stands_in_the_quotation_alone(tmp_path: Path) -> None:
    house = House(a_place(tmp_path))

    mail = house.mail("comment", house.name(house.send(author="jane@evil.example", body="Hello.")))

    assert mail["Subject"].startswith("Comment from Someone")
    assert "> jane@evil.example\n>\n> Hello.\n" in text_of(mail)
    assert text_of(mail).count("evil.example") == 1


def test_the_desk_points_out_a_name_that_is_an_address(settings: Settings) -> None:
    send(settings, author="jane@example.org", body="From before.")
    send(settings, author="Jane", body="Another.")

    with a_client(settings) as desk:
        page = signed_in(desk, settings).get("/").text

    assert page.count("The name is an email address or a phone number.") == 1


def test_a_message_is_kept_as_typed_whatever_mail_can_do(client: TestClient, settings: Settings) -> None:
    answer = client.post("/comments/message", data=MESSAGE | {"contact": "josé@example.org"})

    assert answer.status_code == 303
    assert [one.contact for one in Messages(Inbox.open(settings)).everything()] == ["josé@example.org"]
