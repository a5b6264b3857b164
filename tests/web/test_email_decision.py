"""The page that a mail links to: what the link is for and nothing else, whoever opens it, as often as they like."""

import html
import itertools
import json
import re
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.submissions import Inbox
from postbox.store.tokens import DecisionLinks
from tests.support.desk import EMPTY, a_published, change, client, everything, name_of, published, seen, send, signed_in
from tests.support.place import ARTICLE
from tests.support.process import PATIENCE_SECONDS, wait_until
from tests.support.store import FORGERIES, HOSTILE, forge, latest

ON_BOTH_ENGINES = True

__all__ = ["client"]  # fixtures

ACTIONS = ["publish", "publish and answer", "reject", "spam"]
WORDS = {"answer": "My <answer>", "reason": "My & reason"}


def link(settings: Settings, id: str, *, days_ago: float = 0) -> str:
    """Return the address in a mail about the latest revision of a comment."""
    then = datetime.now(UTC) - timedelta(days=days_ago)
    return f"/decide/{DecisionLinks(Moderation.open(settings).store.key).issue(name_of(settings, id), then)}"


def buttons(page: str) -> list[str]:
    """Return what the buttons of a page do."""
    return re.findall(r'<button [^>]*name="action" value="([^"]+)"', page)


def sequences(page: str) -> str:
    """Return what the button “Undo” would take back."""
    found = re.search(r'name="sequences" value="([^"]*)"', page)
    assert found
    return found[1]


def fresh_links(settings: Settings) -> list[tuple[str, str]]:
    """Return which fresh links the outbox was given, and what became of each."""
    with sqlite3.connect(settings.desk / "desk.sqlite") as database:
        return list(database.execute("SELECT about, state FROM outbox WHERE kind = 'link'"))


def recipients(settings: Settings) -> set[str]:
    """Return whom the mails that were sent are for."""
    mails = [path.read_text("utf-8") for path in settings.mail.glob("[!.]*.eml")]
    return set(re.findall(r"^To: (.*?)\r?$", "".join(mails), re.MULTILINE))


def test_the_page_shows_the_comment_and_four_decisions_to_who_is_not_signed_in(
    client: TestClient, settings: Settings
) -> None:
    id = send(settings, author="Tom", body="Hello **you**.", reply_to="0002", held=["it has 3 links"])

    page = client.get(link(settings, id), headers={"sec-fetch-site": "cross-site"})

    assert page.status_code == 200
    assert "<h1>A comment by <bdi>Tom</bdi></h1>" in page.text
    assert "Hello <strong>you</strong>." in page.text
    assert "<p><bdi>David</bdi> wrote:</p>" in page.text
    assert "<li>it has 3 links</li>" in page.text
    assert buttons(page.text) == ["publish", "reject", "spam", "publish and answer", "reject"]


def test_a_change_stands_beside_the_words_it_would_replace(client: TestClient, settings: Settings) -> None:
    id = a_published(settings, author="Zoë", body="On the third step.")
    change(settings, id, author="Zoë", body="On the second step.")

    page = client.get(link(settings, id)).text

    assert "On the <del>third</del><ins>second</ins> step." in page


@pytest.mark.sqlite
@pytest.mark.parametrize("is_signed_in", [False, True])
def test_no_way_leads_from_the_page_into_the_desk(
    client: TestClient, settings: Settings, *, is_signed_in: bool
) -> None:
    if is_signed_in:
        signed_in(client, settings)
    id, other = send(settings, author="Tom", reply_to="0001"), send(settings, author="Another")
    address = link(settings, id)
    done = client.post(address, data={"action": "publish"}).headers["location"]
    expired = link(settings, other, days_ago=8)

    pages = [client.get(each).text for each in (address, done, link(settings, other), expired)]

    for page in pages:
        ways = set(re.findall(r'(?:href|action)="([^"]*)"', page))
        assert {way for way in ways if not way.startswith(("https://feet.example/", "#", "data:"))} == set()
        assert page.count("<form") <= 3
    assert "Another" not in pages[0] + pages[1] + pages[3]


