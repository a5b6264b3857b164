"""Sender of mail: hands a draft to the server in the settings, or without one writes it to a file."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPRecipientRefused, SMTPResponseException
from jinja2 import Environment

from contract import atomic
from contract.manifest import Site
from postbox.email_address import named
from postbox.mail.message import MailDraft, MailDraftError, compose, one_line
from postbox.settings import MailServer, Settings

WORDS_LENGTH = 300  # of a server's answer


class MailError(Exception):
    """A mail was not taken; the text is the server's own words, on one line.

    ``is_permanent`` says that trying again is pointless: this recipient or these words were refused for good.
    """

    def __init__(self, text: str, *, is_permanent: bool = False) -> None:
        super().__init__(one_line(text, WORDS_LENGTH))
        self.is_permanent = is_permanent


class Mailer:
    """Composes mails in the theme, and sends them by the server in the settings."""

    def __init__(
        self,
        settings: Settings,
        theme: Environment,
        *,
        tls: ssl.SSLContext | None = None,
        step_seconds: float = 30,
        max_seconds: float = 120,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to send; nothing is connected yet.

        Args:
            settings: the server, the sender, and the folder for mails where there is no server.
            theme: an environment that has ``mail/layout.html``.
            tls: how certificates are checked, in place of the system's way (which heeds ``SSL_CERT_FILE``).
            step_seconds: how long the server may take for one answer.
            max_seconds: how long it may take in all.
            clock: gives the date of a mail.
        """
        self._settings = settings
        self._server = settings.mail_server
        self._name, self._address = named(settings.mail_from)
        self._theme = theme
        self._tls = tls
        self._step_seconds, self._max_seconds = step_seconds, max_seconds
        self._clock = clock

    def message(self, draft: MailDraft, site: Site) -> EmailMessage:
        """Return a draft as a message from the sender in the settings.

        Raises:
            MailError: for good, if no mail can be made of it.
        """
        ours = (f"{site.url}/", f"{site.intake_url}/", f"{self._settings.desk_url}/")
        sender = Address(self._name or site.name, addr_spec=self._address)
        try:
            return compose(draft, site, self._theme, sender=sender, date=self._clock(), ours=ours)
        except MailDraftError as error:
            raise MailError(str(error), is_permanent=True) from None

    async def send(self, draft: MailDraft, site: Site) -> None:
        """Hand a draft to the server, or without one write it to a file.

        A server that took the mail and was cut off before it said so will get it again, under the same id.

        Raises:
            MailError: if it was not taken.
        """
        data = self.message(draft, site).as_bytes()
        if self._server:
            await self._hand_over(self._server, draft.to, data)
        else:
            self._keep(draft, data)

    async def _hand_over(self, server: MailServer, to: str, data: bytes) -> None:
        smtp, where, limit = self._client(server), f"{server.host}:{server.port}", asyncio.timeout(self._max_seconds)
        try:
            async with limit:
                await smtp.connect()
                await smtp.mail(self._address)
                await smtp.rcpt(to)
                await smtp.data(data)
            with suppress(SMTPException, OSError):  # what was taken is taken
                await smtp.quit()
        except (SMTPRecipientRefused, SMTPDataError) as error:
            raise _refused(error.code, error.message) from None
        except SMTPResponseException as error:  # at the greeting, at the sign-in, at our own address
            raise MailError(f"{where}: {error.code} {error.message}") from None
        except (SMTPException, OSError) as error:
            words = f"not done after {self._max_seconds:g} seconds" if limit.expired() else _words(error)
            raise MailError(f"{where}: {words}") from None
        finally:
            smtp.close()

    def _client(self, server: MailServer) -> SMTP:
        """Return a client that encrypts, checks the certificate and signs in as the settings say, once it connects."""
        return SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            # Else it would look up the machine's own name, which can take long and is nobody's business.
            local_hostname=self._address.partition("@")[2],
            timeout=self._step_seconds,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",  # refused if it is not offered
            tls_context=self._tls,
        )

    def _keep(self, draft: MailDraft, data: bytes) -> None:
        name = f"{self._clock().astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{draft.message_id.partition('@')[0]}.eml"
        path = self._settings.mail / name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.write(path, data, is_durable=False)
        except OSError as error:
            raise MailError(str(error)) from None


def _refused(code: int, words: str) -> MailError:
    """Return why a recipient or a text was refused; 53x ask for a sign-in first (RFC 4954), which is no fault of the mail."""
    return MailError(f"{code} {words}", is_permanent=500 <= code < 600 and not 530 <= code < 540)


def _words(error: Exception) -> str:
    """Return what the system said, where a fault of SMTP only wraps it."""
    cause = error.__cause__ or error
    if isinstance(cause, ConnectionRefusedError):
        return "Connection refused"  # asyncio says it in words of its own
    return getattr(cause, "strerror", None) or str(cause) or str(error)
