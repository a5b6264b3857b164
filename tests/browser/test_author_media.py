"""What an author puts into a text, in a real browser: black ink on dark paper, and tables wider than the column."""

import io
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, Route

from tests.support.place import SITE_URL, Place

INK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 120"><path d="M20 100 280 20" fill="none" stroke="{}" stroke-width="6"/></svg>'
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TABLE = f"| Exercise | {' | '.join(WEEK)} |\n|{'---|' * 8}\n| Calf raises |{' thirty seconds |' * 7}"
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site with line art that has no ground and a wide table."""
    place = Place(tmp_path_factory.mktemp("media"))
    ink = Image.new("RGBA", (300, 120), (0, 0, 0, 0))
    ImageDraw.Draw(ink).line((20, 100, 280, 20), "black", 6)
    ink.save(place.write("images/ink.png", ""))
    for name, colour in (("black", "#000"), ("own", "currentColor")):
        place.write(f"images/{name}.svg", INK.format(colour))
    drawings = "\n\n".join(f"![A line]({{static}}/images/{name})" for name in ("ink.png", "black.svg", "own.svg"))
    place.article("second", text=f"{drawings}\n\n{TABLE}")
    place.build()
    return place


@contextmanager
def opened(browser: Browser, place: Place, width: int, scheme: Scheme, **options: str) -> Iterator[Page]:
    """Open the article under the headers that the site sends."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SITE_URL).partition("#")[0]
        file = place.output / f"{path.lstrip('/')}{'index.html' if path.endswith('/') else ''}"
        kind = mimetypes.guess_type(file.name)[0] or "image/avif"
        route.fulfill(body=file.read_bytes(), content_type=kind) if file.is_file() else route.abort()

    page = browser.new_page(viewport={"width": width, "height": 700}, color_scheme=scheme, **options)  # type: ignore[arg-type]
    page.route("**/*", answer)
    page.goto(f"{SITE_URL}/articles/second/")
    yield page
    page.close()


def greys(picture: Locator) -> list[int]:
    """Return how bright the pixels of an element are, from the darkest to the brightest."""
    picture.scroll_into_view_if_needed()
    return sorted(Image.open(io.BytesIO(picture.screenshot())).convert("L").tobytes())


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("selector", [".flow picture img", ".flow svg >> nth=0"])
def test_black_ink_without_a_ground_can_be_seen(
    browser: Browser, built: Place, selector: str, scheme: Scheme, forced: str
) -> None:
    with opened(browser, built, 360, scheme, forced_colors=forced) as page:
        seen = greys(page.locator(selector))

    assert seen[len(seen) // 100] < 60  # the ink
    assert seen[len(seen) // 2] > 200  # its ground


def test_a_drawing_in_the_colours_of_the_page_stands_on_its_paper(browser: Browser, built: Place) -> None:
    with opened(browser, built, 360, "dark") as page:
        seen = greys(page.locator(".flow svg >> nth=1"))

    assert seen[len(seen) // 2] < 60
    assert seen[-len(seen) // 100] > 150


@pytest.mark.parametrize("width", [360, 1280])
def test_a_wide_table_scrolls_in_its_own_box_by_keyboard_and_breaks_no_word(
    browser: Browser, built: Place, width: int
) -> None:
    with opened(browser, built, width, "light") as page:
        box = page.get_by_role("region", name="Table 1: Exercise")
        box.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("e => e.scrollLeft > 0", arg=box.element_handle())

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        lines = "cells => cells.map(c => { const r = document.createRange(); r.selectNodeContents(c); return new Set([...r.getClientRects()].map(b => b.top)).size })"
        assert page.locator("th").evaluate_all(lines) == [1] * 8
