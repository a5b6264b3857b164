"""Processes that the tests run: one that hangs is ended, and the test that waits for it fails."""

import ast
import signal
import subprocess
import sys

import pytest

from tests.support.place import ROOT
from tests.support.process import end, line_of

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def test_a_process_that_is_silent_or_does_not_end_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True) as deaf:
        assert line_of(deaf) == "deaf\n"
        with pytest.raises(subprocess.TimeoutExpired):
            end(deaf, seconds=0.2)
    with subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE, text=True) as silent:
        assert line_of(silent, 0.2) == ""

    assert (deaf.returncode, silent.returncode) == (-signal.SIGKILL, -signal.SIGKILL)


def is_endless(call: ast.Call) -> bool:
    """Tell whether a call may wait for ever for what another process or thread does."""
    called, given = ast.unparse(call.func), {word.arg for word in call.keywords}
    if called in ("subprocess.run", "urllib.request.urlopen"):
        return "timeout" not in given
    if called == "socket.create_connection":
        return len(call.args) < 2 and "timeout" not in given
    is_wait = called.rpartition(".")[2] in ("communicate", "join", "wait") and "." in called
    return is_wait and "asyncio" not in called and not call.args and not given


def test_neither_a_test_nor_a_benchmark_waits_for_ever() -> None:
    files = [file for folder in ("tests", "bench") for file in (ROOT / folder).rglob("*.py")]

    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:60]}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and is_endless(node)
    ]

    assert found == []
