"""Several intakes on one PostgreSQL: what is sent to one is at the other, and what a crash of any of them loses."""

import os
import shutil
import sqlite3
import subprocess
import tarfile
import traceback
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import pytest
from starlette.testclient import TestClient

from contract.comment import READER_FIELDS
from contract.manifest import STATUS_FILE, BuildStatus, dumps
from postbox import doctor
from postbox.desk.app import application as desk_application
from postbox.moderation.service import Moderation
from postbox.privacy import backup
from postbox.public import app as intake
from postbox.settings import Settings, read
from postbox.store import database, shared_inbox
from postbox.store.database import transaction, wipe
from postbox.store.handover import Receiver, Sender
from postbox.store.messages import Messages
from postbox.store.postgresql import Connection
from postbox.store.shared_inbox import SharedInbox
from postbox.store.submissions import Inbox, add_columns
from postbox.store.subscriptions import Subscriptions
from postbox.store.unit_of_work import Store
from tests.support.commands import done, fault
from tests.support.desk import a_client, send, signed_in
from tests.support.engines import Cluster, as_intake, cluster, hand_over
from tests.support.intake import FORM, application, browser, running, sent
from tests.support.mail import SITE
from tests.support.moderation import a_place
from tests.support.pages import values
from tests.support.place import ARTICLE, ROOT
from tests.support.process import PATIENCE_SECONDS, free_port, listens, wait_until
from tests.support.proxy import Proxy, proxy
from tests.support.store import NOW, a_message, add


@pytest.fixture
def own() -> Iterator[Cluster]:
    """A PostgreSQL that may be killed."""
    with cluster() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, postgresql: Cluster) -> Settings:
    """The settings of a desk that has handed over what is public."""
    return a_desk(tmp_path, **postgresql.fresh())


def a_desk(folder: Path, **settings: str) -> Settings:
    """Make a desk's place, and hand over what is public; return its settings."""
    made = a_place(folder / "desk", theme=ROOT / "theme", **settings)
    made.site.write_text(dumps(SITE), "utf-8")
    hand_over(made)
    return made


def of_another(desk: Settings, name: str, **settings: object) -> Settings:
    """Return the settings of an intake with a folder of its own."""
    var = desk.var.parent.parent / name / "var"
    var.mkdir(parents=True)
    return replace(desk, var=var, rate_sender=999, **settings)  # type: ignore[arg-type]  # of the fields


@pytest.fixture
def two(desk: Settings) -> Iterator[list[TestClient]]:
    """Browsers at two intakes that take three posts of a network in ten minutes."""
    with ExitStack() as stack:
        settings = [replace(of_another(desk, name), rate_sender=3, rate_seconds=600) for name in ("one", "two")]
        yield [stack.enter_context(browser(application(each))) for each in settings]


@contextmanager
def away_from(desk: Settings, cluster: Cluster) -> Iterator[tuple[TestClient, Proxy]]:
    """Return a browser at an intake, and what stands between that and PostgreSQL."""
    with proxy(cluster.socket) as between:
        address = f"postgresql://postbox_intake:secret@127.0.0.1:{between.port}/postbox"
        with browser(application(of_another(desk, "away", postgresql=address))) as reader:
            yield reader, between


def post(port: int, body: str, **headers: str) -> bool:
    """Send a comment; tell whether it was acknowledged."""
    fields = FORM | {"comment": body, "name": "Tom"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/comments", urllib.parse.urlencode(fields).encode(), headers
    )
    opener = urllib.request.build_opener(_Stay())
    try:
        opener.open(request, timeout=30)
    except urllib.error.HTTPError as answer:
        return answer.code == 303
    except OSError:
        return False
    return False


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def test_what_is_sent_to_one_intake_is_read_and_changed_at_the_other(two: list[TestClient], desk: Settings) -> None:
    one, other = two

    receipt = sent(one)
    shown = other.get(receipt)
    changed = other.post(receipt, data={"name": "Tom", "comment": "Better."})
    again = one.post("/comments", data=FORM)

    assert "Hello <strong>you</strong>." in shown.text
    assert (changed.status_code, changed.headers["location"]) == (303, receipt)
    assert values(one.get(receipt))["comment"] == "Better."
    assert again.headers["location"] == receipt
    assert [revision.body for revision in Inbox.open(desk).waiting()] == ["Better."]


