"""The shipped content: David's words and his readers', held against the source (``tests/support/post.txt``) word for word."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from contract.thread import read_all
from tests.support.place import ROOT, Place

ADDRESS = "/articles/big-toe-and-glutes/"
# The two repairs: an encoding that broke, and a last sentence that lost its address.
BROKEN, REPAIRED = "patternsĀ\xa0 – all", "patterns – all"
CUT_OFF, COMPLETED = "on 07504439555 or at", "on 07504439555 or at the contact page."

VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass
class Text(HTMLParser):
    """The text of each element that a selector names: ``p``, ``.comment``, ``#title``; figures, which are ours, left out."""

    selector: str
    found: list[str] = field(default_factory=list)
    depth: int = 0
    in_figure: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_figure |= tag == "figure"
        if self.in_figure:
            return
        given = {name: value or "" for name, value in attrs}
        names = [tag, f"#{given.get('id')}", *(f".{name}" for name in given.get("class", "").split())]
        if not self.depth and self.selector in names:
            self.found.append("")
            self.depth = 1
        elif self.depth and tag not in VOID:
            self.depth += 1

    def handle_endtag(self, tag: str) -> None:
        if self.depth and not self.in_figure:
            self.depth -= 1
        self.in_figure &= tag != "figure"

    def handle_data(self, data: str) -> None:
        if self.depth and not self.in_figure:
            self.found[-1] += data


def texts(html: str, selector: str) -> list[str]:
    """Return the text of each outermost element that a selector names, white space normalised."""
    parser = Text(selector)
    parser.feed(html)
    return [words(text) for text in parser.found]


def words(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def source() -> str:
    """The source with its two repairs."""
    text = (ROOT / "tests/support/post.txt").read_text("utf-8")
    assert text.count(BROKEN) == text.count(CUT_OFF) == 1
    return text.replace(BROKEN, REPAIRED).replace(CUT_OFF, COMPLETED)


@pytest.fixture(scope="module", params=[ADDRESS, "/"])
def page(shipped: Place, request: pytest.FixtureRequest) -> str:
    """The article's own page, then the front page, which holds it in full."""
    return shipped.page(request.param)


def test_the_article_is_the_source_word_for_word(source: str, page: str) -> None:
    post = source.partition("\n2 thoughts on")[0]

    [article] = [text for text in texts(page, "article") if COMPLETED in text]

    article = article.replace("By David, 22 November 2026, 2 minutes to read ", "", 1)
    assert article.startswith(f"{title(source)} {words(post)} Ring David on")


def test_every_paragraph_of_the_source_is_a_paragraph_of_the_page(source: str, page: str) -> None:
    post = source.partition("\n2 thoughts on")[0]

    paragraphs = texts(page, "p")

    lines = [words(line) for line in post.split("\n") if line.strip()]
    start = paragraphs.index(lines[0])
    assert [p for p in paragraphs[start:] if not p.startswith("By David")][: len(lines)] == lines


def test_the_title_and_the_heading_of_the_comments_are_those_of_the_source(source: str, page: str) -> None:
    [heading] = [words(line) for line in source.split("\n") if line.startswith("2 thoughts on")]

    assert texts(page, "h1") == [title(source)]
    assert texts(page, "#thoughts-title") == [f"{heading}”"]  # whose closing mark the source cut off


def test_both_comments_are_the_source_word_for_word(source: str, page: str) -> None:
    numbered = [words(line).removeprefix("1. ") for line in source.split("\n") if line.strip().startswith("1. ")]

    first, second = texts(page, ".comment")

    for comment, by, said in zip(
        (first, second), ("Alexis ", "David Author in reply to Alexis "), numbered, strict=True
    ):
        assert comment.startswith(by)
        assert f" {said} " in comment


def test_the_last_sentence_leads_to_the_contact_page(page: str) -> None:
    assert '<a href="tel:+447504439555">07504439555</a> or at <a href="/contact/">the contact page</a>.' in page


def test_the_post_carries_its_first_day_and_the_comments_none(shipped: Place) -> None:
    page = shipped.page(ADDRESS)

    assert page.count("<time") == 1
    assert '<time datetime="2026-11-22">22 November 2026</time>' in page


def test_no_shipped_comment_is_set_aside() -> None:
    _, problems = read_all(ROOT / "content/comments")

    told = "".join(f"\n  {problem.path.relative_to(ROOT)}: {problem.cause}" for problem in problems)
    assert not problems, f"correct these files, or the site links them out:{told}"


def test_a_failing_content_test_prints_the_file_the_line_and_the_cure(place: Place) -> None:
    place.write("comments/big-toe-and-glutes/0003.md", "Id: 0003\nArticle: big-toe-and-glutes\nAutor: Tom\n\nHello.\n")

    [problem] = read_all(place.comments)[1]

    assert problem.path == Path(place.comments, "big-toe-and-glutes/0003.md")
    assert problem.cause.startswith("line 3: “Autor” is not a key; the keys are Id, Article")


def title(source: str) -> str:
    """Return the title as the heading of the comments quotes it."""
    return words(source.partition("thoughts on “")[2].partition("\n")[0])
