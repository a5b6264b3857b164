"""Page of the facts of the site: what its author says of the practice, seen before it is published, and kept as it stood.

The file is the truth. A fact that was not changed keeps its line byte for byte, comments and order included.
"""

import codecs
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import tomlkit
from starlette.responses import Response

from contract import facts
from contract.comment import CommentError, read_file
from contract.facts import FACTS, FILE, FactsError
from postbox.desk.context import OUT_OF_DATE, DeskRequest
from postbox.moderation.publisher import write
from postbox.web.forms import Refused

LIVE_SECONDS, LOOK_SECONDS = 5.0, 0.05
CHANGED = "The details were changed elsewhere meanwhile. What you typed is below; what the site says now stands at each field."
ASKED = "asked"  # in the desk's own folder: the author has seen the question who he is, and put it off
# Without these nobody learns who the author is.
WHO = ("role", "area", "hours", "portrait")


@dataclass
class Draft:
    """Facts as they were typed: the problem at each field, what the file says where that differs, and the status to answer with."""

    values: Mapping[str, str]
    problems: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)
    status: int = 200


def show(desk: DeskRequest) -> Response:
    """Show the facts as the file says."""
    data = _read(desk)
    return _page(desk, data, Draft(_values(data)), flash=desk.query.get("flash", ""))


def publish(desk: DeskRequest) -> Response:
    """Write the facts, or show them as they will look; whatever is wrong, every word that was typed comes back."""
    action, data = desk.form.get("action"), _read(desk)
    if action == "later":
        (desk.context.settings.desk / ASKED).touch(mode=0o600)
        return desk.redirect("/")
    if action not in ("look", "publish"):
        raise Refused(400, OUT_OF_DATE)
    stands = _values(data)
    typed = {fact.name: " ".join(desk.form.get(fact.name, stands[fact.name]).split()) for fact in FACTS}
    draft = Draft(typed, _problems(desk, typed))
    if desk.form.get("seen") != _hash(data):
        draft.problems[""] = CHANGED
        draft.theirs = {name: value for name, value in stands.items() if value != typed[name]}
    if draft.problems:
        draft.status = 409 if draft.theirs else 422
    elif action == "publish":
        if typed == stands:
            return desk.redirect("/details?flash=same")
        return desk.redirect(f"/details?flash={_write(desk, data, typed)}")
    return _page(desk, data, draft, is_looked_at=not draft.problems)


def is_unknown(desk: DeskRequest) -> bool:
    """Tell whether to ask the author, once, who he is: nothing says so, and the question was not put off."""
    facts = (getattr(desk.site, name) for name in WHO)
    return not any(facts) and not (desk.context.settings.desk / ASKED).exists()


def edited(data: bytes, values: Mapping[str, str]) -> bytes:
    """Return the file with other values; every line of a fact that stays is the same."""
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    stands = facts.loads(data)
    changed = {name: value for name, value in values.items() if value != stands[name]}
    if not changed:
        return data
    text = data.removeprefix(mark).decode()
    document = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")  # or a new line would go behind the last
    document.update(changed)
    return mark + tomlkit.dumps(document).encode()


def _write(desk: DeskRequest, data: bytes, values: Mapping[str, str]) -> str:
    """Write the facts and wait for the press; return what came of that."""
    path = desk.context.settings.content / FILE
    written = datetime.now(UTC).isoformat(timespec="microseconds")
    write(path, edited(data, values).decode())
    for _ in range(int(LIVE_SECONDS / LOOK_SECONDS)):
        status = desk.context.build_status
        if not status.watching:
            return "later"
        if status.built > written:
            return "live"
        if status.failed > written and any("PORTRAIT" in fault or FILE in fault for fault in status.faults):
            write(path, data.decode())
            return "back"
        time.sleep(LOOK_SECONDS)
    return "soon"


def _problems(desk: DeskRequest, values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong, by the field."""
    problems = {fact.name: fact.problem(values[fact.name]) for fact in FACTS}
    portrait = desk.context.settings.content / values["portrait"]
    if values["portrait"] and not problems["portrait"] and (portrait.is_symlink() or not portrait.is_file()):
        problems["portrait"] = f"There is no {values['portrait']} among your pictures. Look at its name."
    return {name: problem for name, problem in problems.items() if problem}


def _page(desk: DeskRequest, data: bytes, draft: Draft, *, flash: str = "", is_looked_at: bool = False) -> Response:
    shown: dict[str, Any] = {
        name: value for name, value in draft.values.items() if name not in ("sitename", "portrait")
    }
    values = {
        "facts": FACTS,
        "draft": draft,
        "seen": _hash(data),
        "flash": flash,
        "preview": replace(desk.site, **shown) if is_looked_at else None,
    }
    return desk.page("details.html", draft.status, place="/details", **values)


def _values(data: bytes) -> dict[str, str]:
    try:
        return facts.loads(data)
    except FactsError as error:
        raise Refused(409, f"The details cannot be changed here until their file is right: {error}") from None


def _read(desk: DeskRequest) -> bytes:
    """Return the file; nothing but a plain file in its place, and no more of it than it may have."""
    path = desk.context.settings.content / FILE
    try:
        return read_file(path, facts.FILE_BYTES)
    except (OSError, CommentError) as error:
        why = getattr(error, "strerror", "") or "it is a link, a folder or a pipe"
        raise Refused(503, f"{FILE} cannot be read ({why}). Ask whoever runs the site.") from None


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
