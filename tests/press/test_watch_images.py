"""Photographs while the site is watched: another process makes their sizes, and comments do not wait for it."""

import time
from multiprocessing import active_children
from pathlib import Path

import pytest

from press.assets.raster import Raster
from press.watch import Changes, watching
from tests.support.place import Place, a_comment

SOON = 60.0  # seconds that a test waits for what takes a moment, also on a busy machine


def until(changes: Changes, wanted: Path) -> list[Path]:
    """Return what changed, in the order it came, until a file did."""
    found: list[Path] = []
    while wanted not in found:
        found += sorted(changes.get(timeout=SOON))
    return found


def wait_for_a_process() -> None:
    """Wait until another process is at work, but not for ever."""
    end = time.monotonic() + SOON
    while not active_children():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def a_photograph_of_a_phone(place: Place) -> Path:
    """Move a photograph of twelve megapixels into the content folder, as an upload does."""
    made = place.image("../foot.jpg", size=(4000, 3000))
    (place.folder / "content/images").mkdir(exist_ok=True)
    return made.resolve().rename(place.folder / "content/images/foot.jpg")


def test_comments_pass_a_photograph_and_what_changed_after_it_does_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = place.folder / "cache"
    with watching(place.folder / "content", place.folder / "theme", place.folder, cache) as changes:
        photograph = a_photograph_of_a_phone(place)
        text = place.article("second", text="![A foot]({static}/images/foot.jpg)")
        wait_for_a_process()
        comment = place.comment(a_comment())

        order = until(changes, text)

    assert order[0] == comment
    assert photograph in order
    monkeypatch.setattr(Raster, "encode", None)  # nothing is left for this process
    place.build(IMAGE_CACHE=str(cache))
    assert len(list(place.output.glob("images/foot-*"))) == 7


def test_a_photograph_that_is_broken_is_passed_on_for_the_build_to_tell(place: Place) -> None:
    with watching(place.folder / "content", place.folder / "theme", place.folder, place.folder / "cache") as changes:
        broken = place.write("images/foot.jpg", "no pixels")

        assert broken in until(changes, broken)


def test_a_folder_that_cannot_be_watched_is_told_and_not_waited_for(place: Place) -> None:
    with (
        pytest.raises(OSError, match="What changes cannot be watched"),
        watching(place.folder / "nothing", place.folder / "theme", place.folder),
    ):
        pass


def test_no_process_is_left_when_the_watch_ends(place: Place) -> None:
    with watching(place.folder / "content", place.folder / "theme", place.folder, place.folder / "cache"):
        a_photograph_of_a_phone(place)
        wait_for_a_process()

    assert active_children() == []
