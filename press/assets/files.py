"""Files of an author: found by the name that a text gives.

A photograph and a drawing are made anew (``raster``, ``svg``), other files lose their metadata (``contract.documents``).
"""

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote, unquote

from contract.documents import FileError

MOST_BYTES = 100_000_000
EXTRA = "extra"  # below the content folder; its files go to the root of the site
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".jxl", ".dng"}


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
