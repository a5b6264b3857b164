"""Mail: what a draft looks like on the wire, and what becomes of it with a real server and its faults."""

# ruff: noqa: N802  # the names of the hooks are aiosmtpd's

import asyncio
import email
import html
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import example, given
from hypothesis import settings as running_with
from hypothesis import strategies as st
from jinja2 import FileSystemLoader

from contract.templates import environment
from postbox.mail.message import MailDraft, one_line, plain, quoted
from postbox.mail.smtp import Mailer, MailError
from postbox.settings import Settings
from tests.support.mail import SITE, DroppingInData, Taking, html_of, running, text_of
from tests.support.pages import colours
from tests.support.place import ROOT

THEME = environment(FileSystemLoader(ROOT / "theme/templates"))
LOOP = asyncio.Runner(loop_factory=uvloop.new_event_loop)  # uvicorn's; the worker's tests use Python's own
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def a_draft(**fields: str) -> MailDraft:
    """Return a draft with whatever is interesting about it."""
    usual = {"to": "tom@reader.example", "subject": "Hello", "text": "Hello, Tom.", "message_id": "c7.1@feet.example"}
    return MailDraft(**usual | fields)


def a_mailer(settings: Settings | None = None, **options: Any) -> Mailer:
    """Return a mailer whose clock stands still."""
    usual: dict[str, Any] = {"clock": lambda: datetime(2026, 11, 22, 10, 15, tzinfo=UTC), "step_seconds": 10}
    return Mailer(settings or Settings(mail_from="david@feet.example"), THEME, **usual | options)


def on_the_wire(draft: MailDraft) -> EmailMessage:
    """Return a draft as the program that receives it understands it."""
    received = email.message_from_bytes(a_mailer().message(draft, SITE).as_bytes(), policy=SMTP_POLICY)
    assert isinstance(received, EmailMessage)
    return received


# What a draft looks like


def test_a_mail_is_plain_text_first_and_then_the_same_as_html() -> None:
    message = on_the_wire(a_draft(text="One.\n\nTwo,\nand three."))

    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert text_of(message) == "One.\n\nTwo,\nand three.\n"
    assert "<p>One.</p>\n<p>Two,<br>and three.</p>" in html_of(message)


def test_a_mail_has_the_headers_of_one_that_a_program_sends() -> None:
    draft = a_draft(in_reply_to="c6.1@feet.example", reply_to="ann@reader.example")

    message = on_the_wire(draft)

    assert dict(message.items()) == {
        "From": "From the ground up <david@feet.example>",
        "To": "tom@reader.example",
        "Reply-To": "ann@reader.example",
        "Subject": "Hello",
        "Date": "Sun, 22 Nov 2026 10:15:00 +0000",
        "Message-ID": "<c7.1@feet.example>",
        "In-Reply-To": "<c6.1@feet.example>",
        "References": "<c6.1@feet.example>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    assert message.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(("sender", "shown"), [
    ("david@feet.example", "From the ground up <david@feet.example>"),
    ("David <david@feet.example>", "David <david@feet.example>"),
    ('"David, coach" <david@feet.example>', '"David, coach" <david@feet.example>'),
    ("Dávid, é <david@feet.example>", '"Dávid, é" <david@feet.example>'),
])  # fmt: skip
def test_the_sender_has_the_name_in_the_settings_or_that_of_the_site(sender: str, shown: str) -> None:
    mailer = a_mailer(Settings(mail_from=sender))

    message = email.message_from_bytes(mailer.message(a_draft(), SITE).as_bytes(), policy=SMTP_POLICY)

    assert message["From"] == shown
    assert [address.addr_spec for address in message["From"].addresses] == ["david@feet.example"]


