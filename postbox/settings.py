"""Settings of the processes: the environment, read once, at the top.

Each is ``POSTBOX_`` and the name of a field below in capitals, like ``POSTBOX_PORT=8080``; ``variable`` has the one that is not.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from postbox.email_address import is_address, is_host, named

KEY_DIGITS = 64  # hexadecimal, of the key that several machines share
SMTP_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class SettingsError(ValueError):
    """A setting cannot be used; the text names it and says what it takes."""


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mails go; ``scheme`` is one of ``SMTP_PORTS``, and without a user nobody signs in."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Folders, addresses and limits; sizes in bytes, times in seconds.

    ``rate_sender`` posts of one network (/24 or /48) and ``rate_overall`` of all are taken in ``rate_seconds``, and as many as
    ``rate_reads`` private pages are drawn for one network.
    ``desk_url`` is where David's browser finds the desk, a host name of its own without a closing slash.
    ``proxy`` is the web server in front, as addresses or networks with commas; only its word is taken for a sender's.
    ``smtp`` is the mail server as a URL, user and password in it percent-encoded; without one mails land in ``mail``.
    ``mail_from`` sends them, ``mail_to`` is the author's own address; both have to be set where ``smtp`` is.
    ``mail_readers`` mails to readers are sent in a day, to all of them together.
    ``postgresql`` is the address of an inbox that several machines share; without one the inbox is a file below ``var``.
    ``inbox_key`` is what its private links are signed with, ``KEY_DIGITS`` hexadecimal digits, the same on each machine.
    """

    content: Path = Path("content")
    theme: Path = Path("theme")
    output: Path = Path("output")
    var: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = 8000
    desk_url: str = "http://127.0.0.1:8001"
    desk_host: str = "127.0.0.1"
    desk_port: int = 8001
    form_bytes: int = 64 * 1024
    form_fields: int = 20
    resend_seconds: int = 600
    rate_sender: int = 30
    rate_overall: int = 600
    rate_reads: int = 600
    rate_seconds: int = 600
    proxy: str = ""
    smtp: str = field(default="", repr=False)
    mail_from: str = "postbox@localhost.invalid"
    mail_to: str = "author@localhost.invalid"
    mail_readers: int = 500
    postgresql: str = field(default="", repr=False)
    inbox_key: str = field(default="", repr=False)

    @property
    def comments(self) -> Path:
        """The folder of published comments."""
        return self.content / "comments"

    @property
    def site(self) -> Path:
        """The facts that the build hands over."""
        return self.var / "site" / "site.json"

    @property
    def inbox(self) -> Path:
        """What readers sent; the intake writes here and nowhere else."""
        return self.var / "inbox"

    @property
    def inbox_disk(self) -> Path:
        """A folder on the disk of this machine that must not be full."""
        return self.var if self.postgresql else self.inbox

    @property
    def desk(self) -> Path:
        """Decisions and the keys that sign them; the intake cannot read it."""
        return self.var / "desk"

    @property
    def proofs(self) -> Path:
        """Where the desk asks the press for the pages of unfinished texts."""
        return self.var / "proofs"

    @property
    def mail(self) -> Path:
        """Where mails land as files while there is no server to take them."""
        return self.var / "mail"

    @property
    def mail_server(self) -> MailServer | None:
        """The server that takes mails, or None.

        Raises:
            SettingsError: if ``smtp`` names none, or would show a password on the way; the text does not repeat it.
        """
        return _mail_server(self.smtp) if self.smtp else None

    @property
    def erased(self) -> Path:
        """The record of what was erased; a restored backup must leave it as it is."""
        return self.var / "erased"


def read(environ: Mapping[str, str]) -> Settings:
    """Return the settings in an environment.

    Raises:
        SettingsError: at a number that is none, a name that no setting has, or a mail server or address that cannot be used.
    """
    defaults = {variable(name): (name, value) for name, value in asdict(Settings()).items()}
    given = {name: value for name, value in environ.items() if name.startswith("POSTBOX_")}
    if unknown := given.keys() - defaults.keys():
        raise SettingsError(f"{min(unknown)} is not a setting; the settings are {', '.join(defaults)}")
    values: dict[str, Any] = {}
    for key, text in given.items():
        name, default = defaults[key]
        try:
            values[name] = type(default)(text)
            if isinstance(default, int) and values[name] < 0:
                raise ValueError
        except ValueError:
            raise SettingsError(f"{key} must be a whole number, not “{text}”") from None
    settings = Settings(**values)
    _check_mail(settings)
    _check_inbox(settings)
    return settings


