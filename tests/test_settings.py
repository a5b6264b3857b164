"""The settings: read once, each with a default, and a wrong one is named."""

from dataclasses import asdict
from pathlib import Path

import pytest

from postbox.settings import Settings, SettingsError, read


@pytest.mark.parametrize("environ", [{}, {"PATH": "/bin", "SITE_URL": "https://feet.example", "postbox_port": "x"}])
def test_what_is_not_set_has_its_default(environ: dict[str, str]) -> None:
    assert read(environ) == Settings()


def test_the_defaults_listen_to_this_machine_only() -> None:
    settings = Settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "8080", 8080),
        ("form_bytes", "0", 0),
        ("form_fields", "5", 5),
        ("host", "0.0.0.0", "0.0.0.0"),
        ("host", "::1", "::1"),
        ("content", "/srv/content", Path("/srv/content")),
        ("var", "../var", Path("../var")),
    ],
)
def test_a_setting_is_read_by_its_name(name: str, text: str, value: object) -> None:
    settings = read({f"POSTBOX_{name.upper()}": text})

    assert asdict(settings) == asdict(Settings()) | {name: value}


def test_every_setting_can_be_read_back_from_its_text() -> None:
    environ = {f"POSTBOX_{name.upper()}": str(value) for name, value in asdict(Settings()).items()}

    assert read(environ) == Settings()


def test_an_unknown_setting_is_named_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"^POSTBOX_PROT is not a setting; the settings are .*POSTBOX_PORT"):
        read({"POSTBOX_PROT": "8080", "POSTBOX_ZOO": ""})


@pytest.mark.parametrize("text", ["x", "", "8.0", "80 80", "1e3", "0x50", "-1", "∞"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read({"POSTBOX_PORT": text})

    assert str(refusal.value) == f"POSTBOX_PORT must be a whole number, not “{text}”"


def test_the_folders_of_a_process_lie_below_its_own() -> None:
    settings = Settings(content=Path("/content"), var=Path("/var"))

    assert settings.comments == Path("/content/comments")
    assert settings.site == Path("/var/site/site.json")
    assert settings.inbox == Path("/var/inbox")
    assert settings.desk == Path("/var/desk")
