"""A reader's text as HTML: only what is allowed, every word of it, in time that grows with its length."""

import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.reader_markdown import _CLEANER, _MARKDOWN, ELEMENTS, REL, _plain, render

MARKS = [
    *["*", "**", "_", "__", "`", "``", "```", "~~~", "> ", "- ", "1. ", "2) ", "# ", "| ", "---", "===", "    ", "\t"],
    *["[", "](", "]", ")", "![", "(", "<", ">", "&", "&#", "&amp;", "&lt;", "\\", '"', "'", "\n", "\n\n", "  \n", "\0"],
    *["<script>", "<b onclick=x>", "</p>", "<!--", "<a href='https://a.example'>", "<https://a.example/>", "<a@b.c>"],
    *["https://a.example/", "http://[", "mailto:a@b.example", "javascript:alert(1)", "data:text/html,x", "//a.example"],
    *["{filename}a.md", "{static}/a.png", "https://a.example:99999/", "{{ 1 }}", "é", "🦶🏽", "\u202e", "\u2028", "\ufeff"],
]  # fmt: skip

pieces = st.sampled_from(MARKS) | st.text(max_size=8)
texts = st.lists(pieces, max_size=30).map("".join)


class Html(HTMLParser):
    """What a browser would find: the elements with their attributes, and the words."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


@settings(deadline=None)
@given(texts)
def test_only_allowed_elements_with_allowed_attributes_come_out(text: str) -> None:
    html = Html(render(text))

    for element, attributes in html.elements:
        assert element in ELEMENTS
        assert attributes.keys() <= {"a": {"href", "rel"}, "ol": {"start"}}.get(element, set())
        if element == "a":
            assert attributes["rel"] == REL == "nofollow ugc noopener"
            assert re.match(r"https?://[^/?#@]|mailto:[^/?]+@", attributes["href"] or "", re.IGNORECASE)


@settings(deadline=None)
@given(st.lists(st.sampled_from(MARKS), max_size=30))
def test_no_word_is_lost(marks: list[str]) -> None:
    words = [f"Q{number}Z" for number in range(len(marks))]

    html = Html(render("".join(mark + word for mark, word in zip(marks, words, strict=True))))

    seen = html.text + "".join(attributes.get("href") or "" for _, attributes in html.elements)
    assert [word for word in words if word.casefold() not in seen.casefold()] == []


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["*", "**", " ", "\n", "\n\n", "a", "Words of", "3", ".", ")", "é", "½"]) | pieces).map(
        "".join
    )
)
def test_a_plain_text_is_what_the_parser_makes_of_it(text: str) -> None:
    assert render(text) == _CLEANER.clean(_MARKDOWN.render(text))


@pytest.mark.parametrize("text", ["One.", "“Two”, *three* and\n**four five**!\n\nSix: 7 – *8*."])
def test_a_text_without_other_marks_takes_no_parser(text: str) -> None:
    assert _plain(text)


@pytest.mark.parametrize(("text", "html"), [
    ("One.\n\nTwo.", "<p>One.</p>\n<p>Two.</p>\n"),
    ("One\nTwo  \nThree\\\nFour", "<p>One<br>\nTwo<br>\nThree<br>\nFour</p>\n"),
    ("*a* _b_ **c** __d__", "<p><em>a</em> <em>b</em> <strong>c</strong> <strong>d</strong></p>\n"),
    ("`a <b> & c`", "<p><code>a &lt;b&gt; &amp; c</code></p>\n"),
    ("```\na\n\nb\n```\nc", "<pre><code>a\n\nb\n</code></pre>\n<p>c</p>\n"),
    ("> a\nb\n\nc", "<blockquote>\n<p>a<br>\nb</p>\n</blockquote>\n<p>c</p>\n"),
    ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
    ("1. a\n2. b\n3. c", "<ol>\n<li>a</li>\n<li>b</li>\n<li>c</li>\n</ol>\n"),
    ("3) a\n4) b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
    ("a\n- b", "<p>a</p>\n<ul>\n<li>b</li>\n</ul>\n"),
    ("- a\n  - b", "<ul>\n<li>a\n<ul>\n<li>b</li>\n</ul>\n</li>\n</ul>\n"),
    ("&lt;b&gt; &copy; \\*a\\*", "<p>&lt;b&gt; © *a*</p>\n"),
    ("", ""),
])  # fmt: skip
def test_what_is_allowed_has_its_meaning(text: str, html: str) -> None:
    assert render(text) == html


@pytest.mark.parametrize(("text", "href"), [
    ("[a](https://a.example)", "https://a.example"),
    ("[a](http://a.example:8080/b?c=d#e)", "http://a.example:8080/b?c=d#e"),
    ("[a](HTTPS://A.EXAMPLE/)", "HTTPS://A.EXAMPLE/"),
    ("[a](<https://a.example/b c>)", "https://a.example/b%20c"),
    ("[a](https://münchen.example/ä)", "https://xn--mnchen-3ya.example/%C3%A4"),
    ("[a](mailto:a@b.example)", "mailto:a@b.example"),
    ("<https://a.example/>", "https://a.example/"),
    ("<a@b.example>", "mailto:a@b.example"),
])  # fmt: skip
def test_an_address_of_the_web_or_of_mail_is_a_link(text: str, href: str) -> None:
    html = Html(render(text))

    assert html.elements == [("p", {}), ("a", {"href": href, "rel": REL})]


@pytest.mark.parametrize("text", [
    "[a]({filename}../b.md)", "[a]({static}/b.png)", "{attach}b.png", "[a](//a.example/)", "[a](/privacy/)",
    "[a](b.html)", "[a](#b)", "[a]()", "[a]( )", "[](<>)", "[a](javascript:alert(1))", "[a](JaVaScRiPt:alert(1))",
    "[a](data:text/html,b)", "[a](vbscript:b)", "[a](ftp://a.example/)", "[a](https:a.example)", "[a](https:///b)",
    "[a](https://)", "[a](http://[)", "[a](https://david@a.example/)", "[a](https://david:pass@a.example/)",
    "[a](mailto:)", "[a](mailto:a@b.example?bcc=c@d.example)", '[a](https://a.example "b")', "[a][b]", "()",
    "[b]: https://a.example", "https://a.example/", "<b>a</b>", "<script>alert(1)</script>",
    "<img src=a onerror=alert(1)>", "<!-- a -->", "<javascript:alert(1)>", "![a](b.png)",
    "![a](data:image/png;base64,b)", "# a", "###### a", "| a | b |", "***", "~~a~~", "Title: a", "[^1]: a", "{{ 1 }}",
    "[TOC]",
])  # fmt: skip
def test_anything_else_stays_as_typed(text: str) -> None:
    html = Html(render(text))

    assert html.elements == [("p", {})]
    assert html.text == f"{text}\n"


@pytest.mark.parametrize(("text", "lines"), [
    ("a\n===", ["a", "==="]), ("a\n---", ["a", "---"]),
    ("| a | b |\n|---|---|\n| 1 | 2 |", ["| a | b |", "|---|---|", "| 1 | 2 |"]),
    ("    a", ["a"]),
    ("![a](https://a.example/b.png)", ["!a"]),
    ("```python\nx = 1\n```", ["python", "x = 1"]),
    ("~~~ David", ["David"]), ("a\0b", ["a\ufffdb"]),
])  # fmt: skip
def test_what_other_markdown_would_hide_can_be_read(text: str, lines: list[str]) -> None:
    html = Html(render(text))

    assert html.text.strip().splitlines() == lines
    assert {element for element, _ in html.elements} <= {"p", "br", "a", "pre", "code"}


@pytest.mark.parametrize("text", [
    "".join("> " * depth + f"Q{depth}Z\n" for depth in range(25)),
    "\n".join("  " * depth + f"- Q{depth}Z" for depth in range(25)),
    "\n".join("   " * depth + f"1. Q{depth}Z" for depth in range(25)),
    "\n".join("> - " * depth + f"Q{depth}Z\n" for depth in range(25)),
    "> " * 25 + " ".join(f"Q{word}Z" for word in range(25)), "- " * 25 + " ".join(f"Q{word}Z" for word in range(25)),
    "*_" * 25 + " ".join(f"Q{word}Z" for word in range(25)) + "_*" * 25,
    "[" * 25 + " ".join(f"Q{word}Z" for word in range(25)) + "](https://a.example)" * 25,
], ids=["quotes", "lists", "numbers", "both", "quotes at once", "lists at once", "emphasis", "links"])  # fmt: skip
def test_no_word_is_lost_25_deep(text: str) -> None:
    html = Html(render(text))

    assert sorted(re.findall(r"Q\d+Z", html.text)) == sorted(f"Q{word}Z" for word in range(25))


def work(text: str) -> tuple[int, int]:
    """Return the calls and the lines of Python that it takes to render: a clock would blame the machine."""
    calls = lines = 0

    def on_call(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    def on_line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return on_line

    profiler, tracer = sys.getprofile(), sys.gettrace()
    try:
        sys.setprofile(on_call)
        render(text)
        sys.setprofile(profiler)
        sys.settrace(on_line)
        render(text)
    finally:
        sys.setprofile(profiler)
        sys.settrace(tracer)
    return calls, lines


HOSTILE: dict[str, Callable[[int], str]] = {
    pattern: lambda n, pattern=pattern: pattern * n
    for pattern in [
        *["![a", "[", "[a](", "*a_", "> ", "- ", "<", "&#", "](", "[a][", "\\\\", "**a*a", "[*a](b", "[`", "<a@"],
        *[
            '[a](https://a.example "',
            "[a](<",
            "<https://a",
            "&a",
            "- \n",
            "> \n",
            "1. a\n",
            "```\n",
            "> - ",
            "a\n",
            "\\\n",
        ],
        *["[a](https://a.example)", "[a]()", "[a]( ", "(", "\t", "\n", "*", "_"],
    ]
} | {
    "runs of `": lambda n: " ".join("`" * (1 + i % 20) for i in range(n)),
    "runs of *": lambda n: "".join("*" * (1 + i % 20) + "a" for i in range(n)),
    "[[ ]]": lambda n: "[" * n + "]" * n,
    "[[ ](a)](a)": lambda n: "[" * n + "](https://a.example)" * n,
    "a quote that goes on": lambda n: "> a\n" + "b\n" * n,
    "a list that goes on": lambda n: "- a\n" + "b\n" * n,
    "deep quotes": lambda n: (">" * 20 + "a\n") * n,
    "ever deeper lists": lambda n: "".join("  " * (i % 25) + "- a\n" for i in range(n)),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_twice_the_text_is_no_more_than_twice_the_work(hostile: str) -> None:
    text = HOSTILE[hostile]

    (calls, lines), (more_calls, more_lines) = work(text(100)), work(text(200))

    assert more_calls <= 2.3 * calls
    assert more_lines <= 2.3 * lines
