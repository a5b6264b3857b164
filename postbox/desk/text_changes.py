"""Changes to a text: what each button of its form does; whatever is refused, every word comes back."""

import sqlite3
from urllib.parse import quote, urlencode

from starlette.responses import Response

from postbox import log
from postbox.desk.context import DeskRequest
from postbox.desk.paging import parse_int
from postbox.desk.text_page import (
    View,
    candidate_of,
    data_of,
    fields_of,
    key_of,
    render,
    save_result,
    say_faults,
    sentence,
    typed_view,
    view_of,
)
from postbox.web.uploads import Upload
from postbox.writing import draft
from postbox.writing.draft import DraftError
from postbox.writing.publisher import LinkedError, Published, is_new
from postbox.writing.text_file import TextError, hash_of, read

ELSEWHERE = "This text was changed elsewhere meanwhile. Both are below; nothing is lost."


def change(desk: DeskRequest) -> Response:
    """Save what a form says, and do what its button says; whatever is refused, every word comes back."""
    key, action = key_of(desk), desk.form.get("action", "save")
    wants_json = desk.request.headers.get("accept") == "application/json"
    try:
        if action in ("restore", "delete for good", "undo"):
            return _change_file(desk, key, action)
        if action == "bring":
            return _bring(desk, key)
        view = _save(desk, key)
        if wants_json:
            return save_result(desk, view)
        if view.problems:
            return render(desk, view)
        return _act(desk, view, action)
    except (TextError, OSError, sqlite3.Error) as error:
        if not isinstance(error, TextError):
            log.fault(error)
        view = typed_view(desk, key) if "text" in desk.form else view_of(desk, key)  # a button alone sends no words
        view.status, view.problems = (409 if isinstance(error, TextError) else 503), {"": sentence(error)}
        return save_result(desk, view) if wants_json else render(desk, view)


def _save(desk: DeskRequest, key: str) -> View:
    """Keep what a form says as the working copy; return the text as it is then, or with what is wrong."""
    with desk.texts.lock:  # or of two devices at once neither would see the other
        return _save_alone(desk, key)


def _save_alone(desk: DeskRequest, key: str) -> View:
    view, texts = typed_view(desk, key), desk.texts
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
    return view_of(desk, key)


def _conflict(desk: DeskRequest, view: View, other: bytes, data: bytes) -> View:
    """Show both texts; “Keep mine” saves over the other, which stays as a version."""
    working, stands = desk.texts.working(view.key), desk.texts.file(view.key)
    if desk.form.get("action") == "mine":
        desk.texts.keep(view.key, other, "replaced", desk.now)
        number = working.number if working else 0
        desk.texts.save(view.key, data, base=hash_of(stands), number=number, now=desk.now)
        return view_of(desk, view.key)
    if desk.form.get("action") == "theirs":
        desk.texts.keep(view.key, data, "replaced", desk.now)
        if not working or other == stands:
            desk.texts.drop(view.key)
        return view_of(desk, view.key)
    view.problems, view.status, view.other = {"": ELSEWHERE}, 409, fields_of(other)
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
            candidate_key, candidate = candidate_of(desk, key, desk.now)
            view.problems = draft.missing(key, candidate)
            if not view.problems and action == "look":
                desk.publisher.prove(candidate_key, candidate)
                return desk.redirect(f"/write/{quote(key)}?look={int(desk.now.timestamp()) // 60}#proof")
            if not view.problems:
                return _publish(desk, view, candidate_key, candidate)
            view.status = 422
            return render(desk, view)
        case "link":
            chosen = desk.form.get("link", "")
            title = read(desk.texts.file(chosen)).field("title").translate(str.maketrans("[]", "()")) or chosen
            words = f"[{title}]({{filename}}/{chosen}.md)"
            text = draft.placed(view.fields["text"], "[link]", words)
            base = data_of(desk, key)
            data = draft.with_fields(base, {"text": text}, desk.site.timezone, desk.now)
            desk.texts.save(key, data, base=view.base, number=view.number, now=desk.now)
        case "discard":
            data = data_of(desk, key)
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
        say_faults(view, proof, data)
        view.proof, view.status = proof, 422
        return render(desk, view)
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
        view = view_of(desk, key)
        titles = [read(texts.file(one)).field("title") or one for one in error.linkers[:10]]
        told = "Take the link out first, or readers would find nothing there."
        view.problems, view.status = {"": f"This is linked from “{'”, “'.join(titles)}”. {told}"}, 409
        return render(desk, view)
    return desk.redirect(f"/write/{quote(key)}")


def _done(desk: DeskRequest, key: str, done: Published, what: str = "published", place: str = "") -> Response:
    """Lead to the page that says what came of a change to a file."""
    if done.state == "back":
        view = view_of(desk, key)
        view.problems, view.status = {"": f"Not published; the page is as it was. {desk.why_back(done)}"}, 409
        return render(desk, view)
    told = urlencode({"flash": what, "state": done.state, "version": done.version})
    return desk.redirect(f"{place or f'/write/{quote(key)}?'}{told}")
