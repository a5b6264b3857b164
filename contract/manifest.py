"""Manifest: what the build hands to the others, the public facts of the site and the status of the build.

The build writes the facts as one JSON file (``var/site/site.json``) and its own state beside it (``press.json``);
everything in both is public.
"""

import fcntl
import json
import os
import re
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from markupsafe import Markup

STATUS_FILE = "press.json"  # beside the facts of the site
LOCK_FILE = "press.lock"  # beside both; a press that watches holds it shared, and the system frees it when that dies
PUSH_PATIENCE = timedelta(minutes=15)  # that what was printed may take to where the site is served
BEAT_SECONDS = 30  # how often a press that watches touches it
SILENT_SECONDS = 600  # after which it is not alive; a whole run takes minutes at most
KEPT = ("/theme/", "/images/")  # files here have their hash in their name


@dataclass(frozen=True)
class Conversation:
    """What the intake knows of an article: its title, its address from the root, and until when it takes comments."""

    title: str
    url: str
    closes: str = ""  # ISO 8601 with its zone, or empty for never

    def is_open(self, now: datetime) -> bool:
        """Tell whether a comment sent now is taken."""
        return not self.closes or now < datetime.fromisoformat(self.closes)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The facts of the site; an empty one shows nothing.

    ``url`` is the site's address without a closing slash; ``intake`` the address the forms post to, a path or a whole one
    where the intake has a host of its own, or empty for no forms.
    ``is_plain_host`` tells that the host sends no headers of ours and no redirects.
    ``script`` is the address of what makes the forms easier, where JavaScript is on; ``icon`` of what stands
    for the site in a tab, ``feed_style`` of how a feed looks.
    ``name_length`` and ``comment_length`` are the most characters of each, as a browser counts them.
    ``telephone`` is dialled (E.164), ``telephone_shown`` is read; ``portrait`` is HTML.
    ``accent`` and ``accent_dark`` are the colour of links and buttons on light paper and on dark, for what has no stylesheet.
    ``notices`` says whether readers can ask for mail; ``keep_…_days`` for how long the desk keeps what it may not keep for ever,
    and ``keep_backup_days`` for how long the owner says that backups are kept, 0 for none.
    ``style`` is the one stylesheet, identical on every page, ``desk_style`` what the desk adds to it; ``headers`` go with every answer.
    ``article_count`` counts to three: lists are linked from the second and third article on, and no page should
    change with each further one.
    ``pages`` are the titles of the author's pages by their address.
    ``conversations`` are by article id (for the intake; a template sees none), ``redirects`` from the paths of a former slug to today's.
    """

    name: str
    tagline: str
    language: str
    timezone: str
    author: str
    pronoun: str
    telephone: str
    telephone_shown: str
    invitation: str
    role: str
    trading_name: str
    postal_address: str
    email: str
    area: str
    hours: str
    portrait: str
    url: str
    intake: str
    script: str
    icon: str
    feed_style: str
    name_length: int
    comment_length: int
    notices: bool
    keep_address_days: int
    keep_rejected_days: int
    keep_message_days: int
    keep_backup_days: int
    is_preview: bool
    is_plain_host: bool
    accent: str
    accent_dark: str
    style: str
    desk_style: str
    headers: dict[str, str]
    article_count: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)

    def headers_for(self, path: str) -> dict[str, str]:
        """Return what goes with one file: those with a hash in their name are kept, feeds and images may be shown elsewhere."""
        headers = dict(self.headers)
        if path.startswith(KEPT):
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if path.endswith(".xml") or path.startswith("/images/"):
            del headers["Cross-Origin-Resource-Policy"]
        if path.endswith(".xml"):  # a feed has no place for a style of its own
            policy = headers["Content-Security-Policy"]
            headers["Content-Security-Policy"] = re.sub("style-src [^;]*", "style-src 'self'", policy)
        return headers

    @property
    def root(self) -> str:
        """The path that the site lies below, or empty."""
        return urlsplit(self.url).path

    @property
    def origin(self) -> str:
        """The site's origin as a browser writes it (RFC 6454, 6.2)."""
        scheme, host, *_ = urlsplit(self.url)
        return f"{scheme}://{host.removesuffix({'http': ':80', 'https': ':443'}.get(scheme, ''))}"

    @property
    def is_apart(self) -> bool:
        """Whether the intake answers on another origin than the site."""
        return "://" in self.intake

    @property
    def intake_path(self) -> str:
        """Where the intake answers on the site's own origin, or empty."""
        return "" if self.is_apart else self.intake

    @property
    def intake_url(self) -> str:
        """The whole address of the intake."""
        return self.intake if self.is_apart else f"{self.url}{self.intake}"

    @property
    def elsewhere(self) -> "Site":
        """The facts for a page on another origin, which loads nothing of the site's."""
        return replace(self, script="", icon="", portrait="", is_plain_host=False)

    @property
    def page_policy(self) -> str:
        """The policy as it stands in a page; there frame-ancestors means nothing (W3C, Content Security Policy, 3.3)."""
        return re.sub("; frame-ancestors [^;]*", "", self.headers["Content-Security-Policy"])

    @property
    def styles(self) -> Markup:
        """The stylesheet as it stands between the style tags, where it may not be escaped."""
        return Markup(self.style)  # noqa: S704  # made by the build from its own theme

    @property
    def picture(self) -> Markup:
        """The portrait as it stands in a page."""
        return Markup(self.portrait)  # noqa: S704  # made by the build from a file of its author


