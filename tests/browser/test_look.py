"""How the reader's pages look, measured in a real browser: what stays in its box, what keeps its distance, what goes on paper."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.support.place import SITE_URL, Place, a_comment

ARTICLE = "/articles/big-toe-and-glutes/"
JOINED = "👩‍" * 1000 + "👩"
STACKED = "a" + "\N{COMBINING GRAVE ACCENT}" * 3999
HOSTILE = {"joined": JOINED, "stacked": STACKED, "long": "Fußsohlengewölbe" * 200, "hebrew": "שלום 👣"}

# Each word of a selection that stands on more than one line.
BROKEN = """(selector) => [...document.querySelectorAll(selector)].flatMap((element) => {
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), broken = [];
  while (texts.nextNode()) for (const { index, 0: word } of texts.currentNode.data.matchAll(/\\p{L}+/gu)) {
    const range = document.createRange();
    range.setStart(texts.currentNode, index);
    range.setEnd(texts.currentNode, index + word.length);
    if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) broken.push(word);
  }
  return broken;
})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The site with a conversation of words that would leave their place, and a closed one."""
    place = Place(tmp_path_factory.mktemp("look"))
    place.article("hostile")
    place.article("closed", Comments="closed")
    place.comment(a_comment(id="first", article="hostile", body="A plain first comment.\n\nAnd more."))
    for name, words in HOSTILE.items():
        author = {"stacked": words[:60], "joined": words[:79]}.get(name, words[:80])
        place.comment(a_comment(id=name, article="hostile", author=author, body=words, reply_to="first"))
    place.comment(a_comment(id="above", article="closed"))
    place.comment(a_comment(id="below", article="closed", reply_to="above"))
    place.build()
    return place


@pytest.fixture
def context(browser: Browser, site: Place) -> Iterator[BrowserContext]:
    """A browser that is answered from the built files."""

    def answer(route: Route) -> None:
        path = site.output / route.request.url.removeprefix(SITE_URL).partition("?")[0].lstrip("/")
        file = path / "index.html" if path.is_dir() else path
        route.fulfill(path=file, content_type="application/xml" if file.suffix == ".xml" else None)

    context = browser.new_context(base_url=SITE_URL, viewport={"width": 360, "height": 640})
    context.route("**/*", answer)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def box(page: Page, selector: str) -> dict[str, float]:
    """Return the top, bottom, left, right, width and height of the first element."""
    found: dict[str, float] = page.locator(selector).first.evaluate(
        "(element) => element.getBoundingClientRect().toJSON()"
    )
    return found


def style(page: Page, selector: str, name: str) -> Any:
    return page.locator(selector).first.evaluate("(element, name) => getComputedStyle(element)[name]", name)


def enlarge(page: Page) -> None:
    page.evaluate("() => { document.documentElement.style.fontSize = '200%' }")


# What readers wrote


@pytest.mark.parametrize("width", [320, 1280])
def test_what_a_reader_writes_makes_no_page_wider(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 640})

    page.goto("/articles/hostile/")

    assert page.evaluate("() => document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("name", ["joined", "stacked"])
@pytest.mark.parametrize("part", [".who > h3", ".words"])
def test_what_a_reader_writes_draws_over_nothing_else(page: Page, name: str, part: str) -> None:
    page.goto("/articles/hostile/")
    words = page.locator(f"#comment-{name} {part}")
    before = page.locator(".standfirst").screenshot(), page.locator("#comment-first").screenshot()

    words.evaluate("(element) => { element.style.visibility = 'hidden' }")

    assert (page.locator(".standfirst").screenshot(), page.locator("#comment-first").screenshot()) == before


def test_what_a_reader_writes_from_right_to_left_is_laid_out_so(page: Page) -> None:
    page.goto("/articles/hostile/")

    assert style(page, "#comment-hebrew .words", "direction") == "rtl"
    assert style(page, "#comment-first .words", "direction") == "ltr"
    assert page.get_by_label("Your comment").get_attribute("dir") == "auto"


# Large text


@pytest.mark.parametrize("width", [360, 1280])
def test_no_word_of_a_caption_breaks_in_text_of_twice_the_size(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    page.goto(ARTICLE)

    enlarge(page)

    assert page.evaluate(BROKEN, "figcaption, .telephone, .button") == []
    assert page.evaluate("() => document.documentElement.scrollWidth") == width


# Distances


def test_a_form_under_a_comment_keeps_its_distance_from_the_next(page: Page) -> None:
    page.goto(ARTICLE)

    page.get_by_role("link", name="Reply to Alexis").click()

    assert box(page, "#comment-0002")["top"] - box(page, "#join .actions")["bottom"] >= 32


def test_a_reply_in_a_closed_conversation_keeps_its_distance_from_its_parent(page: Page) -> None:
    page.goto("/articles/closed/")

    assert box(page, "#comment-below")["top"] - box(page, "#comment-above")["bottom"] >= 24


def test_the_text_of_a_comment_that_is_linked_to_keeps_its_distance_from_the_tint(page: Page) -> None:
    page.goto(f"{ARTICLE}#comment-0001")

    assert style(page, ".comment:target", "boxShadow").endswith("0px 0px 0px 12px")


def test_the_counter_stands_clear_of_the_focus_ring(page: Page) -> None:
    page.goto(ARTICLE)
    page.get_by_label("Your comment").fill("x" * 3900)

    counter = page.get_by_text("You have 100 characters remaining").first
    expect(counter).to_be_visible()

    place = counter.bounding_box()
    assert place
    assert place["y"] - box(page, "#comment")["bottom"] > 5  # the ring is 3 px wide, 2 px away


# Sizes and lines


def test_the_heading_of_a_form_is_as_large_as_that_of_the_conversation(page: Page) -> None:
    page.goto(ARTICLE)

    assert style(page, "#join-title", "fontSize") == style(page, "#thoughts-title", "fontSize")


@pytest.mark.parametrize(("width", "selector"), [(360, ".brand"), (1280, ".standfirst")])
def test_what_fits_on_a_line_stands_on_one(page: Page, width: int, selector: str) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    page.goto(ARTICLE)

    lines = page.locator(selector).evaluate(
        "(element) => { const text = document.createRange(); text.selectNodeContents(element);"
        " return new Set([...text.getClientRects()].map((box) => Math.round(box.bottom))).size }"
    )

    assert lines == 1


def test_the_number_is_shown_where_a_press_may_not_dial(page: Page) -> None:
    page.goto(ARTICLE)
    number = page.locator(".bar").get_by_text("07504 439555")

    expect(number).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 640})
    expect(number).to_be_visible()


def test_the_rail_marks_the_replies_of_the_author_alone(page: Page) -> None:
    page.goto(ARTICLE)
    assert style(page, "#comment-0002", "borderInlineStartWidth") == "2px"

    page.goto("/articles/closed/")
    assert style(page, "#comment-below", "borderInlineStartWidth") == "0px"


# The icon, the feed and the paper


def test_the_site_has_an_icon_in_its_own_colour(page: Page, site: Place) -> None:
    page.goto("/")

    icon = site.page(page.locator("link[rel=icon]").get_attribute("href") or "")

    assert icon.startswith("<svg")
    assert 'fill="#0e5c52"' in icon


def test_a_feed_in_a_browser_has_dates_for_people_and_a_way_home(page: Page) -> None:
    page.goto("/feed.xml")

    expect(page.get_by_role("link", name="22 November 2026")).to_have_attribute("href", f"{SITE_URL}{ARTICLE}")
    expect(page.get_by_text("2026-11-22T00:00:00+00:00").first).to_be_hidden()
    page.get_by_role("link", name="Go to From the ground up").click()
    expect(page).to_have_url(f"{SITE_URL}/")


@pytest.mark.parametrize(("address", "sheets"), [(ARTICLE, 3), ("/", 3), ("/drawings/", 1)])
def test_a_page_takes_few_sheets_of_paper(page: Page, address: str, sheets: int) -> None:
    page.goto(address)

    paper = page.pdf(format="A4", margin={"top": "15mm", "bottom": "15mm", "left": "15mm", "right": "15mm"})

    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == sheets


def test_an_article_on_paper_has_one_typeface_and_its_address_and_nothing_to_press(page: Page) -> None:
    page.goto(ARTICLE)

    page.emulate_media(media="print")

    expect(page.get_by_text(f"{SITE_URL}{ARTICLE}", exact=True)).to_be_visible()
    for hidden in ("Link to this comment", "Add a comment", "Send comment", "Ring David on 07504 439555"):
        expect(page.get_by_text(hidden, exact=True).first).to_be_hidden()
    faces = "() => new Set([...document.querySelectorAll('main *')].map((e) => getComputedStyle(e).fontFamily)).size"
    assert page.evaluate(faces) == 1
