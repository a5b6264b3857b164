"""The link in a mail to the author: made here or nowhere, for one revision, for seven days, for that purpose."""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import pytest

from postbox.store.tokens import DecisionLink, DecisionLinks
from tests.support.store import Clock

KEY = b"k" * 32
NAME = "k3v9tq2mxw7d.0123456789abcdef"


@pytest.fixture
def token(clock: Clock) -> str:
    """A link's token."""
    return DecisionLinks(KEY).issue(NAME, clock())


@pytest.mark.parametrize("name", [NAME, "", "a.b.c.0", "../../x.0", "é ?#&\0\n🦶.0", "x" * 10_000])
def test_a_link_says_what_it_is_for_and_can_stand_in_an_address(clock: Clock, name: str) -> None:
    links = DecisionLinks(KEY)

    token = links.issue(name, clock())

    assert links.read(token, clock()) == DecisionLink(name, is_expired=False)
    assert re.fullmatch(r"[\w-]+", token, re.ASCII)


def test_a_link_fits_into_a_line_of_a_mail_with_the_desks_address(token: str) -> None:
    assert len(f"https://desk.example.org/decide/{token}") <= 100


@pytest.mark.parametrize(
    ("later", "is_expired"),
    [
        (timedelta(days=7, seconds=-1), False),
        (timedelta(days=7), True),
        (timedelta(days=7, seconds=1), True),
        (timedelta(days=4000), True),
    ],
)
def test_a_link_ends_at_the_second_and_still_says_what_it_was_for(
    clock: Clock, token: str, later: timedelta, *, is_expired: bool
) -> None:
    assert DecisionLinks(KEY).read(token, clock() + later) == DecisionLink(NAME, is_expired)


def test_no_bit_of_a_link_can_be_flipped(clock: Clock, token: str) -> None:
    links, data = DecisionLinks(KEY), urlsafe_b64decode(token + "=" * (-len(token) % 4))

    flipped = [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    tokens = [urlsafe_b64encode(each).decode().rstrip("=") for each in flipped]

    assert len(set(tokens)) == 8 * len(data)
    assert [links.read(each, clock()) for each in tokens] == [None] * len(tokens)


def test_no_other_text_is_read_as_the_same_link(clock: Clock, token: str) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ .\n"
    others = [f"{token[:-1]}{draft}" for draft in letters] + [f"{token}{draft}" for draft in letters]
    others += [token[:-1], token.swapcase(), f"{token}==", f" {token}", f"{token[:9]}\n{token[9:]}"]

    good = [other for other in others if DecisionLinks(KEY).read(other, clock())]

    assert good == [token]


@pytest.mark.parametrize("text", ["", "x", "=", "A" * 28, "A" * 100_000, "é", "\ud800", "\0", "../..", "' OR 1=1 --"])
def test_whatever_else_is_sent_is_no_link(clock: Clock, text: str) -> None:
    assert DecisionLinks(KEY).read(text, clock()) is None


def test_a_link_is_good_under_no_other_key(clock: Clock, token: str) -> None:
    assert DecisionLinks(b"l" * 32).read(token, clock()) is None


def test_what_the_same_key_signs_for_another_purpose_is_no_link(clock: Clock, token: str) -> None:
    signed = urlsafe_b64decode(token + "=" * (-len(token) % 4))[16:]

    for key in (KEY, hmac.digest(KEY, b"another purpose", "sha256")):
        forged = urlsafe_b64encode(hmac.digest(key, signed, "sha256")[:16] + signed).decode().rstrip("=")

        assert DecisionLinks(KEY).read(forged, clock()) is None
