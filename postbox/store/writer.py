"""Writer with group commit: all that wait share one transaction, and each is answered once it is durable."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from postbox.store.submissions import Inbox

T = TypeVar("T")
_Operation = Callable[[Inbox], Any]
_Job = tuple[_Operation, asyncio.Future[Any]]
_Outcome = tuple[Any, Exception | None]


class GroupCommit:
    """The writer of an inbox.

    Statements run in the event loop and only what touches the disk in a thread; a thread for all of it spent
    more on handing the interpreter over than on the inbox. A server elsewhere is asked in the thread alone.
    """

    def __init__(self, inbox: Inbox, *, limit: int = 256) -> None:
        """Write through ``inbox``, which nothing else may use; ``limit`` is how many operations may share a transaction."""
        self._inbox = inbox
        self._most = limit
        self._jobs: list[_Job] = []
        self._task: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(1, "inbox-disk")

    async def submit(self, operation: Callable[[Inbox], T]) -> T:
        """Run ``operation`` in the next transaction; return its result, or raise its error, after the commit.

        It may run a second time, from the same state, should another of the same transaction fail.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.append((operation, future))
        self._task = self._task or asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Finish what waits and stop."""
        if self._task:
            await self._task
        self._disk.shutdown()

    async def _run(self) -> None:
        while self._jobs:
            outcomes: list[_Outcome] = []
            jobs = self._jobs[: self._most]
            try:
                await self._on_disk(self._inbox.begin)
                jobs = self._jobs[: self._most]  # more have come in the meantime
                operations = [operation for operation, _ in jobs]
                if self._inbox.is_remote:
                    outcomes = await self._on_disk(self._attempt_all, operations)
                else:
                    outcomes = self._attempt_all(operations)
                await self._on_disk(self._execute, "COMMIT")
            except Exception as error:  # whatever it is, each sender hears of it, and the writer goes on
                outcomes = [(None, error)] * len(jobs)
                with suppress(sqlite3.Error):  # the server has ended
                    if self._inbox.connection.in_transaction:
                        await self._on_disk(self._execute, "ROLLBACK")
            del self._jobs[: len(jobs)]
            for (_, future), (result, failure) in zip(jobs, outcomes, strict=True):
                if future.cancelled():
                    continue
                if failure:
                    future.set_exception(failure)
                else:
                    future.set_result(result)
        self._task = None

    async def _on_disk(self, task: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, task, *arguments)

    def _execute(self, statement: str) -> None:
        self._inbox.connection.execute(statement)

    def _attempt_all(self, operations: list[_Operation]) -> list[_Outcome]:
        """Run the operations; should one fail, all once more, each so that its failure takes no other along."""
        execute = self._inbox.connection.execute
        execute("SAVEPOINT all_of_them")
        try:
            return [(operation(self._inbox), None) for operation in operations]
        except Exception:  # whose it is shows below
            execute("ROLLBACK TO all_of_them")
            return [self._attempt(operation) for operation in operations]

    def _attempt(self, operation: _Operation) -> _Outcome:
        """Run one operation so that its failure takes no other along."""
        execute = self._inbox.connection.execute
        execute("SAVEPOINT one")
        try:
            return operation(self._inbox), None
        except Exception as error:  # handed to whoever waits for this operation
            execute("ROLLBACK TO one")
            return None, error
        finally:
            execute("RELEASE one")
