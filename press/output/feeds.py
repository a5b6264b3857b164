"""Feeds: that of the comments, the ids of entries, and links written out in full.

Every article has a feed of its comments; that is written here and not by a template, which took nearly twice as long.
"""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha1
from urllib.parse import urljoin
from uuid import UUID

from markupsafe import Markup, escape
from pelican.contents import Article

from contract.addresses import TAG
from contract.manifest import Site
from contract.templates import day
from contract.thread import Entry
from press.output.links import SCHEME

FEED_ENTRIES = 50
SUMMARY_LENGTH, LEEWAY = 300, 5  # characters
ADDRESS = re.compile(r"""(\s(?:href|src|poster)\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


@dataclass(frozen=True)
class Newest:
    """The newest comments on some articles, for a feed: ``(article, entry, date)``; they are looked for when asked for."""

    articles: list[Article]

    def __iter__(self) -> Iterator[tuple[Article, Entry, datetime]]:
        talked = [(_newest(article), place) for place, article in enumerate(self.articles) if article.comment_count]
        # An article that none of the latest came to has none of them.
        places = sorted(place for _, place in heapq.nlargest(FEED_ENTRIES, talked))
        found = [
            (article, entry, entry.comment.date or article.date)
            for article in (self.articles[place] for place in places)
            for entry in article.conversation
            if not entry.comment.removed
        ]
        found.reverse()  # of two with one date, the later in the conversation is the newer
        return iter(sorted(found, key=lambda dated: dated[2], reverse=True)[:FEED_ENTRIES])


def _newest(article: Article) -> float:
    """Return the date of the newest comment on an article; an undated one takes its article's."""
    known = article.conversation.known
    dates = [known.newest] if known.newest is not None else []
    return max([*dates, article.date.timestamp()] if known.has_undated else dates)  # type: ignore[no-any-return]  # Pelican ships no types


def comment_feed(
    namespace: UUID,
    words: Callable[[str], str],
    site: Site,
    comments: Iterable[tuple[Article, Entry, datetime]],
    article: Article | None = None,
) -> Markup:
    """Return the feed of an article's newest comments, or of all (Atom, RFC 4287, with threads, RFC 4685).

    Args:
        namespace: the site's own UUID.
        words: makes HTML of what a reader wrote.
        site: the facts of the site.
        comments: the comments, the newest first.
        article: the article.
    """
    found = list(comments)
    title = f"Comments on “{article.title}”" if article else f"Comments · {site.name}"
    address = escape(f"{site.url}/{article.url if article else ''}")
    parts = [
        f"""<?xml version="1.0" encoding="utf-8"?>
<?xml-stylesheet type="text/css" href="{escape(site.root + site.feed_style)}"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0" xml:lang="{escape(site.language)}">
<p xmlns="http://www.w3.org/1999/xhtml">This is a feed. Copy the address of this page into a feed reader, and it tells you what is new.
<a href="{escape(site.url)}/">Go to {escape(site.name)}</a></p>
<title>{escape(title)}</title>
<id>{feed_id(namespace, f"{article.id if article else ''}#comments")}</id>
<link href="{address}"/>
<link rel="self" href="{address}comments.xml"/>
<updated>{latest(date for _, _, date in found)}</updated>
""",
        *(_comment_entry(namespace, words, site, *comment) for comment in found),
        "</feed>",
    ]
    return Markup("".join(parts))  # noqa: S704  # each value in it is escaped


def _comment_entry(
    namespace: UUID, words: Callable[[str], str], site: Site, article: Article, entry: Entry, date: datetime
) -> str:
    comment, parent, author = entry.comment, entry.parent, escape(entry.comment.author)
    page = escape(f"{site.url}/{article.url}#comment-")
    reply = (
        parent
        and f'<thr:in-reply-to ref="{feed_id(namespace, f"{article.id}/{parent.id}")}" href="{page}{parent.id}"/>\n'
    )
    return f"""<entry>
<title>{author} on “{escape(article.title)}”</title>
<id>{feed_id(namespace, f"{article.id}/{comment.id}")}</id>
<link href="{page}{comment.id}"/>
<p xmlns="http://www.w3.org/1999/xhtml"><a href="{page}{comment.id}">{day(date, site.timezone) if comment.date else "Read it"}</a></p>
<updated>{date.isoformat()}</updated>
<author><name>{author}</name></author>
{reply or ""}<summary>{escape(_shortened(comment.body))}</summary>
<content type="html">{escape(str(words(comment.body)))}</content>
</entry>
"""


def _shortened(text: str) -> str:
    """Return the beginning of a longer text, cut at a space."""
    if len(text) <= SUMMARY_LENGTH + LEEWAY:
        return text
    return f"{text[: SUMMARY_LENGTH - 3].rsplit(' ', 1)[0]}..."


def feed_id(namespace: UUID, name: str) -> str:
    """Return the permanent name of a feed or of an entry (RFC 9562, version 5): it outlives a move and another date.

    Args:
        namespace: the site's own UUID.
        name: empty for the feed of articles, then ``article``, ``article/comment``, ``#comments``, ``article#comments`` by their ids.
    """
    # As uuid.uuid5 makes it, in a quarter of the time: there are as many as comments, twice over.
    digest = sha1(namespace.bytes + name.encode(), usedforsecurity=False).hexdigest()
    return f"urn:uuid:{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{'89ab'[int(digest[16], 16) % 4]}{digest[17:20]}-{digest[20:32]}"


def latest(dates: Iterable[datetime]) -> str:
    """Return the latest date of a feed; an empty one must have a date too, and the clock would make each build differ."""
    return max(dates, default=datetime(1970, 1, 1, tzinfo=UTC)).isoformat()


def absolute(html: str, url: str) -> str:
    """Write the links of the page at ``url`` out in full, as a feed reader needs them."""

    def full(found: re.Match[str]) -> str:
        address = found[2] or found[3] or found[4] or ""
        return found[0] if SCHEME.match(address) else f'{found[1]}"{urljoin(url, address)}"'

    return TAG.sub(lambda tag: ADDRESS.sub(full, tag[0]), html)
