"""Uploaded files: those that a text shows are copied from the folder that ``--uploads`` names; nothing is fetched."""

import hashlib
import io
import warnings
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from contract.documents import clean
from moving.addresses import DOCUMENTS, SIZE, content_place, file_key, is_image, uploaded
from moving.records import Attachment
from moving.site import Site

FILE_BYTES = 100_000_000  # as many as the press reads
IMAGE_BYTES = 25_000_000
PIXELS = 50_000_000  # as many as the press takes
GIF = ".gif"
PHOTOGRAPHS = ("JPEG", "MPO", "PNG", "WEBP")


class Uploads:
    """The folder of uploaded files, of which those that a text shows are copied."""

    def __init__(self, folder: Path | None, site: Site) -> None:
        self._folder, self._site = folder.resolve() if folder else None, site
        self.used: dict[str, str] = {}  # places below content/ by file
        self.stood: set[str] = set()
        self.faults: dict[str, str] = {}
        self.remade: dict[str, str] = {}  # what was changed of a file

    def fetch(self, attachment: Attachment) -> str:
        """Return the place of a file below content/, copied there; nothing where it is not to be had."""
        key = file_key(attachment.url)
        if key not in self.used and key not in self.faults:
            try:
                self.used[key] = self._copied(attachment.url)
            except (OSError, ValueError) as error:
                self.faults[key] = str(error)
        return self.used.get(key, "")

    def _copied(self, address: str) -> str:
        below, source = self._source(address)
        if source.stat().st_size > (IMAGE_BYTES if is_image(source.name) else FILE_BYTES):
            raise ValueError("its file is too large")
        data = source.read_bytes()
        place = content_place(below)
        if source.name.lower().endswith(GIF):
            data, remade = _first_picture(data)
            self.remade[file_key(address)] = remade
            # Another version of the encoder may write it otherwise; it is the same by its source.
            place = f"{place[: -len(GIF)]}-{hashlib.sha256(source.read_bytes()).hexdigest()[:8]}.png"
            if self._site.has(place):
                self.stood.add(file_key(address))
                return place
        elif is_image(source.name):
            _check_photograph(data)
        elif not source.name.lower().endswith(DOCUMENTS):
            raise ValueError("no kind of file that is published here")
        elif not data.startswith(b"%PDF"):  # of which the press refuses none
            clean(source.name, data)
        stem, dot, ending = place.rpartition(".")
        number = 1
        while self._site.has(place) and (self._site.content / place).read_bytes() != data:
            number += 1
            place = f"{stem}-{number}{dot}{ending}"
        if self._site.has(place):
            self.stood.add(file_key(address))
        else:
            self._site.write(place, data)
        return place

    def _source(self, address: str) -> tuple[PurePosixPath, Path]:
        """Return a file's original, else the file itself, within the folder."""
        below = uploaded(address)
        if not self._folder:
            raise ValueError("no --uploads was given")
        for candidate in [PurePosixPath(SIZE.sub("", str(below))), below] if below else []:
            path = (self._folder / candidate).resolve()
            if path.is_file() and path.is_relative_to(self._folder):
                return candidate, path
        raise ValueError("its file is not in --uploads")


def _first_picture(data: bytes) -> tuple[bytes, str]:
    """Return the first picture of a GIF as a PNG, and what that changes."""
    made = io.BytesIO()
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=["GIF"]) as image:
            if image.width * image.height > PIXELS:
                raise ValueError("it is too large a picture")
            moves = getattr(image, "is_animated", False)
            image.seek(0)
            picture = image.convert("RGBA" if image.has_transparency_data else "RGB")
        picture.info = {}
        picture.save(made, "PNG", optimize=True)
    except UnidentifiedImageError:
        raise ValueError("it is no picture") from None
    except Exception as error:  # so that one broken file is told, and no more
        raise ValueError(f"it cannot be shown ({str(error)[:80]})") from None
    if made.tell() > IMAGE_BYTES:
        raise ValueError("its file is too large")
    return made.getvalue(), "a GIF that moves, of which the first picture is shown" if moves else "a GIF made a PNG"


def _check_photograph(data: bytes) -> None:
    """Refuse what the press could not show; Pillow raises almost anything at a broken file."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            if image.format not in PHOTOGRAPHS or image.width * image.height > PIXELS:
                raise ValueError("no photograph in JPEG, PNG or WebP, or too large a one")
            if image.format != "MPO" and getattr(image, "is_animated", False):
                raise ValueError("it moves")
            image.load()
    except UnidentifiedImageError:
        raise ValueError("it is no picture") from None
    except Exception as error:  # so that one broken file is told, and no more
        raise ValueError(f"it cannot be shown ({str(error)[:80]})") from None
