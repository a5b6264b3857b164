"""Sessions of the desk, and the single-use links that open them.

Both are 256 random bits, and only their SHA-256 is kept, in the desk's own folder: who reads the database can sign in with none of it.
There is no password, no account and no registration; who may run the command line may sign in.
"""

import hashlib
import secrets
import threading
from datetime import datetime, timedelta
from pathlib import Path

from postbox.store.database import connect, transaction
from postbox.store.tokens import SIGN_IN_LASTS

SESSION_LASTS = timedelta(days=30)

MIGRATIONS = [
    """
    CREATE TABLE link (digest BLOB PRIMARY KEY, ends REAL NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE session (digest BLOB PRIMARY KEY, ends REAL NOT NULL) STRICT, WITHOUT ROWID
    """,
]


class SignIn:
    """What was handed out; a link's token is never good as a session, nor a session as a link."""

    def __init__(self, folder: Path) -> None:
        """Open or make ``sessions.sqlite`` in the desk's folder."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = connect(folder / "sessions.sqlite", MIGRATIONS)
        self._lock = threading.Lock()  # one connection for all threads

    def issue(self, now: datetime) -> str:
        """Return the token of a fresh link, good once within 15 minutes."""
        return self.keep_link(secrets.token_urlsafe(), now)

    def keep_link(self, token: str, now: datetime) -> str:
        """Let a token that was made elsewhere sign in, once within 15 minutes; return the same."""
        with self._lock, transaction(self._database):
            self._database.execute("DELETE FROM link WHERE ends <= ?", (now.timestamp(),))
            self._keep("link", token, now + SIGN_IN_LASTS)
        return token

    def redeem(self, token: str, now: datetime) -> str | None:
        """Use a link's token up and return a session's, good for 30 days; or None."""
        session = secrets.token_urlsafe()
        with self._lock, transaction(self._database):
            query = "DELETE FROM link WHERE digest = ? AND ends > ?"
            if not self._database.execute(query, (_digest(token), now.timestamp())).rowcount:
                return None
            self._database.execute("DELETE FROM session WHERE ends <= ?", (now.timestamp(),))
            self._keep("session", session, now + SESSION_LASTS)
        return session

    def is_open(self, session: str, now: datetime) -> bool:
        """Tell whether a session was opened here, is not over and was not closed."""
        query = "SELECT 1 FROM session WHERE digest = ? AND ends > ?"
        with self._lock:
            return self._database.execute(query, (_digest(session), now.timestamp())).fetchone() is not None

    def close(self, session: str) -> None:
        """End a session."""
        with self._lock, transaction(self._database):
            self._database.execute("DELETE FROM session WHERE digest = ?", (_digest(session),))

    def _keep(self, table: str, token: str, ends: datetime) -> None:
        query = f"INSERT INTO {table} (digest, ends) VALUES (?, ?)"  # noqa: S608  # one of the two above
        self._database.execute(query, (_digest(token), ends.timestamp()))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
