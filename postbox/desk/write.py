"""Handlers of the pages for writing: the list of texts, a text, its proof, its earlier versions; no answer loses a word."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from contract.facts import FILE as FACTS_FILE
from postbox.desk.context import PER_PAGE, DeskContext, DeskRequest, Handler
from postbox.desk.paging import paginate, parse_int
from postbox.desk.presenters import changes
from postbox.desk.text_list import lines_of
from postbox.desk.text_page import (
    KEPT,
    candidate_of,
    decoded,
    key_of,
    render,
    respond,
    save_result,
    say_faults,
    sentence,
    typed_view,
    view_of,
)
from postbox.web.forms import Refusal, Refused
from postbox.web.uploads import read_upload
from postbox.writing import draft
from postbox.writing.draft import PICTURE_BYTES
from postbox.writing.text_file import TextError, hash_of
from postbox.writing.texts import FOLDERS

SIGNED_OUT = "You’ve been signed out. Your words are below, not yet saved."
FOREIGN = (
    "This came from a page that isn’t the desk’s, so nothing of it was saved. If these are your words, press Save."
)
NOT_SAVED = "Your words are below, not yet saved."
FLASH = {
    "deleted": "Deleted. It can be restored from this list until you delete it for good.",
    "gone": "Deleted for good, every version too.",
    "discarded": "Thrown away. It can be taken back from this list until you delete it for good.",
}


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
                raise Refused(404, sentence(error)) from None
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
    lines = lines_of(desk)
    page = paginate(desk.query, len(lines))
    shown = lines[page.offset : page.offset + PER_PAGE]
    flash = desk.query.get("flash", "")
    return respond(desk, "write.html", 200, items=shown, page=page, said=FLASH.get(flash, ""))


def show(desk: DeskRequest) -> Response:
    """Show a text with its form."""
    view = view_of(desk, key_of(desk))
    if "look" in desk.query:
        looked = datetime.fromtimestamp(parse_int(desk.query["look"]) * 60, UTC)  # the minute that may stand in it
        candidate_key, candidate = candidate_of(desk, view.key, looked)
        view.proof = desk.publisher.proof(candidate_key, candidate)
        say_faults(view, view.proof, candidate)
    return render(desk, view)


def versions(desk: DeskRequest) -> Response:
    """Show the earlier versions of a text, each compared with what stands now."""
    key = desk.request.path_params["key"]
    stands = desk.texts.file(key)
    chosen = desk.texts.version(key, parse_int(desk.query.get("id", "")))
    compared = changes(decoded(stands), decoded(chosen.data)) if chosen else []
    items = [(one, _when(desk, one.made)) for one in desk.texts.versions(key)]
    return respond(
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


def _unsaved(desk: DeskRequest) -> Response:
    """Show words that cannot be taken, to be sent again; nothing is kept of them here."""
    problem: Refused = desk.request.state.problem
    if "key" not in desk.request.path_params:
        raise problem
    view = typed_view(desk, desk.request.path_params["key"])
    view.problems, view.status = {"": str(problem)}, problem.status
    if problem.status in (401, 403):
        return respond(desk, "unsaved.html", view.status, place=None, view=view)
    return save_result(desk, view) if desk.request.headers.get("accept") == "application/json" else render(desk, view)


def _when(desk: DeskRequest, moment: datetime) -> str:
    local = moment.astimezone(ZoneInfo(desk.site.timezone))
    return f"{local.day} {draft.MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"
