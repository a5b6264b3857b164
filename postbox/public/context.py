"""Context of the intake: the theme, the facts of the site, the inbox and its one writer, the limits, the refusals."""

import asyncio
import hmac
import math
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import quote

from anyio import from_thread
from jinja2 import FileSystemLoader, TemplateError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from contract.addresses import rooted
from contract.manifest import ManifestFile, Site
from contract.templates import environment, reader_html
from postbox.log import fault, place
from postbox.public.rate_limit import Rate, network
from postbox.settings import Settings, SettingsError
from postbox.store.submissions import Inbox, InboxError, SubmissionMeta
from postbox.store.writer import GroupCommit
from postbox.web import health
from postbox.web.forms import PRIVATE, Refused, read_form

if TYPE_CHECKING:
    from postbox.store.shared_inbox import SharedInbox

T = TypeVar("T")
Pages = TypeVar("Pages", bound="Handlers")
Errors = dict[str, str]

BYTES_A_CHARACTER = 9  # of a form: three of UTF-8, each as %E2
ROOM_BYTES = 4096  # for all fields but the comment
MAX_KEPT_TEXTS = 128  # of readers, as HTML
SITE_FORMS = ("/comments", "/comments/message")  # where the forms on the site's own pages post to
READ_SECONDS = 1.0  # that counting a post waits for another intake's
WRITE_SECONDS = 5.0  # that keeping one waits for whoever holds it; with a server that says nothing, 28 s in all
HEALTH_SECONDS = 1.0  # to be answered in, whoever holds the inbox
FOREVER_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = re.compile(r"[0-9a-f]{32}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class IntakeContext:
    """What faces the readers; it can keep what they send and show pages, and nothing else."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open the inbox; the facts of the site are read again whenever the build writes them."""
        self.settings, self.clock = settings, clock
        self._reading = Inbox.open(settings, wait_seconds=READ_SECONDS if settings.postgresql else None, role="intake")
        self._theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._theme.filters["reader_html"] = lru_cache(MAX_KEPT_TEXTS)(reader_html)
        self._drawing = ThreadPoolExecutor(
            1, "pages"
        )  # one, so that whoever reads takes one turn of the interpreter in two at most
        self._asking = ThreadPoolExecutor(1, "inbox")  # of another machine
        self._manifest = ManifestFile(settings.site)
        wait = WRITE_SECONDS if settings.postgresql else None
        self._writer = GroupCommit(Inbox.open(settings, wait_seconds=wait, role="intake"))
        self._by_sender = Rate(settings.rate_sender, settings.rate_seconds)
        self._by_all = Rate(settings.rate_overall, settings.rate_seconds)
        self._by_reader = Rate(settings.rate_reads, settings.rate_seconds)
        self._check_limits()

    @property
    def site(self) -> Site:
        """The facts of the site as the build last wrote them whole."""
        return self._manifest.read()

    def site_origin(self) -> str:
        """Return the origin of the site where that is another than the intake's, or an empty string."""
        try:
            site = self.site
        except (OSError, ValueError):  # it is not built yet
            return ""
        return site.origin if site.is_apart else ""

    def origin_for(self, path: str) -> str:
        """Return the other origin whose forms post to a path; those of private pages stand on the intake's own."""
        return self.site_origin() if path in SITE_FORMS else ""

    async def fields(self, request: Request) -> dict[str, str]:
        """Return the fields of a posted form, within the limits of the settings."""
        return await read_form(request, max_bytes=self.settings.form_bytes, max_fields=self.settings.form_fields)

    async def write(self, operation: Callable[[Inbox], T]) -> T:
        """Change the inbox; durable once this returns."""
        return await self._writer.submit(operation)

    async def read(self, look: Callable[[Inbox], T]) -> T:
        """Look something up in the inbox; one on another machine is asked in a thread."""
        if not self._reading.is_remote:
            return self._reading.look(look)
        return await asyncio.get_running_loop().run_in_executor(self._asking, self._reading.look, look)

    def receipt(self, id: str) -> str:
        """Return the private part of the link that only the comment's writer is given."""
        return self._reading.receipt(id)

    async def wait(self, request: Request) -> float:
        """Return the seconds that a sender has to wait before posting again, 0 for none.

        Where several machines share the inbox, all count together; while that does not answer, each for itself.
        """
        sender, settings, now = network(_address(request)), self.settings, time.monotonic()
        buckets = {sender: settings.rate_sender, "": settings.rate_overall}

        def take(inbox: Inbox) -> float:
            shared = cast("SharedInbox", inbox)
            waits = (
                shared.take_place(self._mac("rate", key), limit, settings.rate_seconds)
                for key, limit in buckets.items()
            )
            return next(filter(None, waits), 0.0)

        if self._reading.is_remote:
            with suppress(sqlite3.Error):
                return await self.read(take)
        return self._by_sender.wait(sender, now) or self._by_all.wait("", now)

    def wait_to_read(self, request: Request) -> float:
        """Return the seconds that a reader has to wait before another page is drawn, 0 for none."""
        return self._by_reader.wait(network(_address(request)), time.monotonic())

    def meta(self, request: Request, fields: Mapping[str, str]) -> SubmissionMeta:
        """Return what is kept with a submission, besides its words."""
        now, address = self.clock(), _address(request)
        words = [part for name in sorted(fields.keys() - {"seconds"}) for part in (name, fields[name])]
        since = FOREVER_AGO
        if not _KEY.fullmatch(fields.get("key", "")):  # which the script makes for this one comment
            words += [address, request.headers.get("user-agent", "")]
            since = now - timedelta(seconds=self.settings.resend_seconds)
        return SubmissionMeta(received=now, resend_key=self._mac("again", *words), resend_after=since)

    def seconds_open(self, fields: Mapping[str, str]) -> int | None:
        """Return how long a form was open by its reader's own clock, which may differ from ours, where the script says so."""
        seconds = fields.get("seconds", "")
        return int(seconds) if _SECONDS.fullmatch(seconds) else None

    def inbox_health(self) -> health.State:
        """Tell from a thread how the inbox stands, in the next transaction of its writer."""

        async def ask() -> health.State:
            asked = self.write(lambda inbox: health.inbox(inbox, self.settings.inbox_disk))
            return await asyncio.wait_for(asked, HEALTH_SECONDS)

        try:
            return from_thread.run(ask)
        except TimeoutError:
            raise InboxError(f"nothing could be written for {HEALTH_SECONDS:g} s; another program holds it") from None

    # Answers

    async def page(self, template: str, status: int, **values: object) -> Response:
        """Answer with a page of the theme that nobody stores, drawn in a thread: some texts take long, and whoever posts goes on."""
        site = self.site
        headers = site.headers | PRIVATE
        base = ""
        if site.is_apart:  # its pages lead to the site, and load nothing from there
            site, base = site.elsewhere, site.url

        def draw() -> str:
            return rooted(self._theme.get_template(template).render(site=site, **values), base)

        html = await asyncio.get_running_loop().run_in_executor(self._drawing, draw)
        return HTMLResponse(html, status, headers=headers)

    def redirect(self, place: str, query: str = "") -> Response:
        """Lead from a form to the page below the intake of what was kept, so that a reload sends nothing again."""
        site = self.site
        return RedirectResponse(site.intake + quote(place) + query, 303, headers=site.headers | PRIVATE)

    def sorry(self, what: str, error: Exception) -> Errors:
        """Return the words for when nothing can be kept; what stopped it is told to the log alone."""
        fault(error)
        ring = f", or ring {self.site.author} on {self.site.telephone_shown}" if self.site.telephone else ""
        return {"": f"Your {what} could not be sent. It is still in the box. Try again in a minute{ring}."}

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with a sentence, never with a 500."""
        status, reason, headers = 503, "This could not be done just now. Go back and try again in a minute.", {}
        if isinstance(error, Refused):
            request.scope["cause"] = place(error)
            status, reason, headers = error.status, str(error), error.headers
        elif isinstance(error, HTTPException):
            status, reason = error.status_code, "That page is not here. It may have moved."
            headers = dict(error.headers or {})
        else:
            fault(error)
        try:
            answer = await self.page("refused.html", status, reason=reason, words=request.scope.get("words", ""))
        except (OSError, ValueError, TemplateError) as broken:  # the theme or the facts
            fault(broken)
            answer = PlainTextResponse(reason, status, headers=PRIVATE)
        answer.headers.update(headers)
        return answer

    async def close(self) -> None:
        """Finish what waits to be kept."""
        await self._writer.close()
        self._drawing.shutdown()
        self._asking.shutdown()

    def _check_limits(self) -> None:
        """Refuse a form too small for the longest comment, as far as the facts of the site are there."""
        try:
            longest = self.site.comment_length
        except (OSError, ValueError):  # the site is not built yet
            return
        if (needed := longest * BYTES_A_CHARACTER + ROOM_BYTES) > self.settings.form_bytes:
            raise SettingsError(
                f"POSTBOX_FORM_BYTES is {self.settings.form_bytes}, too small for COMMENT_LENGTH, {longest};"
                f" set it to {needed} or more, or COMMENT_LENGTH lower"
            )

    def _mac(self, *parts: str) -> bytes:
        """Name something under the inbox's own key; each part is measured, so that no two lists run into one."""
        words = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self._reading.key, words.encode("utf-8", "surrogatepass"), "sha256")


