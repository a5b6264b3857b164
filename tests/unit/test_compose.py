"""Composer: each mail says what is true when it is sent, to the one it concerns, and nobody's words forge any of it."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.manifest import Conversation
from postbox.store.messages import Messages
from postbox.store.submissions import Event
from postbox.store.tokens import SIGN_IN_LASTS, DecisionLinks
from tests.support.mail import BY, SITE, House, a_place, html_of, links, text_of
from tests.support.place import ARTICLE
from tests.support.store import NOW, forge

SECOND = timedelta(seconds=1)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A place with the shipped comments."""
    return House(a_place(tmp_path))


# To the author


def test_a_comment_that_waits_is_one_mail_with_one_link(house: House) -> None:
    id = house.send(author="Tom", body="I do.\n\nIs **that** right?", reply_to="0001", held=("it has 3 links",))

    mail = house.mail("comment", house.name(id))

    assert mail["To"] == "david@home.example"
    assert mail["Subject"] == "Reply from Tom on “Working on your big toe”"
    text = text_of(mail)
    assert "> I do.\n>\n> Is **that** right?\n" in text
    assert "In reply to Alexis:\n\n> I love the feet" in text
    assert "Check this: it has 3 links." in text
    [link] = links(mail)
    address, _, token = link.rpartition("/")
    assert address == "https://desk.example/decide"
    decision = DecisionLinks(house.moderation.store.key).read(token, NOW)
    assert decision
    assert decision.name == house.name(id)
    assert text.count("https://") == 1


def test_a_change_is_shown_beside_what_the_page_says(house: House) -> None:
    id = house.published(author="Tom", body="Old words.")
    house.change(id, author="Tom", body="New words.")

    mail = house.mail("comment", house.name(id))

    assert mail["Subject"] == "Change from Tom on “Working on your big toe”"
    assert "> New words.\n\nThe page still says:\n\n> Old words.\n" in text_of(mail)


def test_a_comment_that_was_decided_changed_or_deleted_is_no_mail_any_more(house: House) -> None:
    decided, changed, deleted = (house.send() for _ in range(3))
    names = [house.name(id) for id in (decided, changed, deleted)]

    house.approve(decided)
    house.change(changed, body="Other words.")
    house.delete(deleted)

    assert [house.draft("comment", name) for name in names] == [None, None, None]
    assert house.draft("comment", house.name(changed))


def test_a_comment_on_an_article_that_is_gone_is_still_told(house: House) -> None:
    id = house.send(article="gone", reply_to="gone")

    mail = house.mail("comment", house.name(id))

    assert mail["Subject"] == "Reply from Tom"
    assert "It replies to a comment that is not on the page." in text_of(mail)


def test_a_fresh_link_is_the_same_mail_under_another_name(house: House) -> None:
    name = house.name(house.send())

    first, fresh = house.mail("comment", name), house.mail("link", f"{name}.2026-11-30")

    assert text_of(first) == text_of(fresh)
    assert len({first["Message-ID"], fresh["Message-ID"], house.mail("link", f"{name}.2026-12-01")["Message-ID"]}) == 3


