"""Why a comment deserves a second look before it is published.

Nothing here decides: every comment waits for its reader, and these reasons only sort what waits and say why.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

# A field that a person does not see; a program that fills in every field does.
HONEYPOT = "website"
MAX_LINKS = 2
MIN_SECONDS = 3

_LINK = re.compile(r"https?://|www\.|\bmailto:", re.IGNORECASE)
# Letters of other scripts that are drawn like small Latin ones (after case folding), from Unicode's confusables (UTS 39).
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһԛԝвкмнтгпαεικνορτυχωɑɡɩɪӏıl|015đðɖɗᴅᴀᴠ",
    "aeopcyxijsdhqwbkmhtrnaeikvoptuxwagiiiiiioisdddddav",
)


def reasons(
    *, author: str, body: str, honeypot: str, seconds: float | None, repeated: int, site_author: str
) -> Iterator[str]:
    """Yield why a comment is held, in words for the person who decides.

    Args:
        author: the name that its writer gave.
        body: the comment.
        honeypot: what came in the field that a person does not see.
        seconds: how long the form was open, where that is known.
        repeated: how often the same words came before.
        site_author: whose name nobody else should seem to have.
    """
    if honeypot:
        yield "a field that people do not see was filled in"
    if seconds is not None and seconds < MIN_SECONDS:
        yield f"it was sent within {MIN_SECONDS} seconds of opening the form"
    if (links := len(_LINK.findall(body))) > MAX_LINKS:
        yield f"it has {links} links"
    if repeated:
        yield "the same words came before" if repeated == 1 else f"the same words came {repeated} times before"
    if skeleton(author) == skeleton(site_author):
        yield f"its writer’s name looks like {site_author}"
    words = author + body
    if not words.isascii() and any(unicodedata.category(c) == "Cf" and c not in "\u200c\u200d" for c in words):
        yield "it has invisible characters"


@functools.lru_cache(128)  # the author's is asked for with every comment
def skeleton(name: str) -> str:
    """Return what a name looks like: without case, width, accents, signs, invisible characters, or the script its letters are from.

    Two names with one skeleton can be mistaken for each other (after UTS 39, section 4).
    """
    letters = _without("CMZP", unicodedata.normalize("NFKD", name))
    return _without("S", letters.casefold().translate(_LOOKALIKES))


def _without(categories: str, text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c)[0] not in categories)
