"""The theme: what its templates read, where they trust, where they come from, and whether its colours can be read."""

import re

import pytest
from jinja2 import DictLoader, FileSystemLoader, meta, nodes

from contract.templates import environment
from press.assets.style import style
from press.errors import BuildError
from tests.support.pages import TEMPLATES, colours
from tests.support.place import Place

EVERY_TEMPLATE = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.*"))
OPENING = re.compile(r"\{#.*?Reads: (?P<names>[^.]*)\..*?#\}", re.DOTALL)

# Pelican's own theme has all of these, and would lend them without a word.
ALSO_IN_PELICANS_THEME = ["archives", "article", "base", "index", "page"]

READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.2, success criteria 1.4.3 and 1.4.11
GROUNDS = ("paper", "surface", "sunk")
PAIRS = [
    *((colour, ground, READABLE) for colour in ("ink", "ink-2", "accent", "clay", "error") for ground in GROUNDS),
    *((colour, ground, READABLE) for colour in ("focus", "ok") for ground in ("paper", "surface")),
    ("on-accent", "accent", READABLE), ("ink", "error-ground", READABLE), ("error", "error-ground", READABLE),
    ("ink", "ok-ground", READABLE), ("ok", "ok-ground", READABLE), ("control", "surface", VISIBLE),
    ("control", "paper", VISIBLE),
]  # fmt: skip


def test_base_opens_with_what_it_reads() -> None:
    assert OPENING.match((TEMPLATES / "base.html").read_text("utf-8"))


@pytest.mark.parametrize("name", [n for n in EVERY_TEMPLATE if OPENING.match((TEMPLATES / n).read_text("utf-8"))])
def test_a_template_reads_what_its_first_line_says(name: str) -> None:
    text = (TEMPLATES / name).read_text("utf-8")

    read = variables(text)

    opening = OPENING.match(text)
    assert opening
    told = set(opening["names"].split(", "))
    # What base reads goes without saying in a template that extends it.
    assert read == told if name == "base.html" else read - {"site"} == told


def test_only_the_authors_own_text_is_trusted() -> None:
    everything = "".join((TEMPLATES / name).read_text("utf-8") for name in EVERY_TEMPLATE)

    trusted = re.findall(r"(\S+)\s*\|\s*safe\b", everything)

    assert sorted(trusted) == ["article.content", "page.content"]
    assert "autoescape" not in everything


@pytest.mark.parametrize(("name", "words", "told"), [
    *[(f"{name}.html", "", rf"\b{name}\b") for name in ALSO_IN_PELICANS_THEME],
    ("404.html", '{% extends "!simple/base.html" %}', r"404\.html:1: !simple/base\.html"),
])  # fmt: skip
def test_no_template_is_taken_from_pelicans_own_theme_nor_can_be(
    place: Place, name: str, words: str, told: str
) -> None:
    place.write("pages/about.md", "Title: About\nSlug: about\nSummary: In short.\n\nWords.\n")
    template = place.folder / "theme/templates" / name
    template.write_text(words, "utf-8") if words else template.unlink()

    with pytest.raises(BuildError, match=told):
        place.build()


def test_no_template_marks_its_comments_up_for_readers(shipped: Place) -> None:
    assert "<!--" not in shipped.page("/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("colour", "ground", "least"), PAIRS, ids=lambda value: str(value))
def test_a_colour_can_be_read_on_its_ground(scheme: str, colour: str, ground: str, least: float) -> None:
    tokens = colours(scheme)

    ratio = contrast(tokens[colour], tokens[ground])

    assert ratio >= least, f"--{colour} on --{ground} in the {scheme} scheme is {ratio:.2f}; it needs {least}"


def test_the_measure_of_contrast_is_that_of_wcag() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


def test_a_token_stands_in_a_page_as_its_value_unless_something_changes_it() -> None:
    tokens = ":root {--gap: 4rem; --ink: #123;\n}\n"
    page = '{% include "tokens.css" %}main {margin: var(--gap); color: var(--ink)} @media print {:root {--ink: #000;}}'

    made = style(environment(DictLoader({"tokens.css": tokens, "style.css": page})), ())

    assert made == ":root{--ink:#123}main{color:var(--ink);margin:4rem}@media print{:root{--ink:#000}}"


def variables(text: str) -> set[str]:
    """Return the variables that a template reads and does not make itself."""
    tree = environment(FileSystemLoader(TEMPLATES)).parse(text)
    # Jinja counts what stands at the top of the file and is used in a block.
    made = {name for node in tree.find_all(nodes.FromImport) for name in node.names}
    made |= {node.target.name for node in tree.find_all(nodes.Assign) if isinstance(node.target, nodes.Name)}
    return meta.find_undeclared_variables(tree) - made


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, definition of contrast ratio)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour like #fff or #0e5c52 (WCAG 2.2, definition of relative luminance)."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    shares = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