def test_a_session_is_neither_asked_for_nor_opened(client: TestClient, settings: Settings) -> None:
    address = link(settings, send(settings))

    client.get(address)
    decided = client.post(address, data={"action": "publish"})
    client.get(decided.headers["location"])

    assert not client.cookies
    assert client.get("/").status_code == 401


def test_scanners_that_open_every_link_twice_change_nothing(client: TestClient, settings: Settings) -> None:
    waiting, decided, changed = send(settings), send(settings, author="Ann"), send(settings, author="Zoë")
    addresses = [link(settings, id) for id in (waiting, decided, changed)]
    done = client.post(addresses[1], data={"action": "publish"}).headers["location"]
    change(settings, changed, author="Zoë", body="Better words.")
    addresses += [done, f"{addresses[0]}?done=1&action=publish", link(settings, waiting, days_ago=8), "/decide/forged"]
    before = everything(settings)

    for address, method in itertools.product(addresses * 2, ("GET", "HEAD")):
        assert client.request(method, address).status_code in (200, 404)

    assert everything(settings) == before
    assert fresh_links(settings) == []


# Decisions


@pytest.mark.parametrize(("action", "state", "sentence"), [
    ("publish", "published", "Published the comment by <bdi>Tom</bdi>"),
    ("publish and answer", "published", "Published the reply by <bdi>David</bdi>"),
    ("reject", "rejected", "Rejected the comment by <bdi>Tom</bdi>"),
    ("spam", "spam", "Marked the comment by <bdi>Tom</bdi> as spam"),
])  # fmt: skip
def test_a_decision_is_carried_out_said_and_can_be_taken_back(
    client: TestClient, settings: Settings, action: str, state: str, sentence: str
) -> None:
    id = send(settings, author="Tom")
    address = link(settings, id)
    words = WORDS if action == "publish and answer" else {"reason": "Say more."}

    decided = client.post(address, data={"action": action} | words)

    assert decided.status_code == 303
    assert latest(settings, id).state == state
    assert latest(settings, id).reason == ("Say more." if action == "reject" else "")
    assert {decision.who for decision in Moderation.open(settings).work.decisions.latest()} == {"David, by email"}
    for _ in range(2):  # a reload
        page = client.get(decided.headers["location"]).text
        assert sentence in page
        assert buttons(page) == ["undo", *(["answer", "remove"] if state == "published" else [])]
    assert buttons(client.get(address).text) == buttons(page)  # the link itself, opened again

    undone = client.post(address, data={"action": "undo", "sequences": sequences(page)})

    assert latest(settings, id).state == "waiting"
    assert not [
        comment for comment in Moderation.open(settings).review.all_published() if comment.id not in ("0001", "0002")
    ]
    page = client.get(undone.headers["location"]).text
    assert "Undone. <bdi>Tom</bdi>’s comment is waiting again" in page
    assert "publish" in buttons(page)


def test_what_the_page_says_stays_true_whatever_is_decided_since(client: TestClient, settings: Settings) -> None:
    id, by = send(settings), {"who": "David", "now": datetime.now(UTC)}
    done = client.post(link(settings, id), data={"action": "publish"}).headers["location"]
    moderation = Moderation.open(settings)

    moderation.undo(1, **by)  # type: ignore[arg-type]
    waiting = client.get(done).text
    moderation.approve(name_of(settings, id), **by)  # type: ignore[arg-type]
    again = client.get(done).text
    moderation.remove(ARTICLE, id, seen=seen(settings, id), **by)  # type: ignore[arg-type]
    removed = client.get(done).text

    for page in (waiting, again, removed):
        assert "Published the comment" not in page
    assert buttons(waiting)[0] == "publish"
    assert "This comment is published." in again
    assert buttons(again) == ["undo", "answer", "remove"]
    assert "This comment was removed from its page." in removed
    assert buttons(removed) == ["undo"]


