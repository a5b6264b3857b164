"""Access, in a real browser: WCAG 2.2 AA by axe-core on every page and in every state, and what axe cannot see.

Each page is opened once under its own strict policy and then looked at in every width, scheme and medium;
axe-core comes in through the browser's debugger, which no policy has to be loosened for.
"""

import contextlib
import functools
import re
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect
from starlette.applications import Starlette

from postbox.desk import app as desk
from postbox.desk.sessions import SignIn
from postbox.moderation.service import Moderation
from postbox.public import preview
from postbox.settings import Settings
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions
from postbox.store.tokens import DecisionLinks
from tests.support import mail
from tests.support.desk import change, send
from tests.support.place import RICH, ROOT, Place, a_comment
from tests.support.process import PATIENCE_SECONDS, answers, free_port, wait_until
from tests.support.store import a_failed, a_message

pytestmark = pytest.mark.slow

WIDTHS = (320, 360, 1280)
NARROW, WIDE = (320,), (320, 1280)
PHONE = {"width": 360, "height": 640}
ARTICLE = "big-toe-and-glutes"
LONG_WORD = "Fußsohlengewölbe" * 625  # 10,000 letters
NAMES = ("محمد بن عبد الله", "שרה כהן", "🦶🏽👩‍👩‍👧‍👦 Ann", "Zoë", LONG_WORD[:80])


STAYING = re.compile('<meta http-equiv="refresh"[^>]*>')  # taken out, a page stays to be looked at
# In dark, only the colours differ.
AXE_RUN = """async (isDark) => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];
  const colours = ["color-contrast", "link-in-text-block"];
  const { violations } = await axe.run(document, {
    runOnly: isDark ? { type: "rule", values: colours } : { type: "tag", values: tags },
    resultTypes: ["violations"],
    preload: false,
  });
  return violations.map(({ id, help, nodes }) => `${id} (${help}): ${nodes.map((node) => node.html).join("\\n  ")}`);
}"""

# What reaches beyond the window, or is smaller than a fingertip (WCAG 2.5.8; a link in a sentence is excepted).
LAYOUT = """() => {
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".visually-hidden, .skip");
  const told = (e) => e.outerHTML.slice(0, 120);
  const all = [...document.body.querySelectorAll("*")].filter(shown);
  const scrolled = (e) => e.parentElement.closest("pre, .table, table, textarea, svg");
  const inSentence = (e) => getComputedStyle(e).display === "inline"
    && ([...e.parentElement.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && /\\p{L}/u.test(n.textContent))
      || inSentence(e.parentElement));
  const wide = (e) => { const { left, right } = e.getBoundingClientRect(); return left < -0.5 || right > innerWidth + 0.5; };
  const small = (e) => { const { width, height } = e.getBoundingClientRect(); return Math.min(width, height) < 23.9; };
  const [root, isPaper] = [document.documentElement, matchMedia("print").matches];
  return [
    ...(root.scrollWidth > innerWidth ? [`the page is ${root.scrollWidth} px wide`] : []),
    ...all.filter((e) => wide(e) && !scrolled(e)).map((e) => `beyond the window: ${told(e)}`),
    ...all.filter((e) => !isPaper && e.matches("a[href], button, input, textarea, summary") && small(e) && !inSentence(e))
      .map((e) => `too small: ${told(e)}`),
  ];
}"""

HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .filter((h) => h.checkVisibility()).map((h) => Number(h.localName[1]))"""

# What covers the element in focus, by the points of a grid on it; empty if nothing does and it is in the window.
COVERED = """() => {
  const focused = document.activeElement;
  if (focused === document.body) return "";
  focused.seen = true;
  const { left, right, top, bottom } = focused.getClientRects()[0];
  const told = focused.outerHTML.slice(0, 120);
  const [low, high] = [Math.max(top, 0), Math.min(bottom, innerHeight)];
  if (bottom - top < innerHeight / 2 && (top < -0.5 || bottom > innerHeight + 0.5)) return `outside the window: ${told}`;
  for (const y of [low + 2, (low + high) / 2, high - 2])
    for (const x of [left + 2, (left + right) / 2, right - 2]) {
      const there = document.elementFromPoint(x, y);
      if (there && !focused.contains(there) && !there.contains(focused) && there.closest(".together, .bar, .skip"))
        return `behind ${there.outerHTML.slice(0, 120)}: ${told}`;
    }
  return "";
}"""


@dataclass(frozen=True)
class House:
    """The site, its intake and the desk, served from this process, and what was prepared in them."""

    place: Place
    settings: Settings
    site: str
    desk: str
    receipts: dict[str, str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A site in which every state of a page can be found."""
    place = Place(tmp_path_factory.mktemp("access"))
    furnish(place)
    place.build()
    site, desk_port = free_port(), free_port()
    folders: dict[str, Any] = {"content": place.folder / "content", "output": place.output, "var": place.folder / "var"}
    desk_url = f"http://localhost:{desk_port}"
    settings = Settings(theme=ROOT / "theme", desk_url=desk_url, rate_sender=1000, **folders)
    address = f"http://localhost:{site}"
    with serving(preview.application(settings), site), serving(desk.application(settings), desk_port):
        wait_until(lambda: answers(address), "the site answers")
        yield House(place, settings, address, settings.desk_url, receipts(settings, address))


