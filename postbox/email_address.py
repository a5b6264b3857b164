"""Email addresses that a mail can be sent to.

Only plain ones: letters that every server takes (``to_ascii`` writes ``bücher.example`` as ``xn--bcher-kva.example``),
no quotation marks, no comment, a host with a dot and no number at its end. What passes can stand in a header or an SMTP command as it is.
"""

import re
import unicodedata
from collections.abc import Iterator

ADDRESS_LENGTH = 254  # characters (RFC 5321, 4.5.3.1.3, without the angle brackets)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]", re.IGNORECASE | re.ASCII)
_BETWEEN = re.compile(r"""[\s,;<>()\[\]"“”«»|]+""")
_NAMED = re.compile(r'"?(?P<name>[^"<>]*?)"? *<(?P<address>[^<>]*)>')


def is_host(text: str) -> bool:
    """Tell whether a text is the name of a machine (RFC 1123, 2.1)."""
    return len(text) <= 253 and bool(_HOST.fullmatch(text))


def is_address(text: str) -> bool:
    """Tell whether a text is one address: a dot-atom and a host with a dot (RFC 5321, 4.1.2 and 4.5.3.1)."""
    return (
        text.isascii()
        and len(text) <= ADDRESS_LENGTH
        and len(text.partition("@")[0]) <= 64
        and bool(_ADDRESS.fullmatch(text))
    )


def to_ascii(text: str) -> str:
    """Return an address as a mail is sent to it: ``info@xn--bcher-kva.example`` for ``info@bücher.example`` (UTS 46, RFC 5891).

    Nothing for what is no address, or one like ``josé@example.org``, which few servers take (RFC 6531).
    """
    if text.isascii() or len(text) > ADDRESS_LENGTH:
        return text if is_address(text) else ""
    import idna  # only where there is something to translate

    local, _, host = text.rpartition("@")
    try:
        address = f"{local}@{idna.encode(host, uts46=True).decode()}"
    except idna.IDNAError:
        return ""
    return address if is_address(address) else ""


def addresses_in(text: str) -> Iterator[str]:
    """Yield the addresses in a text as they are written there, also one that cannot be sent to from here; linear."""
    for word in _BETWEEN.split(text):
        address = word.removeprefix("mailto:").strip(".:!?'’")
        local, at, host = address.rpartition("@")
        plain = "".join(c if c.isascii() else "x" if unicodedata.category(c)[0] in "LMN" else " " for c in local)
        if at and to_ascii(f"{plain}@{host}"):
            yield address


def named(text: str) -> tuple[str, str]:
    """Return name and address of ``David <david@example.org>``; the name is empty where only the address is given.

    Raises:
        ValueError: if there is no such address in it, or the name cannot be printed.
    """
    found = _NAMED.fullmatch(text)
    name, address = (found["name"], found["address"]) if found else ("", text)
    if not is_address(address) or not name.isprintable() or "=?" in name:
        raise ValueError("not a name and an address")
    return name, address