@pytest.mark.parametrize(("contact", "said", "ways"), [
    ("ann@reader.example", ["Write to ann@reader.example\n", "Or just reply"], ["mailto:ann@reader.example"]),
    ("020 7946 0000", ["Ring 020 7946 0000\n"], ["tel:+442079460000"]),
    (
        "07700 900456 after six, or ann@reader.example",
        ["> 07700 900456 after six, or ann@reader.example\n", "Ring 07700 900456\n", "Write to ann@reader.example\n"],
        ["tel:+447700900456", "mailto:ann@reader.example"],
    ),
    ("07700 900456 after six", ["Reply to Ann at: 07700 900456 after six\n"], ["tel:+447700900456"]),
    ("a@reader.example b@reader.example", ["a@reader.example"], ["mailto:a@reader.example", "mailto:b@reader.example"]),
    ("1234 5678 9012 3456 7890 1234", ["Reply to Ann at: 1234 5678 9012 3456 7890 1234\n"], []),
])  # fmt: skip
def test_a_message_is_told_whole_with_a_button_for_each_way_to_reply(
    house: House, contact: str, said: list[str], ways: list[str]
) -> None:
    id = house.message(body="First.\n\n" + "words " * 500 + "\n\nLast.", contact=contact)

    mail = house.mail("message", id)

    assert mail["Subject"] == "Message from Ann"
    assert mail["Reply-To"] == (
        ways[0].removeprefix("mailto:") if ways == ["mailto:ann@reader.example"] else mail["Reply-To"]
    )
    assert all(words in text_of(mail) for words in ["> First.\n", "> Last.\n", *said])
    assert re.findall('class="button" href="([^"]*)"', html_of(mail))[: len(ways)] == ways
    assert "tel:" not in text_of(mail)


def test_a_message_that_is_done_or_forgotten_is_no_mail_any_more(house: House) -> None:
    done, forgotten = house.message(), house.message()
    messages = Messages(house.inbox)
    messages.finish(done)
    messages.forget(forgotten)

    assert house.draft("message", done) is None
    assert house.draft("message", forgotten) is None
    assert house.draft("message", "nothing") is None


def gathered(house: House, *ids: str) -> str:
    """Have comments gathered into a digest, as the eleventh and later of an hour are; return what it is about."""
    rows = [("comment", house.name(id)) for id in ids]
    house.moderation.work.outbox.take_over([*(("comment", f"fill{n}.r") for n in range(10)), *rows], NOW)
    return f"comment.{rows[0][1]}"


def test_a_digest_says_how_many_wait_and_leads_to_the_desk(house: House) -> None:
    first, decided = (house.send(author=name, body=f"Words of {name}.") for name in ("Tom", "Ann"))
    about = gathered(house, first, decided)

    assert house.mail("digest", about)["Subject"] == "2 comments to review"
    house.approve(decided)
    mail = house.mail("digest", about)
    house.approve(first)

    assert mail["Subject"] == "1 comment to review"
    assert links(mail) == ["https://desk.example/"]
    assert "Tom" not in text_of(mail)
    assert house.draft("digest", about) is None


def test_a_link_to_sign_in_is_mailed_while_it_lasts_and_not_later(house: House) -> None:
    house.moderation.work.outbox.send_sign_in("asked", NOW)

    drafts = [
        house.notices.draft("sign-in", "asked", SITE, NOW + SIGN_IN_LASTS - left) for left in (SECOND, SECOND * 0)
    ]

    assert [bool(draft) for draft in drafts] == [True, False]


# To readers


def test_a_question_holds_no_word_of_whoever_left_the_address(house: House) -> None:
    id = house.send(author="Buy Pills", body="Cheap pills here", address="ann@reader.example")

    mail = house.mail("confirm", id)

    assert mail["To"] == "ann@reader.example"
    assert "pills" not in mail.as_string().lower()
    assert "pills" not in (text_of(mail) + html_of(mail)).lower()
    assert "Working on your big toe" in text_of(mail)
    assert links(mail) == [house.page(id)]
    assert house.inbox.receipt(id) not in mail.as_string() + text_of(mail)


def test_every_mail_to_a_reader_can_be_stopped_with_one_click_and_on_a_page(house: House) -> None:
    asked = house.send(address="tom@reader.example")
    id = house.published(address="tom@reader.example", events="published author others")
    kept_out = house.send(address="tom@reader.example", events="published")
    house.reject(kept_out, "Too long.")
    mails = [
        (asked, house.mail("confirm", asked)),
        (kept_out, house.mail("rejected", house.name(kept_out))),
        (id, house.mail("published", house.name(id))),
        (id, house.mail("answered", house.answered(id))),
        (id, house.mail("answered", house.published(reply_to=id))),
    ]

    for comment, mail in mails:
        assert mail["To"] == "tom@reader.example"
        assert mail["List-Unsubscribe"] == f"<{house.page(comment)}/stop>"
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert links(mail)[-1] == house.page(comment)
        receipt = f"https://feet.example/comments/receipt/{house.inbox.receipt(comment)}"
        assert (receipt in links(mail)) == (comment != asked)


