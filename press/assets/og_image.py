"""Social images of articles: how a link to one looks where it is shared, 1200×630 pixels, drawn from the theme's ``social.svg``.

Its font comes with a package (Crimson Text, under the Open Font License) and never from the machine,
so the same title gives the same bytes everywhere.
"""

import functools
import io
import re
import textwrap
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import fontpkg_crimson_text
import PIL
import resvg_py
from jinja2 import Template
from PIL import Image, ImageFont

from press.assets.images import Images, name_hash

FONT = str(fontpkg_crimson_text.ROOT / "files" / "CrimsonText-SemiBold.ttf")
# The room for the title, in pixels of the image; each size is tried until it fits.
WIDTH, HEIGHT = 740, 420
SIZES = (104, 92, 80, 70, 60, 52, 44)
LEADING = 1.14
MOST_LETTERS, ENDLESS_WORD = 150, re.compile(r"(\S{28})\S+")
MANY = 16  # images that are worth starting a process for each core
COLOURS = 64  # what smooth edges between a few colours need
RECIPE = f"{resvg_py.__version__} {PIL.__version__} {COLOURS}".encode()


def social_images(images: Images, template: Template, titles: Collection[str], site_name: str) -> dict[str, str]:
    """Return the addresses of the images by title; those that no earlier build drew are drawn on every core."""
    svgs = {title: _svg(images, template, title, site_name) for title in titles}
    names = {title: f"social-{name_hash(RECIPE + svg.encode())}.png" for title, svg in svgs.items()}
    missing = {names[title]: svg for title, svg in svgs.items() if not images.has(names[title])}
    for name, drawn in zip(missing, _draw_all(list(missing.values())), strict=True):
        images.keep(name, partial(bytes, drawn))
    return {title: images.keep(name, partial(_draw, svgs[title])) for title, name in names.items()}


def _draw_all(svgs: list[str]) -> Iterable[bytes]:
    if len(svgs) < MANY:
        yield from map(_draw, svgs)
        return
    # A fresh interpreter each: a process with threads is not to be forked.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw, svgs, chunksize=4)


def _svg(images: Images, template: Template, title: str, site_name: str) -> str:
    size, lines = fit(shown(title))
    leading = size * LEADING
    placed = [(round(leading * (number + 1 - len(lines))), line) for number, line in enumerate(lines)]
    return template.render(light=images.light, site_name=shown(site_name), size=size, lines=placed)


def shown(text: str) -> str:
    """Return a text if the font has each of its letters, else nothing: better no words than a row of boxes."""
    return text if all(_has(letter) for letter in set(text) if not letter.isspace()) else ""


def fit(title: str) -> tuple[int, list[str]]:
    """Return the largest size in which a title fits, and its lines, of about one length; of an endless one the beginning."""
    title = ENDLESS_WORD.sub(r"\1…", title)
    words = textwrap.shorten(title, MOST_LETTERS, placeholder=" …").split()
    for size in SIZES:
        lines = _wrap(words, size, WIDTH)
        if len(lines) * size * LEADING <= HEIGHT and all(_width(word) * size <= WIDTH for word in words):
            break
    narrower = (_wrap(words, size, width) for width in range(WIDTH // 2, WIDTH, 10))
    even = next((other for other in narrower if len(other) == len(lines)), lines)
    return size, [" ".join(line) for line in even]


def _wrap(words: list[str], size: int, width: int) -> list[list[str]]:
    lines: list[list[str]] = []
    room = 0.0
    for word in words:
        room -= _width(f" {word}") * size
        if not lines or room < 0:
            lines.append([])
            room = width - _width(word) * size
        lines[-1].append(word)
    return lines


@functools.cache
def _width(text: str) -> float:
    """Return the width of a text of size 1."""
    return _font().getlength(text) / 100


@functools.cache
def _has(letter: str) -> bool:
    return bytes(_font().getmask(letter)) != bytes(_font().getmask("\uffff"))


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    # The basic layout, for the other one is not in every build of Pillow.
    return ImageFont.truetype(FONT, 100, layout_engine=ImageFont.Layout.BASIC)


def _draw(svg: str) -> bytes:
    drawn = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, font_files=[FONT])
    made = io.BytesIO()
    image = Image.open(io.BytesIO(drawn)).convert("RGB")
    image.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(made, "png")
    return made.getvalue()
