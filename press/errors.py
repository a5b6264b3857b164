"""Faults of a site: where each stands, in one line, as file, line and cause."""

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from contract.facts import FactsError


class BuildError(Exception):
    """The site does not build; one line a fault, each with its file, its cause and the cure."""


def refuse(faults: Iterable[str]) -> None:
    """Stop if there are faults; one that many pages share is told once."""
    if told := "\n".join(dict.fromkeys(faults)):
        raise BuildError(told)


def shown(path: Path | str) -> str:
    """Return a path as people are told it."""
    return os.path.relpath(str(path))


@contextlib.contextmanager
def warnings(settings: dict[str, Any]) -> Iterator[list[str]]:
    """Collect what Pelican warns of; its filter would hide a warning the second time it is raised in one process."""
    faults: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (record.levelno, record.msg) not in settings["LOG_FILTER"]:
                faults.append(_fault(settings, record))

    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("pelican") and hasattr(logger, "disable_filter"):
            logger.disable_filter()
    collector = Collector(logging.WARNING)
    logging.root.addHandler(collector)
    try:
        yield faults
    finally:
        logging.root.removeHandler(collector)


def _fault(settings: dict[str, Any], record: logging.LogRecord) -> str:
    """Return the line of a warning; without its DEBUG Pelican keeps the cause to itself, but it is still being handled."""
    fault, cause = " ".join(record.getMessage().split()), sys.exception()
    if isinstance(cause, BuildError):
        return str(cause)
    if record.msg.startswith("Unable to find") and record.args:  # a dead {filename}; it does not say where
        place = origin(settings, f"}}{record.args[0]}") or settings["PATH"]  # type: ignore[index]  # they are a tuple
        fault = f"{place}: {fault}"
    return f"{fault}: {cause}" if cause and str(cause) not in fault else fault


def place_of(error: Exception) -> str:
    """Return the line of an error, with the template and line it comes from if there is one."""
    if isinstance(error, TemplateError):
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "templates" in Path(frame.filename).parts
        ]
        file, line = getattr(error, "filename", None), getattr(error, "lineno", None)
        if file or frames:
            file, line = (file, line) if file else (frames[-1].filename, frames[-1].lineno)
            return f"{shown(file)}:{line}: {error.message or error}"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown(error.filename)}:{error.lineno}: {error.msg}"
    if isinstance(error, OSError) and error.filename:
        return f"{shown(error.filename)}: {error.strerror}"
    if isinstance(error, BuildError | FactsError | OSError) and not isinstance(error, TemplateError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{shown(frame.filename)}:{frame.lineno}: {type(error).__name__}: {error}"


def origin(settings: dict[str, Any], address: str) -> str:
    """Return where an author wrote an address, as file:line, or an empty string if it came about in the build."""
    for folder in (settings["PATH"], settings["THEME"]):
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in (".md", ".html", ".xml") and path.is_file():
                for number, line in enumerate(path.read_text("utf-8", errors="replace").split("\n"), 1):
                    if address in line:
                        return f"{shown(path)}:{number}"
    return ""
