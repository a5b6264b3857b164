"""Pages as they are read: words, fields of forms, structured data, colours."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from httpx2 import Response
from jinja2 import FileSystemLoader

import pelicanconf
from contract.templates import environment
from tests.support.place import ROOT, Place

Thing = dict[str, Any]

TEMPLATES = ROOT / "theme/templates"


def shown(answer: Response) -> str:
    """Return the text of a page as it is read, without its tags."""
    return " ".join(html.unescape(re.sub("<[^>]+>", "", answer.text.partition("<main")[2])).split())


def values(answer: Response) -> dict[str, str]:
    """Return what stands in the fields of a page's forms, but for the one that nobody sees."""
    inputs = dict(re.findall(r'<input[^>]* name="(\w+)"(?: value="([^"]*)")?', answer.text))
    areas = dict(re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n(.*?)</textarea>', answer.text, re.DOTALL))
    return {name: html.unescape(value) for name, value in (inputs | areas).items() if name != "website"}


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


def colours(scheme: str) -> dict[str, str]:
    """Return the tokens of the stylesheet that are colours, by name."""
    page = environment(FileSystemLoader(TEMPLATES)).get_template("style.css").render(accent=pelicanconf.ACCENT)
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", page)
    return {name: light if scheme == "light" else dark for name, light, dark in pairs}
