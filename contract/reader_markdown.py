"""Markdown of readers to safe HTML.

Paragraphs with line breaks, emphasis, strong, code, quotes, lists and links; nothing else has a meaning, so it stays as typed.
A comment never passes through the machinery that renders articles: its metadata, raw HTML and ``{filename}`` links are not for readers.
markdown-it-py was chosen because its time grows with the length of hostile text and not with its square.
nh3 is the second lock: whatever the parser should let through, only ``ELEMENTS`` come out.
"""

import re
from collections.abc import Callable
from types import SimpleNamespace

import nh3
from markdown_it import MarkdownIt, helpers
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock, blockquote, fence, list_block
from markdown_it.rules_inline import StateInline, emphasis, escape

ELEMENTS = {"p", "br", "em", "strong", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
REL = "nofollow ugc noopener"
DEPTH = 8

# With a host, so that neither //host nor {filename} nor a path can be an address; one that nh3 would drop stays text.
_ADDRESS = re.compile(
    r"(?:https?://[^\s/?#@:<>\[\]\\^|%]+(?::[0-9]{1,4})?(?:[/?#]\S*)?|mailto:[^\s@/?]+@[^\s@/?]+)", re.IGNORECASE
)
_NO_ADDRESS = re.compile(r"\([ \t\n]*\)")

# No mark may have another meaning: emphasis begins behind a space and before a letter, and ends the other way round.
_MARKS = {"*": "em", "**": "strong"}
_WORDS = r"[^\x00-\x1f\x7f*_`\\\[\]<>&]++"
# Its first sign stands first, before the look behind it, so that none of the others is looked at.
_EMPHASIS = re.compile(rf"(?P<mark>\*(?<![^ \n]\*)\*?)(?=\w)(?P<words>{_WORDS})(?<=\w)(?P=mark)(?![^ \n.,:;?!)])")
_LINE = rf"(?![-+>~\s]|\d+[.)])(?:{_WORDS}|{_EMPHASIS.pattern})++(?<=\S)"
_PLAIN = re.compile(rf"(?:(?:\A|(?<=\S)\n\n?){_LINE})++")

_BlockRule = Callable[[StateBlock, int, int, bool], bool]


def render(text: str) -> str:
    """Return HTML made of ``ELEMENTS`` only, each link to http, https or mailto and marked ``REL``.

    Linear in the length of ``text``; every word of it is kept.
    """
    return _CLEANER.clean(_plain(text) or _MARKDOWN.render(text))


def _plain(text: str) -> str:
    """Return what the parser makes of paragraphs with no mark but emphasis, in a tenth of its time, and nothing of others."""
    if not _PLAIN.fullmatch(text):
        return ""
    html = _EMPHASIS.sub(lambda found: "<{0}>{1}</{0}>".format(_MARKS[found["mark"]], found["words"]), text)
    lines = html.replace("\n", "<br>\n").replace("<br>\n<br>\n", "</p>\n<p>")
    return f"<p>{lines}</p>\n"


def _at_most(depth: int, rule: _BlockRule) -> _BlockRule:
    """Let ``rule`` open no block deeper than ``depth``: beyond its own limit the parser drops words, here they stay text."""
    return lambda state, start, end, silent: state.level < depth and rule(state, start, end, silent)


def _fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Keep what stands behind the opening fence, which the parser would make a class of, as the first line of the code."""
    found = fence(state, start, end, silent)
    if found and not silent and (words := state.tokens[-1].info.strip()):
        state.tokens[-1].content = f"{words}\n{state.tokens[-1].content}"
    return found


def _label(state: StateInline, start: int, disable_nested: bool = False) -> int:
    """Return where the words of a link end, or -1 if no address follows: ``[words]()`` would lead to the page itself."""
    end = helpers.parseLinkLabel(state, start, disable_nested)
    return -1 if _NO_ADDRESS.match(state.src, end + 1) else end


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Let an asterisk at a figure stay one where it could both open and close: 3*10, 2**8, 2*x."""
    start = state.pos
    if silent or state.src[start] != "*":
        return emphasis.tokenize(state, silent)
    run = state.scanDelims(start, True)
    end = start + run.length
    if not (run.can_open and run.can_close and (state.src[start - 1].isdigit() or state.src[end].isdigit())):
        return emphasis.tokenize(state, silent)
    state.pending += state.src[start:end]
    state.pos = end
    return True


def _escape(state: StateInline, silent: bool) -> bool:
    r"""Let a backslash before an underscore or another backslash stay: C:\_old\, and the arm of a shrug; neither means anything."""
    if state.src[state.pos] != "\\" or state.src[state.pos + 1 : state.pos + 2] not in ("_", "\\"):
        return escape(state, silent)
    if not silent:
        state.pending += state.src[state.pos : state.pos + 2]
    state.pos += 2
    return True


def _parser() -> MarkdownIt:
    parser = MarkdownIt("zero", {"html": False, "breaks": True, "maxNesting": 4 * DEPTH}).enable(
        [
            "blockquote",
            "list",
            "fence",
            "backticks",
            "emphasis",
            "link",
            "autolink",
            "newline",
            "escape",
            "entity",
            "balance_pairs",
            "fragments_join",
        ]
    )
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.at("fence", _fence, interrupts)
    parser.block.ruler.at("blockquote", _at_most(DEPTH, blockquote), interrupts)
    # Not "list" here: an item would end its own list.
    parser.block.ruler.at("list", _at_most(DEPTH, list_block), {"alt": ["paragraph", "reference", "blockquote"]})
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.inline.ruler.at("escape", _escape)
    parser.helpers = SimpleNamespace(  # type: ignore[assignment]  # in place of the module, which others share
        parseLinkDestination=helpers.parseLinkDestination,
        parseLinkLabel=_label,
        parseLinkTitle=lambda *_: helpers.parseLinkTitle("", 0, 0),  # words that nobody would see: it stays as typed
    )
    parser.validateLink = lambda url: bool(_ADDRESS.fullmatch(url))  # type: ignore[method-assign]  # its documented way
    return parser


_MARKDOWN = _parser()
_CLEANER = nh3.Cleaner(
    tags=ELEMENTS,
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    link_rel=REL,
)
