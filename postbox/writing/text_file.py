"""File of an article or a page, of which only what changes changes: bytes in, bytes out.

Line ends, a byte order mark, the order and the spelling of keys, keys that no form shows and a missing final newline
survive. Of the text those lines are new that a comparison finds changed; every other is the same byte for byte.
"""

import codecs
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile

LINE = re.compile(r"(\s*([A-Za-z][\w-]*)\s*:[ \t]*)(.*?)([ \t]*)", re.DOTALL)
NEWLINE = re.compile(r"\r\n|\r|\n")
CONTROLS = re.compile(r"[ \t]*[\x00-\x1f\x7f\x85\u2028\u2029]+[ \t]*")  # what may end a line somewhere
TEXT_BYTES = 1_000_000  # of a file; 200,000 characters, of four bytes each, and its header
TEXT_LENGTH = 200_000  # characters of a text; Python-Markdown is quadratic in the worst


class TextError(ValueError):
    """A file is no text of ours; the text says why."""


@dataclass(frozen=True)
class TextFile:
    """An article or a page as its file holds it: the values of its header by the key in small letters, and its text with LF."""

    fields: dict[str, str]
    body: str

    def field(self, name: str) -> str:
        """Return a value of the header, or an empty string."""
        return self.fields.get(name, "")


def read(data: bytes) -> TextFile:
    """Read a file as leniently as it can be; what is wrong with it is for the proof to say.

    Raises:
        TextError: if it is too long, or no UTF-8.
    """
    header, _, body = _parts(_decoded(data))
    found = (LINE.fullmatch(NEWLINE.sub("", line)) for line in header)
    fields: dict[str, str] = {}
    for line in found:
        if line:
            fields.setdefault(line[2].lower(), line[3])
    return TextFile(fields, NEWLINE.sub("\n", "".join(body)))


def edited(data: bytes, fields: Mapping[str, str | None], body: str | None = None) -> bytes:
    """Return a file with other values.

    Args:
        data: the file as it is; empty for a new one.
        fields: values by their key as it is written; None takes the line away, and a value of several lines is folded.
        body: the text with LF, or None to leave it.

    Raises:
        TextError: as ``read`` does.
    """
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    text = _decoded(data)
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    header, gap, lines = _parts(text)
    for key, value in fields.items():
        _set(header, key, value, newline)
    if body is not None and body != NEWLINE.sub("\n", "".join(lines)):
        if header and not NEWLINE.search(header[-1]):
            header[-1] += newline
        gap, lines = gap or newline, _merged(lines, body, newline)
    return mark + "".join([*header, gap, *lines]).encode()


def hash_of(data: bytes) -> str:
    """Return what a file is recognised by; an empty string for none."""
    return hashlib.sha256(data).hexdigest() if data else ""


def _decoded(data: bytes) -> str:
    if len(data) > TEXT_BYTES:
        raise TextError(f"the file has {len(data):,} bytes; {TEXT_BYTES:,} are the most that can be edited here")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TextError("the file is not UTF-8; save it as that") from None


def _parts(text: str) -> tuple[list[str], str, list[str]]:
    """Return the lines of the header, the empty line that ends it, and those of the text, each with its end."""
    lines = list(_lines(text))
    header = list(takewhile(lambda line: line.strip(), lines))
    rest = lines[len(header) :]
    return header, "".join(rest[:1]), rest[1:]


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends; ``splitlines`` would cut at signs that are no ends to Markdown."""
    start = 0
    for end in NEWLINE.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def _set(header: list[str], key: str, value: str | None, newline: str) -> None:
    for number, line in enumerate(header):
        found = LINE.fullmatch(NEWLINE.sub("", line))
        if not found or found[2].lower() != key.lower():
            continue
        if value is None:
            del header[number]
        elif value != found[3]:
            value = _folded(value)
            begin = found[1] if found[1].endswith((" ", "\t")) else f"{found[1]} "
            end = NEWLINE.search(line)
            header[number] = f"{begin}{value}".rstrip(" ") + (end[0] if end else "")
        return
    if value := _folded(value or ""):
        if header and not NEWLINE.search(header[-1]):
            header[-1] += newline
        header.append(f"{key}: {value}{newline}")


def _folded(value: str) -> str:
    """Return a value on one line; spaces that do not break stay."""
    return CONTROLS.sub(" ", value).strip(" ")


def _same(some: list[str], others: list[str]) -> int:
    """Return how many lines two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def _merged(lines: list[str], body: str, newline: str) -> list[str]:
    """Return the lines of a new text; those that were there before with the ends that they had."""
    old, new = [NEWLINE.sub("\n", line) for line in lines], list(_lines(body))
    if lines and not NEWLINE.search(lines[-1]) and new and new[-1] == f"{old[-1]}\n":
        old[-1] += "\n"  # a final newline alone is no other line
    begun = _same(old, new)
    ended = _same(old[begun:][::-1], new[begun:][::-1])
    merged, middle = lines[:begun], lines[begun : len(lines) - ended]
    old, new = old[begun : len(old) - ended], new[begun : len(new) - ended]
    for kind, start, end, first, last in SequenceMatcher(None, old, new).get_opcodes():
        merged += middle[start:end] if kind == "equal" else [NEWLINE.sub(newline, line) for line in new[first:last]]
    merged += lines[len(lines) - ended :]
    for number, line in enumerate(merged[:-1]):
        if not NEWLINE.search(line):
            merged[number] += newline
    return merged
