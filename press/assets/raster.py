"""Photographs of an author (PNG, JPEG or WebP): upright, in sRGB, without metadata, in sizes for phone and desk.

The same file gives the same bytes on every machine with the same Pillow.
"""

import contextlib
import functools
import hashlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import PIL
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

# A desk needs 608 pixels, a phone 640 to 960, a sharp desk 1,216: the column of 38rem at one, two and three to a point.
WIDTHS = (640, 960, 1280)
FALLBACK_WIDTH = 960
LINKED_WIDTH = 2560  # where a text links to the photograph
MOST_PIXELS = 50_000_000
MOST_BYTES = 25_000_000

SAVE: dict[str, dict[str, Any]] = {
    # One thread, for an AVIF is cut into tiles by how many there are; its encoder by name, for they differ too.
    "avif": {"quality": 60, "speed": 6, "codec": "aom", "max_threads": 1},
    "webp": {"quality": 80, "method": 5},
    "jpeg": {"quality": 82, "optimize": True, "progressive": True},
    "png": {"optimize": True},
}
RECIPE = f"{PIL.__version__} {SAVE}".encode()
# Many phones write several pictures into one JPEG, which Pillow calls MPO; the first is the one meant.
KINDS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp"}
# Those that are known for images; the other readers of Pillow meet no file here.
READ = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP")
ORIENTATION, TURNED_BY_A_QUARTER = 0x0112, range(5, 9)


class RasterError(ValueError):
    """The file cannot be shown as a photograph; the text says why, and the cure."""


def is_raster(data: bytes) -> bool:
    """Tell whether a file is an image of pixels, whatever its name says."""
    try:
        with warnings.catch_warnings(action="ignore"):
            Image.open(io.BytesIO(data), formats=READ)
    except UnidentifiedImageError:
        return False
    except Exception:  # one that is broken, or too large, is one
        return True
    return True


class Raster:
    """A photograph of which only the head is read, until it is encoded.

    ``width`` and ``height`` are those of the picture held upright, ``kind`` is its own format, in small letters.
    ``hash`` changes with the file and with how it is encoded. ``is_transparent`` says that it may have no ground of its own.

    Raises:
        RasterError: if it is of another format, broken, too large or moves; an encoding may find it broken too.
    """

    def __init__(self, path: Path) -> None:
        self._place = os.path.relpath(path)
        if path.stat().st_size > MOST_BYTES:
            raise RasterError(f"{self._place} is larger than {MOST_BYTES // 1_000_000} MB; save it smaller")
        data = path.read_bytes()
        try:
            with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
                self._image = image = Image.open(io.BytesIO(data), formats=READ)
            # For a PNG without EXIF in its head, Pillow would read all pixels to look behind them.
            has_exif = image.format != "PNG" or "exif" in image.info
            self._orientation = image.getexif().get(ORIENTATION, 1) if has_exif else 1
        except UnidentifiedImageError:
            raise RasterError(f"{self._place} is no PNG, JPEG or WebP; save it as one of them") from None
        except Image.DecompressionBombError:
            raise RasterError(self._too_large()) from None
        except Exception as error:  # a broken file makes Pillow raise almost anything
            raise RasterError(self._broken(error)) from None
        if image.format not in KINDS:
            raise RasterError(
                f"{self._place} is {'an' if image.format == 'AVIF' else 'a'} {image.format}; save it as PNG, JPEG or WebP"
            )
        if image.width * image.height > MOST_PIXELS:
            raise RasterError(self._too_large())
        if image.format != "MPO" and getattr(image, "is_animated", False):
            raise RasterError(f"{self._place} moves; save one picture of it")
        self.kind = KINDS[image.format]
        self.width, self.height = image.size if self._orientation not in TURNED_BY_A_QUARTER else image.size[::-1]
        self.is_transparent = bool(image.has_transparency_data)
        self.hash = hashlib.sha256(RECIPE + data).hexdigest()[:12]

    @property
    def widths(self) -> list[int]:
        """The widths to offer, none above its own and no two nearly alike."""
        widest = min(self.width, WIDTHS[-1])
        return [*(width for width in WIDTHS if width < widest * 0.8), widest]

    @property
    def fallback_width(self) -> int:
        """The width of what is shown where no other is chosen."""
        return min(self.width, FALLBACK_WIDTH)

    @property
    def linked_width(self) -> int:
        """The width of what a text links to."""
        return min(self.width, LINKED_WIDTH)

    def height_at(self, width: int) -> int:
        """Return its height at a width."""
        return max(1, round(self.height * width / self.width))

    def encode(self, kind: str, width: int) -> bytes:
        """Return the file of one kind and width."""
        return self._encoded(kind, self._pixels.resize((width, self.height_at(width)), Image.Resampling.LANCZOS))

    def encode_square(self, kind: str, side: int) -> bytes:
        """Return the file of one kind with the largest square in the middle of the picture, drawn at a side."""
        return self._encoded(kind, ImageOps.fit(self._pixels, (side, side), Image.Resampling.LANCZOS))

    @staticmethod
    def _encoded(kind: str, image: Image.Image) -> bytes:
        made = io.BytesIO()
        image.save(made, kind, **SAVE[kind])
        return made.getvalue()

    @functools.cached_property
    def _pixels(self) -> Image.Image:
        try:
            self._image.load()
            upright = ImageOps.exif_transpose(self._image) if self._orientation != 1 else self._image
        except Exception as error:  # as above
            raise RasterError(self._broken(error)) from None
        if upright.mode.startswith("I"):  # sixteen bits of grey, which Pillow would cut off at eight
            upright = upright.convert("I").point(lambda grey: grey * (1 / 257)).convert("L")
        mode = "RGBA" if upright.has_transparency_data else "RGB"
        if profile := upright.info.get("icc_profile"):
            with contextlib.suppress(ImageCms.PyCMSError, OSError):  # a damaged profile, or that of another mode
                given, wanted = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
                upright = ImageCms.profileToProfile(upright, given, wanted, outputMode=mode) or upright
        plain = upright.convert(mode)
        plain.info = {}
        return plain

    def _broken(self, error: Exception) -> str:
        return f"{self._place} is broken ({error}); save it again"

    def _too_large(self) -> str:
        return f"{self._place} has more than {MOST_PIXELS // 1_000_000} megapixels; {2 * WIDTHS[-1]:,} pixels a side are plenty"
