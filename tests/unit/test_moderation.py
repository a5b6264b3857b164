"""Moderation: nothing becomes public but the words that were seen, and a crash decides nothing."""

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.comment import Comment, dumps, read
from contract.thread import read_all
from postbox.moderation import publisher
from postbox.moderation.errors import ModerationError
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.submissions import Inbox
from postbox.web.forms import parse
from postbox.web.validation import check
from tests.support.moderation import (
    SITE,
    a_place,
    a_published,
    a_waiting,
    assert_page_and_inbox_agree,
    by,
    change,
    delete,
    everywhere,
    file_of,
    files,
    published,
    settings,
    the_one_waiting,
)
from tests.support.place import ARTICLE
from tests.support.store import FORGED, Clock, forge, submission_meta

__all__ = ["settings"]  # fixtures


def states(settings: Settings) -> list[tuple[str, int, str, str]]:
    """Return what the inbox says became of every revision."""
    return [(r.id, r.number, r.state, r.reason) for r in Inbox(settings.inbox).everything()]


def test_an_approved_comment_is_a_file_that_reads_back_as_it_was_written(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, author="Zoë", body="Id: 0001\n\nIs-Author: yes", reply_to="0001")
    [item] = Moderation.open(settings).review.queue()

    Moderation.open(settings).approve(item.name, **by(clock))

    comment = read(settings.comments / "big-toe-and-glutes" / f"{id}.md")
    assert (comment.id, comment.author, comment.body) == (id, "Zoë", "Id: 0001\n\nIs-Author: yes")
    assert (comment.reply_to, comment.date, comment.is_author) == ("0001", clock(), False)
    assert read_all(settings.comments)[1] == []
    assert Moderation.open(settings).review.queue() == []


