"""Redirects from what ``Formerly:`` lists to where an article or a page is now."""

from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from pelican.contents import Article, Content

from press.errors import refuse
from press.plugin.checks import source

# What WordPress called its feeds; of use only where a site came from there.
FEEDS = {
    f"{old}{end}": new
    for old, new in (("/feed", "/feed.xml"), ("/comments/feed", "/comments.xml"))
    for end in ("/", "")
}


def redirects(contents: Iterable[Content]) -> dict[str, str]:
    """Return where each former address leads now; a path as its characters, not percent-encoded.

    Raises:
        BuildError: with each former address that is another text's too, or still one.
    """
    contents = list(contents)
    led: dict[str, str] = {}
    owners = {f"/{content.url}": content for content in contents}
    faults = []
    for content in contents:
        for former in content.formerly:
            for old, new in _from(former, content):
                if (other := owners.setdefault(old, content)) is not content or old == new:
                    faults.append(f"{source(content)}: Formerly: {former} is an address of {source(other)}; delete one")
                led[old] = new
    refuse(faults)
    return led | (FEEDS if any("?" in old for old in led) else {})


def _from(former: str, content: Content) -> Iterator[tuple[str, str]]:
    url, has_feed = content.url, isinstance(content, Article)
    if not former.startswith("/"):
        old = f"/{url.removesuffix(f'{content.slug}/')}{former}/"
        yield from ((old, f"/{url}"), (old.rstrip("/"), f"/{url}"))
        if has_feed:
            yield f"{old}comments.xml", f"/{url}comments.xml"
        return
    path = unquote(former)
    yield path, f"/{url}"
    if path.endswith("/"):
        yield path.rstrip("/"), f"/{url}"
        if has_feed:
            yield f"{path}feed/", f"/{url}comments.xml"
    elif "?" not in path and "." not in path.rpartition("/")[2]:
        yield f"{path}/", f"/{url}"
