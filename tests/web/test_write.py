"""Writing at the desk without JavaScript: every refusal gives every word back, and no file changes but by Publish."""

import asyncio
import html
import os
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import brotli
import pytest
from httpx2 import Response
from PIL import Image
from starlette.requests import Request
from starlette.testclient import TestClient

from contract.manifest import STATUS_FILE, BuildStatus
from postbox.settings import Settings
from postbox.web import uploads
from postbox.writing import publisher
from postbox.writing.publisher import Proof, Publisher
from postbox.writing.texts import Texts
from tests.support.desk import a_client, signed_in
from tests.support.process import wait_until

KEY = "articles/shoes"
FILE = b"Title: Shoes\r\nX-Own: mine\r\nid: shoes\r\nSlug: shoes\r\nDate: 2026-11-20\r\nSummary: In short.\r\n\r\nSome words."


@pytest.fixture
def author(settings: Settings) -> Iterator[TestClient]:
    """A browser that is signed in, beside one published article."""
    (settings.content / "articles").mkdir()
    (settings.content / f"{KEY}.md").write_bytes(FILE)
    with a_client(settings) as client:
        yield signed_in(client, settings)


def form(page: str) -> dict[str, str]:
    """Return what the form of a text would send."""
    fields = dict(
        re.findall(
            r'<input (?:type="hidden" |id="\w+" |type="datetime-local" )+name="(\w+)"[^>]*? value="([^"]*)"', page
        )
    )
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert found
    return {name: html.unescape(value) for name, value in fields.items()} | {"text": html.unescape(found[1])}


def send(author: TestClient, action: str = "save", key: str = KEY, picture: bytes = b"", **fields: Any) -> Response:
    """Send the form of a text as a browser does, with some fields changed."""
    shown = form(author.get(f"/write/{key}").text) | {"action": action} | fields
    return author.post(f"/write/{key}", data=shown, files={"picture": ("a.jpg", picture)})


def a_photograph(kind: str = "JPEG", **options: Any) -> bytes:
    made = BytesIO()
    Image.new("RGB", (40, 30), "tan").save(made, kind, **options)
    return made.getvalue()


def words_are_in(answer: Response, *words: str) -> bool:
    return all(word in html.unescape(answer.text) for word in words)


def test_a_text_that_is_opened_and_saved_leaves_no_copy_and_its_file_as_it_was(
    author: TestClient, settings: Settings
) -> None:
    assert send(author).status_code == 303
    assert send(author, "publish").headers["location"].endswith("flash=same")

    assert Texts(settings.content, settings.desk).working(KEY) is None
    assert (settings.content / f"{KEY}.md").read_bytes() == FILE


