"""The comment's file: whatever the rules allow comes back as it was, and whatever breaks one is set aside alone."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.comment import (
    BODY_BYTES,
    FILE_BYTES,
    LINE_LENGTH,
    REMOVED,
    Comment,
    CommentError,
    dumps,
    loads,
    path_of,
    read,
)
from contract.thread import Problem, count, read_all, thread
from tests.support.place import a_comment

FILE = b"Id: abcd\nArticle: feet\nAuthor: Tom\n\nHello.\n"
DAY = datetime(2026, 11, 22, tzinfo=UTC)

characters = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffe\uffff")
lines = st.text(characters, max_size=60).map(lambda text: text.strip(" "))
pieces = ["\n", "\n\n", "Id: 0001", "Reply-To: 0001\n", ":", " ", "\t", "\ufeff", "Zoë", "🦶🏽", "\u202eقدم", "---"]
bodies = st.lists(st.sampled_from(pieces) | st.text(characters), max_size=20).map("".join).filter(str.strip)
ids = st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True)
articles = st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,9}", fullmatch=True)
dates = st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)).map(lambda date: date.replace(microsecond=0))  # noqa: DTZ001  # the strategy adds the zone

places = {"id": ids, "article": articles, "reply_to": st.none() | ids, "date": st.none() | dates}
words = {
    "author": lines.filter(bool),
    "is_author": st.booleans(),
    "website": st.sampled_from([None, "https://example.com/", "http://münchen.example/?a=1#b"]),
    "body": bodies,
}
comments = st.builds(a_comment, **places, **words) | st.builds(
    a_comment, **places, removed=st.sampled_from(REMOVED), author=st.just(""), body=st.just("")
)


def fault(text: str) -> str:
    """Return what is wrong with a file's text, or nothing."""
    try:
        loads(text)
    except CommentError as error:
        return str(error)
    return ""


def write(root: Path, comment: Comment, text: str | None = None) -> Path:
    """Write a comment where it belongs, or another text in its place."""
    path = path_of(root, comment.article, comment.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(comment) if text is None else text, "utf-8", newline="")
    return path


def a_file(folder: Path, data: bytes, place: str = "feet/abcd.md") -> Path:
    """Write a file as no program of ours would."""
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def write_all(root: Path, files: str) -> None:
    """Write comments, each given as article/id or article/id>reply-to."""
    for article, id, _, reply_to in re.findall(r"(\w+)/(\w+)(>(\w+))?", files):
        write(root, a_comment(article=article, id=id, reply_to=reply_to or None))


def standing(root: Path) -> str:
    """Return the comments of each article in reading order, each with a dash for its depth and ? for a placeholder."""
    conversations, _ = read_all(root)
    return " ".join(
        f"{'-' * entry.depth}{article}/{entry.comment.id}{'?' if entry.is_missing else ''}"
        for article, entries in sorted(conversations.items())
        for entry in entries
    )


def causes(root: Path) -> dict[str, str]:
    """Return why each file was set aside, by its path below ``root``."""
    _, problems = read_all(root)
    return {str(problem.path.relative_to(root)): problem.cause for problem in problems}


@settings(deadline=None)
@given(comment=comments)
def test_a_comment_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, comment: Comment) -> None:
    path = write(tmp_path_factory.getbasetemp() / "property", comment)

    assert loads(dumps(comment)) == comment
    assert read(path) == comment


@pytest.mark.parametrize("body", [
    "Reply-To: b2c1", "Author: David\nIs-Author: yes\n\nHello.", "\n\nAfter two empty lines",
    "Before three newlines\n\n\n", "   spaces at both ends   ", "\ttabs\t", "👩🏽‍🦯 walks",
    "مرحبا \u202e and back \u202c", "\ufeffa byte order mark",
])  # fmt: skip
def test_a_body_that_looks_like_something_else_stays_a_body(body: str) -> None:
    comment = a_comment(body=body)

    assert loads(dumps(comment)) == comment


@settings(deadline=None)
@given(st.text() | st.lists(st.sampled_from([*FILE.decode().split("\n"), "Date: 0", "Website: //["])).map("\n".join))
def test_any_text_is_a_comment_or_a_fault_with_its_line(text: str) -> None:
    assert re.match(r"line [0-9]+: \S|$", fault(text))


