"""The intake: every word kept, every refusal a sentence, nothing published."""

import http.client
import re
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import hypothesis
import pytest
from httpx2 import Response
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.testclient import TestClient

from contract.comment import dumps, path_of
from contract.manifest import dumps as site_dumps
from contract.manifest import load
from contract.reader_markdown import render
from postbox.moderation.service import Moderation
from postbox.public import context as context
from postbox.settings import Settings
from postbox.store.submissions import Inbox
from tests.support.intake import (
    BROKEN,
    FORM,
    TYPE,
    Clock,
    application,
    browser,
    client,
    clock,
    decide,
    running,
    sent,
    started,
)
from tests.support.pages import shown, values
from tests.support.place import ARTICLE, Place, a_comment, a_place
from tests.support.store import NOW, dump, revisions

ON_BOTH_ENGINES = True
__all__ = ["client", "clock", "started"]  # fixtures


KEY = "0123456789abcdef" * 2
Start = Callable[[Settings], Starlette]


def waiting(settings: Settings) -> list[str]:
    """Return the words that wait."""
    return [revision.body for revision in Inbox.open(settings).waiting()]


def comment_html(page: str, id: str) -> str:
    """Return the HTML of one comment in a page."""
    found = re.search(rf'<article class="comment[^>]* id="comment-{id}".*?</article>', page, re.DOTALL)
    assert found
    return found[0]


# A comment


def test_a_comment_is_kept_before_the_answer_and_leads_to_its_receipt(client: TestClient, settings: Settings) -> None:
    answer = client.post("/comments", data=FORM)

    assert answer.status_code == 303
    assert waiting(settings) == ["Hello **you**."]
    receipt = client.get(answer.headers["location"])
    assert "Thank you, <bdi>Tom</bdi>." in receipt.text
    assert "David will read your comment. If he publishes it, it will appear under the article." in receipt.text
    assert "Hello <strong>you</strong>." in receipt.text


@pytest.mark.parametrize(("fields", "error"), [
    ({"name": " "}, '<a href="#name">Enter your name</a>'),
    ({"comment": ""}, '<a href="#comment">Enter your comment</a>'),
    ({"name": "x" * 81}, '<a href="#name">Name must be 80 characters or fewer</a>'),
    ({"comment": "x" * 4001}, '<a href="#comment">Comment must be 4,000 characters or fewer</a>'),
    ({"comment": "🦶" * 2001}, '<a href="#comment">Comment must be 4,000 characters or fewer</a>'),
    ({"comment": "bell\x07"}, "Comment has a character that cannot be shown (U+0007) after “bell”"),
    ({"email": "tom@nowhere"}, '<a href="#email">Enter an email address in the correct format, like name@'),
    ({"email": "a@b.example, c@d.example"}, '<a href="#email">Enter an email address in the correct format'),
    ({"reply_to": "9999"}, "The comment you are replying to is no longer here."),
    ({"reply_to": "../../x"}, "The comment you are replying to is no longer here."),
])  # fmt: skip
def test_a_refused_form_comes_back_with_its_error_and_every_word(
    client: TestClient, settings: Settings, fields: dict[str, str], error: str
) -> None:
    form = FORM | {"comment": "A long thought & more", "email": "", "key": KEY} | fields

    answer = client.post("/comments", data=form)

    assert answer.status_code == 422
    assert error in answer.text
    assert "<title>Error: " in answer.text
    assert values(answer) == {"reply_to": ""} | form | ({"reply_to": ""} if "reply_to" in fields else {})
    assert waiting(settings) == []


def test_what_a_browser_allows_is_taken_and_line_ends_count_as_it_counts_them(
    client: TestClient, settings: Settings
) -> None:
    words = "\r\n".join(["x" * 99] * 40)  # 3,999 characters to a browser, 4,038 as sent

    sent(client, name="🦶" * 40, comment=words)

    assert waiting(settings) == [words.replace("\r\n", "\n")]


@pytest.mark.sqlite
def test_a_comment_whose_answered_one_is_gone_can_be_sent_again_to_the_article(
    client: TestClient, settings: Settings
) -> None:
    answer = client.post("/comments", data=FORM | {"reply_to": "0001"})
    assert answer.status_code == 303
    path_of(settings.comments, ARTICLE, "0002").unlink()

    refused = client.post("/comments", data=FORM | {"reply_to": "0002"})
    again = client.post("/comments", data=values(refused) | {"action": "send"})

    assert refused.status_code == 422
    assert again.status_code == 303
    assert sorted(str(revision.reply_to) for revision in revisions(settings)) == ["0001", "None"]


@pytest.mark.sqlite
@pytest.mark.parametrize(("request_", "status", "sentence"), [
    ({"data": FORM | {"article": "nothing"}}, 404, "That article is not here."),
    ({"data": FORM | {"article": "../articles"}}, 404, "That article is not here."),
    ({"json": FORM}, 415, "did not come from a form on this site"),
    ({"files": {"name": b"Tom"}}, 415, "did not come from a form on this site"),
    ({"data": FORM | {"comment": "x" * 70_000}}, 413, "That is too long."),
    ({"data": {f"f{n}": "" for n in range(21)}}, 400, "more than 20 fields"),
    ({"data": FORM, "headers": {"sec-fetch-site": "cross-site"}}, 403, "another site"),
    ({"data": FORM, "headers": {"sec-fetch-site": "same-site"}}, 403, "another site"),
    ({"data": FORM, "headers": {"origin": "https://evil.example"}}, 403, "another site"),
    ({"data": FORM, "headers": {"origin": "null"}}, 403, "another site"),
])  # fmt: skip
def test_what_no_correction_would_mend_is_refused_with_a_sentence(
    client: TestClient, settings: Settings, request_: dict[str, Any], status: int, sentence: str
) -> None:
    answer = client.post("/comments", **request_)

    assert answer.status_code == status
    assert sentence in answer.text
    assert waiting(settings) == []


