"""The one way from private to public: approve, reject.

A decision is recorded with the text approved before the file is written, and repair after a crash believes only that record.
The record and the key that names revisions lie in the desk's own folder, which the intake can neither read nor write.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from postbox.comment import Comment, CommentError, dumps, path_of, read
from postbox.database import connect, transaction
from postbox.inbox import Inbox, Waiting, secret
from postbox.settings import Settings

MIGRATIONS = [
    """
    CREATE TABLE decision (
        sequence INTEGER PRIMARY KEY,
        comment TEXT NOT NULL,
        number INTEGER NOT NULL,
        revision TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('published', 'rejected')),
        article TEXT NOT NULL,
        file TEXT,
        decided TEXT NOT NULL,
        is_applied INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
]


class ModerationError(ValueError):
    """A decision cannot be carried out; the text says why and what to do."""


@dataclass(frozen=True)
class Judged:
    """A revision as moderation shows it; ``revision`` names its words, so a decision is bound to what was seen."""

    waiting: Waiting
    revision: str

    @property
    def name(self) -> str:
        """What the commands take: ``<id>.<revision>``."""
        return f"{self.waiting.id}.{self.revision}"


class Moderation:
    """The inbox, the decisions, and the folder of published comments."""

    def __init__(self, settings: Settings) -> None:
        """Open all three and finish what a crash left undone."""
        self._comments = settings.comments
        self._inbox = Inbox(settings.inbox)
        settings.desk.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = secret(settings.desk / "key", mode=0o600)
        self._decisions = connect(settings.desk / "desk.sqlite", MIGRATIONS)
        self._apply()

    def queue(self) -> list[Judged]:
        """Return what waits, oldest first."""
        return [Judged(waiting, self._revision(waiting)) for waiting in self._inbox.waiting()]

    def approve(self, name: str, *, now: datetime) -> Path:
        """Publish a revision; return the file that it became.

        Raises:
            ModerationError: if it does not wait any more, was changed since it was seen, or answers a comment that is gone.
        """
        judged = self._seen(name)
        waiting = judged.waiting
        if waiting.reply_to and not _is_there(self._comments, waiting.article, waiting.reply_to):
            raise ModerationError(
                f"{name} answers {waiting.reply_to}, which is not published; reject it, or publish that first"
            )
        comment = Comment(
            id=waiting.id,
            article=waiting.article,
            reply_to=waiting.reply_to,
            author=waiting.author,
            date=waiting.received.astimezone(UTC).replace(microsecond=0),
            body=waiting.body,
        )
        self._decide(judged, "published", dumps(comment), now)
        return path_of(self._comments, comment.article, comment.id)

    def reject(self, name: str, *, now: datetime) -> None:
        """Keep a revision out; raises ModerationError as ``approve`` does."""
        self._decide(self._seen(name), "rejected", None, now)

    def _seen(self, name: str) -> Judged:
        id, _, revision = name.partition(".")
        found = [judged for judged in self.queue() if judged.waiting.id == id]
        if not found:
            raise ModerationError(f"{name} does not wait; `list` shows what does")
        for judged in found:
            if hmac.compare_digest(judged.revision.encode(), revision.encode()):
                return judged
        raise ModerationError(f"{name} has changed since; read {found[-1].name} and decide again")

    def _decide(self, judged: Judged, state: str, file: str | None, now: datetime) -> None:
        waiting = judged.waiting
        with transaction(self._decisions):
            self._decisions.execute(
                "INSERT INTO decision (comment, number, revision, state, article, file, decided) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    waiting.id,
                    waiting.number,
                    judged.revision,
                    state,
                    waiting.article,
                    file,
                    now.isoformat(timespec="seconds"),
                ),
            )
        self._apply()

    def _apply(self) -> None:
        """Carry out every decision that is not yet; each step may be taken twice, so a crash between them does no harm."""
        for decision in self._decisions.execute(
            "SELECT * FROM decision WHERE NOT is_applied ORDER BY sequence"
        ).fetchall():
            if decision["file"] is not None:
                write(path_of(self._comments, decision["article"], decision["comment"]), decision["file"])
            with transaction(self._inbox.connection):
                self._inbox.set_state(decision["comment"], decision["number"], decision["state"])
            with transaction(self._decisions):
                self._decisions.execute(
                    "UPDATE decision SET is_applied = 1 WHERE sequence = ?", (decision["sequence"],)
                )

    def _revision(self, waiting: Waiting) -> str:
        """Name the words under a key that no one outside has: neither a row changed later nor a collision gets the same name."""
        words = "\0".join((waiting.id, waiting.article, waiting.reply_to or "", waiting.author, waiting.body))
        return hmac.new(self._key, words.encode(), hashlib.sha256).hexdigest()[:16]


def write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, and still there after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with draft.open("x", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_there(comments: Path, article: str, id: str) -> bool:
    try:
        read(path_of(comments, article, id))
    except (CommentError, OSError):
        return False
    return True