def test_intakes_count_the_posts_of_a_network_together(two: list[TestClient], desk: Settings) -> None:
    one, other = two
    for number, client in enumerate((one, other, one)):
        sent(client, comment=f"{number}.")

    refused = [client.post("/comments", data=FORM | {"comment": "Four."}) for client in two]

    assert [answer.status_code for answer in refused] == [429, 429]
    assert 0 < int(refused[0].headers["retry-after"]) <= 200
    assert values(refused[1])["comment"] == "Four."
    buckets = "SELECT bucket FROM rate ORDER BY empty_at"
    assert b"192" not in Inbox.open(desk).connection.execute(buckets).fetchall()[1]["bucket"]
    Inbox.open(desk).run("UPDATE rate SET empty_at = empty_at - 200")
    sent(other, comment="Four.")


def test_a_network_is_forgotten_where_nobody_posts_again(two: list[TestClient], desk: Settings) -> None:
    sent(two[0])
    inbox = Inbox.open(desk)
    assert inbox.run("UPDATE rate SET empty_at = 0") == 2

    with TestClient(desk_application(desk)):
        wait_until(lambda: not inbox.one("SELECT 1 FROM rate"), "the networks are forgotten")


def test_while_postgresql_is_away_words_stay_in_the_box_and_then_all_goes_on(
    desk: Settings, postgresql: Cluster
) -> None:
    with away_from(desk, postgresql) as (reader, between):
        receipt = sent(reader)

        between.cut()
        refused = reader.post("/comments", data=FORM | {"comment": "Away."})
        changed = reader.post(receipt, data={"name": "Tom", "comment": "Better."})
        hidden, health = reader.get(receipt), reader.get("/healthz")
        previewed = reader.post("/comments", data=FORM | {"comment": "**Look.**", "action": "preview"})
        between.resume()
        wait_until(lambda: reader.get(receipt).status_code == 200, "it can be read again")
        sent(reader, comment="Away.")

    assert [answer.status_code for answer in (refused, changed, hidden, health)] == [503] * 4
    assert values(refused)["comment"] == "Away."
    assert values(changed)["comment"] == "Better."
    assert "<strong>Look.</strong>" in previewed.text
    assert not any("secret" in answer.text for answer in (refused, changed, hidden, health))
    assert sorted(revision.body for revision in Inbox.open(desk).waiting()) == ["Away.", "Hello **you**."]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_the_desk_does_without_postgresql_and_takes_the_inbox_again_once_that_is_back(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, postgresql: Cluster
) -> None:
    monkeypatch.setattr("postbox.store.unit_of_work.LOOK_AGAIN_SECONDS", 0)
    id = send(settings, body="Waits.")
    with proxy(postgresql.socket) as between:
        address = f"postgresql://postbox_desk:secret@127.0.0.1:{between.port}/postbox"
        there = replace(settings, postgresql=address)
        with a_client(there) as client:
            signed_in(client, there)
            before = client.get("/")
            between.cut()
            away, refused = (
                client.get("/"),
                client.post(f"/comment/{id}", data={"action": "publish", "answer": "My answer."}),
            )
            health = client.get("/healthz")
            between.resume()
            wait_until(lambda: "Waits." in client.get("/").text, "the inbox is there again")

    assert "Waits." in before.text
    assert (away.status_code, "Waits." in away.text) == (200, False)
    assert (refused.status_code, health.status_code) == (503, 503)
    assert "My answer." in refused.text
    assert "start PostgreSQL there" in health.text
    assert not any("secret" in answer.text for answer in (away, refused, health))


