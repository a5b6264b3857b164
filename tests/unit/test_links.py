"""The link check, on small outputs made by hand."""

from pathlib import Path

import pytest

from press.output.links import dead_links, page_links

SITE = "https://feet.example"
NOT_THERE = "no such page or file"

# What stands in index.html, beside a page at /there/ with the id “part” and the files of FILES.
GOOD = [
    '<a href="/">', '<a href="">', '<a href="/there/">', '<a href="there/">', '<a href="./there/index.html">',
    '<a href=" /there/ ">', '<a href="/there/?page=2">', '<a href="/there/#part">', '<a href="/there/?page=2#part">',
    '<a href="#here"><p id="here">', '<a href="/caf%C3%A9.html#d%C3%A9j%C3%A0">', '<a href="/café.html#déjà">',
    '<a href="/a%20b.png">', '<a href="/?a=1&amp;b=2">', f'<a href="{SITE}">', f'<a href="{SITE}/there/#part">',
    '<a href="//feet.example/there/">', '<img src="/toe.png">', '<img srcset="/toe.png 1x, /a%20b.png 2x">',
    '<link imagesrcset="/toe.png 400w">', '<video poster="/toe.png">',
    f'<meta property="og:image" content="{SITE}/toe.png">',
    # Not ours to check
    '<a href="https://elsewhere.example/nowhere/">', '<a href="//elsewhere.example/nowhere/">',
    '<a href="https://feet.example.org/nowhere/">', '<a href="http://feet.example/nowhere/">',
    '<a href="mailto:david@feet.example">', '<a href="tel:+447504439555">', '<img src="data:,">',
    '<meta name="description" content="/nowhere/">', f"<p>{SITE}/nowhere/</p>", '<!-- <a href="/nowhere/"> -->',
    "<script type='application/ld+json'>{\"text\": \"<a href='/nowhere/'>\"}</script>",
    # A reader's own link may not stop the build.
    '<a href="/nowhere/" rel="nofollow ugc noopener">',
]  # fmt: skip

BAD = {
    '<a href="/nowhere/">': ("/nowhere/", NOT_THERE),
    '<a href="nowhere">': ("nowhere", NOT_THERE),
    '<a href="/there">': ("/there", NOT_THERE),
    '<a href="/There/">': ("/There/", NOT_THERE),
    '<a href="/nowhere/?page=2">': ("/nowhere/?page=2", NOT_THERE),
    '<a href="/toe.png/">': ("/toe.png/", NOT_THERE),
    '<a href="/there/#gone">': ("/there/#gone", "that page has no id “gone”"),
    '<a href="/there/?page=2#gone">': ("/there/?page=2#gone", "that page has no id “gone”"),
    '<a href="/there/#PART">': ("/there/#PART", "that page has no id “PART”"),
    '<a href="#gone">': ("#gone", "that page has no id “gone”"),
    '<a href="/caf%C3%A9.html#d%C3%A9">': ("/caf%C3%A9.html#d%C3%A9", "that page has no id “dé”"),
    '<a href="/toe.png#part">': ("/toe.png#part", "that page has no id “part”"),
    '<a href="/?a=1&amp;b=2#gone">': ("/?a=1&b=2#gone", "that page has no id “gone”"),
    f'<a href="{SITE}/nowhere/">': (f"{SITE}/nowhere/", NOT_THERE),
    '<a href="//feet.example/nowhere/">': ("//feet.example/nowhere/", NOT_THERE),
    '<a href="http://[broken/">': ("http://[broken/", "Invalid IPv6 URL"),
    '<link rel="alternate" href="/nowhere.xml">': ("/nowhere.xml", NOT_THERE),
    '<img src="/nowhere.png">': ("/nowhere.png", NOT_THERE),
    '<script src="/nowhere.js">': ("/nowhere.js", NOT_THERE),
    '<img srcset="/toe.png 1x, /nowhere.png 2x">': ("/nowhere.png", NOT_THERE),
    '<link imagesrcset="/nowhere.png 400w">': ("/nowhere.png", NOT_THERE),
    '<video poster="/nowhere.png">': ("/nowhere.png", NOT_THERE),
    f'<meta property="og:image" content="{SITE}/nowhere.png">': (f"{SITE}/nowhere.png", NOT_THERE),
}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output with a page, a page with letters beyond ASCII, and two images."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there/index.html").write_text('<h1 id="part">There</h1>', "utf-8")
    (tmp_path / "café.html").write_text('<p id="déjà">', "utf-8")
    (tmp_path / "toe.png").touch()
    (tmp_path / "a b.png").touch()
    return tmp_path


