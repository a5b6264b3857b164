"""Facts of the site: what a person would change of it, in ``content/site.toml``, each declared once.

The file is TOML (toml.io), a line a fact; a fact without a line is empty, and an empty one shows nothing.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from contract.comment import CommentError, read_file

FILE = "site.toml"  # in the content folder
FILE_BYTES = 64 * 1024
NEAR = 0.7  # how alike two words are, of 1, to be taken for a slip of the pen


class FactsError(ValueError):
    """Facts break a rule; one line a fault, each with its file, its line, its cause and the cure."""


@dataclass(frozen=True)
class Fact:
    """A fact: what its form is headed by and explains, and what its value must be.

    ``length`` is the most characters; ``pattern`` what a value that is not empty has to match, or else ``refusal`` is said.
    """

    name: str
    label: str
    help: str
    length: int = 200
    is_required: bool = False
    pattern: str = ".*"
    refusal: str = ""

    @property
    def is_sentence(self) -> bool:
        """Whether its value may be a whole sentence, of which its author wants to see both ends."""
        return self.length >= 200 and not self.refusal

    @property
    def setting(self) -> str:
        """What Pelican's settings call it."""
        return self.name.upper()

    def fault(self, value: object) -> str:
        """Return what is wrong with a value in the file, or an empty string."""
        if not isinstance(value, str):
            return f'{self.name} must be text in quotes, like {self.name} = "…"'
        problem = self.problem(value)
        return problem and f"{self.name}: {problem}"

    def problem(self, value: str) -> str:
        """Return what is wrong with a value, as the person who typed it is told, or an empty string."""
        if self.is_required and not value.strip():
            return "Enter it; the site needs one."
        if len(value) > self.length:
            return f"It has {len(value):,} characters; {self.length} is the most."
        if re.search(r"[\x00-\x1f\x7f]", value):
            return "Write it in one line."
        return "" if not value or re.fullmatch(self.pattern, value) else self.refusal


FACTS = (
    Fact("sitename", "Name of the site", "It stands at the head of every page.", 60, is_required=True),
    Fact("tagline", "In one sentence", "What you do, for whom. It stands under the name."),
    Fact("author", "Your name", "As it stands above your replies.", 60, is_required=True),
    Fact("pronoun", "Spoken of as", "he or she, or your name again.", 60, is_required=True),
    Fact("role", "What you are", "As you would say it: “running coach”. It stands beside your name.", 80),
    Fact("invitation", "Why somebody would ring you", "The sentence above the button."),
    Fact("telephone", "Number to dial", "With its country: +44…", 16, False, r"\+[1-9]\d{6,14}",
         "Write it with its country and no spaces, like +447700900123."),
    Fact("telephone_shown", "Number as people read it", "With spaces where you pause.", 30, False, r"[+()\d /.-]+",
         "Write digits, and spaces where you pause."),
    Fact("hours", "When you answer", "“Weekdays from nine to five”.", 120),
    Fact("area", "Where you work", "The town or region that you serve.", 120),
    Fact("email", "Email address for everybody to see", "UK law expects one of a business.", 254, False,
         r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+", "Write an address like name@example.com."),
    Fact("postal_address", "Postal address", "In one line, with commas. UK law expects one of a business.", 300),
    Fact("trading_name", "Trading name", "If you trade under another name than your own.", 120),
    Fact("portrait", "Photograph of you", "The name of a picture, like images/me.jpg; a square from its middle is shown.", 200,
         False, r"(?!/)(?!.*\.\.)[\w./ -]+\.(?:jpe?g|png|webp|JPE?G|PNG|WEBP)",
         "Name a JPEG, PNG or WebP picture, like images/me.jpg."),
)  # fmt: skip
BY_NAME = {fact.name: fact for fact in FACTS}


def settings(content: Path) -> dict[str, str]:
    """Return every fact by the name of its setting, as the file in a content folder says.

    Raises:
        FactsError: with everything that is wrong, each with its line.
    """
    path = content / FILE
    shown = os.path.relpath(path)
    try:
        data = read_file(path, FILE_BYTES)
    except OSError as error:
        raise FactsError(f"{shown}: {error.strerror}; it holds the facts of the site") from None
    except CommentError:
        raise FactsError(f"{shown}: is a link, a folder or a pipe; put the file itself there") from None
    return {BY_NAME[name].setting: value for name, value in loads(data, shown).items()}


def loads(data: bytes, name: str = FILE) -> dict[str, str]:
    """Return every fact by its name; ``name`` is the file's, for what is wrong.

    Raises:
        FactsError: with everything that is wrong, each with its line.
    """
    if len(data) > FILE_BYTES:
        raise FactsError(f"{name}: has more than {FILE_BYTES:,} bytes; it holds a line a fact")
    try:
        text = data.decode("utf-8-sig")
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except UnicodeDecodeError:
        raise FactsError(f"{name}: is not UTF-8; save it as that") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        cause, _, place = str(error).partition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = found[1] if found else text.rstrip().count("\n") + 1
        raise FactsError(f'{name}:{line}: {cause}; write a line a fact, like hours = "from nine to five"') from None
    faults = [f"{name}:{_line_of(key, text)}: {cause}" for key, cause in _faults(values)]
    if faults:
        raise FactsError("\n".join(faults))
    return {fact.name: values.get(fact.name, "") for fact in FACTS}


def _faults(values: dict[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if key in BY_NAME:
            if cause := BY_NAME[key].fault(value):
                yield key, cause
            continue
        near = get_close_matches(key, BY_NAME, 1, NEAR)
        meant = f"did you mean “{near[0]}”? The" if near else "the"
        yield key, f"“{key[:40]}” is not a fact; {meant} facts are {', '.join(BY_NAME)}"
    for fact in FACTS:
        if fact.is_required and fact.name not in values:
            yield fact.name, f'there is no {fact.name}; add a line {fact.name} = "…"'


def _line_of(key: str, text: str) -> int:
    found = re.search(rf"^\s*[\"'\[]*{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1
