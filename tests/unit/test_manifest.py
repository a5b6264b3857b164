"""The facts that the build hands to the intake, and the environment that draws them on both sides."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, UndefinedError

from contract.manifest import BuildStatus, Conversation, dumps, load
from contract.templates import day, environment
from press.output.folder import watch_lock
from tests.support.facts import a_site


def draw(template: str, name: str = "page.html", **variables: Any) -> str:
    """Return a template of this name, drawn."""
    return environment(DictLoader({name: template})).get_template(name).render(variables)


def test_the_facts_are_read_as_they_were_written(tmp_path: Path) -> None:
    site = a_site(
        name="From the ground up",
        area="Kraków 🦶 “and” around\n",
        style="a>b{content:'</style>'}",
        headers={"X-Content-Type-Options": "nosniff"},
        article_count=2,
        conversations={"feet": Conversation("Feet & toes", "/articles/feet/", "2027-01-01T00:00:00+00:00")},
        redirects={"/articles/old/": "/articles/feet/"},
    )
    path = tmp_path / "site.json"

    path.write_text(dumps(site), "utf-8")

    assert load(path) == site


FACTS = asdict(a_site(conversations={"feet": Conversation("Feet", "/articles/feet/", "2027-01-01T00:00:00+00:00")}))


@pytest.mark.parametrize("text", [
    json.dumps(FACTS | {"fax": "none"}),
    json.dumps({name: fact for name, fact in FACTS.items() if name != "name_length"}),
    json.dumps({name: fact for name, fact in FACTS.items() if name != "conversations"}),
    json.dumps(FACTS | {"conversations": ["feet"]}),
    json.dumps(FACTS | {"conversations": {"feet": {"title": "Feet"}}}),
    json.dumps(FACTS | {"conversations": {"feet": "Feet"}}), "[]", "null", "{}", "", json.dumps(FACTS)[:-1],
    json.dumps(FACTS, ensure_ascii=False).replace("Feet", "\udcff"),
], ids=[*["a fact more", "a fact less", "no conversations", "a list of them", "half a conversation", "none"], *["a list", "nothing", "no facts", "empty", "cut off", "not UTF-8"]])  # fmt: skip
def test_another_versions_or_a_damaged_file_is_refused_with_the_cure(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ValueError, match="build the site again") as refusal:
        load(path)

    assert str(path) in str(refusal.value)


def test_no_file_yet_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "site.json")


@pytest.mark.parametrize(("name", "drawn"), [
    *[(name, "&lt;script&gt; &amp;") for name in ("page.html", "feed.xml", "part/macro.html", "PAGE.HTML", "without-extension")],
    ("robots.txt", "<script> &"),
])  # fmt: skip
def test_a_commenter_called_script_is_escaped_but_in_plain_text(name: str, drawn: str) -> None:
    assert draw("{{ author }}", name, author="<script> &") == drawn


@pytest.mark.parametrize("template", ["{{ nothing }}", "{{ site.nothing }}", "{% if nothing %}{% endif %}"])
def test_an_unknown_variable_stops_the_page(template: str) -> None:
    with pytest.raises(UndefinedError, match="nothing"):
        draw(template, site=a_site())


def test_a_line_with_only_a_tag_leaves_none_behind() -> None:
    assert draw("a\n  {% if true %}\nb\n  {% endif %}\nc") == "a\nb\nc"


@pytest.mark.parametrize(("template", "drawn"), [
    ("{{ words | reader_html }}", "<p><em>Zoë</em> &lt;b&gt;</p>\n"),
    ("{{ date | day(zone) }}", "22 November 2026"),
    ("{{ words | tojson }}", '"*Zoë* \\u003cb\\u003e"'),
    ("{{ site.styles }}", "a>b{content:'&'}"),
    ("{{ site.style }}", "a&gt;b{content:&#39;&amp;&#39;}"),
])  # fmt: skip
def test_the_theme_has_what_it_calls(template: str, drawn: str) -> None:
    site = a_site(style="a>b{content:'&'}")
    date = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)

    assert draw(template, words="*Zoë* <b>", date=date, zone="Europe/London", site=site) == drawn


@pytest.mark.parametrize(("date", "shown"), [
    (datetime(2026, 6, 30, 22, 59, 59, tzinfo=UTC), "30 June 2026"),
    (datetime(2026, 6, 30, 23, 0, tzinfo=UTC), "1 July 2026"),
    (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "31 December 2026"),
    (datetime(2027, 1, 1, tzinfo=UTC), "1 January 2027"),
    (datetime(2026, 7, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))), "30 June 2026"),
])  # fmt: skip
def test_a_day_is_the_day_in_london(date: datetime, shown: str) -> None:
    assert day(date, "Europe/London") == shown


def test_a_conversation_is_open_until_it_closes_and_without_a_date_for_ever() -> None:
    closing = Conversation("Feet", "/articles/feet/", "2026-11-22T10:00:00+00:00")

    assert closing.is_open(datetime(2026, 11, 22, 9, 59, 59, tzinfo=UTC))
    assert not closing.is_open(datetime(2026, 11, 22, 10, 0, tzinfo=UTC))
    assert Conversation("Feet", "/articles/feet/").is_open(datetime(9999, 1, 1, tzinfo=UTC))


def test_the_state_of_the_press_is_read_as_it_was_written(tmp_path: Path) -> None:
    press = BuildStatus(
        finished="2026-11-22T10:15:00.000001+00:00",
        seconds=0.25,
        faults=["content/articles/a.md:7: link to /nowhere/: no such page or file"],
        watching=True,
        live={"k3v9tq2mxw7d": "2026-11-22T10:15:00.000001+00:00"},
    )
    (tmp_path / "press.json").write_text(press.dumps(), "utf-8")

    assert BuildStatus.load(tmp_path / "press.json") == press  # of another machine there is no lock
    (tmp_path / "press.lock").touch()
    killed = BuildStatus.load(tmp_path / "press.json")
    with watch_lock(tmp_path / "press.lock"):
        assert BuildStatus.load(tmp_path / "press.json") == press
    assert (killed.watching, killed.killed) == (False, True)
    assert killed.wrong(tmp_path / "press.json", datetime.now(UTC)).startswith("it was killed")


@pytest.mark.parametrize("text", [
    "", "null", "[]",
    BuildStatus().dumps()[:-1],
    '{"finished": 1}', '{"seconds": "1"}', '{"faults": "one"}', '{"faults": [1]}', '{"live": []}',
    '{"live": {"abcd": null}}', '{"watching": null}', '{"another": 1}', "\x00", None,
])  # fmt: skip
def test_of_a_press_whose_state_is_missing_or_damaged_nothing_is_known(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "press.json").write_text(text, "utf-8")

    assert BuildStatus.load(tmp_path / "press.json") == BuildStatus()
