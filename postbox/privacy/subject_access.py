"""Subject access: all that is kept about one person, found by what the person can name: an address, a telephone number, or an id.

A comment counts as theirs only where its address was confirmed: anyone can type an address under a comment.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from contract.manifest import load
from postbox import telephone
from postbox.email_address import addresses_in, to_ascii
from postbox.moderation.errors import ModerationError
from postbox.moderation.review import ReviewItem
from postbox.moderation.service import Moderation
from postbox.store.database import transaction
from postbox.store.messages import Message, Messages
from postbox.store.subscriptions import Subscription, Subscriptions


@dataclass(frozen=True)
class DataSubject:
    """What is theirs: comments by id, addresses with the comments that they came with, messages.

    ``mentions`` are the comments and messages of anyone whose words have the address or the number in them.
    """

    comments: tuple[str, ...]
    addresses: tuple[Subscription, ...]
    messages: tuple[Message, ...]
    mentions: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the comments and messages."""
        return (*self.comments, *(message.id for message in self.messages))


def about_comment(moderation: Moderation, id: str) -> dict[str, Any]:
    """Return all that is kept about a comment, ready for JSON.

    Raises:
        ModerationError: if there is none of this id.
    """
    published, history = moderation.review.find(id), moderation.review.history(id)
    if not published and not history:
        raise ModerationError("unknown", id)
    subscription = moderation.work.subscriptions.of(id)
    return {
        "id": id,
        "published": _plain(published) if published else None,
        "revisions": [item_plainly(item) for item in history],
        "email": _plain(subscription) if subscription else None,
        "decisions": [_plain(decision) for decision in moderation.work.decisions.latest() if decision.comment == id],
    }


def about(moderation: Moderation, person: DataSubject) -> dict[str, Any]:
    """Return all that is kept about a person, ready for JSON."""
    return {
        "comments": [about_comment(moderation, id) for id in person.comments],
        "addresses": [_plain(subscription) for subscription in person.addresses],
        "messages": [_plain(message) for message in person.messages],
        "mentions": list(person.mentions),
    }


def item_plainly(item: ReviewItem) -> dict[str, Any]:
    """Return a revision, ready for JSON."""
    return {"name": item.name} | _plain(item.revision)


def find(moderation: Moderation, who: str) -> DataSubject:
    """Return what is kept about whoever has an address or a telephone number, or under one id.

    A number is one in all its ways of writing; without the code of a country it is one of the site's.

    Raises:
        ModerationError: if there is nothing.
    """
    messages = moderation.work.messages
    addresses, theirs, region = [], [], _region(moderation)
    if moderation.review.find(who):  # before a number, for an id can be one; a forged row is not published
        return DataSubject((who,), (), (), ())
    if "@" in who:
        addresses = moderation.work.subscriptions.having(to_ascii(who) or who)
        theirs = [it for it in messages.everything() if _sent_to(who) in map(_sent_to, _addresses(it.contact))]
    elif telephone.is_number(who):
        theirs = [it for it in messages.everything() if telephone.mentions(it.contact, who, region)]
    elif moderation.review.history(who):
        return DataSubject((who,), (), (), ())
    elif message := messages.one(who):
        return DataSubject((), (), (message,), ())
    else:
        raise ModerationError("nobody", who)
    comments = tuple(it.comment for it in addresses if it.is_confirmed and moderation.review.is_a_readers(it.comment))
    mentions = _mentions(moderation, who, region) - {*comments, *(it.id for it in theirs)}
    if not addresses and not theirs and not mentions:
        if moderation.review.history(who):  # of what waits, and has a number for its id
            return DataSubject((who,), (), (), ())
        raise ModerationError("nobody", who)
    return DataSubject(comments, tuple(addresses), tuple(theirs), tuple(sorted(mentions)))


def forget(moderation: Moderation, person: DataSubject, *, who: str, now: datetime) -> None:
    """Erase all that is theirs; where others mention them, the words stay."""
    for id in person.comments:
        moderation.forget(id, who=who, now=now)
    messages, addresses = [it.id for it in person.messages], [it.comment for it in person.addresses]
    moderation.store.erasures.add([*(("message", id) for id in messages), *(("subscription", id) for id in addresses)])
    inbox = moderation.work.inbox
    with transaction(inbox.connection):
        for id in messages:
            Messages(inbox).forget(id)
        for comment in addresses:
            Subscriptions(inbox).stop(comment)
    known = {it.address.lower() for it in person.addresses}
    for failed in moderation.work.outbox.failed():  # in the server's own words, which may name an address
        if any(address in failed.error.lower() for address in known):
            moderation.work.outbox.dismiss(failed.sequence)
    moderation.publisher.wipe()


def _region(moderation: Moderation) -> str:
    """Return the country whose numbers are written without its code."""
    try:
        site = load(moderation.store.settings.site)
    except (OSError, ValueError):  # the site is not built yet
        return telephone.DEFAULT_REGION
    return telephone.region_of(site.telephone, site.language)


def _addresses(contact: str) -> list[str]:
    return [contact, *addresses_in(contact)]


def _sent_to(address: str) -> str:
    return (to_ascii(address) or address).lower()


def _mentions(moderation: Moderation, who: str, region: str) -> set[str]:
    is_number = telephone.is_number(who)

    def mentions(*texts: str) -> bool:
        return any(who.casefold() in text.casefold() for text in texts) or (
            is_number and any(telephone.mentions(text, who, region) for text in texts)
        )

    inbox, messages = moderation.work.inbox, moderation.work.messages
    published = {comment.id for comment in moderation.review.all_published() if mentions(*comment.words.values())}
    kept = {revision.id for revision in inbox.everything() if mentions(*revision.words.values())}
    return published | kept | {message.id for message in messages.everything() if mentions(message.name, message.body)}


def _plain(record: Any) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(record).items()}
