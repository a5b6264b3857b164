"""Details of the author: seen before they are published, no word lost, and no line touched that was not changed."""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from contract import facts
from contract.manifest import BuildStatus
from postbox.desk.details import edited
from postbox.desk.sessions import SignIn
from postbox.settings import Settings
from postbox.writing import publisher
from tests.support.desk import client, signed_in
from tests.support.place import ROOT, Place
from tests.support.process import serve

__all__ = ["client"]  # fixtures

ODD = (
    '\ufeff# ours\r\nauthor = "Ann"  # she\r\npronoun="she"\r\n\r\nsitename = "x"',
    """sitename = 'On “foot”'\nauthor = "Ann"\npronoun = 'she'\nhours = "to five"   # from nine""",
    'hours = ""\nsitename = "x"\n\n# last\npronoun = "she"\n  "author" = "Ann"',
)


@pytest.fixture
def david(client: TestClient, settings: Settings) -> TestClient:
    shutil.copy(ROOT / "content/site.toml", settings.content)
    return signed_in(client, settings)


def a_photograph() -> bytes:
    made = BytesIO()
    Image.new("RGB", (40, 30), "tan").save(made, "JPEG")
    return made.getvalue()


def fields(page: str) -> dict[str, str]:
    """Return what the form of a page would send."""
    return dict(re.findall(r'<input (?:type="hidden" |id="\w+" )name="(\w+)" value="([^"]*)"', page))


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["author", "hours", "role"])
def test_a_fact_that_changes_changes_one_line(text: str, name: str) -> None:
    data = text.encode()
    before = facts.loads(data)

    after = edited(data, before | {name: 'an "odd" \\ ‘word’'})

    assert facts.loads(after) == before | {name: 'an "odd" \\ ‘word’'}
    lines, others = data.splitlines(), after.splitlines()
    assert len(set(others) - set(lines)) == 1
    assert len(set(lines) - set(others)) == (f"{name} = " in text or f'"{name}"' in text)
    assert edited(data, before) == data


def test_what_is_wrong_is_told_at_its_field_and_every_word_comes_back(david: TestClient, settings: Settings) -> None:
    form = fields(david.get("/details").text)
    before = (settings.content / "site.toml").read_bytes()

    answer = david.post(
        "/details",
        data=form | {"telephone": "07504", "role": "Coach", "portrait": "images/me.jpg", "action": "publish"},
    )

    assert answer.status_code == 422
    for told in (
        "Write it with its country and no spaces",
        "There is no images/me.jpg among your pictures",
        'value="Coach"',
        'value="07504"',
    ):
        assert told in answer.text
    assert (settings.content / "site.toml").read_bytes() == before


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(david: TestClient, settings: Settings) -> None:
    form, path = fields(david.get("/details").text), settings.content / "site.toml"
    path.write_text(path.read_text("utf-8").replace('hours = ""', 'hours = "at noon"'), "utf-8")

    answer = david.post("/details", data=form | {"role": "Coach", "action": "publish"})
    again = david.post("/details", data=fields(answer.text) | {"action": "publish"}, follow_redirects=False)

    assert answer.status_code == 409
    assert "The site says now: at noon" in answer.text
    assert 'value="Coach"' in answer.text
    assert again.headers["location"].startswith("/details?flash=later&undo=")
    assert (facts.loads(path.read_bytes())["hours"], facts.loads(path.read_bytes())["role"]) == ("", "Coach")


