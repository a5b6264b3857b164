"""The command line: every command as a process, what it prints, its exit status, and its one line when it fails."""

import json
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from contract.thread import read_all
from postbox.__main__ import main
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.submissions import Inbox
from tests.support.commands import as_json, as_process, done, fault
from tests.support.moderation import (
    a_published,
    a_waiting,
    delete,
    everywhere,
    file_of,
    published,
    the_one_waiting,
)
from tests.support.place import ARTICLE, ROOT
from tests.support.process import environment
from tests.support.store import a_message, forge

Clock = Callable[[], datetime]

COMMANDS = [
    *["list", "show", "approve", "reject", "reply", "forget", "export", "tidy", "sign-in"],
    *["backup", "doctor", "intake", "desk", "preview"],
]


# Help


def test_the_help_names_every_command_and_the_exit_statuses(settings: Settings) -> None:
    help = done(settings, "--help")

    for command in COMMANDS:
        assert f"\n  {command} " in help
    assert "Exit status: 0 done, 1 could not be done and why, 2 no such command." in help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own_and_changes_nothing_by_it(settings: Settings, command: str) -> None:
    help = done(settings, command, "--help")

    assert re.match(rf"Usage: .* {command} ", help)
    assert "--json" in help
    assert not settings.inbox.exists()


@pytest.mark.parametrize("arguments", [[], ["aprove"], ["approve"], ["list", "--jason"], ["show", "a", "b"]])
def test_what_is_no_command_is_status_two(settings: Settings, arguments: list[str]) -> None:
    ended = as_process(settings, *arguments)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Usage: python -m postbox")
    assert "Traceback" not in ended.stderr


def test_the_script_that_is_installed_is_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]

    assert EntryPoint("postbox", scripts["postbox"], "console_scripts").load() is main


# Judging


def test_an_empty_queue_is_nothing_to_print(settings: Settings) -> None:
    assert done(settings, "list") == ""
    assert as_json(settings, "list") == []


def test_the_list_has_one_line_a_comment_that_none_can_break_or_colour(settings: Settings, clock: Clock) -> None:
    plain = a_waiting(settings, clock, body="One\n\ntwo  three", reply_to="0001")
    forged = a_waiting(settings, clock)
    forge(
        settings,
        "UPDATE revision SET author = ?, body = ?, held = ? WHERE comment = ?",
        f"Eve\u202e\n{plain}.0000000000000000  2026-11-22",
        "\x1b[2J\x9b31m\x00\r\u2028words",
        '["because\\nof \\u001b[0m"]',
        forged,
    )

    first, second = done(settings, "list").splitlines()

    moderator = Moderation.open(settings)
    name = the_one_waiting(moderator, plain).name
    assert first == f"{name}  2026-11-22 10:15  {ARTICLE} (answers 0001)  Tom: One two three"
    assert second.startswith(f"{the_one_waiting(moderator, forged).name}  2026-11-22 10:15  {ARTICLE}  Eve {plain}.")
    assert second.endswith("[held: because of �[0m]")
    assert all(character.isprintable() for character in first + second)
    assert [waiting["name"] for waiting in as_json(settings, "list")] == [line.split()[0] for line in (first, second)]


def test_a_terminal_gets_nothing_that_drives_it_or_turns_words_round_and_json_keeps_every_sign(
    settings: Settings, clock: Clock
) -> None:
    words = "One \x1b[2J\x9b31m\u202etxet\u2066 \u200f\ufeff\U000e0041é"
    id = a_waiting(settings, clock)
    forge(settings, "UPDATE revision SET author = ?1, body = ?1", words)

    for arguments in (["list"], ["show", id], ["list", "--json"], ["show", id, "--json"], ["export", id]):
        printed = done(settings, *arguments)
        assert "One " in printed
        assert all(line.isprintable() for line in printed.splitlines())
    assert fault(settings, "show", "\u202e9999") == "9999 is no comment here"
    [revision] = as_json(settings, "show", id)["revisions"]
    assert (revision["author"], revision["body"]) == (words, words)


def test_a_comment_is_shown_whole_with_what_became_of_it(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, author="Zoë", body="One\n\ntwo", reply_to="0001")
    name = the_one_waiting(Moderation.open(settings), id).name
    forge(settings, "UPDATE revision SET held = '[\"it has 3 links\"]'")

    text, about = done(settings, "show", id), as_json(settings, "show", id)

    assert text.startswith(f"{name}\nstate: waiting\n")
    for part in ("reply_to: 0001", "author: Zoë", "it has 3 links", "\n\nOne\n\ntwo\n"):
        assert part in text
    assert about["published"] is None
    assert about["decisions"] == []
    assert about["revisions"] == [
        {
            "name": name,
            "id": id,
            "number": 1,
            "article": ARTICLE,
            "reply_to": "0001",
            "author": "Zoë",
            "body": "One\n\ntwo",
            "received": "2026-11-22T10:15:00+00:00",
            "held": ["it has 3 links"],
            "state": "waiting",
            "reason": "",
        }
    ]