def test_a_writer_hears_that_a_comment_is_published_and_where(house: House) -> None:
    id = house.published(author="Tom", address="tom@reader.example", events="published")

    mail = house.mail("published", house.name(id))

    assert mail["Subject"] == "Published: your comment on “Working on your big toe”"
    assert links(mail)[0] == f"https://feet.example/articles/big-toe/#comment-{id}"


def test_a_writer_hears_the_words_of_davids_answer(house: House) -> None:
    id = house.published(address="tom@reader.example", events="author")

    answer = house.answered(id, "Barefoot.\n\nSee https://feet.example/articles/shoes/")

    mail = house.mail("answered", answer)
    assert mail["Subject"] == "David replied to your comment on “Working on your big toe”"
    assert "> Barefoot.\n>\n> See https://feet.example/articles/shoes/\n" in text_of(mail)
    assert links(mail)[0] == f"https://feet.example/articles/big-toe/#comment-{answer}"


def test_a_mail_about_another_readers_reply_has_the_name_and_the_link_and_no_word(house: House) -> None:
    id = house.published(address="tom@reader.example", events="author others")
    names = {"www.evil.example": "Someone, another reader", "David": "David, another reader"}
    for name, said in names.items():
        reply = house.published(reply_to=id, author=name, body="See https://evil.example/a")

        mail = house.mail("answered", reply)

        assert mail["Subject"] == "New reply to your comment on “Working on your big toe”"
        assert f"{said}, replied to your comment" in text_of(mail)
        assert "evil" not in (mail.as_string() + text_of(mail) + html_of(mail)).lower()
        assert links(mail)[0] == f"https://feet.example/articles/big-toe/#comment-{reply}"
        assert len(links(mail)) == 3


# Two decisions, one mail


@pytest.mark.parametrize(("events", "told"), [
    ("published author others", ["published with"]), ("published others", ["published"]), ("author", ["answered"]),
    ("others", []),
])  # fmt: skip
def test_who_is_published_and_answered_at_once_gets_one_mail(house: House, events: str, told: list[str]) -> None:
    id = house.published(address="tom@reader.example", events=events)
    reply = house.answered(id, "Barefoot.", now=NOW)

    rows = [("published", house.name(id)), ("answered", reply)]
    mails = [(kind, text_of(house.mail(kind, about))) for kind, about in rows if house.draft(kind, about)]

    assert [kind + (" with" if kind == "published" and "> Barefoot." in text else "") for kind, text in mails] == told


def test_a_reply_of_a_later_moment_is_told_alone(house: House) -> None:
    id = house.published(address="tom@reader.example", events="published author")

    reply = house.answered(id, "Barefoot.")

    assert "Barefoot" not in text_of(house.mail("published", house.name(id)))
    assert "> Barefoot." in text_of(house.mail("answered", reply))


def test_a_reply_that_was_taken_back_is_not_told_with_its_comment(house: House) -> None:
    id = house.published(address="tom@reader.example", events="published author")
    house.moderation.undo(house.answer(id, "Wrong foot."), **BY)

    assert "Wrong" not in text_of(house.mail("published", house.name(id)))


# A note


@pytest.mark.parametrize(("reason", "events", "subject"), [
    ("Please leave <names> out.", "published", "Not published: your comment on “Working on your big toe”"),
    ("Please leave names out.", "author others", ""),  # does not ask what becomes of the comment
    ("Please leave names out.", "", ""),  # is not confirmed
    ("", "published", ""),
])  # fmt: skip
def test_a_writer_hears_of_a_rejection_with_a_note(house: House, reason: str, events: str, subject: str) -> None:
    id = house.send(address="tom@reader.example", events=events)
    house.reject(id, reason)

    draft = house.draft("rejected", house.name(id))

    assert (draft.subject if draft else "") == subject
    assert not draft or f"and writes:\n\n> {reason}\n" in draft.text


