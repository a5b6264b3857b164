"""Outbox of what is to be mailed: a kind and ids, from the moment it is certain until a mail server has it.

A row is written in the transaction of the decision that it tells of, or when an event of the inbox is taken over.
Addresses, words and links are put in when its mail is composed, so nothing here has to be erased with them.
It is named by its kind and what it is about, so what is added twice is mailed once, at least for a day.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from postbox.store.database import transaction

TABLE = """
    CREATE TABLE outbox (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        about TEXT NOT NULL,
        added REAL NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'gathered', 'sent', 'failed')),
        due REAL NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        recipient BLOB,
        digest INTEGER REFERENCES outbox (sequence) ON DELETE CASCADE,
        UNIQUE (kind, about)
    ) STRICT;
    CREATE INDEX outbox_by_state ON outbox (state, due);
    CREATE INDEX outbox_by_digest ON outbox (digest) WHERE digest IS NOT NULL;
    CREATE INDEX outbox_by_recipient ON outbox (recipient, due) WHERE recipient IS NOT NULL
    """
# Which comments came with an address, as it was when the desk first heard of them: what is forged beside one later gets no mail.
ARRIVALS = """
    CREATE TABLE arrival (comment TEXT PRIMARY KEY, has_address INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT OR IGNORE INTO arrival SELECT about, 1 FROM outbox WHERE kind = 'confirm'
    """
# Between tries; after the last it has been some three days, and whoever keeps the site is asked.
PAUSES = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15)),
    *(timedelta(hours=hours) for hours in (1, 4, 8, 12, 24, 24)),
)
KEPT = timedelta(days=1)  # what was sent, so that it is not sent again, and counts
HOUR = timedelta(hours=1)
MAX_SIGN_INS = 3  # links to sign in, in an hour
GATHERED = "comment"  # the kind of which the rest of an hour comes as one mail; a message never waits
MAX_IN_AN_HOUR = 10  # mails of that kind to the author, before the rest does


@dataclass(frozen=True)
class Row:
    """A mail to be sent; ``tries`` have failed."""

    sequence: int
    kind: str
    about: str
    tries: int


@dataclass(frozen=True)
class Failed:
    """A mail that was given up; ``about`` begins with the id of a comment or message, ``error`` is the server's own words."""

    sequence: int
    kind: str
    about: str
    error: str
    tries: int
    when: datetime


@dataclass(frozen=True)
class Health:
    """How many mails wait; since when the oldest does that is due or was refused for now, if one is; how many were given up."""

    waiting: int
    late_since: datetime | None
    failed: int


class Outbox:
    """The rows in the desk's own database; ``add`` runs within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use a database that has ``TABLE``."""
        self._connection = connection

    def add(self, kind: str, about: str, *, now: datetime, delay: timedelta = timedelta(0)) -> None:
        """Have a mail sent after a delay, which begins again if the same is added before it is over."""
        self._connection.execute(
            "INSERT INTO outbox (kind, about, added, due) VALUES (?, ?, ?, ?) ON CONFLICT (kind, about)"
            " DO UPDATE SET due = excluded.due WHERE state = 'waiting' AND tries = 0 AND excluded.due > due",
            (kind, about, now.timestamp(), (now + delay).timestamp()),
        )

    def send_link(self, name: str, now: datetime) -> None:
        """Have a fresh link to a revision mailed to the author, once a day however often it is asked for."""
        with transaction(self._connection):
            self.add("link", f"{name}.{now.astimezone(UTC):%Y-%m-%d}", now=now)

    def send_sign_in(self, id: str, now: datetime) -> bool:
        """Have a link to sign in mailed to the author, unless the hour has had its three; return whether it will be."""
        with transaction(self._connection):
            query = "SELECT count(*) FROM outbox WHERE kind = 'sign-in' AND added > ?"
            if self._connection.execute(query, ((now - HOUR).timestamp(),)).fetchone()[0] >= MAX_SIGN_INS:
                return False
            self.add("sign-in", id, now=now)
            return True

    def added(self, kind: str, about: str) -> datetime | None:
        """Return when a mail was added, or None if there is none of that name."""
        row = self._one("SELECT added FROM outbox WHERE kind = ? AND about = ?", kind, about)
        return datetime.fromtimestamp(row["added"], UTC) if row else None

    # For whoever looks after the site

    def failed(self) -> list[Failed]:
        """Return what was given up, the latest first."""
        rows = self._connection.execute(
            "SELECT sequence, kind, about, error, tries, due AS 'when' FROM outbox"
            " WHERE state = 'failed' ORDER BY due DESC, sequence DESC"
        )
        return [Failed(**{**row, "when": datetime.fromtimestamp(row["when"], UTC)}) for row in rows]

    def again(self, sequence: int, now: datetime) -> bool:
        """Send what was given up from now on as if it were new; return whether it was there."""
        return self._change(
            "state = 'waiting', due = ?, tries = 0, error = '', recipient = NULL WHERE sequence = ? AND state = 'failed'",
            now.timestamp(),
            sequence,
        )

    def dismiss(self, sequence: int) -> bool:
        """Forget what was given up; return whether it was there."""
        query = "DELETE FROM outbox WHERE sequence = ? AND state = 'failed'"
        with transaction(self._connection):
            return bool(self._connection.execute(query, (sequence,)).rowcount)

    def health(self, now: datetime) -> Health:
        """Return what a maintainer wants to know."""
        waiting, since, failed = self._connection.execute(
            "SELECT count(*) FILTER (WHERE state IN ('waiting', 'gathered')),"
            " min(added) FILTER (WHERE state = 'waiting' AND (due <= ? OR tries > 0)),"
            " count(*) FILTER (WHERE state = 'failed') FROM outbox",
            (now.timestamp(),),
        ).fetchone()
        return Health(waiting, None if since is None else datetime.fromtimestamp(since, UTC), failed)

    # For the delivery

    def take_over(self, noted: Sequence[tuple[str, str]], now: datetime, *, arrived: Iterable[str] = ()) -> None:
        """Add what the inbox noted, by kind and what it is about; comments beyond ten in an hour are gathered into one.

        ``arrived`` are the comments that it was noted of; an address that comes later than its comment is asked nothing.
        """
        with transaction(self._connection):
            for comment in arrived:
                values = (comment, ("confirm", comment) in noted)
                self._connection.execute("INSERT INTO arrival VALUES (?, ?) ON CONFLICT DO NOTHING", values)
            for kind, about in noted:
                if self._one("SELECT 1 FROM outbox WHERE kind = ? AND about = ?", kind, about):
                    continue
                if kind == "confirm" and not self.came_with_address(about):
                    continue
                digest = self._digest(about, now) if kind == GATHERED else None
                self.add(kind, about, now=now)
                if digest:
                    query = "UPDATE outbox SET state = 'gathered', digest = ? WHERE kind = ? AND about = ?"
                    self._connection.execute(query, (digest, kind, about))

    def came_with_address(self, comment: str) -> bool:
        """Tell whether a comment came with an address, whatever the inbox says of it now."""
        return self._one("SELECT 1 FROM arrival WHERE comment = ? AND has_address", comment) is not None

    def next(self, now: datetime) -> Row | None:
        """Return what has been due for longest."""
        query = (
            "SELECT sequence, kind, about, tries FROM outbox"
            " WHERE state = 'waiting' AND due <= ? ORDER BY due, sequence LIMIT 1"
        )
        row = self._one(query, now.timestamp())
        return Row(**row) if row else None

    def gathered(self, digest: str) -> list[str]:
        """Return what the digest about ``digest`` tells of, oldest first."""
        query = (
            "SELECT about FROM outbox WHERE digest ="
            " (SELECT sequence FROM outbox WHERE kind = 'digest' AND about = ?) ORDER BY sequence"
        )
        return [row["about"] for row in self._connection.execute(query, (digest,))]

    def sent_to(self, recipient: bytes, now: datetime) -> list[str]:
        """Return the kinds of the mails that a recipient was sent within the last day, refused ones included."""
        query = "SELECT kind FROM outbox WHERE recipient = ? AND due > ?"
        return [row["kind"] for row in self._connection.execute(query, (recipient, (now - KEPT).timestamp()))]

    def has_refused(self, recipient: bytes) -> bool:
        """Tell whether the question of a recipient was given up within about a day, as where the address does not exist."""
        query = "SELECT 1 FROM outbox WHERE recipient = ? AND kind = 'confirm' AND state = 'failed'"
        return self._one(query, recipient) is not None

    def sent_to_all(self, now: datetime) -> list[str]:
        """Return the kinds of the mails that all recipients were sent within the last day."""
        query = "SELECT kind FROM outbox WHERE recipient IS NOT NULL AND due > ?"
        return [row["kind"] for row in self._connection.execute(query, ((now - KEPT).timestamp(),))]

    def sent_since(self, kind: str, since: datetime) -> int:
        """Return how many mails of a kind were sent since then."""
        found = self._one(
            "SELECT count(*) AS size FROM outbox WHERE kind = ? AND state = 'sent' AND due > ?", kind, since.timestamp()
        )
        return int(found["size"]) if found else 0

    def record(self, row: Row, now: datetime, recipient: bytes | None) -> None:
        """Record that a mail was taken, for whom if that counts."""
        self._change(
            "state = 'sent', due = ?1, error = '', recipient = ?2 WHERE sequence = ?3 OR digest = ?3",
            now.timestamp(),
            recipient,
            row.sequence,
        )

    def fail(self, row: Row, words: str, now: datetime, recipient: bytes | None, *, is_permanent: bool) -> None:
        """Record that a mail was not taken, in the server's words: it is tried again after a while, or given up."""
        if is_permanent or row.tries >= len(PAUSES):
            change = "state = 'failed', due = ?, tries = tries + 1, error = ?, recipient = ? WHERE sequence = ?"
            self._change(change, now.timestamp(), words, recipient, row.sequence)
        else:
            due = now + PAUSES[row.tries]
            change = "due = ?, tries = tries + 1, error = ? WHERE sequence = ?"
            self._change(change, due.timestamp(), words, row.sequence)

    def postpone(self, row: Row, until: datetime) -> None:
        """Keep a mail for later, without a fault of its own."""
        self._change("due = ? WHERE sequence = ?", until.timestamp(), row.sequence)

    def drop(self, row: Row) -> None:
        """Take away what is no longer true."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM outbox WHERE sequence = ?", (row.sequence,))

    def tidy(self, now: datetime) -> None:
        """Forget what was sent more than a day ago, and to whom."""
        before = ((now - KEPT).timestamp(),)
        with transaction(self._connection):
            self._connection.execute("DELETE FROM outbox WHERE state = 'sent' AND due <= ?", before)
            self._connection.execute(
                "UPDATE outbox SET recipient = NULL WHERE recipient IS NOT NULL AND due <= ?", before
            )

    # How

    def _digest(self, about: str, now: datetime) -> int | None:
        """Return the digest that gathers what comes now, if the hour has had its ten; made with the first that it gathers.

        A digest is added at the end of its hour, and until then it is open; the next hour begins with the next mail.
        """
        open = self._one("SELECT sequence FROM outbox WHERE kind = 'digest' AND added > ?", now.timestamp())
        if open:
            return int(open["sequence"])
        hour = self._one(
            "SELECT min(added) AS began, count(*) AS size FROM outbox"
            " WHERE kind = ? AND digest IS NULL AND added > ?"
            " AND added >= (SELECT coalesce(max(added), 0) FROM outbox WHERE kind = 'digest')",
            GATHERED,
            (now - HOUR).timestamp(),
        )
        if not hour or hour["size"] < MAX_IN_AN_HOUR:
            return None
        ends = hour["began"] + HOUR.total_seconds()
        query = "INSERT INTO outbox (kind, about, added, due) VALUES ('digest', ?, ?, ?)"
        return self._connection.execute(query, (f"{GATHERED}.{about}", ends, ends)).lastrowid

    def _change(self, change: str, *values: object) -> bool:
        with transaction(self._connection):
            return bool(self._connection.execute(f"UPDATE outbox SET {change}", values).rowcount)  # noqa: S608  # changes are this module's own

    def _one(self, query: str, *values: object) -> sqlite3.Row | None:
        return self._connection.execute(query, values).fetchone()  # type: ignore[no-any-return]  # the connection's row factory
