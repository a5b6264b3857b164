"""From a draft to a server or, without one, to a file."""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage

from jinja2 import Environment

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
    """Composes letters in the theme, and sends them by the server in the settings."""

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
            step_seconds: how long the server may take for one step.
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
        ours = (f"{site.url}/", f"{self._settings.desk_url}/")
        sender = Address(self._name or site.name, addr_spec=self._address)
        try:
            return compose(draft, site, self._theme, sender=sender, date=self._clock(), ours=ours)
        except MailDraftError as error:
            raise MailError(str(error), is_permanent=True) from None

    def send(self, draft: MailDraft, site: Site) -> None:
        """Hand a draft to the server, or without one write it to a file; it blocks, so call it in a thread.

        A server that took the mail and was cut off before it said so will get it again, under the same id.
        The time limits begin once the server's name is resolved.

        Raises:
            MailError: if it was not taken.
        """
        data = self.message(draft, site).as_bytes()
        if self._server:
            self._hand_over(self._server, draft.to, data)
        else:
            self._keep(draft, data)

    def _hand_over(self, server: MailServer, to: str, data: bytes) -> None:
        started, where = time.monotonic(), f"{server.host}:{server.port}"
        try:
            with self._connected(server) as smtp:
                smtp.sendmail(self._address, [to], data)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refused(*error.recipients[to]) from None
        except smtplib.SMTPDataError as error:
            raise _refused(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPResponseException as error:  # at the greeting, at the sign-in, at our own address
            raise MailError(f"{where}: {error.smtp_code} {_words(error.smtp_error)}") from None
        except OSError as error:  # every other fault of SMTP and TLS is one, too
            if time.monotonic() - started >= self._max_seconds:
                raise MailError(f"{where}: not done after {self._max_seconds:g} seconds") from None
            raise MailError(f"{where}: {error.strerror or error}") from None

    @contextmanager
    def _connected(self, server: MailServer) -> Iterator[smtplib.SMTP]:
        """Give a connection that is encrypted and signed in as the settings say, and take leave of the server at the end."""
        # Else it would look up the machine's own name, which can take long and is nobody's business.
        us = self._address.partition("@")[2]
        tls = self._tls or ssl.create_default_context()
        if server.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(timeout=self._step_seconds, local_hostname=us, context=tls)
        else:
            smtp = smtplib.SMTP(timeout=self._step_seconds, local_hostname=us)
        # The name on the certificate. Only the constructor sets it, which connects at once, before there is a bound.
        smtp._host = server.host  # type: ignore[attr-defined]  # smtplib has no public way
        with _bound(smtp, self._max_seconds):
            try:
                code, words = smtp.connect(server.host, server.port)
                if code != 220:
                    raise smtplib.SMTPConnectError(code, words)
                if server.scheme == "smtp+starttls":
                    smtp.starttls(context=tls)  # refused if it is not offered
                if server.user:
                    smtp.login(server.user, server.password)
                yield smtp
                with suppress(OSError):  # what was taken is taken
                    smtp.quit()
            finally:
                smtp.close()

    def _keep(self, draft: MailDraft, data: bytes) -> None:
        name = f"{self._clock().astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{draft.message_id.partition('@')[0]}.eml"
        path = self._settings.mail / name
        part = path.with_name(f".{name}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        except OSError as error:
            raise MailError(str(error)) from None


def _refused(code: int, words: bytes | str) -> MailError:
    """Return why a recipient or a text was refused; 53x ask for a sign-in first (RFC 4954), which is no fault of the mail."""
    return MailError(f"{code} {_words(words)}", is_permanent=500 <= code < 600 and not 530 <= code < 540)


def _words(words: bytes | str) -> str:
    return words if isinstance(words, str) else words.decode("utf-8", "replace")


@contextmanager
def _bound(smtp: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """Cut a connection off after so many seconds in all, for the time of a step begins again with every byte that comes."""
    done = threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            wait = 0.1
            with suppress(OSError):  # it shakes hands just now, or has gone
                if connection := smtp.sock:
                    # Not its own method: one with TLS would change under the hands of who reads from it.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
