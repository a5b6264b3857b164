"""Intake application: the public web application that takes what readers send and hands receipts out.

It cannot publish: it imports neither moderation nor the desk, and writes into the inbox and nowhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from postbox.public.comments import CommentPages
from postbox.public.context import IntakeContext
from postbox.public.messages import MessagePages
from postbox.public.receipts import ReceiptPages
from postbox.public.subscriptions import SubscriptionPages
from postbox.settings import Settings
from postbox.web import health
from postbox.web.forms import Refused, SameSite

if TYPE_CHECKING:
    from postbox.store.handover import Copies


class SiteReads(CORSMiddleware):
    """Middleware that lets the script of the site read the answers where the site has another origin, without credentials."""

    def __init__(self, app: ASGIApp, site_origin: Callable[[], str]) -> None:
        super().__init__(app)
        self._site_origin = site_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ever; what asks first whether it may (preflight) is none of ours, and is refused like any other."""
        if scope["type"] == "http":
            await self.simple_response(scope, receive, send, request_headers=Headers(scope=scope))
        else:
            await self.app(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        """Tell whether an origin is exactly the site's."""
        return origin == self._site_origin()


def application(settings: Settings) -> Starlette:
    """Return the intake as an ASGI application."""
    copies = _copies(settings)
    settings = copies.settings if copies else settings
    context = IntakeContext(settings)
    comments, receipts = CommentPages(context), ReceiptPages(context)
    messages, subscriptions = MessagePages(context), SubscriptionPages(context)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if copies:
            await asyncio.to_thread(copies.start)
        yield
        await context.close()
        if copies:
            await asyncio.to_thread(copies.close)

    app = Starlette(
        routes=[
            Route("/comments", comments.post, methods=["POST"]),
            Route("/comments/reply/{article}/{id}", comments.reply),
            Route("/comments/receipt/{receipt}", receipts.show),
            Route("/comments/receipt/{receipt}", receipts.change, methods=["POST"]),
            Route("/comments/receipt/{receipt}/kept.json", receipts.export),
            Route("/comments/message", messages.post, methods=["POST"]),
            Route("/comments/message/{receipt}", messages.receipt),
            Route("/comments/message/{receipt}", messages.delete, methods=["POST"]),
            Route("/comments/mail/{token}", subscriptions.choices),
            Route("/comments/mail/{token}", subscriptions.choose, methods=["POST"]),
            Route("/comments/mail/{token}/stop", subscriptions.choices),
            Route("/comments/mail/{token}/stop", subscriptions.unsubscribe, methods=["POST"]),
            health.route(settings, inbox=context.inbox_health),
        ],
        # The button of a mail program posts from nowhere (RFC 8058).
        middleware=[
            Middleware(SiteReads, site_origin=context.site_origin),
            Middleware(SameSite, refused=context.refused, but="/stop", origin_for=context.origin_for),
        ],
        exception_handlers={Refused: context.refused, HTTPException: context.refused, Exception: context.refused},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # its redirects would go out without our headers
    return app


def _copies(settings: Settings) -> "Copies | None":
    """Return what keeps an intake's copies of what the desk hands over, where the two share no folder."""
    if not settings.postgresql:
        return None
    from postbox.store.handover import Copies

    return Copies(settings)