@pytest.fixture(scope="module")
def context(browser: Browser, house: House) -> Iterator[BrowserContext]:
    """A reader's browser; the site's own script runs only in the states that name it."""
    with contextlib.closing(browser.new_context(base_url=house.site)) as context:
        context.route("**/theme/comments.*.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
        yield context


@pytest.fixture(scope="module")
def script_context(browser: Browser, house: House) -> Iterator[BrowserContext]:
    """The same with the site's script."""
    with contextlib.closing(browser.new_context(base_url=house.site)) as context:
        yield context


@pytest.fixture(scope="module")
def david(browser: Browser, house: House) -> Iterator[BrowserContext]:
    """David's browser, signed in to a desk with a reply, a held comment and a change."""
    published = send(house.settings, author="Zoë", body="On the *third* step.", ago=60)
    moderation = Moderation.open(house.settings)
    moderation.approve(moderation.review.history(published)[-1].name, who="David", now=datetime.now(UTC))
    send(house.settings, author="Tom", body="Thank you.\n\nWhich shoes?", reply_to="0001", ago=20)
    send(house.settings, author="Mallory", body=f"https://{LONG_WORD}.example/", held=["it has 1 link"], ago=10)
    for number, name in enumerate(NAMES):
        send(house.settings, author=name, body=f"{name} · " * 9, ago=number)
    change(house.settings, published, author="Zoë", body="On the *second* step.")
    a_message(house.settings, contact=f"{LONG_WORD[:60]}@example.org", body=LONG_WORD, held=["it has 1 link"])
    for _ in range(2):
        a_message(house.settings, contact="07504 439555", name=LONG_WORD[:80])
    a_failed(house.settings, "comment", f"{published}.x", f"550 {LONG_WORD[:300]}")
    with contextlib.closing(browser.new_context(base_url=house.desk)) as context:
        page = context.new_page()
        page.goto(f"/sign-in/{SignIn(house.settings.desk).issue(datetime.now(UTC))}")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{house.desk}/")
        page.close()
        yield context


@pytest.fixture
def contexts(context: BrowserContext, david: BrowserContext) -> dict[str, BrowserContext]:
    """A reader's browser and David's."""
    return {"site": context, "desk": david}


# The states that a page of the site can be in

State = Callable[[Page, House], None]


def at(address: str) -> State:
    """Open an address."""
    return lambda page, house: _ignore(page.goto(address))


def receipt(name: str) -> State:
    """Open a comment's receipt."""
    return lambda page, house: _ignore(page.goto(house.receipts[name]))


def pressed(address: str, button: str, **words: str) -> State:
    """Fill a form in and press one of its buttons; the answer is another page, or comes into this one."""

    def state(page: Page, house: House) -> None:
        page.goto(house.receipts.get(address, address))
        for field, text in words.items():
            page.locator(f"[name={field}]").fill(text)
        page.get_by_role("button", name=button).click()
        expect(page.locator("#problem, #preview, .done").first).to_be_visible()

    return state


def mailed(*buttons: str) -> State:
    """Open the link in a mail to an address that a comment was sent with, and press buttons there."""

    def state(page: Page, house: House) -> None:
        pressed(f"/articles/{ARTICLE}/", "Send comment", comment=f"{buttons}.", **WITH_ADDRESS)(page, house)
        subscriptions = Subscriptions(Inbox.open(house.settings))
        subscription = subscriptions.of(page.url.rpartition("/")[2].partition(".")[0])
        assert subscription
        page.goto(f"/comments/mail/{subscriptions.token(subscription)}")
        for button in buttons:
            page.get_by_role("button", name=button).click()
            expect(page.locator(".done")).to_be_visible()

    return state


WITH_ADDRESS = {"name": "Tom", "email": "tom@feet.example"}
PAGES: dict[str, State] = {
    "front": at("/"), "article": at(f"/articles/{ARTICLE}/"), "archive": at("/articles/"),
    "contact": at("/contact/"), "privacy": at("/privacy/"), "drawings": at("/drawings/"), "missing": at("/no/such/page"),
    "tag": at("/articles/about/feet/"),
}  # fmt: skip
STATES: dict[str, State] = PAGES | {
    "no thoughts": at("/articles/quiet/"),
    "one thought": at("/articles/one/"),
    "two hundred thoughts": at("/articles/crowd/"),
    "closed": at("/articles/closed/"),
    "everything in an article": at("/articles/rich/"),
    "names and words of all kinds": at("/articles/wide/"),
    "reply": at(f"/comments/reply/{ARTICLE}/0001"),
    "reply, closed": at("/comments/reply/closed/0004"),
    "errors": pressed(f"/articles/{ARTICLE}/", "Send comment", comment=LONG_WORD),
    "reply with errors": pressed(f"/comments/reply/{ARTICLE}/0001", "Send comment"),
    "preview": pressed(f"/comments/reply/{ARTICLE}/0001", "Preview", name="Tom", comment="Hello **you**."),
    "received": pressed(f"/articles/{ARTICLE}/", "Send comment", name="Ann", comment="My words."),
    "refused": at("/comments/receipt/none"),
    "received with an address": pressed(f"/articles/{ARTICLE}/", "Send comment", comment="Hi.", **WITH_ADDRESS),
    "address to confirm": mailed(),
    "address confirmed": mailed("Yes, email me"),
    "address unsubscribed": mailed("Yes, email me", "Unsubscribe"),
    "address gone": at("/comments/mail/none"),
    "message with errors": pressed("/contact/", "Send message", name=LONG_WORD, contact="1"),
    "message received": pressed(
        "/contact/", "Send message", name="Ann", contact="07700 900123", message=LONG_WORD[:4000]
    ),
    **{name: receipt(name) for name in ("waiting", "published", "changed", "rejected", "deleted")},
    "change with errors": pressed("waiting", "Save changes", name=""),
    "change seen before": pressed("waiting", "Preview", comment="Better words."),
}
SCRIPTED: dict[str, State] = {
    "errors in place": STATES["errors"],
    "preview in place": pressed(f"/articles/{ARTICLE}/", "Preview", name="Tom", comment="Hello **you**."),
    "received in place": pressed(f"/articles/{ARTICLE}/", "Send comment", name="Una", comment="In place."),
}


def by_mail(*, days_ago: float = 0) -> State:
    """Open the link in the mail about Tom's comment."""

    def state(page: Page, house: House) -> None:
        moderation = Moderation.open(house.settings)
        [name] = [item.name for item in moderation.review.queue() if item.revision.body.startswith("Thank you.")]
        token = DecisionLinks(moderation.store.key).issue(name, datetime.now(UTC) - timedelta(days=days_ago))
        page.goto(f"{house.desk}/decide/{token}")

    return state


def written(button: str, key: str = "articles/new-0123456789ab", **words: str) -> State:
    """Send the form of a text, by one of its buttons."""

    def state(page: Page, house: House) -> None:
        page.goto(f"/write/{key}")
        for field, text in words.items():
            page.locator(f"[name={field}]").evaluate("(field, text) => { field.value = text }", text)
        page.locator("button[name=action]", has_text=button).first.evaluate("(button) => button.click()")
        expect(page.locator("[role=alert], .done, ol.log, .items").first).to_be_visible()

    return state


WRITE: dict[str, State] = {
    "texts": at("/write"), "text": at("/write/articles/rich"), "new text": at("/write/articles/new-ba9876543210"),
    "page": at("/write/pages/new-ba9876543210"), "saved": written("Save", title="Shoes", text="Words."),
    "errors of a text": written("Publish", title="", slug="A B", when="2027-03-28T01:30"), "long words": written("Save", title=LONG_WORD[:200], text=LONG_WORD),
    "conflict": written("Save", "articles/wide", number="9", text=LONG_WORD), "earlier versions": at("/versions/articles/rich"),
    "thrown away": written("Throw it away", "articles/new-0123456789ac", title="Begun", text="Words."),
    "text thrown away": at("/write/articles/new-0123456789ac"), "details published": at("/details?flash=live&undo=1"),
    "earlier details": at("/versions/site.toml"),
}  # fmt: skip
DESK: dict[str, State] = WRITE | {
    "queue": at("/"), "queue, all ticked": at("/?tick=all"), "published": at("/published"), "log": at("/log"),
    "messages": at("/messages"), "mail": at("/mail"), "details": at("/details"), "decision": by_mail(), "expired": by_mail(days_ago=8),
    "one comment": at("/comment/0001"), "sign-in": at("/sign-in/x"), "missing": at("/no/such/page"),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_a_page_of_the_site_can_be_used_by_everyone(context: BrowserContext, house: House, state: str) -> None:
    with opened(context, house, STATES[state]) as page:
        look_over(page, NARROW if state == "two hundred thoughts" else WIDE)


@pytest.mark.parametrize("state", SCRIPTED)
def test_what_the_script_adds_can_be_used_by_everyone(script_context: BrowserContext, house: House, state: str) -> None:
    with opened(script_context, house, SCRIPTED[state]) as page:
        look_over(page, NARROW)


@pytest.mark.parametrize("state", DESK)
def test_the_desk_can_be_used_by_everyone(david: BrowserContext, house: House, state: str) -> None:
    with opened(david, house, DESK[state]) as page:
        for summary in page.locator("main summary").all():
            summary.evaluate("(summary) => { summary.parentElement.open = true }")
        look_over(page, NARROW if state == "queue, all ticked" else WIDE)


def test_the_desk_can_be_used_by_who_is_not_signed_in(context: BrowserContext, house: House) -> None:
    with opened(context, house, lambda page, house: _ignore(page.goto(house.desk))) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
        look_over(page)
        page.get_by_role("button", name="Email me a link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Look in your email")
        look_over(page, NARROW)
    away = context.request.get(house.desk, headers={"sec-fetch-site": "cross-site"}).text()
    context.route("**/away", lambda route: route.fulfill(content_type="text/html", body=STAYING.sub("", away)))
    with opened(context, house, at("/away")) as page:
        expect(page.get_by_role("link", name="open this page again")).to_be_visible()
        look_over(page, NARROW)


def test_what_the_desk_did_and_what_went_wrong_can_be_read_by_everyone(david: BrowserContext, house: House) -> None:
    send(house.settings, author="Spam", body="Insoles.", reply_to="0002")

    with opened(david, house, at("/")) as page:
        spam = page.locator(".row").filter(has=page.get_by_role("heading", name="A reply by Spam"))
        spam.locator("summary").first.click()
        spam.locator("summary", has_text="Publish and reply").click()
        spam.get_by_role("button", name="Publish and reply").click()
        expect(page.get_by_role("alert")).to_be_focused()
        look_over(page, NARROW)
        page.goto("/")
        spam.locator("summary").first.click()
        spam.get_by_role("button", name="Spam").click()
        expect(page.get_by_role("status")).to_contain_text("Marked the comment by Spam")
        look_over(page, NARROW)


def test_a_decision_by_mail_and_what_went_wrong_can_be_read_by_everyone(
    context: BrowserContext, david: BrowserContext, house: House
) -> None:
    with opened(context, house, by_mail()) as page:
        page.get_by_text("Publish and reply").first.click()
        page.get_by_role("button", name="Publish and reply").click()
        expect(page.get_by_role("alert")).to_be_focused()
        look_over(page, NARROW)
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("Published the comment by Tom")
        look_over(page, NARROW)
        page.goto(page.url.partition("?")[0])  # the link itself, opened again
        expect(page.get_by_text("This comment is published.")).to_be_visible()
        for summary in page.locator("main summary").all():
            summary.evaluate("(summary) => { summary.parentElement.open = true }")
        look_over(page, NARROW)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("button", name="Publish", exact=True)).to_be_visible()


def test_a_mail_can_be_read_by_everyone(context: BrowserContext, house: House, tmp_path: Path) -> None:
    sender = mail.House(mail.a_place(tmp_path))
    asked = sender.send(address="tom@reader.example", reply_to="0001", held=["it has 1 link"], body=LONG_WORD[:500])
    told = sender.published(address="tom@reader.example", events="published author others")
    kept_out = sender.send(address="tom@reader.example", events="published")
    sender.reject(kept_out, "Too long.")
    message = sender.message(contact="07700 900456, or ann@reader.example", name=LONG_WORD[:60])
    rows = {"comment": sender.name(asked), "confirm": asked, "published": sender.name(told), "message": message}
    rows |= {"answered": sender.answered(told), "rejected": sender.name(kept_out)}

    pages = {f"{house.site}/mailed/{kind}": mail.html_of(sender.mail(kind, about)) for kind, about in rows.items()}
    context.route("**/mailed/*", lambda route: route.fulfill(content_type="text/html", body=pages[route.request.url]))

    for address in pages:
        with opened(context, house, at(address)) as page:
            look_over(page, NARROW)


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
@pytest.mark.parametrize(("who", "address"), [("desk", "/?tick=all"), ("site", f"/articles/{ARTICLE}/"), ("site", "/articles/")])  # fmt: skip
@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 256}], ids=["phone", "zoom of 400 %"])
def test_the_focus_is_never_hidden(
    contexts: dict[str, BrowserContext], house: House, who: str, address: str, key: str, size: dict[str, int]
) -> None:
    with opened(contexts[who], house, at(address)) as page:
        page.set_viewport_size(size)  # type: ignore[arg-type]  # it is what it asks for
        hidden, places = set(), 0
        while places < 300:
            page.keyboard.press(key)
            if page.evaluate("() => document.activeElement === document.body || document.activeElement.seen"):
                break
            hidden.add(page.evaluate(COVERED))
            places += 1

    assert hidden == {""}
    assert 10 < places < 300