@pytest.mark.parametrize(("address", "post"), [
    (f"https://feet.example/comments/leave/{'a' * 120}?mail=c7", "List-Unsubscribe=One-Click"),
    ("http://localhost:8000/comments/leave/abc", None),
])  # fmt: skip
def test_one_click_unsubscribes_only_where_the_address_is_encrypted(address: str, post: str | None) -> None:
    message = on_the_wire(a_draft(unsubscribe=address))

    assert (message["List-Unsubscribe"], message["List-Unsubscribe-Post"]) == (f"<{address}>", post)
    sent = a_mailer().message(a_draft(unsubscribe=address), SITE).as_bytes()
    assert f"List-Unsubscribe: <{address}>\r\n".encode() in sent


def test_a_block_that_ends_with_an_address_of_ours_is_a_link() -> None:
    text = "Read it and decide:\nhttp://127.0.0.1:8001/comment/c7?seal=a&b\n\nhttps://feet.example/articles/feet/"

    message = on_the_wire(a_draft(text=text))

    assert text_of(message) == f"{text}\n"
    assert re.findall(r"<a.*?</a>", html_of(message)) == [
        '<a class="button" href="http://127.0.0.1:8001/comment/c7?seal=a&amp;b">Read it and decide</a>',
        '<a href="https://feet.example/articles/feet/">https://feet.example/articles/feet/</a>',
    ]


@pytest.mark.parametrize("address", [
    "https://evil.example/", "https://feet.example.evil.example/", "https://feet.example@evil.example/",
    "javascript:alert(1)", "https://feet.example/ and more", "See https://feet.example/",
])  # fmt: skip
def test_no_other_address_becomes_a_link(address: str) -> None:
    message = on_the_wire(a_draft(text=f"Read it:\n{address}"))

    assert "<a" not in html_of(message)
    assert text_of(message) == f"Read it:\n{address}\n"


def test_what_a_reader_wrote_stands_in_a_quotation_alone() -> None:
    words = "Hello <b>there</b>\n\nhttps://feet.example/\n\n> quoted\r\n-- \nFrom me"

    message = on_the_wire(a_draft(text=f"Tom wrote:\n\n{quoted(words)}\n\nThat is all."))

    assert text_of(message) == (
        "Tom wrote:\n\n> Hello <b>there</b>\n>\n> https://feet.example/\n>\n> > quoted\n> --\n> From me\n\nThat is all.\n"
    )
    assert (
        '<blockquote dir="auto">Hello &lt;b&gt;there&lt;/b&gt;<br><br>https://feet.example/<br><br>'
        "&gt; quoted<br>--<br>From me</blockquote>\n<p>That is all.</p>"
    ) in html_of(message)
    assert "<a" not in html_of(message)


def test_every_kind_of_new_line_is_one_in_a_quotation() -> None:
    assert quoted("\na\u2028b\rc\x0bd\x85e\n\nf\n") == "> a\n> b\n> c\n> d\n> e\n>\n> f"


def test_the_html_loads_nothing_and_runs_nothing() -> None:
    draft = a_draft(subject="</title><script>", text=f"<script>\n\n{quoted('<img src=//evil.example/x.png>')}")

    shown = html_of(on_the_wire(draft))

    assert not re.search(r"<(script|img|link|iframe|table|object)|<[^>]*(src|background)=|url\(|@import", shown)
    assert "<style>" in shown
    assert SITE.accent in shown
    assert SITE.accent_dark in shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_of_a_mail_are_those_of_the_site(scheme: str) -> None:
    light, dark = html_of(on_the_wire(a_draft())).split("@media (prefers-color-scheme: dark)")

    used = set(re.findall(r"#[0-9a-f]{3,6}\b", light if scheme == "light" else dark))

    assert len(used) >= 6
    assert used <= set(colours(scheme).values())


# Columns and lines


def test_text_is_wrapped_at_76_columns_and_quotations_inside_their_prefix() -> None:
    words = "somewhat longer words than others " * 20

    lines = text_of(on_the_wire(a_draft(text=f"{words.strip()}\n\n{quoted(words)}"))).split("\n")

    assert max(map(len, lines)) <= 76
    paragraph, quotation = (lines[: lines.index("")], lines[lines.index("") + 1 : -1])
    assert " ".join(paragraph) == words.strip()
    assert all(line.startswith("> ") for line in quotation)
    assert " ".join(line.removeprefix("> ") for line in quotation) == words.strip()


