"""Context of the desk: what its process opens once, and what one request has of it.

A handler is a plain function of a ``DeskRequest``. It runs in a thread, with a unit of work of its own, so that one that
waits (for another process, for a page to be live) holds up nobody else.
"""

import hashlib
import sqlite3
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from jinja2 import FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from contract import facts
from contract.manifest import STATUS_FILE, BuildStatus, ManifestFile, Site
from contract.templates import environment
from postbox import log
from postbox.desk import faults
from postbox.desk.auth import Auth
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.unit_of_work import INBOX_FAULTS, Store, UnitOfWork
from postbox.store.wakeup import Wakeup
from postbox.web.forms import PRIVATE, Refused, read_form
from postbox.writing.publisher import Published, Publisher
from postbox.writing.texts import Texts

LATER = "This could not be done just now. Try again in a minute."
OUT_OF_DATE = "That page is out of date. Go back, reload it and try again."
SHARED_SECONDS = 5.0  # between two looks at an inbox that tells of what has come
INBOX_SECONDS = 0.4  # that a decision waits for another program that writes the inbox
PER_PAGE = 20  # items of a list
TABLES = {
    "comment": "comments", "revision": "comments", "message": "messages", "subscription": "email addresses",
    "refused": "addresses that want no email", "event": "news", "erasure": "erasures",
}  # of the inbox, in words  # fmt: skip
TYPED = (
    "answer",
    "reason",
    "comment",
    "title",
    "summary",
    "text",
)  # fields of the desk's forms that hold words, besides the facts


class DeskContext:
    """What the desk's process holds: the store, the theme, the facts of the site, who may come in."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open everything, finish what a crash left undone, and erase again what a backup has brought back."""
        self.settings, self.clock = settings, clock
        self.store = Store(settings, wait_seconds=INBOX_SECONDS)
        self.wakeup = Wakeup(SHARED_SECONDS if settings.postgresql else None)
        self.auth = Auth(settings, clock)
        self.texts = Texts(settings.content, settings.desk)
        self.publisher = Publisher(self.texts, settings.proofs, lambda: self.build_status)
        self.theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._manifest = ManifestFile(settings.site)
        self._dressed: tuple[Site, Site] | None = None
        self._erased_again_in: tuple[int, int] | None = None
        self._overlong: set[str] = set()
        try:
            self.catch_up()
        except (*INBOX_FAULTS, ValueError) as error:  # the desk starts whatever lies in the inbox; its task tries again
            log.fault(error)

    def catch_up(self) -> None:
        """Finish what a crash or a held inbox left undone, and erase again what a backup brought back."""
        with self.store.unit() as work:
            moderation = self.moderation(work)
            if work.decisions.to_apply():
                moderation.repair()
            work.need_inbox()
            if work.inbox.file != self._erased_again_in:
                moderation.erase_again(now=self.clock())
                self._erased_again_in = work.inbox.file

    def look_into_inbox(self) -> None:
        """See which tables have a row longer than any of the intake's, and take away the networks that have posted long ago."""
        with self.store.unit() as work:
            self._overlong = work.inbox.overlong()
            work.inbox.sweep()

    @property
    def overlong(self) -> set[str]:
        """The tables of the inbox that have such a row, or had one that was dropped."""
        return self._overlong | self.store.dropped

    def moderation(self, work: UnitOfWork) -> Moderation:
        """Return moderation within a unit of work."""
        return Moderation(self.store, work)

    @property
    def build_status(self) -> BuildStatus:
        """How the press does."""
        return BuildStatus.load(self.settings.site.with_name(STATUS_FILE))

    @property
    def public_site(self) -> Site:
        """The facts of the site as its own pages have them."""
        return self._manifest.read()

    @property
    def site(self) -> Site:
        """The facts of the site with the desk's style and headers: no script, kept by nobody."""
        site = self._manifest.read()
        if not self._dressed or self._dressed[0] is not site:
            self._dressed = site, _dressed(site)
        return self._dressed[1]

    def endpoint(self, handler: "Handler", *, is_signed_in: bool = True) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a handler, by default for the signed in alone."""

        async def endpoint(request: Request) -> Response:
            form: Mapping[str, str] = {}
            if request.method == "POST":
                max_fields = self.settings.form_fields + PER_PAGE  # one more for each comment that can be selected
                form = await read_form(request, max_bytes=self.settings.form_bytes, max_fields=max_fields)
                request.state.typed = form  # shown again if it is refused
            if is_signed_in and not self.auth.is_signed_in(request):
                raise Refused(401, "You are not signed in.")
            return await run_in_threadpool(self.answer, handler, request, form)

        return endpoint

    def answer(self, handler: "Handler", request: Request, form: Mapping[str, str]) -> Response:
        """Answer a request with a handler, in its own unit of work."""
        try:
            return self._handle(handler, request, form)
        except (sqlite3.Error, MemoryError) as error:
            if request.method == "POST" or self.store.set_aside:
                raise
            log.fault(error)
            self.store.put_aside(str(error) or type(error).__name__)
            return self._handle(handler, request, form)  # all but the inbox

    def _handle(self, handler: "Handler", request: Request, form: Mapping[str, str]) -> Response:
        with self.store.unit() as work:
            answer = handler(DeskRequest(self, work, request, form, self.clock()))
        if request.method == "POST":
            self.wakeup.wake()  # there may be mail
        return answer

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with a sentence, never with a 500."""
        return await run_in_threadpool(self._refused, request, error)

    def _refused(self, request: Request, error: Exception) -> Response:
        status, reason, headers = 503, LATER, {}
        if isinstance(error, Refused):
            status, reason = error.status, str(error)
            request.scope["cause"] = log.place(error)
        elif isinstance(error, HTTPException):
            status, reason, headers = error.status_code, "That page is not here.", dict(error.headers or {})
        else:
            log.fault(error)
        try:
            place = "" if self.auth.is_signed_in(request) else None
            if isinstance(error, HTTPException) and place is None:
                status, reason = 401, "You are not signed in."
            # A strict cookie is not sent along a link from another site, like that of mail in the browser.
            is_away = request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site"
            form: Mapping[str, str] = getattr(request.state, "typed", {})
            values = {"reason": reason, "is_out": status == 401, "is_away": is_away, "can_email": self.auth.can_email}
            values["typed"] = [form[name] for name in (*TYPED, *facts.BY_NAME) if form.get(name)]
            with self.store.unit() as work:
                desk = DeskRequest(self, work, request, {}, self.clock())
                answer = desk.page("refused.html", status, place=place, **values)
        except Exception as broken:  # the theme, the facts or a database
            log.fault(broken)
            answer = PlainTextResponse(LATER, 503)
            answer.headers.update(PRIVATE | {"Content-Security-Policy": "default-src 'none'"})
        answer.headers.update(headers)
        return answer


