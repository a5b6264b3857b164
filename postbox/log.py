"""Log for a maintainer: one JSON object a line on standard error; no line names a person.

An event is a word with numbers and kinds beside it: never what somebody typed, where they are, or a path with an id in it.
Of an error the type and the place are told and not the text, which may quote a reader; of a library, not its words either.
On a terminal a line is plain, and only what is wrong is told, with its kind and place.
"""

import errno
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

VERSION = "0.1.0"
OURS = ("postbox", "press")

Fact = str | int | float | bool | None


def start(stream: TextIO = sys.stderr) -> None:
    """Send every logger of the process to ``stream``, our own and the libraries'."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Plain() if stream.isatty() else _Json())
    logging.basicConfig(level=logging.WARNING if stream.isatty() else logging.INFO, handlers=[handler], force=True)


def event(name: str, *, level: int = logging.INFO, error: BaseException | None = None, **facts: Fact) -> None:
    """Tell what happened; ``facts`` are counts, kinds and ids of rows, ``error`` what it happened by."""
    logging.getLogger("postbox").log(level, name, exc_info=error, extra={"facts": facts})


def fault(error: BaseException, **facts: Fact) -> None:
    """Tell of an error that someone has to look at."""
    event("fault", level=logging.ERROR, error=error, **facts)


def place(error: BaseException) -> str:
    """Return where an error was raised, by the last function of ours on its way: ``postbox.web.forms.read_form:37``."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if not found or module.partition(".")[0] in OURS:
            found = f"{module}.{frame.f_code.co_qualname}:{line}"
    return found


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        now = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Fact] = {"time": now, "level": record.levelname.lower()}
        if record.name.partition(".")[0] in OURS:
            facts = getattr(record, "facts", {})
            told |= {"event": record.getMessage()} | {name: fact for name, fact in facts.items() if fact is not None}
        else:
            told |= {"event": "library", "logger": record.name, "said_in": f"{record.module}.{record.funcName}"}
        error = record.exc_info[1] if record.exc_info else record.msg
        if isinstance(error, BaseException):
            told |= {"error": _kind(error), "place": place(error)}
        return json.dumps(told, ensure_ascii=False)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = dict(getattr(record, "facts", {}))
        if record.exc_info and (error := record.exc_info[1]):
            facts |= {"error": _kind(error), "place": place(error)}
        return "  ".join([record.getMessage(), *(f"{name} {fact}" for name, fact in facts.items() if fact is not None)])


def _kind(error: BaseException) -> str:
    """Return an error's class, and the system's or SQLite's name for what happened."""
    names = [
        getattr(one, "sqlite_errorname", None) or errno.errorcode.get(getattr(one, "errno", None) or 0)
        for one in (error, error.__cause__)
    ]
    return " ".join([type(error).__name__, *(name for name in names[:2] if name)][:2])
