"""Site on one origin, below a path and with its policy in the page, and the intake on another: a reader's whole way."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from contract.manifest import BuildStatus
from postbox.desk.sessions import SignIn
from tests.support.intake import running
from tests.support.place import Place, a_place
from tests.support.process import end, free_port, listens, run, wait_until


class Quiet(SimpleHTTPRequestHandler):
    """A static host that sends no headers of ours."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def origins(shipped: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of the site and of its intake."""
    folder: Path = tmp_path_factory.mktemp("apart")
    settings = a_place(shipped, folder / "mine")
    host = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "www")))
    threading.Thread(target=host.serve_forever, daemon=True).start()
    site = f"http://localhost:{host.server_port}/site"
    with running(settings) as (_, port):
        talk = f"http://127.0.0.1:{port}"
        output = str(folder / "www/site")
        Place(folder / "made").build(
            SITE_URL=site, INTAKE=talk, PLAIN_HOST=True, OUTPUT_PATH=output, SITE_JSON=str(settings.site)
        )
        yield site, talk
    host.shutdown()
    host.server_close()


@pytest.mark.parametrize("has_script", [True, False], ids=["with JavaScript", "without"])
def test_a_reader_comments_replies_and_writes_across_two_origins(
    browser: Browser, origins: tuple[str, str], has_script: bool
) -> None:
    site, talk = origins
    context = browser.new_context(java_script_enabled=has_script)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    article = f"{site}/articles/big-toe-and-glutes/"
    place = article if has_script else talk

    page.goto(article)
    page.get_by_label("Your name").fill("Sue")
    page.get_by_role("button", name="Send comment").click()
    expect(page.locator(".problem")).to_contain_text("There is a problem")
    page.get_by_role("textbox", name="Your comment").fill("On the **third** step.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview strong")).to_have_text("third")
    assert page.url.startswith(place)
    page.get_by_role("button", name="Send comment").click()
    expect(page.locator(".done")).to_contain_text("Thank you, Sue")
    assert page.url.startswith(place)
    if has_script:
        page.reload()
        expect(page.locator(".done")).to_contain_text("Thank you, Sue")
    else:
        expect(page.locator("script")).to_have_count(0)
        page.get_by_role("link", name="Back to the article").click()
        assert page.url == article

    page.get_by_role("link", name="Reply to").first.click()
    page.get_by_label("Your name").fill("Tom")
    page.get_by_role("textbox", name="Your comment").fill("So it does.")
    page.get_by_role("button", name="Send comment").click()
    expect(page.locator(".done").filter(has_text="Tom")).to_be_visible()

    page.goto(f"{site}/contact/")
    page.get_by_role("button", name="Send message").click()
    expect(page.locator(".problem")).to_contain_text("There is a problem")
    assert page.url.startswith(talk)
    for label, words in (("Your name", "Tom"), ("Your phone number", "07700 900123"), ("Your message", "Ring me?")):
        page.get_by_label(label).fill(words)
    page.get_by_role("button", name="Send message").click()
    expect(page.locator(".done")).to_contain_text("Thank you, Tom")
    _leads_home(page, site)

    assert [line for line in said if "olicy" in line or "CORS" in line] == []
    context.close()


def _leads_home(page: Page, site: str) -> None:
    page.locator(".brand").click()
    assert page.url == f"{site}/"
    expect(page.get_by_role("article").first).to_be_visible()


def test_the_policy_in_the_page_keeps_a_form_from_going_elsewhere(browser: Browser, origins: tuple[str, str]) -> None:
    page = browser.new_page()
    page.goto(f"{origins[0]}/contact/")

    with page.expect_console_message(lambda message: "form-action" in message.text):
        page.locator("form").evaluate("form => { form.action = 'http://127.0.0.1:9/'; form.requestSubmit() }")

    assert page.url == f"{origins[0]}/contact/"
    page.close()


def test_a_text_is_looked_at_at_the_desk_as_it_will_be_below_the_path(browser: Browser, place: Place) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    place.image("images/sand.png", size=(400, 300))
    press = run(place, "press", "watch", SITE_URL="https://name.github.io/site", SITE_INTAKE="")
    desk = run(place, "postbox", "desk", POSTBOX_DESK_PORT=str(port), POSTBOX_DESK_URL=address)
    try:
        wait_until(
            lambda: listens(port) and BuildStatus.load(place.folder / "var/site/press.json").watching, "both run"
        )
        page = browser.new_page()
        page.goto(f"{address}/sign-in/{SignIn(place.folder / 'var/desk').issue(datetime.now(UTC))}")
        page.get_by_role("button").click()
        page.goto(f"{address}/write")
        page.get_by_role("button", name="New article").click()
        for label, words in (("Title", "Shoes"), ("Summary", "In short.")):
            page.get_by_label(label).fill(words)
        page.get_by_label("Text", exact=True).fill("![A foot on sand](/images/sand.png)\n\n[Way](/contact/)")
        page.get_by_role("button", name="Look at it").click()

        proof = page.frame_locator("iframe")
        expect(proof.get_by_role("heading", name="Shoes")).to_be_visible(timeout=60_000)
        picture = proof.get_by_role("img", name="A foot on sand")
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 0
        expect(proof.get_by_role("link", name="Way")).to_have_attribute("href", "/site/contact/")
        page.close()
    finally:
        with ExitStack() as ends:
            for process in (press, desk):
                ends.callback(end, process)
