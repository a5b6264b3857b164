"""Shared by tests: intake."""

import html
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from httpx2 import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient

from postbox.moderation.service import Moderation
from postbox.public import app as intake
from postbox.public import context as context
from postbox.settings import Settings
from postbox.store.submissions import Inbox, Revision
from tests.support.place import ROOT, Place

ARTICLE = "big-toe-and-glutes"


FORM = {"article": ARTICLE, "name": "Tom", "comment": "Hello **you**."}


TYPE = {"content-type": "application/x-www-form-urlencoded"}


NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)


def a_place(shipped: Place, folder: Path) -> Settings:
    """Make a place with an inbox and comments of its own beside the shipped theme; return its settings."""
    settings = Settings(content=folder / "content", theme=shipped.folder / "theme", var=folder / "var")
    shutil.copytree(shipped.comments, settings.comments)
    settings.site.parent.mkdir(parents=True)
    shutil.copy(shipped.folder / "var/site/site.json", settings.site)
    return settings


@pytest.fixture
def settings(shipped: Place, tmp_path: Path) -> Settings:
    """Settings of a place of one's own."""
    return a_place(shipped, tmp_path / "mine")


def browser(app: Starlette, address: str = "192.0.2.1") -> TestClient:
    """Return a browser without JavaScript that follows no redirect, at an address of the network."""
    return TestClient(app, follow_redirects=False, raise_server_exceptions=False, client=(address, 50_000))


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A browser on a running intake."""
    with browser(intake.application(settings)) as client:
        yield client


class Clock:
    """A clock that is set by hand, for the intake's dates and its rate limit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        monkeypatch.setattr(context, "datetime", SimpleNamespace(now=lambda _: self.now))
        monkeypatch.setattr(context, "time", SimpleNamespace(monotonic=lambda: self.now.timestamp()))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The intake's clock."""
    return Clock(monkeypatch)


def revisions(settings: Settings) -> list[Revision]:
    """Return all that is in the inbox."""
    return Inbox(settings.inbox).everything()


def sent(client: TestClient, **fields: str) -> str:
    """Send a comment; return its receipt's address."""
    answer = client.post("/comments", data=FORM | fields)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def decide(settings: Settings, decision: str, **more: str) -> None:
    """Decide on the one comment that waits."""
    moderator = Moderation(settings)
    [item] = moderator.queue()
    getattr(moderator, decision)(item.name, who="David", now=NOW, **more)


def shown(answer: Response) -> str:
    """Return the text of a page as it is read, without its tags."""
    return " ".join(html.unescape(re.sub("<[^>]+>", "", answer.text.partition("<main")[2])).split())


def values(answer: Response) -> dict[str, str]:
    """Return what stands in the fields of a page's forms, but for the one that nobody sees."""
    inputs = dict(re.findall(r'<input[^>]* name="(\w+)"(?: value="([^"]*)")?', answer.text))
    areas = dict(re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n(.*?)</textarea>', answer.text, re.DOTALL))
    return {name: html.unescape(value) for name, value in (inputs | areas).items() if name != "website"}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """Return the environment that makes a process of ours read these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTBOX_")}
    ours = {f"POSTBOX_{name.upper()}": str(value) for name, value in asdict(settings).items()}
    return kept | ours | {"PYTHONPATH": str(ROOT)} | more


@contextmanager
def running(settings: Settings) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the intake as it runs in earnest; yield its process and its port."""
    settings = replace(settings, port=free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "postbox", "intake"],
        cwd=settings.var.parent,
        env=environment(settings),
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(400):
            with suppress(OSError), socket.create_connection(("127.0.0.1", settings.port), timeout=1):
                break
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        yield process, settings.port
    finally:
        process.kill()
        process.communicate()


BROKEN = [
    b"",
    b"\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01",  # TLS
    b"POST /comments HTTP/1.1\r\n\r\n",
    b"POST /comments HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab",  # and gone
    b"POST /comments HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nname=To",
    b"POST /comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"
    + b"x" * 200_000,
    b"POST /comments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    b"POST /comments HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na=b",
    b"GET /comments/receipt/%ff%fe-%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /comments/receipt/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://evil.example/comments HTTP/1.1\r\nHost: [\r\n\r\n",
    b"GET //comments HTTP/1.1\r\nHost: x\r\nX: \x01\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
]
