"""Faults of the build in the author's words: what of his is meant, what is wrong with it, what he can do.

The press tells each as ``<file>[:<line>]: <cause>``; a line of another form is shown as it is, never guessed at.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath

from contract.facts import BY_NAME
from contract.facts import FILE as FACTS_FILE

SHOWN = 10  # files; the rest are told when these are fixed
LENGTH = 600  # characters of what is told in sentences
_FORM = re.compile(r"(?P<file>[^:]+?\.\w+)(?::(?P<line>[0-9]+))?: (?P<problem>.+)", re.DOTALL)
_SAVE = "Open it, correct it and publish; the site follows by itself."
_ASK = "Ask whoever runs the site."
# By the folder that a file lies in: what its author calls it, and the cure.
_KINDS = {
    "articles": ("The article “{name}”", _SAVE),
    "pages": ("The page “{name}”", _SAVE),
    "images": ("The picture “{name}”", "Put a good copy of the picture there; the site follows by itself."),
    "comments": ("The comment “{name}”", _ASK),
}


@dataclass(frozen=True)
class Fault:
    """One fault; ``line`` and ``file`` are empty where the press names none.

    ``address`` is the page of the desk where it can be corrected, ``more`` how many faults its file has besides.
    """

    what: str
    problem: str
    cure: str
    file: str = ""
    line: str = ""
    address: str = ""
    more: int = 0


def explain_all(faults: Iterable[str]) -> list[Fault]:
    """Return the first fault of each file in words for the author, and how many more it has."""
    first: dict[str, Fault] = {}
    for fault in map(explain, faults):
        key = fault.file or fault.problem
        first[key] = replace(first[key], more=first[key].more + 1) if key in first else fault
    return list(first.values())[:SHOWN]


def explain(fault: str) -> Fault:
    """Return a fault of the press in words for the author."""
    found = _FORM.fullmatch(fault.strip())
    if not found:
        return Fault("The site", fault.strip().rstrip("."), _ASK)
    file, problem = PurePath(found["file"]), found["problem"].strip().rstrip(".")
    if file.name == FACTS_FILE:
        return _of_details(problem, found["file"], found["line"] or "")
    kinds = [_KINDS[part] for part in file.parts[:-1] if part in _KINDS] if "theme" not in file.parts else []
    what, cure = kinds[0] if kinds else ("The site’s settings or design", f"{_ASK} It is nothing that you wrote.")
    text = re.search(r"(?:^|/)((?:articles|pages)/.+)\.md$", found["file"])
    address = f"/write/{text[1]}" if text and kinds else ""
    return Fault(what.format(name=file.stem), problem, cure, found["file"], found["line"] or "", address)


def sentences(faults: Iterable[str]) -> str:
    """Return faults in a sentence each for the author, of some length together at the most."""
    told = [f"{one.what}{', line ' * bool(one.line)}{one.line}: {one.problem}." for one in map(explain, faults)]
    return " ".join(told)[:LENGTH]


def _of_details(problem: str, file: str, line: str) -> Fault:
    """Return a fault of the details; one of a fact goes by what stands above its field, not by its name and line."""
    cure = "Open “Your details”, correct them and publish; the site follows by itself."
    name, _, cause = problem.partition(": ")
    if name in BY_NAME:
        return Fault(BY_NAME[name].label, cause, cure, file, "", f"/details#{name}")
    return Fault("Your details", problem, cure, file, line, "/details")