def test_a_decision_stands_that_postgresql_did_not_hear_of_and_the_inbox_follows(
    monkeypatch: pytest.MonkeyPatch, desk: Settings, postgresql: Cluster
) -> None:
    id, set_state = send(desk, body="Waits."), Inbox.set_state
    with proxy(postgresql.socket) as between:
        address = f"postgresql://postbox_desk@127.0.0.1:{between.port}/postbox"
        moderation = Moderation.open(replace(desk, postgresql=address))
        [item] = moderation.review.queue()

        def cut(*arguments: Any) -> None:
            between.cut()
            set_state(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Inbox, "set_state", cut)
            moderation.approve(item.name, who="David", now=NOW)
        published = (desk.comments / ARTICLE / f"{id}.md").read_text("utf-8")
        not_yet = [revision.state for revision in Inbox.open(desk).revisions(id)]
        between.resume()
        Moderation.open(desk)

    assert "Waits." in published
    assert not_yet == ["waiting"]
    assert [revision.state for revision in Inbox.open(desk).revisions(id)] == ["published"]


def test_connections_that_the_server_has_ended_are_made_again_unnoticed(
    two: list[TestClient], desk: Settings, postgresql: Cluster
) -> None:
    receipt = sent(two[0])

    with postgresql.owner("postgres") as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postbox_intake'")

    assert two[0].get(receipt).status_code == 200
    assert sent(two[0], comment="More.")


def test_a_server_that_says_nothing_holds_up_nobody_who_does_not_need_it(
    monkeypatch: pytest.MonkeyPatch, desk: Settings, postgresql: Cluster
) -> None:
    monkeypatch.setattr("postbox.store.postgresql.STATEMENT_SECONDS", 60)
    with away_from(desk, postgresql) as (reader, between), ThreadPoolExecutor(1) as thread:
        receipt = sent(reader)
        between.stall()
        waits = thread.submit(reader.get, receipt)
        wait_until(lambda: between.held > 0, "PostgreSQL is asked")

        form = reader.get(f"/comments/reply/{ARTICLE}/0001")

        assert form.status_code == 200
        assert not waits.done()
        between.resume()
        assert waits.result(60).status_code == 200


def test_a_server_that_says_nothing_is_left_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, desk: Settings, postgresql: Cluster
) -> None:
    for name, seconds in (("STATEMENT_SECONDS", 1), ("SILENT_SECONDS", 0.1), ("CONNECT_SECONDS", 2)):
        monkeypatch.setattr(f"postbox.store.postgresql.{name}", seconds)
    with away_from(desk, postgresql) as (reader, between):
        receipt = sent(reader)
        between.stall()

        answer = reader.get(receipt)
        between.resume()

        assert answer.status_code == 503
        wait_until(lambda: reader.get(receipt).status_code == 200, "it can be read again")


def test_the_desk_is_told_of_what_comes_and_does_not_look_for_it(
    monkeypatch: pytest.MonkeyPatch, desk: Settings, two: list[TestClient]
) -> None:
    monkeypatch.setattr("postbox.desk.context.SHARED_SECONDS", 3600)
    with TestClient(desk_application(desk)):
        receipt = sent(two[0])
        wait_until(lambda: len([*desk.mail.glob("*.eml")]) == 1, "the author has an email")

        [item] = Moderation.open(desk).review.queue()
        Moderation.open(desk).approve(item.name, who="David", now=NOW)
        file = desk.comments / ARTICLE / f"{item.revision.id}.md"
        assert "Hello" in file.read_text("utf-8")
        two[1].post(receipt, data={"action": "delete"})
        wait_until(lambda: "Hello" not in file.read_text("utf-8"), "the comment is off its page")


