"""Benchmark of builds, how soon a comment is on its page and what a build costs: ``python bench/press.py`` prints tables, ``--json`` the same as JSON.

Ours and its peers (see ``bench/corpus.py``) build the same words in the same rounds, each round another first:

- cold build: from the sources alone, the start of the process included;
- one comment, cold: one more comment on a built site; a process is started and has ended;
- cold build, one core: the same held to one core, as on the smallest machine;
- processor time: user and system, of every process that took part, so that a busy machine does not decide;
  that of a cold build is taken on one core, that of one comment on all;
- approval to page: from the rename that publishes a comment's file until the new page is whole on the disk.
  Ours has ``python -m press watch`` running; a peer is started, as above, and its page can be whole before it ends;
- restart: from the start of ``press watch`` on a built site until the first page can follow an approval;
- memory: the most that was resident in a build's largest process, and in ``press watch`` over all approvals.

Ours is what a user runs, with our defaults and so with social images; beside it the same without them, as no peer draws any.

What each part of the press gains is the same work done without it: a cold build on one core; one comment, cold,
with the cache taken away, or with the time of every page changed, so that each is drawn; a process a comment.

``--quick`` looks at small sites only.
``--slow`` adds ikiwiki where its first build takes minutes, and one round of the peers at ten thousand articles.
It wants Linux, a quiet machine and a few gigabytes below ``var/bench``.
"""

import argparse
import contextlib
import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import corpus
from corpus import Comment, System
from intake import FOLDER, BenchError

COLD, ONE, APPROVAL, SLOWEST = "cold build", "one comment, cold", "approval to page", "approval to page, p95"
ALONE, COLD_PROCESSOR, ONE_PROCESSOR = f"{COLD}, one core", f"{COLD}, processor", f"{ONE}, processor"
RESTART = "restart"
MEMORY, WARM_MEMORY = "memory of the cold build", "memory of press watch"
SECONDS = (APPROVAL, SLOWEST, ONE, ONE_PROCESSOR, COLD, ALONE, COLD_PROCESSOR, RESTART)
ROWS = dict.fromkeys(SECONDS, "s") | {MEMORY: "bytes", WARM_MEMORY: "bytes"}
COLUMNS = ("ours", "no images", "without", "Pelican", "its cache", "Hugo", "ikiwiki")
APPROVALS = 30
PAUSE_SECONDS = 0.3  # between two approvals, for what is printed after the page
LOOK_SECONDS = 0.0005
MAX_SECONDS = 3600.0  # for a build
MAX_APPROVAL_SECONDS = 60.0

Figures = dict[str, dict[str, list[float]]]  # seconds or bytes of every round, by row and column


class Sizes(NamedTuple):
    """How many articles the sites have, and in how many rounds they are built; ``large`` is 0 for none."""

    small: int
    middle: int
    large: int
    rounds: int


class Run(NamedTuple):
    """The seconds of a system's command: to its end, until a comment's page was whole, and of processors; the most bytes it held."""

    seconds: float
    page_seconds: float
    processor: float
    held: float


class Gain(NamedTuple):
    """The seconds that something takes without a part of the press, and with it."""

    what: str
    without: float
    ours: float


class Goal(NamedTuple):
    """A figure and the most that it may be."""

    what: str
    figure: float
    most: float
    unit: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How soon a comment is on its page, and what a build costs.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="small sites only")
    parser.add_argument("--slow", action="store_true", help="ikiwiki where it takes minutes, peers at 10,000 articles")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    sizes = Sizes(100, 300, 0, rounds=2) if arguments.quick else Sizes(100, 1_000, 10_000, rounds=5)
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix="press-") as folder:
            results = _measure(Path(folder), sizes, slow=arguments.slow)
            gains = list(_gains(corpus.ours(Path(folder, "gains"), sizes.middle), sizes, results[sizes.middle]))
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
    goals = list(_goals(results, sizes))
    if arguments.json:
        told = {"gains": [gain._asdict() for gain in gains], "goals": [goal._asdict() for goal in goals]}
        print(json.dumps({"figures": results} | told, indent=1))
    else:
        parts = [f"{f'{sizes.middle:,} articles':46}{'without':>12}{'ours':>12}", *map(_gained, gains), ""]
        print("\n".join([*_tables(results), "medians", "", *parts, *map(_verdict, goals)]))