@pytest.mark.sqlite
@pytest.mark.parametrize("body", [b"comment=%ff", b"comment=\xff", b"name=a&name=b"])
def test_a_form_that_cannot_be_read_is_refused_and_this_sites_own_is_let_in(client: TestClient, body: bytes) -> None:
    answer = client.post("/comments", content=body, headers=TYPE)
    own = client.post("/comments", data=FORM, headers={"sec-fetch-site": "same-origin", "origin": "null"})

    assert (answer.status_code, own.status_code) == (400, 303)


def test_the_reply_form_shows_what_it_answers(client: TestClient) -> None:
    page = client.get(f"/comments/reply/{ARTICLE}/0001").text

    assert "Reply to Alexis" in page
    assert "I love the feet and totally get what you are saying." in page
    assert '<input type="hidden" name="reply_to" value="0001">' in page


# The preview


MARKDOWN = (
    "Two **paragraphs**.\n\n> and a quote\n\n<script>alert(1)</script> [x](javascript:alert(1)) https://a.example"
)


@pytest.mark.parametrize("reply_to", ["", "0001"])
def test_a_preview_is_what_would_be_published_and_keeps_nothing(
    client: TestClient, settings: Settings, clock: Clock, reply_to: str
) -> None:
    form = FORM | {"comment": MARKDOWN, "reply_to": reply_to, "email": "", "key": KEY}

    answer = client.post("/comments", data=form | {"action": "preview"})

    assert answer.status_code == 200
    assert "<title>Preview: " in answer.text
    preview = comment_html(answer.text, "preview")
    assert render(MARKDOWN) in preview
    assert ("in reply to" in preview) is bool(reply_to)
    assert values(answer) == form
    assert revisions(settings) == []

    receipt = client.get(sent(client, **values(answer)))
    id = revisions(settings)[0].id
    assert comment_html(receipt.text, id) == preview.replace("comment-preview", f"comment-{id}").replace(
        "by-preview", f"by-{id}"
    )


def test_a_preview_of_a_form_with_errors_shows_the_errors(client: TestClient) -> None:
    answer = client.post("/comments", data=FORM | {"name": "", "action": "preview"})

    assert answer.status_code == 422
    assert "Enter your name" in answer.text
    assert 'id="preview"' not in answer.text


def test_what_a_preview_showed_is_what_the_page_shows_once_published(
    place: Place, settings: Settings, client: TestClient, clock: Clock
) -> None:
    preview = client.post("/comments", data=FORM | {"comment": MARKDOWN, "action": "preview"})
    sent(client, comment=MARKDOWN)
    decide(settings, "approve")
    id = revisions(settings)[0].id
    shutil.copytree(settings.comments, place.comments, dirs_exist_ok=True)
    place.build()

    page = comment_html(place.page(f"/articles/{ARTICLE}/"), id)

    without_reply_link = re.sub(r'<p><a class="reply".*?</p>\n', "", page)
    expected = comment_html(preview.text, "preview").replace("comment-preview", f"comment-{id}")
    assert without_reply_link == expected.replace("by-preview", f"by-{id}")


# The same form twice


@pytest.mark.parametrize(("other", "is_same"), [
    ({}, True),  # a reload, or a second press
    ({"headers": {"user-agent": "Two"}}, False), ({"address": "192.0.2.2"}, False),
    *[({"fields": {field: "0001"}}, False) for field in ("name", "comment", "reply_to", "website", "anything")],
    ({"fields": {"a": "x", "ab": "y"}}, False),  # whose list of fields must not run into the first one's
], ids=str)  # fmt: skip
def test_the_same_form_from_the_same_reader_is_one_comment_and_any_other_another(
    started: Start, settings: Settings, other: dict[str, Any], is_same: bool
) -> None:
    app, usual = started(settings), FORM | {"a": "xaby"}
    fields = {"fields": usual} | other
    data = FORM | fields["fields"] if "ab" in fields["fields"] else usual | fields["fields"]
    first = browser(app, "192.0.2.1").post("/comments", data=usual, headers={"user-agent": "One"})

    reader, headers = browser(app, other.get("address", "192.0.2.1")), other.get("headers", {"user-agent": "One"})
    second = reader.post("/comments", data=data, headers=headers)

    assert (first.headers["location"] == second.headers["location"]) is is_same
    assert len(waiting(settings)) == 2 - is_same


def test_without_a_key_a_form_is_the_same_for_ten_minutes(started: Start, settings: Settings, clock: Clock) -> None:
    client = browser(started(settings))
    first = sent(client)

    clock.now = NOW + timedelta(minutes=9, seconds=59)
    assert sent(client) == first
    clock.now = NOW + timedelta(minutes=10, seconds=1)
    assert sent(client) != first


def test_a_key_gives_the_same_receipt_after_a_lost_answer_wherever_it_comes_from(
    started: Start, settings: Settings, clock: Clock
) -> None:
    app = started(settings)
    first = sent(browser(app, "192.0.2.1"), key=KEY, seconds="60")

    clock.now = NOW + timedelta(days=30)
    again = browser(app, "2001:db8::1").post(
        "/comments", data=FORM | {"key": KEY, "seconds": "70"}, headers={"user-agent": "another"}
    )

    assert again.headers["location"] == first
    assert len(revisions(settings)) == 1