def test_wide_letters_count_twice_and_combining_ones_not_at_all() -> None:
    wide, combined = " ".join(["漢字"] * 20), " ".join(["e\u0301e\u0301"] * 25)

    lines = text_of(on_the_wire(a_draft(text=f"{wide}\n\n{combined}"))).split("\n")

    assert lines == [" ".join(["漢字"] * 15), " ".join(["漢字"] * 5), "", combined, ""]


def test_a_long_address_stays_whole_on_its_line() -> None:
    address = f"https://feet.example/decide/{'a' * 200}"

    lines = text_of(on_the_wire(a_draft(text=f"{'Read it and decide ' * 6}\n{address}"))).split("\n")

    assert address in lines


@pytest.mark.parametrize("words", [
    "a" * 10_000, "é" * 10_000, "\u0645\u0631\u062d\u0628\u0627 " * 2_000, "👩‍👩‍👧‍👦" * 1_000,
    "." * 1_000 + "\n.\n..\nFrom me\n" + "." * 1_000, "=" * 2_000, " " * 10_000 + "x",
    "\ud800 \0 \x1b[31m \x85 \u2028 \x0c \u202e", "",
])  # fmt: skip
def test_any_words_travel_as_short_lines_of_ascii(words: str) -> None:
    data = a_mailer().message(a_draft(subject=words, text=quoted(words)), SITE).as_bytes()

    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 200
    assert not {*b"\n\r\0"} & {*data.replace(b"\r\n", b"")}


def test_long_words_arrive_whole() -> None:
    words = "é" * 10_000

    message = on_the_wire(a_draft(text=quoted(words)))

    assert text_of(message) == f"> {words}\n"
    assert words in html_of(message)


# Forgery

HOSTILE = st.text(st.sampled_from('ab>\n\r\0\x0b\x85\u2028\u2029\u202e\ufeff\ud800é=?:; <@.,"漢') | st.characters())
INJECTIONS = [
    "Tom\nBcc: all@reader.example", "Tom\r\n\r\n<h1>Dear reader</h1>", "Tom\u2028Bcc: all@reader.example\x85To: x",
    "=?utf-8?q?Tom=0ABcc:_all@reader.example?=", "=?utf-8?b?VG9tDQpCY2M6IGFsbEByZWFkZXIuZXhhbXBsZQ==?=",
    "x" * 60 + " =\u200b?utf-8?q?=0ABcc:_a?=", "é" * 50 + "\n Bcc: all@reader.example", "\u202eelpmaxe.live\u2066",
]  # fmt: skip


@pytest.mark.parametrize("words", INJECTIONS)
def test_a_name_or_a_subject_adds_no_header(words: str) -> None:
    message = on_the_wire(a_draft(subject=f"{words} wrote", text=f"{one_line(words)} wrote:\n\n{quoted(words)}"))

    assert list(message.keys()) == HEADERS
    assert re.fullmatch(r"[^\n\r]+ wrote", message["Subject"])
    assert [address.addr_spec for address in message["To"].addresses] == ["tom@reader.example"]
    assert not message.defects


@running_with(deadline=None)
@given(HOSTILE, HOSTILE)
@example("=?utf-8?q?x=0ABcc:_a?=", "\n\nhttps://feet.example/")
@example("é" * 70 + " =" + "?" * 50, "> \n\n\x1c\n")
def test_whatever_a_reader_wrote_the_headers_and_the_blocks_are_ours(subject: str, words: str) -> None:
    text = f"Before.\n\n{quoted(words)}\n\nAfter.\nhttps://feet.example/"

    message = on_the_wire(a_draft(subject=subject, text=text))

    assert list(message.keys()) == HEADERS
    assert message["Subject"] == one_line(subject, 120).replace("=?", "= ?").strip()
    lines = text_of(message).split("\n")
    assert lines[:2] == ["Before.", ""]
    assert lines[-4:] == ["", "After.", "https://feet.example/", ""]
    assert all(line == ">" or line.startswith("> ") for line in lines[2:-4])
    assert html_of(message).count("<a") == 1
    assert html_of(message).count("<blockquote") == 1