def test_a_rejected_change_says_that_the_comment_stays_and_a_rejection_undone_is_not_told(house: House) -> None:
    id = house.published(address="tom@reader.example", events="published")
    house.change(id, body="Other words.")
    decision = house.reject(id, "Too long.")

    mail = house.mail("rejected", house.name(id))
    house.moderation.undo(decision, **BY)

    assert mail["Subject"] == "Not published: your change on “Working on your big toe”"
    assert "Your comment stays on the page as it was." in text_of(mail)
    assert house.draft("rejected", house.name(id)) is None


def test_no_mail_says_the_address_of_another(house: House) -> None:
    id = house.published(author="Tom", address="canary-tom@reader.example", events="published author others")
    answer = house.published(author="Zoë", reply_to=id, address="canary-zoe@reader.example", events="published others")
    author_answer = house.answered(answer)
    asked = house.send(address="canary-ann@reader.example")
    rows = [
        ("published", house.name(id)),
        ("published", house.name(answer)),
        ("answered", answer),
        ("answered", author_answer),
        ("confirm", asked),
        ("comment", house.name(asked)),
    ]

    for kind, about in rows:
        if kind == "answered" and about == author_answer:
            assert house.draft(kind, about) is None  # Zoë does not want it
            continue
        mail = house.mail(kind, about)
        everything = mail.as_string() + text_of(mail) + html_of(mail)
        assert set(re.findall("canary-[a-z]+", everything)) <= {mail["To"].partition("@")[0]}, kind


def test_nothing_but_the_question_goes_to_an_address_that_is_not_confirmed(house: House) -> None:
    id = house.published(address="tom@reader.example")
    answers = [house.answered(id), house.published(reply_to=id)]

    assert house.draft("published", house.name(id)) is None
    assert [house.draft("answered", answer) for answer in answers] == [None, None]
    assert house.draft("confirm", id)


@pytest.mark.parametrize("events", ["published", "author", "others"])
def test_who_wants_one_thing_hears_only_that(house: House, events: str) -> None:
    id = house.published(address="tom@reader.example", events=events)

    heard = {
        "published": house.draft("published", house.name(id)),
        "author": house.draft("answered", house.answered(id)),
        "others": house.draft("answered", house.published(reply_to=id)),
    }

    assert [what for what, draft in heard.items() if draft] == [events]


def test_who_is_confirmed_stopped_or_refused_is_not_asked(house: House) -> None:
    confirmed = house.send(address="tom@reader.example", events="published")
    stopped, refused = (house.send(address=f"{name}@reader.example") for name in ("ann", "zoe"))
    house.subscriptions.stop(stopped)
    house.subscriptions.refuse("zoe@reader.example")

    assert [house.draft("confirm", id) for id in (confirmed, stopped, refused)] == [None, None, None]


@pytest.mark.parametrize("decide", ["reject", "spam"])
def test_who_left_an_address_with_what_was_kept_out_is_not_asked(house: House, decide: str) -> None:
    id = house.send(address="tom@reader.example")

    getattr(house.moderation, decide)(house.name(id), **BY)

    assert house.draft("confirm", id) is None


def test_what_was_undone_removed_or_replaced_is_not_told(house: House) -> None:
    undone, removed, changed = (
        house.send(address=f"{name}@reader.example", events="published") for name in ("ann", "ben", "tom")
    )
    decision = house.approve(undone)
    house.approve(removed)
    house.approve(changed)
    names = [house.name(id) for id in (undone, removed, changed)]

    house.moderation.undo(decision, **BY)
    house.remove(removed)
    house.change(changed, body="Other words.")
    house.approve(changed)

    assert [house.draft("published", name) for name in names] == [None, None, None]
    assert house.draft("published", house.name(changed))


