"""Pages for writing: the list of texts, a text with its form, its proof, its earlier versions; no answer loses a word."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from contract.facts import FILE as FACTS_FILE
from postbox import log
from postbox.desk.context import LATER, PER_PAGE, DeskContext, DeskRequest, Handler
from postbox.desk.paging import paginate, parse_int
from postbox.desk.presenters import changes
from postbox.web.forms import Refusal, Refused
from postbox.web.uploads import Upload, read_upload
from postbox.writing import draft
from postbox.writing.draft import PICTURE_BYTES, DraftError
from postbox.writing.publisher import LinkedError, Proof, Published, is_new
from postbox.writing.text_file import TextError, TextFile, hash_of, read
from postbox.writing.texts import FOLDERS, WorkingCopy

SIGNED_OUT = "You’ve been signed out. Your words are below, not yet saved."
FOREIGN = (
    "This came from a page that isn’t the desk’s, so nothing of it was saved. If these are your words, press Save."
)
NOT_SAVED = "Your words are below, not yet saved."
ELSEWHERE = "This text was changed elsewhere meanwhile. Both are below; nothing is lost."
FIELDS = ("title", "summary", "text", "slug", "when", "updated", "alt")
FLASH = {
    "deleted": "Deleted. It can be restored from this list until you delete it for good.",
    "gone": "Deleted for good, every version too.",
    "discarded": "Thrown away. It can be taken back from this list until you delete it for good.",
}
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


@dataclass(frozen=True)
class Line:
    """A text in the list: its title, its state in words, and by what it is sorted."""

    key: str
    title: str
    state: str
    date: str


def endpoint(
    context: DeskContext, show: Handler, send: Handler | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of pages whose form takes a file; whoever is not signed in gets his words back."""

    async def answer(request: Request) -> Response:
        is_signed_in = context.auth.is_signed_in(request)
        if request.method != "POST":
            if not is_signed_in:
                raise Refused(401, "You are not signed in.")
            try:
                return await run_in_threadpool(context.answer, show, request, {})
            except TextError as error:
                raise Refused(404, _sentence(error)) from None
        request.state.upload = upload = await read_upload(request, max_file=PICTURE_BYTES if is_signed_in else 0)
        request.state.typed = upload.fields
        if not is_signed_in:
            request.state.problem = Refused(401, SIGNED_OUT)
        elif upload.fault:
            request.state.problem = Refused(upload.fault.status, f"{upload.fault} {NOT_SAVED}")
        else:
            return await run_in_threadpool(context.answer, send or show, request, upload.fields)
        return await run_in_threadpool(context.answer, _unsaved, request, upload.fields)

    return answer


def foreign(context: DeskContext) -> Refusal:
    """Return what answers a form of another site; its words are shown again, for a copy of a page may have sent them."""

    async def answer(request: Request, error: Exception) -> Response:
        _, is_text, key = request.url.path.partition("/write/")
        typed: dict[str, str] = {}
        try:
            with suppress(Refused):  # what is no form has no words
                request.state.typed = typed = (await read_upload(request, max_file=0)).fields
            if is_text and typed:
                request.state.problem = Refused(403, FOREIGN)
                request.scope["path_params"] = {"key": key}
                return await run_in_threadpool(context.answer, _unsaved, request, typed)
        except Exception as broken:  # the answer of an application's error handler has none of its own
            error = broken
        return await context.refused(request, error)

    return answer


def browse(desk: DeskRequest) -> Response:
    """Show all texts, or begin a new one."""
    if desk.request.method == "POST":
        folder = desk.form.get("kind", "")
        if folder not in FOLDERS:
            raise Refused(400, "That page is out of date. Go back, reload it and try again.")
        return desk.redirect(f"/write/{folder}/new-{token_hex(6)}")
    lines = _lines(desk)
    page = paginate(desk.query, len(lines))
    shown = lines[page.offset : page.offset + PER_PAGE]
    flash = desk.query.get("flash", "")
    return _answer(desk, "write.html", 200, items=shown, page=page, said=FLASH.get(flash, ""))


