"""One mail: from blocks of plain text to a message, and from a message to a server or, without one, to a file.

The text of a letter is blocks parted by empty lines, and its HTML shows the same blocks:

- lines that all begin with ``> `` are a quotation, the only place for what a reader wrote (``quoted`` makes them);
- a block that ends with a line which is an address of the site or of the desk is a link, its words the lines above;
- everything else is a paragraph, its lines as they are.

A name in a sentence goes through ``one_line``, and every word that one reader sends another through ``plain``.
So a reader's words can neither begin a block nor a header, and nothing of theirs becomes a link of ours.
"""

import re
import smtplib
import socket
import ssl
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from itertools import groupby

from jinja2 import Environment

from postbox.address import is_address, named
from postbox.settings import MailServer, Settings
from postbox.site import Site

COLUMNS = 76
SUBJECT_LENGTH = 120
NAME_LENGTH = 80
WORDS_LENGTH = 300  # of a server's answer

_JOINERS = "\u200c\u200d"  # without them Persian is misspelt and a family of emoji falls apart
# By category: control, format, lone surrogate (UTF-8 has no bytes for it), line and paragraph separator.
_INSTEAD = {"Cc": "", "Cf": "", "Cs": "\ufffd", "Zl": " ", "Zp": " "}
_ID = re.compile(r"[\w.+-]{1,100}@[\w.-]{1,200}", re.ASCII)
_LEAVE = re.compile(r"(?!.*=\?)https?://[\w.:/?&=%~-]{1,800}", re.ASCII)
# What some program that shows mail would make a link of, and a little more; each branch looks at a few signs, so it is linear.
_CLICKABLE = re.compile(
    r"[^\s.]\.[^\W\d_][\w-]"  # host.tld, in any script
    r"|www\.\w"
    r"|[^\W_]:[/\\]"  # https://
    r"|[^\W\d_]:\(?[\w+]"  # mailto:tom, tel:+44
    r"|[/\\]{2}\w"  # //host, \\server
    r"|[^\s@]@[^\s@]"  # tom@host
    r"|(?:[0-9]{1,3}\.){3}[0-9]"
    r"|[a-z0-9]。[a-z0-9]",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One mail before it is a message; ids are left part and host, without angle brackets.

    ``subject`` may hold what a reader wrote.
    ``message_id`` is the same each time that one letter is sent, so that a mail taken twice can be told.
    ``reply_to`` is left out if it is not one address, ``unsubscribe`` is where one click ends such mails (RFC 8058).
    """

    to: str
    subject: str
    text: str
    message_id: str
    in_reply_to: str = ""
    reply_to: str = ""
    unsubscribe: str = ""


@dataclass(frozen=True)
class Block:
    """A part of a letter: ``kind`` is paragraph, quotation or link; ``lines`` are its words, ``address`` is the link's."""

    kind: str
    lines: Sequence[str]
    address: str = ""


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
        most_seconds: float = 120,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to send; nothing is connected yet.

        Args:
            settings: the server, the sender, and the folder for mails where there is no server.
            theme: an environment that has ``mail/letter.html``.
            tls: how certificates are checked, in place of the system's way (which heeds ``SSL_CERT_FILE``).
            step_seconds: how long the server may take for one step.
            most_seconds: how long it may take in all.
            clock: gives the date of a mail.
        """
        self._settings = settings
        self._server = settings.mail_server
        self._name, self._address = named(settings.mail_from)
        self._theme = theme
        self._tls = tls
        self._step_seconds, self._most_seconds = step_seconds, most_seconds
        self._clock = clock

    def message(self, letter: Letter, site: Site) -> EmailMessage:
        """Return the letter as text and HTML, ASCII throughout, each line short enough for any server.

        Raises:
            MailError: for good, if the recipient, an id or the address to unsubscribe is none.
        """
        _check(letter)
        subject = one_line(letter.subject, SUBJECT_LENGTH).replace("=?", "= ?")  # =?utf-8?q?=0A?= would be decoded
        blocks = _blocks(letter.text, (f"{site.url}/", f"{self._settings.desk_url}/"))
        message = EmailMessage(policy=_POLICY)
        message["From"] = Address(self._name or site.name, addr_spec=self._address)
        message["To"] = letter.to
        if is_address(letter.reply_to):
            message["Reply-To"] = letter.reply_to
        message["Subject"] = subject
        message["Date"] = self._clock()
        message["Message-ID"] = f"<{letter.message_id}>"
        if letter.in_reply_to:
            message["In-Reply-To"] = message["References"] = f"<{letter.in_reply_to}>"
        message["Auto-Submitted"] = "auto-generated"
        if letter.unsubscribe:
            message["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        if letter.unsubscribe.startswith("https:"):
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content("\n\n".join("\n".join(_rows(block)) for block in blocks) + "\n")
        html = self._theme.get_template("mail/letter.html").render(site=site, subject=subject, blocks=blocks)
        message.add_alternative(html, subtype="html")
        return message

    def send(self, letter: Letter, site: Site) -> None:
        """Hand a letter to the server, or without one write it to a file; it blocks, so call it in a thread.

        A server that took the mail and was cut off before it said so will get it again, under the same id.
        The time limits begin once the server's name is resolved.

        Raises:
            MailError: if it was not taken.
        """
        data = self.message(letter, site).as_bytes()
        if self._server:
            self._hand_over(self._server, letter.to, data)
        else:
            self._keep(letter, data)

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
            if time.monotonic() - started >= self._most_seconds:
                raise MailError(f"{where}: not done after {self._most_seconds:g} seconds") from None
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
        smtp._host = server.host  # type: ignore[attr-defined]
        with _bound(smtp, self._most_seconds):
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

    def _keep(self, letter: Letter, data: bytes) -> None:
        name = f"{self._clock().astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{letter.message_id.partition('@')[0]}.eml"
        path = self._settings.mail / name
        part = path.with_name(f".{name}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        except OSError as error:
            raise MailError(str(error)) from None


def quoted(words: str) -> str:
    """Return what a reader wrote as a block of its own, a quotation, whatever is in it."""
    lines = (_cleaned(line).expandtabs(4) for line in words.strip().splitlines())
    return "\n".join(f"> {line}".rstrip() for line in lines) or ">"


def one_line(words: str, most: int = NAME_LENGTH) -> str:
    """Return words for the middle of a sentence: one line of at most ``most`` characters, none invisible or turning the others round."""
    line = " ".join(_cleaned(" ".join(words.split()), kept="").split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def plain(words: str) -> str:
    """Return words in which nothing can be clicked: what a program that shows mail could make a link of is “[link]”.

    Whatever stands between two spaces goes as a whole, and rather one word too many. Linear in the length of ``words``.
    """
    return re.sub(r"\S+", lambda found: "[link]" if _is_clickable(found[0]) else found[0], _cleaned(words))


def _is_clickable(word: str) -> bool:
    # Without marks: normalising takes the square of the length of a run of them.
    seen = "".join(c for c in word if unicodedata.category(c)[0] not in "CM")
    return bool(_CLICKABLE.search(unicodedata.normalize("NFKC", seen)))


def _cleaned(text: str, kept: str = f"\n\t{_JOINERS}") -> str:
    """Return a text without the signs that are not seen, of which only ``kept`` stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in kept else _INSTEAD.get(unicodedata.category(c), c) for c in text)


