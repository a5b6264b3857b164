"""The signed part of the link in a mail to the author: what it lets its holder decide on, and until when.

It is 16 bytes of HMAC-SHA256, 5 of the second it ends and the name, as unpadded base64url (RFC 4648, 5).
Nothing is kept, so a link works on every machine that has the desk's key, and on no other.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: read out over the telephone without a doubt
ID_LENGTH = 12
KEY_BYTES = 32
LASTS = timedelta(days=7)
_MAC_BYTES, _TIME_BYTES = 16, 5


@dataclass(frozen=True)
class DecisionLink:
    """A link that was made here; ``name`` is of the one revision it is for, ``<id>.<revision>``."""

    name: str
    is_expired: bool


class DecisionLinks:
    """Makes and reads the links; whoever holds one may decide on its revision until it ends."""

    def __init__(self, key: bytes) -> None:
        """Derive from the desk's key one that signs for this purpose alone."""
        self._key = hmac.digest(key, b"decision link", "sha256")

    def issue(self, name: str, now: datetime) -> str:
        """Return the token of a link for a revision, good for seven days; it can stand in an address as it is."""
        return self._token(name, int((now + LASTS).timestamp()))

    def read(self, token: str, now: datetime) -> DecisionLink | None:
        """Return what a token is for, or None if it was not made here."""
        try:
            data = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
            ends = int.from_bytes(data[_MAC_BYTES : _MAC_BYTES + _TIME_BYTES])
            name = data[_MAC_BYTES + _TIME_BYTES :].decode()
        except ValueError:
            return None
        # Made again and compared whole: of the texts that base64 reads as the same bytes, one alone is good.
        if not hmac.compare_digest(self._token(name, ends), token):
            return None
        return DecisionLink(name, is_expired=now.timestamp() >= ends)

    def _token(self, name: str, ends: int) -> str:
        signed = ends.to_bytes(_TIME_BYTES) + name.encode()
        mac = hmac.digest(self._key, signed, "sha256")[:_MAC_BYTES]
        return urlsafe_b64encode(mac + signed).decode().rstrip("=")


def secret(path: Path, *, mode: int) -> bytes:
    """Return the key in a file, made at random where there is none yet."""
    with suppress(FileExistsError):
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        fresh.write_bytes(secrets.token_bytes(KEY_BYTES))
        fresh.chmod(mode)
        try:
            path.hardlink_to(fresh)  # all of it or nothing, and never over another's
        finally:
            fresh.unlink()
    return path.read_bytes()


def new_id() -> str:
    """Return a fresh id for a comment: 60 random bits."""
    bits = secrets.randbits(5 * ID_LENGTH)
    return "".join(ALPHABET[bits >> place & 31] for place in range(0, 5 * ID_LENGTH, 5))
