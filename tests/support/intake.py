"""Browser at the intake, and the intake as it runs in earnest."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from postbox.moderation.service import Moderation
from postbox.public import app as intake
from postbox.public import context as context
from postbox.settings import Settings
from tests.support.engines import as_intake
from tests.support.place import ARTICLE
from tests.support.process import PATIENCE_SECONDS, environment, free_port, listens, wait_until
from tests.support.store import NOW

FORM = {"article": ARTICLE, "name": "Tom", "comment": "Hello **you**."}
MESSAGE = {"name": "Tom", "contact": "07700 900123", "message": "Could you ring me?\n\nAfter six."}
TYPE = {"content-type": "application/x-www-form-urlencoded"}
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


def application(settings: Settings) -> Starlette:
    """Return the intake, in its own role where several share an inbox."""
    return intake.application(as_intake(settings))


def browser(app: Starlette, address: str = "192.0.2.1") -> TestClient:
    """Return a browser without JavaScript that follows no redirect, at an address of the network."""
    return TestClient(app, follow_redirects=False, raise_server_exceptions=False, client=(address, 50_000))


@pytest.fixture
def started() -> Iterator[Callable[[Settings], Starlette]]:
    """What starts an intake, which runs until the test is over."""
    with ExitStack() as running:

        def start(settings: Settings) -> Starlette:
            app = application(settings)
            running.enter_context(browser(app))
            return app

        yield start


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A browser on a running intake."""
    with browser(application(settings)) as client:
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


def sent(client: TestClient, **fields: str) -> str:
    """Send a comment; return its receipt's address."""
    answer = client.post("/comments", data=FORM | fields)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def decide(settings: Settings, decision: str, **more: str) -> None:
    """Decide on the one comment that waits."""
    moderator = Moderation.open(settings)
    [item] = moderator.review.queue()
    getattr(moderator, decision)(item.name, who="David", now=NOW, **more)


@contextmanager
def running(settings: Settings) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the intake as it runs in earnest; yield its process and its port."""
    settings = replace(as_intake(settings), port=free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "postbox", "intake"],
        cwd=settings.var.parent,
        env=environment(settings, TMPDIR=str(settings.var.parent)),
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: process.poll() is not None or listens(settings.port), "it listens")
        assert process.poll() is None, process.communicate(timeout=PATIENCE_SECONDS)[1]
        yield process, settings.port
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
