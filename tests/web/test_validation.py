"""A reader's form: what is refused whole, what is refused by the field, and what goes through as typed."""

from dataclasses import asdict
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postbox.store.messages import Enquiry
from postbox.web.forms import Refused, parse
from postbox.web.validation import check, check_enquiry, length
from tests.support.facts import a_site
from tests.support.place import a_comment

SITE = a_site(name_length=5, comment_length=10)
NAME = {"name": "Tom"}
COMMENT = {"comment": "Hello."}


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.text().map(lambda text: text.replace("\r", "\n")), max_size=5))
def test_a_form_arrives_as_it_was_sent(fields: dict[str, str]) -> None:
    data = urlencode(fields).encode()

    assert parse(data, max_fields=5) == fields


@pytest.mark.parametrize(("data", "fields"), [
    (b"", {}), (b"name=", {"name": ""}), (b"name", {"name": ""}),
    (b"name=Tom+and+Ada%26co&comment=a%3Db", {"name": "Tom and Ada&co", "comment": "a=b"}),
    (b"a=1;b=2", {"a": "1;b=2"}),
    (b"comment=a%0D%0Ab%0D%0A%0D%0Ac", {"comment": "a\nb\n\nc"}),
    (b"comment=a%0Db%0Ac", {"comment": "a\nb\nc"}),
    ("name=Zoë".encode(), {"name": "Zoë"}), (b"name=%F0%9F%A6%B6", {"name": "🦶"}), (b"name=%00", {"name": "\0"}),
    (b"name=100%", {"name": "100%"}),
])  # fmt: skip
def test_a_form_is_read_as_a_browser_means_it(data: bytes, fields: dict[str, str]) -> None:
    assert parse(data, max_fields=2) == fields


@pytest.mark.parametrize(("data", "reason"), [
    (b"a=1&b=2&c=3", "The form had more than 2 fields. Go back and send it again."),
    (b"&" * 100, "The form had more than 2 fields"),
    (b"a=1&a=1", "The form had a field twice. Go back and send it again."),
    (b"a=1&%61=", "The form had a field twice"),
    (b"name=\xff", "The form was not sent as UTF-8. Go back and send it again."),
    (b"name=%FF", "The form was not sent as UTF-8"),
    (b"%FF=name", "The form was not sent as UTF-8"),
    (b"name=%ED%A0%80", "The form was not sent as UTF-8"),
    (b"name=%C0%80", "The form was not sent as UTF-8"),
    ("name=Zoë".encode("latin-1"), "The form was not sent as UTF-8"),
])  # fmt: skip
def test_a_form_that_no_correction_would_mend_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(data, max_fields=2)

    assert str(refusal.value).startswith(reason)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("text", "units"),
    [("", 0), ("abc", 3), ("é", 1), ("e\u0301", 2), ("a\nb", 3), ("🦶", 2), ("🦶🏽", 4), ("\ud83e", 1)],
)
def test_a_text_is_as_long_as_a_browser_says(text: str, units: int) -> None:
    assert length(text) == units


@pytest.mark.parametrize(("fields", "errors"), [
    (NAME | COMMENT, {}),
    ({"name": "Tommy", "comment": "0123456789"}, {}),
    ({"name": "🦶🦶a", "comment": "🦶🦶🦶🦶🦶"}, {}),
    ({"name": "  Tommy  ", "comment": "\n\n0123456789\n\n"}, {}),
    ({"name": "Tom", "comment": "a\tb\nc"}, {}),
    ({"name": "Tommie"} | COMMENT, {"name": "Name must be 5 characters or fewer"}),
    ({"name": "🦶🦶🦶"} | COMMENT, {"name": "Name must be 5 characters or fewer"}),
    (NAME | {"comment": "0123456789a"}, {"comment": "Comment must be 10 characters or fewer"}),
    (NAME | {"comment": "🦶🦶🦶🦶🦶a"}, {"comment": "Comment must be 10 characters or fewer"}),
    (COMMENT, {"name": "Enter your name"}),
    ({"name": " \t\n\u3000\u00a0"} | COMMENT, {"name": "Enter your name"}),
    (NAME, {"comment": "Enter your comment"}),
    (NAME | {"comment": " \n \t\u2003"}, {"comment": "Enter your comment"}),
    ({"name": "T\0m"} | COMMENT, {"name": "Name has a character that cannot be shown (U+0000) after “T”. Delete it"}),
    (NAME | {"comment": "One\ntwo\x1b["}, {"comment": "Comment has a character that cannot be shown (U+001B) after “One\ntwo”. Delete it"}),
    (NAME | {"comment": "\uffff"}, {"comment": "Comment has a character that cannot be shown (U+FFFF) after “”. Delete it"}),
])  # fmt: skip
def test_each_field_is_held_to_its_rule_and_the_error_says_what_to_do(
    fields: dict[str, str], errors: dict[str, str]
) -> None:
    _, found = check(fields, SITE)

    assert found == errors