def test_a_key_with_other_words_is_another_comment(client: TestClient, settings: Settings) -> None:
    assert sent(client, key=KEY) != sent(client, key=KEY, comment="Other words.")
    assert sent(client, key=KEY) != sent(client, key=KEY[::-1])
    assert len(revisions(settings)) == 3


@pytest.mark.parametrize("key", ["", "0", KEY[:-1], KEY + "0", KEY.upper(), KEY + "\n", "x" * 32])
def test_a_key_that_the_script_does_not_make_is_none(started: Start, settings: Settings, key: str) -> None:
    app = started(settings)

    assert sent(browser(app, "192.0.2.1"), key=key) != sent(browser(app, "192.0.2.2"), key=key)


# Spam is sorted, never refused


@pytest.mark.parametrize(("fields", "reason"), [
    ({"website": "https://spam.example"}, "a field that people do not see was filled in"),
    ({"seconds": "2"}, "it was sent within 3 seconds of opening the form"),
    ({"comment": "https://a https://b https://c"}, "it has 3 links"),
    ({"name": "Dаvіd"}, "its writer’s name looks like David"),
    ({"name": "David"}, "its writer’s name looks like David"),
    ({"comment": "Bel\u200blow"}, "it has invisible characters"),
    ({"comment": "\u202egnihton"}, "it has invisible characters"),
])  # fmt: skip
def test_what_looks_like_spam_is_kept_and_held_with_its_reason(
    client: TestClient, settings: Settings, clock: Clock, fields: dict[str, str], reason: str
) -> None:
    sent(client)

    receipt = client.get(sent(client, **({"comment": "Plain."} | fields)))

    plain, held = Inbox.open(settings).waiting()
    assert plain.held == ()
    assert held.held == (reason,)
    assert "David will read your comment." in receipt.text
    assert reason not in receipt.text


def test_words_that_came_before_are_held_whoever_sends_them(started: Start, settings: Settings, clock: Clock) -> None:
    app = started(settings)
    for number in range(3):
        sent(browser(app, f"192.0.{number}.1"), comment=f"Buy{' ' * number} my SHOES" if number else "buy my shoes")
    clock.now = NOW + timedelta(days=2)
    sent(browser(app, "192.0.9.1"), comment="Buy my shoes")

    assert sorted(held for revision in revisions(settings) for held in revision.held) == [
        "the same words came 2 times before",
        "the same words came before",
    ]


def test_a_form_that_was_open_for_a_while_is_plain(client: TestClient, settings: Settings, clock: Clock) -> None:
    for seconds in ("3", "", "soon", "9" * 13, "-1"):
        sent(client, comment=f"Open for {seconds}", seconds=seconds)

    assert [revision.held for revision in revisions(settings)] == [()] * 5


# How often


@pytest.mark.sqlite
@pytest.mark.parametrize(("neighbour", "stranger"), [
    (("192.0.2.1", "192.0.2.200"), "192.0.3.1"),
    (("2001:db8:1::1", "2001:db8:1:ffff::2"), "2001:db8:2::1"),
    (("192.0.2.1", "::ffff:192.0.2.9"), "::ffff:192.0.3.9"),
    (("::ffff:192.0.2.9", "::ffff:192.0.2.10"), "192.0.3.1"),
])  # fmt: skip
def test_a_network_that_posts_too_often_waits_with_its_words_and_no_other_does(
    started: Start, settings: Settings, clock: Clock, neighbour: tuple[str, str], stranger: str
) -> None:
    app = started(replace(settings, rate_sender=2, rate_seconds=600))
    one, other = (browser(app, address) for address in neighbour)
    sent(one, comment="One.")
    sent(other, comment="Two.")

    refused = one.post("/comments", data=FORM | {"comment": "Three.", "key": KEY})

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "300"
    assert "Your words are still in the box. Try again in 5 minutes" in refused.text
    assert values(refused)["comment"] == "Three."
    assert values(refused)["key"] == KEY
    sent(browser(app, stranger), comment="Four.")
    clock.now = NOW + timedelta(seconds=300)
    sent(other, comment="Three.")
    assert len(waiting(settings)) == 4


@pytest.mark.sqlite
def test_all_together_may_post_only_so_often(started: Start, settings: Settings, clock: Clock) -> None:
    app = started(replace(settings, rate_overall=3, rate_seconds=30))
    for number in range(3):
        sent(browser(app, f"192.0.{number}.1"))

    refused = browser(app, "192.0.9.1").post("/comments", data=FORM)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    assert "Try again in a minute" in refused.text
    assert values(refused)["comment"] == FORM["comment"]


@pytest.mark.sqlite
def test_a_change_too_many_waits_with_its_words(started: Start, settings: Settings, clock: Clock) -> None:
    client = browser(started(replace(settings, rate_sender=1)))
    receipt = sent(client)

    refused = client.post(receipt, data={"name": "Tom", "comment": "Better."})

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "600"
    assert values(refused)["comment"] == "Better."
    assert waiting(settings) == ["Hello **you**."]


def test_reading_is_no_posting_and_has_a_rate_of_its_own(started: Start, settings: Settings, clock: Clock) -> None:
    app = started(replace(settings, rate_sender=1, rate_reads=5, rate_seconds=600))
    client, receipt = browser(app), sent(browser(app))
    pages = (receipt, f"{receipt}/kept.json", f"/comments/reply/{ARTICLE}/0001", "/comments/mail/x", receipt)

    answers = [client.get(address).status_code for address in pages]
    refused = [client.get(address) for address in (*pages, "/comments/message/x")]
    elsewhere = browser(app, "192.0.9.1").get(receipt)

    assert answers == [200] * len(pages)
    assert {(page.status_code, page.headers["retry-after"]) for page in refused} == {(429, "120")}
    assert "Nothing of yours is lost. Try again in a minute." in refused[0].text
    assert elsewhere.status_code == 200
    assert client.get("/healthz").status_code == 200