def test_a_fault_from_before_takes_back_nothing_that_may_mend_it(
    david: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = fields(david.get("/details").text)
    old = BuildStatus(
        watching=True,
        failed="2026-11-22T10:15:00.000000+00:00",
        faults=["content/site.toml:9: portrait: it is no picture"],
    )
    settings.site.with_name("press.json").write_text(old.dumps(), "utf-8")
    monkeypatch.setattr(publisher, "LIVE_SECONDS", 0.2)

    answer = david.post("/details", data=form | {"role": "Coach", "action": "publish"}, follow_redirects=False)

    assert answer.headers["location"].startswith("/details?flash=soon&")
    assert facts.loads((settings.content / "site.toml").read_bytes())["role"] == "Coach"


def test_an_undo_that_the_press_refuses_says_why_once_and_in_its_authors_words(
    david: TestClient, settings: Settings
) -> None:
    form, path = fields(david.get("/details").text), settings.content / "site.toml"
    status, later = settings.site.with_name("press.json"), "2099-01-01T00:00:00.000000+00:00"
    status.write_text(BuildStatus(watching=True, built=later, finished=later).dumps(), "utf-8")
    answer = david.post("/details", data=form | {"role": "Coach", "action": "publish"}, follow_redirects=False)
    before, version = path.read_bytes(), answer.headers["location"].partition("undo=")[2]
    told = BuildStatus(
        watching=True, failed=later, faults=["content/site.toml:9: portrait: no picture", "content/pages/a.md:1: no id"]
    )
    status.write_text(told.dumps(), "utf-8")

    answer = david.post("/details", data={"version": version, "action": "undo"})

    assert (answer.status_code, path.read_bytes()) == (409, before)
    why = "the site could not be built with it. Photograph of you: no picture. Your details are as they were."
    assert f"Not undone: {why}" in answer.text
    assert (answer.text.count("no picture"), answer.text.count("no id")) == (1, 1)


def test_a_photograph_is_taken_and_a_change_is_undone_and_brought_back(david: TestClient, settings: Settings) -> None:
    form, path = fields(david.get("/details").text), settings.content / "site.toml"
    before, words = path.read_bytes(), {"role": "Coach", "action": "publish"}
    files = {"picture": ("me.jpg", b"GIF89a, no photograph")}

    refused = david.post("/details", data=form | words, files=files)
    files["picture"] = ("me.jpg", a_photograph())
    answer = david.post("/details", data=form | words, files=files, follow_redirects=False)

    assert (refused.status_code, 'value="Coach"' in refused.text) == (422, True)
    assert "Choose a photograph" in refused.text
    portrait = facts.loads(path.read_bytes())["portrait"]
    assert re.fullmatch(r"images/david-\w+\.jpg", portrait)
    assert (settings.content / portrait).read_bytes() == a_photograph()
    version = answer.headers["location"].partition("undo=")[2]
    david.post("/details", data={"version": version, "action": "undo"})
    assert path.read_bytes() == before
    assert 'value="Coach"' in david.get("/details", params={"version": version}).text
    assert david.get("/versions/site.toml", params={"id": version}).text.count("?id=") == 3
    assert david.get("/write/site.toml").status_code == david.post("/write/site.toml", data=form).status_code == 404


@pytest.mark.parametrize(("headers", "status"), [({"cookie": "desk=x"}, 401), ({"sec-fetch-site": "cross-site"}, 403)])
def test_words_of_somebody_who_may_not_send_them_come_back(
    david: TestClient, headers: dict[str, str], status: int
) -> None:
    form = fields(david.get("/details").text) | {"role": "Coach", "action": "publish"}

    answer = david.post("/details", data=form, files={"picture": b"x"}, headers=headers)

    assert (answer.status_code, '<p class="typed">Coach</p>' in answer.text) == (status, True)


@pytest.mark.parametrize("spoil", [
    lambda path: path.unlink(), lambda path: (path.unlink(), path.symlink_to("/etc/hostname")), lambda path: path.write_text("x"),
], ids=["gone", "a link", "damaged"])  # fmt: skip
def test_a_file_that_cannot_be_read_is_told_and_the_rest_of_the_desk_goes_on(
    david: TestClient, settings: Settings, spoil: object
) -> None:
    spoil(settings.content / "site.toml")  # type: ignore[operator]

    assert david.get("/details").status_code in (409, 503)
    assert "site.toml" in david.get("/details").text
    assert david.get("/").status_code == 200


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    yield from serve(tmp_path_factory.mktemp("served"))


def sign_in(page: Page, place: Place, address: str) -> None:
    """Open the desk that is served beside a site, signed in."""
    port = address.removeprefix("http://").partition(":")[2]
    link = SignIn(place.folder / "var/desk").issue(datetime.now(UTC))
    page.goto(f"http://127.0.0.1:{int(port) + 1}/sign-in/{link}")
    page.get_by_role("button").click()


@pytest.mark.parametrize("scripts", [False, True])
def test_david_says_who_he_is_and_his_pages_show_it(served: tuple[Place, str], browser: Browser, scripts: bool) -> None:
    place, address = served
    context = browser.new_context(viewport={"width": 360, "height": 640}, java_script_enabled=scripts)
    page: Page = context.new_page()
    sign_in(page, place, address)
    if not scripts:
        page.get_by_role("link", name="Tell them").click()
    else:
        page.get_by_role("link", name="Your details").click()

    page.get_by_label("What you are").fill("Movement coach" if scripts else "Coach")
    if scripts:
        page.get_by_label("Or choose one from this device").set_input_files(
            {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": a_photograph()}
        )
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("complementary")).to_contain_text("oach")
    assert "oach" not in place.page("/contact/") or scripts
    if scripts:
        shown = page.get_by_role("complementary").locator("img")
        expect(shown).to_have_js_property("naturalWidth", 40)
    page.get_by_role("button", name="Publish").click()

    expect(page.get_by_role("status")).to_contain_text("Published. Your pages show it now.")
    page.goto(f"{address}/contact/")
    expect(page.locator("body")).to_contain_text("Movement coach" if scripts else "Coach")
    text = (place.folder / "content/site.toml").read_text("utf-8").splitlines()
    assert len(set(text) - set((ROOT / "content/site.toml").read_text("utf-8").splitlines())) == 1 + scripts
    if scripts:
        assert re.search(r'<aside class="card[^>]*>\s*<picture', place.page("/"))
        page.go_back()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("Undone. Your pages show what they showed before.")
        assert "Movement coach" not in place.page("/contact/")
    context.close()


def test_a_portrait_that_no_browser_shows_is_taken_back(served: tuple[Place, str], browser: Browser) -> None:
    place, address = served
    path = Path(place.folder, "content/site.toml")
    before = path.read_bytes()
    place.write("images/broken.jpg", "no picture")
    page = browser.new_page(viewport={"width": 360, "height": 640})
    sign_in(page, place, address)
    page.get_by_role("link", name="Your details").click()

    page.get_by_label("Photograph of you").fill("images/broken.jpg")
    page.get_by_role("button", name="Publish").click()

    expect(page.get_by_role("alert")).to_contain_text("Not published: the site could not be built with it")
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Photograph of you: .*images/broken\.jpg"))
    expect(page.get_by_role("region", name="The site")).to_have_count(0)
    assert path.read_bytes() == before
    page.close()
