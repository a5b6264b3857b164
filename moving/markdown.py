r"""HTML to Markdown, checked: a block is kept as Markdown only if the site shows the same of it.

``Articles`` checks with Python-Markdown as the site has set it, ``of_comment`` with what draws readers' comments.
Converters are written for CommonMark, which Python-Markdown is not: it shows ``\\<`` and runs what follows,
its fences fail in quotes and lists, and its lists are indented by four.
"""

import re
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from markdown import Markdown
from markdownify import MarkdownConverter

from contract.reader_markdown import render
from moving.seen import seen, words
from moving.wording import INLINE

COSTLY_SIGNS = 3000
BLOCKS = re.compile(r"<(?:pre|table|figure|blockquote|h[1-6]|details|dl|ol[^>]* start)\b")
UNFIT_FOR_CELLS = ("br", "p", "ul", "ol", "img", "caption", "pre", "table")
NO_BREAK_SPACE = "\ue002"


@dataclass(frozen=True)
class Converted:
    """Markdown of a text; ``kept`` blocks of it stayed HTML, and ``is_equal`` unless even that is shown differently."""

    text: str
    kept: int
    is_equal: bool


class Articles:
    """Converts articles for a site with these settings of Python-Markdown (Pelican's ``MARKDOWN``)."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._parser = Markdown(**settings)

    def convert(self, soup: BeautifulSoup) -> Converted:
        """Return the Markdown of a cleaned text: as a whole, else by its blocks, else as HTML."""
        html = str(soup)
        expected = seen(html)
        if not _is_costly(html):
            text = _Article().convert_soup(soup).strip().replace(NO_BREAK_SPACE, "&nbsp;")
            if self._shown(text) == expected:
                return Converted(text, 0, is_equal=True)
        nodes = BeautifulSoup(html, "html.parser").children  # for the conversion has changed the tree
        blocks = [str(node).replace("\xa0", "&nbsp;") for node in nodes if str(node).strip()]
        made = [self._block(block) for block in blocks]
        for keep_lists in (False, True):
            chosen = [
                b if keep_lists and b.startswith(("<ul", "<ol")) else m for b, m in zip(blocks, made, strict=True)
            ]
            if self._shown(text := "\n\n".join(chosen)) == expected:
                return Converted(text, sum(b == c for b, c in zip(blocks, chosen, strict=True)), is_equal=True)
        text = "\n\n".join(blocks)
        return Converted(text, len(blocks), is_equal=self._shown(text) == expected)

    def _block(self, html: str) -> str:
        if html.startswith(("<figure", "<details")) or _is_costly(html):
            return html
        text = _Article().convert(html).strip().replace(NO_BREAK_SPACE, "&nbsp;")
        return text if self._shown(text) == seen(html) else html

    def _shown(self, text: str) -> list[object]:
        self._parser.reset()
        return seen(self._parser.convert(text))


def of_comment(html: str) -> tuple[str, bool]:
    """Return a reader's Markdown of a comment's cleaned HTML, and whether it is shown the same; its words always are."""
    expected = seen(html)
    text = _Comment().convert(html).strip().replace(NO_BREAK_SPACE, "\xa0")
    if _without_start(expected) == _without_start(seen(render(text))):
        return text, True
    text = _plain(html)
    return text, words(render(text)) == words(html) and not any(
        t for t in expected if isinstance(t, tuple) and t[1] != "br"
    )


def _without_start(tokens: list[object]) -> list[object]:
    """Leave a list's missing start alone, which readers' Markdown always writes."""
    return [("<", "ol") if isinstance(t, tuple) and t[:2] == ("<", "ol") else t for t in tokens]


def _plain(html: str) -> str:
    """Return the words alone, each sign that could mean something escaped."""
    lines: list[str] = [""]
    for token in seen(html):
        if isinstance(token, str) and token != "¶":  # noqa: S105  # a break
            for number, line in enumerate(token.split("\n")):
                lines += [""] if number else []
                lines[-1] += re.sub(r"([\\`*_\[\]<>&~#+.!()-])", r"\\\1", line) if number == 0 or line else line
        else:
            lines += ["", ""] if token == "¶" or token[1] not in INLINE else [""] if token[1] == "br" else []  # type: ignore[index]  # noqa: S105  # a break
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


OPTIONS: dict[str, Any] = {
    "heading_style": "atx",
    "bullets": "-",
    "wrap": True,  # the source's own line ends are spaces
    "wrap_width": None,
    "newline_style": "spaces",
    "autolinks": False,
}


class _Converter(MarkdownConverter):
    def __init__(self) -> None:
        super().__init__(**OPTIONS)

    def escape_start(self, text: str) -> str:
        """Escape what means something at the start of a line."""
        return text

    def process_text(self, el: NavigableString, parent_tags: Any = None) -> str:
        if "pre" not in (parent_tags or ()) and "\xa0" in el:
            el = _with(el, el.replace("\xa0", NO_BREAK_SPACE))
        is_first = el.previous_sibling is None or getattr(el.previous_sibling, "name", "") == "br"
        text = str(super().process_text(el, parent_tags))  # type: ignore[misc]  # its types are half a stub
        return self.escape_start(text) if is_first and "_noformat" not in (parent_tags or ()) else text

    def convert_li(self, el: Tag, text: str, parent_tags: Any) -> str:
        text = (text or "").strip()
        number = 1 + len(el.find_previous_siblings("li"))
        bullet = f"{number}.".ljust(4) if el.parent and el.parent.name == "ol" else "-   "
        return f"{bullet}{text.replace(chr(10), chr(10) + '    ')}\n".replace("\n    \n", "\n\n")

    def convert_pre(self, el: Tag, text: str, parent_tags: Any) -> str:
        code = el.get_text().strip("\n")
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
        return f"\n\n{fence}\n{code}\n{fence}\n\n"

    def convert_a(self, el: Tag, text: str, parent_tags: Any) -> str:
        href, inner = str(el.get("href") or ""), text.strip()
        if not href or not inner:
            return text
        before, after = (" " if text[:1].isspace() else ""), (" " if text[-1:].isspace() else "")
        if el.get_text() == href and re.fullmatch(r"https?://[\w./?=&%~#:+-]+", href, re.ASCII) and not el.find(True):
            return f"{before}<{href}>{after}"
        return f"{before}[{inner}]({_target(href)}){after}"

    def convert_img(self, el: Tag, text: str, parent_tags: Any) -> str:
        alt = re.sub(r"([\\\[\]*_`])", r"\\\1", str(el.get("alt") or ""))
        return f"![{alt}]({_target(str(el.get('src') or ''))})"


class _Article(_Converter):
    """For Python-Markdown, which lets HTML through."""

    def escape(self, text: str, parent_tags: Any) -> str:
        text = re.sub(r"\\(?=[\\`*_{}\[\]()>#+.!|:-]|$)", r"\\\\", text)
        text = re.sub(r"([`*\[{])", r"\\\1", text)
        text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
        if "a" in parent_tags:
            text = text.replace("]", r"\]")
        text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
        text = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", text)
        return re.sub(r"!$", r"\\!", text)  # before a link it would make a picture

    def escape_start(self, text: str) -> str:
        text = re.sub(r"^([#>+]|-(?=[\s-]))", r"\\\1", text)
        text = re.sub(r"^([:=~])", lambda sign: f"&#{ord(sign[1])};", text)
        return re.sub(r"^(\d+)\.(?=\s)", r"\1\\.", text)

    def convert_figure(self, el: Tag, text: str, parent_tags: Any) -> str:
        return f"\n\n{el}\n\n"

    convert_details = convert_address = convert_figure

    def convert_pre(self, el: Tag, text: str, parent_tags: Any) -> str:
        is_marked = any(child.name != "code" for child in el.find_all(True))
        return f"\n\n{el}\n\n" if is_marked else super().convert_pre(el, text, parent_tags)

    def convert_blockquote(self, el: Tag, text: str, parent_tags: Any) -> str:
        return f"\n\n{el}\n\n" if _follows(el, "blockquote") else str(super().convert_blockquote(el, text, parent_tags))  # type: ignore[misc]  # its types are half a stub

    def convert_table(self, el: Tag, text: str, parent_tags: Any) -> str:
        rows = el.find_all("tr")
        is_plain = rows and rows[0].find("th") and not any(row.find("th") for row in rows[1:])
        is_plain = (
            is_plain and not el.find([*UNFIT_FOR_CELLS]) and not el.find(colspan=True) and not el.find(rowspan=True)
        )
        return str(super().convert_table(el, text, parent_tags)) if is_plain else f"\n\n{el}\n\n"  # type: ignore[misc]  # its types are half a stub

    def convert_list(self, el: Tag, text: str, parent_tags: Any) -> str:
        html = str(el)
        if "li" not in parent_tags and (
            BLOCKS.search(html) or html.startswith("<ol start") or _follows(el, "ul", "ol")
        ):
            return f"\n\n{html}\n\n"
        return str(super().convert_list(el, text, parent_tags))  # type: ignore[misc]  # its types are half a stub

    convert_ul = convert_ol = convert_list

    def _kept(self, el: Tag, text: str, parent_tags: Any) -> str:
        title = f' title="{escape(str(el["title"]))}"' if el.name == "abbr" and el.get("title") else ""
        return f"<{el.name}{title}>{text}</{el.name}>" if text.strip() else text

    convert_sub = convert_sup = convert_small = convert_mark = convert_cite = convert_q = convert_kbd = convert_abbr = (
        _kept
    )
    convert_samp = convert_var = convert_dfn = convert_u = convert_s = convert_del = convert_ins = _kept


class _Comment(_Converter):
    """For readers' Markdown, in which every line end is seen."""

    def escape(self, text: str, parent_tags: Any) -> str:
        text = re.sub(r"\\(?=[!-/:-@\[-`{-~]|$)", r"\\\\", text)
        text = re.sub(r"([`*\[])", r"\\\1", text)
        text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
        if "a" in parent_tags:
            text = text.replace("]", r"\]")
        text = re.sub(r"&(?=#?\w+;)", r"\\&", text)
        return re.sub(r"<(?=[a-zA-Z])", r"\\<", text)

    def escape_start(self, text: str) -> str:
        text = re.sub(r"^([>+]|-(?=\s)|~(?=~))", r"\\\1", text)
        return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", text)

    def convert_br(self, el: Tag, text: str, parent_tags: Any) -> str:
        return "\n"


def _is_costly(html: str) -> bool:
    """Tell of a text so full of Markdown's own signs that Python-Markdown, quadratic in them, would take minutes."""
    return len(re.findall(r"[\[\]`*_!\\]", html)) > COSTLY_SIGNS


def _follows(el: Tag, *names: str) -> bool:
    """Tell whether a block stands right behind one of a name, with which Markdown would make one of the two."""
    before = el.find_previous_sibling(True)
    return before is not None and before.name in names


def _with(old: NavigableString, text: str) -> NavigableString:
    new = NavigableString(text)
    old.replace_with(new)
    return new


def _target(address: str) -> str:
    """Return an address as it can stand between the brackets of a link."""
    address = re.sub(r"[\s<>\"\\]", lambda sign: quote(sign[0]), address)
    return f"<{address}>" if re.search(r"[()]", address) else address
