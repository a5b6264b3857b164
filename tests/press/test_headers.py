"""Headers of articles and pages: each key declared once, and nothing in them lost without a word."""

import re
from pathlib import Path

import pytest

from contract.header import ARTICLE, KEYS, PAGE, HeaderError, read
from press.errors import BuildError
from tests.support.place import ROOT, Place

HEADER = "Title: Knees\nId: knees\nSlug: knees\nDate: 2026-11-20\nSummary: In short.\n"


def faults(text: str, kind: str = ARTICLE) -> str:
    """Return what is wrong with a header."""
    with pytest.raises(HeaderError) as refused:
        read(text, kind)
    return str(refused.value)


# What stands in the header besides what it must have, then what is said of it.
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Staus: draft\n\nWords.", "line 6: “Staus” is not a key; did you mean “Status”? The keys are Title, Id,"),
        ("Mood: good\n\nWords.", "line 6: “Mood” is not a key; the keys are Title, Id,"),
        ("Status: drfat\n\nWords.", "line 6: Status: “drfat” is no value of it; did you mean “draft”? It can be draft,"),
        ("Status: on hold\n\nWords.", "line 6: Status: “on hold” is no value of it; it can be draft, hidden or published"),
        ("Comments: no\n\nWords.", "line 6: Comments: “no” is no value of it; it can be open or closed"),
        ("Tags : hips\nStatus: draft\n\nWords.", "line 6: write “Tags:”, without a space before the colon"),
        ("Status draft\n\nWords.", "line 6: expected “Key: value”, found “Status draft”; an empty line ends the header"),
        ("Tags:\n\nWords.", "line 6: Tags has no value; give it one, or delete the line"),
        ("Id: hips\n\nWords.", "line 6: Id is given twice; keep one"),
        ("\nStatus: draft\nTags: knees\n\nWords.", "line 7: “Status: draft” is a line of the header, but an empty line"),
        ("\nstatus : Draft\n\nWords.", "line 7: “status : Draft” is a line of the header"),
        ("\n\nStaus: draft\n", "line 8: “Staus: draft” is a line of the header"),
        ("\nWords.\n\nStatus: draft\n", "line 9: “Status: draft” is a line of the header"),
        ("Lang: German\n\nWords.", "line 6: Lang: “German” is no language; write its tag, like de, fr or pt-BR"),
        ("Formerly: knees, My Knees\n\nWords.", "line 6: Formerly: “My” must be small letters, digits and single hyphens"),
        ("---\n\nWords.", "line 6: expected “Key: value”, found “---”"),
        ("    more of the summary\n\nWords.", "line 6: expected “Key: value”, found “    more of the summary”"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_line_and_the_cure(lines: str, said: str) -> None:
    assert said in faults(HEADER + lines)


def test_an_empty_line_above_the_header_is_said_to_be_that() -> None:
    assert faults(f"\n{HEADER}\nWords.") == "line 1: an empty line stands above the header; delete it"


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = faults("Titel: Knees\nId: knees\nSlug: Knees\nDate: soon\n\nWords.").split("\n")

    assert [re.findall(r"^line (\d+): “?(the header has no \w+|\w+)", line)[0] for line in told] == [
        ("1", "Titel"), ("3", "Slug"), ("4", "Date"), ("1", "the header has no Summary")
    ]  # fmt: skip


@pytest.mark.parametrize("date", ["05/11/2026", "12/10/2026", "20 November", "10", "2026-02-30", "2026-11-5", "soon"])
def test_a_date_that_is_not_iso_is_refused_with_how_to_write_it(date: str) -> None:
    told = faults(HEADER.replace("2026-11-20", date) + "\nWords.")

    assert told == f"line 4: Date: “{date}” is no date; write year-month-day, like 2026-12-01 or 2026-12-01 07:30"


@pytest.mark.parametrize(
    ("date", "read_as"),
    [
        ("2026-11-20", "2026-11-20T00:00:00"),
        ("2026-11-20 07:30", "2026-11-20T07:30:00"),
        ("2026-11-20T07:30:15", "2026-11-20T07:30:15"),
        ("2026-11-20 07:30+02:00", "2026-11-20T07:30:00+02:00"),
    ],
)
def test_an_iso_date_is_taken_with_or_without_a_time(date: str, read_as: str) -> None:
    assert read(HEADER.replace("2026-11-20", date), ARTICLE).values["date"].isoformat() == read_as


def test_keys_and_fixed_values_are_taken_in_any_case() -> None:
    text = read("TITLE: Knees\nid: knees\nslug: knees\ndate: 2026-11-20\nsummary: S.\nstatus: DRAFT\n\nWords.", ARTICLE)

    assert (text.values["title"], text.values["status"], text.body, text.line) == ("Knees", "draft", "Words.", 8)


@pytest.mark.parametrize(
    "body",
    [
        "Note: knees are not hips.",
        "**Status:** draft",
        "```\nStatus: draft\n```",
        "    Status: draft",
        "Words first.\n\nDate: Friday, at noon.",
        "Status: much improved since the spring.\n".replace("Status", "State"),
        "",
    ],
)
def test_a_text_that_only_looks_a_little_like_a_header_stays_a_text(body: str) -> None:
    assert read(f"{HEADER}\n{body}", ARTICLE).body == body


def test_a_page_needs_a_title_alone_and_has_no_key_of_articles() -> None:
    assert read("Title: About\n\nHello.", PAGE).values == {"title": "About"}
    assert faults("Title: About\nTags: feet\n\nHello.", PAGE) == "line 2: a page has no Tags; delete the line"
    assert "the header has no Title" in faults("Slug: about\n\nHello.", PAGE)


def test_a_key_of_the_owners_own_reaches_his_templates(place: Place) -> None:
    template = place.folder / "theme/templates/parts/article.html"
    words = template.read_text("utf-8").replace("<h1 id", "<p>Mood: {{ article.my_mood }}.</p><h1 id", 1)
    template.write_text(words, "utf-8")
    place.article("second", **{"my-mood": "cheerful"})

    place.build(HEADER_KEYS=["My-Mood"])

    assert "<p>Mood: cheerful.</p>" in place.page("/articles/second/")
    assert "<p>Mood: .</p>" in place.page("/articles/big-toe-and-glutes/")


@pytest.mark.parametrize("key", ["Status", "Url", "conversation", "my mood"])
def test_a_key_of_the_owners_that_is_taken_is_refused(place: Place, key: str) -> None:
    with pytest.raises(BuildError, match=f"HEADER_KEYS: “{key}” is taken"):
        place.build(HEADER_KEYS=[key])


def test_a_fault_in_a_header_is_told_with_file_and_line(place: Place) -> None:
    place.article("second", Staus="draft")
    place.write("pages/about.md", "Title: About\nComments: closed\n\nHello.\n")

    with pytest.raises(BuildError) as stopped:
        place.build()

    about, second = sorted(str(stopped.value).split("\n"), reverse=True)
    assert re.search(r"content/pages/about\.md:2: a page has no Comments; delete the line$", about)
    assert re.search(r"content/articles/second\.md:6: “Staus” is not a key; did you mean “Status”", second)


# For each key a value that the built site shows, or leaves a text out by: what has none here was forgotten somewhere.
SHOWN = {
    "Title": "Ankles",
    "Id": "ankles",
    "Slug": "ankles",
    "Date": "2026-10-02",
    "Summary": "At length.",
    "Status": "draft",
    "Modified": "2026-11-21",
    "Tags": "ankles",
    "Author": "Ada",
    "Lang": "de",
    "Comments": "closed",
    "Formerly": "feet",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A site with a second article that has only what it must have."""
    return built_with(Place(tmp_path_factory.mktemp("plain")))


def built_with(place: Place, **header: str) -> dict[str, bytes]:
    for name in ("third", "fourth"):  # from the third article on, tags are shown
        place.article(name, Tags="feet")
    place.article("second", **header)
    place.build(SOCIAL_IMAGES=False)
    return {
        str(path.relative_to(place.output)): path.read_bytes() for path in place.output.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("key", [key.name for key in KEYS])
def test_every_key_has_an_effect_and_is_explained(place: Place, plain: dict[str, bytes], key: str) -> None:
    guide = "".join(path.read_text("utf-8") for path in (ROOT / "README.md", *Path(ROOT, "docs").glob("*.md")))

    assert key in SHOWN, f"give {key} a value in SHOWN"
    assert built_with(place, **{key: SHOWN[key]}) != plain, (
        f"{key} changes nothing: press/plugin/reader.py, facts.py, theme/"
    )
    assert f"\n| `{key}` | " in guide, f"explain {key} in the table of docs/writing.md"
