"""The public web application: what readers send in, receipts out.

It cannot publish: it imports neither moderation nor the desk, and writes into the inbox and nowhere else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from postbox.public.comments import CommentPages
from postbox.public.context import IntakeContext
from postbox.public.messages import MessagePages
from postbox.public.subscriptions import SubscriptionPages
from postbox.settings import Settings
from postbox.web import health
from postbox.web.forms import Refused


class Intake(Starlette):
    """The application; a comment goes straight to its handler, since layers that it has no use for took a tenth of its time."""

    context: IntakeContext
    comments: CommentPages
    route: Route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == "/comments" and scope["method"] == "POST":
            scope["route"] = self.route
            request = Request(scope, receive)
            try:
                response = await self.comments.post(request)
            except Exception as error:  # as Starlette's layers do: any of them is answered with a page
                response = await self.context.refused(request, error)
            await response(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def application(settings: Settings) -> Starlette:
    """Return the intake as an ASGI application."""
    context = IntakeContext(settings)
    comments, contact, following = CommentPages(context), MessagePages(context), SubscriptionPages(context)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await context.close()

    app = Intake(
        routes=[
            health.route(settings),
            post := Route("/comments", comments.post, methods=["POST"]),
            Route("/comments/reply/{article}/{id}", comments.reply),
            Route("/comments/receipt/{receipt}", comments.receipt),
            Route("/comments/receipt/{receipt}", comments.change, methods=["POST"]),
            Route("/comments/receipt/{receipt}/kept.json", comments.export),
            Route("/comments/message", contact.post, methods=["POST"]),
            Route("/comments/message/{receipt}", contact.receipt),
            Route("/comments/message/{receipt}", contact.delete, methods=["POST"]),
            Route("/comments/mail/{token}", following.choices),
            Route("/comments/mail/{token}", following.choose, methods=["POST"]),
            Route("/comments/mail/{token}/stop", following.choices),
            Route("/comments/mail/{token}/stop", following.unsubscribe, methods=["POST"]),
        ],
        exception_handlers={Refused: context.refused, HTTPException: context.refused, Exception: context.refused},
        lifespan=lifespan,
    )
    app.context, app.comments, app.route = context, comments, post
    app.router.redirect_slashes = False  # its redirects would go out without our headers
    return app
