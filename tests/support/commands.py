"""Commands of the postbox, each run to its end: in this process, or in one of its own, which takes most of a second to start."""

import contextlib
import io
import json
import os
import subprocess
import sys
from typing import Any
from unittest.mock import patch

from postbox.__main__ import main
from postbox.settings import Settings
from tests.support.process import environment


def postbox(settings: Settings, *arguments: str, words: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    printed, told, code = io.StringIO(), io.StringIO(), None
    with contextlib.ExitStack() as world:
        world.enter_context(patch.dict(os.environ, environment(settings, **more), clear=True))
        world.enter_context(patch.multiple(sys, argv=["postbox", *arguments], stdin=io.StringIO(words)))
        world.enter_context(contextlib.chdir(settings.var.parent))
        world.enter_context(contextlib.redirect_stdout(printed))
        world.enter_context(contextlib.redirect_stderr(told))
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    if isinstance(code, str):  # as Python itself does
        told.write(f"{code}\n")
    status = int(bool(code)) if isinstance(code, str) else code or 0
    return subprocess.CompletedProcess(arguments, status, printed.getvalue(), told.getvalue())


def as_process(settings: Settings, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "postbox", *arguments],
        cwd=settings.var.parent,
        env=environment(settings, **more),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def done(settings: Settings, *arguments: str, words: str = "") -> str:
    """Run a command that is to succeed; return what it printed."""
    ended = postbox(settings, *arguments, words=words)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def as_json(settings: Settings, *arguments: str, words: str = "") -> Any:
    """Run a command that is to succeed with --json; return what it printed."""
    return json.loads(done(settings, *arguments, "--json", words=words))


def fault(settings: Settings, *arguments: str, words: str = "", **more: str) -> str:
    """Run a command that is to fail; return its one line."""
    ended = postbox(settings, *arguments, words=words, **more)
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("postbox: ")
    return line.removeprefix("postbox: ")
