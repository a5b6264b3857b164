"""The desk: only its author gets in, every decision is on the words that were seen, and no row breaks a page."""

import asyncio
import base64
import hashlib
import html
import logging
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from contract.comment import path_of, read
from postbox.desk import app as desk
from postbox.desk.context import DeskRequest
from postbox.desk.sessions import SignIn
from postbox.moderation.review import Review
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.submissions import Inbox
from postbox.store.tokens import DecisionLinks
from tests.support.desk import EMPTY, a_published, change, client, everything, name_of, published, seen, send, signed_in
from tests.support.place import ARTICLE, Place
from tests.support.process import answers, end, free_port, postbox, run, wait_until
from tests.support.store import FORGERIES, HOSTILE, forge, latest

__all__ = ["client"]  # fixtures


FORM = "application/x-www-form-urlencoded"
PAGES = ["/", "/published", "/log", "/messages", "/mail", "/comment/0001"]


@pytest.fixture
def david(client: TestClient, settings: Settings) -> TestClient:
    """The same, signed in."""
    return signed_in(client, settings)


def hidden(page: str, action: str) -> dict[str, str]:
    """Return what the first form of a page with an action carries unseen."""
    form = re.search(rf'<form method="post" action="{action}">(.*?)</form>', page, re.DOTALL)
    assert form
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[1]))


# Signing in


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("address", [*PAGES, "/published?page=2", "/nothing", "/comment/nothing", "/sign-in", "/undo"])
def test_whoever_is_not_signed_in_learns_how_to_be_and_nothing_else(
    client: TestClient, settings: Settings, address: str, method: str
) -> None:
    send(settings, body="Between us.")

    answer = client.request(method, address)

    assert answer.status_code == 401
    if method == "GET":
        assert "python -m postbox sign-in" in answer.text
        assert "Between us." not in answer.text
        assert "Alexis" not in answer.text
        assert re.findall('<form[^>]*action="([^"]*)"', answer.text) == ["/sign-in/email"]


@pytest.mark.parametrize("address", ["/", "/comment/0001", "/undo", "/sign-out"])
def test_whoever_is_not_signed_in_decides_nothing(client: TestClient, settings: Settings, address: str) -> None:
    form = {"name": seen(settings, "0001"), "action": "remove", name_of(settings, send(settings)): "tick"}
    form |= {"answer": "An hour’s <b>work</b>."}
    before = everything(settings)

    answer = client.post(address, data=form)

    assert answer.status_code == 401
    assert '<p class="typed">An hour’s &lt;b&gt;work&lt;/b&gt;.</p>' in answer.text
    assert everything(settings) == before


def test_a_link_from_another_site_says_how_to_go_on_where_a_strict_cookie_is_not_sent(client: TestClient) -> None:
    from_mail = client.get("/comment/0001", headers={"sec-fetch-site": "cross-site"})
    typed = client.get("/comment/0001", headers={"sec-fetch-site": "none"})

    assert '<a href="">open this page again</a>' in from_mail.text
    assert "open this page again" not in typed.text
    assert '<meta http-equiv="refresh" content="0">' in from_mail.text
    assert "http-equiv" not in typed.text


def test_a_link_is_emailed_to_the_authors_own_address_and_three_an_hour(client: TestClient, settings: Settings) -> None:
    answers_ = {client.post("/sign-in/email", data={"to": "eve@evil.example"}).text for _ in range(5)}

    wait_until(lambda: len(list(settings.mail.glob("[!.]*.eml"))) == 3, "three are written")
    mails = [path.read_text("utf-8") for path in settings.mail.glob("[!.]*.eml")]
    assert len(answers_) == 1
    assert {re.findall("^To: (.*)$", mail, re.MULTILINE)[0] for mail in mails} == {settings.mail_to}
    token = re.findall(r"/sign-in/([\w.-]+)", mails[0].replace("=\n", ""))[0]
    assert [client.post("/sign-in", data={"token": token}).status_code for _ in range(2)] == [303, 401]


def test_to_look_at_a_sign_in_link_uses_nothing_up(client: TestClient, settings: Settings) -> None:
    token = SignIn(settings.desk).issue(datetime.now(UTC))
    before = everything(settings)

    client.head(f"/sign-in/{token}")
    page = client.get(f"/sign-in/{token}")

    assert everything(settings) == before
    assert "set-cookie" not in page.headers
    assert f'<input type="hidden" name="token" value="{token}">' in page.text
    signed_in = client.post("/sign-in", data={"token": token})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("fields", [EMPTY, {"token": ""}, {"token": "x"}, {"token": "USED"}])
def test_a_link_that_is_none_or_used_signs_nobody_in(
    client: TestClient, settings: Settings, fields: dict[str, str]
) -> None:
    sign_in = SignIn(settings.desk)
    used = sign_in.issue(datetime.now(UTC))
    sign_in.redeem(used, datetime.now(UTC))

    answer = client.post("/sign-in", data={key: value.replace("USED", used) for key, value in fields.items()})

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "That link was used before, or is older than 15 minutes." in answer.text


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [("http://127.0.0.1:8001", "desk", ""), ("https://desk.example", "__Host-desk", "; Secure")],
)
def test_the_cookie_is_for_this_host_alone_and_for_no_script(
    settings: Settings, url: str, name: str, secure: str
) -> None:
    settings = Settings(content=settings.content, theme=settings.theme, var=settings.var, desk_url=url)
    token = SignIn(settings.desk).issue(datetime.now(UTC))

    with TestClient(desk.application(settings), base_url=url, follow_redirects=False) as client:
        signed_in = client.post("/sign-in", data={"token": token})
        inside = client.get("/")
        out = client.post("/sign-out", data=EMPTY)

    pattern = rf"{name}=[\w-]{{43}}; HttpOnly; Max-Age=2592000; Path=/; SameSite=strict{secure}"
    assert re.fullmatch(pattern, signed_in.headers["set-cookie"])
    assert inside.status_code == 200
    assert re.match(rf'{name}=""; .*Max-Age=0; Path=/; SameSite=strict{secure}', out.headers["set-cookie"])


