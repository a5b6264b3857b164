"""WordPress's own text to plain, clean HTML: block marks and shortcodes out, paragraphs in, nothing that runs.

Paragraphs of the classic editor follow what WordPress's wpautop does, in words of our own: a blank line parts two,
a single one breaks the line, and block elements stand apart.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape, unescape
from itertools import accumulate

import nh3
from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, Tag

BLOCK_MARK = re.compile(r"<!--\s*(/?)wp:([a-z][\w/-]*)(?:\s[^<>]*?)?(/?)\s*-->")
MORE = re.compile(r"<!--\s*(?:more\b[^<>]*?|nextpage|noteaser)\s*-->")
DEPTH = 60  # of elements inside each other
CODE_SHORTCODES = "code|sourcecode|source|highlight|php|html|css|js|javascript|python|bash|sql|xml|java|ruby"
SHORTCODE = re.compile(r"\[(/?)([a-z][a-z0-9_-]{1,40})((?:\s+[^\[\]]*)?)\]", re.IGNORECASE)
# Text stands in these; in the others below stand only blocks.
HOLDERS = "p|h[1-6]|li|td|th|dt|dd|figcaption|caption|legend|summary|address"
CONTAINERS = "div|blockquote|section|article|aside|header|footer|nav|main|ul|ol|dl|table|thead|tbody|tfoot|tr|colgroup|figure|details|form|fieldset|center"
INLINE = {*"em i strong b a img br del ins s sub sup small mark abbr cite q kbd samp var dfn time u span code".split()}  # noqa: SIM905  # one a line would be a page
BLOCKS = "p h1 h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote pre hr figure figcaption table caption thead tbody tfoot tr td th div details summary address"
ELEMENTS = {*INLINE, *BLOCKS.split()}
ATTRIBUTES = {
    "*": {"id", "lang", "dir"},
    "a": {"href", "name"},
    "img": {"src", "alt"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start", "reversed"},
    "abbr": {"title"},
    "time": {"datetime"},
    "details": {"open"},
}
CLEANER = nh3.Cleaner(
    tags=ELEMENTS,
    attributes=ATTRIBUTES,
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=None,
    strip_comments=True,
    clean_content_tags={"script", "style", "noscript", "textarea", "select", "title", "template"},
)
_MEDIA = re.compile(
    r"<(iframe|embed|video|audio|object)\b([^<>]*)>(?:(?:(?!<\1\b).)*?</\1\s*>)?", re.IGNORECASE | re.DOTALL
)
_MARK = "\ue000{}\ue001"  # for what is put aside; of no meaning to anyone else


@dataclass
class Wording:
    """HTML of a text, what stood before “more” (HTML too), and what was found that has no place here."""

    html: str = ""
    teaser: str = ""
    shortcodes: set[str] = field(default_factory=set)  # of plugins; their text stays
    blocks: set[str] = field(default_factory=set)  # that WordPress filled in when it was asked
    media: int = 0  # players that became links
    is_flat: bool = False  # it was nested so deeply that its words alone are kept


Images = Callable[[list[str]], str]  # the HTML of a gallery: of these attachments, or of all that belong to the article


def html_of(text: str, gallery: Images) -> Wording:
    """Return what a text of WordPress shows, as HTML of ``ELEMENTS`` alone."""
    found = Wording()
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate({0xE000: None, 0xE001: None})
    before, more, after = _cut(text)
    found.html = _whole(before + after, gallery, found)
    if more:
        found.teaser = _whole(before, gallery, Wording())
    return found


def comment_html(text: str) -> str:
    """Return what a comment of WordPress or Disqus shows."""
    html = CLEANER.clean(paragraphs(text))
    return html if _depth(html) <= DEPTH else paragraphs(re.sub(r"<[^<>]*>", " ", html))


def _cut(text: str) -> tuple[str, bool, str]:
    mark = MORE.search(text)
    return (text[: mark.start()], True, MORE.sub("", text[mark.end() :])) if mark else (text, False, "")


def _whole(text: str, gallery: Images, found: Wording) -> str:
    aside = _Aside()
    text = _code_shortcodes(text, aside)
    text = re.sub(
        r"<(pre|textarea)\b(?:(?!<\1\b).)*?</\1\s*>", lambda m: aside.keep(m[0]), text, flags=re.DOTALL | re.IGNORECASE
    )
    text = re.sub(r"<(script|style)\b(?:(?!<\1\b).)*?</\1\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)
    text = _MEDIA.sub(lambda m: _player(m[1], m[0], found), text)
    text = _shortcodes(text, gallery, found)
    html = "".join(_blocks(text, found))
    html = CLEANER.clean(aside.back(html))
    if _depth(html) > DEPTH:
        found.is_flat = True
        html = paragraphs(re.sub(r"\s+", " ", re.sub(r"<[^<>]*>", " ", html)))
    return html


def _depth(html: str) -> int:
    """Return how many elements stand inside each other at most."""
    steps = (-1 if mark[1] else mark[2] not in ("br", "hr", "img") for mark in re.finditer(r"<(/?)(\w+)", html))
    return max(accumulate(steps), default=0)


class _Aside:
    """Pieces of a text that paragraphs and shortcodes leave alone."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def keep(self, html: str) -> str:
        self._kept.append(html)
        return (
            f"\n\n{_MARK.format(len(self._kept) - 1)}\n\n"
            if html.lower().startswith(("<pre", "<table"))
            else _MARK.format(len(self._kept) - 1)
        )

    def back(self, html: str) -> str:
        return re.sub(r"(?:<p>)?\ue000(\d+)\ue001(?:</p>)?", lambda m: self._kept[int(m[1])], html)


