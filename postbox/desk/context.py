"""Context of the desk: what its process opens once, and what one request has of it.

A handler is a plain function of a ``DeskRequest``. It runs in a thread, with a unit of work of its own, so that one that
waits (for another process, for a page to be live) holds up nobody else.
"""

import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from jinja2 import FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from contract.manifest import STATUS_FILE, BuildStatus, ManifestFile, Site
from contract.templates import environment
from postbox import log
from postbox.desk.auth import Auth
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.unit_of_work import Store, UnitOfWork
from postbox.web.forms import PRIVATE, Refused, read_form

LATER = "This could not be done just now. Try again in a minute."
OUT_OF_DATE = "That page is out of date. Go back, reload it and try again."
PER_PAGE = 20  # items of a list


class DeskContext:
    """What the desk's process holds: the store, the theme, the facts of the site, who may come in."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open everything, finish what a crash left undone, and erase again what a backup has brought back."""
        self.settings, self.clock = settings, clock
        self.store = Store(settings)
        self.auth = Auth(settings, clock)
        self.theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._manifest = ManifestFile(settings.site)
        self._dressed: tuple[Site, Site] | None = None
        with self.store.unit() as work:
            moderation = self.moderation(work)
            moderation.repair()
            moderation.erase_again(now=clock())

    def moderation(self, work: UnitOfWork) -> Moderation:
        """Return moderation within a unit of work."""
        return Moderation(self.store, work)

    @property
    def build_status(self) -> BuildStatus:
        """How the press does."""
        return BuildStatus.load(self.settings.site.with_name(STATUS_FILE))

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
            if is_signed_in and not self.auth.is_signed_in(request):
                raise Refused(401, "You are not signed in.")
            form: Mapping[str, str] = {}
            if request.method == "POST":
                max_fields = self.settings.form_fields + PER_PAGE  # one more for each comment that can be selected
                form = await read_form(request, max_bytes=self.settings.form_bytes, max_fields=max_fields)
            return await run_in_threadpool(self._answer, handler, request, form)

        return endpoint

    def _answer(self, handler: "Handler", request: Request, form: Mapping[str, str]) -> Response:
        with self.store.unit() as work:
            return handler(DeskRequest(self, work, request, form, self.clock()))

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
            is_away = request.headers.get("sec-fetch-site") == "cross-site"
            values = {"reason": reason, "is_out": status == 401, "is_away": is_away}
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
    """One request to the desk: what it asks, and the unit of work that answers it; ``form`` is empty for a GET."""

    context: DeskContext
    work: UnitOfWork
    request: Request
    form: Mapping[str, str]
    now: datetime

    @cached_property
    def site(self) -> Site:
        """The facts of the site, the same for the whole request."""
        return self.context.site

    @cached_property
    def moderation(self) -> Moderation:
        """Moderation within this unit of work."""
        return self.context.moderation(self.work)

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark of the address."""
        return self.request.query_params

    def page(self, template: str, status: int, *, place: str | None, **values: object) -> Response:
        """Answer with a page of the desk; ``place`` is the list it shows, or empty, or None for one without a session.

        A page without a session has no way into the desk.
        """
        values |= {"site": self.site, "place": place, "nav": [], "faults": []}
        if place is not None:
            values |= {"nav": self._navigation(), "faults": self.context.build_status.faults}
        html = self.context.theme.get_template(f"desk/{template}").render(values)
        return HTMLResponse(html, status, headers=self.site.headers)

    def redirect(self, address: str) -> Response:
        """Lead from a form to a page that says what was done, so that a reload does nothing again."""
        return RedirectResponse(address, 303, headers=self.site.headers)

    def _navigation(self) -> list[tuple[str, str]]:
        """Return the lists with the number of what waits in each; mail is one of them only if something is wrong with it."""
        waiting, new = self.work.inbox.size(), self.work.messages.size()
        failed = self.work.outbox.health(self.now).failed
        lists = [("/", "Queue", waiting), ("/messages", "Messages", new)]
        if failed or not self.context.settings.smtp:
            lists.append(("/mail", "Mail", failed))
        return [
            *((address, f"{words} ({number:,})" if number else words) for address, words, number in lists),
            ("/published", "Published"),
            ("/log", "Log"),
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
