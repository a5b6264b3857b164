"""What is printed goes where it is served: by the owner's commands, again until it has arrived, and told while it has not."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contract.manifest import BuildStatus
from press import deploy
from press.__main__ import PUSH_TRIES, cli
from press.deploy import Deployment, commands_of
from press.errors import BuildError
from tests.support.place import ARTICLE, ROOT, Place, a_comment
from tests.support.process import end, run, wait_until

NOW = datetime(2026, 11, 28, 7, tzinfo=UTC)
SEND = """#!/bin/sh
[ ! -e down ] || { echo "cannot reach https://me:secret@host.example/" >&2; exit 23; }
rm -rf coming && cp -a output coming && rm -rf served && mv coming served
"""


def a_host(place: Place) -> None:
    """Put a command that sends, while the host is away."""
    script = place.folder / "send"
    script.write_text(SEND)
    script.chmod(0o755)
    (place.folder / "down").touch()


@pytest.fixture
def sending(place: Place) -> Iterator[Place]:
    """A site whose press watches and sends, while the host is away."""
    a_host(place)
    press = run(place, "press", "watch", SITE_URL="https://feet.example", SITE_PUSH="true; ./send")
    yield place
    output = end(press)
    assert press.returncode == 0, output
    assert "secret" not in output


def status(place: Place) -> BuildStatus:
    return BuildStatus.load(place.folder / "var/site/press.json")


def served(place: Place) -> str:
    page = place.folder / "served/articles" / ARTICLE / "index.html"
    return page.read_text("utf-8") if page.is_file() else ""


def test_what_is_printed_arrives_and_what_was_taken_off_is_told_until_it_has(sending: Place) -> None:
    down = sending.folder / "down"
    wait_until(lambda: bool(status(sending).push_fault), "a push has failed")
    assert status(sending).push_fault == "send: cannot reach https://…@host.example/"
    assert "one print behind: send:" in status(sending).push_problem(NOW)

    down.unlink()
    wait_until(lambda: bool(served(sending)), "the site has arrived")
    wait_until(lambda: status(sending).unsent == 0, "that is told")
    assert status(sending).push_problem(NOW) == ""

    file = sending.comment(a_comment(body="Words to be taken off."))
    wait_until(lambda: "Words to be taken off." in served(sending), "a comment has arrived")
    wait_until(lambda: status(sending).unsent == 0, "that is told")
    down.touch()
    file.unlink()
    wait_until(lambda: bool(status(sending).erased_since and status(sending).push_fault), "an erasure was not sent")
    assert status(sending).push_problem(NOW).startswith("Words that were taken off are still to be read there.")
    assert "Words to be taken off." in served(sending)

    down.unlink()
    wait_until(lambda: "Words to be taken off." not in served(sending), "the erasure has arrived")
    wait_until(lambda: not status(sending).erased_since, "that is told")


def test_a_process_that_a_command_leaves_running_holds_up_no_push(tmp_path: Path) -> None:
    left = tmp_path / "left"
    deployment = Deployment([["sh", "-c", f"sleep 600 & echo $! > {left}; echo no host; exit 1"]], lambda _: None)
    waiting = BuildStatus(unsent=1)
    try:
        deployment.turn(waiting, is_quiet=True)
        wait_until(
            lambda: deployment.turn(waiting, is_quiet=False) == {"push_fault": "sh: no host"},
            "what it said last is told",
        )
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)
        deployment.close()


@pytest.fixture
def once(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A site that is published by hand, and tried again at once."""
    a_host(place)
    (place.folder / "publishconf.py").write_bytes((ROOT / "publishconf.py").read_bytes())
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("SITE_URL", "https://feet.example")
    monkeypatch.setattr(deploy, "RETRY", 0.0)
    return place


def publish(monkeypatch: pytest.MonkeyPatch, commands: str) -> Result:
    monkeypatch.setenv("SITE_PUSH", commands)
    return CliRunner().invoke(cli, ["publish"])


def test_publishing_by_hand_sends_too_and_its_status_tells(once: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = publish(monkeypatch, "echo tried; ./send")

    assert ended.exit_code == 1
    assert ended.output.count("not sent: send: cannot reach https://…@host.example/; tried again") == PUSH_TRIES - 1
    assert "Not sent: send: cannot reach https://…@host.example/. Correct that, then say it again." in ended.output
    assert (status(once).unsent, served(once)) == (1, "")

    ended = publish(monkeypatch, "sh -c 'ls tried && rm down; touch tried'; ./send")  # it comes back at the second try

    assert (ended.exit_code, ended.output.splitlines()[-1]) == (0, "sent"), ended.output
    assert (status(once).unsent, status(once).push_fault) == (0, "")
    assert served(once) == once.page(f"articles/{ARTICLE}/")


def test_words_taken_off_are_sent_though_an_article_is_wrong(once: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    file = once.comment(a_comment(body="Words to be taken off."))
    (once.folder / "down").unlink()
    publish(monkeypatch, "./send")
    assert "Words to be taken off." in served(once)
    file.unlink()
    once.article("second", Staus="draft")

    ended = publish(monkeypatch, "./send")

    assert isinstance(ended.exception, BuildError)
    assert "Words to be taken off." not in served(once)
    assert status(once).erased_since == ""


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("", []),
        ("rsync -a output/ host:site/", [["rsync", "-a", "output/", "host:site/"]]),
        ("a 'b; c' ; d", [["a", "b; c"], ["d"]]),
        ("a\nb;;c;\n", [["a"], ["b"], ["c"]]),
        ("a $(b) | c > d # e", [["a", "$(b)", "|", "c", ">", "d", "#", "e"]]),
    ],
)
def test_commands_are_words_and_no_shell_reads_them(text: str, commands: list[list[str]]) -> None:
    assert commands_of(text) == commands


def test_a_quotation_mark_without_another_is_refused() -> None:
    with pytest.raises(BuildError, match="SITE_PUSH: No closing quotation"):
        commands_of("rsync 'output")


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (BuildStatus(), ""),
        (BuildStatus(unsent=1, unsent_since=NOW.isoformat()), ""),
        (
            BuildStatus(unsent=2, unsent_since=NOW.isoformat(), push_fault="rsync: no route to host"),
            "Where the site is served it is 2 prints behind: rsync: no route to host",
        ),
        (
            BuildStatus(unsent=1, unsent_since=(NOW - timedelta(minutes=16)).isoformat(), erased_since=NOW.isoformat()),
            "Words that were taken off are still to be read there. Where the site is served it is one print behind: "
            "the commands in SITE_PUSH have not ended",
        ),
        (
            BuildStatus(unsent=1, unsent_since="yesterday"),
            "Where the site is served it is one print behind: the commands in SITE_PUSH have not ended",
        ),
    ],
)
def test_what_has_not_arrived_is_said_when_it_failed_or_takes_long(status: BuildStatus, problem: str) -> None:
    assert status.push_problem(NOW) == problem


def test_words_taken_off_while_no_press_ran_are_an_erasure_too(place: Place, tmp_path: Path) -> None:
    file = place.comment(a_comment(body="Words to be taken off."))
    place.build(SITE_PUSH="true", SOCIAL_IMAGES=False)
    assert not status(place).erased_since
    file.unlink()

    place.build(SITE_PUSH="true", SOCIAL_IMAGES=False)

    assert status(place).erased_since
    assert status(place).unsent == 2
