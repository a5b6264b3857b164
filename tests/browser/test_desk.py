"""David's day at the desk on a phone, without JavaScript: each walk beside the press, its taps counted."""

import email
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import policy

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from postbox.desk.sessions import SignIn
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from tests.support.desk import send
from tests.support.place import ARTICLE, ROOT
from tests.support.process import serve, wait_until

PATIENCE = 45_000  # milliseconds: a busy machine's, never a claim
TRIES = 20  # to be on the page within the moment that the desk waits


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, str]]:
    """The site as `make serve` serves it: its settings, and the desk's address."""
    for place, address in serve(tmp_path_factory.mktemp("served")):
        content, var, port = place.folder / "content", place.folder / "var", int(address.rpartition(":")[2]) + 1
        settings = Settings(theme=ROOT / "theme", output=place.output, content=content, var=var)
        yield settings, f"http://127.0.0.1:{port}"


@pytest.fixture
def david(browser: Browser, served: tuple[Settings, str]) -> Iterator["Phone"]:
    """David's phone, signed in; any policy message fails the test."""
    settings, address = served
    context = browser.new_context(
        java_script_enabled=False, base_url=address, viewport={"width": 360, "height": 640}, has_touch=True
    )
    context.set_default_timeout(PATIENCE)
    phone = Phone(context.new_page())
    phone.page.goto(f"/sign-in/{SignIn(settings.desk).issue(datetime.now(UTC))}")
    phone.page.get_by_role("button", name="Sign in").click()
    yield phone
    context.close()
    assert phone.messages == []