def test_a_link_opened_again_replies_takes_back_and_removes(client: TestClient, settings: Settings) -> None:
    id = send(settings, author="Tom")
    address, before = link(settings, id), datetime.now(UTC) - timedelta(hours=1)
    Moderation.open(settings).approve(name_of(settings, id), who="David, by email", now=before)

    def press(action: str, **fields: str) -> str:
        answer = client.post(address, data={"action": action} | fields)
        assert answer.status_code == 303
        return client.get(answer.headers["location"]).text

    replied = press("answer", answer="Barefoot.")
    taken_back = press("undo", sequences=sequences(client.get(address).text))
    removed = press("remove")
    restored = press("undo", sequences=sequences(client.get(address).text))

    assert "Published the reply by <bdi>David</bdi>" in replied
    assert [buttons(page) for page in (replied, taken_back)] == [["undo", "answer", "remove"]] * 2
    assert "Barefoot." not in "".join(text for name, text in everything(settings).items() if name.endswith(".md"))
    assert "Removed the comment by <bdi>Tom</bdi> from its page" in removed
    assert "Undone. <bdi>Tom</bdi>’s comment is back as it was" in restored
    assert published(settings, id)


@pytest.mark.parametrize("again", ACTIONS)
@pytest.mark.parametrize(
    ("first", "sentence", "left"),
    [
        ("publish", "is published", ["undo", "answer", "remove"]),
        ("reject", "is rejected", ["undo"]),
        ("spam", "is marked as spam", ["undo"]),
    ],
)
def test_a_link_decides_once_and_then_says_what_was_decided(
    client: TestClient, settings: Settings, first: str, sentence: str, left: list[str], again: str
) -> None:
    id = send(settings)
    address = link(settings, id)
    client.post(address, data={"action": first})
    before = everything(settings)

    replayed = client.post(address, data={"action": again, "answer": WORDS["answer"] if " " in again else ""})

    assert replayed.status_code == 409
    assert "This comment isn’t waiting: it was decided or deleted since you read it." in replayed.text
    assert f"This comment {sentence}." in replayed.text
    assert buttons(replayed.text) == left
    assert everything(settings) == before
    assert " " not in again or html.escape(WORDS["answer"]) in replayed.text


@pytest.mark.parametrize("action", ACTIONS)
def test_a_link_for_one_revision_acts_on_no_other(client: TestClient, settings: Settings, action: str) -> None:
    id, other = send(settings, body="Kind words."), send(settings, author="Ann")
    address = link(settings, id)
    change(settings, id, body="Unkind words.")
    before = everything(settings)

    for name in ("", name_of(settings, id), name_of(settings, other), seen(settings, "0001")):
        answer = client.post(
            address, data={"action": action, "name": name, "id": other} | (WORDS if " " in action else {})
        )

        assert answer.status_code == 409
        assert "Nothing was done" in answer.text
        assert "Unkind words." not in answer.text
        assert buttons(answer.text) == []
    assert everything(settings) == before
    assert "so its link no longer works" in client.get(address).text


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("action", "status"),
    [("remove", 409), ("answer", 409), *((action, 400) for action in ("edit", "approve", "send", "", "UNDO"))],
)
def test_a_link_can_do_nothing_but_what_its_page_has_buttons_for(
    client: TestClient, settings: Settings, action: str, status: int
) -> None:
    id = a_published(settings)
    change(settings, id, body="Better words.")
    before = everything(settings)

    form = {"action": action, "name": seen(settings, id), "comment": "Mine", "answer": "Mine"}
    answer = client.post(link(settings, id), data=form)

    assert answer.status_code == status
    assert everything(settings) == before


def test_a_link_whose_words_are_not_those_of_the_page_does_nothing_to_it(
    client: TestClient, settings: Settings
) -> None:
    id = a_published(settings)
    address = link(settings, id)
    change(settings, id, body="Better words.")
    Moderation.open(settings).approve(name_of(settings, id), who="David", now=datetime.now(UTC))
    before = everything(settings)

    answers = [
        client.post(address, data={"action": action, "answer": "Mine"}) for action in ("remove", "answer", "undo")
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 303]
    assert buttons(client.get(address).text) == []
    assert "Better words." not in client.get(address).text
    assert everything(settings) == before


