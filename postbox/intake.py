"""The public web application: a form in, a receipt out.

It cannot publish: it imports neither moderation nor the desk, and writes into the inbox and nowhere else.
"""

import hmac
import math
import os
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from jinja2 import FileSystemLoader, TemplateError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from postbox.comment import Comment, CommentError, Entry, path_of, read
from postbox.form import Refused, Submission, check
from postbox.hold import HONEYPOT, reasons
from postbox.inbox import Envelope, GroupCommit, Inbox, InboxError, Waiting
from postbox.rate import Rate, network
from postbox.settings import Settings
from postbox.site import Conversation, Site, environment, load
from postbox.web import PRIVATE, read_form

T = TypeVar("T")

REPEATED_WITHIN = timedelta(days=1)
FOREVER_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = re.compile(r"[0-9a-f]{32}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class Intake:
    """The handlers, and what they share: the theme, the facts of the site, the inbox and its one writer."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open the inbox; the facts of the site are read again whenever the build writes them."""
        self._settings = settings
        self._clock = clock
        self._theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._inbox = Inbox(settings.inbox)
        self._writer = GroupCommit(Inbox(settings.inbox))
        self._by_sender = Rate(settings.rate_sender, settings.rate_seconds)
        self._by_all = Rate(settings.rate_overall, settings.rate_seconds)
        self._site_path = str(settings.site)
        self._site_stamp = 0
        self._site: Site | None = None

    @property
    def site(self) -> Site:
        """The facts of the site as the build last wrote them whole."""
        try:
            stamp = os.stat(self._site_path).st_mtime_ns  # noqa: PTH116  # asked for each answer; a Path costs five times as much
            if self._site is None or stamp != self._site_stamp:
                self._site, self._site_stamp = load(self._settings.site), stamp
        except (OSError, ValueError):
            if self._site is None:
                raise
        return self._site

    # A comment

    async def post(self, request: Request) -> Response:
        """Keep a comment and lead to its receipt; or show the form again, with a preview or the errors, and every word."""
        fields = await self._fields(request)
        submission, errors = check(fields, self.site)
        conversation = self.site.conversations.get(submission.article)
        if not conversation:
            raise Refused(
                404, "That article is not here. It may have moved. Go back and copy your words before you look for it."
            )
        answered = self._published(submission.article, submission.reply_to or "")
        if submission.reply_to and not answered:
            errors = {
                "": "The comment that you answer is gone. Send yours again to add it to the article itself"
            } | errors
            submission = replace(submission, reply_to=None)
        if not conversation.is_open(self._clock()):
            errors = {"": "This conversation is closed"}
        form = _Form(conversation, submission, answered, fields)
        if wait := self._wait(request):
            return self._too_often(wait, lambda sorry: self._form(form, sorry, status=429))
        if errors:
            return self._form(form, errors, status=422)
        if fields.get("action") == "preview":
            return self._form(form, {}, preview=_entry("preview", submission, self._clock(), answered))
        try:
            receipt = await self._write(lambda inbox: self._keep(inbox, submission, request, fields))
        except (sqlite3.Error, OSError):
            return self._form(form, {"": self._sorry()}, status=503)
        return self._redirect(f"{self.site.intake}/receipt/{receipt}")

    async def reply(self, request: Request) -> Response:
        """Show a comment and the form that answers it."""
        article, id = request.path_params["article"], request.path_params["id"]
        answered, conversation = self._published(article, id), self.site.conversations.get(article)
        if not answered or not conversation:
            raise Refused(404, "That comment is not here. It may have been removed.")
        submission = Submission(article=article, reply_to=id, author="", body="")
        opened = {"opened": str(int(self._clock().timestamp()))}
        return self._form(_Form(conversation, submission, answered, opened), {})

    # Its receipt

    async def receipt(self, request: Request) -> Response:
        """Show a comment's writer what became of it."""
        return self._receipt(self._own(request), {}, {})

    async def change(self, request: Request) -> Response:
        """Keep a writer's change, or delete the comment; then show the receipt again."""
        revisions = self._own(request)
        id, latest = revisions[0].id, revisions[-1]
        fields = await self._fields(request)
        is_deletion = fields.get("action") == "delete"
        if not is_deletion and (wait := self._wait(request)):  # nobody's flood keeps a writer's words on a page
            return self._too_often(wait, lambda sorry: self._receipt(revisions, fields, sorry, status=429))
        submission, errors = check({**fields, "article": latest.article, "reply_to": latest.reply_to or ""}, self.site)
        try:
            if is_deletion:
                await self._write(lambda inbox: inbox.delete(id))
            elif errors:
                return self._receipt(revisions, fields, errors, status=422)
            elif fields.get("action") == "preview":
                answered = self._published(latest.article, latest.reply_to or "")
                preview = _entry("preview", submission, revisions[0].received, answered)
                return self._receipt(revisions, fields, {}, preview=preview)
            else:
                await self._write(lambda inbox: self._keep_change(inbox, id, submission, fields))
        except InboxError as error:
            return self._receipt(self._inbox.revisions(id), fields, {"": str(error)}, status=409)
        except (sqlite3.Error, OSError):
            return self._receipt(revisions, fields, {"": self._sorry()}, status=503)
        return self._redirect(f"{self.site.intake}/receipt/{self._inbox.receipt(id)}")

    # What cannot be done

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with a sentence, never with a 500."""
        if isinstance(error, Refused):
            return self._page("refused.html", error.status, reason=str(error))
        if isinstance(error, HTTPException):
            answer = self._page("refused.html", error.status_code, reason="That page is not here. It may have moved.")
            answer.headers.update(error.headers or {})
            return answer
        reason = "This could not be done just now. Go back and try again in a minute."
        try:
            return self._page("refused.html", 503, reason=reason)
        except (OSError, ValueError, TemplateError):  # the theme or the facts are what is broken
            return PlainTextResponse(reason, 503, headers=PRIVATE)

    async def close(self) -> None:
        """Finish what waits to be kept."""
        await self._writer.close()

    # How

    async def _fields(self, request: Request) -> dict[str, str]:
        return await read_form(request, most_bytes=self._settings.form_bytes, most_fields=self._settings.form_fields)

    async def _write(self, operation: Callable[[Inbox], T]) -> T:
        return await self._writer.submit(operation)

    def _wait(self, request: Request) -> float:
        """Return the seconds that a sender has to wait before posting again, 0 for none."""
        now = time.monotonic()
        return self._by_sender.wait(network(_address(request)), now) or self._by_all.wait("", now)

    def _too_often(self, wait: float, page: Callable[[dict[str, str]], Response]) -> Response:
        minutes = math.ceil(wait / 60)
        when = "in a minute" if minutes == 1 else f"in {minutes} minutes"
        answer = page(
            {
                "": f"That is more than this form takes in so short a time. Your words are still in the box. Try again {when}"
            }
        )
        answer.headers["Retry-After"] = str(math.ceil(wait))
        return answer

    def _keep(self, inbox: Inbox, submission: Submission, request: Request, fields: Mapping[str, str]) -> str:
        """Add a submission in the writer's transaction; return its receipt."""
        now, address = self._clock(), _address(request)
        words = [part for name in sorted(fields.keys() - {"opened"}) for part in (name, fields[name])]
        since = FOREVER_AGO
        if not _KEY.fullmatch(fields.get("key", "")):  # which the script makes for this one comment
            words += [address, request.headers.get("user-agent", "")]
            since = now - timedelta(seconds=self._settings.resend_seconds)
        envelope = Envelope(
            received=now,
            sender=self._mac("sender", network(address)),
            resend_key=self._mac("again", *words),
            resend_after=since,
        )
        return inbox.receipt(inbox.add(submission, envelope, self._held(inbox, "", submission, fields, now)))

    def _keep_change(self, inbox: Inbox, id: str, submission: Submission, fields: Mapping[str, str]) -> None:
        now = self._clock()
        inbox.change(id, submission, now, self._held(inbox, id, submission, fields, now))

    def _held(
        self, inbox: Inbox, id: str, submission: Submission, fields: Mapping[str, str], now: datetime
    ) -> list[str]:
        opened = fields.get("opened", "")
        return list(
            reasons(
                author=submission.author,
                body=submission.body,
                honeypot=fields.get(HONEYPOT, ""),
                seconds=now.timestamp() - int(opened) if _SECONDS.fullmatch(opened) else None,
                repeated=inbox.repeated(submission.body, now - REPEATED_WITHIN, apart_from=id),
                site_author=self.site.author,
            )
        )

    def _mac(self, *parts: str) -> bytes:
        """Name something under the inbox's own key; each part is measured, so that no two lists run into one."""
        words = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self._inbox.key, words.encode("utf-8", "surrogatepass"), "sha256")

    def _own(self, request: Request) -> list[Waiting]:
        revisions = self._inbox.by_receipt(request.path_params["receipt"])
        if not revisions:
            raise Refused(404, "That link is not complete, or its comment is gone.")
        return revisions

    def _published(self, article: str, id: str) -> Comment | None:
        if not id:
            return None
        try:
            comment = read(path_of(self._settings.comments, article, id))
        except (CommentError, OSError):
            return None
        return None if comment.removed else comment

    def _sorry(self) -> str:
        ring = f", or ring {self.site.author} on {self.site.telephone_shown}" if self.site.telephone else ""
        return f"Your comment could not be sent. It is still in the box. Try again in a minute{ring}."

    def _form(
        self, form: "_Form", errors: dict[str, str], *, preview: Entry | None = None, status: int = 200
    ) -> Response:
        values = {
            "form": form,
            "errors": errors,
            "preview": preview,
            "is_open": form.conversation.is_open(self._clock()),
        }
        return self._page("comment.html", status, **values)

    def _receipt(
        self,
        revisions: list[Waiting],
        values: Mapping[str, str],
        errors: dict[str, str],
        *,
        preview: Entry | None = None,
        status: int = 200,
    ) -> Response:
        latest = revisions[-1]
        answered = self._published(latest.article, latest.reply_to or "")
        page = [revision.state for revision in revisions if revision.state in ("published", "removed")]
        return self._page(
            "receipt.html",
            status,
            conversation=self.site.conversations.get(latest.article, Conversation("", "/")),
            latest=latest,
            is_published=page[-1:] == ["published"],
            entry=None if latest.state == "deleted" else _entry(latest.id, latest, revisions[0].received, answered),
            preview=preview,
            values=values or {"name": latest.author, "comment": latest.body},
            errors=errors,
        )

    def _page(self, template: str, status: int, **values: object) -> Response:
        html = self._theme.get_template(template).render(site=self.site, **values)
        return HTMLResponse(html, status, headers=self.site.headers | PRIVATE)

    def _redirect(self, address: str) -> Response:
        return RedirectResponse(address, 303, headers=self.site.headers | PRIVATE)


