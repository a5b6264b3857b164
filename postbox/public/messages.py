"""Pages of a message to the author: the form of the contact page, sent back with its errors, and the receipt."""

import sqlite3
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from postbox.public.context import Errors, Handlers, posting, reading
from postbox.public.spam_signals import HONEYPOT, reasons
from postbox.store.messages import Enquiry, Message, Messages
from postbox.store.submissions import Inbox
from postbox.web.forms import Refused
from postbox.web.validation import check_enquiry


class MessagePages(Handlers):
    """Handlers of the contact form and of a message's receipt."""

    @posting
    async def post(self, request: Request, fields: dict[str, str], errors: Errors) -> Response:
        """Keep a message and lead to its receipt; or show the form again, with the errors and every word."""
        enquiry, wrong = check_enquiry(fields, self._context.site)
        if errors := errors or wrong:
            return await self._form(fields, errors, 422)
        try:
            receipt = await self._context.write(lambda inbox: self._keep(inbox, enquiry, request, fields))
        except (sqlite3.Error, OSError) as error:
            return await self._form(fields, self._context.sorry("message", error), 503)
        return self._context.redirect(f"/message/{receipt}")

    @reading
    async def receipt(self, request: Request) -> Response:
        """Show a message's writer what was sent."""
        return await self._context.page("message.html", 200, message=await self._own(request))

    @posting
    async def delete(self, request: Request, fields: dict[str, str], errors: Errors) -> Response:
        """Erase a message, however often its writer asks."""
        message = await self._own(request)
        await self._context.write(lambda inbox: Messages(inbox).forget(message.id))
        return self._context.redirect(f"/message/{request.path_params['receipt']}")

    async def _own(self, request: Request) -> Message:
        receipt = request.path_params["receipt"]
        message = await self._context.read(lambda inbox: Messages(inbox).by_receipt(receipt))
        if not message:
            raise Refused(404, "That link doesn’t work. The message may have been deleted.")
        return message

    def _keep(self, inbox: Inbox, enquiry: Enquiry, request: Request, fields: Mapping[str, str]) -> str:
        """Add a message in the writer's transaction; return its receipt."""
        held = reasons(
            author=enquiry.name,
            body=enquiry.body,
            honeypot=fields.get(HONEYPOT, ""),
            seconds=self._context.seconds_open(fields),
            repeated=0,
            site=self._context.site,
        )
        messages = Messages(inbox)
        return messages.receipt(messages.add(enquiry, self._context.meta(request, fields), list(held)))

    async def _form(self, values: Mapping[str, str], errors: Errors, status: int) -> Response:
        return await self._context.page("contact_form.html", status, values=values, errors=errors)
