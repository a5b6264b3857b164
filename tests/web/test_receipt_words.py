"""Words of the receipts of a comment and of a message: what was done, and where somebody in trouble is better helped."""

import pytest
from starlette.testclient import TestClient

from postbox.settings import Settings
from tests.support.intake import client, decide, sent
from tests.support.pages import shown
from tests.support.place import Place

__all__ = ["client"]
BETTER = {"name": "Tom", "comment": "Better."}


@pytest.mark.parametrize(
    ("is_published", "words"),
    [(False, "David will read your comment as it stands now."), (True, "Until he publishes it, your comment stays")],
)
def test_a_change_is_confirmed(client: TestClient, settings: Settings, *, is_published: bool, words: str) -> None:
    receipt = sent(client)
    if is_published:
        decide(settings, "approve")

    page = shown(client.post(receipt, data=BETTER, follow_redirects=True))

    assert "Your change has been sent." in page
    assert words in page
    assert "Better." in page
    assert "What it said before Tom" in page
    assert "Hello you." in page


@pytest.mark.parametrize("state", ["waiting", "approve", "reject"])
def test_a_green_box_holds_good_news_alone(client: TestClient, settings: Settings, state: str) -> None:
    receipt = sent(client)
    if state != "waiting":
        decide(settings, state)

    page = client.get(receipt).text

    assert ('class="box done"' in page) == (state != "reject")


def test_a_comment_that_was_rejected_with_a_note_can_be_sent_again_and_no_other(
    client: TestClient, settings: Settings
) -> None:
    receipt = sent(client)
    decide(settings, "reject")
    assert "Send again" not in client.get(receipt).text
    assert client.post(receipt, data=BETTER).status_code == 409
    receipt = sent(client, comment="Another.")
    decide(settings, "reject", reason="Please leave names out.")

    page = client.get(receipt)
    again = shown(client.post(receipt, data=BETTER | {"action": "change"}, follow_redirects=True))

    assert "He writes: Please leave names out. You can change your comment below and send it again." in shown(page)
    assert "Try again" in page.text
    assert "Your change has been sent. David will read your comment as it stands now." in again
    decide(settings, "approve")
    assert "published under the article" in shown(client.get(receipt))


def test_the_way_to_help_stands_where_a_message_is_written_and_where_it_was_sent(
    client: TestClient, shipped: Place
) -> None:
    words = {"name": "Ann", "contact": "07700 900123", "message": "My foot is numb."}

    page = shown(client.post("/comments/message", data=words, follow_redirects=True))

    refused = shown(client.post("/comments/message", data=words | {"name": ""}))

    assert "call NHS 111 (999 in an emergency)" in page
    assert "call NHS 111 (999 in an emergency)" in refused
    assert "call NHS 111 (999 in an emergency)" in shipped.page("/contact/")
    assert "If it cannot wait, ring David" not in page
