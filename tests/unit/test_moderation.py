"""Moderation: nothing becomes public but the words that were seen, and a crash decides nothing."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import atomic
from contract.comment import dumps, read
from contract.thread import read_all
from postbox.moderation import publisher
from postbox.moderation.errors import ModerationError
from postbox.moderation.service import Moderation
from postbox.store.database import transaction
from postbox.store.submissions import Inbox
from postbox.web.forms import parse
from postbox.web.validation import check
from tests.support.moderation import SITE, House, a_place, assert_page_and_inbox_agree, house, settings
from tests.support.place import ARTICLE, a_comment
from tests.support.store import FORGED, NOW, a_submission, forge, submission_meta

ON_BOTH_ENGINES = True
__all__ = ["house", "settings"]  # fixtures


def test_an_approved_comment_is_a_file_that_reads_back_as_it_was_written(house: House) -> None:
    id = house.send(author="Zoë", body="Id: 0001\n\nIs-Author: yes", reply_to="0001")

    house.approve(id)

    comment = house.comment(id)
    assert (comment.id, comment.author, comment.body) == (id, "Zoë", "Id: 0001\n\nIs-Author: yes")
    assert (comment.reply_to, comment.date, comment.is_author) == ("0001", house.now, False)
    assert read_all(house.settings.comments)[1] == []
    assert house.review.queue() == []


def test_a_rejected_comment_leaves_no_file_and_waits_no_more(house: House) -> None:
    id = house.send()
    name = house.name(id)

    house.reject(id)

    assert not house.file(id).exists()
    assert house.review.queue() == []
    with pytest.raises(ModerationError, match="isn’t waiting"):
        house.moderation.approve(name, **house.by)


@pytest.mark.parametrize(("fields", "forged", "refusal"), [
    ({}, "body = 'Unkind words.'", "has changed since you read it"),
    ({"reply_to": "9999"}, "", "replies to 9999, which is not published"),
    ({"article": "../../articles"}, "", "Article"),
])  # fmt: skip
def test_what_changed_or_answers_nothing_or_leaves_its_folder_is_not_published_nor_logged(
    house: House, fields: dict[str, str], forged: str, refusal: str
) -> None:
    id = house.send(body="Kind words.", **fields)
    name = house.name(id)
    if forged:
        forge(house.settings, f"UPDATE revision SET {forged}")

    with pytest.raises(ValueError, match=refusal):
        house.moderation.approve(name, **house.by)

    assert not list(house.settings.content.rglob(f"{id}.md"))
    assert house.decisions.latest() == []


def test_a_row_that_says_published_publishes_nothing(house: House) -> None:
    id = house.send()
    with transaction(house.inbox.connection):
        house.inbox.set_state(id, 1, "published")

    Moderation.open(house.settings)

    assert not house.file(id).exists()


class CrashError(BaseException):
    """What ends a process between two steps."""


def crash(*args: object) -> None:
    """End the process."""
    raise CrashError


@contextmanager
def crashing(monkeypatch: pytest.MonkeyPatch, step: str) -> Iterator[None]:
    """End the process at a step of what is decided."""
    with monkeypatch.context() as patch:
        if step == "mark":  # the third transaction marks the decision as carried out
            calls: Iterator[Callable[..., Any]] = iter([transaction, transaction, crash])
            patch.setattr(publisher, "transaction", lambda connection: next(calls)(connection))
        else:
            patch.setattr({"write": atomic, "fsync": os}.get(step, Inbox), step, crash)
        with pytest.raises(CrashError):
            yield


@pytest.mark.parametrize("step", ["write", "set_state", "mark"])
def test_a_crash_at_any_step_is_repaired_at_the_next_start_once(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    id = house.send()

    with crashing(monkeypatch, step):
        house.approve(id)
    repaired = House(house.settings)

    assert repaired.comment(id).author == "Tom"
    assert repaired.review.queue() == []
    assert repaired.inbox.revisions(id)[0].state == "published"


def test_a_file_appears_whole_and_leaves_no_draft_behind(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.b.md.new").symlink_to("elsewhere")  # as nobody but an enemy leaves one
    (tmp_path / "a/b.md").symlink_to("elsewhere")

    atomic.write(tmp_path / "a" / "b.md", "Words\r\nand “quotes”\n".encode())

    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.md"]
    assert (tmp_path / "a" / "b.md").read_bytes() == "Words\r\nand “quotes”\n".encode()
    assert (tmp_path / "a" / "b.md").lstat().st_mode & 0o111 == 0


# A change


def test_a_change_takes_the_place_of_the_published_words_and_keeps_the_first_date(house: House) -> None:
    id, later = house.published(body="One."), house.now + timedelta(days=3)
    with transaction(house.inbox.connection):
        house.inbox.change(id, a_submission(article=ARTICLE, body="Two."), later, ())
    assert house.comment(id).body == "One."

    house.approve(id)

    assert (house.comment(id).body, house.comment(id).date) == ("Two.", house.now)
    assert [state for _, _, state, _ in house.states()] == ["published", "published"]


@pytest.mark.parametrize("name", ["CHANGED", "DELETED", "", ".", "abcd", "abcd.", "nobody.0123456789abcdef", "*.x", "../x.y", "\0.\0", "é.ü"])  # fmt: skip
def test_nothing_is_decided_by_a_name_of_nothing_or_of_what_was_changed_or_deleted_since(
    house: House, name: str
) -> None:
    id = house.send(body="Kind words.")
    seen = house.name(id) if name in ("CHANGED", "DELETED") else name
    if name == "CHANGED":
        house.change(id, "Unkind words.")
    elif name == "DELETED":
        house.delete(id)

    for decide in (house.moderation.approve, house.moderation.reject, house.moderation.spam):
        refusal = f"{id} has changed since you read it" if name == "CHANGED" else "isn’t waiting"
        with pytest.raises(ModerationError, match=refusal):
            decide(seen, **house.by)

    assert house.decisions.latest() == []
    assert not house.file(id).exists()
    states = {"CHANGED": ["replaced", "waiting"], "DELETED": ["deleted"]}.get(name, ["waiting"])
    assert [state for _, _, state, _ in house.states()] == states


def test_a_rejected_change_leaves_the_published_words(house: House) -> None:
    id = house.published(body="One.")
    house.change(id, "Two.")

    house.reject(id, reason="No.")

    assert house.comment(id).body == "One."
    assert house.states() == [(id, 1, "published", ""), (id, 2, "rejected", "No.")]


def test_a_name_is_another_with_another_key(house: House) -> None:
    id = house.send()
    name = house.name(id)
    (house.settings.desk / "key").write_bytes(b"another".ljust(32))

    assert House(house.settings).name(id) != name


# Answer, edit, remove


def test_an_answer_bears_the_authors_mark_which_no_reader_can_earn(house: House) -> None:
    house.answer("0001", "My words.")
    id = house.published(author="David", body="Is-Author: yes\n\nI am he.")

    answer = next(comment for comment in house.review.all_published() if comment.body == "My words.")
    assert (answer.author, answer.is_author, answer.reply_to, answer.date) == ("David", True, "0001", house.now)
    assert read_all(house.settings.comments)[1] == []
    assert not house.comment(id).is_author


@pytest.mark.parametrize("id", ["9999", "../0001", "*", "**", ""])
def test_what_is_not_published_cannot_be_answered_edited_or_removed(house: House, id: str) -> None:
    before = house.files()

    with pytest.raises(ModerationError, match="is no longer published"):
        house.answer(id, "Words.")
    with pytest.raises(ModerationError, match="is no longer published"):
        house.edit(id, "Words.", seen="")
    with pytest.raises(ModerationError, match="is no longer published"):
        house.moderation.remove(ARTICLE, id, seen="", **house.by)

    assert house.review.find(id) is None
    assert house.files() == before


@pytest.mark.parametrize("words", ["", " \n", "bell\x07", "x" * 60_000])
def test_an_answer_that_breaks_a_rule_is_refused_and_not_recorded(house: House, words: str) -> None:
    with pytest.raises(ModerationError, match="Body"):
        house.answer("0001", words)

    assert house.decisions.latest() == []


def test_the_author_edits_his_own_words_as_he_saw_them_and_nobody_elses(house: House) -> None:
    seen = house.seen("0002")

    house.edit("0002", "Better.", seen=seen)

    with pytest.raises(ModerationError, match="has changed since you read it"):
        house.edit("0002", "Best.", seen=seen)
    with pytest.raises(ModerationError, match="has changed since you read it"):
        house.moderation.remove(ARTICLE, "0002", seen=seen, **house.by)
    with pytest.raises(ModerationError, match="is a reader's"):
        house.edit("0001", "Better.", seen=house.seen("0001"))
    own = house.comment("0002")
    assert (own.body, own.author, own.is_author, own.reply_to) == ("Better.", "David", True, "0001")
    assert house.comment("0001").body.startswith("I love the feet")


def test_a_removed_comment_leaves_its_place_without_a_word_and_its_replies_stand(house: House) -> None:
    house.remove("0001")

    removed = house.comment("0001")
    assert (removed.removed, removed.author, removed.body) == ("by the site", "", "")
    assert house.review.find("0001") is None
    conversations, problems = read_all(house.settings.comments)
    assert [entry.comment.id for entry in conversations[ARTICLE]] == ["0001", "0002"]
    assert problems == []


def test_a_reply_to_a_removed_comment_can_be_published(house: House) -> None:
    house.remove("0002")

    id = house.published(reply_to="0002")

    assert [e.comment.id for e in read_all(house.settings.comments)[0][ARTICLE]] == ["0001", "0002", id]


def test_a_change_that_waited_when_its_comment_was_removed_can_still_be_published(house: House) -> None:
    id = house.published(body="Unkind.")
    house.change(id, "Kind.")
    house.remove(id)

    house.approve(id)

    assert house.comment(id).body == "Kind."


# Undo


def decisions(house: House, id: str) -> dict[str, Callable[[], int]]:
    """Return every decision that can be taken on a comment now, but those that erase."""
    found: dict[str, Callable[[], int]] = {}
    if any(item.revision.state == "waiting" for item in house.review.history(id)):
        found["publish"] = lambda: house.approve(id)
        found["reject"] = lambda: house.reject(id, "No.")
        found["spam"] = lambda: house.moderation.spam(house.name(id), **house.by)
    if comment := house.review.find(id):
        found["answer"] = lambda: house.answer(id, "Mine.")
        found["remove"] = lambda: house.remove(id)
        if comment.is_author:
            found["edit"] = lambda: house.edit(id, f"{comment.body}!", seen=house.seen(id))
    return found


KINDS = ["post", "reply", "change", "decide", "decide", "decide", "try", "try", "undo", "delete", "forget"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1000), st.integers(0, 1000)), max_size=14)


@hypothesis.settings(deadline=None, max_examples=60)
@given(STEPS)
def test_every_decision_can_be_undone_to_the_byte_whatever_came_before(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(a_place(Path(folder)))
        for number, (step, one, other) in enumerate(steps):
            published = {path.stem for path in house.settings.comments.rglob("*.md")}
            ids = sorted({revision.id for revision in house.inbox.everything()} | published)
            id = ids[one % len(ids)]
            match step:
                case "post" | "reply":
                    house.send(body=f"Words {number}.", reply_to=id if step == "reply" else None)
                case "change":
                    if house.review.history(id):
                        with suppress(ValueError):
                            house.change(id, f"Words {number}.")
                case "decide" | "try":
                    before = house.files(), house.states()
                    possible = decisions(house, id)
                    for action in sorted(possible)[other % len(possible) :][:1] if possible else []:
                        with suppress(ModerationError):  # a reply to what is not published
                            sequence = possible[action]()
                            if step == "try":
                                house.undo(sequence)
                                assert (house.files(), house.states()) == before
                case "undo":
                    for chosen in house.decisions.latest()[other % 10 :][:1]:
                        before = house.files(), house.states()
                        with suppress(ModerationError):
                            house.undo(chosen.sequence)
                            assert chosen.can_be_undone
                            continue
                        assert (house.files(), house.states()) == before
                case "delete":
                    if house.review.history(id):
                        house.delete(id)
                        house.carry_out_deletions()
                        assert house.review.find(id) is None
                case "forget":
                    with suppress(ModerationError):  # a shipped one that was forgotten before
                        house.forget(id)
                    assert house.review.find(id) is None
            assert_page_and_inbox_agree(house.settings)


def test_what_a_hand_made_of_a_file_comes_back_to_the_byte(house: House) -> None:
    by_hand = house.file("0001").read_bytes().replace(b"\n", b"\r\n")
    house.file("0001").write_bytes(b"\xef\xbb\xbf" + by_hand)
    before = house.files()

    house.undo(house.remove("0001"))

    assert house.files() == before


def test_a_publication_that_was_answered_since_is_not_undone(house: House) -> None:
    id = house.published()
    reply = house.published(reply_to=id)
    of_reply, of_comment = house.decisions.latest()

    with pytest.raises(ModerationError, match="Someone has replied since"):
        house.undo(of_comment.sequence)
    house.remove(reply)
    with pytest.raises(ModerationError, match="Someone has replied since"):  # its place would answer nothing
        house.undo(of_comment.sequence)

    assert house.comment(id).author == "Tom"
    assert read_all(house.settings.comments)[1] == []
    assert of_reply.comment == reply


def test_an_answer_that_was_answered_since_is_not_undone(house: House) -> None:
    sequence = house.answer("0001", "Mine.")
    house.published(reply_to=house.decisions.latest()[0].comment)

    with pytest.raises(ModerationError, match="Someone has replied since"):
        house.undo(sequence)


def test_only_the_last_decision_on_a_comment_is_undone_and_only_once(house: House) -> None:
    id = house.published()
    first = house.decisions.latest()[0].sequence
    last = house.remove(id)

    with pytest.raises(ModerationError, match="something was decided since"):
        house.undo(first)
    undoing = house.undo(last)
    for sequence in (last, undoing, first, 0, -1, 10**6):
        with pytest.raises(ModerationError, match="can’t be undone now"):
            house.undo(sequence)

    assert house.comment(id).author == "Tom"
    assert not any(decision.can_be_undone for decision in house.decisions.latest())


def test_a_decision_undone_after_its_writers_change_lets_only_the_change_wait(house: House) -> None:
    id = house.published(body="One.")
    house.change(id, "Two.")

    house.undo(house.decisions.latest()[0].sequence)

    assert [item.revision.body for item in house.review.queue()] == ["Two."]
    assert not house.file(id).exists()


# Forget and delete


def test_of_a_forgotten_comment_no_word_is_left_in_any_file(house: House) -> None:
    id = house.published(author="Secretname", body="Secretwords. " * 200)
    house.change(id, "Secretchange. " * 200)
    house.reject(id, reason="Secretreason")
    house.undo(house.remove(id))
    assert house.everywhere().count(b"Secretwords") > 1

    house.forget(id)

    assert b"Secret" not in house.everywhere()
    assert (house.comment(id).removed, house.comment(id).body) == ("yes", "")
    assert {state for _, _, state, _ in house.states()} == {"deleted"}


def test_a_shipped_comment_can_be_forgotten_and_its_reply_stands(house: House) -> None:
    assert b"passed away" in house.everywhere()

    house.forget("0001")

    assert b"passed away" not in house.everywhere()
    assert b"Alexis" not in house.file("0001").read_bytes()
    assert [e.comment.id for e in read_all(house.settings.comments)[0][ARTICLE]] == ["0001", "0002"]
    with pytest.raises(ModerationError, match="can’t be undone now"):
        house.undo(house.decisions.latest()[0].sequence)


@pytest.mark.parametrize("decide", ["none", "reject", "spam"])
def test_what_was_never_published_can_be_forgotten(house: House, decide: str) -> None:
    id = house.send(body="Secretwords.")
    if decide != "none":
        getattr(house.moderation, decide)(house.name(id), **house.by)

    house.forget(id)

    assert b"Secretwords" not in house.everywhere()
    assert not house.file(id).exists()
    assert house.review.queue() == []


def test_the_authors_own_answer_can_be_forgotten(house: House) -> None:
    house.answer("0001", "Secretwords.")
    house.forget(house.decisions.latest()[0].comment)

    assert b"Secretwords" not in house.everywhere()


@pytest.mark.parametrize("id", ["9999", "", "*", "**", "../0001", "\0", "0001.md"])
def test_nothing_is_forgotten_of_what_is_not_there(house: House, id: str) -> None:
    before = house.files()

    with pytest.raises(ModerationError, match="is no comment here"):
        Moderation.open(house.settings).forget(id, **house.by)

    assert house.files() == before


def test_a_wish_takes_a_comment_off_its_page_at_once_and_its_replies_stand(house: House) -> None:
    id = house.published(author="Secretname", body="Secretwords.")
    reply = house.published(reply_to=id)
    house.delete(id)

    granted = house.carry_out_deletions()

    assert (granted, house.carry_out_deletions()) == (1, 0)
    assert [e.comment.id for e in read_all(house.settings.comments)[0][ARTICLE]][-2:] == [id, reply]
    assert house.comment(id).removed == "yes"
    assert b"Secret" not in house.everywhere()
    [decision, *_] = house.decisions.latest()
    found = (decision.action, decision.who, decision.comment, decision.can_be_undone)
    assert found == ("delete", "its writer", id, False)


def test_a_comment_deleted_while_it_waited_or_after_it_was_removed_is_gone_too(house: House) -> None:
    waiting, removed = house.send(body="Secret."), house.published(body="Secret.")
    house.remove(removed)
    for id in (waiting, removed):
        house.delete(id)

    assert house.carry_out_deletions() == 2
    assert b"Secret" not in house.everywhere()
    assert house.review.queue() == []


# The log


def test_the_log_says_who_decided_what_and_when_the_latest_first(house: House) -> None:
    ids = [house.send() for _ in range(3)]
    house.moderation.approve(house.name(ids[0]), who="David", now=house.now)
    house.moderation.reject(house.name(ids[1]), reason="No.", who="Ann", now=house.now + timedelta(hours=1))
    house.moderation.spam(house.name(ids[2]), who="David", now=house.now + timedelta(hours=2))

    log = house.decisions.latest()

    assert [(d.comment, d.action, d.who, d.reason, d.decided - house.now) for d in log] == [
        (ids[2], "spam", "David", "", timedelta(hours=2)),
        (ids[1], "reject", "Ann", "No.", timedelta(hours=1)),
        (ids[0], "publish", "David", "", timedelta(0)),
    ]
    assert {d.article for d in log} == {ARTICLE}
    assert all(d.can_be_undone for d in log)
    assert house.decisions.latest(limit=1, offset=1) == log[1:2]


# A crash, and two who decide at once


@pytest.mark.parametrize("step", ["write", "set_state"])
def test_what_a_killed_process_had_decided_is_done_before_another_decides(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    id, command_line = house.send(), House(house.settings)
    name = house.name(id)
    with crashing(monkeypatch, step):
        command_line.approve(id)

    with pytest.raises(ModerationError, match="isn’t waiting"):
        house.moderation.reject(name, **house.by)

    assert house.comment(id).author == "Tom"
    assert [state for _, _, state, _ in house.states()] == ["published"]
    assert [decision.action for decision in house.decisions.latest()] == ["publish"]


@pytest.mark.parametrize("step", ["write", "forget", "close_deletion_request", "mark"])
def test_words_are_erased_even_if_a_crash_comes_between(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    id = house.published(body="Secretwords.")
    with crashing(monkeypatch, step):
        house.forget(id)

    Moderation.open(house.settings)

    assert b"Secretwords" not in house.everywhere()


def test_the_draft_of_a_killed_process_is_the_next_ones(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    id, folder = house.send(), house.settings.comments / ARTICLE
    with crashing(monkeypatch, "fsync"):
        house.approve(id)
    assert len(list(folder.iterdir())) == 3

    Moderation.open(house.settings)

    assert {path.name for path in folder.iterdir()} == {"0001.md", "0002.md", f"{id}.md"}


# What a forged row can do: be one more comment to judge


@pytest.mark.sqlite  # in its own words
@pytest.mark.parametrize("statement", FORGED)
def test_a_forged_row_touches_no_file_and_stops_nothing(house: House, statement: str) -> None:
    house.send()
    before = house.files()
    names = {item.name for item in house.review.queue()}

    forge(house.settings, statement)
    for table in ("comment", "revision"):
        other = "revision" if table == "comment" else "comment"
        column, others = ("id", "comment") if table == "comment" else ("comment", "id")
        if statement.startswith(f"UPDATE {table} SET id"):
            forge(house.settings, f"UPDATE {other} SET {others} = (SELECT {column} FROM {table})")
    house.carry_out_deletions()
    house.review.queue()
    house.decisions.latest()
    Moderation.open(house.settings).carry_out_deletions(now=house.now)

    assert house.files() == before
    for item in house.review.queue():
        if item.name not in names:  # the author would have to publish it himself, in the words he sees
            with suppress(ModerationError):
                house.moderation.approve(item.name, **house.by)
    assert {path: data for path, data in house.files().items() if path in before} == before
    assert not [path for path in house.files() if not path.startswith("comments/")]
    for path in house.settings.comments.glob("*/*.md"):
        assert read(path).is_author == (path.stem == "0002")
    for revision in house.inbox.everything():
        house.review.history(revision.id)
        with suppress(ModerationError):
            house.forget(revision.id)
    assert house.file("0002").read_bytes() == before[f"comments/{ARTICLE}/0002.md"] or "0002" in statement


def test_a_forged_change_of_anothers_comment_is_published_by_nobody_but_the_author(house: House) -> None:
    id = house.published(body="Mine.")
    other = house.send(body="Forged.")
    forge(house.settings, "UPDATE revision SET comment = ?, number = 2 WHERE comment = ?", id, other)
    forge(house.settings, "UPDATE comment SET article = 'another' WHERE id = ?", id)
    [item] = house.review.queue()

    with pytest.raises(ModerationError, match="not its writer's"):
        house.moderation.approve(item.name, **house.by)

    assert house.comment(id).body == "Mine."


@pytest.mark.sqlite  # in its own words
def test_a_forged_row_cannot_take_the_place_of_the_authors_answer(house: House) -> None:
    house.answer("0001", "Mine.")
    own = house.decisions.latest()[0].comment
    id = house.send(body="Forged.")
    forge(house.settings, "UPDATE comment SET id = ?, deletion = 'delete'", own)
    forge(house.settings, "UPDATE revision SET comment = ?", own)

    with pytest.raises(ModerationError, match="not its writer's"):
        house.approve(own)
    house.carry_out_deletions()

    assert house.comment(own).body == "Mine."
    assert not house.file(id).exists()


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
        house, now = House(a_place(Path(folder))), NOW.replace(microsecond=999_999)
        with transaction(house.inbox.connection):
            id = house.inbox.add(submission, submission_meta(now), ())

        house.moderation.approve(house.name(id), who="David", now=now)

        words: dict[str, Any] = {"reply_to": submission.reply_to, "author": submission.author, "body": submission.body}
        written = a_comment(id=id, date=now.replace(microsecond=0), **words)
        assert house.comment(id) == written
        assert house.file(id).read_bytes() == dumps(written).encode()
        assert read_all(house.settings.comments)[1] == []
