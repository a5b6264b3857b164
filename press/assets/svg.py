"""Drawings of an author (SVG): in a page, where their colours are the page's tokens, and alone, where a feed shows them.

In a page a drawing is part of the HTML: ``fill="var(--clay)"`` is clay in light and in dark, ``currentColor`` the caption's ink.
The site's policy blocks styles and scripts inside it, and nothing outside it may be referred to; such a drawing is refused.
"""

import os
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from xml.parsers import expat

from press.assets.style import USE, with_values

MOST_BYTES = 1_000_000
ELEMENT = re.compile(
    r"svg|title|desc|defs|g|symbol|use|path|rect|circle|ellipse|line|polyline|polygon|text|tspan"
    r"|clipPath|mask|marker|pattern|linearGradient|radialGradient|stop"
)
METADATA = re.compile(r"<!--.*?-->|<metadata\b[^>]*/>|<metadata\b.*?</metadata>", re.DOTALL)
# What a drawing program notes for itself: attributes with a prefix, like inkscape:export-filename.
NOTED = re.compile(r"""\s(?!xml:|xmlns[:=]|xlink:)[\w.-]+:[\w.-]+\s*=\s*(?:"[^"]*"|'[^']*')""")
# What a file of its own needs and a page does not: its head and its namespaces.
ALONE = re.compile(r"""<\?.*?\?>|\sxmlns(?::[\w.-]+)?\s*=\s*(?:"[^"]*"|'[^']*')""", re.DOTALL)
# A colour that is the same in both schemes.
FIXED = re.compile(
    r"""\s(?:fill|stroke|stop-color|color)\s*=\s*["'](?!none|currentColor|transparent|inherit|var\(|url\()"""
)
SCHEMED = re.compile(r"currentColor|var\(--")
# What its one label stands for in a page.
WORDS = re.compile(r"<(title|desc)\b.*?</\1>", re.DOTALL)
NAMED = re.compile(r"""\s(?:role|class|aria-[a-z]+)=(?:"[^"]*"|'[^']*')""")


class SvgError(ValueError):
    """The drawing cannot stand in a page; the text names its file and line, and the cure."""


def inline(path: Path, alt: str, tokens: Mapping[str, str]) -> str:
    """Return an SVG as it stands in a page, labelled with the text alternative of the article and its own ``<desc>``.

    Raises:
        SvgError: if something in it is blocked by the policy of the site, or means nothing there.
    """
    text = _without_metadata(path)
    _check(path, text, tokens)
    text = NOTED.sub("", ALONE.sub("", text)).replace("xlink:href", "href")
    opening, _, rest = re.sub(r">\s*\n\s*<", "><", text).strip().partition(">")
    said = re.search(r"<desc\b[^>]*>(.*?)</desc>", rest, re.DOTALL)
    label = escape(alt) + (". " + " ".join(said[1].split()).replace('"', "&quot;") if said else "")
    opening = NAMED.sub("", opening).replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return f"{opening}>{WORDS.sub('', rest)}"


def alone(drawing: str, light: Mapping[str, str]) -> str:
    """Return an inlined drawing as a file of its own, with a size, on its own ground and in the colours of the light scheme."""
    opening, _, rest = drawing.partition(">")
    x, y, width, height = _box(opening.partition('viewBox="')[2].partition('"')[0])
    size = "" if " width=" in opening else f' width="{width}" height="{height}"'
    opening = opening.replace("<svg", f'<svg xmlns="http://www.w3.org/2000/svg"{size} color="var(--ink-2)"', 1)
    ground = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="var(--surface)"/>'
    return with_values(f"{opening}>{ground}{rest}", light)


def on_light_ground(drawing: str) -> str:
    """Return an inlined drawing on a light ground if it has a colour of its own, black if it says none: dark paper would hide it."""
    if FIXED.search(drawing) or not SCHEMED.search(drawing):
        return drawing.replace("<svg", '<svg class="light-ground"', 1)
    return drawing


def without_notes(path: Path) -> str:
    """Return an SVG as it is, without its metadata, its comments and what a drawing program noted for itself.

    Raises:
        SvgError: if it holds a photograph.
    """
    text = NOTED.sub("", _without_metadata(path))
    if "data:" in text:
        cause = "holds another file, which may say where it was taken; save it with shapes alone"
        raise SvgError(f"{os.path.relpath(path)} {cause}")
    return re.sub(r"<sodipodi:.*?(?:/>|</sodipodi:[^>]*>)", "", text, flags=re.DOTALL)


def label(drawing: str) -> str:
    """Return what an inlined drawing says to those who cannot see it, as an attribute has it."""
    return drawing.partition('aria-label="')[2].partition('"')[0]


def _without_metadata(path: Path) -> str:
    """Return the text of an SVG; where something was taken out, its line ends stay."""
    if path.stat().st_size > MOST_BYTES:
        raise SvgError(
            f"{os.path.relpath(path)} is larger than {MOST_BYTES // 1_000_000} MB; save it with fewer points"
        )
    text = path.read_text("utf-8", errors="replace")
    return METADATA.sub(lambda found: "\n" * found[0].count("\n"), text)


def _check(path: Path, text: str, tokens: Mapping[str, str]) -> None:
    parser, place = expat.ParserCreate(), os.path.relpath(path)
    depth = 0

    def refuse(cause: str) -> None:
        raise SvgError(f"{place}:{parser.CurrentLineNumber}: {cause}")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if not ELEMENT.fullmatch(name) or (name == "svg") != (depth == 0):
            refuse(f"<{name}> has no place in a drawing here; save it as plain SVG: shapes, groups, gradients and text")
        if depth == 0 and len(_box(attributes.get("viewBox", ""))) != 4:
            refuse('the drawing does not say how large it is; add viewBox="0 0 WIDTH HEIGHT"')
        depth += 1
        for key, value in attributes.items():
            if key == "style" or key.lower().startswith("on"):
                refuse(f"{key}= is blocked by the policy of the site; write each property as an attribute, like fill=")
            if (key.endswith("href") and not value.startswith("#")) or re.search(r"url\((?!#)", value):
                refuse(f"{key}= leads out of the drawing; refer to a part of it, like #foot")
            if unknown := sorted(set(USE.findall(value)) - set(tokens)):
                refuse(f"--{unknown[0]} is no token of style.css")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = lambda *_: refuse("a drawing needs no <!DOCTYPE>; delete it")
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise SvgError(f"{place}:{error.lineno}: not well-formed ({expat.ErrorString(error.code)})") from None


def _box(text: str) -> list[str]:
    return text.replace(",", " ").split()