def test_a_link_takes_back_no_decision_but_its_own(client: TestClient, settings: Settings) -> None:
    mine, other = send(settings), send(settings, author="Ann")
    addresses = [link(settings, id) for id in (mine, other)]
    client.post(addresses[0], data={"action": "publish"})
    client.post(addresses[1], data={"action": "publish and answer", "answer": "Thank you."})
    a_published(settings, author="Zoë")
    moderation = Moderation.open(settings)
    moderation.remove(ARTICLE, "0001", seen=seen(settings, "0001"), who="David", now=datetime.now(UTC))
    before = everything(settings)

    everyone = ",".join(
        str(decision.sequence) for decision in moderation.work.decisions.latest() if decision.comment != mine
    )
    page = client.get(f"{addresses[0]}?done={everyone}")
    client.post(addresses[0], data={"action": "undo", "sequences": everyone})

    assert len(everyone) > 5
    assert sequences(page.text) not in everyone.split(",")
    assert "Ann" not in page.text
    assert everything(settings) == before


def test_a_link_takes_back_no_answer_that_was_published_with_another_revision(
    client: TestClient, settings: Settings
) -> None:
    id = send(settings)
    moderation, by = (
        Moderation.open(settings),
        {"who": "David, by email", "now": datetime.now(UTC) - timedelta(hours=1)},
    )
    moderation.approve(name_of(settings, id), **by)  # type: ignore[arg-type]
    answer = moderation.answer(ARTICLE, id, "Thank you.", **by)  # type: ignore[arg-type]
    change(settings, id, body="Better words.")
    address = link(settings, id)
    done = client.post(address, data={"action": "publish"}).headers["location"]
    before = everything(settings)

    for sequences in (f"{answer}", f"{answer},{done.partition('done=')[2]}"):
        page = client.get(f"{address}?done={sequences}").text
        assert "Published the answer" not in page
    client.post(address, data={"action": "undo", "sequences": f"{answer}"})

    assert everything(settings) == before


def test_a_decision_made_on_the_desk_can_be_taken_back_by_its_link(client: TestClient, settings: Settings) -> None:
    address = link(settings, a_published(settings))

    client.post(address, data={"action": "undo", "sequences": sequences(client.get(address).text)})

    assert buttons(client.get(address).text)[0] == "publish"


def test_what_was_decided_since_cannot_be_taken_back(client: TestClient, settings: Settings) -> None:
    id = send(settings)
    address = link(settings, id)
    done = client.post(address, data={"action": "publish"}).headers["location"]
    before = sequences(client.get(done).text)
    Moderation.open(settings).answer(ARTICLE, id, "Thank you.", who="David", now=datetime.now(UTC))

    answer = client.post(address, data={"action": "undo", "sequences": before})

    assert answer.status_code == 409
    assert "Someone has replied since; remove it instead." in answer.text
    assert published(settings, id)


@pytest.mark.parametrize(("form", "error"), [
    ({"action": "publish"}, "You wrote a reply. Press “Publish and reply”, or empty the box"),
    ({"action": "publish and answer", "answer": "x" * 4001}, "Reply must be 4,000 characters or fewer"),
    ({"action": "publish and answer", "answer": " "}, "Enter your reply"),
])  # fmt: skip
def test_wrong_words_come_back_and_nothing_is_decided(
    client: TestClient, settings: Settings, form: dict[str, str], error: str
) -> None:
    id = send(settings)
    form = WORDS | form
    before = everything(settings)

    answer = client.post(link(settings, id), data=form)

    assert answer.status_code == 422
    assert "<title>Error: " in answer.text
    assert f'<a href="#answer">{error}' in answer.text
    assert f"{html.escape(form['answer'])}</textarea>" in answer.text
    assert "My &amp; reason</textarea>" in answer.text
    assert "publish" in buttons(answer.text)
    assert everything(settings) == before


def test_a_comment_that_its_writer_deleted_shows_none_of_its_words(client: TestClient, settings: Settings) -> None:
    id = send(settings, author="Tom", body="Take this down.")
    address = link(settings, id)
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.delete(id)

    page = client.get(address).text

    assert "This comment is deleted, words and all." in page
    assert "Take this down." not in page
    assert "Tom" not in page
    assert buttons(page) == []


# When it is live


def write_press(settings: Settings, **state: Any) -> None:
    """Write how the press does, whole, as the press writes it."""
    press = settings.site.with_name("press.json")
    fresh = press.with_suffix(".new")
    fresh.write_text(json.dumps({"finished": "", "seconds": 0.0, "faults": [], "watching": True, "live": {}} | state))
    fresh.replace(press)


