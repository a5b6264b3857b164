"""Preparation of new photographs: another process makes their sizes, so that the watch goes on."""

import os
import signal
from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path
from threading import Event

from press.assets.files import IMAGES
from press.assets.images import Images

STOP_SECONDS = 0.1  # how often the wait for the process asks whether it is over


def prepare(cache: Path, paths: Iterable[Path], stop: Event) -> None:
    """Have another process make the sizes of photographs, and wait for that or for ``stop``; a build then finds them made.

    What is wrong with one is told by the build.
    """
    photographs = [path for path in paths if path.suffix.lower() in IMAGES and path.is_file()]
    if not photographs:
        return
    # A fresh interpreter: a process with threads is not to be forked.
    process = get_context("spawn").Process(target=_make_sizes, args=(cache, photographs), daemon=True)
    process.start()
    while process.is_alive() and not stop.is_set():
        process.join(STOP_SECONDS)
    process.terminate()
    process.join()


def _make_sizes(cache: Path, photographs: list[Path]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the other one ends this
    os.nice(10)
    images = Images(cache, cache, {}, {})
    for path in photographs:
        images.make_sizes(path)
