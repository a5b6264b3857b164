"""Text from other programs: their line ends, the marks that come along, what forms a visible sign, and what hides or turns words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.comment import CONTROL
from postbox.reader_text import clean_text, hides_something, shows_something


@pytest.mark.parametrize(("pasted", "kept"), [
    ("One\u2028two", "One\ntwo"),  # Notes
    ("One\x0btwo", "One\ntwo"),  # PowerPoint
    ("One\x0ctwo", "One\ntwo"),  # a PDF
    ("One\x85two\u2029three\r\nfour\rfive", "One\ntwo\nthree\nfour\nfive"),
    ("\ufeffOne\ufeff and a word\u2060joiner", "One and a wordjoiner"),
    ("Ring \u202a+44 7700 900456\u202c.", "Ring +44 7700 900456."),
    ("soft\u00adhyphen, می\u200cخواهم, 👩‍🦽, 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f, ❤\ufe0f\ttab", None),
    ("\u202egnihton\u202c", None),
    ("nul \0, bell \x07", None),  # which the form refuses, with what stands before it
])  # fmt: skip
def test_line_ends_become_line_ends_and_no_word_changes(pasted: str, kept: str | None) -> None:
    assert clean_text(pasted) == (pasted if kept is None else kept)


@given(st.text())
def test_what_is_clean_stays_so(text: str) -> None:
    clean = clean_text(text)

    assert clean_text(clean) == clean
    assert not set(clean) & set("\r\x0b\x0c\x85\u2028\u2029")
    assert len(CONTROL.findall(clean)) <= len(CONTROL.findall(text))


@pytest.mark.parametrize("text", [
    "Come on 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "soft\u00adhyphen", "👩‍🦽 🏳️‍🌈 ❤️ 1️⃣ 🇩🇪", "می‌خواهم", "नमस्ते‌जी",
    "葛\U000e0100", "שלום\u200f (Nike)", "a\u200eb", "ฉัน\u200bรัก", "https://a.example/\u200bb", "؀١", "한\u200d글",
])  # fmt: skip
def test_what_forms_a_visible_sign_hides_nothing(text: str) -> None:
    assert not hides_something(text)


@pytest.mark.parametrize("text", [
    "Bel\u200blow", "hid\u200b\u200bden", "\u200c\u200d\u200c\u200c", "T\u2060om", "\ufeffTom", "a\u2063b", "\u202etxet", "\u202ba", "a\u2066b\u2069",
    "a\U000e0068\U000e0069", "🏴\U000e0068\U000e0069", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067", "❤\ufe0f\ufe01\ufe02", "\ufff9a\ufffab\ufffb",
])  # fmt: skip
def test_what_hides_or_turns_words_is_told(text: str) -> None:
    assert hides_something(text)


@pytest.mark.parametrize("text", [
    "", " ", "\u3164", "\u2800", "\u115f\u1160", "\uffa0", "\u034f", "\u0301\u0302", "\ufe0f", "\U000e0100", "\u200b\u200d", "\u00ad", "\u202e\u202c",
    "\u2060\ufeff", "\u3000\u2003\xa0", "\u180e\u180b", "\U000e0041\U000e007f", "\u17b4", "\ufffc", "\U0001d159", "\u0488", "\ue000",
])  # fmt: skip
def test_a_name_that_shows_nothing_is_none(text: str) -> None:
    assert not shows_something(text)


@pytest.mark.parametrize("text", ["A", "é", "e\u0301", "🦶", "李", "नि", "7", "…", "\u200fשלום", "🫨", "\u3164A"])
def test_a_name_of_which_something_is_seen_is_one(text: str) -> None:
    assert shows_something(text)