HUGE = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03"
    + b"\x01\x22\x00" * 3
)
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "a text that is too long": ({"text": "long words " * 18_200}, 422, "200,000 is the most"),
    "an address that is none": ({"slug": "Big Toe/.."}, 422, "small letters, digits and single hyphens"),
    "an hour that no clock shows": ({"when": "2027-03-28T01:30"}, 422, "There is no 01:30 on 28 March 2027 in London"),
    "a time that is none": ({"when": "soon"}, 422, "like 2026-12-01T07:00"),
    "an empty title": ({"title": "", "action": "publish"}, 422, "Give it a title."),
    "an empty summary": ({"summary": "", "action": "look"}, 422, "Write one sentence for under the title."),
    "no words": ({"text": "\n", "action": "publish"}, 422, "Write some words."),
    "a picture without words": ({"picture": a_photograph()}, 422, "Say what the picture shows"),
    "a picture of Apple's": ({"picture": b"\x00\x00\x00\x18ftypheic", "alt": "A foot"}, 422, "Most compatible"),
    "no picture": ({"picture": b"GIF89a", "alt": "A foot"}, 422, "a JPEG, PNG or WebP"),
    "a picture of half a header": ({"picture": a_photograph()[:12], "alt": "A foot"}, 422, "a JPEG, PNG or WebP"),
    "too many pixels": ({"picture": HUGE, "alt": "A foot"}, 422, "50 is the most"),
    "too many bytes": ({"picture": a_photograph() + bytes(26 << 20), "alt": "A foot"}, 422, "more than 25 MB"),
    "a press that does not run": ({"action": "look"}, 409, "the part that makes the pages does not run"),
    "another device": ({"number": "7"}, 409, "changed elsewhere meanwhile"),
    "a change in an editor": ({"base": "0" * 64}, 409, "changed elsewhere meanwhile"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "status", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_why_and_gives_every_word_back(
    author: TestClient, settings: Settings, fields: dict[str, Any], status: int, told: str
) -> None:
    typed = {"title": "Shoes & socks", "summary": "Typed <b>.", "text": "\nMine.\n", "alt": ""} | fields

    answer = send(author, **typed)

    assert (answer.status_code, words_are_in(answer, told, 'role="alert"')) == (status, True)
    shown = form(answer.text)
    assert {name: shown[name] for name in ("title", "summary", "text", "alt")} == {
        name: typed[name] for name in ("title", "summary", "text", "alt")
    }
    assert (settings.content / f"{KEY}.md").read_bytes() == FILE
    assert not list((settings.content / "images").glob("*"))


def a_part(name: str, value: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)


def a_body(text: bytes = b"An hour's work.", *after: bytes) -> bytes:
    """Return a form of a text as a browser sends it."""
    parts = [a_part("title", b"Shoes & socks"), a_part("text", text), a_part("action", b"publish"), *after]
    return b"".join(parts) + b"--x--\r\n"


A_FILE = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n%b\r\n'
LONG = b"long words \xe2\x80\x99 " * (3 << 16)
# What is sent, by whom: the status, what is told, and how its words come back.
UNSAVED: dict[str, tuple[bytes, dict[str, str], int, str, str]] = {
    "out": (a_body(), {"cookie": ""}, 401, "You’ve been signed out", "An hour's work."),
    "out, with a picture": (a_body(b"Mine.", A_FILE % bytes(3 << 20)), {"cookie": ""}, 401, "signed out", "Mine."),
    "of another site": (a_body(), {"sec-fetch-site": "cross-site"}, 403, "a page that isn’t the desk’s", "An hour's work."),
    "of another site, as a script": (
        a_body(), {"sec-fetch-site": "cross-site", "accept": "application/json"}, 403, "nothing of it was saved", "An hour's work."),
    "words that are too long": (a_body(LONG), {}, 413, "longer than 2 MB", LONG[: (2 << 20) - 13].decode("utf-8", "ignore")),
    "a picture before words, far too large": (
        a_body(b"Mine.", A_FILE % bytes(70 << 20), a_part("summary", b"Behind.")), {}, 422, "more than 25 MB", "Mine."),
    "cut off": (a_body()[:-60], {}, 400, "did not arrive whole", "An hour's work."),
    "no UTF-8": (a_body(b"An h\xffur."), {}, 400, "did not arrive as they were typed", "An h\ufffdur."),
    "too many fields": (a_body(b"Mine.", *[a_part("x", b"")] * 40), {}, 400, "more than 40 fields", "Mine."),
    "too many files": (a_body(b"Mine.", *[A_FILE % b""] * 40), {}, 400, "more than 40 fields", "Mine."),
}  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "status", "told", "text"), UNSAVED.values(), ids=UNSAVED)
def test_words_that_cannot_be_taken_come_back_in_a_form_and_are_kept_nowhere(
    author: TestClient, settings: Settings, body: bytes, headers: dict[str, str], status: int, told: str, text: str
) -> None:
    answer = author.post(
        f"/write/{KEY}", content=body, headers={"content-type": "multipart/form-data; boundary=x"} | headers
    )

    assert (answer.status_code, words_are_in(answer, told, "Shoes & socks", 'role="alert"')) == (status, True)
    assert form(answer.text)["text"] == text
    assert Texts(settings.content, settings.desk).all_working() == []
    assert (settings.content / f"{KEY}.md").read_bytes() == FILE


def test_a_form_that_takes_too_long_gives_back_what_arrived(
    author: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "BODY_SECONDS", 0.05)

    async def slowly(_: Request) -> AsyncIterator[bytes]:
        yield a_body()[:-30]
        await asyncio.sleep(5)

    monkeypatch.setattr(Request, "stream", slowly)

    answer = author.post(f"/write/{KEY}", headers={"content-type": "multipart/form-data; boundary=x"})

    assert (answer.status_code, words_are_in(answer, "took too long to arrive")) == (408, True)
    assert form(answer.text)["text"] == "An hour's work."


def test_a_text_changed_in_an_editor_is_not_published_over(author: TestClient, settings: Settings) -> None:
    file, elsewhere = settings.content / f"{KEY}.md", FILE.replace(b"Some words.", b"In an editor.")
    send(author, text="Mine.")
    file.write_bytes(elsewhere)

    answer = send(author, "publish")

    assert answer.status_code == 409
    assert words_are_in(answer, "Mine.", "In an editor.", "Keep mine", "Take the other")
    assert file.read_bytes() == elsewhere
    assert send(author, "theirs").status_code == 303
    assert form(author.get(f"/write/{KEY}").text)["text"] == "In an editor."
    assert [one.data for one in Texts(settings.content, settings.desk).versions(KEY)] == [
        FILE.replace(b"Some words.", b"Mine.")
    ]