def _measure(folder: Path, sizes: Sizes, *, slow: bool) -> dict[int, Figures]:
    results: dict[int, Figures] = {}
    for size in filter(None, (sizes.small, sizes.middle, sizes.large)):
        systems = list(_systems(folder / str(size), size, is_large=size == sizes.large, slow=slow))
        ours = systems[0]
        figures: Figures = defaultdict(lambda: defaultdict(list))
        numbers = itertools.count()
        for number in range(sizes.rounds):
            print(f"{size:,} articles, round {number + 1} of {sizes.rounds}", file=sys.stderr)
            comment = corpus.new_comment(next(numbers), size)
            turn = number % len(systems)
            for system in (*systems[turn:], *systems[:turn]):
                if system is ours or size != sizes.large or number == 0:  # the large site of a peer once
                    _build(system, comment, figures)
        del figures[APPROVAL]["ours"]  # that was a process started cold
        comments = [corpus.new_comment(next(numbers), size) for _ in range(APPROVALS)]
        restart, times, held = _watch(ours, comments)
        figures[APPROVAL]["ours"], figures[WARM_MEMORY]["ours"], figures[RESTART]["ours"] = times, [held], [restart]
        figures[SLOWEST]["ours"] = [quantiles(times, n=20, method="inclusive")[18]]
        results[size] = figures
    return results


def _gains(site: System, sizes: Sizes, figures: Figures) -> Iterator[Gain]:
    """Measure our site without one part of the press after the other."""
    one = defaultdict(list)
    comments = (corpus.new_comment(number, sizes.middle) for number in itertools.count())
    _cold(site)
    for _ in range(sizes.rounds):
        for path in (site.folder / "output").rglob("*"):
            os.utime(path)
        one["pages"].append(_run(site, next(comments)).seconds)
        (site.folder / "var/press/cache").unlink()
        one["cache"].append(_run(site, next(comments)).seconds)
    ours = {what: median(figures[what]["ours"]) for what in (ALONE, COLD, ONE, APPROVAL)}
    yield Gain(f"every core ({len(os.sched_getaffinity(0))}): {COLD}", ours[ALONE], ours[COLD])
    yield Gain(f"the cache: {ONE}", median(one["cache"]), ours[ONE])
    yield Gain(f"pages that stand: {ONE}", median(one["pages"]), ours[ONE])
    yield Gain(f"a warm process: {APPROVAL}", ours[ONE], ours[APPROVAL])


def _systems(folder: Path, size: int, *, is_large: bool, slow: bool) -> Iterator[System]:
    """Write the sites of all that take part, ours first."""
    yield corpus.ours(folder / "ours", size)
    if is_large and not slow:
        return
    yield corpus.ours(folder / "no-images", size, has_images=False)
    yield corpus.without_press(folder / "without", size)
    yield corpus.pelican(folder / "pelican", size)
    yield corpus.pelican(folder / "cached", size, cached=True)
    yield corpus.hugo(folder / "hugo", size)
    if size > (1_000 if slow else 300):
        print(f"ikiwiki is left out at {size:,} articles; --slow has it at 1,000", file=sys.stderr)
    elif not shutil.which("ikiwiki"):
        print("ikiwiki is left out, for it is not installed: apt-get install ikiwiki", file=sys.stderr)
    else:
        yield corpus.ikiwiki(folder / "ikiwiki", size)


