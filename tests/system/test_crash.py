"""Processes killed at random points: what was answered is kept, once, and what was decided is done, once.

The intake takes bursts of comments and another process decides on them; both are killed with SIGKILL, and the next ones
find what these left. A power cut is more than this can show; for that, see the fsyncs of ``postbox.moderation.publisher.write``.
"""

import hashlib
import http.client
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from contract.thread import read_all
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.decisions import Decision
from postbox.store.submissions import Inbox, Revision
from tests.support.intake import FORM, TYPE, running
from tests.support.moderation import assert_page_and_inbox_agree
from tests.support.place import Place, a_place
from tests.support.process import PATIENCE_SECONDS, environment, line_of

SEED = 20261122
ROUNDS = 25  # in each, one intake and one decider are killed
SENDERS = 4
SHIPPED = ("0001", "0002")
MAX_POSTS = 30  # of one sender in a round

# Decides until it is killed; each line that it prints is a decision it was told is done.
DECIDER = """
import os, random, sys
from datetime import UTC, datetime
from postbox.moderation.errors import ModerationError
from postbox.moderation.service import Moderation
from postbox.settings import read
chance, moderator = random.Random(int(sys.argv[1])), Moderation.open(read(os.environ))
print("ready", flush=True)
while True:
    by = {"who": "David", "now": datetime.now(UTC)}
    try:
        queue, published = moderator.review.queue(limit=5), moderator.review.all_published()
        kind = chance.choice(["publish", "publish", "publish", "reject", "undo", "remove", "answer", "forget"])
        if kind in ("publish", "reject") and queue:
            item = chance.choice(queue)
            decide = moderator.approve if kind == "publish" else moderator.reject
            print(decide(item.name, **by), flush=True)
        elif kind == "undo":
            print(moderator.undo(chance.choice(moderator.work.decisions.latest(limit=5)).sequence, **by), flush=True)
        elif kind == "remove":
            comment = chance.choice(published)
            print(moderator.remove(comment.article, comment.id, seen=moderator.review.seen(comment), **by), flush=True)
        elif kind == "answer":
            comment = chance.choice(published)
            print(moderator.answer(comment.article, comment.id, f"Answer {chance.random()}", **by), flush=True)
        elif kind == "forget" and queue and chance.random() < 0.2:
            print(moderator.forget(chance.choice(queue).revision.id, **by), flush=True)
    except (ModerationError, IndexError):  # decided before, answered since, nothing there
        pass
"""


@dataclass
class Sent:
    """What was sent: by its words the key it went with, and the receipt if it was answered."""

    keys: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)


def send(port: int, sent: Sent, words: str, key: str) -> None:
    """Send a comment and note the receipt, if an answer comes."""
    sent.keys[words] = key
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/comments", urlencode(FORM | {"comment": words, "key": key}), TYPE)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303, answer.status
        sent.receipts[words] = str(answer.headers["location"])
    finally:
        connection.close()


def burst(port: int, sent: Sent, name: str, again: list[str]) -> None:
    """Send until nobody answers: first what was not answered before, with the key it had, then new comments."""
    with suppress(OSError, http.client.HTTPException):
        for words in again:
            send(port, sent, words, sent.keys[words])
        for number in range(MAX_POSTS):
            words = f"Words {name}-{number}"
            send(port, sent, words, hashlib.md5(words.encode()).hexdigest())


