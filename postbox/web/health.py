"""Health check, ``/healthz``, for the machine it runs on, in numbers and sentences about no person.

The web servers in front pass it to nobody.
"""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contract.manifest import STATUS_FILE, BuildStatus, load
from postbox.log import VERSION
from postbox.settings import Settings
from postbox.store.messages import Messages
from postbox.store.submissions import Inbox
from postbox.web.forms import PRIVATE

MIN_FREE_BYTES = 64 * 1024 * 1024
MAX_EVENTS = 1000  # are counted; the desk takes them as they come

# What is known of a part, and what is wrong with it, if anything is.
State = tuple[dict[str, Any], str]


def route(settings: Settings, **more: Callable[[], State]) -> Route:
    """Return the address that answers 200 for fit and 503 for not, with the state of each part as JSON.

    ``more`` are the parts that the process asks its own connections about; nothing of the inbox is opened here.
    """
    parts: dict[str, Callable[[], State]] = {
        "site": lambda: ({"articles": len(load(settings.site).conversations)}, ""),
        "press": lambda: _press(settings.site.with_name(STATUS_FILE)),
    } | more

    def answer(request: Request) -> Response:  # a plain function runs in a thread, where a slow disk holds up no reader
        states: dict[str, Any] = {}
        wrong = []
        for name, look in parts.items():
            try:
                states[name], fault = look()
            except (OSError, ValueError, sqlite3.Error, MemoryError) as error:
                fault = str(error) or type(error).__name__
            if fault:
                wrong.append(f"{name}: {fault}")
        told = {"fit": not wrong, "wrong": wrong, "version": VERSION} | states
        return JSONResponse(told, 503 if wrong else 200, headers=PRIVATE)

    return Route("/healthz", answer)


def inbox(inbox: Inbox, folder: Path) -> State:
    """Tell how an inbox stands that its process has opened."""
    oldest = inbox.one("SELECT min(received) AS received FROM revision WHERE state = 'waiting'")
    events = inbox.one("SELECT count(*) AS size FROM (SELECT 1 FROM event LIMIT ?) AS counted", MAX_EVENTS)
    state = {
        "waiting": inbox.size(),
        "oldest_seconds": _age(oldest["received"] if oldest else None),
        "messages": Messages(inbox).size(),
        "notes": int(events["size"]) if events else 0,
        "set_aside": inbox.too_long,
    }
    free = shutil.disk_usage(folder).free
    return state | {"free_bytes": free}, f"only {free:,} bytes are free on its disk" if free < MIN_FREE_BYTES else ""


def _press(path: Path) -> State:
    press = BuildStatus.load(path)
    state = {
        "finished": press.finished or None,
        "seconds": press.seconds,
        "faults": len(press.faults),
        "watching": press.watching,
        "unsent": press.unsent,
    }
    now = datetime.now(UTC)
    return state, "; ".join(filter(None, (press.wrong(path, now), press.push_problem(now))))


def _age(received: str | None) -> float | None:
    """Return how old a row is in seconds; a date of another's making has no age."""
    try:
        return round((datetime.now(UTC) - datetime.fromisoformat(received or "")).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
