"""Ways to answer someone: the email addresses and telephone numbers in the one line that they left."""

import re
import unicodedata
from urllib.parse import quote

from postbox.email_address import addresses_in, to_ascii
from postbox.telephone import DEFAULT_REGION, MIN_DIGITS, numbers_in

MAX_LINKS = 5
LINE_LENGTH = 500

# Nobody is called by so many figures, however they are grouped; 1985 or 007 is a name.
_NUMBER_AS_NAME = re.compile(rf"\d(?:[ ().+/-]{{0,3}}\d){{{MIN_DIGITS},}}")


def can_be_answered(contact: str) -> bool:
    """Tell whether a line has an email address in it or the digits of a telephone number; loads no country's rules."""
    words = contact[:LINE_LENGTH].split()
    digits = sum(c.isdigit() for word in words if "@" not in word for c in word)
    return digits >= MIN_DIGITS or any(addresses_in(contact[:LINE_LENGTH]))


def contact_links(contact: str, region: str = DEFAULT_REGION) -> list[tuple[str, str]]:
    """Return each number and address in a line as (what is read, ``tel:`` or ``mailto:`` address), in the order of the line.

    (RFC 3966, RFC 6068.) At most ``MAX_LINKS``, from the first ``LINE_LENGTH`` characters; none for other words.
    """
    line, found = contact[:LINE_LENGTH], []
    for address in addresses_in(line):
        start = line.index(address)
        found.append((start, address, f"mailto:{quote(to_ascii(address) or address, safe='@')}"))
        line = line.replace(address, " " * len(address), 1)
    found += [(start, written, f"tel:{dialled}") for start, written, dialled in numbers_in(line, region)]
    labels: dict[str, str] = {}
    for _, label, link in sorted(found):
        labels.setdefault(link, label)
    return [(label, link) for link, label in labels.items()][:MAX_LINKS]


def looks_like_address(name: str) -> bool:
    """Tell whether a name is, or has in it, an email address or a telephone number, which would be published with it."""
    plain = unicodedata.normalize("NFKC", name[:LINE_LENGTH])
    return any(addresses_in(plain)) or bool(_NUMBER_AS_NAME.search(plain))
