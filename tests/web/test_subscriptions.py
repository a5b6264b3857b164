"""An address of a reader: asked first, chosen by its owner, gone at a word; and nobody learns whether it is known."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from postbox.moderation.service import Moderation
from postbox.privacy.retention import tidy
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import EVENTS, Subscription, Subscriptions
from tests.support.intake import FORM, client, decide
from tests.support.intake import sent as sent_comment
from tests.support.pages import shown
from tests.support.store import NOW, revisions

ON_BOTH_ENGINES = True
__all__ = ["client"]  # fixtures

ADDRESS = "tom@feet.example"
TOKEN = re.compile(r"[0-9a-z]{12}\.[\w-]{22}")


def sent(client: TestClient, settings: Settings, **fields: str) -> Subscription:
    """Send a comment with an address; return its subscription."""
    receipt = sent_comment(client, **({"email": ADDRESS} | fields))
    subscription = subscriptions(settings).of(receipt.split("/")[-1].partition(".")[0])
    assert subscription
    return subscription


def subscriptions(settings: Settings) -> Subscriptions:
    """Return the subscriptions in the inbox."""
    return Subscriptions(Inbox.open(settings))


def link(settings: Settings, subscription: Subscription) -> str:
    """Return the address that a mail to a subscription holds."""
    return f"/comments/mail/{subscriptions(settings).token(subscription)}"


def events(settings: Settings) -> list[tuple[str, str]]:
    """Return what is noted for the desk."""
    return [(event.kind, event.about) for event in Inbox.open(settings).events(limit=99)]


def test_an_address_is_asked_before_anything_else_is_sent_to_it(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)

    assert subscription == Subscription(revisions(settings)[0].id, ADDRESS, EVENTS, is_confirmed=False)
    assert events(settings) == [("comment", subscription.comment), ("confirm", subscription.comment)]


def test_a_comment_without_an_address_asks_nobody(client: TestClient, settings: Settings) -> None:
    sent_comment(client)

    assert [kind for kind, _ in events(settings)] == ["comment"]


def test_the_same_form_sent_again_asks_once(client: TestClient, settings: Settings) -> None:
    sent(client, settings, key="0" * 32)
    sent(client, settings, key="0" * 32)

    assert [kind for kind, _ in events(settings)] == ["comment", "confirm"]


def test_the_answer_is_the_same_whether_an_address_is_known_refused_or_new(
    client: TestClient, settings: Settings
) -> None:
    first = sent(client, settings, comment="One.")
    client.post(link(settings, first), data={"action": "choose", "published": "yes"})
    refused = sent(client, settings, comment="Two.", email="ann@feet.example")
    client.post(link(settings, refused), data={"action": "never"})

    pages = []
    for number, address in enumerate((ADDRESS, "ann@feet.example", "new@feet.example")):
        answer = client.post("/comments", data=FORM | {"email": address, "comment": f"Three {number}"})
        pages.append((answer.status_code, TOKEN.sub("", answer.headers["location"])))

    assert len(set(pages)) == 1


def test_opening_the_link_changes_nothing_however_often(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)

    for address in (link(settings, subscription), f"{link(settings, subscription)}/stop"):
        for method in ("GET", "HEAD", "GET", "HEAD"):
            assert client.request(method, address).status_code == 200

    assert subscriptions(settings).of(subscription.comment) == subscription


def test_its_owner_confirms_it_and_chooses(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)
    page = client.get(link(settings, subscription))
    assert "Confirm your email address" in shown(page)
    assert ADDRESS not in page.text

    answer = client.post(link(settings, subscription), data={"action": "choose", "author": "yes", "others": "no"})

    assert answer.status_code == 303
    assert subscriptions(settings).of(subscription.comment) == Subscription(
        subscription.comment, ADDRESS, ("author",), is_confirmed=True
    )
    assert "Your email choices" in shown(client.get(link(settings, subscription)))


@pytest.mark.parametrize(("form", "said"), [
    ({"action": "choose", "author": "yes"}, "Your choices are saved."),
    ({"action": "choose"}, "We won’t email you about this comment any more."),
    ({"action": "stop"}, "We won’t email you about this comment any more."),
    ({"action": "never"}, "We’ll never email this address again."),
])  # fmt: skip
def test_what_was_chosen_is_confirmed(client: TestClient, settings: Settings, form: dict[str, str], said: str) -> None:
    address = link(settings, sent(client, settings))

    confirmed = client.post(address, data={"action": "choose", "published": "yes"}, follow_redirects=True)
    page = client.post(address, data=form, follow_redirects=True)

    assert "Your address is confirmed." in shown(confirmed)
    assert f"/comments/receipt/{Inbox.open(settings).receipt(revisions(settings)[0].id)}" in confirmed.text
    assert said in shown(page)


def test_who_unsubscribed_has_what_they_chose_back_until_the_address_is_erased(
    client: TestClient, settings: Settings
) -> None:
    subscription = sent(client, settings)
    address = link(settings, subscription)
    client.post(address, data={"action": "choose", "author": "yes", "others": "yes"})

    stopped = client.post(f"{address}?done=published", data={"action": "stop"}, follow_redirects=True)
    assert "You’ve unsubscribed" in shown(stopped)
    assert subscriptions(settings).of(subscription.comment) == replace(subscription, events=(), is_confirmed=True)
    undo = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', stopped.text))
    client.post(address, data={"action": "choose"} | undo)
    assert subscriptions(settings).of(subscription.comment) == replace(
        subscription, events=("author", "others"), is_confirmed=True
    )
    client.post(address, data={"action": "stop"})
    tidy(Moderation.open(settings), now=NOW)

    assert subscriptions(settings).of(subscription.comment) is None
    assert "You get no more email because of this link." in shown(
        client.post(address, data={"action": "choose"} | undo, follow_redirects=True)
    )
    assert ("subscription", subscription.comment) in [
        (row["kind"], row["about"]) for row in Inbox.open(settings).connection.execute("SELECT * FROM erasure")
    ]


def test_who_chooses_nothing_is_sent_nothing(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)

    client.post(link(settings, subscription), data={"action": "choose"})

    assert subscriptions(settings).of(subscription.comment) is None


def test_an_address_that_is_confirmed_for_one_comment_is_not_for_another(
    client: TestClient, settings: Settings
) -> None:
    first = sent(client, settings, comment="One.")
    client.post(link(settings, first), data={"action": "choose", "published": "yes"})

    second = sent(client, settings, comment="Two.")

    found = subscriptions(settings).having(ADDRESS.upper())
    assert {it.comment: it.is_confirmed for it in found} == {first.comment: True, second.comment: False}


@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "cross-site", "origin": "https://mail.example"}])
@pytest.mark.parametrize("body", [b"List-Unsubscribe=One-Click", b"", b"\xff" * 100])
def test_one_click_stops_it_wherever_it_comes_from(
    client: TestClient, settings: Settings, headers: dict[str, str], body: bytes
) -> None:
    subscription = sent(client, settings)

    answer = client.post(f"{link(settings, subscription)}/stop", content=body, headers=headers)

    assert answer.status_code == 200
    assert subscriptions(settings).of(subscription.comment) is None
    assert client.post(f"{link(settings, subscription)}/stop").status_code == 200


def test_a_link_that_has_done_its_work_looks_like_one_that_never_was(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)
    client.post(link(settings, subscription), data={"action": "stop"})

    pages = [client.get(address).text for address in (link(settings, subscription), "/comments/mail/nonsense")]

    assert pages[0] == pages[1]
    assert "You get no more email because of this link." in pages[0]


@pytest.mark.sqlite  # in its own words
def test_never_again_holds_for_every_comment_and_keeps_no_address(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings, comment="One.")
    other = sent(client, settings, comment="Two.")

    client.post(link(settings, subscription), data={"action": "never"})
    sent_comment(client, comment="Three.", email=ADDRESS.upper())

    inbox = Inbox.open(settings)
    assert subscriptions(settings).having(ADDRESS) == []
    assert [about for kind, about in events(settings) if kind == "confirm"] == [subscription.comment, other.comment]
    assert not [line for line in inbox.connection.iterdump() if ADDRESS.lower() in line.lower()]


def test_a_token_is_good_for_its_own_comment_and_address_only(client: TestClient, settings: Settings) -> None:
    first, second = sent(client, settings, comment="One."), sent(client, settings, comment="Two.")
    token = subscriptions(settings).token(first)
    swapped = f"{second.comment}.{token.partition('.')[2]}"
    receipt = Inbox.open(settings).receipt(first.comment)

    for forged in (swapped, receipt, f"{first.comment}.", token[:-1], f"{token}0", "ä" * 40):
        client.post(f"/comments/mail/{forged}", data={"action": "never"})
        client.post(f"/comments/mail/{forged}/stop")

    assert len(subscriptions(settings).having(ADDRESS)) == 2


def test_the_choices_of_another_site_and_unknown_ones_are_refused(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)
    choice = {"action": "choose", "published": "yes"}

    from_elsewhere = client.post(link(settings, subscription), data=choice, headers={"sec-fetch-site": "cross-site"})
    unknown = client.post(link(settings, subscription), data={"action": "everything"})

    assert (from_elsewhere.status_code, unknown.status_code) == (403, 400)
    assert subscriptions(settings).of(subscription.comment) == subscription


def test_a_deleted_comment_takes_its_address_along(client: TestClient, settings: Settings) -> None:
    receipt = sent_comment(client, email=ADDRESS)

    client.post(receipt, data={"action": "delete"})

    assert subscriptions(settings).having(ADDRESS) == []


def test_the_receipt_stops_the_mail_and_hands_out_all_that_is_kept(client: TestClient, settings: Settings) -> None:
    receipt = sent_comment(client, email=ADDRESS)
    assert "Confirm your address to hear back." in shown(client.get(receipt))

    export = client.get(f"{receipt}/kept.json").json()
    stopped = client.post(receipt, data={"action": "stop"}, follow_redirects=True)

    assert "You’ve unsubscribed. We won’t email you about this comment." in shown(stopped)
    assert export["email"]["address"] == ADDRESS
    assert [it["body"] for it in export["revisions"]] == [FORM["comment"]]
    assert [(it["state"], it["held"], it["reason"]) for it in export["revisions"]] == [("waiting", [], "")]
    assert subscriptions(settings).having(ADDRESS) == []
    assert "Stop emails" not in client.get(receipt).text


def test_the_page_leads_to_the_comment_once_it_is_published(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)
    decide(settings, "approve")

    page = client.get(link(settings, subscription))

    assert f'#comment-{subscription.comment}">is published</a>' in page.text


@pytest.mark.sqlite  # in its own words
def test_a_forged_row_breaks_no_page(client: TestClient, settings: Settings) -> None:
    subscription = sent(client, settings)
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.run("UPDATE subscription SET events = 'everything <script>', address = 'x\nBcc: y' WHERE 1")
    forged = subscriptions(settings).of(subscription.comment)
    assert forged

    page = client.get(link(settings, forged))

    assert page.status_code == 200
    assert forged.events == ()