@running_with(deadline=None)
@given(HOSTILE)
def test_a_quotation_in_html_says_what_the_text_says(words: str) -> None:
    message = on_the_wire(a_draft(text=quoted(words)))

    shown = re.search(r"<blockquote dir=\"auto\">(.*)</blockquote>", html_of(message), re.DOTALL)

    assert shown
    assert html.unescape(shown[1].replace("<br>", " ")).split() == re.sub("(?m)^> ?", "", text_of(message)).split()


@pytest.mark.parametrize(("words", "line"), [
    ("Tom", "Tom"), (" Tom \n\t Smith ", "Tom Smith"), ("T\u202eo\u200bm\0\ufeff\u00ad", "Tom"),
    ("a\u2028b\x85c", "a b c"), ("Zoë 🦶", "Zoë 🦶"), ("\u200b", ""), ("x" * 100, "x" * 79 + "…"), ("\ud800", "\ufffd"),
])  # fmt: skip
def test_a_name_in_a_sentence_is_one_line_without_invisible_signs(words: str, line: str) -> None:
    assert one_line(words) == line


@pytest.mark.parametrize(
    "reply_to",
    ["", "x", "a@b.example, c@d.example", "a@b.example\nBcc: c@d.example", "Tom <a@b.example>", "é@b.example"],
)
def test_a_reply_goes_nowhere_that_is_not_one_address(reply_to: str) -> None:
    assert list(on_the_wire(a_draft(reply_to=reply_to)).keys()) == HEADERS


@pytest.mark.parametrize("fields", [
    {"to": ""}, {"to": "tom"}, {"to": "a@b.example, c@d.example"}, {"to": "a@b.example\nBcc: c@d.example"},
    {"to": "a@b.example>"}, {"to": "tom@127.0.0.1"}, {"to": "\ud800@reader.example"}, {"message_id": "x"},
    {"message_id": "../x@feet.example"}, {"message_id": "a@b\n@c"},
    {"in_reply_to": "=?utf-8?q?=0A?=@feet.example"},
    {"unsubscribe": "mailto:x@feet.example"},
    {"unsubscribe": "https://feet.example/>, <https://evil.example/"},
    {"unsubscribe": "https://feet.example/?=?utf-8?q?=0A?="},
])  # fmt: skip
def test_a_draft_that_cannot_be_addressed_is_refused_for_good(tmp_path: Path, fields: dict[str, str]) -> None:
    mailer = a_mailer(Settings(var=tmp_path))

    with pytest.raises(MailError, match="is not") as refusal:
        send(mailer, a_draft(**fields))

    assert refusal.value.is_permanent
    assert not list(tmp_path.iterdir())


# Words in which nothing can be clicked


@pytest.mark.parametrize("link", [
    "https://evil.example/path?x=1#y", "HTTP://EVIL", "ftp://x", "www.evil.example", "www.x", "evil.com",
    "evil.com/path", "EVIL.CO.UK", "sub.evil.example:8080/x", "(evil.com)", "“evil.com”", "well.evil.com,",
    "end.Next", "bücher.example", "пример.рф", "例え.テスト", "उदाहरण.भारत", "xn--bcher-kva.xn--p1ai", "💩.la", "evil．com",
    "evil。com", "evil｡com", "evil․com", "ｅｖｉｌ．ｃｏｍ", "evil\u200b.\u2060com", "ev\u00adil.c\u00adom", "evil.c\ufe0fom",
    "tom@evil.example", "tom＠evil.example", "a@b", "mailto:tom@evil.example", "mailto:tom", "tel:+447504439555",
    "tel:(07504)439555", "sms:123", "javascript:alert(1)", "data:text/html,x", "//evil/x", r"\\evil\share", r"C:\x",
    "localhost:8000", "192.168.0.1", "[here](https://evil.example)", "<https://evil.example>", "href=//evil.example",
    "x" * 10_000 + ".com",
])  # fmt: skip
def test_what_could_be_clicked_is_taken_out(link: str) -> None:
    assert plain(f"See {link} now\nor {link}") == "See [link] now\nor [link]"
    assert plain(link) == "[link]"


