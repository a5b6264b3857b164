"""Page that each mail to a reader links to: whether the address is theirs, what it wants to be told, and the way out.

GET changes nothing, for scanners of mail open every link. A link whose address is gone looks like one that never was.
"""

import sqlite3
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from contract.manifest import Conversation
from postbox.log import fault
from postbox.public.context import Errors, Handlers, posting, reading, refuse
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import EVENTS, Subscription, Subscriptions
from postbox.web.forms import Refused

_Change = Callable[[Subscriptions, Subscription], None]


class SubscriptionPages(Handlers):
    """Handlers of the page."""

    @reading
    async def choices(self, request: Request) -> Response:
        """Show what an address can choose."""
        return await self._page(request, await self._subscription(request), request.query_params.get("done", ""))

    @posting
    async def choose(self, request: Request, fields: dict[str, str], errors: Errors) -> Response:
        """Record a choice; whoever has the link reads the mail of the address."""
        subscription = await self._subscription(request)
        events = [event for event in EVENTS if fields.get(event) == "yes"]
        is_confirmed, done = bool(subscription and subscription.is_confirmed), ""
        match fields.get("action"):
            case "choose" if events:
                refuse(errors)
                await self._change(lambda kept, one: kept.choose(one.comment, events), subscription)
                done = "saved" if is_confirmed else "confirmed"
            case "choose" | "stop" if is_confirmed:
                await self._change(lambda kept, one: kept.choose(one.comment, []), subscription)
                done = ".".join(subscription.events if subscription else ())
            case "choose" | "stop":
                await self._change(lambda kept, one: kept.stop(one.comment), subscription)
            case "never":
                await self._change(lambda kept, one: kept.refuse(one.address), subscription)
                done = "never"
            case _:
                raise Refused(400, "That page is out of date. Go back, reload it and try again.")
        return self._context.redirect(f"/mail/{request.path_params['token']}", f"?done={done}" if done else "")

    async def unsubscribe(self, request: Request) -> Response:
        """Stop at once, as the button of a mail program asks (RFC 8058): whatever the form says and wherever it comes from."""
        await self._change(lambda kept, one: kept.stop(one.comment), await self._subscription(request))
        return await self._page(request, None)

    async def _subscription(self, request: Request) -> Subscription | None:
        token = request.path_params["token"]
        return await self._context.read(lambda inbox: Subscriptions(inbox).by_token(token))

    async def _change(self, change: _Change, subscription: Subscription | None) -> None:
        def carry_out(inbox: Inbox) -> None:
            if subscription:
                change(Subscriptions(inbox), subscription)

        try:
            await self._context.write(carry_out)
        except (sqlite3.Error, OSError) as error:
            fault(error)
            raise Refused(503, "This could not be done just now. Go back and try again in a minute.") from None

    async def _page(self, request: Request, subscription: Subscription | None, outcome: str = "") -> Response:
        context = self._context
        id = subscription.comment if subscription else ""
        revisions = await context.read(lambda inbox: inbox.revisions(id)) if id else []
        article = revisions[0].article if revisions else ""
        return await context.page(
            "follow.html",
            200,
            subscription=subscription,
            conversation=context.site.conversations.get(article, Conversation("", "/")),
            is_published=any(revision.state == "published" for revision in revisions),
            outcome=outcome if outcome in ("saved", "confirmed", "never") else "",
            events_before=[event for event in EVENTS if event in outcome.split(".")] or EVENTS,
            token=request.path_params["token"] if subscription else "",
            receipt=context.receipt(id) if id else "",
        )
