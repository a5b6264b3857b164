"""The build: what is wrong stops it and changes nothing, what is right moves in by rename."""

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.manifest import BuildStatus
from press.errors import BuildError
from press.output.folder import move
from tests.support.place import ROOT, SITE_URL, Place, a_comment

Fault = Callable[[Place], dict[str, Any]]


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def facts(place: Place) -> dict[str, bytes]:
    """Return what the build hands to others, but for how it went."""
    return {name: data for name, data in files(place.folder / "var/site").items() if name != "press.json"}


def article(data: bytes = b"", **header: str) -> Fault:
    """A second article with something in its header, or of these bytes."""

    def fault(place: Place) -> dict[str, Any]:
        file = place.article("second", **header)
        file.write_bytes(data or file.read_bytes())
        return {}

    return fault


def template(name: str, old: str, new: str) -> Fault:
    """A template with something in the place of something else."""

    def fault(place: Place) -> dict[str, Any]:
        file = place.folder / "theme/templates" / name
        assert old in file.read_text("utf-8")
        file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
        return {}

    return fault


def missing(name: str) -> Fault:
    """A template that is not there."""
    return lambda place: {"_": shutil.move(place.folder / "theme/templates" / name, place.folder)}


def plugin(source: str) -> Fault:
    """One more plugin."""
    names = {"PLUGINS": ["press.plugin", "faulty"]}
    return lambda p: names | {"_": p.write("../faulty.py", source), "PLUGIN_PATHS": [str(p.folder)]}


# What is wrong, then the file and the cause that the error names.
SECOND, THEME = "content/articles/second.md:7", "theme/templates"
HEADING = f"{THEME}/privacy.html:{(ROOT / THEME / 'privacy.html').read_text('utf-8').partition('<h1>')[0].count(chr(10)) + 1}:"
FAULTS: dict[str, tuple[Fault, str, str]] = {
    "a dead link": (article(text="[x](/nowhere/)"), f"{SECOND}: link to /nowhere/", "no such page or file"),
    "a dead fragment": (article(text="[x](/contact/#gone)"), SECOND, "that page has no id “gone”"),
    "a dead fragment of its own": (article(text="[x](#gone)"), SECOND, "that page has no id “gone”"),
    "a dead link to a file": (article(text="[x]({filename}gone.md)"), SECOND, "Unable to find 'gone.md'"),
    "a missing image": (article(text="![x](/images/gone.png)"), SECOND, "no such page or file"),
    "a missing {static} image": (article(text="![x]({static}/images/gone.png)"), f"{SECOND}: there is no image ", "content/images/gone.png; put it there, or correct the address"),
    "a dead feed address": (template("base.html", 'href="/feed.xml">\n', 'href="/atom.xml">\n'), f"{THEME}/base.html:", "link to /atom.xml: no such page or file"),
    "an unknown variable": (template("privacy.html", "<h1>", "<h1>{{ nobody }}"), HEADING, "'nobody' is undefined"),
    "an unknown fact": (template("parts/contact.html", "<h2>", "<h2>{{ site.nobody }}"), f"{THEME}/parts/contact.html:", "has no attribute 'nobody'"),
    "a broken template": (template("privacy.html", "<h1>", "<h1>{% if %}"), HEADING, "Expected an expression"),
    "a missing template": (missing("privacy.html"), THEME, "unable to load privacy"),
    "a missing part": (missing("parts/form.html"), f"{THEME}/parts/conversation.html:", "parts/form.html"),
    "a missing stylesheet": (missing("style.css"), "style.css", "TemplateNotFound"),
    "a broken stylesheet": (template("style.css", "@media print {", "@media print { }"), "style.css:", "Parsing stylesheet"),
    "a plugin that is not there": (lambda place: {"PLUGINS": ["press.plugin", "faulty"]}, "faulty", "Cannot"),
    "a plugin that does not load": (plugin("raise ValueError('no luck')"), "faulty.py:1", "ValueError: no luck"),
    "a plugin that does not register": (plugin("def register():\n    1 / 0"), "faulty", "division by zero"),
    "an unreadable article": (article("Title: Café\n".encode("latin-1")), "articles/second.md:1", "byte 0xe9 is not UTF-8"),
    "a status of no meaning": (article(Status="drfat"), "second.md", "did you mean “draft”?"),
    "a date that is none": (article(Date="soon"), "second.md", "“soon” is no date"),
    "a page without a title": (lambda p: {"_": p.write("pages/a.md", "Slug: a\n\nHello.")}, "pages/a.md:1", "no Title"),
}  # fmt: skip


# What is wrong, then the file and the cause that the error names.


@pytest.mark.parametrize(("fault", "file", "cause"), FAULTS.values(), ids=FAULTS)
def test_a_fault_stops_the_build_and_leaves_the_last_good_output(
    place: Place, fault: Fault, file: str, cause: str
) -> None:
    place.build()
    before = files(place.output) | facts(place)
    overrides = fault(place)

    with pytest.raises(BuildError) as stopped:
        place.build(**overrides)

    assert file in str(stopped.value)
    assert cause in str(stopped.value)
    assert files(place.output) | facts(place) == before
    assert cause in "\n".join(BuildStatus.load(place.folder / "var/site/press.json").faults)
    assert not list(place.folder.glob(".output-*"))


