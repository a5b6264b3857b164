"""The log: one JSON object a line, enough for whoever keeps the site running, and nothing of whoever uses it."""

import hashlib
import io
import json
import logging
import os
import pty
import select
import shutil
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from postbox import log
from postbox.desk.sessions import SignIn
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.submissions import Inbox
from tests.support.intake import BROKEN
from tests.support.place import ARTICLE, ROOT, Place, a_place
from tests.support.process import end, environment, free_port, listens, wait_until

NAME, WORDS, REASON, ADDRESS, IP = "Xanthippe", "blisterpearl", "quillwort", "canary@mail.example", "198.51.100.77"
TYPED = [NAME, WORDS, REASON, ADDRESS, IP, "198.51.100", "mail.example"]
FORM = {"article": ARTICLE, "name": NAME, "comment": f"{WORDS} one", "email": ADDRESS}
TYPE = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Give the test runner its handlers back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def settings(shipped: Place, tmp_path: Path) -> Settings:
    """Settings of a place with a theme of its own, a proxy that is believed and room for some forms."""
    settings = a_place(shipped, tmp_path)
    shutil.copytree(settings.theme, tmp_path / "theme")
    return replace(settings, theme=tmp_path / "theme", proxy="127.0.0.1", rate_sender=12)


@contextmanager
def running(settings: Settings, process: str) -> Iterator[tuple[httpx2.Client, Path]]:
    """Run a process as it runs in earnest; give a browser that comes through the proxy, and the file of its log."""
    port, file = free_port(), settings.var / f"{process}.log"
    ports = {"POSTBOX_PORT": str(port), "POSTBOX_DESK_PORT": str(port)}
    command = [sys.executable, "-m", "postbox", process]
    with file.open("w") as stderr:
        started = subprocess.Popen(command, cwd=settings.var.parent, env=environment(settings, **ports), stderr=stderr)
    try:
        wait_until(lambda: "started" in file.read_text("utf-8") or started.poll() is not None, "it has started")
        wait_until(lambda: listens(port), "it listens")
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-Forwarded-For": IP}) as client:
            yield client, file
    finally:
        end(started)


def lines(file: Path | str) -> list[dict[str, Any]]:
    """Return what a log tells; each of its lines is one JSON object."""
    return [json.loads(line) for line in (file if isinstance(file, str) else file.read_text("utf-8")).splitlines()]


def refusals(file: Path) -> set[tuple[str | None, str, int]]:
    """Return the route, method and status of every refusal."""
    return {(it.get("route"), it["method"], it["status"]) for it in lines(file) if it["event"] == "refused"}


def in_any_form(words: str) -> list[str]:
    """Return words, and the digests that a log might name them by."""
    return [
        words.casefold(),
        *(getattr(hashlib, name)(words.encode()).hexdigest() for name in ("md5", "sha1", "sha256")),
    ]


def test_the_intakes_log_names_nobody_whatever_it_answers(settings: Settings) -> None:
    with running(settings, "intake") as (client, file):
        receipt = client.post("/comments", data=FORM).headers["location"]
        message = client.post("/comments/message", data={"name": NAME, "contact": ADDRESS, "message": WORDS}).headers[
            "location"
        ]
        answers = [
            client.post("/comments", data=FORM),
            client.post("/comments", data=FORM | {"action": "preview"}),
            client.post("/comments", data=FORM | {"name": ""}),
            client.post("/comments", data=FORM | {"article": WORDS}),
            client.post("/comments", data=FORM, headers={"Origin": f"https://{ADDRESS}"}),
            client.post("/comments", content=WORDS, headers={"content-type": f"text/{WORDS}"}),
            client.post("/comments", content=f"comment={WORDS}" * 9999, headers=TYPE),
            client.post("/comments", content=f"name={NAME}&name={NAME}", headers=TYPE),
            client.post("/comments", content=f"comment={WORDS}%ff", headers=TYPE),
            client.post("/comments/message", data={"name": NAME, "contact": "x", "message": WORDS}),
            client.get(receipt),
            client.get(f"{receipt}/kept.json"),
            client.post(receipt, data=FORM | {"comment": ""}),
            client.post(receipt, data=FORM | {"comment": f"{WORDS} two"}),
            client.post(receipt, data={"action": "delete"}),
            client.post(receipt, data=FORM),
            client.get(f"/comments/receipt/{WORDS}"),
            client.get(message),
            client.post(message),
            client.post(message, data={"action": "delete"}),
            client.get(f"/comments/message/{WORDS}"),
            client.get(f"/comments/mail/{WORDS}"),
            client.post(f"/comments/mail/{WORDS}", data={"action": WORDS}),
            client.get(f"/comments/reply/{WORDS}/{NAME}"),
            client.get(
                f"/{WORDS}?{NAME}={ADDRESS}", headers={"Referer": f"https://{WORDS}.example/", "User-Agent": NAME}
            ),
            client.put("/comments", content=WORDS),
            client.request(WORDS.upper(), "/comments"),
            *(client.post("/comments", data=FORM | {"comment": f"{WORDS} {number}"}) for number in range(12)),
        ]
        for data in [*BROKEN, f"GET /{WORDS} {NAME}\r\n\r\n".encode()]:
            port = client.base_url.port or 0
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as wire:
                wire.sendall(data)
                wire.shutdown(socket.SHUT_WR)
                wire.settimeout(1)
                wire.recv(1000)

    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 303, 400, 403, 404, 405, 409, 413, 415, 422, 429}
    told = file.read_text("utf-8").casefold()
    for words in [*TYPED, receipt.rpartition("/")[2], message.rpartition("/")[2], receipt.rpartition("/")[2][:12]]:
        assert not [form for form in in_any_form(words) if form in told], words
    assert ("/comments", "POST", 429) in refusals(file)
    assert ("/comments/receipt/{receipt}", "GET", 404) in refusals(file)
    assert ("/comments", "other", 405) in refusals(file)
    assert (None, "GET", 404) in refusals(file)


