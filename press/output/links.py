"""Check of every internal link, fragment, image and feed address in a build; Pelican itself checks only ``{filename}``."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
REFERRING = ("href", "src", "poster", "data", "cite")
LISTING = ("srcset", "imagesrcset")
# In feeds and sitemaps
REFERRING_ELEMENTS = ("loc", "uri", "icon", "logo")
SELECTOR = ",".join(f"[{name}]" for name in (*REFERRING, *LISTING, "content"))
FEED_SELECTOR = ",".join((SELECTOR, *REFERRING_ELEMENTS, "content"))

PLAIN = re.compile(r"(?:/[\w-][\w.-]*)*/?(?:#[\w-]*)?", re.ASCII)
# An internal address as it is written, the file of the output that it means, the id in it, and why it means none.
Link = tuple[str, str, str, str]


@dataclass(frozen=True)
class PageLinks:
    """What a page or a feed refers to within the site, and the ids that it offers."""

    links: tuple[Link, ...] = ()
    ids: frozenset[str] = frozenset()


def page_links(text: str, file: str, site_url: str, *, except_below: tuple[str, ...] = ()) -> PageLinks:
    """Read a page or a feed; what it rightly refers to in itself is left out.

    Args:
        text: its source.
        file: its path from the root of the output.
        site_url: the site's address; what begins with it, or with its path, is internal.
        except_below: paths that another process answers, like ``/comments``.
    """
    tree = LexborHTMLParser(text)
    ids = frozenset(node.id or "" for node in tree.css("[id]"))
    here = f"/{file.removesuffix('index.html')}"
    root = urlsplit(site_url).path
    own = (f"{root}{here}#", f"{site_url}{here}#", "#")
    links: dict[Link, None] = {}
    for address in dict.fromkeys(_addresses(tree, is_feed=file.endswith(".xml"))):
        if address.startswith(own) and address.partition("#")[2] in ids:
            continue
        # The same from every page, so that each is worked out once.
        is_rooted = address.startswith(("/", "https:", "http:"))
        if link := _resolve(address, "/" if is_rooted else here, site_url, except_below):
            _, target, fragment, _ = link
            if target != file or (fragment and fragment not in ids):
                links[link] = None
    return PageLinks(tuple(links), ids)


def dead_links(
    checked: Iterable[str], links: Mapping[str, PageLinks], files: Collection[str], *, with_ids: bool = True
) -> Iterator[tuple[str, str, str]]:
    """Yield ``(file, address, cause)`` for each internal address that leads nowhere.

    The fragment of a document or a recording is no id but a setting, like ``#page=2`` (RFC 8118) or ``#t=10`` (W3C Media Fragments).

    Args:
        checked: the files of the pages and feeds to check.
        links: all pages and feeds, by their file.
        files: every file of the output.
        with_ids: whether an id that its page has not is a fault.
    """
    for file in checked:
        for address, target, fragment, fault in links[file].links:
            if fault:
                yield file, address, fault
            elif target not in files:
                yield file, address, "no such page or file"
            elif (
                with_ids
                and fragment
                and (fragment not in links[target].ids if target in links else "=" not in fragment)
            ):
                yield file, address, f"that page has no id “{fragment}”"


def _addresses(tree: LexborHTMLParser, *, is_feed: bool) -> Iterator[str]:
    for node in tree.css(FEED_SELECTOR if is_feed else SELECTOR):
        attributes = node.attributes
        if "ugc" in (attributes.get("rel") or "").split():
            continue  # what a reader links to may not stop the build
        for name, value in attributes.items():
            if name in REFERRING:
                yield value or ""
            elif name in LISTING:
                for candidate in (value or "").split(","):
                    yield from candidate.split()[:1]
            elif name == "content" and value and value.startswith(("http://", "https://")):
                yield value
        if is_feed and node.tag in REFERRING_ELEMENTS:
            yield node.text()
        elif is_feed and node.tag == "content" and "=" in (entry := node.text()):  # HTML, escaped once more
            yield from _addresses(LexborHTMLParser(entry), is_feed=False)


@lru_cache(20_000)
def _resolve(address: str, here: str, site_url: str, except_below: tuple[str, ...]) -> Link | None:
    """Return what an address on the page at ``here`` means, or None if that is not ours."""
    root = urlsplit(site_url).path
    rooted = address.removeprefix(site_url if address.startswith(site_url) else root)
    is_below = address.startswith((f"{root}/", f"{site_url}/"))
    if is_below and PLAIN.fullmatch(rooted):  # nothing is to be worked out
        place, _, fragment = rooted.partition("#")
    else:
        try:
            target, fragment = urldefrag(urljoin(f"{site_url}{here}", address.strip()))
            place = unquote(urlsplit(target).path.removeprefix(root)) or "/"
        except ValueError as error:
            return address, "", "", str(error)
        if target != site_url and not target.startswith(f"{site_url}/"):
            return None
    if f"{place}/".startswith(tuple(f"{path}/" for path in except_below if path)):
        return None
    # A page is named in many links of another; each of its names is held once.
    return address, intern(f"{place}index.html"[1:] if place.endswith("/") else place[1:]), unquote(fragment), ""
