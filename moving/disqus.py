"""Reader of Disqus exports: threads with their addresses, then posts, which are comments."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from moving import records
from moving.items import Element, read_items
from moving.records import Comment, Fault, Progress, Record, Remark, Thread
from moving.wxr import plain


def read(path: Path, progress: Progress) -> Iterator[Record]:
    """Yield the records of one file.

    Raises:
        MovingError: if it is no such export.
    """
    for element in read_items(path, "disqus", ("thread", "post"), progress):
        if isinstance(element, Fault | Remark):
            yield element
        elif element.name == "thread":
            if address := element.of("link"):
                yield Thread(place=f"{path.name}:{element.line}", key=element.attributes.get("id", ""), address=address)
        elif element.name == "post":
            yield _comment(element, path.name)


def _comment(post: Element, file: str) -> Comment:
    author, thread, parent = (post.first(name) for name in ("author", "thread", "parent"))
    state, reason = records.PUBLISHED, ""
    if post.of("isSpam") == "true":
        state, reason = records.LEFT_OUT, "spam"
    elif post.of("isDeleted") == "true":
        state = records.REMOVED
    elif post.of("isApproved") == "false":
        state = records.HELD
    return Comment(
        place=f"{file}:{post.line}",
        key=post.attributes.get("id", ""),
        thread=thread.attributes.get("id", "") if thread else "",
        parent=parent.attributes.get("id", "") if parent else "",
        state=state,
        reason=reason,
        author=plain(author.of("name")) if author else "",
        date=iso_date(post.of("createdAt")),
        body=post.of("message"),
        held=("it waited in Disqus",) if state == records.HELD else (),
    )


def iso_date(text: str) -> datetime | None:
    """Return a date as ISO 8601 writes it, in UTC and whole seconds, or None."""
    try:
        date = datetime.fromisoformat(text)
        date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return date if date.year >= 1000 else None
