"""Tokens of private links, signed by itsdangerous; the keys they are signed with, and fresh ids.

A token is ``<text>.<signature>``, the signature 22 characters of HMAC-SHA256 as base64url (132 bits).
Nothing is kept, so a token is good on every machine that has the key, and on no other.
"""

import errno
import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from itsdangerous import BadSignature, Signer, base64_decode, base64_encode, want_bytes

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: read out over the telephone without a doubt
ID_LENGTH = 12
KEY_BYTES = 32
SIGNATURE_LENGTH = 22
LASTS = timedelta(days=7)
SIGN_IN_LASTS = timedelta(minutes=15)


class Tokens:
    """Signs texts under one key, each for one purpose, and reads what was signed for it."""

    def __init__(self, key: bytes) -> None:
        """Sign with a key; each purpose gets one that is derived from it."""
        self._key = key

    def sign(self, text: str, *purpose: str) -> str:
        """Return a token of a text, good for a purpose and as long as its words are so; it can stand in an address if the text can."""
        return self._signer(purpose).sign(text).decode()

    def read(self, token: str, *purpose: str) -> str | None:
        """Return the text of a token, or None if it was not signed here for this purpose."""
        try:
            return self._signer(purpose).unsign(token).decode()
        except (BadSignature, ValueError):  # a ValueError is a lone surrogate
            return None

    def _signer(self, purpose: tuple[str, ...]) -> Signer:
        return _Signer(self._key, salt=":".join(purpose), key_derivation="hmac", digest_method=hashlib.sha256)


@dataclass(frozen=True)
class DecisionLink:
    """A link that was made here; ``name`` is of the one revision it is for, ``<id>.<revision>``."""

    name: str
    is_expired: bool


class DecisionLinks:
    """The signed part of the link in a mail to the author: whoever holds it may decide on one revision until it ends."""

    def __init__(self, key: bytes) -> None:
        """Sign with the desk's key."""
        self._tokens = Tokens(key)

    def issue(self, name: str, now: datetime) -> str:
        """Return the token of a link for a revision, good for seven days."""
        ends = int((now + LASTS).timestamp())
        return self._tokens.sign(base64_encode(f"{name}.{ends}").decode(), "decision link")

    def read(self, token: str, now: datetime) -> DecisionLink | None:
        """Return what a token is for, or None if it was not made here."""
        text = self._tokens.read(token, "decision link")
        if text is None:
            return None
        name, _, ends = base64_decode(text).decode().rpartition(".")
        return DecisionLink(name, is_expired=now.timestamp() >= int(ends))


def sign_in_token(key: bytes, id: str) -> str:
    """Return the token of the link that a mail to the author signs in with; the desk keeps when it ends, and that it was used."""
    return Tokens(key).sign(id, "sign-in link")


class _Signer(Signer):
    def get_signature(self, value: str | bytes) -> bytes:
        """Cut a signature off (RFC 2104, 5), so that a link stays short."""
        return super().get_signature(value)[:SIGNATURE_LENGTH]

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        """Compare the texts of the signatures: of those that base64 reads as the same bytes, one alone is good."""
        return hmac.compare_digest(self.get_signature(value), want_bytes(sig))


def secret(path: Path, *, mode: int) -> bytes:
    """Return the key in a file, made at random where there is none yet.

    Raises:
        ValueError: if a link, a pipe or anything but ``KEY_BYTES`` bytes lies there; the text names it.
    """
    with suppress(FileExistsError):
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(secrets.token_bytes(KEY_BYTES))
        try:
            path.hardlink_to(fresh)  # all of it or nothing, and never over another's
        finally:
            fresh.unlink()
    return _read_key(path)


def _read_key(path: Path) -> bytes:
    """Read a key by its descriptor: neither a link nor a pipe nor anything without an end."""
    wrong = ValueError(f"{path} is no key of ours; delete it, or put the last good copy there")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise wrong if error.errno == errno.ELOOP else error from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != KEY_BYTES:
            raise wrong
        return file.read(KEY_BYTES)


def new_id() -> str:
    """Return a fresh id for a comment: 60 random bits."""
    bits = secrets.randbits(5 * ID_LENGTH)
    return "".join(ALPHABET[bits >> place & 31] for place in range(0, 5 * ID_LENGTH, 5))