def test_a_page_that_takes_long_to_draw_holds_up_nobody_who_posts_and_is_drawn_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing, posted, texts = threading.Event(), threading.Event(), []

    def slow(text: str) -> Markup:
        drawing.set()
        texts.append(text)
        posted.wait(30)
        return Markup("slow")

    monkeypatch.setattr(context, "reader_html", slow)
    with browser(application(settings)) as client, ThreadPoolExecutor() as threads:
        receipt = sent(client, comment="[" * 4000)
        reading = [threads.submit(client.get, receipt) for _ in range(3)]
        assert drawing.wait(30)
        sent(client, comment="Meanwhile.")
        is_read = [page.done() for page in reading]
        posted.set()
        pages = [page.result(30).status_code for page in reading]

    assert (is_read, pages) == ([False] * 3, [200] * 3)
    assert texts == ["[" * 4000]


# Closed


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site with an article that closed after a day, one that its header closes and one that is open."""
    place = Place(tmp_path_factory.mktemp("closed"))
    place.article("old", Date="2026-11-20")
    place.comment(a_comment(id="old1", article="old"))
    place.article("shut", Comments="closed", Date="2026-11-22")
    place.article("fresh", Date="2026-11-22")
    place.comment(a_comment(id="shut1", article="shut"))
    place.comment(a_comment(id="fresh1", article="fresh"))
    place.build(CLOSE_AFTER_DAYS=1, NOW=datetime(2026, 11, 22, 12, tzinfo=UTC))
    return place


@pytest.mark.parametrize(("article", "id"), [("old", "old1"), ("shut", "shut1")])
def test_a_closed_conversation_is_shown_closed_and_takes_nothing_but_keeps_the_words(
    started: Start, closed: Place, tmp_path: Path, clock: Clock, article: str, id: str
) -> None:
    settings = a_place(closed, tmp_path)
    client = browser(started(settings))
    page = closed.page(f"/articles/{article}/")

    answer = client.post("/comments", data=FORM | {"article": article, "comment": "My <long> thought"})
    reply = client.get(f"/comments/reply/{article}/{id}")

    assert "This conversation is closed." in page
    assert "<form" not in page
    assert "Reply to" not in page
    assert answer.status_code == 422
    assert "This conversation is closed" in answer.text
    assert "<form" not in answer.text
    assert values(answer) == {"comment": "My <long> thought"}
    assert "This conversation is closed." in reply.text
    assert "<form" not in reply.text
    assert revisions(settings) == []


def test_a_conversation_closes_by_itself_when_its_days_are_over(
    started: Start, closed: Place, tmp_path: Path, clock: Clock
) -> None:
    settings = a_place(closed, tmp_path)
    client = browser(started(settings))
    assert "<form" in closed.page("/articles/fresh/")

    sent(client, article="fresh")
    clock.now = NOW + timedelta(days=1)
    answer = client.post("/comments", data=FORM | {"article": "fresh", "comment": "Too late."})

    assert answer.status_code == 422
    assert waiting(settings) == ["Hello **you**."]


def test_a_comment_can_be_changed_and_deleted_after_its_conversation_closed(
    started: Start, closed: Place, tmp_path: Path, clock: Clock
) -> None:
    settings = a_place(closed, tmp_path)
    client = browser(started(settings))
    receipt = sent(client, article="fresh")
    clock.now = NOW + timedelta(days=9)

    assert client.post(receipt, data={"name": "Tom", "comment": "Better."}).status_code == 303
    assert waiting(settings) == ["Better."]
    assert client.post(receipt, data={"action": "delete"}).status_code == 303
    assert waiting(settings) == []


# The receipt


def test_a_receipt_says_in_every_state_what_became_of_the_comment(client: TestClient, settings: Settings) -> None:
    receipt = sent(client)
    assert "Thank you, Tom. David will read your comment. If he publishes it" in shown(client.get(receipt))

    decide(settings, "approve")
    page = client.get(receipt)
    assert "Thank you, Tom. Your comment is published under the article." in shown(page)
    id = revisions(settings)[0].id
    assert f'<a href="/articles/{ARTICLE}/#comment-{id}">published under the article</a>' in page.text

    client.post(receipt, data={"name": "Tom", "comment": "Better."})
    page = client.get(receipt)
    assert "David will read your change. Until he publishes it, your comment stays as it was." in shown(page)
    assert "Better." in comment_html(page.text, id)

    decide(settings, "approve")
    assert "Your comment is published under the article." in shown(client.get(receipt))

    moderator = Moderation.open(settings)
    comment = moderator.review.find(id)
    assert comment
    moderator.remove(ARTICLE, id, seen=moderator.review.seen(comment), who="David", now=NOW)
    page = client.get(receipt)
    assert "Your comment was removed from its page." in shown(page)
    assert "Save changes" not in page.text

    client.post(receipt, data={"action": "delete"})
    page = client.get(receipt)
    assert "Your comment is deleted." in shown(page)
    assert "Better." not in page.text
    assert "<form" not in page.text


@pytest.mark.parametrize(("decision", "more", "words"), [
    ("reject", {}, "David has decided not to publish your comment."),
    ("reject", {"reason": "Please leave <names> out."}, "David has decided not to publish your comment. He writes: Please leave <names> out. You can change your comment below and send it again."),
    ("spam", {}, "David has decided not to publish your comment."),
])  # fmt: skip
def test_a_rejected_comment_says_so_with_the_reason_if_one_was_given(
    client: TestClient, settings: Settings, decision: str, more: dict[str, str], words: str
) -> None:
    receipt = sent(client)

    decide(settings, decision, **more)

    page = client.get(receipt)
    assert f"{words} Tom" in shown(page)
    assert "spam" not in page.text.partition("<main")[2].lower()
    assert "Save changes" not in page.text


def test_spam_reads_to_its_writer_like_any_rejection(client: TestClient, settings: Settings, clock: Clock) -> None:
    pages: list[str] = []
    for decision in ("spam", "reject"):
        receipt = sent(client, comment="Hello.", name="Tom", n=decision)
        decide(settings, decision)
        token = receipt.split("/")[-1]
        texts = [client.get(address).text for address in (receipt, f"{receipt}/kept.json")]
        pages += [text.replace(token, "TOKEN").replace(token.split(".")[0], "ID") for text in texts]
        client.post(receipt, data={"action": "delete"})  # or the next would be held for the same words

    assert pages[:2] == pages[2:]


@pytest.mark.parametrize("decision", ["reject", "spam"])
def test_a_rejected_change_leaves_the_comment_and_says_so(
    client: TestClient, settings: Settings, decision: str
) -> None:
    receipt = sent(client)
    decide(settings, "approve")
    client.post(receipt, data={"name": "Tom", "comment": "Worse."})

    decide(settings, decision)

    page = client.get(receipt)
    assert "David has decided not to publish your change. Your comment stays as it was." in shown(page)
    assert client.post(receipt, data={"action": "delete"}).status_code == 303
    Moderation.open(settings).carry_out_deletions(now=NOW)
    assert Moderation.open(settings).review.find(revisions(settings)[0].id) is None


def test_a_reply_shows_on_its_receipt_whom_it_answers(client: TestClient) -> None:
    page = client.get(sent(client, reply_to="0001"))

    assert "in reply to Alexis" in shown(page)


def test_every_receipt_is_its_own_and_none_can_be_guessed(client: TestClient) -> None:
    mine, other = sent(client, name="Tom"), sent(client, name="Ann")
    my_id, my_mac = mine.rpartition("/")[2].split(".")
    other_id, other_mac = other.rpartition("/")[2].split(".")
    guesses = [
        *[f"{my_id}.{other_mac}", f"{other_id}.{my_mac}", f"{my_id}.{'0' * 22}", f"{my_id}.{my_mac[:-1]}"],
        *[f"{my_id}.{my_mac}0", f"{my_id}.{my_mac.swapcase()}", f"{my_id.upper()}.{my_mac}", f"{my_id}", f"{my_id}."],
        *[f".{my_mac}", f"0001.{my_mac}", f"{my_id}.{my_mac} ", f"{my_id}.{my_mac}%00", f"{my_id}%2e{my_mac}%2f"],
        *[".", "%F0%9F%A6%B6.x"],
    ]

    for guess in guesses:
        answers = [client.get(f"/comments/receipt/{guess}"), client.post(f"/comments/receipt/{guess}", data=FORM)]
        assert [answer.status_code for answer in answers] == [404, 404], guess
        assert "Tom" not in answers[0].text
    assert "Thank you, Tom" in shown(client.get(mine))


@pytest.mark.sqlite
def test_receipts_outlive_their_conversation(client: TestClient, settings: Settings) -> None:
    receipt = sent(client)
    settings.site.write_text(site_dumps(replace(load(settings.site), conversations={})), "utf-8")

    page = client.get(receipt)
    changed = client.post(receipt, data={"name": "Tom", "comment": "Better."})
    posted = client.post("/comments", data=FORM | {"comment": "More."})

    assert page.status_code == 200
    assert '<a href="/">Back to the article</a>' in page.text
    assert changed.status_code == 303
    assert posted.status_code == 404
    assert waiting(settings) == ["Better."]


# A change


def test_a_change_waits_and_the_same_words_again_are_one_change(client: TestClient, settings: Settings) -> None:
    receipt = sent(client)

    for _ in range(3):
        answer = client.post(receipt, data={"name": "Tom", "comment": "Better."})
        assert (answer.status_code, answer.headers["location"]) == (303, receipt)

    assert [(r.number, r.body, r.state) for r in revisions(settings)] == [
        (1, "Hello **you**.", "replaced"),
        (2, "Better.", "waiting"),
    ]


def test_a_change_with_errors_or_to_be_seen_first_comes_back_with_every_word(
    client: TestClient, settings: Settings
) -> None:
    receipt = sent(client, reply_to="0001")
    wrong, better = {"name": "", "comment": "Better & more."}, {"name": "Tom", "comment": "*Better*."}

    refused = client.post(receipt, data=wrong | {"action": "change"})
    preview = client.post(receipt, data=better | {"action": "preview"})

    assert (refused.status_code, preview.status_code) == (422, 200)
    assert "<title>Error: " in refused.text
    assert '<a href="#name">Enter your name</a>' in refused.text
    assert "<em>Better</em>" in comment_html(preview.text, "preview")
    assert "in reply to" in comment_html(preview.text, "preview")
    assert (values(refused), values(preview)) == (wrong, better)
    assert len(revisions(settings)) == 1


def test_a_change_cannot_move_a_comment_to_another_article_or_parent(client: TestClient, settings: Settings) -> None:
    receipt, elsewhere = sent(client), {"article": "shut", "reply_to": "0001", "id": "0001"}

    client.post(receipt, data={"name": "Tom", "comment": "Better."} | elsewhere)

    assert {(r.article, r.reply_to) for r in revisions(settings)} == {(ARTICLE, None)}


@pytest.mark.parametrize("decision", ["reject", "spam", "delete"])
def test_a_change_of_what_was_decided_against_is_refused_and_its_words_shown(
    client: TestClient, settings: Settings, decision: str
) -> None:
    receipt = sent(client)
    if decision == "delete":
        client.post(receipt, data={"action": "delete"})
    else:
        decide(settings, decision)

    answer = client.post(receipt, data={"name": "Tom", "comment": "My long & better words."})

    assert answer.status_code == 409
    assert "You can’t change this comment any more." in answer.text
    assert values(answer) == {"comment": "My long & better words."}
    assert [revision.number for revision in revisions(settings)] == [1]


@pytest.mark.parametrize(("name", "comment", "held"), [
    ("Thomas", FORM["comment"], ()),  # the same words, which are no repetition
    ("David", "Bel\u200blow", ("its writer’s name looks like David", "it has invisible characters")),
])  # fmt: skip
def test_a_change_is_held_for_the_same_reasons(
    client: TestClient, settings: Settings, name: str, comment: str, held: tuple[str, ...]
) -> None:
    client.post(sent(client), data={"name": name, "comment": comment})

    assert [(r.author, r.held) for r in Inbox.open(settings).waiting()] == [(name, held)]


# A deletion


@pytest.mark.sqlite
@pytest.mark.parametrize("decision", ["none", "approve", "reject", "spam"])
def test_a_deletion_takes_the_words_out_of_every_file_at_once(
    client: TestClient, settings: Settings, decision: str
) -> None:
    receipt = sent(client, name="Secretname", comment="Secretwords.")
    if decision != "none":
        decide(settings, decision)
    assert "Delete for good" in client.get(receipt).text

    answer = client.post(receipt, data={"action": "delete"})

    assert (answer.status_code, answer.headers["location"]) == (303, receipt)
    assert "Your comment is deleted." in client.get(receipt).text
    assert Inbox.open(settings).deletion_requests() == [revisions(settings)[0].id]
    assert [(r.author, r.body, r.held, r.reason, r.state) for r in revisions(settings)] == [("", "", (), "", "deleted")]
    dump = "\n".join(Inbox.open(settings).connection.iterdump())
    assert "Secret" not in dump
    Moderation.open(settings).carry_out_deletions(now=NOW)
    folder = settings.var.parent
    assert b"Secret" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_deleting_twice_is_deleting_once_and_another_sites_form_deletes_nothing(
    client: TestClient, settings: Settings
) -> None:
    receipt = sent(client)

    foreign = client.post(receipt, data={"action": "delete"}, headers={"sec-fetch-site": "cross-site"})
    assert (foreign.status_code, waiting(settings)) == (403, ["Hello **you**."])
    client.post(receipt, data={"action": "delete"})
    Moderation.open(settings).carry_out_deletions(now=NOW)
    again = client.post(receipt, data={"action": "delete"})

    assert again.status_code == 303
    assert Inbox.open(settings).deletion_requests() == []


# Whatever is asked


@pytest.mark.parametrize("address", [
    "/comments/reply/big-toe-and-glutes/9999", "/comments/reply/nothing/0001",
    "/comments/reply/..%2f..%2farticles/0001", "/comments/receipt/abcd-00", "/comments/receipt/%F0%9F%A6%B6",
    "/comments/", "/elsewhere",
])  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(client: TestClient, address: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 404
    assert "<h1>That" in answer.text


def test_a_hostile_name_stays_text_wherever_it_is_shown(client: TestClient, settings: Settings) -> None:
    hostile = "<script>alert(1)</script>\"'>"
    path_of(settings.comments, ARTICLE, "evil").write_text(dumps(a_comment(id="evil", author=hostile)), "utf-8")

    receipt = client.get(
        client.post("/comments", data=FORM | {"name": hostile, "comment": hostile}).headers["location"]
    )
    form = client.post("/comments", data=FORM | {"name": hostile, "comment": "", "key": hostile, "seconds": hostile})
    reply = client.get("/comments/reply/big-toe-and-glutes/evil")

    for page in (receipt, form, reply):
        assert "<script>alert" not in page.text


HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'sha256-",
    "strict-transport-security": "max-age=", "x-content-type-options": "nosniff", "referrer-policy": "same-origin",
    "permissions-policy": "camera=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store", "x-robots-tag": "noindex",
}  # fmt: skip


def assert_private(answer: Response) -> None:
    """Every answer is under the one policy, and nobody stores it."""
    for name, value in HEADERS.items():
        assert answer.headers[name].startswith(value), (answer.status_code, name)
    assert "set-cookie" not in answer.headers


def test_every_answer_of_whatever_status_is_private_and_under_the_one_policy(
    started: Start, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(started(replace(settings, rate_sender=9)))
    receipt = sent(client)
    answers = [
        client.post("/comments", data=FORM),  # 303
        client.post(receipt, data={"name": "Tom", "comment": "Better."}),  # 303
        client.get(receipt),
        client.get(f"/comments/reply/{ARTICLE}/0001"),
        client.post("/comments", data=FORM | {"action": "preview"}),
        client.post("/comments", content=b"\xff", headers=TYPE),  # 400
        client.post("/comments", data=FORM, headers={"sec-fetch-site": "cross-site"}),  # 403
        client.get("/elsewhere"),
        client.get("/comments/"),
        client.get("/comments"),  # 405
        client.put(receipt),  # 405
        client.post("/comments", data={"x": "x" * 70_000}),  # 413
        client.post("/comments", json={}),  # 415
        client.post("/comments", data=FORM | {"name": ""}),  # 422
        client.post(receipt, data={"action": "delete"}),
        client.post(receipt, data={"name": "Tom", "comment": "Best."}),  # 409
    ]
    monkeypatch.setattr(Inbox, "add", lambda *_: 1 / 0)
    answers.append(client.post("/comments", data=FORM | {"comment": "x"}))  # 503
    answers += [client.post("/comments", data=FORM) for _ in range(4)]  # 429

    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 303, 400, 403, 404, 405, 409, 413, 415, 422, 429, 503}
    for answer in answers:
        assert_private(answer)
        if answer.status_code == 405:
            assert answer.headers["allow"] in ("POST", "GET, HEAD", "HEAD, GET")


def test_a_full_disk_keeps_the_words_in_the_form(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    receipt = sent(client)
    monkeypatch.setattr(Inbox, "add", full)
    monkeypatch.setattr(Inbox, "change", full)
    answer = client.post("/comments", data=FORM | {"key": KEY})
    changed = client.post(receipt, data={"name": "Tom", "comment": "Better."})

    assert answer.status_code == changed.status_code == 503
    assert "Your comment could not be sent. It is still in the box." in answer.text
    assert "ring David on 07504 439555" in answer.text
    assert values(answer)["comment"] == "Hello **you**."
    assert values(answer)["key"] == KEY
    assert values(changed)["comment"] == "Better."


@pytest.mark.sqlite
def test_a_fault_of_ours_is_no_500_and_names_nothing(client: TestClient, settings: Settings) -> None:
    settings.site.write_text("{}")

    with browser(application(settings)) as reader:
        answer = reader.post("/comments", data=FORM)

    assert answer.status_code == 503
    assert "Traceback" not in answer.text
    assert str(settings.var) not in answer.text


def test_a_build_that_is_half_written_leaves_the_last_good_facts_in_use(client: TestClient, settings: Settings) -> None:
    sent(client)
    settings.site.write_text(settings.site.read_text("utf-8")[:-10], "utf-8")
    assert client.get(f"/comments/reply/{ARTICLE}/0001").status_code == 200
    settings.site.unlink()

    sent(client, comment="More.")


@pytest.mark.sqlite
def test_the_intake_writes_nowhere_but_into_its_inbox(client: TestClient, shipped: Place, settings: Settings) -> None:
    folders = [settings.var.parent, shipped.folder]
    before = [_files(folder) for folder in folders]

    receipt = sent(client)
    client.post(receipt, data={"name": "Tom", "comment": "Better."})
    client.post(receipt, data={"action": "delete"})

    mine, theirs = (dict(_files(f).items() - b.items()) for f, b in zip(folders, before, strict=True))
    assert mine
    assert all(path.startswith("var/inbox/") for path in mine)
    assert theirs == {}


def _files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_what_only_asks_changes_nothing(client: TestClient, settings: Settings, method: str) -> None:
    receipt = sent(client)
    before = dump(settings)

    for address in ("/comments", receipt, f"/comments/reply/{ARTICLE}/0001"):
        for action in ("send", "change", "delete", "preview"):
            fields = FORM | {"action": action, "comment": "Other."}
            answer = client.request(method, f"{address}?{urlencode(fields)}", data=fields)
            assert answer.status_code in (200, 405)

    assert dump(settings) == before


def test_a_head_is_answered_like_a_get_without_its_body(client: TestClient) -> None:
    receipt = sent(client)

    head, get = client.head(receipt), client.get(receipt)

    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(get.headers)


# Fuzz


@pytest.fixture(scope="module")
def fuzzed(shipped: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Settings, str]]:
    """An intake without a rate limit whose every unexpected error fails the test, and a receipt of it."""
    settings = replace(
        a_place(shipped, tmp_path_factory.mktemp("fuzzed")), rate_sender=10**9, rate_overall=10**9, rate_reads=10**9
    )
    with TestClient(application(settings), follow_redirects=False) as client:
        yield client, settings, sent(client)


TEXT = st.text(max_size=30) | st.sampled_from(
    ["0001", "../0001", ARTICLE, "delete", "preview", KEY, "1" * 12, "\0", "é"]
)
FIELDS = st.dictionaries(
    st.sampled_from(["article", "reply_to", "name", "comment", "key", "seconds", "website", "action", ""]) | TEXT,
    TEXT,
    max_size=12,
)
BODIES = (
    st.binary(max_size=200)
    | FIELDS.map(lambda fields: urlencode(FORM | fields, errors="surrogatepass").encode())
    | FIELDS.map(lambda fields: urlencode(fields, errors="surrogatepass").encode())
)
HEADER = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=30).map(
    lambda text: text.encode("latin-1")
)
HEADER_NAMES = [
    *["content-type", "host", "origin", "sec-fetch-site", "user-agent", "x-forwarded-for", "cookie"],
    *["accept", "range", "if-none-match", "forwarded", "referer", "accept-encoding"],
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]


@hypothesis.settings(deadline=None, max_examples=250)
@given(
    st.sampled_from(METHODS),
    st.sampled_from(["/comments", "RECEIPT", "/comments/receipt/{}", "/comments/reply/{}/{}", "/{}", "/comments/{}"]),
    TEXT,
    st.dictionaries(st.sampled_from(HEADER_NAMES), HEADER, max_size=3),
    BODIES,
    st.booleans(),
)
def test_nothing_that_is_sent_is_an_error_of_ours(
    fuzzed: tuple[TestClient, Settings, str],
    method: str,
    route: str,
    part: str,
    headers: dict[str, bytes],
    body: bytes,
    is_form: bool,
) -> None:
    client, settings, receipt = fuzzed
    address = receipt if route == "RECEIPT" else route.replace("{}", quote(part, errors="surrogatepass", safe=""))
    sent_headers = {name.encode(): value for name, value in headers.items()}
    if is_form:
        sent_headers[b"content-type"] = TYPE["content-type"].encode()
    before = len(revisions(settings))

    answer = client.request(method, f"http://testserver{address}", content=body, headers=sent_headers)

    assert answer.status_code < 500
    assert "Traceback" not in answer.text
    assert_private(answer)
    if method != "POST" or answer.status_code != 303:
        assert len(revisions(settings)) == before


@hypothesis.settings(deadline=None, max_examples=150)
@given(FIELDS)
def test_what_goes_through_the_form_reads_back_on_its_receipt(
    fuzzed: tuple[TestClient, Settings, str], fields: dict[str, str]
) -> None:
    client, settings, _ = fuzzed
    data = urlencode(FORM | fields | {"article": ARTICLE}, errors="surrogatepass").encode()

    answer = client.post("/comments", content=data, headers=TYPE)

    if answer.status_code == 303:
        page = client.get(answer.headers["location"])
        id = answer.headers["location"].rpartition("/")[2].partition(".")[0]
        [*_, latest] = Inbox.open(settings).revisions(id)
        assert page.status_code == 200
        assert values(page) == {"name": latest.author, "comment": latest.body}
        assert comment_html(page.text, id)


# As a process of its own


def post(port: int, *, source: str = "127.0.0.1", headers: dict[str, str] | None = None, **fields: str) -> int:
    """Post a comment from an address of this machine; return the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    try:
        connection.request("POST", "/comments", urlencode(FORM | fields), TYPE | (headers or {}))
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.sqlite
@pytest.mark.parametrize("proxy", ["", "192.0.2.1", "127.9.9.9,192.0.2.0/24"])
def test_the_word_of_anyone_for_anothers_address_is_not_believed(settings: Settings, proxy: str) -> None:
    with running(replace(settings, rate_sender=1, proxy=proxy)) as (_, port):
        first = post(port, headers={"X-Forwarded-For": "198.51.100.1"})
        others = [
            post(port, headers={name: f"203.0.113.{number}"}, comment=f"{number}")
            for number, name in enumerate(["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"])
        ]
        elsewhere = post(port, source="127.0.1.1")

    assert first == 303
    assert others == [429] * 4
    assert elsewhere == 303


