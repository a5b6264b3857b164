"""The desk's page of what came through the contact form, and its page of the mails that could not be sent."""

from starlette.requests import Request
from starlette.responses import Response

from postbox.database import transaction
from postbox.form import Refused
from postbox.lists import turned_to, whole
from postbox.office import PAGE, Office
from postbox.outbox import Failed
from postbox.shown import Showing, answer_address

GONE = "That is not here any more; it was done meanwhile."
SAID = {
    "done": "Done. The message stays below the new ones.",
    "delete": "Deleted, words and all.",
    "again": "It is being sent again.",
    "dismiss": "Dismissed. It will not be sent.",
}


class Correspondence:
    """The handlers of both pages."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._messages = office.messages
        self._outbox = office.outbox

    async def messages(self, request: Request) -> Response:
        """Show the messages, first the new."""
        return self._messages_page(request)

    async def settle_message(self, request: Request) -> Response:
        """Put a message among those that are done, or erase it."""
        fields = await self._office.form(request)
        id, action = fields.get("id", ""), fields.get("action", "")
        message = self._messages.one(id)
        if action not in ("done", "delete"):
            raise Refused(400, "That form is none of the desk's. Go back and use its buttons.")
        if not message or message.state == "deleted":
            return self._messages_page(request, GONE, 409)
        with transaction(self._office.moderation.inbox.connection):
            self._messages.finish(id) if action == "done" else self._messages.forget(id)
        return self._office.redirect(f"/messages?page={whole(fields.get('page', ''))}&said={action}")

    async def mail(self, request: Request) -> Response:
        """Show what could not be sent."""
        return self._mail_page(request)

    async def settle_mail(self, request: Request) -> Response:
        """Send a mail again, or forget it."""
        fields = await self._office.form(request)
        sequence, action = whole(fields.get("sequence", "")), fields.get("action", "")
        match action:
            case "again":
                was_there = self._outbox.again(sequence, self._office.clock())
            case "dismiss":
                was_there = self._outbox.dismiss(sequence)
            case _:
                raise Refused(400, "That form is none of the desk's. Go back and use its buttons.")
        if not was_there:
            return self._mail_page(request, GONE, 409)
        return self._office.redirect(f"/mail?said={action}")

    # How

    def _messages_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        site, new = self._office.site, self._messages.size()
        page, pages, after = turned_to(whole(request.query_params.get("page", "")), new + self._messages.size("done"))
        showing = Showing(self._office.moderation, site)
        values = {
            "items": [
                (message, showing.time(message.received), answer_address(message.contact))
                for message in self._messages.kept(most=PAGE, after=after)
            ],
            "new": new,
            "page": page,
            "pages": pages,
            "said": SAID.get(request.query_params.get("said", ""), ""),
            "problem": problem,
        }
        return self._office.page("messages.html", status, site, place="/messages", **values)

    def _mail_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        site, failed = self._office.site, self._outbox.failed()
        page, pages, after = turned_to(whole(request.query_params.get("page", "")), len(failed))
        showing = Showing(self._office.moderation, site)
        values = {
            "items": [(it, self._whose(it, showing), showing.time(it.when)) for it in failed[after : after + PAGE]],
            "total": len(failed),
            "is_sending": bool(self._office.settings.smtp),
            "page": page,
            "pages": pages,
            "said": SAID.get(request.query_params.get("said", ""), ""),
            "problem": problem,
        }
        return self._office.page("mail.html", status, site, place="/mail", **values)

    def _whose(self, failed: Failed, showing: Showing) -> str:
        """Return whose comment or message a mail is about, or nothing if that is gone, or several."""
        if failed.kind == "message":
            message = self._messages.one(failed.about)
            return message.name if message else ""
        return "" if failed.kind == "digest" else showing.author(failed.about.partition(".")[0])