def test_the_page_says_after_how_long_a_comment_was_live(client: TestClient, settings: Settings) -> None:
    id = send(settings)
    write_press(settings, live={id: "2026-01-01T00:00:00+00:00"})

    def print_it() -> None:
        wait_until(lambda: published(settings, id) is not None, "the comment is published")
        write_press(settings, live={id: datetime.now(UTC).isoformat()})

    press = threading.Thread(target=print_it, daemon=True)
    press.start()
    decided = client.post(link(settings, id), data={"action": "publish"})
    press.join(PATIENCE_SECONDS)

    assert "<p>On the page now. <a href=" in client.get(decided.headers["location"]).text


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "state", [{"watching": False}, {}, {"live": {"ID": "no date"}}, {"live": {"ID": "2026-01-01"}}]
)
def test_a_comment_that_is_not_live_yet_is_said_to_come_with_the_next_build(
    client: TestClient, settings: Settings, state: dict[str, Any]
) -> None:
    id = send(settings)
    state = {key: {id: value["ID"]} if key == "live" and value else value for key, value in state.items()}
    write_press(settings, **state)

    decided = client.post(link(settings, id), data={"action": "publish"})

    assert (
        "<p>On the page in a moment, once the site is built. <a href=" in client.get(decided.headers["location"]).text
    )


# Links that are over, or none


def test_an_expired_link_offers_one_button_and_shows_nothing(client: TestClient, settings: Settings) -> None:
    id = send(settings, author="Tom", body="Between us.")

    page = client.get(link(settings, id, days_ago=7))

    assert page.status_code == 200
    assert "<h1>This link has expired</h1>" in page.text
    assert buttons(page.text) == ["send"]
    assert "Tom" not in page.text
    assert "Between us." not in page.text


def test_a_fresh_link_goes_to_the_outbox_once_and_names_no_address(client: TestClient, settings: Settings) -> None:
    id = send(settings)
    address = link(settings, id, days_ago=8)

    answers = [client.post(address, data={"action": "send", "to": "mallory@evil.example"}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {303}
    page = client.get(answers[0].headers["location"]).text
    assert "A fresh link is on its way by email" in page
    assert buttons(page) == []
    wait_until(lambda: fresh_links(settings)[0][1] == "sent", "the mail is sent")
    [(about, _)] = fresh_links(settings)
    assert about.startswith(f"{name_of(settings, id)}.")
    assert recipients(settings) == {settings.mail_to}


@pytest.mark.parametrize("action", [*ACTIONS, "undo", ""])
def test_an_expired_link_decides_nothing_and_keeps_what_was_typed(
    client: TestClient, settings: Settings, action: str
) -> None:
    id = send(settings)
    address = link(settings, id, days_ago=8)
    before = everything(settings)

    answer = client.post(address, data={"action": action, "sequences": "1"} | WORDS)

    assert answer.status_code == 409
    assert everything(settings) == before
    assert buttons(answer.text) == ["send"]
    assert "My &lt;answer&gt;" in answer.text
    assert "My &amp; reason" in answer.text


def test_no_fresh_link_is_mailed_for_what_does_not_wait(client: TestClient, settings: Settings) -> None:
    decided, changed = a_published(settings), send(settings)
    addresses = [link(settings, id, days_ago=8) for id in (decided, changed)]
    change(settings, changed, body="Better words.")

    for address in addresses:
        answer = client.post(address, data={"action": "send"})

        assert answer.status_code == 409
        assert "its comment is no longer waiting" in answer.text
        assert buttons(answer.text) == []
    assert fresh_links(settings) == []


@pytest.mark.sqlite
@pytest.mark.parametrize("token", ["x", "%00", "..%2f..", "é", "A" * 68, "🦶" * 100, "' OR 1=1 --", "FLIPPED", "OTHER"])
def test_a_forged_link_is_a_plain_refusal(client: TestClient, settings: Settings, token: str) -> None:
    id = send(settings, author="Tom")
    genuine = link(settings, id).rpartition("/")[2]
    elsewhere = DecisionLinks(b"k" * 32).issue(name_of(settings, id), datetime.now(UTC))
    flipped = ("B" if genuine[0] == "A" else "A") + genuine[1:]
    address = f"/decide/{token.replace('FLIPPED', flipped).replace('OTHER', elsewhere)}"
    before = everything(settings)

    for answer in (client.get(address), client.post(address, data={"action": "publish"}), client.get(f"{address}/x")):
        assert answer.status_code in (401, 404)
        assert "Tom" not in answer.text
        assert set(re.findall(r'<form[^>]*action="([^"]*)"', answer.text)) <= {"/sign-in/email"}
        assert re.findall(r'href="([^#"d][^"]*)"', answer.text) == []
    assert everything(settings) == before
    assert client.get(f"/decide/{genuine}").status_code == 200


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"}, {"origin": "null"}],
)
@pytest.mark.parametrize("days_ago", [0, 8])
def test_another_sites_form_is_refused(
    client: TestClient, settings: Settings, days_ago: int, headers: dict[str, str]
) -> None:
    address = link(settings, send(settings), days_ago=days_ago)
    before = everything(settings)

    for action in (*ACTIONS, "undo", "send"):
        assert client.post(address, data={"action": action}, headers=headers).status_code == 403
    assert everything(settings) == before
    assert fresh_links(settings) == []


def test_every_answer_is_private_and_under_a_policy_without_scripts(client: TestClient, settings: Settings) -> None:
    address, expired = link(settings, send(settings)), link(settings, send(settings, author="Ann"), days_ago=8)

    answers = [
        *(client.get(each) for each in (address, expired, "/decide/x")),
        client.put(address),
        client.post(address, data=EMPTY),
        client.post(address, json={}),
        client.post(address, data={"action": "spam"}),
        client.post(address, data={"action": "spam"}),
        client.post(expired, data={"action": "send"}),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 404, 401, 400, 415, 303, 409, 303]
    for answer in answers:
        assert "default-src 'none'; " in answer.headers["content-security-policy"]
        assert "script-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-robots-tag"] == "noindex"


