"""Messages and mail on the desk: what came, how to answer it, what was not sent; and no row that breaks a page."""

import html
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from contract.manifest import BuildStatus
from postbox.settings import Settings
from postbox.store.messages import Message, Messages
from postbox.store.submissions import Inbox
from tests.support.desk import a_client, a_published, everything, name_of, send, signed_in
from tests.support.place import Place, a_place
from tests.support.store import HOSTILE, a_failed, a_message, forge


@pytest.fixture
def settings(shipped: Place, tmp_path: Path) -> Settings:
    """Settings of a place with a mail server, at which nobody listens."""
    return a_place(shipped, tmp_path, smtp="smtp://127.0.0.1:9")


@pytest.fixture
def david(settings: Settings) -> Iterator[TestClient]:
    """A browser without JavaScript that is signed in."""
    with a_client(settings) as client:
        yield signed_in(client, settings)


def message(settings: Settings, id: str) -> Message:
    """Return a message as it is kept."""
    found = Messages(Inbox.open(settings)).one(id)
    assert found
    return found


def names(page: str) -> list[str]:
    """Return whose messages a page shows, in its order."""
    return re.findall(r"message from <bdi>(.*?)</bdi></h2>", page)


def navigation(page: str) -> list[str]:
    """Return what the head of a page leads to."""
    return re.findall(r'<li><a href="[^"]*"[^>]*>([^<]*)</a></li>', page.partition("</nav>")[0])


# Messages


def test_a_message_shows_who_wrote_when_what_and_how_to_answer(david: TestClient, settings: Settings) -> None:
    a_message(settings, name="Ann & Bob", body="First line.\n\n<b>Second</b>.", held=["it has 3 links"])

    page = david.get("/messages").text

    assert "<h1>1 new message</h1>" in page
    assert names(page) == ["Ann &amp; Bob"]
    assert "First line.\n\n&lt;b&gt;Second&lt;/b&gt;." in page
    assert '<a class="button" href="mailto:ann@example.org">Write to ann@example.org</a>' in page
    assert "<li>it has 3 links</li>" in page
    assert f"{datetime.now(UTC):%B %Y}, " in page


def test_no_message_is_said_to_be_none(david: TestClient) -> None:
    page = david.get("/messages").text

    assert "<h1>No new message</h1>" in page
    assert "What is sent through the contact page appears here." in page


def test_the_new_come_first_the_oldest_on_top_and_the_done_below(david: TestClient, settings: Settings) -> None:
    done = [a_message(settings, name=f"Done {number}", ago=90 - number) for number in range(2)]
    for number in range(2):
        a_message(settings, name=f"New {number}", ago=20 - number)
    for id in done:
        david.post("/messages", data={"id": id, "action": "done"})

    page = david.get("/messages").text

    assert "<h1>2 new messages</h1>" in page
    assert names(page) == ["New 0", "New 1", "Done 1", "Done 0"]
    assert page.count('value="done"') == 2
    assert page.count('value="delete"') == 4


def test_a_message_is_done_and_keeps_its_words(david: TestClient, settings: Settings) -> None:
    id = a_message(settings)

    answer = david.post("/messages", data={"id": id, "action": "done", "page": "1"})

    assert answer.headers["location"] == "/messages?page=1&flash=done"
    page = david.get(answer.headers["location"]).text
    assert "<title>Done: No new message" in page
    assert "Done. The message stays below the new ones." in page
    assert (message(settings, id).state, message(settings, id).body) == ("done", "May I come?")


@pytest.mark.parametrize("is_done", [False, True])
def test_a_message_is_deleted_words_and_all(david: TestClient, settings: Settings, *, is_done: bool) -> None:
    id = a_message(settings)
    if is_done:
        david.post("/messages", data={"id": id, "action": "done"})

    answer = david.post("/messages", data={"id": id, "action": "delete"})

    page = david.get(answer.headers["location"]).text
    assert "Deleted, words and all." in page
    assert names(page) == []
    assert (message(settings, id).state, message(settings, id).body, message(settings, id).name) == ("deleted", "", "")


@pytest.mark.parametrize("action", ["done", "delete"])
def test_what_is_gone_meanwhile_is_said_to_be_gone(david: TestClient, settings: Settings, action: str) -> None:
    id = a_message(settings)
    david.post("/messages", data={"id": id, "action": "delete"})

    for each in (id, "nothing", ""):
        answer = david.post("/messages", data={"id": each, "action": action})

        assert answer.status_code == 409
        assert "That’s gone: it was dealt with meanwhile." in answer.text


