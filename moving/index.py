"""First pass: what an import holds, and what each item will be called here.

Names follow from the export and from what stands, so that a second run, a newer export and a run that was interrupted
give the same ones. Nothing is remembered besides.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote, urljoin, urlsplit

from anyascii import anyascii

from contract.comment import ARTICLE_ID, CONTROL, DATE_FORMAT, ID, LINE_LENGTH
from moving import records
from moving.addresses import Addresses, former_path, page_key
from moving.records import Attachment, Comment, Head, MovingError, Post, Record, Thread
from moving.site import Site, Standing

ID_CHARACTERS = 100
EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post goes: its id or slug, its file below content/, what is to be led to it, and what to tell of that."""

    kind: str
    id: str
    slug: str
    path: str
    formerly: tuple[str, ...]
    is_live: bool
    remarks: tuple[str, ...]


@dataclass(slots=True)
class _Post:
    key: str
    number: str
    kind: str
    state: str
    slugs: tuple[str, ...]  # the first, …, today's
    link: str
    date: datetime | None


@dataclass(frozen=True, slots=True)
class _Comment:
    thread: str
    parent: str
    state: str
    sign: int  # of its writer's name and its second
    date: datetime | None


@dataclass
class Index:
    """The first pass over all files of an import."""

    site: Site
    prefix: str  # for a comment whose number is another's here
    now: datetime
    addresses: Addresses
    places: dict[str, Place] = field(default_factory=dict)  # by post
    threads: dict[str, str] = field(default_factory=dict)  # article ids
    names: dict[str, str] = field(default_factory=dict)  # ids here by a comment's key
    parents: dict[str, str] = field(default_factory=dict)  # the key each reply is kept below
    needed: set[str] = field(default_factory=set)  # keys that are not published, and below which others stand
    circles: set[str] = field(default_factory=set)
    twins: set[str] = field(default_factory=set)  # keys of what another system’s export has brought before
    _posts: dict[str, _Post] = field(default_factory=dict)
    _thread_addresses: dict[str, str] = field(default_factory=dict)
    _comments: dict[str, _Comment] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)  # one spelling for each address
    _home: str = ""

    def add(self, record: Record) -> None:
        """Take a record in."""
        if isinstance(record, Head):
            if host := urlsplit(record.address).netloc.lower().removeprefix("www."):
                if self._home and record.is_first and self._home != record.address:
                    raise MovingError(f"{record.place}: another site ({record.address}); bring in one after the other")
                self._home = self._home or record.address
                self.addresses.hosts.add(host)
        elif isinstance(record, Post):
            slugs = (*record.old_slugs, record.slug)
            post = _Post(record.key, record.number, record.kind, record.state, slugs, record.link, record.date)
            self._posts.setdefault(record.key, post)
            for tag in map(tag_of, record.tags):
                self.tags[slug_of(tag)] = min(tag, self.tags.get(slug_of(tag), tag))
        elif isinstance(record, Attachment):
            self.addresses.add_attachment(record)
        elif isinstance(record, Thread):
            self._thread_addresses.setdefault(record.key, record.address)
        elif isinstance(record, Comment):
            sign = sign_of(name_of(record.author), record.date)
            self._comments.setdefault(
                record.key, _Comment(record.thread, record.parent, record.state, sign, record.date)
            )

    def settle(self) -> None:
        """Work the names out, once all files were read."""
        posts = sorted(
            (p for p in self._posts.values() if p.state != records.LEFT_OUT),
            key=lambda p: (len(p.number), p.number, p.key),
        )
        _Names(self, posts).give()
        self.tags |= {slug_of(tag): tag for text in self.site.standing for tag in text.tags}
        self._match_threads()
        self._name_comments()
        self._settle_replies()
        self.addresses.comments = {
            self.names[key] for key, c in self._comments.items() if key in self.names and c.state == records.PUBLISHED
        }

    def parent_of(self, key: str) -> str:
        """Return the id that a comment answers, or nothing."""
        parent = self.parents.get(key, "")
        return self.names.get(parent, "") if parent else ""

    def comment(self, key: str) -> _Comment | None:
        """Return what is known of a comment."""
        return self._comments.get(key)

    def address_of(self, thread: str) -> str | None:
        """Return the old address of a thread, or None where the export gives none."""
        return self._thread_addresses.get(thread)

    def _match_threads(self) -> None:
        """Find the article of each thread: by the post it belongs to, by an address, or by an article's own id."""
        here: dict[str, str] = {}
        for text in self.site.standing:
            if text.kind == "article" and text.id:
                self.threads.setdefault(text.id, text.id)
                for address in (self.site.article_path(text.slug), *text.formerly):
                    here.setdefault(page_key(address), text.id)
        for key, place in self.places.items():
            if place.kind == "post":
                self.threads[key] = place.id
        for key, address in self._thread_addresses.items():
            self.threads.pop(key, "")
            if found := here.get(page_key(urljoin("https://x.invalid/", address))):
                self.threads[key] = found

    def _name_comments(self) -> None:
        """Give each comment its own number, or that with a prefix; one that another system brought has its id from there."""
        mine: dict[str, str] = {}
        twins: dict[str, dict[int, str]] = {}
        for key, comment in self._comments.items():
            if not (article := self.threads.get(comment.thread, "")) or not ID.fullmatch(key):
                continue
            if article not in twins:
                stand = self.site.comments_of(article)
                twins[article] = {
                    sign_of(c.author, c.date): c.id for c in stand if c.date and c.id not in self._comments
                }
            if twin := twins[article].get(comment.sign):
                self.names[key] = twin
                self.twins.add(key)
                continue
            for id in (key, f"{self.prefix}{key}"):
                if (
                    ID.fullmatch(id)
                    and self.site.comments.get(id, article) == article
                    and mine.setdefault(id, key) == key
                ):
                    self.names[key] = id
                    break

    def _settle_replies(self) -> None:
        """Keep each reply below what it answers, if that is in the same article; break circles; find the places to keep."""
        gone: dict[str, str] = {}
        for key, comment in self._comments.items():
            article, answered = self.threads.get(comment.thread, ""), self._comments.get(comment.parent)
            is_gone = answered is None and comment.parent != "0" and ID.fullmatch(comment.parent)
            is_here = self.site.comments.get(comment.parent, article) == article
            if is_gone and is_here and gone.setdefault(comment.parent, article) == article:
                self.names.setdefault(comment.parent, comment.parent)  # what stood there is not in the export
                self.parents[key] = comment.parent
            elif answered and answered.thread == comment.thread:
                self.parents[key] = comment.parent
        for key in _circles(self.parents):
            self.circles.add(key)
            del self.parents[key]
        for key, parent in self.parents.items():
            is_shown, above = self._comments[key].state != records.LEFT_OUT, parent
            while is_shown and above and above not in self.needed and not self._is_published(above):
                self.needed.add(above)
                above = self.parents.get(above, "")

    def _is_published(self, key: str) -> bool:
        return key in self._comments and self._comments[key].state == records.PUBLISHED


