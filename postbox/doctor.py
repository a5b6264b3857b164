"""Doctor of a machine: its names, certificates, processes, mail, rights and backups, one line each with the cure.

Nothing is changed; the databases stay closed, and so it may run as root.
"""

import asyncio
import contextlib
import http.client
import json
import os
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import dns.exception
import dns.resolver
from jinja2 import FileSystemLoader

from contract.manifest import STATUS_FILE, BuildStatus, Site, load
from contract.templates import environment
from postbox.mail.message import MailDraft
from postbox.mail.smtp import Mailer, MailError
from postbox.settings import Settings

PATIENCE_SECONDS = 10
START_SECONDS = 60
CERTIFICATE_DAYS = 14  # both web servers renew a month ahead
BACKUP_HOURS = 30  # a night and some
MOST_FAULTS = 5  # in a line
BACKUPS, SECRETS = Path("/var/backups/site"), Path("/etc/site/desk.env")


@dataclass(frozen=True)
class Finding:
    """What was looked at and found; ``cure`` is empty where nothing is wrong."""

    about: str
    found: str
    cure: str = ""

    @property
    def line(self) -> str:
        """The finding as a person reads it."""
        return f"{'wrong' if self.cure else 'fine '}  {self.about}: {self.found}{f'. {self.cure}' if self.cure else ''}"


def checks(settings: Settings, *, mail: bool = False) -> Iterator[Finding]:
    """Look at everything; ``mail`` sends the owner one."""
    try:
        site = load(settings.site)
    except (OSError, ValueError) as error:
        yield Finding("site", str(error), "See journalctl -u site-press")
        return
    desk = urlsplit(settings.desk_url).hostname or ""
    own = urlsplit(site.url).hostname or ""
    fronts = (urlsplit(site.intake).hostname or "",) if site.is_apart else (own, f"www.{own}")
    for name in (*fronts, desk):
        yield _name(name)
    yield _public("site", f"{site.url}/", (200,), "")
    if site.intake:
        yield _public("intake", f"{site.intake_url}/doctor", (404,), "no-store")
    yield _public("desk", f"{settings.desk_url}/", (200, 303, 401), "no-store")
    yield from started(settings, seconds=0)
    yield _printed(BuildStatus.load(settings.site.with_name(STATUS_FILE)))
    if settings.postgresql:
        yield _inbox(settings)
    yield from _mail(settings, site, mail=mail)
    yield from _rights(settings)
    if site.keep_backup_days:
        yield _backup()


def started(settings: Settings, seconds: float = START_SECONDS) -> Iterator[Finding]:
    """Look whether intake, desk and press are alive, for so many seconds until they are.

    A text that its author has still to mend is no fault of theirs, or no update would get through meanwhile.
    """
    path = settings.site.with_name(STATUS_FILE)
    looks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("intake alive", lambda: _health(settings.host, settings.port)),
        ("desk alive", lambda: _health(settings.desk_host, settings.desk_port)),
        ("press alive", lambda: _press(path, settings.content)),
    )
    deadline = time.monotonic() + seconds
    for about, look in looks:
        while (wrong := look()) and time.monotonic() < deadline:
            time.sleep(1)
        yield Finding(about, wrong or "yes", wrong and f"See journalctl -u site-{about.split()[0]}")


def _name(name: str) -> Finding:
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, 443)})
        return Finding(name, ", ".join(found))
    except OSError:
        return Finding(
            name, "has no address", f"Where you bought the name, add an A record for {name} with this machine's address"
        )


def _public(about: str, url: str, statuses: tuple[int, ...], cached: str) -> Finding:
    """Ask as a reader does, through the public name and its certificate."""
    about = f"{about} from outside"
    parts = urlsplit(url)
    secure = ssl.create_default_context()
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS, context=secure)
    with contextlib.closing(connection):
        try:
            connection.connect()
            ends = ssl.cert_time_to_seconds(str((connection.sock.getpeercert() or {})["notAfter"]))
            connection.request("GET", parts.path)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            return Finding(
                about, f"{url}: {error}", "See journalctl -u caddy (or nginx); ports 80 and 443 must be open to all"
            )
    days = int((ends - time.time()) / 86400)
    if answer.status not in statuses or cached not in (answer.headers["Cache-Control"] or ""):
        return Finding(
            about, f"{url} answers {answer.status}", f"See journalctl -u site-{about.split()[0]}, then online/install"
        )
    if days < CERTIFICATE_DAYS:
        return Finding(about, f"its certificate ends in {days} days", "See journalctl -u caddy, or certbot renew")
    return Finding(about, f"{answer.status}, its certificate is good for {days} days")


def _health(host: str, port: int) -> str:
    """Return what is wrong with a process, in its own words."""
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)) as connection:
        try:
            connection.request("GET", "/healthz")
            wrong = json.loads(connection.getresponse().read())["wrong"]
            return "; ".join(line for line in wrong if not line.startswith("press:"))
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            return f"port {port}: {error}"


