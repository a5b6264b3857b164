"""A person's rights on the command line: all that is theirs is found, printed and erased, and nobody else's."""

import json
from collections.abc import Callable
from datetime import datetime

import pytest

from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.messages import Enquiry, Message, Messages
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions
from tests.support.commands import as_json, done, fault, postbox
from tests.support.moderation import a_published, a_waiting, everywhere, published
from tests.support.store import forge, submission_meta

ON_BOTH_ENGINES = True

Clock = Callable[[], datetime]

ADDRESS = "tom@feet.example"
NUMBER = "07700 900123"


def follow(settings: Settings, id: str, address: str = ADDRESS, *, is_confirmed: bool = True) -> str:
    """Leave an address with a comment; return its id."""
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        Subscriptions(inbox).ask(id, address)
        if is_confirmed:
            Subscriptions(inbox).choose(id, ("author",))
    return id


def a_message(settings: Settings, clock: Clock, contact: str, body: str = "Ring me.") -> str:
    """Put a message in the inbox; return its id."""
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        enquiry = Enquiry(name="Tom", contact=contact, body=body)
        return Messages(inbox).add(enquiry, submission_meta(clock(), key=f"{contact}{body}".encode()), ())


def message(settings: Settings, id: str) -> Message:
    """Return a message."""
    found = Messages(Inbox.open(settings)).one(id)
    assert found
    return found


def has_address(settings: Settings, id: str) -> bool:
    """Tell whether an address is kept with a comment."""
    return Subscriptions(Inbox.open(settings)).of(id) is not None


@pytest.mark.parametrize("asked", [ADDRESS, "Tom@Feet.Example"])
def test_an_address_takes_along_what_is_theirs_and_nothing_else(settings: Settings, clock: Clock, asked: str) -> None:
    theirs = follow(settings, a_published(settings, clock, body="Secretwords."))
    waits = follow(settings, a_waiting(settings, clock, body="Secretwords too."))
    typed = follow(settings, a_published(settings, clock, body="By someone else."), is_confirmed=False)
    other = follow(settings, a_published(settings, clock, body="Another."), "ann@feet.example")
    sent, others = a_message(settings, clock, ADDRESS, "Secretwords."), a_message(settings, clock, "ann@feet.example")

    assert done(settings, "forget", asked, "--yes") == f"forgotten: {asked}\n"

    assert b"Secretwords" not in everywhere(settings)
    assert ADDRESS.encode() not in everywhere(settings)
    assert published(settings, theirs).removed == "yes"
    assert not Inbox.open(settings).revisions(waits)[0].body
    assert (published(settings, typed).body, has_address(settings, typed)) == ("By someone else.", False)
    assert (published(settings, other).body, has_address(settings, other)) == ("Another.", True)
    assert (message(settings, sent).state, message(settings, others).state) == ("deleted", "new")


def test_without_yes_it_is_shown_what_would_go_and_nothing_goes(settings: Settings, clock: Clock) -> None:
    theirs = follow(settings, a_waiting(settings, clock, body="Mine.\n\x1b[2JReally."))
    typed = follow(settings, a_waiting(settings, clock), is_confirmed=False)
    sent, naming = a_message(settings, clock, ADDRESS), a_waiting(settings, clock, body=f"Write to {ADDRESS}!")

    ended = postbox(settings, "forget", ADDRESS)

    assert ended.returncode == 1
    assert ended.stderr == "postbox: nothing is erased yet; say it again with --yes\n"
    assert sorted(ended.stdout.splitlines()) == sorted(
        [
            f"comment {theirs}: Tom: Mine. �[2JReally.",
            f"address of {theirs}",
            f"address of {typed}, never confirmed: the comment stays",
            f"message {sent}: Tom: Ring me.",
            f"stays: the words of {naming} mention it; `forget {naming}` erases them",
        ]
    )
    assert has_address(settings, theirs)
    assert Inbox.open(settings).revisions(theirs)[0].body.startswith("Mine.")
    assert message(settings, sent).state == "new"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "asked", [NUMBER, "07700900123", "(07700) 900-123", "07700/900.123", "+44 (0)7700 900123", "00447700900123"]
)
@pytest.mark.parametrize("left", ["07700-900 123", "+447700900123 or tom@feet.example"])
def test_a_telephone_number_is_the_same_however_it_is_written(
    settings: Settings, clock: Clock, left: str, asked: str
) -> None:
    sent, other = (
        a_message(settings, clock, left, "Secretwords."),
        a_message(settings, clock, "07700 900124"),
    )

    done(settings, "forget", asked, "--yes")

    assert message(settings, sent).state == "deleted"
    assert b"Secretwords" not in everywhere(settings)
    assert message(settings, other).contact == "07700 900124"


def test_an_id_is_named_so_plainly_that_it_needs_no_yes(settings: Settings, clock: Clock) -> None:
    sent = a_message(settings, clock, NUMBER, "Secretwords.")

    assert done(settings, "forget", sent) == f"forgotten: {sent}\n"
    assert as_json(settings, "forget", "0001") == {"forgotten": "0001"}

    assert b"Secretwords" not in everywhere(settings)
    assert b"passed away" not in everywhere(settings)


