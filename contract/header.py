"""Header of an article or a page: every key that an author may write, declared once.

A text begins with its header; an empty line ends it::

    Title: Shoes and what they do
    Id: shoes
    Slug: shoes
    Date: 2026-12-01
    Summary: One sentence that stands under the title.

    The words.

Keys and fixed values are taken in any case. What is not understood is refused, with its line and the cure:
a line that is lost without a word can be the one that kept a draft back.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from urllib.parse import unquote

from contract.comment import ARTICLE_ID

LINE = re.compile(r"([A-Za-z][\w-]*)(\s*):\s*(.*)")
DATE = re.compile(r"[1-9]\d{3}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")
FORMER_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~/-]*(?:%[89A-Fa-f][0-9A-Fa-f][A-Za-z0-9._~/-]*)*")
NUMBER = re.compile(r"/\?(?:p|page_id)=[0-9]{1,18}")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
STATES = ("draft", "hidden", "published")
NEAR = 0.75  # how alike two words are, of 1, to be taken for a slip of the pen


class HeaderError(ValueError):
    """A header breaks a rule; ``faults`` are the lines and what is wrong with each, with the cure."""

    def __init__(self, faults: list[tuple[int, str]]) -> None:
        super().__init__("\n".join(f"line {line}: {cause}" for line, cause in faults))
        self.faults = faults


@dataclass(frozen=True)
class Key:
    """A key: how its value is read, who may and who must have it, and its sentence of help."""

    name: str
    parse: Callable[[str], Any]
    help: str
    kinds: tuple[str, ...] = ("article", "page")
    required: tuple[str, ...] = ()

    @property
    def attribute(self) -> str:
        """What templates call it."""
        return self.name.lower().replace("-", "_")


@dataclass(frozen=True)
class Text:
    """A text as its author wrote it: the values of its header by attribute, its body, and the line that this begins in."""

    values: dict[str, Any]
    body: str
    line: int


def one_of(*words: str) -> Callable[[str], str]:
    """Return what reads one of some words, in any case."""

    def parse(value: str) -> str:
        if value.lower() in words:
            return value.lower()
        near = get_close_matches(value.lower(), words, 1, NEAR)
        meant = f"did you mean “{near[0]}”? It" if near else "it"
        raise ValueError(f"“{value[:40]}” is no value of it; {meant} can be {', '.join(words[:-1])} or {words[-1]}")

    return parse


def words(value: str) -> str:
    """Return one line of text."""
    return value


def address(value: str) -> str:
    """Return what can stand in an address."""
    if not ARTICLE_ID.fullmatch(value):
        raise ValueError(f"“{value}” must be small letters, digits and single hyphens, 100 at most")
    return value


def former(value: str) -> str:
    """Return what led to a text before: a slug, a path of another system, or WordPress's number for it.

    Of a path only bytes beyond ASCII are percent-encoded, so that no server's configuration can misread it.
    """
    path = unquote(value, errors="replace")
    is_path = FORMER_PATH.fullmatch(value) and path.isprintable() and "\ufffd" not in path and path != "/"
    if not (is_path or NUMBER.fullmatch(value) or ARTICLE_ID.fullmatch(value)):
        rule = "small letters, digits and single hyphens, 100 at most"
        raise ValueError(f"“{value[:200]}” must be {rule}, or a path from the root, like /2012/03/boots/, or /?p=123")
    return value


def formers(value: str) -> list[str]:
    """Return what led to a text before, with spaces or commas between."""
    return [former(part) for part in value.replace(",", " ").split()]


def names(value: str) -> list[str]:
    """Return names with commas between them, each once in whichever case."""
    found = {" ".join(part.split()).casefold(): " ".join(part.split()) for part in reversed(value.split(","))}
    return [name for name in reversed(found.values()) if name]


def moment(value: str) -> datetime:
    """Return a date, with or without a time; one without a zone is in that of the site."""
    try:
        if DATE.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:
        pass  # the thirtieth of February
    raise ValueError(f"“{value[:40]}” is no date; write year-month-day, like 2026-12-01 or 2026-12-01 07:30")


def language(value: str) -> str:
    """Return the tag of a language in small letters."""
    if not LANGUAGE.fullmatch(value.lower()):
        raise ValueError(f"“{value[:40]}” is no language; write its tag, like de, fr or pt-BR")
    return value.lower()


ARTICLE, PAGE = "article", "page"
KEYS = (
    Key("Title", words, "What stands above the text.", required=(ARTICLE, PAGE)),
    Key("Id", address, "Names the article for ever: its comments hang on it.", (ARTICLE,), (ARTICLE,)),
    Key("Slug", address, "Its address.", required=(ARTICLE,)),
    Key("Date", moment, "When it is published; one to come keeps it back until then.", required=(ARTICLE,)),
    Key("Summary", words, "One sentence that stands under the title.", required=(ARTICLE,)),
    Key("Status", one_of(*STATES), "“draft” keeps it back; “hidden” is published and listed nowhere."),
    Key("Modified", moment, "When it was last changed in a way that readers are told of."),
    Key("Tags", names, "What it is about, with commas.", (ARTICLE,)),
    Key("Author", words, "Who wrote it, if that is not the author of the site.", (ARTICLE,)),
    Key("Lang", language, "Its language, if that is not the language of the site."),
    Key("Comments", one_of("open", "closed"), "“closed” takes no more comments.", (ARTICLE,)),
    Key("Formerly", formers, "Its earlier slugs and addresses; their readers are led on."),
)


def keys_of(kind: str, own: Collection[str] = ()) -> dict[str, Key]:
    """Return the keys of an article or a page by their small letters, with those that the owner of the site added."""
    mine = (Key(name, words, "A key of the site's own, for its templates.") for name in own)
    return {key.name.lower(): key for key in (*mine, *KEYS) if kind in key.kinds}


def read(text: str, kind: str, own: Collection[str] = ()) -> Text:
    """Read the header of an article or a page.

    Args:
        text: the whole file, its lines ended by line feeds.
        kind: ``article`` or ``page``.
        own: further keys that the owner of the site has for templates, each one line of text.

    Raises:
        HeaderError: with everything that is wrong.
    """
    keys = keys_of(kind, own)
    lines = text.split("\n")
    end = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    values: dict[str, Any] = {}
    faults: list[tuple[int, str]] = []
    if not end and text.strip():
        faults.append((1, "an empty line stands above the header; delete it"))
        end = len(lines)
    else:
        faults += _read_lines(lines[:end], keys, kind, values)
        faults += _slipped(lines[end:], end + 1, keys)
        faults += [
            (1, f"the header has no {key.name}; add a line “{key.name}: …”")
            for key in keys.values()
            if kind in key.required and values and key.attribute not in values
        ]
    if faults or not values:
        raise HeaderError(faults or [(1, "the file is empty; begin it with “Title: …”")])
    return Text(values, "\n".join(lines[end + 1 :]), end + 2)


def _read_lines(lines: list[str], keys: dict[str, Key], kind: str, values: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """Put the values of a header's lines into ``values``; yield what is wrong."""
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line)
        if not found:
            yield number, f"expected “Key: value”, found “{line[:40]}”; an empty line ends the header"
            continue
        name, space, value = found[1], found[2], found[3].strip()
        key = keys.get(name.lower())
        meant = key or _nearest(name, keys)
        is_second = meant and values.setdefault(meant.attribute) is not None  # one that is wrong is not missing too
        if not key:
            yield number, _unknown(name, keys, kind)
        elif space:
            yield number, f"write “{key.name}:”, without a space before the colon"
        elif is_second:
            yield number, f"{key.name} is given twice; keep one"
        elif not value:
            yield number, f"{key.name} has no value; give it one, or delete the line"
        else:
            try:
                values[key.attribute] = key.parse(value)
            except ValueError as error:
                yield number, f"{key.name}: {error}"


