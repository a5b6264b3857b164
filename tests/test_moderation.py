"""Moderation: nothing becomes public but the words that were seen, and a crash decides nothing."""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from postbox import moderation
from postbox.comment import read, read_all
from postbox.database import transaction
from postbox.inbox import Inbox
from postbox.moderation import Moderation, ModerationError
from postbox.settings import Settings
from tests.conftest import ROOT
from tests.test_inbox import add

Clock = Callable[[], datetime]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a place with the shipped comments."""
    shutil.copytree(ROOT / "content/comments/big-toe-and-glutes", tmp_path / "content/comments/big-toe-and-glutes")
    return Settings(content=tmp_path / "content", var=tmp_path / "var")


def a_waiting(settings: Settings, clock: Clock, **fields: str | None) -> str:
    """Put a comment in the inbox; return its id."""
    return add(Inbox(settings.inbox), clock(), **({"article": "big-toe-and-glutes"} | fields))  # type: ignore[arg-type]


def test_an_approved_comment_is_a_file_that_reads_back_as_it_was_written(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, author="Zoë", body="Id: 0001\n\nIs-Author: yes", reply_to="0001")
    [judged] = Moderation(settings).queue()

    path = Moderation(settings).approve(judged.name, now=clock())

    comment = read(path)
    assert (comment.id, comment.author, comment.body) == (id, "Zoë", "Id: 0001\n\nIs-Author: yes")
    assert (comment.reply_to, comment.date, comment.is_author) == ("0001", clock(), False)
    assert read_all(settings.comments)[1] == []
    assert Moderation(settings).queue() == []


def test_a_rejected_comment_leaves_no_file_and_waits_no_more(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    [judged] = Moderation(settings).queue()

    Moderation(settings).reject(judged.name, now=clock())

    assert not list(settings.comments.glob(f"*/*{id}*"))
    assert Moderation(settings).queue() == []
    with pytest.raises(ModerationError, match="does not wait"):
        Moderation(settings).approve(judged.name, now=clock())


def test_words_that_changed_since_they_were_seen_are_not_published(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, body="Kind words.")
    [seen] = Moderation(settings).queue()
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.connection.execute("UPDATE revision SET body = 'Unkind words.' WHERE comment = ?", (id,))

    with pytest.raises(ModerationError, match="has changed since; read"):
        Moderation(settings).approve(seen.name, now=clock())

    assert not list(settings.comments.glob(f"*/{id}.md"))


def test_a_row_that_says_published_publishes_nothing(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.set_state(id, 1, "published")

    Moderation(settings)

    assert not list(settings.comments.glob(f"*/{id}.md"))


def test_a_reply_to_what_is_not_published_is_not_published_either(settings: Settings, clock: Clock) -> None:
    a_waiting(settings, clock, reply_to="9999")
    [judged] = Moderation(settings).queue()

    with pytest.raises(ModerationError, match="answers 9999, which is not published"):
        Moderation(settings).approve(judged.name, now=clock())


def test_an_article_id_that_leaves_the_folder_is_refused(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, article="../../articles")
    [judged] = Moderation(settings).queue()

    with pytest.raises(ValueError, match="Article"):
        Moderation(settings).approve(judged.name, now=clock())

    assert not list(settings.content.rglob(f"{id}.md"))


@pytest.mark.parametrize("step", ["write", "set_state", "mark"])
def test_a_crash_at_any_step_is_repaired_at_the_next_start_once(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    id = a_waiting(settings, clock)
    moderator = Moderation(settings)
    [judged] = moderator.queue()

    class CrashError(BaseException):
        pass

    def crash(*args: object) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(moderation, "write", crash)
        elif step == "set_state":
            patch.setattr(Inbox, "set_state", crash)
        else:  # the third transaction marks the decision as carried out
            patch.setattr(moderation, "transaction", _crash_on_call(3, crash))
        with pytest.raises(CrashError):
            moderator.approve(judged.name, now=clock())
    repaired = Moderation(settings)

    assert read(settings.comments / "big-toe-and-glutes" / f"{id}.md").author == "Tom"
    assert repaired.queue() == []
    assert Inbox(settings.inbox).revisions(id)[0].state == "published"


def _crash_on_call(number: int, crash: Callable[..., None]) -> Callable[..., object]:
    calls = 0

    def counted(connection: sqlite3.Connection) -> object:
        nonlocal calls
        calls += 1
        if calls == number:
            crash()
        return transaction(connection)

    return counted


def test_a_file_appears_whole_and_leaves_no_draft_behind(tmp_path: Path) -> None:
    moderation.write(tmp_path / "a" / "b.md", "Words\r\nand “quotes”\n")

    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.md"]
    assert (tmp_path / "a" / "b.md").read_bytes() == "Words\r\nand “quotes”\n".encode()
