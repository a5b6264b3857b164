"""Forms: read within limits, refused from other sites; and the headers of private pages."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

CONTENT_TYPE = "application/x-www-form-urlencoded"
BODY_SECONDS = 20.0  # for all of a form; who sends it slower holds a connection that others need
# Private pages: nobody stores them, and their address goes to no other site.
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex"}

Refusal = Callable[[Request, Exception], Awaitable[Response]]


class Refused(Exception):  # noqa: N818  # it is an answer, not a fault
    """A request that no correction of a field would mend; ``status`` and ``headers`` are the answer's, the text is for its reader."""

    def __init__(self, status: int, text: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.headers = status, dict(headers or {})


class SameSite:
    """Middleware against cross-site request forgery: lets only a page's own site post.

    Sec-Fetch-Site decides, Origin where a browser does not send it (W3C, Fetch Metadata Request Headers, 2.3; the
    comparison with Host is RFC 6454's origin without its scheme, which a proxy hides).
    ``refused`` answers the others; a path that ends with ``but`` is posted to by programs, from anywhere.
    ``origin_for`` names the one other origin whose forms post to a path, or none.
    """

    def __init__(
        self, app: ASGIApp, refused: Refusal, but: str = "", origin_for: Callable[[str], str] = lambda path: ""
    ) -> None:
        self._app, self._refused, self._but, self._origin_for = app, refused, but, origin_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD") and not self._is_ours(scope):
            request = Request(scope, receive)
            error = Refused(403, "This form belongs to another site. Open the page that it stands on and use it there.")
            await (await self._refused(request, error))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        if self._but and scope["path"].endswith(self._but):
            return True
        headers = Headers(scope=scope)
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin and site in (None, "same-site", "cross-site") and origin == self._origin_for(scope["path"]):
            return True
        return site == "same-origin" if site else not origin or origin.partition("://")[2] == headers.get("host")


async def read_form(request: Request, *, max_bytes: int, max_fields: int) -> dict[str, str]:
    """Return the fields of a posted form.

    Raises:
        Refused: if it is no form (415), is too large, counted while reading (413), takes too long (408),
            or cannot be read (400).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise Refused(415, "That did not come from a form on this site. Go back and use the form.")
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > max_bytes:
                    raise Refused(413, "That is too long. Go back, shorten it and send it again.")
    except TimeoutError:
        raise Refused(408, "The form took too long to arrive. Go back and send it again.") from None
    except ClientDisconnect:  # no fault of ours, so none in the log
        raise Refused(400, "Part of the form did not arrive. Go back and send it again.") from None
    return parse(bytes(data), max_fields=max_fields)


def parse(data: bytes, *, max_fields: int) -> dict[str, str]:
    """Return the fields of a form, newlines as LF.

    Raises:
        Refused: if there are too many fields, one is given twice, or a byte is not UTF-8.
    """
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=max_fields)
    except UnicodeDecodeError:
        raise Refused(400, "The form was not sent as UTF-8. Go back and send it again.") from None
    except ValueError:
        raise Refused(400, f"The form had more than {max_fields} fields. Go back and send it again.") from None
    fields = {name: value.replace("\r\n", "\n").replace("\r", "\n") for name, value in pairs}
    if len(fields) < len(pairs):
        raise Refused(400, "The form had a field twice. Go back and send it again.")
    return fields
