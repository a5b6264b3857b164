"""The form with JavaScript on, in a real browser: everything that the script promises a reader."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import brotli
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.support.place import Place
from tests.support.process import PATIENCE_SECONDS, postbox, serve

MAX_BYTES = 2700  # of the published script, brotli
ARTICLE = "/articles/big-toe-and-glutes/"
MOST = 4000  # characters of a comment
RECEIPTS = "comment big-toe-and-glutes /receipts"  # the key that the tab keeps the way to them under
DOWN = "Your comment could not be sent. It is still in the box. Try again in a minute, or ring David on 07504 439555."

# What a reader of the page with a screen reader would trip over, and what the policy would refuse; empty if there is nothing.
FAULTS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const ids = all("[id]").map((element) => element.id);
  const named = (element) => element.labels?.length || element.ariaLabel;
  return [
    ...ids.filter((id, place) => ids.indexOf(id) < place).map((id) => `two with the id ${id}`),
    ...all("input:not([type=hidden]), textarea").filter((e) => !named(e)).map((e) => `${e.name} has no label`),
    ...all("label").filter((label) => !label.control).map((label) => `${label.textContent} labels nothing`),
    ...["aria-describedby", "aria-labelledby"].flatMap((name) =>
      all(`[${name}]`).flatMap((element) => element.getAttribute(name).split(" "))
        .filter((id) => !document.getElementById(id)).map((id) => `${name} leads to no ${id}`)),
    ...all("[style]").map((element) => `${element.localName} has a style of its own`),
    ...all("a:not([href])").map((a) => `“${a.textContent}” leads nowhere`),
    ...(document.documentElement.scrollWidth > innerWidth ? ["the page is wider than its window"] : []),
  ];
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    """The site, and its address."""
    yield from serve(tmp_path_factory.mktemp("served"), POSTBOX_RATE_SENDER="1000")


@pytest.fixture
def place(served: tuple[Place, str]) -> Place:
    """The copy of the site that is served."""
    return served[0]


@pytest.fixture
def context(browser: Browser, served: tuple[Place, str]) -> Iterator[BrowserContext]:
    """A reader's phone, without the reload of the preview."""
    context = browser.new_context(viewport={"width": 360, "height": 640}, base_url=served[1], has_touch=True)
    context.route("**/preview/reload.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """The article; whatever state a test links it in has no fault, and no message was written on the way."""
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(ARTICLE)
    yield page
    assert page.evaluate(FAULTS) == []
    assert [message for message in messages if "Failed to load resource" not in message] == []


# Fetched


@pytest.mark.parametrize("address", ["/", ARTICLE])
def test_a_page_with_a_form_brings_one_script_which_waits_for_the_page(page: Page, address: str) -> None:
    page.goto(address)

    sources = page.evaluate("() => [...document.scripts].filter((s) => s.src.includes('/theme/')).map((s) => s.defer)")

    assert sources == [True]


def test_words_typed_before_the_script_is_there_stay_and_are_sent_in_place(page: Page, place: Place) -> None:
    held = hold(page, "**/theme/comments.*.js")
    page.goto(ARTICLE, wait_until="commit")
    page.get_by_label("Your name").tap()
    page.keyboard.type("Early")
    page.keyboard.press("Tab")
    page.keyboard.type("Typed bef")

    held[0].continue_()
    expect(page.locator("#join [role=status]")).to_have_count(2)
    page.keyboard.type("ore.")

    expect(page.get_by_label("Your name")).to_have_value("Early")
    expect(page.get_by_label("Your comment")).to_have_value("Typed before.")
    send(page)
    expect(page.locator(".done")).to_be_focused()
    assert [waiting["body"] for waiting in shown(place, "Early")] == ["Typed before."]


def test_a_script_that_is_gone_leaves_the_pages_of_the_intake(page: Page, place: Place) -> None:
    page.route("**/theme/comments.*.js", lambda route: route.fulfill(status=404, body=""))
    page.goto(ARTICLE)

    page.get_by_role("link", name="Reply to Alexis").click()
    page.wait_for_url("**/comments/reply/big-toe-and-glutes/0001")
    write(page, "Old", "From an old page.")
    send(page)

    page.wait_for_url("**/comments/receipt/*")
    [waiting] = shown(place, "Old")
    assert waiting["reply_to"] == "0001"


# In place


def test_a_reply_is_written_under_its_comment(page: Page, place: Place) -> None:
    form, comment = page.locator("#join"), page.get_by_role("article", name="Alexis")

    page.get_by_role("link", name="Reply to Alexis").click()

    expect(comment.locator("#join")).to_be_visible()
    expect(form.get_by_role("heading")).to_have_text("Reply to Alexis")
    expect(page.get_by_role("form", name="Reply to Alexis")).to_be_visible()
    expect(page.get_by_label("Your name")).to_be_focused()
    assert page.url.endswith(ARTICLE)

    write(page, "Rita", "A reply in place.")
    with page.expect_request("**/comments") as sent:
        send(page)

    assert "reply_to=0001" in str(sent.value.post_data)
    expect(comment.locator(".done")).to_be_focused()
    [waiting] = shown(place, "Rita")
    assert waiting["reply_to"] == "0001"
    expect(page.get_by_role("heading", name="Join the conversation")).to_be_visible()
    expect(comment.locator("#join")).to_have_count(0)


def test_the_words_follow_the_form_to_a_reply_and_to_another_and_back(page: Page) -> None:
    words, links = page.get_by_label("Your comment"), page.locator("a[data-reply]")
    write(page, "Wanda", "Typed before.")

    for link, id in ((links.first, "0001"), (links.last, "0002")):
        link.click()

        expect(words).to_be_focused()
        expect(words).to_have_value("Typed before.")
        expect(page.locator("#join")).to_have_count(1)
        expect(page.locator(f"#comment-{id} #join-title")).to_have_text(link.inner_text())
        assert page.locator("[name=reply_to]").input_value() == id
        assert len(kept(page)) == 1

    page.get_by_role("button", name="Cancel").click()

    expect(links.last).to_be_focused()
    expect(page.get_by_role("heading", name="Join the conversation")).to_be_visible()
    expect(page.locator("#thoughts #join")).to_have_count(0)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(words).to_have_value("Typed before.")
    assert page.locator("[name=reply_to]").input_value() == ""


@pytest.mark.parametrize("how", [{"modifiers": ["Control"]}, {"button": "middle"}])
def test_a_click_that_asks_for_another_tab_gets_it(context: BrowserContext, page: Page, how: dict[str, Any]) -> None:
    with context.expect_page() as opened:
        page.get_by_role("link", name="Reply to Alexis").click(**how)

    opened.value.wait_for_load_state()
    assert opened.value.url.endswith("/comments/reply/big-toe-and-glutes/0001")
    expect(page.locator("#thoughts #join")).to_have_count(0)


# Sent


def test_a_comment_is_sent_without_leaving_the_page(page: Page, place: Place) -> None:
    write(page, "Sam", "Sent from the page & “kept”.\n\nTwo paragraphs.")

    send(page)

    thanks = page.locator(".done")
    expect(thanks).to_be_focused()
    expect(thanks).to_contain_text("Thank you, Sam.")
    expect(thanks).to_contain_text("David will read your comment.")
    expect(page.locator("#join")).to_have_count(0)
    assert page.url.endswith(ARTICLE)
    [waiting] = shown(place, "Sam")
    assert waiting["body"] == "Sent from the page & “kept”.\n\nTwo paragraphs."

    thanks.get_by_role("link", name="this link").click()

    assert re.search(r"/comments/receipt/\w", page.url)
    expect(page.get_by_role("article", name="Sam")).to_contain_text("Two paragraphs.")


def test_a_second_comment_can_follow_the_first(page: Page, place: Place) -> None:
    write(page, "Paul", "The first.")
    send(page)
    expect(page.locator(".done")).to_be_focused()
    page.get_by_role("link", name="Reply to Alexis").click()
    expect(page.get_by_label("Your name")).to_have_value("Paul")
    expect(page.get_by_label("Your comment")).to_be_focused()
    expect(page.get_by_label("Your comment")).to_have_value("")

    write(page, "Paul", "The second.")
    send(page)

    expect(page.locator(".done")).to_have_count(2)
    assert {waiting["body"] for waiting in shown(place, "Paul")} == {"The first.", "The second."}


def test_while_it_is_sent_the_page_says_so_and_takes_no_second_press(page: Page, place: Place) -> None:
    held = hold(page)
    button = page.get_by_role("button", name="Send comment")
    write(page, "Dora", "Sent once.")

    button.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").filter(has_text="Sending…")).to_be_visible()
    expect(button).to_be_disabled()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Reply to Alexis").click()
    expect(page.locator("#thoughts #join")).to_have_count(0)
    expect(page.get_by_label("Your comment")).not_to_be_editable()

    assert len(held) == 1
    held[0].continue_()
    assert sent(page, place, "Dora")


def test_a_double_click_sends_once(page: Page, place: Place) -> None:
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    write(page, "Twice", "Pressed twice.")

    page.get_by_role("button", name="Send comment").dblclick()

    expect(page.locator(".done")).to_be_focused()
    assert len(posts) == 1
    assert len([line for line in postbox(place, "list").splitlines() if "Twice: Pressed twice." in line]) == 1


def test_errors_come_to_the_form_and_lead_to_their_fields(page: Page) -> None:
    page.get_by_role("button", name="Send comment").click()

    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("There is a problem")
    expect(page).to_have_title(re.compile("^Error: Your big toe"))
    expect(page.get_by_label("Your name")).to_have_accessible_description(re.compile("Enter your name$"))
    assert page.get_by_label("Your name").get_attribute("aria-invalid") == "true"
    assert page.evaluate(FAULTS) == []

    summary.get_by_role("link", name="Enter your comment").click()
    expect(page.get_by_label("Your comment")).to_be_focused()

    write(page, "Erin", "x" * (MOST + 1))
    send(page)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert").get_by_role("link")).to_have_text(["Comment must be 4,000 characters or fewer"])
    expect(page.locator(".field.wrong")).to_have_count(1)
    assert page.get_by_label("Your name").get_attribute("aria-invalid") is None

    write(page, "Erin", "Short.")
    send(page)
    expect(page.locator(".done")).to_be_focused()
    expect(page).to_have_title(re.compile("^Your big toe"))


def test_an_address_is_kept_and_its_error_comes_to_its_field(page: Page) -> None:
    write_and_keep(page, "Abe", "Write to me.")
    page.get_by_label("Your email address").fill("abe at home")

    page.reload()
    expect(page.get_by_label("Your email address")).to_have_value("abe at home")
    send(page)

    expect(page.get_by_role("alert").get_by_role("link")).to_have_attribute("href", "#email")
    expect(page.get_by_label("Your email address")).to_have_accessible_description(re.compile("correct format"))
    page.get_by_label("Your email address").fill("abe@example.com")
    send(page)
    expect(page.locator(".done")).to_be_focused()


def test_the_links_of_the_summary_work_under_a_comment_too(page: Page) -> None:
    page.get_by_role("link", name="Reply to Alexis").click()
    page.get_by_label("Your comment").fill("No name.")

    send(page)

    expect(page.locator("#comment-0001").get_by_role("alert")).to_be_focused()
    page.get_by_role("link", name="Enter your name").press("Enter")
    expect(page.get_by_label("Your name")).to_be_focused()


def test_the_preview_stands_on_top_of_the_form(page: Page, place: Place) -> None:
    write(page, "Vera", "Not **yet**.")

    page.get_by_role("button", name="Preview").click()

    preview = page.locator("#preview")
    expect(preview).to_be_focused()
    expect(preview.locator("strong")).to_have_text("yet")
    expect(page.get_by_label("Your comment")).to_have_value("Not **yet**.")
    assert shown(place, "Vera") == []
    assert page.evaluate(FAULTS) == []

    page.get_by_label("Your name").fill("")
    send(page)
    expect(page.get_by_role("alert")).to_be_focused()
    expect(preview).to_have_count(0)

    write(page, "Vera", "Now.")
    send(page)
    assert sent(page, place, "Vera")


def test_a_reply_to_what_is_gone_becomes_a_comment_of_its_own(page: Page, place: Place) -> None:
    file = place.comments / "big-toe-and-glutes/0002.md"
    words = file.read_bytes()
    page.locator("a[data-reply]").last.click()
    write(page, "Gwen", "Still here?")

    file.unlink()
    try:
        send(page)
        expect(page.get_by_role("alert")).to_contain_text("is no longer here")
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_role("heading", name="Join the conversation")).to_be_visible()
        send(page)
        expect(page.locator(".done")).to_be_focused()
    finally:
        file.write_bytes(words)

    [waiting] = shown(place, "Gwen")
    assert waiting["reply_to"] is None


def test_a_reader_in_a_hurry_is_told_when_to_try_again(browser: Browser, tmp_path: Path) -> None:
    for place, address in serve(tmp_path, POSTBOX_RATE_SENDER="1"):
        page = browser.new_page(base_url=address)
        page.goto(ARTICLE)
        page.get_by_role("button", name="Send comment").click()
        expect(page.get_by_role("alert")).to_contain_text("Enter your name")

        write(page, "Hasty", "Too soon.")
        send(page)

        expect(page.get_by_role("alert")).to_contain_text(re.compile("Try again in (a minute|[0-9]+ minutes)"))
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_label("Your comment")).to_have_value("Too soon.")
        assert page.evaluate(FAULTS) == []
        page.close()
        assert shown(place, "Hasty") == []


# Not sent


def test_a_service_that_is_down_leaves_the_words_in_the_box(page: Page, place: Place) -> None:
    write_and_keep(page, "Olga", "Offline.")
    page.context.set_offline(True)

    send(page)

    alert = page.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text(DOWN)
    expect(alert.get_by_role("link")).to_have_attribute("href", "tel:+447504439555")
    expect(page.get_by_label("Your comment")).to_have_value("Offline.")
    expect(page.get_by_label("Your comment")).to_be_editable()
    expect(page.get_by_role("button", name="Send comment")).to_be_enabled()

    page.context.set_offline(False)
    send(page)
    expect(page.locator(".done")).to_be_focused()
    expect(alert).to_have_count(0)
    assert len(shown(place, "Olga")) == 1


def test_a_proxy_that_answers_for_the_service_is_no_answer(page: Page) -> None:
    words = "<title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"
    page.route("**/comments", lambda route: route.fulfill(status=502, content_type="text/html", body=words))
    write(page, "Olga", "Proxied.")

    send(page)

    expect(page.get_by_role("alert")).to_contain_text(DOWN)


def test_an_inbox_that_cannot_be_written_is_said_by_the_service(page: Page, place: Place) -> None:
    inbox = sqlite3.connect(place.folder / "var/inbox/inbox.sqlite", isolation_level=None)
    write(page, "Ivy", "Not kept.")

    inbox.execute("CREATE TRIGGER full BEFORE INSERT ON comment BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    try:
        send(page)
        expect(page.get_by_role("alert")).to_contain_text(DOWN)
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_label("Your comment")).to_have_value("Not kept.")
    finally:
        inbox.execute("DROP TRIGGER full")
        inbox.close()


def test_a_request_that_is_refused_outright_says_why(page: Page) -> None:
    page.evaluate("document.querySelector('[name=article]').value = 'gone'")
    write(page, "Rose", "To nowhere.")

    send(page)

    expect(page.get_by_role("alert")).to_contain_text("That article is not here.")
    expect(page.get_by_label("Your comment")).to_have_value("To nowhere.")


@pytest.mark.parametrize("reload", [False, True])
def test_a_retry_after_a_lost_answer_is_one_comment(page: Page, place: Place, reload: bool) -> None:
    writer = f"Lost{reload}"
    write(page, writer, "Was it sent?")
    page.route("**/comments", lose_the_answer)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text(DOWN)
    assert len(shown(place, writer)) == 1

    page.unroute("**/comments")
    if reload:
        page.goto(ARTICLE)
    send(page)

    expect(page.locator(".done")).to_contain_text(f"Thank you, {writer}.")
    assert len(shown(place, writer)) == 1


# Kept


@pytest.mark.parametrize("again", ["reload", "back", "front page"])
def test_words_outlast_a_reload_in_their_tab(context: BrowserContext, page: Page, again: str) -> None:
    write_and_keep(page, "Kate", "Half a thought")

    if again == "reload":
        page.reload()
    elif again == "back":
        page.goto("/privacy/")
        page.go_back()
    else:
        page.goto("/")

    expect(page.get_by_label("Your name")).to_have_value("Kate")
    expect(page.get_by_label("Your comment")).to_have_value("Half a thought")
    other = context.new_page()
    other.goto(ARTICLE)
    expect(other.get_by_label("Your comment")).to_have_value("")
    assert kept(other) == {}


@pytest.mark.parametrize("again", ["reload", "back", "anew"])
def test_a_reply_outlasts_a_reload_under_its_comment(page: Page, place: Place, again: str) -> None:
    page.get_by_role("link", name="Reply to Alexis").click()
    write_and_keep(page, f"Ralph {again}", "Half a reply")

    if again == "back":
        page.goto("/privacy/")
    {"reload": page.reload, "back": page.go_back, "anew": lambda: page.goto(ARTICLE)}[again]()

    expect(page.locator("#comment-0001").get_by_label("Your comment")).to_have_value("Half a reply")
    expect(page.locator("#join-title")).to_have_text("Reply to Alexis")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Join the conversation")).to_be_visible()
    assert page.locator("[name=reply_to]").input_value() == ""
    send(page)
    assert sent(page, place, f"Ralph {again}")["reply_to"] is None


def test_a_browser_that_keeps_hidden_fields_through_a_reload_misleads_no_comment(page: Page, place: Place) -> None:
    def keep_hidden_fields(route: Route) -> None:  # as Firefox does
        answer = route.fetch()
        body = answer.text().replace('name="reply_to"', 'name="reply_to" value="0001"')
        route.fulfill(response=answer, body=body)

    page.route(f"**{ARTICLE}", keep_hidden_fields)
    page.reload()
    write(page, "Fay", "To everyone.")
    send(page)

    assert sent(page, place, "Fay")["reply_to"] is None


def test_words_on_the_page_of_a_reply_are_kept_too(page: Page, place: Place) -> None:
    page.goto("/comments/reply/big-toe-and-glutes/0001")
    write_and_keep(page, "Nora", "From the page of its own")
    page.goto("/comments/reply/big-toe-and-glutes/0002")
    expect(page.get_by_label("Your comment")).to_have_value("")

    page.goto("/comments/reply/big-toe-and-glutes/0001")

    expect(page.get_by_label("Your comment")).to_have_value("From the page of its own")
    send(page)
    assert sent(page, place, "Nora")["reply_to"] == "0001"
    assert list(kept(page)) == [RECEIPTS]


def test_nothing_is_kept_of_words_that_are_deleted_or_once_they_are_sent(page: Page) -> None:
    write_and_keep(page, "", "Never mind")
    assert len(kept(page)) == 1
    page.get_by_label("Your comment").fill("")
    assert kept(page) == {}
    write(page, "Cleo", "Sent and forgotten.")
    assert len(kept(page)) == 1
    first_key = page.locator("[name=key]").input_value()

    send(page)
    expect(page.locator(".done")).to_be_focused()

    assert list(kept(page)) == [RECEIPTS]
    assert page.evaluate("localStorage.length") == 0
    assert page.context.cookies() == []
    page.reload()
    expect(page.get_by_label("Your comment")).to_have_value("")
    assert list(kept(page)) == [RECEIPTS]
    page.get_by_label("Your comment").fill("Another.")
    send(page)
    expect(page.get_by_role("alert")).to_be_focused()
    assert page.locator("[name=key]").input_value() not in ("", first_key)


def test_without_storage_everything_else_works(context: BrowserContext, page: Page, place: Place) -> None:
    context.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
    )
    page.goto("/")

    page.get_by_role("link", name="Reply to Alexis").click()
    write(page, "Stan", "Without storage.")
    send(page)

    assert sent(page, place, "Stan")


# Hidden fields


def test_the_key_is_random_and_stays_until_the_comment_is_sent(page: Page, context: BrowserContext) -> None:
    key = page.locator("[name=key]")
    assert key.input_value() == ""

    write_and_keep(page, "Keith", "One key.")
    first = key.input_value()
    page.get_by_label("Your name").fill("")
    send(page)
    expect(page.get_by_role("alert")).to_be_focused()

    assert re.fullmatch("[0-9a-f]{32}", first)
    assert key.input_value() == first
    page.reload()
    assert key.input_value() == first
    other = context.new_page()
    other.goto(ARTICLE)
    write_and_keep(other, "", "Another key.")
    assert other.locator("[name=key]").input_value() != first


def test_the_form_says_how_long_it_was_open(page: Page, place: Place) -> None:
    page.clock.install()
    page.goto(ARTICLE)
    page.clock.fast_forward(3000)
    write(page, "Ann", "Words of my own.")

    with page.expect_request("**/comments") as sent:
        send(page)

    fields = parse_qs(sent.value.post_data or "")
    assert 3 <= int(fields["seconds"][0]) < 3 + PATIENCE_SECONDS
    expect(page.locator(".done")).to_be_focused()
    assert shown(place, "Ann")[0]["held"] == []


# Characters


COUNTS = [
    ("", ""), ("x" * 3199, ""),
    ("x" * 3200, "You have 800 characters remaining"),
    ("x" * 3999, "You have 1 character remaining"),
    ("x" * 4000, "You have 0 characters remaining"),
    ("x" * 4001, "You have 1 character too many"),
    ("x" * 6000, "You have 2,000 characters too many"),
    ("\n" + "👣\n" * 1100, "You have 699 characters remaining"),  # a line break is two, as the service counts
]  # fmt: skip


def test_characters_are_counted_near_the_limit(page: Page) -> None:
    for text, words in COUNTS:
        page.get_by_label("Your comment").fill(text)

        expect(page.locator(".field [aria-hidden]")).to_have_text(words)
    expect(page.locator(".field [role=status]")).to_have_text(words)


def test_the_count_is_said_in_a_pause_and_not_at_every_key(page: Page) -> None:
    page.get_by_label("Your comment").fill("x" * 3500)
    expect(page.locator(".field [role=status]")).to_have_text("You have 500 characters remaining")
    page.evaluate("""() => {
      window.said = [];
      const status = document.querySelector(".field [role=status]");
      new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true });
    }""")

    page.get_by_label("Your comment").press_sequentially("ten words..", delay=20)

    expect(page.locator(".field [role=status]")).to_have_text("You have 489 characters remaining")
    page.wait_for_timeout(500)  # until every key had its turn
    assert page.evaluate("said") == ["You have 489 characters remaining"]


# Everywhere


def test_the_whole_way_by_keyboard_on_a_phone(page: Page, place: Place) -> None:
    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    page.get_by_role("link", name="Reply to Alexis").focus()
    press("Enter", *"Kim", "Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    press("Tab")
    expect(page.get_by_role("link", name="Enter your comment")).to_be_focused()
    press("Enter", *"Words", "Tab")
    expect(page.get_by_label("Your email address")).to_be_focused()
    press("Tab", "Tab")
    expect(page.get_by_role("button", name="Preview")).to_be_focused()
    press("Tab")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    press("Enter")
    expect(page.get_by_role("link", name="Reply to Alexis")).to_be_focused()
    press("Enter")
    expect(page.get_by_label("Your comment")).to_be_focused()
    press("Tab", "Tab", "Enter")

    assert sent(page, place, "Kim")
    press("Tab")
    expect(page.locator(".done").get_by_role("link")).to_be_focused()


def test_a_reader_who_asked_for_less_motion_gets_none(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")

    page.get_by_role("link", name="Reply to Alexis").click()

    place = page.get_by_label("Your name").bounding_box()
    expect(page.get_by_label("Your name")).to_be_in_viewport(ratio=1)
    assert page.get_by_label("Your name").bounding_box() == place
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_a_page_from_the_way_back_has_a_form_that_works(browser: Browser, served: tuple[Place, str]) -> None:
    with browser.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=["--no-sandbox"],
        ignore_default_args=["--disable-back-forward-cache"],
    ) as keeping:
        page = keeping.new_page(base_url=served[1])
        page.route("**/preview/reload.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
        page.add_init_script("addEventListener('pageshow', (event) => (window.wasKept = event.persisted))")
        page.goto(ARTICLE)
        page.get_by_role("link", name="Reply to Alexis").click()
        write(page, "Bea", "There and back.")

        page.goto("/privacy/")
        page.evaluate("history.back()")
        page.wait_for_url(f"**{ARTICLE}", wait_until="commit")

        assert page.evaluate("wasKept")
        expect(page.get_by_label("Your comment")).to_have_value("There and back.")
        send(page)
        expect(page.locator("#comment-0001 .done")).to_be_focused()


def test_a_page_left_while_sending_comes_back_ready_to_send(page: Page, place: Place) -> None:
    held = hold(page)
    write(page, "Uma", "Left in between.")
    send(page)
    expect(page.get_by_role("button", name="Send comment")).to_be_disabled()

    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")

    expect(page.get_by_role("button", name="Send comment")).to_be_enabled()
    expect(page.get_by_label("Your comment")).to_be_editable()
    held[0].continue_()


def test_the_published_script_is_small(place: Place) -> None:
    [script] = (place.output / "theme").glob("*.js")

    assert len(brotli.compress(script.read_bytes(), quality=11)) <= MAX_BYTES


def write(page: Page, name: str, comment: str) -> None:
    """Fill the form in."""
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Your comment").fill(comment)


def write_and_keep(page: Page, name: str, comment: str) -> None:
    """Fill the form in, and wait until the script is there and has kept the words."""
    write(page, name, comment)
    expect(page.locator("[name=key]")).not_to_have_value("")


def send(page: Page) -> None:
    """Press the button."""
    page.get_by_role("button", name="Send comment").click()


def shown(place: Place, writer: str) -> list[dict[str, Any]]:
    """Return what waits from a writer."""
    found: list[dict[str, Any]] = json.loads(postbox(place, "list", "--json"))
    return [waiting for waiting in found if waiting["author"] == writer]


def sent(page: Page, place: Place, writer: str, *, under: str = "") -> dict[str, Any]:
    """Wait for the thanks, under a comment or below all; return the one comment that waits from a writer."""
    expect(page.locator(f"{under} .done")).to_be_focused()
    [waiting] = shown(place, writer)
    return waiting


def kept(page: Page) -> dict[str, str]:
    """Return what the tab has stored."""
    return dict(page.evaluate("({ ...sessionStorage })"))


def hold(page: Page, what: str = "**/comments") -> list[Route]:
    """Hold what the form sends, or the answers to another address; return the list that they are held in."""
    held: list[Route] = []
    page.route(what, lambda route: held.append(route))
    return held


def lose_the_answer(route: Route) -> None:
    """Let the service have the comment, and the reader no answer."""
    route.fetch(max_redirects=0)
    route.abort()