def _code_shortcodes(text: str, aside: _Aside) -> str:
    """Show code as it stands between its shortcodes, which hold it escaped or not."""

    def shown(found: re.Match[str]) -> str:
        code = found[2].strip("\n")
        if "<" not in code and re.search(r"&(?:lt|gt|amp|quot|#0?39);", code):
            code = unescape(code)
        return aside.keep(f"<pre><code>{escape(code, quote=False)}</code></pre>")

    return re.sub(
        rf"\[({CODE_SHORTCODES})(?:\s[^\[\]]*)?\]((?:(?!\[\1\b).)*?)\[/\1\]",
        shown,
        text,
        flags=re.DOTALL | re.IGNORECASE,
    )


def _shortcodes(text: str, gallery: Images, found: Wording) -> str:
    def caption(mark: re.Match[str]) -> str:
        inner = mark[2].strip()
        image = re.match(r"(?:<a\b[^>]*>)?\s*<img\b[^>]*>\s*(?:</a>)?", inner)
        words = inner[image.end() :].strip() if image else ""
        words = words or ((attribute := re.search(r'caption="([^"]*)"', mark[1])) and unescape(attribute[1])) or ""
        if not image:
            return inner
        return (
            f"\n\n<figure>{image[0]}<figcaption>{words}</figcaption></figure>\n\n" if words else f"\n\n{image[0]}\n\n"
        )

    text = re.sub(
        r"\[(?:wp_)?caption\b([^\[\]]*)\]((?:(?!\[(?:wp_)?caption\b).)*?)\[/(?:wp_)?caption\]",
        caption,
        text,
        flags=re.DOTALL,
    )
    text = re.sub(r"\[embed\b[^\[\]]*\]\s*(https?://[^\s\[\]<>\"]+)\s*\[/embed\]", _linked, text)

    def player(mark: re.Match[str]) -> str:
        address = re.search(r'(?:src|mp4|m4v|webm|ogv|mp3|m4a|ogg|wav)\s*=\s*"(https?://[^"<>]+)"', mark[2])
        found.media += bool(address)
        return _linked(address) if address else mark[0]

    text = re.sub(r"\[(audio|video)\b([^\[\]]*)\](?:\s*\[/\1\])?", player, text)

    def pictures(mark: re.Match[str]) -> str:
        ids = re.search(r'(?:ids|include)\s*=\s*"?([\d,\s]+)', mark[1])
        shown = gallery(re.findall(r"\d+", ids[1]) if ids else [])
        return f"\n\n{shown}\n\n"

    text = re.sub(r"\[gallery\b([^\[\]]*)\]", pictures, text)
    closed = {mark[2] for mark in SHORTCODE.finditer(text) if mark[1]}
    found.shortcodes |= {m[2] for m in SHORTCODE.finditer(text) if m[2] in closed or "=" in m[3]}
    return text


