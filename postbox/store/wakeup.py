"""Wake-up of the tasks that watch the inbox: by the clock where it is a file, by PostgreSQL's word where it is shared."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class Wakeup:
    """Wakes every task that waits for it, or is about to."""

    def __init__(self, quiet_seconds: float | None = None) -> None:
        """Let a task look ``quiet_seconds`` after the last time where nobody says that there is something; without, as often as it asks."""
        self._quiet = quiet_seconds
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def waiter(self) -> Callable[[float], Awaitable[None]]:
        """Return what a task of the running loop waits with, for so many seconds at most."""
        event = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), event))

        async def wait(seconds: float) -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), self._quiet or seconds)
            event.clear()

        return wait

    def wake(self) -> None:
        """Wake them, from any thread."""
        for loop, event in self._waiting:
            loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Wake nobody any more: the loop ends."""
        self._waiting.clear()
