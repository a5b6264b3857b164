"""The author's images: photographs for phone and desk, drawings in the colours of the page, faults with file, line and cure."""

import io
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from press.assets.raster import Raster
from press.errors import BuildError
from tests.support.place import ROOT, SITE_URL, Place

ATOM = "{http://www.w3.org/2005/Atom}"
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">\n<path fill="var(--clay)" d="M0 0h9"/>\n</svg>\n'
FOOT, TOE = "![A foot]({static}/images/foot.png)", "![A toe]({static}/images/toe.svg)"
DRAWINGS = {"chain": "Getting the big toe", "feet": "This is one of the reasons", "house": "Get the feet working"}


@dataclass
class Tags(HTMLParser):
    """The elements of a page with their attributes."""

    found: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def tags(html: str, name: str) -> list[dict[str, str]]:
    """Return the attributes of each element of one name."""
    parser = Tags()
    parser.feed(html)
    return [attributes for tag, attributes in parser.found if tag == name]


def images(place: Place) -> list[str]:
    """Return the names of the published images, without hashes and without what every build has."""
    names = {re.sub("-[0-9a-f]{12}", "", path.name) for path in (place.output / "images").iterdir()}
    return sorted(names - {"social.png", *(f"{name}.svg" for name in DRAWINGS)})


def opened(place: Place, address: str) -> Image.Image:
    """Return a published image."""
    return Image.open(io.BytesIO((place.output / address.lstrip("/")).read_bytes()))


def feed(place: Place, slug: str) -> str:
    """Return an article as the feed holds it."""
    for entry in ET.fromstring(place.page("/feed.xml")).iter(f"{ATOM}entry"):
        [link] = (one.get("href") for one in entry.findall(f"{ATOM}link") if one.get("rel", "alternate") == "alternate")
        if link == f"{SITE_URL}/articles/{slug}/":
            return entry.findtext(f"{ATOM}content") or ""
    raise AssertionError(slug)


# Photographs


