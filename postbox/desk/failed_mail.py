"""Page of the mails that could not be sent."""

from starlette.responses import Response

from postbox.desk.context import OUT_OF_DATE, PER_PAGE, DeskRequest
from postbox.desk.messages import GONE
from postbox.desk.paging import paginate, parse_int
from postbox.desk.presenters import Presenter
from postbox.store.outbox import Failed
from postbox.web.forms import Refused

FLASH = {"again": "It is being sent again.", "dismiss": "Dismissed. It will not be sent."}


def browse(desk: DeskRequest) -> Response:
    """Show what could not be sent."""
    return _page(desk)


def settle(desk: DeskRequest) -> Response:
    """Send a mail again, or forget it."""
    outbox, sequence, action = desk.work.outbox, parse_int(desk.form.get("sequence", "")), desk.form.get("action", "")
    if action not in FLASH:
        raise Refused(400, OUT_OF_DATE)
    was_there = outbox.again(sequence, desk.now) if action == "again" else outbox.dismiss(sequence)
    return desk.redirect(f"/mail?flash={action}") if was_there else _page(desk, GONE, 409)


def _page(desk: DeskRequest, problem: str = "", status: int = 200) -> Response:
    failed, presenter = desk.work.outbox.failed(), Presenter(desk.moderation, desk.site)
    page = paginate(desk.query, len(failed))
    shown = failed[page.offset : page.offset + PER_PAGE]
    values = {
        "items": [(mail, _whose(desk, mail, presenter), presenter.time(mail.when)) for mail in shown],
        "total": len(failed),
        "is_sending": bool(desk.context.settings.smtp),
        "page": page,
        "flash": FLASH.get(desk.query.get("flash", ""), ""),
        "problem": problem,
    }
    return desk.page("mail.html", status, place="/mail", **values)


def _whose(desk: DeskRequest, failed: Failed, presenter: Presenter) -> str:
    """Return whose comment or message a mail is about, or nothing if that is gone, or several."""
    if failed.kind == "message":
        message = desk.work.messages.one(failed.about)
        return message.name if message else ""
    return "" if failed.kind == "digest" else presenter.author(failed.about.partition(".")[0])
