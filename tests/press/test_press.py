"""The press: what it prints when something changes is what a build from nothing makes, soon, and never half."""

import contextlib
import gc
import importlib
import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pelican.contents import Article
from pelican.readers import MarkdownReader as PelicansReader
from pelican.settings import DEFAULT_CONFIG

from contract.manifest import BuildStatus as State
from press.builder import Builder
from press.errors import BuildError
from press.incremental.cache import Cache
from press.incremental.comments import words_key
from press.plugin.hooks import INTERNALS
from press.plugin.reader import MarkdownReader
from press.plugin.run import run
from press.watch import Changes, Watcher, watching
from tests.support.place import ROOT, SITE_URL, Place, a_comment
from tests.support.process import end, line_of

ARTICLE = "articles/big-toe-and-glutes/index.html"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = 60.0  # seconds that a test waits for what takes a moment, also on a busy machine


class Noted(Builder):
    """A press that notes what it prints by itself, between whole runs."""

    def __init__(self, place: Place, **overrides: Any) -> None:
        self.printed: list[str] = []
        super().__init__(place.folder / "pelicanconf.py", place.settings() | overrides, is_watching=True)

    def render_page(self, file: str) -> bool:
        is_new = super().render_page(file)
        self.printed += [file] * is_new
        return is_new


@pytest.fixture
def press(place: Place) -> Iterator[Noted]:
    """A press that has printed nothing yet."""
    with contextlib.closing(Noted(place)) as made:
        yield made


def warm(press: Builder, place: Place, changes: Changes | None = None, said: list[str] | None = None) -> Watcher:
    """Return a press that has printed once, and is told what changes."""
    made = Watcher(press, changes or queue.SimpleQueue(), place.comments, (said if said is not None else []).append)
    made.build_all()
    return made


