"""The walk of one who writes three times a year, on a phone: nothing lost, nothing touched, nothing broken."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from contract.manifest import STATUS_FILE, BuildStatus
from postbox.desk.sessions import SignIn
from postbox.writing.publisher import Publisher
from postbox.writing.text_file import edited
from postbox.writing.texts import Texts
from tests.support.place import ARTICLE, Place, a_comment
from tests.support.process import wait_until

PATIENCE = 45_000  # milliseconds: longer than the desk waits for the press
expect.set_options(timeout=PATIENCE)
LIVE = "On the site now."


@pytest.fixture(params=[False, True], ids=["without scripts", "with scripts"])
def page(browser: Browser, served: tuple[Place, str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A phone, signed in; any policy message fails the test."""
    place, address = served
    desk = f"http://127.0.0.1:{int(address.rpartition(':')[2]) + 1}"
    context = browser.new_context(
        java_script_enabled=request.param,
        viewport={"width": 360, "height": 640},
        base_url=desk,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if "Content Security" in message.text else None)
    sign_in(page, place)
    yield page
    context.close()
    assert said == []


def sign_in(page: Page, place: Place) -> None:
    page.goto(f"/sign-in/{SignIn(place.folder / 'var/desk').issue(datetime.now(UTC))}")
    page.get_by_role("button").click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def begin(page: Page, title: str, summary: str = "In short.", text: str = "Some words.") -> str:
    """Begin an article and save it; return its slug."""
    page.goto("/write")
    press(page, "New article")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Summary").fill(summary)
    page.get_by_label("Text", exact=True).fill(text)
    press(page, "Save")
    return title.lower().replace(" ", "-")


def test_an_article_is_written_proved_published_and_undone(
    page: Page, served: tuple[Place, str], request: pytest.FixtureRequest
) -> None:
    place, _ = served
    title = f"Shoes {request.node.callspec.id.split()[0]}"
    slug = begin(page, title, summary="")
    file = place.folder / f"content/articles/{slug}.md"

    page.goto("/write")
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("Some words.")
    press(page, "Publish")
    expect(page.get_by_role("alert")).to_contain_text("Write one sentence for under the title.")
    place.comment(a_comment(id=slug.replace("-", "")[:9], body=f"Meanwhile {title}."))
    wait_until(lambda: f"Meanwhile {title}." in place.page(f"/articles/{ARTICLE}/"), "a comment goes live meanwhile")
    assert not file.exists()

    page.get_by_label("Summary").fill("All about shoes.")
    press(page, "Look at it")
    proof = page.frame_locator("iframe")
    expect(proof.get_by_role("heading", name=title)).to_be_visible()
    drawn = page.request.get(page.get_by_role("link", name="The page alone").get_attribute("href") or "").text()
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    later = place.page(f"/articles/{slug}/")
    assert re.sub(r"\d\d:\d\d", "", drawn) == re.sub(r"\d\d:\d\d", "", later)

    before = file.read_bytes()
    page.get_by_label("Text", exact=True).fill("Some wards.")
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    changed = [
        pair for pair in zip(before.splitlines(), file.read_bytes().splitlines(), strict=True) if pair[0] != pair[1]
    ]
    assert changed == [(b"Some words.", b"Some wards.")]
    press(page, "Undo")
    expect(page.get_by_role("status").first).to_contain_text("Undone.")
    assert file.read_bytes() == before

    page.get_by_text("Take off the site, or delete").click()
    press(page, "Delete")
    expect(page.get_by_role("status").first).to_contain_text("Deleted.")
    wait_until(lambda: not (place.output / f"articles/{slug}/index.html").exists(), "it is off the site")
    page.get_by_role("link", name=title, exact=True).click()
    press(page, "Restore")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    assert file.read_bytes() == before


