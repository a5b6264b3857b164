"""Images and linked files of the author's texts: a drawing goes into its page, a photograph becomes a ``<picture>``.

An ordinary Markdown image is all that an author writes: ``![A foot from above]({static}/images/foot.jpg)``.
The original of a photograph is not published, and no file with its metadata, whichever way a text leads to it.
What was made once is kept by the hash of its content, in ``IMAGE_CACHE``.
"""

import contextlib
import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

from contract import documents
from contract.addresses import TAG
from contract.documents import FileError
from contract.facts import FILE as FACTS_FILE
from press.assets import files, svg
from press.assets.files import shown
from press.assets.raster import Raster, RasterError, is_raster
from press.assets.style import with_values
from press.assets.svg import SvgError
from press.output import tables
from press.output.folder import link
from press.output.links import SCHEME

SIZES = "min(38rem, 100vw - 2.5rem)"  # the column and its gutters, as in style.css
PORTRAIT_SIDE = 96  # pixels; a sharp screen gets twice as many
IMAGE = re.compile(r"""(?P<before><p>)?(?P<image><img\b(?:[^>"']|"[^"]*"|'[^']*')*>)(?P<after></p>)?""")
MARK = re.compile(r"[{|](?:static|attach|filename)[|}]")
LINK = re.compile(
    r"""(?P<name>\s(?:href|src|poster|data)\s*=\s*)(?P<quote>["'])[{|](?:static|attach)[|}](?P<address>.*?)(?P=quote)""",
    re.IGNORECASE,
)
ELSEWHERE = re.compile(r"(?:https?:)?//")


class ImageError(ValueError):
    """The image cannot be shown; the text says why, and the cure."""


FAULTS = (ImageError, FileError, SvgError, RasterError, OSError)


