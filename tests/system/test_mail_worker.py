"""The delivery: a mail server that is down, slow, refuses or hangs up loses nothing, and nobody waits for it."""

# ruff: noqa: N802  # the names of the hooks are aiosmtpd's

import asyncio
import email
import logging
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from jinja2 import FileSystemLoader
from starlette.testclient import TestClient

from contract.templates import environment
from postbox.desk import app as desk
from postbox.mail.smtp import Mailer
from postbox.mail.worker import CAP_PAUSE, MAX_QUESTIONS, MAX_TO_ADDRESS, MailWorker
from postbox.moderation.publisher import NOTICE_DELAY
from postbox.moderation.service import Moderation
from postbox.privacy.retention import tidy
from postbox.public import app as intake
from postbox.settings import Settings
from postbox.store.outbox import PAUSES
from postbox.store.unit_of_work import Store
from tests.support.mail import DroppingInData, House, Taking, a_place, html_of, links, running, text_of
from tests.support.process import end, line_of
from tests.support.process import environment as environment_of
from tests.support.store import NOW, forge

HOUR = timedelta(hours=1)
PATIENCE_SECONDS = 30


class Post(House):
    """A house with a delivery, whose clock is set by hand, and a server on a port of this machine."""

    def __init__(self, settings: Settings, port: int = 0) -> None:
        super().__init__(replace(settings, smtp=f"smtp://127.0.0.1:{port}") if port else settings)
        self.now = NOW
        theme = environment(FileSystemLoader(settings.theme / "templates"))
        mailer = Mailer(self.settings, theme, step_seconds=5, clock=lambda: self.now)
        self.delivery = MailWorker(Store(self.settings), mailer=mailer, clock=lambda: self.now)
        self.outbox = self.moderation.work.outbox

    def deliver(self, after: timedelta = timedelta(0)) -> bool:
        """Send what is due after a while; return whether all is well."""
        self.now += after
        return asyncio.run(self.delivery.send_due())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a place with the shipped comments."""
    return a_place(tmp_path)


@pytest.fixture
def server() -> Taking:
    """A server that takes every mail."""
    return Taking()


@pytest.fixture
def post(settings: Settings, server: Taking) -> Iterator[Post]:
    """A post that sends to it, while it runs."""
    with running(server) as port:
        yield Post(settings, port)


def received(server: Taking) -> list[EmailMessage]:
    """Return what a server has taken."""
    mails = []
    for meta in server.taken:
        assert isinstance(meta.content, bytes)
        mail = email.message_from_bytes(meta.content, policy=SMTP_POLICY)
        assert isinstance(mail, EmailMessage)
        assert meta.rcpt_tos == [mail["To"]]
        mails.append(mail)
    return mails


def to(server: Taking) -> list[str]:
    """Return to whom a server has taken mails."""
    return [mail["To"] for mail in received(server)]


def subjects(server: Taking) -> list[str]:
    """Return what the mails were about that a server has taken."""
    return [mail["Subject"] for mail in received(server)]


def kept(settings: Settings) -> str:
    """Return what the desk keeps on disk of what it sent and will send."""
    outbox = House(settings).moderation.work.outbox
    return "\n".join(outbox._connection.iterdump())


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until something is so, for a while."""
    for _ in range(PATIENCE_SECONDS * 20):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


# What is sent


def test_what_is_noted_is_mailed_and_the_note_is_gone(post: Post, server: Taking) -> None:
    post.send(author="Tom", address="tom@reader.example")
    post.message(name="Ann")

    assert post.deliver()
    assert post.deliver(HOUR)

    assert [(mail["To"], mail["Subject"]) for mail in received(server)] == [
        ("david@home.example", "Comment from Tom on “Working on your big toe”"),
        ("tom@reader.example", "Confirm your email address"),
        ("david@home.example", "Message from Ann"),
    ]
    assert post.inbox.events(limit=99) == []


