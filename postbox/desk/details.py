"""Page of the facts of the site: what its author says of the practice, seen before it is published, and kept as it stood.

The file is the truth. A fact that was not changed keeps its line byte for byte, comments and order included.
"""

import codecs
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import tomlkit
from starlette.responses import Response

from contract import facts
from contract.comment import CommentError, read_file
from contract.facts import FACTS, FILE, FactsError
from postbox.desk.context import OUT_OF_DATE, DeskRequest
from postbox.desk.paging import parse_int
from postbox.web.forms import Refused
from postbox.web.uploads import Upload
from postbox.writing.draft import DraftError
from postbox.writing.draft import picture as draft_of_picture
from postbox.writing.publisher import Published
from postbox.writing.text_file import TextError

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
    """Show the facts as the file says, or as an earlier version of it."""
    data = _read(desk)
    earlier = desk.texts.version(FILE, parse_int(desk.query.get("version", "")))
    return _page(desk, data, Draft(_values(earlier.data if earlier else data)), flash=desk.query.get("flash", ""))


def publish(desk: DeskRequest) -> Response:
    """Write the facts, or show them as they will look; whatever is wrong, every word that was typed comes back."""
    action, data = desk.form.get("action"), _read(desk)
    if action == "later":
        (desk.context.settings.desk / ASKED).touch(mode=0o600)
        return desk.redirect("/")
    if action == "undo":
        return _undo(desk, data)
    if action not in ("look", "publish"):
        raise Refused(400, OUT_OF_DATE)
    stands = _values(data)
    typed = {fact.name: " ".join(desk.form.get(fact.name, stands[fact.name]).split()) for fact in FACTS}
    problems: dict[str, str] = {}
    try:
        typed |= _portrait(desk, typed)
    except DraftError as error:
        problems["portrait"] = str(error)
    draft = Draft(typed, _problems(desk, typed) | problems)
    if desk.form.get("seen") != _hash(data):
        draft.problems[""] = CHANGED
        draft.theirs = {name: value for name, value in stands.items() if value != typed[name]}
    if draft.problems:
        draft.status = 409 if draft.theirs else 422
    elif action == "publish" and typed == stands:
        return desk.redirect("/details?flash=same")
    elif action == "publish":
        done = desk.publisher.publish(FILE, edited(data, typed), "published")
        if done.state != "back":
            return desk.redirect(f"/details?flash={done.state}&undo={done.version}")
        draft.problems[""], draft.status = f"Not published: {_because(desk, done)}", 409
    return _page(desk, data, draft, is_looked_at=not draft.problems)


def _because(desk: DeskRequest, done: Published) -> str:
    return f"the site could not be built with it. {desk.why_back(done)} Your details are as they were."


def _undo(desk: DeskRequest, data: bytes) -> Response:
    try:
        done = desk.publisher.undo(FILE, parse_int(desk.form.get("version", "")))
    except TextError as error:
        return _page(desk, data, Draft(_values(data), {"": str(error)}, status=409))
    if done.state == "back":
        return _page(desk, data, Draft(_values(data), {"": f"Not undone: {_because(desk, done)}"}, status=409))
    return desk.redirect(f"/details?flash={'undone' if done.state == 'live' else done.state}")


def _portrait(desk: DeskRequest, typed: Mapping[str, str]) -> dict[str, str]:
    """Put a photograph that was sent among the images, and return its name as the fact; empty for none."""
    upload: Upload = desk.request.state.upload
    if not (upload.file or upload.is_too_large):
        return {}
    name = typed["author"] or "portrait"
    made = draft_of_picture(name, upload.file, alt=name, is_too_large=upload.is_too_large)
    return {"portrait": desk.texts.put_picture(made.name, made.data)}


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
    if draft.values["portrait"] != _values(data)["portrait"]:
        name = draft.values["portrait"].removeprefix("images/")
        shown["portrait"] = (
            f'<img class="portrait" src="/images/{quote(name)}" alt="" width="96" height="96">' if name else ""
        )
    values = {
        "facts": FACTS,
        "draft": draft,
        "seen": _hash(data),
        "flash": flash,
        "undo": desk.query.get("undo", ""),
        "has_versions": bool(desk.texts.versions(FILE, limit=1)),
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
