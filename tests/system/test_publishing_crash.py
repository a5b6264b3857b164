"""Process killed at twenty points of a publishing, or while it waits for the press: its file is the old text or the new one, whole."""

import contextlib
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.manifest import BuildStatus
from postbox.settings import Settings
from postbox.writing.publisher import Publisher
from postbox.writing.text_file import edited, hash_of
from postbox.writing.texts import Texts
from press.builder import Builder
from press.errors import BuildError
from tests.support.desk import a_client
from tests.support.place import Place
from tests.support.process import end, environment, wait_until

KEY, POINTS = "articles/shoes", 20
# Publishes the working copy; ends itself, as a power cut would, before a given line of ours is run, and prints how many there were.
PUBLISH = """
import os, signal, sys
from contract.manifest import BuildStatus
from postbox.settings import read
from postbox.writing.publisher import Publisher
from postbox.writing.texts import Texts
settings, point, steps = read(os.environ), int(sys.argv[1]), 0
texts = Texts(settings.content, settings.desk)
publisher, data = Publisher(texts, settings.proofs, BuildStatus), texts.working("articles/shoes").data
def trace(frame, event, argument):
    global steps
    if f"{os.sep}postbox{os.sep}" not in frame.f_code.co_filename:
        return None
    steps += event == "line"
    if steps == point:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace
sys.settrace(trace)
publisher.publish("articles/shoes", data, "published")
print(steps)
"""


def publish(settings: Settings, point: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PUBLISH, str(point)],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_text_is_the_old_or_the_new_one_wherever_publishing_is_killed(place: Place) -> None:
    settings = Settings(content=place.folder / "content", theme=place.folder / "theme", var=place.folder / "var")
    settings.desk.mkdir(parents=True)
    file = place.article("shoes", text="Old words. " * 900)
    texts = Texts(settings.content, settings.desk)

    def begin(number: int) -> tuple[bytes, bytes]:
        old = file.read_bytes()
        new = edited(old, {}, f"New words {number}. " * 900)
        texts.save(KEY, new, base=hash_of(old), number=0, now=datetime.now(UTC))
        return old, new

    for _ in range(2):  # the first keeps what it finds too
        begin(0)
        steps = int(publish(settings, -1).stdout)
    stood = []
    for number in range(POINTS):
        old, new = begin(number + 1)
        ended = publish(settings, 1 + steps * number // POINTS)

        assert ended.returncode == -signal.SIGKILL, ended.stderr
        stands = file.read_bytes()
        stood.append(stands == new)
        assert stands in (old, new)
        versions = {one.hash for one in texts.versions(KEY)}
        working = texts.working(KEY)
        assert stands == old or hash_of(new) in versions
        assert hash_of(new) in versions or (working and working.data == new)

    assert {True, False} <= set(stood)
    begin(POINTS + 1)
    data = texts.working(KEY)
    assert data
    assert Publisher(texts, settings.proofs, BuildStatus).publish(KEY, data.data, "published").state == "later"
    place.build()
    assert f"New words {POINTS + 1}." in place.page("/articles/shoes/")
    assert not list(Path(place.output).rglob("*.new"))


# Changes a file and waits for the press.
WAIT = """
import os, sys
from contract.manifest import BuildStatus
from postbox.settings import read
from postbox.writing.publisher import Publisher
from postbox.writing.texts import Texts
settings = read(os.environ)
texts = Texts(settings.content, settings.desk)
publisher = Publisher(texts, settings.proofs, lambda: BuildStatus.load(settings.site.with_name("press.json")))
if working := texts.working("articles/shoes"):
    publisher.publish("articles/shoes", working.data, "published")
else:
    publisher.delete("articles/shoes")
"""


@pytest.mark.parametrize("what", ["a text with which the site does not build", "a good text", "a deletion"])
def test_a_desk_that_was_killed_while_it_waited_finishes_or_puts_back_at_its_next_start(
    place: Place, what: str
) -> None:
    settings = Settings(content=place.folder / "content", theme=place.folder / "theme", var=place.folder / "var")
    settings.desk.mkdir(parents=True)
    file, texts = place.article("shoes"), Texts(settings.content, settings.desk)
    old = file.read_bytes()
    new = b"" if "deletion" in what else edited(old, {"Summary": None} if "not build" in what else {}, "New words.")
    if new:
        texts.save(KEY, new, base=hash_of(old), number=0, now=datetime.now(UTC))
    with contextlib.closing(Builder(place.folder / "pelicanconf.py", place.settings(), is_watching=True)) as press:
        press.build_all()
        desk = subprocess.Popen([sys.executable, "-c", WAIT], env=environment(settings))
        try:
            wait_until(lambda: texts.file(KEY) == new, "the file is written")
        finally:
            end(desk, signal.SIGKILL)
        with contextlib.suppress(BuildError):
            press.build_all()

        with a_client(settings):
            wait_until(lambda: not texts.pending(), "the desk has looked at what the press says")

    working, versions = texts.working(KEY), [one.data for one in texts.versions(KEY)]
    kept = (working.data, working.is_deleted) if working else None
    if "not build" in what:
        assert (texts.file(KEY), kept) == (old, (new, False))
    else:
        assert (texts.file(KEY), kept) == (new, None if new else (old, True))
    assert old in versions
