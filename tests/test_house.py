"""The table of rooms: which module may import what, held against the source and against running processes.

Read this table first. What David writes flows out through ``press``, what readers write flows in through ``postbox``;
they meet in ``postbox.comment`` (the file of a comment), ``postbox.markup`` and ``postbox.site`` (the facts of the site).

- *imports*: modules of this project; one in brackets is loaded only when its command runs.
- *libraries*: what is not ours and not Python's own, and ``sqlite3``; a library is listed only where it is used by name.
- *never loads*: what may not get into a process that starts with this module, not even through others;
  a package stands for everything in it. So what faces the internet cannot publish, and the build cannot see what waits.

To add a module, add its line; the tests say which line is missing, or says too much.
"""

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

TABLE = """
| module             | imports                              | libraries                      | never loads                          |
| ------------------ | ------------------------------------ | ------------------------------ | ------------------------------------ |
| postbox.comment    |                                      |                                | jinja2, starlette, sqlite3           |
| postbox.markup     |                                      | markdown_it, nh3               | jinja2, starlette, sqlite3           |
| postbox.site       | markup                               | jinja2, markupsafe             | starlette, sqlite3                   |
| postbox.address    |                                      |                                | jinja2, starlette, sqlite3           |
| postbox.settings   | address                              |                                | jinja2, starlette, sqlite3           |
| postbox.form       | address, comment, site               |                                | starlette, sqlite3                   |
| postbox.log        |                                      |                                | jinja2, starlette, sqlite3           |
| postbox.database   |                                      | sqlite3                        | starlette                            |
| postbox.hold       |                                      |                                | jinja2, starlette, sqlite3           |
| postbox.rate       |                                      |                                | jinja2, starlette, sqlite3           |
| postbox.web        | form                                 | starlette                      | sqlite3, uvicorn                     |
| postbox.inbox      | comment, database, form              | sqlite3                        | starlette, DESK, intake              |
| postbox.group_commit | inbox                              |                                | starlette, DESK, intake              |
| postbox.followers  | inbox                                |                                | starlette, DESK, intake              |
| postbox.messages   | form, inbox                          |                                | starlette, DESK, intake              |
| postbox.health     | inbox, log, messages, settings,      | sqlite3, starlette             | DESK, intake, uvicorn                |
|                    | site, web                            |                                |                                      |
| postbox.watched    | log                                  | starlette                      | jinja2, sqlite3, uvicorn             |
| postbox.outbox     | database                             | sqlite3                        | starlette, intake, moderation        |
| postbox.erased     | database, followers, inbox, messages |                                | starlette, moderation, desk, intake  |
| postbox.decisions  | database, outbox                     | sqlite3                        | starlette, intake, moderation        |
| postbox.moderation | comment, database, decisions,        | sqlite3                        | starlette, uvicorn, intake, desk,    |
|                    | erased, inbox, log, outbox,          |                                | sign_in, preview                     |
|                    | settings, site                       |                                |                                      |
| postbox.retention  | database, inbox, log, messages,      |                                | starlette, intake, desk              |
|                    | moderation, settings, site           |                                |                                      |
| postbox.person     | database, followers, form, messages, |                                | starlette, intake, desk              |
|                    | moderation                           |                                |                                      |
| postbox.backup     | inbox, moderation, settings          |                                | starlette, intake, desk              |
| postbox.sign_in    | database                             |                                | starlette, intake, moderation        |
| postbox.decision_link |                                   |                                | jinja2, starlette, sqlite3           |
| postbox.shown      | address, comment, decisions,         |                                | starlette, intake                    |
|                    | moderation, site                     |                                |                                      |
| postbox.office     | form, log, messages, moderation,     | jinja2, starlette              | intake, preview, uvicorn             |
|                    | settings, sign_in, site, web         |                                |                                      |
| postbox.deciding   | comment, form, log, moderation,      | sqlite3                        | intake, preview, uvicorn             |
|                    | office, shown, site                  |                                |                                      |
| postbox.lists      | deciding, office, shown              | starlette                      | intake, preview, uvicorn             |
| postbox.one_comment | deciding, form, lists, office, shown | starlette                     | intake, preview, uvicorn             |
| postbox.decision_page | deciding, decision_link,          | starlette                      | intake, preview, uvicorn             |
|                    | decisions, form, lists, moderation,  |                                |                                      |
|                    | office, shown                        |                                |                                      |
| postbox.correspondence | database, form, lists, office,   | starlette                      | intake, preview, uvicorn             |
|                    | outbox, shown                        |                                |                                      |
| postbox.desk       | correspondence, database, deciding,  | starlette                      | intake, preview, uvicorn             |
|                    | decision_page, decisions, delivery,  |                                |                                      |
|                    | form,                                |                                |                                      |
|                    | health, lists, log, moderation,      |                                |                                      |
|                    | office, one_comment, outbox,         |                                |                                      |
|                    | retention, settings                  |                                |                                      |
| postbox.letter     | address, site                        | jinja2                         | starlette, sqlite3, desk, intake     |
| postbox.mail       | address, letter, settings, site      | jinja2                         | starlette, sqlite3, desk, intake,    |
|                    |                                      |                                | moderation, sign_in                  |
| postbox.notices    | address, comment, decision_link,     | jinja2                         | starlette, intake, desk, sign_in     |
|                    | followers, inbox, letter, messages,    |                                |                                      |
|                    | moderation, settings, site           |                                |                                      |
| postbox.delivery   | database, letter, mail, moderation,  | jinja2                         | starlette, intake, desk, sign_in     |
|                    | notices, outbox, settings, site      |                                |                                      |
| postbox.front      | form, group_commit, inbox, log,      | jinja2, starlette              | DESK, uvicorn                        |
|                    | rate, settings, site, web            |                                |                                      |
| postbox.joining    | comment, followers, form, front,     | sqlite3, starlette             | DESK, uvicorn                        |
|                    | hold, inbox, site, web               |                                |                                      |
| postbox.contact    | form, front, hold, inbox, messages   | sqlite3, starlette             | DESK, uvicorn                        |
| postbox.following  | followers, form, front, inbox, log,  | sqlite3, starlette             | DESK, uvicorn                        |
|                    | site                                 |                                |                                      |
| postbox.intake     | contact, following, form, front,     | starlette                      | DESK, preview, uvicorn               |
|                    | health, joining, settings            |                                |                                      |
| postbox.preview    | intake, settings, site               | starlette                      | DESK, uvicorn                        |
| postbox.__main__   | comment, settings, [moderation],     | sqlite3, starlette, uvicorn    | jinja2, DESK, intake, preview        |
|                    | [intake], [desk], [sign_in],         |                                |                                      |
|                    | [preview], [log], [watched],         |                                |                                      |
|                    | [backup], [person], [retention]      |                                |                                      |
| press.cache        |                                      |                                | postbox, pelican                     |
| press.cores        |                                      |                                | postbox, pelican                     |
| press.links        |                                      | selectolax                     | postbox, pelican                     |
| press.conversations| postbox.comment, cache, cores        |                                | PRIVATE, pelican, jinja2             |
| press.structured   | postbox.comment, postbox.site        | pelican                        | PRIVATE                              |
| press.drawing      | theme                                |                                | postbox, pelican                     |
| press.photograph   |                                      | PIL                            | postbox, pelican                     |
| press.images       | drawing, photograph, theme           |                                | postbox, pelican                     |
| press.social       | images                               | fontpkg_crimson_text, jinja2,  | postbox, pelican                     |
|                    |                                      | PIL, resvg_py                  |                                      |
| press.theme        |                                      | jinja2, lightningcss           | postbox, pelican                     |
| press.feeds        | postbox.comment, postbox.site        | pelican                        | PRIVATE                              |
| press.plugin       | postbox.comment, postbox.site,       | jinja2, pelican                | PRIVATE                              |
|                    | conversations, feeds, images,        |                                |                                      |
|                    | social, structured, theme            |                                |                                      |
| press.reader       | cache, cores                         | markdown, pelican              | PRIVATE                              |
| press.sheets       | postbox.site, cache, conversations,  | jinja2, pelican                | PRIVATE                              |
|                    | cores, faults, feeds, images, links  |                                |                                      |
| press.engine       | reader, sheets                       | pelican                        | PRIVATE                              |
| press.faults       | plugin                               | jinja2                         | PRIVATE                              |
| press.run          | postbox.markup, postbox.site, cache, | jinja2, pelican                | PRIVATE                              |
|                    | conversations, faults, reader        |                                |                                      |
| press.build        | postbox.site, cache, conversations,  | pelican                        | PRIVATE                              |
|                    | faults, links, plugin, run, sheets   |                                |                                      |
| press.warm         | build, faults                        | watchfiles                     | PRIVATE                              |
| press.__main__     | build, faults, warm                  | pelican                        | PRIVATE                              |
"""

