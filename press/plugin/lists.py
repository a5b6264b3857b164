"""Lists as CommonMark writes them, for Python-Markdown: right below a line, nested by the width of their marker.

A preprocessor writes them as Python-Markdown wants them: an empty line above, four spaces a level.
What follows is CommonMark 0.31, sections 5.2 and 5.3; what stands in a footnote, a quotation or a definition stays as it is.
"""

import re
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

ITEM = re.compile(r"( *)(?P<marker>[-*+]|\d{1,9}[.)])(?P<space> +)(?P<text>\S.*)")
RULE = re.compile(r" {0,3}(?:(?:- *){3,}|(?:\* *){3,}|(?:_ *){3,})$|[-:| ]+$")  # or the line below the head of a table
HEADING = re.compile(r" {0,3}#{1,6} ")
LEVEL = "    "


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


class ListsExtension(Extension):  # type: ignore[misc]  # likewise
    """Registers the preprocessor, once blocks of code and HTML have been taken out of its way."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # the library's name
        """Add it to a parser."""
        md.preprocessors.register(Lists(md), "commonmark_lists", 15)


def makeExtension(**options: Any) -> ListsExtension:  # noqa: N802  # the library's name
    """Return the extension; Python-Markdown calls it."""
    return ListsExtension(**options)
