"""Subscriptions to what becomes of a comment: an address, confirmed by whoever reads its mail, and what it wants to be told.

An address belongs to one comment, so that nobody can have mail about another's sent to it.
Its token is the private link in each mail to it; without the address nobody can make one.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from postbox.store.submissions import Inbox

EVENTS = ("published", "author", "others")  # its comment is published, the author answered it, someone else did


@dataclass(frozen=True)
class Subscription:
    """The address behind a comment; nothing but the question whether it is theirs goes to one that is not confirmed."""

    comment: str
    address: str
    events: tuple[str, ...]
    is_confirmed: bool


class Subscriptions:
    """The subscriptions in an inbox; what changes something runs within the caller's transaction."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def ask(self, comment: str, address: str) -> None:
        """Keep an address and have it asked whether it is theirs; not one that wants no mail, nor a second one."""
        if self._inbox.one("SELECT 1 FROM refused WHERE digest = ?", self._digest(address)):
            return
        query = "INSERT INTO subscription (comment, address, events) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        if self._inbox.run(query, comment, address, " ".join(EVENTS)):
            self._inbox.add_event("confirm", comment)

    def of(self, comment: str) -> Subscription | None:
        """Return the subscription of a comment."""
        row = self._inbox.one("SELECT * FROM subscription WHERE comment = ?", comment)
        return _subscription(dict(row)) if row else None

    def having(self, address: str) -> list[Subscription]:
        """Return the subscriptions with an address, whatever its case."""
        rows = self._inbox.connection.execute(
            "SELECT * FROM subscription WHERE address = ? ORDER BY comment", (address,)
        )
        return [_subscription(dict(row)) for row in rows]

    def token(self, subscription: Subscription) -> str:
        """Return the private part of the link that only mail to the address holds."""
        return self._inbox.tokens.sign(subscription.comment, "mail", subscription.address)

    def by_token(self, token: str) -> Subscription | None:
        """Return the subscription that a token is for, unless it is gone or was not made here."""
        subscription = self.of(token.partition(".")[0])
        return subscription if subscription and self._inbox.tokens.read(token, "mail", subscription.address) else None

    def choose(self, comment: str, events: Iterable[str]) -> None:
        """Record that the address is theirs, and what it wants to be told; nothing, until it is erased within an hour."""
        chosen = " ".join(want for want in EVENTS if want in events)
        self._inbox.run("UPDATE subscription SET is_confirmed = 1, events = ? WHERE comment = ?", chosen, comment)

    def stop(self, comment: str) -> None:
        """Erase the address of a comment."""
        self._inbox.run("DELETE FROM subscription WHERE comment = ?", comment)
        self._inbox.erased("subscription", comment)

    def refuse(self, address: str) -> None:
        """Erase an address everywhere and ask it nothing again; what is kept of it cannot be turned back into it."""
        for subscription in self.having(address):
            self.stop(subscription.comment)
        self.refuse_digest(self._digest(address))

    def refuse_digest(self, digest: bytes) -> None:
        """Ask an address nothing again that is known only by what was kept of it."""
        self._inbox.run("INSERT INTO refused (digest) VALUES (?) ON CONFLICT DO NOTHING", digest)
        self._inbox.erased("refused", digest.hex())

    def _digest(self, address: str) -> bytes:
        return hmac.digest(self._inbox.key, f"refused:{address.lower()}".encode(), "sha256")


def _subscription(row: dict[str, str]) -> Subscription:
    events = tuple(want for want in EVENTS if want in row["events"].split())
    return Subscription(row["comment"], row["address"], events, bool(row["is_confirmed"]))