def test_nothing_acknowledged_is_lost_or_doubled_when_an_intake_the_proxy_or_the_database_is_killed(
    tmp_path: Path, own: Cluster
) -> None:
    desk = a_desk(tmp_path, **own.settings())
    intakes = [of_another(desk, name) for name in ("one", "two")]
    kept: list[str] = []

    def send(port: int, *bodies: str) -> None:
        kept.extend(body for body in bodies if post(port, body))

    def send_until_it_fails(port: int, name: str, fail: Callable[[], None]) -> None:
        """Send from two readers at once, and let something fail between."""
        with ThreadPoolExecutor(2) as threads:
            sending = [threads.submit(send, port, *(f"{name} {n}.{half}" for n in range(8))) for half in (0, 1)]
            wait_until(lambda: sum(body.startswith(name) for body in kept) > 2, "some are kept")
            fail()
            for each in sending:
                each.result(120)

    with running(intakes[0]) as (first, one), running(intakes[1]) as (_, two), proxy(one, two) as front:
        send_until_it_fails(front.port, "proxy", front.cut)
        front.resume()
        send_until_it_fails(front.port, "intake", first.kill)
        send(two, "After the intake.")
        send_until_it_fails(two, "database", own.kill)
        lost = post(two, "While it is away.")
        own.start()
        wait_until(lambda: post(two, "After the database."), "the intake takes comments again")
        for body in [body for body in kept if body.startswith("intake")]:
            send(two, body)  # as a reader does whose answer was lost

    words = [revision.body for revision in Inbox.open(desk).waiting()]
    assert not lost
    assert "After the intake." in kept
    assert len(words) == len(set(words))
    assert {*kept, "After the database."} <= set(words)


