"""Receipt of a comment in the article itself, with JavaScript on: seen as it will look, and found again after a reload."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.place import Place
from tests.support.process import postbox, serve

ARTICLE = "/articles/big-toe-and-glutes/"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    """The site, and its address."""
    yield from serve(tmp_path_factory.mktemp("served"), POSTBOX_RATE_SENDER="1000")


@pytest.fixture
def context(browser: Browser, served: tuple[Place, str]) -> Iterator[BrowserContext]:
    """A reader's browser, without the reload of the preview."""
    context = browser.new_context(base_url=served[1], permissions=["clipboard-read", "clipboard-write"])
    context.route("**/preview/reload.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """The article."""
    page = context.new_page()
    page.goto(ARTICLE)
    return page


def send(page: Page, name: str, comment: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your comment").fill(comment)
    page.get_by_role("button", name="Send comment").click()
    expect(page.locator(".done").filter(has_text=name)).to_be_focused()


def decide(place: Place, decision: str, writer: str) -> None:
    """Decide on the comment of a writer."""
    waiting = json.loads(postbox(place, "list", "--json"))
    postbox(place, decision, next(item["name"] for item in waiting if item["author"] == writer))


def test_what_was_sent_is_seen_as_it_will_look_with_a_link_that_can_be_copied_there_and_on_its_page(page: Page) -> None:
    send(page, "Sue", "On the **third** step.")

    expect(page.get_by_role("article", name="Sue").locator("strong")).to_have_text("third")
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"/comments/receipt/\w+", copied)
    expect(page.get_by_role("link", name="this link")).to_have_attribute("href", copied)
    page.evaluate("navigator.clipboard.writeText('')")
    page.goto(f"{copied}?done=stop")
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == copied


def test_a_reload_keeps_the_comment_its_state_and_the_way_to_its_receipt(context: BrowserContext, page: Page) -> None:
    page.get_by_role("link", name="Reply to Alexis").click()
    send(page, "Ray", "A reply.")
    receipt = page.get_by_role("link", name="this link").get_attribute("href")

    page.reload()

    expect(page.locator(".done")).to_contain_text("Thank you, Ray. David will read your comment.", use_inner_text=True)
    expect(page.get_by_role("article", name="Ray")).to_contain_text("in reply to Alexis")
    expect(page.get_by_role("link", name="this link")).to_have_attribute("href", str(receipt))
    expect(page.get_by_label("Your comment")).to_have_value("")
    other = context.new_page()
    other.goto(ARTICLE, wait_until="networkidle")
    expect(other.locator(".done")).to_have_count(0)


def test_a_rejection_is_told_at_the_next_look_and_in_no_green_box(page: Page, served: tuple[Place, str]) -> None:
    send(page, "Rob", "Buy insoles.")
    decide(served[0], "reject", "Rob")
    page.reload()

    expect(page.get_by_text("David has decided not to publish your comment.")).to_be_visible()
    expect(page.locator(".done")).to_have_count(0)


def test_what_was_deleted_meanwhile_is_forgotten(page: Page) -> None:
    send(page, "Del", "Never mind.")

    page.get_by_role("link", name="this link").click()
    page.get_by_text("Delete this comment").click()
    page.get_by_role("button", name="Delete for good").click()
    page.get_by_role("link", name="Back to the article").click()

    page.wait_for_function("() => sessionStorage.getItem('comment big-toe-and-glutes /receipts') === '[]'")
    expect(page.get_by_role("heading", name="Thank you")).to_have_count(0)


def test_what_is_in_the_page_by_now_is_not_shown_twice(page: Page, served: tuple[Place, str]) -> None:
    send(page, "Pat", "Soon to be seen.")
    decide(served[0], "approve", "Pat")
    for _ in range(50):
        page.reload(wait_until="networkidle")
        if page.locator("#thoughts .comment", has_text="Soon to be seen.").count():
            break
        page.wait_for_timeout(100)

    expect(page.get_by_role("article", name="Pat")).to_have_count(1)
    expect(page.locator(".done")).to_have_count(0)


def test_escape_cancels_a_reply_and_keeps_its_words(page: Page) -> None:
    page.get_by_role("link", name="Reply to Alexis").click()
    page.get_by_label("Your comment").fill("Half a reply")

    page.keyboard.press("Escape")

    expect(page.locator("#thoughts #join")).to_have_count(0)
    expect(page.get_by_role("link", name="Reply to Alexis")).to_be_focused()
    expect(page.get_by_label("Your comment")).to_have_value("Half a reply")


def test_add_a_comment_leads_to_the_form_in_its_own_place(page: Page) -> None:
    page.get_by_role("link", name="Reply to Alexis").click()

    page.get_by_role("link", name="Add a comment").click()

    expect(page.locator("#thoughts #join")).to_have_count(0)
    expect(page.get_by_role("heading", name="Join the conversation")).to_be_in_viewport()