class _Names:
    """Gives articles and pages their ids, addresses and files, the oldest first."""

    def __init__(self, index: Index, posts: list[_Post]) -> None:
        self._index, self._site, self._posts = index, index.site, posts
        standing = self._site.standing
        self._ids = {text.id: text for text in standing if text.id}
        self._pages = {text.slug: text for text in standing if text.kind == "page"}
        self._numbers = {former: text for text in standing for former in text.formerly if "?" in former}
        self._owners: dict[
            str, str
        ] = {}  # of what leads somewhere: slugs, paths and files, each by the file it leads to
        for text in standing:
            for what in (f"{text.kind}:{text.slug}", text.path, *text.formerly):
                self._owners.setdefault(what, text.path)

    def give(self) -> None:
        drafts = [self._draft(post) for post in self._posts]
        live = {self._url(kind, slug) for _, kind, _, slug, _ in drafts} | {f"/{name}/" for name in self._site.taken}
        for post, _, _, _, path in drafts:  # today's addresses before those of old
            if (former := former_path(post.link)) and former not in live:
                self._owners.setdefault(former, path)
        for post, kind, id, slug, path in drafts:
            wanted = list(self._former(post))
            formerly = [one for one in wanted if one not in live and self._owners.setdefault(one, path) == path]
            remarks = []
            if (
                not former_path(post.link)
                and urlsplit(post.link).path not in ("", "/")
                and post.state == records.PUBLISHED
            ):
                remarks.append(f"its old address cannot be led on: {post.link[:300]}")
            elif kind == "page" and self._url(kind, slug) != f"/{slug_of(post.slugs[-1])}/":
                remarks.append(f"its address is another’s here, and it is now: {self._url(kind, slug)}")
            is_live = post.state == records.PUBLISHED and not (post.date and post.date > self._index.now)
            self._index.places[post.key] = Place(
                kind, id, slug, path, tuple(dict.fromkeys(formerly)), is_live, tuple(remarks)
            )
            for address in (post.link, f"/?{post.number}", *formerly):
                target = f"{{filename}}/{path}" if is_live else ""
                self._index.addresses.targets.setdefault(
                    page_key(address) if "?" not in address or "=" in address else address[1:], target
                )

    def _draft(self, post: _Post) -> tuple[_Post, str, str, str, str]:
        """Return a post with its kind, id, slug and file: those it has here, if it was brought before."""
        slugs = [slug for slug in map(slug_of, post.slugs) if slug]
        fallback = f"{post.kind}-{re.sub(r'[^a-z0-9]+', '', post.number.lower())[:40] or 'x'}"
        id, slug = (slugs[0], slugs[-1]) if slugs else (fallback, fallback)
        date = post.date.strftime(DATE_FORMAT) if post.date else ""
        stood = self._numbers.pop(_number(post), None)
        if not stood:
            alike = self._ids.get(id) if post.kind == "post" else self._pages.get(slug)
            stood = alike if alike and alike.date == date else None
        if stood:
            return post, post.kind, stood.id, stood.slug, stood.path
        if post.kind == "post" and id in self._ids:
            id = fallback
        is_taken = post.kind == "page" and slug in self._site.taken
        if is_taken or f"{post.kind}:{slug}" in self._owners:
            slug = f"{slug[: ID_CHARACTERS - 20]}-{fallback}" if not is_taken else f"{slug}-page"
        path = f"articles/{id}.md" if post.kind == "post" else f"pages/{slug}.md"
        if path in self._owners:
            path = f"{path.removesuffix('.md')}-{fallback}.md"
        self._owners |= {f"{post.kind}:{slug}": path, path: path}
        if post.kind == "post":
            self._ids[id] = Standing(post.kind, path, id, slug, (), "of this import", ())
        return post, post.kind, id, slug, path

    def _former(self, post: _Post) -> Iterator[str]:
        if path := former_path(post.link):
            yield path
        base, _, last = post.link.rstrip("/").rpartition("/")
        for old in post.slugs[:-1]:
            is_last = unquote(last) == unquote(post.slugs[-1]) and old
            if is_last and (path := former_path(f"{base}/{old}{'/' if post.link.endswith('/') else ''}")):
                yield path
        yield _number(post)

    def _url(self, kind: str, slug: str) -> str:
        return self._site.article_path(slug) if kind == "post" else self._site.page_path(slug)