def _press(path: Path, content: Path) -> str:
    status = BuildStatus.load(path)
    faults = [fault for fault in status.faults if f"{content.name}/" not in fault.split(": ")[0]]
    found = replace(status, faults=faults).wrong(path, datetime.now(UTC))
    return found if status.watching or status.killed else "it does not watch"


def _printed(status: BuildStatus) -> Finding:
    """Look at what the press could not print, or send to where the site is served."""
    problem = status.push_problem(datetime.now(UTC))
    wrong = "; ".join([*status.faults[:MOST_FAULTS], *([problem] if problem else [])])
    return Finding(
        "texts", wrong or "all are printed", wrong and "Mend that at the desk; journalctl -u site-press says more"
    )


def _inbox(settings: Settings) -> Finding:
    """Ask PostgreSQL as the desk does; nothing is made there."""
    from postbox.store.postgresql import Connection, owns

    cure = f"Correct POSTBOX_INBOX in {SECRETS}, then systemctl restart site-desk"
    try:
        with contextlib.closing(Connection(settings.postgresql, wait_seconds=PATIENCE_SECONDS)) as connection:
            is_desks, version = owns(connection), connection.server_version
    except sqlite3.Error as error:
        return Finding("inbox", str(error), cure)
    if not is_desks:
        return Finding("inbox", "the role of POSTBOX_INBOX does not own the database", cure)
    return Finding("inbox", f"PostgreSQL {version} answers")


def _mail(settings: Settings, site: Site, *, mail: bool) -> Iterator[Finding]:
    if not settings.smtp:
        yield Finding("mail", "no server is set", f"Set POSTBOX_SMTP in {SECRETS}, then systemctl restart site-desk")
        return
    domain = settings.mail_from.rpartition("@")[2].rstrip(">")
    for about, name, begins, record in (
        ("SPF", domain, "v=spf1", "v=spf1 and the servers that your mail service names"),
        ("DMARC", f"_dmarc.{domain}", "v=DMARC1", "v=DMARC1; p=none"),
    ):
        found = [text for text in _texts(name) if text.startswith(begins)]
        cure = "" if len(found) == 1 else f"Keep exactly one TXT record at {name}: {record}"
        yield Finding(about, "; ".join(found) or f"there is no such record at {name}", cure)
    has_keys = _exists(f"_domainkey.{domain}")
    cure = "" if has_keys else "Ask your mail service for its DKIM record, and add that"
    yield Finding("DKIM", f"there is {'a' if has_keys else 'no'} key below _domainkey.{domain}", cure)
    if mail:
        yield _send(settings, site)


def _texts(name: str) -> list[str]:
    try:
        answers = dns.resolver.resolve(name, "TXT", lifetime=PATIENCE_SECONDS)
        return [b"".join(answer.strings).decode("utf-8", "replace") for answer in answers]
    except dns.exception.DNSException:
        return []


def _exists(name: str) -> bool:
    """Tell whether there is a name, or one below: the selector of a key is its sender's secret until a mail comes (RFC 8020)."""
    try:
        dns.resolver.resolve(name, "TXT", lifetime=PATIENCE_SECONDS, raise_on_no_answer=False)
        return True
    except dns.exception.DNSException:
        return False


def _send(settings: Settings, site: Site) -> Finding:
    id = f"doctor.{os.urandom(8).hex()}@{urlsplit(site.url).hostname}"
    text = "This is the email you asked for. Email from your site reaches you."
    draft = MailDraft(to=settings.mail_to, subject="A test from your site", text=text, message_id=id)
    try:
        asyncio.run(Mailer(settings, environment(FileSystemLoader(settings.theme / "templates"))).send(draft, site))
    except MailError as error:
        return Finding("test mail", str(error), f"Correct POSTBOX_SMTP in {SECRETS}, then systemctl restart site-desk")
    return Finding("test mail", f"sent to {settings.mail_to}; look whether it is there, and not among the spam")


def _rights(settings: Settings) -> Iterator[Finding]:
    for path, others in ((settings.desk, 0o077), (settings.erased, 0o077), (settings.inbox, 0o007), (SECRETS, 0o077)):
        if path.exists() and (mode := path.stat().st_mode) & others:
            yield Finding(
                "rights", f"{path} is open to others ({mode & 0o777:o})", f"chmod {mode & 0o7777 & ~others:o} {path}"
            )
            return
    yield Finding("rights", "what is private is closed to others")


def _backup() -> Finding:
    cure = "systemctl enable --now backup-site.timer, and see journalctl -u backup-site"
    times = [path.stat().st_mtime for path in BACKUPS.glob("site-*.tar")] if os.access(BACKUPS, os.R_OK) else []
    if not times:
        return Finding("backup", f"there is none in {BACKUPS}", cure)
    hours = (time.time() - max(times)) / 3600
    return Finding("backup", f"the last is {hours:.0f} hours old", cure if hours > BACKUP_HOURS else "")