def test_a_photograph_is_refused_without_words_and_upright_without_its_place_with_them(
    page: Page, served: tuple[Place, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place, _ = served
    picture = Image.new("RGB", (400, 300), "tan" if "without" in request.node.callspec.id else "teal")
    exif = Image.Exif()
    exif[274], exif[0x8825] = 6, {1: "N", 2: (51.0, 30.0, 0.0)}
    picture.save(tmp_path / "foot.jpg", exif=exif)
    title = f"Photo {request.node.callspec.id.split()[0]}"
    slug = begin(page, title)

    page.locator("summary", has_text="Picture").click()
    page.get_by_label("Picture", exact=True).set_input_files(tmp_path / "foot.jpg")
    page.get_by_label("Text", exact=True).fill("Before.\n\n[picture]\n\nAfter.")
    press(page, "Put it into the text")
    expect(page.get_by_role("alert")).to_contain_text("Say what the picture shows")
    expect(page.get_by_label("Text", exact=True)).to_have_value("Before.\n\n[picture]\n\nAfter.")

    page.get_by_label("What does it show?").fill("A foot on sand")
    page.get_by_label("Picture", exact=True).set_input_files(tmp_path / "foot.jpg")
    press(page, "Put it into the text")
    expect(page.get_by_label("Text", exact=True)).to_have_value(
        re.compile(r"Before\.\n\n!\[A foot on sand\]\(\{static\}/images/photo-with\w*-[0-9a-f]{12}\.jpg\)\n\nAfter\.")
    )
    press(page, "Look at it")
    image = page.frame_locator("iframe").get_by_role("img", name="A foot on sand")
    expect(image).to_be_visible()
    box = image.bounding_box()
    assert box
    assert box["height"] > box["width"]
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    published = [path.read_bytes() for path in (place.output / "images").rglob("*.*")]
    assert published
    assert not any(b"Exif" in data or b"GPS" in data for data in published)
    assert "A foot on sand" in place.page(f"/articles/{slug}/")


def test_a_change_elsewhere_and_a_second_device_lose_nothing(
    page: Page, served: tuple[Place, str], request: pytest.FixtureRequest
) -> None:
    place, _ = served
    title = f"Two {request.node.callspec.id.split()[0]}"
    slug = begin(page, title)
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    other = page.context.new_page()
    other.goto(f"/write/articles/{slug}")

    page.get_by_label("Text", exact=True).fill("Mine.")
    press(page, "Save")
    other.get_by_label("Text", exact=True).fill("Theirs.")
    press(other, "Save")
    expect(other.get_by_role("alert")).to_contain_text("changed elsewhere meanwhile")
    expect(other.get_by_label("Text", exact=True)).to_have_value("Theirs.")
    expect(other.locator(".typed").first).to_have_text("Mine.")
    press(other, "Keep mine")
    expect(other.get_by_label("Text", exact=True)).to_have_value("Theirs.")
    file = place.folder / f"content/articles/{slug}.md"
    file.write_text(file.read_text("utf-8").replace("Some words.", "In an editor."), "utf-8")
    press(other, "Save")
    other.get_by_label("Text", exact=True).fill("Theirs again.")
    press(other, "Save")
    expect(other.locator(".typed").first).to_have_text("In an editor.")
    press(other, "Take the other")
    expect(other.get_by_label("Text", exact=True)).to_have_value("In an editor.")
    other.get_by_role("link", name="Earlier versions").click()
    assert other.get_by_text("Put away").count() >= 2
    other.locator("ol.log a").nth(1).click()
    brought = (other.locator(".compared ins").first.text_content() or "").strip()
    press(other, "Bring it back")
    expect(other.get_by_label("Text", exact=True)).to_have_value(re.compile(re.escape(brought)))
    expect(other.get_by_role("status").first).to_contain_text("Readers see it once you publish it.")


SHIPPED = f"articles/{ARTICLE}"
TWIN = b"Title: Twin\nId: twin\nDate: 2026-11-01\nSummary: x\nSlug: " + ARTICLE.encode() + b"\n\nWords.\n"


@pytest.mark.parametrize(
    ("key", "change"),
    [
        (SHIPPED, lambda file: edited(file, {"Summary": None})),
        ("articles/a-twin", lambda _: TWIN),
        ("articles/z-twin", lambda _: TWIN),
    ],
    ids=["a key is missing", "another's address, told here", "another's address, told there"],
)
def test_a_text_with_which_the_site_does_not_build_is_put_back(
    served: tuple[Place, str], key: str, change: Callable[[bytes], bytes]
) -> None:
    place, _ = served
    texts = Texts(place.folder / "content", place.folder / "var/desk")
    status = place.folder / "var/site" / STATUS_FILE
    before, page = texts.file(key), place.page(f"/articles/{ARTICLE}/")
    broken = change(before)

    done = Publisher(texts, place.folder / "var/proofs", lambda: BuildStatus.load(status)).publish(
        key, broken, "published"
    )

    assert (done.state, texts.file(key)) == ("back", before), done.faults
    working = texts.working(key)
    assert working
    assert working.data == broken
    texts.forget(key)
    wait_until(lambda: not BuildStatus.load(status).faults, "the site builds again")
    assert place.page(f"/articles/{ARTICLE}/") == page


def test_a_session_that_ends_while_writing_gives_every_word_back(page: Page, request: pytest.FixtureRequest) -> None:
    title = f"Lapsed {request.node.callspec.id.split()[0]}"
    begin(page, title)
    page.get_by_label("Text", exact=True).fill("Words that took an hour.")
    cookies = page.context.cookies()
    page.context.clear_cookies()

    press(page, "Publish")
    expect(page.get_by_role("alert")).to_contain_text("You’ve been signed out. Your words are below, not yet saved.")
    expect(page.get_by_label("Text", exact=True)).to_have_value("Words that took an hour.")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]  # as signing in in another tab does
    press(page, "Save")
    expect(page.get_by_label("Text", exact=True)).to_have_value("Words that took an hour.")
    expect(page.get_by_role("status").first).to_contain_text("Saved")


def test_a_time_that_no_clock_shows_is_refused_and_one_to_come_holds_back(
    page: Page, served: tuple[Place, str], request: pytest.FixtureRequest
) -> None:
    place, _ = served
    slug = begin(page, f"Later {request.node.callspec.id.split()[0]}")

    page.locator("summary", has_text="When").click()
    page.get_by_label("Day and time").fill("2099-03-29T01:30")
    press(page, "Save")
    expect(page.get_by_role("alert")).to_contain_text("There is no 01:30 on 29 March 2099 in London")
    page.get_by_label("Day and time").fill("2099-12-01T07:00")
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(
        "It appears on Tuesday 1 December 2099, 07:00, London time."
    )
    assert b"Date: 2099-12-01 07:00\n" in (place.folder / f"content/articles/{slug}.md").read_bytes()


def test_a_link_by_mail_signs_in_and_a_text_appears_by_itself(served: tuple[Place, str], browser: Browser) -> None:
    place, address = served
    mail, due = place.folder / "var/mail", datetime.now(UTC) + timedelta(seconds=5)
    page = browser.new_page(
        viewport={"width": 360, "height": 640}, base_url=f"http://127.0.0.1:{int(address.rpartition(':')[2]) + 1}"
    )
    place.article("due", Date=due.isoformat(timespec="seconds"))
    page.goto("/write")
    press(page, "Email me a link")
    wait_until(lambda: bool(list(mail.glob("[!.]*.eml"))), "the mail is written")
    sent = b"".join(path.read_bytes() for path in mail.glob("[!.]*.eml")).replace(b"=\n", b"").decode()
    page.goto(re.findall(r"/sign-in/[\w.-]+", sent)[0])
    page.get_by_role("button").click()

    page.goto("/write")
    line = page.get_by_role("listitem").filter(has_text="About due")
    seen, is_early = line.text_content() or "", datetime.now(UTC) < due
    wait_until(lambda: (place.output / "articles/due/index.html").exists(), "it has appeared")
    page.reload()

    assert "Appears on" in seen or not is_early
    expect(line).to_contain_text("Published")
    page.close()


def test_an_address_that_changes_leads_on_and_a_text_that_is_linked_stays(
    page: Page, served: tuple[Place, str], request: pytest.FixtureRequest
) -> None:
    place, address = served
    which = request.node.callspec.id.split()[0]
    slug = begin(page, f"Old {which}")
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    page.locator("summary", has_text="Address").click()
    page.get_by_label("Last part of the address").fill(f"fresh-{which}")
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    assert f"Formerly: {slug}\n" in (place.folder / f"content/articles/{slug}.md").read_text("utf-8")
    answer = page.request.get(f"{address}/articles/{slug}/", max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (301, f"/articles/fresh-{which}/")

    begin(page, f"Linker {which}")
    page.locator("summary", has_text="Link to an article").click()
    page.get_by_label("Article", exact=True).select_option(f"articles/{slug}")
    press(page, "Put the link into the text")
    press(page, "Publish")
    expect(page.get_by_role("status").first).to_contain_text(LIVE)
    page.goto(f"/write/articles/{slug}")
    page.get_by_text("Take off the site, or delete").click()
    press(page, "Delete")
    expect(page.get_by_role("alert")).to_contain_text(f"This is linked from “Linker {which}”.")
    assert (place.folder / f"content/articles/{slug}.md").exists()


WORD = (
    "<meta charset='utf-8'><style>p { margin: 0 }</style><h1 style='x'>Shoes</h1><p class=MsoNormal><span style='font-weight:700'>Bold</span> and <i>leaning</i>"
    " <a href='https://example.org/x'>there</a> <a href='javascript:alert(1)'>here</a></p><ul><li>One</li><li>Two</li></ul>"
    "<blockquote><p>Said.</p></blockquote><script>alert(2)</script>"
)
MADE = "## Shoes\n\n**Bold** and *leaning* [there](https://example.org/x) here\n\n- One\n- Two\n\n> Said."


@pytest.mark.parametrize("page", [True], indirect=True)
def test_with_scripts_words_are_saved_by_themselves_and_pasted_ones_are_markdown(
    page: Page, served: tuple[Place, str]
) -> None:
    begin(page, "By itself")
    text = page.get_by_label("Text", exact=True)
    text.fill("Typed and left alone.")
    expect(page.locator("#autosave")).to_have_text(re.compile(r"Saved \d\d:\d\d"))
    address, context = page.url, page.context
    other = context.new_page()
    other.goto(address)
    expect(other.get_by_label("Text", exact=True)).to_have_value("Typed and left alone.")

    paste = (
        "([html, plain]) => { const data = new DataTransfer(); if (html) data.setData('text/html', html); data.setData('text/plain', plain);"
        " const text = document.querySelector('#text'); text.focus(); text.select(); text.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})) }"
    )
    page.evaluate(paste, [WORD, "x"])
    expect(text).to_have_value(MADE)
    page.keyboard.press("Control+z")
    expect(text).to_have_value("Typed and left alone.")
    text.fill("a word here")
    text.evaluate("text => text.setSelectionRange(2, 6)")
    press(page, "Bold")
    expect(text).to_have_value("a **word** here")

    page.route("**/write/**", lambda route: route.abort() if route.request.method == "POST" else route.fallback())
    text.fill("Typed while the server is gone.")
    expect(page.locator("#autosave")).to_contain_text("Not saved; kept on this device.")
    page.unroute("**/write/**")
    page.goto(address)
    expect(text).not_to_have_value("Typed while the server is gone.")
    press(page, "Use them")
    expect(text).to_have_value("Typed while the server is gone.")
    expect(page.locator("#autosave")).to_have_text(re.compile(r"Saved \d\d:\d\d"))
