"""What a photograph or a drawing says of its maker: nothing of that is published, whichever way a text leads to it."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from press.errors import BuildError
from tests.support.place import SITE_URL, Place

SECRET = "where David lives"
WAYS = {
    "a link": "[A foot]({static}/images/foot.jpg)",
    "a link from beside": "[A foot]({static}../images/foot.jpg)",
    "a link and its image": "[![A foot]({static}/images/foot.jpg)]({static}/images/foot.jpg)",
    "a reference": "[A foot][it]\n\n[it]: {static}/images/foot.jpg",
    "an attachment": "[A foot]({attach}/images/foot.jpg)",
    "the old sign": "[A foot](|static|/images/foot.jpg)",
    "HTML": '<a title="A > B" href="{static}/images/foot.jpg">A foot</a>',
    "HTML in capitals": "<A HREF='{static}/images/foot.jpg'>A foot</A>",
    "a poster": '<video controls poster="{static}/images/foot.jpg"></video>',
}


def a_photograph(place: Place, path: str, **options: Any) -> Path:
    """A photograph of a phone held upright, 40 by 20 pixels as its file has them, that says where it was taken."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, SECRET
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 26.0)})
    return place.image(path, size=(40, 20), exif=exif, **options)


def a_jpeg(place: Place, path: str) -> Path:
    """A photograph that says it in all the ways of a JPEG: Exif, XMP, IPTC and a comment."""
    file = a_photograph(place, path, format="JPEG", comment=SECRET.encode(), xmp=SECRET.encode())
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + SECRET.encode()
    data = file.read_bytes()
    file.write_bytes(data[:2] + b"\xff\xed" + (len(iptc) + 2).to_bytes(2) + iptc + data[2:])
    return file


def published(place: Place) -> dict[str, bytes]:
    """Return every file of the output by its path."""
    files = [path for path in place.output.rglob("*") if path.is_file()]
    return {path.relative_to(place.output).as_posix(): path.read_bytes() for path in files}


def linked(place: Place) -> str:
    """Return where the one link of the second article to a file leads."""
    [address] = re.findall(r'(?:href|HREF|poster)="(/(?!theme)[^"]*\.\w+)"', text_of(place))
    return str(address)


def opened(path: Path) -> Image.Image:
    """Return a published image."""
    return Image.open(io.BytesIO(path.read_bytes()))


def text_of(place: Place) -> str:
    """Return what the second article says on its page."""
    return place.page("/articles/second/").partition("</header>\n")[2].partition('<p class="small note">')[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_photograph_says_nothing_of_where_it_was_taken_whichever_way_it_is_linked(place: Place, way: str) -> None:
    assert a_jpeg(place, "images/foot.jpg").read_bytes().count(SECRET.encode()) == 4
    place.article("second", text=WAYS[way])

    place.build()

    assert [name for name, data in published(place).items() if SECRET.encode() in data] == []
    address = linked(place)
    assert re.fullmatch(r"/images/foot-[0-9a-f]{12}-20\.jpeg", address)
    image = opened(place.output / address[1:])
    assert image.size == (20, 40)  # upright
    assert not {"exif", "xmp", "comment", "photoshop", "icc_profile"} & set(image.info)
    assert f"{SITE_URL}{address}" in place.page("/feed.xml")


def test_a_photograph_that_is_only_linked_is_as_wide_as_a_sharp_screen_at_most(place: Place) -> None:
    place.image("images/foot.jpg", size=(4000, 10))
    place.article("second", text="[A foot]({static}/images/foot.jpg)")

    place.build()

    assert opened(place.output / linked(place)[1:]).width == 2560
    assert len(list(place.output.glob("images/foot-*"))) == 1


PNG_TEXT = PngImagePlugin.PngInfo()
PNG_TEXT.add_text("Comment", SECRET)
PNG_TEXT.add_text("Author", SECRET, zip=True)
KINDS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG", "pnginfo": PNG_TEXT},
    "webp": {"format": "WEBP", "xmp": SECRET.encode()},
    "mpo": {"format": "MPO", "save_all": True, "append_images": [Image.new("RGB", (40, 20))]},
}