def variable(name: str) -> str:
    """Return the name that a setting has in the environment."""
    return "POSTBOX_INBOX" if name == "postgresql" else f"POSTBOX_{name.upper()}"


def postgresql_options(address: str) -> dict[str, Any]:
    """Return what an address of PostgreSQL says, by libpq's names.

    Raises:
        SettingsError: if it names no role and no database, or cannot be read; the text does not repeat it.
    """
    from psycopg import ProgrammingError  # where no address is set, nothing of it is loaded
    from psycopg.conninfo import conninfo_to_dict

    options: dict[str, Any] = {}
    if address.startswith("postgresql://"):
        with suppress(ProgrammingError):
            options = conninfo_to_dict(address)
    is_cut = "@" in options.get("host", "")  # a password with a bare @ would be told as part of a host
    if is_cut or not (options.get("user") and options.get("dbname")):
        raise SettingsError(
            "POSTBOX_INBOX must be like postgresql://role:password@host/database, role and password percent-encoded;"
            " leave it out for a file"
        )
    return options


def _check_inbox(settings: Settings) -> None:
    """Refuse an address of another kind, or a key that is none; the texts repeat neither."""
    is_key = len(settings.inbox_key) == KEY_DIGITS and set(settings.inbox_key) <= set("0123456789abcdef")
    if settings.postgresql:
        postgresql_options(settings.postgresql)
    if settings.postgresql and not is_key:
        raise SettingsError(
            f"POSTBOX_INBOX_KEY must be {KEY_DIGITS} hexadecimal digits where POSTBOX_INBOX is set, the same on each machine;"
            " make them with openssl rand -hex 32"
        )
    if settings.inbox_key and not settings.postgresql:
        raise SettingsError("POSTBOX_INBOX_KEY is for POSTBOX_INBOX; without that, the key is a file in var/inbox/")


def _check_mail(settings: Settings) -> None:
    server = settings.mail_server
    try:
        named(settings.mail_from)
    except ValueError:
        raise SettingsError(
            f"POSTBOX_MAIL_FROM must be like David <david@example.org>, not “{settings.mail_from}”"
        ) from None
    if not is_address(settings.mail_to):
        raise SettingsError(f"POSTBOX_MAIL_TO must be one address like david@example.org, not “{settings.mail_to}”")
    for name in ("mail_from", "mail_to") if server else ():
        if getattr(settings, name) == getattr(Settings, name):
            raise SettingsError(f"POSTBOX_{name.upper()} must be set where POSTBOX_SMTP is")


def _mail_server(url: str) -> MailServer:
    form = SettingsError(
        "POSTBOX_SMTP must be like smtp+starttls://user:password@mail.example.org:587 (or smtps://, or smtp://), "
        "user and password in ASCII and percent-encoded"
    )
    try:
        parts = urlsplit(url)
        port = SMTP_PORTS[parts.scheme] if parts.port is None else parts.port
    except (ValueError, KeyError):  # their text repeats what was given
        raise form from None
    host, user, password = parts.hostname or "", unquote(parts.username or ""), unquote(parts.password or "")
    is_ip = _is_ip(host)
    if (
        not (is_host(host) or is_ip)
        or not port
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or not (url + user + password).isascii()
        or not (url + user + password).isprintable()
        or bool(user) != bool(password)
    ):
        raise form
    if user and parts.scheme == "smtp" and not (host == "localhost" or (is_ip and ip_address(host).is_loopback)):
        raise SettingsError("POSTBOX_SMTP would send the password unencrypted; write smtp+starttls:// or smtps://")
    return MailServer(scheme=parts.scheme, host=host, port=port, user=user, password=password)


def _is_ip(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