@pytest.mark.parametrize(("text", "cause"), [
    ("", "line 1: expected “Key: value”, found “”; an empty line ends the header"),
    ("\n\nHello.", "line 1: expected “Key: value”"),
    ("Id: abcd\nHello.", "line 2: expected “Key: value”, found “Hello.”; an empty line ends the header"),
    ("Id: abcd\nEmail: a@b.example", "line 2: “Email” is not a key; the keys are Id, Article, Reply-To"),
    ("id: abcd", "line 1: “id” is not a key"),
    ("Id : abcd", "line 1: “Id ” is not a key"),
    ("Id: abcd\nId: abcd", "line 2: Id is given twice; keep one"),
    ("Article: feet\nAuthor: Tom\n\nHello.", "line 1: Id is missing; add it"),
    ("Id: abcd\nAuthor: Tom\n\nHello.", "line 1: Article is missing; add it"),
    ("Id: abcd\nArticle: feet\n\nHello.", "line 1: Author: is missing; add it"),
    ("Id: abcd\nArticle: feet\nAuthor: Tom", "line 5: Body: is empty; write it below an empty line"),
    ("Id: abcd\nArticle: feet\nAuthor: Tom\n\n \n", "line 5: Body: is empty"),
    ("Id: abcd\nArticle: feet\nAuthor:\n\nHello.", "line 3: Author: has no value; give one or delete the line"),
    ("Id: abcd\nReply-To:\nArticle: feet", "line 2: Reply-To: has no value"),
    ("Article: feet\nId: ABCD", "line 2: Id: use 1 to 32 small letters and digits"),
    ("Id: ../x\nArticle: feet", "line 1: Id: use 1 to 32"),
    ("Id: abcd\nArticle: ../feet", "line 2: Article: use small letters, digits and single hyphens"),
    ("Id: abcd\nArticle: feet\nReply-To: X", "line 3: Reply-To: use the Id of a comment"),
])  # fmt: skip
def test_a_header_that_breaks_a_rule_is_refused_with_line_and_cure(text: str, cause: str) -> None:
    assert fault(text).startswith(cause)


@pytest.mark.parametrize(("line", "cause"), [
    ("Date: 2026-11-22", "Date: “2026-11-22” is no date like 2026-11-22T10:15:00Z"),
    ("Date: 2026-11-22T10:15:00+00:00", "Date: “2026-11-22T10:15:00+00:00” is no date"),
    ("Date: 2026-02-30T10:15:00Z", "Date: “2026-02-30T10:15:00Z” is no date"),
    ("Date: 2026-11-22T10:15:60Z", "Date: “2026-11-22T10:15:60Z” is no date"),
    ("Date: 2026-11-22T24:00:00Z", "Date: “2026-11-22T24:00:00Z” is no date"),
    ("Date: 20261122T101500Z", "Date: “20261122T101500Z” is no date"),
    ("Date: 2026-1-2T3:4:5Z", "Date: “2026-1-2T3:4:5Z” is no date"),
    ("Date: ２026-11-22T10:15:00Z", "Date: “２026-11-22T10:15:00Z” is no date"),
    ("Date: 0999-11-22T10:15:00Z", "Date: "), ("Date:", "Date: “” is no date"),
    ("Is-Author: no", "Is-Author: can only be “yes”; delete the line otherwise"),
    ("Is-Author: Yes", "Is-Author: can only be “yes”"),
    ("Is-Author:", "Is-Author: can only be “yes”"),
    ("Removed: true", "Removed: can only be “yes”"),
    ("Removed: yes", "Removed: a removed comment keeps no words, website or badge; delete them"),
    ("Website: javascript:alert(1)", "Website: write a whole address, like https://example.com/"),
    ("Website: data:text/html,x", "Website: write a whole address"),
    ("Website: //example.com", "Website: write a whole address"),
    ("Website: example.com", "Website: write a whole address"),
    ("Website: https://", "Website: write a whole address"),
    ("Website: https://[", "Website: write a whole address"),
    ("Website: https://example.com/a b", "Website: write a whole address"),
    ("Website: https://example.com/\x7f", "Website: a control character stands in it; delete it"),
])  # fmt: skip
def test_a_field_that_breaks_a_rule_is_refused_with_line_and_cure(line: str, cause: str) -> None:
    text = f"Id: abcd\nArticle: feet\nAuthor: Tom\n{line}\n\nHello.\n"

    assert fault(text).startswith(f"line 4: {cause}")


@pytest.mark.parametrize("code", [0x00, 0x07, 0x0B, 0x0C, 0x0D, 0x1B, 0x7F, 0x85, 0x9F, 0x2028, 0x2029, 0xFFFE, 0xFFFF])
def test_a_control_character_is_refused_in_the_line_where_it_stands(code: int) -> None:
    header, body = "Id: abcd\nArticle: feet\nAuthor: Tom", f"One.\n\nTwo{chr(code)}."

    assert fault(f"{header}\n\n{body}\n") == "line 7: Body: a control character stands in it; delete it"
    assert fault(f"{header}{chr(code)}.\n\n-") == "line 3: Author: a control character stands in it; delete it"


