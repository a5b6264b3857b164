"""One build: Pelican beside the output, a check of what it made, and the move into place.

Whatever fails, the last good output stays as it was.
"""

import contextlib
import filecmp
import io
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from pelican import Pelican
from pelican.settings import read_settings

from press.links import dead_links
from press.plugin import SiteError

PREVIEW: dict[str, Any] = {
    "PREVIEW": True,
    "DRAFT_SAVE_AS": "drafts/{slug}/index.html",
    "DRAFT_PAGE_SAVE_AS": "drafts/{slug}/index.html",
}


class BuildError(Exception):
    """The site does not build; one line a fault, each with its file and cause."""


def build(config: Path, **overrides: Any) -> None:
    """Build the site that ``config`` describes and move it into its ``OUTPUT_PATH``.

    Pages appear by rename: new ones, then changed ones, then the removals, then the facts for the intake.

    Raises:
        BuildError: with everything that is wrong; the output is then untouched.
    """
    settings = read_settings(str(config), override=overrides)
    output, facts = Path(settings["OUTPUT_PATH"]), Path(settings["SITE_JSON"])
    # Beside the output, for a rename does not cross file systems.
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as folder:
        beside, staged = Path(folder, "output"), Path(folder, "site", facts.name)
        settings |= {"OUTPUT_PATH": str(beside), "SITE_JSON": str(staged)}
        beside.mkdir()
        _run(settings)
        dead = dead_links(beside, settings["SITE_URL"], except_below=(settings["INTAKE"], "/preview"))
        _refuse(
            f"{_origin(settings, address) or path.relative_to(beside)}: link to {address}: {cause}"
            for path, _, address, cause in dead
        )
        move(beside, output)
        facts.parent.mkdir(parents=True, exist_ok=True)
        for file in sorted(staged.parent.iterdir()):
            file.replace(facts.parent / file.name)


def move(source: Path, target: Path) -> None:
    """Make ``target`` equal to ``source`` by renames, so that no reader ever sees half a page or a link ahead of its page."""
    files = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    changed = [
        file
        for file in sorted(files)
        if (target / file).exists() and not filecmp.cmp(source / file, target / file, shallow=False)
    ]
    for file in [*(file for file in sorted(files) if not (target / file).exists()), *changed]:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).replace(target / file)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir():
            with contextlib.suppress(OSError):  # it still holds something
                path.rmdir()
        elif path.relative_to(target) not in files:
            path.unlink()


def _run(settings: dict[str, Any]) -> None:
    """Run Pelican; what it only logs is a fault too, for it would leave the page out and call that a success."""
    with _warnings(settings) as faults:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                Pelican(settings).run()
        except Exception as error:  # whatever a template, a plugin or an article raises is reported, with its place
            faults.append(_place(error))
    _refuse(faults)


def _refuse(faults: Iterable[str]) -> None:
    """Stop if there are faults; one that many pages share is told once."""
    if told := "\n".join(dict.fromkeys(faults)):
        raise BuildError(told)


@contextlib.contextmanager
def _warnings(settings: dict[str, Any]) -> Iterator[list[str]]:
    """Collect what Pelican warns of; its filter would hide a warning the second time it is raised in one process."""
    faults: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (record.levelno, record.msg) in settings["LOG_FILTER"]:
                return
            fault, cause = " ".join(record.getMessage().split()), sys.exception()
            if record.msg.startswith("Unable to find") and record.args:  # a dead {filename}; it does not say where
                fault = f"{_origin(settings, f'}}{record.args[0]}') or settings['PATH']}: {fault}"  # type: ignore[index]  # they are a tuple
            # Without its DEBUG, Pelican keeps the cause to itself; it is still being handled here.
            faults.append(f"{fault}: {cause}" if cause and str(cause) not in fault else fault)

    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("pelican") and hasattr(logger, "disable_filter"):
            logger.disable_filter()
    collector = Collector(logging.WARNING)
    logging.root.addHandler(collector)
    try:
        yield faults
    finally:
        logging.root.removeHandler(collector)


def _place(error: Exception) -> str:
    """Return the line of an error, with the template and line it comes from if there is one."""
    if isinstance(error, TemplateError):
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "templates" in Path(frame.filename).parts
        ]
        file, line = getattr(error, "filename", None), getattr(error, "lineno", None)
        if file or frames:
            file, line = (file, line) if file else (frames[-1].filename, frames[-1].lineno)
            return f"{os.path.relpath(file)}:{line}: {error.message or error}"
    if isinstance(error, SiteError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{os.path.relpath(frame.filename)}:{frame.lineno}: {type(error).__name__}: {error}"


def _origin(settings: dict[str, Any], address: str) -> str:
    """Return where an author wrote an address, as file:line, or an empty string if it came about in the build."""
    for folder in (settings["PATH"], settings["THEME"]):
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in (".md", ".html", ".xml"):
                for number, line in enumerate(path.read_text("utf-8", errors="replace").split("\n"), 1):
                    if address in line:
                        return f"{os.path.relpath(path)}:{number}"
    return ""
