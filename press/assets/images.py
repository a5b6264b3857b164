"""The images of the author's texts: a drawing goes into its page, a photograph becomes a ``<picture>`` for phone and desk.

An ordinary Markdown image is all that an author writes: ``![A foot from above]({static}/images/foot.jpg)``.
The original of a photograph is not published. What was made once is kept by the hash of its content, in ``IMAGE_CACHE``.
"""

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from press.assets import svg
from press.assets.raster import Raster, RasterError
from press.assets.style import shorten
from press.assets.svg import SvgError

SIZES = "min(38rem, 100vw - 2.5rem)"  # the column and its gutters, as in style.css
PORTRAIT_SIDE = 96  # pixels; a sharp screen gets twice as many
IMAGE = re.compile(r"""(?P<before><p>)?(?P<image><img\b(?:[^>"']|"[^"]*"|'[^']*')*>)(?P<after></p>)?""")
MARK = re.compile(r"[{|](?:static|attach|filename)[|}]")
ELSEWHERE = re.compile(r"(?:https?:)?//")


class ImageError(ValueError):
    """The image cannot be shown; the text says why, and the cure."""


@dataclass
class Images:
    """The images of one build.

    ``content`` is the folder that ``{static}`` stands for, ``cache`` where what was made is kept.
    ``light`` are the tokens of the light scheme, ``tokens`` what stands for each in a page, by name.
    ``faults`` is what is wrong, each ``file:line: cause``.
    """

    content: Path
    cache: Path
    light: Mapping[str, str]
    tokens: Mapping[str, str]
    faults: list[str] = field(default_factory=list)
    _files: dict[str, Path] = field(default_factory=dict)  # by name, what this build publishes
    _alone: dict[str, str] = field(default_factory=dict)  # for each drawing in a page, its <img> in a feed

    def illustrate(self, html: str, source: Path) -> str:
        """Return the HTML of a text with its images in place; what is wrong with them is added to ``faults``."""
        if "<img" not in html:
            return html
        shown: list[str] = []

        def show(found: re.Match[str]) -> str:
            attributes = _Attributes(found["image"]).found
            try:
                shown.append(self._show(attributes, source, shown))
            except (ImageError, SvgError, RasterError, OSError) as error:
                self.faults.append(f"{_place(source, attributes)}: {error}")
                return found[0]
            if found["before"] and found["after"]:  # a picture that has its paragraph to itself needs none
                return shown[-1] or found[0]
            return (found["before"] or "") + (shown[-1] or found["image"]) + (found["after"] or "")

        return IMAGE.sub(show, html)

    def portrait(self, place: str) -> str:
        """Return what shows a square portrait, empty for none; what is wrong with it is added to ``faults``.

        ``place`` is that of the photograph below the content folder, like ``images/david.jpg``.
        """
        path = self.content / place
        try:
            photograph = Raster(path) if place else None
            return self._square(path, photograph) if photograph else ""
        except (RasterError, OSError) as error:
            self.faults.append(f"PORTRAIT: {error if path.is_file() else f'there is no {_shown(path)}'}")
            return ""

    def in_feed(self, html: str) -> str:
        """Return the HTML as feed readers can show it: a drawing as a file in light colours, a photograph as one image."""
        html = re.sub(r"<source\b[^>]*>|</?picture>", "", html)
        return re.sub(r"<svg\b.*?</svg>", lambda found: self._alone.get(found[0], ""), html, flags=re.DOTALL)

    def keep(self, name: str, make: Callable[[], bytes]) -> str:
        """Return the address of a file to publish, made unless an earlier build did; so its name has to hold a hash."""
        path = self._files[name] = self.cache / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{name}.{os.getpid()}")
            draft.write_bytes(make())
            draft.replace(path)
        return f"/images/{name}"

    def has(self, name: str) -> bool:
        """Tell whether an earlier build made a file."""
        return (self.cache / name).exists()

    def publish(self, output: Path, stands: Callable[[str], bool]) -> None:
        """Write the files of this build, and no others, into the output, but for those that stand there."""
        for name, path in self._files.items():
            if not stands(f"images/{name}"):
                (output / "images").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, output / "images" / name)

    def _show(self, attributes: dict[str, str], source: Path, before: list[str]) -> str:
        """Return what shows an image, or an empty string where the address is no file of the author's."""
        address, alt = attributes.get("src", ""), attributes.get("alt", "").strip()
        if not alt:
            raise ImageError(f"the image says nothing to those who cannot see it; write ![what it shows]({address})")
        if ELSEWHERE.match(address):
            raise ImageError(f"{address} is on another site, and no browser will load it here; keep it in images/")
        path = self._find(address, source)
        if path is None:
            return ""
        if path.suffix.lower() != ".svg":
            return self._picture(path, attributes, is_first=not before)
        drawing = svg.inline(path, alt, self.light)
        for id in re.findall(r"""\sid=(?:"[^"]*"|'[^']*')""", drawing):
            if any(id in other for other in before):
                raise ImageError(f"{_shown(path)} has{id}, as a drawing above has; in one page it has to be another")
        file = svg.alone(drawing, self.light).encode()
        address = self.keep(f"{_slug(path)}-{name_hash(file)}.svg", lambda: file)
        shown = shorten(drawing, self.tokens)
        self._alone[shown] = f'<img src="{address}" alt="{svg.label(drawing)}">'
        return shown

    def _find(self, address: str, source: Path) -> Path | None:
        mark = MARK.match(address)
        place = unquote(urlsplit(address[mark.end() :] if mark else address).path)
        path = self.content / place.lstrip("/") if place.startswith("/") else source.parent / place
        if path.is_file():
            return path
        if mark:
            raise ImageError(f"there is no image {_shown(path)}; put it there, or correct the address")
        return None  # the check of all links knows whether it leads anywhere

    def _picture(self, path: Path, attributes: dict[str, str], *, is_first: bool) -> str:
        photograph = Raster(path)

        def address(kind: str, width: int) -> str:
            name = f"{_slug(path)}-{photograph.hash}-{width}.{kind}"
            return self.keep(name, lambda: photograph.encode(kind, width))

        sources = ""
        for kind in ("avif", "webp"):
            candidates = ", ".join(f"{address(kind, width)} {width}w" for width in photograph.widths)
            sources += _tag("source", {"type": f"image/{kind}", "srcset": candidates, "sizes": SIZES})
        width = photograph.fallback_width
        attributes |= {"src": address(photograph.kind, width), "width": str(width)}
        attributes |= {"height": str(photograph.height_at(width)), "decoding": "async"}
        if not is_first:
            attributes["loading"] = "lazy"
        return f"<picture>{sources}{_tag('img', attributes)}</picture>"

    def _square(self, path: Path, photograph: Raster) -> str:
        most = min(photograph.width, photograph.height)

        def address(kind: str, density: int) -> str:
            side = min(PORTRAIT_SIDE * density, most)
            name = f"{_slug(path)}-{photograph.hash}-square-{side}.{kind}"
            return self.keep(name, lambda: photograph.encode_square(kind, side))

        sources = "".join(
            _tag("source", {"type": f"image/{kind}", "srcset": f"{address(kind, 1)}, {address(kind, 2)} 2x"})
            for kind in ("avif", "webp")
        )
        side = str(PORTRAIT_SIDE)
        shown = {"class": "portrait", "src": address(photograph.kind, 2), "alt": "", "width": side, "height": side}
        return f"<picture>{sources}{_tag('img', shown)}</picture>"


def name_hash(content: bytes) -> str:
    """Return what makes the name of a file change with its content."""
    return hashlib.sha256(content).hexdigest()[:12]


class _Attributes(HTMLParser):
    """The attributes of a tag."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found = {name: value or "" for name, value in attrs}


def _tag(name: str, attributes: dict[str, str]) -> str:
    return f"<{name}" + "".join(f' {key}="{escape(value)}"' for key, value in attributes.items()) + ">"


def _place(source: Path, attributes: dict[str, str]) -> str:
    """Return where a text names an image, as file:line; of several such lines, the first with the same alternative."""
    lines, address = source.read_text("utf-8").split("\n"), attributes.get("src", "")
    alt = attributes.get("alt", "").strip()
    same = re.compile(rf"!\[\s*{re.escape(alt)}\s*\]" if alt else r"!\[\s*\]|<img\b")
    naming = [number for number, line in enumerate(lines, 1) if address in line]
    naming.sort(key=lambda number: not same.search(lines[number - 1]))
    return f"{_shown(source)}:{next(iter(naming), 1)}"


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def _slug(path: Path) -> str:
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "image"
