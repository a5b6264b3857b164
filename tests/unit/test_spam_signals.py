"""Why a comment is held: each rule by itself, in words, and nothing that a plain comment meets."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postbox.public.spam_signals import reasons
from tests.support.facts import a_site


def held(**facts: Any) -> list[str]:
    """Return why a comment with whatever is suspicious about it is held."""
    plain: dict[str, Any] = {
        "author": "Tom",
        "body": "Hello.",
        "honeypot": "",
        "seconds": 60.0,
        "repeated": 0,
        "site": a_site(author="David", name="Happy feet", trading_name="Foot & Co", language="en-GB"),
    }
    return list(reasons(**plain | facts))


@pytest.mark.parametrize("facts", [
    {}, {"seconds": None}, {"seconds": 3},
    {"body": "See https://a.example and www.b.example."},
    {"body": "👩‍🦽 and 🏳️‍🌈 are joined by a character that is not seen"},
    {"author": "नमस्ते‌जी"}, {"author": "Davina"}, {"author": "Dave"}, {"author": "…"}, {"author": "To\u00adm"},
])  # fmt: skip
def test_a_plain_comment_is_not_held(facts: dict[str, Any]) -> None:
    assert held(**facts) == []


@pytest.mark.parametrize(("facts", "reason"), [
    ({"honeypot": "https://spam.example"}, "a field that people do not see was filled in"),
    ({"honeypot": " "}, "a field that people do not see was filled in"),
    ({"seconds": 2.9}, "it was sent within 3 seconds of opening the form"),
    ({"seconds": 0}, "it was sent within 3 seconds of opening the form"),
    ({"seconds": -3600}, "it was sent within 3 seconds of opening the form"),
    ({"body": "http://a www.b HTTPS://c"}, "it has 3 links"),
    ({"body": "[a](mailto:a@b.example) <https://b.example> https://c.example www.d.example"}, "it has 4 links"),
    ({"repeated": 1}, "the same words came before"),
    ({"repeated": 7}, "the same words came 7 times before"),
    ({"body": "Bel\u200blow"}, "it has invisible characters"),
    ({"body": "\u202egnihton\u202c"}, "it has invisible characters"),
    ({"author": "T\u2060om"}, "it has invisible characters"),
    ({"author": "David"}, "its writer’s name looks like David"),
    ({"author": "Happy Feet!"}, "its writer’s name looks like Happy feet"), ({"author": "FOOT CO"}, "its writer’s name looks like Foot & Co"),
    ({"author": "The author"}, "its writer’s name claims to speak for the site"),
])  # fmt: skip
def test_each_rule_holds_and_says_why(facts: dict[str, Any], reason: str) -> None:
    assert held(**facts) == [reason]


def test_every_reason_there_is_is_given() -> None:
    assert len(held(author="david\u2060", body="www.a www.b www.c", honeypot="x", seconds=1, repeated=2)) == 6


@settings(deadline=None)
@given(st.text(), st.text(), st.text(), st.none() | st.floats(allow_nan=False), st.integers(min_value=0))
def test_no_text_is_too_strange_to_be_sorted(
    author: str, body: str, honeypot: str, seconds: float | None, repeated: int
) -> None:
    for reason in held(author=author, body=body, honeypot=honeypot, seconds=seconds, repeated=repeated):
        assert reason.isprintable()
