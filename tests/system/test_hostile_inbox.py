"""A desk whose inbox an enemy may write: it starts, says what it set aside, serves the rest, and takes the inbox up again."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from postbox.desk import app, context
from postbox.mail.worker import MailWorker
from postbox.settings import Settings
from postbox.store import database, unit_of_work
from postbox.store.submissions import Inbox
from postbox.store.tokens import secret
from postbox.store.unit_of_work import Store
from tests.support.desk import a_client, a_published, name_of, published, send, signed_in
from tests.support.process import wait_until
from tests.support.store import a_message, latest

PAGES = ("/", "/published", "/log", "/messages", "/comment/0001")
ASIDE = "The inbox is set aside"
SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"

Laid = Callable[[Callable[[], object]], AbstractContextManager[TestClient]]

# What is laid, the words that tell of it on each page (none where nothing has to be set aside), and what mends it.
ATTACKS: dict[str, tuple[str, str, str]] = {
    "a view": ("CREATE VIEW more AS SELECT 1", "“more” is a view or a trigger", "DROP VIEW more"),
    "a trigger": (
        "CREATE TRIGGER more AFTER UPDATE ON revision BEGIN DELETE FROM revision; END",
        "“more” is a view or a trigger",
        "DROP TRIGGER more",
    ),
    "a row of thirty megabytes": (
        "UPDATE revision SET body = replace(hex(zeroblob(15000000)), '0', 'x') WHERE author = 'Enemy'",
        "Rows of the inbox set aside",
        "DELETE FROM revision WHERE author = 'Enemy'",
    ),
    "a row whose article is as long": (
        "UPDATE comment SET article = replace(hex(zeroblob(15000000)), '0', 'x') WHERE id = 'enemy'",
        "Rows of the inbox set aside",
        "DELETE FROM revision WHERE author = 'Enemy'",
    ),
    "fifty thousand deletion requests": (
        f"INSERT INTO comment (id, article, deletion) {MANY.format(50_000)} SELECT 'x' || i, 'x', 'delete' FROM n",
        "",
        "DELETE FROM comment WHERE article = 'x'",
    ),
    "five thousand revisions of one comment": (
        "INSERT INTO revision (comment, number, author, body, digest, received, held, state)"
        f" {MANY.format(5_000)} SELECT 'enemy', i + 1, 'Enemy', i, x'', '2026', '[]', 'replaced' FROM n",
        "",
        "DELETE FROM revision WHERE number > 1",
    ),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once, so that no test waits."""
    monkeypatch.setattr(unit_of_work, "LOOK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(database, "STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr(app, "LOOK_SECONDS", 0.2)


@pytest.fixture(params=["laid before it starts", "laid while it runs"])
def desk_under(settings: Settings, request: pytest.FixtureRequest) -> Laid:
    """A desk, its owner signed in, with one honest comment; what is laid is laid before or after its start."""

    @contextmanager
    def desk(attack: Callable[[], object]) -> Iterator[TestClient]:
        send(settings, author="Tom", body="Honest words.")
        if request.param == "laid before it starts":
            attack()
            with a_client(settings) as client:
                yield signed_in(client, settings)
        else:
            with a_client(settings) as client:
                signed_in(client, settings).get("/")
                attack()
                yield client

    return desk


def forge(settings: Settings, statement: str) -> None:
    """Write into the inbox without any of our limits."""
    connection = sqlite3.connect(settings.inbox / "inbox.sqlite", isolation_level=None)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("attack", ATTACKS)
def test_rows_of_an_enemy_leave_a_desk_that_serves_the_rest(settings: Settings, desk_under: Laid, attack: str) -> None:
    laid, told, mended = ATTACKS[attack]
    send(settings, author="Enemy", body="Mine.")
    forge(settings, "UPDATE comment SET id = 'enemy' WHERE id = (SELECT comment FROM revision WHERE author = 'Enemy')")
    forge(settings, "UPDATE revision SET comment = 'enemy' WHERE author = 'Enemy'")

    with desk_under(lambda: forge(settings, laid)) as client:
        pages = {page: client.get(page) for page in PAGES}
        forge(settings, mended)
        wait_until(lambda: ASIDE not in client.get("/").text, "the inbox is taken up again")
        after = client.get("/").text

    assert {page: answer.status_code for page, answer in pages.items()} == dict.fromkeys(PAGES, 200)
    assert told in pages["/"].text
    assert ASIDE in pages["/"].text or "Honest words." in pages["/"].text
    assert "Honest words." in after


LONG = "replace(hex(zeroblob(1000000)), '0', 'x')"
OVERLONG = {
    "revision": f"UPDATE revision SET body = {LONG} WHERE author = 'Enemy'",
    "comment": f"INSERT INTO comment (id, article, deletion) VALUES ({LONG}, 'x', 'delete')",
    "message": f"INSERT INTO message (id, name, contact, body, received, held) VALUES ('m', '', '', {LONG}, '', '[]')",
    "subscription": f"INSERT INTO subscription (comment, address, events) VALUES ('enemy', {LONG}, '')",
    "refused": f"INSERT INTO refused VALUES (CAST({LONG} AS BLOB))",
    "event": f"INSERT INTO event (kind, about) VALUES ('comment', {LONG})",
    "erasure": f"INSERT INTO erasure (kind, about) VALUES ('message', {LONG})",
}


SUMMED = "replace(hex(zeroblob(250000)), '0', 'x')"  # half of what one may have


@pytest.mark.parametrize("statement", [
    f"UPDATE revision SET body = {SUMMED}, reason = {SUMMED}, received = {SUMMED} WHERE author = 'Enemy'",
    f"INSERT INTO message (id, name, contact, body, received, held) VALUES ('m', '', {SUMMED}, {SUMMED}, {SUMMED}, '[]')",
], ids=["revision", "message"])  # fmt: skip
def test_a_row_that_is_too_long_in_all_keeps_no_other_from_being_seen(settings: Settings, statement: str) -> None:
    send(settings, author="Tom", body="Honest words.")
    a_message(settings, body="Honest message.")
    send(settings, author="Enemy", body="Mine.")
    forge(settings, statement)

    with a_client(settings) as client:
        signed_in(client, settings)

        assert "Honest words." in client.get("/").text
        assert "Honest message." in client.get("/messages").text


@pytest.mark.parametrize("table", OVERLONG)
def test_a_row_that_is_too_long_is_told_at_the_desk_whatever_its_table(settings: Settings, table: str) -> None:
    send(settings, author="Tom", body="Honest words.")
    send(settings, author="Enemy", body="Mine.")
    told = f"longer than anything the form takes, among its {context.TABLES[table]}."
    forge(settings, OVERLONG[table])

    with a_client(settings) as client:
        signed_in(client, settings)
        wait_until(lambda: told in client.get("/").text, "it is told")

        assert "Honest words." in client.get("/").text


def _swap(settings: Settings, how: Callable[[str], object]) -> None:
    for file in sorted(settings.inbox.glob("inbox.sqlite*")):
        file.rename(file.with_name(f"away-{file.name}"))
    how(str(settings.inbox / "inbox.sqlite"))


def _file_of(path: str, size: int) -> None:
    with open(path, "wb") as file:  # noqa: PTH123  # as the others take it
        file.truncate(size)


FILES: dict[str, Callable[[str], object]] = {
    "nothing": lambda path: None,
    "no database": lambda path: _file_of(path, 8192),
    "a link": lambda path: Path(path).symlink_to("/dev/zero"),
    "a folder": os.mkdir,
    "a pipe": os.mkfifo,
    "eight gigabytes": lambda path: _file_of(path, 8 << 30),
}


@pytest.mark.parametrize("file", FILES)
def test_whatever_lies_in_the_inboxs_place_the_desk_runs_and_takes_it_up_once_it_is_back(
    settings: Settings, file: str
) -> None:
    send(settings, body="Honest words.")
    with a_client(settings) as client:
        signed_in(client, settings).get("/")
        _swap(settings, FILES[file])
        wait_until(lambda: ASIDE in client.get("/").text, "it is told")
        pages = [client.get(page).status_code for page in PAGES]
        health = client.get("/healthz")
        for path in settings.inbox.glob("inbox.sqlite*"):
            path.rmdir() if path.is_dir() else path.unlink()
        for path in sorted(settings.inbox.glob("away-*"), reverse=True):
            path.rename(path.with_name(path.name.removeprefix("away-")))
        wait_until(lambda: "Honest words." in client.get("/").text, "it is taken up again")

    assert pages == [200] * len(PAGES)
    assert health.status_code == 503
    assert health.json()["wrong"][0].startswith("inbox: ")


KEYS: dict[str, Callable[[str], object]] = {
    "a pipe": os.mkfifo,
    "a link to what never ends": lambda path: Path(path).symlink_to("/dev/zero"),
    "eight gigabytes": lambda path: _file_of(path, 8 << 30),
    "a byte too few": lambda path: _file_of(path, 31),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_is_none_of_ours_is_refused_and_the_desk_runs(settings: Settings, key: str) -> None:
    send(settings)
    path = settings.inbox / "key"
    path.unlink(missing_ok=True)
    KEYS[key](str(path))

    with pytest.raises(ValueError, match="is no key of ours"):
        secret(path, mode=0o640)
    with a_client(settings) as client:
        assert signed_in(client, settings).get("/").status_code == 200


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Keep the right to write the inbox."""
    holder = sqlite3.connect(settings.inbox / "inbox.sqlite", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


def test_a_decision_stands_while_another_program_holds_the_inbox_and_that_follows_by_itself(settings: Settings) -> None:
    id = send(settings, body="Honest words.")
    form = {"action": "publish", "name": name_of(settings, id)}

    with a_client(settings) as client:
        signed_in(client, settings)
        with held(settings):
            answers = [client.post(f"/comment/{id}", data=form).status_code for _ in range(2)]
            page, queue = client.get("/published").text, client.get("/").text
            comment = published_file(settings, id)
        wait_until(lambda: latest(settings, id).state == "published", "the inbox follows")

    assert answers == [303, 303]
    assert comment == "Honest words."
    assert "Decisions made, while the inbox could not be written: 1." in page
    assert "Honest words." not in queue.split("All done")[-1]
    assert Store(settings).open().decisions.size() == 1


def published_file(settings: Settings, id: str) -> str:
    """Return the words of a comment's file."""
    [path] = settings.comments.rglob(f"{id}.md")
    return path.read_text("utf-8").partition("\n\n")[2].strip()


def test_a_page_is_shown_while_another_program_keeps_even_the_right_to_read(settings: Settings) -> None:
    send(settings)
    with a_client(settings) as client:
        signed_in(client, settings)
        holder = sqlite3.connect(settings.inbox / "inbox.sqlite", isolation_level=None)
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        with held(settings):
            pages = [client.get(page).status_code for page in PAGES]

    assert pages == [200] * len(PAGES)
    assert context.INBOX_SECONDS < 1


def test_no_mail_is_dropped_while_the_inbox_is_set_aside(settings: Settings) -> None:
    id = a_published(settings)
    store = Store(settings)
    with store.unit() as work:
        before = work.outbox.health(datetime.now(UTC)).waiting
    forge(settings, "CREATE VIEW more AS SELECT 1")

    worker = MailWorker(store)
    with store.unit() as work, pytest.raises(ValueError, match="is a view or a trigger"):
        worker._next_job(work)

    with store.unit() as work:
        assert work.outbox.health(datetime.now(UTC)).waiting == before >= 1
    forge(settings, "DROP VIEW more")
    assert published(settings, id)


def test_a_statement_that_never_ends_is_ended(settings: Settings) -> None:
    connection = Inbox.open(settings).connection

    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        connection.execute(f"{SLOW} SELECT max(i) FROM n").fetchone()

    assert connection.execute("SELECT 1").fetchone()[0] == 1
