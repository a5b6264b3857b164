"""Page of the messages that came through the contact form."""

from starlette.responses import Response

from postbox.contact import contact_links
from postbox.desk.context import LATER, OUT_OF_DATE, PER_PAGE, DeskRequest
from postbox.desk.paging import paginate, parse_int
from postbox.desk.presenters import Presenter
from postbox.store.database import transaction
from postbox.telephone import region_of
from postbox.web.forms import Refused

GONE = "That’s gone: it was dealt with meanwhile."
FLASH = {"done": "Done. The message stays below the new ones.", "delete": "Deleted, words and all."}


def browse(desk: DeskRequest) -> Response:
    """Show the messages, first the new."""
    return _page(desk)


def settle(desk: DeskRequest) -> Response:
    """Put a message among those that are done, or erase it."""
    messages, id, action = desk.work.messages, desk.form.get("id", ""), desk.form.get("action", "")
    if action not in ("done", "delete"):
        raise Refused(400, OUT_OF_DATE)
    if desk.work.set_aside:
        raise Refused(503, LATER)
    message = messages.one(id)
    if not message or message.state == "deleted":
        return _page(desk, GONE, 409)
    with transaction(desk.work.inbox.connection):
        messages.finish(id) if action == "done" else messages.forget(id)
    return desk.redirect(f"/messages?page={parse_int(desk.form.get('page', ''))}&flash={action}")


def _page(desk: DeskRequest, problem: str = "", status: int = 200) -> Response:
    messages, presenter = desk.work.messages, Presenter(desk.moderation, desk.site)
    new = messages.size()
    page = paginate(desk.query, new + messages.size("done"))
    kept = messages.kept(limit=PER_PAGE, offset=page.offset)
    region = region_of(desk.site.telephone, desk.site.language)
    values = {
        "items": [(one, presenter.time(one.received), contact_links(one.contact, region)) for one in kept],
        "new": new,
        "page": page,
        "flash": FLASH.get(desk.query.get("flash", ""), ""),
        "problem": problem,
    }
    return desk.page("messages.html", status, place="/messages", **values)
