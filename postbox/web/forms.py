"""What both web applications ask of a request, and what their private pages answer with."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

CONTENT_TYPE = "application/x-www-form-urlencoded"
# Private pages: nobody stores them, and their address goes to no other site.
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex"}


class Refused(Exception):  # noqa: N818  # it is an answer, not a fault
    """A request that no correction of a field would mend; ``status`` is the answer's, the text is for its reader."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def refuse_other_sites(headers: Mapping[str, str]) -> None:
    """Let only a page's own site post: Sec-Fetch-Site decides, Origin where a browser does not send it.

    (W3C, Fetch Metadata Request Headers, 2.3; the comparison with Host is RFC 6454's origin without its scheme,
    which a proxy hides.)
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_ours = site == "same-origin" if site else not origin or origin.partition("://")[2] == headers.get("host")
    if not is_ours:
        raise Refused(403, "This form belongs to another site. Open the page that it stands on and use it there.")


async def read_form(request: Request, *, max_bytes: int, max_fields: int) -> dict[str, str]:
    """Return the fields of a posted form.

    Raises:
        Refused: if it comes from another site (403), is no form (415), is too large, counted while reading (413),
            or cannot be read (400).
    """
    refuse_other_sites(request.headers)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise Refused(415, "This address takes what a form of this site sends. Go back and use the form.")
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > max_bytes:
                raise Refused(413, "That is too long. Go back, shorten it and send it again.")
    except ClientDisconnect:  # no fault of ours, so none in the log
        raise Refused(400, "The form did not arrive whole. Go back and send it again.") from None
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
