"""Records that every kind of export is read into, one at a time.

``place`` is where a record stands, as ``file:line``; ``key`` its number in the system that it comes from.
No record has a field for an email address, a network address or a password, so none can be written by accident.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

PUBLISHED, HELD, DRAFT, REMOVED, LEFT_OUT = "published", "held", "draft", "removed", "left out"


class MovingError(ValueError):
    """A file cannot be taken in at all; the text names it and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is said of a whole site: its address, and who writes in it."""

    place: str
    address: str
    is_first: bool  # of its file


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Article or page.

    ``state`` is published, draft or left out, ``reason`` why it is not published.
    ``number`` is WordPress's, which is not unique in every file. ``date`` is aware, or None.
    ``body`` and ``excerpt`` are WordPress's own text.
    """

    place: str
    key: str
    number: str
    kind: str  # post, page, or whatever else comments can hang on
    state: str
    reason: str = ""
    title: str = ""
    link: str = ""
    slug: str = ""
    old_slugs: tuple[str, ...] = ()
    date: datetime | None = None
    excerpt: str = ""
    body: str = ""
    tags: tuple[str, ...] = ()
    is_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Uploaded file: its address at the old site and the words that belong to it."""

    place: str
    key: str
    url: str
    link: str = ""
    parent: str = ""
    title: str = ""
    alt: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Comment on a thread, which is a post's key (WordPress), a thread's (Disqus, Isso) or an article's id (exchange).

    ``state`` is published, held, removed or left out, ``reason`` why. ``held`` is what the desk shows beside it.
    ``body`` is HTML for WordPress and Disqus, and a reader's Markdown for the others (``is_html``).
    """

    place: str
    key: str
    thread: str
    parent: str = ""
    state: str
    reason: str = ""
    author: str = ""
    is_author: bool = False
    website: str = ""
    date: datetime | None = None
    body: str = ""
    is_html: bool = True
    held: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)  # further fields that a reader fills in, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """Page that comments hang on, by its address at the old site."""

    place: str
    key: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """What an export holds besides, and is not brought along: a menu, a template, a revision."""

    place: str
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What could not be read: one item is lost, with its line, and the next is read."""

    place: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What was changed to read a file at all."""

    place: str
    text: str


Record = Head | Post | Attachment | Comment | Thread | Other | Fault | Remark
Progress = Callable[[int], None]  # called with a number of bytes
Reader = Callable[[Path, Progress], Iterator[Record]]