@pytest.mark.parametrize("words", [
    "Thank you. It helped, e.g. on stairs (i.e. going down) at 10:15 p.m.",
    "1.5 km, 22.11.2026, v2.0, £3.50, 50:50, 1/2, and/or", "Well… no... not 100%! “Really?” :-) @David",
    "Event: mind the gap. Ünïcödé, 漢字。漢字、한국어 مرحبا", "", " \n\n spaced \t out",
])  # fmt: skip
def test_words_that_are_no_link_stay_as_they_are(words: str) -> None:
    assert plain(words) == words


@running_with(deadline=None)
@given(HOSTILE)
def test_taking_links_out_twice_is_taking_them_out_once(words: str) -> None:
    assert plain(plain(words)) == plain(words)


@pytest.mark.parametrize(
    "sign", ["a", ".", "@", ":", "/", "1.", "a.", "a:", "\u0301", "\u0316\u0301", "\ufdfa", "=?", ">"]
)
def test_a_hundred_thousand_of_any_sign_are_soon_done(sign: str) -> None:
    words = sign * (100_000 // len(sign))  # with a time that grew with the square this would not end

    assert plain(words)
    assert quoted(words)
    assert one_line(words)


# A real server


class DroppingAfterData(Taking):
    """Hangs up when it has taken a mail, without taking leave."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        await server.push(answer)
        assert server.transport
        server.transport.close()
        return answer


def settings_for(port: int, *, scheme: str = "smtp", user: str = "") -> Settings:
    """Return the settings for a server on this machine."""
    return Settings(smtp=f"{scheme}://{user}127.0.0.1:{port}", mail_from="david@feet.example")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates of the servers here."""
    return trustme.CA()


@pytest.fixture(scope="module", autouse=True)
def loop() -> Iterator[None]:
    """One event loop for all, as in the desk, so that TLS can take leave after a mail is sent."""
    with LOOP:
        yield
        LOOP.run(asyncio.sleep(0.2))


def server_tls(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Return how a server with a certificate for a name encrypts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return how a client checks that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def send(mailer: Mailer, draft: MailDraft) -> None:
    """Send a draft."""
    LOOP.run(mailer.send(draft, SITE))


def failure(mailer: Mailer, draft: MailDraft | None = None) -> MailError:
    """Send what cannot be sent and return why."""
    with pytest.raises(MailError) as caught:
        send(mailer, draft or a_draft())
    return caught.value


def test_a_server_gets_the_mail_as_it_was_composed() -> None:
    handler, words = Taking(), "\n.\n..\nFrom me\né\n" + "x" * 5_000
    draft = a_draft(subject="Zoë wrote", text=f"Zoë wrote:\n\n{quoted(words)}")

    with running(handler) as port:
        send(a_mailer(settings_for(port)), draft)

    [envelope] = handler.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("david@feet.example", ["tom@reader.example"])
    assert isinstance(envelope.content, bytes)
    received = email.message_from_bytes(envelope.content, policy=SMTP_POLICY)
    assert isinstance(received, EmailMessage)
    assert received["Subject"] == "Zoë wrote"
    assert text_of(received) == text_of(on_the_wire(draft))
    assert html_of(received) == html_of(on_the_wire(draft))


def test_the_machine_gives_the_host_of_the_senders_address_as_its_name() -> None:
    class Greeted(Taking):
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            names.append(session.host_name)
            return await super().handle_DATA(server, session, envelope)

    names: list[str | None] = []

    with running(Greeted()) as port:
        send(a_mailer(settings_for(port)), a_draft())

    assert names == ["feet.example"]


@pytest.mark.parametrize("handler", [Taking(delay=0.5), DroppingAfterData()], ids=["answers late", "hangs up after"])
def test_what_was_taken_is_taken_however_late_and_whatever_happens_then(handler: Taking) -> None:
    with running(handler) as port:
        send(a_mailer(settings_for(port)), a_draft())

    assert len(handler.taken) == 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_password_travels_encrypted_to_a_server_whose_certificate_is_checked(
    authority: trustme.CA, scheme: str
) -> None:
    handler, options = Taking(), encrypting(scheme, server_tls(authority))

    with running(handler, authenticator=handler.sign_in, **options) as port:
        settings = settings_for(port, scheme=scheme, user="david%40feet:p%40ss%3Aw%2Frd%20%231@")
        send(a_mailer(settings, tls=client_tls(authority)), a_draft())

    assert handler.users == ["david@feet"]
    assert handler.encrypted == [True]


def encrypting(scheme: str, context: ssl.SSLContext) -> dict[str, Any]:
    """Return the options of a server that encrypts at once, or when asked."""
    if scheme == "smtps":
        return {"ssl_context": context, "auth_require_tls": False}  # aiosmtpd knows only of the TLS that it began
    return {"tls_context": context, "require_starttls": True}


def test_an_authority_of_ones_own_is_named_by_the_environment(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    handler = Taking()

    with running(handler, tls_context=server_tls(authority)) as port:
        send(a_mailer(settings_for(port, scheme="smtp+starttls")), a_draft())

    assert handler.encrypted == [True]


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
@pytest.mark.parametrize("fault", ["unknown authority", "another name"])
def test_no_mail_goes_to_a_server_with_a_wrong_certificate(authority: trustme.CA, scheme: str, fault: str) -> None:
    signer = authority if fault == "another name" else trustme.CA()
    name = "mx.example" if fault == "another name" else "127.0.0.1"
    handler = Taking()

    with running(handler, **encrypting(scheme, server_tls(signer, name))) as port:
        error = failure(a_mailer(settings_for(port, scheme=scheme), tls=client_tls(authority)))

    assert "certificate verify failed" in str(error)
    assert not error.is_permanent
    assert not handler.taken


@pytest.mark.parametrize(("answers", "scheme", "user", "words"), [
    ({}, "smtp+starttls", "", "STARTTLS"),  # which this server does not offer
    ({}, "smtp", "david:hunter2@", "AUTH"),  # nor to sign in
    ({"mail": "553 5.7.1 You are not david"}, "smtp", "", "553 5.7.1 You are not david"),
])  # fmt: skip
def test_what_a_server_cannot_do_or_refuses_to_us_is_no_fault_of_the_letter(
    authority: trustme.CA, answers: dict[str, Any], scheme: str, user: str, words: str
) -> None:
    handler = Taking(**answers)

    with running(handler) as port:
        error = failure(a_mailer(settings_for(port, scheme=scheme, user=user), tls=client_tls(authority)))

    assert str(error).startswith(f"127.0.0.1:{port}: ")
    assert words in str(error)
    assert not error.is_permanent
    assert not handler.taken


def test_a_wrong_password_is_no_fault_of_the_mail_and_is_not_told(authority: trustme.CA) -> None:
    handler = Taking()

    with running(handler, authenticator=handler.sign_in, auth_required=True, tls_context=server_tls(authority)) as port:
        settings = settings_for(port, scheme="smtp+starttls", user="david:hunter2@")
        error = failure(a_mailer(settings, tls=client_tls(authority)))

    assert str(error).startswith(f"127.0.0.1:{port}: 535")
    assert "hunter2" not in str(error)
    assert not error.is_permanent
    assert not handler.taken


def test_a_connection_dropped_half_way_is_tried_again() -> None:
    with running(Taking(), kind=DroppingInData) as port:
        error = failure(a_mailer(settings_for(port)), a_draft(text=quoted("words " * 100_000)))

    assert str(error).startswith(f"127.0.0.1:{port}: ")
    assert not error.is_permanent


@pytest.mark.parametrize(("answers", "words", "is_permanent"), [
    ({"rcpt": "450 4.2.1 Try later"}, "450 4.2.1 Try later", False),
    ({"rcpt": "550 5.1.1 No such user here"}, "550 5.1.1 No such user here", True),
    ({"rcpt": "530 5.7.0 Authentication required"}, "530 5.7.0 Authentication required", False),
    ({"rcpt": "421 4.3.2 Going down"}, "421 4.3.2 Going down", False),
    ({"data": "451 4.3.0 Try later"}, "451 4.3.0 Try later", False),
    ({"data": "554 5.7.1 Looks like spam"}, "554 5.7.1 Looks like spam", True),
    ({"data": "550-One\r\n550 Two"}, "550 One Two", True),
    ({"data": "554 \x1b[31m\u202eé" + "x" * 400}, "554 [31mé" + "x" * 290 + "…", True),
    ({"data": "nonsense"}, "", False),
])  # fmt: skip
def test_a_refusal_says_the_servers_words_and_whether_to_try_again(
    answers: dict[str, str], words: str, is_permanent: bool
) -> None:
    handler = Taking(**answers)  # type: ignore[arg-type]

    with running(handler, enable_SMTPUTF8=True) as port:
        error = failure(a_mailer(settings_for(port)))

    assert words in str(error)
    assert error.is_permanent is is_permanent
    assert not handler.taken


def test_a_server_that_does_not_listen_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening, so that nobody else does

        error = failure(a_mailer(settings_for(taken.getsockname()[1])))

    assert "Connection refused" in str(error)
    assert not error.is_permanent


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_never_greets_is_given_up_after_a_step(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = settings_for(silent.getsockname()[1], scheme=scheme)

        error = failure(a_mailer(settings, step_seconds=0.2))

    assert "Timed out" in str(error)
    assert not error.is_permanent


def test_a_server_that_drips_is_given_up_in_the_end_and_hung_up_on() -> None:
    def drip() -> None:
        connection, _ = dripping.accept()
        connection.settimeout(0.05)
        with connection, suppress(ConnectionError):
            for _ in range(200):
                connection.sendall(b"220-")
                with suppress(TimeoutError):
                    heard.append(connection.recv(1))
                    return

    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as dripping:
        thread = threading.Thread(target=drip)
        thread.start()
        port = dripping.getsockname()[1]

        error = failure(a_mailer(settings_for(port), step_seconds=5, max_seconds=0.5))

        thread.join(20)
    assert str(error) == f"127.0.0.1:{port}: not done after 0.5 seconds"
    assert not error.is_permanent
    assert heard == [b""]


# No server


def test_without_a_server_a_mail_is_a_file_that_sorts_by_time(tmp_path: Path) -> None:
    times = iter(datetime(2026, 11, day, 10, 15, tzinfo=UTC) for day in (9, 9, 22, 22))
    mailer = a_mailer(Settings(var=tmp_path), clock=lambda: next(times))

    for id in ("z.1@feet.example", "a.1@feet.example"):
        send(mailer, a_draft(message_id=id))

    files = sorted((tmp_path / "mail").iterdir())
    ids = [email.message_from_bytes(file.read_bytes())["Message-ID"] for file in files]
    assert [file.name for file in files] == ["20261109T101500.000000Z-z.1.eml", "20261122T101500.000000Z-a.1.eml"]
    assert ids == ["<z.1@feet.example>", "<a.1@feet.example>"]
    assert (tmp_path / "mail").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("", "utf-8")

    error = failure(a_mailer(Settings(var=tmp_path)))

    assert "mail" in str(error)
    assert not error.is_permanent
