"""Forms with a file: read within limits, and what came of the words kept where the file is refused."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from postbox.web.forms import CONTENT_TYPE, Refused, read_form

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

BODY_SECONDS = 180.0  # for 25 MB from a phone
BODY_BYTES = 64 * 1024 * 1024  # read of a form, though little of a file that is too large is kept
WORDS_BYTES = 2 * 1024 * 1024
PARTS = 40
HEADER_BYTES = 1024


@dataclass
class Upload:
    """A posted form: its fields with LF, its one file, and whether that was longer than it may be."""

    fields: dict[str, str] = field(default_factory=dict)
    file: bytes = b""
    is_too_large: bool = False


async def read_upload(request: Request, *, max_file: int) -> Upload:
    """Return the fields and the file of a form; of a file that is too large nothing is kept.

    Raises:
        Refused: as ``read_form`` does; where only the file breaks a limit, ``Upload`` says so instead.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind == CONTENT_TYPE.encode():
        return Upload(await read_form(request, max_bytes=WORDS_BYTES, max_fields=PARTS))
    if kind != b"multipart/form-data" or not 1 <= len(options.get(b"boundary", b"")) <= 200:
        raise Refused(415, "This address takes what a form of this site sends. Go back and use the form.")
    parts = _Parts(max_file)
    parser = MultipartParser(options[b"boundary"], parts.callbacks())
    total = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                total += len(chunk)
                if total > BODY_BYTES:
                    parts.upload.is_too_large = True
                    break
                parser.write(chunk)  # to the end: an answer before would reach no browser that still sends
    except TimeoutError:
        raise Refused(408, "The form took too long to arrive. Go back and send it again.") from None
    except (ClientDisconnect, FormParserError):
        raise Refused(400, "The form did not arrive whole. Go back and send it again.") from None
    return parts.upload


class _Parts:
    """What a parser of a form calls for each piece of it."""

    def __init__(self, max_file: int) -> None:
        self.upload, self._max_file = Upload(), max_file
        self._begin()
        self._count = self._words = 0

    def callbacks(self) -> "MultipartCallbacks":
        """Return them by the parser's names."""
        return {
            "on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._end,
            "on_header_field": self._header_field, "on_header_value": self._header_value, "on_header_end": self._header_end,
        }  # fmt: skip

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
                self.upload.is_too_large = True
                self._body.clear()
            elif not self.upload.is_too_large:
                self._body += data[start:end]
            return
        self._words += end - start
        if self._words > WORDS_BYTES:
            raise Refused(413, "That is too long. Go back, shorten it and send it again.")
        self._body += data[start:end]

    def _end(self) -> None:
        self._count += 1
        if self._count > PARTS:
            raise Refused(400, f"The form had more than {PARTS} fields. Go back and send it again.")
        if b"filename" in self._disposition:
            self.upload.file = self.upload.file or bytes(self._body)
            return
        try:
            name, value = self._disposition.get(b"name", b"").decode(), self._body.decode()
        except UnicodeDecodeError:
            raise Refused(400, "The form was not sent as UTF-8. Go back and send it again.") from None
        self.upload.fields[name] = value.replace("\r\n", "\n").replace("\r", "\n")
