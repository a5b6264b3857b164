"""Tables of an author: each in a box of its own that scrolls, so that a wide one breaks no words and widens no page."""

import re
from html import escape, unescape
from itertools import count

TABLE = re.compile(r"<table\b(?:(?!<table\b).)*?</table>", re.DOTALL)
HEADING = re.compile(r"<(caption|th)\b[^>]*>(.*?)</\1>", re.DOTALL)
BOX = re.compile(r'<div class="table" [^>]*>(<table\b.*?</table>)</div>', re.DOTALL)


def scrollable(html: str) -> str:
    """Return the HTML of a text with its tables in boxes that the keyboard reaches too, each with a name."""
    numbers = count(1)

    def boxed(found: re.Match[str]) -> str:
        heading = HEADING.search(found[0])
        name = " ".join(unescape(re.sub(r"<[^>]*>", "", heading[2])).split()) if heading else ""
        label = f"Table {next(numbers)}" + (f": {name}" if name else "")
        return f'<div class="table" role="region" tabindex="0" aria-label="{escape(label)}">{found[0]}</div>'

    return TABLE.sub(boxed, html)


def plain(html: str) -> str:
    """Return the HTML of a text with its tables as they were: a feed reader lays them out itself."""
    return BOX.sub(r"\1", html)
