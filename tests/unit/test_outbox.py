"""The outbox: nothing is lost or doubled, pauses grow, and more than ten in an hour go as one."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from postbox.moderation.publisher import NOTICE_DELAY
from postbox.settings import Settings
from postbox.store.database import connect, transaction
from postbox.store.decisions import MIGRATIONS
from postbox.store.outbox import ARRIVALS, PAUSES, TABLE, Failed, Health, Outbox, Row
from tests.support.moderation import House, house, settings
from tests.support.store import NOW

__all__ = ["house", "settings"]  # fixtures

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Kept:
    """An outbox in a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.connection = connect(folder / "desk.sqlite", [TABLE, ARRIVALS])
        self.outbox = Outbox(self.connection)

    def add(self, kind: str, about: str, now: datetime = NOW) -> None:
        """Add one as a decision does."""
        with transaction(self.connection):
            self.outbox.add(kind, about, now=now, delay=NOTICE_DELAY)

    def due(self, now: datetime) -> list[tuple[str, str]]:
        """Send all that is due to nobody who counts; return what it was."""
        found = []
        while row := self.outbox.next(now):
            self.outbox.record(row, now, None)
            found.append((row.kind, row.about))
        return found

    def next(self, now: datetime = NOW) -> Row:
        """Return what is due."""
        row = self.outbox.next(now)
        assert row
        return row

    def dump(self) -> str:
        """Return all that is kept."""
        return "\n".join(self.connection.iterdump())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """An empty outbox."""
    return Kept(tmp_path)


def comments(*numbers: int) -> list[tuple[str, str]]:
    """Return that many comments as the inbox notes them."""
    return [("comment", f"c{number:03}.r") for number in numbers]


# What decisions add


def told(house: House) -> list[tuple[str, str]]:
    """Return what the outbox of a place will tell, one after the other."""
    outbox, found = house.moderation.work.outbox, []
    while row := outbox.next(NOW + HOUR):
        outbox.drop(row)
        found.append((row.kind, row.about))
    return found


def test_a_decision_is_told_to_whom_it_concerns_once(house: House) -> None:
    alone, reply = house.send(), house.send(reply_to="0001")
    names = [house.name(id) for id in (alone, reply)]

    house.approve(alone)
    assert told(house) == [("published", names[0])]
    house.approve(reply)
    assert told(house) == [("published", names[1]), ("answered", reply)]
    house.change(reply, "Better words.")
    house.approve(reply)
    assert [kind for kind, _ in told(house)] == ["published"]
    house.answer(alone, "Thank you.")
    [(kind, about)] = told(house)
    assert (kind, house.comment(about).reply_to) == ("answered", alone)
    kept_out = house.send()
    house.reject(kept_out, "Too long.")
    assert told(house) == [("rejected", house.review.history(kept_out)[-1].name)]
    house.reject(house.send())
    house.moderation.spam(house.name(house.send()), **house.by)
    house.remove("0001")
    assert told(house) == []


