"""Page of a text: its form as it stands or as it was typed, with what is wrong at the field where it can be mended."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import JSONResponse, Response

from contract.facts import FILE as FACTS_FILE
from postbox.desk.context import LATER, DeskRequest
from postbox.desk.paging import parse_int
from postbox.desk.text_list import lines_of, state_of
from postbox.web.forms import Refused
from postbox.writing import draft
from postbox.writing.publisher import Proof, is_new
from postbox.writing.text_file import TextError, TextFile, hash_of, read

FIELDS = ("title", "summary", "text", "slug", "when", "updated", "alt")
LINKS = 200  # articles that a link can be chosen from
# Of write pages alone: the way back shows the form as it was left.
KEPT = {"Cache-Control": "private, no-cache"}


@dataclass
class View:
    """A text on its page: what its fields hold, what is wrong at them, and the status to answer with."""

    key: str
    fields: Mapping[str, str]
    number: int
    base: str
    problems: dict[str, str] = field(default_factory=dict)
    status: int = 200
    other: Mapping[str, str] | None = None
    proof: Proof | None = None


def key_of(desk: DeskRequest) -> str:
    """Return the key of the text that a request is about; the facts have a page of their own."""
    key = str(desk.request.path_params["key"])
    if key == FACTS_FILE:
        raise Refused(404, "Your details have a page of their own. Look at the list.")
    return key


def view_of(desk: DeskRequest, key: str) -> View:
    """Return a text as its unfinished copy has it, or its file."""
    working, stands = desk.texts.working(key), desk.texts.file(key)
    if not (working or stands or is_new(key)):
        raise Refused(404, "There is no such text. Look at the list.")
    data = working.data if working else stands
    return View(key, fields_of(data), working.number if working else 0, working.base if working else hash_of(stands))


def typed_view(desk: DeskRequest, key: str) -> View:
    """Return a text as it was typed; a field that the form lacks is empty."""
    fields = {name: desk.form[name] for name in FIELDS if name in desk.form}
    known: dict[str, str] = dict.fromkeys(FIELDS, "")
    return View(key, known | fields, parse_int(desk.form.get("number", "")), desk.form.get("base", ""))


def fields_of(data: bytes) -> dict[str, str]:
    """Return what the fields of a form hold for a file."""
    text = read(data)
    shown = {name: text.field(name) for name in ("title", "summary", "slug", "formerly", "status", "date")}
    return shown | {"text": text.body, "when": draft.local(text.field("date")), "updated": "", "alt": ""}


def data_of(desk: DeskRequest, key: str) -> bytes:
    """Return the unfinished copy of a text, or its file, empty if there is neither."""
    working = desk.texts.working(key)
    return working.data if working else desk.texts.file(key)


def candidate_of(desk: DeskRequest, key: str, now: datetime) -> tuple[str, bytes]:
    """Return the key and the file with which a text would be published at a time."""
    data = data_of(desk, key)
    text = read(data)
    slug = text.field("slug") or draft.slug_of(text.field("title"))
    final = key
    if is_new(key):
        folder, taken = key.partition("/")[0], 1
        final = f"{folder}/{slug}"
        while desk.texts.file(final):
            taken += 1
            final = f"{folder}/{slug}-{taken}"
        slug = final.partition("/")[2] if not text.field("slug") else slug
    return final, draft.completed(final, data, desk.site.timezone, now, slug)


def say_faults(view: View, proof: Proof | None, data: bytes) -> None:
    """Say what a proof found at the field where it can be mended."""
    lines = decoded(data).replace("\r\n", "\n").split("\n")
    for number, cause in proof.faults if proof else []:
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        key = line.partition(":")[0].strip().lower()
        place = key if key in ("title", "summary", "slug") else "when" if key == "date" else "text" if line else ""
        quoted = f" The line is “{line.strip()[:80]}”." if place == "text" else ""
        view.problems[place] = (
            f"{view.problems.get(place, '')} {cause[:1].upper()}{cause[1:].rstrip('.')}.{quoted}".strip()
        )


def render(desk: DeskRequest, view: View) -> Response:
    """Answer with the page of a text."""
    stands = TextFile({}, "")
    with suppress(TextError):  # the page then says so, with every word
        stands = desk.texts.header(view.key)
    kept = desk.texts.working(view.key)
    slug = stands.field("slug") or Path(view.key).name
    is_article = view.key.startswith("articles/")
    links = [line for line in lines_of(desk) if line.key != view.key and line.state.startswith("Published")][:LINKS]
    values: dict[str, Any] = {
        "view": view,
        "is_article": is_article,
        "is_new": is_new(view.key),
        "is_deleted": bool(kept and kept.is_deleted),
        "state": state_of(desk, view.key, stands, kept),
        "address": f"{desk.site.url}{'/articles' if is_article else ''}/{slug}/" if stands.fields else "",
        "appears": draft.appears(str(view.fields.get("date", "")), desk.site.timezone, desk.now),
        "links": links,
        "has_versions": bool(desk.texts.versions(view.key, limit=1)),
        "flash": desk.query.get("flash", ""),
        "told": {name: desk.query.get(name, "") for name in ("state", "version")},
    }
    return respond(desk, "text.html", view.status, **values)


def respond(desk: DeskRequest, template: str, status: int, *, place: str | None = "/write", **values: Any) -> Response:
    """Answer with a page that may have a script, and that the way back shows as it was left."""
    response = desk.page(template, status, place=place, **values)
    policy = response.headers["Content-Security-Policy"]
    for name in ("script-src", "connect-src"):
        policy = policy.replace(f"{name} 'none'", f"{name} 'self'")
    response.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
    response.headers.update(KEPT)
    return response


def save_result(desk: DeskRequest, view: View) -> Response:
    """Tell the script what became of its save."""
    told = {"number": view.number, "base": view.base, "problems": list(view.problems.values())}
    told["saved"] = f"{desk.now.astimezone(ZoneInfo(desk.site.timezone)):%H:%M}" if not view.problems else ""
    return JSONResponse(told, view.status, headers=desk.site.headers)


def sentence(error: Exception) -> str:
    """Return what stopped a change, as a person is told."""
    text = str(error) if isinstance(error, TextError) else LATER
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def decoded(data: bytes) -> str:
    """Return the characters of a file, with a mark for each that is none."""
    return data.decode("utf-8-sig", "replace")
