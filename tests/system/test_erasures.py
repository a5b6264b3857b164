"""The record of erasures: what was erased stays so, whatever backup is put back."""

import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from postbox.desk import app as desk
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.erasures import Erasures
from postbox.store.messages import Messages
from postbox.store.shared_inbox import SharedInbox
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions
from tests.support.commands import done
from tests.support.intake import MESSAGE, application, browser, sent
from tests.support.moderation import a_published, by, everywhere, file_of, published, the_one_waiting
from tests.support.store import forge

ON_BOTH_ENGINES = True

Clock = Callable[[], datetime]

SECRET = "Secretwords"
WHAT_A_BACKUP_HOLDS = ("content/comments", "var/inbox", "var/desk")


@pytest.fixture
def record(tmp_path: Path) -> Erasures:
    """An empty record."""
    return Erasures(tmp_path / "erased")


def back_up(settings: Settings) -> Path:
    """Copy what a backup holds, beside the place; return where."""
    backup = settings.var.parent.parent / "backup"
    for folder in WHAT_A_BACKUP_HOLDS:
        if settings.postgresql and folder == "var/inbox":
            (backup / folder).mkdir(parents=True)
            Inbox.open(settings).copy(backup / folder / "inbox.sqlite")
        else:
            shutil.copytree(settings.var.parent / folder, backup / folder)
    return backup


def restore(settings: Settings, *folders: str) -> None:
    """Put yesterday's folders in the place of today's."""
    for folder in folders or WHAT_A_BACKUP_HOLDS:
        kept = settings.var.parent.parent / "backup" / folder
        if settings.postgresql and folder == "var/inbox":
            SharedInbox(settings).load(kept / "inbox.sqlite", may_replace=True)
        else:
            shutil.rmtree(settings.var.parent / folder)
            shutil.copytree(kept, settings.var.parent / folder)


def start(settings: Settings, clock: Clock) -> Moderation:
    """Start as the desk and the commands do."""
    moderation = Moderation.open(settings)
    moderation.erase_again(now=clock())
    moderation.carry_out_deletions(now=clock())
    return moderation


def told(settings: Settings) -> list[str]:
    """Return the lines of the record."""
    return (settings.erased / "log").read_text("ascii").splitlines()


# The file


def test_the_record_reads_back_what_was_written(record: Erasures, tmp_path: Path) -> None:
    record.add([("comment", "abcdabcdabcd"), ("message", "bcdabcdabcda")])
    record.add([("comment", "cdabcdabcdab")])

    again = Erasures(tmp_path / "erased")

    assert again.of("comment") == {"abcdabcdabcd", "cdabcdabcdab"}
    assert again.of("message") == {"bcdabcdabcda"}
    assert again.has("comment", "abcdabcdabcd")
    assert not again.has("message", "abcdabcdabcd")


def test_only_its_own_user_can_read_it(record: Erasures, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "erased").stat().st_mode) == 0o700


def test_what_is_recorded_twice_is_one_line(record: Erasures, tmp_path: Path) -> None:
    for _ in range(3):
        record.add([("comment", "abcdabcdabcd")])

    assert (tmp_path / "erased/log").read_text("ascii") == "comment abcdabcdabcd\n"


@pytest.mark.parametrize("entry", [
    ("comment", "../0001"), ("comment", "0001\ncomment 0002"), ("comment", ""), ("comment", "Tom Smith"),
    ("message", "tom@feet.example"), ("name", "abcdabcdabcd"), ("refused", "abcdabcdabcd"), ("comment", "é" * 12),
])  # fmt: skip
def test_nothing_but_ids_and_hashes_gets_into_it(record: Erasures, tmp_path: Path, entry: tuple[str, str]) -> None:
    record.add([entry])

    assert (tmp_path / "erased/log").read_bytes() == b""


@pytest.mark.parametrize("torn", [b"comment abcda", b"comment ", b"\xff\xfe", b"comment abcdabcdabcd\ncomm"])
def test_a_line_that_a_power_cut_left_unfinished_names_nothing_and_spoils_no_other(tmp_path: Path, torn: bytes) -> None:
    Erasures(tmp_path).add([("message", "bcdabcdabcda")])
    with (tmp_path / "log").open("ab") as file:
        file.write(torn)

    Erasures(tmp_path).add([("comment", "cdabcdabcdab")])

    after = Erasures(tmp_path)
    assert after.of("comment") - {"abcdabcdabcd"} == {"cdabcdabcdab"}
    assert after.of("message") == {"bcdabcdabcda"}


