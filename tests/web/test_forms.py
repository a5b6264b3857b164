"""What both applications ask of a request: a form, of this site, of a bounded size, in UTF-8."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Message

from postbox.web import forms
from postbox.web.forms import PRIVATE, Refused, SameSite, read_form

FORM = "application/x-www-form-urlencoded"


def a_request(*chunks: bytes, content_type: str = FORM, **headers: str) -> Request:
    """Return a posted form that arrives in these pieces."""
    raw = {"host": "feet.example", "content-type": content_type} | {k.replace("_", "-"): v for k, v in headers.items()}
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks] + [{"type": "http.request"}]
    )

    async def receive() -> Message:
        return next(messages)

    scope = {"type": "http", "method": "POST", "headers": [(k.encode(), v.encode()) for k, v in raw.items()]}
    return Request(scope, receive)


def fields(request: Request, *, max_bytes: int = 100, max_fields: int = 5) -> dict[str, str]:
    """Read a form."""
    return asyncio.run(read_form(request, max_bytes=max_bytes, max_fields=max_fields))


def refusal(request: Request, **limits: int) -> tuple[int, str]:
    """Return the status and the sentence of a form that is refused."""
    with pytest.raises(Refused) as refused:
        fields(request, **limits)
    return refused.value.status, str(refused.value)


@pytest.mark.parametrize(
    "content_type", [FORM, f"{FORM};charset=UTF-8", f"{FORM} ; charset=x", FORM.upper(), f" {FORM}"]
)
def test_a_form_is_read_in_whatever_pieces_it_comes(content_type: str) -> None:
    request = a_request(b"na", b"", b"me=Zo%C3%", b"AB&comment=", b"a+b", content_type=content_type)

    assert fields(request) == {"name": "Zoë", "comment": "a b"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", "multipart/form-data; boundary=x"])
def test_what_is_no_form_is_refused(content_type: str) -> None:
    status, sentence = refusal(a_request(b"name=Tom", content_type=content_type))

    assert (status, sentence) == (415, "That did not come from a form on this site. Go back and use the form.")


def test_the_size_is_counted_while_reading_whatever_the_header_says() -> None:
    request = a_request(b"x" * 60, b"x" * 60, b"unread", content_length="1")

    assert refusal(request)[0] == 413

    async def next_piece() -> Message:
        return await request.receive()

    assert asyncio.run(next_piece())["body"] == b"unread"


def test_a_form_of_just_the_max_bytes_is_read() -> None:
    assert fields(a_request(b"n=" + b"x" * 98)) == {"n": "x" * 98}
    assert refusal(a_request(b"n=" + b"x" * 99))[0] == 413


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(b"n=%ff", "not sent as UTF-8"), (b"a=&b=&c=&d=&e=&f=", "more than 5 fields"), (b"a=1&a=2", "a field twice")],
)
def test_a_form_that_cannot_be_read_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    status, found = refusal(a_request(data))

    assert status == 400
    assert sentence in found


def test_a_form_that_breaks_off_is_refused() -> None:
    request = a_request(b"name=To")
    request._receive = _gone

    assert refusal(request) == (400, "Part of the form did not arrive. Go back and send it again.")


def test_a_form_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "BODY_SECONDS", 0.05)
    request = a_request(b"name=To")
    request._receive = _never

    assert refusal(request) == (408, "The form took too long to arrive. Go back and send it again.")


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _gone() -> Message:
    return {"type": "http.disconnect"}


@pytest.mark.parametrize(("headers", "is_ours"), [
    ({}, True),  # no browser; it has no cookie to abuse
    ({"sec-fetch-site": "same-origin"}, True),
    ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
    ({"sec-fetch-site": "same-site"}, False),
    ({"sec-fetch-site": "cross-site"}, False),
    ({"sec-fetch-site": "cross-site", "origin": "https://feet.example"}, False),
    ({"sec-fetch-site": "none"}, False),
    ({"sec-fetch-site": "Same-Origin "}, False),
    ({"origin": "https://feet.example"}, True),
    ({"origin": "http://feet.example"}, True),
    ({"origin": "https://feet.example:8000"}, False),
    ({"origin": "https://feet.example.evil.example"}, False),
    ({"origin": "https://evil.example"}, False),
    ({"origin": "https://evil.example/?feet.example"}, False),
    ({"origin": "null"}, False),
])  # fmt: skip
def test_only_a_page_of_the_same_site_may_post(headers: dict[str, str], is_ours: bool) -> None:
    client = TestClient(guarded(), base_url="https://feet.example")

    assert client.post("/", headers=headers).status_code == (200 if is_ours else 403)
    assert client.put("/", headers=headers).status_code == (200 if is_ours else 403)
    assert client.get("/", headers=headers).status_code == 200


def test_what_programs_post_to_may_be_posted_to_from_anywhere() -> None:
    client = TestClient(guarded(), base_url="https://feet.example")

    assert client.post("/a/stop", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_another_sites_form_is_refused_before_it_is_read() -> None:
    async def never() -> Message:
        raise AssertionError

    answers: list[Message] = []

    async def send(message: Message) -> None:
        answers.append(message)

    headers = [(b"host", b"feet.example"), (b"sec-fetch-site", b"cross-site")]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    asyncio.run(guarded()(scope, never, send))

    assert answers[0]["status"] == 403


def guarded() -> SameSite:
    """Return an application that answers everything, behind the guard."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return Response(str(error), error.status)

    return SameSite(Response("ok"), refused, "/stop")


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=5), st.text(st.characters(codec="latin-1"), max_size=30))
def test_no_bytes_are_more_than_a_refusal(chunks: list[bytes], content_type: str) -> None:
    for kind in (FORM, content_type):
        with suppress(Refused):
            assert all(isinstance(value, str) for value in fields(a_request(*chunks, content_type=kind)).values())


def test_private_pages_are_stored_by_nobody() -> None:
    assert PRIVATE == {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex"}
