"""Cases of authors: dates to come, languages, tags, addresses, lists, raw HTML, pages and an icon of one's own."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown import Markdown
from markdown.treeprocessors import InlineProcessor
from markdown_it import MarkdownIt

import pelicanconf
from press.errors import BuildError
from tests.support.place import ROOT, SITE_URL, Place, a_comment

ATOM = "{http://www.w3.org/2005/Atom}"
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
PLAIN = {"SOCIAL_IMAGES": False}


def refusal(place: Place) -> str:
    """Return what is said when a site does not build."""
    with pytest.raises(BuildError) as stopped:
        place.build(**PLAIN)
    return str(stopped.value)


def ids(place: Place, feed: str) -> list[str | None]:
    return [element.text for element in ET.fromstring(place.page(feed)).iter(f"{ATOM}id")]


# Dates to come


def test_every_build_says_what_it_holds_back_and_until_when(place: Place) -> None:
    place.article("tonight", Date="2999-11-28 21:00")
    place.article("sketch", Status="draft")
    place.write("pages/course.md", "Title: Course\nSlug: course\nDate: 2999-06-01\n\nSoon.\n")
    (place.folder / "publishconf.py").write_bytes((ROOT / "publishconf.py").read_bytes())
    environment = {"PYTHONPATH": str(ROOT), "SITE_URL": SITE_URL}

    done = subprocess.run(
        [sys.executable, "-m", "press", "publish"],
        cwd=place.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert done.stdout.split("\n")[:3] == [
        "held back: content/articles/sketch.md, a draft",
        "held back: content/articles/tonight.md, until 28 November 2999, 21:00",
        "held back: content/pages/course.md, until 1 June 2999, 00:00",
    ]
    assert not re.search("tonight|sketch|course", place.page("/sitemap.xml") + place.page("/feed.xml"))


# Languages


def test_an_article_of_another_language_is_an_article_like_any_other_and_pairs_lead_to_each_other(place: Place) -> None:
    place.article("shoes", Title="Shoes")
    place.article("schuhe", Title="Schuhe", Slug="shoes", Lang="DE", Formerly="stiefel")
    place.article("allein", Lang="de", text="Worte.")
    place.article("secret", Slug="allein", Title="Whispered", Status="hidden")
    place.write("pages/about.md", "Title: About\nSlug: about\n\nHello.\n")
    place.write("pages/ueber.md", "Title: Über mich\nSlug: about\nLang: de\n\nHallo.\n")
    place.comment(a_comment(article="schuhe"))

    place.build(**PLAIN)

    german, english = place.page("/articles/de/shoes/"), place.page("/articles/shoes/")
    assert '<article class="flow" aria-labelledby="title" lang="de">' in german
    assert f'<link rel="alternate" hreflang="de" href="{SITE_URL}/articles/de/shoes/">' in english
    assert (
        f'<link rel="alternate" hreflang="{pelicanconf.DEFAULT_LANG}" href="{SITE_URL}/articles/shoes/">'.lower()
        in german.lower()
    )
    assert '<a href="/articles/de/shoes/" hreflang="de" rel="alternate">Schuhe</a>' in english
    assert 'rel="alternate">Shoes</a>' in german
    assert '"inLanguage":"de"' in german
    assert 'id="comment-abcd"' in german
    assert (
        "abcd" in str(ids(place, "/articles/de/shoes/comments.xml"))
        or len(ids(place, "/articles/de/shoes/comments.xml")) == 2
    )
    assert "Worte." in place.page("/articles/de/allein/")
    assert "Whispered" not in place.page("/articles/de/allein/")
    assert "/articles/de/stiefel/ /articles/de/shoes/ 301" in place.page("/_redirects")
    assert place.page("/feed.xml").count('<entry xml:lang="de">') == 2
    assert {"/articles/de/shoes/", "/articles/de/allein/", "/articles/shoes/"} <= set(
        re.findall(f"{SITE_URL}([^<]*)<", place.page("/sitemap.xml"))
    )
    assert '<a href="/de/about/" hreflang="de"' in place.page("/about/")
    assert '<article class="flow" lang="de">' in place.page("/de/about/")


# Names in feeds


def test_neither_a_new_host_nor_a_new_date_nor_a_new_address_gives_feeds_other_ids(place: Place) -> None:
    place.article("second", Date="2026-11-10")
    place.comment(a_comment(article="second"))
    place.build(**PLAIN)
    feeds = ("/feed.xml", "/comments.xml")
    before = [sorted(map(str, ids(place, feed))) for feed in (*feeds, "/articles/second/comments.xml")]

    place.article("second", Date="2026-11-20", Slug="moved")
    place.build(**PLAIN, SITE_URL="https://elsewhere.example")

    assert [sorted(map(str, ids(place, feed))) for feed in (*feeds, "/articles/moved/comments.xml")] == before
    assert len({id for feed in before for id in feed}) == 8  # three feeds, two articles, three comments


def test_a_name_of_the_site_that_is_no_uuid_is_refused(place: Place) -> None:
    with pytest.raises(BuildError, match="FEED_UUID must be a UUID; the command uuidgen makes one"):
        place.build(FEED_UUID="feet.example", **PLAIN)


# Tags and addresses


def write_articles(place: Place, *tags: str) -> None:
    for number, tag in enumerate(tags):
        place.article(f"tagged-{number}", Tags=tag)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["🦶"], "content/articles/tagged-0.md: Tags: “🦶” makes no address; use letters or digits"),
        (["???, feet"], "content/articles/tagged-0.md: Tags: “???” makes no address"),
        (["S&C", "S+C"], "“S+C” and “S&C” in |“S&C” and “S+C” in "),
        (["Über", "uber"], "have one address, uber; write both alike, or change one"),
    ],
)
def test_a_tag_without_an_address_of_its_own_is_refused_with_the_file(place: Place, tags: list[str], said: str) -> None:
    write_articles(place, *tags)

    assert any(part in refusal(place) for part in said.split("|"))


def test_a_tag_in_capitals_is_the_same_tag(place: Place) -> None:
    write_articles(place, "Feet, feet", "FEET", "feet")

    place.build(**PLAIN)

    assert place.page("/articles/about/feet/").count('<article class="summary">') == 3


@pytest.mark.parametrize("slug", ["comments", "contact", "articles", "privacy", "images", "theme", "preview", "drafts"])
def test_a_page_at_an_address_that_is_taken_is_refused_with_the_file(place: Place, slug: str) -> None:
    place.write("pages/mine.md", f"Title: Mine\nSlug: {slug}\n\nWords.\n")

    assert f"content/pages/mine.md: /{slug}/ is taken by the site; give the page another Slug" in refusal(place)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pages/contact.md": "Title: Contact\n\nWords.\n"}, "pages/contact.md: /contact/ is taken by the site"),
        ({"pages/a.md": "Title: 🦶\n\nWords.\n"}, "pages/a.md:1: the title makes no address; add a line “Slug: …”"),
        (
            {"pages/a.md": "Title: A\nSlug: about\n\nWords.\n", "pages/b.md": "Title: B\nSlug: about\n\nWords.\n"},
            "pages/b.md: /about/ is also that of ",
        ),
        ({"extra/robots.txt": "Disallow: /"}, "extra/robots.txt: /robots.txt is also that of the site itself; change one"),
        ({"extra/feed.xml": "<feed/>"}, "extra/feed.xml: /feed.xml is also that of the site itself; change one"),
        (
            {"extra/about/index.html": "Words.", "pages/a.md": "Title: A\nSlug: about\n\nWords.\n"},
            "extra/about/index.html: /about/ is also that of ",
        ),
        ({"extra/comments/rules.txt": "Be kind."}, "rules.txt: what is below /comments/ never reaches a reader; move it"),
    ],
)  # fmt: skip
def test_two_things_at_one_address_are_refused_with_the_file(place: Place, files: dict[str, str], said: str) -> None:
    for path, text in files.items():
        place.write(path, text)

    assert said in refusal(place)


# Pages and an icon


def test_pages_are_in_the_foot_of_every_page_and_an_icon_of_ones_own_is_used(place: Place) -> None:
    place.write("pages/about.md", "Title: About <me>\nSlug: about\n\nHello.\n")
    place.write("pages/secret.md", "Title: Secret\nSlug: secret\nStatus: hidden\n\nHello.\n")
    (place.folder / "content/extra").mkdir()
    (place.folder / "content/extra/favicon.ico").write_bytes(b"\0\0\1\0")

    place.build(**PLAIN)

    for page in (place.page("/"), place.page("/articles/big-toe-and-glutes/"), place.page("/404.html")):
        foot = page.partition('<footer class="foot">')[2]
        assert '<a href="/about/">About &lt;me&gt;</a>' in foot
        assert "Secret" not in page
        assert '<link rel="icon" href="/favicon.ico">' in page
    assert (place.output / "favicon.ico").read_bytes() == b"\0\0\1\0"
    assert json.loads((place.folder / "var/site/site.json").read_text("utf-8"))["pages"]["/about/"] == "About <me>"


# Raw HTML

VIDEO = '<iframe width="560" src="https://video.example/embed/abc" title="The toe" allowfullscreen></iframe>'


@pytest.mark.parametrize(
    ("html", "said"),
    [
        (VIDEO, "no browser shows a <iframe> here, for it would hand your readers to another site; write a link: [what it shows](https://video.example/embed/abc)"),
        ('<script src="https://booking.example/widget.js"></script>', "no browser runs a <script> here but a file of the site's own"),
        ("<script>alert(1)</script>", "no browser runs a <script> here but a file of the site's own"),
        ('<p style="text-align:center">In the middle.</p>', "no browser takes style= here; delete it, or write a class"),
        ("<style>p { color: red }</style>", "no browser takes a <style> here; write it into theme/templates/style.css"),
        ('<video controls src="https://cdn.example/toe.mp4"></video>', "https://cdn.example/toe.mp4 is on another site"),
        ('<audio controls><source src="//cdn.example/toe.mp3"></audio>', "//cdn.example/toe.mp3 is on another site"),
        ('<video controls poster="https://cdn.example/toe.jpg" src="/toe.mp4"></video>', "https://cdn.example/toe.jpg is on another"),
        ('<object data="/toe.swf"></object>', "no browser shows a <object> here"),
        ('<button onclick="book()">Book</button>', "no browser runs onclick= here; delete it"),
        ('<form action="https://forms.example/"><input name="a"></form>', "no browser sends a <form> from here to another site"),
        ('Words <a href="javascript:book()">Book</a>', "no browser follows a javascript: link here; delete it"),
        ('<link rel="stylesheet" href="/mine.css">', "<link> belongs into no text; delete it"),
        ("Words.\n{: style='color:red' }", "no browser takes style= here"),
    ],
)  # fmt: skip
def test_what_the_policy_forbids_stops_the_build_with_file_line_and_what_to_do(
    place: Place, html: str, said: str
) -> None:
    place.article("second", text=f"Words first.\n\n{html}\n")

    told = refusal(place)

    line = 10 if html.startswith("Words.") else 9
    assert re.search(rf"content/articles/second\.md:{line}: {re.escape(said)}", told), told


def test_own_media_work_and_code_may_show_anything(place: Place) -> None:
    for name in ("toe.mp4", "toe.mp3"):
        place.write(f"images/{name}", "sound and picture")
    place.article(
        "second",
        text='<video controls src="{static}/images/toe.mp4"></video>\n\n<audio controls src="{static}/images/toe.mp3"></audio>'
        f"\n\n`{VIDEO}`\n\n    {VIDEO}\n",
    )

    place.build(**PLAIN)

    for address in re.findall(r'<(?:video|audio) controls src="([^"]*)"', place.page("/articles/second/")):
        assert place.page(address) == "sound and picture"
    policy = json.loads((place.folder / "var/site/site.json").read_text("utf-8"))["headers"]["Content-Security-Policy"]
    assert "media-src 'self';" in policy


# Lists


def of_commonmark(text: str) -> str:
    return str(MarkdownIt("commonmark").render(text))


def of_pages(text: str) -> str:
    return str(Markdown(**pelicanconf.MARKDOWN).convert(text))


def bare(html: str) -> str:
    """Return HTML without the spaces that nobody sees."""
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", html).replace("<hr />", "<hr>")


@pytest.mark.parametrize(
    "text",
    [
        "You need:\n- a towel\n- a wall\n\nThen:\n1. Stand\n2. Press\n\n- Warm up\n  - ankles\n  - hips\n- Walk",
        "- a\n    - b\n        - c\n- d",
        "1. a\n   - b\n   - c\n2. d",
        "1. a\n- b\n- c",
        "10. a\n    - b\n11. c",
        "- a\n\n  More of a.\n\n- b",
        "- a\n\n  1. x\n  2. y\n\n  The end of a.",
        "- a\n\n  See:\n  - x\n  - y",
        "- a\n\n      code\n\n- b",
        "- a\n  goes on\n- b\ngoes on lazily",
        "* * *\n\n* a\n* b",
        "# Heading\n- a\n# Heading",
        "1) a\n2) b",
        "It was in\n2026. A good year.",
        "Words.\n\n    - code",
        "- - -",
        "**Toes** and *feet*\n* One\n* Two\n\nMore.",
    ],
)
def test_lists_are_those_of_commonmark(text: str) -> None:
    assert bare(of_pages(text)) == bare(of_commonmark(text))


@pytest.mark.parametrize(
    "text", ["a | b\n- | -\n1 | 2", "Word\n:   Meaning\n    - x\n\nMore.", "Note.[^1]\n\n[^1]: See\n    - x", "> - a"]
)
def test_what_is_no_list_stays_as_it_was(text: str) -> None:
    settings = pelicanconf.MARKDOWN | {"extensions": ["markdown.extensions.extra", "markdown.extensions.sane_lists"]}

    assert of_pages(text) == Markdown(**settings).convert(text)


# What a mark of an author's text is made of, and what stands around it
PIECES = [
    *(
        "toe",
        " ",
        "\n",
        "\n\n",
        "*",
        "**",
        "_",
        "`",
        "``",
        "\\",
        "[",
        "]",
        "](/toe/)",
        "![",
        "[^1]",
        "\n\n[^1]: Note",
        "&copy;",
        "&",
    ),
    *(
        "<b>",
        "</b>",
        "<https://example.org>",
        "<a@example.org>",
        "  \n",
        "\n\n- ",
        "\n\n> ",
        "\n\n    ",
        "# ",
        "<div markdown>",
        "|",
        "\n-|-\n",
    ),
    *("\n\n*[toe]: The big one", "\n: ", "{.note}", "é"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_plain_paragraphs_come_out_as_they_would_with_every_mark_looked_for(text: str) -> None:
    marked = f"Plain words.\n\n{text}\n\nMore of *them*, and *[HTML]: none\n"
    thorough = Markdown(**pelicanconf.MARKDOWN)
    thorough.treeprocessors.register(InlineProcessor(thorough), "inline", 20)
    thorough.parser.blockprocessors.deregister("plain_paragraph")

    assert of_pages(marked) == thorough.convert(marked)


def test_two_drafts_of_one_address_are_told_in_the_preview(place: Place) -> None:
    place.article("balance", Status="draft")
    place.write("pages/balance.md", "Title: Balance\nSlug: balance\nStatus: draft\n\nHello.\n")
    place.build(**PLAIN)

    with pytest.raises(BuildError, match=r"/drafts/balance/ is also that of .*; change one"):
        place.build(preview=True, **PLAIN)
