"""Shared by tests: desk."""

import itertools
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from contract.comment import Comment
from postbox.desk import app as desk
from postbox.desk.sessions import SignIn
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.submissions import Inbox, Revision
from tests.support.inbox import a_submission, add
from tests.support.place import ROOT, Place

ARTICLE = "big-toe-and-glutes"


KEYS = itertools.count()


EMPTY = {"": ""}  # the client names no content type for a form without a field


@pytest.fixture
def settings(shipped: Place, tmp_path: Path) -> Settings:
    """Settings of a place with the shipped comments and the facts of the shipped site."""
    return a_place(shipped, tmp_path)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A browser without JavaScript that is not signed in and follows no redirect."""
    with a_client(settings) as client:
        yield client


def a_place(shipped: Place, folder: Path, **settings: Any) -> Settings:
    """Copy the shipped comments and facts into a folder; return its settings."""
    shutil.copytree(shipped.comments, folder / "content/comments")
    (folder / "var/site").mkdir(parents=True)
    shutil.copy(shipped.folder / "var/site/site.json", folder / "var/site")
    return Settings(content=folder / "content", theme=ROOT / "theme", var=folder / "var", **settings)


def a_client(settings: Settings) -> TestClient:
    """Return a browser without JavaScript that follows no redirect."""
    return TestClient(desk.application(settings), follow_redirects=False, raise_server_exceptions=False)


def signed_in(client: TestClient, settings: Settings) -> TestClient:
    """Sign a browser in."""
    client.post("/sign-in", data={"token": SignIn(settings.desk).issue(datetime.now(UTC))})
    return client


def send(settings: Settings, *, held: Sequence[str] = (), ago: float = 0, **fields: Any) -> str:
    """Send a comment some minutes ago; return its id."""
    sent, key = datetime.now(UTC) - timedelta(minutes=ago), str(next(KEYS)).encode()
    return add(Inbox(settings.inbox), sent, key=key, held=held, **({"article": ARTICLE} | fields))


def change(settings: Settings, id: str, **fields: str) -> None:
    """Change a comment, as its writer does."""
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.change(id, a_submission(**({"article": ARTICLE} | fields)), datetime.now(UTC), ())


def forge(settings: Settings, statement: str, *values: object) -> None:
    """Write into the inbox what the intake never would."""
    inbox = Inbox(settings.inbox)
    inbox.connection.execute("PRAGMA ignore_check_constraints=ON")
    with transaction(inbox.connection):
        inbox.connection.execute(statement, values)


def a_published(settings: Settings, **fields: Any) -> str:
    """Send a comment and publish it; return its id."""
    id = send(settings, **fields)
    Moderation(settings).approve(name_of(settings, id), who="David", now=datetime.now(UTC))
    return id


def name_of(settings: Settings, id: str) -> str:
    """Return what a decision on a comment's latest revision carries."""
    return Moderation(settings).history(id)[-1].name


def seen(settings: Settings, id: str) -> str:
    """Return what a decision on a published comment carries."""
    moderation = Moderation(settings)
    comment = moderation.find(id)
    assert comment
    return moderation.seen(comment)


def latest(settings: Settings, id: str) -> Revision:
    """Return the latest revision of a comment."""
    return Inbox(settings.inbox).revisions(id)[-1]


def published(settings: Settings, id: str) -> Comment | None:
    """Return a comment as it is published."""
    return Moderation(settings).find(id)


def everything(settings: Settings) -> dict[str, str]:
    """Return every published file, and every row that is kept, but for what goes out by mail in its own time."""
    files = {str(path): path.read_text("utf-8") for path in settings.comments.rglob("*.md")}
    databases = [*settings.inbox.glob("*.sqlite"), *settings.desk.glob("*.sqlite")]
    return files | {
        str(path): "\n".join(filter(is_not_of_the_mail, sqlite3.connect(path).iterdump())) for path in databases
    }


def is_not_of_the_mail(line: str) -> bool:
    """Tell whether a line of a dump is of no table that the sending of mail changes."""
    return not re.match('(INSERT INTO|DELETE FROM) "(event|outbox|sqlite_sequence)"', line)


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>"


FORGERIES: list[tuple[str, tuple[object, ...]]] = [
    *[("UPDATE revision SET held = ?", (held,)) for held in ("no JSON", "", "null", "5", "[" * 100_000)],
    *[("UPDATE revision SET received = ?", (date,)) for date in ("never", "", "2026-13-45", "0001-01-01T00:00:00")],
    ("UPDATE revision SET received = '9999-12-31T23:59:59.999999-12:00'", ()),
    ("UPDATE revision SET received = '0001-01-01T00:00:00+14:00'", ()),
    ("UPDATE revision SET body = CAST(x'ff' AS TEXT)", ()),
    ("UPDATE revision SET author = ?, body = ?, reason = ?", (HOSTILE,) * 3),
    ("UPDATE revision SET held = ?", (json.dumps([HOSTILE, None, {"a": [1]}]),)),
    ("UPDATE revision SET held = ?", (json.dumps([["deep"], 5] * 1000),)),
    ("UPDATE revision SET author = ?", ("bell\x07\0\n\u202e",)),
    ("UPDATE revision SET author = ''", ()),
    ("UPDATE revision SET author = ?", ("x" * 100_000,)),
    ("UPDATE revision SET body = ''", ()),
    ("UPDATE revision SET body = ?", ("x" * 1_000_000,)),
    ("UPDATE revision SET body = ?", ("> " * 20_000,)),
    ("UPDATE comment SET article = 'gone'", ()),
    ("UPDATE comment SET article = ?", (HOSTILE,)),
    ("UPDATE comment SET article = '../../articles'", ()),
    ("UPDATE comment SET reply_to = ?", (HOSTILE,)),
    ("UPDATE comment SET reply_to = '../0001'", ()),
    ("UPDATE comment SET reply_to = id", ()),
]