@pytest.mark.parametrize(("fields", "cause"), [
    ({"author": "Ada\nReply-To: b2c1"}, "Author: a control character"),
    ({"author": "Ada\tLovelace"}, "Author: a control character"),
    ({"author": "\ud800"}, "Author: a control character"),
    ({"author": " Ada"}, "Author: a space stands at its start or end; delete it"),
    ({"author": "a" * (LINE_LENGTH + 1)}, "Author: use 500 characters at most"),
    ({"website": "https://a.example/\nIs-Author: yes"}, "Website: a control character"),
    ({"website": "https://a.example/" + "a" * LINE_LENGTH}, "Website: use 500 characters at most"),
    ({"website": ""}, "Website: write a whole address"),
    ({"reply_to": ""}, "Reply-To: use the Id"),
    ({"id": "abcd\n"}, "Id: use 1 to 32"),
    ({"article": "feet\n"}, "Article: use small letters"),
    ({"article": "a" * 101}, "Article: use small letters, digits and single hyphens, 100 at most"),
    ({"body": "\udfff"}, "Body: a control character"),
    ({"body": "é" * (BODY_BYTES // 2) + "!"}, "Body: use 57,344 bytes at most"),
    ({"date": datetime(2026, 11, 22)}, "Date: use UTC"),  # noqa: DTZ001  # it is what is refused
    ({"date": DAY.replace(microsecond=1)}, "Date: use UTC, whole seconds"),
    ({"date": DAY.replace(year=999)}, "Date: use UTC, whole seconds and a year of four digits"),
    ({"date": DAY.astimezone(timezone(timedelta(hours=1)))}, "Date: use UTC"),
    ({"date": datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"), fold=1)}, "Date: use UTC"),
    ({"removed": "yes"}, "Removed: a removed comment keeps no words"),
    ({"removed": "yes", "author": "", "body": "", "is_author": True}, "Removed: a removed comment"),
])  # fmt: skip
def test_a_comment_that_could_not_be_read_back_cannot_be_made(fields: dict[str, Any], cause: str) -> None:
    with pytest.raises(CommentError) as refusal:
        a_comment(**fields)

    assert str(refusal.value).startswith(cause)


def test_the_largest_comment_fits_its_file(tmp_path: Path) -> None:
    wide = "🦶" * LINE_LENGTH
    comment = a_comment(
        id="a" * 32,
        article="a" * 100,
        reply_to="b" * 32,
        author=wide,
        is_author=True,
        website=f"https://a.example/{wide}"[:LINE_LENGTH],
        date=DAY,
        body="a" * BODY_BYTES,
    )

    assert read(write(tmp_path, comment)) == comment


@pytest.mark.parametrize(
    "data",
    [FILE, FILE.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + FILE, b"\xef\xbb\xbf" + FILE.replace(b"\n", b"\r\n")],
    ids=["LF", "CRLF", "BOM", "BOM and CRLF"],
)
def test_a_file_that_an_editor_saved_its_own_way_is_read(tmp_path: Path, data: bytes) -> None:
    path = a_file(tmp_path, data)

    assert read(path) == a_comment(article="feet")


@pytest.mark.parametrize(("data", "cause"), [
    (FILE.replace(b"Hello", b"Hell\xf6"), "line 5: byte 0xf6 is not UTF-8; save the file as UTF-8"),
    (FILE.replace(b"Tom", b"T\xf6m"), "line 3: byte 0xf6 is not UTF-8"),
    (b"\xef\xbb\xbf" + FILE.replace(b"Author", b"\xe9uthor"), "line 3: byte 0xe9 is not UTF-8"),
    (FILE.replace(b"Hello", b"\xed\xa0\x80"), "line 5: byte 0xed is not UTF-8"),
    (b"\xff\xfe" + FILE.decode().encode("utf-16-le"), "line 1: byte 0xff is not UTF-8"),
    (FILE + b"a" * FILE_BYTES, "line 1: the file is larger than 65,536 bytes; shorten it"),
    (FILE.replace(b"abcd", b"dcba"), "line 1: this is the place of another comment; move it to feet/dcba.md"),
    (FILE.replace(b"feet", b"toes"), "line 1: this is the place of another comment; move it to toes/abcd.md"),
    (FILE.replace(b"\n", b"\r"), "line 1: Article is missing; add it"),
])  # fmt: skip
def test_a_broken_file_is_refused_with_line_and_cure(tmp_path: Path, data: bytes, cause: str) -> None:
    path = a_file(tmp_path, data)

    with pytest.raises(CommentError) as refusal:
        read(path)

    assert str(refusal.value).startswith(cause)


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_name_leads_out_of_the_folder(article: str, id: str) -> None:
    root = Path("/comments")

    try:
        path = path_of(root, article, id)
    except CommentError:
        return

    assert path.parent.parent == root == path.resolve().parent.parent


@pytest.mark.parametrize(("article", "id"), [
    ("..", "abcd"), ("feet", "../../etc"), ("/etc", "abcd"), ("feet", "/etc/passwd"), ("feet\n", "abcd"),
    ("feet", "abcd\n"), ("feet\0", "abcd"), ("", "abcd"), ("feet", ""), ("fe/et", "abcd"), ("Feet", "abcd"),
    ("feet--toes", "abcd"), ("-feet", "abcd"),
])  # fmt: skip
def test_a_name_that_could_lead_elsewhere_is_refused(article: str, id: str) -> None:
    with pytest.raises(CommentError, match="cannot name a comment"):
        path_of(Path("/comments"), article, id)


NO_COMMENT = "line 3: Reply-To {} is no comment of this article; correct or delete the line"
LEADS_BACK = "line 3: Reply-To leads back to this comment; correct or delete the line"
TWICE = "line 1: Id aaaa is also in feet/aaaa.md; give one of them an Id of its own"
HANGING = " feet/dddd>aaaa feet/eeee>dddd feet/ffff"


@pytest.mark.parametrize(("files", "stand", "aside"), [
    ("feet/aaaa feet/bbbb feet/cccc>aaaa toes/dddd", "feet/aaaa -feet/cccc feet/bbbb toes/dddd", {}),
    ("feet/aaaa feet/bbbb>gone feet/cccc>bbbb", "feet/aaaa feet/bbbb? -feet/cccc", {"feet/bbbb": NO_COMMENT.format("gone")}),
    ("feet/aaaa toes/bbbb>aaaa", "feet/aaaa", {"toes/bbbb": NO_COMMENT.format("aaaa")}),
    ("feet/aaaa toes/aaaa toes/bbbb>aaaa", "feet/aaaa toes/aaaa? -toes/bbbb", {"toes/aaaa": TWICE}),
    *[
        (cycle + HANGING, "feet/aaaa? -feet/dddd --feet/eeee feet/ffff", dict.fromkeys(re.findall(r"feet/\w+", cycle), LEADS_BACK))
        for cycle in ("feet/aaaa>aaaa", "feet/aaaa>bbbb feet/bbbb>aaaa", "feet/aaaa>bbbb feet/bbbb>cccc feet/cccc>aaaa")
    ],
])  # fmt: skip
def test_every_conversation_is_read_in_reading_order_and_what_is_wrong_is_set_aside_alone(
    tmp_path: Path, files: str, stand: str, aside: dict[str, str]
) -> None:
    write_all(tmp_path, files)

    assert standing(tmp_path) == stand
    assert causes(tmp_path) == {f"{file}.md": cause for file, cause in aside.items()}


def test_no_folder_is_no_comment(tmp_path: Path) -> None:
    assert read_all(tmp_path / "comments") == ({}, [])


@pytest.mark.parametrize(
    ("first", "line"),
    [("Id: bbbb\nArticle: feet\nAuthor: Tom\nReply-To:gone", 4), ("Reply-To: gone\r\nId: bbbb\nArticle: feet", 1)],
)
def test_the_line_is_the_one_in_the_file_as_it_is(tmp_path: Path, first: str, line: int) -> None:
    author = "" if "Author" in first else "\nAuthor: Tom"
    write(tmp_path, a_comment(article="feet", id="bbbb"), f"\ufeff{first}{author}\n\nReply-To: gone\n")

    assert causes(tmp_path)["feet/bbbb.md"].startswith(f"line {line}: Reply-To gone is no comment")


def test_of_two_files_with_one_id_in_an_article_the_one_in_its_place_stands(tmp_path: Path) -> None:
    comment = a_comment(article="feet", id="bbbb")
    write(tmp_path, comment)
    a_file(tmp_path, dumps(comment).encode(), "feet/aaaa.md")

    assert causes(tmp_path) == {
        "feet/aaaa.md": "line 1: this is the place of another comment; "
        "move it to feet/bbbb.md, or give it an Id of its own"
    }
    assert standing(tmp_path) == "feet/bbbb"


def test_a_broken_file_takes_no_other_along(tmp_path: Path) -> None:
    write(tmp_path, a_comment(article="feet", id="aaaa"), "Id: aaaa\nArticle: feet\nAuthor: Tom\nMood: good\n\nHello.")
    write_all(tmp_path, "feet/bbbb>aaaa feet/cccc>bbbb feet/dddd")

    assert list(causes(tmp_path)) == ["feet/aaaa.md"]
    assert standing(tmp_path) == "feet/aaaa? -feet/bbbb --feet/cccc feet/dddd"


def test_a_file_that_cannot_be_opened_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "feet" / "aaaa.md").mkdir(parents=True)

    assert list(causes(tmp_path)) == ["feet/aaaa.md"]


def test_a_problem_says_file_line_and_cure() -> None:
    problem = Problem(Path("content/comments/feet/aaaa.md"), "line 2: Id is given twice; keep one")

    assert str(problem) == "content/comments/feet/aaaa.md: line 2: Id is given twice; keep one"


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(0, 7), max_size=8))
def test_whoever_answers_whom_each_comment_stands_once_or_is_set_aside(
    tmp_path_factory: pytest.TempPathFactory, answers: list[int | None]
) -> None:
    root = tmp_path_factory.mktemp("web")
    for number, answered in enumerate(answers):
        reply_to = None if answered is None else f"id0{answered}"
        write(root, a_comment(article="feet", id=f"id0{number}", reply_to=reply_to))

    conversations, problems = read_all(root)

    stand = [entry.comment.id for entry in conversations.get("feet", []) if not entry.is_missing]
    assert sorted(stand + [problem.path.stem for problem in problems]) == [f"id0{n}" for n in range(len(answers))]


@pytest.mark.parametrize(
    "shuffle", [lambda c: c, lambda c: c[::-1], lambda c: Random(1).sample(c, len(c))], ids=["as is", "back", "mixed"]
)
def test_the_undated_come_first_then_the_dated_by_date_and_id(
    shuffle: Callable[[list[Comment]], list[Comment]],
) -> None:
    comments = [
        a_comment(id="zzz0"),
        a_comment(id="zzz1"),
        a_comment(id="bbb0", date=DAY),
        a_comment(id="rep0", reply_to="bbb0"),
        a_comment(id="rep2", reply_to="bbb0", date=DAY),
        a_comment(id="rep1", reply_to="bbb0", date=DAY + timedelta(days=1)),
        a_comment(id="bbb1", date=DAY),
        a_comment(id="aaa0", date=DAY + timedelta(seconds=1)),
    ]

    entries = list(thread(shuffle(comments)))

    assert [entry.comment for entry in entries] == comments
    assert [entry.depth for entry in entries] == [0, 0, 0, 1, 1, 1, 0, 0]
    assert [entry.parent and entry.parent.id for entry in entries] == [None] * 3 + ["bbb0"] * 3 + [None] * 2


def a_removed(**fields: Any) -> Comment:
    """Return a comment whose words are gone."""
    return a_comment(removed="yes", author="", body="", **fields)


@pytest.mark.parametrize(("comments", "shown"), [
    ([a_removed(id="aaaa")], []),
    ([a_removed(id="aaaa"), a_comment(id="bbbb", reply_to="aaaa")], ["aaaa", "bbbb"]),
    ([a_removed(id="aaaa"), a_removed(id="bbbb", reply_to="aaaa")], []),
    ([a_comment(id="aaaa"), a_removed(id="bbbb", reply_to="aaaa")], ["aaaa"]),
    (
        [
            a_removed(id="aaaa"),
            a_removed(id="bbbb", reply_to="aaaa"),
            a_comment(id="cccc", reply_to="bbbb"),
            a_removed(id="dddd", reply_to="cccc"),
        ],
        ["aaaa", "bbbb", "cccc"],
    ),
    ([a_removed(id="aaaa", reply_to="gone")], []),
])  # fmt: skip
def test_a_removed_comment_keeps_its_place_only_for_a_reply(comments: list[Comment], shown: list[str]) -> None:
    entries = list(thread(comments))

    assert [entry.comment.id for entry in entries] == shown


def test_a_chain_of_5000_is_a_conversation() -> None:
    chain = [a_comment(id=f"{n:04}", reply_to=f"{n - 1:04}" if n else None) for n in range(5000)]

    entries = list(thread(chain[::-1]))

    assert [entry.comment for entry in entries] == chain
    assert [entry.depth for entry in entries] == list(range(5000))
    assert count(entries) == 5000


def test_only_what_can_be_read_is_counted() -> None:
    conversation = thread(
        [a_removed(id="aaaa"), a_comment(id="bbbb", reply_to="aaaa"), a_comment(id="cccc", reply_to="gone")]
    )

    assert count(conversation) == 2
    assert count([]) == 0
