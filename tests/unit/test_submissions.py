"""The inbox: durable, ids of its own, one writer for many senders."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.comment import ID
from postbox.settings import Settings
from postbox.store.database import connect, transaction
from postbox.store.submissions import MIGRATIONS, Inbox, InboxError
from postbox.store.tokens import KEY_BYTES, new_id, secret
from postbox.store.writer import GroupCommit
from tests.support.engines import Overrides
from tests.support.store import DAMAGED, NOW, a_submission, add, submission_meta

ON_BOTH_ENGINES = True


@pytest.fixture
def inbox(tmp_path: Path, engine: Overrides) -> Inbox:
    """An empty inbox."""
    return open_inbox(tmp_path, engine)


def open_inbox(folder: Path, engine: Overrides) -> Inbox:
    """Open an inbox in a folder, or on PostgreSQL."""
    return Inbox.open(Settings(var=folder, **engine)) if engine else Inbox(folder)  # type: ignore[arg-type]  # two texts


def together(inbox: Inbox, *operations: Callable[[Inbox], Any], limit: int = 256) -> list[Any]:
    """Hand in operations at one moment; return what each gets, its error included."""

    async def hand_in() -> list[Any]:
        writer = GroupCommit(inbox, limit=limit)
        results = await asyncio.gather(*map(writer.submit, operations), return_exceptions=True)
        await writer.close()
        return results

    return asyncio.run(hand_in())


def test_what_was_added_waits_word_for_word_also_after_the_process_is_gone(
    tmp_path: Path, engine: Overrides, inbox: Inbox
) -> None:
    id = add(inbox, NOW, author="Zoë 🦶", body="One\n\nTwo'; DROP TABLE comment")

    for opened in (inbox, open_inbox(tmp_path, engine)):
        [waiting] = opened.waiting()
        assert (waiting.id, waiting.author, waiting.body) == (id, "Zoë 🦶", "One\n\nTwo'; DROP TABLE comment")
        assert (waiting.state, waiting.received) == ("waiting", NOW)


def test_an_inbox_of_the_first_version_loses_what_told_its_senders_apart(tmp_path: Path) -> None:
    first = connect(tmp_path / "inbox.sqlite", MIGRATIONS[:1])
    rows = [(f"abcd{number}", b"Secret" * 9) for number in range(50)]
    first.executemany("INSERT INTO comment (id, article, sender) VALUES (?, 'feet', ?)", rows)
    first.close()

    inbox = Inbox(tmp_path)
    inbox.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert b"Secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert inbox.one("SELECT count(*) AS size FROM comment")["size"] == 50  # type: ignore[index]  # a count has a row


def test_the_same_form_sent_again_within_ten_minutes_is_one_comment(inbox: Inbox) -> None:
    first = add(inbox, NOW)

    again = add(inbox, NOW + timedelta(minutes=9))
    later = add(inbox, NOW + timedelta(minutes=11))

    assert again == first
    assert later != first
    assert len(inbox.waiting()) == 2


def test_a_receipt_opens_its_own_comment_and_no_other(inbox: Inbox) -> None:
    mine, other = add(inbox, NOW, key=b"1"), add(inbox, NOW, key=b"2")

    receipt = inbox.receipt(mine)
    forged = receipt.replace(mine, other)

    assert [waiting.id for waiting in inbox.by_receipt(receipt)] == [mine]
    assert inbox.by_receipt(forged) == []
    assert inbox.by_receipt(mine) == []
    assert inbox.by_receipt("ünïcode.\ud800".encode("utf-8", "replace").decode()) == []


def adding(now: datetime, key: bytes = b"once", **fields: str) -> Callable[[Inbox], str]:
    """Return the operation that adds a submission."""
    return lambda inbox: inbox.add(a_submission(**fields), submission_meta(now, key=key), ())


def test_a_failing_operation_takes_no_other_of_its_transaction_along(inbox: Inbox) -> None:
    def add_and_fail(inbox: Inbox) -> None:
        adding(NOW)(inbox)
        raise LookupError("after the insert")

    failure, id = together(inbox, add_and_fail, adding(NOW))

    assert isinstance(failure, LookupError)
    assert [waiting.id for waiting in inbox.waiting()] == [id]


def test_many_senders_are_each_answered_with_their_own(inbox: Inbox) -> None:
    ids = together(inbox, *(adding(NOW, b"%d" % number, body=f"Number {number}") for number in range(200)), limit=16)

    bodies = {waiting.id: waiting.body for waiting in inbox.waiting()}
    assert [bodies[id] for id in ids] == [f"Number {number}" for number in range(200)]


def test_a_state_that_is_no_word_of_the_inbox_is_refused(inbox: Inbox) -> None:
    id = add(inbox, NOW)

    with pytest.raises(sqlite3.IntegrityError):
        inbox.set_state(id, 1, "approved")


def test_the_plain_come_before_the_held_and_each_oldest_first(inbox: Inbox) -> None:
    later = NOW + timedelta(minutes=1)
    ids = [add(inbox, NOW, key=b"1", held=["it has 3 links"]), add(inbox, later, key=b"2"), add(inbox, NOW, key=b"3")]

    assert [waiting.id for waiting in inbox.waiting()] == [ids[2], ids[1], ids[0]]
    assert [waiting.id for waiting in inbox.waiting(limit=1, offset=1)] == [ids[1]]
    assert inbox.size() == 3
    assert inbox.waiting()[2].held == ("it has 3 links",)


def test_the_same_words_are_counted_whatever_their_case_and_spacing_but_not_a_writers_own(inbox: Inbox) -> None:
    mine, other = (add(inbox, NOW, key=key, body="Buy  my shoes") for key in (b"1", b"2"))
    before = NOW - timedelta(days=1)

    assert inbox.repeated("buy my\nSHOES", before) == 2
    assert inbox.repeated("buy my shoes", NOW) == 0
    assert inbox.repeated("buy my feet", before) == 0
    assert inbox.repeated("Buy my shoes", before, apart_from=mine) == 1
    inbox.forget(other)
    assert inbox.repeated("Buy my shoes", before, apart_from=mine) == 0


def test_a_change_waits_while_the_published_words_stay(inbox: Inbox) -> None:
    id = add(inbox, NOW)
    inbox.set_state(id, 1, "published")

    inbox.change(id, a_submission(body="Better."), NOW, ())
    inbox.change(id, a_submission(body="Better."), NOW, ())
    inbox.change(id, a_submission(body="Best."), NOW, ())

    revisions = [(r.body, r.state) for r in inbox.revisions(id)]
    assert revisions == [("Hello.", "published"), ("Better.", "replaced"), ("Best.", "waiting")]


@pytest.mark.parametrize("state", ["rejected", "spam", "removed", "deleted"])
def test_what_was_decided_against_cannot_be_changed(inbox: Inbox, state: str) -> None:
    id = add(inbox, NOW)
    inbox.set_state(id, 1, state)

    with pytest.raises(InboxError, match="can’t change this comment"):
        inbox.change(id, a_submission(body="Again."), NOW, ())


def test_a_deletion_takes_the_words_at_once_and_leaves_a_wish_and_the_id(inbox: Inbox) -> None:
    id = add(inbox, NOW, author="Secret Name", body="Secret words")

    inbox.delete(id)

    assert inbox.deletion_requests() == [id]
    [gone] = inbox.revisions(id)
    assert (gone.author, gone.body, gone.state) == ("", "", "deleted")
    inbox.set_state(id, 1, "published")
    assert inbox.revisions(id)[0].state == "deleted"
    inbox.close_deletion_request(id)
    assert inbox.deletion_requests() == []
    inbox.delete(id)
    assert inbox.deletion_requests() == []


def test_ids_say_nothing_and_are_never_the_same(tmp_path: Path) -> None:
    ids = {new_id() for _ in range(10_000)}

    assert len(ids) == 10_000
    assert all(ID.fullmatch(id) for id in ids)


@pytest.mark.parametrize("state", ["published", "rejected", "spam", "removed", "deleted"])
def test_a_form_sent_again_after_the_decision_is_the_same_comment_and_after_its_deletion_a_new(
    inbox: Inbox, state: str
) -> None:
    first = add(inbox, NOW)
    inbox.delete(first) if state == "deleted" else inbox.set_state(first, 1, state)

    assert (add(inbox, NOW) == first) is (state != "deleted")
    assert len(inbox.waiting()) == (state == "deleted")
    assert [revision.state for revision in inbox.revisions(first)] == [state]


def test_a_key_made_for_one_form_is_good_for_ever(inbox: Inbox) -> None:
    first, key = add(inbox, NOW, key=b"from the script"), b"from the script"

    meta = replace(submission_meta(NOW + timedelta(days=400), key=key), resend_after=datetime(1970, 1, 1, tzinfo=UTC))
    with transaction(inbox.connection):
        again = inbox.add(a_submission(), meta, ())

    assert again == first


@pytest.mark.sqlite  # its files
@pytest.mark.parametrize("erase", [Inbox.delete, Inbox.forget])
def test_what_is_erased_is_in_none_of_the_files_and_names_nobody(
    tmp_path: Path, inbox: Inbox, erase: Callable[[Inbox, str], None]
) -> None:
    for number in range(30):  # enough that pages fill, split and are freed
        add(inbox, NOW, key=b"other %d" % number, body="Other words. " * 50)
    id = add(inbox, NOW, author="Secretname", body="Secretwords " * 300, held=["Secretreason"])
    inbox.change(id, a_submission(author="Secretname", body="Secretwords " * 200), NOW, ["Secretreason"])

    with transaction(inbox.connection):
        erase(inbox, id)
    inbox.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert b"Secret" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    row = inbox.connection.execute("SELECT resend_key FROM comment WHERE id = ?", (id,)).fetchone()
    assert row["resend_key"] is None
    assert len(inbox.waiting()) == 30


@pytest.mark.parametrize(("steps", "states"), [
    ([(1, "published"), "change", (1, "waiting"), (2, "waiting")], ["replaced", "waiting"]),
    ([(1, "published"), "change", (2, "published"), (2, "removed")], ["published", "removed"]),
], ids=["one that was changed since cannot wait again", "to remove the last says nothing of those before"])  # fmt: skip
def test_each_revision_has_a_state_of_its_own(inbox: Inbox, steps: list[Any], states: list[str]) -> None:
    id = add(inbox, NOW, body="One.")

    for step in steps:
        inbox.change(id, a_submission(body="Two."), NOW, ()) if step == "change" else inbox.set_state(id, *step)

    assert [(r.body, r.state) for r in inbox.revisions(id)] == list(zip(["One.", "Two."], states, strict=True))


def test_a_sender_who_left_takes_no_other_along(inbox: Inbox) -> None:
    async def leave() -> str:
        writer = GroupCommit(inbox)
        left = asyncio.create_task(writer.submit(adding(NOW, b"left")))
        stayed = asyncio.create_task(writer.submit(adding(NOW, b"stayed")))
        await asyncio.sleep(0)
        left.cancel()
        id = await stayed
        await writer.close()
        return id

    assert asyncio.run(leave()) in [revision.id for revision in inbox.waiting()]


@pytest.mark.parametrize(
    "failure", [sqlite3.OperationalError("database or disk is full"), RuntimeError("can't start new thread")]
)
@pytest.mark.parametrize("step", ["begin", "COMMIT"])
def test_when_the_disk_fails_every_sender_is_told_and_the_writer_goes_on(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, failure: Exception, step: str
) -> None:
    on_disk = GroupCommit._on_disk

    async def full(writer: GroupCommit, task: Callable[..., Any], *arguments: object) -> Any:
        if step in (task.__name__, *arguments):
            raise failure
        return await on_disk(writer, task, *arguments)

    async def one_after_the_other() -> tuple[list[Any], str]:
        writer = GroupCommit(inbox)
        with monkeypatch.context() as patch:
            patch.setattr(GroupCommit, "_on_disk", full)
            refused = await asyncio.gather(
                *map(writer.submit, [adding(NOW, b"1"), adding(NOW, b"2")]), return_exceptions=True
            )
        id = await asyncio.wait_for(writer.submit(adding(NOW, b"1")), 5)
        await writer.close()
        return refused, id

    refused, id = asyncio.run(one_after_the_other())

    assert refused == [failure] * 2
    assert [revision.id for revision in inbox.waiting()] == [id]


@pytest.mark.sqlite  # PostgreSQL ends none by itself
def test_an_error_that_ends_the_transaction_is_each_senders_and_nobodys_comment(inbox: Inbox) -> None:
    def end(inbox: Inbox) -> None:
        inbox.connection.execute("ROLLBACK")  # as SQLite does on a full disk

    outcomes = together(inbox, adding(NOW), end)

    assert all(isinstance(outcome, sqlite3.Error) for outcome in outcomes)
    assert inbox.waiting() == []


def test_a_link_in_place_of_the_database_is_not_followed(tmp_path: Path) -> None:
    folder, target = tmp_path / "inbox", tmp_path / "target"
    folder.mkdir()
    (folder / "inbox.sqlite").symlink_to(target)

    with pytest.raises(InboxError, match="is a link, a folder or a pipe"):
        Inbox(folder)

    assert not target.exists()


@pytest.mark.parametrize("statement", [
    "CREATE TRIGGER evil AFTER INSERT ON revision BEGIN DELETE FROM revision; END", "CREATE VIEW evil AS SELECT 1",
])  # fmt: skip
def test_a_database_that_runs_code_of_anothers_making_is_refused(tmp_path: Path, statement: str) -> None:
    Inbox(tmp_path).connection.execute(statement)

    with pytest.raises(InboxError, match="not of our making; put the last good copy there"):
        Inbox(tmp_path)


@pytest.mark.parametrize(
    "statement", ["ANALYZE", "PRAGMA optimize", "CREATE TABLE more (word)", "DROP INDEX revision_by_state"]
)
def test_what_a_maintainer_does_to_a_database_leaves_it_usable(tmp_path: Path, statement: str) -> None:
    add(Inbox(tmp_path), NOW)
    Inbox(tmp_path).connection.execute(statement)

    assert Inbox(tmp_path).size() == 1


def test_a_rollback_journal_which_we_never_leave_is_refused(tmp_path: Path) -> None:
    Inbox(tmp_path)
    (tmp_path / "inbox.sqlite-journal").touch()

    with pytest.raises(InboxError, match="journal is not of our making; delete it"):
        Inbox(tmp_path)


def test_many_may_open_it_at_once_the_first_time(tmp_path: Path) -> None:
    for number in range(5):
        with ThreadPoolExecutor(8) as pool:
            inboxes = list(pool.map(lambda _, folder=tmp_path / f"{number}": Inbox(folder), range(8)))

        assert len(inboxes) == 8


@pytest.mark.sqlite
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_row_of_anothers_making_is_shown_and_stops_no_other(inbox: Inbox, damage: str) -> None:
    good, bad = add(inbox, NOW, key=b"1"), add(inbox, NOW, key=b"2")
    inbox.connection.execute(f"UPDATE revision SET {damage} WHERE comment = ?", (bad,))

    assert {revision.id for revision in inbox.waiting()} == {good, bad}
    [revision] = inbox.revisions(bad)
    assert revision.received.tzinfo is UTC
    assert all(isinstance(reason, str) for reason in revision.held)
    assert len([*inbox.everything()]) == 2


LONG = "replace(hex(zeroblob(15000000)), '0', 'x')"


@pytest.mark.sqlite
@pytest.mark.parametrize("statement", [
    f"INSERT INTO comment (id, article, deletion) VALUES ({LONG}, 'x', 'delete')",
    f"INSERT INTO event (kind, about) VALUES ('comment', {LONG})",
    f"INSERT INTO erasure (kind, about) VALUES ('message', {LONG})",
])  # fmt: skip
def test_a_row_longer_than_any_of_ours_keeps_no_other_from_the_desk(
    inbox: Inbox, tmp_path: Path, statement: str
) -> None:
    enemy = sqlite3.connect(tmp_path / "inbox.sqlite", isolation_level=None)
    enemy.execute(statement)
    id = add(inbox, NOW)
    inbox.delete(id)
    inbox.erased("message", "m1")

    assert inbox.deletion_requests() == [id]
    assert [event.about for event in inbox.events(limit=9)] == [id]
    assert [row["about"] for row in inbox.oldest("erasure", limit=9)] == ["m1"]


def test_a_key_is_made_once_however_many_ask_for_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret(tmp_path / "key", mode=0o640), range(40)))

    assert len(keys) == 1
    assert len(keys.pop()) == KEY_BYTES
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o640
