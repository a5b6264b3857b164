"""Checks of a site beyond its headers: settings, addresses, tags, and HTML that no browser will show."""

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from pelican.contents import Article, Content

from contract.comment import BODY_BYTES, LINE_LENGTH
from contract.header import KEYS
from press.errors import BuildError, refuse, shown

UTF8_BYTES = 3  # at most, for what a browser counts as one character
MOST_DAYS = 3650  # ten years
# First parts of addresses that are not for pages: of the intake, the preview, drafts, and files with a hash in their name.
TAKEN = frozenset({"comments", "preview", "drafts", "theme", "images"})

# What a key of the owner's may not be called: what we or Pelican call something of a text.
OURS = {key.attribute for key in KEYS} | {
    "category",
    "template",
    "url",
    "save_as",
    "path",
    "reader",
    "authors",
    "settings",
}
OURS |= {
    "conversation",
    "comment_count",
    "updated",
    "edited",
    "closes",
    "is_open",
    "minutes",
    "newer",
    "older",
    "social",
}
OURS |= {"appears", "language", "in_other_languages", "in_default_lang", "translations", "timezone", "date_format"}

# Of an intake apart from the site; without TLS on this machine alone.
ORIGIN = re.compile(r"https://[a-z0-9][a-z0-9.-]*(?::\d{1,5})?|http://(?:localhost|127\.0\.0\.1)(?::\d{1,5})?")
FRAMES = {"iframe", "frame", "object", "embed", "fencedframe"}
ELSEWHERE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
PLAIN = r"""/|p>|li>|[uo]l>|h\d|code|pre|em>|strong>|blockquote>|a href="(?:https?:|/|mailto:|\{)[^"<>]*">"""
SUSPECT = re.compile(rf"<(?!{PLAIN})[a-z]", re.IGNORECASE)


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse what the intake does not answer, times that would erase what has just come, or never, and keys that are taken."""
    _check_places(settings["INTAKE"], settings["SITE_URL"], is_preview=settings["PREVIEW"])
    if type(settings["PLAIN_HOST"]) is not bool:
        raise BuildError(f"PLAIN_HOST is {settings['PLAIN_HOST']!r}; it must be True or False")
    for name, most in (("NAME_LENGTH", LINE_LENGTH), ("COMMENT_LENGTH", BODY_BYTES // UTF8_BYTES)):
        length = settings[name]
        if type(length) is not int or not 1 <= length <= most:
            cause = "or one could be sent that can never be published"
            raise BuildError(f"{name} is {length!r}; it must be a whole number from 1 to {most:,}, {cause}")
    for name, least in (("ADDRESS", 1), ("REJECTED", 1), ("MESSAGE", 1), ("BACKUP", 0)):
        days = settings[f"KEEP_{name}_DAYS"]
        if type(days) is not int or not least <= days <= MOST_DAYS:
            raise BuildError(f"KEEP_{name}_DAYS is {days!r}; it must be a whole number from {least} to {MOST_DAYS}")
    feed_uuid(settings)
    for key in settings["HEADER_KEYS"]:
        name = key.lower().replace("-", "_")
        if name in OURS or hasattr(Content, name) or not re.fullmatch(r"[a-z]\w*", name, re.ASCII):
            raise BuildError(f"HEADER_KEYS: “{key}” is taken or no word of letters and digits; choose another")


def _check_places(intake: str, site: str, *, is_preview: bool) -> None:
    """Refuse addresses of intake and site at which a form would reach nobody."""
    if intake not in ("/comments", "") and not ORIGIN.fullmatch(intake):
        cause = "the intake answers at /comments, at a host of its own like https://talk.example.org, or is empty for no forms"
        raise BuildError(f"INTAKE is “{intake}”; {cause}")
    at = urlsplit(site)
    if intake == f"{at.scheme}://{at.netloc}":
        raise BuildError(f"INTAKE is “{intake}”, the site's own host; write /comments")
    if intake == "/comments" and at.path and not is_preview:
        cause = "below a path no intake answers; give it a host of its own, like https://talk.example.org, or leave INTAKE empty"
        raise BuildError(f"INTAKE is “{intake}” and SITE_URL {site}: {cause}")


def feed_uuid(settings: dict[str, Any]) -> UUID:
    """Return what names the site in its feeds.

    Raises:
        BuildError: if it is none.
    """
    try:
        return UUID(settings["FEED_UUID"])
    except ValueError:
        raise BuildError("FEED_UUID must be a UUID; the command uuidgen makes one") from None


def check_ids(articles: Iterable[Article]) -> None:
    """Refuse two articles with one id or address: one would take over the other's comments or readers."""
    seen: dict[tuple[str, str], Article] = {}
    for article in articles:
        language = "" if article.in_default_lang else f"{article.lang}/"
        slugs = [f"{language}{slug}" for slug in (article.slug, *article.formerly)]
        for kind, value in [("Id", article.id), *(("Slug", slug) for slug in slugs)]:
            if other := seen.get((kind, value)):
                cause = f"{kind} “{value}” is also that of {source(other)}; change one of them"
                raise BuildError(f"{source(article)}: {cause}")
            seen[kind, value] = article


