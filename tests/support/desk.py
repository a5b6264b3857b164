"""Browser at the desk, and what is sent to it and decided there."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from contract.comment import Comment
from postbox.desk import app as desk
from postbox.desk.sessions import SignIn
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.submissions import Inbox
from tests.support.place import ARTICLE
from tests.support.store import KEYS, a_submission, add

EMPTY = {"": ""}  # the client names no content type for a form without a field


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A browser without JavaScript that is not signed in and follows no redirect."""
    with a_client(settings) as client:
        yield client


def a_client(settings: Settings) -> TestClient:
    """Return a browser without JavaScript that follows no redirect."""
    return TestClient(desk.application(settings), follow_redirects=False, raise_server_exceptions=False)


def signed_in(client: TestClient, settings: Settings) -> TestClient:
    """Sign a browser in."""
    client.post("/sign-in", data={"token": SignIn(settings.desk).issue(datetime.now(UTC))})
    return client


def send(settings: Settings, *, held: Sequence[str] = (), ago: float = 0, **fields: Any) -> str:
    """Send a comment some minutes ago; return its id."""
    sent, key = datetime.now(UTC) - timedelta(minutes=ago), next(KEYS)
    return add(Inbox.open(settings), sent, key=key, held=held, **({"article": ARTICLE} | fields))


def change(settings: Settings, id: str, **fields: str) -> None:
    """Change a comment, as its writer does."""
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.change(id, a_submission(**({"article": ARTICLE} | fields)), datetime.now(UTC), ())


def a_published(settings: Settings, **fields: Any) -> str:
    """Send a comment and publish it; return its id."""
    id = send(settings, **fields)
    Moderation.open(settings).approve(name_of(settings, id), who="David", now=datetime.now(UTC))
    return id


def name_of(settings: Settings, id: str) -> str:
    """Return what a decision on a comment's latest revision carries."""
    return Moderation.open(settings).review.history(id)[-1].name


def seen(settings: Settings, id: str) -> str:
    """Return what a decision on a published comment carries."""
    moderation = Moderation.open(settings)
    comment = moderation.review.find(id)
    assert comment
    return moderation.review.seen(comment)


def published(settings: Settings, id: str) -> Comment | None:
    """Return a comment as it is published."""
    return Moderation.open(settings).review.find(id)


def everything(settings: Settings) -> dict[str, str]:
    """Return every published file, and every row that is kept, but for what goes out by mail in its own time."""
    files = {str(path): path.read_text("utf-8") for path in settings.comments.rglob("*.md")}
    databases = [*settings.inbox.glob("*.sqlite"), *settings.desk.glob("*.sqlite")]
    return files | {
        str(path): "\n".join(filter(is_not_of_the_mail, sqlite3.connect(path).iterdump())) for path in databases
    }


def is_not_of_the_mail(line: str) -> bool:
    """Tell whether a line of a dump is of no table that the sending of mail changes."""
    return not re.match('(INSERT INTO|DELETE FROM) "(arrival|event|outbox|sqlite_sequence)"', line)
