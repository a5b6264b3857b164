"""Access log, a middleware: start and end, each refusal and fault; what goes well is only counted."""

import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postbox.log import VERSION, Fact, event, fault

COUNTED_SECONDS = 3600
METHODS = ("GET", "HEAD", "POST")  # any other word is its sender's


class AccessLog:
    """An application that is told of as it starts, ends, refuses and fails."""

    def __init__(self, application: ASGIApp, **facts: Fact) -> None:
        """Watch an application; ``facts`` are told as it starts."""
        self._application = application
        self._facts: dict[str, Any] = facts
        self._answered = self._refused = 0
        self._counted = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run from start to end."""
        if scope["type"] != "http":
            await self._run(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._application(scope, receive, note)
        except Exception as error:
            if not status:  # else it was answered, and told of there
                fault(error)
                raise
        ended = time.monotonic()
        if status < 400:
            self._answered += 1
        else:
            self._refused += 1
            self._tell_refusal(scope, status, ended - started)
        if ended - self._counted > COUNTED_SECONDS:
            self._counted = ended
            self._tell_counts("counted")

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                event("started", version=VERSION, **self._facts)
            elif message["type"] == "lifespan.shutdown.complete":
                self._tell_counts("stopped")
            await send(message)

        await self._application(scope, receive, note)

    def _tell_refusal(self, scope: Scope, status: int, seconds: float) -> None:
        event(
            "refused",
            level=logging.INFO if status < 500 else logging.ERROR,
            route=getattr(scope.get("route"), "path", None),
            method=scope["method"] if scope["method"] in METHODS else "other",
            status=status,
            ms=round(1000 * seconds, 1),
            cause=scope.get("cause"),
        )

    def _tell_counts(self, name: str) -> None:
        event(name, answered=self._answered, refused=self._refused)
