"""What every page of the intake shares: the theme, the facts of the site, the inbox and its one writer, the limits, the refusals."""

import hmac
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

from jinja2 import FileSystemLoader, TemplateError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from contract.manifest import Site, load
from contract.templates import environment
from postbox.log import fault, place
from postbox.public.rate_limit import Rate, network
from postbox.settings import Settings
from postbox.store.submissions import Inbox, SubmissionMeta
from postbox.store.writer import GroupCommit
from postbox.web.forms import PRIVATE, Refused, read_form

T = TypeVar("T")

FOREVER_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = re.compile(r"[0-9a-f]{32}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class IntakeContext:
    """What faces the readers; it can keep what they send and show pages, and nothing else."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open the inbox; the facts of the site are read again whenever the build writes them."""
        self.settings = settings
        self.clock = clock
        self.inbox = Inbox(settings.inbox)
        self._theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._writer = GroupCommit(Inbox(settings.inbox))
        self._by_sender = Rate(settings.rate_sender, settings.rate_seconds)
        self._by_all = Rate(settings.rate_overall, settings.rate_seconds)
        self._site_path = str(settings.site)
        self._site_stamp = 0
        self._site: Site | None = None
        self._redirects_of: Site | None = None
        self._redirect_headers: list[tuple[bytes, bytes]] = []

    @property
    def site(self) -> Site:
        """The facts of the site as the build last wrote them whole."""
        try:
            stamp = os.stat(self._site_path).st_mtime_ns  # noqa: PTH116  # asked for each answer; a Path costs five times as much
            if self._site is None or stamp != self._site_stamp:
                self._site, self._site_stamp = load(self.settings.site), stamp
        except (OSError, ValueError):
            if self._site is None:
                raise
        return self._site

    async def fields(self, request: Request) -> dict[str, str]:
        """Return the fields of a posted form, within the limits of the settings."""
        return await read_form(request, max_bytes=self.settings.form_bytes, max_fields=self.settings.form_fields)

    async def write(self, operation: Callable[[Inbox], T]) -> T:
        """Change the inbox; durable once this returns."""
        return await self._writer.submit(operation)

    def wait(self, request: Request) -> float:
        """Return the seconds that a sender has to wait before posting again, 0 for none."""
        now = time.monotonic()
        return self._by_sender.wait(network(_address(request)), now) or self._by_all.wait("", now)

    def meta(self, request: Request, fields: Mapping[str, str]) -> SubmissionMeta:
        """Return what is kept with a submission, besides its words."""
        now, address = self.clock(), _address(request)
        words = [part for name in sorted(fields.keys() - {"opened"}) for part in (name, fields[name])]
        since = FOREVER_AGO
        if not _KEY.fullmatch(fields.get("key", "")):  # which the script makes for this one comment
            words += [address, request.headers.get("user-agent", "")]
            since = now - timedelta(seconds=self.settings.resend_seconds)
        return SubmissionMeta(received=now, resend_key=self._mac("again", *words), resend_after=since)

    def seconds_open(self, fields: Mapping[str, str]) -> float | None:
        """Return how long a form was open, where that is known."""
        opened = fields.get("opened", "")
        return self.clock().timestamp() - int(opened) if _SECONDS.fullmatch(opened) else None

    # Answers

    def page(self, template: str, status: int, **values: object) -> Response:
        """Answer with a page of the theme that nobody stores."""
        html = self._theme.get_template(template).render(site=self.site, **values)
        return HTMLResponse(html, status, headers=self.site.headers | PRIVATE)

    def redirect(self, site: Site, place: str) -> Response:
        """Lead from a form to the page below the intake of what was kept, so that a reload sends nothing again."""
        if site is not self._redirects_of:
            headers = Response(status_code=303, headers=site.headers | PRIVATE).raw_headers
            self._redirects_of, self._redirect_headers = site, headers
        answer = Response(status_code=303)
        answer.raw_headers = [*self._redirect_headers, (b"location", quote(site.intake + place).encode())]
        return answer

    def sorry(self, what: str, error: Exception) -> str:
        """Return the words for when nothing can be kept; what stopped it is told to the log alone."""
        fault(error)
        ring = f", or ring {self.site.author} on {self.site.telephone_shown}" if self.site.telephone else ""
        return f"Your {what} could not be sent. It is still in the box. Try again in a minute{ring}."

    def too_often(self, wait: float, page: Callable[[dict[str, str]], Response]) -> Response:
        """Answer who sends more than the limit with the form and every word."""
        minutes = math.ceil(wait / 60)
        when = "in a minute" if minutes == 1 else f"in {minutes} minutes"
        answer = page(
            {
                "": f"That is more than this form takes in so short a time. Your words are still in the box. Try again {when}"
            }
        )
        answer.headers["Retry-After"] = str(math.ceil(wait))
        return answer

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with a sentence, never with a 500."""
        status, reason, headers = 503, "This could not be done just now. Go back and try again in a minute.", {}
        if isinstance(error, Refused):
            request.scope["cause"] = place(error)
            status, reason = error.status, str(error)
        elif isinstance(error, HTTPException):
            status, reason = error.status_code, "That page is not here. It may have moved."
            headers = dict(error.headers or {})
        else:
            fault(error)
        try:
            answer = self.page("refused.html", status, reason=reason)
        except (OSError, ValueError, TemplateError) as broken:  # the theme or the facts
            fault(broken)
            answer = PlainTextResponse(reason, status, headers=PRIVATE)
        answer.headers.update(headers)
        return answer

    async def close(self) -> None:
        """Finish what waits to be kept."""
        await self._writer.close()

    def _mac(self, *parts: str) -> bytes:
        """Name something under the inbox's own key; each part is measured, so that no two lists run into one."""
        words = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(self.inbox.key, words.encode("utf-8", "surrogatepass"), "sha256")


def _address(request: Request) -> str:
    """Return the sender's address; the server takes it from a proxy's header only where that proxy is configured."""
    return request.client.host if request.client else ""