def test_two_devices_that_save_at_once_do_not_overwrite_each_other(author: TestClient, settings: Settings) -> None:
    shown = form(author.get(f"/write/{KEY}").text)
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda n: (
                    author.post(f"/write/{KEY}", data=shown | {"text": f"Device {n}.", "action": "save"}).status_code
                ),
                range(4),
            )
        )

    assert sorted(answers) == [303, 409, 409, 409]


def test_words_that_another_device_saves_while_the_proof_is_drawn_are_still_to_be_published(
    author: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = author.post("/write", data={"kind": "articles"}).headers["location"].removeprefix("/write/")
    settings.site.with_name(STATUS_FILE).write_text(BuildStatus(watching=True).dumps(), "utf-8")
    monkeypatch.setattr(publisher, "LIVE_SECONDS", 0.05)

    def prove(of: Publisher, final: str, data: bytes) -> Proof:
        send(author, key=key, title="Other toes", text="Mine, and more.")
        return Proof("0" * 64, "articles/toes/index.html")

    monkeypatch.setattr(Publisher, "prove", prove)
    send(author, "publish", key=key, title="Toes", summary="In short.", text="Mine.")

    file = settings.content / "articles/toes.md"
    assert b"\n\nMine." in file.read_bytes()
    shown = form(author.get("/write/articles/toes").text)
    assert (shown["text"], shown["slug"]) == ("Mine, and more.", "toes")
    send(author, "publish", key="articles/toes")
    assert b"\n\nMine, and more." in file.read_bytes()


def test_what_cannot_be_undone_any_more_shows_the_text_as_it_is(author: TestClient) -> None:
    answer = author.post(f"/write/{KEY}", data={"action": "undo", "version": "7"})

    assert (answer.status_code, words_are_in(answer, "so it cannot be undone here")) == (409, True)
    assert form(answer.text)["text"] == "Some words."


def test_words_come_back_whatever_fails(author: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError

    monkeypatch.setattr(Texts, "save", broken)

    answer = send(author, text="An hour's work.")

    assert (answer.status_code, words_are_in(answer, "You had written", "An hour's work.")) == (503, True)


def test_the_script_is_small(author: TestClient) -> None:
    assert len(brotli.compress(author.get("/write.js").content)) <= 4096


@pytest.mark.parametrize("action", ["take off", "delete"])
def test_an_unfinished_copy_is_not_lost_where_its_text_goes_off_the_site(
    author: TestClient, settings: Settings, action: str
) -> None:
    answer = send(author, action, text="Unfinished.")

    assert words_are_in(
        author.get(answer.headers["location"]),
        "Deleted." if action == "delete" else "It goes out when the part that makes the pages runs again.",
    )
    file = settings.content / f"{KEY}.md"
    assert (b"\r\nStatus: draft\r\n" in file.read_bytes()) if action == "take off" else not file.exists()
    texts = Texts(settings.content, settings.desk)
    kept = [one.data for one in texts.all_working()] + [one.data for one in texts.versions(KEY)]
    assert any(b"Unfinished." in data for data in kept)
    if action == "delete":
        author.post(f"/write/{KEY}", data={"action": "restore"})
        assert file.read_bytes() == FILE


def test_a_text_that_was_never_published_is_thrown_away_taken_back_and_deleted_for_good(
    author: TestClient, settings: Settings
) -> None:
    key = author.post("/write", data={"kind": "articles"}).headers["location"].removeprefix("/write/")
    send(author, key=key, title="Begun", text="Some words.")

    send(author, "discard", key=key)

    assert words_are_in(author.get("/write"), "Begun", "Thrown away")
    assert "Some words." not in author.get(f"/write/{key}").text
    author.post(f"/write/{key}", data={"action": "restore"})
    assert form(author.get(f"/write/{key}").text)["text"] == "Some words."
    send(author, "discard", key=key)
    author.post(f"/write/{key}", data={"action": "delete for good"})
    texts = Texts(settings.content, settings.desk)
    assert (texts.working(key), texts.versions(key)) == (None, [])
    assert "Begun" not in author.get("/write").text


def test_a_page_of_a_text_reads_no_other_text_twice(author: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    key = author.post("/write", data={"kind": "articles"}).headers["location"]
    author.get(key)
    monkeypatch.setattr(Texts, "file", lambda _, key: b"" if "/new-" in key else pytest.fail(f"{key} was read"))

    assert words_are_in(author.get(key), "Shoes", "Put the link into the text")


def test_what_is_published_while_no_press_runs_goes_out_later(author: TestClient, settings: Settings) -> None:
    answer = send(author, "publish", text="Mine.")

    assert words_are_in(
        author.get(answer.headers["location"]), "Published. It goes out when the part that makes the pages runs again."
    )
    assert (settings.content / f"{KEY}.md").read_bytes() == FILE.replace(b"Some words.", b"Mine.")
    assert Texts(settings.content, settings.desk).pending()[KEY].old == FILE


def test_what_was_written_since_stays_where_the_press_refuses_later(author: TestClient, settings: Settings) -> None:
    send(author, "publish", text="Mine.")
    send(author, text="Mine, and more.")

    told = BuildStatus(failed=datetime.now(UTC).isoformat(timespec="microseconds"), faults=[f"content/{KEY}.md:9: no"])
    settings.site.with_name(STATUS_FILE).write_text(told.dumps(), "utf-8")

    wait_until(lambda: (settings.content / f"{KEY}.md").read_bytes() == FILE, "the old bytes are back")
    wait_until(lambda: not Texts(settings.content, settings.desk).pending(), "that is settled")
    assert form(author.get(f"/write/{KEY}").text)["text"] == "Mine, and more."
    assert send(author, text="Mine, and more still.").status_code == 303


def test_what_the_press_has_shown_is_what_a_later_change_falls_back_to(author: TestClient, settings: Settings) -> None:
    file, texts, told = (
        settings.content / f"{KEY}.md",
        Texts(settings.content, settings.desk),
        [BuildStatus(watching=True)],
    )
    both = Publisher(texts, settings.proofs, lambda: told[0])
    first, second = FILE.replace(b"Some", b"My"), FILE.replace(b"Some", b"No")
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(both.publish, KEY, first, "published")
        wait_until(lambda: file.read_bytes() == first, "the first is written")
        between = datetime.now(UTC).isoformat(timespec="microseconds")
        two = pool.submit(both.publish, KEY, second, "published")
        wait_until(lambda: file.read_bytes() == second, "the second is written")

        told[0] = BuildStatus(watching=True, built=between, finished=between)
        assert one.result(10).state == "live"
        assert [row.old for row in texts.pending().values()] == [first]
        after = datetime.now(UTC).isoformat(timespec="microseconds")
        told[0] = BuildStatus(watching=True, failed=after, faults=[f"content/{KEY}.md:9: no"])

        assert two.result(10).state == "back"
    assert (file.read_bytes(), texts.pending()) == (first, {})


def test_a_text_that_is_linked_stays_until_the_link_is_gone(author: TestClient, settings: Settings) -> None:
    linker = settings.content / "articles/linker.md"
    linker.write_bytes(
        FILE.replace(b"Title: Shoes", b"Title: Linker").replace(b"Some words.", b"[x]({filename}/articles/shoes.md)")
    )

    answer = send(author, "delete")

    assert (answer.status_code, words_are_in(answer, "This is linked from “Linker”.")) == (409, True)
    assert (settings.content / f"{KEY}.md").read_bytes() == FILE
    linker.unlink()
    assert send(author, "delete").status_code == 303


@pytest.mark.parametrize(
    "key", ["articles/../../x", "comments/a", "articles/.hidden", "articles/link", "articles/pipe", "articles/nothing"]
)
def test_no_address_reaches_a_file_that_is_no_text(author: TestClient, settings: Settings, key: str) -> None:
    (settings.content / "articles/link.md").symlink_to(settings.desk / "key")
    os.mkfifo(settings.content / "articles/pipe.md")

    shown = author.get(f"/write/{key.replace('..', '%2e%2e')}")
    sent = author.post(f"/write/{key.replace('..', '%2e%2e')}", data={"title": "x", "text": "x", "action": "save"})

    assert shown.status_code in (401, 404, 409)
    assert "key" not in shown.text.replace("keyboard", "") or shown.status_code != 200
    assert sent.status_code != 500
    assert author.get("/write").status_code == 200


def test_only_pages_for_writing_may_have_a_script_and_none_is_kept_by_others(author: TestClient) -> None:
    policies = {
        path: author.get(path).headers["content-security-policy"]
        for path in ("/write", f"/write/{KEY}", "/", "/details")
    }

    assert ["script-src 'self'" in policy for policy in policies.values()] == [True, True, False, False]
    assert all("default-src 'none'" in policy for policy in policies.values())
    assert author.get(f"/write/{KEY}").headers["cache-control"] == "private, no-cache"


def test_a_picture_lies_under_a_name_of_its_own_and_is_never_written_over(
    author: TestClient, settings: Settings
) -> None:
    send(author, picture=a_photograph(), alt="A [foot]", text="Before.\n\n[picture]\n\nAfter.")

    [image] = (settings.content / "images").iterdir()
    text = form(author.get(f"/write/{KEY}").text)["text"]
    assert re.fullmatch(rf"Before\.\n\n!\[A \(foot\)\]\(\{{static\}}/images/{image.name}\)\n\nAfter\.", text)
    assert image.read_bytes() == a_photograph()
    image.write_bytes(b"mine")
    send(author, picture=a_photograph(), alt="Again")
    assert image.read_bytes() == b"mine"
