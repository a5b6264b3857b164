"""Wake-up of the tasks that watch the inbox: by the clock where it is a file, by PostgreSQL's word where it is shared."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class Wakeup:
    """Wakes every task that waits for it, or is about to."""

    def __init__(self, quiet_seconds: float | None = None) -> None:
        """Let a task look ``quiet_seconds`` after the last time where nobody has woken it; without, whenever it asks."""
        self._quiet = quiet_seconds
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def waiter(self) -> Callable[[float], Awaitable[None]]:
        """Return what a task of the running loop waits with, for the seconds that it gives or until it is woken."""
        if not self._quiet:
            return asyncio.sleep
        quiet, event = self._quiet, asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), event))

        async def wait(_seconds: float) -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(quiet):  # wait_for of Python 3.11 can lose a cancellation
                    await event.wait()
            event.clear()

        return wait

    def wake(self) -> None:
        """Wake them, from any thread."""
        for loop, event in self._waiting:
            loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """Wake nobody any more: the loop ends."""
        self._waiting.clear()
