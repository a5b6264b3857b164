"""Composition of mails when they are sent: from the kind and the ids in the outbox to a draft, or to none where it is no longer true.

===========  ======================  =======================================================================
kind         about                   tells
===========  ======================  =======================================================================
comment      ``<id>.<revision>``     the author that a comment waits, with a link to decide
link         that and ``.<day>``     the same, with a fresh link
message      id                      the author what came through the contact form
digest       that of its first       the author how many comments wait, beyond ten in an hour
sign-in      a random id             the author how to sign in to the desk, once
confirm      id of a comment         an address that someone left it there, in none of that someone's words
published    ``<id>.<revision>``     a comment's writer that it is published, with the author's reply of the same moment
rejected     ``<id>.<revision>``     a comment's writer that it is not, with the author's note
answered     id of the reply         the writer of the comment that it replies to
===========  ======================  =======================================================================

The first line of a template in ``mail/`` is the subject.
"""

import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

from jinja2 import Environment

from contract.comment import ID, Words
from contract.manifest import Site
from postbox.contact import contact_links
from postbox.email_address import ADDRESS_LENGTH, is_address, named, to_ascii
from postbox.mail.message import MailDraft, one_line, plain, quoted
from postbox.moderation.review import ReviewItem
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.submissions import Event
from postbox.store.subscriptions import Subscription
from postbox.store.tokens import SIGN_IN_LASTS, DecisionLinks, sign_in_token
from postbox.telephone import region_of

TO_READERS = ("confirm", "published", "rejected", "answered")
NAME_LENGTH = 60
TITLE_LENGTH = 100
WORDS_LENGTH = 20_000  # no comment from the form is so long, but one in a forged row is
EXCERPT_LENGTH = 400


