"""Presenters of the desk: a comment as it will look beside what it answers and changes, a decision, where a message is answered.

A row of the inbox may be forged, so nothing here relies on its being a comment, or on its dates.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from zoneinfo import ZoneInfo

from contract.comment import Comment, CommentError, Words
from contract.manifest import Site
from contract.templates import day
from contract.thread import Entry
from postbox.contact import looks_like_address
from postbox.moderation.review import ReviewItem
from postbox.moderation.service import Moderation
from postbox.store.decisions import Decision

COMPARED_WORDS = (
    4000  # spaces and signs count; the time to compare grows faster than the texts, so beyond this both are shown whole
)
SHOWING = ("publish", "answer", "edit")  # decisions after which a comment stands on its page
ADDRESS_AS_NAME = "The name is an email address or a phone number. Published, everyone can read it."


@dataclass(frozen=True, kw_only=True)
class CommentView(Words):
    """A comment as a page shows it.

    ``name`` is what a decision on it carries.
    ``entry`` is how it will look, or None with the ``fault`` that keeps it from being a comment.
    ``changes`` compares it with the published words that it would replace: (“”, “del” or “ins”, words).
    """

    id: str
    name: str
    reply_to: str | None
    title: str
    address: str
    entry: Entry | None
    fault: str = ""
    came: str = ""
    held: Sequence[str] = ()
    changes: Sequence[tuple[str, str]] = ()

    @property
    def warning(self) -> str:
        """What its reader should know of it, whenever it came."""
        return ADDRESS_AS_NAME if looks_like_address(self.author) else ""


@dataclass(frozen=True)
class DecisionView:
    """A decision with the names that its reader knows; ``address`` is where it put its comment.

    ``now`` is where that stands since: “waiting”, “published”, or “off” its page.
    """

    decision: Decision
    author: str
    when: str
    address: str
    now: str


class Presenter:
    """Shows what moderation holds, in the words and the time zone of the site."""

    def __init__(self, moderation: Moderation, site: Site) -> None:
        """Show for the length of one answer."""
        self._moderation = moderation
        self._site = site

    def waiting(self, item: ReviewItem) -> CommentView:
        """Show a revision that waits."""
        revision, entry, fault = item.revision, None, ""
        published = self._moderation.review.published(revision.article, revision.id)
        date = published.date if published else _second(revision.received)
        title, address = self._article(revision.article)
        try:
            entry = self._entry(
                Comment(
                    id=revision.id, article=revision.article, reply_to=revision.reply_to, date=date, **revision.words
                )
            )
        except CommentError as error:
            fault = str(error)
        return CommentView(
            id=revision.id,
            name=item.name,
            **revision.words,
            reply_to=revision.reply_to,
            title=title,
            address=address,
            entry=entry,
            fault=fault,
            came=self.time(revision.received),
            held=revision.held,
            changes=changes(_as_text(published), _as_text(revision)) if published else (),
        )

    def published(self, comment: Comment) -> CommentView:
        """Show a comment as it is published."""
        title, address = self._article(comment.article)
        return CommentView(
            id=comment.id,
            name=self._moderation.review.seen(comment),
            **comment.words,
            reply_to=comment.reply_to,
            title=title,
            address=address,
            entry=self._entry(comment),
        )

    def decision(self, decision: Decision) -> DecisionView:
        """Show a decision."""
        comment = self._moderation.review.find(decision.comment)
        is_shown = comment and decision.action in SHOWING
        address = f"{self._article(comment.article)[1]}#comment-{comment.id}" if comment and is_shown else ""
        waits = any(item.revision.state == "waiting" for item in self._moderation.review.history(decision.comment))
        now = "waiting" if waits else "published" if comment else "off"
        return DecisionView(decision, self.author(decision.comment), self.time(decision.decided), address, now)

    def decisions(self, sequences: Iterable[int]) -> list[DecisionView]:
        """Show those decisions that there are."""
        found = (self._moderation.work.decisions.one(sequence) for sequence in sequences)
        return [self.decision(decision) for decision in found if decision]

    def author(self, id: str) -> str:
        """Return whose comment it is, or nothing if its words are gone."""
        names = [item.revision.author for item in self._moderation.review.history(id) if item.revision.author]
        published = self._moderation.review.find(id)
        if names or published:
            return names[-1] if names else published.author if published else ""
        is_own = any(decision.action == "answer" for decision in self._moderation.work.decisions.of(id))
        return self._site.author if is_own else ""

    def time(self, date: datetime) -> str:
        """Return the day and the time in the site's own zone."""
        known = _second(date)
        if not known:
            return "at no known time"
        return f"{day(known, self._site.timezone)}, {known.astimezone(ZoneInfo(self._site.timezone)):%H:%M}"

    def _article(self, id: str) -> tuple[str, str]:
        """Return an article's title and address; an empty title if it is gone."""
        known = self._site.conversations.get(id)
        return (known.title, f"{self._site.url}{known.url}") if known else ("", f"{self._site.url}/")

    def _entry(self, comment: Comment) -> Entry:
        answered = self._moderation.review.published(comment.article, comment.reply_to) if comment.reply_to else None
        return Entry(comment, 0, answered, is_missing=False)


def changes(old: str, new: str) -> list[tuple[str, str]]:
    """Compare two texts word by word: (“”, “del” or “ins”, words); without “del” it is the new one, without “ins” the old."""
    olds, news = re.findall(r"\w+|\W", old), re.findall(r"\w+|\W", new)
    if len(olds) + len(news) > COMPARED_WORDS:
        return [("del", old), ("ins", new)]
    found = []
    for kind, a, b, c, d in SequenceMatcher(None, olds, news).get_opcodes():
        pairs = [("", news[c:d])] if kind == "equal" else [("del", olds[a:b]), ("ins", news[c:d])]
        found += [(kind, "".join(words)) for kind, words in pairs if words]
    return found


def _second(date: datetime) -> datetime | None:
    """Return a date as a comment has it, or None where a forged one cannot be that."""
    try:
        return date.astimezone(UTC).replace(microsecond=0) if 1970 <= date.year < 9999 else None
    except (ValueError, OverflowError):
        return None


def _as_text(words: Words) -> str:
    return "\n".join([f"{words.author}:", *(f"{noun}: {text}" for noun, text in words.details), words.body])
