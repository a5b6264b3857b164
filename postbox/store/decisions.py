"""Record of decisions, the audit log: who decided what, when, and the text approved; repair after a crash believes nothing else.

It lies in the desk's own folder. What changes something runs within the caller's transaction.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from postbox.store.database import connect
from postbox.store.outbox import ARRIVALS, TABLE

MIGRATIONS = [
    """
    CREATE TABLE decision (
        sequence INTEGER PRIMARY KEY,
        decided TEXT NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        comment TEXT NOT NULL,
        article TEXT NOT NULL,
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        file TEXT,
        state_before TEXT NOT NULL,
        file_before TEXT,
        is_applied INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX decision_by_comment ON decision (comment, sequence);
    CREATE INDEX decision_to_apply ON decision (sequence) WHERE NOT is_applied
    """,
    TABLE,
    f"{ARRIVALS}; INSERT OR IGNORE INTO arrival SELECT DISTINCT comment, 1 FROM decision",  # noqa: S608  # what was decided on before
]
ERASURES = ("delete", "forget")
GONE = "deleted"  # in a decision: the state before it, whose words were erased since
MAX_REPLIES = 100  # of those that are looked through for one
NO_FILE = ""  # in a decision: the file is taken away; None leaves it as it is


@dataclass(frozen=True)
class Decision:
    """A line of the audit log: who decided what, when.

    ``action`` is publish, reject, spam, answer, edit, remove, delete (by its writer), forget or undo.
    ``number`` is that of the revision in the inbox, 0 for none.
    ``can_be_undone`` is true of the last decision on a comment, unless words were erased by it or since.
    """

    sequence: int
    decided: datetime
    who: str
    action: str
    comment: str
    article: str
    number: int
    reason: str
    can_be_undone: bool


class Decisions:
    """The decisions, each on one comment."""

    def __init__(self, folder: Path) -> None:
        """Open or make ``desk.sqlite`` in the desk's folder."""
        self.connection = connect(folder / "desk.sqlite", MIGRATIONS)

    # To be read

    def latest(self, *, limit: int = -1, offset: int = 0) -> list[Decision]:
        """Return the decisions, the latest first."""
        return self._find("1 ORDER BY sequence DESC LIMIT ? OFFSET ?", limit, offset)

    def one(self, sequence: int) -> Decision | None:
        """Return one decision, or None."""
        return next(iter(self._find("sequence = ?", sequence)), None)

    def size(self) -> int:
        """Return how many there are."""
        return int(self.connection.execute("SELECT count(*) FROM decision").fetchone()[0])

    def last(self) -> int:
        """Return the sequence number of the last decision, 0 before the first."""
        return int(self.connection.execute("SELECT coalesce(max(sequence), 0) FROM decision").fetchone()[0])

    def files_since(self, sequence: int) -> list[sqlite3.Row]:
        """Return what was decided on files since then, in order."""
        query = (
            "SELECT comment, article, file_before, state_before FROM decision"
            " WHERE sequence > ? AND (file IS NOT NULL OR state_before = ?) ORDER BY sequence"
        )
        return self.connection.execute(query, (sequence, GONE)).fetchall()

    def article_of(self, comment: str) -> str | None:
        """Return the article of the last decision on a comment, if there is one."""
        query = "SELECT article FROM decision WHERE comment = ? ORDER BY sequence DESC LIMIT 1"
        row = self.connection.execute(query, (comment,)).fetchone()
        return str(row["article"]) if row else None

    def of(self, comment: str) -> list[Decision]:
        """Return the decisions on a comment, in order."""
        return self._find("comment = ? ORDER BY sequence", comment)

    def replies_since(self, sequence: int) -> list[Decision]:
        """Return the first ``MAX_REPLIES`` replies of the author since a decision, in order, to whatever comments."""
        return self._find("sequence > ? AND action = 'answer' ORDER BY sequence LIMIT ?", sequence, MAX_REPLIES)

    def has_published(self, comment: str, article: str) -> bool:
        """Tell whether a reader's comment was ever published there."""
        query = "SELECT 1 FROM decision WHERE comment = ? AND article = ? AND action = 'publish'"
        return self.connection.execute(query, (comment, article)).fetchone() is not None

    def done_before(self, date: datetime) -> set[str]:
        """Return the comments on which nothing was decided since a date."""
        query = "SELECT comment FROM decision GROUP BY comment HAVING max(decided) < ?"
        return {row["comment"] for row in self.connection.execute(query, (_stamp(date),))}

    def with_texts_before(self, date: datetime, *, limit: int) -> list[str]:
        """Return comments on which nothing was decided since a date, and of which there may be words here."""
        query = (
            "SELECT comment FROM decision GROUP BY comment HAVING max(decided) < ? AND max(state_before <> ?) LIMIT ?"
        )
        return [row["comment"] for row in self.connection.execute(query, (_stamp(date), GONE, limit))]

    def with_texts(self) -> set[str]:
        """Return the comments of which there may be words here."""
        query = "SELECT DISTINCT comment FROM decision WHERE state_before <> ?"
        return {row["comment"] for row in self.connection.execute(query, (GONE,))}

    # To be carried out, and taken back

    def add(self, decided: datetime, **values: object) -> int:
        """Write a decision down, which is then to be carried out; return its sequence number."""
        values = {"decided": _stamp(decided)} | values
        query = f"INSERT INTO decision ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608  # the names are moderation's own
        return self.connection.execute(query, [*values.values()]).lastrowid or 0

    def to_apply(self) -> list[sqlite3.Row]:
        """Return what is not carried out yet, in order."""
        return self.connection.execute("SELECT * FROM decision WHERE NOT is_applied ORDER BY sequence").fetchall()

    def applied(self, sequence: int) -> None:
        """Record that a decision was carried out."""
        self.connection.execute("UPDATE decision SET is_applied = 1 WHERE sequence = ?", (sequence,))

    def to_undo(self, sequence: int) -> sqlite3.Row | None:
        """Return a decision that can be taken back, or None."""
        is_last = "sequence = (SELECT max(sequence) FROM decision AS d WHERE d.comment = decision.comment)"
        query = f"SELECT * FROM decision WHERE sequence = ? AND {is_last}"  # noqa: S608  # no value stands in it
        row: sqlite3.Row | None = self.connection.execute(query, (sequence,)).fetchone()
        return row if row and _can_be_undone(row) else None

    def drop_texts(self, comment: str) -> None:
        """Take the words of a comment out of what was decided on it; its erasure itself still has to be carried out."""
        query = "UPDATE decision SET file = NULL, file_before = NULL, reason = '', state_before = ? WHERE comment = ?"
        self.connection.execute(query, (GONE, comment))

    # How

    def _find(self, condition: str, *values: str | int) -> list[Decision]:
        rows = self.connection.execute(
            "SELECT *, sequence = (SELECT max(sequence) FROM decision AS d WHERE d.comment = decision.comment) AS is_last"  # noqa: S608  # conditions are this module's own
            f" FROM decision WHERE {condition}",
            values,
        )
        return [
            Decision(
                sequence=row["sequence"],
                decided=datetime.fromisoformat(row["decided"]),
                who=row["who"],
                action=row["action"],
                comment=row["comment"],
                article=row["article"],
                number=row["number"],
                reason=row["reason"],
                can_be_undone=bool(row["is_last"]) and _can_be_undone(row),
            )
            for row in rows
        ]


def _can_be_undone(decision: sqlite3.Row) -> bool:
    return decision["action"] not in (*ERASURES, "undo") and decision["state_before"] != GONE


def _stamp(date: datetime) -> str:
    return date.isoformat(timespec="seconds")