@contextmanager
def shared_out(folder: Path, *intakes: int) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run Caddy as the page says between its readers and two intakes; yield its port and its process."""
    page = (ROOT / "docs/publishing.md").read_text("utf-8")
    block, port = page.partition("```caddy\n")[2].partition("```")[0], free_port()
    for theirs, ours in zip(("127.0.0.1:8000", "127.0.0.1:8010", "10.0.0.2:8000"), (port, *intakes), strict=True):
        assert theirs in block
        block = block.replace(theirs, f"127.0.0.1:{ours}")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{block}")
    command = ["caddy", "run", "--config", str(folder / "Caddyfile")]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, env={"HOME": str(folder), "PATH": os.environ["PATH"]}
    )
    try:
        wait_until(lambda: listens(port), "Caddy listens")
        yield port, process
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)


@pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy stands before the intakes")
def test_caddy_shares_posts_out_as_the_page_says_and_goes_on_with_one(desk: Settings, tmp_path: Path) -> None:
    one, two = (replace(of_another(desk, name), rate_sender=4, proxy="127.0.0.1") for name in ("one", "two"))
    with running(one) as (first, port), running(two) as (_, other):
        with shared_out(tmp_path, port, other) as (front, caddy):
            before = [post(front, f"{number}.") for number in range(2)]
            first.kill()
            first.wait(PATIENCE_SECONDS)
            after = [post(front, f"{number}.") for number in range(2, 4)]
            too_many = post(front, "Too many.")
            elsewhere = post(front, "Another's.", **{"X-Forwarded-For": "198.51.100.1"})
            caddy.kill()
            caddy.wait(PATIENCE_SECONDS)
            gone = post(front, "Nobody is there.")
        with shared_out(tmp_path, port, other) as (front, _):
            again = post(front, "Again.", **{"X-Forwarded-For": "198.51.100.1"})

    assert (before, after, too_many, elsewhere, gone, again) == ([True] * 2, [True] * 2, False, True, False, True)
    assert len(Inbox.open(desk).waiting()) == 6


@pytest.mark.parametrize("statement", [
    "DELETE FROM comment", "DELETE FROM revision", "DELETE FROM message", "DELETE FROM event", "SELECT * FROM erasure",
    "DELETE FROM refused", "UPDATE published SET content = ''", "INSERT INTO published VALUES ('feet', 'x', '', 9)",
    "UPDATE site_file SET content = ''", "UPDATE schema_version SET version = 9", "CREATE TABLE more (word text)",
    "CREATE VIEW more AS SELECT 1", "ALTER TABLE comment DISABLE TRIGGER ALL", "DROP TABLE comment", "SET ROLE postbox_desk",
])  # fmt: skip
def test_the_role_of_the_intakes_cannot_take_away_or_hand_over(desk: Settings, statement: str) -> None:
    with (
        closing(Connection(as_intake(desk).postgresql, wait_seconds=1)) as connection,
        pytest.raises(sqlite3.Error, match="InsufficientPrivilege"),
    ):
        connection.execute(statement)


FORM_OF_ADDRESS = (
    "POSTBOX_INBOX must be like postgresql://role:password@host/database, role and password percent-encoded"
)


@pytest.mark.parametrize(("address", "sentence"), [
    ("mysql://postbox_intake:secret@127.0.0.1/postbox", FORM_OF_ADDRESS),
    ("postgresql://postbox_intake:sec%ret@127.0.0.1/postbox", FORM_OF_ADDRESS),
    ("postgresql://postbox_intake:a@secret@127.0.0.1/postbox", FORM_OF_ADDRESS),
    ("postgresql://postbox_intake:secret@127.0.0.1:many/postbox", 'invalid integer value "many" for connection option "port"'),
    ("postgresql://127.0.0.1/postbox?password=secret", FORM_OF_ADDRESS),
    ("postgresql://postbox_intake:secret@127.0.0.1:1/postbox", "start PostgreSQL there, or correct host, database, role or password"),
    ("postgresql://postbox_intake:secret@127.0.0.1:PORT/postbox?sslmode=require", "server does not support SSL, but SSL was required"),
    ("postgresql://postbox_intake:secret@127.1:PORT/postbox", "server does not support SSL, but SSL was required"),
    ("postgresql://postbox_intake:secret@localhost:PORT/postbox?hostaddr=127.1", "server does not support SSL, but SSL was required"),
    ("postgresql://postbox_nobody:secret@127.0.0.1:PORT/postbox", 'role "postbox_nobody" does not exist; start PostgreSQL there, or'),
    ("postgresql://postbox_intake:secret@127.0.0.1:PORT/outbox", 'database "outbox" does not exist; start PostgreSQL there, or'),
    ("postgresql://postbox_intake:secret@127.0.0.1:PORT/postgres", "start the desk first, whose role owns the database"),
    ("postgresql://postbox_desk:secret@127.0.0.1:PORT/postbox", "POSTBOX_INBOX names the desk’s role"),
])  # fmt: skip
def test_an_address_that_cannot_be_used_is_one_line_with_its_cure_and_without_the_password(
    desk: Settings, postgresql: Cluster, address: str, sentence: str
) -> None:
    with proxy(postgresql.socket) as between:
        given = {"POSTBOX_INBOX": address.replace("PORT", f"{between.port}"), "POSTBOX_INBOX_KEY": desk.inbox_key}
        with pytest.raises((ValueError, sqlite3.Error)) as refusal:
            intake.application(read(given))

    assert sentence in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    assert "sec" not in "".join(traceback.format_exception(refusal.value)).replace("seconds", "")


def test_a_desk_in_the_intakes_role_does_without_the_inbox_and_says_why(desk: Settings) -> None:
    assert "give the desk the one that does" in Store(as_intake(desk)).set_aside


@pytest.mark.parametrize(("harm", "found"), [
    (lambda settings: settings, "fine   inbox: PostgreSQL "),
    (as_intake, "wrong  inbox: the role of POSTBOX_INBOX does not own the database. Correct POSTBOX_INBOX"),
    (lambda settings: replace(settings, postgresql="postgresql://a:secret@127.0.0.1:1/b"), "wrong  inbox: POSTBOX_INBOX: connection"),
])  # fmt: skip
def test_the_doctor_asks_postgresql(desk: Settings, harm: Callable[[Settings], Settings], found: str) -> None:
    [line] = [finding.line for finding in doctor.checks(harm(desk)) if finding.about == "inbox"]

    assert line.startswith(found)
    assert "secret" not in line


def test_what_the_desk_publishes_changes_and_takes_away_reaches_an_intake(desk: Settings, tmp_path: Path) -> None:
    there = replace(desk, content=tmp_path / "copies", var=tmp_path / "copies")
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


@pytest.mark.parametrize("harm", [
    "LOCK TABLE postbox.comment IN SHARE UPDATE EXCLUSIVE MODE",  # as a vacuum of the server's own does
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postbox_desk'",
])  # fmt: skip
def test_what_is_erased_is_not_told_as_a_fault_where_its_place_is_freed_later(
    desk: Settings, postgresql: Cluster, harm: LiteralString
) -> None:
    inbox = Inbox.open(desk, wait_seconds=0.1)
    id = add(inbox, NOW)

    with transaction(inbox.connection):
        inbox.forget(id)
    with postgresql.owner("postbox") as owner, owner.transaction():
        owner.execute(harm)
        wipe(inbox.connection)

    assert [revision.body for revision in Inbox.open(desk).revisions(id)] == [""]


def test_an_intake_sees_that_the_press_is_alive_where_it_prints_nothing(desk: Settings, tmp_path: Path) -> None:
    there = replace(desk, content=tmp_path / "copies", var=tmp_path / "copies")
    sender, receiver = Sender(desk), Receiver(there)
    told, copy = (settings.site.with_name(STATUS_FILE) for settings in (desk, there))
    told.write_text(BuildStatus(watching=True).dumps(), "utf-8")

    with closing(Connection(desk.postgresql, wait_seconds=1)) as connection:
        for time in (1, 2):
            os.utime(told, (time, time))
            sender.send(connection)
            receiver.receive(connection)
            is_alive = not BuildStatus.load(copy).wrong(copy, datetime.now(UTC))
            os.utime(copy, (0, 0))

    assert is_alive


def backed_up(desk: Settings, folder: Path) -> Path:
    """Write a backup and unpack it; return the folder of its inbox."""
    with (folder / "backup.tar.gz").open("wb+") as file:
        backup.write(desk, file)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            archive.extractall(folder / "backup", filter="data")
    return folder / "backup/var/inbox"


def test_a_backup_is_the_same_on_either_engine_and_comes_back_without_what_was_erased_since(
    desk: Settings, two: list[TestClient], tmp_path: Path
) -> None:
    receipt = sent(two[0], comment="One\n\nTwo.", email="tom@feet.example").rpartition("/")[2]
    moderation = Moderation.open(desk)
    gone = add(Inbox.open(desk), NOW, body="Secret\0words")
    kept = backed_up(desk, tmp_path)
    of_a_file = Inbox(kept)
    moderation.forget(gone, who="David", now=NOW)
    add(Inbox.open(desk), NOW, body="After it.", key=b"after")

    refused = fault(desk, "load-inbox", str(kept / "inbox.sqlite"))
    told = done(desk, "load-inbox", "--replace", str(kept / "inbox.sqlite"))

    assert "say it again with --replace" in refused
    assert told == "comments: 2\n"
    [revision] = of_a_file.by_receipt(receipt)
    assert (revision.body, Inbox.open(desk).by_receipt(receipt)) == ("One\n\nTwo.", [revision])
    assert [event.about for event in Inbox.open(desk).events(limit=9)] == [
        event.about for event in of_a_file.events(limit=9)
    ]
    assert [revision.body for revision in Inbox.open(desk).everything() if revision.body] == [revision.body]
    assert two[0].get(f"/comments/receipt/{receipt}").status_code == 200
    sent(two[1], comment="After it all.")


def test_messages_are_replaced_only_if_one_says_so_and_refused_addresses_never(desk: Settings, tmp_path: Path) -> None:
    Inbox(tmp_path).connection.close()
    inbox = Inbox.open(desk)
    a_message(desk)
    with transaction(inbox.connection):
        Subscriptions(inbox).refuse("tom@feet.example")

    refused, kept = fault(desk, "load-inbox", str(tmp_path / "inbox.sqlite")), Messages(inbox).size()
    told = done(desk, "load-inbox", "--replace", str(tmp_path / "inbox.sqlite"))

    assert "say it again with --replace" in refused
    assert (kept, Messages(inbox).size(), told) == (1, 0, "comments: 0\n")
    assert inbox.one("SELECT 1 FROM refused")


def test_a_backup_keeps_nobody_who_writes_waiting(
    monkeypatch: pytest.MonkeyPatch, desk: Settings, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared_inbox, "PORTION", 2)
    for number in range(5):
        add(Inbox.open(desk), NOW, body=f"{number}", key=b"%d" % number)

    def meanwhile(copy: sqlite3.Connection) -> None:
        add_columns(copy)
        add(Inbox.open(desk, wait_seconds=0.1), NOW, body="Meanwhile.", key=b"meanwhile")

    monkeypatch.setattr(shared_inbox, "add_columns", meanwhile)
    Inbox.open(desk).copy(tmp_path / "inbox.sqlite")

    assert {"0", "1", "2", "3", "4"} <= {revision.body for revision in Inbox(tmp_path).waiting()}


def test_a_backup_and_its_way_back_may_take_longer_than_a_statement(
    monkeypatch: pytest.MonkeyPatch, desk: Settings, tmp_path: Path
) -> None:
    add(Inbox.open(desk), NOW)
    monkeypatch.setattr(database, "STEPS", 1)

    def then_no_time_is_left(copy: sqlite3.Connection) -> None:
        add_columns(copy)
        monkeypatch.setattr(database, "STATEMENT_SECONDS", -1)

    monkeypatch.setattr(shared_inbox, "add_columns", then_no_time_is_left)
    SharedInbox(desk).copy(tmp_path / "inbox.sqlite")
    monkeypatch.setattr(database, "STATEMENT_SECONDS", 5)

    assert SharedInbox(desk).load(tmp_path / "inbox.sqlite", may_replace=True) == 1


def test_the_longest_row_that_an_intake_may_write_stops_no_backup(desk: Settings, tmp_path: Path) -> None:
    id = add(Inbox.open(desk), NOW, key=b"long")
    add(Inbox.open(desk), NOW, body="Short.", key=b"short")
    columns = ", ".join(f"{name} = repeat('x', 262144)" for name in (*READER_FIELDS, "reason", "held"))
    Inbox.open(as_intake(desk)).run(f"UPDATE revision SET {columns} WHERE comment = ?", id)

    Inbox.open(desk).copy(tmp_path / "inbox.sqlite")

    assert SharedInbox(desk).load(tmp_path / "inbox.sqlite", may_replace=True) == 2
    assert {len(revision.body) for revision in Inbox.open(desk).waiting()} == {262144, len("Short.")}


def test_a_row_that_breaks_a_rule_stays_behind_and_the_others_come(desk: Settings, tmp_path: Path) -> None:
    file = Inbox(tmp_path)
    ids = [add(file, NOW, body=f"{number}", key=b"%d" % number) for number in range(3)]
    file.connection.execute("UPDATE revision SET body = ? WHERE comment = ?", ("x" * 500_000, ids[1]))
    file.connection.execute("UPDATE comment SET article = CAST(x'ff00' AS TEXT) WHERE id = ?", (ids[2],))

    open_since, before = Inbox.open(desk), Inbox.open(desk).file
    comments = SharedInbox(desk).load(tmp_path / "inbox.sqlite")
    open_since.check()

    assert comments == 3
    assert open_since.file != before, "so that the desk erases again"
    assert {revision.id for revision in Inbox.open(desk).everything()} == {ids[0], ids[2]}
