"""Compressed copies beside the pages: those of today's words, or none."""

import contextlib
import gzip
from pathlib import Path

import brotli
import pytest

from press.builder import Builder
from press.output.compression import COPIES, KINDS
from press.output.folder import files_below
from tests.support.place import ARTICLE, Place, a_comment
from tests.support.process import wait_until

READ = {".br": brotli.decompress, ".gz": gzip.decompress}
PAGE = f"articles/{ARTICLE}/index.html"


def compressed(place: Place) -> bool:
    """Tell whether every file that gains by it has its copies."""
    files = set(files_below(place.output))
    return all(f"{file}{ending}" in files for file in files if file.endswith(KINDS) for ending in COPIES)


def words_in_copies(place: Place) -> bytes:
    """Return all that stands in compressed copies."""
    found = [path for path in place.output.rglob("*") if path.suffix in READ]
    return b"".join(READ[path.suffix](path.read_bytes()) for path in found)


@pytest.fixture
def built(place: Place) -> Place:
    """A site whose copies are made."""
    place.comment(a_comment(id="gone", body="Words to be erased."))
    with builder(place) as made:
        made.build_all()
        wait_until(lambda: compressed(place), "every file has its copies")
    return place


def builder(place: Place) -> contextlib.closing[Builder]:
    """Return a builder as a watching press has it."""
    return contextlib.closing(Builder(place.folder / "pelicanconf.py", place.settings(), is_compressing=True))


def test_a_copy_holds_the_bytes_of_its_file_and_is_as_old(built: Place) -> None:
    copies = [path for path in built.output.rglob("*") if path.suffix in READ]

    assert {path.with_suffix("").suffix for path in copies} >= {".html", ".xml", ".js", ".svg", ".txt"}
    for copy in copies:
        file = copy.with_suffix("")
        assert READ[copy.suffix](copy.read_bytes()) == file.read_bytes(), copy
        assert copy.stat().st_mtime_ns == file.stat().st_mtime_ns, copy


def test_a_page_that_changes_loses_its_copies_and_the_others_keep_theirs(built: Place) -> None:
    kept = {name: (built.output / name).stat().st_ino for name in ("contact/index.html.br", "404.html.gz")}
    assert b"Words to be erased." in words_in_copies(built)
    (built.comments / ARTICLE / "gone.md").unlink()

    built.build()  # which makes no copies

    assert not [ending for ending in COPIES if (built.output / f"{PAGE}{ending}").exists()]
    assert b"Words to be erased." not in words_in_copies(built)
    assert kept == {name: (built.output / name).stat().st_ino for name in kept}


def test_copies_go_with_their_file(built: Place) -> None:
    built.article("second")
    with builder(built) as made:
        made.build_all()
        wait_until(lambda: compressed(built), "every file has its copies")
    (built.folder / "content/articles/second.md").unlink()

    built.build()

    assert not Path(built.output, "articles/second").exists()


def test_a_page_written_alone_is_compressed_again(built: Place) -> None:
    with builder(built) as made:
        made.build_all()
        (built.comments / ARTICLE / "gone.md").unlink()
        for article in made.look(ARTICLE):
            for file in [*made.pages_of(article), *made.shared]:
                made.render_page(file)
        assert b"Words to be erased." not in words_in_copies(built)
        wait_until(lambda: compressed(built), "every file has its copies")

    assert b"Words to be erased." not in words_in_copies(built)