def test_a_photograph_is_offered_in_widths_for_phone_and_desk(place: Place) -> None:
    place.image("images/Mon pied!.jpg", size=(2000, 1500))
    place.article("second", text='![A "foot"](<{static}/images/Mon pied!.jpg> "Mine")')

    place.build()

    page = place.page("/articles/second/")
    [avif, webp], [img] = tags(page, "source"), tags(page, "img")
    for source, kind in ((avif, "avif"), (webp, "webp")):
        assert source["type"] == f"image/{kind}"
        assert source["sizes"] == "min(38rem, 100vw - 2.5rem)"
        candidates = [candidate.split() for candidate in source["srcset"].split(", ")]
        assert [width for _, width in candidates] == ["640w", "960w", "1280w"]
        for address, width in candidates:
            assert re.fullmatch(rf"/images/mon-pied-[0-9a-f]{{12}}-{width[:-1]}\.{kind}", address)
            image = opened(place, address)
            assert (image.format or "").lower() == kind
            assert image.size == (int(width[:-1]), int(width[:-1]) * 3 // 4)
    fallback = opened(place, img["src"])
    assert (fallback.format, fallback.size) == ("JPEG", (960, 720))
    assert (img["width"], img["height"], img["alt"], img["title"]) == ("960", "720", 'A "foot"', "Mine")


@pytest.mark.parametrize(
    ("width", "offered"),
    [(8, [8]), (700, [700]), (801, [640, 801]), (1280, [640, 960, 1280]), (4000, [640, 960, 1280])],
)
def test_a_photograph_is_never_made_larger(tmp_path: Path, width: int, offered: list[int]) -> None:
    Image.new("RGB", (width, 6)).save(tmp_path / "foot.png")

    assert Raster(tmp_path / "foot.png").widths == offered


def test_the_widths_are_true_to_the_layout() -> None:
    style = (ROOT / "theme/templates/tokens.css").read_text("utf-8")

    assert "--measure: 38rem;" in style
    assert "--gutter: 1.25rem;" in style  # twice, so 2.5rem


@pytest.mark.parametrize(("format", "kind"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp"), ("MPO", "jpeg")])
def test_the_fallback_has_the_format_of_the_original(place: Place, format: str, kind: str) -> None:
    place.image(f"images/foot.{kind}", format=format)
    place.article("second", text=f"![A foot]({{static}}/images/foot.{kind})")

    place.build()

    assert images(place) == sorted({"foot-8.avif", "foot-8.webp", f"foot-8.{kind}"})


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site with three photographs in an article, one below a drawing in another, and one in a page; do not change."""
    place = Place(tmp_path_factory.mktemp("gallery"))
    names = ("one", "two", "foot")
    for name in names:
        place.image(f"images/{name}.png")
    place.write("images/toe.svg", DRAWING)
    place.article("three", text="\n\n".join(f"![A foot]({{static}}/images/{name}.png)" for name in names))
    place.article("below", text=f"{TOE}\n\n{FOOT}")
    place.write("pages/about.md", f"Title: About\nSlug: about\n\nSee {FOOT} here.\n")
    place.build()
    return place


@pytest.mark.parametrize(("slug", "loading"), [("three", [None, "lazy", "lazy"]), ("below", ["lazy"])])
def test_only_what_is_below_the_first_image_or_drawing_waits(
    gallery: Place, slug: str, loading: list[str | None]
) -> None:
    images = tags(gallery.page(f"/articles/{slug}/"), "img")

    assert [(image["decoding"], image.get("loading")) for image in images] == [("async", waits) for waits in loading]


def test_an_image_in_a_page_is_a_picture_and_in_a_feed_one_image_with_a_whole_address(gallery: Place) -> None:
    content = feed(gallery, "three")

    assert re.search(r"<p>See <picture>.*</picture> here\.</p>", gallery.page("/about/"))
    assert not re.search("<picture|<source|srcset", content)
    for image, name in zip(tags(content, "img"), ("one", "two", "foot"), strict=True):
        assert re.fullmatch(rf"{SITE_URL}/images/{name}-[0-9a-f]{{12}}-8\.png", image["src"])


def test_a_photograph_stands_upright_and_tells_nothing_of_its_camera(place: Place) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where David lives"
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    place.image("images/foot.jpg", size=(40, 20), exif=exif, comment=b"where David lives", icc_profile=profile)
    place.article("second", text="![A foot]({static}/images/foot.jpg)")

    place.build()

    [img] = tags(place.page("/articles/second/"), "img")
    assert (img["width"], img["height"]) == ("20", "40")
    for path in (place.output / "images").glob("foot-*"):
        image = Image.open(io.BytesIO(path.read_bytes()))
        assert image.size == (20, 40)
        assert not image.getexif()
        assert not {"exif", "icc_profile", "comment", "xmp"} & set(image.info)
        assert b"David" not in path.read_bytes()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [("L", 130, (130, 130, 130)), ("1", 1, (255, 255, 255)), ("I;16", 30000, (117, 117, 117)), ("P", 1, (1, 1, 1))],
)
def test_every_kind_of_pixel_keeps_its_colour(
    tmp_path: Path, mode: str, colour: int, expected: tuple[int, ...]
) -> None:
    image = Image.new(mode, (8, 8), colour)
    if mode == "P":
        image.putpalette([value for shade in range(256) for value in (shade, shade, shade)])
    image.save(tmp_path / "foot.png")

    made = Image.open(io.BytesIO(Raster(tmp_path / "foot.png").encode("png", 8)))

    shown = made.getpixel((4, 4))
    assert isinstance(shown, tuple)
    assert all(abs(one - other) <= 1 for one, other in zip(shown, expected, strict=True))


def test_what_can_be_seen_through_stays_so_and_a_damaged_colour_profile_does_no_harm(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (200, 100, 50, 0)).save(tmp_path / "clear.png")
    Image.new("RGB", (8, 8), "teal").save(tmp_path / "teal.png", icc_profile=b"nonsense")

    teal = Image.open(io.BytesIO(Raster(tmp_path / "teal.png").encode("png", 8)))

    assert teal.getpixel((4, 4)) == (0, 128, 128)
    for kind in ("avif", "webp", "png"):
        clear = Image.open(io.BytesIO(Raster(tmp_path / "clear.png").encode(kind, 8)))
        assert clear.convert("RGBA").getchannel("A").getextrema() == (0, 0)


# The portrait


def test_the_portrait_is_a_square_in_two_densities_and_its_original_stays_at_home(place: Place) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where David lives"
    place.image("images/david.jpg", size=(300, 400), exif=exif)

    place.build(PORTRAIT="images/david.jpg")

    page = place.page("/privacy/")
    [avif, webp], [img] = tags(page, "source"), tags(page, "img")
    for source, kind in ((avif, "avif"), (webp, "webp")):
        candidates = re.fullmatch(r"(\S+), (\S+) 2x", source["srcset"])
        assert candidates
        assert source["type"] == f"image/{kind}"
        assert [opened(place, address).size for address in candidates.groups()] == [(96, 96), (192, 192)]
    assert (img["alt"], img["width"], img["height"]) == ("", "96", "96")
    assert opened(place, img["src"]).size == (192, 192)
    made = [f"david-square-{side}.{kind}" for side in (96, 192) for kind in ("avif", "webp")]
    assert images(place) == sorted([*made, "david-square-192.jpeg"])
    assert not (place.output / "images/david.jpg").exists()
    assert all(b"David lives" not in path.read_bytes() for path in place.output.rglob("*.*"))


def test_a_small_portrait_is_not_made_larger(place: Place) -> None:
    place.image("images/david.png", size=(120, 80))

    place.build(PORTRAIT="images/david.png")

    assert images(place) == [f"david-square-80.{kind}" for kind in ("avif", "png", "webp")]


@pytest.mark.parametrize(
    ("text", "cause"),
    [(None, "there is no .*content/images/david.jpg$"), ("<svg/>", ".*save it as one of them$")],
)
def test_a_portrait_that_cannot_be_shown_stops_the_build(place: Place, text: str | None, cause: str) -> None:
    if text:
        place.write("images/david.jpg", text)

    with pytest.raises(BuildError, match=rf"content/site\.toml:\d+: portrait: {cause}"):
        place.build(PORTRAIT="images/david.jpg")


# What is made once, and what is published


def test_an_unchanged_image_is_encoded_once_and_a_changed_one_takes_another_name(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made() -> list[set[tuple[str, int]]]:
        folders = ((place.folder / "cache").iterdir(), (place.output / "images").glob("foot-*"))
        return [{(path.name, path.stat().st_mtime_ns) for path in files} for files in folders]

    place.image("images/foot.png")
    place.article("second", text=FOOT)
    place.build(IMAGE_CACHE=str(place.folder / "cache"))
    before = made()
    with monkeypatch.context() as patch:
        patch.setattr(Raster, "encode", None)
        place.build(IMAGE_CACHE=str(place.folder / "cache"))
    assert made()[0] == before[0]
    place.image("images/foot.png", colour="teal")

    place.build(IMAGE_CACHE=str(place.folder / "cache"))

    one, other = ({name for name, _ in names} for names in (before[1], made()[1]))
    assert len(one) == len(other) == 3
    assert not one & other


def test_the_same_images_give_the_same_bytes(place: Place) -> None:
    place.image("images/foot.jpg", size=(1500, 900))
    place.article("second", text="![A foot]({static}/images/foot.jpg)")

    made = []
    for cache in ("one", "two"):
        place.build(IMAGE_CACHE=str(place.folder / cache))
        made.append({path.name: path.read_bytes() for path in (place.output / "images").iterdir()})

    assert made[0] == made[1]
    assert len(made[0]) == 3 + 3 + 1 + 3 + 2  # AVIF, WebP, JPEG; the drawings; two social images


# Drawings


def test_a_drawing_stands_in_the_page(place: Place) -> None:
    place.write("images/toe.svg", f'<?xml version="1.0"?>\n<!-- mine -->\n{DRAWING}')
    place.article("second", text="![A “toe” & more]({static}/images/toe.svg)")

    place.build()

    page = place.page("/articles/second/")
    assert (
        '\n<svg role="img" aria-label="A “toe” &amp; more" viewBox="0 0 9 9"><path fill="var(--clay)" d="M0 0h9"/></svg>\n'
        in page
    )
    assert not tags(page, "img")


def test_a_drawing_has_one_label_whatever_it_calls_itself(place: Place) -> None:
    words = '<title id="t">Mine</title>\n<desc>Bent\n&amp; "red".</desc>\n<path'
    drawing = DRAWING.replace("<svg", '<svg role="graphics-symbol" aria-labelledby="t"').replace("<path", words)
    place.write("images/toe.svg", drawing)
    place.article("second", text="![A toe]({static}/images/toe.svg)")

    place.build()

    label = "A toe. Bent &amp; &quot;red&quot;."
    assert f'<svg role="img" aria-label="{label}" viewBox="0 0 9 9"><path' in place.page("/articles/second/")
    assert f'alt="{label}"' in feed(place, "second")


def test_the_shipped_drawings_stand_where_the_post_says_it_and_say_what_they_show(shipped: Place) -> None:
    page = shipped.page("/")

    for drawing, (name, words) in zip(page.split("<svg")[1:], DRAWINGS.items(), strict=True):
        before = page.partition(f"<svg{drawing}")[0]
        assert before.rstrip().split("\n")[-2].startswith(f"<p>{words}")
        source = (ROOT / f"content/images/{name}.svg").read_text("utf-8")
        [said] = re.findall(r"<desc>(.*)</desc>", source)
        assert said in drawing.partition(">")[0]
    labels = [svg["aria-label"].partition(". ") for svg in tags(page, "svg") if svg["role"] == "img"]
    assert [label[0] for label in labels] == [
        "The chain at toe-off",
        "Foot out and foot straight",
        "From the ground up",
    ]
    assert all(len(label[2]) > 60 for label in labels)


def test_forced_colours_reach_every_colour_of_the_drawings() -> None:
    style = (ROOT / "theme/templates/tokens.css").read_text("utf-8")
    forced = style.partition("@media (forced-colors: active)")[2].partition("\n}\n")[0]

    used = {
        name
        for path in (ROOT / "content/images").glob("*.svg")
        for name in re.findall(r"var\(--([\w-]+)\)", path.read_text())
    }

    assert used - {"serif"} <= set(re.findall(r"--([\w-]+):", forced))


def test_in_a_feed_a_drawing_is_a_file_in_the_light_colours(shipped: Place) -> None:
    content = feed(shipped, "big-toe-and-glutes")

    assert "<svg" not in content
    assert "<figcaption>\n<p><strong>The chain at toe-off.</strong>" in content
    assert [re.sub("-[0-9a-f]{12}", "", img["src"]) for img in tags(content, "img")] == [
        f"{SITE_URL}/images/{name}.svg" for name in DRAWINGS
    ]
    for img in tags(content, "img"):
        drawing = shipped.page(img["src"].removeprefix(SITE_URL))
        assert ET.fromstring(drawing).get("color") == "#4f5e58"
        assert 'fill="#fff"/>' in drawing.partition(">")[2][:80]
        assert "var(" not in drawing
        assert len(img["alt"]) > 60


# What is wrong, then what the error says after the place of the image in the text.

Fault = Callable[[Place], object]


def picture(**options: object) -> Fault:
    """A photograph saved in some way."""
    return lambda place: place.image("images/foot.png", **options)  # type: ignore[arg-type]


def a_file(data: bytes) -> Fault:
    """A photograph with these bytes."""
    return lambda place: place.write("images/foot.png", "").write_bytes(data)


def cut_off(place: Place) -> None:
    """A photograph that was not copied to its end."""
    file = place.image("images/foot.png", size=(300, 300))
    file.write_bytes(file.read_bytes()[:200])


def a_png_that_says_it_is(width: int, height: int) -> bytes:
    """Return the head of a PNG."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT", b"IEND")
    parts = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def a_drawing(old: str, new: str) -> Fault:
    """A drawing with something in the place of something else."""
    assert old in DRAWING
    return lambda place: place.write("images/toe.svg", DRAWING.replace(old, new, 1))


MOVING = [Image.new("RGB", (8, 6), "red")]
FAULTS: list[tuple[str, str, Fault, str]] = [
    ("no alt", "![]({static}/images/foot.png)", picture(), "the image says nothing to those who cannot see it; write ![what"),
    ("a blank alt", "![ ]({static}/images/foot.png)", picture(), "the image says nothing to those who cannot see it"),
    ("HTML without alt", '<p><img src="{static}/images/foot.png"></p>', picture(), "the image says nothing to those who"),
    ("a missing file", "![x]({static}/images/gone.png)", picture(), "there is no image *content/images/gone.png; put it there"),
    ("a missing drawing", "![x]({static}gone.svg)", picture(), "there is no image *content/articles/gone.svg; put it there"),
    ("elsewhere", "![x](https://feet.test/a.png)", picture(), "https://feet.test/a.png is on another site, and no browser"),
    ("text", FOOT, a_file(b"hello"), "*content/images/foot.png is no PNG, JPEG or WebP; save it as one of them"),
    ("nothing", FOOT, a_file(b""), "*content/images/foot.png is no PNG, JPEG or WebP; save it as one of them"),
    ("cut off", FOOT, cut_off, "*content/images/foot.png is broken (*); save it again"),
    ("a GIF", FOOT, picture(format="GIF"), "*content/images/foot.png is a GIF; save it as PNG, JPEG or WebP"),
    ("moving", FOOT, picture(format="WEBP", save_all=True, append_images=MOVING), "*foot.png moves; save one picture of it"),
    ("huge", FOOT, a_file(a_png_that_says_it_is(9000, 6000)), "*foot.png has more than 50 megapixels; 2,560 pixels a side"),
    ("a bomb", FOOT, a_file(a_png_that_says_it_is(60000, 60000)), "*foot.png has more than 50 megapixels; 2,560 pixels a"),
    ("a style", TOE, a_drawing("<path", "<style>*{fill:red}</style><path"), "*content/images/toe.svg:2: <style> has no place"),
    ("a script", TOE, a_drawing("<path", "<script>1</script><path"), "*content/images/toe.svg:2: <script> has no place"),
    ("HTML", TOE, a_drawing("<path", "<foreignObject/><path"), "*content/images/toe.svg:2: <foreignObject> has no place"),
    ("a style of its own", TOE, a_drawing("<path", '<path style="fill:red"'), "*toe.svg:2: style= is blocked by the policy"),
    ("a handler", TOE, a_drawing("<svg", '<svg onload="1"'), "*toe.svg:1: onload= is blocked by the policy"),
    ("a link out", TOE, a_drawing("<path", '<use href="b.svg#a"/><path'), "*toe.svg:2: href= leads out of the drawing"),
    ("a paint out", TOE, a_drawing("var(--clay)", "url(b.svg#a)"), "*toe.svg:2: fill= leads out of the drawing"),
    ("no such token", TOE, a_drawing("--clay", "--mud"), "*toe.svg:2: --mud is no token of style.css"),
    ("no measures", TOE, a_drawing(' viewBox="0 0 9 9"', ""), '*toe.svg:1: the drawing does not say how large it is; add viewBox="'),
    ("a type", TOE, a_drawing("<svg", "<!DOCTYPE svg>\n<svg"), "*toe.svg:1: a drawing needs no <!DOCTYPE>; delete it"),
    ("not closed", TOE, a_drawing("</svg>", ""), "*toe.svg:4: not well-formed (no element found)"),
    ("no drawing", TOE, a_drawing("<svg", "<html"), "*toe.svg:1: <html> has no place in a drawing"),
    ("one id twice", f"{TOE} {TOE}", a_drawing("<path", '<path id="a"'), '*toe.svg has id="a", as a drawing above has'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault", "cause"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_an_image_that_cannot_be_shown_stops_the_build(place: Place, text: str, fault: Fault, cause: str) -> None:
    place.article("second", text=f"Words.\n\n{text}")
    fault(place)

    with pytest.raises(BuildError) as stopped:
        place.build()

    told = str(stopped.value)
    assert "\n" not in told
    assert re.search(rf"content/articles/second\.md:9: {re.escape(cause).replace(re.escape('*'), '.*')}", told), told


def test_of_two_uses_the_one_without_words_is_named(place: Place) -> None:
    place.image("images/foot.png")
    place.article("second", text=f"{FOOT}\n\n![]({{static}}/images/foot.png)")

    with pytest.raises(BuildError, match=r"second\.md:9: the image says nothing"):
        place.build()


def test_every_fault_of_every_image_is_told_at_once(place: Place) -> None:
    place.article("second", text="![]({static}/images/gone.png)\n\n![x]({static}/images/gone.png)")
    place.article("third", text=FOOT)

    with pytest.raises(BuildError) as stopped:
        place.build()

    assert re.findall(r"(\w+\.md:\d+): ", str(stopped.value)) == ["second.md:7", "second.md:9", "third.md:7"]


def test_the_faults_of_a_draft_wait_for_its_preview(place: Place) -> None:
    place.article("sketch", Status="draft", text="![]({static}/images/gone.png)")

    place.build()

    assert images(place) == []
    with pytest.raises(BuildError, match=r"sketch\.md:8: the image says nothing"):
        place.build(preview=True)
