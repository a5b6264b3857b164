"""The check of links in media of an author's own, and of the settings behind their addresses."""

import pytest

from press.output.feeds import absolute
from press.output.links import dead_links, page_links

SITE = "https://feet.example"
FILES = {"index.html", "step.mp4", "plan.pdf", "toe.png"}

MEDIA = [
    '<video src="{}">', "<video src='{}'>", "<video><source src={}></video>", '<video poster="{}">',
    '<audio src="{}">', '<audio><source src="{}"></audio>', '<video><track kind="captions" src="{}"></video>',
    '<picture><source srcset="{} 2x"></picture>', '<object data="{}">', '<blockquote cite="{}">',
]  # fmt: skip


def dead(html: str) -> list[str]:
    """Return the addresses of a page that lead nowhere."""
    return [
        address
        for _, address, _ in dead_links(["index.html"], {"index.html": page_links(html, "index.html", SITE)}, FILES)
    ]


@pytest.mark.parametrize("html", MEDIA)
@pytest.mark.parametrize("root", ["/", f"{SITE}/"])
def test_an_address_in_media_is_checked(html: str, root: str) -> None:
    assert dead(html.format(f"{root}step.mp4")) == []
    assert dead(html.format(f"{root}gone.mp4")) == [f"{root}gone.mp4"]


@pytest.mark.parametrize("html", MEDIA)
def test_an_address_in_media_is_checked_in_a_feed_too(html: str) -> None:
    feed = f'<feed><entry><content type="html">{html.format("/gone.mp4").replace("<", "&lt;")}</content></entry></feed>'
    links = {"feed.xml": page_links(feed, "feed.xml", SITE)}

    assert [address for _, address, _ in dead_links(links, links, FILES)] == ["/gone.mp4"]


def test_a_setting_behind_a_document_or_a_recording_is_no_id() -> None:
    assert dead('<a href="/plan.pdf#page=2"><video src="/step.mp4#t=10,20">') == []
    assert dead('<a href="/toe.png#part"><a href="/#page=2">') == ["/toe.png#part", "/#page=2"]


@pytest.mark.parametrize(("html", "full"), [
    ('<a href="b/">', f'<a href="{SITE}/a/b/">'),
    ("<video src='/b.mp4' poster=../c.png>", f'<video src="{SITE}/b.mp4" poster="{SITE}/c.png">'),
    ('<A HREF="#part" title="1 > 0">', f'<A HREF="{SITE}/a/#part" title="1 > 0">'),
    ('<a href="mailto:d@feet.example">', '<a href="mailto:d@feet.example">'),
    ("<img src='data:,'>", "<img src='data:,'>"),
    ('<a href="">', f'<a href="{SITE}/a/">'),
    ('<code>&lt;a href="/b/"&gt;</code>', '<code>&lt;a href="/b/"&gt;</code>'),
])  # fmt: skip
def test_in_a_feed_links_are_whole_however_they_are_written(html: str, full: str) -> None:
    assert absolute(html, f"{SITE}/a/") == full
