"""Shared by tests: structured."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.support.place import Place

Thing = dict[str, Any]


def data(place: Place, address: str) -> Thing:
    """Return the structured data of a page."""
    [found] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', place.page(address), re.DOTALL)
    thing: Thing = json.loads(found)
    assert thing["@context"] == "https://schema.org"
    return thing


def every_comment(thing: Thing) -> Iterator[Thing]:
    """Yield the comments in a thing, each before its replies."""
    for comment in thing["comment"]:
        yield comment
        yield from every_comment(comment)
