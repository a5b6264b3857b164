"""Old addresses to new ones: links between the site's own texts, files that were uploaded, and what is to be led on.

Nothing is fetched. A link into the old site that leads nowhere here becomes its words, or the build would refuse it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import PurePosixPath
from urllib.parse import parse_qs, quote, unquote, urljoin, urlsplit

from anyascii import anyascii
from bs4 import BeautifulSoup
from bs4.element import Tag

from contract.header import former
from moving.records import Attachment

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
_DOCUMENTS = (
    ".pdf .txt .csv .doc .docx .xls .xlsx .ppt .pptx .odt .ods .odp .epub .zip .gpx .mp3 .m4a .ogg .wav .mp4 .webm .mov"
)
DOCUMENTS = tuple(_DOCUMENTS.split())
SIZE = re.compile(r"-\d{1,5}x\d{1,5}(?=\.\w{1,5}$)|-scaled(?=\.\w{1,5}$)")
FILE_NAME = re.compile(
    r"[\w.-]*\.(?:jpe?g|png|gif|webp|svg)|(?:img|dsc|dscf|dscn|image|photo|p|screenshot)[ _-]*[\d_-]+\w*", re.IGNORECASE
)
# The place of a file below content/, copied there; nothing where it is not to be had.
Fetch = Callable[[Attachment], str]


@dataclass
class Addresses:
    """What stood where; filled in the first pass.

    ``targets`` are files below content/ by their old address, empty for what is not published;
    ``own`` are the addresses of this site that stay, like its front page.
    """

    fetch: Fetch
    faults: Mapping[str, str] = field(default_factory=dict)  # why a file is not to be had
    hosts: set[str] = field(default_factory=set)
    targets: dict[str, str] = field(default_factory=dict)
    attachments: dict[str, Attachment] = field(default_factory=dict)  # by address
    by_key: dict[str, Attachment] = field(default_factory=dict)
    comments: set[str] = field(default_factory=set)  # ids that can be linked to

    def add_attachment(self, attachment: Attachment) -> None:
        """Keep an uploaded file, by its own address and by that of its page."""
        self.by_key[attachment.key] = attachment
        for address in (attachment.url, attachment.link):
            if address:
                self.attachments.setdefault(file_key(address), attachment)

    def gallery(self, keys: list[str], parent: str) -> str:
        """Return the images of a gallery, or of all that were uploaded for an article."""
        found = [self.by_key[key] for key in keys if key in self.by_key]
        found = (
            found or [a for a in self.by_key.values() if a.parent == parent and is_image(a.url)] if not keys else found
        )
        return "\n".join(_figure(attachment) for attachment in found)

    def rewrite(self, soup: BeautifulSoup, here: str) -> Iterator[str]:
        """Point the links and images of a text to where things are now; yield what could not stay as it was.

        Args:
            soup: a cleaned text; changed in place.
            here: its old address.
        """
        wanted = {str(a["href"])[1:] for a in soup.find_all("a", href=True) if str(a["href"]).startswith("#")}
        there = self._anchors(soup, wanted)
        for link in soup.find_all("a"):
            yield from self._link(link, here, there)
        for image in soup.find_all("img"):
            yield from self._image(image, here)

    def _anchors(self, soup: BeautifulSoup, wanted: set[str]) -> set[str]:
        """Keep the ids that a link of this text leads to, and no others."""
        for tag in soup.find_all(lambda tag: tag.get("id") or tag.get("name")):
            id = str(tag.get("id") or tag.get("name"))
            del tag["id"], tag["name"]
            if id in wanted:
                tag["id"] = id
        return {str(tag["id"]) for tag in soup.find_all(id=True)}

    def _link(self, link: Tag, here: str, there: set[str]) -> Iterator[str]:
        href = str(link.get("href") or "").strip()
        if not href or (not link.get_text().strip() and not link.find("img")):
            if not link.get("id"):
                link.unwrap()
            else:
                link.name = "span"
                del link["href"]
            return
        new = (href if href[1:] in there else "") if href.startswith("#") else self._new(href, here)
        if new and not (link.find("img") and is_image(new)):
            link["href"] = new
        else:
            if not new:
                yield f"link made words: {href[:300]}"
            link.unwrap()

    def _new(self, href: str, here: str) -> str:
        """Return where a link leads now, or nothing."""
        try:
            address = urljoin(here, href)
            parts = urlsplit(address)
        except ValueError:
            return ""
        if parts.scheme not in ("http", "https"):
            return _encoded(href) if parts.scheme in ("mailto", "tel") else ""
        if attachment := self._attachment(address):
            return (
                f"{{static}}/{quote(place)}"
                if (place := self.fetch(attachment))
                else ""
                if self.is_own(parts.netloc)
                else _encoded(address)
            )
        if not self.is_own(parts.netloc):
            return _encoded(address) if parts.hostname else ""
        key = page_key(address)
        if target := self.targets.get(key):
            is_comment = parts.fragment.removeprefix("comment-") in self.comments
            return target + (f"#{parts.fragment}" if is_comment and parts.fragment.startswith("comment-") else "")
        return {"": "/", "/feed": "/feed.xml", "/comments/feed": "/comments.xml"}.get(key, "")

    def is_own(self, host: str) -> bool:
        """Tell whether a host is the old site's."""
        return host.lower().removeprefix("www.") in self.hosts

    def _image(self, image: Tag, here: str) -> Iterator[str]:
        try:
            address = urljoin(here, str(image.get("src") or "").strip())
            host = urlsplit(address).netloc
        except ValueError:
            address = host = ""
        attachment = self._attachment(address)
        place = self.fetch(attachment) if attachment else ""
        alt = _alternative(image, attachment)
        if place and alt and is_image(place):
            image["src"], image["alt"] = f"{{static}}/{quote(place)}", alt
            return
        shown = alt or unquote(PurePosixPath(urlsplit(address).path).name) or "image"
        where = f"{{static}}/{quote(place)}" if place else "" if not host or self.is_own(host) else _encoded(address)
        why = (
            "it has no text alternative"
            if place and is_image(place)
            else "it is no photograph"
            if place
            else self.faults.get(file_key(address)) or "its file is not in --uploads"
            if self.is_own(host) or attachment
            else "it is on another site"
        )
        parent = image.find_parent("a")
        if where and address.startswith(("http://", "https://")) and parent is None:
            image.name, image.attrs = "a", {"href": where}
            image.string = shown
        else:
            image.replace_with(shown)
        yield f"image made {'link' if where else 'words'}, as {why}: {address[:300]}"

    def _attachment(self, address: str) -> Attachment | None:
        """Return the uploaded file that an address means: itself, or an image in another size of it."""
        if found := self.attachments.get(file_key(address)):
            return found
        original = SIZE.sub("", file_key(address))
        found = self.attachments.get(original)
        if not found and (stem := re.match(r"(.*)(\.\w+)$", original)):
            found = self.attachments.get(f"{stem[1]}-scaled{stem[2]}")
        if not found and self.is_own(urlsplit(address).netloc) and "/wp-content/uploads/" in address:
            return Attachment(place="", key="", url=address)  # of which the export says nothing
        return found


