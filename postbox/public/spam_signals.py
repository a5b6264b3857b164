"""Reasons to look twice at a comment before it is published.

Nothing here decides: every comment waits for its reader, and these reasons only sort what waits and say why.
"""

import re
from collections.abc import Iterator

from contract.manifest import Site
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
    site: Site,
) -> Iterator[str]:
    """Yield why a comment is held, in words for the person who decides.

    Args:
        author: the name that its writer gave.
        body: the comment.
        honeypot: what came in the field that a person does not see.
        seconds: how long the form was open by the clock of who sent it, where that is known.
        repeated: how often the same words came before.
        site: whose author's name, and whose own, nobody should seem to have.
    """
    if honeypot:
        yield "a field that people do not see was filled in"
    if seconds is not None and seconds < MIN_SECONDS:
        yield f"it was sent within {MIN_SECONDS} seconds of opening the form"
    if (links := len(_LINK.findall(body))) > MAX_LINKS:
        yield f"it has {links} links"
    if repeated:
        yield "the same words came before" if repeated == 1 else f"the same words came {repeated} times before"
    if own := next((own for own in (site.author, site.name, site.trading_name) if looks_like(author, own)), ""):
        yield f"its writer’s name looks like {own}"
    elif claims_a_role(author, site.language):
        yield "its writer’s name claims to speak for the site"
    if hides_something(author) or hides_something(body):
        yield "it has invisible characters"