def test_the_errors_stand_in_the_order_of_the_form() -> None:
    _, errors = check({"comment": "a" * 11, "name": ""}, SITE)

    assert list(errors) == ["name", "comment"]


def test_a_large_limit_is_said_as_people_write_it() -> None:
    _, errors = check(NAME | {"comment": "a" * 4001}, a_site(comment_length=4000))

    assert errors == {"comment": "Comment must be 4,000 characters or fewer"}


@pytest.mark.parametrize(
    ("name", "author"),
    [("Tom", "Tom"), ("  Ada \t Lovelace\n", "Ada Lovelace"), ("Ada\u00a0L.", "Ada L."), ("Zoë 🦶🏽", "Zoë 🦶🏽")],
)
def test_the_spaces_in_a_name_are_one_each(name: str, author: str) -> None:
    submission, _ = check({"name": name} | COMMENT, a_site())

    assert submission.author == author


def test_every_word_is_kept_even_of_a_form_that_is_refused() -> None:
    fields = {
        "article": "feet",
        "reply_to": "0001",
        "name": "Tommie",
        "comment": "  a\n\n  b: " + "c" * 20,
        "email": " tom@home ",
        "more": "x",
    }

    submission, errors = check(fields, SITE)

    assert errors
    assert asdict(submission) == {
        "article": "feet",
        "reply_to": "0001",
        "author": "Tommie",
        "body": "a\n\n  b: " + "c" * 20,
        "email": "tom@home",
    }


@pytest.mark.parametrize("fields", [{}, {"reply_to": ""}])
def test_a_comment_on_the_article_answers_nobody(fields: dict[str, str]) -> None:
    submission, _ = check(fields, SITE)

    assert submission.reply_to is None
    assert submission.article == ""


@settings(deadline=None)
@given(st.text(), st.text())
def test_whatever_goes_through_can_be_published(name: str, comment: str) -> None:
    data = "&".join(f"{key}={quote_plus(text)}" for key, text in (("name", name), ("comment", comment))).encode()

    submission, errors = check(parse(data, max_fields=2), a_site())

    if not errors:
        assert a_comment(author=submission.author, body=submission.body)


def test_without_notices_no_address_is_taken() -> None:
    submission, errors = check(
        {"name": "Tom", "comment": "Hello.", "email": "nonsense"},
        a_site(name_length=5, comment_length=10, notices=False),
    )

    assert (submission.email, errors) == ("", {})


@pytest.mark.parametrize("contact", ["07700 900123", "+44 (0)7700-900123", "tom@feet.example", "٠٧٧٠٠ ٩٠٠١٢٣"])
def test_a_message_says_how_to_answer_it(contact: str) -> None:
    fields = {"name": " Tom ", "contact": f" {contact} ", "message": "\nHello.\n"}

    enquiry, errors = check_enquiry(fields, SITE)

    assert errors == {}
    assert enquiry == Enquiry(name="Tom", contact=contact, body="Hello.")


@pytest.mark.parametrize(("fields", "error"), [
    ({"name": ""}, "Enter your name"),
    ({"contact": ""}, "Enter your phone number or email address"),
    ({"contact": "12345"}, "Enter a full phone number or email address"),
    ({"contact": "ring me"}, "Enter a full phone number or email address"),
    ({"contact": "tom@feet"}, "Enter an email address in the correct format, like name@example.com"),
    ({"contact": "0" * 255}, "Phone number or email address must be 254 characters or fewer"),
    ({"contact": "07700 900123\x07"}, "Phone number or email address has a character that cannot be shown (U+0007)"),
    ({"message": " \n "}, "Enter your message"),
    ({"message": "x" * 4001}, "Message must be 4,000 characters or fewer"),
])  # fmt: skip
def test_a_message_that_could_not_be_answered_is_sent_back_with_the_cure(fields: dict[str, str], error: str) -> None:
    site = a_site(name_length=80, comment_length=4000)

    _, errors = check_enquiry({"name": "Tom", "contact": "07700 900123", "message": "Hello."} | fields, site)

    assert list(errors) == list(fields)
    assert error in next(iter(errors.values()))