@pytest.mark.parametrize("state", PAGES)
def test_the_phone_is_in_sight_on_a_phone_and_the_text_of_the_front_page_begins_high(
    context: BrowserContext, house: House, state: str
) -> None:
    with opened(context, house, PAGES[state]) as page:
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # it is what it asks for
        box = page.locator("a[href^='tel:']").first.bounding_box()
        text = page.locator("main article > .head + p").bounding_box() if state == "front" else None
        title = page.get_by_role("heading", level=1).inner_text()

    assert box
    assert 0 <= box["y"] <= box["y"] + box["height"] <= PHONE["height"]
    assert box["height"] >= 48
    if state == "front":
        assert title == "Your big toe and your glutes must be talking to each other for stability and power."
        assert text
        assert text["y"] < 400


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_while_the_front_page_loads(script_context: BrowserContext, house: House, width: int) -> None:
    page = script_context.new_page()
    page.set_viewport_size({"width": width, "height": 640})
    page.add_init_script(
        """window.shifts = [];
        new PerformanceObserver((list) => shifts.push(...list.getEntries().map((shift) => shift.value)))
          .observe({ type: "layout-shift", buffered: true });"""
    )

    page.goto("/", wait_until="load")
    page.wait_for_timeout(300)
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)

    assert page.evaluate("() => shifts") == []
    assert page.evaluate("() => PerformanceObserver.supportedEntryTypes.includes('layout-shift')")
    page.close()


