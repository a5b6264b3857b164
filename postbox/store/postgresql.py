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
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from postbox.settings import postgresql_options

T = TypeVar("T")

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 5.0  # besides the wait for whoever holds the inbox
SILENT_SECONDS = 1.0  # more, and a server that is there and says nothing is left
IDLE_SECONDS = 30  # in a transaction that a machine has left open
NEAR = ("", "localhost", "127.0.0.1", "::1")
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
    CREATE UNLOGGED TABLE rate (bucket code PRIMARY KEY, empty_at double precision NOT NULL);
    CREATE INDEX rate_by_time ON rate (empty_at);
    CREATE FUNCTION seconds() RETURNS double precision LANGUAGE sql STABLE AS
        'SELECT extract(epoch FROM statement_timestamp())::double precision';
    CREATE FUNCTION tell_the_desk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NOTIFY postbox_desk; RETURN NULL; END $$;
    CREATE TRIGGER tell_the_desk AFTER INSERT ON event EXECUTE FUNCTION tell_the_desk();
    CREATE TRIGGER tell_the_desk AFTER UPDATE OF deletion ON comment EXECUTE FUNCTION tell_the_desk();
    CREATE TRIGGER tell_the_desk AFTER UPDATE OF state ON revision EXECUTE FUNCTION tell_the_desk();
    GRANT USAGE ON SCHEMA postbox TO postbox_intake;
    GRANT SELECT, INSERT, UPDATE ON comment, revision, message TO postbox_intake;
    GRANT SELECT, INSERT, UPDATE, DELETE ON subscription, rate TO postbox_intake;
    GRANT SELECT, INSERT ON refused, event TO postbox_intake;
    GRANT INSERT ON erasure TO postbox_intake;
    GRANT SELECT ON schema_version, site_file, published TO postbox_intake
    """,
]
CURES = {
    "42501": "intakes use the role postbox_intake, the desk the role that owns the database",
    "42704": "make the role postbox_intake first",
    "0A000": "the server must be built with ICU, as Debian's is",
}
# What SQLite has words of its own for. The places of what was erased are free for other rows after a vacuum.
WORDS = {
    "BEGIN IMMEDIATE": f"BEGIN; SELECT pg_advisory_xact_lock({LOCK})",
    "x''": "''::bytea",
    "PRAGMA wal_checkpoint(TRUNCATE)": "VACUUM (SKIP_LOCKED) comment, revision, subscription, message, event, erasure",
}


class _Bounded(psycopg.Connection[dict[str, Any]]):
    """A connection that waits for an answer no longer than ``seconds``."""

    seconds: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for what was asked."""
        return super().wait(gen, interval, self.seconds if timeout is None else timeout)