def test_the_desk_delivers_while_it_runs(settings: Settings) -> None:
    server = Taking()
    with running(server) as port, TestClient(desk.application(replace(settings, smtp=f"smtp://127.0.0.1:{port}"))):
        House(settings).send(author="Tom")
        wait_for(lambda: server.taken)

    assert subjects(server) == ["Comment from Tom on “Working on your big toe”"]


def test_without_a_server_mails_are_files(settings: Settings) -> None:
    post = Post(settings)
    post.send(author="Tom")

    post.deliver()

    [file] = settings.mail.glob("[!.]*.eml")
    mail = email.message_from_bytes(file.read_bytes(), policy=SMTP_POLICY)
    assert mail["Subject"] == "Comment from Tom on “Working on your big toe”"


def test_a_decision_is_told_after_a_while_and_not_if_it_was_undone(post: Post, server: Taking) -> None:
    ids = [post.send(address=f"{name}@reader.example", events="published") for name in ("ann", "ben")]
    post.deliver()
    server.taken.clear()
    decisions = [post.approve(id) for id in ids]

    post.deliver(NOTICE_DELAY / 2)
    assert to(server) == []
    post.moderation.undo(decisions[1], who="David", now=post.now)
    post.deliver(NOTICE_DELAY)

    assert to(server) == ["ann@reader.example"]


def test_decided_undone_and_decided_again_is_told_once(post: Post, server: Taking) -> None:
    id = post.send(address="ann@reader.example", events="published")
    post.deliver()
    server.taken.clear()

    for _ in range(3):
        decision = post.approve(id)
        post.deliver(NOTICE_DELAY / 2)
        post.moderation.undo(decision, who="David", now=post.now)
    post.approve(id)
    post.deliver(2 * NOTICE_DELAY)
    post.deliver(HOUR)

    assert to(server) == ["ann@reader.example"]


def test_what_comes_beyond_ten_in_an_hour_comes_as_one(post: Post, server: Taking) -> None:
    ids = [post.send(author=f"Reader {number}") for number in range(14)]

    post.deliver()
    assert len(server.taken) == 10
    post.approve(ids[12])
    post.deliver(HOUR - timedelta(seconds=1))
    assert len(server.taken) == 10
    post.deliver(timedelta(seconds=1))
    post.deliver(HOUR)

    assert subjects(server)[10:] == ["13 comments to review"]
    everything = "".join(text_of(mail) for mail in received(server))
    assert Counter(re.findall(r"From (Reader \d+),", everything)).most_common(1)[0][1] == 1
    assert len(set(re.findall(r"https://desk.example/decide/[\w-]+", everything))) == 10