def page_key(address: str) -> str:
    """Return what names a page of the old site: its path without a closing slash, or its number."""
    try:
        parts = urlsplit(address)
        query = parse_qs(parts.query)
    except ValueError:
        return ""
    number = next((query[name][0] for name in ("p", "page_id") if name in query), "")
    path = re.sub(r"(?:/index\.html?)?/*$", "", unquote(parts.path))
    return f"{path}?{number}" if number else path


def file_key(address: str) -> str:
    """Return what names a file: its host and path, whatever scheme and size it was asked for in."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    number = f"?{found[0]}" if (found := parse_qs(parts.query).get("attachment_id")) else ""
    return f"{parts.netloc.lower().removeprefix('www.')}{unquote(parts.path).rstrip('/')}{number}"


def is_image(place: str) -> bool:
    """Tell whether a file is one that the press shows as a picture."""
    return urlsplit(place).path.lower().endswith(IMAGES)


def uploaded(address: str) -> PurePosixPath | None:
    """Return where a file lies below the folder of uploads, or None if its name leads out of there."""
    path = unquote(urlsplit(address).path)
    below = path.partition("/wp-content/uploads/")[2] or re.sub(r"^/(?:files/|wp-content/)?", "", path)
    place = PurePosixPath(below)
    is_inside = below and not place.is_absolute() and ".." not in place.parts and "\0" not in below
    return place if is_inside else None


def content_place(below: PurePosixPath) -> str:
    """Return where a file goes below content/: plain letters, so that its address is the same everywhere."""
    parts = [re.sub(r"[^a-zA-Z0-9._]+", "-", anyascii(part)).strip("-.") or "file" for part in below.parts]
    folder = "images" if is_image(str(below)) else "files"
    return "/".join([folder, *parts])


def former_path(address: str) -> str:
    """Return the path of an old address as ``Formerly:`` takes it, or nothing where it cannot be led on."""
    try:
        parts = urlsplit(address)
        path = quote(unquote(re.sub("/{2,}", "/", parts.path), errors="strict"), safe="/-._~")
    except ValueError:
        return ""
    where = f"/?{parts.query}" if parts.query and path in ("", "/") else path
    try:
        return (
            former(where)
            if where.startswith("/") and len(where) <= 1000 and not (parts.query and where == path)
            else ""
        )
    except ValueError:
        return ""


def _alternative(image: Tag, attachment: Attachment | None) -> str:
    """Return the words for those who cannot see an image: its own, the file's, its caption, its title unless that is a file name."""
    figure = image.find_parent("figure")
    caption = figure.find("figcaption") if figure else None
    title = attachment.title if attachment and not FILE_NAME.fullmatch(attachment.title) else ""
    choices = (
        str(image.get("alt") or ""),
        attachment.alt if attachment else "",
        caption.get_text() if caption else "",
        attachment.caption if attachment else "",
        title,
    )
    return next((" ".join(words.split()) for words in choices if words.strip()), "")


def _figure(attachment: Attachment) -> str:
    image = f'<img src="{escape(attachment.url)}" alt="{escape(attachment.alt)}">'
    return (
        f"<figure>{image}<figcaption>{escape(attachment.caption)}</figcaption></figure>"
        if attachment.caption
        else f"<p>{image}</p>"
    )


def _encoded(address: str) -> str:
    """Encode what Pelican would take for a mark of its own."""
    return re.sub(r"[{}|]", lambda sign: f"%{ord(sign[0]):02X}", address)
