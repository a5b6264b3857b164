"""Faults around the press: whatever happens to files, disk and folders is told, and ends neither the watch nor the output."""

import contextlib
import errno
import os
import queue
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contract.comment import CommentError, read
from contract.manifest import BuildStatus
from press.builder import Builder
from press.errors import BuildError
from press.watch import Watcher
from tests.support.place import IMAGE_CACHE, ROOT, SITE_URL, Place, a_comment
from tests.support.process import end, line_of

ARTICLE = "/articles/big-toe-and-glutes/"
TALK = "comments/big-toe-and-glutes"
SECONDS = 60.0  # that a test waits for what takes a moment, also on a busy machine


def a_builder(place: Place, **overrides: Any) -> Builder:
    settings: dict[str, Any] = {
        "SITE_URL": SITE_URL,
        "IMAGE_CACHE": IMAGE_CACHE.name,
        "SITE_JSON": str(place.folder / "var/site/site.json"),
    }
    settings |= {"PRESS_CACHE": str(place.folder / "var/press/cache"), "SOCIAL_IMAGES": False}
    return Builder(place.folder / "pelicanconf.py", settings | overrides, is_watching=True)


class Press:
    """A watcher that has built once, what it said, and the builder behind it."""

    def __init__(self, place: Place, **overrides: Any) -> None:
        self.place, self.said = place, list[str]()
        self.builder = a_builder(place, **overrides)
        self.watcher = Watcher(self.builder, queue.SimpleQueue(), place.comments, self.said.append)
        self.watcher.build_all()

    def turn(self, *changed: Path) -> None:
        """Take some changes, and render all that waits."""
        self.watcher.turn(set(changed))
        self.until(lambda: not self.watcher.is_busy)

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, self.said
            time.sleep(0.02)
            self.watcher.turn(set())

    @property
    def faults(self) -> list[str]:
        return BuildStatus.load(self.place.folder / "var/site/press.json").faults


@pytest.fixture
def press(place: Place) -> Iterator[Press]:
    """A press that watches and has built once."""
    made = Press(place)
    with contextlib.closing(made.builder):
        yield made


# Files that nobody expected


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("david@laptop.4711:1764000000")


def a_link_elsewhere(path: Path) -> None:
    target = path.parents[3] / "elsewhere.md"
    target.write_text(f"Id: {path.stem}\nArticle: big-toe-and-glutes\nAuthor: Tom\n\nFrom elsewhere.\n", "utf-8")
    path.symlink_to(target)


def bytes_of_a_mac(path: Path) -> None:
    path.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\xb0\xb0")


def test_what_editors_and_systems_leave_is_ignored(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    left = (".#0002.md", "._0002.md", "0002.md~", ".0002.md.swp", "#0002.md#", ".DS_Store")
    for folder in ("articles", TALK, "pages", "extra"):
        (place.folder / "content" / folder).mkdir(exist_ok=True)
        for name in left:
            make = a_link_to_nothing if name == ".#0002.md" else bytes_of_a_mac
            make(place.folder / "content" / folder / name)

    place.build(SOCIAL_IMAGES=False)

    assert capfd.readouterr().err == ""
    assert not [path for path in place.output.rglob("*") if path.name in left]


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (a_link_to_nothing, "this is no file of its own but a link; put the file itself here"),
        (a_link_elsewhere, "this is no file of its own but a link; put the file itself here"),
        (a_pipe, "this is no ordinary file; delete it"),
        (Path.mkdir, ""),
        (bytes_of_a_mac, "is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_comment_that_is_no_file_is_set_aside_at_once_and_the_watch_goes_on(
    press: Press, place: Place, make: Callable[[Path], None], cause: str
) -> None:
    odd = place.comments / "big-toe-and-glutes/oddd.md"
    make(odd)

    press.turn(odd)
    press.turn(place.comment(a_comment()))

    told = [line for line in press.said if line.startswith("set aside:")]
    assert [re.sub(r".*oddd\.md: line 1: (byte 0x\w\w )?", "", line) for line in told] == ([cause] if cause else [])
    assert 'id="comment-abcd"' in place.page(ARTICLE)
    assert "From elsewhere" not in place.page(ARTICLE)
    assert press.faults == []


def test_a_folder_of_comments_that_is_a_link_is_named_and_not_followed(press: Press, place: Place) -> None:
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "abcd.md").write_text("Id: abcd\nArticle: second\nAuthor: Tom\n\nFrom elsewhere.\n", "utf-8")
    place.article("second")
    (place.comments / "second").symlink_to(elsewhere)

    press.turn(place.folder / "content/articles/second.md", place.comments / "second")

    assert "From elsewhere" not in place.page("/articles/second/")
    assert any(problem.endswith("but a link; put the file itself here") for problem in press.builder.problems)