@dataclass(frozen=True, kw_only=True)
class BuildStatus:
    """How the press does; one that nothing is known of has never ``finished``.

    ``finished`` is when the output last became whole (ISO 8601, UTC), ``seconds`` how long that print took.
    ``faults`` is what is wrong with the content since then, each as file, line and cause; the output stayed as it was.
    ``watching`` tells that it prints by itself what is approved.
    ``unsent`` counts the prints that have not arrived where the site is served, where commands send them (``SITE_PUSH``):
    since when, why the last try failed, and since when words of a reader that were taken off are still to be read there.
    ``built`` and ``failed`` are when the last whole run that went well began, and the last that did not; what was written
    before is in it, or was the reason.
    ``live`` is when the page of a comment was printed with it, by the comment's id, for the latest ones.
    ``killed`` tells that it watched, and ended without saying so.
    """

    finished: str = ""
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    watching: bool = False
    unsent: int = 0
    unsent_since: str = ""
    erased_since: str = ""
    push_fault: str = ""
    built: str = ""
    failed: str = ""
    live: dict[str, str] = field(default_factory=dict)
    killed: bool = False

    def push_problem(self, now: datetime) -> str:
        """Return what has not arrived where the site is served, and why, or an empty string while all is well."""
        try:
            is_late = bool(self.unsent) and now - datetime.fromisoformat(self.unsent_since) > PUSH_PATIENCE
        except (ValueError, TypeError):
            is_late = True
        if not self.unsent or not (self.push_fault or is_late):
            return ""
        prints = "one print" if self.unsent == 1 else f"{self.unsent:,} prints"
        erased = "Words that were taken off are still to be read there. " if self.erased_since else ""
        why = self.push_fault or "the commands in SITE_PUSH have not ended"
        return f"{erased}Where the site is served it is {prints} behind: {why}"

    def dumps(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    def wrong(self, path: Path, now: datetime) -> str:
        """Return in a sentence what is wrong with the press that has written this to ``path``, if anything is."""
        if self.killed:
            return "it was killed, or ended by a fault; systemctl restart site-press"
        silent = now.timestamp() - path.stat().st_mtime if self.watching else 0.0
        if silent > SILENT_SECONDS:
            return f"nothing has been heard of it for {silent // 60:.0f} minutes; systemctl restart site-press"
        return f"{len(self.faults)} faults keep new pages from being built; {path} says which" if self.faults else ""

    @classmethod
    def load(cls, path: Path) -> "BuildStatus":
        """Read what the press has written; if that is not there, damaged or another version's, nothing is known."""
        try:
            press = cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return cls()
        is_whole = all(type(value) is type(known) for value, known in zip(astuple(press), astuple(cls()), strict=True))
        texts = [*press.faults, *press.live.values()] if is_whole else [None]
        if not all(isinstance(text, str) for text in texts):
            return cls()
        is_killed = press.watching and not _is_held(path.with_name(LOCK_FILE))
        return replace(press, watching=press.watching and not is_killed, killed=is_killed)


def _is_held(lock: Path) -> bool:
    """Tell whether a process holds a lock; one that is not there or cannot be tried is taken to be, as on another machine."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def dumps(site: Site) -> str:
    """Return the facts as JSON; ``loads(dumps(site)) == site``."""
    return json.dumps(asdict(site), ensure_ascii=False, indent=1)


def load(path: Path) -> Site:
    """Read the facts that the build has written.

    Raises:
        OSError: if there are none yet.
        ValueError: if they are another version's, or damaged.
    """
    try:
        facts = json.loads(path.read_text("utf-8"))
        conversations = {id: Conversation(**c) for id, c in facts.pop("conversations").items()}
        return Site(**facts, conversations=conversations)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: damaged, or another version's ({error}); build the site again") from None


class ManifestFile:
    """The file of the facts, read again whenever the build has written it."""

    def __init__(self, path: Path) -> None:
        self._path, self._text = path, str(path)
        self._read: tuple[int, Site] | None = None

    def read(self) -> Site:
        """Return the facts as the build last wrote them whole, the same object until it writes them again.

        Raises:
            OSError: if there were never any.
            ValueError: if there were never any of this version.
        """
        try:
            stamp = os.stat(self._text).st_mtime_ns  # noqa: PTH116  # asked for each answer; a Path costs five times as much
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, load(self._path)
        except (OSError, ValueError):
            if self._read is None:
                raise
        return self._read[1]