def _build(system: System, comment: Comment, figures: Figures) -> None:
    """Build a site cold, but ikiwiki's only once, and then with one more comment."""
    if system.name != "ikiwiki" or not figures[COLD][system.name]:
        cold = _cold(system)
        figures[COLD][system.name].append(cold.seconds)
        figures[MEMORY][system.name].append(cold.held)
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        try:
            alone = _cold(system)
        finally:
            os.sched_setaffinity(0, cores)
        figures[ALONE][system.name].append(alone.seconds)
        figures[COLD_PROCESSOR][system.name].append(alone.processor)
    one = _run(system, comment)
    figures[ONE][system.name].append(one.seconds)
    figures[ONE_PROCESSOR][system.name].append(one.processor)
    figures[APPROVAL][system.name].append(one.page_seconds)


def _cold(system: System) -> Run:
    """Build a site from its sources alone; its first page must have its comments.

    What an earlier round made is moved aside: where files were just deleted, ext4 looks past each of them for some minutes
    whenever it makes a new one, and that took longer than many a build.
    """
    aside = Path(tempfile.mkdtemp(dir=system.folder.parent, prefix="aside-"))
    for made in filter(Path.exists, (system.folder / name for name in system.makes)):
        made.rename(aside / made.name)
    cold = _run(system)
    if not all(_is_whole(system, comment) for comment in next(corpus.articles(1)).comments):
        raise BenchError(f"{system.name} built a page without its comments")
    return cold


def _run(system: System, comment: Comment | None = None) -> Run:
    """Run a system's command, after a new comment if there is one."""
    page_seconds, ended = 0.0, 0
    started = _publish(system, comment) if comment else time.perf_counter()
    with _running(system, system.command) as process:
        while not ended:
            time.sleep(10 * LOOK_SECONDS)  # a build needs the processor more
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.perf_counter() - started
            if comment and not page_seconds and _is_whole(system, comment):
                page_seconds = seconds
            if seconds > MAX_SECONDS:
                raise BenchError(f"{system.name} did not end within {MAX_SECONDS:g} seconds")
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or (comment and not page_seconds):
        raise BenchError(f"{system.name} did not build its site: {_last_line(system)}")
    return Run(seconds, page_seconds, usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss)


def _watch(site: System, comments: list[Comment]) -> tuple[float, list[float], float]:
    """Publish one comment after the other while our press watches.

    Returns:
        The seconds until it watches, those to each page, and the most bytes it held.
    """
    times, begun = [], time.perf_counter()
    with _running(site, [*site.command[:-1], "watch"]) as process:

        def wait(is_done: Callable[[], bool], max_seconds: float) -> float:
            started = time.perf_counter()
            while not is_done():
                if process.poll() is not None or time.perf_counter() - started > max_seconds:
                    raise BenchError(f"press watch ended, or did not answer: {_last_line(site)}")
                time.sleep(LOOK_SECONDS)
            return time.perf_counter()

        restart = wait(lambda: "watching" in _log(site).read_text("utf-8").splitlines(), MAX_SECONDS) - begun
        for comment in comments:
            started = _publish(site, comment)
            times.append(wait(functools.partial(_is_whole, site, comment), MAX_APPROVAL_SECONDS) - started)
            time.sleep(PAUSE_SECONDS)
        status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
    if not all(_is_whole(site, comment) for comment in comments):
        raise BenchError("press watch lost a comment when it printed a later one")
    return restart, times, 1024 * int(status.partition("VmHWM:")[2].split()[0])


