"""Public record of a comment, and the Markdown file it lives in.

A file is a small strict header, an empty line, and the body::

    Id: k3v9tq2mxw
    Article: big-toe-and-glutes
    Reply-To: 0001
    Author: Tom
    Date: 2026-11-22T10:15:00Z

    The words, as their writer typed them.

It lies at ``<root>/<article>/<id>.md``.
There is no field for an email or a network address, so neither can be published by accident.

What its writer fills in is declared once, in ``Words``: the form, its limits and errors, the preview, the inbox, the
fingerprint of a revision, the desk, the mail, the command line, the export, the erasure and this file follow from it.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from fnmatch import translate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ID = re.compile(r"[a-z0-9]{1,32}")
ARTICLE_ID = re.compile(r"(?=.{1,100}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
# Any of these stops an XML feed from parsing, or ends a line where a reader of headers would not expect it.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
FILE_BYTES = 64 * 1024
BODY_BYTES = 56 * 1024  # room for the longest header
LINE_LENGTH = 500
# Files that editors (Emacs, Vim, LibreOffice) and systems (macOS, Windows, NFS) leave beside others.
IGNORED = (".#*", "._*", ".*.sw?", "#*#", "*~", ".~*", ".DS_Store", "Thumbs.db", "desktop.ini", ".nfs*")
_THEIRS = re.compile("|".join(map(translate, IGNORED)))
REMOVED = ("yes", "by the site")  # by its writer, or by whoever looks after the site
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# Stricter than datetime.fromisoformat, which reads what passes.
DATE = re.compile(r"[1-9]\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\dZ", re.ASCII)


class CommentError(ValueError):
    """A comment or its file breaks a rule; the text says which, what was found and the cure."""

    def __init__(self, text: str, key: str = "") -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True, kw_only=True)
class ReaderField:
    """Declaration of a field that the writer of a comment fills in and everyone may read.

    ``key`` names it in the file (empty for the body), ``form_name`` in the form.
    ``label`` and ``hint`` stand over its input, ``noun`` in its errors.
    ``limit`` is the fact of the site that says how many characters it takes; ``rows`` are an input's lines, 0 for one.
    """

    key: str
    form_name: str
    label: str
    hint: str
    noun: str
    limit: str = "name_length"
    rows: int = 0
    is_required: bool = False
    autocomplete: str = ""


def _reader_field(**declared: Any) -> Any:
    return field(default="", metadata={"reader": ReaderField(**declared)})


@dataclass(frozen=True, kw_only=True)
class Words:
    """What the writer of a comment fills in; a field that is added here has its place everywhere."""

    author: str = _reader_field(
        key="Author",
        form_name="name",
        label="Your name",
        hint="A first name is fine. It is shown with your comment.",
        noun="Name",
        is_required=True,
        autocomplete="given-name",
    )
    body: str = _reader_field(
        key="",
        form_name="comment",
        label="Your comment",
        hint="Anyone can read this. Leave out health details you would not say in public.",
        noun="Comment",
        limit="comment_length",
        rows=5,
        is_required=True,
    )

    @property
    def words(self) -> dict[str, Any]:
        """Every field that its writer filled in, by name, in the order of the form."""
        return {name: getattr(self, name) for name in READER_FIELDS}

    @property
    def details(self) -> list[tuple[str, str]]:
        """What stands beside name and body where they are shown: the noun and the text of each other field."""
        return [(READER_FIELDS[name].noun, text) for name, text in self.words.items() if name in DETAILS and text]


READER_FIELDS: dict[str, ReaderField] = {field.name: field.metadata["reader"] for field in fields(Words)}
DETAILS = tuple(name for name in READER_FIELDS if name not in ("author", "body"))


@dataclass(frozen=True, kw_only=True)
class Comment(Words):
    """One comment as the public may see it.

    ``date`` is UTC in whole seconds, or None where the source gives none.
    ``is_author`` is the mark behind the author's badge; a name never earns it.
    A ``removed`` comment, one of ``REMOVED``, keeps its place for its replies and has neither words nor website.

    Raises:
        CommentError: if a field breaks a rule of the file, so that every ``Comment`` can be written.
    """

    id: str
    article: str
    reply_to: str | None = None
    is_author: bool = False
    website: str | None = None
    date: datetime | None = None
    removed: str = ""

    def __post_init__(self) -> None:
        for key, fault in _faults(self):
            raise CommentError(f"{key}: {fault}", key)


def dumps(comment: Comment) -> str:
    """Return the file's text; ``loads(dumps(c)) == c`` for every comment."""
    values = {
        "Id": comment.id,
        "Article": comment.article,
        "Reply-To": comment.reply_to,
        **{READER_FIELDS[name].key: text for name, text in comment.words.items() if READER_FIELDS[name].key},
        "Is-Author": "yes" if comment.is_author else None,
        "Website": comment.website,
        "Date": comment.date and comment.date.strftime(DATE_FORMAT),
        "Removed": comment.removed,
    }
    header = "".join(f"{key}: {value}\n" for key, value in values.items() if value)
    return header if comment.removed else f"{header}\n{comment.body}\n"


