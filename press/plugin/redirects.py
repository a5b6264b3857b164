"""Redirects from what ``Formerly:`` lists to where an article or a page is now.

An entry is a former slug of an article (``boots``), a path of the site as it was elsewhere (``/2012/03/boots/``;
bytes beyond ASCII percent-encoded), or WordPress's number (``/?p=123``, ``/?page_id=123``).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from contract.comment import ARTICLE_ID

PATH = re.compile(r"/(?!/)[A-Za-z0-9._~/-]*(?:%[89A-Fa-f][0-9A-Fa-f][A-Za-z0-9._~/-]*)*")
NUMBER = re.compile(r"/\?(?:p|page_id)=[0-9]{1,18}")
# What WordPress called its feeds; of use only where a site came from there.
FEEDS = {
    "/feed/": "/feed.xml",
    "/feed": "/feed.xml",
    "/comments/feed/": "/comments.xml",
    "/comments/feed": "/comments.xml",
}


def fault(former: str, *, is_page: bool = False) -> str:
    """Return what is wrong with an entry and the cure, or nothing."""
    path = unquote(former, errors="replace")
    is_path = PATH.fullmatch(former) and path.isprintable() and "\ufffd" not in path and path != "/"
    if is_path or NUMBER.fullmatch(former) or (ARTICLE_ID.fullmatch(former) and not is_page):
        return ""
    slug = "" if is_page else "small letters, digits and single hyphens, 100 at most, or "
    return f"“{former}” must be {slug}a path from the root, like /2012/03/boots/ (letters beyond ASCII percent-encoded)"


def redirects(articles: Iterable[Any], pages: Iterable[Any]) -> dict[str, str]:
    """Return where each former address leads now; a path as its characters, not percent-encoded."""
    led = {old: new for article in articles for former in article.formerly for old, new in _from(former, article.url)}
    led |= {
        old: new for page in pages for former in page.formerly for old, new in _from(former, page.url, has_feed=False)
    }
    return led | (FEEDS if any("?" in old for old in led) else {})


def _from(former: str, url: str, *, has_feed: bool = True) -> Iterator[tuple[str, str]]:
    if not former.startswith("/"):
        yield f"/articles/{former}/", f"/{url}"
        yield f"/articles/{former}/comments.xml", f"/{url}comments.xml"
        return
    path = unquote(former)
    yield path, f"/{url}"
    if path.endswith("/"):
        yield path.rstrip("/"), f"/{url}"
        if has_feed:
            yield f"{path}feed/", f"/{url}comments.xml"