def test_a_comment_file_that_breaks_a_rule_is_told_at_once(press: Press, place: Place) -> None:
    path = place.write(f"{TALK}/abcd.md", "Id: abcd\nArticle: big-toe-and-glutes\nAutor: Tom\n\nHello.\n")

    press.watcher.turn({path})

    assert press.said[-1].startswith("set aside: ")
    assert "abcd.md: line 3: “Autor” is not a key" in press.said[-1]


def test_a_comment_of_endless_size_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a" / "abcd.md"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(8 << 30)

    with pytest.raises(CommentError, match="larger than 65,536 bytes"):
        read(path)


@pytest.mark.parametrize("make", [a_pipe, a_link_to_nothing, Path.mkdir, bytes_of_a_mac])
def test_an_odd_article_is_told_with_its_name_and_the_watch_recovers(
    press: Press, place: Place, make: Callable[[Path], None]
) -> None:
    odd, before = place.folder / "content/articles/odd.md", place.page(ARTICLE)
    make(odd)

    press.turn(odd)
    told = press.faults
    press.turn(place.comment(a_comment()))
    odd.rmdir() if odd.is_dir() else odd.unlink()
    press.turn(odd)

    assert make is Path.mkdir or "content/articles/odd.md" in told[0]
    assert press.faults == []
    assert place.page(ARTICLE) != before


@pytest.mark.parametrize("make", [a_pipe, a_link_to_nothing])
def test_an_odd_file_for_the_root_of_the_site_is_refused_with_its_name(
    place: Place, make: Callable[[Path], None]
) -> None:
    (place.folder / "content/extra").mkdir()
    make(place.folder / "content/extra/odd.txt")

    with pytest.raises(BuildError, match=r"content/extra/odd\.txt: this is no ordinary file; delete it"):
        place.build(SOCIAL_IMAGES=False)


# Disk and folders