def test_an_answer_that_was_removed_or_whose_question_was_is_not_told(house: House) -> None:
    first, second = (house.published(address="tom@reader.example", events="author others") for _ in range(2))
    removed, orphan = house.published(reply_to=first), house.answered(second)

    house.remove(removed)
    house.remove(second)

    assert house.draft("answered", removed) is None
    assert house.draft("answered", orphan) is None


def test_an_answer_is_told_in_the_words_that_it_has_when_it_is_told(house: House) -> None:
    id = house.published(address="tom@reader.example", events="author")
    answer = house.answered(id, "Wrong foot.")
    comment = house.moderation.review.find(answer)
    assert comment

    house.moderation.edit(ARTICLE, answer, "Left foot.", seen=house.moderation.review.seen(comment), **BY)

    assert "Left foot." in text_of(house.mail("answered", answer))


def test_nobody_hears_of_an_own_answer(house: House) -> None:
    id = house.published(address="tom@reader.example", events="others")

    answer = house.published(reply_to=id, address="Tom@Reader.example", events="others")

    assert house.draft("answered", answer) is None


def test_an_answer_with_the_unconfirmed_address_of_another_is_told_all_the_same(house: House) -> None:
    id = house.published(address="tom@reader.example", events="others")

    answer = house.published(reply_to=id, address="tom@reader.example")

    assert house.draft("answered", answer)


@pytest.mark.parametrize("facts", [{"intake": ""}, {"notices": False}, {"conversations": {}}])
def test_no_reader_hears_of_a_site_that_sends_no_notices(house: House, facts: dict[str, Any]) -> None:
    id = house.published(address="tom@reader.example", events="published")
    asked = house.send(address="ann@reader.example")
    site = replace(SITE, **facts)

    assert house.notices.draft("published", house.name(id), site, NOW) is None
    assert house.notices.draft("confirm", asked, site, NOW) is None


# Threads and names


def test_mails_about_one_article_or_of_one_person_belong_together(house: House) -> None:
    first, second, other = (house.send(article=article) for article in (ARTICLE, ARTICLE, "shoes"))
    comments = [house.mail("comment", house.name(id))["In-Reply-To"] for id in (first, second, other)]
    messages = [house.mail("message", house.message(contact=it)) for it in ("Ann@reader.example", "ann@reader.example")]

    assert comments[0] == comments[1] != comments[2]
    assert messages[0]["In-Reply-To"] == messages[1]["In-Reply-To"]


def test_what_a_reader_hears_follows_the_question_that_was_asked(house: House) -> None:
    id = house.send(address="tom@reader.example")
    asked = house.mail("confirm", id)
    house.subscriptions.choose(id, ["published"])
    house.approve(id)

    told = house.mail("published", house.name(id))

    assert "In-Reply-To" not in asked
    assert told["In-Reply-To"] == told["References"] == asked["Message-ID"]


def test_a_mail_has_the_same_name_each_time_and_another_at_another_desk(house: House, tmp_path: Path) -> None:
    id = house.send(address="tom@reader.example")

    names = [house.mail("confirm", id)["Message-ID"] for _ in range(2)]
    (house.settings.desk / "key").write_bytes(b"another".ljust(32))
    again = House(house.settings).mail("confirm", id)["Message-ID"]

    assert names[0] == names[1] != again
    assert names[0].endswith("@feet.example>")
    assert id not in names[0]


# Hostile words