def loads(text: str) -> Comment:
    """Return the comment in a file's text.

    Raises:
        CommentError: with the number of the line, what was found there and the cure.
    """
    header, _, body = text.partition("\n\n")
    values: dict[str, str] = {}
    for number, line in enumerate(header.removesuffix("\n").split("\n"), 1):
        key, colon, value = line.partition(":")
        if not colon:
            raise CommentError(
                f"line {number}: expected “Key: value”, found “{line[:40]}”; an empty line ends the header"
            )
        if key not in _PARSERS:
            raise CommentError(f"line {number}: “{key[:40]}” is not a key; the keys are {', '.join(_PARSERS)}")
        if key in values:
            raise CommentError(f"line {number}: {key} is given twice; keep one")
        values[key] = value.strip(" ")
    try:
        if missing := {"Id", "Article"} - values.keys():
            raise CommentError(f"{min(missing)} is missing; add it")
        parsed = {_NAMES[key]: _PARSERS[key](key, value) for key, value in values.items()}
        return Comment(**parsed, body=body.removesuffix("\n"))  # type: ignore[arg-type]  # each parser gives its field's type
    except CommentError as error:
        raise CommentError(f"line {_line(error.key, values, header, body)}: {error}", error.key) from None


def path_of(root: Path, article: str, id: str) -> Path:
    """Return where a comment's file lies; with malformed ids, which could leave ``root``, raise CommentError."""
    if not ARTICLE_ID.fullmatch(article) or not ID.fullmatch(id):
        raise CommentError(f"“{article[:40]}”, “{id[:40]}” cannot name a comment")
    return root / article / f"{id}.md"