def test_it_is_written_before_anything_is_erased(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = a_published(settings, clock, body=SECRET)
    moderation = Moderation.open(settings)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Erasures, "add", full)
        with pytest.raises(OSError, match="No space"):
            moderation.forget(id, **by(clock))
    assert published(settings, id).body == SECRET

    Moderation.open(settings)

    assert told(settings) == [f"comment {id}"]
    assert SECRET.encode() not in everywhere(settings)


# A backup that is put back


@pytest.mark.parametrize(
    "folders", [(), *((folder,) for folder in WHAT_A_BACKUP_HOLDS)], ids=lambda f: " ".join(f) or "all"
)
def test_a_forgotten_comment_stays_forgotten(settings: Settings, clock: Clock, folders: tuple[str, ...]) -> None:
    id = a_published(settings, clock, author="Secretname", body=SECRET)
    back_up(settings)
    Moderation.open(settings).forget(id, **by(clock))
    restore(settings, *folders)
    assert SECRET.encode() in everywhere(settings)

    moderation = start(settings, clock)

    assert b"Secret" not in everywhere(settings)
    assert moderation.review.find(id) is None
    assert published(settings, id).removed == "yes"
    assert not any(decision.can_be_undone for decision in moderation.work.decisions.latest() if decision.comment == id)


def test_a_shipped_comment_stays_forgotten_where_the_repository_brings_it_back(
    settings: Settings, clock: Clock
) -> None:
    back_up_of_one = file_of(settings, "0001").read_bytes()
    Moderation.open(settings).forget("0001", **by(clock))
    file_of(settings, "0001").write_bytes(back_up_of_one)

    start(settings, clock)

    assert b"passed away" not in everywhere(settings)
    assert published(settings, "0002").author == "David"


def test_the_authors_own_answer_stays_forgotten(settings: Settings, clock: Clock) -> None:
    moderation = Moderation.open(settings)
    moderation.answer("big-toe-and-glutes", "0001", SECRET, **by(clock))
    id = moderation.work.decisions.latest()[0].comment
    back_up(settings)
    moderation.forget(id, **by(clock))

    for folder in WHAT_A_BACKUP_HOLDS:
        restore(settings, folder)
        start(settings, clock)

        assert SECRET.encode() not in everywhere(settings)


def test_what_its_reader_deleted_stays_deleted(settings: Settings, clock: Clock) -> None:
    with browser(application(settings)) as client:
        receipt = sent(client, name="Secretname", comment=SECRET, email="secret@feet.example")
        message = client.post("/comments/message", data=MESSAGE | {"message": SECRET}).headers["location"]
        back_up_after = Moderation.open(settings).review.queue()
        assert len(back_up_after) == 1
        backup = back_up(settings)
        client.post(receipt, data={"action": "delete"})
        client.post(message, data={"action": "delete"})
    start(settings, clock)
    restore(settings)
    assert SECRET.encode() in everywhere(settings)

    start(settings, clock)

    assert backup.exists()
    assert SECRET.encode() not in everywhere(settings)
    assert b"secret@feet.example" not in everywhere(settings)


@pytest.mark.parametrize("action", ["stop", "never"])
def test_an_address_that_wants_no_mail_gets_none(settings: Settings, clock: Clock, action: str) -> None:
    with browser(application(settings)) as client:
        sent(client, email="secret@feet.example")
        subscriptions = Subscriptions(Inbox.open(settings))
        [subscription] = subscriptions.having("secret@feet.example")
        Moderation.open(settings)
        back_up(settings)
        client.post(f"/comments/mail/{subscriptions.token(subscription)}", data={"action": action})
    start(settings, clock)
    restore(settings)
    assert b"secret@feet.example" in everywhere(settings)

    start(settings, clock)

    assert b"secret@feet.example" not in everywhere(settings)
    with browser(application(settings)) as client:
        sent(client, comment="Another.", email="secret@feet.example")
    assert bool(Subscriptions(Inbox.open(settings)).having("secret@feet.example")) == (action == "stop")


