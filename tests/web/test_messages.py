"""The contact form: every word kept, a receipt of its own, and nothing of it on any page."""

import sqlite3

import pytest
from starlette.testclient import TestClient

from postbox.settings import Settings
from postbox.store.messages import Message, Messages
from postbox.store.submissions import Inbox
from tests.support.intake import MESSAGE as FORM
from tests.support.intake import Clock, client, clock
from tests.support.pages import shown, values
from tests.support.place import Place

ON_BOTH_ENGINES = True
__all__ = ["client", "clock"]  # fixtures


def kept(settings: Settings) -> list[Message]:
    """Return the messages in the inbox."""
    return [*Messages(Inbox.open(settings)).everything()]


def sent(client: TestClient, **fields: str) -> str:
    """Send a message; return its receipt's address."""
    answer = client.post("/comments/message", data=FORM | fields)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def test_the_contact_page_has_the_telephone_first_and_then_the_form(shipped: Place) -> None:
    page = shipped.page("/contact/")

    assert 0 < page.index("tel:", page.index("<main")) < page.index('action="/comments/message"')
    assert "Please don’t put medical details here." in page


def test_without_an_intake_the_contact_page_has_no_form(place: Place) -> None:
    place.build(INTAKE="")

    assert "<form" not in place.page("/contact/")


def test_a_message_is_kept_whole_before_the_answer_and_its_receipt_survives_a_reload(
    client: TestClient, settings: Settings
) -> None:
    receipt = sent(client)

    [message] = kept(settings)
    assert (message.name, message.contact, message.body) == (FORM["name"], FORM["contact"], FORM["message"])
    assert (message.state, message.held) == ("new", ())
    for _ in range(2):
        page = client.get(receipt)
        assert page.status_code == 200
        assert "Thank you, Tom. David has your message and can reply to you at 07700 900123." in shown(page)
        assert "After six." in page.text
        assert page.headers["cache-control"] == "no-store"


def test_what_is_noted_for_the_desk_is_a_kind_and_an_id(client: TestClient, settings: Settings) -> None:
    sent(client)

    [event] = Inbox.open(settings).events(limit=9)
    assert (event.kind, event.about) == ("message", kept(settings)[0].id)


@pytest.mark.parametrize(("fields", "error"), [
    ({"name": ""}, '<a href="#name">Enter your name</a>'),
    ({"contact": "tom@"}, '<a href="#contact">Enter an email address in the correct format'),
    ({"message": ""}, '<a href="#message">Enter your message</a>'),
])  # fmt: skip
def test_a_refused_message_comes_back_with_its_error_and_every_word(
    client: TestClient, settings: Settings, fields: dict[str, str], error: str
) -> None:
    answer = client.post("/comments/message", data=FORM | fields)

    assert answer.status_code == 422
    assert error in answer.text
    assert "<title>Error: Contact David" in answer.text
    assert values(answer) == FORM | fields
    assert kept(settings) == []


def test_the_same_form_sent_twice_is_one_message(client: TestClient, settings: Settings, clock: Clock) -> None:
    assert sent(client) == sent(client)
    assert len(kept(settings)) == 1


def test_more_than_the_limit_is_told_when_to_try_again(client: TestClient, settings: Settings, clock: Clock) -> None:
    for number in range(settings.rate_sender):
        sent(client, message=f"Message {number}")

    answer = client.post("/comments/message", data=FORM | {"message": "One too many & more"})

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert values(answer)["message"] == "One too many & more"


def test_an_inbox_that_cannot_be_written_keeps_the_words_in_the_box(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Messages, "add", full)

    answer = client.post("/comments/message", data=FORM)

    assert answer.status_code == 503
    assert "Your message could not be sent. It is still in the box." in shown(answer)
    assert values(answer)["message"] == FORM["message"]


def test_its_writer_deletes_it_for_good(client: TestClient, settings: Settings) -> None:
    receipt = sent(client)

    answer = client.post(receipt, data={"action": "delete"})

    assert answer.headers["location"] == receipt
    assert "Your message and contact details are deleted." in shown(client.get(receipt))
    [message] = kept(settings)
    assert (message.name, message.contact, message.body, message.state) == ("", "", "", "deleted")


@pytest.mark.parametrize("receipt", ["nonsense", "abcdabcdabcd." + "0" * 22, "..%2F..%2Fx"])
def test_another_ones_message_cannot_be_reached(client: TestClient, receipt: str) -> None:
    sent(client)

    for answer in (
        client.get(f"/comments/message/{receipt}"),
        client.post(f"/comments/message/{receipt}", data={"action": "delete"}),
    ):
        assert answer.status_code == 404


def test_the_receipt_of_a_comment_opens_no_message(client: TestClient, settings: Settings) -> None:
    sent(client)
    id = kept(settings)[0].id

    assert client.get(f"/comments/message/{Inbox.open(settings).receipt(id)}").status_code == 404


def test_a_form_of_another_site_is_refused(client: TestClient, settings: Settings) -> None:
    answer = client.post("/comments/message", data=FORM, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
    assert kept(settings) == []


def test_a_filled_honeypot_is_kept_and_said(client: TestClient, settings: Settings) -> None:
    sent(client, website="https://spam.example")

    assert kept(settings)[0].held == ("a field that people do not see was filled in",)


def test_what_is_done_leaves_the_list_and_stays(settings: Settings, client: TestClient) -> None:
    sent(client)
    messages = Messages(Inbox.open(settings))

    messages.finish(kept(settings)[0].id)

    assert (messages.size(), messages.size("done")) == (0, 1)
    assert kept(settings)[0].body == FORM["message"]