# Whatever a row holds


@pytest.mark.sqlite
@pytest.mark.parametrize(("statement", "values"), FORGERIES, ids=lambda value: str(value)[:60])
def test_no_forged_row_breaks_the_page_or_keeps_it_from_being_kept_out(
    client: TestClient, settings: Settings, statement: str, values: tuple[object, ...]
) -> None:
    id = send(settings, author="Mallory")
    before = link(settings, id)
    forge(settings, statement, *values)
    address = link(settings, id)

    pages = [client.get(address), client.get(before)]
    answer = client.post(address, data={"action": "spam"})

    for page in pages:
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "<img" not in page.text
    assert answer.status_code == 303
    assert "as spam" in client.get(answer.headers["location"]).text
    assert latest(settings, id).state == "spam"


@pytest.mark.sqlite
@pytest.mark.parametrize("id", ["a.b.c", "../../x", "a/b", '"><script>', "*", "é ?#&", "x" * 500])
def test_a_forged_id_can_be_kept_out(client: TestClient, settings: Settings, id: str) -> None:
    forge(settings, "INSERT INTO comment (id, article) VALUES (?, 'feet')", id)
    forge(settings, "INSERT INTO revision VALUES (?, 1, 'Mallory', 'Hello', x'', '2026-11-22T10:15:00+00:00', '[]', 'waiting', '')", id)  # fmt: skip

    page = client.get(link(settings, id))
    answer = client.post(link(settings, id), data={"action": "spam"})

    assert "<script" not in page.text
    assert answer.status_code == 303
    assert latest(settings, id).state == "spam"


def test_hostile_words_stay_words(client: TestClient, settings: Settings) -> None:
    answered = a_published(settings, author=HOSTILE, body=HOSTILE)
    id = send(settings, author=HOSTILE, body=HOSTILE, reply_to=answered, held=[HOSTILE])
    address = link(settings, id)

    wrong = client.post(address, data={"action": "publish", "answer": HOSTILE, "reason": HOSTILE})
    done = client.post(address, data={"action": "publish and answer", "answer": HOSTILE}).headers["location"]
    replayed = client.post(address, data={"action": "reject", "answer": HOSTILE, "reason": HOSTILE})

    for page in (wrong, client.get(done), replayed):
        assert HOSTILE.split(">")[0] not in page.text
        assert "&lt;script&gt;" in page.text