def _check(letter: Letter) -> None:
    if not is_address(letter.to):
        raise MailError(f"“{letter.to}” is not an address", is_permanent=True)
    for id in (letter.message_id, letter.in_reply_to or letter.message_id):
        if not _ID.fullmatch(id):
            raise MailError(f"“{id}” is not the id of a message", is_permanent=True)
    if letter.unsubscribe and not _LEAVE.fullmatch(letter.unsubscribe):
        raise MailError(f"“{letter.unsubscribe}” is not where one can unsubscribe", is_permanent=True)


def _blocks(text: str, ours: tuple[str, ...]) -> list[Block]:
    lines = (line.rstrip() for line in _cleaned(text).expandtabs(4).split("\n"))
    return [_block(list(group), ours) for has_words, group in groupby(lines, key=bool) if has_words]


def _block(lines: list[str], ours: tuple[str, ...]) -> Block:
    if all(line == ">" or line.startswith("> ") for line in lines):
        return Block("quotation", [line[2:] for line in lines])
    if lines[-1].startswith(ours) and re.fullmatch(r"[!-~]+", lines[-1]):
        return Block("link", lines[:-1], lines[-1])
    return Block("paragraph", lines)


def _rows(block: Block) -> Iterator[str]:
    """Yield a block as rows of plain text, wrapped."""
    prefix = "> " if block.kind == "quotation" else ""
    for line in block.lines:
        for row in _wrapped(line, COLUMNS - len(prefix)):
            yield f"{prefix}{row}".rstrip()
    if block.address:
        yield block.address


def _wrapped(line: str, most: int) -> Iterator[str]:
    """Yield a line in rows of at most so many columns; a word that is longer stays whole."""
    if _columns(line) <= most:
        yield line
        return
    row: list[str] = []
    used = 0
    for word in line.split():
        wide = _columns(word)
        if row and used + 1 + wide > most:
            yield " ".join(row)
            row, used = [], 0
        used += wide + bool(row)
        row.append(word)
    yield " ".join(row)


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes (UAX 11)."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.category(c) not in ("Mn", "Me", "Cf")
        for c in text
    )


class _Line(UnstructuredHeader, BaseHeader):
    """A header on one line, or as encoded words if it is not ASCII.

    Python's own folding makes encoded words of any long one, of an id and an address too, where they mean nothing.
    """

    def fold(self, *, policy: Policy) -> str:
        text = str(self)
        if not text.isascii():
            text = Header(text, "utf-8", header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {text}{policy.linesep}"


def _policy() -> Policy:
    headers = HeaderRegistry()
    for name in ("subject", "message-id", "in-reply-to", "references", "list-unsubscribe"):
        headers.map_to_type(name, _Line)
    return SMTP.clone(cte_type="7bit", header_factory=headers)


_POLICY = _policy()


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
