"""Shared by tests: theme."""

import re

from jinja2 import FileSystemLoader

import pelicanconf
from contract.templates import environment
from tests.support.place import ROOT

TEMPLATES = ROOT / "theme/templates"


def colours(scheme: str) -> dict[str, str]:
    """Return the tokens of the stylesheet that are colours, by name."""
    page = environment(FileSystemLoader(TEMPLATES)).get_template("style.css").render(accent=pelicanconf.ACCENT)
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", page)
    return {name: light if scheme == "light" else dark for name, light, dark in pairs}