@dataclass
class DeskRequest:
    """One request to the desk: what it asks, and the unit of work that answers it; ``form`` is empty for a GET.

    ``told`` are the faults of the build that the answer tells itself, so that its frame does not.
    """

    context: DeskContext
    work: UnitOfWork
    request: Request
    form: Mapping[str, str]
    now: datetime
    told: list[str] = field(default_factory=list)

    @cached_property
    def site(self) -> Site:
        """The facts of the site, the same for the whole request."""
        return self.context.site

    @cached_property
    def moderation(self) -> Moderation:
        """Moderation within this unit of work."""
        return self.context.moderation(self.work)

    @property
    def texts(self) -> Texts:
        """Articles and pages, and what is unfinished of them."""
        return self.context.texts

    @property
    def publisher(self) -> Publisher:
        """What proves and publishes them."""
        return self.context.publisher

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark of the address."""
        return self.request.query_params

    def page(self, template: str, status: int, *, place: str | None, **values: object) -> Response:
        """Answer with a page of the desk; ``place`` is the list it shows, or empty, or None for one without a session.

        A page without a session has no way into the desk.
        """
        values |= {"site": self.site, "place": place, "nav": [], "faults": [], "notices": []}
        if place is not None:
            others = [fault for fault in self.context.build_status.faults if fault not in self.told]
            values |= {"nav": self._navigation(), "faults": faults.explain_all(others), "notices": self._notices()}
        html = self.context.theme.get_template(f"desk/{template}").render(values)
        return HTMLResponse(html, status, headers=self.site.headers)

    def why_back(self, done: Published) -> str:
        """Return why a change was put back, in the author's words; the answer tells these faults, and once."""
        self.told = done.faults
        return faults.sentences(done.faults)

    def redirect(self, address: str) -> Response:
        """Lead from a form to a page that says what was done, so that a reload does nothing again."""
        return RedirectResponse(address, 303, headers=self.site.headers)

    def _notices(self) -> list[str]:
        """Say what the pages lack just now, and why."""
        notices, work = [], self.work
        if problem := self.context.build_status.push_problem(self.now):
            notices.append(f"{problem}. It is tried again by itself.")
        if work.set_aside:
            notices.append(
                f"The inbox is set aside: {work.set_aside}. Everything else works. Fix it, or put the last good copy there;"
                " it is taken up again by itself."
            )
        if number := work.inbox.too_long:
            notices.append(
                f"Rows of the inbox set aside, for they are longer than anything the form takes: {number:,}."
            )
        if tables := self.context.overlong:
            named = ", ".join(sorted({TABLES[name] for name in tables}))
            notices.append(
                f"The inbox has or had a row that is longer than anything the form takes, among its {named}. It is left"
                " out, and everything else works. Ask whoever runs the site who can write to the inbox."
            )
        if number := len(work.decisions.to_apply()):
            notices.append(
                f"Decisions made, while the inbox could not be written: {number:,}. They stand, and the pages have them;"
                " the inbox follows by itself."
            )
        return notices

    def _navigation(self) -> list[tuple[str, str]]:
        """Return the lists with the number of what waits in each; mail is one of them only if something is wrong with it."""
        waiting, new = self.work.inbox.size(), self.work.messages.size()
        failed = self.work.outbox.health(self.now).failed
        lists = [("/", "Queue", waiting), ("/messages", "Messages", new)]
        if failed or not self.context.settings.smtp:
            lists.append(("/mail", "Email", failed))
        return [
            *((address, f"{words} ({number:,})" if number else words) for address, words, number in lists),
            ("/published", "Published"),
            ("/write", "Write"),
            ("/log", "Log"),
            ("/details", "Your details"),
        ]


Handler = Callable[[DeskRequest], Response]


def _dressed(site: Site) -> Site:
    """Return the facts of the site with the desk's own style and policy."""
    style = site.style + site.desk_style
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.split(maxsplit=1) for part in site.headers["Content-Security-Policy"].split(";"))
    policy |= {"style-src": f"'sha256-{digest}'", "script-src": "'none'", "connect-src": "'none'"}
    headers = {"Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items())}
    return replace(site, style=style, headers=site.headers | PRIVATE | headers)
