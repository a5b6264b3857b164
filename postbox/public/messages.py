"""The pages of a message to the author: the form of the contact page, sent back with its errors, and the receipt."""

import sqlite3
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from postbox.public.context import IntakeContext
from postbox.public.spam_signals import HONEYPOT, reasons
from postbox.store.messages import Enquiry, Messages
from postbox.store.submissions import Inbox
from postbox.web.forms import Refused
from postbox.web.validation import check_enquiry


class MessagePages:
    """The handlers of the contact form and of a message's receipt."""

    def __init__(self, context: IntakeContext) -> None:
        self._context = context
        self._messages = Messages(context.inbox)

    async def post(self, request: Request) -> Response:
        """Keep a message and lead to its receipt; or show the form again, with the errors and every word."""
        fields = await self._context.fields(request)
        enquiry, errors = check_enquiry(fields, self._context.site)
        if wait := self._context.wait(request):
            return self._context.too_often(wait, lambda sorry: self._form(fields, sorry, 429))
        if errors:
            return self._form(fields, errors, 422)
        try:
            receipt = await self._context.write(lambda inbox: self._keep(inbox, enquiry, request, fields))
        except (sqlite3.Error, OSError) as error:
            return self._form(fields, {"": self._context.sorry("message", error)}, 503)
        return self._context.redirect(self._context.site, f"/message/{receipt}")

    async def receipt(self, request: Request) -> Response:
        """Show a message's writer what was sent."""
        message = self._messages.by_receipt(request.path_params["receipt"])
        if not message:
            raise Refused(404, "That link is not complete, or its message is gone.")
        return self._context.page("message.html", 200, message=message)

    async def delete(self, request: Request) -> Response:
        """Erase a message."""
        await self._context.fields(request)
        if not (message := self._messages.by_receipt(request.path_params["receipt"])):
            raise Refused(404, "That link is not complete, or its message is gone.")
        await self._context.write(lambda inbox: Messages(inbox).forget(message.id))
        return self._context.redirect(self._context.site, f"/message/{request.path_params['receipt']}")

    def _keep(self, inbox: Inbox, enquiry: Enquiry, request: Request, fields: Mapping[str, str]) -> str:
        """Add a message in the writer's transaction; return its receipt."""
        held = reasons(
            author=enquiry.name,
            body=enquiry.body,
            honeypot=fields.get(HONEYPOT, ""),
            seconds=self._context.seconds_open(fields),
            repeated=0,
            site_author=self._context.site.author,
        )
        messages = Messages(inbox)
        return messages.receipt(messages.add(enquiry, self._context.meta(request, fields), list(held)))

    def _form(self, values: Mapping[str, str], errors: dict[str, str], status: int) -> Response:
        return self._context.page("contact_form.html", status, values=values, errors=errors)
