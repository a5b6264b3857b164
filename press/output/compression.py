"""Compressed copies of the output's files, for a web server that sends them as they are.

``index.html.br`` (Brotli, RFC 7932) and ``index.html.gz`` stand beside ``index.html``. They are made when it is in its place
already, in a thread of their own: the best that Brotli can do takes 20 ms a page, for which no comment waits.
A file that changes loses its copies in the moment before, so that none ever holds words that are gone.
"""

import contextlib
import gzip
import os
import queue
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import brotli

KINDS = (".html", ".xml", ".js", ".css", ".svg", ".txt", ".json")
COPIES: dict[str, Callable[[bytes], bytes]] = {".br": brotli.compress, ".gz": partial(gzip.compress, mtime=0)}
NICE = 10  # the pages come first

_moving = threading.Lock()


def copies_of(file: str) -> list[str]:
    """Return the names that the copies of a file have."""
    return [f"{file}{ending}" for ending in COPIES] if file.endswith(KINDS) else []


def replace(source: Path, target: Path) -> None:
    """Put a file into its place by rename; its copies go."""
    with _moving:
        _unlink(copies_of(str(target)))
        source.replace(target)


def remove(path: Path) -> None:
    """Delete a file and its copies."""
    with _moving:
        _unlink(copies_of(str(path)))
        with contextlib.suppress(FileNotFoundError):  # a copy that went with its file
            path.unlink()


class Compressor:
    """Makes the copies that are not there, until it is closed."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._files: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, files: Iterable[str]) -> None:
        """Take files of the output, each as its path from there."""
        for file in files:
            self._files.put(file)

    def close(self) -> None:
        """End; what is not made yet is made by the next one."""
        self._is_closed.set()
        self._files.put(None)
        self._thread.join()

    def _run(self) -> None:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        while (file := self._files.get()) is not None and not self._is_closed.is_set():
            with contextlib.suppress(OSError):  # it is gone, or the disk is full; a web server compresses by itself
                for copy in copies_of(file):
                    if not os.path.exists(f"{self._output}/{copy}"):  # noqa: PTH110  # of each file, at every start
                        _make(self._output / file, self._output / copy)


def _make(path: Path, copy: Path) -> None:
    """Make a copy, unless the file changes meanwhile, which comes here again."""
    before, draft = path.stat(), copy.with_name(f".{copy.name}")
    draft.write_bytes(COPIES[copy.suffix](path.read_bytes()))
    os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))
    with _moving:
        if path.exists() and os.path.samestat(path.stat(), before):
            draft.replace(copy)
    draft.unlink(missing_ok=True)


def _unlink(paths: Iterable[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108  # for each file of a site; a Path costs five times as much