@dataclass(frozen=True)
class _Form:
    """What a form page shows besides its errors: whose conversation it joins, what it answers, and what was typed."""

    conversation: Conversation
    submission: Submission
    answered: Comment | None
    values: Mapping[str, str]


def application(settings: Settings) -> Starlette:
    """Return the intake as an ASGI application."""
    intake = Intake(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await intake.close()

    app = Starlette(
        routes=[
            Route("/comments", intake.post, methods=["POST"]),
            Route("/comments/reply/{article}/{id}", intake.reply),
            Route("/comments/receipt/{receipt}", intake.receipt),
            Route("/comments/receipt/{receipt}", intake.change, methods=["POST"]),
        ],
        exception_handlers={Refused: intake.refused, HTTPException: intake.refused, Exception: intake.refused},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # its redirects would go out without our headers
    return app


def _entry(id: str, words: Submission | Waiting, date: datetime, parent: Comment | None) -> Entry:
    """Return a comment as it will look once published."""
    date = date.astimezone(UTC).replace(microsecond=0)
    return Entry(
        Comment(id=id, article=words.article, author=words.author, date=date, body=words.body),
        0,
        parent,
        is_missing=False,
    )


def _address(request: Request) -> str:
    """Return the sender's address; the server takes it from a proxy's header only where that proxy is configured."""
    return request.client.host if request.client else ""
