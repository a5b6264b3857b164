"""Decisions as the desk's forms send them: what a button does, what stopped it, and when its page is live."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contract.comment import Comment
from contract.manifest import Site
from postbox import log
from postbox.desk.context import LATER, OUT_OF_DATE, DeskRequest
from postbox.desk.presenters import Presenter
from postbox.moderation.errors import ModerationError
from postbox.reader_text import clean_text
from postbox.web.forms import Refused
from postbox.web.validation import text_error

ON_WAITING = ("publish", "publish and answer", "reject", "spam")
NOUNS = {"answer": "Reply", "comment": "Comment"}  # what the fields are called
ON_PUBLISHED = ("answer", "remove")  # of a reader's
LIVE_SECONDS, LOOK_SECONDS = 0.5, 0.01


class WrongWordsError(ValueError):
    """What the author typed himself has to be corrected; ``key`` is its field."""

    def __init__(self, text: str, key: str) -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True)
class Problem:
    """Why something was not done, to which comment; ``key`` is the field to correct, if it is one."""

    text: str
    id: str = ""
    author: str = ""
    key: str = ""


@dataclass
class Outcome:
    """What came of a form: the decisions made, the problems, and the status to answer with.

    ``live`` is after how many milliseconds all that was published stood on its page, 0 if that is not known.
    """

    done: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    status: int = 200
    live: int = 0

    def fail(self, problem: Problem, status: int) -> None:
        """Add a problem; the gravest gives the status."""
        self.problems.append(problem)
        self.status = max(self.status, status)


def attempt(desk: DeskRequest, id: str, form: Mapping[str, str], outcome: Outcome, *, who: str) -> None:
    """Carry out a decision, or say what stopped it."""
    made = 0
    try:
        for sequence in _decide(desk, id, form, {"who": who, "now": desk.now}):
            outcome.done.append(sequence)
            made += 1
    except WrongWordsError as error:
        text, key, status = str(error), error.key, 422
    except ModerationError as error:
        text, key, status = f"{error.about('This comment')}. Nothing was done.", "", 409
    except (sqlite3.Error, OSError) as error:
        log.fault(error)
        text, key, status = LATER, "", 503
    else:
        return
    if made:
        text = f"The comment is published, but your reply is not. {text}"
    outcome.fail(Problem(text, id, Presenter(desk.moderation, desk.site).author(id), key), status)


def undo(desk: DeskRequest, sequences: list[int], outcome: Outcome, *, who: str) -> None:
    """Take decisions back, the latest first."""
    for sequence in sorted(sequences, reverse=True):
        try:
            outcome.done.append(desk.moderation.undo(sequence, who=who, now=desk.now))
        except ModerationError as error:
            outcome.fail(Problem(f"{error.about('This comment')}."), 409)


def see_live(desk: DeskRequest, outcome: Outcome) -> None:
    """Where the press prints by itself, wait a moment for the pages of what was published by this request."""
    decisions = [desk.work.decisions.one(sequence) for sequence in outcome.done]
    ids = {made.comment for made in decisions if made and made.action in ("publish", "answer", "edit")}
    for _ in range(int(LIVE_SECONDS / LOOK_SECONDS) if ids else 0):
        status = desk.context.build_status
        if not status.watching:
            return
        live = [_date(status.live.get(id, "")) for id in ids]
        if min(live) > desk.now:
            outcome.live = max(1, round((max(live) - desk.now).total_seconds() * 1000))
            return
        time.sleep(LOOK_SECONDS)


def _decide(desk: DeskRequest, id: str, form: Mapping[str, str], by: dict[str, Any]) -> Iterator[int]:
    moderation, name = desk.moderation, form.get("name", "")
    match form.get("action"):
        case "publish" if form.get("answer", "").strip():
            raise WrongWordsError("You wrote a reply. Press “Publish and reply”, or empty the box", "answer")
        case "publish":
            yield moderation.approve(name, **by)
        case "publish and answer":
            words = _own_words("answer", form, desk.site)
            yield moderation.approve(name, **by)
            comment = _published(desk, name.rpartition(".")[0])
            yield moderation.answer(comment.article, comment.id, words, **by)
        case "reject":
            yield moderation.reject(name, reason=" ".join(form.get("reason", "").split()), **by)
        case "spam":
            yield moderation.spam(name, **by)
        case "answer":
            words, comment = _own_words("answer", form, desk.site), _published(desk, id)
            moderation.review.as_seen(comment.article, id, name)
            yield moderation.answer(comment.article, id, words, **by)
        case "edit":
            words, comment = _own_words("comment", form, desk.site), _published(desk, id)
            yield moderation.edit(comment.article, id, words, seen=name, **by)
        case "remove":
            yield moderation.remove(_published(desk, id).article, id, seen=name, **by)
        case _:
            raise Refused(400, OUT_OF_DATE)


def _published(desk: DeskRequest, id: str) -> Comment:
    comment = desk.moderation.review.find(id)
    if not comment:
        raise ModerationError("not published", id)
    return comment


def _own_words(key: str, form: Mapping[str, str], site: Site) -> str:
    """Return what the author typed; his words keep the rules of everybody's."""
    words = clean_text(form.get(key, "")).strip()
    if error := text_error(NOUNS[key], words, site.comment_length):
        raise WrongWordsError(error, key)
    return words


def _date(text: str) -> datetime:
    """Return a date of the press; one that is none is long ago."""
    with suppress(ValueError, OverflowError):
        return datetime.fromisoformat(text).astimezone(UTC)
    return datetime.min.replace(tzinfo=UTC)
