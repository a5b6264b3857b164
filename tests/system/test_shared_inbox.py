"""Several intakes on one PostgreSQL: what one may do there, and what a crash of either loses."""

import sqlite3
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from contract.manifest import dumps
from postbox.settings import Settings
from postbox.store.postgresql import Connection
from postbox.store.submissions import Inbox
from tests.support.engines import Cluster, as_role, cluster, hand_over
from tests.support.intake import FORM, running
from tests.support.mail import SITE
from tests.support.moderation import a_place
from tests.support.place import ARTICLE, ROOT
from tests.support.process import wait_until
from tests.support.store import NOW, add


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A PostgreSQL that may be killed."""
    with cluster() as running:
        yield running


def post(port: int, body: str) -> bool:
    """Send a comment; tell whether it was acknowledged."""
    fields = FORM | {"comment": body, "name": "Tom"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/comments", urllib.parse.urlencode(fields).encode())
    opener = urllib.request.build_opener(_Stay())
    try:
        opener.open(request, timeout=20)
    except urllib.error.HTTPError as answer:
        return answer.code == 303
    except OSError:
        return False
    return False


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def test_nothing_acknowledged_is_lost_or_doubled_when_an_intake_or_the_database_is_killed(
    tmp_path: Path, own: Cluster
) -> None:
    desk = a_place(tmp_path / "desk", theme=ROOT / "theme", **own.settings())
    desk.site.write_text(dumps(SITE), "utf-8")
    hand_over(desk)
    intakes = [
        replace(desk, var=tmp_path / name / "var", rate_sender=999, postgresql=own.settings("intake")["postgresql"])
        for name in ("one", "two")
    ]
    for intake in intakes:
        intake.var.mkdir(parents=True)
    with running(intakes[0]) as (first, one), running(intakes[1]) as (_, two):
        kept = [f"Words {number}." for number in range(10) if post(one if number % 2 else two, f"Words {number}.")]
        first.kill()
        kept += [body for body in ("After the intake.",) if post(two, body)]
        own.kill()
        lost = post(two, "While it is away.")
        own.start()
        wait_until(lambda: post(two, "After the database."), "the intake takes comments again")

    assert len(kept) == 11
    assert not lost
    assert sorted(r.body for r in Inbox.open(desk).waiting()) == sorted([*kept, "After the database."])


@pytest.mark.parametrize("statement", [
    "DELETE FROM comment", "DELETE FROM revision", "DELETE FROM message", "DELETE FROM event", "SELECT * FROM erasure",
    "DELETE FROM refused", "UPDATE published SET content = ''", "INSERT INTO published VALUES ('feet', 'x', '', 9)",
    "UPDATE site_file SET content = ''", "UPDATE schema_version SET version = 9", "CREATE TABLE more (word text)",
    "CREATE VIEW more AS SELECT 1", "ALTER TABLE comment DISABLE TRIGGER ALL", "DROP TABLE comment", "SET ROLE postbox_desk",
])  # fmt: skip
def test_the_role_of_the_intakes_cannot_take_away_or_hand_over(postgresql: Cluster, statement: str) -> None:
    settings = as_role(postgresql.fresh(), "intake")
    with (
        closing(Connection(settings["postgresql"], wait_seconds=1)) as connection,
        pytest.raises(sqlite3.Error, match="InsufficientPrivilege"),
    ):
        connection.execute(statement)


def test_what_the_desk_publishes_changes_and_takes_away_reaches_an_intake(tmp_path: Path, postgresql: Cluster) -> None:
    from postbox.store.handover import Receiver, Sender, copies

    desk = a_place(tmp_path, **postgresql.fresh())
    there = copies(desk)
    sender, receiver = Sender(desk), Receiver(there)
    file, copy = (settings.comments / ARTICLE / "0001.md" for settings in (desk, there))

    with closing(Connection(desk.postgresql, wait_seconds=1)) as connection:
        for change in (lambda: None, lambda: file.write_text("Id: 0001"), file.unlink):
            change()
            sender.send(connection)
            receiver.receive(connection)

            assert there.site.read_bytes() == desk.site.read_bytes()
            assert copy.exists() == file.exists()
            assert not file.exists() or copy.read_bytes() == file.read_bytes()


def test_a_backup_is_the_same_file_on_either_engine(tmp_path: Path, postgresql: Cluster) -> None:
    shared = Inbox.open(Settings(**postgresql.fresh()))  # type: ignore[arg-type]  # two texts
    id = add(shared, NOW, body="One\n\nTwo\0.")

    shared.copy(tmp_path / "inbox.sqlite")

    [kept] = Inbox(tmp_path).waiting()
    assert (kept.id, kept.body) == (id, "One\n\nTwo\ufffd.")
