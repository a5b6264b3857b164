"""Exchange format of comments: JSON Lines, one comment a line, which ``postbox export`` writes and ``python -m moving comments`` reads.

::

    {"id": "k3v9tq2mxw7d", "article": "shoes", "state": "published", "author": "Tom", "date": "2026-11-22T10:15:00Z", "body": "The words."}

Fields are those of the public record (``contract.comment``), left out where empty, and ``state``: published, waiting
or removed; of a comment that waits, ``held`` says why it deserves a second look. The body is a reader's Markdown.
There is no field for an email or a network address.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contract.comment import DATE, DATE_FORMAT, READER_FIELDS, REMOVED, Comment, CommentError

LINE_BYTES = 512 * 1024
STATES = ("published", "waiting", "removed")
TEXTS = ("id", "article", "state", "reply_to", "website", "date", "removed", *READER_FIELDS)


@dataclass(frozen=True)
class Exchanged:
    """A comment on its way from one site to another; ``held`` is empty unless it waits."""

    comment: Comment
    is_waiting: bool = False
    held: tuple[str, ...] = ()


def dumps(exchanged: Exchanged) -> str:
    """Return its line; ``loads(dumps(e)) == e``."""
    comment = exchanged.comment
    state = "removed" if comment.removed else "waiting" if exchanged.is_waiting else "published"
    fields: dict[str, Any] = {
        "id": comment.id,
        "article": comment.article,
        "state": state,
        "reply_to": comment.reply_to,
        "is_author": comment.is_author,
        "website": comment.website,
        "date": comment.date and comment.date.strftime(DATE_FORMAT),
        "removed": comment.removed,
        "held": exchanged.held,
        **comment.words,
    }
    return json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)


def loads(line: str) -> Exchanged:
    """Return the comment in a line.

    Raises:
        CommentError: with what was found and the cure.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise CommentError("it is no JSON; write one comment a line") from None
    if not isinstance(fields, dict):
        raise CommentError("it is no object; write {…} with the fields of one comment")
    held, is_author, state = fields.pop("held", []), fields.pop("is_author", False), fields.get("state")
    if unknown := fields.keys() - set(TEXTS):
        raise CommentError(
            f"“{min(unknown)[:40]}” is no field; the fields are {', '.join((*TEXTS, 'is_author', 'held'))}"
        )
    if not all(isinstance(value, str) for value in fields.values()) or not isinstance(is_author, bool):
        raise CommentError("is_author is true or false, held a list, and every other field a text")
    if not isinstance(held, list) or len(held) > 20 or not all(isinstance(reason, str) for reason in held):
        raise CommentError("held is a list of at most 20 texts")
    if state not in STATES:
        raise CommentError(f"state is one of {', '.join(STATES)}")
    if (state == "removed") != bool(fields.get("removed")):
        raise CommentError(f"where state is removed, removed says by whom: {' or '.join(REMOVED)}")
    texts = {key: fields.get(key, "") for key in ("id", "article", "removed", *READER_FIELDS)}
    comment = Comment(
        **texts,
        reply_to=fields.get("reply_to") or None,
        website=fields.get("website") or None,
        is_author=is_author,
        date=_date(fields.get("date", "")),
    )
    return Exchanged(comment, state == "waiting", tuple(held) if state == "waiting" else ())


def _date(text: str) -> datetime | None:
    try:
        if text and not DATE.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise CommentError(f"date: “{text[:40]}” is no date like 2026-11-22T10:15:00Z") from None