@pytest.mark.parametrize("who", ["site", "desk"])
def test_nothing_moves_for_who_asked_for_no_motion(contexts: dict[str, BrowserContext], house: House, who: str) -> None:
    with opened(contexts[who], house, at("/")) as page:
        page.emulate_media(reduced_motion="reduce")
        page.evaluate("addEventListener('pagereveal', (event) => { window.moved = Boolean(event.viewTransition) })")
        with page.expect_navigation():
            page.locator(".brand").click()

        assert page.evaluate("() => document.getAnimations().length") == 0
        assert page.evaluate(
            """() => [...document.querySelectorAll("*")].every((e) =>
              getComputedStyle(e).transitionDuration === "0s" && getComputedStyle(e).animationName === "none")"""
        )


# How


@functools.cache
def axe() -> str:
    """Return what makes axe known to a page."""
    return f"() => {{ {(ROOT / 'node_modules/axe-core/axe.min.js').read_text('utf-8')} }}"


def look_over(page: Page, widths: tuple[int, ...] = WIDE) -> None:
    """Look at a page in every width and medium; with axe in some widths, in dark in the last of them: colours have no width."""
    page.evaluate(axe())
    levels = page.evaluate(HEADINGS)
    assert levels.count(1) == 1
    faults = {f"h{levels[0]} comes first"} if levels[0] != 1 and not page.locator("#problem").count() else set()
    faults |= {f"h{after} follows h{before}" for before, after in pairwise(levels) if after > before + 1}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 640})
        faults |= {f"{width} px: {fault}" for fault in page.evaluate(LAYOUT)}
        if width in widths:
            faults |= {f"{width} px: {fault}" for fault in page.evaluate(AXE_RUN, False)}
        if width == widths[-1]:
            page.emulate_media(color_scheme="dark")
            faults |= {f"dark, {width} px: {fault}" for fault in page.evaluate(AXE_RUN, True)}
            page.emulate_media(color_scheme="light")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 640})
        page.evaluate("() => { document.documentElement.style.fontSize = '200%' }")
        faults |= {f"200 % text, {width} px: {fault}" for fault in page.evaluate(LAYOUT)}
        page.evaluate("() => { document.documentElement.style.fontSize = '' }")
    page.set_viewport_size({"width": WIDTHS[0], "height": 640})
    forced: dict[str, Any] = {"forced_colors": "active", "reduced_motion": "reduce"}
    for medium in (forced, {"media": "print", "color_scheme": "dark"}):
        page.emulate_media(**medium)
        faults |= {f"{medium}: {fault}" for fault in page.evaluate(LAYOUT)}
    page.emulate_media(media="screen", color_scheme="light", forced_colors="none", reduced_motion="no-preference")
    assert not faults, "\n" + "\n".join(sorted(faults))


