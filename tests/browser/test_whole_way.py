"""The whole way in a real browser without JavaScript: from a reader's first word to the page and the feed."""

import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.place import Place
from tests.support.process import PATIENCE_SECONDS, postbox, run, wait_until


@pytest.fixture
def page(browser: Browser, served: tuple[Place, str]) -> Iterator[Page]:
    """A phone with JavaScript off, at the site's address; any policy message fails the test."""
    phone: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True}
    context = browser.new_context(java_script_enabled=False, base_url=served[1], **phone)
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    yield page
    context.close()
    assert [message for message in messages if "Failed to load resource" not in message] == []


def test_a_reply_goes_the_whole_way(page: Page, served: tuple[Place, str]) -> None:
    place, address = served

    page.goto("/")
    page.get_by_role("link", name="Comments (2)").click()
    page.get_by_role("link", name="Reply to Alexis").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Reply to Alexis")
    expect(page.get_by_text("I love the feet")).to_be_visible()

    page.get_by_label("Your comment").fill("My words & “mine”.\n\nTwo **paragraphs**.")
    page.get_by_role("button", name="Send comment").click()
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.get_by_role("alert")).to_contain_text("There is a problem")
    expect(page.get_by_label("Your comment")).to_have_value("My words & “mine”.\n\nTwo **paragraphs**.")
    page.get_by_role("link", name="Enter your name").click()
    assert page.url.endswith("#name")

    page.get_by_label("Your name").fill("Tom")
    page.get_by_role("button", name="Send comment").click()
    expect(page.get_by_role("status")).to_contain_text("Thank you, Tom.")
    expect(page.get_by_role("status")).to_contain_text("David will read your comment.")
    page.reload()
    waiting = postbox(place, "list").splitlines()
    assert len(waiting) == 1
    assert "Tom: My words & “mine”. Two **paragraphs**." in waiting[0]

    postbox(place, "approve", waiting[0].split()[0])
    wait_until(lambda: "3 thoughts" in place.page("/"), "the comment is in the page")

    page.goto("/articles/big-toe-and-glutes/")
    comment = page.get_by_role("article", name="Tom")
    expect(comment).to_contain_text("in reply to Alexis")
    expect(comment).to_contain_text("Two paragraphs.")
    expect(page.get_by_role("heading", level=2).first).to_contain_text("3 thoughts")
    with urllib.request.urlopen(f"{address}/comments.xml", timeout=PATIENCE_SECONDS) as feed:
        assert "Tom on “Your big toe" in feed.read().decode()
    assert postbox(place, "list") == ""


def test_a_draft_is_shown_and_marked_and_a_former_address_leads_to_the_new_one_with_its_comment(
    page: Page, served: tuple[Place, str]
) -> None:
    place, address = served
    place.article("shoes", Status="draft", text="On shoes.")
    place.article("renamed", Formerly="old-name")
    moved = place.output / "_redirects"
    wait_until(lambda: moved.is_file() and "/articles/old-name/" in moved.read_text("utf-8"), "the article is built")
    wait_until(lambda: (place.output / "drafts/shoes/index.html").exists(), "the draft is built")

    page.goto("/drafts/shoes/")
    expect(page.get_by_text("Draft: only this preview shows it.")).to_be_visible()
    page.goto("/articles/old-name/#thoughts")
    assert page.url == f"{address}/articles/renamed/#thoughts"


def test_a_broken_article_leaves_the_site_as_it_was_until_it_is_mended(page: Page, served: tuple[Place, str]) -> None:
    place, _ = served
    before = place.page("/")

    article = place.article("broken", text="[dead](/nowhere/)")
    time.sleep(1)
    page.goto("/")
    unchanged = place.page("/")
    article.unlink()

    assert unchanged == before
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your big toe")


def test_what_is_not_there_is_the_sites_own_page(page: Page) -> None:
    answer = page.goto("/no/such/page")

    assert answer
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("That page is not here. It may have moved.")


def test_an_open_page_reloads_itself_after_a_change(browser: Browser, served: tuple[Place, str]) -> None:
    place, address = served
    page = browser.new_page(base_url=address)
    page.goto("/articles/")
    page.wait_for_timeout(500)  # until it listens

    with page.expect_navigation(timeout=PATIENCE_SECONDS * 1000):
        place.article("fresh", Title="A fresh article")

    expect(page.get_by_role("link", name="A fresh article")).to_be_visible()
    page.close()


def test_the_way_by_keyboard_alone(page: Page) -> None:
    page.goto("/comments/reply/big-toe-and-glutes/0001")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()

    page.get_by_label("Your name").focus()
    page.keyboard.type("Ann")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Your name")).to_have_value("Ann")


@pytest.mark.parametrize(("arguments", "environment", "line"), [
    (["press", "serve", "--port", "TAKEN"], {}, "Port TAKEN is in use; end what uses it, or take another"),
    (["press", "serve", "--port", "x"], {}, "PORT must be a number from 1 to 65535, not “x”"),
    (["press", "publish"], {}, "SITE_URL must be the site's address: SITE_URL=https://example.org make publish"),
    (["press", "publish"], {"SITE_URL": "ftp://a.example"}, "SITE_URL must be the site's address"),
    (["postbox", "list"], {"POSTBOX_PROT": "1"}, "POSTBOX_PROT is not a setting"),
    (["postbox", "preview"], {"POSTBOX_PORT": "x"}, "POSTBOX_PORT must be a whole number, not “x”"),
    (["postbox", "approve", "abcd.00"], {}, "abcd isn’t waiting"),
])  # fmt: skip
def test_a_wrong_setting_is_one_clear_line(
    place: Place, arguments: list[str], environment: dict[str, str], line: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        ended = run(place, *(a.replace("TAKEN", port) for a in arguments), **environment)
        output, _ = ended.communicate(timeout=PATIENCE_SECONDS)

    assert ended.returncode != 0
    assert line.replace("TAKEN", port) in output
    assert len(output.strip().splitlines()) == 1