def test_a_decision_that_cannot_be_recorded_tells_nobody(house: House) -> None:
    id = house.send()
    log = sqlite3.connect(house.settings.desk / "desk.sqlite")
    log.execute("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    log.commit()

    with pytest.raises(sqlite3.Error, match="disk full"):
        house.approve(id)

    log.execute("DROP TRIGGER full")
    log.commit()
    assert house.decisions.latest() == []
    assert [item.revision.id for item in house.review.queue()] == [id]


def test_a_desk_of_the_version_before_gains_the_outbox(settings: Settings) -> None:
    settings.desk.mkdir(parents=True)
    connect(settings.desk / "desk.sqlite", MIGRATIONS[:1]).close()
    house = House(settings)

    house.published()

    assert [kind for kind, _ in told(house)] == ["published"]


# What waits


@pytest.mark.parametrize("again", [timedelta(0), MINUTE / 2])
def test_a_notice_waits_before_it_is_due_from_when_it_was_last_added(kept: Kept, again: timedelta) -> None:
    kept.add("published", "c1.r")
    kept.add("published", "c1.r", NOW + again)

    assert kept.due(NOW + NOTICE_DELAY + again - timedelta(seconds=1)) == []
    assert kept.due(NOW + NOTICE_DELAY + again) == [("published", "c1.r")]


def test_what_was_sent_is_not_sent_again_the_same_day(kept: Kept) -> None:
    kept.outbox.take_over(comments(1), NOW)
    kept.due(NOW)

    kept.outbox.take_over(comments(1), NOW)
    kept.add("comment", "c001.r")

    assert kept.due(NOW + HOUR) == []


def test_a_fresh_link_is_sent_once_a_day_however_often_it_is_asked_for(kept: Kept) -> None:
    for _ in range(5):
        kept.outbox.send_link("c1.r", NOW)
    kept.outbox.send_link("c1.r", NOW + timedelta(days=1))

    assert kept.due(NOW + timedelta(days=1)) == [("link", "c1.r.2026-11-22"), ("link", "c1.r.2026-11-23")]


def test_what_was_sent_is_forgotten_after_a_day_and_to_whom_too(kept: Kept) -> None:
    ids = ["sentsent", "failfail", "waitwait"]
    kept.outbox.take_over([("confirm", id) for id in ids], NOW, arrived=ids)
    for end in ("sent", "fail"):
        row = kept.next()
        if end == "sent":
            kept.outbox.record(row, NOW, b"tom-and-tom")
        else:
            kept.outbox.fail(row, "550 No", NOW, b"tom-and-tom", is_permanent=True)
    assert kept.outbox.sent_to(b"tom-and-tom", NOW) == ["confirm", "confirm"]

    kept.outbox.tidy(NOW + timedelta(days=1))

    assert [row["about"] for row in kept.connection.execute("SELECT about FROM outbox")] == ids[1:]
    assert b"tom-and-tom".hex() not in kept.dump().lower()
    assert kept.outbox.sent_to(b"tom-and-tom", NOW) == []
    assert [failed.about for failed in kept.outbox.failed()] == ["failfail"]
    assert kept.due(NOW) == [("confirm", "waitwait")]


# What is not taken


def test_pauses_grow_until_a_mail_is_given_up_after_three_days(kept: Kept) -> None:
    kept.outbox.take_over(comments(1), NOW)
    now, pauses = NOW, []
    while row := kept.outbox.next(now):
        kept.outbox.fail(row, f"451 Later {row.tries}", now, None, is_permanent=False)
        pause = next((p for p in PAUSES if kept.outbox.next(now + p)), None)
        pauses.append(pause)
        now += pause or timedelta(0)

    assert pauses == [*PAUSES, None]
    assert list(PAUSES) == sorted(PAUSES)
    assert timedelta(days=3) < now - NOW < timedelta(days=4)
    assert kept.outbox.failed() == [Failed(1, "comment", "c001.r", "451 Later 9", 10, now)]


def test_what_is_refused_for_good_is_given_up_at_once_in_the_servers_words(kept: Kept) -> None:
    kept.outbox.take_over(comments(1, 2), NOW)
    row = kept.next()

    kept.outbox.fail(row, "550 5.1.1 No such user", NOW, None, is_permanent=True)

    assert kept.outbox.failed() == [Failed(1, "comment", "c001.r", "550 5.1.1 No such user", 1, NOW)]
    assert kept.due(NOW + timedelta(days=9)) == comments(2)


def test_what_was_given_up_is_sent_again_as_if_it_were_new_or_dismissed(kept: Kept) -> None:
    kept.outbox.take_over(comments(1, 2, 3), NOW)
    while row := kept.outbox.next(NOW):
        kept.outbox.fail(row, "550 No", NOW, None, is_permanent=True)

    assert kept.outbox.again(1, NOW + HOUR)
    assert kept.outbox.dismiss(2)

    assert kept.outbox.next(NOW + HOUR) == Row(1, "comment", "c001.r", 0)
    assert [failed.sequence for failed in kept.outbox.failed()] == [3]
    assert not kept.outbox.again(1, NOW)
    assert not kept.outbox.dismiss(1)
    assert not kept.outbox.dismiss(2)
    assert not kept.outbox.again(99, NOW)


@pytest.mark.parametrize(("is_permanent", "health"), [(True, Health(2, NOW, 1)), (False, Health(3, NOW, 0))])
def test_its_health_says_what_waits_what_is_late_and_what_was_given_up(
    kept: Kept, is_permanent: bool, health: Health
) -> None:
    assert kept.outbox.health(NOW) == Health(0, None, 0)
    kept.outbox.take_over(comments(1, 2), NOW)
    kept.add("published", "c3.r")

    kept.outbox.fail(kept.next(), "550 No", NOW + MINUTE / 2, None, is_permanent=is_permanent)

    assert kept.outbox.health(NOW + MINUTE / 2) == health


# More than ten in an hour


def test_the_eleventh_and_later_of_an_hour_go_as_one_when_it_is_over_and_the_next_alone(kept: Kept) -> None:
    for number in range(14):
        kept.outbox.take_over(comments(number), NOW + number * MINUTE)

    assert kept.due(NOW + HOUR - MINUTE) == comments(*range(10))
    kept.outbox.take_over(comments(3, 10), NOW + HOUR - MINUTE)  # which was sent, and which waits
    assert kept.due(NOW + HOUR) == [("digest", "comment.c010.r")]
    assert kept.outbox.gathered("comment.c010.r") == [about for _, about in comments(10, 11, 12, 13)]
    kept.outbox.take_over(comments(99), NOW + HOUR)
    assert kept.due(NOW + HOUR) == comments(99)
    assert kept.due(NOW + timedelta(days=9)) == []


def test_messages_pass_the_cap_and_neither_they_nor_mails_to_readers_count(kept: Kept) -> None:
    others = [(kind, f"{kind}{n:03}") for n in range(20) for kind in ("confirm", "message")]
    arrived = [about for kind, about in others if kind == "confirm"]
    kept.outbox.take_over([*others, *comments(*range(11)), ("message", "late")], NOW, arrived=arrived)

    assert kept.due(NOW) == [*others, *comments(*range(10)), ("message", "late")]
    assert kept.outbox.gathered("comment.c010.r") == ["c010.r"]


def test_in_a_flood_of_hours_the_author_gets_eleven_mails_an_hour(kept: Kept) -> None:
    sent: list[datetime] = []
    for minute in range(8 * 60):
        now = NOW + minute * MINUTE
        kept.outbox.take_over(comments(*range(2 * minute, 2 * minute + 2)), now)
        sent += [now] * len(kept.due(now))
        kept.outbox.tidy(now)

    assert max(sum(begin <= time < begin + HOUR for time in sent) for begin in sent) <= 12  # with the last hour's one
    assert len(sent) <= 11 * 8 + 11


def test_what_a_digest_gathers_stays_with_it_until_it_is_taken(kept: Kept) -> None:
    kept.outbox.take_over(comments(*range(12)), NOW)
    kept.due(NOW)
    row = kept.next(NOW + HOUR)

    kept.outbox.fail(row, "451 Later", NOW + HOUR, None, is_permanent=False)
    kept.outbox.take_over(comments(10, 50), NOW + HOUR)

    assert kept.outbox.gathered(row.about) == ["c010.r", "c011.r"]
    assert kept.outbox.health(NOW + HOUR).waiting == 4
    assert kept.due(NOW + 2 * HOUR) == [*comments(50), ("digest", row.about)]
    assert kept.outbox.health(NOW + HOUR).waiting == 0


@pytest.mark.parametrize("end", ["drop", "dismiss", "tidy"])
def test_what_a_digest_gathered_goes_with_it(kept: Kept, end: str) -> None:
    kept.outbox.take_over(comments(*range(12)), NOW)
    kept.due(NOW)
    row = kept.next(NOW + HOUR)

    if end == "drop":
        kept.outbox.drop(row)
    elif end == "dismiss":
        kept.outbox.fail(row, "550 No", NOW, None, is_permanent=True)
        kept.outbox.dismiss(row.sequence)
    else:
        kept.due(NOW + HOUR)
        kept.outbox.tidy(NOW + timedelta(days=2))

    assert "c011" not in kept.dump()
