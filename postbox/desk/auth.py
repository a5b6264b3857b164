"""Authentication of the author: sign-in by a link that works once, the session's cookie, signing out."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from postbox.desk.sessions import SESSION_LASTS, SignIn
from postbox.settings import Settings
from postbox.store.tokens import sign_in_token
from postbox.web.forms import Refused

if TYPE_CHECKING:
    from postbox.desk.context import DeskRequest


class Auth:
    """Who may come in; the cookie goes to this host alone and to no script."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.sessions, self._clock = SignIn(settings.desk), clock
        is_secure = settings.desk_url.startswith("https:")
        self.cookie = "__Host-desk" if is_secure else "desk"
        # Without a mail server emails are files, which only who runs the site on this machine can read.
        self.can_email = bool(settings.smtp) or not is_secure
        self.attributes: dict[str, Any] = {"secure": is_secure, "httponly": True, "samesite": "strict"}

    def is_signed_in(self, request: Request) -> bool:
        """Tell whether a request comes with an open session."""
        return self.sessions.is_open(request.cookies.get(self.cookie, ""), self._clock())


def link(desk: "DeskRequest") -> Response:
    """Show the button that signs in; the link itself does nothing, for scanners of mail open it too."""
    return desk.page("sign_in.html", 200, place=None, token=desk.request.path_params["token"])


def send_link(desk: "DeskRequest") -> Response:
    """Email a link to the author's own address; the answer is the same whether the hour has had its three or not."""
    auth, id = desk.context.auth, secrets.token_urlsafe(16)
    if auth.can_email and desk.work.outbox.send_sign_in(id, desk.now):
        auth.sessions.keep_link(sign_in_token(desk.context.store.key, id), desk.now)
    return desk.page("sent.html", 200, place=None)


def sign_in(desk: "DeskRequest") -> Response:
    """Use a link up and open a session."""
    auth = desk.context.auth
    session = auth.sessions.redeem(desk.form.get("token", ""), desk.now)
    if not session:
        raise Refused(401, "That link was used before, or is older than 15 minutes.")
    response = desk.redirect("/")
    response.set_cookie(auth.cookie, session, max_age=int(SESSION_LASTS.total_seconds()), **auth.attributes)
    return response


def sign_out(desk: "DeskRequest") -> Response:
    """Close the session."""
    auth = desk.context.auth
    auth.sessions.close(desk.request.cookies[auth.cookie])
    response = desk.redirect("/")
    response.delete_cookie(auth.cookie, **auth.attributes)
    return response