class Composer:
    """Composes, from what inbox, pages and outbox say now."""

    def __init__(self, settings: Settings, moderation: Moderation, theme: Environment) -> None:
        """Compose with the templates of an environment."""
        self._settings = settings
        self._review, self._work = moderation.review, moderation.work
        self._theme = theme
        self._subscriptions = moderation.work.subscriptions
        self._messages = moderation.work.messages
        self._links = DecisionLinks(moderation.store.key)
        self._key_of_links = moderation.store.key
        self._key = hmac.digest(moderation.store.key, b"mail", "sha256")
        self._host = named(settings.mail_from)[1].partition("@")[2]

    def about(self, event: Event) -> str:
        """Return what an event of the inbox is about as the outbox names it, or nothing if there is nothing to tell, or it was forged."""
        if not ID.fullmatch(event.about):
            return ""
        if event.kind == "comment":
            return next((item.name for item in self._waiting(event.about)), "")
        return event.about if event.kind in ("message", "confirm") else ""

    def draft(self, kind: str, about: str, site: Site, now: datetime) -> MailDraft | None:
        """Return the draft of a row of the outbox, or None if there is nothing to tell any more."""
        compose: dict[str, Callable[[], MailDraft | None]] = {
            "comment": lambda: self._comment(kind, about, about, site, now),
            "link": lambda: self._comment(kind, about, about.rpartition(".")[0], site, now),
            "message": lambda: self._message(about, site),
            "digest": lambda: self._digest(about, site),
            "sign-in": lambda: self._sign_in(about, site, now),
            "confirm": lambda: self._confirm(about, site),
            "published": lambda: self._published(about, site),
            "rejected": lambda: self._rejected(about, site),
            "answered": lambda: self._answered(about, site),
        }
        return compose[kind]()

    def recipient(self, draft: MailDraft) -> bytes:
        """Return what stands for an address where mails are counted."""
        return hmac.digest(self._key, f"to:{draft.to.lower()}".encode(), "sha256")

    # To the author

    def _comment(self, kind: str, about: str, name: str, site: Site, now: datetime) -> MailDraft | None:
        item = self._named(name)
        if not item:
            return None
        revision = item.revision
        answered = self._review.published(revision.article, revision.reply_to) if revision.reply_to else None
        before = self._review.published(revision.article, revision.id)
        values = self._shown(item, site, now) | {
            "words": _words(_with_details(revision), above=(revision.author,)),
            "words_before": _words(_with_details(before)) if before else "",
            "is_answer": bool(revision.reply_to),
            "answered_name": _name(answered.author) if answered else "",
            "answered_words": _words(answered.body, EXCERPT_LENGTH) if answered else "",
        }
        return self._to_author(kind, about, self._drawn("comment", site, values), thread=revision.article)

    def _message(self, id: str, site: Site) -> MailDraft | None:
        message = self._messages.one(id)
        if not message or message.state != "new":
            return None
        contact = one_line(message.contact, ADDRESS_LENGTH)
        ways = contact_links(contact, region_of(site.telephone, site.language))
        addresses = [label for label, way in ways if way.startswith("mailto:")]
        reply_to = to_ascii(addresses[0]) if len(addresses) == 1 else ""
        rest = "" if [label for label, _ in ways] == [contact] else contact
        values = {
            "name": _name(message.name),
            "ways": ways,
            "contact": rest if _is_plain(rest) else "",
            "is_address": bool(reply_to),
            "words": _words(message.body, above=(message.name, rest)),
            "held": _reasons(message.held),
            "desk_url": self._settings.desk_url,
        }
        drawn = self._drawn("message", site, values)
        return self._to_author("message", id, drawn, thread=message.contact.lower(), reply_to=reply_to)

    def _digest(self, about: str, site: Site) -> MailDraft | None:
        if not any(self._named(name) for name in self._work.outbox.gathered(about)):
            return None
        values = {"waiting": self._work.inbox.size(), "desk_url": self._settings.desk_url}
        return self._to_author("digest", about, self._drawn("digest", site, values))

    def _sign_in(self, id: str, site: Site, now: datetime) -> MailDraft | None:
        asked = self._work.outbox.added("sign-in", id)
        if not asked or now >= asked + SIGN_IN_LASTS:
            return None  # the link is over
        values: dict[str, object] = {
            "link": f"{self._settings.desk_url}/sign-in/{sign_in_token(self._key_of_links, id)}"
        }
        return self._to_author("sign-in", id, self._drawn("sign-in", site, values))

    # To readers

    def _confirm(self, id: str, site: Site) -> MailDraft | None:
        subscription, revisions = self._subscriptions.of(id), self._work.inbox.revisions(id)
        if not subscription or subscription.is_confirmed or not revisions:
            return None
        if revisions[-1].state not in ("waiting", "published"):
            return None
        return self._to_reader("confirm", id, subscription, revisions[-1].article, site)

    def _published(self, name: str, site: Site) -> MailDraft | None:
        id = name.rpartition(".")[0]
        shown = [item for item in self._review.history(id) if item.revision.state == "published"]
        comment, subscription = self._review.find(id), self._subscriptions.of(id)
        if not comment or not shown or shown[-1].name != name:
            return None
        if not subscription or not _wants(subscription, "published"):
            return None
        reply = self._review.reply_with(id) if _wants(subscription, "author") else None
        values: dict[str, object] = {"words": _words(reply.body) if reply else ""}
        return self._to_reader("published", name, subscription, comment.article, site, values, comment=id)

    def _rejected(self, name: str, site: Site) -> MailDraft | None:
        id = name.rpartition(".")[0]
        latest, subscription = self._review.history(id)[-1:], self._subscriptions.of(id)
        if not latest or latest[0].name != name or not latest[0].revision.can_be_sent_again:
            return None
        if not subscription or not _wants(subscription, "published"):
            return None
        values: dict[str, object] = {
            "words": _words(latest[0].revision.reason),
            "is_published": self._review.find(id) is not None,
        }
        return self._to_reader("rejected", name, subscription, latest[0].revision.article, site, values)

    def _answered(self, id: str, site: Site) -> MailDraft | None:
        answer = self._review.find(id)
        if not answer or not answer.reply_to or not self._review.published(answer.article, answer.reply_to):
            return None
        subscription, own = self._subscriptions.of(answer.reply_to), self._subscriptions.of(id)
        if not subscription or not _wants(subscription, "author" if answer.is_author else "others"):
            return None
        if own and own.is_confirmed and own.address.lower() == subscription.address.lower():
            return None  # nobody needs to hear of an own answer
        if _wants(subscription, "published") and self._review.reply_with(answer.reply_to) == answer:
            return None  # the mail about the comment itself has it
        values = {
            "is_author": answer.is_author,
            "name": _name(answer.author),
            "words": _words(answer.body) if answer.is_author else "",
        }
        return self._to_reader("answered", id, subscription, answer.article, site, values, comment=id)

    # How

    def _waiting(self, id: str) -> list[ReviewItem]:
        return [item for item in self._review.history(id) if item.revision.state == "waiting"]

    def _named(self, name: str) -> ReviewItem | None:
        """Return the revision of a name, while it waits."""
        return next((item for item in self._waiting(name.partition(".")[0]) if item.name == name), None)

    def _shown(self, item: ReviewItem, site: Site, now: datetime) -> dict[str, object]:
        revision = item.revision
        return {
            "name": _name(revision.author),
            "title": _title(revision.article, site),
            "held": _reasons(revision.held),
            "link": f"{self._settings.desk_url}/decide/{self._links.issue(item.name, now)}",
        }

    def _to_author(
        self, kind: str, about: str, drawn: tuple[str, str], *, thread: str = "", reply_to: str = ""
    ) -> MailDraft:
        return MailDraft(
            to=self._settings.mail_to,
            subject=drawn[0],
            text=drawn[1],
            message_id=self._id(kind, about),
            in_reply_to=self._id("thread", thread) if thread else "",
            reply_to=reply_to,
        )

    def _to_reader(
        self,
        kind: str,
        about: str,
        subscription: Subscription,
        article: str,
        site: Site,
        values: dict[str, object] | None = None,
        *,
        comment: str = "",
    ) -> MailDraft | None:
        conversation = site.conversations.get(article)
        if not conversation or not site.intake or not site.notices or not is_address(subscription.address):
            return None
        if not self._work.outbox.came_with_address(subscription.comment):
            return None  # forged beside a comment that came without
        choices = f"{site.intake_url}/mail/{self._subscriptions.token(subscription)}"
        values = (values or {}) | {
            "title": _title(article, site),
            "page": f"{site.url}{conversation.url}#comment-{comment}",
            "receipt": f"{site.intake_url}/receipt/{self._work.inbox.receipt(subscription.comment)}",
            "choices": choices,
        }
        subject, text = self._drawn(kind, site, values)
        return MailDraft(
            to=subscription.address,
            subject=subject,
            text=text,
            message_id=self._id(kind, about),
            in_reply_to="" if kind == "confirm" else self._id("confirm", subscription.comment),
            unsubscribe=f"{choices}/stop",
        )

    def _drawn(self, template: str, site: Site, values: dict[str, object]) -> tuple[str, str]:
        """Return subject and text."""
        text = self._theme.get_template(f"mail/{template}.txt").render(site=site, **values)
        subject, _, rest = text.partition("\n")
        return subject, rest

    def _id(self, kind: str, about: str) -> str:
        """Name a mail under the desk's key: the same mail by the same name, and nobody can tell of what."""
        return f"{hmac.digest(self._key, f'{kind}:{about}'.encode(), 'sha256').hex()[:32]}@{self._host}"