def test_messages_are_paged(david: TestClient, settings: Settings) -> None:
    for number in range(21):
        a_message(settings, name=f"Reader {number}", ago=30 - number)

    assert len(names(david.get("/messages").text)) == 20
    assert names(david.get("/messages?page=2").text) == ["Reader 20"]
    assert names(david.get("/messages?page=99").text) == ["Reader 20"]


def test_each_number_and_address_of_a_message_is_a_button(david: TestClient, settings: Settings) -> None:
    a_message(settings, contact="07504 000000 or josé@example.org")

    page = david.get("/messages").text

    assert "Reply to: <bdi>07504 000000 or josé@example.org</bdi>" in page
    assert '<a class="button" href="tel:+447504000000">Ring 07504 000000</a>' in page
    assert '<a class="button" href="mailto:jos%C3%A9@example.org">Write to josé@example.org</a>' in page


@pytest.mark.parametrize(("statement", "values"), [
    *[("UPDATE message SET held = ?", (held,)) for held in ("no JSON", "null", "[" * 100_000, f'["{"x" * 9_999}"]')],
    *[("UPDATE message SET received = ?", (date,)) for date in ("never", "", "0001-01-01T00:00:00")],
    ("UPDATE message SET received = '9999-12-31T23:59:59.999999-12:00'", ()),
    ("UPDATE message SET name = ?1, contact = ?1, body = ?1", (HOSTILE,)),
    ("UPDATE message SET name = ?1, contact = ?1, body = ?1", ("",)),
    ("UPDATE message SET name = ?1, contact = ?1, body = ?1", ("bell\x07\0\n\u202e",)),
    ("UPDATE message SET name = ?1, contact = ?1, body = ?1", ("1" * 300_000,)),
    ("UPDATE message SET contact = ?", ('ann@example.org"><script>',)),
    ("UPDATE message SET body = CAST(x'ff' AS TEXT)", ()),
    *[("UPDATE message SET id = ?", (id,)) for id in ("a/b", "../..", HOSTILE, "", "x" * 500, "é ?#&")],
], ids=lambda value: str(value)[:60])  # fmt: skip
def test_no_forged_message_breaks_the_page_and_each_can_be_deleted(
    david: TestClient, settings: Settings, statement: str, values: tuple[object, ...]
) -> None:
    a_message(settings)
    forge(settings, statement, *values)
    a_message(settings, name="Honest")

    page = david.get("/messages")
    ids = [html.unescape(id) for id in re.findall(r'name="id" value="([^"]*)"', page.text)]
    answers = [david.post("/messages", data={"id": id, "action": "delete"}) for id in ids]

    assert page.status_code == 200
    assert "Honest" in page.text
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert "javascript:" not in page.text
    assert [answer.status_code for answer in answers] == [303, 303]
    assert names(david.get("/messages").text) == []


# Mail


def test_what_was_not_sent_stands_there_with_the_servers_own_words(david: TestClient, settings: Settings) -> None:
    id, other = send(settings, author="Tom"), a_published(settings, author="Zoë")
    a_failed(settings, "comment", name_of(settings, id), "550 5.1.1 <b>No such user</b>")
    a_failed(settings, "link", f"{name_of(settings, id)}.2026-11-22")
    a_failed(settings, "published", name_of(settings, other))
    a_failed(settings, "answered", other)
    a_failed(settings, "confirm", id)
    a_failed(settings, "message", a_message(settings))
    a_failed(settings, "digest", "comment.x.y")
    a_failed(settings, "unheard of", "../..")

    page = david.get("/mail").text

    assert "<h1>8 emails were not sent</h1>" in page
    assert "550 5.1.1 &lt;b&gt;No such user&lt;/b&gt;" in page
    for sentence in (
        "To you, about the comment by <bdi>Tom</bdi></h2>",
        "To you, with a fresh link to the comment by <bdi>Tom</bdi></h2>",
        "To <bdi>Zoë</bdi>, that their comment is published</h2>",
        "To the writer who was answered by <bdi>Zoë</bdi></h2>",
        "Confirmation email to <bdi>Tom</bdi></h2>",
        "To you, with the message from <bdi>Ann</bdi></h2>",
        "To you, with what came within an hour</h2>",
        "An email</h2>",
    ):
        assert sentence in page
    assert "after 10 tries" in page


def test_a_mail_is_sent_again(david: TestClient, settings: Settings) -> None:
    a_failed(settings, "comment", name_of(settings, send(settings)))
    page = david.get("/mail").text
    [sequence] = re.findall(r'name="sequence" value="(\d+)"', page)

    answer = david.post("/mail", data={"sequence": sequence, "action": "again"})

    assert answer.headers["location"] == "/mail?flash=again"
    page = david.get("/mail?flash=again").text
    assert "It is being sent again." in page
    assert "<h1>Every email was sent</h1>" in page


