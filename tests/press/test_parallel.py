"""Work on every core: in its order, with what goes wrong told, and a whole site drawn so."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import pytest

from press.incremental.parallel import on_every_core
from tests.support.place import ROOT, SITE_URL, Place, a_comment
from tests.support.process import line_of

MANY = 80  # articles, which are several turns of work
SEVERAL_CORES = len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else False
PARENT = os.getpid()
AT_ONCE = 7
BOTH, PATIENCE = get_context("fork").Barrier(1 + SEVERAL_CORES), 30


def apart(work: Callable[[], object]) -> str:
    """Run a function of this file in a process without threads, which the tests' own has; return what it said."""
    command = [sys.executable, "-c", f"from tests.press.test_parallel import {work.__name__}; print({work.__name__}())"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def doubled(numbers: Sequence[int]) -> tuple[list[int], int]:
    return [2 * number for number in numbers], os.getpid()


def doubled_together(numbers: Sequence[int]) -> tuple[list[int], int]:
    """Wait in the first two parts for each other, so that no process can do both."""
    if numbers[0] < 2 * AT_ONCE:
        BOTH.wait(PATIENCE)
    return doubled(numbers)


def ended(numbers: Sequence[int]) -> None:
    if os.getpid() != PARENT:
        os.kill(os.getpid(), 9)
    raise BrokenProcessPool


def told(numbers: Sequence[int]) -> None:
    raise ValueError(f"number {numbers[0]} is wrong")


def waiting(numbers: Sequence[int]) -> None:
    os.write(sys.stdout.fileno(), b"begun\n")
    time.sleep(10 * PATIENCE)


def wait_in_forks() -> object:
    return list(on_every_core(waiting, range(100), AT_ONCE))


def double_all() -> object:
    made = list(on_every_core(doubled_together, range(100), AT_ONCE))
    return [number for part, _ in made for number in part] == list(range(0, 200, 2)), len({pid for _, pid in made}) > 1


def end_one() -> object:
    return list(on_every_core(ended, range(100), AT_ONCE))


def tell_one() -> object:
    return list(on_every_core(told, range(100), AT_ONCE))


def test_the_work_comes_back_in_its_order_from_more_than_one_process() -> None:
    assert apart(double_all) == f"(True, {SEVERAL_CORES})\n"


def test_what_is_raised_in_a_fork_is_raised_and_one_that_somebody_ends_is_an_error_and_no_wait() -> None:
    assert apart(tell_one).endswith("ValueError: number 0 is wrong\n")
    assert "BrokenProcessPool" in apart(end_one)


def test_forks_end_with_a_process_that_is_killed() -> None:
    command = [sys.executable, "-c", f"from {__name__} import {wait_in_forks.__name__} as wait; wait()"]
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert line_of(killed, PATIENCE)

    killed.kill()

    killed.communicate(timeout=PATIENCE)  # until nobody holds the pipe


def test_a_process_with_threads_does_the_work_itself() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
    try:
        made = list(on_every_core(doubled, range(100), AT_ONCE))
    finally:
        over.set()
        thread.join(PATIENCE)

    assert {pid for _, pid in made} == {os.getpid()}
    assert [number for part, _ in made for number in part] == list(range(0, 200, 2))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site of many articles, each with a comment, and none of the pictures that take their time; not yet built."""
    place = Place(tmp_path_factory.mktemp("many"))
    for number in range(MANY):
        place.article(f"number-{number}", Tags="feet, toes", text=f"Some words about *{number}*.")
        place.comment(a_comment(id=f"id{number:04}", article=f"number-{number}", body=f"Words *{number}*."))
    for name, last in (("pelicanconf.py", "SOCIAL_IMAGES = False"), ("publishconf.py", "")):
        (place.folder / name).write_text(f"{(ROOT / name).read_text('utf-8')}{last}\n", "utf-8")
    return place


def command(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=place.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SITE_URL": SITE_URL},
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * PATIENCE,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_site_drawn_on_every_core_is_that_of_plain_pelican_and_kept_for_the_next_process(many: Place) -> None:
    ours = command(many, "press", "publish")
    plain = command(many, "pelican", "content", "-s", "publishconf.py", "-o", "plain", "--fatal=warnings")

    assert (ours.returncode, plain.returncode) == (0, 0), ours.stderr + plain.stderr
    assert files(many.output) == files(many.folder / "plain")
    cache = (many.folder / "var/press/cache").read_bytes()
    for number in range(MANY):
        assert f"<p>Some words about <em>{number}</em>.</p>".encode() in cache


def test_a_template_that_fails_for_one_of_many_articles_is_told_with_its_place(many: Place) -> None:
    shutil.rmtree(many.output, ignore_errors=True)
    template = many.folder / "theme/templates/article.html"
    faulty = '{% block main %}{% if article.id == "number-41" %}{{ nobody }}{% endif %}'
    template.write_text(template.read_text("utf-8").replace("{% block main %}", faulty), "utf-8")
    line = template.read_text("utf-8").split("\n").index(faulty) + 1

    done = command(many, "press", "publish")

    assert re.match(rf"theme/templates/article\.html:{line}: 'nobody' is undefined\n", done.stderr), done.stderr
    assert done.returncode == 1
    assert not many.output.exists()
