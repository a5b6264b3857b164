"""Reader of the exchange format, a comment a line (``contract.exchange``)."""

from collections.abc import Iterator
from pathlib import Path

from contract.comment import DETAILS, CommentError
from contract.exchange import LINE_BYTES, Exchanged, loads
from moving import records
from moving.records import Comment, Fault, MovingError, Progress, Record


def read(path: Path, progress: Progress) -> Iterator[Record]:
    """Yield the comments; a line that breaks a rule is a fault, and the next is read.

    Raises:
        MovingError: if there is no such file.
    """
    if not path.is_file():
        raise MovingError(f"{path}: there is no such file")
    with path.open("rb") as file:
        number, is_within = 0, False
        while data := file.readline(LINE_BYTES):
            progress(len(data))
            was_within, is_within = is_within, not data.endswith(b"\n") and len(data) == LINE_BYTES
            number += not was_within
            if was_within or not data.strip():
                continue
            place = f"{path.name}:{number}"
            if is_within:
                yield Fault(place=place, cause=f"the line is longer than {LINE_BYTES:,} bytes; it is left out")
                continue
            try:
                yield _comment(loads(data.decode("utf-8-sig")), place)
            except (CommentError, UnicodeDecodeError) as error:
                cause = error if isinstance(error, CommentError) else "it is not UTF-8; save the file as UTF-8"
                yield Fault(place=place, cause=f"{cause}; the comment is left out")


def _comment(exchanged: Exchanged, place: str) -> Comment:
    comment = exchanged.comment
    state = records.REMOVED if comment.removed else records.HELD if exchanged.is_waiting else records.PUBLISHED
    return Comment(
        place=place,
        key=comment.id,
        thread=comment.article,
        parent=comment.reply_to or "",
        state=state,
        reason=comment.removed,
        author=comment.author,
        is_author=comment.is_author,
        website=comment.website or "",
        date=comment.date,
        body=comment.body,
        is_html=False,
        held=exchanged.held,
        more={name: comment.words[name] for name in DETAILS},
    )
