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

from postbox import health
from postbox.contact import Contact
from postbox.following import Following
from postbox.form import Refused
from postbox.front import Front
from postbox.joining import Joining
from postbox.settings import Settings


class Intake(Starlette):
    """The application; a comment goes straight to its handler, since layers that it has no use for took a tenth of its time."""

    front: Front
    joining: Joining
    route: Route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == "/comments" and scope["method"] == "POST":
            scope["route"] = self.route
            request = Request(scope, receive)
            try:
                response = await self.joining.post(request)
            except Exception as error:  # as Starlette's layers do: any of them is answered with a page
                response = await self.front.refused(request, error)
            await response(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def application(settings: Settings) -> Starlette:
    """Return the intake as an ASGI application."""
    front = Front(settings)
    joining, contact, following = Joining(front), Contact(front), Following(front)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await front.close()

    app = Intake(
        routes=[
            health.route(settings),
            post := Route("/comments", joining.post, methods=["POST"]),
            Route("/comments/reply/{article}/{id}", joining.reply),
            Route("/comments/receipt/{receipt}", joining.receipt),
            Route("/comments/receipt/{receipt}", joining.change, methods=["POST"]),
            Route("/comments/receipt/{receipt}/kept.json", joining.export),
            Route("/comments/message", contact.post, methods=["POST"]),
            Route("/comments/message/{receipt}", contact.receipt),
            Route("/comments/message/{receipt}", contact.delete, methods=["POST"]),
            Route("/comments/mail/{token}", following.choices),
            Route("/comments/mail/{token}", following.choose, methods=["POST"]),
            Route("/comments/mail/{token}/stop", following.choices),
            Route("/comments/mail/{token}/stop", following.unsubscribe, methods=["POST"]),
        ],
        exception_handlers={Refused: front.refused, HTTPException: front.refused, Exception: front.refused},
        lifespan=lifespan,
    )
    app.front, app.joining, app.route = front, joining, post
    app.router.redirect_slashes = False  # its redirects would go out without our headers
    return app
