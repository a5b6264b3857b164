"""What is published is valid: HTML and CSS by the Nu checker, feeds by RFC 4287, the sitemap by sitemaps.org; and the same inputs give the same bytes."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from contract.manifest import BuildStatus
from postbox.desk import app as desk
from postbox.desk.sessions import SignIn
from postbox.moderation.service import Moderation
from postbox.public import app as intake
from postbox.settings import Settings
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions
from postbox.store.tokens import DecisionLinks
from tests.support.desk import change, name_of, send
from tests.support.pages import data, every_comment
from tests.support.place import RICH, ROOT, SITE_URL, Place, a_comment
from tests.support.store import a_failed, a_message

CHECKER = ROOT / "node_modules/vnu-jar/build/dist/vnu.jar"
ARTICLE = "big-toe-and-glutes"
ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")  # RFC 3339 as RFC 4287 takes it

# What the checker calls wrong only because it is newer than the checker; one that it has learned is struck out here.
NEWER = {
    "CSS: Unrecognized at-rule “@view-transition”": "CSS View Transitions 2, since 2024",
    "CSS: “container-type”: Property “container-type” doesn't exist.": "CSS Conditional Rules 5, since 2022",
    "CSS: “field-sizing”: Property “field-sizing” doesn't exist.": "CSS Form Control Styling 1, since 2024",
}

NAMED = str.maketrans("/?=", "---")  # an address as the name of a file

# A day of the wall's calendar, for a whole Python.
ON_A_DAY = """
import datetime, time

class Kind(type(datetime.datetime)):
    def __instancecheck__(cls, it):
        return isinstance(it, real)

