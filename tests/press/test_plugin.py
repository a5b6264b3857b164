"""The plugin: comments in pages and feeds, the facts of the site, and what never gets into a published build."""

import base64
import hashlib
import re
import shutil
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
from markupsafe import escape

from contract.manifest import load
from pelicanconf import FEED_UUID
from press.errors import BuildError
from tests.support.place import SITE_URL, Place, a_comment

ARTICLE = "/articles/big-toe-and-glutes/"
ATOM = "{http://www.w3.org/2005/Atom}"
THREADING = "{http://purl.org/syndication/thread/1.0}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
HOSTILE = """<script>alert("1")</script> & 'Ada' <b>"""
A_DAY = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


def comment_on(page: str, id: str) -> str:
    """Return the HTML of one comment."""
    return re.split("</(?:article|div)>", page.partition(f'id="comment-{id}"')[2])[0]


def feed(place: Place, address: str) -> list[ET.Element]:
    """Return the entries of a feed, which has what Atom asks of it (RFC 4287, 4.1.1 and 4.1.2)."""
    root = ET.fromstring(place.page(address))
    for element in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert element.findtext(f"{ATOM}{name}"), name
    assert root.find(f"{ATOM}link[@rel='self']").attrib["href"] == f"{SITE_URL}{address}"  # type: ignore[union-attr]
    return list(root.iter(f"{ATOM}entry"))


def title(entry: ET.Element) -> str | None:
    """Return the title of an entry."""
    return entry.findtext(f"{ATOM}title")


def ids(place: Place, address: str) -> list[str]:
    """Return the ids of the entries of a feed."""
    return [entry.findtext(f"{ATOM}id") or "" for entry in feed(place, address)]


def name_of(entry: str) -> str:
    """Return the permanent name of an entry in a feed."""
    return f"urn:uuid:{uuid5(UUID(FEED_UUID), entry)}"


def built(place: Place) -> list[str]:
    """Return the addresses of every file in the output."""
    return sorted(path.relative_to(place.output).as_posix() for path in place.output.rglob("*") if path.is_file())


def everything(place: Place) -> str:
    """Return every file of the output, and what the intake reads, as one text."""
    return "".join(
        path.read_text("utf-8", errors="replace")
        for path in [*place.output.rglob("*.*"), place.folder / "var/site/site.json"]
    )