def _unknown(name: str, keys: dict[str, Key], kind: str) -> str:
    if any(name.lower() == key.name.lower() for key in KEYS):
        return f"a {kind} has no {name}; delete the line"
    near = _nearest(name, keys)
    meant = f"did you mean “{near.name}”? The" if near else "the"
    return f"“{name[:40]}” is not a key; {meant} keys are {', '.join(key.name for key in keys.values())}"


def _nearest(name: str, keys: dict[str, Key]) -> Key | None:
    near = get_close_matches(name.lower(), keys, 1, NEAR)
    return keys[near[0]] if near else None


def _slipped(lines: list[str], above: int, keys: dict[str, Key]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a header that stand below it: those that begin the text, and a status anywhere."""
    fence, is_first = "", True
    for number, line in enumerate(lines, above):
        if found := FENCE.match(line):
            fence = "" if fence and found[1].startswith(fence) else fence or found[1]
        if line.strip() and not fence and _belongs_above(line, keys, is_first=is_first):
            cure = f"move it up, or, if it is text, begin it in bold: **{line.partition(':')[0].strip()}:**"
            yield (
                number,
                f"“{line.strip()[:40]}” is a line of the header, but an empty line above has ended that; {cure}",
            )
        elif line.strip():
            is_first = False


def _belongs_above(line: str, keys: dict[str, Key], *, is_first: bool) -> bool:
    found = LINE.fullmatch(line.rstrip())
    if not found or not found[3]:
        return False
    key = keys.get(found[1].lower())
    if is_first and key:
        return True
    key = key or _nearest(found[1], keys)
    return bool(key and key.name == "Status" and found[3].strip().lower() in STATES)