def test_signing_out_ends_the_session_itself(david: TestClient) -> None:
    cookie = david.cookies["desk"]

    left = david.post("/sign-out", data=EMPTY)

    assert (left.status_code, left.headers["location"]) == (303, "/")
    assert david.get("/", headers={"cookie": f"desk={cookie}"}).status_code == 401


# What may not change anything


def test_to_look_changes_nothing(david: TestClient, settings: Settings) -> None:
    waiting, changed = send(settings), a_published(settings, author="Ann")
    change(settings, changed, body="Better words.")
    before = everything(settings)

    for address in [*PAGES, "/?done=1,2&tick=all", "/undo", f"/comment/{waiting}", f"/comment/{changed}", "/sign-out"]:
        for method in ("GET", "HEAD"):
            assert david.request(method, address).status_code in (200, 405)

    assert everything(settings) == before


@pytest.mark.parametrize("headers", [
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"},
    {"origin": "https://evil.example"}, {"origin": "null"},
])  # fmt: skip
@pytest.mark.parametrize("address", ["/", "/comment/ID", "/undo", "/sign-in", "/sign-out"])
def test_another_sites_form_is_refused(
    david: TestClient, settings: Settings, address: str, headers: dict[str, str]
) -> None:
    id = send(settings)
    name = name_of(settings, id)
    token = SignIn(settings.desk).issue(datetime.now(UTC))
    before = everything(settings)

    form = {
        "action": "publish",
        "name": name,
        name: "tick",
        "sequences": "1",
        "token": token,
        "answer": "An hour's work",
    }
    answer = david.post(address.replace("ID", id), data=form, headers=headers)

    assert answer.status_code == 403
    assert "This form belongs to another site." in answer.text
    assert "An hour&#39;s work" in answer.text
    assert everything(settings) == before


# The queue


def test_the_queue_shows_each_comment_as_it_will_look_beside_what_it_answers(
    david: TestClient, settings: Settings
) -> None:
    send(settings, author="Tom", body="Hello **you**.", reply_to="0002", ago=2)
    send(settings, author="Ann", body="On the whole.", held=["it has 3 links", "it came fast & <furious>"])

    page = david.get("/").text

    assert "<h1>2 comments to review</h1>" in page
    assert '<bdi>Tom</bdi></h3>\n<span class="small">in reply to <a href="http' in page
    assert "Hello <strong>you</strong>." in page
    assert "<p><bdi>David</bdi> wrote:</p>\n<p>Pleasure Alexis." in page
    assert page.count("“Your big toe and your glutes must be talking to each other") == 2
    assert "<li>it has 3 links</li>\n<li>it came fast &amp; &lt;furious&gt;</li>" in page
    assert page.count("<strong>Check this:</strong>") == 1
    assert f"{datetime.now(UTC):%B %Y}, " in page


def test_a_change_stands_beside_the_words_it_would_replace(david: TestClient, settings: Settings) -> None:
    id = a_published(settings, author="Zoë", body="On the third step.\n\nHow many?")
    change(settings, id, author="Zoë", body="On the second step.\n\nHow many a day?")

    page = david.get("/").text

    assert "A change to a published comment" in page
    assert "<p>On the second step.</p>" in page
    assert "Zoë:\nOn the <del>third</del><ins>second</ins> step.\n\nHow many<ins> a day</ins>?" in page


def test_every_list_has_twenty_a_page(david: TestClient, settings: Settings) -> None:
    assert "<h1>All done</h1>" in david.get("/").text
    for number in range(21):
        id = send(settings, author="Spam")
        Moderation.open(settings).spam(name_of(settings, id), who="David", now=datetime.now(UTC))
        send(settings, author=f"Reader {number}", ago=30 - number)
        words = f"Id: c{number:03}\nArticle: {ARTICLE}\nAuthor: Tom\n\nHello.\n"
        path_of(settings.comments, ARTICLE, f"c{number:03}").write_text(words, "utf-8")

    first, second = david.get("/").text, david.get("/?page=2").text

    item, line = '<section class="row"', "Marked the comment by"
    assert "<h1>21 comments to review</h1>" in first
    assert (first.count(item), second.count(item)) == (20, 1)
    assert "Reader 20" in second
    assert '<a href="/?page=2" rel="next">Next</a>' in first
    assert '<a href="/?page=1" rel="prev">Back</a>' in second
    assert [david.get(f"/published{page}").text.count(item) for page in ("", "?page=2")] == [20, 3]
    assert [david.get(f"/log{page}").text.count(line) for page in ("", "?page=2")] == [20, 1]


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=99", "page=x", "page=٣", f"page={'9' * 5000}", "done=x,,-1"]
)
def test_a_page_that_is_none_is_the_nearest(david: TestClient, settings: Settings, query: str) -> None:
    send(settings)

    for place in ("/", "/published", "/log"):
        answer = david.get(f"{place}?{query}")

        assert answer.status_code == 200
        assert 'role="status"' not in answer.text


# Decisions on what waits