def only_article(place: Place, slug: str, **header: str) -> None:
    """Let an article be the only text, without comments."""
    for path in (place.folder / "content").glob("*/*.md"):
        path.unlink()
    place.article(slug, **header)


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site with everything that an article, a page or a conversation can have; look, do not change."""
    place = Place(tmp_path_factory.mktemp("lively"))
    for number in (0, 1, 3):
        place.article(f"with-{number}", Date=f"2026-11-1{number}")
        for n in range(number):
            place.comment(a_comment(id=f"w{number}0{n}", article=f"with-{number}"))
    place.article("noted", text="Words.[^1]\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n[^1]: A note.")
    place.article("hostile", Title=HOSTILE, Summary=HOSTILE, Author=HOSTILE)
    place.comment(a_comment(id="h000", article="hostile", author=HOSTILE, body=HOSTILE))
    place.article("secret", Status="hidden", Title="On “feet”", text="Whispered.")
    place.comment(a_comment(id="s000", article="secret", body="Shh."))
    place.article("sketch", Status="draft")
    place.write("pages/about.md", "Title: About\nSlug: about\n\nWords.\n")
    place.write("extra/CNAME", "feet.example\n")
    place.write("extra/.well-known/security.txt", "MessagePages: tel:+447504439555\n")
    place.comment(a_comment(id="1000", removed="yes", author="", body=""))
    place.comment(a_comment(id="1001", reply_to="1000", author="David"))
    place.comment(a_comment(id="1002", author="Someone else", is_author=True, date=A_DAY))
    place.comment(
        a_comment(id="1003", website="https://tom.example/?a=1&b=2", date=datetime(2026, 6, 30, 23, 30, tzinfo=UTC))
    )
    place.build()
    return place


# Conversations


@pytest.mark.parametrize(("address", "words"), [
    ("/articles/with-0/", "No thoughts yet. <small>Yours would be the first.</small>"),
    ("/articles/with-1/", "1 thought <small>"),
    ("/articles/with-3/", "3 thoughts <small>"),
    (ARTICLE, "5 thoughts <small>"),  # of six, of which one was removed
])  # fmt: skip
def test_a_conversation_is_headed_by_its_number_in_words(lively: Place, address: str, words: str) -> None:
    number = words.partition(".")[0].partition(" <")[0]

    assert f'<h2 id="thoughts-title">{words}' in lively.page(address)
    assert f'<a href="{address}#thoughts">{number}</a>' in lively.page("/articles/")


@pytest.mark.parametrize(("id", "has", "has_not"), [
    ("0001", [f'<a class="permalink" href="{ARTICLE}#comment-0001">Link to this comment</a>'], ["in reply to"]),
    ("0002", [f'<a class="permalink" href="{ARTICLE}#comment-0002">Link to this comment</a>',
        f'in reply to <a href="{ARTICLE}#comment-0001"><bdi>Alexis</bdi></a>', '<span class="badge">Author</span>'], []),
    ("1000", ["A comment was removed by its writer."], ["Reply to"]),
    ("1001", [f'in reply to <a href="{ARTICLE}#comment-1000"><bdi>a removed comment</bdi></a>'], ['class="badge"']),
    ("1002", ['<span class="badge">Author</span>'], []),
    # Summer time in the site's own zone: the day after.
    ("1003", ['<time datetime="2026-06-30T23:30:00+00:00">1 July 2026</time></a>',
        '<a href="https://tom.example/?a=1&amp;b=2" rel="nofollow ugc noopener">Tom</a>'], []),
])  # fmt: skip
def test_a_comment_says_who_when_in_answer_to_what_and_where(
    lively: Place, shipped: Place, id: str, has: list[str], has_not: list[str]
) -> None:
    pages = [lively.page(ARTICLE)] + [shipped.page("/"), shipped.page(ARTICLE)] * (id < "1000")

    for comment in [comment_on(page, id) for page in pages]:
        assert [words for words in has if words not in comment] == []
        assert [words for words in has_not if words in comment] == []
    assert lively.page(ARTICLE).count('class="badge"') == 2


def test_a_bad_file_is_set_aside_and_takes_no_other_along(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.comment(a_comment(id="1000")).write_text("Id: 1000\nArticle: big-toe-and-glutes\nAutor: Tom\n\nHello.\n")
    place.comment(a_comment(id="1001", reply_to="1000"))

    place.build()

    told = capfd.readouterr().err.strip().split("\n")
    assert len(told) == 1
    assert re.match(r"set aside: \S*/big-toe-and-glutes/1000\.md: line 3: “Autor” is not a key; the keys are ", told[0])
    page = place.page(ARTICLE)
    assert "A comment is missing here." in comment_on(page, "1000")
    assert "Hello." in comment_on(page, "1001")
    assert "3 thoughts" in page


def test_a_chain_of_five_thousand_replies_is_in_the_page(place: Place) -> None:
    chain = [f"{number:05}" for number in range(10_000, 15_000)]
    for id, above in zip(chain, [None, *chain], strict=False):
        place.comment(a_comment(id=id, reply_to=above))

    place.build()

    page = place.page(ARTICLE)
    assert [id for id in re.findall(r'id="comment-(\w+)"', page) if len(id) == 5] == chain
    assert page.count("<p>Hello.</p>") == 5_000
    assert "5002 thoughts" in page


def test_hostile_words_are_shown_and_never_run(lively: Place) -> None:
    for path in [*lively.output.rglob("*.html"), *lively.output.rglob("*.xml")]:
        page = path.read_text("utf-8")
        assert "<script>" not in page
        assert "<b>" not in page
    assert f'<meta name="description" content="{escape(HOSTILE)}">' in lively.page("/articles/hostile/")
    assert [title(entry) for entry in feed(lively, "/articles/hostile/comments.xml")] == [f"{HOSTILE} on “{HOSTILE}”"]
    assert HOSTILE in [title(entry) for entry in feed(lively, "/feed.xml")]


# Feeds, sitemap, redirects


def test_the_feed_holds_the_articles_in_full_with_whole_addresses(shipped: Place) -> None:
    [entry] = feed(shipped, "/feed.xml")

    content = entry.findtext(f"{ATOM}content") or ""
    assert entry.findtext(f"{ATOM}id") == name_of("big-toe-and-glutes")
    assert content.startswith("<p>Once you understand the relationship")
    assert f'<a href="{SITE_URL}/contact/">the contact page</a>' in content
    assert '<a href="tel:+447504439555">' in content


def test_a_footnote_works_in_the_feed_too_and_a_table_brings_no_style_of_its_own(lively: Place) -> None:
    content = "".join(entry.findtext(f"{ATOM}content") or "" for entry in feed(lively, "/feed.xml"))
    page = lively.page("/articles/noted/")

    assert f'href="{SITE_URL}/articles/noted/#fn:1"' in content
    assert '<td class="right">2</td>' in page
    assert "align=" not in page.partition("</style>")[2]


def test_comment_feeds_have_the_newest_first_and_an_undated_one_at_its_articles_date(place: Place) -> None:
    place.article("second", Date="2026-11-21")
    place.comment(a_comment(id="1000", article="second", date=A_DAY.replace(day=24)))
    place.comment(a_comment(id="1001", article="second"))
    place.comment(a_comment(id="1002", reply_to="0001", date=A_DAY))

    place.build()

    names = {name_of(f"second/{id}"): id for id in ("1000", "1001")}
    names |= {name_of(f"big-toe-and-glutes/{id}"): id for id in ("1002", "0001", "0002")}
    updated = [
        (names[entry.findtext(f"{ATOM}id") or ""], entry.findtext(f"{ATOM}updated"))
        for entry in feed(place, "/comments.xml")
    ]
    assert updated == [
        ("1000", "2026-11-24T10:15:00+00:00"),
        ("1002", "2026-11-23T10:15:00+00:00"),
        ("0002", "2026-11-22T00:00:00+00:00"),
        ("0001", "2026-11-22T00:00:00+00:00"),
        ("1001", "2026-11-21T00:00:00+00:00"),
    ]
    assert [names[id] for id in ids(place, "/articles/second/comments.xml")] == ["1000", "1001"]


def test_an_entry_of_a_comment_feed_says_who_where_and_in_answer_to_what(shipped: Place) -> None:
    [reply, _] = feed(shipped, f"{ARTICLE}comments.xml")

    assert reply.findtext(f"{ATOM}author/{ATOM}name") == "David"
    assert reply.find(f"{ATOM}link").attrib["href"] == f"{SITE_URL}{ARTICLE}#comment-0002"  # type: ignore[union-attr]
    assert reply.find(f"{THREADING}in-reply-to").attrib == {  # type: ignore[union-attr]
        "ref": name_of("big-toe-and-glutes/0001"),
        "href": f"{SITE_URL}{ARTICLE}#comment-0001",
    }
    assert (reply.findtext(f"{ATOM}content") or "").startswith("<p>Pleasure Alexis. It doesn’t matter")


def test_a_comment_feed_is_empty_without_comments_and_has_no_removed_one_and_ends_after_fifty(
    lively: Place, place: Place
) -> None:
    for number in range(60):
        place.comment(a_comment(id=f"{1000 + number}", date=A_DAY.replace(minute=number)))

    place.build()

    assert feed(lively, "/articles/with-0/comments.xml") == []
    assert ids(lively, f"{ARTICLE}comments.xml") == [
        name_of(f"big-toe-and-glutes/{id}") for id in ("1002", "1001", "0002", "0001", "1003")
    ]
    assert ids(place, "/comments.xml") == [name_of(f"big-toe-and-glutes/{n}") for n in range(1059, 1009, -1)]


def test_a_rename_keeps_the_ids_and_the_comments_and_redirects(place: Place) -> None:
    place.build()
    before = ids(place, "/comments.xml") + ids(place, "/feed.xml")
    article = place.folder / "content/articles/big-toe-and-glutes.md"
    renamed = "Slug: toes\nFormerly: big-toe-and-glutes old"
    article.write_text(article.read_text("utf-8").replace("Slug: big-toe-and-glutes", renamed), "utf-8")

    place.build()

    assert ids(place, "/comments.xml") + ids(place, "/feed.xml") == before
    assert '<a class="permalink" href="/articles/toes/#comment-0001">' in place.page("/articles/toes/")
    redirects = {
        f"/articles/{old}/{file}": f"/articles/toes/{file}"
        for old in ("big-toe-and-glutes", "old")
        for file in ("", "comments.xml")
    } | {f"/articles/{old}": "/articles/toes/" for old in ("big-toe-and-glutes", "old")}
    told = place.page("/_redirects").splitlines()
    assert sorted(told) == sorted(f"{old} {new} 301" for old, new in redirects.items())
    assert not load(place.folder / "var/site/site.json").redirects, "there can be thousands, and the intake needs none"


def test_the_sitemap_lists_exactly_the_pages_and_says_when_a_conversation_went_on(lively: Place) -> None:
    urls = ET.fromstring(lively.page("/sitemap.xml")).iter(f"{SITEMAP}url")

    changed = {url.findtext(f"{SITEMAP}loc"): url.findtext(f"{SITEMAP}lastmod") for url in urls}

    pages = {f"{SITE_URL}/{name.removesuffix('index.html')}" for name in built(lively) if name.endswith("index.html")}
    assert changed.keys() == pages - {f"{SITE_URL}/articles/secret/"}
    assert changed[f"{SITE_URL}{ARTICLE}"] == changed[f"{SITE_URL}/"] == "2026-11-23T10:15:00+00:00"
    assert changed[f"{SITE_URL}/privacy/"] is None


@pytest.mark.parametrize(("address", "words"), [
    ("/robots.txt", ["User-agent: *\nDisallow: /comments/\n\nSitemap: https://feet.example/sitemap.xml"]),
    ("/404.html", ["<h1>That page is not here. It may have moved.</h1>", '<meta name="robots" content="noindex">',
        '<a href="/">Go to the front page</a>']),
    ("/502.html", ["<h1>That did not get through.</h1>", "go one step back, and your words are there", "noindex"]),
    ("/about/", ['<meta name="description" content="David helps people move well from the feet up.">']),  # no Summary
    ("/CNAME", ["feet.example\n"]),
    ("/.well-known/security.txt", ["MessagePages: tel:+447504439555\n"]),
])  # fmt: skip
def test_a_page_or_a_file_at_the_root_has_what_is_asked_of_it(lively: Place, address: str, words: list[str]) -> None:
    page = lively.page(address)

    assert [text for text in words if text not in page] == []
    assert address.endswith((".html", "/")) or page == words[0]


# The front page and the lists


def test_a_site_without_articles_has_a_front_page(place: Place) -> None:
    (place.folder / "content/articles/big-toe-and-glutes.md").unlink()

    place.build()

    assert "<h1>From the ground up</h1>" in place.page("/")
    assert "There is nothing to read yet." in place.page("/articles/")
    assert feed(place, "/feed.xml") == feed(place, "/comments.xml") == []


def test_a_content_folder_with_nothing_but_the_facts_builds(place: Place) -> None:
    facts = place.folder / "content/site.toml"
    words = facts.read_text("utf-8")
    shutil.rmtree(place.folder / "content")
    facts.parent.mkdir()
    facts.write_text(words, "utf-8")

    place.build()

    assert "<h1>From the ground up</h1>" in place.page("/")


def test_the_front_page_leads_with_the_newest_and_lists_the_others(lively: Place) -> None:
    page = lively.page("/")

    places = [
        page.index(words)
        for words in ('<h1 id="title">Your big toe', "More to read", "About noted", "About with-3", "About with-1")
    ]
    assert places == sorted(places)
    assert '<li><a href="/articles/">Articles</a></li>\n<li><a href="/contact/">Contact</a></li>\n</ul></nav>' in page


def test_the_archive_has_a_hundred_articles_a_page(place: Place) -> None:
    for number in range(101):
        place.article(f"number-{number}", Date=f"2025-01-01 00:{number // 60:02}:{number % 60:02}")

    place.build()

    first, second = place.page("/articles/"), place.page("/articles/page/2/")
    assert (first.count('<article class="summary">'), second.count('<article class="summary">')) == (100, 2)
    assert first.index(">2026</h2>") < first.index(">2025</h2>")
    assert '<a href="/articles/page/2/" rel="next">' in first
    assert '<a href="/articles/" rel="prev">' in second


def test_a_hidden_article_is_built_and_takes_comments_and_is_listed_nowhere(lively: Place) -> None:
    page = lively.page("/articles/secret/")

    assert [
        words for words in ("Whispered.", "Shh.", '<meta name="robots" content="noindex">') if words not in page
    ] == []
    naming = [name for name in built(lively) if "secret" in lively.page(f"/{name}")]
    assert naming == ["articles/secret/comments.xml", "articles/secret/index.html"]
    site = load(lively.folder / "var/site/site.json")
    assert (site.conversations["secret"].title, site.conversations["secret"].url) == ("On “feet”", "/articles/secret/")
    assert site.conversations["big-toe-and-glutes"].title.startswith("Your big toe and your glutes must be talking")
    assert site.conversations["big-toe-and-glutes"].url == ARTICLE
    assert site.conversations.keys() == {
        "big-toe-and-glutes",
        "hostile",
        "noted",
        "secret",
        "with-0",
        "with-1",
        "with-3",
    }
    assert (site.url, site.intake, site.is_preview, site.article_count) == (SITE_URL, "/comments", False, 3)


# What is not for readers yet


def unpublished(place: Place) -> None:
    """Write drafts, and what has a date to come, each with an image, and a comment on a draft."""
    image = "Unripe. ![A foot]({{static}}/images/{}.png)".format
    both = "![A foot]({static}/images/shared.png)"
    for name in ("draft", "future", "page", "soon", "shared"):
        place.image(f"images/{name}.png")
    place.article("sketch", Status="draft", text=f"{image('draft')} {both}")
    place.article("tomorrow", Date="2999-01-01", text=image("future"))
    head = "Title: Blueprint\nSlug: blueprint\nSummary: S.\nStatus: draft"
    place.write("pages/blueprint.md", f"{head}\n\n{image('page')}\n")
    place.write("pages/course.md", f"Title: Course\nSlug: course\nDate: 2999-01-01\n\n{image('soon')}\n")
    place.article("second", text=both)
    place.comment(a_comment(article="sketch", body="Unripe too."))


def test_nothing_unpublished_is_in_a_published_build(place: Place) -> None:
    place.build()
    before = built(place)
    unpublished(place)

    place.build()

    added = {re.sub("-[0-9a-f]{12}", "", name) for name in set(built(place)) - set(before)}
    images = {f"images/shared-8.{kind}" for kind in ("avif", "webp", "png")}
    assert added == {"articles/second/comments.xml", "articles/second/index.html", "images/social.png", *images}
    assert not re.search("sketch|tomorrow|blueprint|course|Unripe", everything(place))


def test_the_preview_shows_what_is_unpublished_and_marks_it(place: Place) -> None:
    unpublished(place)

    place.build(preview=True)

    draft, later = "Draft:</strong> only", "Appears on 1 January 2999 at 00:00:</strong> until then only"
    for name, mark in {"sketch": draft, "tomorrow": later, "blueprint": draft, "course": later}.items():
        page = place.page(f"/drafts/{name}/")
        assert "Unripe" in page
        assert f'<p class="box"><strong>{mark} this preview shows it.</p>' in page
        assert '<meta name="robots" content="noindex">' in page
    for name in ("draft", "future", "page", "soon"):
        assert re.search(rf"images/{name}-\w+-8\.avif", " ".join(built(place)))
    assert "Unripe too." in place.page("/drafts/sketch/")
    assert "Disallow: /\n" in place.page("/robots.txt")


def test_a_published_build_takes_the_drafts_of_the_preview_away(place: Place) -> None:
    place.build()
    before = built(place)
    unpublished(place)
    place.build(preview=True)
    for path in ("sketch", "tomorrow", "second"):
        (place.folder / f"content/articles/{path}.md").unlink()

    place.build()

    assert built(place) == before


# Headers of articles


@pytest.mark.parametrize("key", ["Title", "Date", "Slug", "Id", "Summary"])
def test_an_article_without_what_its_address_hangs_on_stops_the_build(place: Place, key: str) -> None:
    place.article("second", **{key: ""})

    with pytest.raises(BuildError, match=rf"articles/second\.md:1: the header has no {key}; add a line"):
        place.build()


@pytest.mark.parametrize("key", ["Slug", "Id", "Formerly"])
def test_an_address_that_a_host_could_misread_stops_the_build(place: Place, key: str) -> None:
    values = ("Feet", "../feet", "feet--hands", "füße", "feet/hands", "f" * 101)
    for number, value in enumerate(values):
        place.article(f"a{number}", **{key: value})

    with pytest.raises(BuildError) as refused:
        place.build()

    for number, value in enumerate(values):
        assert re.search(rf"articles/a{number}\.md:\d: {key}: “{re.escape(value)}” must be small", str(refused.value))


@pytest.mark.parametrize(("header", "clash"), [
    ({"Id": "big-toe-and-glutes"}, "Id “big-toe-and-glutes”"),
    ({"Slug": "big-toe-and-glutes"}, "Slug “big-toe-and-glutes”"),
    ({"Formerly": "big-toe-and-glutes"}, "Slug “big-toe-and-glutes”"),
    ({"Id": "big-toe-and-glutes", "Status": "draft"}, "Id “big-toe-and-glutes”"),
    ({"Id": "big-toe-and-glutes", "Status": "hidden"}, "Id “big-toe-and-glutes”"),
])  # fmt: skip
def test_two_articles_with_one_id_or_address_stop_the_build(place: Place, header: dict[str, str], clash: str) -> None:
    place.article("second", **header)

    with pytest.raises(BuildError) as stopped:
        place.build()

    assert "content/articles/second.md" in str(stopped.value)
    assert f"{clash} is also that of" in str(stopped.value)
    assert "content/articles/big-toe-and-glutes.md" in str(stopped.value)


# The facts of the site


OTHERS: dict[str, Any] = {
    "SITENAME": "Feet & Co", "TAGLINE": "Eva hilft.", "AUTHOR": "Eva", "INVITATION": "Rufen Sie an.",
}  # fmt: skip
OTHERS |= {
    "TELEPHONE": "+4930123456",
    "TELEPHONE_SHOWN": "030 123456",
    "DEFAULT_LANG": "de",
    "ACCENT": ("#123456", "#abcdef"),
}


def test_the_facts_stand_in_one_place_and_no_trace_of_the_old_is_left_when_they_change(place: Place) -> None:
    only_article(place, "second", text="Words.")
    shutil.rmtree(place.comments)

    place.build(**OTHERS)

    site = everything(place)
    traces = "David|7504|From the ground up|move well|ring David|en-gb|#0e5c52|#82d3c1"
    assert not re.search(traces, site, re.IGNORECASE)
    for fact in ("Feet &amp; Co", "Eva hilft.", "Eva", "+4930123456", "030 123456", "Rufen Sie an."):
        assert fact in site
    facts = load(place.folder / "var/site/site.json")
    assert (facts.accent, facts.accent_dark) == ("#123456", "#abcdef")


def test_a_fact_that_is_set_is_shown(place: Place) -> None:
    facts: dict[str, Any] = {
        "ROLE": "Coach",
        "TRADING_NAME": "Ground Ltd",
        "AREA": "Here and there",
        "HOURS": "Weekdays",
    }
    place.image("images/david.jpg", size=(300, 400))

    place.build(POSTAL_ADDRESS="1 High Street", EMAIL="david@feet.example", PORTRAIT="images/david.jpg", **facts)

    contact, privacy = place.page("/contact/"), place.page("/privacy/")
    for fact in (*facts.values(), "1 High St", '<a href="mailto:david@feet.example">'):
        assert fact in contact
    assert '<img class="portrait" src="/images/david-' in privacy


def test_a_fact_that_is_not_set_shows_nothing(place: Place) -> None:
    only_article(place, "second", text="Words.")

    place.build(TELEPHONE="", TELEPHONE_SHOWN="")

    site = everything(place)
    for trace in ('href="tel:', 'href="mailto:', "Ring", "None", "<img", "Undefined"):
        assert trace not in site
    assert not re.search(r"<p[^>]*>\s*</p>|<a[^>]*>\s*</a>|<h\d[^>]*>\s*</h\d>", site)


def test_a_site_without_an_intake_has_the_conversation_and_no_form(place: Place) -> None:
    place.article("second", Status="hidden")

    place.build(INTAKE="")

    assert load(place.folder / "var/site/site.json").article_count == 1
    for address in ("/", ARTICLE):
        page = place.page(address)
        assert "Pleasure Alexis." in page
        assert not re.search(r'<form|<button|class="reply"|Join the conversation', page)
    assert "When you comment" not in place.page("/privacy/")
    assert "Disallow:\n" in place.page("/robots.txt")


# Bytes


def test_every_page_has_the_one_style_that_the_policy_names(place: Place) -> None:
    unpublished(place)
    place.build(preview=True)

    pages = [path.read_text("utf-8") for path in place.output.rglob("*.html")]
    styles = {style for page in pages for style in re.findall(r"<style>(.*?)</style>", page, re.DOTALL)}

    [style] = styles
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = load(place.folder / "var/site/site.json").headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}';" in policy
    assert f"\n  Content-Security-Policy: {policy}\n" in place.page("/_headers")
    assert all(page.count("<style") == 1 and " style=" not in page for page in pages)


def test_the_same_content_gives_the_same_bytes(place: Place, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        place.article(name)
        place.comment(a_comment(id=name + "0", article=name))
    twin = Place(tmp_path / "twin")
    for path in (place.folder / "content").rglob("*.md"):
        twin.write(path.relative_to(place.folder / "content").as_posix(), path.read_text("utf-8"))

    place.build()
    twin.build()

    assert built(place) == built(twin)
    assert all(place.page(f"/{name}") == twin.page(f"/{name}") for name in built(place))


@pytest.mark.parametrize("server", ["caddy", "nginx"])
def test_a_web_server_is_told_the_policy_the_redirects_and_what_may_be_kept(place: Place, server: str) -> None:
    file = place.folder / f"var/site/{server}.conf"
    place.build()
    before = file.stat().st_ino
    place.article("boots")
    place.build()
    assert file.stat().st_ino == before, "a web server reads it again when it is written"
    place.article("shoes", Formerly="boots")
    (place.folder / "content/articles/boots.md").unlink()

    place.build()

    told = file.read_text("utf-8")
    site = load(place.folder / "var/site/site.json")
    assert site.headers["Content-Security-Policy"] in told
    assert "public, max-age=31536000, immutable" in told
    for name in ("", "comments.xml"):
        assert re.search(f'/articles/boots/{name}" .*/articles/shoes/{name}[";$]', told)
    assert "127.0.0.1:8000" in told


def test_a_feed_and_an_image_may_be_shown_elsewhere_and_a_page_may_not(shipped: Place) -> None:
    site = load(shipped.folder / "var/site/site.json")

    assert "Cross-Origin-Resource-Policy" in site.headers_for("/articles/")
    assert "Cross-Origin-Resource-Policy" not in site.headers_for("/feed.xml")
    assert "Cross-Origin-Resource-Policy" not in site.headers_for("/images/a.png")
    assert "style-src 'self'" in site.headers_for("/feed.xml")["Content-Security-Policy"]