def show(desk: DeskRequest) -> Response:
    """Show a text with its form."""
    view = _view(desk, _key(desk))
    if "look" in desk.query:
        looked = datetime.fromtimestamp(parse_int(desk.query["look"]) * 60, UTC)  # the minute that may stand in it
        candidate_key, candidate = _candidate(desk, view.key, looked)
        view.proof = desk.publisher.proof(candidate_key, candidate)
        _say_faults(view, view.proof, candidate)
    return _page(desk, view)


def change(desk: DeskRequest) -> Response:
    """Save what a form says, and do what its button says; whatever is refused, every word comes back."""
    key, action = _key(desk), desk.form.get("action", "save")
    wants_json = desk.request.headers.get("accept") == "application/json"
    try:
        if action in ("restore", "delete for good", "undo"):
            return _change_file(desk, key, action)
        if action == "bring":
            return _bring(desk, key)
        view = _save(desk, key)
        if wants_json:
            return _saved(desk, view)
        if view.problems:
            return _page(desk, view)
        return _act(desk, view, action)
    except (TextError, OSError, sqlite3.Error) as error:
        if not isinstance(error, TextError):
            log.fault(error)
        view = _typed(desk, key) if "text" in desk.form else _view(desk, key)  # a button alone sends no words
        view.status, view.problems = (409 if isinstance(error, TextError) else 503), {"": _sentence(error)}
        return _saved(desk, view) if wants_json else _page(desk, view)


def versions(desk: DeskRequest) -> Response:
    """Show the earlier versions of a text, each compared with what stands now."""
    key = desk.request.path_params["key"]
    stands = desk.texts.file(key)
    chosen = desk.texts.version(key, parse_int(desk.query.get("id", "")))
    compared = changes(_decoded(stands), _decoded(chosen.data)) if chosen else []
    items = [(one, _when(desk, one.made)) for one in desk.texts.versions(key)]
    return _answer(
        desk,
        "versions.html",
        200,
        place="/details" if key == FACTS_FILE else "/write",
        back="/details" if key == FACTS_FILE else f"/write/{quote(key)}",
        key=key,
        items=items,
        chosen=chosen,
        compared=compared,
        stands=hash_of(stands),
    )


def proof_page(desk: DeskRequest) -> Response:
    """Show a proof to its author alone, with no script in it and no form that works."""
    page = desk.publisher.proof_page(desk.request.path_params["name"])
    if page is None:
        raise Refused(404, "That proof is gone. Look at the text again.")
    headers = dict(desk.site.headers)
    public = desk.context.public_site.headers["Content-Security-Policy"]
    parts = [
        part for part in public.split("; ") if not part.startswith(("script-src", "frame-ancestors", "connect-src"))
    ]
    policy = "; ".join([*parts, "sandbox allow-same-origin", "frame-ancestors 'self'"])
    headers |= {"Content-Security-Policy": policy}
    return Response(page, 200, headers, "text/html; charset=utf-8")


def image(desk: DeskRequest) -> Response:
    """Show an image of a proof, whether it is published yet or not."""
    name = desk.request.path_params["name"]
    settings, bare = desk.context.settings, Path(name).name
    drawn, own = (desk.publisher.image(name) or settings.output / "images" / bare), settings.content / "images" / bare
    for path in (drawn, own):  # the author's own too, before anything is made of it
        if path.is_file() and not path.is_symlink():
            return FileResponse(path, headers=desk.site.headers)
    raise Refused(404, "That picture is not here.")


def script(desk: DeskRequest) -> Response:
    """Return the script of the form."""
    return FileResponse(desk.context.settings.theme / "desk" / "write.js", headers=desk.site.headers | KEPT)


# What a form does


def _save(desk: DeskRequest, key: str) -> View:
    """Keep what a form says as the working copy; return the text as it is then, or with what is wrong."""
    with desk.texts.lock:  # or of two devices at once neither would see the other
        return _save_alone(desk, key)


def _save_alone(desk: DeskRequest, key: str) -> View:
    view, texts = _typed(desk, key), desk.texts
    stands, working = texts.file(key), texts.working(key)
    upload: Upload = desk.request.state.upload
    base = working.data if working else stands
    try:
        if upload.file or upload.is_too_large:
            _take_picture(desk, view, upload)
        data = draft.with_fields(base, view.fields, desk.site.timezone, desk.now)
    except DraftError as error:
        view.problems, view.status = {error.key: str(error)}, 422
        return view
    known = (working.number if working else 0, working.base if working else hash_of(stands), hash_of(stands))
    is_behind = working is not None and known[1] != known[2] and data != stands
    if (view.number, view.base, view.base) != known and (data != base or is_behind):
        return _conflict(desk, view, base if working and working.number != view.number else stands, data)
    if data == stands:
        if working:
            texts.drop(key)
    elif not working or data != working.data:
        texts.save(key, data, base=hash_of(stands), number=known[0], now=desk.now)
    return _view(desk, key)


