"""Reader of the items of a large XML export, each parsed by itself, so that a broken one is lost alone.

The text is cut at the tags of the items, outside CDATA; expat sees one item at a time. Namespaces are not resolved:
elements are known by their local names, as exports in the wild declare theirs in every way.
A document type is refused: no entity is ever expanded, and nothing is fetched.
"""

import codecs
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from moving.records import Fault, MovingError, Progress, Remark

CHUNK_BYTES = 1 << 18
ITEM_CHARACTERS = 24 * 1024 * 1024  # an article with some ten thousand comments
ITEM_ELEMENTS = 400_000
DEPTH = 20
# What XML 1.0 cannot hold (2.2), and exports hold all the same.
CONTROL_BYTES = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20)])
ENCODINGS = ("utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252")
_TAG_CHARACTERS = 1000
_SKIPPED = {"<![CDATA[": "]]>", "<!--": "-->"}  # no tag stands in them


@dataclass(slots=True)
class Element:
    """Element with its line in the file; ``text`` is its own, without that of its children."""

    name: str
    line: int
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The characters between its tags."""
        return "".join(self.parts)

    def all(self, name: str) -> Iterator["Element"]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> "Element | None":
        """Return the first child of a name, or None."""
        return next(self.all(name), None)

    def of(self, name: str) -> str:
        """Return the text of the first child of a name, or nothing."""
        child = self.first(name)
        return child.text.strip() if child else ""


def read_items(path: Path, root: str, names: Collection[str], progress: Progress) -> Iterator[Element | Fault | Remark]:
    """Yield the head (all before the first item), then each item as an element; what cannot be read as a fault.

    Args:
        path: the export.
        root: the local name of its outermost element.
        names: those of its items.
        progress: called with the number of bytes read.

    Raises:
        MovingError: if it is no such export, or has a document type.
    """
    if not path.is_file():
        raise MovingError(f"{path}: there is no such file")
    cleaned = _Cleaned(path)
    cutter = _Cutter(path.name, names)
    for text in cleaned.chunks(progress):
        yield from _parsed(cutter.feed(text), path, root)
    yield from _parsed(cutter.close(root), path, root)
    yield from cleaned.remarks()


class _Cleaned:
    """The text of a file without what XML cannot hold, counted."""

    def __init__(self, path: Path) -> None:
        self._path, self._control, self._broken = path, 0, 0

    def chunks(self, progress: Progress) -> Iterator[str]:
        with self._path.open("rb") as file:
            head = file.read(CHUNK_BYTES)
            decoder = codecs.getincrementaldecoder(_encoding(self._path, head))("replace")
            starts = [at for mark in (b"<?xml", b"<rss", b"<disqus") if (at := head.find(mark)) >= 0]
            data = head[min(starts, default=0) :]
            skipped = len(head) - len(data)
            yield "\n" * head.count(b"\n", 0, skipped)
            progress(skipped)
            while data:
                clean = data.translate(None, CONTROL_BYTES)
                text = decoder.decode(clean)
                self._control += len(data) - len(clean) + sum(map(text.count, "\ufffe\uffff"))
                self._broken += max(0, text.count("\ufffd") - clean.count(b"\xef\xbf\xbd"))
                yield re.sub("[\ufffe\uffff]", "", text).replace("\r\n", "\n")
                progress(len(data))
                data = file.read(CHUNK_BYTES)
            yield decoder.decode(b"", final=True)

    def remarks(self) -> Iterator[Remark]:
        place = f"{self._path.name}:1"
        if self._control:
            yield Remark(place=place, text=f"{self._control:,} control characters that XML cannot hold were taken out")
        if self._broken:
            yield Remark(
                place=place, text=f"{self._broken:,} bytes are no text in the file’s encoding; each is now “\ufffd”"
            )


def _encoding(path: Path, head: bytes) -> str:
    declared = re.search(rb"""<\?xml[^>]*encoding=["']([\w.-]+)["']""", head[:2000])
    name = declared[1].decode().lower() if declared else "utf-8"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or name not in ENCODINGS:
        raise MovingError(f"{path}: line 1: it is written in {name if declared else 'UTF-16'}; save it as UTF-8")
    return "utf-8-sig" if name == "utf-8" else name


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str  # empty for the head
    line: int
    text: str


class _Cutter:
    """Cuts a stream of text into its head and its items, by their tags, outside CDATA and comments."""

    def __init__(self, file: str, names: Collection[str]) -> None:
        self._file = file
        self._mark = re.compile(
            rf"<!\[CDATA\[|<!--|<(/?)({'|'.join(names)})(?=[\s/>])[^<>]{{0,{_TAG_CHARACTERS // 2}}}>"
        )
        self._text, self._line, self._at = "", 1, 0
        self._open, self._is_head, self._tail = "", True, ""
        self._ending = ""  # of the CDATA or comment that is open

    def feed(self, text: str) -> Iterator[_Piece | Fault]:
        self._text += text
        self._tail = (self._tail + text)[-200:]
        while self._skip() and (found := self._mark.search(self._text, self._at)):
            self._at = found.end()
            if ending := _SKIPPED.get(found[0]):
                self._ending = ending
            else:
                yield from self._tag(found, closes=bool(found[1]), name=found[2])
        if not self._ending:
            self._at = max(self._at, len(self._text) - _TAG_CHARACTERS)
        if not self._open and not self._is_head:
            self._drop(self._at)
        if len(self._text) > ITEM_CHARACTERS:
            cause = f"the item is larger than {ITEM_CHARACTERS:,} characters; it is left out"
            yield Fault(place=f"{self._file}:{self._line}", cause=cause)
            self._drop(len(self._text))
            self._open, self._is_head, self._ending = "", False, ""

    def _skip(self) -> bool:
        """Go behind the CDATA or comment that is open, if any; tell whether its end was found."""
        if self._ending and (end := self._text.find(self._ending, self._at)) < 0:
            self._at = max(self._at, len(self._text) - 2)
            return False
        self._at, self._ending = (end + 3, "") if self._ending else (self._at, "")
        return True

    def close(self, root: str) -> Iterator[_Piece | Fault]:
        if self._open:
            yield Fault(
                place=f"{self._file}:{self._line}", cause=f"the file ends inside this {self._open}; export it again"
            )
        elif self._is_head:
            yield _Piece("", self._line, self._text)
        elif f"</{root}>" not in self._tail:
            line = self._line + self._text.count("\n")
            yield Fault(
                place=f"{self._file}:{line}",
                cause=f"the file ends before </{root}>; it may lack items, so export it again",
            )

    def _tag(self, found: re.Match[str], *, closes: bool, name: str) -> Iterator[_Piece | Fault]:
        is_empty = found[0].endswith("/>")
        if self._open and (name != self._open or (is_empty and not closes)):
            return  # a reference inside an item
        if closes and self._open:
            yield _Piece(name, self._line, self._text[: found.end()])
            self._drop(found.end())
            self._open = ""
        elif not closes:
            if self._open:
                yield Fault(place=f"{self._file}:{self._line}", cause=f"this {name} is not closed; it is left out")
            elif self._is_head:
                yield _Piece("", self._line, self._text[: found.start()])
            self._is_head = False
            self._drop(found.start())
            self._open = name
            if is_empty:
                yield _Piece(name, self._line, found[0])
                self._open = ""

    def _drop(self, characters: int) -> None:
        self._line += self._text.count("\n", 0, characters)
        self._text = self._text[characters:]
        self._at = max(0, self._at - characters)


def _parsed(pieces: Iterator[_Piece | Fault], path: Path, root: str) -> Iterator[Element | Fault]:
    for piece in pieces:
        if isinstance(piece, Fault):
            yield piece
        else:
            builder = _Builder(path.name, piece.line)
            try:
                builder.parse(piece.text, is_whole=bool(piece.name))
            except (expat.ExpatError, _TooMuchError) as error:
                yield Fault(
                    place=f"{path.name}:{builder.line}",
                    cause=f"{_cause(error)}; {'the item is left out' if piece.name else 'read on from the first item'}",
                )
            if not piece.name and builder.root.name != root:
                raise MovingError(
                    f"{path}: line {piece.line}: expected <{root}>, found {f'<{builder.root.name}>' if builder.root.name else 'no XML'}; is it the right kind of export?"
                )
            if not piece.name or builder.is_done:
                yield builder.root


class _TooMuchError(ValueError):
    pass


def _cause(error: Exception) -> str:
    return expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else str(error)


class _Builder:
    """Makes elements of what expat sees; without recursion, and with limits."""

    def __init__(self, file: str, line: int) -> None:
        self._file, self._first = file, line
        self.root = Element("", line, {})
        self._path: list[Element] = []
        self._count = 0
        self.is_done = False
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype

    @property
    def line(self) -> int:
        return self._first + self._parser.CurrentLineNumber - 1

    def parse(self, text: str, *, is_whole: bool) -> None:
        start = text.lstrip("\n")  # of a head, where something stood before the XML
        self._first += len(text) - len(start)
        self._parser.Parse(start, is_whole)
        self.is_done = is_whole

    def _doctype(self, *_: object) -> None:
        raise MovingError(
            f"{self._file}: line {self.line}: it has a document type (<!DOCTYPE …>), which no export needs; delete it"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ITEM_ELEMENTS or len(self._path) > DEPTH:
            raise _TooMuchError(f"more than {ITEM_ELEMENTS:,} elements, or {DEPTH} inside each other")
        element = Element(_local(name), self.line, {_local(key): value for key, value in attributes.items()})
        if self._path:
            self._path[-1].children.append(element)
        else:
            self.root = element
        self._path.append(element)

    def _end(self, _: str) -> None:
        self._path.pop()

    def _characters(self, text: str) -> None:
        if self._path:
            self._path[-1].parts.append(text)


def _local(name: str) -> str:
    """Return a local name; content and excerpt share theirs, and keep their prefix apart."""
    prefix, _, local = name.rpartition(":")
    return "excerpt" if local == "encoded" and prefix.startswith("excerpt") else local
