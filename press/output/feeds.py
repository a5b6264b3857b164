"""Feeds: the newest comments, the ids of entries, and links written out in full."""

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin
from uuid import UUID, uuid5

from pelican.contents import Article

from contract.addresses import TAG
from contract.thread import Entry
from press.output.links import SCHEME

FEED_ENTRIES = 50
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


def feed_id(namespace: UUID, name: str) -> str:
    """Return the permanent name of a feed or of an entry (RFC 9562, version 5): it outlives a move and another date.

    Args:
        namespace: the site's own UUID.
        name: empty for the feed of articles, then ``article``, ``article/comment``, ``#comments``, ``article#comments`` by their ids.
    """
    return f"urn:uuid:{uuid5(namespace, name)}"


def latest(dates: Iterable[datetime]) -> str:
    """Return the latest date of a feed; an empty one must have a date too, and the clock would make each build differ."""
    return max(dates, default=datetime(1970, 1, 1, tzinfo=UTC)).isoformat()


def absolute(html: str, url: str) -> str:
    """Write the links of the page at ``url`` out in full, as a feed reader needs them."""

    def full(found: re.Match[str]) -> str:
        address = found[2] or found[3] or found[4] or ""
        return found[0] if SCHEME.match(address) else f'{found[1]}"{urljoin(url, address)}"'

    return TAG.sub(lambda tag: ADDRESS.sub(full, tag[0]), html)
