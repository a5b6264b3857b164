"""Moderation service: approve, reject, reply, edit, remove, forget, undo; the one way from private to public.

The record of decisions and the key that names revisions lie in the desk's own folder, which the intake can neither read
nor write; a row forged in the inbox is at most one more comment to judge.
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from contract import atomic
from contract.comment import Comment, CommentError, path_of, read_file
from contract.manifest import load
from postbox.moderation.errors import ModerationError
from postbox.moderation.publisher import Publisher, file_of
from postbox.moderation.review import Review
from postbox.settings import Settings
from postbox.store.database import copy, transaction
from postbox.store.decisions import ERASURES, GONE, NO_FILE
from postbox.store.submissions import Revision
from postbox.store.tokens import new_id
from postbox.store.unit_of_work import Store, UnitOfWork

MAX_COPIED_BYTES = 1024 * 1024  # of a comment's file, into a backup


class Moderation:
    """The verbs, within one unit of work.

    Every method that decides takes ``who`` and ``now`` for the audit log, returns the decision's sequence number,
    and raises ModerationError if what was seen is no longer so. Each waits for its turn, so call it in a thread.
    """

    def __init__(self, store: Store, work: UnitOfWork) -> None:
        self.store, self.work = store, work
        self.review = Review(store, work)
        self.publisher = Publisher(store, work)

    @classmethod
    def open(cls, settings: Settings) -> "Moderation":
        """Open everything for a process that does one thing, and finish what a crash left undone."""
        store = Store(settings)
        moderation = cls(store, store.open())
        moderation.work.need_inbox()
        moderation.repair()
        return moderation

    def repair(self) -> None:
        """Finish what a crash left undone."""
        with self.publisher.lock():
            pass

    # What waits

    def approve(self, name: str, *, who: str, now: datetime) -> int:
        """Publish a revision in the words that were seen."""
        with self.publisher.lock():
            if made := self._pending("publish", name):
                return made
            revision = self.review.waiting(name)
            received = self.work.inbox.revisions(revision.id)[0].received
            place = {"id": revision.id, "article": revision.article, "reply_to": revision.reply_to}
            file = file_of(**place, **revision.words, date=_second(received))
            if revision.reply_to and not self._exists(revision.article, revision.reply_to):
                raise ModerationError("unanswerable", revision.id, revision.reply_to)
            if not self.review.may_replace(revision.article, revision.id):
                raise ModerationError("not theirs", revision.id)
            notify = [("published", name)]
            if revision.reply_to and not self.review.article_of(revision.id):
                notify.append(("answered", revision.id))
            return self._decide("publish", revision, "published", file=file, notify=notify, who=who, now=now)

    def reject(self, name: str, *, reason: str = "", who: str, now: datetime) -> int:
        """Keep a revision out, with or without a note to its writer."""
        with self.publisher.lock():
            if made := self._pending("reject", name):
                return made
            revision, notify = self.review.waiting(name), [("rejected", name)] if reason else []
            return self._decide("reject", revision, "rejected", reason=reason, notify=notify, who=who, now=now)

    def spam(self, name: str, *, who: str, now: datetime) -> int:
        """Keep a revision out as spam; its writer hears nothing of it."""
        with self.publisher.lock():
            if made := self._pending("spam", name):
                return made
            return self._decide("spam", self.review.waiting(name), "spam", who=who, now=now)

    # What is published

    def answer(self, article: str, id: str, body: str, *, who: str, now: datetime) -> int:
        """Publish the author's own reply to a published comment."""
        with self.publisher.lock():
            if not self.review.published(article, id):
                raise ModerationError("not published", id)
            own, author = new_id(), load(self.store.settings.site).author
            file = file_of(
                id=own, article=article, reply_to=id, author=author, is_author=True, date=_second(now), body=body
            )
            notify = [("answered", own)]
            return self.publisher.record("answer", own, article, file=file, notify=notify, who=who, now=now)

    def edit(self, article: str, id: str, body: str, *, seen: str, who: str, now: datetime) -> int:
        """Change the words of the author's own comment."""
        with self.publisher.lock():
            comment = self.review.as_seen(article, id, seen)
            if not comment.is_author:
                raise ModerationError("a reader's", id)
            file = file_of(**{**comment.__dict__, "body": body})
            return self.publisher.record("edit", id, article, file=file, who=who, now=now)

    def remove(self, article: str, id: str, *, seen: str, who: str, now: datetime) -> int:
        """Take a published comment off its page; its place stays, for replies that stand or may come."""
        with self.publisher.lock():
            file = _place_of(self.review.as_seen(article, id, seen), removed="by the site")
            revisions = reversed(self.work.inbox.revisions(id))
            if revision := next((r for r in revisions if r.state == "published"), None):
                return self._decide("remove", revision, "removed", file=file, who=who, now=now)
            return self.publisher.record("remove", id, article, file=file, who=who, now=now)

    def undo(self, sequence: int, *, who: str, now: datetime) -> int:
        """Take back the last decision on a comment; what it did to page and queue is as it was before."""
        with self.publisher.lock():
            row = self.work.decisions.to_undo(sequence)
            if not row:
                raise ModerationError("not undoable")
            id, article = row["comment"], row["article"]
            file = NO_FILE if row["file"] is not None and row["file_before"] is None else row["file_before"]
            if file == NO_FILE and self.publisher.has_replies(article, id):
                raise ModerationError("answered", id)
            before = {"number": row["number"], "state": row["state_before"]}
            return self.publisher.record("undo", id, article, **before, file=file, who=who, now=now)

    # What is erased

    def forget(self, id: str, *, who: str, now: datetime) -> int:
        """Erase every word of a comment, here, in the inbox and on its page; only its id and its place are kept."""
        with self.publisher.lock():
            return self._erase("forget", id, who=who, now=now)

    def carry_out_deletions(self, *, now: datetime) -> int:
        """Take the comments off their pages whose writers deleted them; return how many there were.

        Only what came through the form can go this way, so a forged request cannot take any other comment along.
        One that fails holds up no other; it is raised once all were tried. At most ``MAX_REQUESTS`` are, and the caller
        comes again. Once the inbox is found held by another program, the rest waits too.
        """
        self.work.need_inbox()
        self.store.erasures.take_over(self.work.inbox)
        requests = self.work.inbox.deletion_requests()
        _for_each(requests, lambda comment: self._carry_out_deletion(comment, now))
        return len(requests)

    def expire(self, before: datetime, *, limit: int = 100) -> int:
        """Erase what was decided on before a date and is neither on a page nor waiting; return of how many comments, at most.

        No decision on them can be undone after that.
        """
        inbox, decisions = self.work.inbox, self.work.decisions
        with self.publisher.lock():
            ids = decisions.with_texts_before(before, limit=limit)
            if ids:
                with transaction(inbox.connection):
                    for id in ids:
                        inbox.expire(id, is_published=self.review.find(id) is not None)
                with transaction(decisions.connection):
                    for id in ids:
                        decisions.drop_texts(id)
                self.publisher.wipe()
        return len(ids)

    def erase_again(self, *, now: datetime) -> None:
        """Erase once more what was erased and has come back with a backup; one that fails holds up no other."""
        self.store.erasures.erase_again(self.work.inbox)
        _for_each(self._back(), lambda comment: self._erase_again(comment, now))

    def copy(self, folder: Path) -> None:
        """Copy inbox, decisions and published comments as of one moment into ``folder``; nothing erased is left in the copies.

        Nobody who decides waits but for the databases. A comment decided on while the files are copied is put back as it
        was, from the record of that decision; one erased meanwhile stays erased.
        """
        decisions, comments, copies = self.work.decisions, self.store.settings.comments, folder / "comments"
        with self.publisher.lock():
            last = decisions.last()
            self.work.inbox.copy(folder / "inbox.sqlite")
            copy(decisions.connection, folder / "desk.sqlite")
        for path in comments.glob("*/*.md"):
            _copy_file(path, copies / path.parent.name / path.name)
        with self.publisher.lock():
            for row in reversed(decisions.files_since(last)):
                place = path_of(copies, row["article"], row["comment"])
                atomic.write(place, (row["file_before"] or NO_FILE).encode() or None)
                if row["state_before"] == GONE:
                    _copy_file(path_of(comments, row["article"], row["comment"]), place)

    # How

    def _decide(self, action: str, revision: Revision, state: str, **more: object) -> int:
        about = {"number": revision.number, "state": state, "state_before": revision.state}
        return self.publisher.record(action, revision.id, revision.article, **about, **more)  # type: ignore[arg-type]  # the verbs' own

    def _pending(self, action: str, name: str) -> int:
        """Return the same decision, where it was made and the inbox does not know of it yet; 0 if there is none."""
        numbers = {item.revision.number for item in self.review.history(name.rpartition(".")[0]) if item.name == name}
        made = (row for row in self.work.decisions.to_apply() if row["comment"] == name.rpartition(".")[0])
        last = {row["number"]: row for row in made}
        found = [row["sequence"] for number, row in last.items() if number in numbers and row["action"] == action]
        return found[0] if found else 0

    def _exists(self, article: str, id: str) -> bool:
        return path_of(self.store.settings.comments, article, id).exists()

    def _carry_out_deletion(self, id: str, now: datetime) -> None:
        with self.publisher.lock():
            if any(row["comment"] == id and row["action"] in ERASURES for row in self.work.decisions.to_apply()):
                return  # the page has it, and the inbox follows
            if self.review.is_a_readers(id):
                self._erase("delete", id, who="its writer", now=now)
            else:
                with transaction(self.work.inbox.connection):
                    self.work.inbox.close_deletion_request(id)

    def _erase_again(self, id: str, now: datetime) -> None:
        with self.publisher.lock():
            with transaction(self.work.decisions.connection):
                self.work.decisions.drop_texts(id)
            self.publisher.wipe()
            if self.review.find(id) or any(r.state != "deleted" for r in self.work.inbox.revisions(id)):
                self._erase("forget", id, who="the record of erasures", now=now)

    def _erase(self, action: str, id: str, *, who: str, now: datetime) -> int:
        comment, revisions = self.review.find(id), self.work.inbox.revisions(id)
        if not comment and not revisions:
            raise ModerationError("unknown", id)
        article = comment.article if comment else revisions[0].article
        file = _place_of(comment, removed="yes") if comment else None
        return self.publisher.record(action, id, article, file=file, who=who, now=now)

    def _back(self) -> set[str]:
        """Return the comments that were erased and of which there are words again."""
        if not (erased := self.store.erasures.of("comment")):
            return set()
        files = [path for path in self.store.settings.comments.glob("*/*.md") if path.stem in erased]
        on_page = {path.stem for path in files if self.review.published(path.parent.name, path.stem)}
        query = "SELECT 1 FROM revision WHERE comment = ? AND state <> 'deleted'"
        kept = {id for id in erased if self.work.inbox.one(query, id)}
        return kept | erased & (self.work.decisions.with_texts() | on_page)


def _copy_file(path: Path, copy: Path) -> None:
    """Copy the file of a comment, whether or not it can be read as one; a link, a pipe or what is too long for any is left out."""
    with suppress(FileNotFoundError, CommentError):  # taken away meanwhile
        if len(data := read_file(path, MAX_COPIED_BYTES)) <= MAX_COPIED_BYTES:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)


def _for_each(ids: Iterable[str], carry_out: Callable[[str], None]) -> None:
    """Do something for each comment, and raise the first fault once all were tried."""
    faults: list[Exception] = []
    for id in ids:
        try:
            carry_out(id)
        except sqlite3.OperationalError:  # another program holds the inbox: each would wait for it
            raise
        except (ValueError, OSError, sqlite3.Error) as error:
            faults.append(error)
    if faults:
        raise faults[0]


def _place_of(comment: Comment, *, removed: str) -> str:
    """Return the file that keeps the place of a comment for its replies."""
    place = {"id": comment.id, "article": comment.article, "reply_to": comment.reply_to, "date": comment.date}
    return file_of(**place, removed=removed)


def _second(date: datetime) -> datetime:
    return date.astimezone(UTC).replace(microsecond=0)