def test_messages_pass_the_cap_of_comments_and_a_flood_of_them_waits(
    post: Post, server: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postbox.mail.worker.MAX_MESSAGES", 15)
    for number in range(12):
        post.send(author=f"Reader {number}")
    for number in range(17):
        post.message(name=f"Ann {number}")

    post.deliver()
    assert Counter(subject.split()[0] for subject in subjects(server)) == {"Comment": 10, "Message": 15}
    post.deliver(CAP_PAUSE)

    assert Counter(subject.split()[0] for subject in subjects(server)) == {"Comment": 10, "Message": 17, "12": 1}


def test_one_click_in_a_mail_program_ends_them(post: Post, server: Taking, settings: Settings) -> None:
    id = post.send(address="tom@reader.example", events="published")
    post.approve(id)
    post.deliver(HOUR)
    [told] = received(server)

    with TestClient(intake.application(settings), base_url="https://feet.example") as program:
        answer = program.post(told["List-Unsubscribe"].strip("<>"), data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert post.subscriptions.of(id) is None


def test_opening_every_link_of_a_question_confirms_nothing(post: Post, server: Taking, settings: Settings) -> None:
    id = post.send(address="tom@reader.example")
    post.deliver()
    [asked] = [mail for mail in received(server) if mail["To"] == "tom@reader.example"]
    with TestClient(intake.application(settings), base_url="https://feet.example") as scanner:
        for link in [*links(asked), asked["List-Unsubscribe"].strip("<>")]:
            for method in ("GET", "HEAD") * 2:
                assert scanner.request(method, link).status_code < 500
    server.taken.clear()

    post.approve(id)
    post.answered(id)
    post.deliver(HOUR)

    assert to(server) == []
    assert not post.subscription(id).is_confirmed


# What is not taken


def test_a_server_that_is_down_gets_it_when_it_is_up_again(settings: Settings) -> None:
    server = Taking()
    with running(server) as port:
        pass
    post = Post(settings, port)
    for number in range(3):
        post.send(author=f"Reader {number}")

    for _ in range(3):
        assert not post.deliver()
    assert post.outbox.health(post.now).waiting == 3
    assert "refused" in kept(settings)

    with running(server) as port:
        again = Post(settings, port)
        assert again.deliver(HOUR)

    assert sorted(subjects(server)) == [f"Comment from Reader {n} on “Working on your big toe”" for n in range(3)]
    assert again.outbox.health(again.now).waiting == 0


@pytest.mark.parametrize("fault", ["rcpt", "data", "mail"])
def test_what_is_refused_for_now_is_sent_later_under_the_same_id(post: Post, server: Taking, fault: str) -> None:
    setattr(server, fault, "451 4.3.0 Try later")
    post.send()
    [item] = post.moderation.review.queue()
    expected = post.mail("comment", item.name)["Message-ID"]

    assert not post.deliver()
    assert post.deliver(PAUSES[0] - timedelta(seconds=1))
    assert server.taken == []
    setattr(server, fault, "")
    assert post.deliver(timedelta(seconds=1))

    assert [mail["Message-ID"] for mail in received(server)] == [expected]


def test_what_is_refused_for_good_is_listed_in_the_servers_words_without_the_address(settings: Settings) -> None:
    class Choosy(Taking):
        async def handle_RCPT(
            self, server: SMTP, session: Session, meta: Envelope, address: str, options: list[str]
        ) -> str:
            self.rcpt = "" if address.startswith("david") else f"550 5.1.1 <{address.title()}>: no such user"
            return await super().handle_RCPT(server, session, meta, address, options)

    server = Choosy()
    with running(server) as port:
        post = Post(settings, port)
        id = post.send(address="tom@reader.example")

        assert post.deliver()

        [failed] = post.outbox.failed()
        assert (failed.kind, failed.about) == ("confirm", id)
        assert failed.error == "550 5.1.1 <the address>: no such user"
        assert "reader.example" not in kept(settings).lower()
    mended = Taking()
    with running(mended) as port:
        assert post.outbox.again(failed.sequence, post.now)
        Post(settings, port).deliver()

    assert to(mended) == ["tom@reader.example"]
    assert post.outbox.failed() == []


def test_a_server_that_never_takes_it_is_given_up_after_three_days(post: Post, server: Taking) -> None:
    server.data = "451 4.3.0 Disk full"
    post.send()
    post.deliver()

    for pause in PAUSES:
        assert post.outbox.failed() == []
        post.deliver(pause)

    [failed] = post.outbox.failed()
    assert failed.error == "451 4.3.0 Disk full"
    assert failed.tries == len(PAUSES) + 1


def test_one_who_is_refused_holds_up_nobody_else(settings: Settings) -> None:
    class Choosy(Taking):
        async def handle_RCPT(
            self, server: SMTP, session: Session, meta: Envelope, address: str, options: list[str]
        ) -> str:
            self.rcpt = "450 Greylisted" if address.startswith("ann") else ""
            return await super().handle_RCPT(server, session, meta, address, options)

    server = Choosy()
    with running(server) as port:
        post = Post(settings, port)
        for name in ("ann", "ben", "ann", "tom"):
            post.send(address=f"{name}@reader.example")

        for _ in range(3):
            post.deliver()

    assert [address for address in to(server) if "david" not in address] == ["ben@reader.example", "tom@reader.example"]
    assert post.outbox.health(post.now).waiting == 2


def test_a_connection_that_is_dropped_half_way_loses_nothing(settings: Settings) -> None:
    with running(Taking(), kind=DroppingInData) as port:
        post = Post(settings, port)
        post.send(body="words " * 3_000)
        assert not post.deliver()

    server = Taking()
    with running(server) as port:
        assert Post(settings, port).deliver(HOUR)

    assert len(server.taken) == 1


def test_what_was_taken_before_the_connection_dropped_comes_again_under_the_same_id(settings: Settings) -> None:
    class Silent(Taking):
        async def handle_DATA(self, server: SMTP, session: Session, meta: Envelope) -> str:
            await super().handle_DATA(server, session, meta)
            assert server.transport
            server.transport.close()
            return "250 nobody hears this"

    silent, server = Silent(), Taking()
    with running(silent) as port:
        post = Post(settings, port)
        post.send()
        assert not post.deliver()
    with running(server) as port:
        assert Post(settings, port).deliver(HOUR)

    [first], [second] = received(silent), received(server)
    assert first["Message-ID"] == second["Message-ID"]
    assert re.sub("/decide/.*", "", text_of(first)) == re.sub("/decide/.*", "", text_of(second))


def test_a_slow_server_delays_no_page_and_no_reader(settings: Settings) -> None:
    go_on = threading.Event()

    class Slow(Taking):
        async def handle_DATA(self, server: SMTP, session: Session, meta: Envelope) -> str:
            while not go_on.is_set():
                await asyncio.sleep(0.01)
            return await super().handle_DATA(server, session, meta)

    async def meanwhile(post: Post) -> None:
        sending = asyncio.create_task(post.delivery.send_due())
        for number in range(3):
            await asyncio.sleep(0.05)
            post.approve(post.send(author=f"Reader {number}"))
        assert not sending.done()
        go_on.set()
        assert await sending

    server = Slow()
    with running(server) as port:
        post = Post(settings, port)
        post.send()
        asyncio.run(meanwhile(post))

    assert len(server.taken) == 1


def test_a_process_that_ends_does_not_wait_for_a_slow_server(settings: Settings) -> None:
    server = Taking(delay=60)
    with running(server) as port:
        post = Post(settings, port)
        post.send()

        async def begin_and_end() -> None:
            running_for_ever = asyncio.create_task(post.delivery.run())
            await asyncio.sleep(0.2)
            running_for_ever.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running_for_ever

        asyncio.run(begin_and_end())

        assert [thread for thread in threading.enumerate() if not thread.daemon and "Executor" in thread.name] == []
    assert post.outbox.health(post.now).waiting == 1


# Faults of our own


def test_a_mail_that_cannot_be_composed_holds_up_no_other(settings: Settings, tmp_path: Path) -> None:
    theme = tmp_path / "theme"
    shutil.copytree(settings.theme, theme)
    (theme / "templates/mail/message.txt").write_text("{{ nothing.at.all }}")
    server = Taking()
    with running(server) as port:
        post = Post(replace(settings, theme=theme), port)
        post.message(name="Ann")
        post.send(author="Tom")

        assert post.deliver()

    assert subjects(server) == ["Comment from Tom on “Working on your big toe”"]
    assert "It could not be composed (UndefinedError)" in kept(settings)


def test_a_theme_that_draws_no_letter_stops_nothing_for_good(settings: Settings, tmp_path: Path) -> None:
    theme = tmp_path / "theme"
    shutil.copytree(settings.theme, theme)
    draft = theme / "templates/mail/layout.html"
    whole = draft.read_text("utf-8")
    draft.write_text("{{ nothing.at.all }}")
    server = Taking()
    with running(server) as port:
        post = Post(replace(settings, theme=theme), port)
        for name in ("Tom", "Ann"):
            post.send(author=name)

        assert post.deliver()
        draft.write_text(whole, "utf-8")
        assert Post(post.settings, port).deliver(PAUSES[0])

    assert len(server.taken) == 2


def test_forged_notes_send_nothing_and_stop_nothing(post: Post, server: Taking, settings: Settings) -> None:
    for kind in ("comment", "message", "confirm", "published", "answered", "digest", "nonsense", "", "c\0d"):
        for about in ("nothing", "0001", "../../etc/passwd", "", "x" * 100_000, "a\nb", "'; DROP TABLE outbox; --"):
            forge(settings, "INSERT INTO event (kind, about) VALUES (?, ?)", kind, about)
    forge(settings, "INSERT INTO event (kind, about) VALUES ('comment', CAST(x'ff00fe' AS TEXT))")
    post.send(author="Tom")

    assert post.deliver()

    assert subjects(server) == ["Comment from Tom on “Working on your big toe”"]
    assert post.inbox.events(limit=99) == []
    assert post.outbox.failed() == []


def test_an_address_forged_beside_a_comment_that_came_without_one_gets_nothing(settings: Settings) -> None:
    server, address = Taking(), "stranger@elsewhere.example"
    subscribe = (
        "INSERT INTO subscription (comment, address, events, is_confirmed) VALUES (?, ?, 'published author others', ?)"
    )
    with running(server) as port:
        post = Post(settings, port)
        asked, follower = post.published(author="Tom"), post.send(author="Ann")
        post.deliver()
        for id, is_confirmed in ((asked, 0), (follower, 1)):
            forge(settings, subscribe, id, address, is_confirmed)
            for kind in ("comment", "confirm"):
                forge(settings, "INSERT INTO event (kind, about) VALUES (?, ?)", kind, id)
        post.approve(follower)
        post.answered(follower)
        honest = post.send(author="Tim", address="tim@reader.example")

        post.deliver(HOUR)

    assert address not in to(server)
    assert to(server).count("tim@reader.example") == 1
    assert honest


def test_one_note_said_a_thousand_times_is_one_mail(post: Post, server: Taking) -> None:
    id = post.send(address="tom@reader.example")
    for kind in ("comment", "confirm"):
        for _ in range(500):
            post.inbox.add_event(kind, id)

    post.deliver()
    post.deliver(HOUR)

    assert sorted(to(server)) == ["david@home.example", "tom@reader.example"]


def test_a_note_that_was_taken_over_and_not_dropped_is_mailed_once(post: Post, server: Taking) -> None:
    id = post.send(address="tom@reader.example")
    post.outbox.take_over([("comment", post.name(id)), ("confirm", id)], post.now)

    post.deliver()

    assert sorted(to(server)) == ["david@home.example", "tom@reader.example"]


def test_it_goes_on_when_the_facts_of_the_site_are_there_again(settings: Settings) -> None:
    server = Taking()
    with running(server) as port:
        facts = settings.site.read_text("utf-8")
        settings.site.unlink()
        post = Post(settings, port)
        post.send(author="Tom")

        async def mend() -> None:
            running_for_ever = asyncio.create_task(post.delivery.run())
            await asyncio.sleep(0.1)
            assert not running_for_ever.done()
            settings.site.write_text(facts, "utf-8")
            for _ in range(PATIENCE_SECONDS * 20):
                await asyncio.sleep(0.05)
                if server.taken:
                    break
            running_for_ever.cancel()

        asyncio.run(mend())

    assert subjects(server) == ["Comment from Tom on “Working on your big toe”"]


# How many


def test_an_address_is_asked_three_times_a_day(post: Post, server: Taking, settings: Settings) -> None:
    for number in range(MAX_QUESTIONS + 3):
        post.send(address=("tom@reader.example", "TOM@Reader.Example")[number % 2])
    post.send(address="ann@reader.example")

    post.deliver()
    readers = [address.lower() for address in to(server) if "david" not in address]
    assert Counter(readers) == {"tom@reader.example": 3, "ann@reader.example": 1}
    post.deliver(timedelta(days=1))
    post.send(address="tom@reader.example")
    post.deliver()

    assert Counter(address.lower() for address in to(server))["tom@reader.example"] == 4
    assert "tom@" not in kept(settings).lower()


def test_nothing_is_kept_of_what_was_sent_the_day_before(settings: Settings) -> None:
    with running(Taking()) as port:
        post = Post(settings, port)
        post.published(address="tom@reader.example", events="published")
        post.deliver(HOUR)
        assert 'INSERT INTO "outbox"' in kept(settings)

        post.deliver(timedelta(days=1))
        tidy(Moderation.open(settings), now=post.now)

    assert 'INSERT INTO "outbox"' not in kept(settings)


def test_notices_beyond_ten_a_day_wait_for_the_next(post: Post, server: Taking) -> None:
    id = post.published(address="tom@reader.example", events="others")
    answers = [post.published(reply_to=id, author=f"Reader {n}") for n in range(MAX_TO_ADDRESS + 4)]

    post.deliver(HOUR)
    assert to(server) == ["tom@reader.example"] * MAX_TO_ADDRESS
    for _ in range(30):
        post.deliver(CAP_PAUSE)

    assert to(server) == ["tom@reader.example"] * len(answers)
    assert len({mail["Message-ID"] for mail in received(server)}) == len(answers)


def test_readers_together_get_no_more_than_the_setting_and_questions_half_of_it(settings: Settings) -> None:
    server = Taking()
    with running(server) as port:
        post = Post(replace(settings, mail_readers=8), port)
        followed = [post.published(address=f"tom{n}@reader.example", events="published") for n in range(6)]
        for number in range(20):
            post.send(address=f"new{number}@reader.example")

        post.deliver()
        post.deliver(HOUR)
        first = Counter(address[:3] for address in to(server))
        for _ in range(30):
            post.deliver(CAP_PAUSE)

    assert (first["new"], first["tom"]) == (4, 4)
    last = Counter(address[:3] for address in to(server))
    assert (last["new"], last["tom"]) == (4, len(followed))


def test_an_address_that_was_refused_is_not_asked_by_the_next_comment(post: Post, server: Taking) -> None:
    server.rcpt = "550 No such user"
    post.send(author="Tom", address="Gone@reader.example")
    post.deliver()
    server.rcpt = ""
    post.send(author="Tom", address="gone@reader.example")
    post.send(author="Ann", address="ann@reader.example")
    post.deliver(HOUR)

    assert [address for address in to(server) if "david" not in address] == ["ann@reader.example"]


# What is told to others


def test_the_log_names_no_person(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG, "postbox")
    # The tests load Pelican, whose loggers leave out a warning that was there before.
    monkeypatch.setattr(logging.getLogger("postbox.mail.worker"), "filters", [])
    server = Taking(rcpt="550 <canary@reader.example> is unknown, says canary")
    theme = tmp_path / "theme"
    shutil.copytree(settings.theme, theme)
    (theme / "templates/mail/message.txt").write_text("{{ name.canary }}")
    with running(server) as port:
        post = Post(replace(settings, theme=theme), port)
        id = post.send(author="Canary", body="canary", address="canary@reader.example")
        post.message(name="Canary")
        forge(settings, "INSERT INTO event (kind, about) VALUES ('canary', 'canary')")
        post.deliver()
        server.rcpt = "450 canary"
        for failed in post.outbox.failed():
            post.outbox.again(failed.sequence, post.now)
        post.deliver()
        server.rcpt = ""
        post.deliver(HOUR)

    log = "\n".join(record.getMessage() + str(record.exc_text) for record in caplog.records)
    assert "is sent" in log
    assert "refused for good" in log
    assert "refused for now" in log
    assert "cannot be composed: UndefinedError" in log
    assert "canary" not in log.lower()
    assert id not in log


def test_no_address_reaches_another_person(post: Post, server: Taking) -> None:
    first = post.send(author="Tom", address="canary-tom@reader.example", events="published author others")
    second = post.send(author="Zoë", address="canary-zoe@reader.example", events="published author others")
    post.approve(first)
    third = post.send(author="Ann", reply_to=first, address="canary-ann@reader.example", events="published others")
    for id in (second, third):
        post.approve(id)
    post.answered(first)
    post.answered(third)
    post.published(author="Zoë", reply_to=third)
    post.send(author="Eve", address="canary-eve@reader.example")
    post.deliver(HOUR)

    everyone = {"canary-tom", "canary-zoe", "canary-ann", "canary-eve"}
    assert {address.partition("@")[0] for address in to(server)} == everyone | {"david"}
    for meta, mail in zip(server.taken, received(server), strict=True):
        assert isinstance(meta.content, bytes)
        whole = meta.content.decode() + text_of(mail) + html_of(mail)
        assert set(re.findall("canary-[a-z]+", whole)) == {mail["To"].partition("@")[0]} & everyone


# Killed


DELIVERER = """
import asyncio, os
from postbox.mail.worker import MailWorker
from postbox.settings import read
from postbox.store.unit_of_work import Store
delivery = MailWorker(Store(read(os.environ)))
print("ready", flush=True)
asyncio.run(delivery.run())
"""


def a_deliverer(settings: Settings) -> subprocess.Popen[str]:
    """Start a process that delivers; it is ready when it has opened everything."""
    process = subprocess.Popen(
        [sys.executable, "-c", DELIVERER],
        cwd=settings.var.parent,
        env=environment_of(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert line_of(process) == "ready\n", process.communicate(timeout=PATIENCE_SECONDS)[1]
    return process


def test_two_desks_at_once_mail_nothing_twice(settings: Settings) -> None:
    server, readers = Taking(delay=0.02), [f"r{number}@reader.example" for number in range(12)]
    with running(server) as port, ExitStack() as desks:
        settings = replace(settings, smtp=f"smtp://127.0.0.1:{port}")
        house = House(settings)
        for address in readers:
            house.send(author="Tom", address=address)
        for _ in range(2):
            desks.callback(end, a_deliverer(settings), signal.SIGKILL)
        wait_for(lambda: len(re.findall(r"""INSERT INTO "outbox".*'confirm'.*'sent'""", kept(settings))) == 12)

    assert [to(server).count(address) for address in readers] == [1] * len(readers)


@pytest.mark.slow
def test_nothing_is_lost_to_kill_9_and_what_comes_twice_has_one_id(settings: Settings) -> None:
    class SlowToSay(Taking):
        async def handle_DATA(self, server: SMTP, session: Session, meta: Envelope) -> str:
            answer = await super().handle_DATA(server, session, meta)
            await asyncio.sleep(0.05)  # which is when most are killed
            return answer

    chance, server, ids = random.Random(20261122), SlowToSay(), []
    with running(server) as port:
        settings = replace(settings, smtp=f"smtp://127.0.0.1:{port}", mail_readers=10**6)
        house = House(settings)
        for round in range(8):
            before = len(server.taken)
            names = [f"{round}-{number}" for number in range(8)]
            ids += [house.send(author=f"Reader {name}", address=f"r{name}@reader.example") for name in names]
            deliverer = a_deliverer(settings)
            try:
                wait_for(lambda before=before: len(server.taken) > before)  # type: ignore[misc]  # of this round
                time.sleep(chance.uniform(0, 0.15))
            finally:
                deliverer.kill()
                _, errors = deliverer.communicate(timeout=PATIENCE_SECONDS)
            assert errors == ""
        # The digest of what came beyond ten is due in an hour, so it is sent here, with a clock of its own.
        post = Post(settings, port)
        post.now = datetime.now(NOW.tzinfo) + HOUR
        post.deliver()

    mails = received(server)
    asked = Counter(mail["To"] for mail in mails if mail["To"] != "david@home.example")
    assert asked.keys() == {post.subscription(id).address for id in ids}
    told = "".join(text_of(mail) for mail in mails if mail["To"] == "david@home.example")
    assert len(set(re.findall(r"From (Reader \d+-\d+),", told))) == 10
    assert f"You have {len(ids)} comments to review." in told
    by_id: dict[str, set[tuple[str, str]]] = {}
    for mail in mails:
        by_id.setdefault(mail["Message-ID"], set()).add((mail["To"], mail["Subject"]))
    assert all(len(same) == 1 for same in by_id.values())
    assert len(by_id) == len(ids) + 11
    assert post.outbox.health(post.now).waiting == 0
    assert post.outbox.failed() == []
