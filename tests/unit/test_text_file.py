"""Files of texts: what is not touched stays byte for byte, whatever an editor or its owner put there."""

import re
import string
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbox.writing.text_file import TEXT_BYTES, TextError, edited, read

ENDS = st.sampled_from(["\n", "\r\n", "\r"])
WORDS = st.text(st.sampled_from([*string.ascii_letters, *" \t:;-*#<>{}[]()|\\\xa0\u2028\x85\x0cé😀"]), max_size=20)
LINES = st.one_of(
    WORDS, st.sampled_from(["", " ", "<div class=x>", "![a]({static}/images/a.png)", "Title: in the text", "---"])
)
KEYS = st.permutations(["Title", "SUMMARY", "slug", "X-Own", "Id", "date"])


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """Return a file with a header, and the lines of its text without their ends."""
    end = draw(ENDS)
    ends = draw(st.sampled_from([st.just(end), ENDS]))
    values = {key: draw(WORDS.map(lambda text: bare(text) or "x")) for key in draw(KEYS)}
    space = draw(st.sampled_from([" ", "  ", "", "\t"]))
    header = "".join(f"{key}:{space}{value}{draw(ends)}" for key, value in values.items())
    lines = [bare(line) for line in draw(st.lists(LINES, min_size=1, max_size=12))] + ["last words"]
    text = "".join(f"{line}{draw(ends)}" for line in lines[:-1]) + lines[-1] + draw(st.sampled_from(["", "\n", "\r\n"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return f"{mark}{header}{draw(ends)}{text}".encode(), lines


def bare(text: str) -> str:
    """Return words as a value has them, without what stands at its edges."""
    return text.strip(" \t\xa0\u2028\x85\x0c")


def split(data: bytes) -> list[bytes]:
    """Return the lines of a file with their ends, as Markdown counts them."""
    return re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", data)


def changed(before: bytes, after: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the lines that went and those that came."""
    old, new = split(before), split(after)
    codes = [code for code in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if code[0] != "equal"]
    return [line for code in codes for line in old[code[1] : code[2]]], [
        line for code in codes for line in new[code[3] : code[4]]
    ]


@given(files())
def test_a_file_that_is_sent_back_as_a_form_shows_it_is_the_same_bytes(file: tuple[bytes, list[str]]) -> None:
    data, _ = file
    shown = read(data)

    after = edited(data, {"Title": shown.field("title"), "Summary": shown.field("summary")}, shown.body)

    assert after == data


@given(files(), st.data())
def test_one_letter_of_the_text_is_one_line_of_the_file(file: tuple[bytes, list[str]], draw: st.DataObject) -> None:
    data, lines = file
    shown = read(data).body.split("\n")
    number = draw.draw(st.integers(0, len(shown) - 1).filter(lambda at: shown[at].strip()))
    body = "\n".join([*shown[:number], f"{shown[number]}Q", *shown[number + 1 :]])

    after = edited(data, {}, body)

    went, came = changed(data, after)
    assert (len(went), len(came)) == (1, 1)
    assert read(after).body == body
    assert lines


@given(files(), st.sampled_from(["Title", "Summary"]))
def test_one_value_is_one_line_of_the_header(file: tuple[bytes, list[str]], key: str) -> None:
    data, _ = file

    after = edited(data, {key: "New words"})

    went, came = changed(data, after)
    assert (len(went), len(came)) == (1, 1)
    assert read(after).field(key.lower()) == "New words"
    assert read(after).body == read(data).body


@pytest.mark.parametrize(
    ("before", "fields", "body", "after"),
    [
        ("", {"Title": "Shoes"}, "Words.\n", "Title: Shoes\n\nWords.\n"),
        ("Title: A\n\nB", {}, "B\n", "Title: A\n\nB"),
        ("Title: A\n\nB", {}, "B\nC", "Title: A\n\nB\nC"),
        ("Title: A\xa0 b\n", {"Title": "A\xa0 b"}, None, "Title: A\xa0 b\n"),
        ("Title: A\n", {"Title": "A\nStatus: draft\u2028Save_as: x"}, None, "Title: A Status: draft Save_as: x\n"),
        ("title:A\nTitle: B\n\nC", {"Title": "D"}, None, "title: D\nTitle: B\n\nC"),
        ("Title: A\nStatus: draft\n\nB", {"Status": None}, None, "Title: A\n\nB"),
        ("Title: A\nX: y", {"Title": "B"}, None, "Title: B\nX: y"),
        ("Title: A", {"Slug": "a"}, "B", "Title: A\nSlug: a\n\nB"),
        ("Title: A\r\n\r\nB\r\n", {}, "B\nC\n", "Title: A\r\n\r\nB\r\nC\r\n"),
        ("Title: A\n\n\n\nB\n", {}, "\n\nC\n", "Title: A\n\n\n\nC\n"),
    ],
)
def test_a_change_of_a_file_is_written_as_it_would_be_by_hand(
    before: str, fields: dict[str, str | None], body: str | None, after: str
) -> None:
    assert edited(before.encode(), fields, body).decode() == after


@pytest.mark.parametrize(("data", "told"), [(b"\xff\xfe", "UTF-8"), (b"x" * (TEXT_BYTES + 1), "most")])
def test_a_file_that_is_no_text_is_refused_with_the_cause(data: bytes, told: str) -> None:
    with pytest.raises(TextError, match=told):
        read(data)
