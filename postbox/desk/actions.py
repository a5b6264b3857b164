"""Decisions as the desk's forms send them: what a button does, what stopped it, and when its page is live."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contract.comment import Comment
from contract.manifest import Site
from postbox import log
from postbox.desk.context import LATER, DeskContext
from postbox.desk.presenters import Presenter
from postbox.moderation.service import ModerationError
from postbox.web.forms import Refused
from postbox.web.validation import check

ON_WAITING = ("publish", "publish and answer", "reject", "spam")
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


class Actions:
    """Carries decisions out, in the name of who made them."""

    def __init__(self, context: DeskContext) -> None:
        self._context = context
        self._moderation = context.moderation

    def attempt(self, id: str, fields: Mapping[str, str], outcome: Outcome, *, who: str) -> None:
        """Carry out a decision, or say what stopped it."""
        site, made = self._context.site, 0
        try:
            for sequence in self._decide(id, fields, site, {"who": who, "now": self._context.clock()}):
                outcome.done.append(sequence)
                made += 1
        except WrongWordsError as error:
            text, key, status = str(error), error.key, 422
        except (ValueError, OverflowError) as error:
            text, key, status = self._why(error, id, fields.get("name", "")), "", 409
        except (sqlite3.Error, OSError) as error:
            log.fault(error)
            text, key, status = LATER, "", 503
        else:
            return
        if made:
            text = f"The comment is published, but your answer is not. {text}"
        outcome.fail(Problem(text, id, Presenter(self._moderation, site).author(id), key), status)

    def undo(self, sequences: list[int], outcome: Outcome, *, who: str) -> None:
        """Take decisions back, the latest first."""
        for sequence in sorted(sequences, reverse=True):
            try:
                outcome.done.append(self._moderation.undo(sequence, who=who, now=self._context.clock()))
            except ModerationError as error:
                outcome.fail(Problem(f"{error}."), 409)

    async def see_live(self, outcome: Outcome, since: datetime) -> None:
        """Where the press prints by itself, wait a moment for the pages of what was published since then."""
        decisions = [self._moderation.decisions.one(sequence) for sequence in outcome.done]
        ids = {it.comment for it in decisions if it and it.action in ("publish", "answer", "edit")}
        for _ in range(int(LIVE_SECONDS / LOOK_SECONDS) if ids else 0):
            press = self._context.press
            if not press.watching:
                return
            live = [_date(press.live.get(id, "")) for id in ids]
            if min(live) > since:
                outcome.live = max(1, round((max(live) - since).total_seconds() * 1000))
                return
            await asyncio.sleep(LOOK_SECONDS)

    # How

    def _decide(self, id: str, fields: Mapping[str, str], site: Site, by: dict[str, Any]) -> Iterator[int]:
        moderation, name = self._moderation, fields.get("name", "")
        match fields.get("action"):
            case "publish" if fields.get("answer", "").strip():
                raise WrongWordsError("You wrote an answer. Press “Publish and answer”, or empty the box", "answer")
            case "publish":
                yield moderation.approve(name, **by)
            case "publish and answer":
                words = _own_words("answer", fields, site)
                yield moderation.approve(name, **by)
                comment = self._published(name.rpartition(".")[0])
                yield moderation.answer(comment.article, comment.id, words, **by)
            case "reject":
                yield moderation.reject(name, reason=" ".join(fields.get("reason", "").split()), **by)
            case "spam":
                yield moderation.spam(name, **by)
            case "answer":
                words, comment = _own_words("answer", fields, site), self._published(id)
                if name != moderation.seen(comment):
                    raise ModerationError(f"{id} has changed since; read it again")
                yield moderation.answer(comment.article, id, words, **by)
            case "edit":
                words, comment = _own_words("comment", fields, site), self._published(id)
                yield moderation.edit(comment.article, id, words, seen=name, **by)
            case "remove":
                yield moderation.remove(self._published(id).article, id, seen=name, **by)
            case _:
                raise Refused(400, "That form is none of the desk's. Go back and use its buttons.")

    def _published(self, id: str) -> Comment:
        comment = self._moderation.find(id)
        if not comment:
            raise ModerationError(f"{id} is not published any more")
        return comment

    def _why(self, error: Exception, id: str, name: str) -> str:
        """Say why a decision was refused to one who sees the page, and not the ids of the command line."""
        if name.rpartition(".")[0] == id:
            waiting = [item.name for item in self._moderation.history(id) if item.revision.state == "waiting"]
            if not waiting:
                return "This comment does not wait any more; it was decided or deleted since you read it."
            if name not in waiting:
                return "This comment has changed since you read it. Nothing was done; read what it says now."
        return f"{str(error).replace(name or id, 'This comment').replace(id, 'This comment')}. Nothing was done."


def _own_words(key: str, fields: Mapping[str, str], site: Site) -> str:
    """Return what the author typed; his words keep the rules of everybody's."""
    submission, errors = check({"name": site.author, "comment": fields.get(key, "")}, site)
    if error := errors.get("comment"):
        error = error.replace("Comment", key.capitalize(), 1).replace("your comment", f"your {key}", 1)
        raise WrongWordsError(error, key)
    return submission.body


def _date(text: str) -> datetime:
    """Return a date of the press; one that is none is long ago."""
    with suppress(ValueError, OverflowError):
        return datetime.fromisoformat(text).astimezone(UTC)
    return datetime.min.replace(tzinfo=UTC)
