"""Site on a static host: below a path, its intake elsewhere, and on a host that sends neither headers nor redirects."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from contract.addresses import rooted
from contract.manifest import load
from press.errors import BuildError
from tests.support.place import RICH, Place

URL, TALK = "https://name.github.io/site", "https://talk.example.org"
APART: dict[str, Any] = {"SITE_URL": URL, "INTAKE": TALK, "PLAIN_HOST": True}
ADDRESSES = re.compile(r"""\s(?:href|src|action)\s*=\s*["']?([^"'\s>]+)|srcset="([^"]+)\"""")


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site below a path, with all that an article can have; look, do not change."""
    place = Place(tmp_path_factory.mktemp("below"))
    place.image("images/sand.png", size=(1600, 1200))
    place.article("boots", text=RICH, Formerly="shoes /2012/03/boots/ /old.html /?p=12 /a/../../b/", Tags="Walking")
    place.article("socks", text="A [way](/articles/boots/#fnref:1) and [one]({filename}boots.md).")
    place.build(**APART)
    return place


def addresses(text: str) -> list[str]:
    """Return the addresses in a page or feed, those within the entries of a feed too."""
    found = [match for pair in ADDRESSES.findall(unescape(text)) for match in pair if match]
    return [part.split()[0] for text in found for part in text.split(",") if part.split()]


def test_every_address_of_a_site_below_a_path_leads_below_it(below: Place) -> None:
    files = [path for path in below.output.rglob("*") if path.suffix in (".html", ".xml")]

    found = {address for path in files for address in addresses(path.read_text("utf-8"))}

    assert [address for address in found if address.startswith("/") and not address.startswith("/site/")] == []
    ours = {address.removeprefix("https://name.github.io") for address in found if not address.startswith(TALK)}
    paths = {address.partition("#")[0] for address in ours if address.startswith("/")}
    assert {"/site/", "/site/contact/", "/site/feed.xml", "/site/articles/boots/"} <= paths
    for path in paths:
        file = below.output / path.removeprefix("/site/")
        assert (file / "index.html" if path.endswith("/") else file).is_file(), path


def test_a_link_that_leads_nowhere_is_found_below_a_path_too(place: Place) -> None:
    place.article("boots", text="A [link](/articles/gone/) and [another site's](https://name.github.io/other/).")

    with pytest.raises(BuildError) as error:
        place.build(**APART)

    assert "articles/boots.md" in str(error.value)
    assert "link to /articles/gone/: no such page or file" in str(error.value)
    assert "other" not in str(error.value)


def test_a_former_address_leads_on_by_a_page_where_the_host_has_no_redirects(below: Place) -> None:
    for file in ("articles/shoes/index.html", "2012/03/boots/index.html", "old.html"):
        page = below.page(file)

        assert f'content="0; url={URL}/articles/boots/"' in page
        assert f'<link rel="canonical" href="{URL}/articles/boots/">' in page
        assert '<a href="/site/articles/boots/">' in page
    assert "/site/2012/03/boots/ /site/articles/boots/ 301" in below.page("_redirects")


def test_a_page_has_the_policy_of_the_headers_and_forms_of_one_other_origin(below: Place) -> None:
    site = load(below.folder / "var/site/site.json")
    page = below.page("/articles/boots/")
    policy = dict(part.split(maxsplit=1) for part in site.headers["Content-Security-Policy"].split("; "))

    [meta] = re.findall(r'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)

    assert dict(part.split(maxsplit=1) for part in unescape(meta).split("; ")) == {
        name: value for name, value in policy.items() if name != "frame-ancestors"
    }
    assert {name for name, value in policy.items() if TALK in value} == {"form-action", "connect-src"}
    assert policy["form-action"] == f"'self' {TALK}"
    assert f'<form class="part" id="join" method="post" action="{TALK}/comments"' in page
    assert f'action="{TALK}/comments/message"' in below.page("/contact/")
    assert "Disallow: /comments" not in below.page("robots.txt")


def test_each_server_takes_what_is_its_own(below: Place) -> None:
    def text(name: str) -> str:
        return Path(below.folder, "var/site", f"{name}.conf").read_text("utf-8")

    assert all("proxy" not in text(name) for name in ("caddy", "nginx"))
    assert all("proxy" in text(name) and URL in text(name) for name in ("talk-caddy", "talk-nginx"))


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"INTAKE": "http://talk.example.org"}, "INTAKE is"),
        ({"INTAKE": "https://talk.example.org/"}, "INTAKE is"),
        ({"INTAKE": "https://talk.example.org; script-src *"}, "INTAKE is"),
        ({"INTAKE": "https://*.example.org"}, "INTAKE is"),
        ({"INTAKE": "https://feet.example"}, "write /comments"),
        ({"SITE_URL": URL}, "a host of its own"),
        ({"PLAIN_HOST": "pages"}, "True or False"),
    ],
)
def test_a_place_at_which_a_form_would_reach_nobody_is_refused(
    place: Place, settings: dict[str, Any], cause: str
) -> None:
    with pytest.raises(BuildError, match=cause):
        place.build(**settings)


@pytest.mark.parametrize(
    ("html", "led"),
    [
        ('<a href="/x/">', '<a href="/b/x/">'),
        ("<a href=/x/>", "<a href=/b/x/>"),
        ("<img srcset='/a.png 1x, /b.png 2x' src=\"/c.png\">", "<img srcset='/b/a.png 1x, /b/b.png 2x' src=\"/b/c.png\">"),
        ('<a href="/x?y=1, /z">', '<a href="/b/x?y=1, /z">'),
        ('<a href="//elsewhere/x">', '<a href="//elsewhere/x">'),
        ('<a href="#x" title="href=/y">', '<a href="#x" title="href=/y">'),
        ("<p>a href=\"/x\" &lt;a href='/y'></p>", "<p>a href=\"/x\" &lt;a href='/y'></p>"),
    ],
)  # fmt: skip
def test_an_address_from_the_root_is_led_elsewhere_and_no_other(html: str, led: str) -> None:
    assert rooted(html, "/b") == led
    assert rooted(html, "") == html
