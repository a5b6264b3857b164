"""Deployment (SITE_PUSH): sends what was printed to where it is served, by commands of the owner's, in a pause and again until it has arrived.

The commands run one after another, without a shell, from the folder of the site; what comes first (new files, then pages,
deletions last) is theirs to say. A push that fails is tried again after pauses that grow.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from contract.manifest import BuildStatus
from press.errors import BuildError

# In seconds
PAUSE = 1.0  # without a change, before what was printed is sent
RETRY, LONGEST_RETRY = 2.0, 300.0
LONGEST = 600.0  # that a command may run
HANGING = 1.0  # for what it said, which a process that it left running (ssh's ControlPersist) may never end
LINE = 4096  # bytes
SAID = 300  # characters of what a command said last


def commands_of(text: str) -> list[list[str]]:
    """Return the commands of a setting, each in words; a semicolon or a new line stands between them.

    Raises:
        BuildError: if a quotation mark has no other.
    """
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=";")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise BuildError(
            f"SITE_PUSH: {error}; write commands like rsync -a output/ host:site/, with ; between"
        ) from None
    return [list(group) for is_between, group in groupby(words, lambda word: set(word) == {";"}) if not is_between]


class Deployment:
    """Sends prints with some commands, one push at a time, beside the watcher; ``say`` takes a line for the terminal."""

    def __init__(self, commands: list[list[str]], say: Callable[[str], None]) -> None:
        self._commands, self._say = commands, say
        self._thread = ThreadPoolExecutor(1, "push")
        self._running: Future[str] | None = None
        self._prints, self._began = 0, ""
        self._next, self._retry = 0.0, RETRY
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def turn(self, status: BuildStatus, *, is_quiet: bool) -> dict[str, Any]:
        """Begin a push that is due; return what one that has ended changes in the status."""
        if self._running and self._running.done():
            fault = self._running.result()
            self._running = None
            return self._ended(status, fault)
        if not self._running and status.unsent and is_quiet and time.monotonic() >= self._next:
            self._prints, self._began = status.unsent, datetime.now(UTC).isoformat(timespec="microseconds")
            self._running = self._thread.submit(self._send)
        return {}

    def close(self) -> None:
        """End what runs; what has not arrived is sent by the next process."""
        self._is_over = True
        if self._process:
            _kill(self._process)
        self._thread.shutdown()

    def _ended(self, status: BuildStatus, fault: str) -> dict[str, Any]:
        if fault:
            self._say(f"not sent: {fault}; tried again in {self._retry:g} s")
            self._next = time.monotonic() + self._retry
            self._retry = min(2 * self._retry, LONGEST_RETRY)
            return {"push_fault": fault}
        self._retry = RETRY
        left = status.unsent - self._prints  # printed meanwhile
        erased = status.erased_since if status.erased_since > self._began else ""
        return {"unsent": left, "unsent_since": self._began if left else "", "erased_since": erased, "push_fault": ""}

    def _send(self) -> str:
        """Run the commands; return why one failed, or an empty string."""
        return next((fault for command in self._commands if (fault := self._run(command))), "")

    def _run(self, command: list[str]) -> str:
        name = os.path.basename(command[0])  # noqa: PTH119  # of a command, which may be no path
        if self._is_over:
            return f"{name} was ended"
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{name}: {error.strerror}"
        self._process = process
        said: deque[bytes] = deque(maxlen=1)
        listener = threading.Thread(target=_listen, args=(process, said), daemon=True)
        listener.start()
        try:
            process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
        self._process = None
        listener.join(HANGING)
        cause = "was ended, by a signal or after ten minutes" if process.returncode < 0 else _plain(b"".join(said))
        return f"{name}: {cause or f'exit status {process.returncode}'}" if process.returncode else ""


def _listen(process: subprocess.Popen[bytes], said: deque[bytes]) -> None:
    assert process.stdout  # noqa: S101  # a pipe
    with process.stdout as lines:
        said.extend(line for line in iter(lambda: lines.readline(LINE), b"") if line.strip())


def _plain(line: bytes) -> str:
    """Return what a command said, for everybody to read: one line, and no password of an address."""
    text = re.sub(r"//[^/@\s]+@", "//…@", line.decode("utf-8", "replace").strip())
    return "".join(character for character in text if character.isprintable())[:SAID]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
