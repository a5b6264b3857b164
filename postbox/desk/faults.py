"""Faults of the build in the author's words: what of his is meant, what is wrong with it, what he can do.

The press tells each as ``<file>[:<line>]: <cause>``; a line of another form is shown as it is, never guessed at.
"""

import re
from dataclasses import dataclass
from pathlib import PurePath

SHOWN = 10  # faults; the rest are told when these are fixed
_FORM = re.compile(r"(?P<file>[^:]+?\.\w+)(?::(?P<line>[0-9]+))?: (?P<problem>.+)", re.DOTALL)
_SAVE = "Correct it there and save; the site follows by itself."
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
    """One fault; ``line`` and ``file`` are empty where the press names none."""

    what: str
    problem: str
    cure: str
    file: str = ""
    line: str = ""


def explain(fault: str) -> Fault:
    """Return a fault of the press in words for the author."""
    found = _FORM.fullmatch(fault.strip())
    if not found:
        return Fault("The site", fault.strip().rstrip("."), _ASK)
    file = PurePath(found["file"])
    kinds = [_KINDS[part] for part in file.parts[:-1] if part in _KINDS] if "theme" not in file.parts else []
    what, cure = kinds[0] if kinds else ("The site’s settings or design", f"{_ASK} It is nothing that you wrote.")
    if file.name == "site.toml":
        what, cure = "Your details", "Open “Your details”, correct them and publish; the site follows by itself."
    problem = found["problem"].strip().rstrip(".")
    return Fault(what.format(name=file.stem), problem, cure, found["file"], found["line"] or "")