def test_a_mail_is_dismissed(david: TestClient, settings: Settings) -> None:
    a_failed(settings, "comment", name_of(settings, send(settings)))
    [sequence] = re.findall(r'name="sequence" value="(\d+)"', david.get("/mail").text)

    answer = david.post("/mail", data={"sequence": sequence, "action": "dismiss"})

    assert "Dismissed. It will not be sent." in david.get(answer.headers["location"]).text
    with sqlite3.connect(settings.desk / "desk.sqlite") as database:
        assert database.execute("SELECT count(*) FROM outbox WHERE sequence = ?", (sequence,)).fetchone() == (0,)


@pytest.mark.parametrize("action", ["again", "dismiss"])
@pytest.mark.parametrize("sequence", ["999", "x", "", "-1"])
def test_a_mail_that_is_not_there_any_more_is_said_to_be_gone(david: TestClient, sequence: str, action: str) -> None:
    answer = david.post("/mail", data={"sequence": sequence, "action": action})

    assert answer.status_code == 409
    assert "That’s gone: it was dealt with meanwhile." in answer.text


def test_mails_are_paged(david: TestClient, settings: Settings) -> None:
    for number in range(21):
        a_failed(settings, "message", f"m{number}")

    assert david.get("/mail").text.count('<section class="item"') == 20
    assert david.get("/mail?page=2").text.count('<section class="item"') == 1


def test_a_desk_without_a_mail_server_says_whom_to_ask(shipped: Place, tmp_path: Path) -> None:
    settings = a_place(shipped, tmp_path)

    with a_client(settings) as client:
        page = signed_in(client, settings).get("/mail").text

    assert "<h1>Email isn’t set up</h1>" in page
    assert "Ask whoever runs the site." in page
    assert "Email" in navigation(page)


# Both, and the head of every page


def test_the_head_says_how_many_wait(david: TestClient, settings: Settings) -> None:
    plain = navigation(david.get("/log").text)
    for _ in range(3):
        send(settings)
    a_message(settings)
    a_failed(settings, "message", "m")

    assert plain == ["Queue", "Messages", "Published", "Write", "Log", "Your details", "The site"]
    for address in ("/", "/messages", "/mail", "/published", "/log", "/comment/0001", "/nothing"):
        page = david.get(address).text
        assert navigation(page) == [
            "Queue (3)",
            "Messages (1)",
            "Email (1)",
            "Published",
            "Write",
            "Log",
            "Your details",
            "The site",
        ]


def test_what_is_wrong_with_the_site_stands_on_every_page_of_the_signed_in(
    david: TestClient, settings: Settings
) -> None:
    fault = "content/articles/<shoes>.md:12: the image foot.png is not there; put it into content/images/"
    press = BuildStatus(faults=[fault], unsent=2, push_fault="rsync: no route to host")
    settings.site.with_name("press.json").write_text(press.dumps())

    for address in ("/", "/messages", "/mail", "/published", "/log", "/comment/0001"):
        page = david.get(address).text
        assert "The article “&lt;shoes&gt;”</a></strong>, line 12: the image foot.png is not there; put" in page
        assert "content/articles/&lt;shoes&gt;.md" in page
        assert "it is 2 prints behind: rsync: no route to host. It is tried again by itself." in page
    david.cookies.clear()
    assert "foot.png" not in david.get("/sign-in/x").text


@pytest.mark.parametrize("address", ["/messages", "/mail"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [({"sec-fetch-site": "cross-site"}, 403), ({"origin": "https://evil.example"}, 403), ({"cookie": "desk=x"}, 401)],
)
def test_nobody_else_changes_anything(
    david: TestClient, settings: Settings, address: str, headers: dict[str, str], status: int
) -> None:
    id = a_message(settings)
    before = everything(settings)

    for action in ("done", "delete", "again", "dismiss"):
        answer = david.post(address, data={"id": id, "sequence": "1", "action": action}, headers=headers)

        assert answer.status_code == status
    assert everything(settings) == before


@pytest.mark.parametrize("address", ["/messages", "/mail"])
def test_a_button_that_no_page_has_does_nothing(david: TestClient, settings: Settings, address: str) -> None:
    id = a_message(settings)

    answer = david.post(address, data={"id": id, "sequence": "1", "action": "publish"})

    assert answer.status_code == 400
    assert message(settings, id).state == "new"