# What readers sent and what answers them: nothing that builds the public site may load it.
PRIVATE = "sqlite3, starlette, uvicorn, postbox.database, postbox.form, postbox.inbox, postbox.intake, postbox.moderation, postbox.settings"
# What publishes, lets its author in and writes to people: nothing that answers readers may load it.
DESK = "decision_link, decisions, delivery, desk, erased, mail, moderation, notices, outbox, sign_in"
# Pelican's licence follows it, so no module of postbox ever loads it, or the package that does.
NEVER_IN_POSTBOX = "pelican, press"


@dataclass(frozen=True)
class Room:
    """One line of the table, its names in full."""

    module: str
    imports: frozenset[str]
    late: frozenset[str]
    libraries: frozenset[str]
    never: frozenset[str]


def rooms(table: str) -> Iterator[Room]:
    """Yield the lines of the table; a line without a module goes on with the one above."""
    lines: list[list[str]] = []
    for line in table.strip().split("\n")[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0]:
            lines.append(cells)
        else:
            lines[-1] = [f"{above} {below}" for above, below in zip(lines[-1], cells, strict=True)]
    for module, imports, libraries, never in lines:
        package = module.strip().partition(".")[0]
        never = never.replace("PRIVATE", PRIVATE).replace("DESK", DESK) + (
            f", {NEVER_IN_POSTBOX}" if package == "postbox" else ""
        )
        yield Room(
            module.strip(),
            frozenset(in_full(name.strip("[]"), package) for name in listed(imports)),
            frozenset(in_full(name.strip("[]"), package) for name in listed(imports) if name.startswith("[")),
            frozenset(listed(libraries)),
            frozenset(in_full(name, package) for name in listed(never)),
        )