def _conflict(desk: DeskRequest, view: View, other: bytes, data: bytes) -> View:
    """Show both texts; “Keep mine” saves over the other, which stays as a version."""
    working, stands = desk.texts.working(view.key), desk.texts.file(view.key)
    if desk.form.get("action") == "mine":
        desk.texts.keep(view.key, other, "replaced", desk.now)
        number = working.number if working else 0
        desk.texts.save(view.key, data, base=hash_of(stands), number=number, now=desk.now)
        return _view(desk, view.key)
    if desk.form.get("action") == "theirs":
        desk.texts.keep(view.key, data, "replaced", desk.now)
        if not working or other == stands:
            desk.texts.drop(view.key)
        return _view(desk, view.key)
    view.problems, view.status, view.other = {"": ELSEWHERE}, 409, _fields(other)
    return view


def _take_picture(desk: DeskRequest, view: View, upload: Upload) -> None:
    """Put a picture among the images, where nothing publishes it but a text, and into the text."""
    made = draft.picture(
        view.fields["title"] or "picture", upload.file, view.fields["alt"], is_too_large=upload.is_too_large
    )
    desk.texts.put_picture(made.name, made.data)
    view.fields = {**view.fields, "text": draft.placed(view.fields["text"], "[picture]", made.markdown), "alt": ""}


def _act(desk: DeskRequest, view: View, action: str) -> Response:
    """Do what a button says with a text that is saved."""
    key = view.key
    match action:
        case "look" | "publish":
            candidate_key, candidate = _candidate(desk, key, desk.now)
            view.problems = draft.missing(key, candidate)
            if not view.problems and action == "look":
                desk.publisher.prove(candidate_key, candidate)
                return desk.redirect(f"/write/{quote(key)}?look={int(desk.now.timestamp()) // 60}#proof")
            if not view.problems:
                return _publish(desk, view, candidate_key, candidate)
            view.status = 422
            return _page(desk, view)
        case "link":
            chosen = desk.form.get("link", "")
            title = read(desk.texts.file(chosen)).field("title").translate(str.maketrans("[]", "()")) or chosen
            words = f"[{title}]({{filename}}/{chosen}.md)"
            text = draft.placed(view.fields["text"], "[link]", words)
            base = _bytes(desk, key)
            data = draft.with_fields(base, {"text": text}, desk.site.timezone, desk.now)
            desk.texts.save(key, data, base=view.base, number=view.number, now=desk.now)
        case "discard":
            data = _bytes(desk, key)
            if is_new(key) and data:
                desk.texts.save(key, data, base="", number=view.number, now=desk.now, is_deleted=True)
            elif data:
                desk.texts.keep(key, data, "replaced", desk.now)
                desk.texts.drop(key)
            return desk.redirect("/write?flash=discarded" if is_new(key) else f"/write/{quote(key)}?flash=discarded")
        case "take off" | "delete":
            return _change_file(desk, key, action)
    return desk.redirect(f"/write/{quote(key)}?flash=saved")


def _bring(desk: DeskRequest, key: str) -> Response:
    """Make an earlier version the working copy; one that there is stays as a version."""
    chosen, working = desk.texts.version(key, parse_int(desk.form.get("version", ""))), desk.texts.working(key)
    if working:
        desk.texts.keep(key, working.data, "replaced", desk.now)
    if chosen:
        base, number = hash_of(desk.texts.file(key)), working.number if working else 0
        desk.texts.save(key, chosen.data, base=base, number=number, now=desk.now)
    return desk.redirect(f"/write/{quote(key)}?flash=saved")


