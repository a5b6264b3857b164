"""The social image of an article: its size, its address, the fit of its title, and the same bytes everywhere."""

import io
import re

import pytest
from PIL import Image

from press.assets.og_image import SIZES, WIDTH, fit, shown
from press.errors import BuildError
from tests.support.place import SITE_URL, Place

ARTICLE = "/articles/big-toe-and-glutes/"
TITLE = "Your big toe and your glutes must be talking to each other for stability and power."


def social(place: Place, address: str) -> dict[str, str]:
    """Return what a page tells of how a link to it looks."""
    return dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', place.page(address)))


def image(place: Place, address: str) -> bytes:
    """Return the social image of a page."""
    return (place.output / social(place, address)["image"].removeprefix(f"{SITE_URL}/")).read_bytes()


def test_an_article_says_how_a_link_to_it_looks(shipped: Place) -> None:
    told = social(shipped, ARTICLE)

    assert re.fullmatch(SITE_URL + r"/images/social-[0-9a-f]{12}\.png", told.pop("image"))
    assert told == {
        "type": "article",
        "title": TITLE,
        "description": "Get your feet talking to your glutes for stability and power.",
        "url": f"{SITE_URL}{ARTICLE}",
    }


def test_the_front_page_has_the_image_of_what_it_leads_with(shipped: Place) -> None:
    told = social(shipped, "/")

    assert told["image"] == social(shipped, ARTICLE)["image"]
    assert (told["type"], told["title"], told["url"]) == ("website", "From the ground up", f"{SITE_URL}/")


def test_a_site_without_articles_has_no_social_image(place: Place) -> None:
    (place.folder / "content/articles/big-toe-and-glutes.md").unlink()

    place.build()

    assert "image" not in social(place, "/")
    assert not list(place.output.glob("images/social-*"))


def test_any_title_has_an_image_of_the_right_size(place: Place) -> None:
    titles = [TITLE, "Feet", f"{'Long ' * 100}title", "x" * 10_000, "Ноги", "脚", "𝔉oot 👣"]
    for number, title in enumerate(titles):
        place.article(f"article-{number}", Title=title)

    place.build()

    for number in range(len(titles)):
        data = image(place, f"/articles/article-{number}/")
        assert len(data) < 60_000
        with Image.open(io.BytesIO(data)) as picture:
            assert (picture.format, picture.size) == ("PNG", (1200, 630))
            assert picture.convert("RGB").getpixel((2, 2)) == (0xFB, 0xF8, 0xF3)  # the paper of the look


def test_the_same_title_gives_the_same_bytes(place: Place) -> None:
    made = []
    for cache in ("one", "two"):
        place.build(IMAGE_CACHE=str(place.folder / cache))
        made.append((social(place, ARTICLE)["image"], image(place, ARTICLE)))

    assert made[0] == made[1]


def test_the_title_the_name_and_the_accent_are_in_the_image(place: Place) -> None:
    seen = set()
    for facts in ({}, {"SITENAME": "Feet"}, {"ACCENT": ("#aa0000", "#ffaaaa")}):
        place.build(**facts)
        seen.add(image(place, ARTICLE))
    place.article("second", Title="Another")
    place.build()
    seen.add(image(place, "/articles/second/"))

    assert len(seen) == 4


def test_an_ink_that_cannot_be_drawn_is_refused(place: Place) -> None:
    tokens = place.folder / "theme/templates/tokens.css"
    tokens.write_text(tokens.read_text("utf-8").replace("--ink: light-dark(#1d2925", "--ink: light-dark(ink"), "utf-8")

    with pytest.raises(BuildError, match=r"tokens\.css: --ink is “ink”; write it like #1d2925"):
        place.build()


@pytest.mark.parametrize("title", [TITLE, "Feet", f"{'Long ' * 100}title", "x" * 10_000, "W" * 40, "two words " * 8])
def test_a_title_fits_and_the_shorter_is_the_larger(title: str) -> None:
    size, lines = fit(title)

    assert size in SIZES
    assert lines
    assert len(lines) * size * 1.14 <= 440
    drawn = " ".join(lines)
    assert drawn == " ".join(title.split()) or drawn.endswith("…")
    assert max(len(line) for line in lines) * size * 0.2 < WIDTH
    assert fit("Feet")[0] == SIZES[0] > fit(TITLE)[0] > fit(f"{TITLE} {TITLE}")[0]


def test_letters_that_the_font_lacks_are_not_drawn_as_boxes() -> None:
    assert shown("Café – naïve “Łódź” …") == "Café – naïve “Łódź” …"
    assert shown("Ноги") == shown("脚") == shown("Feet 👣") == ""
