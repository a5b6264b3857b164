"""An address that a mail can be sent to.

Only plain ones: letters that every server takes (a browser writes ``bücher.example`` as ``xn--bcher-kva.example`` by itself),
no quotation marks, no comment, a host with a dot and no number at its end. What passes can stand in a header or an SMTP command as it is.
"""

import re

ADDRESS_LENGTH = 254  # characters (RFC 5321, 4.5.3.1.3, without the angle brackets)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]", re.IGNORECASE | re.ASCII)
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
