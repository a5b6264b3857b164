"""The one way from private to public: approve, reject, reply, edit, remove, forget, undo.

A decision is recorded with the text approved before any file is written, and repair after a crash believes only that record.
The record and the key that names revisions lie in the desk's own folder, which the intake can neither read nor write;
a row forged in the inbox is at most one more comment to judge.
Whom a decision concerns is put into the outbox in the transaction that records it.
"""

import fcntl
import hashlib
import hmac
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contract.comment import ID, Comment, CommentError, dumps, path_of, read
from contract.manifest import load
from contract.thread import read_all
from postbox.log import event
from postbox.settings import Settings
from postbox.store.database import sync, transaction, wipe
from postbox.store.decisions import ERASURES, NO_FILE, Decisions
from postbox.store.erasures import Erasures
from postbox.store.outbox import Outbox
from postbox.store.submissions import Inbox, Revision
from postbox.store.tokens import new_id, secret

NOTICE_DELAY = timedelta(minutes=1)  # before a reader hears of a decision, so that it can be undone


class ModerationError(ValueError):
    """A decision cannot be carried out; the text says why and what to do."""


@dataclass(frozen=True)
class ReviewItem:
    """Revision to be judged; ``fingerprint`` names its words, so that a decision is bound to what was seen."""

    revision: Revision
    fingerprint: str

    @property
    def name(self) -> str:
        """What a decision takes: ``<id>.<fingerprint>``."""
        return f"{self.revision.id}.{self.fingerprint}"