@pytest.mark.parametrize("name", ["images/foot", "extra/foot"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_photograph_is_made_anew(place: Place, kind: str, name: str) -> None:
    a_photograph(place, f"{name}.{kind}", **KINDS[kind])
    place.article("second", text=f"[A foot]({{static}}/{name}.{kind})")

    place.build()

    assert [path for path, data in published(place).items() if SECRET.encode() in data] == []
    image = opened(place.output / linked(place)[1:])
    assert (image.size, dict(image.getexif())) == ((20, 40), {})
    assert set(image.info) <= {
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
        "progressive",
        "progression",
        "loop",
        "background",
        "timestamp",
        "duration",
    }


@pytest.mark.parametrize("name", ["foot.pdf", "foot.txt", "foot", "favicon.ico"])
def test_a_photograph_under_another_name_is_one_all_the_same(place: Place, name: str) -> None:
    a_jpeg(place, f"images/{name}")
    a_jpeg(place, f"extra/{name}")
    place.article("second", text=f"[A foot]({{static}}/images/{name})")

    place.build()

    assert [path for path, data in published(place).items() if SECRET.encode() in data] == []
    assert linked(place).endswith(".jpeg")
    assert opened(place.output / name).size == (20, 40)


def a_drawing(**parts: str) -> str:
    """A drawing as a program saves it."""
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
    notes = f'inkscape:export-filename="/home/{SECRET}/toe.png"'
    metadata = (
        f'<!-- {SECRET} -->\n<metadata id="m">\n<rdf:RDF xmlns:rdf="r"><cc:by>{SECRET}</cc:by></rdf:RDF></metadata>'
    )
    return f'<svg {namespaces} {notes} viewBox="0 0 9 9">\n{metadata}\n<path fill="{parts.get("fill", "var(--clay)")}" d="M0 0h9"/>\n</svg>\n'


@pytest.mark.parametrize("text", ["![A toe]({static}/images/toe.svg)", "[A toe]({static}/images/toe.svg)"])
def test_a_drawing_says_nothing_of_who_drew_it(place: Place, text: str) -> None:
    place.write("images/toe.svg", a_drawing())
    place.write("extra/toe.svg", a_drawing())
    place.article("second", text=text)

    place.build()

    assert [path for path, data in published(place).items() if SECRET.encode() in data] == []
    assert (place.output / "toe.svg").exists()
    [alone] = place.output.glob("images/toe-*.svg")
    assert 'fill="#a5442a"' in alone.read_text()


def test_the_line_of_a_fault_below_metadata_is_that_of_the_file(place: Place) -> None:
    place.write("images/toe.svg", a_drawing(fill="url(b.svg#a)"))
    place.article("second", text="![A toe]({static}/images/toe.svg)")

    with pytest.raises(BuildError, match=r"toe\.svg:5: fill= leads out of the drawing"):
        place.build()


REFUSED = {
    "a GIF": ("GIF", "is a GIF; save it as PNG, JPEG or WebP"),
    "an AVIF": ("AVIF", "is an AVIF; save it as PNG, JPEG or WebP"),
    "a TIFF": ("TIFF", "is a TIFF; save it as PNG, JPEG or WebP"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_kind_that_is_not_cleaned_is_refused_where_it_is_linked(place: Place, kind: str) -> None:
    format, cause = REFUSED[kind]
    place.image("images/foot.dat", format=format)
    place.article("second", text="Words.\n\n[A foot]({static}/images/foot.dat)")

    with pytest.raises(BuildError, match=rf"second\.md:9: .*content/images/foot\.dat {cause}"):
        place.build()


@pytest.mark.parametrize("name", ["foot.heic", "foot.jpg", "foot.DNG"])
def test_what_its_name_calls_a_photograph_and_is_none_is_refused(place: Place, name: str) -> None:
    place.write(f"images/{name}", "no pixels")
    place.article("second", text=f"[A foot]({{static}}/images/{name})")

    with pytest.raises(BuildError, match=rf"second\.md:7: .*{name} is no PNG, JPEG or WebP; save it as one of them"):
        place.build()


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("images/foot.jpg", "![A foot]({static}/images/foot.jpg)", r"second\.md:7: .*content/images/foot\.jpg"),
        ("images/foot.jpg", "[A foot]({static}/images/foot.jpg)", r"second\.md:7: .*content/images/foot\.jpg"),
        ("extra/foot.jpg", "Words.", r"content/extra/foot\.jpg"),
        ("images/david.jpg", "Words.", r"site\.toml:\d+: portrait: .*content/images/david\.jpg"),
    ],
)
def test_a_photograph_of_too_many_bytes_is_refused_unread(place: Place, path: str, text: str, told: str) -> None:
    with a_jpeg(place, path).open("ab") as file:
        file.truncate(25_000_001)
    place.article("second", text=text)

    with pytest.raises(BuildError, match=rf"{told} is larger than 25 MB; save it smaller"):
        place.build(PORTRAIT="images/david.jpg" if "david" in path else "")


def test_an_extra_file_that_is_broken_is_named(place: Place) -> None:
    file = place.image("extra/foot.png", size=(300, 300))
    file.write_bytes(file.read_bytes()[:200])

    with pytest.raises(BuildError, match=r"content/extra/foot\.png is broken .*; save it again"):
        place.build()


def test_an_extra_drawing_that_holds_a_photograph_is_named(place: Place) -> None:
    place.write(
        "extra/icon.svg", '<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/jpeg;base64,AA"/></svg>'
    )

    with pytest.raises(BuildError, match=r"content/extra/icon\.svg holds another file, .*; save it with shapes alone"):
        place.build()


def test_the_images_of_the_site_itself_say_nothing(shipped: Place) -> None:
    for name, data in published(shipped).items():
        if name.endswith(".png"):
            assert not Image.open(io.BytesIO(data)).info, name