def test_a_rejected_comment_leaves_no_file_and_waits_no_more(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    [item] = Moderation.open(settings).review.queue()

    Moderation.open(settings).reject(item.name, **by(clock))

    assert not list(settings.comments.glob(f"*/*{id}*"))
    assert Moderation.open(settings).review.queue() == []
    with pytest.raises(ModerationError, match="does not wait"):
        Moderation.open(settings).approve(item.name, **by(clock))


def test_words_that_changed_since_they_were_seen_are_not_published(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, body="Kind words.")
    [seen] = Moderation.open(settings).review.queue()
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.connection.execute("UPDATE revision SET body = 'Unkind words.' WHERE comment = ?", (id,))

    with pytest.raises(ModerationError, match="has changed since you read it"):
        Moderation.open(settings).approve(seen.name, **by(clock))

    assert not list(settings.comments.glob(f"*/{id}.md"))


def test_a_row_that_says_published_publishes_nothing(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.set_state(id, 1, "published")

    Moderation.open(settings)

    assert not list(settings.comments.glob(f"*/{id}.md"))


def test_a_reply_to_what_is_not_published_is_not_published_either(settings: Settings, clock: Clock) -> None:
    a_waiting(settings, clock, reply_to="9999")
    [item] = Moderation.open(settings).review.queue()

    with pytest.raises(ModerationError, match="answers 9999, which is not published"):
        Moderation.open(settings).approve(item.name, **by(clock))


def test_an_article_id_that_leaves_the_folder_is_refused(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, article="../../articles")
    [item] = Moderation.open(settings).review.queue()

    with pytest.raises(ValueError, match="Article"):
        Moderation.open(settings).approve(item.name, **by(clock))

    assert not list(settings.content.rglob(f"{id}.md"))


@pytest.mark.parametrize("step", ["write", "set_state", "mark"])
def test_a_crash_at_any_step_is_repaired_at_the_next_start_once(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    id = a_waiting(settings, clock)
    moderator = Moderation.open(settings)
    [item] = moderator.review.queue()

    class CrashError(BaseException):
        pass

    def crash(*args: object) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(publisher, "write", crash)
        elif step == "set_state":
            patch.setattr(Inbox, "set_state", crash)
        else:  # the third transaction marks the decision as carried out
            patch.setattr(publisher, "transaction", _crash_on_call(3, crash))
        with pytest.raises(CrashError):
            moderator.approve(item.name, **by(clock))
    repaired = Moderation.open(settings)

    assert read(settings.comments / "big-toe-and-glutes" / f"{id}.md").author == "Tom"
    assert repaired.review.queue() == []
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
    publisher.write(tmp_path / "a" / "b.md", "Words\r\nand “quotes”\n")

    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.md"]
    assert (tmp_path / "a" / "b.md").read_bytes() == "Words\r\nand “quotes”\n".encode()


# A change


def test_a_change_takes_the_place_of_the_published_words_and_keeps_the_first_date(
    settings: Settings, clock: Clock
) -> None:
    id = a_published(settings, clock, body="One.")
    change(settings, lambda: clock() + timedelta(days=3), id, "Two.")
    assert published(settings, id).body == "One."
    moderator = Moderation.open(settings)

    moderator.approve(the_one_waiting(moderator, id).name, **by(clock))

    assert (published(settings, id).body, published(settings, id).date) == ("Two.", clock())
    assert [state for _, _, state, _ in states(settings)] == ["published", "published"]


def test_a_change_made_between_reading_and_deciding_is_not_published_with_it(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock, body="Kind words.")
    moderator = Moderation.open(settings)
    seen = the_one_waiting(moderator, id)
    change(settings, clock, id, "Unkind words.")

    for decide in (moderator.approve, moderator.reject, moderator.spam):
        with pytest.raises(ModerationError, match=f"{id} has changed since you read it"):
            decide(seen.name, **by(clock))

    assert moderator.work.decisions.latest() == []
    assert [state for _, _, state, _ in states(settings)] == ["replaced", "waiting"]


def test_a_rejected_change_leaves_the_published_words(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, body="One.")
    change(settings, clock, id, "Two.")
    moderator = Moderation.open(settings)

    moderator.reject(the_one_waiting(moderator, id).name, reason="No.", **by(clock))

    assert published(settings, id).body == "One."
    assert states(settings) == [(id, 1, "published", ""), (id, 2, "rejected", "No.")]


@pytest.mark.parametrize("name", ["", ".", "abcd", "abcd.", "nobody.0123456789abcdef", "*.x", "../x.y", "\0.\0", "é.ü"])
def test_a_name_of_nothing_is_refused(settings: Settings, clock: Clock, name: str) -> None:
    moderator = Moderation.open(settings)

    for decide in (moderator.approve, moderator.reject, moderator.spam):
        with pytest.raises(ModerationError, match="does not wait"):
            decide(name, **by(clock))


def test_a_name_is_another_with_another_key(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    name = the_one_waiting(Moderation.open(settings), id).name
    (settings.desk / "key").write_bytes(b"another".ljust(32))

    assert the_one_waiting(Moderation.open(settings), id).name != name


# Answer, edit, remove


def test_an_answer_bears_the_authors_mark_and_stands_below_what_it_answers(settings: Settings, clock: Clock) -> None:
    Moderation.open(settings).answer(ARTICLE, "0001", "My words.", **by(clock))

    answer = next(c for c in Moderation.open(settings).review.all_published() if c.body == "My words.")
    assert (answer.author, answer.is_author, answer.reply_to, answer.date) == ("David", True, "0001", clock())
    assert read_all(settings.comments)[1] == []


def test_no_reader_can_earn_the_authors_mark(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, author="David", body="Is-Author: yes\n\nI am he.")

    assert not published(settings, id).is_author


@pytest.mark.parametrize("id", ["9999", "../0001", "*", "**", ""])
def test_what_is_not_published_cannot_be_answered_edited_or_removed(settings: Settings, clock: Clock, id: str) -> None:
    moderator, before = Moderation.open(settings), files(settings)

    with pytest.raises(ModerationError, match="is not published"):
        moderator.answer(ARTICLE, id, "Words.", **by(clock))
    with pytest.raises(ModerationError, match="is not published any more"):
        moderator.edit(ARTICLE, id, "Words.", seen="", **by(clock))
    with pytest.raises(ModerationError, match="is not published any more"):
        moderator.remove(ARTICLE, id, seen="", **by(clock))

    assert moderator.review.find(id) is None
    assert files(settings) == before


@pytest.mark.parametrize("words", ["", " \n", "bell\x07", "x" * 60_000])
def test_an_answer_that_breaks_a_rule_is_refused_and_not_recorded(settings: Settings, clock: Clock, words: str) -> None:
    moderator = Moderation.open(settings)

    with pytest.raises(ModerationError, match="Body"):
        moderator.answer(ARTICLE, "0001", words, **by(clock))

    assert moderator.work.decisions.latest() == []


def test_the_author_edits_his_own_words_and_nobody_elses(settings: Settings, clock: Clock) -> None:
    moderator = Moderation.open(settings)

    moderator.edit(ARTICLE, "0002", "Better.", seen=moderator.review.seen(published(settings, "0002")), **by(clock))
    with pytest.raises(ModerationError, match="is a reader's"):
        moderator.edit(ARTICLE, "0001", "Better.", seen=moderator.review.seen(published(settings, "0001")), **by(clock))

    own = published(settings, "0002")
    assert (own.body, own.author, own.is_author, own.reply_to) == ("Better.", "David", True, "0001")
    assert published(settings, "0001").body.startswith("I love the feet")


def test_words_that_changed_since_are_neither_edited_nor_removed(settings: Settings, clock: Clock) -> None:
    moderator = Moderation.open(settings)
    seen = moderator.review.seen(published(settings, "0002"))
    moderator.edit(ARTICLE, "0002", "Better.", seen=seen, **by(clock))

    with pytest.raises(ModerationError, match="has changed since you read it"):
        moderator.edit(ARTICLE, "0002", "Best.", seen=seen, **by(clock))
    with pytest.raises(ModerationError, match="has changed since you read it"):
        moderator.remove(ARTICLE, "0002", seen=seen, **by(clock))

    assert published(settings, "0002").body == "Better."


def test_a_removed_comment_leaves_its_place_without_a_word_and_its_replies_stand(
    settings: Settings, clock: Clock
) -> None:
    moderator = Moderation.open(settings)

    moderator.remove(ARTICLE, "0001", seen=moderator.review.seen(published(settings, "0001")), **by(clock))

    removed = published(settings, "0001")
    assert (removed.removed, removed.author, removed.body) == ("by the site", "", "")
    assert moderator.review.find("0001") is None
    conversations, problems = read_all(settings.comments)
    assert [entry.comment.id for entry in conversations[ARTICLE]] == ["0001", "0002"]
    assert problems == []


def test_a_reply_to_a_removed_comment_can_be_published(settings: Settings, clock: Clock) -> None:
    moderator = Moderation.open(settings)
    moderator.remove(ARTICLE, "0002", seen=moderator.review.seen(published(settings, "0002")), **by(clock))

    id = a_published(settings, clock, reply_to="0002")

    assert [e.comment.id for e in read_all(settings.comments)[0][ARTICLE]] == ["0001", "0002", id]


def test_a_change_that_waited_when_its_comment_was_removed_can_still_be_published(
    settings: Settings, clock: Clock
) -> None:
    id = a_published(settings, clock, body="Unkind.")
    change(settings, clock, id, "Kind.")
    moderator = Moderation.open(settings)
    moderator.remove(ARTICLE, id, seen=moderator.review.seen(published(settings, id)), **by(clock))

    moderator.approve(the_one_waiting(moderator, id).name, **by(clock))

    assert published(settings, id).body == "Kind."


# Undo


def decisions(moderator: Moderation, id: str) -> dict[str, Callable[[], int]]:
    """Return every decision that can be taken on a comment now, but those that erase."""
    by: dict[str, Any] = {"who": "David", "now": datetime(2026, 11, 22, tzinfo=UTC)}
    found: dict[str, Callable[[], int]] = {}
    if names := [item.name for item in moderator.review.history(id) if item.revision.state == "waiting"]:
        found["publish"] = lambda: moderator.approve(names[0], **by)
        found["reject"] = lambda: moderator.reject(names[0], reason="No.", **by)
        found["spam"] = lambda: moderator.spam(names[0], **by)
    if comment := moderator.review.find(id):
        seen = moderator.review.seen(comment)
        found["answer"] = lambda: moderator.answer(ARTICLE, id, "Mine.", **by)
        found["remove"] = lambda: moderator.remove(ARTICLE, id, seen=seen, **by)
        if comment.is_author:
            found["edit"] = lambda: moderator.edit(ARTICLE, id, f"{comment.body}!", seen=seen, **by)
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["post", "reply", "change", "decide", "decide", "decide", "try", "try", "undo", "delete", "forget"]
        ),
        st.integers(0, 1000),
        st.integers(0, 1000),
    ),
    max_size=14,
)


@hypothesis.settings(deadline=None, max_examples=60)
@given(STEPS)
def test_every_decision_can_be_undone_to_the_byte_whatever_came_before(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = a_place(Path(folder))
        moderator, now = Moderation.open(settings), datetime(2026, 11, 22, tzinfo=UTC)
        clock = lambda: now  # noqa: E731
        for number, (step, one, other) in enumerate(steps):
            ids = sorted(
                {r.id for r in moderator.work.inbox.everything()}
                | {path.stem for path in settings.comments.rglob("*.md")}
            )
            id = ids[one % len(ids)]
            match step:
                case "post" | "reply":
                    a_waiting(settings, clock, body=f"Words {number}.", reply_to=id if step == "reply" else None)
                case "change":
                    if moderator.review.history(id):
                        with suppress(ValueError):
                            change(settings, clock, id, f"Words {number}.")
                case "decide" | "try":
                    before = files(settings), states(settings)
                    possible = decisions(moderator, id)
                    for action in sorted(possible)[other % len(possible) :][:1] if possible else []:
                        with suppress(ModerationError):  # a reply to what is not published
                            sequence = possible[action]()
                            if step == "try":
                                moderator.undo(sequence, **by(clock))
                                assert (files(settings), states(settings)) == before
                case "undo":
                    for chosen in moderator.work.decisions.latest()[other % 10 :][:1]:
                        before = files(settings), states(settings)
                        with suppress(ModerationError):
                            moderator.undo(chosen.sequence, **by(clock))
                            assert chosen.can_be_undone
                            continue
                        assert (files(settings), states(settings)) == before
                case "delete":
                    if moderator.review.history(id):
                        delete(settings, id)
                        moderator.carry_out_deletions(now=now)
                        assert moderator.review.find(id) is None
                case "forget":
                    with suppress(ModerationError):  # a shipped one that was forgotten before
                        moderator.forget(id, **by(clock))
                    assert moderator.review.find(id) is None
            assert_page_and_inbox_agree(settings)


def test_what_a_hand_made_of_a_file_comes_back_to_the_byte(settings: Settings, clock: Clock) -> None:
    by_hand = file_of(settings, "0001").read_bytes().replace(b"\n", b"\r\n")
    file_of(settings, "0001").write_bytes(b"\xef\xbb\xbf" + by_hand)
    before, moderator = files(settings), Moderation.open(settings)

    sequence = moderator.remove(ARTICLE, "0001", seen=moderator.review.seen(published(settings, "0001")), **by(clock))
    moderator.undo(sequence, **by(clock))

    assert files(settings) == before


def test_a_publication_that_was_answered_since_is_not_undone(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock)
    reply = a_published(settings, clock, reply_to=id)
    moderator = Moderation.open(settings)
    of_reply, of_comment = moderator.work.decisions.latest()

    with pytest.raises(ModerationError, match="answered since; remove it instead"):
        moderator.undo(of_comment.sequence, **by(clock))
    moderator.remove(ARTICLE, reply, seen=moderator.review.seen(published(settings, reply)), **by(clock))
    with pytest.raises(ModerationError, match="answered since"):  # its place would answer nothing
        moderator.undo(of_comment.sequence, **by(clock))

    assert published(settings, id).author == "Tom"
    assert read_all(settings.comments)[1] == []
    assert of_reply.comment == reply


def test_an_answer_that_was_answered_since_is_not_undone(settings: Settings, clock: Clock) -> None:
    moderator = Moderation.open(settings)
    sequence = moderator.answer(ARTICLE, "0001", "Mine.", **by(clock))
    a_published(settings, clock, reply_to=moderator.work.decisions.latest()[0].comment)

    with pytest.raises(ModerationError, match="answered since"):
        moderator.undo(sequence, **by(clock))


def test_only_the_last_decision_on_a_comment_is_undone_and_only_once(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock)
    moderator = Moderation.open(settings)
    first = moderator.work.decisions.latest()[0].sequence
    last = moderator.remove(ARTICLE, id, seen=moderator.review.seen(published(settings, id)), **by(clock))

    with pytest.raises(ModerationError, match="something was decided since"):
        moderator.undo(first, **by(clock))
    undoing = moderator.undo(last, **by(clock))
    for sequence in (last, undoing, first, 0, -1, 10**6):
        with pytest.raises(ModerationError, match="cannot be undone any more"):
            moderator.undo(sequence, **by(clock))

    assert published(settings, id).author == "Tom"
    assert not any(decision.can_be_undone for decision in moderator.work.decisions.latest())


def test_a_decision_undone_after_its_writers_change_lets_only_the_change_wait(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, body="One.")
    change(settings, clock, id, "Two.")
    moderator = Moderation.open(settings)

    moderator.undo(moderator.work.decisions.latest()[0].sequence, **by(clock))

    assert [item.revision.body for item in moderator.review.queue()] == ["Two."]
    assert not file_of(settings, id).exists()


# Forget and delete


def test_of_a_forgotten_comment_no_word_is_left_in_any_file(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, author="Secretname", body="Secretwords. " * 200)
    change(settings, clock, id, "Secretchange. " * 200)
    moderator = Moderation.open(settings)
    moderator.reject(the_one_waiting(moderator, id).name, reason="Secretreason", **by(clock))
    removed = moderator.remove(ARTICLE, id, seen=moderator.review.seen(published(settings, id)), **by(clock))
    moderator.undo(removed, **by(clock))
    assert everywhere(settings).count(b"Secretwords") > 1

    moderator.forget(id, **by(clock))

    assert b"Secret" not in everywhere(settings)
    assert (published(settings, id).removed, published(settings, id).body) == ("yes", "")
    assert {state for _, _, state, _ in states(settings)} == {"deleted"}


def test_a_shipped_comment_can_be_forgotten_and_its_reply_stands(settings: Settings, clock: Clock) -> None:
    moderator = Moderation.open(settings)
    assert b"passed away" in everywhere(settings)

    moderator.forget("0001", **by(clock))

    assert b"passed away" not in everywhere(settings)
    assert b"Alexis" not in file_of(settings, "0001").read_bytes()
    assert [e.comment.id for e in read_all(settings.comments)[0][ARTICLE]] == ["0001", "0002"]
    with pytest.raises(ModerationError, match="cannot be undone"):
        moderator.undo(moderator.work.decisions.latest()[0].sequence, **by(clock))


@pytest.mark.parametrize("decide", ["none", "reject", "spam"])
def test_what_was_never_published_can_be_forgotten(settings: Settings, clock: Clock, decide: str) -> None:
    id = a_waiting(settings, clock, body="Secretwords.")
    moderator = Moderation.open(settings)
    if decide != "none":
        getattr(moderator, decide)(the_one_waiting(moderator, id).name, **by(clock))

    moderator.forget(id, **by(clock))

    assert b"Secretwords" not in everywhere(settings)
    assert not file_of(settings, id).exists()
    assert moderator.review.queue() == []


def test_the_authors_own_answer_can_be_forgotten(settings: Settings, clock: Clock) -> None:
    moderator = Moderation.open(settings)
    moderator.answer(ARTICLE, "0001", "Secretwords.", **by(clock))
    moderator.forget(moderator.work.decisions.latest()[0].comment, **by(clock))

    assert b"Secretwords" not in everywhere(settings)


@pytest.mark.parametrize("id", ["9999", "", "*", "**", "../0001", "\0", "0001.md"])
def test_nothing_is_forgotten_of_what_is_not_there(settings: Settings, clock: Clock, id: str) -> None:
    before = files(settings)

    with pytest.raises(ModerationError, match="is no comment here"):
        Moderation.open(settings).forget(id, **by(clock))

    assert files(settings) == before


def test_a_wish_takes_a_comment_off_its_page_at_once_and_its_replies_stand(settings: Settings, clock: Clock) -> None:
    id = a_published(settings, clock, author="Secretname", body="Secretwords.")
    reply = a_published(settings, clock, reply_to=id)
    delete(settings, id)
    moderator = Moderation.open(settings)

    granted = moderator.carry_out_deletions(now=clock())

    assert (granted, moderator.carry_out_deletions(now=clock())) == (1, 0)
    assert [e.comment.id for e in read_all(settings.comments)[0][ARTICLE]][-2:] == [id, reply]
    assert published(settings, id).removed == "yes"
    assert b"Secret" not in everywhere(settings)
    [decision, *_] = moderator.work.decisions.latest()
    assert (decision.action, decision.who, decision.comment, decision.can_be_undone) == (
        "delete",
        "its writer",
        id,
        False,
    )


def test_a_comment_deleted_while_it_waited_or_after_it_was_removed_is_gone_too(
    settings: Settings, clock: Clock
) -> None:
    waiting, removed = a_waiting(settings, clock, body="Secret."), a_published(settings, clock, body="Secret.")
    moderator = Moderation.open(settings)
    moderator.remove(ARTICLE, removed, seen=moderator.review.seen(published(settings, removed)), **by(clock))
    for id in (waiting, removed):
        delete(settings, id)

    assert moderator.carry_out_deletions(now=clock()) == 2
    assert b"Secret" not in everywhere(settings)
    assert moderator.review.queue() == []


def test_what_was_deleted_between_reading_and_deciding_is_not_published(settings: Settings, clock: Clock) -> None:
    id = a_waiting(settings, clock)
    moderator = Moderation.open(settings)
    name = the_one_waiting(moderator, id).name
    delete(settings, id)

    with pytest.raises(ModerationError, match="does not wait"):
        moderator.approve(name, **by(clock))

    assert not file_of(settings, id).exists()


# The log


def test_the_log_says_who_decided_what_and_when_the_latest_first(settings: Settings, clock: Clock) -> None:
    ids = [a_waiting(settings, clock) for _ in range(3)]
    moderator = Moderation.open(settings)
    moderator.approve(the_one_waiting(moderator, ids[0]).name, who="David", now=clock())
    moderator.reject(the_one_waiting(moderator, ids[1]).name, reason="No.", who="Ann", now=clock() + timedelta(hours=1))
    moderator.spam(the_one_waiting(moderator, ids[2]).name, who="David", now=clock() + timedelta(hours=2))

    log = moderator.work.decisions.latest()

    assert [(d.comment, d.action, d.who, d.reason, d.decided - clock()) for d in log] == [
        (ids[2], "spam", "David", "", timedelta(hours=2)),
        (ids[1], "reject", "Ann", "No.", timedelta(hours=1)),
        (ids[0], "publish", "David", "", timedelta(0)),
    ]
    assert {d.article for d in log} == {ARTICLE}
    assert all(d.can_be_undone for d in log)
    assert moderator.work.decisions.latest(limit=1, offset=1) == log[1:2]


def test_a_refused_decision_is_not_in_the_log(settings: Settings, clock: Clock) -> None:
    a_waiting(settings, clock, reply_to="9999")
    moderator = Moderation.open(settings)
    [item] = moderator.review.queue()

    with pytest.raises(ModerationError):
        moderator.approve(item.name, **by(clock))

    assert moderator.work.decisions.latest() == []


# A crash, and two who decide at once


class CrashError(BaseException):
    """What ends a process between two steps."""


def crash(*args: object) -> None:
    """End the process."""
    raise CrashError


@pytest.mark.parametrize("step", ["write", "set_state"])
def test_what_a_killed_process_had_decided_is_done_before_another_decides(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    id = a_waiting(settings, clock)
    desk, command_line = Moderation.open(settings), Moderation.open(settings)
    name = the_one_waiting(desk, id).name
    with monkeypatch.context() as patch:
        patch.setattr(publisher if step == "write" else Inbox, step, crash)
        with pytest.raises(CrashError):
            command_line.approve(name, **by(clock))

    with pytest.raises(ModerationError, match="does not wait"):
        desk.reject(name, **by(clock))

    assert published(settings, id).author == "Tom"
    assert [state for _, _, state, _ in states(settings)] == ["published"]
    assert [decision.action for decision in desk.work.decisions.latest()] == ["publish"]


@pytest.mark.parametrize("step", ["write", "forget", "close_deletion_request", "mark"])
def test_words_are_erased_even_if_a_crash_comes_between(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    id = a_published(settings, clock, body="Secretwords.")
    moderator = Moderation.open(settings)
    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(publisher, "write", crash)
        elif step == "mark":
            patch.setattr(publisher, "transaction", _crash_on_call(3, crash))
        else:
            patch.setattr(Inbox, step, crash)
        with pytest.raises(CrashError):
            moderator.forget(id, **by(clock))
    del moderator

    Moderation.open(settings)

    assert b"Secretwords" not in everywhere(settings)


def test_the_draft_of_a_killed_process_is_the_next_ones(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = a_waiting(settings, clock)
    moderator = Moderation.open(settings)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", crash)
        with pytest.raises(CrashError):
            moderator.approve(the_one_waiting(moderator, id).name, **by(clock))
    assert len(list((settings.comments / ARTICLE).iterdir())) == 3

    Moderation.open(settings)

    assert {path.name for path in (settings.comments / ARTICLE).iterdir()} == {"0001.md", "0002.md", f"{id}.md"}


# What a forged row can do: be one more comment to judge


@pytest.mark.parametrize("statement", FORGED)
def test_a_forged_row_touches_no_file_and_stops_nothing(settings: Settings, clock: Clock, statement: str) -> None:
    a_waiting(settings, clock)
    before, moderator = files(settings), Moderation.open(settings)
    names = {item.name for item in moderator.review.queue()}

    forge(settings, statement)
    for table in ("comment", "revision"):
        other = "revision" if table == "comment" else "comment"
        column, others = ("id", "comment") if table == "comment" else ("comment", "id")
        if statement.startswith(f"UPDATE {table} SET id"):
            forge(settings, f"UPDATE {other} SET {others} = (SELECT {column} FROM {table})")
    moderator.carry_out_deletions(now=clock())
    moderator.review.queue()
    moderator.work.decisions.latest()
    Moderation.open(settings).carry_out_deletions(now=clock())

    assert files(settings) == before
    for item in moderator.review.queue():
        if item.name not in names:  # the author would have to publish it himself, in the words he sees
            with suppress(ModerationError):
                moderator.approve(item.name, **by(clock))
    assert {path: data for path, data in files(settings).items() if path in before} == before
    assert not [path for path in files(settings) if not path.startswith("comments/")]
    for path in settings.comments.glob("*/*.md"):
        assert read(path).is_author == (path.stem == "0002")
    for revision in moderator.work.inbox.everything():
        moderator.review.history(revision.id)
        with suppress(ModerationError):
            moderator.forget(revision.id, **by(clock))
    assert file_of(settings, "0002").read_bytes() == before[f"comments/{ARTICLE}/0002.md"] or "0002" in statement


def test_a_forged_change_of_anothers_comment_is_published_by_nobody_but_the_author(
    settings: Settings, clock: Clock
) -> None:
    id = a_published(settings, clock, body="Mine.")
    other = a_waiting(settings, clock, body="Forged.")
    forge(settings, "UPDATE revision SET comment = ?, number = 2 WHERE comment = ?", id, other)
    forge(settings, "UPDATE comment SET article = 'another' WHERE id = ?", id)
    moderator = Moderation.open(settings)
    [item] = moderator.review.queue()

    with pytest.raises(ModerationError, match="not its writer's"):
        moderator.approve(item.name, **by(clock))

    assert published(settings, id).body == "Mine."


def test_a_forged_row_cannot_take_the_place_of_the_authors_answer(settings: Settings, clock: Clock) -> None:
    moderator = Moderation.open(settings)
    moderator.answer(ARTICLE, "0001", "Mine.", **by(clock))
    own = moderator.work.decisions.latest()[0].comment
    id = a_waiting(settings, clock, body="Forged.")
    forge(settings, "UPDATE comment SET id = ?, deletion = 'delete'", own)
    forge(settings, "UPDATE revision SET comment = ?", own)

    with pytest.raises(ModerationError, match="not its writer's"):
        moderator.approve(the_one_waiting(moderator, own).name, **by(clock))
    moderator.carry_out_deletions(now=clock())

    assert published(settings, own).body == "Mine."
    assert not file_of(settings, id).exists()


# Any text


@hypothesis.settings(deadline=None, max_examples=150)
@given(st.text(min_size=1), st.text(min_size=1), st.booleans())
def test_a_published_comment_read_back_is_the_comment_written(name: str, comment: str, is_reply: bool) -> None:
    fields = {"article": ARTICLE, "reply_to": "0001" if is_reply else "", "name": name, "comment": comment}
    try:
        data = urlencode(fields).encode()
    except UnicodeEncodeError:  # no browser sends half a surrogate pair
        return
    submission, errors = check(parse(data, max_fields=9), SITE)
    if errors:
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = a_place(Path(folder))
        moderator, now = Moderation.open(settings), datetime(2026, 11, 22, 10, 15, 30, 999999, tzinfo=UTC)
        with transaction(moderator.work.inbox.connection):
            id = moderator.work.inbox.add(submission, submission_meta(now), ())

        moderator.approve(the_one_waiting(moderator, id).name, who="David", now=now)

        written = Comment(
            id=id,
            article=ARTICLE,
            reply_to=submission.reply_to,
            author=submission.author,
            date=now.replace(microsecond=0),
            body=submission.body,
        )
        assert published(settings, id) == written
        assert file_of(settings, id).read_bytes() == dumps(written).encode()
        assert read_all(settings.comments)[1] == []