def test_publish_publishes_and_the_next_page_says_so_and_can_undo_it(david: TestClient, settings: Settings) -> None:
    id = send(settings, author="Tom", body="Hello.")

    decided = david.post(
        f"/comment/{id}", data={"action": "publish", "name": name_of(settings, id), "back": "/?page=1"}
    )

    assert decided.status_code == 303
    comment = published(settings, id)
    assert comment
    assert (comment.author, comment.body, comment.is_author) == ("Tom", "Hello.", False)
    page = david.get(decided.headers["location"]).text
    assert "<title>Done: All done" in page
    assert 'role="status">\n<ul>\n<li>Published the comment by <bdi>Tom</bdi></li>' in page
    undo = david.post("/undo", data=hidden(page, "/undo"))
    assert published(settings, id) is None
    assert latest(settings, id).state == "waiting"
    assert "Undone. <bdi>Tom</bdi>’s comment is waiting again" in david.get(undo.headers["location"]).text


def test_publish_and_answer_does_both_and_undoes_both(david: TestClient, settings: Settings) -> None:
    id = send(settings)
    form = {"action": "publish and answer", "name": name_of(settings, id), "answer": " Thank you,\r\n\r\nTom. "}

    page = david.get(david.post(f"/comment/{id}", data=form).headers["location"]).text

    [answer] = [comment for comment in Moderation.open(settings).review.all_published() if comment.reply_to == id]
    assert (answer.author, answer.is_author, answer.body) == ("David", True, "Thank you,\n\nTom.")
    assert "Published the comment by <bdi>Tom</bdi>" in page
    assert "Published the reply by <bdi>David</bdi>" in page
    david.post("/undo", data=hidden(page, "/undo"))
    assert published(settings, id) is None
    assert published(settings, answer.id) is None


@pytest.mark.parametrize(("action", "reason", "state", "kept", "told"), [
    ("reject", "Not here,\nTom.", "rejected", "Not here, Tom.", "Rejected the comment by <bdi>Tom</bdi>"),
    ("reject", "", "rejected", "", "Rejected the comment by <bdi>Tom</bdi>"),
    ("spam", "", "spam", "", "Marked the comment by <bdi>Tom</bdi> as spam"),
])  # fmt: skip
def test_a_comment_is_kept_out_with_the_note_to_its_writer(
    david: TestClient, settings: Settings, action: str, reason: str, state: str, kept: str, told: str
) -> None:
    id = send(settings)

    form = {"action": action, "name": name_of(settings, id)} | ({"reason": reason} if reason else {})
    decided = david.post(f"/comment/{id}", data=form)

    assert (latest(settings, id).state, latest(settings, id).reason) == (state, kept)
    assert told in david.get(decided.headers["location"]).text


@pytest.mark.parametrize("action", ["publish", "publish and answer", "reject", "spam"])
def test_a_comment_that_changed_since_it_was_seen_is_shown_again_with_every_word_typed(
    david: TestClient, settings: Settings, action: str
) -> None:
    id = send(settings, body="Kind words.")
    read_then = name_of(settings, id)
    change(settings, id, body="Unkind words.")
    before = everything(settings)

    typed = {"answer": "My <answer>" if action != "publish" else "", "reason": "My & reason"}
    answer = david.post(f"/comment/{id}", data={"action": action, "name": read_then} | typed)

    assert answer.status_code == 409
    assert everything(settings) == before
    assert "<title>Error: " in answer.text
    assert "This comment has changed since you read it; read what it says now. Nothing was done." in answer.text
    assert "<p>Unkind words.</p>" in answer.text
    assert f'name="name" value="{name_of(settings, id)}"' in answer.text
    assert html.escape(typed["answer"]) in answer.text
    assert "My &amp; reason</textarea>" in answer.text


@pytest.mark.parametrize(("meanwhile", "form", "said"), [
    ("reject", {"action": "publish"}, "This comment isn’t waiting: it was decided or deleted since you read it."),
    ("remove", {"action": "answer", "answer": "My words"}, "This comment is no longer published. Nothing was done."),
    ("", {"action": "publish"}, "This comment replies to 9999, which is not published"),
])  # fmt: skip
def test_what_was_decided_meanwhile_or_cannot_stand_is_not_decided(
    david: TestClient, settings: Settings, meanwhile: str, form: dict[str, str], said: str
) -> None:
    id = a_published(settings) if meanwhile == "remove" else send(settings, reply_to=None if meanwhile else "9999")
    name = seen(settings, id) if meanwhile == "remove" else name_of(settings, id)
    if meanwhile == "reject":
        Moderation.open(settings).reject(name, who="Ann", now=datetime.now(UTC))
    elif meanwhile == "remove":
        Moderation.open(settings).remove(ARTICLE, id, seen=name, who="Ann", now=datetime.now(UTC))

    answer = david.post(f"/comment/{id}", data=form | {"name": name})

    assert answer.status_code == 409
    assert said in answer.text
    assert meanwhile or "What it replies to is not published." in answer.text
    assert published(settings, id) is None


