"""The intake: every word kept, every refusal a sentence, nothing published."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from postbox import intake
from postbox.inbox import Inbox
from postbox.settings import Settings
from tests.conftest import Place, a_comment

FORM = {"article": "big-toe-and-glutes", "name": "Tom", "comment": "Hello **you**."}


@pytest.fixture
def settings(place: Place) -> Settings:
    """Settings of a built copy of the site."""
    place.build()
    return Settings(content=place.folder / "content", theme=place.folder / "theme", var=place.folder / "var")


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A browser without JavaScript that follows no redirect."""
    with TestClient(intake.application(settings), follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


def waiting(settings: Settings) -> list[str]:
    """Return the words that wait."""
    return [revision.body for revision in Inbox(settings.inbox).waiting()]


def test_a_comment_is_kept_before_the_answer_and_leads_to_its_receipt(client: TestClient, settings: Settings) -> None:
    answer = client.post("/comments", data=FORM)

    assert answer.status_code == 303
    assert waiting(settings) == ["Hello **you**."]
    receipt = client.get(answer.headers["location"])
    assert "Thank you, <bdi>Tom</bdi>." in receipt.text
    assert "David will read your comment. If he publishes it, it will appear under the article." in receipt.text
    assert "Hello <strong>you</strong>." in receipt.text


def test_a_reload_or_a_second_press_posts_nothing_twice(client: TestClient, settings: Settings) -> None:
    first = client.post("/comments", data=FORM)
    second = client.post("/comments", data=FORM)

    assert first.headers["location"] == second.headers["location"]
    assert len(waiting(settings)) == 1


def test_another_browser_with_the_same_words_gets_a_receipt_of_its_own(client: TestClient) -> None:
    first = client.post("/comments", data=FORM, headers={"user-agent": "One"})
    second = client.post("/comments", data=FORM, headers={"user-agent": "Two"})

    assert first.headers["location"] != second.headers["location"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": " "}, '<a href="#name">Enter your name</a>'),
        ({"comment": ""}, '<a href="#comment">Enter your comment</a>'),
        ({"name": "x" * 81}, '<a href="#name">Name must be 80 characters or fewer</a>'),
        ({"comment": "x" * 4001}, '<a href="#comment">Comment must be 4,000 characters or fewer</a>'),
        ({"comment": "bell\x07"}, "Comment has a character that cannot be shown (U+0007) after “bell”"),
        ({"reply_to": "9999"}, "The comment that you answer is gone."),
        ({"reply_to": "../../x"}, "The comment that you answer is gone."),
    ],
)
def test_a_refused_form_comes_back_with_its_error_and_every_word(
    client: TestClient, settings: Settings, fields: dict[str, str], error: str
) -> None:
    sent = FORM | {"comment": "A long thought & more"} | fields

    answer = client.post("/comments", data=sent)

    assert answer.status_code == 422
    assert error in answer.text
    assert "<title>Error: " in answer.text
    assert f'value="{sent["name"]}"' in answer.text
    assert sent["comment"].replace("&", "&amp;") in answer.text
    assert waiting(settings) == []


@pytest.mark.parametrize(
    ("request_", "status", "sentence"),
    [
        ({"data": FORM | {"article": "nothing"}}, 404, "That article is not here."),
        ({"json": FORM}, 415, "Comments are sent by the form under an article."),
        ({"files": {"name": b"Tom"}}, 415, "Comments are sent by the form under an article."),
        ({"data": FORM | {"comment": "x" * 70_000}}, 413, "That is too long."),
        ({"data": {f"f{n}": "" for n in range(21)}}, 400, "more than 20 fields"),
        ({"data": FORM, "headers": {"sec-fetch-site": "cross-site"}}, 403, "another site"),
        ({"data": FORM, "headers": {"sec-fetch-site": "same-site"}}, 403, "another site"),
        ({"data": FORM, "headers": {"origin": "https://evil.example"}}, 403, "another site"),
        ({"data": FORM, "headers": {"origin": "null"}}, 403, "another site"),
    ],
)
def test_what_no_correction_would_mend_is_refused_with_a_sentence(
    client: TestClient, settings: Settings, request_: dict[str, Any], status: int, sentence: str
) -> None:
    answer = client.post("/comments", **request_)

    assert answer.status_code == status
    assert sentence in answer.text
    assert waiting(settings) == []


@pytest.mark.parametrize("body", [b"comment=%ff", b"comment=\xff", b"name=a&name=b"])
def test_a_form_that_cannot_be_read_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/comments", content=body, headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.status_code == 400


def test_this_sites_own_form_is_let_in(client: TestClient) -> None:
    answer = client.post("/comments", data=FORM, headers={"sec-fetch-site": "same-origin", "origin": "null"})

    assert answer.status_code == 303


def test_the_reply_form_shows_what_it_answers(client: TestClient) -> None:
    page = client.get("/comments/reply/big-toe-and-glutes/0001").text

    assert "Reply to Alexis" in page
    assert "I love the feet and totally get what you are saying." in page
    assert '<input type="hidden" name="reply_to" value="0001">' in page


@pytest.mark.parametrize(
    "address",
    [
        "/comments/reply/big-toe-and-glutes/9999",
        "/comments/reply/nothing/0001",
        "/comments/reply/..%2f..%2farticles/0001",
        "/comments/receipt/abcd-00",
        "/comments/receipt/%F0%9F%A6%B6",
        "/elsewhere",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(client: TestClient, address: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 404
    assert "<h1>That" in answer.text


def test_a_hostile_name_stays_text_wherever_it_is_shown(client: TestClient, place: Place) -> None:
    hostile = "<script>alert(1)</script>\"'>"
    place.comment(a_comment(id="evil", author=hostile))

    receipt = client.get(
        client.post("/comments", data=FORM | {"name": hostile, "comment": hostile}).headers["location"]
    )
    form = client.post("/comments", data=FORM | {"name": hostile, "comment": ""})
    reply = client.get("/comments/reply/big-toe-and-glutes/evil")

    for page in (receipt, form, reply):
        assert "<script>alert" not in page.text


def test_every_answer_is_private_and_under_the_one_policy(client: TestClient, settings: Settings) -> None:
    sent = client.post("/comments", data=FORM)
    answers = [sent, client.get(sent.headers["location"]), client.post("/comments", data={}), client.get("/elsewhere")]

    for answer in answers:
        assert "default-src 'none'; style-src 'sha256-" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-robots-tag"] == "noindex"


def test_a_full_disk_keeps_the_words_in_the_form(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Inbox, "add", full)
    answer = client.post("/comments", data=FORM)

    assert answer.status_code == 503
    assert "Your comment could not be sent. It is still in the box." in answer.text
    assert "ring David on 07504 439555" in answer.text
    assert "Hello **you**." in answer.text


def test_a_fault_of_ours_is_no_500_and_names_nothing(client: TestClient, settings: Settings) -> None:
    settings.site.write_text("{}")

    answer = client.post("/comments", data=FORM)

    assert answer.status_code == 503
    assert "Traceback" not in answer.text


def test_the_intake_writes_nowhere_but_into_its_inbox(client: TestClient, place: Place) -> None:
    before = _files(place.folder)

    client.post("/comments", data=FORM)

    changed = {path for path, stamp in _files(place.folder).items() if before.get(path) != stamp}
    assert changed
    assert all(path.startswith("var/inbox/") for path in changed)


def _files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
