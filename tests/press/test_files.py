"""The files that a text links to: found by any name, encoded in page and feed, and without what they say of their maker."""

import io
import re
import struct
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pikepdf
import pytest
from PIL import Image

from press.errors import BuildError
from tests.support.place import SITE_URL, Place

SECRET = b"where David lives"


def feed_links(place: Place, slug: str = "second") -> list[str]:
    """Return where an article's links lead in the feed."""
    entry = place.page("/feed.xml").partition(f'/articles/{slug}/"/>')[2].partition("</entry>")[0]
    return re.findall(r"href=&#34;([^&]*(?:&amp;amp;)?[^&]*)&#34;", entry)


# As it is written, and the name of the file.
NAMES = [
    ("Week plan.pdf", "Week plan.pdf"),
    ("<WEEK>", "Week plan.pdf"),
    ("Week%20plan.pdf", "Week plan.pdf"),
    ("exercises (1).pdf", "exercises (1).pdf"),
    ("Warm-up #1.pdf", "Warm-up #1.pdf"),
    ("Warm-up%20%231.pdf", "Warm-up #1.pdf"),
    ("Why barefoot?.pdf", "Why barefoot?.pdf"),
    ("100% feet.pdf", "100% feet.pdf"),
    ("100%25 feet.pdf", "100% feet.pdf"),
    ("a%20b.pdf", "a%20b.pdf"),
    ("Feet & toes.pdf", "Feet & toes.pdf"),
    ("Café.pdf", "Café.pdf"),
    ("Caf%C3%A9.pdf", "Café.pdf"),
    ("a+b;c=d,e.pdf", "a+b;c=d,e.pdf"),
    ("sheet.pdf#page=2", "sheet.pdf"),
]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_of_any_name_can_be_linked_to(place: Place, form: str) -> None:
    for number, (written, name) in enumerate(NAMES):
        place.write(f"files/{unicodedata.normalize(form, name)}", "Three sets.")  # type: ignore[arg-type]  # a form by its name
        address = "<{static}/files/Week plan.pdf>" if written == "<WEEK>" else f"{{static}}/files/{written}"
        place.article(f"a{number}", text=f"[A sheet]({address})")

    place.build()

    for number, (written, name) in enumerate(NAMES):
        [link] = re.findall(r'<a href="(/files/[^"]*)"', place.page(f"/articles/a{number}/"))
        assert re.fullmatch(r"/files/[\w%.~+-]+(?:#page=2)?", link, re.ASCII), written
        assert unquote(link.partition("#")[0]) == f"/files/{name}"
        assert (place.output / f"files/{name}").read_text("utf-8") == "Three sets."
        assert f"{SITE_URL}{link}" in feed_links(place, f"a{number}")