def all_dead(output: Path, *, except_below: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    """Return every dead link of an output."""
    files = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if path.is_file()}
    links = {
        file: page_links(path.read_text("utf-8"), file, SITE, except_below=except_below)
        for file, path in files.items()
        if path.suffix in (".html", ".xml")
    }
    return list(dead_links(links, links, files))


def dead(output: Path, html: str, *, file: str = "index.html", except_below: tuple[str, ...] = ()) -> list[object]:
    """Write a file and return what is dead in it, without its name."""
    (output / file).write_text(html, "utf-8")
    return [fault[1:] for fault in all_dead(output, except_below=except_below)]


@pytest.mark.parametrize("html", GOOD)
def test_a_link_that_leads_somewhere_or_to_others_passes(output: Path, html: str) -> None:
    assert not dead(output, html)


@pytest.mark.parametrize("html", BAD)
def test_a_link_that_leads_nowhere_is_found(output: Path, html: str) -> None:
    assert dead(output, f"<!doctype html>\n\n{html}") == [BAD[html]]


def test_links_are_read_from_where_their_page_stands_and_it_is_named(output: Path) -> None:
    (output / "there/toe.svg").touch()
    html = '<img src="toe.svg"><img src="../toe.png"><img src="toe.png"><a href="/nowhere/">'

    (output / "there/index.html").write_text(html, "utf-8")

    page = "there/index.html"
    assert all_dead(output) == [(page, "toe.png", NOT_THERE), (page, "/nowhere/", NOT_THERE)]


@pytest.mark.parametrize(("below", "found"), [
    ((), ["/comments/reply/toe/0001", "/comments", "/comments.xml"]),
    (("/comments",), ["/comments.xml"]),  # which only begins like it
    (("",), ["/comments/reply/toe/0001", "/comments", "/comments.xml"]),
])  # fmt: skip
def test_what_another_process_answers_is_left_to_it(output: Path, below: tuple[str, ...], found: list[str]) -> None:
    html = '<form action="/comments"><a href="/comments/reply/toe/0001"><a href="/comments"><a href="/comments.xml">'

    assert dead(output, html, except_below=below) == [(address, NOT_THERE) for address in found]


def test_the_addresses_of_a_feed_are_checked(output: Path) -> None:
    feed = f"""<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0">
<link href="{SITE}/there/"/>
<link rel="self" href="{SITE}/gone.xml"/>
<icon>{SITE}/gone.png</icon>
<entry><id>tag:feet.example,2026-11-22:gone</id>
<thr:in-reply-to ref="tag:feet.example,2026-11-22:toe" href="{SITE}/there/#gone"/>
</entry></feed>"""

    assert dead(output, feed, file="feed.xml") == [
        (f"{SITE}/gone.xml", NOT_THERE),
        (f"{SITE}/gone.png", NOT_THERE),
        (f"{SITE}/there/#gone", "that page has no id “gone”"),
    ]


def test_links_inside_the_escaped_content_of_a_feed_are_checked(output: Path) -> None:
    content = """
&lt;p&gt;&lt;a href=&#34;/there/#part&#34;&gt;Here&lt;/a&gt;, &lt;a href="/gone/?a=1&amp;amp;b=2"&gt;gone&lt;/a&gt;
&lt;img srcset=&#34;/toe.png 1x, /gone.png 2x&#34;&gt;
&lt;a href=&#34;/nowhere/&#34; rel=&#34;nofollow ugc noopener&#34;&gt;a reader's&lt;/a&gt;"""

    found = dead(output, f'<feed>\n<entry><content type="html">{content}</content></entry></feed>', file="feed.xml")

    assert found == [("/gone/?a=1&b=2", NOT_THERE), ("/gone.png", NOT_THERE)]


def test_the_pages_of_a_sitemap_are_checked(output: Path) -> None:
    sitemap = f"<urlset>\n<url><loc>{SITE}/there/</loc></url>\n<url><loc>{SITE}/gone/</loc></url>\n</urlset>"

    assert dead(output, sitemap, file="sitemap.xml") == [(f"{SITE}/gone/", NOT_THERE)]
