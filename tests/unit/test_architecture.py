"""Modules that a running process has loaded; what the source may import is held by the contracts in ``pyproject.toml``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.place import ROOT

PUBLISHES = ("postbox.moderation", "postbox.desk", "postbox.mail", "postbox.privacy", "press", "pelican")
POSTGRESQL = ("psycopg", "postbox.store.postgresql", "postbox.store.handover")
PRIVATE = ("postbox", "starlette", "uvicorn")


def loaded_by(code: str, folder: Path) -> set[str]:
    """Return the modules in a fresh process once it has run a piece of code."""
    report = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.__stdout__))"
    process = subprocess.run(
        [sys.executable, "-c", f"{report}\n{code}"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    return set(process.stdout.split())


def running(command: str) -> str:
    """Return the code of a process of postbox that loads all it needs, and then does not listen."""
    stub = "import sys, uvicorn; uvicorn.Server.run = lambda self, *_: setattr(self, 'started', True)"
    return f"{stub}; sys.argv[1:] = ['{command}']\nfrom postbox.__main__ import main; main()"


@pytest.mark.parametrize(("code", "needed", "never"), [
    (running("intake"), "postbox.public.app", (*PUBLISHES, *POSTGRESQL)),
    (running("desk"), "postbox.desk.app", ("postbox.public", "press", "pelican", *POSTGRESQL)),
    ("import press.__main__, press.plugin", "pelican", PRIVATE),
], ids=["the intake cannot publish", "the desk knows neither intake nor press", "the press sees nothing private"])  # fmt: skip
def test_a_running_process_never_loads(code: str, needed: str, never: tuple[str, ...], tmp_path: Path) -> None:
    loaded = loaded_by(code, tmp_path)

    assert needed in loaded
    assert not sorted(module for module in loaded if any(f"{module}.".startswith(f"{name}.") for name in never))
