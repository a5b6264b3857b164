"""Mail worker: sends what the outbox holds, one mail at a time, in the desk's process and beside its pages.

Each mail is sent at least once: it is recorded after the server took it, so a crash between the two sends it again,
under the same Message-ID. What a server does not take is tried again after growing pauses (``postbox.store.outbox.PAUSES``).
"""

import asyncio
import fcntl
import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from jinja2 import FileSystemLoader

from contract.comment import ID
from contract.manifest import ManifestFile, Site
from contract.templates import environment
from postbox.mail.compose import TO_READERS, Composer
from postbox.mail.message import MailDraft
from postbox.mail.smtp import Mailer, MailError
from postbox.moderation.service import Moderation
from postbox.store.database import transaction
from postbox.store.outbox import HOUR, Row
from postbox.store.unit_of_work import Store, UnitOfWork

T = TypeVar("T")

EVENTS_AT_ONCE = 100  # of the inbox, taken over in one transaction
WAKE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60  # while a server takes nothing
MAX_TO_ADDRESS = 10  # mails a day
MAX_QUESTIONS = 3  # of these, whether the address is theirs
MAX_MESSAGES = 100  # mails of the contact form an hour, so that a flood does not use up what the server takes
CAP_PAUSE = timedelta(hours=1)  # until it is looked again whether the day is over, or the hour

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A mail that is due and composed; ``recipient`` stands for its address where mails are counted."""

    row: Row
    draft: MailDraft
    recipient: bytes | None
    site: Site


class MailWorker:
    """Takes over the events of the inbox, and sends; its log names kinds and numbers, and no person."""

    def __init__(
        self,
        store: Store,
        *,
        mailer: Mailer | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Work in a store; ``mailer`` stands in for one that is made of the settings, ``wait`` ends early where there is news."""
        self._store, self._settings, self._clock = store, store.settings, clock
        self._theme = environment(FileSystemLoader(self._settings.theme / "templates"))
        self._manifest = ManifestFile(self._settings.site)
        self._wait = wait
        self._mailer = mailer or Mailer(self._settings, self._theme)

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
            await (self._wait if is_well else asyncio.sleep)(pause)

    async def send_due(self) -> bool:
        """Take over every event and send what is due, until the server fails; return whether it did not.

        One process at a time: of two desks the other has nothing to do, and the system frees the lock of one that dies.
        """
        with (self._settings.desk / "mail.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return await self._send_all()

    async def _send_all(self) -> bool:
        while True:
            while await self._in_unit(self._take_over):
                pass
            row, job = await self._in_unit(self._next_job)
            if not row:
                return True
            if job and not await self._send(job):
                return False

    async def _in_unit(self, task: Callable[[UnitOfWork], T]) -> T:
        """Do a task with a unit of work of its own, in a thread."""

        def work() -> T:
            with self._store.unit() as unit:
                return task(unit)

        return await asyncio.to_thread(work)

    def _composer(self, work: UnitOfWork) -> Composer:
        return Composer(self._settings, Moderation(self._store, work), self._theme)

    def _take_over(self, work: UnitOfWork) -> bool:
        """Move some events of the inbox into the outbox and return whether there were any.

        A crash between the two keeps each, and adds none twice.
        """
        work.need_inbox()
        events = work.inbox.events(limit=EVENTS_AT_ONCE)
        if not events:
            return False
        if len(events) == EVENTS_AT_ONCE and events[-1].kind == "comment":
            events.pop()  # its address, if it has one, is the next
        composer, known = self._composer(work), []
        for event in events:
            if about := composer.about(event):
                known.append((event.kind, about))
            else:
                _log.info("event %d has nothing to tell any more, or is not of the intake's writing", event.sequence)
        arrived = {event.about for event in events if event.kind == "comment" and ID.fullmatch(event.about)}
        work.outbox.take_over(known, self._clock(), arrived=arrived)
        with transaction(work.inbox.connection):
            for event in events:
                work.inbox.drop(event)
        return True

    def _next_job(self, work: UnitOfWork) -> tuple[Row | None, Job | None]:
        """Return what has been due for longest, and what is to be sent of it, if anything is."""
        work.need_inbox()  # or what it is about would look gone
        row = work.outbox.next(self._clock())
        if not row:
            return None, None
        site = self._manifest.read()
        try:
            composer = self._composer(work)
            draft = composer.draft(row.kind, row.about, site, self._clock())
            recipient = composer.recipient(draft) if draft and row.kind in TO_READERS else None
        except Exception as error:  # a fault of this one mail takes no other along
            self._set_aside(work, row, error)
            return row, None
        if not draft:
            work.outbox.drop(row)
            return row, None
        if self._is_capped(work, row, recipient):
            return row, None
        return row, Job(row, draft, recipient, site)

    async def _send(self, job: Job) -> bool:
        """Send one mail and record what became of it; return False if the server should be left alone for a while."""
        row, refusal = job.row, None
        try:
            await self._mailer.send(job.draft, job.site)
        except MailError as error:
            refusal = error
        except Exception as error:  # the theme draws no mail, for one
            broken = error
            await self._in_unit(lambda work: self._set_aside(work, row, broken))
            return True
        if not refusal:
            await self._in_unit(lambda work: work.outbox.record(row, self._clock(), job.recipient))
            _log.info("mail %d (%s) is sent, at try %d", row.sequence, row.kind, row.tries + 1)
            return True
        how = "for good" if refusal.is_permanent else "for now"
        _log.warning("mail %d (%s) is refused %s, at try %d", row.sequence, row.kind, how, row.tries + 1)
        words = re.sub(re.escape(job.draft.to), "the address", str(refusal), flags=re.IGNORECASE)
        is_permanent = refusal.is_permanent
        await self._in_unit(
            lambda work: work.outbox.fail(row, words, self._clock(), job.recipient, is_permanent=is_permanent)
        )
        return is_permanent

    def _set_aside(self, work: UnitOfWork, row: Row, error: Exception) -> None:
        """Keep a mail for later that cannot be composed."""
        _log.error("mail %d (%s) cannot be composed: %s", row.sequence, row.kind, _without_words(error))
        words = f"It could not be composed ({type(error).__name__})."
        work.outbox.fail(row, words, self._clock(), None, is_permanent=False)

    def _is_capped(self, work: UnitOfWork, row: Row, recipient: bytes | None) -> bool:
        """Tell whether a message, or a mail to a reader, is one too many; then a question is dropped, and anything else waits.

        Questions may use half of what all readers are sent, so that nobody who asks for many keeps the others' notices back.
        """
        now, limit = self._clock(), self._settings.mail_readers
        if row.kind == "message" and work.outbox.sent_since(row.kind, now - HOUR) >= MAX_MESSAGES:
            _log.warning("mail %d (%s) is one too many and waits", row.sequence, row.kind)
            work.outbox.postpone(row, now + CAP_PAUSE)
            return True
        if not recipient:
            return False
        own, all = work.outbox.sent_to(recipient, now), work.outbox.sent_to_all(now)
        is_question = row.kind == "confirm"
        is_asked = own.count("confirm") >= MAX_QUESTIONS or work.outbox.has_refused(recipient)
        if is_question and (is_asked or all.count("confirm") >= limit // 2):
            _log.warning("mail %d (%s) is one too many and dropped", row.sequence, row.kind)
            work.outbox.drop(row)
        elif len(own) >= MAX_TO_ADDRESS or len(all) >= limit:
            _log.warning("mail %d (%s) is one too many and waits", row.sequence, row.kind)
            work.outbox.postpone(row, now + CAP_PAUSE)
        else:
            return False
        return True


def _without_words(error: Exception) -> str:
    """Return what kind of error it is and where it was raised; its own text may hold a name or an address, but the system's."""
    if isinstance(error, OSError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}, {frame.filename}:{frame.lineno}"