def check_addresses(settings: dict[str, Any], contents: Iterable[Content], drafts: Iterable[Content]) -> None:
    """Refuse a page or a file at an address that is something else's.

    Args:
        settings: Pelican's.
        contents: all pages, articles and files that are published or previewed.
        drafts: pages that are not, whose addresses they will have.
    """
    files: dict[str, Content | str] = {
        settings.get(f"{name.upper()}_SAVE_AS", f"{name}.html"): "the site itself"
        for name in settings["DIRECT_TEMPLATES"]
    }
    taken = TAKEN | {file.partition("/")[0] for file in files}
    faults = []
    for content in (*contents, *drafts):
        file, kind = content.save_as, type(content).__name__
        if kind == "Page" and content.in_default_lang and content.slug in taken:
            faults.append(f"{source(content)}: /{content.slug}/ is taken by the site; give the page another Slug")
        elif kind == "Static" and file.startswith(("comments/", "preview/")):
            faults.append(
                f"{source(content)}: what is below /{file.partition('/')[0]}/ never reaches a reader; move it"
            )
        elif file and (other := files.get(file)):
            whose = other if isinstance(other, str) else source(other)
            faults.append(f"{source(content)}: /{file.removesuffix('index.html')} is also that of {whose}; change one")
        files.setdefault(file, content)
    refuse(faults)


def check_tags(articles: Iterable[Article]) -> None:
    """Refuse tags without an address, and two with one."""
    seen: dict[str, tuple[str, Article]] = {}
    faults = []
    for article in articles:
        for tag in getattr(article, "tags", ()):
            if not tag.slug:
                faults.append(f"{source(article)}: Tags: “{tag.name}” makes no address; use letters or digits")
                continue
            name, other = seen.setdefault(tag.slug, (tag.name, article))
            if name.casefold() != tag.name.casefold():
                cause = f"“{tag.name}” and “{name}” in {source(other)} have one address, {tag.slug}"
                faults.append(f"{source(article)}: Tags: {cause}; write both alike, or change one")
    refuse(faults)


def source(content: Content) -> str:
    """Return the file that a text came from."""
    return shown(Path(content.settings["PATH"], content.relative_source_path))


def refused_html(html: str, body: str) -> list[tuple[int, str]]:
    """Return what the site's policy forbids in the HTML of a text: lines below the first of its ``body``, and causes."""
    if not (" style=" in html or SUSPECT.search(html)):
        return []
    parser = _Refusals()
    parser.feed(html)
    parser.close()
    faults: dict[tuple[int, str], None] = {}
    places: dict[str, int] = {}
    for text, tag, cause in parser.found:
        place = body.find(text, places.get(text, -1) + 1)
        places[text] = max(place, places.get(text, -1))
        if place < 0:  # made by Markdown
            place = max(body.lower().find(f"<{tag}"), body.find("style="), 0)
        faults[body.count("\n", 0, place), cause] = None
    return list(faults)


class _Refusals(HTMLParser):
    """The tags that no browser will show or run here: each as written, its name and what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.found += [(self.get_starttag_text() or "", tag, cause) for cause in _causes(tag, values)]


def _causes(tag: str, values: dict[str, str]) -> Iterator[str]:
    address = values.get("src") or values.get("data") or ""
    if tag in FRAMES:
        link = f"[what it shows]({address})" if address else "[what it shows](https://…)"
        yield f"no browser shows a <{tag}> here, for it would hand your readers to another site; write a link: {link}"
    elif tag == "script" and "json" not in values.get("type", "") and (not address or ELSEWHERE.match(address)):
        yield "no browser runs a <script> here but a file of the site's own; delete it, or write a link to what it offers"
    elif tag == "style":
        yield "no browser takes a <style> here; write it into theme/templates/style.css"
    elif tag == "base" or (tag == "meta" and "http-equiv" in values) or (tag == "link" and "rel" in values):
        yield f"<{tag}> belongs into no text; delete it"
    elif tag != "img":  # press.assets.images says it of those
        for name in ("src", "poster", "srcset"):
            if ELSEWHERE.match(values.get(name, "")):
                yield f"{values[name][:80]} is on another site, and no browser will load it here; keep it in content/"
    if tag == "form" and ELSEWHERE.match(values.get("action", "")):
        yield "no browser sends a <form> from here to another site; write a link to the form there"
    for name in values:
        if name == "style":
            yield "no browser takes style= here; delete it, or write a class and style that in theme/templates/style.css"
        elif name.startswith("on"):
            yield f"no browser runs {name}= here; delete it"
        elif name == "href" and values[name].strip().lower().startswith("javascript:"):
            yield "no browser follows a javascript: link here; delete it"
