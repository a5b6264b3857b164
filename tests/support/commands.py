"""Commands of the postbox, each run to its end."""

import json
import subprocess
import sys
from typing import Any

from postbox.settings import Settings
from tests.support.process import environment


def postbox(settings: Settings, *arguments: str, words: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "postbox", *arguments],
        cwd=settings.var.parent,
        env=environment(settings, **more),
        input=words,
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
