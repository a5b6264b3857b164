"""Connection to PostgreSQL for an inbox that several machines share: sqlite3's calls, rows by name, and its exceptions.

All that changes the inbox is serialised by one lock, as SQLite does, so events are numbered in the order of their commits,
and no statement needs to know of another machine's. The desk's role owns the tables; the intake's has the rights that
``SCHEMA`` grants it, and cannot write what the desk hands over. Loaded only where an address is set.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 5.0  # besides the wait for whoever holds the inbox
IDLE_SECONDS = 30  # in a transaction that a machine has left open
LOCK = 7_236_145  # the one writer's, in the database
SILENCE: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

SCHEMA = [
    """
    CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE DOMAIN short_text AS text COLLATE "C" CHECK (octet_length(VALUE) <= 4096);
    CREATE DOMAIN long_text AS text COLLATE "C" CHECK (octet_length(VALUE) <= 262144);
    CREATE DOMAIN code AS bytea CHECK (octet_length(VALUE) <= 64);
    CREATE TABLE comment (
        id short_text PRIMARY KEY,
        article short_text NOT NULL,
        reply_to short_text,
        resend_key code UNIQUE,
        deletion short_text NOT NULL DEFAULT '' CHECK (deletion IN ('', 'delete', 'done'))
    );
    CREATE INDEX comment_by_deletion ON comment (deletion) WHERE deletion = 'delete';
    CREATE TABLE revision (
        comment short_text NOT NULL REFERENCES comment (id),
        number bigint NOT NULL,
        digest code NOT NULL,
        received short_text NOT NULL,
        held long_text NOT NULL,
        state short_text NOT NULL
            CHECK (state IN ('waiting', 'published', 'replaced', 'rejected', 'spam', 'removed', 'deleted')),
        reason long_text NOT NULL DEFAULT '',
        PRIMARY KEY (comment, number)
    );
    CREATE INDEX revision_by_state ON revision (state, received);
    CREATE INDEX revision_by_digest ON revision (digest, received);
    CREATE TABLE subscription (
        comment short_text PRIMARY KEY REFERENCES comment (id),
        address text COLLATE nocase NOT NULL CHECK (octet_length(address) <= 4096),
        events short_text NOT NULL,
        is_confirmed integer NOT NULL DEFAULT 0
    );
    CREATE INDEX subscription_by_address ON subscription (address);
    CREATE TABLE refused (digest code PRIMARY KEY);
    CREATE TABLE message (
        id short_text PRIMARY KEY,
        name short_text NOT NULL,
        contact short_text NOT NULL,
        body long_text NOT NULL,
        received short_text NOT NULL,
        held long_text NOT NULL,
        resend_key code UNIQUE,
        state short_text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'done', 'deleted'))
    );
    CREATE INDEX message_by_state ON message (state, received);
    CREATE TABLE event (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind short_text NOT NULL, about short_text NOT NULL
    );
    CREATE TABLE erasure (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind short_text NOT NULL, about short_text NOT NULL
    );
    CREATE TABLE site_file (
        name text PRIMARY KEY, content bytea NOT NULL, version bigint NOT NULL
    );
    CREATE TABLE published (
        article short_text, id short_text, content bytea, version bigint NOT NULL, PRIMARY KEY (article, id)
    );
    CREATE INDEX published_by_version ON published (version);
    CREATE UNLOGGED TABLE rate (
        bucket short_text PRIMARY KEY, level double precision NOT NULL, at double precision NOT NULL, wait double precision NOT NULL
    );
    CREATE INDEX rate_by_time ON rate (at);
    CREATE FUNCTION tell_of_events() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NOTIFY postbox_event; RETURN NULL; END $$;
    CREATE TRIGGER tell_of_events AFTER INSERT ON event EXECUTE FUNCTION tell_of_events();
    GRANT USAGE ON SCHEMA postbox TO postbox_intake;
    GRANT SELECT, INSERT, UPDATE ON comment, revision, message TO postbox_intake;
    GRANT SELECT, INSERT, UPDATE, DELETE ON subscription, rate TO postbox_intake;
    GRANT SELECT, INSERT ON refused, event TO postbox_intake;
    GRANT INSERT ON erasure TO postbox_intake;
    GRANT SELECT ON schema_version, site_file, published TO postbox_intake
    """,
]
# What SQLite has words of its own for. The places of what was erased are free for other rows after a vacuum.
WORDS = {
    "BEGIN IMMEDIATE": f"BEGIN; SELECT pg_advisory_xact_lock({LOCK})",
    "x''": "''::bytea",
    "PRAGMA wal_checkpoint(TRUNCATE)": "VACUUM comment, revision, subscription, message, event, erasure",
}


class Connection:
    """The part of ``sqlite3.Connection`` that the inbox uses; each statement is a transaction unless one was begun."""

    def __init__(self, address: str, *, wait_seconds: float) -> None:
        """Connect within ``CONNECT_SECONDS``; a change waits ``wait_seconds`` for whoever holds the inbox.

        Raises:
            sqlite3.Error: if nothing answers there, or the database does not keep every character; never with the password.
        """
        with _faults():
            self._real = psycopg.connect(
                address,
                autocommit=True,
                row_factory=dict_row,
                cursor_factory=psycopg.RawCursor,
                connect_timeout=CONNECT_SECONDS,
                client_encoding="UTF8",
                **SILENCE,
            )
            milliseconds, longest = int(1000 * wait_seconds), int(1000 * (wait_seconds + STATEMENT_SECONDS))
            self._real.execute(
                "SET search_path = postbox; SET synchronous_commit = on;"
                f" SET lock_timeout = {max(1, milliseconds)}; SET statement_timeout = {longest};"
                f" SET idle_in_transaction_session_timeout = {IDLE_SECONDS * 1000}"
            )
        if self._real.info.parameter_status("server_encoding") != "UTF8":
            self.close()
            raise sqlite3.OperationalError("the database of POSTBOX_INBOX must have the encoding UTF8")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and has not ended."""
        return self._real.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, of itself or with the server."""
        return self._real.closed

    def execute(self, statement: str, values: Sequence[object] = ()) -> psycopg.Cursor[dict[str, Any]]:
        """Run a statement in SQLite's words."""
        with _faults():
            return self._real.execute(_translated(statement), [_storable(value) for value in values] or None)

    def notified(self, seconds: float) -> bool:
        """Wait so long at most for what this connection listens to; return whether anything came."""
        with _faults():
            return any(True for _ in self._real.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        """End it."""
        self._real.close()

    def __del__(self) -> None:
        """End it with whoever used it, as sqlite3 does."""
        if hasattr(self, "_real"):
            self._real.close()


def migrate(connection: Connection, reader_fields: Iterable[str]) -> None:
    """Bring the schema up to date if the connection's role owns the database; the intake's role only sees that it is.

    Raises:
        sqlite3.DatabaseError: if that is not so, or the schema is a newer version's.
    """
    may_make = "SELECT pg_has_role(datdba, 'USAGE') AS may FROM pg_database WHERE datname = current_database()"
    row = connection.execute(may_make).fetchone()
    if not row or not row["may"]:
        if _version(connection) != len(SCHEMA):
            raise sqlite3.OperationalError("start the desk of this version first, which makes the tables")
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE SCHEMA IF NOT EXISTS postbox")
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY)")
        if (version := _version(connection)) > len(SCHEMA):
            raise sqlite3.DatabaseError("the inbox was written by a newer version; update this one")
        for number, statements in enumerate(SCHEMA[version:], version + 1):
            connection.execute(statements)
            connection.execute("INSERT INTO schema_version VALUES (?)", (number,))
        for name in reader_fields:
            connection.execute(f"ALTER TABLE revision ADD COLUMN IF NOT EXISTS {name} long_text NOT NULL DEFAULT ''")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: Connection) -> int:
    found = connection.execute("SELECT to_regclass('postbox.schema_version') IS NOT NULL AS is_there").fetchone()
    if not found or not found["is_there"]:
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) AS version FROM schema_version").fetchone()
    return int(row["version"]) if row else 0


