"""Account of an import: for each kind, *in = imported + held + left out*, and every exception by its file and line."""

import json
from collections import Counter
from dataclasses import dataclass, field

KINDS = ("article", "page", "comment", "file", "other", "unreadable")
SHOWN = 20  # of one reason, in words; JSON has all
PLURALS = {
    "article": "articles",
    "page": "pages",
    "comment": "comments",
    "file": "files",
    "other": "other items",
    "unreadable": "unreadable items",
}


class AccountError(AssertionError):
    """An item was lost or counted twice: a fault of this program, not of the export."""


@dataclass(frozen=True)
class Line:
    """One exception: what it is about, where it stands in the export, and why."""

    kind: str
    place: str
    name: str
    text: str


@dataclass
class Report:
    """What became of each item; ``is_dry`` if nothing was written."""

    is_dry: bool
    arrived: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})
    left_out: list[Line] = field(default_factory=list)
    held: list[Line] = field(default_factory=list)
    drafts: list[Line] = field(default_factory=list)
    edited: list[Line] = field(default_factory=list)
    changes: list[Line] = field(default_factory=list)

    def take(self, kind: str) -> None:
        """Count an item of the export, whatever becomes of it."""
        self.arrived[kind] += 1

    def imported(self, kind: str, *, stood: bool) -> None:
        """Count an item that is here now, or was already."""
        self.outcomes[kind]["imported"] += 1
        self.outcomes[kind]["stood"] += stood

    def hold(self, kind: str, place: str, name: str, text: str) -> None:
        """Count an item that waits at the desk."""
        self.outcomes[kind]["held"] += 1
        self.held.append(Line(kind, place, name, text))

    def leave_out(self, kind: str, place: str, name: str, text: str) -> None:
        """Count an item that is not brought along."""
        self.outcomes[kind]["left out"] += 1
        self.left_out.append(Line(kind, place, name, text))

    def check(self) -> None:
        """Raise AccountError unless every item is accounted for."""
        for kind in KINDS:
            outcome = self.outcomes[kind]
            if self.arrived[kind] != outcome["imported"] + outcome["held"] + outcome["left out"]:
                raise AccountError(f"{kind}: {self.arrived[kind]} in, but {dict(outcome)}")

    def as_json(self) -> str:
        """Return all of it as JSON."""
        counts = {
            kind: {
                "in": self.arrived[kind],
                "imported": o["imported"],
                "already_here": o["stood"],
                "held": o["held"],
                "left_out": o["left out"],
            }
            for kind, o in self.outcomes.items()
        }
        lists = {
            name: [vars(line) for line in getattr(self, name)]
            for name in ("drafts", "held", "left_out", "edited", "changes")
        }
        return json.dumps({"dry_run": self.is_dry, "counts": counts} | lists, ensure_ascii=False, indent=1)

    def as_text(self) -> str:
        """Return it for the owner to read."""
        lines = ["Nothing was written: this is what would be done.", ""] if self.is_dry else []
        lines.append(f"{'':18}{'in':>8} = {'imported':>8} + {'held':>6} + {'left out':>8}   (here already)")
        for kind in KINDS:
            if self.arrived[kind]:
                o = self.outcomes[kind]
                lines.append(
                    f"{PLURALS[kind]:18}{self.arrived[kind]:8,} = {o['imported']:8,} + {o['held']:6,} + {o['left out']:8,}   ({o['stood']:,})"
                )
        for title, found in (
            ("Drafts, to be seen only in `make serve`", self.drafts),
            ("Held: to be judged at the desk", self.held),
            ("Left out", self.left_out),
            ("Edited here since, and left as they are", self.edited),
            ("Changed", self.changes),
        ):
            lines += _section(title, found)
        return "\n".join(lines)


def _section(title: str, found: list[Line]) -> list[str]:
    if not found:
        return []
    reasons: dict[tuple[str, str], list[Line]] = {}
    for line in found:
        reason, _, _ = line.text.partition(": ")
        reasons.setdefault((line.kind, reason), []).append(line)
    lines = ["", f"{title}:"]
    for (kind, reason), those in reasons.items():
        lines.append(f"  {len(those):,} × {kind}: {reason}" if reason else f"  {len(those):,} × {kind}")
        for line in those[:SHOWN]:
            detail = line.text.partition(": ")[2]
            lines.append(f"    {line.place}  {line.name}{f'  {detail}' if detail else ''}"[:300].rstrip())
        if len(those) > SHOWN:
            lines.append(f"    and {len(those) - SHOWN:,} more; --json names every one")
    return lines