def _publish(desk: DeskRequest, view: View, key: str, data: bytes) -> Response:
    if data == desk.texts.file(key):
        return desk.redirect(f"/write/{quote(key)}?flash=same")
    proof = desk.publisher.proof(key, data)
    if not proof and desk.context.build_status.watching:  # or it is put back, should the site not build with it later
        proof = desk.publisher.prove(key, data)
    if proof and not proof.is_whole:
        _say_faults(view, proof, data)
        view.proof, view.status = proof, 422
        return _page(desk, view)
    if key != view.key:
        desk.texts.rename(view.key, key)
    return _done(desk, key, desk.publisher.publish(key, data, "published", number=view.number))


def _change_file(desk: DeskRequest, key: str, action: str) -> Response:
    publisher, texts = desk.publisher, desk.texts
    try:
        match action:
            case "take off":
                return _done(desk, key, publisher.take_off(key), "off")
            case "delete":
                return _done(desk, key, publisher.delete(key), "deleted", f"/write?key={quote(key)}&")
            case "undo":
                return _done(desk, key, publisher.undo(key, parse_int(desk.form.get("version", ""))), "undone")
            case "restore":
                working = texts.working(key)
                if working and is_new(key):
                    texts.save(key, working.data, base="", number=working.number, now=desk.now)
                elif working and working.is_deleted:
                    return _done(desk, key, publisher.publish(key, working.data, "restored"), "restored")
            case "delete for good":
                if (working := texts.working(key)) and working.is_deleted:
                    texts.forget(key)
                    return desk.redirect("/write?flash=gone")
    except LinkedError as error:
        view = _view(desk, key)
        titles = [read(texts.file(one)).field("title") or one for one in error.linkers[:10]]
        told = "Take the link out first, or readers would find nothing there."
        view.problems, view.status = {"": f"This is linked from “{'”, “'.join(titles)}”. {told}"}, 409
        return _page(desk, view)
    return desk.redirect(f"/write/{quote(key)}")


def _done(desk: DeskRequest, key: str, done: Published, what: str = "published", place: str = "") -> Response:
    """Lead to the page that says what came of a change to a file."""
    if done.state == "back":
        view = _view(desk, key)
        view.problems, view.status = {"": f"Not published; the page is as it was. {desk.why_back(done)}"}, 409
        return _page(desk, view)
    told = urlencode({"flash": what, "state": done.state, "version": done.version})
    return desk.redirect(f"{place or f'/write/{quote(key)}?'}{told}")


def _unsaved(desk: DeskRequest) -> Response:
    """Show words that cannot be taken, to be sent again; nothing is kept of them here."""
    problem: Refused = desk.request.state.problem
    if "key" not in desk.request.path_params:
        raise problem
    view = _typed(desk, desk.request.path_params["key"])
    view.problems, view.status = {"": str(problem)}, problem.status
    if problem.status in (401, 403):
        return _answer(desk, "unsaved.html", view.status, place=None, view=view)
    return _saved(desk, view) if desk.request.headers.get("accept") == "application/json" else _page(desk, view)


# What is shown


def _key(desk: DeskRequest) -> str:
    key = str(desk.request.path_params["key"])
    if key == FACTS_FILE:
        raise Refused(404, "Your details have a page of their own. Look at the list.")
    return key


def _view(desk: DeskRequest, key: str) -> View:
    working, stands = desk.texts.working(key), desk.texts.file(key)
    if not (working or stands or is_new(key)):
        raise Refused(404, "There is no such text. Look at the list.")
    data = working.data if working else stands
    return View(key, _fields(data), working.number if working else 0, working.base if working else hash_of(stands))


def _typed(desk: DeskRequest, key: str) -> View:
    """Return a text as it was typed; a field that the form lacks is empty."""
    fields = {name: desk.form[name] for name in FIELDS if name in desk.form}
    known: dict[str, str] = dict.fromkeys(FIELDS, "")
    return View(key, known | fields, parse_int(desk.form.get("number", "")), desk.form.get("base", ""))


def _fields(data: bytes) -> dict[str, str]:
    text = read(data)
    shown = {name: text.field(name) for name in ("title", "summary", "slug", "formerly", "status", "date")}
    return shown | {"text": text.body, "when": draft.local(text.field("date")), "updated": "", "alt": ""}


def _bytes(desk: DeskRequest, key: str) -> bytes:
    working = desk.texts.working(key)
    return working.data if working else desk.texts.file(key)


def _candidate(desk: DeskRequest, key: str, now: datetime) -> tuple[str, bytes]:
    """Return the key and the file with which a text would be published at a time."""
    data = _bytes(desk, key)
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