@dataclass
class Images:
    """The images and linked files of one build.

    ``content`` is the folder that ``{static}`` stands for, ``cache`` where what was made is kept.
    ``light`` are the tokens of the light scheme, by name; ``constants`` those that stand in a page as their values.
    ``faults`` is what is wrong, each ``file:line: cause``; ``notes`` what an author should know, in the same form.
    """

    content: Path
    cache: Path
    light: Mapping[str, str]
    constants: Mapping[str, str]
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _files: dict[str, Path] = field(default_factory=dict)  # by name, the images that this build publishes
    _documents: dict[str, Path] = field(default_factory=dict)  # by place below the output
    _alone: dict[str, str] = field(default_factory=dict)  # for each drawing in a page, its <img> in a feed

    def illustrate(self, html: str, source: Path) -> str:
        """Return the HTML of a text with its images in place and its links to files leading to clean ones.

        What is wrong is added to ``faults``.
        """
        placed: list[str] = []

        def show(found: re.Match[str]) -> str:
            attributes = _Attributes(found["image"]).found
            try:
                placed.append(self._show(attributes, source, placed))
            except FAULTS as error:
                alt = attributes.get("alt", "").strip()
                self.faults.append(f"{files.line_of(source, attributes.get('src', ''), alt)}: {error}")
                return found[0]
            if found["before"] and found["after"]:  # a picture that has its paragraph to itself needs none
                return placed[-1] or found[0]
            return (found["before"] or "") + (placed[-1] or found["image"]) + (found["after"] or "")

        def lead(found: re.Match[str]) -> str:
            address = unescape(found["address"])
            try:
                return f'{found["name"]}"{escape(self._lead(address, source))}"'
            except FAULTS as error:
                self.faults.append(f"{files.line_of(source, address)}: {error}")
                return found[0]

        def lead_all(tag: re.Match[str]) -> str:
            return tag[0] if tag[0].startswith("<img ") else LINK.sub(lead, tag[0])

        if "<img" in html:  # to look for one takes as long as all else here
            html = IMAGE.sub(show, html)
        return TAG.sub(lead_all, html) if ("{" in html or "|" in html) and MARK.search(html) else html

    def portrait(self, place: str) -> str:
        """Return what shows a square portrait, empty for none; what is wrong with it is added to ``faults``.

        ``place`` is that of the photograph below the content folder, like ``images/david.jpg``.
        """
        try:
            found = files.find(self.content, self.content, place) if place else None
            if place and not found:
                raise FileError(f"there is no {shown(self.content / place)}")
            return self._square(found[0], Raster(found[0])) if found else ""
        except FAULTS as error:
            self.faults.append(f"{files.line_of(self.content / FACTS_FILE, place)}: portrait: {error}")
            return ""

    def clean(self, path: Path) -> Path:
        """Return a file of ``content/extra`` as it is published, under its own name and in its own size.

        What is wrong with it is added to ``faults``.
        """
        try:
            if path.suffix.lower() == ".svg":
                drawing = svg.without_notes(path).encode()
                return self._cached(f"{_slug(path)}-{name_hash(drawing)}.svg", lambda: drawing)
            data = files.read(path)
            if is_raster(data) or path.suffix.lower() in files.IMAGES:
                photograph = Raster(path)
                name = f"{_slug(path)}-{photograph.hash}-{photograph.width}.{photograph.kind}"
                return self._cached(name, lambda: photograph.encode(photograph.kind, photograph.width))
            return self._document(path, data, shown(path))
        except FAULTS as error:
            self.faults.append(str(error))
            return path

    def make_sizes(self, path: Path) -> None:
        """Make the sizes of a photograph ahead of the build that shows it, which tells what is wrong with it."""
        with contextlib.suppress(*FAULTS):
            self._picture(path, Raster(path), {}, is_first=False)

    def in_feed(self, html: str) -> str:
        """Return the HTML as feed readers can show it: a drawing as a file in light colours, a photograph as one image."""
        html = re.sub(r"<picture>(?:<source\b[^>]*>)*(<img\b[^>]*>)</picture>", r"\1", tables.plain(html))
        return re.sub(r"<svg\b.*?</svg>", lambda found: self._alone.get(found[0], ""), html, flags=re.DOTALL)

    def keep(self, name: str, make: Callable[[], bytes]) -> str:
        """Return the address of a file to publish, made unless an earlier build did; so its name has to hold a hash."""
        self._files[name] = self._cached(name, make)
        return f"/images/{name}"

    def has(self, name: str) -> bool:
        """Tell whether an earlier build made a file."""
        return (self.cache / name).exists()

    def publish(self, output: Path, stands: Callable[[str], bool]) -> None:
        """Write the files of this build, and no others, into the output, but for the images that stand there."""
        if self._files:
            (output / "images").mkdir(exist_ok=True)
        for name, path in self._files.items():
            if not stands(f"images/{name}"):
                link(path, f"{output}/images/{name}")
        for place, path in self._documents.items():  # some are their author's own
            (output / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, output / place)

    def _cached(self, name: str, make: Callable[[], bytes]) -> Path:
        path = self.cache / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{name}.{os.getpid()}")
            draft.write_bytes(make())
            draft.replace(path)
        return path

    def _document(self, path: Path, data: bytes, place: str) -> Path:
        """Return a document or a recording without its metadata; that it keeps them is added to ``notes``."""
        name = f"{name_hash(documents.RECIPE + data)}{path.suffix.lower()}"
        if self.has(name):
            return self.cache / name
        cleaned = documents.clean(shown(path), data)
        if cleaned is None:
            cause = "is published with what it may say of who made it; only pictures, PDF, MP4, MP3 and plain text are cleaned"
            self.notes.append(f"{place}: {shown(path)} {cause}")
            return path
        return path if cleaned == data else self._cached(name, lambda: cleaned)

    def _lead(self, address: str, source: Path) -> str:
        """Return the address of the clean file that a text links to."""
        found = files.find(self.content, source.parent, address)
        if not found:
            raise FileError(files.missing(self.content, source.parent, address, "file"))
        path, rest = found
        if path.suffix == ".md":
            raise FileError(f"{shown(path)} is a text of the site; link to it with {{filename}}")
        place = files.place_of(self.content, path)
        if not path.is_relative_to(self.content / files.EXTRA):  # which is published whole
            if path.suffix.lower() == ".svg":
                return self._drawing(path, svg.inline(path, path.stem, self.light))
            data = files.read(path)
            if is_raster(data) or path.suffix.lower() in files.IMAGES:
                photograph = Raster(path)
                return self._sized(path, photograph, photograph.kind, photograph.linked_width)
            self._documents[place] = self._document(path, data, files.line_of(source, address))
        return files.address_of(place) + rest

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
            return self._picture(path, Raster(path), attributes, is_first=not before)
        drawing = svg.inline(path, alt, self.light)
        for id in re.findall(r"""\sid=(?:"[^"]*"|'[^']*')""", drawing):
            if any(id in other for other in before):
                raise ImageError(f"{shown(path)} has{id}, as a drawing above has; in one page it has to be another")
        placed = with_values(svg.on_light_ground(drawing), self.constants)
        self._alone[placed] = f'<img src="{self._drawing(path, drawing)}" alt="{svg.label(drawing)}">'
        return placed

    def _find(self, address: str, source: Path) -> Path | None:
        mark = MARK.match(address)
        if not mark and SCHEME.match(address):
            return None
        place = address[mark.end() :] if mark else address
        if found := files.find(self.content, source.parent, place):
            return found[0]
        if mark:
            raise ImageError(files.missing(self.content, source.parent, place, "image"))
        return None  # the check of all links knows whether it leads anywhere

    def _drawing(self, path: Path, drawing: str) -> str:
        """Return the address of an inlined drawing as a file of its own."""
        file = svg.alone(drawing, self.light).encode()
        return self.keep(f"{_slug(path)}-{name_hash(file)}.svg", lambda: file)

    def _sized(self, path: Path, photograph: Raster, kind: str, width: int) -> str:
        """Return the address of a photograph in one kind and width."""
        name = f"{_slug(path)}-{photograph.hash}-{width}.{kind}"
        return self.keep(name, lambda: photograph.encode(kind, width))

    def _picture(self, path: Path, photograph: Raster, attributes: dict[str, str], *, is_first: bool) -> str:
        sources = ""
        for kind in ("avif", "webp"):
            candidates = ", ".join(
                f"{self._sized(path, photograph, kind, width)} {width}w" for width in photograph.widths
            )
            sources += _tag("source", {"type": f"image/{kind}", "srcset": candidates, "sizes": SIZES})
        width = photograph.fallback_width
        attributes |= {"src": self._sized(path, photograph, photograph.kind, width), "width": str(width)}
        attributes |= {"height": str(photograph.height_at(width)), "decoding": "async"}
        if photograph.is_transparent:
            attributes["class"] = f"{attributes.get('class', '')} light-ground".strip()
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
        image = {"class": "portrait", "src": address(photograph.kind, 2), "alt": "", "width": side, "height": side}
        return f"<picture>{sources}{_tag('img', image)}</picture>"


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


def _slug(path: Path) -> str:
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "image"