def _linked(address: re.Match[str]) -> str:
    where = escape(unescape(address[1]))
    return f'<a href="{where}">{where}</a>'


def _player(name: str, html: str, found: Wording) -> str:
    """Return a link to what a player plays, which no page of ours may frame."""
    address = re.search(r"""\b(?:src|data)\s*=\s*["']?((?:https?:)?//[^\s"'<>]+)""", html, re.IGNORECASE)
    found.media += 1
    if not address:
        return ""
    where = escape(unescape(address[1]).removeprefix("//") if address[1].startswith("//") else unescape(address[1]))
    where = where if where.startswith("http") else f"https://{where}"
    return f'<a href="{where}">{where}</a>'


def _blocks(text: str, found: Wording) -> Iterator[str]:
    """Yield the HTML of the block editor as it stands, and paragraphs of what stands outside every block."""
    depth, at = 0, 0
    for mark in BLOCK_MARK.finditer(text):
        piece = text[at : mark.start()]
        yield piece if depth else paragraphs(piece)
        at = mark.end()
        if mark[3]:
            found.blocks.add(mark[2])
        elif mark[2] != "freeform":
            depth = max(0, depth + (-1 if mark[1] else 1))
    rest = text[at:]
    yield rest if depth else paragraphs(rest)


def tree_of(html: str) -> BeautifulSoup:
    """Return cleaned HTML as a tree in which every word stands in a block, without paragraphs that show nothing."""
    soup = BeautifulSoup(html, "html.parser")
    run: list[PageElement] = []
    for node in [*soup.contents, None]:
        if isinstance(node, NavigableString) or (isinstance(node, Tag) and node.name in INLINE):
            run.append(node)
        elif run:
            if any(isinstance(inline, Tag) or str(inline).strip() for inline in run):
                paragraph = soup.new_tag("p")
                run[0].insert_before(paragraph)
                for inline in run:
                    paragraph.append(inline.extract())
            run = []
    for text in [text for pre in soup.find_all("pre") for text in pre.find_all(string=True)]:
        text.replace_with(text.expandtabs(8))  # as wide as a browser shows them, and Python-Markdown does not
    for paragraph in soup.find_all("p"):
        if not paragraph.get_text().strip(" \t\n\xa0") and not paragraph.find(["img", "a"]):
            paragraph.decompose()
    return soup


def paragraphs(text: str) -> str:
    """Return the paragraphs that the classic editor's blank lines mean, with its line breaks."""
    if not text.strip():
        return ""
    text = re.sub(r"<[^<>]*>", lambda tag: tag[0].replace("\n", " "), text)  # a line may end within a tag
    text = re.sub(rf"(</?(?:{CONTAINERS}|hr)\b[^<>]*>)", r"\n\n\1\n\n", text, flags=re.IGNORECASE)
    text = re.sub(rf"(<(?:{HOLDERS})(?:\s[^<>]*)?>)", r"\n\n\1", text, flags=re.IGNORECASE)
    text = re.sub(rf"(</(?:{HOLDERS})\s*>)", r"\1\n\n", text, flags=re.IGNORECASE)
    made = []
    for piece in re.split(r"\n\s*\n", text):
        words = re.sub(r"\s*<br\s*/?>\s*", "<br>", piece.strip(), flags=re.IGNORECASE).replace("\n", "<br>")
        if not words:
            continue
        is_block = re.match(rf"</?(?:{CONTAINERS}|{HOLDERS}|hr)\b|\ue000\d+\ue001$", words, re.IGNORECASE)
        is_rest = re.search(rf"</(?:{HOLDERS})\s*>$", words, re.IGNORECASE)  # of a holder with a blank line in it
        made.append(words if is_block else f"<p>{words}" if is_rest else f"<p>{words}</p>")
    return "\n".join(made)