class Day(datetime.datetime, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return real.fromisoformat("WALL").astimezone(tz) if tz else real.fromisoformat("WALL").replace(tzinfo=None)

    @classmethod
    def utcnow(cls):
        return cls.now()

    today = utcnow

real, datetime.datetime = datetime.datetime, Day
time.time = lambda: real.fromisoformat("WALL").timestamp()

from pathlib import Path
from press.builder import build

now = real(2026, 12, 1, 12, tzinfo=datetime.timezone.utc)
build(Path("pelicanconf.py"), SITE_URL="https://feet.example", NOW=now, CLOSE_AFTER_DAYS=30)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site with everything a page can have, on several pages of its archive, and the preview of a draft beside it."""
    place = Place(tmp_path_factory.mktemp("valid"))
    furnish(place)
    archive: dict[str, Any] = {"PAGINATED_TEMPLATES": {"archives": 2}}
    place.build(preview=True, OUTPUT_PATH=str(place.folder / "preview"), **archive)
    place.build(**archive)
    return place


@pytest.mark.slow
def test_every_page_is_valid_html_and_css(place: Place, tmp_path: Path) -> None:
    for folder in (place.output, place.folder / "preview"):
        for file in (*folder.rglob("*.html"), *folder.rglob("*.svg")):
            copy(tmp_path, f"{folder.name}/{file.relative_to(folder)}", file.read_text("utf-8"))
    for name, page in sorted((*pages_of_the_intake(place), *pages_of_the_desk(place))):
        copy(tmp_path, f"{name}.html", page)

    found = check(tmp_path)

    faults = {f"{file}: {message}" for file, message in found if message not in NEWER}
    assert not faults, "\n" + "\n".join(sorted(faults))
    assert NEWER.keys() - {message for _, message in found} == set()


def test_the_checker_would_tell(tmp_path: Path) -> None:
    copy(tmp_path, "a.html", '<!doctype html><html lang="en"><title>A</title><p id="a"><p id="a" style="colr: red">')

    messages = " ".join(message for _, message in check(tmp_path))

    assert "Duplicate ID “a”" in messages
    assert "Property “colr” doesn't exist" in messages


def test_every_feed_is_valid_atom(place: Place) -> None:
    feeds = sorted(path.relative_to(place.output).as_posix() for path in place.output.rglob("*.xml"))
    feeds.remove("sitemap.xml")

    faults = {name: list(faults_of_feed(place.page(f"/{name}"), f"{SITE_URL}/{name}")) for name in feeds}

    assert {"feed.xml", "comments.xml", f"articles/{ARTICLE}/comments.xml"} < faults.keys()
    assert {name: told for name, told in faults.items() if told} == {}


@pytest.mark.parametrize(("good", "bad", "fault"), [
    ("<updated>", "<updated>on ", "is no date of RFC 3339"),
    ("<id>urn:uuid:", "<id>", "is not absolute"),
    ("</entry>", "<id>https://feet.example/</id></entry>", "has 2 id"),
    ("<title>", "<name>", "has 0 title"),
    ('href="https://feet.example/articles/', 'href="/articles/', "is not absolute"),
    ("<author>", "<contributor>", "has no author"),
    ('type="html"', 'type="text/html"', "has the type text/html"),
])  # fmt: skip
def test_the_rules_for_feeds_would_tell(place: Place, good: str, bad: str, fault: str) -> None:
    text = place.page("/feed.xml")
    if good[0] == "<" and good[-1] == ">" and bad in ("<name>", "<contributor>"):
        text = text.replace(f"</{good[1:]}", f"</{bad[1:]}")

    faults = list(faults_of_feed(text.replace(good, bad), f"{SITE_URL}/feed.xml"))

    assert any(fault in told for told in faults), faults


def test_the_sitemap_is_valid_and_names_every_page_that_may_be_found(place: Place) -> None:
    root = ET.fromstring(place.page("/sitemap.xml"))
    locations = [url.findtext(f"{SITEMAP}loc") or "" for url in root]

    assert root.tag == f"{SITEMAP}urlset"
    assert 0 < len(locations) == len(set(locations)) <= 50_000
    for url in root:
        assert [child.tag for child in url] in ([f"{SITEMAP}loc"], [f"{SITEMAP}loc", f"{SITEMAP}lastmod"])
        assert DATE.fullmatch(url.findtext(f"{SITEMAP}lastmod") or "2026-11-22T00:00:00Z")
    found = {canonical for path in place.output.rglob("*.html") if (canonical := canonical_of(path.read_text("utf-8")))}
    assert all(urlsplit(address)[:2] == ("https", "feet.example") and len(address) < 2048 for address in locations)
    assert set(locations) == {address for address in found if "/page/" not in address}


def test_structured_data_agrees_with_its_page(place: Place) -> None:
    articles = sorted(path.parent.name for path in place.output.glob("articles/*/index.html") if is_article(path))

    assert len(articles) > 4
    for slug in articles:
        page, thing = place.page(f"/articles/{slug}/"), data(place, f"/articles/{slug}/")
        comments = list(every_comment(thing))
        assert thing["headline"] == text_of(page, 'h1 id="title"')
        assert thing["description"] == text_of(page, 'p class="standfirst"')
        assert thing["url"] == canonical_of(page)
        assert thing["datePublished"][:10] == attribute_of(page, r'<time datetime="([^"]*)"')
        number = text_of(page, 'h2 id="thoughts-title"').split()[0].replace("No", "0")
        assert thing["commentCount"] == len(comments) == int(number)
        shown = re.findall(r'<article class="comment[^>]* id="comment-(\w+)" aria-labelledby', page)
        assert sorted(comment["url"].rpartition("-")[2] for comment in comments) == sorted(shown)
        for comment in comments:
            [its] = re.findall(rf'<article class="comment[^>]* id="comment-{comment["url"].rpartition("-")[2]}".*?</article>', page, re.DOTALL)  # fmt: skip
            assert comment["author"]["name"] == text_of(its, "h3[^>]*")
            dates, told = re.findall(r'<time datetime="([^"]*)"', its), comment.get("datePublished")
            assert [*map(datetime.fromisoformat, dates)] == [*map(datetime.fromisoformat, [told] if told else [])]
    assert data(place, "/contact/")["name"] == text_of(place.page("/contact/"), "h1")
    assert data(place, "/articles/")["name"] == text_of(place.page("/articles/"), "h1")
    for address in ("/contact/", "/articles/", "/articles/page/2/"):
        assert data(place, address)["url"] == canonical_of(place.page(address))
    assert data(place, "/")["name"] == text_of(place.page("/"), "title")


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes_on_another_day_in_another_place(tmp_path: Path) -> None:
    built = []
    for number, (day, zone) in enumerate([("2026-12-01", "Pacific/Auckland"), ("2031-06-15", "America/Lima")]):
        (tmp_path / str(number)).mkdir()
        place = Place(tmp_path / str(number))
        furnish(place)
        place.article("later", Date="2027-03-01")  # not yet to be seen
        for file in place.folder.rglob("*"):
            os.utime(file, (number * 10**9, number * 10**9))
        script = ON_A_DAY.replace("WALL", f"{day}T23:30:00+00:00")
        environment = {"TZ": zone, "PYTHONHASHSEED": str(number), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
        run = [sys.executable, "-c", script]
        ended = subprocess.run(
            run, cwd=place.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert ended.returncode == 0, ended.stderr
        built.append(place)

    first, second = ({p.relative_to(b.output) for p in b.output.rglob("*") if p.is_file()} for b in built)
    assert first == second
    _, differ, failed = filecmp.cmpfiles(built[0].output, built[1].output, map(str, first), shallow=False)
    assert (differ, failed) == ([], [])
    facts = [(place.folder / "var/site/site.json").read_bytes() for place in built]
    assert facts[0] == facts[1]


# What is checked


def furnish(place: Place) -> None:
    """Write an article of every kind, and comments."""
    place.image("images/sand.png", size=(1600, 900))
    place.article("rich", text=RICH, Tags="feet, glutes & “more”", Modified="2026-11-21 09:00")
    place.article("quiet", Tags="feet")
    place.article("closed", Comments="closed", Author="Alexis", Date="2025-01-02 10:30")
    place.article("crowd", Title="Ampersands & <angles> “quoted”", Summary="A & B < C")
    place.article("unfinished", Status="draft", text="Some words.")
    place.write("pages/about.md", "Title: About\nSlug: about\n\n## A part\n\nWords.\n")
    dated = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
    for number in range(40):
        above = f"{1000 + number - 1}" if number % 7 else None
        fields = {"id": f"{1000 + number}", "reply_to": above, "date": dated, "author": f"R{number}"}
        place.comment(a_comment(article="crowd", **fields))
    place.comment(a_comment(id="2000", article="crowd", author="Ann", website="https://ann.example/?a=1&b=2"))
    place.comment(a_comment(id="2001", article="crowd", reply_to="2000", removed="yes", author="", body=""))
    hers = {"author": "שרה & 🦶", "body": "- a\n- b\n\n> c\n\n`d`"}
    place.comment(a_comment(id="2002", article="crowd", reply_to="2001", **hers))


def pages_of_the_intake(place: Place) -> Iterator[tuple[str, str]]:
    """Yield every page that a reader may be answered with, and its name."""
    settings = Settings(content=place.folder / "content", theme=ROOT / "theme", var=place.folder / "var")
    form = {"article": ARTICLE, "name": "Tom & “Ann”", "comment": "Hello **you**.\n\n- a"}
    moderation, decision = Moderation.open(settings), {"who": "David", "now": datetime.now(UTC)}
    with TestClient(intake.application(settings), follow_redirects=True) as reader:
        for id in ("0001", "9999"):
            yield f"reply-{id}", reader.get(f"/comments/reply/{ARTICLE}/{id}").text
        yield "reply-closed", reader.get("/comments/reply/closed/0001").text
        yield "errors", reader.post("/comments", data=form | {"name": "", "comment": "x" * 5000}).text
        yield "errors-closed", reader.post("/comments", data=form | {"article": "closed"}).text
        yield "preview", reader.post("/comments", data=form | {"action": "preview", "reply_to": "0001"}).text
        yield "refused", reader.get("/comments/receipt/none").text
        yield "address-errors", reader.post("/comments", data=form | {"email": "<@>"}).text
        answer = reader.post("/comments", data=form | {"email": "tom@feet.example"})
        yield "address", answer.text
        subscriptions = Subscriptions(Inbox.open(settings))
        [subscription] = subscriptions.having("tom@feet.example")
        link = f"/comments/mail/{subscriptions.token(subscription)}"
        yield "address-asked", reader.get(link).text
        yield "address-confirmed", reader.post(link, data={"action": "choose", "author": "yes"}).text
        yield "address-gone", reader.post(f"{link}/stop").text
        reader.post(str(answer.url), data={"action": "delete"})
        enquiry = {"name": "Tom & “Ann”", "contact": "07700 900123", "message": "Hello <you>."}
        yield "message-errors", reader.post("/comments/message", data=enquiry | {"contact": "<1>"}).text
        answer = reader.post("/comments/message", data=enquiry)
        yield "message", answer.text
        yield "message-deleted", reader.post(str(answer.url), data={"action": "delete"}).text
        for name in ("published", "rejected", "deleted"):
            answer = reader.post("/comments", data=form | {"comment": f"To be {name}."})
            yield f"waiting-{name}", answer.text
            [item] = moderation.review.queue()
            if name == "published":
                moderation.approve(item.name, **decision)  # type: ignore[arg-type]
                yield "change-errors", reader.post(str(answer.url), data=form | {"name": ""}).text
                yield "change-preview", reader.post(str(answer.url), data=form | {"action": "preview"}).text
            elif name == "rejected":
                moderation.reject(item.name, reason="Words & <reasons>.", **decision)  # type: ignore[arg-type]
            else:
                reader.post(str(answer.url), data={"action": "delete"})
            yield name, reader.get(str(answer.url)).text


def pages_of_the_desk(place: Place) -> Iterator[tuple[str, str]]:
    """Yield every page of the desk, and its name."""
    settings = Settings(content=place.folder / "content", theme=ROOT / "theme", var=place.folder / "var")
    moderation = Moderation.open(settings)
    with TestClient(desk.application(settings)) as david:
        yield "desk-signed-out", david.get("/").text
        yield "desk-away", david.get("/log", headers={"sec-fetch-site": "cross-site"}).text
        yield "desk-sent", david.post("/sign-in/email", data={"": ""}).text
        token = SignIn(settings.desk).issue(datetime.now(UTC))
        yield "desk-sign-in", david.get(f"/sign-in/{token}").text
        yield "desk-empty", david.post("/sign-in", data={"token": token}).text
        published = send(settings, author="Zoë", body="On the *third* step.")
        moderation.approve(moderation.review.history(published)[-1].name, who="David", now=datetime.now(UTC))
        change(settings, published, author="Zoë", body="On the *second* step.")
        held = send(settings, author="Mallory & <b>", reply_to="0001", held=["it has 3 links"])
        name = moderation.review.history(held)[-1].name
        for path in ("/", "/?tick=all", "/published", "/published?page=2", "/log", "/comment/0001", "/details", "/no"):
            yield f"desk{path.translate(NAMED)}", david.get(path).text
        key, new = next((place.folder / "content/articles").glob("*.md")).stem, "articles/new-0123456789ab"
        texts = {
            "title": "Shoes & <b>",
            "text": "\n</textarea>",
            "slug": "A B",
            "when": "2027-03-28T01:30",
            "alt": '"',
            "action": "publish",
        }
        for path in ("write", f"write/articles/{key}", f"write/{new}", f"versions/articles/{key}"):
            yield f"desk-{path.translate(NAMED)}", david.get(f"/{path}").text
        for what, sent in {"error": texts, "saved": texts | {"slug": "", "when": "", "action": "save"}}.items():
            yield f"desk-write-{what}", david.post(f"/write/{new}", data=sent).text
        yield "desk-write-conflict", david.post(f"/write/articles/{key}", data=texts | {"slug": "", "when": ""}).text
        yield "desk-write-signed-out", TestClient(david.app).post(f"/write/{new}", data=texts).text
        yield (
            "desk-write-foreign",
            david.post(f"/write/{new}", data=texts, headers={"sec-fetch-site": "cross-site"}).text,
        )
        yield (
            "desk-write-thrown",
            david.post(f"/write/{new}", data=texts | {"slug": "", "when": "", "action": "discard"}).text,
        )
        yield "desk-write-thrown-one", david.get(f"/write/{new}").text
        yield "desk-out-with-words", TestClient(david.app).post("/", data={"answer": "Thank you & <b>."}).text
        yield "desk-details-done", david.get("/details?flash=live&undo=1").text
        yield "desk-details-look", david.post("/details", data={"action": "look", "portrait": "images/no.jpg"}).text
        yield "desk-details-versions", david.get("/versions/site.toml").text
        yield "desk-waiting", david.get(f"/comment/{held}").text
        yield "desk-error", david.post(f"/comment/{held}", data={"action": "publish and answer", "name": name}).text
        yield "desk-done", david.post(f"/comment/{held}", data={"action": "spam", "name": name, "back": "/"}).text
        yield "desk-none-ticked", david.post("/", data={"action": "spam", "back": "/"}).text
        a_message(settings, held=["it has 1 link"])
        a_failed(settings, "message", "x")
        status = BuildStatus(faults=["content/x.md:1: it is not there"])
        settings.site.with_name("press.json").write_text(status.dumps())
        yield "desk-messages", david.get("/messages").text
        yield "desk-messages-done", david.get("/messages?flash=done").text
        yield "desk-messages-gone", david.post("/messages", data={"action": "done"}).text
        yield "desk-mail", david.get("/mail").text
        links, name = (
            DecisionLinks(Moderation.open(settings).store.key),
            name_of(settings, send(settings, author="Una")),
        )
        address, expired = (f"/decide/{links.issue(name, datetime.now(UTC) - timedelta(days=n))}" for n in (0, 8))
        yield "desk-decide", david.get(address).text
        yield "desk-decide-error", david.post(address, data={"action": "publish and answer"}).text
        yield "desk-decide-expired", david.get(expired).text
        yield "desk-decide-sent", david.get(f"{expired}?sent=").text
        yield "desk-decide-done", david.post(address, data={"action": "publish"}).text
        yield "desk-decide-again", david.post(address, data={"action": "publish"}).text
        yield "desk-decide-forged", david.get("/decide/x").text


def copy(folder: Path, name: str, text: str) -> None:
    """Write a copy for the checker; it does not look into the container queries that it does not know."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("@container", "@media"), "utf-8")


def check(folder: Path) -> list[tuple[str, str]]:
    """Return what the Nu checker finds in the files of a folder: the file, and the message."""
    java = shutil.which("java")
    assert java, "Java is missing; make test installs it"
    assert CHECKER.exists(), "the checker is missing; make test installs it"
    options = ["--format", "json", "--stdout", "--exit-zero-always", "--also-check-svg"]
    run = [java, "-Xss2m", "-jar", str(CHECKER), *options, str(folder)]
    ended = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    messages: list[dict[str, Any]] = json.loads(ended.stdout)["messages"]
    return [(m.get("url", "").partition(f"{folder.name}/")[2], m["message"]) for m in messages]


def faults_of_feed(text: str, address: str) -> Iterator[str]:
    """Yield what RFC 4287 does not allow in the feed at an address."""
    feed = ET.fromstring(text)
    entries = feed.findall(f"{ATOM}entry")
    if feed.tag != f"{ATOM}feed":
        yield f"the root is {feed.tag}"
    for element in (feed, *entries):
        for name in ("id", "title", "updated"):  # 4.1.1, 4.1.2: exactly one
            if (number := len(element.findall(f"{ATOM}{name}"))) != 1:
                yield f"an element has {number} {name}"
        alternates = [link for link in element.findall(f"{ATOM}link") if link.get("rel", "alternate") == "alternate"]
        if len(alternates) > 1:  # of one type and language, at most one
            yield f"an element has {len(alternates)} alternate links"
        if element is not feed and not alternates and element.find(f"{ATOM}content") is None:
            yield "an entry has neither content nor link"
        if element is not feed and all(e.find(f"{ATOM}author") is None for e in (element, feed)):
            yield "an entry has no author"
        if any(len(element.findall(f"{ATOM}{name}")) > 1 for name in ("published", "summary", "content", "subtitle")):
            yield "an element has a second of what it may have once"
    for element in feed.iter():
        name = element.tag.removeprefix(ATOM)
        if name in ("updated", "published") and not DATE.fullmatch(element.text or ""):
            yield f"{element.text} is no date of RFC 3339"
        if name in ("updated", "published") and DATE.fullmatch(element.text or ""):
            datetime.fromisoformat(element.text or "")
        absolute = {"id": element.text, "link": element.get("href")}.get(name, "urn:")
        if not urlsplit(absolute or "").scheme:
            yield f"{absolute} is not absolute"
        if name in ("title", "subtitle", "summary", "content", "rights"):
            if element.get("type", "text") not in ("text", "html"):
                yield f"{name} has the type {element.get('type')}"
            if len(element):  # 3.1.1: no child elements
                yield f"{name} has elements in it"
        if name == "author" and not element.findtext(f"{ATOM}name"):  # 3.2.1
            yield "an author has no name"
    ids = [element.findtext(f"{ATOM}id") for element in entries]
    if len(ids) != len(set(ids)):
        yield "an id is given twice"
    if [link.get("href") for link in feed.findall(f"{ATOM}link[@rel='self']")] != [address]:
        yield f"it does not name itself {address}"


def canonical_of(page: str) -> str:
    """Return the address that a page says it has, empty if it says none or asks not to be found."""
    found = re.search(r'<link rel="canonical" href="([^"]*)">', page)
    return found[1] if found and 'content="noindex"' not in page else ""


def is_article(path: Path) -> bool:
    """Tell whether a page is that of an article."""
    return 'id="thoughts"' in path.read_text("utf-8")


def text_of(page: str, opening: str) -> str:
    """Return the words of the first element with an opening tag."""
    found = re.search(rf"<{opening}>(.*?)</{opening.split('[')[0].split()[0]}>", page, re.DOTALL)
    assert found
    return unescape(re.sub("<[^>]*>", "", found[1])).strip()


def attribute_of(page: str, pattern: str) -> str:
    """Return what a pattern finds first."""
    found = re.search(pattern, page)
    assert found
    return found[1]