@contextlib.contextmanager
def going(
    press: Builder, place: Place, changes: Changes | None = None, said: list[str] | None = None
) -> Iterator[Watcher]:
    """Give a press that goes on in a thread of its own until the end."""
    over, running = threading.Event(), warm(press, place, changes, said)
    thread = threading.Thread(target=running.run, args=(over.is_set,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        over.set()
        thread.join(SOON)
    assert not thread.is_alive()


def settle(warm: Watcher) -> None:
    """Let the press print all that waits for a pause."""

    def turn() -> bool:
        warm.turn(set())
        return not warm.is_busy

    wait_for(turn)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, but not for ever."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, with its bytes, but for how the press does."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name not in ("press.json", "press.lock")}


def state(place: Place) -> State:
    """Return what the press tells of itself."""
    return State.load(place.folder / "var/site/press.json")


def from_nothing(place: Place, folder: Path, **overrides: Any) -> list[dict[str, bytes]]:
    """Build the same site elsewhere with an empty cache; return its output and its facts."""
    elsewhere = {"OUTPUT_PATH": "output", "SITE_JSON": "site/site.json", "PRESS_CACHE": "cache"}
    elsewhere = {setting: str(folder / path) for setting, path in elsewhere.items()}
    folder.mkdir()
    with contextlib.closing(Noted(place, **elsewhere | overrides)) as cold:
        cold.build_all()
    return [files(folder / "output"), files(folder / "site")]


# The same as a build from nothing


class Editor:
    """Changes a site at random, one thing at a time."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.chance = place, random.Random(seed)
        self.made = 0
        self.headers: dict[str, dict[str, str]] = {}
        for _ in range(4):
            self.new_article()

    def change(self) -> tuple[str, set[Path]]:
        """Change something; return what, and the files that it was."""
        edits = [self.comment] * 4 + [self.reply] * 2 + [self.remove] * 2 + [self.mark_removed, self.change_comment]
        edits += [self.break_comment, self.copy_comment, self.new_article, self.delete_article, self.theme, self.fact]
        edits += [self.text] * 2 + [self.header] * 4
        edit = self.chance.choice(edits)
        return edit.__name__, {path for path in edit() if path}

    def comment(self, **fields: Any) -> set[Path]:
        self.made += 1
        article = self.chance.choice([*self.headers, "big-toe-and-glutes"])
        date = NOON - timedelta(minutes=self.chance.randrange(5000)) if self.chance.random() < 0.8 else None
        fields = {"id": f"id{self.made:04}", "article": article, "date": date, "body": f"Words *{self.made}*."} | fields
        return {self.place.comment(a_comment(**fields))}

    def reply(self) -> set[Path]:
        path = self.chance.choice(self.comments())
        return self.comment(article=path.parent.name, reply_to=path.stem)

    def change_comment(self) -> set[Path]:
        path = self.chance.choice(self.comments())
        path.write_text(path.read_text("utf-8").rstrip("\n") + " And more.\n", "utf-8")
        return {path}

    def remove(self) -> set[Path]:
        path = self.chance.choice(self.comments())
        path.unlink()
        return {path}

    def mark_removed(self) -> set[Path]:
        path = self.chance.choice(self.comments())
        path.write_text(f"Id: {path.stem}\nArticle: {path.parent.name}\nRemoved: yes\n", "utf-8")
        return {path}

    def break_comment(self) -> set[Path]:
        path = self.chance.choice(self.comments())
        path.write_text("no header", "utf-8")
        return {path}

    def copy_comment(self) -> set[Path]:
        """Put a comment with the id of another into another article."""
        path = self.chance.choice(self.comments())
        return self.comment(id=path.stem, article=self.chance.choice(list(self.headers)))

    def new_article(self) -> set[Path]:
        self.made += 1
        slug = f"article-{self.made}"
        tags = self.chance.choice(["feet", "feet, toes"])
        self.headers[slug] = {"Tags": tags, "Date": f"2026-10-{self.made % 28 + 1:02}"}
        return {self.write(slug)}

    def delete_article(self) -> set[Path]:
        slug = self.chance.choice(list(self.headers))
        if len(self.headers) < 2:
            return set()
        del self.headers[slug]
        path = self.place.folder / f"content/articles/{slug}.md"
        path.unlink()
        return {path}

    def text(self) -> set[Path]:
        text = f"Other words, [here](/contact/). {self.chance.random()}"
        return {self.write(self.chance.choice(list(self.headers)), text)}

    def header(self) -> set[Path]:
        slug, header = self.chance.choice(list(self.headers.items()))
        self.made += 1
        others = [
            {"Title": f"Title {self.made}"},
            {"Date": f"2026-{self.made % 12 + 1:02}-11"},  # some of them have not come yet
            {"Slug": f"slug-{self.made}", "Formerly": header.get("Slug", slug)},
            {"Tags": self.chance.choice(["", "toes", "arches, feet"])},
            {"Status": self.chance.choice(["draft", "hidden", "published"])},
            {"Comments": self.chance.choice(["", "closed"])},
            {"Summary": f"Summary {self.made}"},
        ]
        header |= self.chance.choice(others)
        return {self.write(slug)}

    def theme(self) -> set[Path]:
        names = ["article.html", "parts/conversation.html", "comments.xml", "sitemap.xml", "style.css"]
        path = self.place.folder / "theme/templates" / self.chance.choice(names)
        path.write_text(path.read_text("utf-8").replace("\n", "\n\n", 1), "utf-8")
        return {path}

    def fact(self) -> set[Path]:
        values: dict[str, list[Any]] = {
            "hours": [f"“{self.made}”"],
            "CLOSE_AFTER_DAYS": [0, 30],
            "INTAKE": ["", "/comments"],
        }
        fact = self.chance.choice(list(values))
        value = self.chance.choice(values[fact])
        path = self.place.folder / ("pelicanconf.py" if fact.isupper() else "content/site.toml")
        path.write_text(re.sub(rf"(?m)^{fact} = .*$", f"{fact} = {value!r}", path.read_text("utf-8")), "utf-8")
        return {path}

    def write(self, slug: str, text: str = "Some words.") -> Path:
        return self.place.article(slug, text=text, **self.headers[slug])

    def comments(self) -> list[Path]:
        return sorted(self.place.comments.rglob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "goes_on"), [(1, True), (3, False)])
def test_after_any_edit_the_output_is_that_of_a_build_from_nothing(
    place: Place, tmp_path_factory: pytest.TempPathFactory, seed: int, goes_on: bool
) -> None:
    editor = Editor(place, seed)
    cold = tmp_path_factory.mktemp("cold")
    with contextlib.ExitStack() as stack:
        said: list[str] = []
        running = warm(stack.enter_context(contextlib.closing(Noted(place, NOW=NOON))), place, said=said)
        for number in range(18):
            edits = [editor.change() for _ in range(editor.chance.choice([1, 1, 3]))]

            if goes_on:
                running.turn(set().union(*(changed for _, changed in edits)))
                settle(running)
            else:
                stack.close()
                place.build(NOW=NOON)

            ours = [files(place.output), files(place.folder / "var/site")]
            assert ours == from_nothing(place, cold / str(number), NOW=NOON), (edits, said[-3:])
            assert state(place).faults == []


def test_a_process_that_starts_with_the_cache_prints_what_changed_and_no_more_and_runs_no_pelican(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.article("second")
    place.build()
    before = {path: path.stat().st_ino for path in place.output.rglob("*.*")}
    place.comment(a_comment(article="second"))
    monkeypatch.setattr("press.plugin.run.Pelican", None)

    place.build()

    changed = {path for path, inode in before.items() if path.stat().st_ino != inode}
    ours = {"articles/second/index.html", "articles/second/comments.xml"}
    theirs = {"articles/index.html", "index.html", "comments.xml"}
    assert {path.relative_to(place.output).as_posix() for path in changed} == ours | theirs


EDITS: dict[str, Callable[[Place], object]] = {
    "a text": lambda place: place.article("second", text="Other words"),
    "a text no longer than it was": lambda place: place.article("second", text="Same words"),
    "a new article": lambda place: place.article("third"),
    "an article that is gone": lambda place: (place.folder / "content/articles/second.md").unlink(),
    "a fact": lambda place: place.write(
        "site.toml", (place.folder / "content/site.toml").read_text().replace("hours =", 'hours = "9" #')
    ),
    "a photograph": lambda place: place.image("foot.png", size=(30, 20)),
    "a file": lambda place: place.write("extra/robots.txt.md5", "two"),
    "a template": lambda place: (place.folder / "theme/templates/404.html").write_text("{{ site.name }}"),
    "a script": lambda place: (place.folder / "theme/static/comments.js").write_text("let a;"),
    "the configuration": lambda place: place.write(
        "../pelicanconf.py", (ROOT / "pelicanconf.py").read_text() + "CLOSE_AFTER_DAYS = 3\n"
    ),
    "a page in the output": lambda place: (place.output / ARTICLE).write_text("mine"),
    "an image in the output": lambda place: next(place.output.glob("images/foot*")).unlink(),
    "a file in the output": lambda place: (place.output / "robots.txt.md5").unlink(),
    "one file more in the output": lambda place: (place.output / "mine.html").write_text("mine"),
    "what the intake is told": lambda place: (place.folder / "var/site/site.json").write_text("{}"),
    "a folder that is a link": lambda place: (place.folder / "content/articles/more").symlink_to(place.folder / "more"),
    "nothing": lambda place: None,
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_process_that_starts_with_the_cache_builds_what_one_without_does(
    place: Place, tmp_path_factory: pytest.TempPathFactory, edit: str
) -> None:
    place.image("foot.png", size=(20, 30))
    place.write("extra/robots.txt.md5", "one")
    place.article("second", text="Some words")
    place.article("pictured", text="![A foot]({static}/foot.png)")
    (place.folder / "more").mkdir()
    place.article("linked").rename(place.folder / "more/linked.md")
    place.build()
    place.comment(a_comment(article="pictured"))
    EDITS[edit](place)

    place.build()

    cold = from_nothing(place, tmp_path_factory.mktemp("cold") / "site")
    assert [files(place.output), files(place.folder / "var/site")] == cold


def test_what_changed_while_it_was_read_is_not_remembered(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.article("second", text="One")

    def run_late(*given: Any) -> None:
        place.article("second", text="Two")
        run(*given)

    with monkeypatch.context() as patched:
        patched.setattr("press.builder.run", run_late)
        place.build()
    place.article("second", text="One")

    place.build()

    assert "<p>One</p>" in place.page("/articles/second/")


def test_a_process_that_starts_when_something_has_fallen_due_runs_pelican(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.article("due", Date="2999-01-01")
    place.build()
    monkeypatch.setattr("press.builder.now_in", lambda _: datetime(2999, 1, 2, tzinfo=UTC))
    monkeypatch.setattr("press.plugin.run.Pelican", None)

    with pytest.raises(BuildError):
        place.build()


def test_a_comment_is_on_its_articles_page_before_anything_else_shows_it(press: Noted, place: Place) -> None:
    place.article("second", Tags="feet")
    place.article("third", Tags="feet")
    running = warm(press, place)

    running.turn({place.comment(a_comment(article="second", date=NOON))})
    settle(running)

    assert press.printed[0] == "articles/second/index.html"
    lists = {"index.html", "articles/index.html", "articles/about/feet/index.html", "sitemap.xml"}
    assert set(press.printed[1:]) == lists | {"articles/second/comments.xml", "comments.xml"}
    assert set(state(place).live) >= {"abcd"}


def test_a_function_of_the_configuration_that_changes_is_called_again(place: Place) -> None:
    template, configuration = place.folder / "theme/templates/404.html", place.folder / "pelicanconf.py"
    template.write_text(template.read_text("utf-8").replace("</h1>", "</h1>{{ 'One'|mine }}", 1), "utf-8")
    words = configuration.read_text("utf-8")
    configuration.write_text(words + 'JINJA_FILTERS = {"mine": lambda text: text + " and two"}\n', "utf-8")
    place.build()

    configuration.write_text(words + 'JINJA_FILTERS = {"mine": lambda text: text + " and six"}\n', "utf-8")
    place.build()

    assert "One and six" in place.page("/404.html")


def test_a_file_that_someone_took_out_of_the_output_comes_back(place: Place) -> None:
    place.build()
    before = files(place.output)
    (place.output / ARTICLE).unlink()
    (place.output / "contact/index.html").write_text("Something else.")

    place.build()

    assert files(place.output) == before


# Never half


@pytest.mark.slow
def test_a_reader_never_meets_half_a_page_or_a_link_ahead_of_its_page(place: Place) -> None:
    for slug in ("second", "third"):
        place.article(slug, Tags="feet")
    over, faults = threading.Event(), list[str]()

    def read_on() -> None:
        while not over.is_set():
            for file in ("index.html", "articles/index.html", ARTICLE, "articles/second/index.html"):
                page = (place.output / file).read_text("utf-8")
                if not page.endswith("</html>"):
                    faults.append(f"{file} is cut off")
                for address, fragment in set(re.findall(r'href="(/[^"#?]*/)(?:#([^"]*))?"', page)):
                    target = place.output / address[1:] / "index.html"
                    if not address.startswith("/comments/") and not (
                        target.exists() and (not fragment or f'id="{fragment}"' in target.read_text("utf-8"))
                    ):
                        faults.append(f"{file} leads to {address}#{fragment}")

    with contextlib.closing(Noted(place)) as press, watching(*press.folders, place.folder) as changes:
        reader = threading.Thread(target=read_on, daemon=True)
        with going(press, place, changes) as running:
            reader.start()
            try:
                for number in range(200):
                    article = ("second", "third", "big-toe-and-glutes")[number % 3]
                    place.comment(a_comment(id=f"many{number}", article=article))
                    if number % 60 == 30:
                        place.article(f"new-{number}", text="See [the other](/articles/second/#comment-many0).")
                    time.sleep(0.002)
                wait_for(lambda: "comment-many199" in place.page("/articles/third/"))
                wait_for(lambda: (place.output / "articles/new-150").exists() and not running.is_busy)
            finally:
                over.set()
                reader.join(SOON)

    assert not reader.is_alive()
    assert faults == []
    assert state(place).faults == []


# Crowds


def test_two_hundred_approvals_at_once_print_no_page_more_than_twice(press: Noted, place: Place) -> None:
    running = warm(press, place)

    running.turn({place.comment(a_comment(id=f"many{number}")) for number in range(200)})
    settle(running)

    assert max(press.printed.count(file) for file in press.printed) <= 2
    assert place.page("/comments.xml").count("<entry>") == 50
    assert all(f'id="comment-many{number}"' in place.page(f"/{ARTICLE}") for number in (0, 99, 199))
    assert len(state(place).live) == 200


def test_what_links_to_a_page_that_waits_for_a_pause_waits_for_the_page(press: Noted, place: Place) -> None:
    running = warm(press, place)
    running.turn({place.comment(a_comment())})

    running.turn({place.comment(a_comment(id="efgh"))})
    settle(running)

    assert state(place).faults == []
    assert 'id="comment-efgh"' in place.page(f"/{ARTICLE}")
    assert "#comment-efgh" in place.page("/comments.xml")


# What is wrong


def test_a_failing_article_leaves_the_last_good_output_and_comments_still_come(press: Noted, place: Place) -> None:
    article = place.article("second")
    said: list[str] = []
    running = warm(press, place, said=said)
    before = files(place.output)

    broken = place.article("second", text="[x](/nowhere/)")
    running.turn({broken})

    assert files(place.output) == before
    assert state(place).faults[0].endswith("content/articles/second.md:7: link to /nowhere/: no such page or file")
    assert any(line.startswith(state(place).faults[0]) for line in said)
    faults = state(place).faults

    running.turn({place.comment(a_comment())})
    settle(running)

    assert 'id="comment-abcd"' in place.page(f"/{ARTICLE}")
    assert state(place).faults == faults

    place.article("second", text="Mended.")
    running.turn({article})

    assert state(place).faults == []
    assert "Mended." in place.page("/articles/second/")


@pytest.mark.parametrize(("file", "mend", "fault", "told"), [
    ("theme/templates/article.html", ("· {{ site.name }}", "At noon"), ("{{ article.title }}", "{{ article.titel }}"),
        r"theme/templates/article\.html:4: 'pelican\.contents\.Article object' has no attribute 'titel'"),
    ("pelicanconf.py", ('"Europe/London"', '"Europe/London"; HOURS = "At noon"'), ('"Europe/London"', "("),
        r"pelicanconf\.py:\d+: '\(' was never closed"),
    ("content/site.toml", ('hours = ""', 'hours = "At noon"'), ('hours = ""', 'hour = ""'),
        r"content/site\.toml:\d+: “hour” is not a fact; did you mean “hours”"),
])  # fmt: skip
def test_a_template_or_a_configuration_that_fails_is_told_and_recovers_when_mended(
    press: Noted, place: Place, file: str, mend: tuple[str, str], fault: tuple[str, str], told: str
) -> None:
    running, path = warm(press, place), place.folder / file
    whole, before = path.read_text("utf-8"), files(place.output)

    path.write_text(whole.replace(*fault), "utf-8")
    running.turn({path})

    assert files(place.output) == before
    assert re.search(told, state(place).faults[0])

    path.write_text(whole.replace(*mend), "utf-8")
    running.turn({path})
    settle(running)

    assert state(place).faults == []
    assert "At noon" in place.page("/contact/") + place.page(f"/{ARTICLE}")


def test_a_comment_that_an_article_links_to_is_off_the_page_all_the_same(press: Noted, place: Place) -> None:
    comment = place.comment(a_comment())
    place.article("second", text="As [Tom](/articles/big-toe-and-glutes/#comment-abcd) says.")
    running = warm(press, place)

    comment.unlink()
    running.turn({comment})
    settle(running)

    assert "comment-abcd" not in place.page(f"/{ARTICLE}")
    assert "second.md:7: link to /articles/big-toe-and-glutes/#comment-abcd" in state(place).faults[0]


def test_a_comment_that_an_article_links_to_is_off_the_page_after_a_start_too(place: Place) -> None:
    comment = place.comment(a_comment())
    place.article("second", text="As [Tom](/articles/big-toe-and-glutes/#comment-abcd) says.")
    place.build()
    comment.unlink()

    with pytest.raises(BuildError, match=r"second\.md:7: link to /articles/big-toe-and-glutes/#comment-abcd"):
        place.build()

    assert "comment-abcd" not in place.page(f"/{ARTICLE}")


# By itself


@pytest.mark.slow
def test_it_wakes_when_an_article_falls_due_and_when_a_conversation_closes(place: Place) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=4)
    place.article("due", Date=moment.isoformat(timespec="seconds"))
    place.article("closing", Date=(moment - timedelta(days=30)).isoformat(timespec="seconds"))
    with contextlib.closing(Noted(place, CLOSE_AFTER_DAYS=30)) as press, going(press, place):
        assert not (place.output / "articles/due").exists()
        wait_for(lambda: (place.output / "articles/due/index.html").exists())
        wait_for(lambda: "This conversation is closed." in place.page("/articles/closing/"))


def test_what_falls_due_while_a_build_reads_the_texts_appears_with_the_next(
    press: Noted, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    place.article("due", Date=(now - hour).isoformat(timespec="seconds"))
    times = [now - 2 * hour]
    with monkeypatch.context() as patched:
        patched.setattr("press.plugin.facts.now_in", lambda _: times[-1])
        patched.setattr("press.plugin.checks.check_ids", lambda _: times.append(now))
        running = warm(press, place)
        assert not (place.output / "articles/due").exists()

    running.turn(set())

    assert (place.output / "articles/due/index.html").exists()
    assert press.due is None


@pytest.mark.slow
def test_what_falls_due_broken_is_told_once_and_comes_when_it_is_mended(place: Place) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=2)
    article = place.article("due", Date=moment.isoformat(timespec="seconds"), text="[dead](/nowhere/)")
    changes: Changes = queue.SimpleQueue()
    said: list[str] = []
    with contextlib.closing(Noted(place)) as press, going(press, place, changes, said):
        wait_for(lambda: any("/nowhere/" in line for line in said))
        time.sleep(1)  # in which it would be told again
        article.write_text(article.read_text("utf-8").replace("/nowhere/", "/contact/"), "utf-8")
        changes.put({article})
        wait_for(lambda: (place.output / "articles/due/index.html").exists())

    assert len([line for line in said if "/nowhere/" in line]) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_the_command_watches_and_is_known_to_have_ended_however_it_does(place: Place, number: int, code: int) -> None:
    (place.folder / "publishconf.py").write_bytes((ROOT / "publishconf.py").read_bytes())
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SITE_URL": SITE_URL}
    command = [sys.executable, "-m", "press", "watch"]
    with subprocess.Popen(command, cwd=place.folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert line_of(process, SOON) == "watching\n"
            assert state(place).watching

            place.comment(a_comment())

            wait_for(lambda: "abcd" in state(place).live)
            assert 'id="comment-abcd"' in place.page(f"/{ARTICLE}")
        finally:
            end(process, number, SOON)

    assert (state(place).watching, state(place).killed) == (False, number == signal.SIGKILL)
    assert process.returncode == code


# The cache


def test_a_cache_that_is_damaged_anywhere_or_anothers_is_an_empty_one_or_whole(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    values = {bytes([n]) * 16: "words " * n for n in range(20)}
    with contextlib.closing(Cache(path, b"1" * 16)) as cache:
        for key, value in values.items():
            cache.put(key, value)
        cache.live |= values.keys()
        cache.state = {"records": {"index.html": (b"", None)}}
        cache.save()
    whole = path.read_bytes()
    damaged = [whole[:end] for end in range(0, len(whole), 997)]
    damaged += [whole[:n] + bytes([whole[n] ^ 255]) + whole[n + 1 :] for n in range(0, len(whole), 61)]

    for data in damaged:
        path.write_bytes(data)
        with contextlib.closing(Cache(path, b"1" * 16)) as cache:
            assert cache.state in ({}, {"records": {"index.html": (b"", None)}})
            assert all(cache.get(key) in (None, value) for key, value in values.items())
    path.write_bytes(whole)
    with contextlib.closing(Cache(path, b"1" * 16)) as same:
        assert {key: same.get(key) for key in values} == values
    with contextlib.closing(Cache(path, b"2" * 16)) as other:
        assert (other.state, other.get(b"\1" * 16)) == ({}, None)


def test_a_site_builds_the_same_beside_a_damaged_cache(place: Place) -> None:
    place.build()
    cache, before = place.folder / "var/press/cache", files(place.output)
    data = bytearray(cache.read_bytes())
    for number in range(0, len(data), 97):
        data[number] ^= 1
    for damaged in (bytes(data), b"", cache.read_bytes()[: len(data) // 2]):
        cache.write_bytes(damaged)

        place.build()

        assert files(place.output) == before


def test_no_words_of_a_comment_are_in_the_cache(press: Noted, place: Place) -> None:
    place.comment(a_comment(body="Something that was said in confidence."))
    cache, running = place.folder / "var/press/cache", warm(press, place)

    running.turn({place.comment(a_comment(id="efgh", body="Something else in *confidence*."))})
    settle(running)
    press.close()

    assert "in <em>confidence" in place.page(f"/{ARTICLE}")
    assert b"confidence" not in cache.read_bytes()


def test_not_even_the_key_of_words_that_have_gone_stays_in_the_cache(press: Noted, place: Place) -> None:
    cache, key = place.folder / "var/press/cache", words_key(a_comment().body)
    comment = place.comment(a_comment())
    running = warm(press, place)
    assert key in cache.read_bytes()

    comment.unlink()
    running.turn({comment})
    settle(running)

    assert key not in cache.read_bytes()


# Pelican


def test_a_press_that_goes_on_holds_no_article_of_an_earlier_run(press: Noted, place: Place) -> None:
    place.article("second")
    for _ in range(3):
        press.build_all()

    gc.collect()

    held = [held.slug for held in gc.get_objects() if isinstance(held, Article)]
    assert sorted(held) == ["big-toe-and-glutes", "second"]


@pytest.mark.parametrize("name", INTERNALS)
def test_what_is_relied_on_in_pelican_is_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    holder, _, owner = module.rpartition(".")

    if owner[0].isupper():
        source = importlib.import_module(holder).__file__
        assert source
        assert re.search(rf"(def|self\.|\b){attribute}\b", Path(source).read_text("utf-8"))
        assert hasattr(importlib.import_module(holder), owner)
    else:
        assert hasattr(importlib.import_module(module), attribute)


HEADER = "Title: Ähm\nId: toe\nSlug: toe\nDate: 2026-11-20\nSummary: S.\nTags: feet, toes\nAuthor: Ada\n\n"


@pytest.mark.parametrize("text", [
    "# Toes\n\nWords[^1].\n\n[^1]: A note.", "*[HTML]: Words\n\nHTML", "[a]: /contact/\n\n[a]",
    "Key: value\n\n| a |\n|---|\n| b |", "",
])  # fmt: skip
def test_the_reader_reads_as_pelicans_own_whatever_it_read_before(tmp_path: Path, text: str) -> None:
    settings = DEFAULT_CONFIG | {"HEADER_KEYS": [], "PAGE_PATHS": ["pages"], "PATH": str(tmp_path)}
    settings |= {"MARKDOWN": {"extensions": ["markdown.extensions.extra"]}}
    article = tmp_path / "a.md"
    article.write_text(HEADER + text, "utf-8")
    with contextlib.closing(Cache(tmp_path / "cache", b"1" * 16)) as cache:
        ours = MarkdownReader(settings | {"PRESS": SimpleNamespace(cache=cache, sources={}, progress=lambda *_: None)})
        theirs, _ = PelicansReader(deepcopy(settings)).read(str(article))

        first, second = ours.read(str(article)), ours.read(str(article))

    assert first == second
    assert first[0] == theirs


def test_a_build_tells_what_it_is_doing_and_how_much_of_that_is_done(place: Place) -> None:
    done: dict[str, int] = {}
    in_all: dict[str, int] = {}

    def progress(what: str, number: int, of: int) -> None:
        done[what] = done.get(what, 0) + number
        in_all[what] = of

    images = {"IMAGE_CACHE": str(place.folder / "images")}
    with contextlib.closing(
        Builder(place.folder / "pelicanconf.py", place.settings() | images, progress=progress)
    ) as builder:
        builder.build_all()

    phases = {"reading conversations": 1, "drawing social images": 1, "drawing pages": done["drawing pages"]}
    assert {what: (done[what], in_all[what]) for what in phases} == {what: (of, of) for what, of in phases.items()}
    assert done["taking texts"] == len(list((place.folder / "content").glob("[ap]*/*.md")))
