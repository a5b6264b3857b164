"""Shared by tests: mail."""

# ruff: noqa: N802  # the names of the hooks are aiosmtpd's
import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a mail, with LF."""
    body = message.get_body(("plain",))
    assert body
    return str(body.get_content()).replace("\r\n", "\n")


def html_of(message: EmailMessage) -> str:
    """Return the HTML of a mail, with LF."""
    body = message.get_body(("html",))
    assert body
    return str(body.get_content()).replace("\r\n", "\n")


class Taking:
    """A server's decisions: takes what comes, unless told otherwise."""

    def __init__(self, *, rcpt: str = "", data: str = "", mail: str = "", delay: float = 0) -> None:
        self.rcpt, self.data, self.mail, self.delay = rcpt, data, mail, delay
        self.taken: list[Envelope] = []
        self.users: list[str] = []
        self.encrypted: list[bool] = []

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.mail or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.rcpt or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.delay)
        if not self.data:
            self.taken.append(envelope)
            assert server.transport
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return self.data or "250 taken"

    def sign_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Know one user."""
        self.users.append(data.login.decode())
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


PASSWORD = "p@ss:w/rd #1"


class DroppingInData(SMTP):
    """Hangs up when it has read the beginning of a mail."""

    async def smtp_DATA(self, arg: str | None) -> None:
        await self.push("354 go on")
        await self._reader.read(10)
        assert self.transport
        self.transport.close()


@contextmanager
def running(
    handler: Any, *, kind: type[SMTP] = SMTP, ssl_context: ssl.SSLContext | None = None, **options: Any
) -> Iterator[int]:
    """Run a real SMTP server on a free port of this machine, in a thread; give the port."""
    loop = asyncio.new_event_loop()
    listening = loop.create_server(
        lambda: kind(handler, loop=loop, hostname="mx.example", **options), "127.0.0.1", 0, ssl=ssl_context
    )
    server = loop.run_until_complete(listening)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def end() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
