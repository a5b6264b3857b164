"""README and docs: every path, command, option, setting and figure in them is there, and nothing they list is forgotten."""

import re
import shlex
import subprocess
import sys
from dataclasses import asdict
from functools import cache

import brotli
import pytest

import pelicanconf
from contract import comment, header
from contract.facts import FACTS
from moving.__main__ import main as moving
from postbox.__main__ import cli as postbox
from postbox.settings import Settings, variable
from press.__main__ import cli as press
from tests.support.place import ROOT, Place

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
}
ALL = "\n".join(PAGES.values())
MADE = ("output/", "var/", "/", "theme/comments", "~/", "http")  # by a build, a process or a machine
YOURS = {"content/extra/", "content/files/", ".venv/bin/python"}
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
COMMAND = re.compile(
    r"^(?:\w+=\S+ |\(umask 077 && )?((?:python -m (?:moving|postbox|press|pelican)|python bench/\w+\.py|online/\w+\b(?!\.)|make)(?: [^#\n|&>)]+)?)",
    re.MULTILINE,
)
OPTION = re.compile(r"(?<!\S)--[a-z-]+")


def inline(text: str) -> list[str]:
    """Return what stands in backticks within the lines of a page."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def commands() -> set[tuple[str, ...]]:
    """Return every command that a page names, in words, without the comment that follows it."""
    lines = "\n".join([*inline(ALL), *re.findall(r"^```sh\n(.*?)^```", ALL, re.DOTALL | re.MULTILINE)])
    return {
        tuple(shlex.split(found)) for found in COMMAND.findall(lines.replace("online/postbox", "python -m postbox"))
    }


@cache
def tree() -> list[str]:
    """Return every file of the repository, each with a slash before its path."""
    tops = [top for top in ROOT.iterdir() if top.name not in (".git", ".venv", "node_modules", "var", "output")]
    files = (path for top in tops for path in ((top, *top.rglob("*")) if top.is_dir() else (top,)))
    return [f"/{path.relative_to(ROOT).as_posix()}{'/' if path.is_dir() else ''}" for path in files]


@cache
def help_of(*command: str) -> str:
    """Return what a command of Python says of itself."""
    asked = [sys.executable, *command, "--help"]
    ended = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_backticks_is_there(page: str) -> None:
    paths = [
        word
        for word in inline(PAGES[page])
        if re.fullmatch(r"[\w./-]*(?:/|\.(?:py|toml|css|html|md|txt|conf|sh))", word)
    ]
    paths = [path for path in paths if not path.startswith(MADE) and path not in YOURS]

    missing = [path for path in paths if not any(file == f"/{path}" for file in tree()) and not _is_below(path)]

    assert not missing, f"{page}: {missing}; write where it lies now"


def _is_below(path: str) -> bool:
    """Tell whether a name that stands beside that of its folder is one of the tree."""
    is_whole = (ROOT / path.partition("/")[0]).is_dir()
    return not is_whole and any(file.endswith(f"/{path}") for file in tree())


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_page_and_its_heading(page: str) -> None:
    for target, anchor in re.findall(r"\]\((?!http|\{|<)([^)#]*)#?([^)]*)\)", PAGES[page]):
        file = (ROOT / page).parent / target
        assert file.is_file(), f"{page}: {target}"
        headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], f"{page}: #{anchor}"


def test_every_command_and_its_options_are_there() -> None:
    wrong = [" ".join(command) for command in commands() if not _is_there(command)]

    assert not wrong


def _is_there(command: tuple[str, ...]) -> bool:
    program, *words = command
    if program == "make":
        return not words or bool(re.search(rf"^{re.escape(words[0])}:", MAKEFILE, re.MULTILINE))
    if program.startswith("online/"):
        return (ROOT / program).is_file()
    has_commands = words[0] == "-m" and words[2:] and not words[2].startswith("-")
    text = help_of(*words[: 3 if has_commands else 2 if words[0] == "-m" else 1])
    return all(option in text for option in OPTION.findall(" ".join(words)))


@pytest.mark.parametrize(("program", "names"), [
    ("moving", moving.commands), ("postbox", postbox.commands), ("press", press.commands),
])  # fmt: skip
def test_no_command_is_forgotten(program: str, names: dict[str, object]) -> None:
    told = {command[3] for command in commands() if command[1:3] == ("-m", program) and len(command) > 3}

    assert not names.keys() - told


def test_every_setting_is_there_and_none_is_forgotten() -> None:
    environment = {variable(name) for name in asdict(Settings())}
    facts = (ROOT / "pelicanconf.py").read_text("utf-8").partition("# The engine")[0]
    ours = (
        environment
        | set(re.findall(r"^([A-Z_]+)[: ]", facts, re.MULTILINE))
        | set(re.findall(r'"(SITE_[A-Z_]+)"', (ROOT / "publishconf.py").read_text("utf-8")))
        | {"SITE_CONTENT", "PORT"}
    )

    ours = (ours - {"PATH"}) | {fact.name for fact in FACTS}

    told = {word for word in inline(PAGES["docs/settings.md"]) if re.fullmatch(r"[A-Z_]{3,}[A-Z]", word)}
    told |= set(re.findall(r"`([a-z_]+)`", PAGES["docs/settings.md"].partition("## Comments")[0]))
    elsewhere = {found for found in re.findall(r"`([A-Z]+_[A-Z_]*[A-Z])\b", ALL) if not hasattr(pelicanconf, found)}

    assert (told ^ ours, elsewhere - ours) == (set(), set())


def test_the_defaults_are_those_that_the_table_says() -> None:
    rows = [line for line in PAGES["docs/settings.md"].splitlines() if line.startswith("| `POSTBOX_")]
    for name, value in asdict(Settings()).items():
        [row] = [row for row in rows if f"`{variable(name)}`" in row]
        default = "none" if not value or "localhost.invalid" in str(value) else str(value)
        assert default in row.split(" | ")[1], f"{name} is {default} by default"


def test_the_keys_of_a_header_are_those_that_the_table_says() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGES["docs/writing.md"], re.MULTILINE))

    for key in header.KEYS:
        kinds = "both" if len(key.kinds) == 2 else key.kinds[0]
        needed = {(): kinds, key.kinds: f"{kinds}, needed"}.get(key.required, "article, needed; page")
        assert told.pop(key.name, "") == needed, key.name
    assert not told


def test_the_examples_of_an_article_and_of_a_comment_can_be_read() -> None:
    article = PAGES["README.md"].partition("```markdown\n")[2].partition("```")[0]
    public = PAGES["docs/comments.md"].partition("```\nId:")[2].partition("```")[0]

    assert header.read(article, "article").values["id"] == "shoes"
    assert comment.loads(f"Id:{public}").author == "Tom"


def test_a_page_weighs_what_is_said(shipped: Place) -> None:
    said = re.search(r"`python bench/page\.py --ours`.* ([\d.]+) kB \(brotli\).* ([\d.]+) kB of deferred script", ALL)
    assert said
    [script] = shipped.output.glob("theme/comments.*.js")

    for figure, file in zip(said.groups(), (shipped.output / "index.html", script), strict=True):
        weight = len(brotli.compress(file.read_bytes())) / 1000
        assert abs(weight - float(figure)) < 0.1, (
            f"{file.name}: write {weight:.1f} kB, as `python bench/page.py --ours` prints"
        )


def test_readme_is_two_screens_and_the_glossary_fifteen_words() -> None:
    glossary = PAGES["docs/architecture.md"].partition("## Glossary\n")[2]

    assert PAGES["README.md"].count("\n") <= 130
    assert 0 < glossary.count("\n| ") - 2 <= 15


def test_every_decision_has_its_day_and_what_was_refused() -> None:
    decisions = [line for line in PAGES["docs/decisions.md"].splitlines() if line.startswith("- ")]

    assert decisions
    for line in decisions:
        assert re.match(r"- \d{4}-\d\d-\d\d: \*\*[^*]+\*\*,? ?.*\w.*[.)]$", line), line
    assert [line[:12] for line in decisions] == sorted(line[:12] for line in decisions)