def test_all_that_is_a_persons_is_printed_and_nothing_of_anyone_else(settings: Settings, clock: Clock) -> None:
    theirs = follow(settings, a_published(settings, clock, body="Mine."))
    typed = follow(settings, a_waiting(settings, clock, body="Not theirs, perhaps."), is_confirmed=False)
    sent = a_message(settings, clock, ADDRESS)
    follow(settings, a_waiting(settings, clock, body="Another's."), "ann@feet.example")
    a_message(settings, clock, "ann@feet.example")

    about = json.loads(done(settings, "export", ADDRESS.upper()))

    [comment] = about["comments"]
    assert (comment["id"], comment["published"]["body"], comment["email"]["address"]) == (theirs, "Mine.", ADDRESS)
    assert [decision["action"] for decision in comment["decisions"]] == ["publish"]
    assert {it["comment"]: it["is_confirmed"] for it in about["addresses"]} == {theirs: True, typed: False}
    assert [(it["id"], it["body"], it["contact"]) for it in about["messages"]] == [(sent, "Ring me.", ADDRESS)]
    assert "ann@" not in json.dumps(about)
    assert "Not theirs" not in json.dumps(about)


def test_a_message_and_a_number_are_exported_too(settings: Settings, clock: Clock) -> None:
    sent = a_message(settings, clock, NUMBER)

    for asked in (sent, NUMBER):
        [exported] = json.loads(done(settings, "export", asked))["messages"]
        assert (exported["name"], exported["contact"], exported["body"]) == ("Tom", NUMBER, "Ring me.")


def test_after_it_is_forgotten_there_is_nothing_to_print(settings: Settings, clock: Clock) -> None:
    follow(settings, a_published(settings, clock))
    a_message(settings, clock, ADDRESS)

    done(settings, "forget", ADDRESS, "--yes")

    assert fault(settings, "export", ADDRESS) == f"nothing is kept about {ADDRESS}"
    assert fault(settings, "forget", ADDRESS, "--yes") == f"nothing is kept about {ADDRESS}"


@pytest.mark.sqlite
@pytest.mark.parametrize("command", ["forget", "export"])
@pytest.mark.parametrize(("asked", "line"), [
    ("nobody@feet.example", "nothing is kept about nobody@feet.example"),
    ("020 7946 0000", "nothing is kept about 020 7946 0000"),
    ("12345", "nothing is kept about 12345"), ("%@%", "nothing is kept about %@%"), ("@", "nothing is kept about @"),
])  # fmt: skip
def test_whoever_is_not_known_is_said_in_a_line(
    settings: Settings, clock: Clock, command: str, asked: str, line: str
) -> None:
    follow(settings, a_published(settings, clock))
    a_message(settings, clock, NUMBER)

    assert fault(settings, command, asked) == line


def test_what_a_mail_server_said_of_an_address_goes_with_it(settings: Settings, clock: Clock) -> None:
    follow(settings, a_published(settings, clock))
    outbox = Moderation.open(settings).work.outbox
    for words in (f"550 <{ADDRESS.upper()}> is unknown", "550 <ann@feet.example> is unknown"):
        outbox.add("confirm", words[5:9], now=clock())
        row = outbox.next(clock())
        assert row
        outbox.fail(row, words, clock(), None, is_permanent=True)

    done(settings, "forget", ADDRESS, "--yes")

    assert ADDRESS.encode() not in everywhere(settings).lower()
    assert [failed.error for failed in outbox.failed()] == ["550 <ann@feet.example> is unknown"]


@pytest.mark.sqlite
def test_a_forged_row_breaks_no_search_and_takes_no_comment_along(settings: Settings, clock: Clock) -> None:
    follow(settings, a_published(settings, clock))
    inbox = Inbox.open(settings)
    inbox.connection.execute("PRAGMA foreign_keys=OFF")
    inbox.run("UPDATE subscription SET comment = '../0001'")
    inbox.run("INSERT INTO subscription (comment, address, events, is_confirmed) VALUES ('0001', ?, '', 1)", ADDRESS)
    inbox.run("INSERT INTO comment (id, article) VALUES ('0001', 'big-toe-and-glutes')")
    inbox.run(
        "INSERT INTO message (id, name, contact, body, received, held)"
        " VALUES ('../x', '', CAST(x'ff40' AS TEXT), '', 'soon', 'x')"
    )

    done(settings, "forget", ADDRESS, "--yes")

    assert ADDRESS.encode() not in everywhere(settings)
    assert published(settings, "0001").author == "Alexis"


@pytest.mark.sqlite
def test_a_forged_id_that_looks_like_an_address_or_a_number_hides_nothing(settings: Settings, clock: Clock) -> None:
    a_message(settings, clock, ADDRESS, "Secretwords.")
    a_message(settings, clock, NUMBER, "Secretwords.")
    for id in (ADDRESS, "07700900123"):
        forge(settings, "INSERT INTO comment (id, article) VALUES (?, '')", id)
        forge(
            settings,
            "INSERT INTO revision VALUES (?, 1, '', '', x'', '', '[]', 'waiting', '')",
            id,
        )

    for asked in (ADDRESS, "07700900123"):
        done(settings, "forget", asked, "--yes")

    assert b"Secretwords" not in everywhere(settings)


def test_tidy_says_how_much_it_erased(settings: Settings) -> None:
    assert done(settings, "tidy") == "erased: addresses 0, codes 0, comments 0, messages 0, mails 0\n"
    assert as_json(settings, "tidy") == dict.fromkeys(("addresses", "codes", "comments", "messages", "mails"), 0)
