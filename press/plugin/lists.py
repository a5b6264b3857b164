"""Extension of Python-Markdown: lists as CommonMark writes them, and plain paragraphs with less work.

A list stands right below a line, nested by the width of its marker. A preprocessor writes it as Python-Markdown wants it:
an empty line above, four spaces a level.
What follows is CommonMark 0.31, sections 5.2 and 5.3; what stands in a footnote, a quotation or a definition stays as it is.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown, inlinepatterns
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import InlineProcessor
from markdown.util import AtomicString

ITEM = re.compile(r"( *)(?P<marker>[-*+]|\d{1,9}[.)])(?P<space> +)(?P<text>\S.*)")
RULE = re.compile(r" {0,3}(?:(?:- *){3,}|(?:\* *){3,}|(?:_ *){3,})$|[-:| ]+$")  # or the line below the head of a table
HEADING = re.compile(r" {0,3}#{1,6} ")
LEVEL = "    "
ONE_LINE = re.compile(r"[^\W\d_].*")
# What begins with a look behind is searched for from every letter of a text.
NEEDED = {inlinepatterns.BACKTICK_RE: "`", inlinepatterns.LINK_RE: "["}


class Lists(Preprocessor):  # type: ignore[misc]  # Python-Markdown ships no types
    """The rewriting of one text; ``levels`` is where the text of each open item begins, with the kind of its list."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines as Python-Markdown wants them."""
        self.levels: list[tuple[int, bool]] = []
        self.lines: list[str] = []
        for line in lines:
            item = None if RULE.match(line) else ITEM.fullmatch(line)
            if not line.strip():
                self.lines.append("")
            elif not (item and self._add_item(item)):
                self._add_text(line)
        return self.lines

    @property
    def _is_below_text(self) -> bool:
        return bool(self.lines and self.lines[-1])

    def _close(self, indent: int) -> bool | None:
        """Leave the items that a line so far indented is not in; return the kind of the outermost one left, if any was."""
        kind = None
        while self.levels and indent < self.levels[-1][0]:
            kind = self.levels.pop()[1]
        return kind

    def _add_item(self, item: re.Match[str]) -> bool:
        indent, marker, is_numbered = len(item[1]), item["marker"], item["marker"][0].isdigit()
        open_levels = list(self.levels)
        sibling = self._close(indent)
        depth = len(self.levels)
        if indent - (self.levels[-1][0] if depth else 0) >= len(LEVEL) or (
            is_numbered and marker[:-1] != "1" and sibling is None and self._is_below_text
        ):
            self.levels = open_levels  # code, or a sentence that begins with a number
            return False
        is_own_list = sibling is None and (not depth or not ITEM.match(self.lines[-1]))
        if self._is_below_text and (is_own_list or (sibling is not None and sibling != is_numbered)):
            self.lines.append("")
        self.lines.append(LEVEL * depth + marker.replace(")", ".") + " " + item["text"])
        space = len(item["space"])
        self.levels.append((indent + len(marker) + (space if space <= len(LEVEL) else 1), is_numbered))
        return True

    def _add_text(self, line: str) -> None:
        indent = len(line) - len(line.lstrip())
        is_block = RULE.match(line) or HEADING.match(line)
        if not self._is_below_text or is_block:
            was_open = bool(self.levels)
            self._close(indent)
            if is_block and was_open and self._is_below_text:
                self.lines.append("")
            inner = self.levels[-1][0] if self.levels else 0
            self.lines.append(LEVEL * len(self.levels) + line[inner:])
        elif self.levels:  # goes on with the item above
            self.lines.append(LEVEL * (len(self.levels) - 1) + line.strip())
        else:
            self.lines.append(line)


class PlainParagraph(BlockProcessor):  # type: ignore[misc]
    """A paragraph of one line that begins with a letter: where nobody has added a kind of block, it can be nothing else."""

    def test(self, parent: Element, block: str) -> bool:
        """Tell whether a block is one."""
        return not self.parser.state.isstate("list") and ONE_LINE.fullmatch(block) is not None and self._has_no_rival

    def run(self, parent: Element, blocks: list[str]) -> None:
        """Put it into the tree."""
        SubElement(parent, "p").text = blocks.pop(0)

    @cached_property
    def _has_no_rival(self) -> bool:
        places = {type(other).__module__ for other in self.parser.blockprocessors} - {__name__}
        return all(place.startswith("markdown.") for place in places)


class Inline(InlineProcessor):  # type: ignore[misc]
    """Python-Markdown's own, which passes by each text in which no pattern is found."""

    def run(self, tree: Element, ancestors: list[str] | None = None) -> Element | None:
        """Apply the patterns to a tree."""
        texts = [element for element in tree.iter() if element.text and not isinstance(element.text, AtomicString)]
        plain = [element for element in texts if not self._may_match(str(element.text))]
        for element in plain:
            element.text = AtomicString(element.text)
        made = super().run(tree, ancestors)
        for element in plain:
            element.text = str(element.text)
        return made  # type: ignore[no-any-return]

    def _may_match(self, text: str) -> bool:
        return any(needed in text and search(text) for needed, search in self._searches)

    @cached_property
    def _searches(self) -> list[tuple[str, Callable[[str], object]]]:
        patterns = dict.fromkeys(pattern.getCompiledRegExp() for pattern in self.inlinePatterns)
        return [(NEEDED.get(pattern.pattern, ""), pattern.search) for pattern in patterns]


class ListsExtension(Extension):  # type: ignore[misc]
    """Registers all three; the preprocessor once blocks of code and HTML have been taken out of its way."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # the library's name
        """Add them to a parser."""
        md.preprocessors.register(Lists(md), "commonmark_lists", 15)
        md.parser.blockprocessors.register(PlainParagraph(md.parser), "plain_paragraph", 200)
        md.treeprocessors.register(Inline(md), "inline", 20)


def makeExtension(**options: Any) -> ListsExtension:  # noqa: N802  # the library's name
    """Return the extension; Python-Markdown calls it."""
    return ListsExtension(**options)
