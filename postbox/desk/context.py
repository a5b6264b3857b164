"""What every page of the desk shares: moderation, the sessions, the facts of the site and the press, the headers, the refusals."""

import hashlib
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jinja2 import FileSystemLoader
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from contract.manifest import STATUS_FILE, BuildStatus, Site, load
from contract.templates import environment
from postbox import log
from postbox.desk.sessions import SESSION_LASTS, SignIn
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.messages import Messages
from postbox.web.forms import PRIVATE, Refused, read_form

Handler = Callable[[Request], Awaitable[Response]]

PAGE = 20  # items of a list
LATER = "This could not be done just now. Try again in a minute."


class DeskContext:
    """Where the author decides; what he sees is drawn here, and who may see it is asked here."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open everything; the facts of the site are read for each answer, as the build last wrote them."""
        self.settings = settings
        self.clock = clock
        self.moderation = Moderation(settings)
        self.messages = Messages(self.moderation.inbox)
        self.outbox = self.moderation.outbox
        self._sign_in = SignIn(settings.desk)
        self._theme = environment(FileSystemLoader(settings.theme / "templates"))
        secure = settings.desk_url.startswith("https:")
        self._cookie = "__Host-desk" if secure else "desk"
        self._cookie_is: dict[str, Any] = {"secure": secure, "httponly": True, "samesite": "strict"}

    @property
    def site(self) -> Site:
        """The facts of the site with the desk's style and headers: no script, kept by nobody."""
        site = load(self.settings.site)
        style = site.style + site.desk_style
        digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = dict(part.split(maxsplit=1) for part in site.headers["Content-Security-Policy"].split(";"))
        policy |= {"style-src": f"'sha256-{digest}'", "script-src": "'none'", "connect-src": "'none'"}
        headers = {"Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items())}
        return replace(site, style=style, headers=site.headers | PRIVATE | headers)

    @property
    def press(self) -> BuildStatus:
        """How the press does."""
        return BuildStatus.load(self.settings.site.with_name(STATUS_FILE))

    async def form(self, request: Request) -> dict[str, str]:
        """Return the fields of a posted form, within the limits of the settings."""
        max_fields = self.settings.form_fields + PAGE  # one more for each comment that can be ticked
        return await read_form(request, max_bytes=self.settings.form_bytes, max_fields=max_fields)

    # Signing in

    async def link(self, request: Request) -> Response:
        """Show the button that signs in; the link itself does nothing, for scanners of mail open it too."""
        return self.page("sign_in.html", 200, self.site, place=None, token=request.path_params["token"])

    async def sign_in(self, request: Request) -> Response:
        """Use a link up and open a session."""
        fields = await self.form(request)
        session = self._sign_in.redeem(fields.get("token", ""), self.clock())
        if not session:
            raise Refused(401, "That link was used before, or is older than 15 minutes.")
        response = self.redirect("/")
        seconds = int(SESSION_LASTS.total_seconds())
        response.set_cookie(self._cookie, session, max_age=seconds, **self._cookie_is)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Close the session."""
        await self.form(request)
        self._sign_in.close(request.cookies[self._cookie])
        response = self.redirect("/")
        response.delete_cookie(self._cookie, **self._cookie_is)
        return response

    def signed_in(self, handler: Handler) -> Handler:
        """Return a handler for the signed in alone."""

        async def guarded(request: Request) -> Response:
            if not self._is_signed_in(request):
                raise Refused(401, "You are not signed in.")
            return await handler(request)

        return guarded

    def _is_signed_in(self, request: Request) -> bool:
        return self._sign_in.is_open(request.cookies.get(self._cookie, ""), self.clock())

    # Answers

    def page(self, template: str, code: int, site: Site, *, place: str | None, **values: object) -> Response:
        """Answer with a page of the desk; ``place`` is the list it shows, or empty, or None for one without a session.

        A page without a session has no way into the desk.
        """
        values |= {"site": site, "place": place}
        values |= {"nav": [], "faults": []} if place is None else {"nav": self._nav(), "faults": self.press.faults}
        html = self._theme.get_template(f"desk/{template}").render(values)
        return HTMLResponse(html, code, headers=site.headers)

    def redirect(self, address: str) -> Response:
        """Lead from a form to a page that says what was done, so that a reload does nothing again."""
        return RedirectResponse(address, 303, headers=self.site.headers)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with a sentence, never with a 500."""
        code, reason, headers = 503, LATER, {}
        if isinstance(error, Refused):
            code, reason = error.status, str(error)
            request.scope["cause"] = log.place(error)
        elif isinstance(error, HTTPException):
            code, reason, headers = error.status_code, "That page is not here.", dict(error.headers or {})
        else:
            log.fault(error)
        try:
            place = "" if self._is_signed_in(request) else None
            if isinstance(error, HTTPException) and place is None:
                code, reason = 401, "You are not signed in."
            # A strict cookie is not sent along a link from another site, like that of mail in the browser.
            is_away = request.headers.get("sec-fetch-site") == "cross-site"
            values = {"reason": reason, "is_out": code == 401, "is_away": is_away}
            answer = self.page("refused.html", code, self.site, place=place, **values)
        except Exception as broken:  # the theme, the facts or a database
            log.fault(broken)
            headers = PRIVATE | {"Content-Security-Policy": "default-src 'none'"}
            answer = PlainTextResponse(LATER, 503)
        answer.headers.update(headers)
        return answer

    def _nav(self) -> list[tuple[str, str]]:
        """Return the lists with the number of what waits in each; mail is one of them only if something is wrong with it."""
        waiting, new = self.moderation.inbox.size(), self.messages.size()
        failed = self.outbox.health(self.clock()).failed
        lists = [("/", "Queue", waiting), ("/messages", "Messages", new), ("/mail", "Mail", failed)]
        lists = [it for it in lists if it[0] != "/mail" or failed or not self.settings.smtp]
        return [
            *((address, f"{words} ({number:,})" if number else words) for address, words, number in lists),
            ("/published", "Published"),
            ("/log", "Log"),
        ]
