"""The desk's page of what came through the contact form, and its page of the mails that could not be sent."""

from starlette.requests import Request
from starlette.responses import Response

from postbox.desk.context import PAGE, DeskContext
from postbox.desk.presenters import Presenter, answer_address
from postbox.desk.queue import paginate, parse_int
from postbox.store.database import transaction
from postbox.store.outbox import Failed
from postbox.web.forms import Refused

GONE = "That is not here any more; it was done meanwhile."
FLASH = {
    "done": "Done. The message stays below the new ones.",
    "delete": "Deleted, words and all.",
    "again": "It is being sent again.",
    "dismiss": "Dismissed. It will not be sent.",
}


class Correspondence:
    """The handlers of both pages."""

    def __init__(self, context: DeskContext) -> None:
        self._context = context
        self._messages = context.messages
        self._outbox = context.outbox

    async def messages(self, request: Request) -> Response:
        """Show the messages, first the new."""
        return self._messages_page(request)

    async def settle_message(self, request: Request) -> Response:
        """Put a message among those that are done, or erase it."""
        fields = await self._context.form(request)
        id, action = fields.get("id", ""), fields.get("action", "")
        message = self._messages.one(id)
        if action not in ("done", "delete"):
            raise Refused(400, "That form is none of the desk's. Go back and use its buttons.")
        if not message or message.state == "deleted":
            return self._messages_page(request, GONE, 409)
        with transaction(self._context.moderation.inbox.connection):
            self._messages.finish(id) if action == "done" else self._messages.forget(id)
        return self._context.redirect(f"/messages?page={parse_int(fields.get('page', ''))}&flash={action}")

    async def mail(self, request: Request) -> Response:
        """Show what could not be sent."""
        return self._mail_page(request)

    async def settle_mail(self, request: Request) -> Response:
        """Send a mail again, or forget it."""
        fields = await self._context.form(request)
        sequence, action = parse_int(fields.get("sequence", "")), fields.get("action", "")
        match action:
            case "again":
                was_there = self._outbox.again(sequence, self._context.clock())
            case "dismiss":
                was_there = self._outbox.dismiss(sequence)
            case _:
                raise Refused(400, "That form is none of the desk's. Go back and use its buttons.")
        if not was_there:
            return self._mail_page(request, GONE, 409)
        return self._context.redirect(f"/mail?flash={action}")

    # How

    def _messages_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        site, new = self._context.site, self._messages.size()
        page, pages, offset = paginate(
            parse_int(request.query_params.get("page", "")), new + self._messages.size("done")
        )
        presenter = Presenter(self._context.moderation, site)
        values = {
            "items": [
                (message, presenter.time(message.received), answer_address(message.contact))
                for message in self._messages.kept(limit=PAGE, offset=offset)
            ],
            "new": new,
            "page": page,
            "pages": pages,
            "flash": FLASH.get(request.query_params.get("flash", ""), ""),
            "problem": problem,
        }
        return self._context.page("messages.html", status, site, place="/messages", **values)

    def _mail_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        site, failed = self._context.site, self._outbox.failed()
        page, pages, offset = paginate(parse_int(request.query_params.get("page", "")), len(failed))
        presenter = Presenter(self._context.moderation, site)
        values = {
            "items": [
                (it, self._whose(it, presenter), presenter.time(it.when)) for it in failed[offset : offset + PAGE]
            ],
            "total": len(failed),
            "is_sending": bool(self._context.settings.smtp),
            "page": page,
            "pages": pages,
            "flash": FLASH.get(request.query_params.get("flash", ""), ""),
            "problem": problem,
        }
        return self._context.page("mail.html", status, site, place="/mail", **values)

    def _whose(self, failed: Failed, presenter: Presenter) -> str:
        """Return whose comment or message a mail is about, or nothing if that is gone, or several."""
        if failed.kind == "message":
            message = self._messages.one(failed.about)
            return message.name if message else ""
        return "" if failed.kind == "digest" else presenter.author(failed.about.partition(".")[0])
