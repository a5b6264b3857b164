"""Addresses: what a mail can be sent to, and nothing that could be more than one or break a header."""

import pytest

from postbox.email_address import is_address, is_host, named


@pytest.mark.parametrize("text", [
    "tom@reader.example", "TOM@Reader.Example", "t.o.m+comments@mail.reader.example", "o'tom_{x}@reader.example",
    "a@b.cd", "tom@xn--bcher-kva.xn--p1ai", "a" * 64 + "@reader.example", "tom@" + "a" * 63 + ".example",
])  # fmt: skip
def test_an_address_is_one(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize("text", [
    "", "tom", "@reader.example", "tom@", "tom@localhost", "tom@127.0.0.1", "tom@[127.0.0.1]", ".tom@reader.example",
    "t..om@reader.example", "tom.@reader.example", "tom@reader..example", "tom@-reader.example",
    "tom@reader.example.", "tom@.example", "tom@reader.1", "tom@reader.e", "tom@reader.example\0",
    "tom@reader_x.example", "tom@@reader.example", "tom @reader.example", "tom@reader.example\n",
    "tom@reader.example\r\nBcc: x@reader.example", "tom@reader.example,ann@reader.example",
    "tom@reader.example;ann@reader.example", "Tom <tom@reader.example>", "<tom@reader.example>",
    '"tom"@reader.example', "tom(x)@reader.example", "töm@reader.example", "tom@réader.example",
    "tom@reader.exampl\u212a", "\u017fom@reader.example", "a" * 65 + "@reader.example",
    "tom@" + "a" * 64 + ".example", "tom@" + "a." * 125 + "example", "a." * 100_000 + "@",
])  # fmt: skip
def test_what_is_not_one_address_is_none(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(("text", "expected"), [
    ("mx.example", True), ("localhost", True), ("a.1", True), ("", False), ("-a", False), ("a b", False),
    ("a/b", False), ("\u212a", False), ("a." * 127 + "a", False),
])  # fmt: skip
def test_a_host_is_the_name_of_a_machine(text: str, expected: bool) -> None:
    assert is_host(text) is expected


@pytest.mark.parametrize(("text", "parts"), [
    ("david@feet.example", ("", "david@feet.example")),
    ("<david@feet.example>", ("", "david@feet.example")),
    ("David <david@feet.example>", ("David", "david@feet.example")),
    ('"David, coach" <david@feet.example>', ("David, coach", "david@feet.example")),
])  # fmt: skip
def test_a_name_and_an_address_are_told_apart(text: str, parts: tuple[str, str]) -> None:
    assert named(text) == parts


@pytest.mark.parametrize("text", [
    "", "David", "David <>", "David <x>", "a@b.example <c@d.example> e", "D\nx <a@b.example>",
    "=?utf-8?q?=0A?= <a@b.example>",
])  # fmt: skip
def test_what_has_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a name and an address"):
        named(text)
