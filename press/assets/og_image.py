"""Social images of articles: how a link to one looks where it is shared, 1200×630 pixels.

All have one ground, the theme's ``social.svg``, which is drawn once; each title is set on that.
Their font comes with a package (Crimson Text, under the Open Font License) and never from the machine,
so the same title gives the same bytes everywhere.
"""

import functools
import io
import re
import struct
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

import fontpkg_crimson_text
import PIL
import resvg_py
import uharfbuzz
from PIL import Image, ImageColor, ImageDraw, ImageFont
from zlib_ng import zlib_ng

from press.assets.images import Images, name_hash
from press.errors import BuildError

FONT = str(fontpkg_crimson_text.ROOT / "files" / "CrimsonText-SemiBold.ttf")
# The room for the title, in pixels of the image; each size is tried until it fits.
LEFT, BASELINE = 72, 544  # where its last line stands
WIDTH, HEIGHT = 740, 420
SIZES = (104, 92, 80, 70, 60, 52, 44)
LEADING = 1.14
MOST_LETTERS, ENDLESS_WORD = 150, re.compile(r"(\S{28})\S+")
COLOURS, SHADES = 48, 16  # what smooth edges need: of the ground, and of letters
LEVEL = 2  # of compression
VERSIONS = (resvg_py.__version__, PIL.__version__, uharfbuzz.__version__, zlib_ng.ZLIBNG_VERSION)
RECIPE = f"{VERSIONS} {COLOURS} {SHADES} rows"


class SocialImages:
    """The social images of a site, drawn unless an earlier build did.

    ``ground`` is the SVG below every title; where that will stand it is of one colour.

    Raises:
        BuildError: if the ink of the theme is no colour that can be drawn here.
    """

    def __init__(self, images: Images, ground: str) -> None:
        self._images, self._ground, ink = images, ground, images.light["ink"]
        try:
            self._ink = ImageColor.getrgb(ink)[:3]
        except ValueError:
            raise BuildError(f"theme/templates/tokens.css: --ink is “{ink}”; write it like #1d2925") from None
        self._plain = functools.cache(self._compressed)  # of a handful of places
        self._key = name_hash(f"{RECIPE}{ink}{ground}".encode())

    def missing(self, titles: Iterable[str]) -> list[str]:
        """Return the titles whose image is still to be drawn."""
        return [title for title in titles if not self._images.has(self._name(title))]

    def draw_all(self, titles: Iterable[str]) -> dict[str, str]:
        """Return the addresses of the images by title."""
        return {title: self._images.keep(self._name(title), functools.partial(self._draw, title)) for title in titles}

    def _name(self, title: str) -> str:
        return f"social-{name_hash(f'{self._key}{title}'.encode())}.png"

    def _draw(self, title: str) -> bytes:
        size, lines = fit(shown(title))
        letters = []
        for number, line in enumerate(reversed(lines)):
            x, y = float(LEFT), BASELINE - round(number * size * LEADING)
            for letter, width in _shaped(line):
                ink, mask, left, top = _drawn(letter, size)
                letters.append((ink, mask, 1 + round(x) + left, y + top))
                x += width * size
        top = min((y for *_, y in letters), default=0)
        bottom = max((y + ink.height for ink, *_, y in letters), default=0)
        rows = self._paper.crop((0, top, self._paper.width, bottom))
        for ink, mask, x, y in letters:
            rows.paste(ink, (x, y - top), mask)
        return self._png(rows, top, bottom)

    def _png(self, rows: Image.Image, top: int, bottom: int) -> bytes:
        """Return the file of the paper with some rows in place of its own; the others are compressed once for all images.

        Its first column says of each row that it has no filter (PNG, third edition, 9.2). Pillow compresses row by row,
        which takes five times as long.
        """
        paper, pixels = self._paper, rows.tobytes()
        (above, first), (below, _) = self._plain(0, top), self._plain(bottom, paper.height)
        size, colours = (paper.width - 1, paper.height), bytes(paper.getpalette() or [])
        adler = zlib_ng.adler32(self._pixels[bottom * paper.width :], zlib_ng.adler32(pixels, first))
        head = b"IHDR" + struct.pack(">2I5B", *size, 8, 3, 0, 0, 0)
        data = b"IDAT" + b"\x78\x01" + above + _deflated(pixels) + below + END + struct.pack(">I", adler)
        chunks = (head, b"PLTE" + colours, data, b"IEND")
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib_ng.crc32(chunk)) for chunk in chunks
        )

    @functools.cached_property
    def _pixels(self) -> bytes:
        return self._paper.tobytes()

    def _compressed(self, top: int, bottom: int) -> tuple[bytes, int]:
        """Return rows of the paper, compressed, and their checksum."""
        pixels = self._pixels[top * self._paper.width : bottom * self._paper.width]
        return _deflated(pixels), zlib_ng.adler32(pixels)

    @functools.cached_property
    def _paper(self) -> Image.Image:
        """The ground behind a first column of zeros, in a palette that has the shades of the ink too."""
        svg = resvg_py.svg_to_bytes(svg_string=self._ground, skip_system_fonts=True, font_files=[FONT])
        ground = Image.open(io.BytesIO(svg)).convert("RGB")
        paper = ground.crop((LEFT, BASELINE, LEFT + 1, BASELINE + 1)).tobytes()
        drawn = ground.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        image = Image.new("P", (1 + drawn.width, drawn.height))
        image.paste(drawn, (1, 0))
        colours = (drawn.getpalette() or [])[: 3 * COLOURS]
        colours += [0] * (3 * COLOURS - len(colours))
        for shade in range(1, SHADES + 1):
            colours += [round(a + (b - a) * shade / SHADES) for a, b in zip(paper, self._ink, strict=True)]
        image.putpalette(colours)
        return image