def slug_of(text: str) -> str:
    """Return small letters, digits and single hyphens, 100 at most; of a slug that was cut within a character, what is whole."""
    plain = anyascii(unquote(text, errors="ignore")).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:ID_CHARACTERS].strip("-")
    return slug if ARTICLE_ID.fullmatch(slug) else ""


def tag_of(name: str) -> str:
    """Return a tag as a header can list it, which parts them by commas."""
    return " ".join(re.sub(r"[,;]", " ", CONTROL.sub("", name)).split())


def sign_of(author: str, date: datetime | None) -> int:
    """Return what two comments of one writer in one second share."""
    return hash((author, date))


def name_of(author: str) -> str:
    """Return a writer's name as it can be published: no control characters, and no email address."""
    name = " ".join(CONTROL.sub("", author).split())[:LINE_LENGTH].strip()
    return "" if EMAIL.search(name) else name


def _number(post: _Post) -> str:
    return f"/?{'p' if post.kind == 'post' else 'page_id'}={post.number}"


def _circles(parents: dict[str, str]) -> set[str]:
    """Return one reply of each circle."""
    done: set[str] = set()
    found: set[str] = set()
    for key in parents:
        path: dict[str, None] = {}
        while key and key not in done and key not in path:
            path[key] = None
            key = parents.get(key, "")
        if key in path:
            found.add(key)
        done |= path.keys()
    return found
