"""SMTP servers that take or refuse, and a place in which mails are composed."""

# ruff: noqa: N802  # the names of the hooks are aiosmtpd's
import asyncio
import email
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from jinja2 import FileSystemLoader

from contract.manifest import Conversation, dumps
from contract.templates import environment
from postbox.mail.compose import Composer
from postbox.mail.message import MailDraft
from postbox.mail.smtp import Mailer
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.messages import Enquiry, Messages
from postbox.store.subscriptions import Subscription, Subscriptions
from tests.support import moderation
from tests.support.facts import a_site
from tests.support.place import ARTICLE, ROOT
from tests.support.store import KEYS, NOW, submission_meta

PASSWORD = "p@ss:w/rd #1"
SITE = a_site(
    name="From the ground up",
    language="en-GB",
    timezone="Europe/London",
    author="David",
    url="https://feet.example",
    intake="/comments",
    accent="#0e5c52",
    accent_dark="#82d3c1",
    conversations={ARTICLE: Conversation("Working on your big toe", "/articles/big-toe/")},
)
BY: dict[str, Any] = {"who": "David", "now": NOW}


class House(moderation.House):
    """A place in which readers leave addresses too, and mails are composed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.subscriptions = Subscriptions(self.inbox)
        theme = environment(FileSystemLoader(settings.theme / "templates"))
        self.notices = Composer(settings, self.moderation, theme)
        self.mailer = Mailer(settings, theme)

    def send(self, *, address: str = "", events: str = "", **fields: Any) -> str:
        """Send a comment, perhaps with an address, which is confirmed if it says what it wants; return its id."""
        id = super().send(**fields)
        with transaction(self.inbox.connection):
            if address:
                self.subscriptions.ask(id, address)
            if events:
                self.subscriptions.choose(id, events.split())
        if address:  # as the desk hears of both at once
            self.decisions.connection.execute("INSERT OR IGNORE INTO arrival VALUES (?, 1)", (id,))
        return id

    def delete(self, id: str) -> None:
        """Delete a comment, as its writer does, from its page too."""
        super().delete(id)
        self.carry_out_deletions()

    def name(self, id: str) -> str:
        """Return the name of a comment's latest revision."""
        return self.review.history(id)[-1].name

    def answered(self, id: str, words: str = "Thank you.", *, now: datetime = NOW + timedelta(minutes=1)) -> str:
        """Answer a comment as David, a moment after it was published; return the answer's id."""
        decision = self.decisions.one(self.moderation.answer(ARTICLE, id, words, who="David", now=now))
        assert decision
        return decision.comment

    def message(self, **fields: Any) -> str:
        """Send a message; return its id."""
        usual = {"name": "Ann", "contact": "ann@reader.example", "body": "Can you ring me?"}
        with transaction(self.inbox.connection):
            return Messages(self.inbox).add(Enquiry(**usual | fields), submission_meta(NOW, key=next(KEYS)), ())

    def subscription(self, id: str) -> Subscription:
        """Return who follows a comment."""
        subscription = self.subscriptions.of(id)
        assert subscription
        return subscription

    def page(self, id: str) -> str:
        """Return the page where a comment's subscription chooses."""
        return f"https://feet.example/comments/mail/{self.subscriptions.token(self.subscription(id))}"

    def draft(self, kind: str, about: str) -> MailDraft | None:
        """Return the draft of a row in the outbox."""
        return self.notices.draft(kind, about, SITE, NOW)

    def mail(self, kind: str, about: str) -> EmailMessage:
        """Return that draft as who receives it reads it."""
        draft = self.draft(kind, about)
        assert draft
        received = email.message_from_bytes(self.mailer.message(draft, SITE).as_bytes(), policy=policy.SMTP)
        assert isinstance(received, EmailMessage)
        return received


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


def links(mail: EmailMessage) -> list[str]:
    """Return what can be clicked in a mail."""
    return [address.replace("&amp;", "&") for address in re.findall(r'href="([^"]*)"', html_of(mail))]


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


def a_place(folder: Path, **fields: Any) -> Settings:
    """Make a place with the shipped comments and theme; return its settings."""
    settings = replace(
        moderation.a_place(folder),
        theme=ROOT / "theme",
        desk_url="https://desk.example",
        mail_from="david@feet.example",
        mail_to="david@home.example",
        **fields,
    )
    settings.site.write_text(dumps(SITE), "utf-8")
    return settings
