"""Work for all cores of the machine."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

Progress = Callable[[str, int, int], None]  # is told what is being done, how much of it now, and of how much in all
Item = TypeVar("Item")
Done = TypeVar("Done")

_work: Callable[[Any], Any]  # of a fork


def on_every_core(work: Callable[[Sequence[Item]], Done], items: Sequence[Item], at_once: int) -> Iterator[Done]:
    """Yield what ``work`` makes of the items, so many at once, in their order.

    It is done in forks of this process, which see all that this one knows; what they change is theirs alone,
    what they return is pickled. They end with it. It is done in this process where there is little to do, or where
    it has threads, for a fork would have their locks and not them.

    Raises:
        concurrent.futures.process.BrokenProcessPool: if somebody ends a fork.
    """
    parts = [items[start : start + at_once] for start in range(0, len(items), at_once)]
    forks = min(cores(), len(parts))
    if forks < 2 or not _may_fork():
        yield from map(work, parts)
        return
    with ProcessPoolExecutor(forks, get_context("fork"), _begin, (work,)) as pool:
        yield from pool.map(_do, parts)


def cores() -> int:
    """Return how many cores this process may have work on."""
    # Only Linux tells, and elsewhere a fork is not safe either.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _do(part: Any) -> Any:
    return _work(part)


def _may_fork() -> bool:
    # Those of libraries too, which Python does not count.
    return len([*Path("/proc/self/task").glob("*")]) == 1 and not current_process().daemon


def _end_with_parent() -> None:
    # One that is killed closes nothing: a fork would wait for work for ever, and whoever reads what it prints for the fork.
    wait([parent_process().sentinel])  # type: ignore[union-attr]  # a fork has one
    os._exit(1)