def read(path: Path | str) -> Comment:
    """Read one file, in isolation from all others.

    Raises:
        CommentError: if the file breaks a rule or lies where another comment belongs.
        OSError: if it cannot be read.
    """
    data = read_file(path, FILE_BYTES)
    if len(data) > FILE_BYTES:
        raise CommentError(f"line 1: the file is larger than {FILE_BYTES:,} bytes; shorten it")
    try:
        comment = loads(data.decode("utf-8-sig").replace("\r\n", "\n"))  # as Windows editors save it
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1  # the error's own bytes: a BOM is not among them
        byte = error.object[error.start]
        raise CommentError(f"line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None
    place = f"{comment.article}/{comment.id}.md"
    if not f"/{path}".endswith(f"/{place}"):
        raise CommentError(
            f"line 1: this is the place of another comment; move it to {place}, or give it an Id of its own"
        )
    return comment


def read_file(path: Path | str, size: int) -> bytes:
    """Return what stands in a file, at most a byte more than ``size``; neither a link nor a pipe is followed.

    Raises:
        CommentError: if it is no ordinary file.
        OSError: if it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):  # what O_NOFOLLOW says of a link, and a socket of itself
            raise
        raise CommentError("line 1: this is no file of its own but a link; put the file itself here") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CommentError("line 1: this is no ordinary file; delete it")
        return os.read(descriptor, min(size, status.st_size) + 1)
    finally:
        os.close(descriptor)


def is_ours(name: str) -> bool:
    """Tell whether a file is one of an author's: editors and systems leave others (``.#0002.md``, ``._x.md``, ``x.md~``)."""
    return not _THEIRS.match(name)


def _faults(comment: Comment) -> Iterator[tuple[str, str]]:
    if not ID.fullmatch(comment.id):
        yield "Id", "use 1 to 32 small letters and digits"
    if not ARTICLE_ID.fullmatch(comment.article):
        yield "Article", "use small letters, digits and single hyphens, 100 at most"
    if comment.reply_to is not None and not ID.fullmatch(comment.reply_to):
        yield "Reply-To", "use the Id of a comment, 1 to 32 small letters and digits"
    lines = [(READER_FIELDS[name].key, text) for name, text in comment.words.items() if name != "body"]
    for key, value in (*lines, ("Website", comment.website or "")):
        if CONTROL.search(value) or set(value) & {"\n", "\t"}:
            yield key, "a control character stands in it; delete it"
        if value != value.strip(" "):
            yield key, "a space stands at its start or end; delete it"
        if len(value) > LINE_LENGTH:
            yield key, f"use {LINE_LENGTH} characters at most"
    if comment.website is not None and not is_web_address(comment.website):
        yield "Website", "write a whole address, like https://example.com/"
    if comment.date and (comment.date.tzinfo != UTC or comment.date.microsecond or comment.date.year < 1000):
        yield "Date", "use UTC, whole seconds and a year of four digits, like 2026-11-22T10:15:00Z"
    if comment.removed and comment.removed not in REMOVED:
        yield "Removed", f"can only be {' or '.join(f'“{word}”' for word in REMOVED)}; delete the line otherwise"
    if comment.removed and (any(comment.words.values()) or comment.website or comment.is_author):
        yield "Removed", "a removed comment keeps no words, website or badge; delete them"
    if not comment.removed and not comment.author:
        yield "Author", "is missing; add it"
    if not comment.removed and not comment.body.strip():
        yield "Body", "is empty; write it below an empty line, or mark the comment Removed: yes"
    if CONTROL.search(comment.body):
        yield "Body", "a control character stands in it; delete it"
    if len(comment.body.encode()) > BODY_BYTES:
        yield "Body", f"use {BODY_BYTES:,} bytes at most"


def is_web_address(text: str) -> bool:
    """Tell whether ``text`` is an http or https address with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False


def _line(key: str, values: dict[str, str], header: str, body: str) -> int:
    """Return the line that a fault of ``key`` is to be looked for in: its own, or the body's, or the first."""
    if key in values:
        return list(values).index(key) + 1
    found = CONTROL.search(body)
    return header.count("\n") + 3 + (body.count("\n", 0, found.start()) if found else 0) if key == "Body" else 1


def _text(key: str, value: str) -> str:
    if not value:
        raise CommentError(f"{key}: has no value; give one or delete the line", key)
    return value


def _yes(key: str, value: str) -> bool:
    if value != "yes":
        raise CommentError(f"{key}: can only be “yes”; delete the line otherwise", key)
    return True


def _date(key: str, value: str) -> datetime:
    try:
        if not DATE.fullmatch(value):
            raise ValueError
        return datetime.fromisoformat(value)
    except ValueError:
        raise CommentError(f"{key}: “{value[:40]}” is no date like 2026-11-22T10:15:00Z", key) from None


_PARSERS: dict[str, Callable[[str, str], str | bool | datetime]] = {
    "Id": _text,
    "Article": _text,
    "Reply-To": _text,
    **{declared.key: _text for declared in READER_FIELDS.values() if declared.key},
    "Is-Author": _yes,
    "Website": _text,
    "Date": _date,
    "Removed": _text,
}
_NAMES = {key: key.lower().replace("-", "_") for key in _PARSERS} | {
    declared.key: name for name, declared in READER_FIELDS.items()
}