def listed(cell: str) -> list[str]:
    """Return the names in a cell."""
    return [name.strip() for name in cell.split(",") if name.strip()]


def in_full(name: str, package: str) -> str:
    """Return a name with its package, if it is one of that package's modules."""
    return f"{package}.{name}" if source(f"{package}.{name}").exists() else name


def source(module: str) -> Path:
    """Return the file of a module of ours."""
    return ROOT / f"{module.replace('.', '/')}.py"


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the modules that are imported in a piece of source, ``from package import module`` included."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: write the import in full"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if source(name).exists()} or {str(node.module)}
    return found


def is_ours(module: str) -> bool:
    """Tell whether a module is one of this project."""
    return module.partition(".")[0] in ("postbox", "press")


def loaded_by(code: str, folder: Path) -> set[str]:
    """Return the modules in a fresh process once it has run a piece of code."""
    report = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.__stdout__))"
    process = subprocess.run(
        [sys.executable, "-c", f"{report}\n{code}"],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return set(process.stdout.split())


def intruders(modules: set[str], never: frozenset[str]) -> list[str]:
    """Return what was loaded although it may not be."""
    return sorted(module for module in modules if any(f"{module}.".startswith(f"{name}.") for name in never))


HOUSE = list(rooms(TABLE))
each_room = pytest.mark.parametrize("room", HOUSE, ids=lambda room: room.module)


def test_every_module_has_its_line_and_every_line_its_module() -> None:
    files = [path for package in ("postbox", "press") for path in (ROOT / package).glob("*.py")]

    modules = {f"{path.parent.name}.{path.stem}" for path in files if path.stem != "__init__"}

    assert {room.module for room in HOUSE} == modules


@each_room
def test_a_module_imports_what_its_line_says(room: Room) -> None:
    tree = ast.parse(source(room.module).read_text("utf-8"))

    ours = {module for module in imported(ast.walk(tree)) if is_ours(module)}

    assert ours == room.imports, "correct the import, or the line of the table"


@each_room
def test_a_module_loads_at_once_all_but_what_stands_in_brackets(room: Room) -> None:
    tree = ast.parse(source(room.module).read_text("utf-8"))

    at_once = imported(node for node in tree.body)

    assert not at_once & room.late


@each_room
def test_a_library_is_used_only_where_its_line_says(room: Room) -> None:
    tree = ast.parse(source(room.module).read_text("utf-8"))

    tops = {module.partition(".")[0] for module in imported(ast.walk(tree)) if not is_ours(module)}

    assert tops - (sys.stdlib_module_names - {"sqlite3"}) == room.libraries, "correct the import, or the line"


@each_room
def test_a_process_never_loads_what_its_first_module_may_not(room: Room, tmp_path: Path) -> None:
    loaded = loaded_by(f"import {room.module}", tmp_path)

    assert room.module in loaded
    assert not intruders(loaded, room.never)


def test_imports_go_one_way() -> None:
    graphlib.TopologicalSorter({room.module: room.imports for room in HOUSE}).prepare()  # raises on a circle


def test_the_packages_themselves_are_empty() -> None:
    for package in ("postbox", "press"):
        tree = ast.parse((ROOT / package / "__init__.py").read_text("utf-8"))

        assert [type(node) for node in tree.body] == [ast.Expr]


def test_only_press_knows_pelican() -> None:
    assert {room.module.partition(".")[0] for room in HOUSE if "pelican" in room.libraries} == {"press"}


def test_press_shares_with_postbox_only_what_is_public() -> None:
    shared = {name for room in HOUSE for name in room.imports if room.module.startswith("press.")}

    assert {name for name in shared if name.startswith("postbox.")} <= {
        "postbox.comment",
        "postbox.markup",
        "postbox.site",
    }


def test_the_running_intake_cannot_publish(tmp_path: Path) -> None:
    command = "import sys, uvicorn; uvicorn.run = lambda *a, **k: None; sys.argv[1:] = ['intake']"

    loaded = loaded_by(f"{command}\nfrom postbox.__main__ import main; main()", tmp_path)

    assert "postbox.intake" in loaded
    never = listed(f"{DESK}, preview, {NEVER_IN_POSTBOX}")
    assert not intruders(loaded, frozenset(in_full(name, "postbox") for name in never))
