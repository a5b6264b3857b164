"""The wake-up of the tasks that watch the inbox."""

import asyncio
import threading

import pytest

from postbox.store.wakeup import Wakeup


def test_a_word_from_any_thread_wakes_every_task_and_is_kept_for_one_that_is_at_work() -> None:
    async def watch() -> list[str]:
        wakeup, looks = Wakeup(3600), []
        waits = [wakeup.waiter(), wakeup.waiter()]

        async def look(name: str, wait: int) -> None:
            await waits[wait](0)
            looks.append(name)

        threading.Thread(target=wakeup.wake).start()
        await asyncio.gather(look("first", 0), look("second", 1))
        wakeup.wake()
        await asyncio.sleep(0)  # at work, and not waiting
        await look("first again", 0)
        return looks

    assert asyncio.run(asyncio.wait_for(watch(), 20)) == ["first", "second", "first again"]


def test_a_task_that_is_woken_as_it_is_told_to_end_does_end() -> None:
    async def end() -> None:
        wakeup = Wakeup(3600)
        task = asyncio.ensure_future(wakeup.waiter()(0))
        await asyncio.sleep(0)
        wakeup.wake()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait_for(task, 20)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(end())
