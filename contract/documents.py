"""Documents and recordings without the metadata that they carry.

A PDF keeps its title, which is read aloud to who cannot see, and loses its other metadata, that of the photographs in it
included; a recording loses its tags, dates and places. What cannot be cleaned is published as it is, and told.
"""

import io
import logging
import struct
from importlib.metadata import version
from typing import Any

RECIPE = f"3 pikepdf {version('pikepdf')}".encode()
ICON = b"\0\0\1\0"  # a favicon.ico, which is no photograph
# Boxes of a movie (ISO/IEC 14496-12): those that one begins with, those that hold others, what is said about it,
# and those with its dates behind four bytes of flags.
FIRST = {b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip"}
BOXES, DATED = {b"moov", b"trak", b"mdia", b"moof", b"traf"}, {b"mvhd", b"tkhd", b"mdhd"}
SAID = {b"udta", b"meta", b"uuid", b"free", b"skip"}  # free places may hold what an editor took out
# Segments of a JPEG (ITU-T T.81, annex B): APP1 has Exif and XMP, APP13 IPTC, COM a comment; after SOS come the pixels.
JPEG_SAID, JPEG_PIXELS = {0xE1, 0xED, 0xFE}, 0xDA


class FileError(ValueError):
    """The file cannot be published; the text says why, and the cure."""


def clean(name: str, data: bytes) -> bytes | None:
    """Return a document or a recording without its metadata, or None if it is of no kind that can be cleaned.

    ``name`` is what the author knows it by.

    Raises:
        FileError: if it is broken, or holds what can only be left out by who makes it.
    """
    if data.startswith(b"%PDF"):
        return _clean_pdf(data)
    if data[4:8] in FIRST:
        movie = bytearray(data)
        _clean_movie(movie, 0, len(movie), name)
        return bytes(movie)
    if data.startswith(b"ID3") or name.lower().endswith(".mp3"):
        return _clean_mp3(data, name)
    return data if data.startswith(ICON) or _is_text(data) else None


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
                filters = _alone_or_listed(part.get("/Filter"))
                if isinstance(part, pikepdf.Stream) and "/DCTDecode" in filters:
                    if len(filters) > 1:  # a photograph that is packed once more
                        return None
                    [parms, *_] = _alone_or_listed(part.get("/DecodeParms"))
                    kept = parms if isinstance(parms, pikepdf.Dictionary) else None
                    part.write(_bare_jpeg(part.read_raw_bytes()), filter=pikepdf.Name.DCTDecode, decode_parms=kept)
            pdf.save(made, deterministic_id=True, fix_metadata_version=False)
    except Exception:  # broken, or locked by a password; of what is odd in one the library raises almost anything
        return None
    return made.getvalue()


def _alone_or_listed(entry: Any) -> list[Any]:
    """Return the entries of a stream that may stand alone or in an array (ISO 32000-1, table 5)."""
    import pikepdf

    return [*entry] if isinstance(entry, pikepdf.Array) and len(entry) else [entry]


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


def _clean_mp3(data: bytes, place: str) -> bytes:
    """Return an MP3 without its tags (id3.org: ID3v2.4.0, section 3.1; ID3v1; hydrogenaud.io: APEv2, whose footer tells its size)."""
    while data.startswith(b"ID3") and len(data) > 10:
        size = sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        data = data[10 + size + (10 if data[5] & 0x10 else 0) :]
    data = data[:-128] if data[-128:-125] == b"TAG" else data
    if data[-32:-24] == b"APETAGEX":
        size, _, flags = struct.unpack_from("<III", data, len(data) - 20)
        size += 32 if flags >> 31 else 0  # it has a header too
        if not 32 <= size <= len(data):
            raise FileError(f"{place} is broken; save it again")
        data = data[:-size]
    return data