class Moderation:
    """The inbox, the decisions, and the folder of published comments.

    Every method that decides takes ``who`` and ``now`` for the audit log, returns the decision's sequence number,
    and raises ModerationError if what was seen is no longer so.
    """

    def __init__(self, settings: Settings) -> None:
        """Open all three and finish what a crash left undone."""
        self._settings = settings
        self._comments = settings.comments
        self.inbox = Inbox(settings.inbox)
        settings.desk.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.erased = Erasures(settings.erased)
        self.key = secret(settings.desk / "key", mode=0o600)
        self.decisions = Decisions(settings.desk)
        self.outbox = Outbox(self.decisions.connection)
        with self._lock():
            pass

    # What there is

    def queue(self, *, limit: int = -1, offset: int = 0) -> list[ReviewItem]:
        """Return what waits: the plain first, then what is held, each oldest first."""
        return [self._item(waiting) for waiting in self.inbox.waiting(limit=limit, offset=offset)]

    def history(self, id: str) -> list[ReviewItem]:
        """Return every revision of a comment that came through the form, oldest first."""
        return [self._item(waiting) for waiting in self.inbox.revisions(id)]

    def published(self, article: str, id: str) -> Comment | None:
        """Return a comment as it is published, or None."""
        try:
            comment = read(path_of(self._comments, article, id))
        except (CommentError, OSError):
            return None
        return None if comment.removed else comment

    def find(self, id: str) -> Comment | None:
        """Return the published comment of an id, whatever its article."""
        found = (self.published(path.parent.name, id) for path in self._places(id))
        return next((comment for comment in found if comment), None)

    def all_published(self) -> list[Comment]:
        """Return every published comment, the newest first, those without a date last."""
        conversations, _ = read_all(self._comments)
        comments = [e.comment for entries in conversations.values() for e in entries if not e.comment.removed]
        return sorted(comments, key=lambda c: (c.date is not None, c.date, c.id), reverse=True)

    def seen(self, comment: Comment) -> str:
        """Name the words of a published comment, for a decision that is bound to them."""
        return self._mac(dumps(comment))

    def is_a_readers(self, id: str) -> bool:
        """Tell whether a comment came through the form, so that its writer can have it erased; a forged row does not make it so."""
        revisions = self.inbox.revisions(id)
        return bool(revisions) and self._may_replace(revisions[0].article, id)

    # What can be decided

    def approve(self, name: str, *, who: str, now: datetime) -> int:
        """Publish a revision in the words that were seen."""
        with self._lock():
            waiting = self._waiting(name)
            file = _file(
                id=waiting.id,
                article=waiting.article,
                reply_to=waiting.reply_to,
                author=waiting.author,
                date=self._first_received(waiting.id),
                body=waiting.body,
            )
            if waiting.reply_to and not path_of(self._comments, waiting.article, waiting.reply_to).exists():
                raise ModerationError(
                    f"{name} answers {waiting.reply_to}, which is not published; reject it, or publish that first"
                )
            if not self._may_replace(waiting.article, waiting.id):
                raise ModerationError(f"{name} would replace a comment that is not its writer's; reject it")
            notify = [("published", name)]
            if waiting.reply_to and not self._places(waiting.id):
                notify.append(("answered", waiting.id))
            return self._decide("publish", waiting, "published", file, notify=notify, who=who, now=now)

    def reject(self, name: str, *, reason: str = "", who: str, now: datetime) -> int:
        """Keep a revision out, with or without a word to its writer."""
        with self._lock():
            return self._decide("reject", self._waiting(name), "rejected", None, reason=reason, who=who, now=now)

    def spam(self, name: str, *, who: str, now: datetime) -> int:
        """Keep a revision out as spam; its writer hears nothing of it."""
        with self._lock():
            return self._decide("spam", self._waiting(name), "spam", None, who=who, now=now)

    def answer(self, article: str, id: str, body: str, *, who: str, now: datetime) -> int:
        """Publish the author's own reply to a published comment."""
        with self._lock():
            if not self.published(article, id):
                raise ModerationError(f"{id} is not published, so it cannot be answered")
            own = new_id()
            author = load(self._settings.site).author
            file = _file(
                id=own, article=article, reply_to=id, author=author, is_author=True, date=_second(now), body=body
            )
            return self._record("answer", own, article, file=file, notify=[("answered", own)], who=who, now=now)

    def edit(self, article: str, id: str, body: str, *, seen: str, who: str, now: datetime) -> int:
        """Change the words of the author's own comment."""
        with self._lock():
            comment = self._as_seen(article, id, seen)
            if not comment.is_author:
                raise ModerationError(f"{id} is a reader's; only its writer can change it")
            file = _file(**{**comment.__dict__, "body": body})
            return self._record("edit", id, article, file=file, who=who, now=now)

    def remove(self, article: str, id: str, *, seen: str, who: str, now: datetime) -> int:
        """Take a published comment off its page; its place stays, for replies that stand or may come."""
        with self._lock():
            comment = self._as_seen(article, id, seen)
            file = _file(id=id, article=article, reply_to=comment.reply_to, date=comment.date, removed="by the site")
            return self._on_published("remove", comment, "removed", file, who=who, now=now)

    def undo(self, sequence: int, *, who: str, now: datetime) -> int:
        """Take back the last decision on a comment; what it did to page and queue is as it was before."""
        with self._lock():
            row = self.decisions.to_undo(sequence)
            if not row:
                raise ModerationError("That cannot be undone any more; something was decided since")
            file = NO_FILE if row["file"] is not None and row["file_before"] is None else row["file_before"]
            if file == NO_FILE and self._has_replies(row["article"], row["comment"]):
                raise ModerationError("It has been answered since; remove it instead")
            return self._record(
                "undo",
                row["comment"],
                row["article"],
                number=row["number"],
                state=row["state_before"],
                file=file,
                who=who,
                now=now,
            )

    def forget(self, id: str, *, who: str, now: datetime) -> int:
        """Erase every word of a comment, here, in the inbox and on its page; only its id and its place are kept."""
        with self._lock():
            return self._erase("forget", id, who=who, now=now)

    def carry_out_deletions(self, *, now: datetime) -> int:
        """Take the comments off their pages whose writers deleted them; return how many there were.

        Only what came through the form can go this way, so a forged request cannot take any other comment along.
        One that fails holds up no other; it is raised once all were tried.
        """
        self.erased.take_over(self.inbox)
        deletion_requests = self.inbox.deletion_requests()
        faults: list[Exception] = []
        for id in deletion_requests:
            try:
                self._carry_out_deletion(id, now)
            except (ValueError, OSError, sqlite3.Error) as error:
                faults.append(error)
        if faults:
            raise faults[0]
        return len(deletion_requests)

    def copy(self, folder: Path) -> None:
        """Copy inbox, decisions and published comments as of one moment into ``folder``; nothing erased is left in the copies."""
        with self._lock():
            self.inbox.connection.execute("VACUUM INTO ?", (str(folder / "inbox.sqlite"),))
            self.decisions.connection.execute("VACUUM INTO ?", (str(folder / "desk.sqlite"),))
            if self._comments.exists():
                shutil.copytree(self._comments, folder / "comments")

    # What is kept no longer

    def expire(self, before: datetime, *, limit: int = 100) -> int:
        """Erase what was decided on before a date and is neither on a page nor waiting; return of how many comments, at most.

        No decision on them can be undone after that.
        """
        with self._lock():
            ids = self.decisions.with_texts_before(before, limit=limit)
            if ids:
                with transaction(self.inbox.connection):
                    for id in ids:
                        self.inbox.expire(id, is_published=self.find(id) is not None)
                with transaction(self.decisions.connection):
                    for id in ids:
                        self.decisions.drop_texts(id)
                self.wipe()
        return len(ids)

    def erase_again(self, *, now: datetime) -> None:
        """Erase once more what was erased and has come back with a backup; one that fails holds up no other."""
        self.erased.erase_again(self.inbox)
        faults: list[Exception] = []
        for id in self._back():
            try:
                with self._lock():
                    with transaction(self.decisions.connection):
                        self.decisions.drop_texts(id)
                    self.wipe()
                    if self.find(id) or any(revision.state != "deleted" for revision in self.inbox.revisions(id)):
                        self._erase("forget", id, who="the record of erasures", now=now)
            except (ValueError, OSError, sqlite3.Error) as error:
                faults.append(error)
        if faults:
            raise faults[0]

    # How

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let the desk and the command line decide one after the other; the system frees it when a process dies.

        What that process had decided is carried out first, so that nobody decides on what is no longer so.
        """
        with (self._settings.desk / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._apply()
            yield

    def _waiting(self, name: str) -> Revision:
        id, _, revision = name.rpartition(".")
        found = [item for item in self.history(id) if item.revision.state == "waiting"]
        if not found:
            raise ModerationError(f"{name} does not wait; `list` shows what does")
        for item in found:
            if hmac.compare_digest(item.fingerprint.encode(), revision.encode()):
                return item.revision
        raise ModerationError(f"{name} has changed since; read {found[-1].name} and decide again")

    def _as_seen(self, article: str, id: str, seen: str) -> Comment:
        comment = self.published(article, id)
        if not comment:
            raise ModerationError(f"{id} is not published any more")
        if not hmac.compare_digest(self.seen(comment).encode(), seen.encode()):
            raise ModerationError(f"{id} has changed since; read it again")
        return comment

    def _first_received(self, id: str) -> datetime:
        return _second(self.inbox.revisions(id)[0].received)

    def _has_replies(self, article: str, id: str) -> bool:
        for path in path_of(self._comments, article, id).parent.glob("*.md"):
            with suppress(CommentError, OSError):  # what is no comment answers nothing
                if read(path).reply_to == id:
                    return True
        return False

    def _places(self, id: str) -> list[Path]:
        """Return the files of an id, which is no pattern even where it was forged."""
        return list(self._comments.glob(f"*/{id}.md")) if ID.fullmatch(id) else []

    def _decide(
        self,
        action: str,
        waiting: Revision,
        state: str,
        file: str | None,
        *,
        reason: str = "",
        notify: Sequence[tuple[str, str]] = (),
        who: str,
        now: datetime,
    ) -> int:
        return self._record(
            action,
            waiting.id,
            waiting.article,
            number=waiting.number,
            state=state,
            state_before=waiting.state,
            reason=reason,
            file=file,
            notify=notify,
            who=who,
            now=now,
        )

    def _on_published(self, action: str, comment: Comment, state: str, file: str, *, who: str, now: datetime) -> int:
        """Record a decision on a published comment, with the revision in the inbox that it came from, if there is one."""
        revision = next((r for r in reversed(self.inbox.revisions(comment.id)) if r.state == "published"), None)
        if revision:
            return self._decide(action, revision, state, file, who=who, now=now)
        return self._record(action, comment.id, comment.article, file=file, who=who, now=now)

    def _carry_out_deletion(self, id: str, now: datetime) -> None:
        with self._lock():
            if self.is_a_readers(id):
                self._erase("delete", id, who="its writer", now=now)
            else:
                with transaction(self.inbox.connection):
                    self.inbox.close_deletion_request(id)

    def _erase(self, action: str, id: str, *, who: str, now: datetime) -> int:
        comment, revisions = self.find(id), self.inbox.revisions(id)
        if not comment and not revisions:
            raise ModerationError(f"{id} is no comment here")
        article = comment.article if comment else revisions[0].article
        file = None
        if comment:
            file = _file(id=id, article=article, reply_to=comment.reply_to, date=comment.date, removed="yes")
        return self._record(action, id, article, file=file, who=who, now=now)

    def _may_replace(self, article: str, id: str) -> bool:
        """Tell whether a file may be written there for a reader: there is none yet, or a decision of ours made it theirs."""
        return not self._places(id) or self.decisions.has_published(id, article)

    def _record(
        self,
        action: str,
        id: str,
        article: str,
        *,
        who: str,
        now: datetime,
        number: int = 0,
        state: str = "",
        state_before: str = "",
        reason: str = "",
        file: str | None = None,
        notify: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Write a decision down, with the mails that it leads to, then carry it out."""
        before = None
        if file is not None:  # or there is no path: a row whose id or article names no file can still be rejected
            with suppress(FileNotFoundError):
                before = path_of(self._comments, article, id).read_bytes().decode()
        with transaction(self.decisions.connection):
            sequence = self.decisions.add(
                now,
                who=who,
                action=action,
                comment=id,
                article=article,
                number=number,
                state=state,
                reason=reason,
                file=file,
                state_before=state_before,
                file_before=before,
            )
            for kind, about in notify:
                self.outbox.add(kind, about, now=now, delay=NOTICE_DELAY)
        event("decision", action=action, sequence=sequence)
        self._apply()
        return sequence

    def _apply(self) -> None:
        """Carry out every decision that is not yet; each step may be taken twice, so a crash between them does no harm."""
        for decision in self.decisions.to_apply():
            self._carry_out(decision)

    def _carry_out(self, decision: sqlite3.Row) -> None:
        is_erasure = decision["action"] in ERASURES
        if is_erasure:
            self.erased.add([("comment", decision["comment"])])
        if decision["file"] is not None and (is_erasure or not self.erased.has("comment", decision["comment"])):
            write(path_of(self._comments, decision["article"], decision["comment"]), decision["file"])
        with transaction(self.inbox.connection):
            if is_erasure:
                self.inbox.forget(decision["comment"])
                self.inbox.close_deletion_request(decision["comment"])
            elif decision["number"]:
                self.inbox.set_state(decision["comment"], decision["number"], decision["state"], decision["reason"])
        with transaction(self.decisions.connection):
            if is_erasure:
                self.decisions.drop_texts(decision["comment"])
            self.decisions.applied(decision["sequence"])
        if is_erasure:
            self.wipe()

    def wipe(self) -> None:
        """Take what was erased out of both databases' logs too."""
        for database in (self.inbox.connection, self.decisions.connection):
            wipe(database)

    def _back(self) -> set[str]:
        """Return the comments that were erased and of which there are words again."""
        if not (erased := self.erased.of("comment")):
            return set()
        files = [path for path in self._comments.glob("*/*.md") if path.stem in erased and not _is_empty(path)]
        rows = self.inbox.connection.execute("SELECT DISTINCT comment FROM revision WHERE state <> 'deleted'")
        on_page = {path.stem for path in files if self.published(path.parent.name, path.stem)}
        return erased & ({row["comment"] for row in rows} | self.decisions.with_texts() | on_page)

    def _item(self, waiting: Revision) -> ReviewItem:
        words = (waiting.id, str(waiting.number), waiting.article, waiting.reply_to or "", waiting.author, waiting.body)
        return ReviewItem(waiting, self._mac("\0".join(words)))

    def _mac(self, words: str) -> str:
        """Name words under a key that no one outside has: neither a row changed later nor a collision gets the same name."""
        return hmac.new(self.key, words.encode(), hashlib.sha256).hexdigest()[:16]


def write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, or take it away for ``NO_FILE``; a power cut changes neither.

    One writer at a time: the draft of one that was killed is the next one's, so none stays behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if text == NO_FILE:
        path.unlink(missing_ok=True)
    else:
        draft = path.with_name(f".{path.name}.new")
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    sync(path.parent)


def _file(**fields: object) -> str:
    """Return the file of a comment; what breaks its rules is refused before anything is recorded."""
    try:
        return dumps(Comment(**fields))  # type: ignore[arg-type]  # the callers' fields are a comment's
    except CommentError as error:
        raise ModerationError(str(error)) from None


def _is_empty(path: Path) -> bool:
    """Tell whether a file is the place of a removed comment, without the time to parse thousands of them."""
    data = path.read_bytes()
    return b"\nRemoved: " in data and b"\n\n" not in data


def _second(date: datetime) -> datetime:
    return date.astimezone(UTC).replace(microsecond=0)