def test_a_publication_that_a_backup_has_half_done_does_not_bring_it_back(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = a_published(settings, clock, body=SECRET)
    back_up(settings)
    Moderation.open(settings).forget(id, **by(clock))
    restore(settings)
    file_of(settings, id).unlink()
    moderation = Moderation.open(settings)
    moderation.work.decisions.connection.execute(
        "UPDATE decision SET is_applied = 0"
    )  # as a crash before the file links it

    Moderation.open(settings)
    assert not file_of(settings, id).exists()
    start(settings, clock)

    assert SECRET.encode() not in everywhere(settings)


@pytest.mark.parametrize("who", ["desk", "list"])
def test_the_desk_and_every_command_erase_again_before_anything_else(
    settings: Settings, clock: Clock, who: str
) -> None:
    id = a_published(settings, clock, body=SECRET)
    back_up(settings)
    Moderation.open(settings).forget(id, **by(clock))
    restore(settings)

    if who == "desk":
        with TestClient(desk.application(settings)):
            pass
    else:
        assert done(settings, "list") == ""

    assert SECRET.encode() not in everywhere(settings)


def test_what_was_not_erased_comes_back_whole(settings: Settings, clock: Clock) -> None:
    erased, kept = a_published(settings, clock, body=SECRET), a_published(settings, clock, body="Kept.")
    back_up(settings)
    Moderation.open(settings).forget(erased, **by(clock))
    restore(settings)

    moderation = start(settings, clock)

    assert published(settings, kept).body == "Kept."
    assert [revision.revision.body for revision in moderation.review.history(kept)] == ["Kept."]
    assert published(settings, "0001").author == "Alexis"


def test_a_start_with_nothing_to_erase_changes_nothing(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock)
    Moderation.open(settings).forget(id, **by(clock))
    before, log = told(settings), Moderation.open(settings).work.decisions.latest()

    start(settings, clock)
    start(settings, clock)

    assert told(settings) == before
    assert Moderation.open(settings).work.decisions.latest() == log


# What a forged row can do


@pytest.mark.parametrize("row", [
    "('comment', '0001')", "('comment', '../0001')", "('message', '0001')", "('subscription', CAST(x'ff' AS TEXT))",
    "('message', 'x\ncomment 0001')", "('refused', 'nonsense')",
])  # fmt: skip
def test_a_forged_note_of_an_erasure_takes_no_comment_off_its_page(settings: Settings, clock: Clock, row: str) -> None:
    id = a_published(settings, clock, body="Kept.")
    forge(settings, f"INSERT INTO erasure (kind, about) VALUES {row}, ('comment', '{id}')")

    start(settings, clock)
    start(settings, clock)

    assert published(settings, id).body == "Kept."
    assert published(settings, "0001").author == "Alexis"
    assert not any(line.startswith("comment") for line in told(settings))
    assert Inbox.open(settings).one("SELECT 1 FROM erasure") is None


def test_a_row_under_the_id_of_an_erased_comment_is_erased_and_stops_nothing(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock)
    Moderation.open(settings).forget(id, **by(clock))
    forge(settings, "UPDATE revision SET state = 'waiting', body = 'Forged.' WHERE comment = ?", id)

    moderation = start(settings, clock)

    assert moderation.review.queue() == []
    assert published(settings, id).removed == "yes"
    other = a_published(settings, lambda: datetime.now(UTC) + timedelta(days=1), body="Goes on.")
    assert published(settings, other).body == "Goes on."


def test_a_message_that_is_back_is_erased_with_the_way_to_answer_it(settings: Settings, clock: Clock) -> None:
    with browser(application(settings)) as client:
        receipt = client.post("/comments/message", data=MESSAGE).headers["location"]
        Moderation.open(settings)
        back_up(settings)
        client.post(receipt, data={"action": "delete"})
    start(settings, clock)
    restore(settings)
    inbox = Inbox.open(settings)
    assert MESSAGE["contact"].encode() in everywhere(settings)

    start(settings, clock)

    [message] = Messages(inbox).everything()
    assert (message.state, message.contact, message.body) == ("deleted", "", "")
    assert MESSAGE["contact"].encode() not in everywhere(settings)
    with transaction(inbox.connection):  # and what stands in the file can still be written
        Messages(inbox).finish(message.id)


def test_one_that_waits_can_still_be_judged_after_a_restart(settings: Settings, clock: Clock) -> None:
    a_published(settings, clock)
    with browser(application(settings)) as client:
        sent(client, comment="Waits.")

    moderation = start(settings, clock)

    [item] = moderation.review.queue()
    assert the_one_waiting(moderation, item.revision.id).revision.body == "Waits."
