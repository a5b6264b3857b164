"""A site that was moved in: it builds at once at its old address, and every old address leads on."""

import contextlib
import io
import re
from typing import Any

import pikepdf
import pytest
from PIL import Image

from contract.header import HeaderError, read
from contract.manifest import load
from press.builder import build
from press.errors import BuildError
from tests.moving.exports import OLD, OldSite, a_file, a_wp_comment, a_wxr, an_item
from tests.support.place import IMAGE_CACHE


def publish(old: OldSite) -> None:
    build(
        old.folder / "pelicanconf.py",
        SITE_URL=OLD,
        SITE_JSON="var/site/site.json",
        PRESS_CACHE="var/press/cache",
        IMAGE_CACHE=IMAGE_CACHE.name,
        SOCIAL_IMAGES=False,
    )


def a_pdf(**options: Any) -> bytes:
    made = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(made, **options)
    return made.getvalue()


def pixels(size: int, kind: str) -> bytes:
    made = io.BytesIO()
    Image.effect_noise((size, size), 200).save(made, kind)
    return made.getvalue()


# What the press refuses, or might.
ODD = {
    "plan.pdf": a_pdf(),
    "broken.pdf": b"%PDF-1.4\nbroken",
    "locked.pdf": a_pdf(encryption=pikepdf.Encryption(owner="a", user="b")),
    "broken.mp4": b"\0\0\0\x0cftypisom" + b"\0\0\0\x99moov" + bytes(8),
    "step.gif": pixels(8, "GIF"),
    "broken.gif": b"GIF89a",
    "large.png": pixels(8, "PNG") + bytes(26 << 20),
}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> OldSite:
    """A blog with all that a build could stumble over, brought in and built."""
    old = OldSite(tmp_path_factory.mktemp("moved"))
    uploads = old.folder / "uploads/2012/03"
    uploads.mkdir(parents=True)
    Image.new("RGB", (8, 6), "tan").save(uploads / "foot.jpg")
    for name, data in ODD.items():
        (uploads / name).write_bytes(data)
    where = f"{OLD}/wp-content/uploads/2012/03/foot.jpg"
    odd = "".join(f' <a href="{where.replace("foot.jpg", name)}">{name}</a>' for name in ODD)
    body = (
        f'<img src="{where}" alt=""> <img src="{where}?w=3" alt="A foot"> <a href="{OLD}/2012/03/feet/#comment-8">Feet</a>'
        f' <a href="{OLD}/gone/">gone</a> <a href="#top">top</a> <a href="https://a.example/{{x}}">x</a>'
        ' <p style="color: red">{filename}/x <iframe src="https://v.example/1"></iframe><script>alert(1)</script></p>'
        ' <figure><img src="https://elsewhere.example/a.jpg"><figcaption>Far</figcaption></figure>\n\n<ul><li><pre>a\n\n&lt;b&gt;</pre></li></ul>'
        + odd
    )
    items = [
        an_item(
            1,
            "shoes",
            body=body,
            meta={"_wp_old_slug": "boots"},
            tags='<category domain="category" nicename="a"><![CDATA[A]]></category>',
        ),
        an_item(
            2,
            "feet",
            comments=a_wp_comment(8) + a_wp_comment(9, parent="8", content="<b>x</b> {static}/y [a]({filename}/b)"),
        ),
        an_item(
            3, "secret", status="private", body=f'<a href="{OLD}/2012/03/feet/">Feet</a>', comments=a_wp_comment(10)
        ),
        an_item(
            4, "about", post_type="page", link=f"{OLD}/info/about/", body=f'<a href="{OLD}/2012/03/secret/">Secret</a>'
        ),
        an_item(5, "contact", post_type="page", link=f"{OLD}/contact/"),
        an_item(6, "%d0%be%d0%b1", link=f"{OLD}/2012/03/%d0%be%d0%b1/"),
        an_item(7, "plain", link=f"{OLD}/?p=7"),
        a_file(20, where, title="IMG_0001"),
    ]
    with contextlib.chdir(old.folder):
        old.move("wordpress", old.export(a_wxr(*items)), "--uploads", "uploads")
        publish(old)
    return old


