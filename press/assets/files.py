"""Files of an author: found by the name that a text gives, and without the metadata that they carry.

A photograph and a drawing are made anew (``raster``, ``svg``). A PDF keeps its title, which is read aloud to who cannot see,
and loses its other metadata, that of the photographs in it included; a recording loses its tags, dates and places.
What cannot be cleaned is published as it is, and told.
"""

import io
import logging
import os
import re
import struct
import unicodedata
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, unquote

MOST_BYTES = 100_000_000
RECIPE = f"1 pikepdf {version('pikepdf')}".encode()
EXTRA = "extra"  # below the content folder; its files go to the root of the site
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".jxl", ".dng"}
ICON = b"\0\0\1\0"  # a favicon.ico, which is no photograph
# Boxes of a movie (ISO/IEC 14496-12): those that one begins with, those that hold others, what is said about it,
# and those with its dates behind four bytes of flags.
FIRST = {b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip"}
BOXES, SAID, DATED = {b"moov", b"trak", b"mdia"}, {b"udta", b"meta", b"uuid"}, {b"mvhd", b"tkhd", b"mdhd"}
# Segments of a JPEG (ITU-T T.81, annex B): APP1 has Exif and XMP, APP13 IPTC, COM a comment; after SOS come the pixels.
JPEG_SAID, JPEG_PIXELS = {0xE1, 0xED, 0xFE}, 0xDA


class FileError(ValueError):
    """The file cannot be published; the text says why, and the cure."""


def find(content: Path, folder: Path, address: str) -> tuple[Path, str] | None:
    """Return the file that an address means, and what follows its name there, like ``#page=2``.

    A name is taken as it stands before any sign in it is taken for one of an address, and its letters may be composed
    or not (é is one sign on most systems, two on a Mac).

    Args:
        content: the folder that an address with a slash in front begins at.
        folder: where the others begin.
        address: as it was written, without its mark.

    Raises:
        FileError: if it lies outside of the content folder.
    """
    base = content if address.startswith("/") else folder
    bare = address.partition("#")[0]
    for name in dict.fromkeys((address, bare, bare.partition("?")[0])):
        for form in dict.fromkeys((name, unquote(name))):
            if path := _file(base, form.lstrip("/")):
                if not path.resolve().is_relative_to(content.resolve()):
                    raise FileError(f"{address} lies outside of {shown(content)}; copy it into that folder")
                return path, address[len(name) :]
    return None


def missing(content: Path, folder: Path, address: str, kind: str) -> str:
    """Return what to say of an address that means no file: the place looked at, and a name that differs in capitals."""
    path = Path(os.path.normpath((content if address.startswith("/") else folder) / unquote(address).lstrip("/")))
    names = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    others = (name for name in names if name != path.name and name.casefold() == path.name.casefold())
    other = "".join(f" (there is {name})" for name in others)
    return f"there is no {kind} {shown(path)}{other}; put it there, or correct the address"


def place_of(content: Path, path: Path) -> str:
    """Return where a file is published, as its path from the root of the site, its letters composed."""
    place = unicodedata.normalize("NFC", Path(os.path.relpath(path, content)).as_posix())
    return place.removeprefix(f"{EXTRA}/")


def address_of(place: str) -> str:
    """Return the address of a file from the root of the site, with every sign that is not plain encoded."""
    return f"/{quote(place)}"


def shown(path: Path) -> str:
    """Return a path as an author knows it."""
    return os.path.relpath(path)


def line_of(source: Path, address: str, alt: str | None = None) -> str:
    """Return where a text names a file, as file:line; of several such lines, the first with the same alternative."""
    lines = source.read_text("utf-8").split("\n")
    same = re.compile("" if alt is None else rf"!\[\s*{re.escape(alt)}\s*\]" if alt else r"!\[\s*\]|<img\b")
    naming = [number for number, line in enumerate(lines, 1) if address in line]
    naming.sort(key=lambda number: not same.search(lines[number - 1]))
    return f"{shown(source)}:{next(iter(naming), 1)}"


def read(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        FileError: if it has too many.
    """
    if path.stat().st_size > MOST_BYTES:
        raise FileError(f"{shown(path)} is larger than {MOST_BYTES // 1_000_000} MB; save it smaller")
    return path.read_bytes()


def clean(path: Path, data: bytes) -> bytes | None:
    """Return a document or a recording without its metadata, or None if it is of no kind that can be cleaned.

    Raises:
        FileError: if it is broken, or holds what can only be left out by who makes it.
    """
    if data.startswith(b"%PDF"):
        return _clean_pdf(data)
    if data[4:8] in FIRST:
        movie = bytearray(data)
        _clean_movie(movie, 0, len(movie), shown(path))
        return bytes(movie)
    if data.startswith(b"ID3") or path.suffix.lower() == ".mp3":
        return _clean_mp3(data)
    return data if data.startswith(ICON) or _is_text(data) else None


def _file(base: Path, place: str) -> Path | None:
    path = base / place
    if path.is_file():
        return path
    path = base
    for part in Path(place).parts:
        wanted = unicodedata.normalize("NFC", part)
        names = sorted(file.name for file in path.iterdir()) if path.is_dir() else []
        name = next((name for name in names if unicodedata.normalize("NFC", name) == wanted), part)
        path /= name
    return path if path.is_file() else None


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def _clean_pdf(data: bytes) -> bytes | None:
    import pikepdf  # a tenth of a second, for the few sites that have one

    logging.getLogger("pikepdf").setLevel(logging.CRITICAL)  # what is repaired is no fault of the build
    made = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(data)) as pdf:
            title = pdf.docinfo.get("/Title")
            del pdf.docinfo
            if title:
                pdf.docinfo["/Title"] = title
            for part in pdf.objects:
                if not isinstance(part, pikepdf.Dictionary | pikepdf.Stream):
                    continue
                for key in ("/Metadata", "/PieceInfo"):
                    if key in part:
                        del part[key]
                if isinstance(part, pikepdf.Stream) and part.get("/Filter") == "/DCTDecode":
                    parms = part.get("/DecodeParms")
                    kept = parms if isinstance(parms, pikepdf.Dictionary) else None
                    part.write(_bare_jpeg(part.read_raw_bytes()), filter=pikepdf.Name.DCTDecode, decode_parms=kept)
            pdf.save(made, deterministic_id=True, fix_metadata_version=False)
    except pikepdf.PdfError:  # broken, or locked by a password
        return None
    return made.getvalue()


def _bare_jpeg(data: bytes) -> bytes:
    """Return a JPEG without the segments that tell about it, and its pixels as they are."""
    kept, place = bytearray(data[:2]), 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != JPEG_PIXELS:
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if data[place + 1] not in JPEG_SAID:
            kept += data[place:end]
        place = end
    return bytes(kept + data[place:])


def _clean_movie(data: bytearray, start: int, end: int, place: str) -> None:
    """Blank what the boxes between two places tell; none moves, so that every sample stays where the tables say."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16])
        inside, stop = start + head, start + size if size else end
        if not inside <= stop <= end:
            raise FileError(f"{place} is broken; save it again")
        if kind in SAID:
            data[start + 4 : start + 8] = b"free"
            data[inside:stop] = bytes(stop - inside)
        elif kind in BOXES:
            _clean_movie(data, inside, stop, place)
        elif kind in DATED:
            dates = data[inside + 4 : min(stop, inside + (20 if data[inside : inside + 1] == b"\1" else 12))]
            data[inside + 4 : inside + 4 + len(dates)] = bytes(len(dates))
        elif kind == b"hdlr" and data[inside + 8 : inside + 12] == b"meta":
            raise FileError(f"{place} holds a track of readings, like places; save a copy with picture and sound alone")
        start = stop


def _clean_mp3(data: bytes) -> bytes:
    """Return an MP3 without its ID3 tags (id3.org: ID3v2.4.0, section 3.1; ID3v1)."""
    while data.startswith(b"ID3") and len(data) > 10:
        size = sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        data = data[10 + size + (10 if data[5] & 0x10 else 0) :]
    return data[:-128] if data[-128:-125] == b"TAG" else data