def _say_faults(view: View, proof: Proof | None, data: bytes) -> None:
    """Say what a proof found at the field where it can be mended."""
    lines = _decoded(data).replace("\r\n", "\n").split("\n")
    for number, cause in proof.faults if proof else []:
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        key = line.partition(":")[0].strip().lower()
        place = key if key in ("title", "summary", "slug") else "when" if key == "date" else "text" if line else ""
        quoted = f" The line is “{line.strip()[:80]}”." if place == "text" else ""
        view.problems[place] = (
            f"{view.problems.get(place, '')} {cause[:1].upper()}{cause[1:].rstrip('.')}.{quoted}".strip()
        )


def _page(desk: DeskRequest, view: View) -> Response:
    stands = TextFile({}, "")
    with suppress(TextError):  # the page then says so, with every word
        stands = desk.texts.header(view.key)
    kept = desk.texts.working(view.key)
    slug = stands.field("slug") or Path(view.key).name
    is_article = view.key.startswith("articles/")
    links = [line for line in _lines(desk) if line.key != view.key and line.state.startswith("Published")][:LINKS]
    values: dict[str, Any] = {
        "view": view,
        "is_article": is_article,
        "is_new": is_new(view.key),
        "is_deleted": bool(kept and kept.is_deleted),
        "state": _state(desk, view.key, stands, kept),
        "address": f"{desk.site.url}{'/articles' if is_article else ''}/{slug}/" if stands.fields else "",
        "appears": draft.appears(str(view.fields.get("date", "")), desk.site.timezone, desk.now),
        "links": links,
        "has_versions": bool(desk.texts.versions(view.key, limit=1)),
        "flash": desk.query.get("flash", ""),
        "told": {name: desk.query.get(name, "") for name in ("state", "version")},
    }
    return _answer(desk, "text.html", view.status, **values)


def _answer(desk: DeskRequest, template: str, status: int, *, place: str | None = "/write", **values: Any) -> Response:
    """Answer with a page that may have a script, and that the way back shows as it was left."""
    response = desk.page(template, status, place=place, **values)
    policy = response.headers["Content-Security-Policy"]
    for name in ("script-src", "connect-src"):
        policy = policy.replace(f"{name} 'none'", f"{name} 'self'")
    response.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
    response.headers.update(KEPT)
    return response


def _lines(desk: DeskRequest) -> list[Line]:
    """Return a line for each text: unfinished ones first, then by date, the newest first."""
    working = {one.key: one for one in desk.texts.all_working()}
    lines = []
    for key in {*desk.texts.all_keys(), *working}:
        try:
            copy, stands = working.get(key), desk.texts.header(key)
            text = read(copy.data) if copy else stands
            date = copy.changed.isoformat() if copy else text.field("date")
            lines.append(Line(key, text.field("title") or "Without a title", _state(desk, key, stands, copy), date))
        except TextError as error:
            lines.append(Line(key, key, f"Cannot be read: {error}", ""))
    return sorted(
        lines, key=lambda line: (line.state.startswith(("Draft", "Changed")), line.date, line.key), reverse=True
    )


def _state(desk: DeskRequest, key: str, stands: TextFile, copy: WorkingCopy | None) -> str:
    if copy and copy.is_deleted:
        return "Thrown away" if is_new(key) else "Deleted"
    if not stands.fields:
        return "Draft"
    if copy:
        return "Changed, not published"
    if stands.field("status").lower() == "draft":
        return "Draft, off the site"
    if when := draft.appears(stands.field("date"), desk.site.timezone, desk.now):
        return f"Appears on {when}"
    return "Published"


def _saved(desk: DeskRequest, view: View) -> Response:
    """Tell the script what became of its save."""
    told = {"number": view.number, "base": view.base, "problems": list(view.problems.values())}
    told["saved"] = f"{desk.now.astimezone(ZoneInfo(desk.site.timezone)):%H:%M}" if not view.problems else ""
    return JSONResponse(told, view.status, headers=desk.site.headers)


def _when(desk: DeskRequest, moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(desk.site.timezone))
    return f"{local.day} {draft.MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"


def _sentence(error: Exception) -> str:
    text = str(error) if isinstance(error, TextError) else LATER
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _decoded(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace")