@pytest.mark.parametrize(("action", "words", "error"), [
    ("publish", "My words", "You wrote a reply. Press “Publish and reply”, or empty the box"),
    ("publish and answer", " \n", "Enter your reply"),
    ("publish and answer", "x" * 4001, "Reply must be 4,000 characters or fewer"),
    ("publish and answer", "bell\x07", "Reply has a character that cannot be shown (U+0007)"),
])  # fmt: skip
def test_an_answer_that_cannot_be_published_comes_back_and_nothing_is_decided(
    david: TestClient, settings: Settings, action: str, words: str, error: str
) -> None:
    id = send(settings)
    before = everything(settings)

    answer = david.post(f"/comment/{id}", data={"action": action, "name": name_of(settings, id), "answer": words})

    assert answer.status_code == 422
    assert everything(settings) == before
    assert f'<a href="#answer">{error}' in answer.text
    assert f"{words}</textarea>" in answer.text
    assert (
        'id="answer" name="answer" rows="4" aria-describedby="answer-hint answer-error" aria-invalid="true"'
        in answer.text
    )


@pytest.mark.parametrize(("step", "said"), [
    ("approve", []),
    ("answer", ["The comment is published, but your reply is not.", "Published the comment by <bdi>Tom</bdi>"]),
])  # fmt: skip
def test_a_full_disk_keeps_the_words_and_what_was_published_before_is_said(
    david: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str, said: list[str]
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    id = send(settings)
    monkeypatch.setattr(Moderation, step, full)

    form = {"action": "publish and answer", "name": name_of(settings, id), "answer": "My long answer."}
    answer = david.post(f"/comment/{id}", data=form)

    assert answer.status_code == 503
    for words in (*said, "This could not be done just now. Try again in a minute.", "My long answer.</textarea>"):
        assert words in answer.text


# Several at once


@pytest.mark.parametrize(("action", "state"), [("publish", "published"), ("reject", "rejected"), ("spam", "spam")])
def test_those_that_are_selected_are_decided_each_on_its_own(
    david: TestClient, settings: Settings, action: str, state: str
) -> None:
    ids = [send(settings, author=f"Reader {number}") for number in range(4)]
    names = [name_of(settings, id) for id in ids]
    change(settings, ids[1], author="Reader 1", body="Other words.")

    answer = david.post("/", data={"action": action, "back": "/?page=1"} | dict.fromkeys(names[:3], "tick"))

    assert answer.status_code == 409
    assert [latest(settings, id).state for id in ids] == [state, "waiting", state, "waiting"]
    assert (
        f'<a href="/comment/{ids[1]}"><bdi>Reader 1</bdi></a>: This comment has changed since you read it;'
        in answer.text
    )
    assert "the comment by <bdi>Reader 0</bdi>" in answer.text
    assert "the comment by <bdi>Reader 2</bdi>" in answer.text
    assert "<h1>2 comments to review</h1>" in answer.text


def test_all_of_a_page_can_be_selected_decided_and_undone_at_once(david: TestClient, settings: Settings) -> None:
    for number in range(22):
        send(settings, author=f"Reader {number}")

    ticked = re.findall(r'name="([^"]+)" value="tick" checked', david.get("/?page=1&tick=all").text)
    decided = david.post("/", data={"action": "spam", "back": "/?page=1"} | dict.fromkeys(ticked, "tick"))

    assert len(ticked) == 20
    page = david.get(decided.headers["location"]).text
    assert "<h1>2 comments to review</h1>" in page
    david.post("/undo", data=hidden(page, "/undo"))
    assert "<h1>22 comments to review</h1>" in david.get("/").text


def test_to_decide_on_none_says_what_to_do(david: TestClient, settings: Settings) -> None:
    send(settings)

    answer = david.post("/", data={"action": "publish", "back": "/?page=1"})

    assert answer.status_code == 422
    assert "Select the comments that you want to decide together." in answer.text


@pytest.mark.parametrize("action", ["remove", "edit", "answer", "publish and answer", "", "approve"])
def test_nothing_else_can_be_decided_on_several(david: TestClient, settings: Settings, action: str) -> None:
    name = name_of(settings, send(settings))
    before = everything(settings)

    answer = david.post("/", data={"action": action, name: "tick", seen(settings, "0001"): "tick"})

    assert answer.status_code in (400, 409, 422)
    assert everything(settings) == before


# What is published


def test_what_is_published_stands_newest_first_with_what_can_be_done(david: TestClient, settings: Settings) -> None:
    id = a_published(settings, author="Newest")

    page = david.get("/published").text

    order = re.findall(r'<h3 id="by-\w+"><bdi>(\w+)', page)
    assert order == ["Newest", "David", "Alexis"]
    assert page.count('value="edit"') == 1
    assert page.count('value="remove"') == page.count('value="answer"') == 3
    assert f'name="name" value="{seen(settings, id)}"' in page


def test_a_published_comment_is_removed_and_brought_back(david: TestClient, settings: Settings) -> None:
    form = {"action": "remove", "name": seen(settings, "0001"), "back": "/published?page=1"}
    decided = david.post("/comment/0001", data=form)

    assert read(path_of(settings.comments, ARTICLE, "0001")).removed == "by the site"
    assert decided.headers["location"].startswith("/published?page=1&done=")
    page = david.get(decided.headers["location"]).text
    assert "Removed the comment by" in page
    david.post("/undo", data=hidden(page, "/undo"))
    assert published(settings, "0001")


def test_a_published_comment_is_answered_and_the_author_edits_his_own(david: TestClient, settings: Settings) -> None:
    answering = {"action": "answer", "name": seen(settings, "0001"), "answer": "Thank you, Alexis."}
    assert david.post("/comment/0001", data=answering).status_code == 303
    editing = {"action": "edit", "name": seen(settings, "0002"), "comment": "Better words."}
    decided = david.post("/comment/0002", data=editing)

    everyone = {comment.body: comment for comment in Moderation.open(settings).review.all_published()}
    for words in ("Thank you, Alexis.", "Better words."):
        comment = everyone[words]
        assert (comment.reply_to, comment.author, comment.is_author) == ("0001", "David", True)
    assert everyone["Better words."].id == "0002"
    assert "Changed the comment by <bdi>David</bdi>" in david.get(decided.headers["location"]).text


@pytest.mark.parametrize(("id", "form", "status", "error"), [
    ("0002", {"action": "edit", "comment": "My words", "name": "old"}, 409, "This comment has changed since"),
    ("0002", {"action": "edit", "comment": "", "name": "SEEN"}, 422, "Enter your comment"),
    ("0001", {"action": "edit", "comment": "My words", "name": "SEEN"}, 409, "only its writer can change it"),
    ("0001", {"action": "answer", "answer": "My words", "name": "old"}, 409, "This comment has changed since"),
    ("0001", {"action": "answer", "answer": "", "name": "SEEN"}, 422, "Enter your reply"),
    ("0001", {"action": "remove", "name": "old"}, 409, "This comment has changed since"),
    ("0001", {"action": "remove"}, 409, "This comment has changed since"),
])  # fmt: skip
def test_a_refused_decision_on_a_published_comment_keeps_every_word(
    david: TestClient, settings: Settings, id: str, form: dict[str, str], status: int, error: str
) -> None:
    before = everything(settings)

    answer = david.post(
        f"/comment/{id}", data={key: value.replace("SEEN", seen(settings, id)) for key, value in form.items()}
    )

    assert answer.status_code == status
    assert error in answer.text
    assert everything(settings) == before
    if "My words" in form.values() and not (id == "0001" and form["action"] == "edit"):
        assert "My words</textarea>" in answer.text


# The log, and one comment


def test_the_log_says_who_decided_what_and_when_and_undoes_it(david: TestClient, settings: Settings) -> None:
    id = send(settings)
    form = {"action": "reject", "name": name_of(settings, id), "reason": "Say more."}
    david.post(f"/comment/{id}", data=form)

    page = david.get("/log").text

    assert "Rejected the comment by <bdi>Tom</bdi>" in page
    assert "“Say more.”" in page
    assert f"{datetime.now(UTC):%Y}, " in page
    assert ", David&nbsp;· " in page
    undone = david.post("/undo", data=hidden(page, "/undo"))
    assert undone.headers["location"].startswith("/log?page=1&done=")
    assert latest(settings, id).state == "waiting"
    assert '"/undo"' not in david.get("/log").text


def test_what_cannot_be_undone_any_more_says_so(david: TestClient, settings: Settings) -> None:
    id = a_published(settings)
    Moderation.open(settings).answer(ARTICLE, id, "Thank you.", who="David", now=datetime.now(UTC))
    before = everything(settings)

    answered = david.post("/undo", data={"sequences": "1"})
    unknown = david.post("/undo", data={"sequences": "999", "back": "/log?page=1"})

    assert (answered.status_code, unknown.status_code) == (409, 409)
    assert "Someone has replied since; remove it instead." in answered.text
    assert "That can’t be undone now: something was decided since." in unknown.text
    assert everything(settings) == before


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/sign-out", "", "/?page=-1"])
def test_the_way_back_leads_nowhere_but_to_the_lists(david: TestClient, settings: Settings, back: str) -> None:
    id = send(settings)

    decided = david.post(f"/comment/{id}", data={"action": "spam", "name": name_of(settings, id), "back": back})

    assert decided.headers["location"] == "/?page=1&done=1"


def test_one_comment_shows_all_that_became_of_it_with_the_same_buttons(david: TestClient, settings: Settings) -> None:
    id = send(settings, body="The first words.")
    change(settings, id, body="The second words.")
    Moderation.open(settings).reject(name_of(settings, id), reason="Say more.", who="David", now=datetime.now(UTC))
    rejected = david.get(f"/comment/{id}").text
    Moderation.open(settings).undo(1, who="David", now=datetime.now(UTC))

    waiting = david.get(f"/comment/{id}").text

    assert "<p>Rejected</p>" in rejected
    assert "Your note to <bdi>Tom</bdi>: “Say more.”" in rejected
    assert 'value="publish"' not in rejected
    assert "<p>Waiting for you</p>" in waiting
    assert "<p>Changed by its writer before you read it</p>" in waiting
    assert "The first words." in waiting
    assert all(f'value="{action}"' in waiting for action in ("publish", "publish and answer", "reject", "spam"))


def test_a_comment_deleted_by_its_writer_shows_none_of_its_words(david: TestClient, settings: Settings) -> None:
    id = send(settings, author="Tom", body="Take this down.")
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.delete(id)

    page = david.get(f"/comment/{id}").text

    assert "<h1>A deleted comment</h1>" in page
    assert "Deleted, words and all" in page
    assert "Take this down." not in page


@pytest.mark.parametrize("id", ["nothing", "*", "0*", "../../etc/passwd", "%00", "0001/..%2f", "🦶"])
def test_a_comment_that_is_not_here_is_a_page_that_says_so(david: TestClient, id: str) -> None:
    for answer in (david.get(f"/comment/{id}"), david.post(f"/comment/{id}", data={"action": "remove", "name": "x"})):
        assert answer.status_code == 404
        assert "is not here." in answer.text


# A writer's deletion


def test_a_deleted_comment_is_off_its_page_at_once(david: TestClient, settings: Settings) -> None:
    id = a_published(settings)
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.delete(id)

    wait_until(lambda: published(settings, id) is None, "the deleted comment is gone")

    assert read(path_of(settings.comments, ARTICLE, id)).removed == "yes"
    assert "Deleted, as its writer asked, the comment by <bdi>a reader</bdi>" in david.get("/log").text


def test_deletions_go_on_after_an_error_that_is_logged_once(
    david: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Moderation, "carry_out_deletions", full)
        id = a_published(settings)
        inbox = Inbox.open(settings)
        with transaction(inbox.connection):
            inbox.delete(id)
        time.sleep(4 * desk.DELETIONS_SECONDS)
        assert published(settings, id)
    wait_until(lambda: published(settings, id) is None, "the deleted comment is gone")

    faults = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert faults == ["A writer's deletion could not be carried out"]


def test_a_deletion_that_fails_holds_up_no_other(
    david: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [a_published(settings, author=f"Reader {number}") for number in range(3)]
    forge(settings, "UPDATE comment SET article = '../..' WHERE id = ?", ids[0])
    forge(settings, "INSERT INTO comment (id, article, deletion) VALUES ('**', CAST(x'ff' AS TEXT), 'delete')")
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        for id in ids:
            inbox.delete(id)

    wait_until(lambda: not any(published(settings, id) for id in ids[1:]), "the deleted comments are gone")


def test_the_tasks_end_with_the_application_even_if_one_did_not_hear(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(context: object) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    monkeypatch.setattr(desk, "follow_press", deaf)
    app = desk.application(settings)

    async def tasks() -> tuple[int, int]:
        async with app.router.lifespan_context(app):
            during = len(asyncio.all_tasks())
        return during, len(asyncio.all_tasks())

    assert asyncio.run(tasks()) == (6, 1)


# Whatever a row holds


@pytest.mark.parametrize(("statement", "values"), FORGERIES, ids=lambda value: str(value)[:60])
def test_no_forged_row_breaks_the_queue_or_runs_anything(
    david: TestClient, settings: Settings, statement: str, values: tuple[object, ...]
) -> None:
    forged = send(settings, author="Mallory")
    forge(settings, statement, *values)
    send(settings, author="Honest")

    for address in ("/", "/published", "/log", f"/comment/{forged}"):
        answer = david.get(address)

        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "<img" not in answer.text
    assert "Honest" in david.get("/").text
    assert "<h1>2 comments to review</h1>" in david.get("/").text


@pytest.mark.parametrize(("statement", "values"), FORGERIES, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("action", ["reject", "spam"])
def test_every_row_that_is_shown_can_be_kept_out(
    david: TestClient, settings: Settings, statement: str, values: tuple[object, ...], action: str
) -> None:
    id = send(settings)
    forge(settings, statement, *values)

    answer = david.post(f"/comment/{id}", data={"action": action, "name": name_of(settings, id)})

    assert answer.status_code == 303
    assert "<h1>All done</h1>" in david.get(answer.headers["location"]).text


@pytest.mark.parametrize("id", ["a.b.c", "../../x", "a/b", '"><script>', "*", "é ?#&", "x" * 500])
def test_a_forged_id_can_be_kept_out(david: TestClient, settings: Settings, id: str) -> None:
    forge(settings, "INSERT INTO comment (id, article) VALUES (?, 'feet')", id)
    forge(settings, "INSERT INTO revision VALUES (?, 1, 'Mallory', 'Hello', x'', '2026-11-22T10:15:00+00:00', '[]', 'waiting', '')", id)  # fmt: skip
    send(settings, author="Honest")

    page = david.get("/").text
    [name] = [
        html.unescape(name) for name in re.findall(r'name="([^"]+)" value="tick"', page) if id in html.unescape(name)
    ]
    answer = david.post("/", data={"action": "spam", name: "tick"})

    assert "<script" not in page
    assert answer.status_code == 303
    assert "<h1>1 comment to review</h1>" in david.get("/").text


def test_two_hundred_revisions_break_nothing(david: TestClient, settings: Settings) -> None:
    id = send(settings)
    for number in range(2, 201):
        forge(settings, "INSERT INTO revision SELECT comment, ?, author, ?, digest, received, held, 'waiting', '' FROM revision WHERE comment = ? AND number = 1", number, f"Words {number}", id)  # fmt: skip

    queue, comment = david.get("/"), david.get(f"/comment/{id}")

    assert (queue.status_code, comment.status_code) == (200, 200)
    assert "<h1>200 comments to review</h1>" in queue.text
    assert "<p>Words 200</p>" in comment.text
    assert "180 older revisions are not shown." in comment.text


def test_a_forged_row_with_the_id_of_a_published_comment_replaces_nothing(
    david: TestClient, settings: Settings
) -> None:
    forge(settings, "INSERT INTO comment (id, article) VALUES ('0002', ?)", ARTICLE)
    forge(settings, "INSERT INTO revision VALUES ('0002', 1, 'David', 'Buy insoles.', x'', '2026-11-22T10:15:00+00:00', '[]', 'waiting', '')")  # fmt: skip
    before = published(settings, "0002")

    page = david.get("/").text
    answer = david.post("/comment/0002", data={"action": "publish", "name": name_of(settings, "0002")})

    assert "A change to a published comment" in page
    assert answer.status_code == 409
    assert (
        "This comment would replace a comment that is not its writer&#39;s; reject it. Nothing was done." in answer.text
    )
    assert published(settings, "0002") == before


def test_a_hostile_name_stays_text_on_every_page(david: TestClient, settings: Settings) -> None:
    id = a_published(settings, author=HOSTILE, body=HOSTILE, reply_to="0001")
    send(settings, author="Ann", reply_to=id)
    change(settings, id, author=HOSTILE * 2, body=HOSTILE * 2)

    for address in ("/", "/published", "/log", f"/comment/{id}", "/?done=1"):
        page = david.get(address).text

        assert HOSTILE.split(">")[0] not in page
        assert "&lt;script&gt;" in page


# Every answer


def test_every_answer_is_private_and_under_a_policy_without_scripts(
    david: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = send(settings)
    answers_ = [
        *(david.get(address) for address in [*PAGES, f"/comment/{id}", "/nothing", "/published/", "/sign-in/x"]),
        david.put("/"),
        david.delete("/comment/0001"),
        david.post("/", data=EMPTY),
        david.post("/", json={}),
        david.post("/", data=EMPTY, headers={"sec-fetch-site": "cross-site"}),
        david.post(f"/comment/{id}", data={"action": "spam", "name": name_of(settings, id)}),
        david.post("/undo", data={"sequences": "1"}),
        david.post("/sign-in", data={"token": "x"}),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(Review, "queue", None)
        answers_.append(david.get("/"))
    answers_ += [david.post("/sign-out", data=EMPTY), david.get("/"), david.get("/nothing")]

    assert {answer.status_code for answer in answers_} == {200, 303, 401, 403, 404, 405, 415, 422, 503}
    for answer in answers_:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; " in policy
        assert "script-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["x-content-type-options"] == "nosniff"
        for style in re.findall("<style>(.*?)</style>", answer.text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"style-src 'sha256-{digest}'" in policy
        assert answer.text.count("<style>") == (0 if answer.status_code == 303 else 1)
        assert "<script" not in answer.text
        assert "style=" not in answer.text


@pytest.mark.parametrize(("request_", "status", "sentence"), [
    ({"json": {}}, 415, "That did not come from a form on this site."),
    ({"files": {"name": b"x"}}, 415, "That did not come from a form on this site."),
    ({"data": {"answer": "x" * 70_000}}, 413, "That is too long."),
    ({"data": {f"f{number}": "" for number in range(50)}}, 400, "more than 40 fields"),
    ({"content": b"action=%ff", "headers": {"content-type": FORM}}, 400, "UTF-8"),
    ({"content": b"name=a&name=b", "headers": {"content-type": FORM}}, 400, "twice"),
    ({"data": {"action": "nothing"}}, 400, "That page is out of date"),
])  # fmt: skip
def test_a_form_that_no_page_of_ours_sends_is_refused_with_a_sentence(
    david: TestClient, settings: Settings, request_: dict[str, Any], status: int, sentence: str
) -> None:
    before = everything(settings)

    answer = david.post("/comment/0001", **request_)

    assert answer.status_code == status
    assert sentence in answer.text
    assert everything(settings) == before


def test_a_fault_of_ours_is_no_500_and_names_nothing(david: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise sqlite3.DatabaseError("file is not a database")

    monkeypatch.setattr(DeskRequest, "page", broken)

    answer = david.get("/")

    assert answer.status_code == 503
    assert "This could not be done just now. Try again in a minute." in answer.text
    assert "not a database" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_damaged_facts_leave_the_last_good_ones_in_use(david: TestClient, settings: Settings) -> None:
    settings.site.write_text("{}")

    assert david.get("/").status_code == 200


def test_the_site_may_not_frame_index_or_navigate_it(david: TestClient) -> None:
    page = david.get("/").text

    assert '<meta name="robots" content="noindex">' in page
    assert 'href="http://' in page or 'href="https://' in page
    assert 'href="/contact/"' not in page
    assert "Ring David" not in page


# In a real browser, without JavaScript


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Settings, str]]:
    """The desk as `python -m postbox desk` serves it, and its address."""
    place = Place(tmp_path_factory.mktemp("desk"))
    place.build()
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = run(place, "postbox", "desk", POSTBOX_DESK_PORT=str(port), POSTBOX_DESK_URL=address)
    try:
        wait_until(lambda: answers(f"{address}/sign-in/x"), "the desk answers")
        yield place, Settings(content=place.folder / "content", var=place.folder / "var"), address
    finally:
        output = end(server, signal.SIGINT)
        assert server.returncode == 0, output


@pytest.fixture
def page(browser: Browser, served: tuple[Place, Settings, str]) -> Iterator[Page]:
    """A phone with JavaScript off, signed in; any policy message fails the test."""
    place, _, address = served
    context = browser.new_context(
        java_script_enabled=False,
        viewport={"width": 360, "height": 640},
        base_url=address,
        has_touch=True,
        reduced_motion="reduce",
    )
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(f"{address}/sign-in/{postbox(place, 'sign-in').strip().rpartition('/')[2]}")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("review|done"))
    yield page
    context.close()
    assert [message for message in messages if "Failed to load resource" not in message] == []


@pytest.fixture
def queued(served: tuple[Place, Settings, str]) -> Iterator[Settings]:
    """A queue with a reply, a comment that is held, and a change; empty again afterwards."""
    settings = served[1]
    changed = a_published(settings, author="Zoë", body="On the *third* step.", ago=60)
    send(settings, author="Tom", body="Thank you.\n\nWhich shoes?", reply_to="0001", ago=20)
    send(settings, author="Mallory", body=f"https://{'x' * 200}.example/", held=["it has 1 link"], ago=10)
    change(settings, changed, author="Zoë", body="On the *second* step.")
    yield settings
    moderation = Moderation.open(settings)
    for item in moderation.review.queue():
        moderation.spam(item.name, who="David", now=datetime.now(UTC))


def test_a_comment_goes_through_the_desk_by_thumb(page: Page, queued: Settings) -> None:
    page.goto("/")
    tom = page.get_by_role("region", name="A reply")
    tom.locator("summary").first.click()
    expect(tom.get_by_role("article", name="Tom")).to_contain_text("in reply to Alexis")
    expect(tom).to_contain_text("I love the feet")
    tom.get_by_text("Publish and reply").first.click()
    tom.get_by_label("Your reply").fill("The flat ones,\n\nTom.")
    tom.get_by_role("button", name="Publish and reply").click()

    status = page.get_by_role("status")
    expect(status).to_contain_text("Published the comment by Tom")
    expect(status).to_contain_text("Published the reply by David")
    page.get_by_role("link", name="Published").click()
    page.get_by_role("region", name="A reply").first.locator("summary").first.click()
    expect(page.get_by_role("article", name="David").first).to_contain_text("in reply to Tom")
    assert {c.body for c in Moderation.open(queued).review.all_published()} >= {
        "The flat ones,\n\nTom.",
        "Thank you.\n\nWhich shoes?",
    }

    mine = page.get_by_role("region", name="A reply").first
    mine.get_by_text("Edit").click()
    mine.get_by_label("Your comment").fill("The wide ones, Tom.")
    mine.get_by_role("button", name="Publish the change").click()
    expect(page.get_by_role("status")).to_contain_text("Changed the comment by David")
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    mine.locator("summary").first.click()
    expect(page.get_by_role("article", name="David").first).to_contain_text("The flat ones")
    mine.get_by_text("Remove").first.click()
    mine.get_by_role("button", name="Remove it from the page").click()
    expect(page.get_by_role("status")).to_contain_text("Removed the comment by")


def test_a_decision_on_words_that_changed_is_refused_and_keeps_the_answer(page: Page, queued: Settings) -> None:
    page.goto("/")
    tom = page.get_by_role("region", name="A reply")
    tom.locator("summary").first.click()
    tom.get_by_text("Publish and reply").first.click()
    tom.get_by_label("Your reply").fill("The flat ones.")
    id = next(waiting.id for waiting in Inbox.open(queued).waiting() if waiting.author == "Tom")
    change(queued, id, author="Tom", reply_to="0001", body="You are all wrong.")

    tom.get_by_role("button", name="Publish and reply").click()

    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("has changed since you read it")
    expect(page.get_by_role("article", name="Tom")).to_contain_text("You are all wrong.")
    expect(page.get_by_label("Your reply")).to_have_value("The flat ones.")
    assert published(queued, id) is None


def test_several_are_decided_at_once_by_keyboard(page: Page, queued: Settings) -> None:
    page.goto("/")
    for tick in page.get_by_role("checkbox").all():
        tick.focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Spam selected").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("All done")
    expect(page.get_by_role("status").get_by_role("listitem")).to_have_count(3)
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("3 comments to review")


def test_a_link_in_a_mail_is_used_by_keyboard_without_a_session(
    browser: Browser, served: tuple[Place, Settings, str], queued: Settings
) -> None:
    item = next(item for item in Moderation.open(queued).review.queue() if item.revision.author == "Tom")
    token = DecisionLinks(Moderation.open(queued).store.key).issue(item.name, datetime.now(UTC))
    page = browser.new_page(java_script_enabled=False, base_url=served[2])
    page.goto(f"/decide/{token}")
    way = []

    def press(name: str, *keys: str) -> None:
        """Go on with the tabulator until a control has the focus, then press keys."""
        while not (focused := page.locator(":focus")).count() or focused.inner_text() != name:
            page.keyboard.press("Tab")
            way.append(name)
            assert len(way) < 60
        for key in keys:
            page.keyboard.press(key)

    press("Publish and reply", "Enter", "Tab", "T", "h", "e", "y", ".", "Tab", "Enter")
    expect(page.get_by_role("status")).to_contain_text("Published the reply by David")
    assert published(queued, item.revision.id)
    page.reload()
    press("Undo", "Enter")
    expect(page.get_by_role("status")).to_contain_text("Undone. Tom’s comment is waiting again")
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_visible()
    assert published(queued, item.revision.id) is None
    assert page.context.cookies() == []
    page.close()


def test_an_error_takes_the_focus_and_leads_to_its_field(page: Page, queued: Settings) -> None:
    page.goto("/")
    tom = page.get_by_role("region", name="A reply")
    tom.locator("summary").first.click()
    tom.get_by_text("Publish and reply").first.click()
    tom.get_by_role("button", name="Publish and reply").click()

    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("link", name="Enter your reply").click()
    expect(page.get_by_label("Your reply")).to_be_focused()


@pytest.mark.parametrize("address", [*PAGES, "/?tick=all", "/sign-in/x", "/nothing"])
def test_no_page_is_wider_than_its_window_and_every_button_fits_a_thumb(
    page: Page, queued: Settings, address: str
) -> None:
    page.goto(address)
    page.locator("summary").evaluate_all("(all) => all.forEach((summary) => { summary.parentElement.open = true })")

    wide = """(parts) => parts.filter((part) => {
      const { left, right } = part.getBoundingClientRect();
      return part.checkVisibility() && (left < 0 && !part.matches(".visually-hidden") || right > innerWidth + 0.5);
    }).map((part) => part.outerHTML)"""
    low = "(all) => all.filter((one) => one.getBoundingClientRect().height < 47.5).map((one) => one.innerText)"
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        assert page.locator("main, main *").evaluate_all(wide) == []
        assert page.locator("button, label.tick, .row summary, .decide summary, .links a").evaluate_all(low) == []
