"""Why a comment is held: each rule by itself, in words, and nothing that a plain comment meets."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postbox.public.spam_signals import reasons, skeleton


def held(**facts: Any) -> list[str]:
    """Return why a comment with whatever is suspicious about it is held."""
    plain: dict[str, Any] = {
        "author": "Tom",
        "body": "Hello.",
        "honeypot": "",
        "seconds": 60.0,
        "repeated": 0,
        "site_author": "David",
    }
    return list(reasons(**plain | facts))


@pytest.mark.parametrize("facts", [
    {}, {"seconds": None}, {"seconds": 3},
    {"body": "See https://a.example and www.b.example."},
    {"body": "👩‍🦽 and 🏳️‍🌈 are joined by a character that is not seen"},
    {"author": "नमस्ते‌जी"}, {"author": "Davina"}, {"author": "Dave"}, {"author": "…"},
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
    ({"author": "To\u00adm"}, "it has invisible characters"),
])  # fmt: skip
def test_each_rule_holds_and_says_why(facts: dict[str, Any], reason: str) -> None:
    assert held(**facts) == [reason]


@pytest.mark.parametrize("name", [
    "David", "DAVID", "D a v i d", "David.", "«David»", "David ✓", "David 🦶", "Dávid",
    "Ｄａｖｉｄ",  # wide
    "𝐃𝐚𝐯𝐢𝐝",  # of mathematics
    "Ⓓavid",
    "Dаvіd",  # the second and the fourth are Cyrillic
    "Dανιd",  # Greek
    "ᴅᴀᴠɪᴅ", "Đavid",
    "Davld",  # an l
    "Dav|d", "Dav1d", "Da\u200bvid", "Da\u200cvid", "\u202eDavid", "David\ufe0f", "David\U000e0041",
])  # fmt: skip
def test_a_name_that_looks_like_the_authors_is_held(name: str) -> None:
    assert "its writer’s name looks like David" in held(author=name)


def test_every_reason_there_is_is_given() -> None:
    assert len(held(author="david\u200b", body="www.a www.b www.c", honeypot="x", seconds=1, repeated=2)) == 6


@settings(deadline=None)
@given(st.text(), st.text(), st.text(), st.none() | st.floats(allow_nan=False), st.integers(min_value=0))
def test_no_text_is_too_strange_to_be_sorted(
    author: str, body: str, honeypot: str, seconds: float | None, repeated: int
) -> None:
    for reason in held(author=author, body=body, honeypot=honeypot, seconds=seconds, repeated=repeated):
        assert reason.isprintable()


@settings(deadline=None)
@given(st.lists(st.characters(categories=["Cf", "Cc", "Mn", "Zs", "Po"]), min_size=6, max_size=6))
def test_nothing_unseen_between_the_letters_tells_two_names_apart(between: list[str]) -> None:
    assert skeleton("".join(map("".join, zip(between, " David", strict=True)))) == skeleton("David")