def start_decider(settings: Settings, seed: int) -> subprocess.Popen[str]:
    """Start a process that decides; it is ready when it has repaired what the last one left."""
    decider = subprocess.Popen(
        [sys.executable, "-c", DECIDER, str(seed)],
        cwd=settings.var.parent,
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert line_of(decider) == "ready\n", decider.communicate(timeout=PATIENCE_SECONDS)[1]
    return decider


def decided_until_killed(decider: subprocess.Popen[str]) -> list[int]:
    """Return the decisions that a killed process was told were done."""
    output, errors = decider.communicate(timeout=PATIENCE_SECONDS)
    assert not errors
    return [int(line) for line in output.split("\n")[:-1]]


@pytest.mark.slow
def test_nothing_answered_is_lost_or_doubled_and_nothing_decided_is_left_or_done_twice(
    shipped: Place, tmp_path: Path
) -> None:
    print(f"seed {SEED}")  # noqa: T201  # shown where the test fails
    chance, sent = random.Random(SEED), Sent()
    settings = replace(a_place(shipped, tmp_path), rate_sender=10**9, rate_overall=10**9)
    done: list[int] = []

    for round in range(ROUNDS):
        unanswered = [words for words in sent.keys if words not in sent.receipts]
        with running(settings) as (intake, port):
            senders = [
                threading.Thread(target=burst, args=(port, sent, f"{round}-{n}", unanswered[n::SENDERS]))
                for n in range(SENDERS)
            ]
            decider = start_decider(settings, chance.randrange(2**32))
            for sender in senders:
                sender.start()
            kills = [intake.kill, decider.kill]
            chance.shuffle(kills)
            for kill in kills:
                time.sleep(chance.uniform(0, 0.15))
                kill()
            for sender in senders:
                sender.join(10)
                assert not sender.is_alive()
        done += decided_until_killed(decider)

        moderator = Moderation.open(settings)
        assert_each_answered_comment_is_there_once(moderator.work.inbox, sent)
        assert_every_decision_is_done_once(settings, moderator, done)

    assert len(sent.receipts) > 10 * ROUNDS
    log = Moderation.open(settings).work.decisions.latest()
    assert len(log) > len(done) > ROUNDS  # some were killed between actions and saying so
    assert {decision.action for decision in log} >= {"publish", "reject", "undo", "answer"}
    assert_page_and_inbox_agree(settings)


def assert_each_answered_comment_is_there_once(inbox: Inbox, sent: Sent) -> None:
    """Whatever was answered is in the inbox once, behind its receipt; whatever was not is there once or not at all."""
    revisions = {revision.id: revision for revision in inbox.everything()}
    times = Counter(revision.body for revision in revisions.values() if revision.state != "deleted")
    assert not [words for words, number in times.items() if number > 1]
    assert times.keys() <= sent.keys.keys()
    for words, receipt in sent.receipts.items():
        [revision] = inbox.by_receipt(receipt.rpartition("/")[2])
        assert revision.body == words or revision.state == "deleted"
    assert len(set(sent.receipts.values())) == len(sent.receipts)


def assert_every_decision_is_done_once(settings: Settings, moderator: Moderation, done: list[int]) -> None:
    """The pages and the states are what the log says, and nothing that was told to be done is missing from it."""
    log = moderator.work.decisions.latest()[::-1]
    assert set(done) <= {decision.sequence for decision in log}
    assert len(set(done)) == len(done)
    conversations, problems = read_all(settings.comments)
    assert problems == []
    shown = {entry.comment.id: entry.comment for entries in conversations.values() for entry in entries}
    revisions = {revision.id: revision for revision in moderator.work.inbox.everything()}
    for id, state in states_after(log):
        comment, revision = shown.get(id), revisions.get(id)
        assert bool(comment and not comment.removed) == (state in ("published", "answered")), (id, state)
        if revision:
            assert revision.state == state
            assert not comment or comment.removed or comment.body == revision.body
    decided = {decision.comment for decision in log}
    assert {id for id, revision in revisions.items() if revision.state != "waiting"} <= decided
    assert not [path for path in settings.comments.rglob("*") if path.is_file() and path.suffix != ".md"]
    assert_nothing_was_decided_twice(log, revisions)


def states_after(log: list[Decision]) -> Iterator[tuple[str, str]]:
    """Yield what each comment's decisions come to."""
    after = {
        "publish": "published",
        "reject": "rejected",
        "remove": "removed",
        "answer": "answered",
        "forget": "deleted",
    }
    before: dict[str, list[str]] = {}
    for decision in log:
        states = before.setdefault(decision.comment, ["answered" if decision.comment in SHIPPED else "waiting"])
        states.append(states[-2] if decision.action == "undo" else after[decision.action])
    for id, states in before.items():
        yield id, states[-1]


def assert_nothing_was_decided_twice(log: list[Decision], revisions: dict[str, Revision]) -> None:
    """What was published or rejected is so again only after it was undone."""
    last: dict[str, str] = {}
    for decision in log:
        if decision.action in ("publish", "reject"):
            assert last.get(decision.comment, "undo") == "undo", decision
        if decision.action == "answer":
            assert decision.comment not in last
            assert decision.comment not in revisions
        last[decision.comment] = decision.action
