"""The tables of an author: in a box with a name in the page, as they were in the feed."""

import re

import pytest

from press.output.tables import plain, scrollable
from tests.support.place import Place

TABLE = "| Exercise | Monday |\n|---|--:|\n| Calf raises | three sets |"


def test_a_table_stands_in_a_box_that_the_keyboard_reaches_and_a_feed_has_it_plain(place: Place) -> None:
    place.article("second", text=f"{TABLE}\n\nThen:\n\n{TABLE.replace('Exercise', 'A *rest* & more')}")

    place.build()

    boxes = re.findall(
        r'<div class="table" role="region" tabindex="0" aria-label="([^"]*)"><table>', place.page("/articles/second/")
    )
    assert boxes == ["Table 1: Exercise", "Table 2: A rest &amp; more"]
    entry = place.page("/feed.xml").partition("/articles/second/")[2].partition("</entry>")[0]
    assert "&lt;table&gt;" in entry
    assert "&lt;div" not in entry


@pytest.mark.parametrize(
    ("html", "label"),
    [
        ("<table><caption>My <b>week</b></caption><tr><th>Day</th></tr></table>", "Table 1: My week"),
        ("<table>\n<tr><td>1</td></tr></table>", "Table 1"),
        ("<table><tr><th></th><th>Day</th></tr></table>", "Table 1"),
        ('<table><tr><th title="x">"A" &lt; B</th></tr></table>', "Table 1: &quot;A&quot; &lt; B"),
    ],
)
def test_the_box_is_called_after_its_first_heading(html: str, label: str) -> None:
    boxed = scrollable(f"<p>Words.</p>{html}")

    assert f' aria-label="{label}"><table' in boxed
    assert plain(boxed) == f"<p>Words.</p>{html}"


def test_only_the_innermost_of_tables_in_each_other_is_boxed() -> None:
    nested = "<table><tr><td><table><tr><td>1</td></tr></table></td></tr></table>"

    boxed = scrollable(nested)

    assert boxed.count("<div") == 1
    assert plain(boxed) == nested