class Handlers:
    """Handlers of some pages of the intake."""

    def __init__(self, context: IntakeContext) -> None:
        self._context = context


def posting(
    handler: Callable[[Pages, Request, dict[str, str], Errors], Awaitable[Response]],
) -> Callable[[Pages, Request], Awaitable[Response]]:
    """Make a handler of what is posted: it gets the fields of the form, and an error if they come too often.

    A handler shows its form again with that error and every word, or raises ``Refused`` where it has none. What takes
    words away may pass over it: nobody's flood keeps a writer's words on a page.
    """

    @wraps(handler)
    async def post(self: Pages, request: Request) -> Response:
        fields = await self._context.fields(request)
        request.scope["words"] = fields.get("comment") or fields.get("message", "")  # for a refusal that has no form
        wait = await self._context.wait(request)
        answer = await handler(self, request, fields, _too_often(wait) if wait else {})
        if wait and answer.status_code >= 400:
            answer.status_code = 429
            answer.headers["Retry-After"] = str(math.ceil(wait))
        return answer

    return post


def reading(
    handler: Callable[[Pages, Request], Awaitable[Response]],
) -> Callable[[Pages, Request], Awaitable[Response]]:
    """Make a handler of a page that is drawn for its reader: who asks for very many is told to wait."""

    @wraps(handler)
    async def read(self: Pages, request: Request) -> Response:
        if wait := self._context.wait_to_read(request):
            raise Refused(
                429,
                "That is more than this site shows in so short a time. Nothing of yours is lost. Try again in a minute.",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        return await handler(self, request)

    return read


def refuse(errors: Errors) -> None:
    """Refuse what comes too often where no form keeps its words."""
    if errors:
        raise Refused(429, errors[""], headers={"Retry-After": "60"})


def _too_often(wait: float) -> Errors:
    minutes = math.ceil(wait / 60)
    when = "in a minute" if minutes == 1 else f"in {minutes} minutes"
    return {"": f"Too much was sent in a short time. Your words are still in the box. Try again {when}"}


def _address(request: Request) -> str:
    """Return the sender's address; the server takes it from a proxy's header only where that proxy is configured."""
    return request.client.host if request.client else ""
