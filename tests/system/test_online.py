"""Commands of ``docs/publishing.md``, run as they stand on a machine that is a folder."""

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.machine import (
    SERVICES,
    Machine,
    a_comment,
    commands,
    installed,
    needs_root,
    open_for_all,
)
from tests.support.place import ARTICLE, ROOT

pytestmark = needs_root


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with installed() as made:
        yield made


def test_the_packages_are_debians() -> None:
    [line] = [line for line in commands("as root:").splitlines() if line.startswith("apt-get")]
    if not list(Path("/var/lib/apt/lists").glob("*_Packages*")):
        pytest.skip("apt knows no packages here")

    ended = subprocess.run([*line.split(), "--simulate"], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr


def test_the_commands_end_with_services_and_a_link_to_the_desk(machine: Machine) -> None:
    asked = machine.asked()

    assert asked == ["daemon-reload", f"enable --now {' '.join(SERVICES)} web-site@caddy.path", "reload caddy"]
    assert re.fullmatch(r"https://desk\.feet\.example/sign-in/[\w-]{43}", machine.link)
    units = {path.name for path in (machine.root / "etc/systemd/system").glob("*site*.*")}
    ours = {path.name for kind in ("path", "service", "service.d", "timer") for path in ROOT.glob(f"online/*.{kind}")}
    assert units == ours > {f"{name}.service" for name in SERVICES}
    assert stat.S_IMODE((machine.root / "etc/site/desk.env").stat().st_mode) == 0o600
    assert "example.org" not in (machine.root / "etc/site/site.env").read_text()


@pytest.mark.parametrize("own", [
    "# Nothing yet.\n", "", "other.example {\n\trespond hi\n}\n",
    "# Mine\n\n{\n\temail you@mail.example\n}\nother.example {\n\trespond hi\n}\n",
])  # fmt: skip
def test_the_owners_caddyfile_is_led_on_once_and_keeps_its_lines(machine: Machine, own: str) -> None:
    file = machine.root / "etc/caddy/Caddyfile"
    stock = file.read_text()
    assert set(Path("/etc/caddy/Caddyfile").read_text().splitlines()) <= set(stock.splitlines())
    file.write_text(own)

    machine.run("online/install")
    led = file.read_text()
    machine.run("online/install")

    again = file.read_text()
    file.write_text(stock)
    rest = iter(led.splitlines())
    assert all(line in rest for line in own.splitlines()), led
    assert led.count("import ") == 2
    assert again == led


@pytest.mark.parametrize(("path", "theirs", "cure"), [
    ("etc/caddy/Caddyfile", "{\n\tservers {\n\t\tnonsense\n\t}\n}\n", "stays as it is, for Caddy cannot read it"),
    ("etc/sysusers.d/site.conf", "u other -\n", "move it away, then run this again"),
    ("etc/systemd/system/site-press.service", "[Service]\n", "move it away, then run this again"),
])  # fmt: skip
def test_what_another_has_written_is_left_alone(machine: Machine, path: str, theirs: str, cure: str) -> None:
    file = machine.root / path
    ours = file.read_text()
    file.write_text(theirs)

    said = machine.run("if online/install 2>&1; then exit 1; fi")

    assert (file.read_text(), cure in said) == (theirs, True), said
    file.write_text(ours)


def test_an_interpreter_that_only_root_can_run_gives_way_to_debians(machine: Machine) -> None:
    if subprocess.run(["/usr/bin/python3", "-c", "import ensurepip"], check=False, capture_output=True).returncode:
        pytest.skip("there is no python3-venv of Debian's here")
    venv = machine.site / ".venv"
    kept = venv.rename(machine.root / "kept")
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").write_text("#!/bin/sh\n")

    machine.run("! PIP_NO_INDEX=1 online/install 2>&1")  # for without the packages it cannot go on

    ran = machine.as_user("site-press", "import sys; print(sys.base_prefix)")
    shutil.rmtree(venv)
    kept.rename(venv)
    assert ran.stdout == "/usr\n", ran.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd itself looks at its units")
def test_systemd_finds_no_fault_in_the_units(machine: Machine) -> None:
    units = sorted((machine.root / "etc/systemd/system").glob("*.*[eh]"))

    ended = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)

    assert (ended.returncode, [line for line in ended.stderr.splitlines() if str(machine.root) in line]) == (0, [])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_held_to_what_it_writes(machine: Machine, service: str) -> None:
    unit = machine.unit(service)

    assert unit["ProtectSystem"] == ["strict"]
    assert unit["NoNewPrivileges"] == unit["PrivateTmp"] == unit["ProtectHome"] == ["yes"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["User"] == [service]
    assert (str(machine.root / "etc/site/desk.env") in unit["EnvironmentFile"]) == (service == "site-desk")
    for path in unit["ReadWritePaths"][0].split():
        assert Path(path).is_dir(), path


WORDS = "../../var/lib/site/content"
KINDS = ("articles", "comments", "extra", "files", "images", "pages")
WRITES = {
    "site-intake": {"var/inbox"},
    "site-desk": {
        *(f"var/{folder}" for folder in ("inbox", "desk", "erased", "mail", "proofs")),
        *(f"{WORDS}/{path}" for path in (".", "site.toml", *KINDS, f"articles/{ARTICLE}.md", f"comments/{ARTICLE}")),
    },
    "site-press": {"var/public", "var/site", "var/press", "var/proofs"},
}
FOLDERS = sorted(
    set().union(*WRITES.values())
    | {".", "var", "content", "content/articles", "postbox", "theme", ".venv", f"{WORDS}/.."}
)


@pytest.mark.parametrize("user", WRITES)
def test_a_user_writes_where_its_process_must_and_nowhere_else(machine: Machine, user: str) -> None:
    code = "import os; print(*(f for f in {} if os.access(f, os.W_OK)))"

    ended = machine.as_user(user, code.format(FOLDERS))

    assert set(ended.stdout.split()) == WRITES[user], ended.stderr


@pytest.mark.parametrize(("user", "path"), [
    *(("site-intake", f"var/{folder}") for folder in ("desk", "erased", "mail", "proofs")),
    *(("site-intake", f"{WORDS}/{folder}") for folder in KINDS if folder != "comments"),
    ("site-press", "var/desk"), ("site-press", "var/inbox"), ("site-press", "var/erased"), ("site-press", "var/mail"),
    *((user, "../../etc/site/desk.env") for user in WRITES),
])  # fmt: skip
def test_a_user_cannot_even_read_what_is_anothers(machine: Machine, user: str, path: str) -> None:
    ended = machine.as_user(
        user, f"from pathlib import Path; p = Path({path!r}); [*p.iterdir()] if p.is_dir() else p.open()"
    )

    assert "PermissionError" in ended.stderr


def test_a_backup_is_brought_back_while_another_was_written_since(machine: Machine) -> None:
    with open_for_all(machine) as ports, httpx2.Client(base_url=f"http://127.0.0.1:{ports['8000']}") as reader:
        before = reader.post("/comments", data=a_comment("Before the backup.")).headers["location"]
        machine.run(commands("A backup holds"))
        after = reader.post("/comments", data=a_comment("After the backup.")).headers["location"]
    archive = machine.root / "root/site.tar.gz"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    machine.asked()

    machine.run(commands("To bring it back"))

    assert machine.asked() == ["stop site-intake site-desk", "start site-intake site-desk"]
    assert "Before the backup." in machine.run("online/postbox list")
    with open_for_all(machine) as ports, httpx2.Client(base_url=f"http://127.0.0.1:{ports['8000']}") as reader:
        assert reader.get(before).status_code == 200
        assert reader.get(after).status_code == 404
        assert reader.post("/comments", data=a_comment("And on it goes.")).status_code == 303
        assert [httpx2.get(f"http://127.0.0.1:{one}/healthz").status_code for one in ports.values()] == [200, 200]


def test_an_update_brings_the_new_theme_and_keeps_settings_and_words(machine: Machine) -> None:
    (machine.root / "etc/site/desk.env").write_text("POSTBOX_MAIL_TO='you@mail.example'\n")
    article = machine.site / WORDS / f"articles/{ARTICLE}.md"
    article.write_text(article.read_text("utf-8") + "\nWritten at the desk.\n", "utf-8")
    template = machine.root / "repository/theme/templates/404.html"
    template.write_text(template.read_text("utf-8").replace("It may have moved.", "It has moved."), "utf-8")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(machine.root / "repository")]
    subprocess.run([*git, "commit", "-qam", "More"], check=True)
    machine.asked()

    machine.run(commands("An update"))

    assert machine.asked() == ["daemon-reload", f"restart {' '.join(SERVICES)}"]
    assert "you@mail.example" in (machine.root / "etc/site/desk.env").read_text()
    with open_for_all(machine):
        output = machine.site / "var/public/output"
        assert "It has moved." in (output / "404.html").read_text("utf-8")
        assert "Written at the desk." in (output / f"articles/{ARTICLE}/index.html").read_text("utf-8")