def test_a_shipped_comment_is_shown_too(settings: Settings) -> None:
    assert "I love the feet" in done(settings, "show", "0001")
    assert as_json(settings, "show", "0001")["published"]["author"] == "Alexis"


def test_approve_publishes_what_was_named_once(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, body="Hello.")
    name = done(settings, "list").split()[0]

    said = done(settings, "approve", name)

    assert said == f"published: {name}\n"
    assert published(settings, id).body == "Hello."
    assert (
        fault(settings, "approve", name)
        == f"{name.partition(chr(46))[0]} isn’t waiting: it was decided or deleted since you read it; `list` shows what does"
    )
    [decision] = as_json(settings, "show", id)["decisions"]
    assert decision["action"] == "publish"
    assert decision["who"].endswith(" at the command line")


def test_approve_refuses_words_that_changed_and_names_the_new(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    name = done(settings, "list").split()[0]
    forge(settings, "UPDATE revision SET body = 'Other.'")

    line = fault(settings, "approve", name)

    assert (
        line
        == f"{name.partition(chr(46))[0]} has changed since you read it; read what it says now, as {done(settings, 'list').split()[0]}"
    )
    assert not file_of(settings, id).exists()


@pytest.mark.parametrize(("options", "said", "state", "reason"), [
    ([], "rejected", "rejected", ""),
    (["--reason", "No “names”, please."], "rejected", "rejected", "No “names”, please."),
    (["--spam"], "spam", "spam", ""),
])  # fmt: skip
def test_reject_keeps_a_comment_out_with_or_without_a_word(
    settings: Settings, clock: Clock, options: list[str], said: str, state: str, reason: str
) -> None:
    id = a_waiting(settings, clock)
    name = done(settings, "list").split()[0]

    assert as_json(settings, "reject", name, *options) == {said: name}

    [revision] = Inbox.open(settings).revisions(id)
    assert (revision.state, revision.reason) == (state, reason)
    assert not file_of(settings, id).exists()
    assert done(settings, "list") == ""


@pytest.mark.parametrize(("options", "words"), [(["--text", "Thank you."], ""), ([], "Thank you.\n")])
def test_reply_answers_as_the_author(settings: Settings, options: list[str], words: str) -> None:
    assert done(settings, "reply", "0001", *options, words=words) == "answered: 0001\n"

    [answer] = [c for c in Moderation.open(settings).review.all_published() if c.body == "Thank you."]
    assert (answer.author, answer.is_author, answer.reply_to) == ("David", True, "0001")
    assert read_all(settings.comments)[1] == []


def test_forget_erases_every_word(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, body="Secretwords.")

    assert done(settings, "forget", id) == f"forgotten: {id}\n"

    assert b"Secretwords" not in everywhere(settings)
    assert published(settings, id).removed == "yes"


def test_any_command_carries_out_what_writers_wished(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock)
    delete(settings, id)

    done(settings, "list")

    assert published(settings, id).removed == "yes"


def test_the_export_has_all_that_is_kept_of_one_or_every_comment_without_an_address(
    settings: Settings, clock: Clock
) -> None:
    shown, held = a_published(settings, clock, body="One."), a_waiting(settings, clock, body="Two.")
    forge(settings, "INSERT INTO subscription (comment, address, events) VALUES (?, 'tom@feet.example', 'reply')", held)

    every = [json.loads(line) for line in done(settings, "export").splitlines()]
    one = json.loads(done(settings, "export", shown))

    assert [(c["id"], c["state"]) for c in every[:-1]] == [(id, "published") for id in sorted(["0001", "0002", shown])]
    assert (every[-1]["id"], every[-1]["state"], every[-1]["body"]) == (held, "waiting", "Two.")
    assert "@" not in done(settings, "export")
    assert one["published"]["body"] == one["revisions"][0]["body"] == "One."
    assert [decision["action"] for decision in one["decisions"]] == ["publish"]


def test_the_export_of_messages_has_each_with_its_way_to_answer_and_none_that_is_deleted(settings: Settings) -> None:
    id, deleted = a_message(settings, body="May I\u2028come?"), a_message(settings, body="Gone.")
    done(settings, "forget", deleted, "--yes")

    [line] = done(settings, "export", "--messages").splitlines()

    fields = json.loads(line)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", fields.pop("date"))
    assert fields == {"id": id, "name": "Ann", "contact": "ann@example.org", "body": "May I\u2028come?", "state": "new"}


def test_sign_in_prints_a_link_that_nobody_can_guess_and_no_two_are_alike(settings: Settings) -> None:
    link, other = done(settings, "sign-in").strip(), as_json(settings, "sign-in")["link"]

    for found in (link, other):
        assert found.startswith("http://127.0.0.1:8001/sign-in/")
        assert len(urlsplit(found).path) > 40
    assert link != other
    token = link.rpartition("/")[2].encode()
    assert token not in everywhere(settings)


# Failing


@pytest.mark.parametrize(("arguments", "line"), [
    (["show", "9999"], "9999 is no comment here"),
    (["show", "**"], "** is no comment here"),
    (["show", ""], " is no comment here"),
    (["show", "../../articles/x"], "../../articles/x is no comment here"),
    (["export", "9999", "--messages"], "--messages prints everybody's; leave out WHO, or --messages"),
    (["export", "9999"], "nothing is kept about 9999"),
    (["approve", "9999.0123456789abcdef"], "9999 isn’t waiting: it was decided or deleted since you read it; `list` shows what does"),
    (["approve", "é"], "é isn’t waiting: it was decided or deleted since you read it; `list` shows what does"),
    (["reject", "9999"], "9999 isn’t waiting: it was decided or deleted since you read it; `list` shows what does"),
    (["reject", "9999", "--spam"], "9999 isn’t waiting: it was decided or deleted since you read it; `list` shows what does"),
    (["reply", "9999", "--text", "x"], "9999 is not published, so it cannot be answered"),
    (["reply", "0001", "--text", ""], "cannot be published: Body: is empty"),
    (["reply", "0001", "--text", "bell\x07"], "cannot be published: Body: a control character stands in it; delete it"),
    (["forget", "9999"], "nothing is kept about 9999"),
    (["forget", "*"], "nothing is kept about *"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_status_one(settings: Settings, arguments: list[str], line: str) -> None:
    assert re.sub("^[a-z0-9]{12} ", "", fault(settings, *arguments)).startswith(line)  # the id of a reply is fresh
    assert Moderation.open(settings).work.decisions.latest() == []


@pytest.mark.parametrize("command", ["list", "intake", "desk", "sign-in"])
def test_a_wrong_setting_is_one_line(settings: Settings, command: str) -> None:
    assert fault(settings, command, POSTBOX_PORT="x") == "POSTBOX_PORT must be a whole number, not “x”"
    assert fault(settings, command, POSTBOX_PROT="1").startswith("POSTBOX_PROT is not a setting;")


def test_a_rate_that_lets_nobody_in_is_one_line_and_not_an_intake_that_refuses_everybody(settings: Settings) -> None:
    line = fault(settings, "intake", POSTBOX_RATE_SENDER="0")

    assert line == "a rate of 0 posts in 600 seconds lets nobody in; allow at least 1 in 1"


@pytest.mark.parametrize("command", ["intake", "desk"])
def test_a_port_in_use_is_said_in_a_line(settings: Settings, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        ended = as_process(settings, command, POSTBOX_PORT=port, POSTBOX_DESK_PORT=port)

    assert ended.returncode == 1
    [line] = [json.loads(line) for line in ended.stderr.splitlines() if "error" in json.loads(line)]
    assert line["error"] == "OSError EADDRINUSE"


@pytest.mark.parametrize(("server", "is_said"), [("", True), ("smtp://localhost:25", False)])
def test_a_desk_without_a_mail_server_says_where_mails_land(settings: Settings, server: str, is_said: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that the desk ends at once
        port = str(taken.getsockname()[1])
        addresses = {"POSTBOX_MAIL_FROM": "david@feet.example", "POSTBOX_MAIL_TO": "david@home.example"}

        ended = as_process(settings, "desk", POSTBOX_DESK_PORT=port, POSTBOX_SMTP=server, **addresses)

    assert (f"files in {settings.mail}/" in ended.stdout) == is_said


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(b"no database " * 1000), lambda path: path.mkdir(),
    lambda path: path.symlink_to("elsewhere"),
], ids=["no database", "a folder", "a link"])  # fmt: skip
def test_a_damaged_inbox_is_one_line_that_names_it(settings: Settings, damage: Callable[[Path], None]) -> None:
    settings.inbox.mkdir(parents=True)
    damage(settings.inbox / "inbox.sqlite")

    assert str(settings.inbox / "inbox.sqlite") in fault(settings, "list")


def test_words_that_are_no_utf_8_are_refused(settings: Settings) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "postbox", "reply", "0001"],
        cwd=settings.var.parent,
        env=environment(settings),
        input=b"\xff\xfe",
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert Moderation.open(settings).work.decisions.latest() == []


def test_the_hour_in_the_log_is_now(settings: Settings, clock: Clock) -> None:
    a_waiting(settings, clock)
    before = datetime.now(UTC).replace(microsecond=0)

    done(settings, "approve", done(settings, "list").split()[0])

    assert before <= Moderation.open(settings).work.decisions.latest()[0].decided <= datetime.now(UTC)