def _deflated(data: bytes, mode: int = zlib_ng.Z_FULL_FLUSH) -> bytes:
    """Return a part of a compressed stream (RFC 1951); what is drawn by machine has long runs, and little else is looked for."""
    stream = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS, strategy=zlib_ng.Z_RLE)
    return bytes(stream.compress(data) + stream.flush(mode))


END = _deflated(b"", zlib_ng.Z_FINISH)


def shown(text: str) -> str:
    """Return a text if the font has each of its letters, else nothing: better no words than a row of boxes."""
    return text if all(_has(letter) for letter in set(text) if not letter.isspace()) else ""


def fit(title: str) -> tuple[int, list[str]]:
    """Return the largest size in which a title fits, and its lines, of about one length; of an endless one the beginning."""
    title = ENDLESS_WORD.sub(r"\1…", unicodedata.normalize("NFC", title))
    words = textwrap.shorten(title, MOST_LETTERS, placeholder=" …").split()
    widths = [_width(word) for word in words]
    for size in SIZES:
        lines = _wrap(words, widths, WIDTH / size)
        if len(lines) * size * LEADING <= HEIGHT and max(widths, default=0) * size <= WIDTH:
            break
    least = max(WIDTH // 2, int(sum(widths) * size / len(lines)) // 10 * 10) if lines else WIDTH
    narrower = (_wrap(words, widths, width / size) for width in range(least, WIDTH, 10))
    even = next((other for other in narrower if len(other) == len(lines)), lines)
    return size, [" ".join(line) for line in even]


def _wrap(words: list[str], widths: list[float], width: float) -> list[list[str]]:
    lines: list[list[str]] = []
    room, space = 0.0, _width(" ")
    for word, length in zip(words, widths, strict=True):
        room -= space + length
        if not lines or room < 0:
            lines.append([])
            room = width - length
        lines[-1].append(word)
    return lines


@functools.cache
def _width(text: str) -> float:
    """Return the width of a text of size 1."""
    return sum(width for _, width in _shaped(text))


def _shaped(text: str) -> Iterator[tuple[str, float]]:
    """Yield the letters of a text of size 1, and how far each is from the next; so “Yo” is closer than “Hn”."""
    buffer, (font, unit) = uharfbuzz.Buffer(), _outlines()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    uharfbuzz.shape(font, buffer, {"liga": False})
    places = [*(info.cluster for info in buffer.glyph_infos), len(text)]
    for (start, end), position in zip(pairwise(places), buffer.glyph_positions, strict=True):
        yield text[start:end], position.x_advance / unit


@functools.cache
def _drawn(letter: str, size: int) -> tuple[Image.Image, Image.Image, int, int]:
    """Return a letter in its shades, where it is not paper, and where it begins from its place on the line: to the right, and down."""
    font = _font(size)
    left, top, right, bottom = map(int, font.getbbox(letter, anchor="ls"))
    cover = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(cover).text((-left, -top), letter, 255, font, anchor="ls")
    shades = [round(ink * SHADES / 255) for ink in range(256)]
    ink = cover.point([COLOURS - 1 + shade for shade in shades])
    ink.putpalette([0, 0, 0])  # the numbers are those of the paper's palette
    return ink, cover.point([255 * (shade > 0) for shade in shades], "1"), left, top


@functools.cache
def _has(letter: str) -> bool:
    return bytes(_font(100).getmask(letter)) != bytes(_font(100).getmask("\uffff"))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # The basic layout, for the other one is not in every build of Pillow.
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)


@functools.cache
def _outlines() -> tuple[uharfbuzz.Font, int]:
    """Return the font as it is measured, and in how many units."""
    face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(FONT))
    return uharfbuzz.Font(face), face.upem