class Phone:
    """A page that is tapped, and how often."""

    def __init__(self, page: Page) -> None:
        self.page, self.taps = page, 0
        self.messages: list[str] = []
        page.on("console", lambda told: self.messages.append(told.text) if "Content Security" in told.text else None)

    def tap(self, what: Locator) -> None:
        what.tap()
        self.taps += 1

    def press(self, name: str, within: Locator | None = None) -> None:
        self.tap((within or self.page.get_by_role("main")).get_by_role("button", name=name, exact=True))

    def follow(self, name: str) -> None:
        self.tap(self.page.get_by_role("main").get_by_role("link", name=name, exact=True))

    def hears(self, words: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(words, timeout=PATIENCE)

    def row(self, author: str) -> Locator:
        return self.page.locator(".row").filter(has=self.page.get_by_role("heading", name=author))


JOINED, STACKED = "👩‍" * 1000 + "👩", "a" + "\N{COMBINING GRAVE ACCENT}" * 3999


def test_what_a_reader_writes_stays_in_its_box_on_every_page_of_the_desk(
    david: Phone, served: tuple[Settings, str]
) -> None:
    settings, page = served[0], david.page
    ids = [send(settings, author=words[:79], body=words) for words in (JOINED, STACKED)]
    mailed = link_in_mail(settings, STACKED[:50])
    addresses = ["/", "/?tick=all", "/published", "/log", *(f"/comment/{id}" for id in ids), mailed]

    widths = {}
    for address in addresses:
        page.goto(address)
        page.evaluate("() => { for (const box of document.querySelectorAll('details')) box.open = true }")
        widths[address] = page.evaluate("() => document.documentElement.scrollWidth")
    page.goto("/")
    heights = [button.bounding_box() for button in page.get_by_role("button", name=re.compile(" selected$")).all()]

    assert widths == dict.fromkeys(addresses, 360)
    assert len({box["height"] for box in heights if box}) == 1  # none of them wraps
    for id in ids:
        Moderation.open(settings).forget(id, who="David", now=datetime.now(UTC))


def link_in_mail(settings: Settings, words: str) -> str:
    """Return the desk's link in the mail that has these words, once it is there."""
    found: list[str] = []

    def has_come() -> bool:
        for path in settings.mail.glob("[!.]*.eml"):
            text = email.message_from_bytes(path.read_bytes(), policy=policy.SMTP).get_body(("plain",)).get_content()  # type: ignore[union-attr]
            if words in text:
                found[:] = re.findall(r"http://\S+/(?:decide|sign-in)/\S+", text)
        return bool(found)

    wait_until(has_come, "the mail is there")
    return found[0]


def on_the_page(settings: Settings, words: str) -> bool:
    return words in (settings.output / f"articles/{ARTICLE}/index.html").read_text("utf-8")


def test_a_comment_is_published_from_its_mail_answered_at_the_desk_and_taken_back(
    david: Phone, served: tuple[Settings, str]
) -> None:
    settings, _ = served
    send(settings, author="Zoë", body="On the third step.")
    david.page.goto(link_in_mail(settings, "On the third step."))

    david.press("Publish")
    david.hears("Published the comment by Zoë")
    wait_until(lambda: on_the_page(settings, "On the third step."), "the comment is on its page")
    assert david.taps == 1
    david.follow("See it")
    expect(david.page.get_by_role("article", name="Zoë")).to_be_in_viewport()

    david.page.goto("/published")
    david.tap(david.row("Zoë").locator("summary").first)
    david.tap(david.row("Zoë").locator("summary", has_text="Reply"))
    david.row("Zoë").get_by_label("Your reply").fill("Thank you. Well done.")
    david.press("Publish your reply", within=david.row("Zoë"))
    david.hears("Published the reply by David")
    wait_until(lambda: on_the_page(settings, "Well done."), "the reply is on its page")
    assert david.taps == 5

    david.press("Undo")
    david.hears("Undone. David’s comment is off its page again")
    wait_until(lambda: not on_the_page(settings, "Well done."), "the reply is off its page")
    assert on_the_page(settings, "On the third step.")
    assert david.taps == 6


def test_what_is_on_the_page_already_is_said_to_be(david: Phone, served: tuple[Settings, str]) -> None:
    send(served[0], author="Una", body="Standing on one leg.")
    david.page.goto("/")
    david.press("Publish")  # it is the only one, so it stands open
    david.hears("Published the comment by Una")
    assert david.taps == 1

    for _ in range(TRIES):
        if "On the page now." in david.page.get_by_role("status").inner_text():
            break
        david.press("Undo")
        david.hears("Undone.")
        david.press("Publish")
        david.hears("Published the comment by Una")

    david.hears("On the page now. See it")
    david.follow("See it")
    expect(david.page.get_by_role("article", name="Una")).to_contain_text("Standing on one leg.")


def test_a_link_in_webmail_opens_for_who_is_signed_in_without_a_tap_more(
    david: Phone, served: tuple[Settings, str]
) -> None:
    inbox = f'<!doctype html><title>Mail</title><main><a href="{served[1]}/log">Open the log</a></main>'
    david.page.route("https://mail.example/", lambda route: route.fulfill(content_type="text/html", body=inbox))
    david.page.goto("https://mail.example/")

    david.follow("Open the log")

    expect(david.page.get_by_role("heading", level=1)).to_have_text("Log", timeout=PATIENCE)
    assert david.taps == 1
    david.page.context.clear_cookies()
    david.page.goto("https://mail.example/")
    david.follow("Open the log")
    expect(david.page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    david.press("Email me a link")
    expect(david.page.get_by_role("heading", level=1)).to_have_text("Look in your email")


# Last: ten mails of an hour are sent one by one, and the rest as one.


def test_ten_spam_are_gone_in_two_taps_and_come_back_in_one(david: Phone, served: tuple[Settings, str]) -> None:
    for number in range(10):
        send(served[0], author=f"Shop {number}", body="https://insoles.example/", held=["it has 1 link"])
    send(served[0], author="Tom", body="Which shoes?")
    david.page.goto("/")

    david.follow("all held (10)")
    david.press("Spam selected", within=david.page.get_by_role("form", name="Selected"))
    david.hears("Marked the comment by Shop 9 as spam")

    assert david.taps == 2
    expect(david.page.get_by_role("heading", level=1)).to_have_text("1 comment to review")
    expect(david.page.get_by_role("heading", level=2, name="Tom")).to_be_visible()
    david.press("Undo")
    expect(david.page.get_by_role("heading", level=1)).to_have_text("11 comments to review")
    david.follow("all (11)")
    david.press("Spam selected", within=david.page.get_by_role("form", name="Selected"))
    expect(david.page.get_by_role("heading", level=1)).to_have_text("All done")
