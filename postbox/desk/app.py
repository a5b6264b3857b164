"""The author's own web application: what waits, what is published, what was decided, messages, and the mail.

It runs under a host name of its own. Every page asks for a session, but the sign-in and the page that a mail links to.
GET and HEAD change nothing; a decision is a POST that names the words it was made on.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from postbox import log
from postbox.desk.actions import Actions
from postbox.desk.comment import CommentPages
from postbox.desk.context import DeskContext
from postbox.desk.email_decision import EmailDecisionPages
from postbox.desk.messages import Correspondence
from postbox.desk.queue import LISTS, QueuePages
from postbox.mail.worker import MailWorker
from postbox.moderation.service import Moderation
from postbox.privacy.retention import hourly
from postbox.settings import Settings
from postbox.store.database import connect
from postbox.store.decisions import MIGRATIONS
from postbox.store.outbox import Outbox
from postbox.web import health
from postbox.web.forms import Refused

DELETIONS_SECONDS = 0.2
LATE_SECONDS = 3600


def application(settings: Settings) -> Starlette:
    """Return the desk as an ASGI application; while it runs, it also grants deletions and sends the mail."""
    context = DeskContext(settings)
    context.moderation.erase_again(now=datetime.now(UTC))
    actions = Actions(context)
    lists, one, letters = QueuePages(context, actions), CommentPages(context, actions), Correspondence(context)
    by_link, signed_in = EmailDecisionPages(context, actions), context.signed_in

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        works = (carry_out_deletions(context.moderation), MailWorker(settings).run(), hourly(settings))
        tasks = [asyncio.create_task(work) for work in works]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app = Starlette(
        routes=[
            *(Route(place, signed_in(lists.browse)) for place in LISTS),
            Route("/", signed_in(lists.decide), methods=["POST"]),
            Route("/undo", signed_in(lists.undo), methods=["POST"]),
            Route("/comment/{id:path}", signed_in(one.show)),
            Route("/comment/{id:path}", signed_in(one.decide), methods=["POST"]),
            Route("/messages", signed_in(letters.messages)),
            Route("/messages", signed_in(letters.settle_message), methods=["POST"]),
            Route("/mail", signed_in(letters.mail)),
            Route("/mail", signed_in(letters.settle_mail), methods=["POST"]),
            Route("/decide/{token}", by_link.show),
            Route("/decide/{token}", by_link.decide, methods=["POST"]),
            health.route(settings, outbox=lambda: _outbox(settings)),
            Route("/sign-in/{token}", context.link),
            Route("/sign-in", context.sign_in, methods=["POST"]),
            Route("/sign-out", signed_in(context.sign_out), methods=["POST"]),
        ],
        exception_handlers={Refused: context.refused, HTTPException: context.refused, Exception: context.refused},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # its redirects would go out without our headers
    return app


async def carry_out_deletions(moderation: Moderation) -> None:
    """Take comments off their pages as soon as their writers delete them, until cancelled."""
    logged = ""
    while True:
        try:
            moderation.carry_out_deletions(now=datetime.now(UTC))
            logged = ""
        except Exception as error:  # what cannot be granted now may be later, and nothing else may stop for it
            if repr(error) != logged:
                told = "A writer's deletion could not be carried out"
                log.event(told, level=logging.ERROR, error=error)
            logged = repr(error)
        await asyncio.sleep(DELETIONS_SECONDS)


def _outbox(settings: Settings) -> health.State:
    """Open the desk's own database anew and tell how its mail stands."""
    now = datetime.now(UTC)
    with closing(connect(settings.desk / "desk.sqlite", MIGRATIONS)) as database:
        mail = Outbox(database).health(now)
    late = round((now - mail.late_since).total_seconds()) if mail.late_since else 0
    wrong = []
    if mail.failed:
        wrong.append(f"{mail.failed} mails were given up; the desk’s page “Mail” says why")
    if late > LATE_SECONDS:
        wrong.append(f"a mail has been late for {late} seconds; its server refuses it, or the desk sends nothing")
    return {"waiting": mail.waiting, "late_seconds": late, "failed": mail.failed}, ", and ".join(wrong)
