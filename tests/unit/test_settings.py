"""The settings: read once, each with a default, and a wrong one is named."""

from dataclasses import asdict
from pathlib import Path

import pytest

from postbox.settings import MailServer, Settings, SettingsError, read, variable


@pytest.mark.parametrize("environ", [
    {}, {"PATH": "/bin", "SITE_URL": "https://feet.example", "postbox_port": "x"},
    {variable(name): str(value) for name, value in asdict(Settings()).items()},
], ids=["nothing", "what is another's", "every default"])  # fmt: skip
def test_what_is_not_set_has_its_default_which_can_be_read_from_its_text(environ: dict[str, str]) -> None:
    assert read(environ) == Settings()


def test_the_defaults_listen_to_this_machine_only() -> None:
    settings = Settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


@pytest.mark.parametrize(("name", "text", "value"), [
    ("port", "8080", 8080), ("form_bytes", "0", 0), ("form_fields", "5", 5), ("host", "0.0.0.0", "0.0.0.0"),
    ("host", "::1", "::1"),
    ("content", "/srv/content", Path("/srv/content")),
    ("var", "../var", Path("../var")),
])  # fmt: skip
def test_a_setting_is_read_by_its_name(name: str, text: str, value: object) -> None:
    settings = read({f"POSTBOX_{name.upper()}": text})

    assert asdict(settings) == asdict(Settings()) | {name: value}


def test_an_unknown_setting_is_named_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"^POSTBOX_PROT is not a setting; the settings are .*POSTBOX_PORT"):
        read({"POSTBOX_PROT": "8080", "POSTBOX_ZOO": ""})


@pytest.mark.parametrize("text", ["x", "", "8.0", "80 80", "1e3", "0x50", "-1", "∞"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read({"POSTBOX_PORT": text})

    assert str(refusal.value) == f"POSTBOX_PORT must be a whole number, not “{text}”"


def test_the_folders_of_a_process_lie_below_its_own() -> None:
    of = Settings(content=Path("/content"), var=Path("/var"))

    below = [str(path) for path in (of.comments, of.site, of.inbox, of.desk, of.erased, of.mail)]
    assert below == ["/content/comments", "/var/site/site.json", "/var/inbox", "/var/desk", "/var/erased", "/var/mail"]


def a_server(scheme: str, host: str, port: int, user: str, password: str) -> MailServer:
    """Return a mail server."""
    return MailServer(scheme=scheme, host=host, port=port, user=user, password=password)


MAIL = {"POSTBOX_MAIL_FROM": "David <david@feet.example>", "POSTBOX_MAIL_TO": "david@feet.example"}


@pytest.mark.parametrize(("url", "server"), [
    ("smtp://mx.example", a_server("smtp", "mx.example", 25, "", "")),
    ("smtp+starttls://mx.example", a_server("smtp+starttls", "mx.example", 587, "", "")),
    ("smtps://mx.example/", a_server("smtps", "mx.example", 465, "", "")),
    ("SMTPS://MX.example:2465", a_server("smtps", "mx.example", 2465, "", "")),
    ("smtps://me%40x:p%3Aw%2F%20%25@[::1]:1", a_server("smtps", "::1", 1, "me@x", "p:w/ %")),
    ("smtp://me:word@localhost", a_server("smtp", "localhost", 25, "me", "word")),
    ("smtp://me:word@127.0.0.2", a_server("smtp", "127.0.0.2", 25, "me", "word")),
    ("smtp://me:word@[::1]", a_server("smtp", "::1", 25, "me", "word")),
])  # fmt: skip
def test_the_mail_server_is_one_url(url: str, server: MailServer) -> None:
    settings = read(MAIL | {"POSTBOX_SMTP": url})

    assert settings.mail_server == server


@pytest.mark.parametrize("url", [
    "mx.example", "mx.example:587", "http://me:hunter2@mx.example", "smtps://", "smtps://me:hunter2@",
    "smtps://me:hunter2@mx.example:0", "smtps://me:hunter2@mx.example:70000", "smtps://me:hunter2@mx.example:x",
    "smtps://me:hunter2@mx.example/folder", "smtps://me:hunter2@mx.example?tls=no", "smtps://me:hunter2@mx.example#x",
    "smtps://me:hunter2/x@mx.example", "smtps://me:hunter2#x@mx.example", "smtps://me:hunter2?x@mx.example",
    "smtps://me:hunter2@[::1", "smtps://me:hunter2@m x.example", "smtps://me:hunter2@mx..example",
    "smtps://me:hunter2℀@mx.example", "smtps://me:hunter2é@mx.example", "smtps://me:hunter2%C3%A9@mx.example",
    "smtps://me:hunter2%0A@mx.example", "smtps://me:hun\nter2@mx.example", "smtps://hunter2@mx.example",
    "smtps://:hunter2@mx.example",
])  # fmt: skip
def test_a_mail_server_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read(MAIL | {"POSTBOX_SMTP": url})

    assert str(refusal.value).startswith("POSTBOX_SMTP must be like smtp+starttls://user:password@mail.example.org:587")
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__suppress_context__ or not refusal.value.__context__


@pytest.mark.parametrize("host", ["mx.example", "10.0.0.1", "localhost.example", "127.0.0.1.example", "[fe80::1]"])
def test_a_password_leaves_the_machine_only_encrypted(host: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read(MAIL | {"POSTBOX_SMTP": f"smtp://me:hunter2@{host}"})

    cure = "write smtp+starttls:// or smtps://"
    assert str(refusal.value) == f"POSTBOX_SMTP would send the password unencrypted; {cure}"


@pytest.mark.parametrize("missing", ["POSTBOX_MAIL_FROM", "POSTBOX_MAIL_TO"])
def test_a_mail_server_needs_who_sends_and_to_whom(missing: str) -> None:
    environ = MAIL | {"POSTBOX_SMTP": "smtps://mx.example"}
    del environ[missing]

    with pytest.raises(SettingsError, match=f"^{missing} must be set where POSTBOX_SMTP is$"):
        read(environ)


@pytest.mark.parametrize(("name", "texts", "cure"), [
    ("POSTBOX_MAIL_FROM", ["", "David", "David <david>", "a@b.example, c@d.example", "<a@b.example> x", "D\n<a@b.example>", "é@b.example"],
        "must be like David"),
    ("POSTBOX_MAIL_TO", ["", "David <david@feet.example>", "david@feet", "a@b.example,c@d.example", "a@127.0.0.1"],
        "must be one address"),
])  # fmt: skip
def test_what_cannot_be_written_from_or_to_is_refused(name: str, texts: list[str], cure: str) -> None:
    for text in texts:
        with pytest.raises(SettingsError, match=f"{name} {cure}"):
            read({name: text})


def test_settings_are_shown_without_the_password() -> None:
    settings = read(MAIL | {"POSTBOX_SMTP": "smtps://me:hunter2@mx.example"})

    assert "hunter2" not in f"{settings!r} {settings.mail_server!r}"