@pytest.mark.parametrize("name", ["pathlib.Path.replace", "pathlib.Path.write_bytes", "contract.atomic.write"])
def test_a_full_disk_is_told_and_tried_again_until_there_is_room(
    press: Press, place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(path: Path, *arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    comment, article = place.comment(a_comment()), place.article("second")
    with monkeypatch.context() as patched:
        patched.setattr(name, full)
        press.watcher.turn({comment})
        press.watcher.turn({article})

    press.until(lambda: (place.output / "articles/second").exists() and press.faults == [])
    assert "No space left on device" in " ".join(press.said)
    assert 'id="comment-abcd"' in place.page(ARTICLE)


def test_a_link_to_a_comment_that_comes_back_is_no_fault_any_more(press: Press, place: Place) -> None:
    comment = place.comment(a_comment())
    press.turn(place.article("second", text=f"As [Tom]({ARTICLE}#comment-abcd) says."))
    words = comment.read_text("utf-8")
    comment.unlink()
    press.turn(comment)
    told = press.faults

    comment.write_text(words, "utf-8")
    press.turn(comment)

    assert "#comment-abcd" in told[0]
    assert press.faults == []


def test_a_second_press_says_so_and_ends(press: Press, place: Place) -> None:
    with pytest.raises(BuildError, match="var/press: another press works here; let it go on, or end it first"):
        a_builder(place)

    press.builder.close()
    a_builder(place).close()


def test_what_a_killed_press_left_is_removed_by_the_next(place: Place) -> None:
    for name in (".output-a1b2c3d4", ".output-zzzzzzzz"):
        (place.folder / name).mkdir()
        (place.folder / name / "index.html").write_text("Half a page.")
    (place.folder / ".output-4711").write_text("Half a page.")
    (place.folder / ".output-of-mine").mkdir()
    (place.folder / "var/site").mkdir(parents=True)
    (place.folder / "var/site/.output-abcdefgh").mkdir()

    place.build(SOCIAL_IMAGES=False)

    assert [path.name for path in place.folder.glob(".output*")] == [".output-of-mine"]
    assert not list((place.folder / "var/site").glob(".output*"))


def another_file_system(beside: Path) -> Path:
    """Return a folder on another file system, or skip the test."""
    for folder in (Path("/dev/shm"), Path("/run/shm"), Path.home()):
        if folder.is_dir() and os.access(folder, os.W_OK) and folder.stat().st_dev != beside.stat().st_dev:
            return folder
    pytest.skip("there is one file system")


def test_an_output_on_another_file_system_is_staged_there(place: Place) -> None:
    other = another_file_system(place.folder) / f"site-{os.getpid()}"
    other.mkdir()
    try:
        (place.folder / "output").symlink_to(other / "output")

        place.build(SOCIAL_IMAGES=False, OUTPUT_PATH=str(other / "output"))

        assert (other / "output/index.html").exists()
        assert [path.name for path in other.iterdir()] == ["output"]
    finally:
        shutil.rmtree(other)


def test_an_output_that_is_a_file_system_is_refused_before_anything_is_written(place: Place) -> None:
    mount = another_file_system(place.folder)
    if not mount.is_mount():
        pytest.skip("no file system is mounted where a test may look")
    before = set(mount.iterdir())

    with pytest.raises(BuildError, match=f"{mount} is a file system of its own; .* SITE_OUTPUT={mount}/site"):
        place.build(SOCIAL_IMAGES=False, OUTPUT_PATH=str(mount))

    assert set(mount.iterdir()) == before


# A fault in an article, and what readers said


def test_a_faulty_article_holds_back_no_comment_and_no_erasure_after_a_restart(place: Place) -> None:
    erased = place.comment(a_comment(id="gone", body="Said in confidence."))
    place.article("second", text="Good words.")
    place.build(SOCIAL_IMAGES=False)
    place.article("second", text="[dead](/nowhere/)", Staus="draft")
    place.write("articles/new.md", "Unfinished.")
    erased.unlink()
    place.comment(a_comment(article="second"))

    made = Press(place)
    with contextlib.closing(made.builder):
        told = made.faults
        page, second = place.page(ARTICLE), place.page("/articles/second/")
        made.turn(place.comment(a_comment(id="efgh", article="second")))

        assert "Said in confidence." not in page
        assert b"in confidence" not in (place.folder / "var/press/cache").read_bytes()
        assert "Good words." in second
        assert 'id="comment-abcd"' in second
        assert 'id="comment-efgh"' in place.page("/articles/second/")
        assert [re.sub(r".*content/", "", fault)[:20] for fault in sorted(told)] == [
            "articles/new.md:1: e",
            "articles/second.md:6",
        ]

        (place.folder / "content/articles/new.md").unlink()
        made.turn(place.article("second", text="Better words."))

    assert made.faults == []
    assert "Better words." in place.page("/articles/second/")


def test_the_watch_begins_although_an_article_is_wrong(place: Place) -> None:
    (place.folder / "publishconf.py").write_bytes((ROOT / "publishconf.py").read_bytes())
    place.build(SITE_URL=SITE_URL)
    place.article("second", Staus="draft")
    place.comment(a_comment())
    command = [sys.executable, "-m", "press", "watch"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SITE_URL": SITE_URL}
    with subprocess.Popen(command, cwd=place.folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert line_of(process, SECONDS) == "watching\n"
            second = subprocess.run(
                command, cwd=place.folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
            )
        finally:
            end(process, seconds=SECONDS)

    assert 'id="comment-abcd"' in place.page(ARTICLE)
    assert (second.returncode, second.stderr.partition("\n")[0]) == (
        1,
        "var/press: another press works here; let it go on, or end it first",
    )


def test_a_press_that_watches_shows_that_it_lives(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    told = press.place.folder / "var/site/press.json"
    os.utime(told, (0, 0))
    monkeypatch.setattr("press.watch.BEAT_SECONDS", -1)

    press.watcher.run(lambda: told.stat().st_mtime > 0)

    assert BuildStatus.load(told).wrong(told, datetime.now(UTC)) == ""