@pytest.mark.sqlite
def test_the_word_of_the_proxy_that_is_named_is_believed_and_only_its_own(settings: Settings) -> None:
    with running(replace(settings, rate_sender=1, proxy="127.0.0.1")) as (_, port):
        assert post(port, headers={"X-Forwarded-For": "198.51.100.1"}) == 303
        assert post(port, headers={"X-Forwarded-For": "198.51.100.9"}) == 429
        assert post(port, headers={"X-Forwarded-For": "203.0.113.1"}) == 303
        # What a reader claims stands to the left of what the proxy saw.
        assert post(port, headers={"X-Forwarded-For": "192.0.2.77, 203.0.113.1"}) == 429
        assert post(port, headers={"X-Forwarded-For": "2001:db8::1"}) == 303
        assert post(port, headers={"X-Forwarded-For": "::ffff:203.0.113.9"}) == 429
        assert post(port, source="127.0.1.1", headers={"X-Forwarded-For": "192.0.2.1"}) == 303
        assert post(port, source="127.0.1.1", headers={"X-Forwarded-For": "192.0.3.1"}) == 429


@pytest.mark.sqlite
def test_no_bytes_on_the_wire_are_an_error_of_ours_or_end_it(settings: Settings) -> None:
    with running(settings) as (process, port):
        for data in BROKEN * 2:
            with socket.create_connection(("127.0.0.1", port), timeout=0.5) as wire, suppress(OSError):
                wire.sendall(data)
                wire.shutdown(socket.SHUT_WR)
                status = wire.recv(65536)[:13]
                assert not status or status.startswith((b"HTTP/1.1 1", b"HTTP/1.1 4")), (data[:100], status)
        assert post(port) == 303
        process.terminate()
        _, errors = process.communicate(timeout=10)

    assert b"Traceback" not in errors
    assert len(revisions(settings)) == 1


@pytest.mark.sqlite
@pytest.mark.parametrize(("method", "address", "status", "words"), [
    ("POST", "/comments", 404, "That article is not here."),
    ("GET", "/comments/receipt/none", 404, "That link doesn’t work"),
    ("GET", "/nowhere", 404, "That page is not here."),
    ("POST", "/comments/mail/none", 400, "That page is out of date. Go back, reload it"),
    ("GET", "/comments/mail/none", 503, "This could not be done just now."),
])  # fmt: skip
def test_without_a_theme_the_answer_is_a_sentence(
    settings: Settings, method: str, address: str, status: int, words: str
) -> None:
    bare = replace(settings, theme=settings.var / "no-theme")

    with browser(application(bare)) as client:
        answer = client.request(method, address, data={"name": "Tom"} if method == "POST" else None)

    assert answer.status_code == status
    assert words in answer.text
    assert answer.headers["cache-control"] == "no-store"
