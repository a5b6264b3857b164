"""Whether a process is fit: 200 or 503, what waits in numbers, what is wrong in a sentence, and nobody's words."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from contract.manifest import BuildStatus
from postbox.desk import app as desk
from postbox.log import VERSION
from postbox.public import app as intake
from postbox.public import preview
from postbox.settings import Settings
from postbox.store import unit_of_work
from postbox.store.database import connect, transaction
from postbox.store.decisions import MIGRATIONS
from postbox.store.submissions import Inbox
from postbox.web import health
from tests.support.intake import FORM, browser
from tests.support.process import wait_until

APPLICATIONS = {"intake": intake.application, "desk": desk.application, "preview": preview.application}
each_process = pytest.mark.parametrize("process", APPLICATIONS)


@pytest.fixture
def client(settings: Settings, process: str) -> Iterator[TestClient]:
    """The machine itself, at a running process; at the desk it is not signed in."""
    with browser(APPLICATIONS[process](settings)) as client:
        yield client


def asked(client: TestClient) -> tuple[int, dict[str, Any]]:
    """Return the status and what is told."""
    answer = client.get("/healthz")
    return answer.status_code, answer.json()


def wrong(client: TestClient) -> str:
    """Return the one sentence of a process that is not fit."""
    status, told = asked(client)
    assert (status, told["fit"]) == (503, False)
    [sentence] = told["wrong"]
    return str(sentence)


@each_process
def test_a_process_with_nothing_wrong_is_fit(client: TestClient) -> None:
    answer = client.get("/healthz")

    told = answer.json()
    assert answer.status_code == 200
    assert (told["fit"], told["wrong"], told["version"]) == (True, [], VERSION)
    assert told["inbox"] | {"free_bytes": 0} == {
        "waiting": 0,
        "oldest_seconds": None,
        "messages": 0,
        "notes": 0,
        "set_aside": 0,
        "free_bytes": 0,
    }
    assert told["site"] == {"articles": 1}
    assert told["press"] == {"finished": None, "seconds": 0.0, "faults": 0, "watching": False, "unsent": 0}
    assert answer.headers["cache-control"] == "no-store"
    head = client.head("/healthz")
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")


@each_process
def test_what_waits_is_told_in_numbers_and_in_nobodys_words(client: TestClient, settings: Settings) -> None:
    with browser(intake.application(settings)) as reader:
        receipt = reader.post("/comments", data=FORM | {"email": "tom@mail.example"}).headers["location"]
        reader.post("/comments", data=FORM | {"comment": "Another."})
        reader.post("/comments/message", data={"name": "Tom", "contact": "020 7946 0000", "message": "Hello."})
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.run("UPDATE revision SET received = '2026-11-20T00:00:00.000000+00:00' WHERE body = 'Another.'")

    status, told = asked(client)

    assert (status, told["inbox"]["waiting"], told["inbox"]["messages"]) == (200, 2, 1)
    assert told["inbox"]["oldest_seconds"] > 60 * 60
    assert told["inbox"]["notes"] >= 3
    text = json.dumps(told)
    for words in ("Tom", "tom@", "Hello", "Another", "7946", receipt.rpartition("/")[2][:12]):
        assert words not in text


@each_process
def test_a_date_of_anothers_making_has_no_age(client: TestClient, settings: Settings) -> None:
    with browser(intake.application(settings)) as reader:
        reader.post("/comments", data=FORM)
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.run("UPDATE revision SET received = 'blisterpearl'")

    status, told = asked(client)

    assert (status, told["inbox"]["waiting"], told["inbox"]["oldest_seconds"]) == (200, 1, None)


@each_process
def test_an_inbox_that_is_gone_or_is_no_database_is_told_and_taken_up_again_once_it_is_back(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings.inbox / "inbox.sqlite"
    monkeypatch.setattr(unit_of_work, "LOOK_AGAIN_SECONDS", 0)
    for file in sorted(
        settings.inbox.glob("inbox.sqlite*")
    ):  # the database goes first and comes back last, for a task may open what lies there
        file.rename(file.with_name(f"away-{file.name}"))

    gone = f"inbox: there is none in {settings.inbox}; put the last good copy there"
    wait_until(lambda: wrong(client) == gone, "it is told")  # a task may have looked between two of the files
    path.write_text("no database at all, whatever its name says")
    wait_until(lambda: wrong(client) == f"inbox: {path}: file is not a database", "it is told")
    path.unlink()
    for file in sorted(settings.inbox.glob("away-*"), reverse=True):
        file.rename(file.with_name(file.name.removeprefix("away-")))
    wait_until(lambda: asked(client)[0] == 200, "it is taken up again")


@each_process
def test_an_inbox_that_another_holds_is_told(client: TestClient, settings: Settings) -> None:
    holding = Inbox.open(settings)

    with transaction(holding.connection):
        sentence = wrong(client)

    assert sentence.startswith(("inbox: database is locked", "inbox: nothing could be written for 1 s"))
    assert asked(client)[0] == 200


@each_process
def test_a_disk_with_hardly_any_room_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MIN_FREE_BYTES", 1 << 62)

    assert wrong(client).endswith(" bytes are free on its disk")


@each_process
def test_facts_that_cannot_be_read_are_told(client: TestClient, settings: Settings) -> None:
    settings.site.write_text("{}")
    damaged = wrong(client)
    settings.site.unlink()
    missing = wrong(client)

    assert damaged.startswith(f"site: {settings.site}: damaged, or another version's")
    assert missing.startswith("site: ")
    assert str(settings.site) in missing


@each_process
def test_a_press_that_cannot_build_or_is_silent_is_told(client: TestClient, settings: Settings) -> None:
    press = BuildStatus(
        finished="2026-11-22T10:15:00+00:00", seconds=0.25, faults=["a.md:1: x", "b.md:2: y"], watching=True
    )
    path = settings.site.with_name("press.json")
    path.write_text(press.dumps(), "utf-8")
    sentence = wrong(client)

    path.write_text(replace(press, faults=[]).dumps(), "utf-8")
    status, told = asked(client)
    os.utime(path, (time.time() - 700,) * 2)
    silent = wrong(client)
    path.with_name("press.lock").touch()  # that nobody holds
    killed = wrong(client)

    assert killed == "press: it was killed, or ended by a fault; systemctl restart site-press"
    assert silent == "press: nothing has been heard of it for 11 minutes; systemctl restart site-press"
    assert sentence == f"press: 2 faults keep new pages from being built; {path} says which"
    assert status == 200
    assert told["press"] == {"finished": press.finished, "seconds": 0.25, "faults": 0, "watching": True, "unsent": 0}


@each_process
def test_an_erasure_that_has_not_arrived_where_the_site_is_served_is_told(
    client: TestClient, settings: Settings
) -> None:
    erased = "2026-11-22T10:15:00+00:00"
    press = BuildStatus(unsent=2, unsent_since=erased, erased_since=erased, push_fault="rsync: no route to host")
    settings.site.with_name("press.json").write_text(press.dumps(), "utf-8")

    assert wrong(client) == (
        "press: Words that were taken off are still to be read there. Where the site is served it is 2 prints behind: "
        "rsync: no route to host"
    )


@each_process
def test_looking_changes_nothing(client: TestClient, settings: Settings) -> None:
    asked(client)
    shutil.copytree(settings.inbox, copy := settings.var / "copy")

    for _ in range(3):
        asked(client)

    for file in copy.iterdir():
        assert (settings.inbox / file.name).read_bytes() == file.read_bytes(), file.name


def test_mail_that_was_given_up_or_should_long_have_gone_is_told_by_the_desk(settings: Settings) -> None:
    with browser(desk.application(settings)) as client:
        database = connect(settings.desk / "desk.sqlite", MIGRATIONS)
        add = "INSERT INTO outbox (kind, about, added, due, state, error) VALUES ('comment', ?1, ?2, ?2, ?3, 'No such user')"
        database.execute(add, ("k3v9tq2mxw7d", time.time(), "failed"))
        failed = wrong(client)
        database.execute("DELETE FROM outbox")
        state = asked(client)[1]["outbox"]

    client = TestClient(desk.application(settings))  # which sends nothing, for it was not started
    database.execute(add, ("k3v9tq2mxw7d", time.time() - 3660, "waiting"))
    late = wrong(client)

    assert failed == "outbox: emails given up: 1; the desk’s page “Email” says why"
    assert state == {"waiting": 0, "late_seconds": 0, "failed": 0}
    assert re.match(r"outbox: an email has been late for 36\d\d seconds; its server refuses it", late)
