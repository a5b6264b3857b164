"""Export of every comment in the exchange format (``contract.exchange``), for another site or another system; and of messages.

Published comments, places that removed ones keep, and new comments that wait. A change that waits is not among them:
it belongs to its writer's private link, which does not move. A file that cannot be read is left out.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

from contract.comment import DATE_FORMAT, Comment, CommentError, read
from contract.exchange import Exchanged, dumps
from postbox.moderation.service import Moderation


def lines(moderation: Moderation) -> Iterator[str]:
    """Yield a line for each comment, by article and id, then those that wait."""
    kept = set()
    for path in sorted(moderation.store.settings.comments.glob("*/*.md")):
        kept.add(path.stem)
        with suppress(CommentError, OSError):
            yield dumps(Exchanged(read(path)))
    waiting = [item.revision for item in moderation.review.queue() if item.revision.id not in kept]
    for revision in sorted(waiting, key=lambda revision: (revision.article, revision.id)):
        with suppress(CommentError):  # a forged row
            date = revision.received.replace(microsecond=0)
            comment = Comment(
                id=revision.id, article=revision.article, reply_to=revision.reply_to, date=date, **revision.words
            )
            yield dumps(Exchanged(comment, is_waiting=True, held=revision.held))


def messages(moderation: Moderation) -> Iterator[str]:
    """Yield a line of JSON for each message that is not deleted: its id, name, contact, body, date, state and held."""
    for message in moderation.work.messages.everything():
        if message.state != "deleted":
            fields = asdict(message)
            fields["date"] = fields.pop("received").strftime(DATE_FORMAT)
            yield json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)
