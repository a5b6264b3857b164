"""Tokens of private links: made here or nowhere, each for one purpose; and the decision link, for one revision and seven days."""

import re
from datetime import timedelta

import pytest

from postbox.store.tokens import DecisionLink, DecisionLinks, Tokens
from tests.support.store import Clock

KEY = b"k" * 32
NAME = "k3v9tq2mxw7d.0123456789abcdef"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ .\n"


@pytest.fixture
def token(clock: Clock) -> str:
    """A link's token."""
    return DecisionLinks(KEY).issue(NAME, clock())


# A decision link


@pytest.mark.parametrize("name", [NAME, "", "a.b.c.0", "../../x.0", "é ?#&\0\n🦶.0", "x" * 10_000])
def test_a_link_says_what_it_is_for_and_can_stand_in_an_address(clock: Clock, name: str) -> None:
    links = DecisionLinks(KEY)

    token = links.issue(name, clock())

    assert links.read(token, clock()) == DecisionLink(name, is_expired=False)
    assert re.fullmatch(r"[\w.-]+", token, re.ASCII)


def test_a_link_fits_into_a_line_of_a_mail_with_the_desks_address(token: str) -> None:
    assert len(f"https://desk.example.org/decide/{token}") <= 110


@pytest.mark.parametrize(("later", "is_expired"), [
    (timedelta(days=7, seconds=-1), False), (timedelta(days=7), True), (timedelta(days=7, seconds=1), True),
    (timedelta(days=4000), True),
])  # fmt: skip
def test_a_link_ends_at_the_second_and_still_says_what_it_was_for(
    clock: Clock, token: str, later: timedelta, *, is_expired: bool
) -> None:
    assert DecisionLinks(KEY).read(token, clock() + later) == DecisionLink(NAME, is_expired)


def test_no_character_of_a_link_can_be_another_missing_or_one_too_many(clock: Clock, token: str) -> None:
    others = {token[:at] + letter + token[at + 1 :] for at in range(len(token)) for letter in LETTERS}
    others |= {token[:at] + letter + token[at:] for at in range(len(token) + 1) for letter in LETTERS}
    others |= {token[:at] + token[at + 1 :] for at in range(len(token))}
    others |= {token.swapcase(), f"{token}==", f"{token}.{token}"}

    good = [other for other in others if DecisionLinks(KEY).read(other, clock())]

    assert good == [token]


@pytest.mark.parametrize(
    "text", ["", "x", "=", ".", "A" * 28, "A" * 100_000, "é", "é.é", "\ud800", "\0", "../..", "' OR 1=1 --"]
)
def test_whatever_else_is_sent_is_no_link(clock: Clock, text: str) -> None:
    assert DecisionLinks(KEY).read(text, clock()) is None


def test_a_link_is_good_under_no_other_key(clock: Clock, token: str) -> None:
    assert DecisionLinks(b"l" * 32).read(token, clock()) is None


# Any token


@pytest.mark.parametrize(
    "purpose", [(), ("receipt",), ("mail", "tom@reader.example"), ("decision link", ""), ("decision",)]
)
def test_what_the_same_key_signs_for_another_purpose_is_no_link(
    clock: Clock, token: str, purpose: tuple[str, ...]
) -> None:
    signed = token.partition(".")[0]

    forged = Tokens(KEY).sign(signed, *purpose)

    assert Tokens(KEY).read(forged, *purpose) == signed
    assert DecisionLinks(KEY).read(forged, clock()) is None


@pytest.mark.parametrize("other", ["ann@reader.example", "Tom@reader.example", "", "tom@reader.example:"])
def test_a_token_is_good_only_as_long_as_its_words_are_so(other: str) -> None:
    token = Tokens(KEY).sign("k3v9tq2mxw7d", "mail", "tom@reader.example")

    assert Tokens(KEY).read(token, "mail", "tom@reader.example") == "k3v9tq2mxw7d"
    assert Tokens(KEY).read(token, "mail", other) is None
    assert Tokens(KEY).read(token, "mail") is None
