"""Desk application: the author's own pages, and the tasks that run beside them.

It runs under a host name of its own. Every page asks for a session, but the sign-in and the page that a mail links to.
GET and HEAD change nothing; a decision is a POST that names the words it was made on.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from postbox import log
from postbox.desk import auth, comment, details, email_decision, failed_mail, messages, queue, text_changes, write
from postbox.desk.context import DeskContext, Handler
from postbox.mail.worker import MailWorker
from postbox.privacy.retention import hourly
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.web import health
from postbox.web.forms import Refused, SameSite

if TYPE_CHECKING:
    from postbox.store.handover import Listener

DELETIONS_SECONDS = 0.2
PRESS_SECONDS = 1.0
LOOK_SECONDS = 60.0
LATE_SECONDS = 3600
CANCEL_SECONDS = 0.5  # until a task that has not ended is told again
DESK = "postbox_desk"  # the channel on which PostgreSQL tells of what has come


def application(settings: Settings) -> Starlette:
    """Return the desk as an ASGI application; while it runs, it also carries deletions out and sends the mail."""
    context = DeskContext(settings)

    def page(path: str, show: Handler, post: Handler | None = None, *, is_signed_in: bool = True) -> list[Route]:
        routes = [Route(path, context.endpoint(show, is_signed_in=is_signed_in))]
        if post:
            routes.append(Route(path, context.endpoint(post, is_signed_in=is_signed_in), methods=["POST"]))
        return routes

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        store = context.store
        worker = MailWorker(store, wait=context.wakeup.waiter())
        works = (
            carry_out_deletions(context),
            follow_press(context),
            look_into_inbox(context),
            worker.run(),
            hourly(store),
        )
        tasks = [asyncio.create_task(work) for work in works]
        listeners = _listeners(context)
        yield
        for listener in listeners:
            await asyncio.to_thread(listener.close)
        context.wakeup.close()
        working = set(tasks)
        while (
            working
        ):  # one that gets an answer in that moment goes on (asyncio.wait_for before Python 3.12, in aiosmtplib too)
            for task in working:
                task.cancel()
            _, working = await asyncio.wait(working, timeout=CANCEL_SECONDS)

    writing: list[tuple[str, *tuple[Handler, ...]]] = [
        ("/write", write.browse), ("/write.js", write.script), ("/write/{key:path}", write.show, text_changes.change), ("/versions/{key:path}", write.versions),
        ("/proof/{name}", write.proof_page), ("/images/{name}", write.image), ("/details", details.show, details.publish),
        ("/{below:path}/images/{name}", write.image),  # in a page of a site below a path
    ]  # fmt: skip
    app = Starlette(
        routes=[
            *page("/", queue.browse, queue.decide),
            *page("/published", queue.browse),
            *page("/log", queue.browse),
            Route("/undo", context.endpoint(queue.undo), methods=["POST"]),
            *page("/comment/{id:path}", comment.show, comment.decide),
            *page("/messages", messages.browse, messages.settle),
            *(Route(path, write.endpoint(context, *handlers), methods=["GET", "POST"]) for path, *handlers in writing),
            *page("/mail", failed_mail.browse, failed_mail.settle),
            *page("/decide/{token}", email_decision.show, email_decision.decide, is_signed_in=False),
            *page("/sign-in/{token}", auth.link, is_signed_in=False),
            Route("/sign-in", context.endpoint(auth.sign_in, is_signed_in=False), methods=["POST"]),
            Route("/sign-in/email", context.endpoint(auth.send_link, is_signed_in=False), methods=["POST"]),
            Route("/sign-out", context.endpoint(auth.sign_out), methods=["POST"]),
            health.route(settings, inbox=lambda: _inbox(context), outbox=lambda: _outbox(context)),
        ],
        middleware=[Middleware(SameSite, refused=write.foreign(context))],
        exception_handlers={Refused: context.refused, HTTPException: context.refused, Exception: context.refused},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # its redirects would go out without our headers
    return app


def _listeners(context: DeskContext) -> "list[Listener]":
    """Begin to hand over what is public to the intakes of other machines, where there can be any, and to hear of theirs."""
    settings = context.settings
    if not settings.postgresql:
        return []
    from postbox.store.handover import LOOK_SECONDS, PUBLIC, QUIET_SECONDS, Listener, Sender

    listeners = [
        Listener(settings, PUBLIC, Sender(settings).send, seconds=LOOK_SECONDS),
        Listener(settings, DESK, lambda _: context.wakeup.wake(), seconds=QUIET_SECONDS),
    ]
    for listener in listeners:
        listener.start()
    return listeners


async def carry_out_deletions(context: DeskContext) -> None:
    """Take comments off their pages as soon as their writers delete them, until cancelled."""

    def carry_out() -> None:
        context.catch_up()
        with context.store.unit() as work:
            context.moderation(work).carry_out_deletions(now=context.clock())

    wait = context.wakeup.waiter()
    await _again_and_again(carry_out, lambda: wait(DELETIONS_SECONDS), "A writer's deletion could not be carried out")


async def follow_press(context: DeskContext) -> None:
    """Finish or put back texts that were written before the press ran, or by a desk that was killed, until cancelled."""
    pause = partial(asyncio.sleep, PRESS_SECONDS)
    await _again_and_again(context.publisher.catch_up, pause, "A text could not be put back")


async def look_into_inbox(context: DeskContext) -> None:
    """See what an enemy may have laid where nobody reads, and sweep there, until cancelled."""
    pause = partial(asyncio.sleep, LOOK_SECONDS)
    await _again_and_again(context.look_into_inbox, pause, "The inbox could not be looked through")


async def _again_and_again(work: Callable[[], None], pause: Callable[[], Awaitable[object]], told: str) -> None:
    logged = ""
    while True:
        try:
            await asyncio.to_thread(work)
            logged = ""
        except Exception as error:  # what cannot be carried out now may be later, and nothing else may stop for it
            if repr(error) != logged:
                log.event(told, level=logging.ERROR, error=error)
            logged = repr(error)
        await pause()


def _inbox(context: DeskContext) -> health.State:
    """Tell how the inbox stands, with the connection of a request."""
    with context.store.unit() as work:
        work.need_inbox()
        with transaction(work.inbox.connection):
            return health.inbox(work.inbox, context.settings.inbox_disk)


def _outbox(context: DeskContext) -> health.State:
    """Tell how the mail stands."""
    now = context.clock()
    with context.store.unit() as work:
        mail = work.outbox.health(now)
    late = round((now - mail.late_since).total_seconds()) if mail.late_since else 0
    wrong = []
    if mail.failed:
        wrong.append(f"emails given up: {mail.failed}; the desk’s page “Email” says why")
    if late > LATE_SECONDS:
        wrong.append(f"an email has been late for {late} seconds; its server refuses it, or the desk sends nothing")
    return {"waiting": mail.waiting, "late_seconds": late, "failed": mail.failed}, ", and ".join(wrong)