class Connection:
    """The part of ``sqlite3.Connection`` that the inbox uses; each statement is a transaction unless one was begun."""

    def __init__(self, address: str, *, wait_seconds: float) -> None:
        """Connect within ``CONNECT_SECONDS``; a change waits ``wait_seconds`` for whoever holds the inbox.

        Raises:
            sqlite3.Error: if nothing answers there, or the database does not keep every character; never with the password.
        """
        options: dict[str, Any] = postgresql_options(address)
        if not all(_is_near(options.get(name) or "") for name in ("host", "hostaddr")):
            options.setdefault("sslmode", "require")
        with _faults(options.get("password") or ""):
            self._real = _Bounded.connect(
                **options | SILENCE,
                autocommit=True,
                row_factory=dict_row,
                cursor_factory=psycopg.RawCursor,
                connect_timeout=CONNECT_SECONDS,
                client_encoding="UTF8",
            )
        milliseconds, longest = int(1000 * wait_seconds), int(1000 * (wait_seconds + STATEMENT_SECONDS))
        self._real.seconds = wait_seconds + STATEMENT_SECONDS + SILENT_SECONDS
        with self._asking():
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
    def server_version(self) -> str:
        """The version of PostgreSQL, in words."""
        return str(self._real.info.parameter_status("server_version"))

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, of itself or with the server."""
        return self._real.closed

    def execute(self, statement: str, values: Sequence[object] = ()) -> psycopg.Cursor[dict[str, Any]]:
        """Run a statement in SQLite's words."""
        with self._asking():
            return self._real.execute(_translated(statement), [_storable(value) for value in values] or None)

    def fileno(self) -> int:
        """Return what is ready to read once something comes, for ``select``."""
        return self._real.fileno()

    def notified(self) -> bool:
        """Take what has come of what this connection listens to; return whether anything has."""
        with self._asking():
            return bool([*self._real.notifies(timeout=0)])

    def close(self) -> None:
        """End it."""
        self._real.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Leave a server that has not answered in time: what it was asked may still hold the connection up."""
        try:
            with _faults():
                yield
        except sqlite3.Error:
            if self._real.info.transaction_status == TransactionStatus.ACTIVE:
                self._real.close()
            raise

    def __del__(self) -> None:
        """End it with whoever used it, as sqlite3 does."""
        if hasattr(self, "_real"):
            self._real.close()


def migrate(connection: Connection, reader_fields: Iterable[str]) -> None:
    """Bring the schema up to date if the connection's role owns the database; the intake's role only sees that it is.

    Raises:
        sqlite3.DatabaseError: if that is not so, or the schema is a newer version's.
    """
    fields = set(reader_fields)
    if _version(connection) == len(SCHEMA) and fields <= _fields(connection):
        return  # without a lock, which every reader would wait for
    if not owns(connection):
        raise sqlite3.OperationalError(
            "the tables of POSTBOX_INBOX are not those of this version; start the desk first, whose role owns the database"
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE SCHEMA IF NOT EXISTS postbox")
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY)")
        if (version := _version(connection)) > len(SCHEMA):
            raise sqlite3.DatabaseError("the inbox was written by a newer version; update this one")
        for number, statements in enumerate(SCHEMA[version:], version + 1):
            connection.execute(statements)
            connection.execute("INSERT INTO schema_version VALUES (?)", (number,))
        for name in sorted(fields):
            connection.execute(f"ALTER TABLE revision ADD COLUMN IF NOT EXISTS {name} long_text NOT NULL DEFAULT ''")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def owns(connection: Connection) -> bool:
    """Tell whether a connection's role owns the database, as the desk's does."""
    query = "SELECT pg_has_role(datdba, 'USAGE') AS owns FROM pg_database WHERE datname = current_database()"
    row = connection.execute(query).fetchone()
    return bool(row and row["owns"])


def _fields(connection: Connection) -> set[str]:
    query = (
        "SELECT attname AS name FROM pg_attribute WHERE attrelid = 'postbox.revision'::regclass AND NOT attisdropped"
    )
    return {row["name"] for row in connection.execute(query)}


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


def _is_near(hosts: str) -> bool:
    """Tell whether nothing that is asked leaves this machine: no host, a socket, or an address of its own."""
    return all(host in NEAR or host.startswith("/") for host in hosts.split(","))


@contextmanager
def _faults(password: str | None = None) -> Iterator[None]:
    """Raise psycopg's errors as the sqlite3 exceptions of the same names (PEP 249), without the values that they may quote.

    Of what stands in the way of a connection the server's own words are told: they name host, database and role.
    """
    try:
        yield
    except psycopg.Error as error:
        name = next(kind.__name__ for kind in type(error).__mro__ if hasattr(sqlite3, kind.__name__))
        if error.sqlstate:
            cure = f"; {CURES[error.sqlstate]}" if error.sqlstate in CURES else ""
            text = f"PostgreSQL refuses ({type(error).__name__}, {error.sqlstate}){cure}"
        elif password is not None:
            words = " ".join(str(error).partition("\n")[0].split())
            words = words.replace(password, "…") if password else words
            text = f"POSTBOX_INBOX: {words}; start PostgreSQL there, or correct host, database, role or password"
        elif isinstance(error, psycopg.OperationalError):
            text = "PostgreSQL does not answer at the address of POSTBOX_INBOX, or has ended the connection"
        else:
            text = f"PostgreSQL cannot be asked ({type(error).__name__})"
        raise getattr(sqlite3, name)(text) from None
