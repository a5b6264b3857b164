"""The check of every internal link, fragment, image and feed address in a build; Pelican itself checks only ``{filename}``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit


@dataclass
class _Page(HTMLParser):
    """The addresses a page or a feed refers to, with their lines, and the fragments it offers."""

    links: list[tuple[int, str]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "ugc" in (dict(attrs).get("rel") or "").split():
            return  # what a reader links to may not stop the build
        for name, value in attrs:
            value = value or ""
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src", "poster"):
                self.links.append((self.getpos()[0], value))
            elif name in ("srcset", "imagesrcset"):
                self.links += [
                    (self.getpos()[0], candidate.split()[0]) for candidate in value.split(",") if candidate.split()
                ]
            elif name == "content" and value.startswith(("http://", "https://")):
                self.links.append((self.getpos()[0], value))

    def handle_data(self, data: str) -> None:
        if self.lasttag in ("loc", "uri", "icon", "logo") and data.strip():
            self.links.append((self.getpos()[0], data))
        elif self.lasttag == "content":  # the entry of a feed is HTML, escaped once more
            entry = _parse(data)
            self.links += [(self.getpos()[0] + line - 1, address) for line, address in entry.links]


def dead_links(
    output: Path, site_url: str, *, except_below: tuple[str, ...] = ()
) -> Iterator[tuple[Path, int, str, str]]:
    """Yield ``(file, line, address, cause)`` for each internal address that leads nowhere.

    Args:
        output: the built site.
        site_url: its address; what begins with it is internal.
        except_below: paths that another process answers, like ``/comments``.
    """
    pages = {
        path: _parse(path.read_text("utf-8")) for path in sorted(output.rglob("*")) if path.suffix in (".html", ".xml")
    }
    for path, page in pages.items():
        here = f"{site_url}/{path.relative_to(output).as_posix().removesuffix('index.html')}"
        for line, address in page.links:
            try:
                target, fragment = urldefrag(urljoin(here, address.strip()))
            except ValueError as error:
                yield path, line, address, str(error)
                continue
            if target != site_url and not target.startswith(f"{site_url}/"):
                continue
            place = unquote(urlsplit(target).path) or "/"
            if f"{place}/".startswith(tuple(f"{path}/" for path in except_below if path)):
                continue
            file = output / place.lstrip("/") / "index.html" if place.endswith("/") else output / place.lstrip("/")
            if not file.is_file():
                yield path, line, address, "no such page or file"
            elif fragment and unquote(fragment) not in pages.get(file, _Page()).ids:
                yield path, line, address, f"that page has no id “{unquote(fragment)}”"


def _parse(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    return page
