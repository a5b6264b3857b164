"""Forms with a file: read within limits, and what came of the words kept where the file, or the form itself, is refused."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from postbox.web.forms import CONTENT_TYPE, Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

BODY_SECONDS = 180.0  # for 25 MB from a phone
BODY_BYTES = 1024 * 1024 * 1024  # read of a form, though nothing of a file that is too large is kept
STRANGER_BYTES = 64 * 1024 * 1024  # of one whose file is not wanted
WORDS_BYTES = 2 * 1024 * 1024
PARTS = 40
HEADER_BYTES = 1024


@dataclass
class Upload:
    """A posted form: its fields with LF, its one file, and whether that was longer than it may be.

    ``fault`` is why not all of it can be taken; the fields are then what did arrive, to be shown again and not to be acted on.
    """

    fields: dict[str, str] = field(default_factory=dict)
    file: bytes = b""
    is_too_large: bool = False
    fault: Refused | None = None


async def read_upload(request: Request, *, max_file: int) -> Upload:
    """Return the fields and the file of a form; of a file that is too large nothing is kept.

    Raises:
        Refused: if it is no form; whatever else is wrong, ``Upload`` says with the words that arrived.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    parts, words = _Parts(max_file), bytearray()
    take: Callable[[bytes], object]
    if kind == CONTENT_TYPE.encode():
        take = lambda chunk: words.extend(chunk[: WORDS_BYTES + 1 - len(words)])  # noqa: E731  # one of two
    elif kind == b"multipart/form-data" and 1 <= len(options.get(b"boundary", b"")) <= 200:
        take = MultipartParser(options[b"boundary"], parts.callbacks()).write
    else:
        raise Refused(415, "This address takes what a form of this site sends. Go back and use the form.")
    total, most = 0, BODY_BYTES if max_file else STRANGER_BYTES
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                total += len(chunk)
                if total > most:
                    parts.refuse(413, f"The form had more than {most >> 20:,} MB. Choose a smaller picture.")
                    break
                if not parts.is_full:  # read to the end, for an answer before would reach no browser that still sends
                    take(chunk)
    except TimeoutError:
        parts.refuse(408, "The form took too long to arrive.")
    except (ClientDisconnect, FormParserError):
        parts.refuse(400, "The form did not arrive whole.")
    if kind == CONTENT_TYPE.encode():
        await asyncio.to_thread(parts.take_words, bytes(words))  # a second for two megabytes
    return parts.end()


class _Parts:
    """What a parser of a form calls for each piece of it."""

    def __init__(self, max_file: int) -> None:
        self._upload, self._max_file = Upload(), max_file
        self._begin()
        self._count = self._words = 0
        self._is_whole = False

    @property
    def is_full(self) -> bool:
        """Whether nothing of what follows would be taken."""
        return self._count > PARTS

    def callbacks(self) -> "MultipartCallbacks":
        """Return them by the parser's names."""
        return {
            "on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._end,
            "on_header_field": self._header_field, "on_header_value": self._header_value, "on_header_end": self._header_end,
            "on_end": self._last,
        }  # fmt: skip

    def refuse(self, status: int, text: str) -> None:
        """Say why not all of the form can be taken; the first reason stays."""
        self._upload.fault = self._upload.fault or Refused(status, text)

    def take_words(self, data: bytes) -> None:
        """Take the fields of a form that came without a file."""
        self._is_whole = True  # nothing in such a form tells
        if len(data) > WORDS_BYTES:
            self._refuse_length()
        pairs = data[:WORDS_BYTES].decode("latin-1").split("&", PARTS + 1)  # an encoding that has every byte
        text = "&".join(pairs[: PARTS + 1])
        for name, value in parse_qsl(text, keep_blank_values=True, encoding="latin-1"):
            self._keep(name.encode("latin-1"), value.encode("latin-1"))

    def end(self) -> Upload:
        """Return what arrived, a part that was cut off included."""
        if not self._is_whole:
            self.refuse(400, "The form did not arrive whole.")
        if self._body:
            self._end()
        return self._upload

    def _last(self) -> None:
        self._is_whole = True

    def _begin(self) -> None:
        self._name, self._value = bytearray(), bytearray()
        self._disposition: dict[bytes, bytes] = {}
        self._body = bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._limit(self._name)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._limit(self._value)

    def _limit(self, part: bytearray) -> None:
        if len(part) > HEADER_BYTES:
            raise FormParserError("a header is too long")

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = parse_options_header(bytes(self._value))[1]
        self._name, self._value = bytearray(), bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if b"filename" in self._disposition:
            if len(self._body) + end - start > self._max_file:
                self._upload.is_too_large = True
                self._body.clear()
            elif not self._upload.is_too_large:
                self._body += data[start:end]
            return
        fits = min(end - start, WORDS_BYTES - self._words)
        self._words += fits
        self._body += data[start : start + fits]
        if fits < end - start:
            self._refuse_length()

    def _refuse_length(self) -> None:
        self.refuse(
            413, f"That is longer than {WORDS_BYTES >> 20} MB: what fits is below, the end of it is not. Shorten it."
        )

    def _end(self) -> None:
        if b"filename" in self._disposition:
            self._upload.file = self._upload.file or bytes(self._body)
            self._count_part()
        else:
            self._keep(self._disposition.get(b"name", b""), bytes(self._body))
        self._body = bytearray()

    def _count_part(self) -> None:
        self._count += 1
        if self.is_full:
            self.refuse(400, f"The form had more than {PARTS} fields.")

    def _keep(self, name: bytes, value: bytes) -> None:
        self._count_part()
        if self.is_full:
            return
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("utf-8", "ignore" if self._upload.fault else "replace")  # the last sign may be cut off
            self.refuse(400, "Some signs did not arrive as they were typed; they stand as \ufffd below.")
        self._upload.fields[name.decode("utf-8", "replace")] = text.replace("\r\n", "\n").replace("\r", "\n")