def _wants(subscription: Subscription, what: str) -> bool:
    return subscription.is_confirmed and what in subscription.events


def _title(article: str, site: Site) -> str:
    """Return an article's title, nothing if it is gone."""
    known = site.conversations.get(article)
    return one_line(known.title, TITLE_LENGTH) if known else ""


def _name(author: str) -> str:
    """Return a name for the middle of a sentence, where nothing that could be clicked may stand."""
    name = one_line(author, NAME_LENGTH)
    return name if name and _is_plain(name) else "Someone"


def _is_plain(line: str) -> bool:
    return plain(line) == line


def _with_details(words: Words) -> str:
    """Return the body behind a line for each other field that was filled in."""
    return "\n".join([*(f"{noun}: {text}" for noun, text in words.details), words.body])


def _words(body: str, limit: int = WORDS_LENGTH, above: Sequence[str] = ()) -> str:
    """Return what a reader wrote as a quotation; above it those of their lines that could be clicked, so stand in no sentence."""
    lines = [line for text in above if not _is_plain(line := one_line(text, ADDRESS_LENGTH))]
    return quoted("\n\n".join([*lines, body if len(body) <= limit else f"{body[: limit - 1].rstrip()}…"]))


def _reasons(held: tuple[str, ...]) -> str:
    return one_line("; ".join(held), EXCERPT_LENGTH)
