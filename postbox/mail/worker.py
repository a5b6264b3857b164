"""Sends what the desk's outbox holds, one mail at a time, in the desk's process and beside its pages.

Each mail is sent at least once: it is recorded after the server took it, so a crash between the two sends it again,
under the same Message-ID. What a server does not take is tried again after growing pauses (``postbox.store.outbox.PAUSES``).
"""

import asyncio
import logging
import re
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from jinja2 import FileSystemLoader

from contract.manifest import Site, load
from contract.templates import environment
from postbox.mail.compose import TO_READERS, Composer
from postbox.mail.message import MailDraft
from postbox.mail.smtp import Mailer, MailError
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.outbox import Row

EVENTS_AT_ONCE = 100  # of the inbox, taken over in one transaction
WAKE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60  # while a server takes nothing
MAX_TO_ADDRESS = 10  # mails a day
MAX_QUESTIONS = 3  # of these, whether the address is theirs
CAP_PAUSE = timedelta(hours=1)  # until it is looked again whether the day is over

_log = logging.getLogger(__name__)


class MailWorker:
    """Takes over what the inbox events, and sends; its log names kinds and numbers, and no person."""

    def __init__(
        self,
        settings: Settings,
        *,
        mailer: Mailer | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open inbox and outbox; ``mailer`` stands in for one that is made of the settings."""
        theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._settings = settings
        self._moderation = Moderation(settings)
        self._outbox = self._moderation.outbox
        self._composer = Composer(settings, self._moderation, theme)
        self._mailer = mailer or Mailer(settings, theme)
        self._clock = clock

    async def run(self) -> None:
        """Send whatever comes, until cancelled; while the server takes nothing it is asked ever more rarely."""
        pause, logged = WAKE_SECONDS, ""
        while True:
            try:
                is_well = await self.send_due()
                logged = ""
            except Exception as error:  # what cannot be read or written now may be later
                is_well, fault = False, _without_words(error)
                if fault != logged:
                    _log.error("no mail can be sent: %s", fault)
                logged = fault
            pause = WAKE_SECONDS if is_well else min(2 * pause, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def send_due(self) -> bool:
        """Take over every event and send what is due, until the server fails; return whether it did not."""
        await self._take_over()
        self._outbox.tidy(self._clock())
        while row := self._outbox.next(self._clock()):
            if not await self._send(row, load(self._settings.site)):
                return False
            await self._take_over()
        return True

    async def _take_over(self) -> None:
        """Move the events of the inbox into the outbox; a crash between the two keeps each, and adds none twice."""
        inbox = self._moderation.inbox
        while events := inbox.events(limit=EVENTS_AT_ONCE):
            known = []
            for event in events:
                about = self._composer.about(event)
                if about:
                    known.append((event.kind, about))
                else:
                    _log.info(
                        "event %d has nothing to tell any more, or is not of the intake's writing", event.sequence
                    )
            self._outbox.take_over(known, self._clock())
            with transaction(inbox.connection):
                for event in events:
                    inbox.drop(event)
            await asyncio.sleep(0)

    async def _send(self, row: Row, site: Site) -> bool:
        """Send one mail and record what became of it; return False if the server should be left alone for a while."""
        try:
            draft = self._composer.draft(row.kind, row.about, site, self._clock())
            if not draft:
                self._outbox.drop(row)
                return True
            recipient = self._composer.recipient(draft) if row.kind in TO_READERS else None
            if recipient and self._is_capped(row, recipient):
                return True
            refusal = await self._refusal(draft, site)
        except Exception as error:  # a fault of this one mail takes no other along
            _log.error("mail %d (%s) cannot be composed: %s", row.sequence, row.kind, _without_words(error))
            words = f"It could not be composed ({type(error).__name__})."
            self._outbox.fail(row, words, self._clock(), None, is_permanent=False)
            return True
        if not refusal:
            self._outbox.record(row, self._clock(), recipient)
            _log.info("mail %d (%s) is sent, at try %d", row.sequence, row.kind, row.tries + 1)
            return True
        how = "for good" if refusal.is_permanent else "for now"
        _log.warning("mail %d (%s) is refused %s, at try %d", row.sequence, row.kind, how, row.tries + 1)
        words = re.sub(re.escape(draft.to), "the address", str(refusal), flags=re.IGNORECASE)
        self._outbox.fail(row, words, self._clock(), recipient, is_permanent=refusal.is_permanent)
        return refusal.is_permanent

    async def _refusal(self, draft: MailDraft, site: Site) -> MailError | None:
        """Send a draft; return why it was not taken, if so."""
        try:
            await self._mailer.send(draft, site)
        except MailError as error:
            return error
        return None

    def _is_capped(self, row: Row, recipient: bytes) -> bool:
        """Tell whether a reader's mail is one too many; then a question is dropped, and anything else waits.

        Questions may use half of what all readers are sent, so that nobody who asks for many keeps the others' notices back.
        """
        now, limit = self._clock(), self._settings.mail_readers
        own, all = self._outbox.sent_to(recipient, now), self._outbox.sent_to_all(now)
        is_question = row.kind == "confirm"
        if is_question and (own.count("confirm") >= MAX_QUESTIONS or all.count("confirm") >= limit // 2):
            _log.warning("mail %d (%s) is one too many and dropped", row.sequence, row.kind)
            self._outbox.drop(row)
        elif len(own) >= MAX_TO_ADDRESS or len(all) >= limit:
            _log.warning("mail %d (%s) is one too many and waits", row.sequence, row.kind)
            self._outbox.postpone(row, now + CAP_PAUSE)
        else:
            return False
        return True


def _without_words(error: Exception) -> str:
    """Return what kind of error it is and where it was raised; its own text may hold a name or an address, but the system's."""
    if isinstance(error, OSError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, {frame.filename}:{frame.lineno}"