@contextlib.contextmanager
def _running(system: System, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process in a system's folder, and end it if it has not ended by itself."""
    with _log(system).open("w") as log:
        environment = os.environ | system.environment
        process = subprocess.Popen(command, cwd=system.folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                process.wait(MAX_APPROVAL_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(MAX_APPROVAL_SECONDS)


def _publish(system: System, comment: Comment) -> float:
    """Put a comment's file in its place as moderation does, and return when."""
    path, text = system.comment(system.folder, comment)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    started = time.perf_counter()
    draft.replace(path)
    return started


def _is_whole(system: System, comment: Comment) -> bool:
    """Tell whether a comment's page has it, and its own end."""
    with contextlib.suppress(FileNotFoundError):
        html = system.page(comment.article).read_bytes()
        return comment.id.encode() in html and html.rstrip().endswith(b"</html>")
    return False


def _log(system: System) -> Path:
    return system.folder.with_suffix(".log")  # beside the folder, which is watched


def _last_line(system: System) -> str:
    return (_log(system).read_text("utf-8").strip().splitlines() or ["it said nothing"])[-1]


def _goals(results: dict[int, Figures], sizes: Sizes) -> Iterator[Goal]:
    """Yield what is asked of the press."""
    most, middle = max(results), results[sizes.middle]
    figures, at_middle = results[most], f"at {sizes.middle:,}"
    peers = middle[ONE].keys() - {"ours", "no images", "without"}
    best = min(peers, key=lambda name: median(middle[ONE_PROCESSOR][name]))
    yield Goal(f"{SLOWEST}, at {most:,}", figures[SLOWEST]["ours"][0], 0.05, "s")
    yield Goal(f"{RESTART}, at {most:,}", figures[RESTART]["ours"][0], 5, "s")
    yield Goal(
        f"{ONE_PROCESSOR}, {at_middle}: of the best, {best}", _ratio(middle[ONE_PROCESSOR], "ours", best), 0.5, ""
    )
    for what, ours, share in (
        (COLD_PROCESSOR, "ours", 1.0),
        (COLD_PROCESSOR, "no images", 0.7),
        (COLD, "ours", 0.6),
        (COLD, "no images", 0.45),
    ):
        yield Goal(f"{what}, {at_middle}, {ours}: of stock Pelican", _ratio(middle[what], ours, "Pelican"), share, "")
    yield Goal(
        f"{COLD_PROCESSOR}, {at_middle}: of Hugo (an aim)", _ratio(middle[COLD_PROCESSOR], "ours", "Hugo"), 1, ""
    )
    for what in (MEMORY, WARM_MEMORY):
        yield Goal(f"{what}, at {most:,}", max(figures[what]["ours"]), 500e6, "bytes")
    if sizes.large:
        small = results[sizes.small]
        yield Goal(f"{SLOWEST}, at {most:,}: of that at {sizes.small}", _growth(small, figures, SLOWEST), 2, "")
        yield Goal(f"{COLD}, at {most:,}: of that {at_middle}", _growth(middle, figures, COLD), 11, "")


def _ratio(figures: dict[str, list[float]], ours: str, peer: str) -> float:
    """Return the median of each round's ratio, so that a slow round slows both sides of it."""
    return median(our / their for our, their in zip(figures[ours], figures[peer], strict=True))


def _growth(before: Figures, after: Figures, what: str) -> float:
    return median(after[what]["ours"]) / median(before[what]["ours"])


def _tables(results: dict[int, Figures]) -> Iterator[str]:
    for size, figures in results.items():
        yield f"{f'{size:,} articles':30}" + "".join(f"{name:>12}" for name in COLUMNS)
        for what, unit in ROWS.items():
            cells = (_shown(median(figures[what][name]), unit) if name in figures[what] else "" for name in COLUMNS)
            yield f"{what:30}" + "".join(f"{cell:>12}" for cell in cells)
        yield ""


def _gained(gain: Gain) -> str:
    cells = "".join(f"{_shown(seconds, 's'):>12}" for seconds in (gain.without, gain.ours))
    return f"{gain.what:46}{cells}{gain.without / gain.ours:>9.1f}x"


def _verdict(goal: Goal) -> str:
    verdict = "met" if goal.figure <= goal.most else "not met"
    return f"{goal.what:62}{_shown(goal.figure, goal.unit):>10}   at most {_shown(goal.most, goal.unit)}: {verdict}"


def _shown(figure: float, unit: str) -> str:
    if unit == "bytes":
        return f"{figure / 1e6:,.0f} MB"
    if unit == "s":
        return f"{figure:.2f} s" if figure >= 1 else f"{figure * 1000:.1f} ms"
    return f"{figure:.2f}x"
