"""The public web application: a form in, a receipt out. It cannot publish: it imports neither moderation nor the desk."""

import asyncio
import hashlib
import hmac
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from jinja2 import FileSystemLoader, TemplateError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from postbox.comment import Comment, CommentError, Entry, path_of, read
from postbox.form import CONTENT_TYPE, Refused, Submission, check, parse
from postbox.inbox import GroupCommit, Inbox, Waiting
from postbox.settings import Settings
from postbox.site import Site, environment, load

# Private pages: nobody stores them, and their address goes to no other site.
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex"}


class Intake:
    """The handlers, and what they share: the theme, the facts of the site, the inbox and its one writer."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open the inbox; the facts of the site are read again whenever the build writes them."""
        self._settings = settings
        self._clock = clock
        self._theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._inbox = Inbox(settings.inbox)
        self._writer = GroupCommit(Inbox(settings.inbox))
        self._site_stamp = 0
        self._site_facts: Site | None = None

    @property
    def site(self) -> Site:
        """The facts of the site as the build last wrote them."""
        stamp = self._settings.site.stat().st_mtime_ns
        if self._site_facts is None or stamp != self._site_stamp:
            self._site_facts, self._site_stamp = load(self._settings.site), stamp
        return self._site_facts

    async def post(self, request: Request) -> Response:
        """Keep a comment and lead to its receipt, or show the form again with every word kept."""
        _refuse_other_sites(request)
        fields = parse(await self._body(request), most_fields=self._settings.form_fields)
        submission, errors = check(fields, self.site)
        conversation = self.site.conversations.get(submission.article)
        if not conversation:
            raise Refused(
                404,
                "That article is not here. It may have moved. Your words are still in the form: go back, copy them, and open the article again.",
            )
        answered = self._published(submission.article, submission.reply_to or "")
        if not conversation.is_open:
            errors = {"": "This conversation is closed"}
        elif submission.reply_to and not answered:
            errors = {"": "The comment that you answer is gone. Send yours again to add it to the article itself"}
            submission = replace(submission, reply_to=None)
        if errors:
            return self._form(submission, answered, fields, errors, status=422)
        try:
            receipt = await asyncio.wrap_future(
                self._writer.submit(partial(self._keep, submission, self._resend_key(request, fields)))
            )
        except (sqlite3.Error, OSError):
            ring = f", or ring {self.site.author} on {self.site.telephone_shown}" if self.site.telephone else ""
            sorry = {"": f"Your comment could not be sent. It is still in the box. Try again in a minute{ring}."}
            return self._form(submission, answered, fields, sorry, status=503)
        return RedirectResponse(f"{self.site.intake}/receipt/{receipt}", 303, headers=self._headers)

    async def reply(self, request: Request) -> Response:
        """Show a comment and the form that answers it."""
        article, id = request.path_params["article"], request.path_params["id"]
        answered = self._published(article, id)
        conversation = self.site.conversations.get(article)
        if not answered or not conversation:
            raise Refused(404, "That comment is not here. It may have been removed.")
        errors = {} if conversation.is_open else {"": "This conversation is closed"}
        return self._form(
            Submission(article=article, reply_to=id, author="", body=""), answered, {}, errors, status=200
        )

    async def receipt(self, request: Request) -> Response:
        """Show a comment's writer what became of it."""
        revisions = self._inbox.by_receipt(request.path_params["receipt"])
        conversation = self.site.conversations.get(revisions[0].article) if revisions else None
        if not conversation:
            raise Refused(404, "That link is not complete, or its comment is gone.")
        latest = revisions[-1]
        return self._page("receipt.html", 200, conversation=conversation, revision=latest, entry=_entry(latest))

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer what cannot be done with a sentence, never with a 500."""
        if isinstance(error, Refused):
            return self._page("refused.html", error.status, reason=str(error))
        if isinstance(error, HTTPException):
            return self._page("refused.html", error.status_code, reason="That page is not here. It may have moved.")
        reason = "This could not be done just now. Go back and try again in a minute."
        try:
            return self._page("refused.html", 503, reason=reason)
        except (OSError, ValueError, TemplateError):  # the theme or the facts are what is broken
            return PlainTextResponse(reason, 503, headers=PRIVATE)

    def close(self) -> None:
        """Finish what waits to be kept."""
        self._writer.close()

    async def _body(self, request: Request) -> bytes:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
            raise Refused(415, "Comments are sent by the form under an article. Go back and use it.")
        data = b""
        async for chunk in request.stream():
            data += chunk
            if len(data) > self._settings.form_bytes:
                raise Refused(
                    413,
                    f"That is too long. A comment may have {self.site.comment_length:,} characters. Go back and shorten it.",
                )
        return data

    def _keep(self, submission: Submission, resend_key: bytes, inbox: Inbox) -> str:
        now = self._clock()
        resend_after = now - timedelta(seconds=self._settings.resend_seconds)
        return inbox.receipt(inbox.add(submission, resend_key=resend_key, resend_after=resend_after, now=now))

    def _resend_key(self, request: Request, fields: dict[str, str]) -> bytes:
        """Name a submission so that the same sender's second press finds the first."""
        sender = request.client.host if request.client else ""
        parts = (
            sender,
            request.headers.get("user-agent", ""),
            *(part for field in sorted(fields.items()) for part in field),
        )
        return hmac.new(self._inbox.key, "\0".join(parts).encode(), hashlib.sha256).digest()

    @property
    def _headers(self) -> dict[str, str]:
        return self.site.headers | PRIVATE

    def _published(self, article: str, id: str) -> Comment | None:
        try:
            comment = read(path_of(self._settings.comments, article, id))
        except (CommentError, OSError):
            return None
        return None if comment.removed else comment

    def _form(
        self,
        submission: Submission,
        answered: Comment | None,
        fields: dict[str, str],
        errors: dict[str, str],
        *,
        status: int,
    ) -> Response:
        entry = Entry(answered, 0, None, is_missing=False) if answered else None
        conversation = self.site.conversations[submission.article]
        return self._page(
            "comment.html",
            status,
            conversation=conversation,
            submission=submission,
            entry=entry,
            values=fields,
            errors=errors,
        )

    def _page(self, template: str, status: int, **values: object) -> Response:
        html = self._theme.get_template(template).render(site=self.site, **values)
        return HTMLResponse(html, status, headers=self._headers)


def application(settings: Settings) -> Starlette:
    """Return the intake as an ASGI application."""
    intake = Intake(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        intake.close()

    return Starlette(
        routes=[
            Route("/comments", intake.post, methods=["POST"]),
            Route("/comments/reply/{article}/{id}", intake.reply),
            Route("/comments/receipt/{receipt}", intake.receipt),
        ],
        exception_handlers={Refused: intake.refused, HTTPException: intake.refused, Exception: intake.refused},
        lifespan=lifespan,
    )


def _entry(revision: Waiting) -> Entry:
    """Return a revision as it will look once published."""
    comment = Comment(
        id=revision.id,
        article=revision.article,
        author=revision.author,
        date=revision.received.replace(microsecond=0),
        body=revision.body,
    )
    return Entry(comment, 0, None, is_missing=False)


def _refuse_other_sites(request: Request) -> None:
    """Let only this site's own forms post: Sec-Fetch-Site decides, Origin where a browser does not send it."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_ours = site == "same-origin" if site else not origin or origin.partition("://")[2] == request.headers.get("host")
    if not is_ours:
        raise Refused(403, "This form belongs to another site. Open the article and use the form there.")