def test_the_desks_log_names_nobody_whatever_it_answers(settings: Settings) -> None:
    with running(settings, "intake") as (reader, _):
        reader.post("/comments/message", data={"name": NAME, "contact": ADDRESS, "message": WORDS})
        for number in range(4):
            reader.post("/comments", data=FORM | {"comment": f"{WORDS} {number}"})
    names = [item.name for item in Moderation.open(settings).review.queue()]
    link = SignIn(settings.desk).issue(datetime.now(UTC))

    with running(settings, "desk") as (client, file):
        answers = [
            client.get("/"),
            client.get(f"/sign-in/{link}"),
            client.post("/sign-in", data={"token": WORDS}),
            client.post("/sign-in", data={"token": link}),
            *(client.get(place) for place in ("/", "/published", "/log")),
            client.post(place := f"/comment/{names[0][:12]}", data={"action": "publish", "name": names[0]}),
            client.post(place, data={"action": "publish", "name": names[0]}),
            client.post(place, data={"action": "publish and answer", "name": names[0], "answer": ""}),
            client.post("/", data={"action": WORDS, names[1]: "tick"}),
            client.post("/", data={"action": "spam", names[1]: "tick"}),
            client.post(f"/comment/{names[2][:12]}", data={"action": "reject", "name": names[2], "reason": REASON}),
            client.post("/undo", data={"sequences": "1,99"}),
            client.post("/undo", data={"sequences": "1"}, headers={"Sec-Fetch-Site": "cross-site"}),
            client.get(f"/comment/{WORDS}"),
            client.get(f"/decide/{WORDS}"),
            client.post(f"/decide/{names[3]}-{WORDS}", data={"action": "publish", "name": names[3]}),
            client.post("/messages", data={"action": WORDS, "id": NAME}),
            client.post("/mail", data={"action": WORDS}),
            client.get(f"/{WORDS}?{NAME}={ADDRESS}"),
        ]
        session = client.cookies["desk"]
        (settings.theme / "templates/desk/log.html").write_text(f"{{{{ items.{WORDS}.x }}}}", "utf-8")
        answers.append(client.get("/log"))

    assert {answer.status_code for answer in answers} == {200, 303, 400, 401, 403, 404, 409, 422, 503}
    told = file.read_text("utf-8").casefold()
    for words in [*TYPED, link, session, *names, *(name[:12] for name in names)]:
        assert not [form for form in in_any_form(words) if form in told], words
    decisions = [it["action"] for it in lines(file) if it["event"] == "decision"]
    assert decisions == ["publish", "spam", "reject", "undo"]
    assert (None, "GET", 404) in refusals(file)
    assert ("/sign-in", "POST", 401) in refusals(file)
    [fault] = [it for it in lines(file) if it["event"] == "fault"]
    assert (fault["level"], fault["error"]) == ("error", "UndefinedError")
    assert fault["place"].startswith("postbox.desk.context.DeskRequest.page:")