HOSTILE_NAMES = [
    "Tom\nBcc: all@evil.example", "Tom\r\n\r\nHello", "=?utf-8?q?Tom=0ABcc:_all@evil.example?=", "x" * 10_000,
    "\u202eTom\u202c \u200b\u2066", "👩‍👩‍👧‍👦 مرحبا 漢字", "Dаvіd", "> Tom", "https://feet.example/",
    "{{ site.author }}", "<b>Tom</b>", "", "\u200b",
]  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE_NAMES)
def test_no_name_contact_or_word_forges_anything(house: House, words: str) -> None:
    id = house.send(held=("x",))
    forge(house.settings, "UPDATE revision SET author = ?, body = ?, held = ?", words, words, f'["{words[:9]}"]')
    message = house.message()
    forge(house.settings, "UPDATE message SET name = ?, contact = ?, body = ?", words, words, words)

    for kind, about in (("comment", house.name(id)), ("message", message)):
        mail = house.mail(kind, about)
        assert set(mail.keys()) <= {
            *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
            *("MIME-Version", "Content-Type", "Reply-To"),
        }
        assert mail["Reply-To"] in (None, "all@evil.example")  # the one address in what was left
        assert len(mail["Subject"]) <= 120
        assert mail["Subject"].startswith(("Comment from ", "Message from "))
        assert [re.sub("/decide/.*", "", link) for link in links(mail)] in (
            ["https://desk.example"],
            ["https://desk.example/messages"],
            ["mailto:all@evil.example", "https://desk.example/messages"],
        )
        assert "<b>" not in html_of(mail)
        assert "\u202e" not in text_of(mail)
        assert len(text_of(mail)) < 21_500


@pytest.mark.parametrize("words", [name for name in HOSTILE_NAMES if name.isprintable() and name][:7])
def test_no_name_in_an_answer_forges_anything(house: House, words: str) -> None:
    id = house.published(address="tom@reader.example", events="others")
    answer = house.published(reply_to=id, author=words[:500], body=words or "Hello.")

    mail = house.mail("answered", answer)

    assert mail["Subject"] == "New reply to your comment on “Working on your big toe”"
    assert len(links(mail)) == 3
    assert "Bcc" not in mail


def test_a_hostile_title_forges_nothing(house: House) -> None:
    id = house.send(address="tom@reader.example")
    site = replace(SITE, conversations={ARTICLE: Conversation("A\nBcc: b@evil.example\n\n" + "x" * 9_999, "/a/")})

    draft = house.notices.draft("confirm", id, site, NOW)

    assert draft
    mail = house.mailer.message(draft, site)
    assert "Bcc" not in mail
    assert len(mail["Subject"]) <= 120
    assert mail.get_body(("plain",))


@pytest.mark.parametrize("hostile", ["no address", "a@b\nBcc: c@d.example", "é@b.example", "a" * 300 + "@b.example"])
def test_what_is_no_address_is_sent_nothing(house: House, hostile: str) -> None:
    id = house.published(address="tom@reader.example", events="published")
    forge(house.settings, "UPDATE subscription SET address = ?, events = ?", hostile, "published author nonsense")

    assert house.draft("published", house.name(id)) is None


def test_an_address_at_a_comment_that_never_was_is_not_asked(house: House) -> None:
    forge(house.settings, "INSERT INTO subscription (comment, address, events) VALUES ('nothing', 'a@b.example', '')")

    assert house.draft("confirm", "nothing") is None


@pytest.mark.parametrize(("kind", "about"), [
    ("comment", "nothing"), ("comment", "../../etc"), ("comment", "0001"), ("comment", "x" * 100_000),
    ("comment", ""), ("message", "'; DROP TABLE note"), ("confirm", "*"), ("published", "0001"), ("answered", "0001"),
    ("digest", "0001"), ("link", "0001"), ("\udcff", "0001"),
])  # fmt: skip
def test_a_forged_note_is_about_nothing(house: House, kind: str, about: str) -> None:
    assert house.notices.about(Event(1, kind, about)) == ""


def test_a_note_about_a_comment_names_the_revision_that_waits(house: House) -> None:
    id = house.send()
    house.change(id, body="Other words.")

    assert house.notices.about(Event(1, "comment", id)) == house.name(id)
    house.approve(id)
    assert house.notices.about(Event(1, "comment", id)) == ""