@lru_cache(256)
def _translated(statement: str) -> str:
    """Return a statement with ``$1`` for each ``?`` or ``?1``."""
    places = iter(range(1, 100))

    def own(found: re.Match[str]) -> str:
        return f"${found[1] or next(places)}"

    for word, meant in WORDS.items():
        statement = statement.replace(word, meant)
    return re.sub(r"\?(\d*)", own, statement)


def _storable(value: object) -> object:
    """Return a value as PostgreSQL keeps it: no text there has a NUL."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


@contextmanager
def _faults() -> Iterator[None]:
    """Raise psycopg's errors as the sqlite3 exceptions of the same names (PEP 249), without the values that they may quote."""
    try:
        yield
    except psycopg.Error as error:
        name = next(kind.__name__ for kind in type(error).__mro__ if hasattr(sqlite3, kind.__name__))
        if error.sqlstate:
            text = f"PostgreSQL refuses ({type(error).__name__}, {error.sqlstate})"
        elif isinstance(error, psycopg.OperationalError):
            text = "PostgreSQL does not answer at the address of POSTBOX_INBOX, or has ended the connection"
        else:
            text = f"PostgreSQL cannot be asked ({type(error).__name__}); look at POSTBOX_INBOX"
        raise getattr(sqlite3, name)(text) from None