def test_what_stops_the_inbox_is_told_by_its_name_and_place_and_not_by_its_words(settings: Settings) -> None:
    with running(settings, "intake") as (client, file):
        inbox = Inbox.open(settings)
        inbox.run(f"CREATE TRIGGER full BEFORE INSERT ON revision BEGIN SELECT RAISE(ABORT, '{WORDS}'); END")
        inbox.run(f"CREATE TRIGGER too BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, '{WORDS}'); END")
        inbox.connection.close()

        comment = client.post("/comments", data=FORM)
        message = client.post("/comments/message", data={"name": NAME, "contact": ADDRESS, "message": WORDS})

    assert (comment.status_code, message.status_code) == (503, 503)
    faults = [it for it in lines(file) if it["event"] == "fault"]
    assert [it["error"] for it in faults] == ["IntegrityError SQLITE_CONSTRAINT_TRIGGER"] * 2
    assert {it["place"].rpartition(":")[0] for it in faults} == {"postbox.store.database.LimitedConnection.execute"}
    assert [it["level"] for it in lines(file) if it.get("status") == 503] == ["error"] * 2
    assert WORDS not in file.read_text("utf-8")


def test_a_process_tells_what_it_runs_with_and_what_it_has_done(settings: Settings) -> None:
    with running(settings, "intake") as (client, file):
        client.post("/comments", data=FORM)
        client.get("/nowhere")

    first, *_, last = lines(file)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (first["event"], first["process"], first["version"]) == ("started", "intake", project["version"])
    assert (first["proxy"], first["rate_sender"], first["var"]) == ("127.0.0.1", 12, str(settings.var))
    assert (last["event"], last["answered"], last["refused"]) == ("stopped", 1, 1)
    assert datetime.fromisoformat(last["time"]).tzinfo


def test_on_a_terminal_only_what_is_wrong_is_told_and_plainly(settings: Settings, shipped: Place) -> None:
    ours, theirs = pty.openpty()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "postbox", "preview"],
        cwd=settings.var.parent,
        env=environment(replace(settings, output=shipped.output), POSTBOX_PORT=str(port)),
        stderr=theirs,
    )
    os.close(theirs)
    try:
        wait_until(lambda: listens(port), "it listens")
        assert httpx2.get(f"http://127.0.0.1:{port}/nowhere").status_code == 404
        assert httpx2.post(f"http://127.0.0.1:{port}/comments", data=FORM | {"name": ""}).status_code == 422
        quiet = select.select([ours], [], [], 0)[0] == []
        (settings.theme / "templates/comment.html").write_text("{{ 1 / 0 }}", "utf-8")
        assert httpx2.post(f"http://127.0.0.1:{port}/comments", data=FORM | {"name": ""}).status_code == 503
        told = os.read(ours, 65536).decode()
    finally:
        end(process)
        os.close(ours)

    assert quiet
    assert told.startswith("fault  error ZeroDivisionError  place postbox.")
    assert all(line.startswith(("fault  ", "refused  ")) for line in told.splitlines())


def test_a_librarys_own_words_stay_out_and_its_place_is_told() -> None:
    stream = io.StringIO()
    log.start(stream)

    logging.getLogger("asyncio").error(f"Exception in callback handle(b'name={NAME}')")
    try:
        raise ValueError(WORDS)
    except ValueError:
        logging.getLogger("library.of.another").exception("While answering %s", NAME)

    first, second = lines(stream.getvalue())
    test = "test_a_librarys_own_words_stay_out_and_its_place_is_told"
    assert (first["event"], first["logger"], first["said_in"]) == ("library", "asyncio", f"test_log.{test}")
    assert (second["error"], second["place"].rpartition(":")[0]) == ("ValueError", f"{__name__}.{test}")
    assert NAME not in stream.getvalue()
    assert WORDS not in stream.getvalue()


def test_of_an_error_the_systems_own_name_is_told(tmp_path: Path) -> None:
    stream = io.StringIO()
    log.start(stream)
    (tmp_path / "inbox.sqlite").write_text("no database at all, whatever its name says")

    for broken in (lambda: Inbox(tmp_path), lambda: (tmp_path / "none").read_text()):
        try:
            broken()
        except (OSError, sqlite3.Error) as error:
            log.fault(error)

    assert [it["error"] for it in lines(stream.getvalue())] == [
        "DatabaseError SQLITE_NOTADB",
        "FileNotFoundError ENOENT",
    ]
