"""Output folder: one press at a time, a site staged beside it, moved into place by rename, and nothing left behind."""

import contextlib
import fcntl
import filecmp
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from press.errors import BuildError, shown
from press.output.compression import copies_of, remove, replace

LOOKS, LOOK_SECONDS = 100, 0.01
SPARE = ".content-"  # begins the name of a folder beside the cache, with the texts of the last good run


def lock(folder: Path) -> contextlib.ExitStack:
    """Return what keeps other presses out of a folder until it is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        descriptor = os.open(folder, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(f"{shown(folder)}: another press works here; let it go on, or end it first") from None
        return stack.pop_all()


def watch_lock(path: Path) -> contextlib.ExitStack:
    """Return what tells others that a press lives, until it is closed or dies; whoever looks holds the lock for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        stack.callback(os.close, descriptor)
        for _ in range(LOOKS):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            time.sleep(LOOK_SECONDS)
        return stack.pop_all()


def output_of(settings: dict[str, Any]) -> Path:
    """Return the folder of the output; what is a link leads to it.

    Raises:
        BuildError: if no rename leads into it from beside it.
    """
    output = Path(settings["OUTPUT_PATH"]).resolve()
    if output.is_dir() and output.stat().st_dev != output.parent.stat().st_dev:
        raise BuildError(
            f"{output} is a file system of its own; let the site be a folder in it: SITE_OUTPUT={output}/site"
        )
    return output


def sweep(settings: dict[str, Any]) -> None:
    """Remove what a press that was killed has left."""
    output, facts, cache = output_of(settings), Path(settings["SITE_JSON"]), Path(settings["PRESS_CACHE"])
    for folder, prefix in (
        (output.parent, f".{output.name}-"),
        (facts.parent, f".{output.name}-"),
        (cache.parent, SPARE),
    ):
        left = re.compile(rf"{re.escape(prefix)}(\w{{8}}|\d+)")
        for path in folder.iterdir() if folder.is_dir() else ():
            if left.fullmatch(path.name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def move(source: Path, target: Path, staying: Collection[str] = ()) -> None:
    """Make ``target`` equal to ``source`` by renames, so that no reader ever sees half a page or a link ahead of its page.

    Files of the target that are ``staying`` stay as they are.
    """
    target.mkdir(exist_ok=True)
    files = sorted(files_below(source))
    changed = [file for file in files if (target / file).exists() and not is_same(source / file, target / file)]
    for place in [*_new(source, target), *changed]:
        replace(source / place, target / place)
    wanted = {*files, *staying}
    wanted |= {copy for file in wanted for copy in copies_of(file)}
    for gone in sorted(set(files_below(target)) - wanted, reverse=True):
        remove(target / gone)
        for folder in (target / gone).parents:
            if folder == target or any(folder.iterdir()):
                break
            folder.rmdir()


def is_same(one: Path, other: Path) -> bool:
    """Tell whether a file has the bytes of another that may not be there."""
    return other.exists() and filecmp.cmp(one, other, shallow=False)


def link(source: Path | str, target: Path | str) -> None:
    """Let a file that nobody writes to stand in a second place, whatever stood there."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        Path(target).unlink()  # not written over: it may be a link to the same file
        link(source, target)
    except OSError:  # on another file system
        shutil.copyfile(source, target)


def _new(source: Path, target: Path) -> Iterator[str]:
    """Yield what the target does not have, a folder of which it has nothing as one."""
    for path in sorted(source.iterdir()):
        if not (target / path.name).exists():
            yield path.name
        elif path.is_dir():
            yield from (f"{path.name}/{place}" for place in _new(path, target / path.name))


def files_below(folder: Path) -> Iterator[str]:
    """Yield every file below a folder, as its path from there."""
    for place, _, names in os.walk(folder):
        below = place[len(str(folder)) + 1 :]
        yield from (f"{below}/{name}" if below else name for name in names)
