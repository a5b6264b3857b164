"""Processes of ours as they run in earnest: their environment, ports, start and end."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import AnyStr

from postbox.settings import Settings, variable
from tests.support.place import ROOT, Place

PATIENCE_SECONDS = 20


def serve(folder: Path, **settings: str) -> Iterator[tuple[Place, str]]:
    """Serve a copy of the site as `make serve` does, until the generator is closed."""
    place, port = Place(folder), free_port()
    server = run(place, "press", "serve", "--port", str(port), **settings)
    address = f"http://localhost:{port}"
    try:
        wait_until(lambda: answers(address), "the site answers")
        wait_until(lambda: answers(f"http://127.0.0.1:{port + 1}/sign-in/x"), "the desk answers")
        yield place, address
    finally:
        output = end(server, signal.SIGINT)
        assert server.returncode == 0, output


def run(place: Place, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Run one of our commands in a copy of the site."""
    shutil.copy(ROOT / "publishconf.py", place.folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTBOX_", "SITE_URL"))}
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=place.folder,
        env=kept | {"PYTHONPATH": str(ROOT)} | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def line_of(process: subprocess.Popen[str], seconds: float = 60) -> str:
    """Return the next line that a process prints, or nothing where it ends first; one that is silent for so long is killed."""
    assert process.stdout
    silent = threading.Timer(seconds, process.kill)
    silent.start()
    try:
        return process.stdout.readline()
    finally:
        silent.cancel()


def end(process: subprocess.Popen[AnyStr], number: int = signal.SIGTERM, seconds: float = PATIENCE_SECONDS) -> AnyStr:
    """End a process and return what it printed to a pipe; one that does not end in time is killed, and that is raised."""
    process.send_signal(number)
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate(timeout=seconds)
        raise


def postbox(place: Place, *arguments: str) -> str:
    """Run a command of the postbox to its end and return what it printed."""
    output, _ = run(place, "postbox", *arguments).communicate(timeout=PATIENCE_SECONDS)
    return output


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """Return the environment that makes a process of ours read these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTBOX_")}
    ours = {variable(name): str(value) for name, value in asdict(settings).items()}
    return kept | ours | {"PYTHONPATH": str(ROOT)} | more


def free_port() -> int:
    """Return a port that nothing listens on, nor on the next, which the desk takes; below those of outgoing connections."""
    for _ in range(100):
        port = random.randrange(20000, 32000, 2)
        with socket.socket() as site, socket.socket() as desk, contextlib.suppress(OSError):
            site.bind(("127.0.0.1", port))
            desk.bind(("127.0.0.1", port + 1))
            return port
    raise AssertionError("a hundred ports are in use")


def answers(address: str) -> bool:
    """Tell whether something answers there."""
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait a bounded time for what another process does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s until {what}")


def listens(port: int) -> bool:
    """Tell whether something listens on a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
