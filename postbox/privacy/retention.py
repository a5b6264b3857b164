"""Retention: addresses, words that are on no page, and messages.

The days are counted from what the desk has recorded itself; the inbox may be forged, so its dates can at most keep
a forged row, or take away what whoever forged it could have taken away as well.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contract.manifest import load
from postbox.log import fault
from postbox.moderation.service import Moderation
from postbox.store.database import transaction
from postbox.store.messages import Messages
from postbox.store.submissions import Inbox, stamp
from postbox.store.subscriptions import Subscriptions
from postbox.store.unit_of_work import Store

EVERY_SECONDS = 3600
EPOCH = datetime.fromtimestamp(0, UTC)  # what an unreadable date is shown as


@dataclass(frozen=True)
class Tidied:
    """What was erased: addresses, codes that recognise a form sent twice, words by comment, messages, mails in files."""

    addresses: int
    codes: int
    comments: int
    messages: int
    mails: int


def tidy(moderation: Moderation, *, now: datetime) -> Tidied:
    """Erase what has been kept for as long as the facts of the site say, out of the files of the databases too.

    A comment that is published or waits is never touched. A message's days count from when it came;
    one whose date cannot be true is erased once its reader is done with it.
    """
    work, settings = moderation.work, moderation.store.settings
    work.need_inbox()
    site = load(settings.site)
    comments, rejected = 0, now - timedelta(days=site.keep_rejected_days)
    while expired := moderation.expire(rejected):
        comments += expired
    work.outbox.tidy(now)
    for failed in work.outbox.failed():
        if failed.when < rejected:  # what the server said of it may name an address
            work.outbox.dismiss(failed.sequence)
    decided = work.decisions.done_before(now - timedelta(days=site.keep_address_days))
    inbox, over = work.inbox, _over(work.messages, now - timedelta(days=site.keep_message_days), now)
    with transaction(inbox.connection):
        tidied = Tidied(
            addresses=_addresses(inbox, decided, rejected),
            codes=_codes(inbox, decided),
            comments=comments,
            messages=len(over),
            mails=_mails(settings.mail, rejected),
        )
        for id in over:
            work.messages.forget(id)
    if any(asdict(tidied).values()):
        moderation.publisher.wipe()
    return tidied


async def hourly(store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Tidy at once and then every hour, beside everything else, until cancelled; a fault is logged and tried again."""

    def tidy_now() -> None:
        with store.unit() as work:
            tidy(Moderation(store, work), now=clock())

    while True:
        try:
            await asyncio.to_thread(tidy_now)
        except Exception as error:  # nothing else may stop for it
            fault(error)
        await asyncio.sleep(EVERY_SECONDS)


def _addresses(inbox: Inbox, decided: set[str], unconfirmed: datetime) -> int:
    """Erase the addresses of comments that were decided on, those that nobody confirmed, and those that unsubscribed."""
    unsubscribed = [
        row["comment"] for row in inbox.connection.execute("SELECT comment FROM subscription WHERE events = ''")
    ]
    for id in unsubscribed:
        Subscriptions(inbox).stop(id)  # which leaves word, so that no backup brings it back
    erased = sum(inbox.run("DELETE FROM subscription WHERE comment = ?", id) for id in decided)
    came = "(SELECT received FROM revision WHERE comment = subscription.comment AND number = 1)"
    query = f"DELETE FROM subscription WHERE is_confirmed = 0 AND {came} < ?"  # noqa: S608  # the line above
    return len(unsubscribed) + erased + inbox.run(query, stamp(unconfirmed))


def _codes(inbox: Inbox, decided: set[str]) -> int:
    query = "UPDATE comment SET resend_key = NULL WHERE id = ? AND resend_key IS NOT NULL"
    return sum(inbox.run(query, id) for id in decided)


def _over(messages: Messages, before: datetime, now: datetime) -> list[str]:
    over = []
    for message in messages.everything():
        is_over = message.received < before if EPOCH < message.received <= now else message.state == "done"
        if is_over and message.state != "deleted":
            over.append(message.id)
    return over


def _mails(folder: Path, before: datetime) -> int:
    """Delete the mails that lie in files because there was no server to take them."""
    old = [path for path in folder.glob("*.eml") if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink()
    return len(old)
