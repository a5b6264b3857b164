"""Reader of WordPress exports (WXR 1.0 to 1.2).

What WordPress showed to everybody is published; what it did not is a draft, is held for the desk or is left out.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path

from moving import records
from moving.items import Element, read_items
from moving.records import Attachment, Comment, Fault, Head, Other, Post, Progress, Record, Remark

DRAFTS = {"draft": "a draft", "pending": "pending", "private": "private", "future": ""}
TEXT_CHARACTERS = 1_000_000  # of one article
WAITED = ("it waited in WordPress",)


class Wxr:
    """One site's exports; who writes in it is learned from each head, for the badge of the author's comments."""

    def __init__(self, timezone: tzinfo) -> None:
        """Read local dates in ``timezone``."""
        self._timezone = timezone
        self._author_ids: set[str] = set()
        self._author_emails: set[str] = set()  # compared, never handed on

    def read(self, path: Path, progress: Progress) -> Iterator[Record]:
        """Yield the records of one file; the comments of an article come before it.

        Raises:
            MovingError: if it is no such export.
        """
        for element in read_items(path, "rss", ("item",), progress):
            if isinstance(element, Fault | Remark):
                yield element
            elif element.name == "rss":
                yield from self._head(element, path.name)
            else:
                yield from self._item(element, path.name)

    def _head(self, root: Element, file: str) -> Iterator[Head]:
        channel = root.first("channel") or root
        for author in channel.all("author"):
            self._author_ids |= {author.of("author_id")} - {""}
            self._author_emails |= {author.of("author_email").casefold()} - {""}
        # base_site_url is that of a whole network of blogs.
        for number, address in enumerate(filter(None, (channel.of("base_blog_url"), channel.of("link")))):
            yield Head(place=f"{file}:{root.line}", address=address, is_first=not number)

    def _item(self, item: Element, file: str) -> Iterator[Record]:
        place, kind, status = f"{file}:{item.line}", item.of("post_type") or "item", item.of("status")
        number = item.of("post_id")
        key = f"{number} {item.of('post_name')}"  # by hand-edited files one number is given twice
        for comment in item.all("comment"):
            yield self._comment(comment, key, kind, file)
        if kind == "attachment":
            meta = _meta(item)
            yield Attachment(
                place=place,
                key=number,
                url=item.of("attachment_url") or item.of("guid"),
                link=item.of("link"),
                parent=item.of("post_parent"),
                title=plain(item.of("title")),
                alt=plain(meta.get("_wp_attachment_image_alt", [""])[0]),
                caption=plain(item.of("excerpt")),
            )
        elif kind not in ("post", "page") or not number:
            yield Other(place=place, kind=kind, title=plain(item.of("title")))
        else:
            yield self._post(item, place, (key, number), kind, status)

    def _post(self, item: Element, place: str, names: tuple[str, str], kind: str, status: str) -> Post:
        state, reason = records.PUBLISHED, ""
        body = item.of("encoded")
        if status in ("trash", "auto-draft", "inherit"):
            state, reason = records.LEFT_OUT, "in the bin" if status == "trash" else f"WordPress’s own ({status})"
        elif len(body) > TEXT_CHARACTERS:
            state, reason, body = records.LEFT_OUT, f"its text is longer than {TEXT_CHARACTERS:,} characters", ""
        elif item.of("post_password"):
            state, reason = records.DRAFT, "protected by a password"
        elif status not in ("publish", "future"):
            state, reason = records.DRAFT, DRAFTS.get(status, f"neither published nor a draft ({status[:40]})")
        return Post(
            place=place,
            key=names[0],
            number=names[1],
            kind=kind,
            state=state,
            reason=reason,
            title=plain(item.of("title")),
            link=item.of("link"),
            slug=item.of("post_name"),
            old_slugs=tuple(_meta(item).get("_wp_old_slug", [])),
            date=self._date(item, "post_date") or _rfc_date(item.of("pubDate")),
            excerpt=item.of("excerpt"),
            body=body,
            tags=tuple(_tags(item)),
            is_closed=item.of("comment_status") == "closed",
        )

    def _comment(self, comment: Element, thread: str, kind: str, file: str) -> Comment:
        state, reason = _judged(comment, kind)
        user = comment.of("comment_user_id")
        email = comment.of("comment_author_email").casefold()
        is_known = user in self._author_ids if self._author_ids else email in self._author_emails
        return Comment(
            place=f"{file}:{comment.line}",
            key=comment.of("comment_id"),
            thread=thread,
            parent=comment.of("comment_parent"),
            state=state,
            reason=reason,
            author=plain(comment.of("comment_author")),
            is_author=user not in ("", "0") and is_known,
            website=comment.of("comment_author_url"),
            date=self._date(comment, "comment_date"),
            body=comment.of("comment_content"),
            held=WAITED if state == records.HELD else (),
        )

    def _date(self, element: Element, name: str) -> datetime | None:
        return _date(element.of(f"{name}_gmt"), UTC) or _date(element.of(name), self._timezone)


def plain(text: str) -> str:
    """Return a line of words: without tags, its entities resolved, its spaces single."""
    return " ".join(unescape(re.sub(r"<[/!a-zA-Z][^<>]*>", "", text)).split())


def _judged(comment: Element, kind: str) -> tuple[str, str]:
    """Return what becomes of a comment, and why where it is not published."""
    type, approved = comment.of("comment_type"), comment.of("comment_approved")
    if type not in ("", "comment"):
        what = {"pingback": "a ping", "trackback": "a ping", "note": "an editor’s note"}
        return records.LEFT_OUT, what.get(type, f"no comment of a reader ({type[:40]})")
    if approved not in ("0", "1", "hold", "approve"):
        return records.LEFT_OUT, {"spam": "spam", "trash": "in the bin"}.get(
            approved, f"neither approved nor waiting ({approved[:40]})"
        )
    if kind != "post":
        return records.LEFT_OUT, f"on a {kind[:40]}, where there are no comments here"
    return (records.PUBLISHED if approved in ("1", "approve") else records.HELD), ""


def _meta(item: Element) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for meta in item.all("postmeta"):
        found.setdefault(meta.of("meta_key"), []).append(meta.of("meta_value"))
    return found


def _tags(item: Element) -> Iterator[str]:
    for category in item.all("category"):
        domain, name = category.attributes.get("domain", ""), plain(category.text)
        if domain in ("tag", "post_tag", "category") and category.attributes.get("nicename") != "uncategorized":
            yield name


def _date(text: str, zone: tzinfo) -> datetime | None:
    try:
        date = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):  # 0000-00-00 is what a draft has, and some published posts
        return None
    return date if date.year >= 1000 else None


def _rfc_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
        date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return date if date.year >= 1970 else None  # “-0001” and the like