@contextlib.contextmanager
def opened(context: BrowserContext, house: House, state: State) -> Iterator[Page]:
    """Open a page in a state; any message in its console, as of the policy, is a fault."""
    page = context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    state(page, house)
    yield page
    page.goto("about:blank")  # a page on its way to another may never close
    page.close()
    assert [message for message in messages if "Failed to load resource" not in message] == []


@contextlib.contextmanager
def serving(application: Starlette, port: int) -> Iterator[None]:
    """Serve an application from a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(application, port=port, log_level="error", ws="none", date_header=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "the server answers")
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)


def furnish(place: Place) -> None:
    """Write what makes a state: articles and comments of every kind."""
    place.image("images/sand.png", size=(1600, 900))
    place.article("quiet", Tags="feet, glutes")
    place.article("one", Tags="feet")
    place.comment(a_comment(id="0003", article="one", author="Tom", website="https://tom.example/"))
    place.article("closed", Comments="closed")
    place.comment(a_comment(id="0004", article="closed"))
    place.article("rich", text=RICH)
    place.article("wide", Title=f"شكرا 🦶 {LONG_WORD[:200]}", Summary=LONG_WORD, text=f"{LONG_WORD}\n\nשלום 👣")
    for number, name in enumerate(NAMES):
        above = f"{1000 + number - 1}" if number else None
        place.comment(a_comment(id=f"{1000 + number}", article="wide", author=name, body=LONG_WORD, reply_to=above))
    place.article("crowd")
    for number in range(200):
        above = f"{2000 + number - 1}" if number % 6 else None
        place.comment(a_comment(id=f"{2000 + number}", article="crowd", author=f"Reader {number}", reply_to=above))


def receipts(settings: Settings, address: str) -> dict[str, str]:
    """Send a comment for each thing that may become of one; return the addresses of their receipts."""
    sent = {name: post(f"{address}/comments", article=ARTICLE, name="Ann", comment=f"To be {name}.") for name in (
        "waiting", "published", "changed", "rejected", "deleted"
    )}  # fmt: skip
    moderation, decision = Moderation.open(settings), {"who": "David", "now": datetime.now(UTC)}
    waiting = {item.revision.body: item.name for item in moderation.review.queue()}
    moderation.approve(waiting["To be published."], **decision)  # type: ignore[arg-type]
    moderation.approve(waiting["To be changed."], **decision)  # type: ignore[arg-type]
    moderation.reject(waiting["To be rejected."], reason="Please ring me about this one.", **decision)  # type: ignore[arg-type]
    post(sent["changed"], action="change", name="Ann", comment="Better words.")
    post(sent["deleted"], action="delete")
    return sent


def post(address: str, **fields: str) -> str:
    """Send a form; return where its answer leads."""
    form = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(address, form, timeout=PATIENCE_SECONDS) as answer:
        return str(answer.url)


def _ignore(answer: object) -> None:
    """Drop an answer."""