def test_a_site_moved_in_builds_at_once_and_shows_what_was_public_alone(moved: OldSite) -> None:
    output = moved.folder / "output"

    shoes = (output / "articles/shoes/index.html").read_text()
    assert 'href="/articles/feet/#comment-8"' in shoes
    assert 'alt="A foot"' in shoes
    shown = [name for name in ODD if re.search(rf'href="/(files|images)/[^"]+">{name}<', shoes)]
    assert shown == ["plan.pdf", "broken.pdf", "locked.pdf", "step.gif"]
    assert 'id="comment-8"' in (output / "articles/feet/index.html").read_text()
    assert (output / "about/index.html").exists()
    assert not any("secret" in path.name for path in output.rglob("*"))
    assert "About secret" not in "".join(path.read_text() for path in output.rglob("*.html"))
    assert not re.search("secret.example|203[.]0[.]113", "".join(path.read_text() for path in output.rglob("*.*ml")))


@pytest.mark.parametrize(
    ("old_address", "new"),
    [
        ("/2012/03/shoes/", "/articles/shoes/"),
        ("/2012/03/shoes", "/articles/shoes/"),
        ("/2012/03/boots/", "/articles/shoes/"),
        ("/2012/03/shoes/feed/", "/articles/shoes/comments.xml"),
        ("/?p=1", "/articles/shoes/"),
        ("/?p=7", "/articles/plain/"),
        ("/info/about/", "/about/"),
        ("/?page_id=5", "/contact-page/"),
        ("/feed/", "/feed.xml"),
        ("/2012/03/об/", "/articles/ob/"),
    ],
)
def test_an_old_address_leads_on_in_every_form_that_hosts_take(moved: OldSite, old_address: str, new: str) -> None:
    caddy, nginx = ((moved.folder / f"var/site/{name}.conf").read_text() for name in ("caddy", "nginx"))
    redirects = (moved.folder / "output/_redirects").read_text()

    number = re.fullmatch(r"/\?(p|page_id)=(\d+)", old_address)
    if number:
        assert f"map {{query.{number[1]}}}" in caddy
        assert f'"{number[2]}" "{new}"' in caddy
        assert f'if ($arg_{number[1]} ~ "^[0-9]+$") {{ rewrite ^/$ /.{number[1]}/$arg_{number[1]}? last; }}' in nginx
        assert f'location = "/.{number[1]}/{number[2]}" {{ return 301 {new}; }}' in nginx
        assert f"/ {number[1]}={number[2]} {new} 301!\n" in redirects
    else:
        written = old_address.replace("об", "%D0%BE%D0%B1")
        assert f'"{old_address}" "{new}"' in caddy
        assert f'location = "{old_address}" {{ return 301 {new}$is_args$args; }}' in nginx
        assert f"{written} {new} 301\n" in redirects
    assert load(moved.folder / "var/site/site.json").redirects == {}


@pytest.mark.parametrize(
    "former",
    [
        "/a b/",
        '/a";}/',
        "/a{b}/",
        "/a%22/",
        "/a%0a/",
        "/a$b/",
        "//evil.example/",
        "/?x=1",
        "/?p=x",
        "/%ff/",
        "/%C2%A0/",
        "/",
        "relative/path",
    ],
)
@pytest.mark.parametrize("kind", ["article", "page"])
def test_a_former_address_that_a_server_could_misread_is_refused(former: str, kind: str) -> None:
    header = "Title: A\nId: a\nSlug: a\nDate: 2012-03-01\nSummary: A.\n"
    header = (header if kind == "article" else header.replace("Id: a\n", "")) + f"Formerly: /fine/ /%D0%BE/ {former}\n"

    with pytest.raises(HeaderError, match=r"Formerly: .* must be small letters"):
        read(f"{header}\nWords.\n", kind)


def test_a_former_address_that_leads_elsewhere_stops_the_build(old: OldSite) -> None:
    old.wordpress(an_item(1, "shoes"), an_item(2, "about", post_type="page", link=f"{OLD}/info/"))
    page = old.folder / "content/pages/about.md"
    page.write_text(page.read_text().replace("Formerly: ", "Formerly: /2012/03/shoes/ /articles/ "))

    with pytest.raises(
        BuildError, match=r"about\.md: Formerly: /2012/03/shoes/ is an address of .*shoes\.md; delete one"
    ):
        publish(old)
