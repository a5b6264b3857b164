"""Text of a piece of HTML as a reader sees it, as a list that can be compared: words, breaks and what they are marked as.

Two texts are the same to a reader if their lists are equal; how the tags were written makes no difference.
"""

import re
from html.parser import HTMLParser

from moving import wording

SAME = {"b": "strong", "i": "em", "strike": "s", "del": "s"}
BREAKS = {"p", "div", "section", "article"}  # a paragraph in a list's item, a cell or a quote is only its text
BLOCKS = {*wording.BLOCKS.split()} - BREAKS
WITHOUT_MEANING = {"span", "thead", "tbody", "tfoot", "colgroup", "col", "html", "body", "picture", "source", "time"}
SHOWN_ATTRIBUTES = {
    "a": ("href",),
    "img": ("src", "alt"),
    "ol": ("start",),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan"),
    "abbr": ("title",),
}
VOID = {"br", "hr", "img"}
_SPACES = re.compile(r"[ \t\n\r\f]+")  # a no-break space is seen
_BREAK = "¶"
_OUTER: dict[object, object] = {("<", "em"): ("<", "strong"), (">", "strong"): (">", "em")}


def seen(html: str) -> list[object]:
    """Return what a reader sees, in order."""
    parser = _Seen()
    parser.feed(html)
    parser.close()
    return _tidy(_outward(parser.tokens))


def words(html: str) -> str:
    """Return the words alone, with single spaces."""
    return " ".join("".join(t if isinstance(t, str) else " " for t in seen(html)).replace(_BREAK, " ").split())


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[object] = []
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        tag = SAME.get(tag, tag)
        if tag == "pre":
            self._pre += 1
        if tag in BREAKS:
            self.tokens.append(_BREAK)
        elif tag not in WITHOUT_MEANING and not (self._pre and tag == "code"):
            found = dict(attrs)
            self.tokens.append(("<", tag, *(found.get(name) or "" for name in SHOWN_ATTRIBUTES.get(tag, ()))))

    def handle_endtag(self, tag: str) -> None:
        tag = SAME.get(tag, tag)
        if tag in BREAKS:
            self.tokens.append(_BREAK)
        elif tag not in WITHOUT_MEANING | VOID and not (self._pre and tag == "code"):
            self.tokens.append((">", tag))
        if tag == "pre":
            self._pre = max(0, self._pre - 1)

    def handle_data(self, data: str) -> None:
        text = data if self._pre else _SPACES.sub(" ", data)
        if self.tokens and isinstance(self.tokens[-1], str) and self.tokens[-1] != _BREAK:
            text = self.tokens.pop() + text  # type: ignore[operator]  # it is a text
            text = text if self._pre else _SPACES.sub(" ", text)
        if text:
            self.tokens.append(text)


def _outward(tokens: list[object]) -> list[object]:
    """Move spaces at the edge of emphasis or a link out of it, where they are seen the same."""
    out: list[object] = []
    for token in tokens:
        is_inline = isinstance(token, tuple) and token[1] not in BLOCKS | VOID
        if is_inline and token[0] == ">" and out and isinstance(out[-1], str) and out[-1].endswith(" "):  # type: ignore[index]  # its mark
            out[-1] = out[-1].rstrip(" ")
            out += [token, " "]
        elif token in (("<", "em"), (">", "strong")) and out and out[-1] == _OUTER.get(token):
            out.insert(-1, token)  # which of the two stands outside is not seen
        elif isinstance(token, str) and token.startswith(" ") and out and isinstance(out[-1], tuple):
            starts: list[object] = []
            while out and isinstance(out[-1], tuple) and out[-1][0] == "<" and out[-1][1] not in BLOCKS | VOID:
                starts.insert(0, out.pop())
            if starts and out and isinstance(out[-1], str) and out[-1] != _BREAK:
                out[-1] += " "
            out += (
                [*([] if out and isinstance(out[-1], str) and out[-1].endswith(" ") else [" "]), *starts, token[1:]]
                if starts
                else [token]
            )
        elif isinstance(token, str) and out and out[-1] == " " and token != _BREAK:
            out[-1] = " " + token.lstrip(" ")
        else:
            out.append(token)
    return [token for token in out if token != ""]


def _tidy(tokens: list[object]) -> list[object]:
    """Take away what is not seen: spaces at the edge of a block, breaks beside one, marks with nothing in them."""
    out: list[object] = []
    is_code = False
    for token in tokens:
        is_code = token[:2] == ("<", "pre") if isinstance(token, tuple) and token[1] == "pre" else is_code
        if isinstance(token, str) and token != _BREAK:
            text = token if is_code else token.lstrip(" ") if not out or _is_edge(out[-1]) else token
            if is_code:
                text = text.strip("\n")
            elif out and isinstance(out[-1], str) and out[-1].endswith(" "):
                text = text.lstrip(" ")
            if text:
                out.append(text)
        elif _is_edge(token) or (isinstance(token, tuple) and token[1] == "br"):
            _strip(out, is_code=is_code)
            while not is_code and out and out[-1] == ("<", "br") and token != ("<", "br"):
                out.pop()
                _strip(out, is_code=False)
            if token == _BREAK and (not out or out[-1] == _BREAK or _is_block(out[-1])):
                continue
            while _is_block(token) and out and out[-1] == _BREAK:
                out.pop()
            out.append(token)
        elif isinstance(token, tuple) and token[0] == ">" and out and out[-1][:2] == ("<", token[1]):  # type: ignore[index]  # its mark
            out.pop()
        else:
            out.append(token)
    while out and (out[-1] in (_BREAK, ("<", "br")) or (isinstance(out[-1], str) and not out[-1].strip(" "))):
        out.pop()
    return out


def _strip(out: list[object], *, is_code: bool) -> None:
    if not is_code and out and isinstance(out[-1], str) and out[-1] != _BREAK:
        out[-1] = out[-1].rstrip(" ")
        if not out[-1]:
            out.pop()


def _is_block(token: object) -> bool:
    return isinstance(token, tuple) and token[1] in BLOCKS


def _is_edge(token: object) -> bool:
    return token == _BREAK or _is_block(token) or token == ("<", "br")
