"""Processes that the tests run: one that hangs is ended, and the test that waits for it fails."""

import signal
import subprocess
import sys

import pytest

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
