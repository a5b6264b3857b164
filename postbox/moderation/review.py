"""Review: what there is to judge, what is published, and the names that bind a decision to the words that were seen."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from contract.comment import ID, Comment, CommentError, dumps, path_of, read
from postbox.moderation.errors import ModerationError
from postbox.store.database import EVERY_ROW
from postbox.store.decisions import Decision
from postbox.store.submissions import Revision
from postbox.store.unit_of_work import Store, UnitOfWork


@dataclass(frozen=True)
class ReviewItem:
    """Revision to be judged; ``fingerprint`` names its words, so that a decision is bound to what was seen."""

    revision: Revision
    fingerprint: str

    @property
    def name(self) -> str:
        """What a decision takes: ``<id>.<fingerprint>``."""
        return f"{self.revision.id}.{self.fingerprint}"


class Review:
    """What a unit of work sees of inbox and pages; nothing here changes anything."""

    def __init__(self, store: Store, work: UnitOfWork) -> None:
        self._comments = store.settings.comments
        self._key = store.key
        self._work = work
        self._published = store.published

    def queue(self, *, limit: int = EVERY_ROW, offset: int = 0) -> list[ReviewItem]:
        """Return what waits: the plain first, then what is held, each oldest first."""
        items = [
            self._item(revision) for revision in self._as_decided(self._work.inbox.waiting(limit=limit, offset=offset))
        ]
        return [item for item in items if item.revision.state == "waiting"]

    def history(self, id: str) -> list[ReviewItem]:
        """Return every revision of a comment that came through the form, oldest first."""
        return [self._item(revision) for revision in self._as_decided(self._work.inbox.revisions(id))]

    def waiting(self, name: str) -> Revision:
        """Return the revision that a decision names.

        Raises:
            ModerationError: if it does not wait, or its words are not those that were seen.
        """
        if self._work.set_aside:
            raise ModerationError("set aside", name)
        id, _, fingerprint = name.rpartition(".")
        found = [item for item in self.history(id) if item.revision.state == "waiting"]
        for item in found:
            if hmac.compare_digest(item.fingerprint.encode(), fingerprint.encode()):
                return item.revision
        if found:
            raise ModerationError("changed", id, hint=f", as {found[-1].name}")
        raise ModerationError("not waiting", id or name, hint="; `list` shows what does")

    def published(self, article: str, id: str) -> Comment | None:
        """Return a comment as it is published, or None."""
        try:
            comment = read(path_of(self._comments, article, id))
        except (CommentError, OSError):
            return None
        return None if comment.removed else comment

    def find(self, id: str) -> Comment | None:
        """Return the published comment of an id, whatever its article."""
        return self.published(article, id) if (article := self.article_of(id)) else None

    def replies_since(self, decision: Decision) -> list[Decision]:
        """Return the author's replies to a comment since a decision on it, as far as they are published."""
        replies = self._work.decisions.replies_since(decision.sequence)
        return [reply for reply in replies if (own := self.find(reply.comment)) and own.reply_to == decision.comment]

    def reply_with(self, id: str) -> Comment | None:
        """Return the author's reply that was published with a comment, in one act."""
        for made in reversed(self._work.decisions.of(id)):
            if made.action == "publish":
                together = [reply for reply in self.replies_since(made) if reply.decided == made.decided]
                return self.find(together[0].comment) if together else None
        return None

    def article_of(self, id: str) -> str | None:
        """Return the article in whose folder the file of an id lies, removed or not; a forged id is no pattern."""
        if not ID.fullmatch(id):
            return None
        revisions, decided = self._work.inbox.revisions(id), self._work.decisions.article_of(id)
        for article in filter(None, (decided, revisions[0].article if revisions else None)):
            try:
                if path_of(self._comments, article, id).exists():
                    return article
            except CommentError:  # a forged row
                continue
        return self._published.article_of(id)

    def all_published(self, *, limit: int = -1, offset: int = 0) -> list[Comment]:
        """Return published comments, the newest first, those without a date last."""
        return self._published.newest(limit=limit, offset=offset)

    def published_count(self) -> int:
        """Return how many comments are published."""
        return self._published.count()

    def seen(self, comment: Comment) -> str:
        """Name the words of a published comment, for a decision that is bound to them."""
        return self._fingerprint(dumps(comment))

    def as_seen(self, article: str, id: str, seen: str) -> Comment:
        """Return a published comment.

        Raises:
            ModerationError: if it is none any more, or its words are not those that were ``seen``.
        """
        comment = self.published(article, id)
        if not comment:
            raise ModerationError("not published", id)
        if not hmac.compare_digest(self.seen(comment).encode(), seen.encode()):
            raise ModerationError("changed", id)
        return comment

    def is_a_readers(self, id: str) -> bool:
        """Tell whether a comment came through the form, so that its writer can have it erased; a forged row does not make it so."""
        revisions = self._work.inbox.revisions(id)
        return bool(revisions) and self.may_replace(revisions[0].article, id)

    def may_replace(self, article: str, id: str) -> bool:
        """Tell whether a file may be written there for a reader: there is none yet, or a decision of ours made it theirs."""
        return self.article_of(id) is None or self._work.decisions.has_published(id, article)

    def _as_decided(self, revisions: Iterable[Revision]) -> Iterator[Revision]:
        """Give revisions the state that was decided, also where the inbox does not know of it yet."""
        pending = {(row["comment"], row["number"]): row["state"] for row in self._work.decisions.to_apply()}
        for revision in revisions:
            state = pending.get((revision.id, revision.number))
            yield replace(revision, state=state) if state else revision

    def _item(self, revision: Revision) -> ReviewItem:
        place = (revision.id, str(revision.number), revision.article, revision.reply_to or "")
        return ReviewItem(revision, self._fingerprint("\0".join((*place, *revision.words.values()))))

    def _fingerprint(self, words: str) -> str:
        """Name words under a key that no one outside has: neither a row changed later nor a collision gets the same name."""
        return hmac.new(self._key, words.encode(), hashlib.sha256).hexdigest()[:16]
