"""What both web applications ask of a request, and what their private pages answer with."""

from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request

from postbox.form import CONTENT_TYPE, Refused, parse

# Private pages: nobody stores them, and their address goes to no other site.
PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex"}


def refuse_other_sites(headers: Mapping[str, str]) -> None:
    """Let only a page's own site post: Sec-Fetch-Site decides, Origin where a browser does not send it.

    (W3C, Fetch Metadata Request Headers, 2.3; the comparison with Host is RFC 6454's origin without its scheme,
    which a proxy hides.)
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_ours = site == "same-origin" if site else not origin or origin.partition("://")[2] == headers.get("host")
    if not is_ours:
        raise Refused(403, "This form belongs to another site. Open the page that it stands on and use it there.")


async def read_form(request: Request, *, most_bytes: int, most_fields: int) -> dict[str, str]:
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
            if len(data) > most_bytes:
                raise Refused(413, "That is too long. Go back, shorten it and send it again.")
    except ClientDisconnect:  # no fault of ours, so none in the log
        raise Refused(400, "The form did not arrive whole. Go back and send it again.") from None
    return parse(bytes(data), most_fields=most_fields)
