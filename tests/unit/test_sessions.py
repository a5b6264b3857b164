"""Signing in: a link opens one session, once, and neither can be read from what is kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from postbox.desk.sessions import MIGRATIONS, SignIn
from postbox.store.database import connect
from tests.support.store import Clock


def a_session(sign_in: SignIn, now: datetime) -> str:
    """Sign in and return the session."""
    session = sign_in.redeem(sign_in.issue(now), now)
    assert session
    return session


def test_a_link_opens_a_session_once(tmp_path: Path, clock: Clock) -> None:
    sign_in = SignIn(tmp_path)
    token = sign_in.issue(clock())

    session = sign_in.redeem(token, clock())
    again = sign_in.redeem(token, clock())

    assert session
    assert sign_in.is_open(session, clock())
    assert again is None


def test_of_many_who_use_a_link_at_once_one_gets_in(tmp_path: Path, clock: Clock) -> None:
    token = SignIn(tmp_path).issue(clock())

    with ThreadPoolExecutor(8) as threads:
        sessions = list(threads.map(lambda _: SignIn(tmp_path).redeem(token, clock()), range(8)))

    assert len([session for session in sessions if session]) == 1


@pytest.mark.parametrize(("minutes", "works"), [(14, True), (15, False), (60, False)])
def test_a_link_works_for_fifteen_minutes(tmp_path: Path, clock: Clock, minutes: int, works: bool) -> None:
    sign_in = SignIn(tmp_path)
    token = sign_in.issue(clock())

    session = sign_in.redeem(token, clock() + timedelta(minutes=minutes))

    assert bool(session) is works


@pytest.mark.parametrize(("days", "is_open"), [(29, True), (30, False)])
def test_a_session_lasts_for_thirty_days(tmp_path: Path, clock: Clock, days: int, is_open: bool) -> None:
    sign_in = SignIn(tmp_path)
    session = a_session(sign_in, clock())

    assert sign_in.is_open(session, clock() + timedelta(days=days)) is is_open


def test_a_closed_session_is_over_and_takes_no_other_along(tmp_path: Path, clock: Clock) -> None:
    sign_in = SignIn(tmp_path)
    phone, laptop = a_session(sign_in, clock()), a_session(sign_in, clock())

    sign_in.close(phone)

    assert not sign_in.is_open(phone, clock())
    assert sign_in.is_open(laptop, clock())


def test_a_link_is_no_session_and_a_session_no_link(tmp_path: Path, clock: Clock) -> None:
    sign_in = SignIn(tmp_path)
    token, session = sign_in.issue(clock()), a_session(sign_in, clock())

    assert not sign_in.is_open(token, clock())
    assert sign_in.redeem(session, clock()) is None


@pytest.mark.parametrize("text", ["", "x", "\ud800", "\0", "é" * 10_000, "' OR 1=1 --"])
def test_whatever_else_is_sent_opens_nothing(tmp_path: Path, clock: Clock, text: str) -> None:
    sign_in = SignIn(tmp_path)
    a_session(sign_in, clock())

    assert sign_in.redeem(text, clock()) is None
    assert not sign_in.is_open(text, clock())
    sign_in.close(text)


def test_what_is_kept_signs_nobody_in(tmp_path: Path, clock: Clock) -> None:
    sign_in = SignIn(tmp_path)
    token, session = sign_in.issue(clock()), a_session(sign_in, clock())

    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    rows = connect(tmp_path / "sessions.sqlite", MIGRATIONS).execute("SELECT digest FROM session").fetchall()

    assert token.encode() not in kept
    assert session.encode() not in kept
    assert not sign_in.is_open(rows[0]["digest"].hex(), clock())


def test_they_are_there_after_the_process_is_gone(tmp_path: Path, clock: Clock) -> None:
    token, session = SignIn(tmp_path).issue(clock()), a_session(SignIn(tmp_path), clock())

    assert SignIn(tmp_path).redeem(token, clock())
    assert SignIn(tmp_path).is_open(session, clock())


def test_what_is_over_is_forgotten(tmp_path: Path, clock: Clock) -> None:
    sign_in = SignIn(tmp_path)
    sign_in.issue(clock())
    a_session(sign_in, clock())

    a_session(sign_in, clock() + timedelta(days=40))

    database = connect(tmp_path / "sessions.sqlite", MIGRATIONS)
    assert [database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("link", "session")] == [0, 1]


def test_no_other_user_may_enter_the_folder(tmp_path: Path) -> None:
    SignIn(tmp_path / "var" / "desk")

    assert (tmp_path / "var" / "desk").stat().st_mode & 0o777 == 0o700
