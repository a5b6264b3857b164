"""Reasons to look twice at a comment before it is published.

Nothing here decides: every comment waits for its reader, and these reasons only sort what waits and say why.
"""

import re
from collections.abc import Iterator, Sequence

from postbox.public.impersonation import claims_a_role, looks_like
from postbox.reader_text import hides_something

# A field that a person does not see; a program that fills in every field does.
HONEYPOT = "website"
MAX_LINKS = 2
MIN_SECONDS = 3

_LINK = re.compile(r"https?://|www\.|\bmailto:", re.IGNORECASE)


def reasons(
    *,
    author: str,
    body: str,
    honeypot: str,
    seconds: float | None,
    repeated: int,
    site_author: str,
    site_names: Sequence[str] = (),
    language: str = "en",
) -> Iterator[str]:
    """Yield why a comment is held, in words for the person who decides.

    Args:
        author: the name that its writer gave.
        body: the comment.
        honeypot: what came in the field that a person does not see.
        seconds: how long the form was open, where that is known.
        repeated: how often the same words came before.
        site_author: whose name nobody else should seem to have.
        site_names: what else the site goes by.
        language: the site's (BCP 47).
    """
    if honeypot:
        yield "a field that people do not see was filled in"
    if seconds is not None and seconds < MIN_SECONDS:
        yield f"it was sent within {MIN_SECONDS} seconds of opening the form"
    if (links := len(_LINK.findall(body))) > MAX_LINKS:
        yield f"it has {links} links"
    if repeated:
        yield "the same words came before" if repeated == 1 else f"the same words came {repeated} times before"
    if own := next((own for own in (site_author, *site_names) if looks_like(author, own)), ""):
        yield f"its writer’s name looks like {own}"
    elif claims_a_role(author, language):
        yield "its writer’s name claims to speak for the site"
    if hides_something(author) or hides_something(body):
        yield "it has invisible characters"