FAILING = """
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

class Failing(Extension, Preprocessor):
    def extendMarkdown(self, parser):
        parser.preprocessors.register(self, "failing", 1)

    def run(self, lines):
        return [f"{1 / ('boom' not in line)} {line}" for line in lines]

MARKDOWN["extensions"].append(Failing())
"""


@pytest.mark.parametrize(("text", "configuration", "told"), [
    ("[x]({filename}gone.md)", "", r"Unable to find 'gone\.md'"),
    ("boom", FAILING, r"Could not process articles/second\.md: division by zero"),
], ids=["a dead link", "an extension"])  # fmt: skip
def test_a_fault_is_told_in_the_first_build_as_in_any(place: Place, text: str, configuration: str, told: str) -> None:
    place.article("second", text=text)
    with (place.folder / "pelicanconf.py").open("a", encoding="utf-8") as file:
        file.write(configuration)

    for _ in range(2):
        with pytest.raises(BuildError, match=told):
            place.build()


def test_a_fault_that_many_pages_share_is_told_once(place: Place) -> None:
    template("base.html", '"/privacy/"', '"/secrets/"')(place)

    with pytest.raises(BuildError) as stopped:
        place.build()

    assert len(str(stopped.value).split("\n")) == 1


def test_every_fault_is_told_at_once(place: Place) -> None:
    place.article("second", Title="")
    place.article("third", Date="soon")

    with pytest.raises(BuildError) as stopped:
        place.build()

    second, third = sorted(str(stopped.value).split("\n"))
    assert second.endswith("articles/second.md:1: the header has no Title; add a line “Title: …”")
    assert re.search(r"articles/third\.md:4: Date: “soon” is no date; write year-month-day", third)


def test_a_site_put_right_builds_in_the_same_process(place: Place) -> None:
    article = place.article("second", Title="")
    with pytest.raises(BuildError):
        place.build()
    article.unlink()

    place.build()

    assert "From the ground up" in place.page("/")


def test_a_reader_cannot_stop_the_build_with_a_link(place: Place) -> None:
    place.comment(a_comment(website=f"{SITE_URL}/nowhere/", body=f"See <{SITE_URL}/gone/>."))

    place.build()

    assert place.page("/comments.xml").count(f"{SITE_URL}/gone/") == 3
    assert f'href="{SITE_URL}/nowhere/"' in place.page("/")


def test_nothing_is_left_beside_the_output_and_the_handlers_of_the_log_are_as_before(place: Place) -> None:
    before, handlers = {path.name for path in place.folder.iterdir()}, list(logging.root.handlers)

    place.build()

    assert {path.name for path in place.folder.iterdir()} - before - {"__pycache__"} == {"output", "var"}
    handed_over = ["site/caddy.conf", "site/nginx.conf", "site/press.json", "site/site.json"]
    assert sorted(files(place.folder / "var")) == ["press/cache", *handed_over]
    assert logging.root.handlers == handlers


def test_a_page_that_did_not_change_is_left_alone_and_what_left_the_content_leaves_the_output(place: Place) -> None:
    article = place.article("second")
    place.build()
    before = {path: path.stat().st_ino for path in place.output.rglob("*.*")}
    place.build()
    assert {path: path.stat().st_ino for path in place.output.rglob("*.*")} == before
    article.unlink()

    place.build()

    assert not (place.output / "articles/second").exists()


def test_new_files_come_first_then_changed_ones_then_removals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    then = {"a": 1, "b/old": 1, "c": 1, "d/old": 1}
    for folder, kept in ((source, {"a": 2, "b/new": 1, "c": 1, "z": 1}), (target, then)):
        for name, version in kept.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{name} {version}")
    done: list[tuple[str, str]] = []
    replace, unlink = Path.replace, Path.unlink

    def watched_replace(path: Path, to: Path) -> Path:
        done.append(("move", to.relative_to(target).as_posix()))
        return replace(path, to)

    def watched_unlink(path: Path) -> None:
        done.append(("remove", path.relative_to(target).as_posix()))
        unlink(path)

    monkeypatch.setattr(Path, "replace", watched_replace)
    monkeypatch.setattr(Path, "unlink", watched_unlink)
    move(source, target)

    assert done == [("move", "b/new"), ("move", "z"), ("move", "a"), ("remove", "d/old"), ("remove", "b/old")]
    assert files(target) == {"a": b"a 2", "b/new": b"b/new 1", "c": b"c 1", "z": b"z 1"}
    assert sorted(path.name for path in target.iterdir()) == ["a", "b", "c", "z"]


def test_plain_pelican_writes_the_same_site_and_again_over_it(place: Place) -> None:
    place.article("second", text="![x]({static}/images/toe.png)")
    place.article("third", Formerly="one two")
    place.image("images/toe.png")
    place.write("extra/well-known.txt", "a file")
    place.build()
    ours, told = files(place.output), facts(place)
    (place.folder / "conf.py").write_text(f"from pelicanconf import *\nSITE_URL = {SITE_URL!r}\n", "utf-8")

    for _ in range(2):
        process = subprocess.run(
            [sys.executable, "-m", "pelican", "content", "-s", "conf.py", "-o", "plain", "--fatal=warnings"],
            cwd=place.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert process.returncode == 0, process.stdout + process.stderr

    assert files(place.folder / "plain") == ours
    assert facts(place) == told
