"""Facts of the site in their file: read as they stand, or refused with the line and the cure."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.facts import FACTS, FILE_BYTES, FactsError, loads, settings

WHOLE = 'sitename = "On foot"\nauthor = "Ann"\npronoun = "she"\n'


def test_a_fact_is_read_as_it_stands_and_one_without_a_line_is_empty() -> None:
    values = loads(f"\ufeff# ours\r\n{WHOLE}hours = 'at “noon”'  # she says\r\n".encode())

    assert values == dict.fromkeys((fact.name for fact in FACTS), "") | {
        "sitename": "On foot", "author": "Ann", "pronoun": "she", "hours": "at “noon”",
    }  # fmt: skip


@pytest.mark.parametrize(("line", "cause"), [
    ('hour = "x"', "“hour” is not a fact; did you mean “hours”? The facts are sitename,"),
    ("hours = 9", 'hours must be text in quotes, like hours = "…"'),
    ("hours = “nine”", 'Invalid value; write a line a fact, like hours = "from nine to five"'),
    ('hours = "x"\nhours = "y"', "Cannot overwrite a value; write a line a fact"),
    ('hours = "a\\nb"', "hours: Write it in one line."),
    (f'hours = "{"x" * 121}"', "hours: It has 121 characters; 120 is the most."),
    ('telephone = "07504 439555"', "telephone: Write it with its country and no spaces, like +447700900123."),
    ('telephone_shown = "ring me"', "telephone_shown: Write digits, and spaces where you pause."),
    ('email = "ann"', "email: Write an address like name@example.com."),
    ('portrait = "../etc/passwd.png"', "portrait: Name a JPEG, PNG or WebP picture, like images/me.jpg."),
    ('[hours]\nx = "y"', 'hours must be text in quotes'),
])  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_line(line: str, cause: str) -> None:
    with pytest.raises(FactsError) as refused:
        loads(f"{WHOLE}\n{line}".encode(), "content/site.toml")

    place, _, told = str(refused.value).partition(": ")
    assert place == f"content/site.toml:{6 if 'overwrite' in cause else 5}"
    assert told.startswith(cause)


@pytest.mark.parametrize(("data", "cause"), [
    (WHOLE.replace("author", "#").encode(), 'site.toml:1: there is no author; add a line author = "…"'),
    (WHOLE.replace("Ann", " ").encode(), "site.toml:2: author: Enter it; the site needs one."),
    (b"\xff", "site.toml: is not UTF-8; save it as that"),
    (b"#" * (FILE_BYTES + 1), "site.toml: has more than 65,536 bytes; it holds a line a fact"),
])  # fmt: skip
def test_a_file_that_is_not_whole_is_refused(data: bytes, cause: str) -> None:
    with pytest.raises(FactsError) as refused:
        loads(data)

    assert str(refused.value) == cause


def test_a_folder_without_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match=r"site\.toml: No such file or directory; it holds the facts of the site"):
        settings(tmp_path)


@pytest.mark.parametrize(
    "lay", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")], ids=["a pipe", "a folder", "a link"]
)
def test_what_is_no_file_of_its_own_is_told_and_waited_for_by_nobody(
    tmp_path: Path, lay: Callable[[Path], None]
) -> None:
    lay(tmp_path / "site.toml")

    with pytest.raises(FactsError, match=r"site\.toml: (is a link, a folder or a pipe|Is a directory)"):
        settings(tmp_path)