@pytest.mark.parametrize(("here", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_letter_may_be_one_sign_or_two(place: Place, here: str, there: str) -> None:
    name = "Füße und Zehen"
    place.image(f"images/{unicodedata.normalize(there, name)}/Fuß ä.jpg")  # type: ignore[arg-type]
    place.image(unicodedata.normalize(there, "images/Möhre.jpg"))  # type: ignore[arg-type]
    text = f"![A foot](<{{static}}/images/{name}/Fuß ä.jpg>)"
    place.article("second", text=unicodedata.normalize(here, text))  # type: ignore[arg-type]

    place.build(PORTRAIT=unicodedata.normalize(here, "images/Möhre.jpg"))  # type: ignore[arg-type]

    assert re.search(r'src="/images/fu-a-[0-9a-f]{12}-8\.jpeg"', place.page("/articles/second/"))
    assert list(place.output.glob("images/mohre-*"))


@pytest.mark.parametrize(
    ("link", "cause"),
    [
        ("{static}/files/gone.pdf", "there is no file .*content/files/gone.pdf; put it there, or correct the address"),
        ("{static}/files/Plan.pdf", r"there is no file .*content/files/Plan.pdf \(there is plan.PDF\); put it there"),
        ("{static}/files", "there is no file .*content/files; put it there"),
        ("{static}/../secret.txt", "/../secret.txt lies outside of .*content; copy it into that folder"),
        ("{static}/files/away.txt", "/files/away.txt lies outside of .*content; copy it into that folder"),
        ("{static}/articles/second.md", "second.md is a text of the site; link to it with {filename}"),
        ("{static}/comments/big-toe-and-glutes/0001.md", "0001.md is a text of the site; link to it with {filename}"),
    ],
)
def test_what_cannot_be_linked_to_is_told_with_its_line(place: Place, link: str, cause: str) -> None:
    place.write("files/plan.PDF", "Three sets.")
    (place.folder / "secret.txt").write_text("secret")
    (place.folder / "content/files/away.txt").symlink_to(place.folder / "secret.txt")
    place.article("second", text=f"Words.\n\n[A sheet]({link})")

    with pytest.raises(BuildError, match=rf"^\S*second\.md:9: \S*{cause}") as stopped:
        place.build()

    assert "\n" not in str(stopped.value)


def test_a_file_of_a_draft_stays_at_home(place: Place) -> None:
    place.write("files/draft.txt", "Unripe.")
    place.article("sketch", Status="draft", text="[A sheet]({static}/files/draft.txt)")

    place.build()
    assert not (place.output / "files").exists()

    place.build(preview=True)
    assert (place.output / "files/draft.txt").exists()


def test_a_changed_file_keeps_its_address(place: Place) -> None:
    place.article("second", text="[A sheet]({static}/files/sheet.txt)")
    for words in ("Three sets.", "Four sets."):
        place.write("files/sheet.txt", words)

        place.build()

        assert (place.output / "files/sheet.txt").read_text() == words


def test_a_file_of_the_root_is_linked_to_where_it_goes(place: Place) -> None:
    place.write("extra/Hand out.txt", "Three sets.")
    place.article("second", text="[A sheet](<{static}/extra/Hand out.txt>)")

    place.build()

    assert '<a href="/Hand%20out.txt">' in place.page("/articles/second/")
    assert (place.output / "Hand out.txt").exists()


# What a file says of its maker


def a_pdf(path: Path, *, is_listed: bool = False) -> None:
    """Write a PDF with an author, a title, XMP, and a photograph that says where it was taken."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    photograph = io.BytesIO()
    Image.new("RGB", (8, 6), "tan").save(photograph, "jpeg", exif=exif, comment=SECRET)
    pdf = pikepdf.new()
    pdf.add_blank_page()
    pdf.docinfo["/Author"], pdf.docinfo["/Title"] = SECRET.decode(), "Week plan"
    pdf.Root["/Metadata"] = pdf.make_stream(SECRET, Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML)
    image = pdf.make_stream(photograph.getvalue(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image)
    image.write(photograph.getvalue(), filter=pikepdf.Name.DCTDecode)
    if is_listed:
        image["/Filter"], image["/DecodeParms"] = pikepdf.Array([pikepdf.Name.DCTDecode]), pikepdf.Array([None])
    pdf.pages[0]["/Resources"] = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Photo=image))
    path.parent.mkdir(exist_ok=True)
    pdf.save(path, fix_metadata_version=False)


@pytest.mark.parametrize("folder", ["files/", "extra/"])
def test_a_pdf_keeps_its_title_and_nothing_else_that_is_said_about_it(place: Place, folder: str) -> None:
    a_pdf(place.folder / f"content/{folder}plan.pdf", is_listed=folder == "extra/")
    place.article("second", text=f"[The plan]({{static}}/{folder}plan.pdf)")

    place.build()

    data = (place.output / folder.removeprefix("extra/") / "plan.pdf").read_bytes()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        everything = b"".join(pdf_object.unparse() for pdf_object in pdf.objects)
        streams = [part.read_raw_bytes() for part in pdf.objects if isinstance(part, pikepdf.Stream)]
        assert dict(pdf.docinfo) == {"/Title": "Week plan"}
    assert not any(SECRET in part for part in (data, everything, *streams))
    [photograph] = [stream for stream in streams if stream.startswith(b"\xff\xd8")]
    assert Image.open(io.BytesIO(photograph)).getpixel((4, 4))


def test_a_pdf_that_can_be_repaired_is_cleaned_all_the_same(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    file = place.folder / "content/files/plan.pdf"
    a_pdf(file)
    damaged = file.read_bytes().replace(b"/Kids [ 5 0 R", b"/Kids [ 99 0 R")
    file.write_bytes(damaged)
    place.article("second", text="[The plan]({static}/files/plan.pdf)")

    place.build()

    assert SECRET in damaged
    assert SECRET not in (place.output / "files/plan.pdf").read_bytes()
    assert capfd.readouterr().err == ""


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of a movie."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def a_movie(handler: bytes = b"vide") -> bytes:
    """A movie that says where and when it was taken, in the ways of phones."""
    dates = bytes(4) + b"when when" + bytes(80)
    track = box(
        b"trak", box(b"tkhd", dates), box(b"mdia", box(b"mdhd", dates), box(b"hdlr", bytes(8), handler, bytes(13)))
    )
    said = box(b"udta", box(b"\xa9xyz", SECRET)), box(b"meta", bytes(4), SECRET)
    large = struct.pack(">I4sQ", 1, b"uuid", 16 + len(SECRET)) + SECRET
    fragment = box(b"moof", box(b"mfhd", bytes(8)), box(b"traf", box(b"udta", SECRET)), box(b"udta", SECRET))
    first = box(b"ftyp", b"isom") + box(b"skip", SECRET) + box(b"moov", box(b"mvhd", dates), track, *said)
    return first + large + box(b"free", SECRET) + fragment + box(b"mdat", b"pixels")


def test_a_movie_tells_neither_place_nor_time_and_its_samples_stay_where_they_are(place: Place) -> None:
    data = a_movie()
    place.write("files/step.mp4", "").write_bytes(data)
    place.article("second", text="<video controls src='{static}/files/step.mp4'></video>")

    place.build()

    cleaned = (place.output / "files/step.mp4").read_bytes()
    assert SECRET not in cleaned
    assert b"when" not in cleaned
    assert (len(cleaned), cleaned.index(b"pixels")) == (len(data), data.index(b"pixels"))
    assert (cleaned.count(b"free"), data.count(b"free")) == (7, 1)
    assert f'src="{SITE_URL}/files/step.mp4"' in place.page("/feed.xml").replace("&#34;", '"')


@pytest.mark.parametrize(
    ("data", "cause"),
    [(a_movie(b"meta"), "holds a track of readings, like places; save a copy"), (a_movie()[:-2], "is broken; save it")],
)
def test_a_movie_that_cannot_be_cleaned_is_refused(place: Place, data: bytes, cause: str) -> None:
    place.write("files/step.mp4", "").write_bytes(data)
    place.article("second", text="[The step]({static}/files/step.mp4)")

    with pytest.raises(BuildError, match=rf"second\.md:7: .*content/files/step\.mp4 {cause}"):
        place.build()


def an_ape_tag(*, has_header: bool) -> bytes:
    item = struct.pack("<II", len(SECRET), 0) + b"Place\0" + SECRET
    head, size = b"APETAGEX" + struct.pack("<I", 2000), 32 + len(item)
    ends = [head + struct.pack("<III8x", size, 1, has_header << 31 | is_first << 29) for is_first in (True, False)]
    return ends[0] * has_header + item + ends[1]


@pytest.mark.parametrize("ape", [b"", an_ape_tag(has_header=True), an_ape_tag(has_header=False)])
def test_a_recording_loses_its_tags(place: Place, ape: bytes) -> None:
    tag = b"ID3\x04\0\0\0\0\x02\x00" + SECRET.ljust(256, b"\0")
    place.write("files/talk.mp3", "").write_bytes(tag + b"\xff\xfbsound" + ape + b"TAG" + SECRET.ljust(125, b"\0"))
    place.article("second", text="[The talk]({static}/files/talk.mp3)")

    place.build()

    assert (place.output / "files/talk.mp3").read_bytes() == b"\xff\xfbsound"


def test_what_cannot_be_cleaned_is_published_and_told(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    place.write("files/plan.docx", "").write_bytes(b"PK\x03\x04\0\xff")
    place.write("extra/locked.pdf", "%PDF-1.4\n")
    place.write("extra/favicon.ico", "").write_bytes(b"\0\0\1\0\1\0\xff")
    packed = pikepdf.new()
    packed.Root["/Photo"] = packed.make_stream(b"x", Filter=[pikepdf.Name.ASCIIHexDecode, pikepdf.Name.DCTDecode])
    packed.save(place.folder / "content/extra/packed.pdf")
    place.article("second", text="[The plan]({static}/files/plan.docx)")

    place.build()

    assert (place.output / "files/plan.docx").read_bytes() == b"PK\x03\x04\0\xff"
    told = capfd.readouterr().err.splitlines()
    assert sorted(re.sub(r"\S*content/", "", line.partition(" is published with")[0]) for line in told) == [
        "articles/second.md:7: files/plan.docx",
        "extra/locked.pdf: extra/locked.pdf",
        "extra/packed.pdf: extra/packed.pdf",
    ]


def test_a_file_of_too_many_bytes_is_refused_unread(place: Place) -> None:
    with place.write("files/step.mp4", "").open("ab") as file:
        file.truncate(100_000_001)
    place.article("second", text="[The step]({static}/files/step.mp4)")

    with pytest.raises(
        BuildError, match=r"second\.md:7: .*content/files/step\.mp4 is larger than 100 MB; save it smaller"
    ):
        place.build()


# Media in a feed


def test_in_a_feed_own_media_keep_their_sources(place: Place) -> None:
    for name in ("step.mp4", "step.vtt", "foot.jpg"):
        place.write(f"files/{name}", "WEBVTT") if "foot" not in name else place.image(f"files/{name}")
    media = "<video poster='{static}/files/foot.jpg' controls><source src='{static}/files/step.mp4'>\n<track src=\"{static}/files/step.vtt\"></video>"
    place.article("second", text=f'{media}\n\n![A foot]({{static}}/files/foot.jpg)\n\n`<a href="/x">`')

    place.build()

    entry = place.page("/feed.xml").replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">")
    assert f'<source src="{SITE_URL}/files/step.mp4">' in entry
    assert f'<track src="{SITE_URL}/files/step.vtt">' in entry
    assert re.search(rf'<video poster="{SITE_URL}/images/foot-[0-9a-f]+-8\.jpeg" controls>', entry)
    assert "<picture" not in entry
    assert 'href="/x"' in entry  # words about HTML stay as they are
