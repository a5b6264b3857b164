"""Commands of ``docs/publishing.md``, run as they stand on a machine that is a folder."""

import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from postbox.settings import Settings, variable
from postbox.store.submissions import Inbox
from tests.support.engines import KEY, Cluster
from tests.support.machine import (
    SERVICES,
    Machine,
    a_comment,
    commands,
    installed,
    needs_root,
    new_machine,
    open_for_all,
)
from tests.support.place import ARTICLE, ROOT
from tests.support.process import PATIENCE_SECONDS, end, free_port, wait_until

pytestmark = needs_root


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with installed() as made:
        yield made


def reader(ports: dict[str, int]) -> httpx2.Client:
    """Return a browser at the intake itself."""
    return httpx2.Client(base_url=f"http://127.0.0.1:{ports['8000']}", timeout=PATIENCE_SECONDS)


def test_the_packages_are_debians() -> None:
    page = (ROOT / "docs/publishing.md").read_text("utf-8")
    packages = {
        word for line in re.findall("^apt-get install --yes (.*)$", page, re.MULTILINE) for word in line.split()
    }
    if not list(Path("/var/lib/apt/lists").glob("*_Packages*")):
        pytest.skip("apt knows no packages here")

    command = ["apt-get", "install", "--yes", "--simulate", *packages]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 0, ended.stderr


def test_every_command_of_the_page_is_run_by_a_test() -> None:
    page = (ROOT / "docs/publishing.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    run = {commands(about) for about in re.findall(r'commands\("([^"]+)"\)', tests)}

    blocks = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    commands_alone = [block for block in blocks if not re.fullmatch(r"([A-Z_]+=.*\n)+", block)]
    forgotten = [block for block in commands_alone if block not in run]

    # With a PostgreSQL of its own another test runs these.
    assert [block for block in forgotten if f'"{block.split()[1]}"' not in tests] == []


def test_the_commands_end_with_services_and_a_link_to_the_desk(machine: Machine) -> None:
    asked = machine.asked()

    units_of_ours = f"{' '.join(SERVICES)} web-site@caddy.path backup-site.timer"
    sockets = "enable --quiet site-intake.socket site-desk.socket"
    assert asked == ["daemon-reload", sockets, f"enable --quiet --now {units_of_ours}", "reload-or-restart caddy"]
    assert re.fullmatch(r"https://desk\.feet\.example/sign-in/[\w-]{43}", machine.link)
    units = {path.name for path in (machine.root / "etc/systemd/system").glob("*site*.*")}
    ours = {
        path.name
        for kind in ("path", "service", "service.d", "socket", "timer")
        for path in ROOT.glob(f"online/*.{kind}")
    }
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
    if subprocess.run(
        ["/usr/bin/python3", "-c", "import ensurepip"], check=False, capture_output=True, timeout=60
    ).returncode:
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
    units = sorted((machine.root / "etc/systemd/system").glob("*.*[ehrt]"))

    ended = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )

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
PROOFS = ("proofs", "proofs/asked", "proofs/made")
WRITES = {
    "site-intake": {"var/inbox"},
    "site-desk": {
        *(f"var/{folder}" for folder in ("inbox", "desk", "erased", "mail", *PROOFS)),
        *(f"{WORDS}/{path}" for path in (".", "site.toml", *KINDS, f"articles/{ARTICLE}.md", f"comments/{ARTICLE}")),
    },
    "site-press": {f"var/{folder}" for folder in ("public", "site", "press", *PROOFS)},
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
    article = machine.site / WORDS / f"articles/{ARTICLE}.md"
    before_words = article.read_bytes()
    with open_for_all(machine) as ports, reader(ports) as client:
        before = client.post("/comments", data=a_comment("Before the backup.")).headers["location"]
        forgotten = client.post("/comments", data=a_comment("Erased since.")).headers["location"]
        archive = Path(machine.run(commands("A backup by hand")).strip())
        after = client.post("/comments", data=a_comment("After the backup.")).headers["location"]
        [line] = [line for line in machine.run("online/postbox list").splitlines() if "Erased since." in line]
        machine.run(f"online/postbox forget {line[:12]} --yes")
    article.write_text(article.read_text("utf-8") + "\nLater words.\n", "utf-8")
    machine.asked()

    machine.run(f"online/restore {archive}")

    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert machine.asked()[-2:] == [
        f"stop site-intake.socket site-desk.socket {' '.join(SERVICES)}",
        f"start {' '.join(SERVICES)}",
    ]
    assert article.read_bytes() == before_words
    assert len([*archive.parent.glob("site-*.tar")]) == 2, "what stood there was kept too"
    with open_for_all(machine) as ports, reader(ports) as client:
        assert [client.get(address).status_code for address in (before, after)] == [200, 404]
        assert "Erased since." not in client.get(forgotten).text
        assert "Erased since." not in machine.run("online/postbox list")
        assert client.post("/comments", data=a_comment("And on it goes.")).status_code == 303
        assert [httpx2.get(f"http://127.0.0.1:{one}/healthz").status_code for one in ports.values()] == [200, 200]


def test_a_new_machine_goes_on_where_the_old_one_ended(machine: Machine) -> None:
    (machine.root / "etc/site/desk.env").write_text("POSTBOX_MAIL_TO='you@mail.example'\n")
    (machine.root / "bin/ssh-keyscan").write_text('#!/bin/sh\necho "$1 ssh-ed25519 AAAA"\n')
    (machine.root / "bin/ssh-keyscan").chmod(0o755)
    machine.run(commands("one of its own that the user `site-press` can read"))
    picture = machine.site / WORDS / "images/mine.svg"
    picture.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    texts = (
        "from datetime import UTC, datetime; from pathlib import Path; from postbox.writing.texts import Texts; "
        f"texts, key = Texts(Path('{WORDS}'), Path('var/desk')), 'articles/new-0123456789ab'; "
    )
    saved = machine.as_user("site-desk", f"{texts}texts.save(key, b'Half', base='', number=0, now=datetime.now(UTC))")
    assert (saved.returncode, saved.stderr) == (0, "")
    with open_for_all(machine) as ports, reader(ports) as client:
        receipt = client.post("/comments", data=a_comment("On the old machine.")).headers["location"]
        archive = Path(machine.run(commands("A backup by hand")).strip())
    with new_machine() as new:
        shutil.copy(archive, new.root / "root/site-2026-12-01T030000.tar")
        packages, fetch, restore, doctor = commands("A new machine").splitlines()
        new.run(f"{packages}\n{fetch}")
        new.packages()

        new.run(restore)

        assert doctor == "/srv/site/online/doctor"
        assert "you@mail.example" in (new.root / "etc/site/desk.env").read_text()
        assert (new.site / WORDS / "images/mine.svg").read_bytes() == picture.read_bytes()
        read = f"from pathlib import Path; f = Path('{new.root}/etc/site'); print(*((f / n).read_text() for n in ('push', 'push.hosts')))"
        key = (machine.root / "etc/site/push").read_text()
        assert new.as_user("site-press", read).stdout == f"{key} example.org ssh-ed25519 AAAA\n\n"
        with open_for_all(new) as ports, reader(ports) as client:
            assert "On the old machine." in client.get(receipt).text
        assert new.as_user("site-desk", f"{texts}print(texts.working(key).data)").stdout == "b'Half'\n"


@contextmanager
def several(machine: Machine, postgresql: Cluster) -> Iterator[None]:
    """Let desk and intake share an inbox in PostgreSQL, each in its own role."""
    postgresql.fresh()
    files = {role: machine.root / f"etc/site/{role}.env" for role in ("desk", "intake")}
    before = {role: file.read_text() for role, file in files.items()}
    try:
        for role, file in files.items():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            told = {
                variable(name): value.replace("@/", ":secret@/") for name, value in postgresql.settings(role).items()
            }
            file.write_text(before[role] + "".join(f"{name}='{value}'\n" for name, value in told.items()))
        yield
    finally:
        for role, file in files.items():
            file.write_text(before[role])


def test_a_backup_is_brought_back_into_postgresql(machine: Machine, postgresql: Cluster) -> None:
    def reads(client: httpx2.Client, *addresses: str) -> list[int]:
        wait_until(lambda: client.get("/healthz").status_code == 200, "the desk has handed over")
        return [client.get(address).status_code for address in addresses]

    with several(machine, postgresql):
        with open_for_all(machine) as ports, reader(ports) as client:
            reads(client)
            before = client.post("/comments", data=a_comment("Before the backup.")).headers["location"]
            archive = Path(machine.run(commands("A backup by hand")).strip())
            after = client.post("/comments", data=a_comment("After the backup.")).headers["location"]

        machine.run(f"online/restore {archive}")

        with open_for_all(machine) as ports, reader(ports) as client:
            assert reads(client, before, after) == [200, 404]
        assert not any("secret" in log.read_text() for log in machine.root.glob("site-*.log"))
        assert not [*(machine.site / "var/inbox").glob("inbox.sqlite*")]


def test_what_is_in_postgresql_and_cannot_be_backed_up_is_not_replaced(machine: Machine) -> None:
    archive, file = machine.run("online/backup").strip(), machine.root / "etc/site/desk.env"
    before = file.read_text()
    file.write_text(f"{before}POSTBOX_INBOX='postgresql://postbox_desk@127.0.0.1:1/postbox'\n")
    article = machine.site / WORDS / f"articles/{ARTICLE}.md"
    words = article.read_bytes()
    article.write_bytes(words + b"\nLater words.\n")

    said = machine.run(f"if online/restore {archive} 2>&1; then exit 1; fi")

    file.write_text(before)
    assert "so nothing was brought back" in said
    assert article.read_bytes() == words + b"\nLater words.\n"
    assert machine.asked()[-1] == f"start {' '.join(SERVICES)}"
    assert not [*Path(archive).parent.glob("*-unread.tar")]
    article.write_bytes(words)


def opens(port: int, role: str, password: str) -> str:
    """Open the inbox at a port in a role; return why it cannot be, or nothing."""
    address = f"postgresql://postbox_{role}:{password}@127.0.0.1:{port}/postbox"
    try:
        return "" if Inbox.open(Settings(postgresql=address, inbox_key=KEY)).size() == 0 else "it is not empty"
    except sqlite3.Error as error:
        return str(error)


def test_the_container_of_postgresql_makes_its_roles_once_and_asks_for_their_passwords(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        shutil.chown(folder, "postgres")
        script = (ROOT / "online/postgresql").read_text().replace("/var/lib/postgresql/site", f"{folder}/site")
        port = free_port()
        passwords = {"DESK_PASSWORD": "desk1", "INTAKE_PASSWORD": "intake1"}
        environment = {"PATH": "/usr/bin:/bin", "PGPORT": f"{port}"} | passwords
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "/bin/sh", "-c", script]
        for _ in range(2):
            with (tmp_path / "log").open("w") as log:
                process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
            try:
                wait_until(lambda: opens(port, "desk", "desk1") == "", "PostgreSQL answers")
                assert opens(port, "intake", "intake1") == ""
                for role in ("desk", "intake"):
                    assert "password authentication failed" in opens(port, role, "wrong")
            finally:
                end(process, signal.SIGINT)


def test_an_archive_that_is_not_whole_changes_nothing(machine: Machine) -> None:
    archive = Path(machine.run("online/backup").strip())
    archive.write_bytes(archive.read_bytes()[:-20_000])
    machine.asked()

    machine.run(f"! online/restore {archive}")

    assert machine.asked() == []
    archive.unlink()


def test_backups_are_kept_as_long_as_the_privacy_page_says(machine: Machine) -> None:
    folder = machine.root / "var/backups/site"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, days in (("site-old.tar", 31), ("site-new.tar", 29), ("other.tar", 99)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - days * 86400,) * 2)

    machine.run("online/backup")

    assert [name for name in ("site-old.tar", "site-new.tar", "other.tar") if (folder / name).exists()] == [
        "site-new.tar",
        "other.tar",
    ]


def published(machine: Machine, path: str, old: str, new: str) -> None:
    """Let there be a new version of the site's code."""
    file = machine.root / "repository" / path
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(machine.root / "repository")]
    subprocess.run([*git, "commit", "-qam", f"More in {path}"], check=True, timeout=60)


def test_git_pull_alone_publishes_while_the_press_watches(machine: Machine) -> None:
    published(machine, "theme/templates/404.html", "Go to the front page", "To the front page")

    with open_for_all(machine):
        machine.run("git pull --quiet")

        page = machine.site / "var/public/output/404.html"
        wait_until(lambda: "To the front page" in page.read_text("utf-8"), "the press has seen it")


def test_a_machine_with_an_intake_alone_is_updated_without_the_rest(machine: Machine) -> None:
    published(machine, "theme/templates/404.html", "front page", "first page")
    machine.asked()

    machine.run(commands("the second machine has an update of its own"))

    assert "first page" in (machine.site / "theme/templates/404.html").read_text("utf-8")
    assert machine.asked() == ["restart site-intake"]


def test_nginx_sends_brotli_where_it_has_the_module(machine: Machine) -> None:
    module = machine.root / "etc/nginx/modules-enabled/50-mod-http-brotli-static.conf"
    machine.certificate()
    made, told = machine.root / "etc/nginx/conf.d/site.conf", []
    try:
        for has_module in (True, False):
            module.write_text("load_module x;\n") if has_module else module.unlink()
            machine.run("online/install feet.example nginx")
            told.append("brotli_static on;" in made.read_text())
    finally:
        for file in (made, module):
            file.unlink(missing_ok=True)

    assert told == [True, False]


def test_the_steps_of_the_image_make_a_site_that_each_container_runs() -> None:
    image = re.sub(r"\\\n", "", (ROOT / "online/Containerfile").read_text("utf-8"))
    _, packages, prepare = re.findall(r"^RUN (.*)$", image, re.MULTILINE)
    page = commands("With podman-compose")
    compose = (ROOT / "online/compose.yaml").read_text("utf-8")
    with new_machine() as new:
        new.run(commands("as root:").partition("cd /srv/site")[0])  # as COPY does
        new.packages()
        new.run(f"{packages}\n{prepare}")
        (new.root / "etc/site").mkdir()
        settings = re.findall(
            r"^  (\w+): (.+)$", compose.partition("x-environment")[2].partition("services:")[0], re.MULTILINE
        )
        known = {name: re.sub(r"\$\{SITE_HOST[^}]*\}", "feet.example", value) for name, value in settings}
        (new.root / "etc/site/site.env").write_text(
            new.here("".join(f"{name}={value}\n" for name, value in known.items()))
        )
        for role in ("desk", "intake"):
            (new.root / f"etc/site/{role}.env").write_text("")
        for name in SERVICES:  # which another test holds to what the containers are
            new.run(f"mkdir -p /etc/systemd/system/site-.service.d; cp online/{name}.service /etc/systemd/system/")
        new.run("cp online/site-.service.d/every.conf /etc/systemd/system/site-.service.d/")

        with open_for_all(new) as ports, reader(ports) as client:
            assert client.post("/comments", data=a_comment("In a container.")).status_code == 303
            for line in re.findall("podman exec .*", page):
                command = line.partition("site-desk ")[2]
                link = new.run(f"set -a; . /etc/site/site.env; exec runuser -u site-desk -- {command}")
            told = new.run("caddy adapt --config /etc/caddy/Caddyfile", SITE_HOST="feet.example")

    assert re.fullmatch(r"https://desk\.feet\.example/sign-in/[\w-]{43}", link.strip())
    assert {"feet.example", "www.feet.example", "desk.feet.example"} <= set(re.findall(r'"([a-z.]+\.example)"', told))


@pytest.mark.parametrize("name", ["press", "intake", "desk"])
def test_a_container_is_what_the_service_is(name: str) -> None:
    compose = (ROOT / "online/compose.yaml").read_text("utf-8")
    unit = (ROOT / f"online/site-{name}.service").read_text("utf-8")

    [block] = re.findall(rf"^  {name}:\n((?:    .*\n)+)", compose, re.MULTILINE)
    volumes = dict(re.findall(r'"\w+:(/[^":]+)(:ro)?"', block))
    [environment] = re.findall(r"^x-environment.*\n((?:  .*\n)+)", compose, re.MULTILINE)

    writable = {path.replace("/lib/site", "/lib/site/content") for path, kept in volumes.items() if not kept}
    [told] = re.findall(r"^ReadWritePaths=(.*)$", unit, re.MULTILINE)
    press = {f"/srv/site/var/{folder}" for folder in ("public", "site", "press", "proofs")}
    assert writable == (press if name == "press" else set(told.split()))
    shared = (ROOT / "online/compose.postgresql.yaml").read_text("utf-8")
    assert ("postbox_" + name in shared) == (name != "press")
    [command] = re.findall(r"command: (.*)", block)
    assert f"ExecStart=/srv/site/{command}\n" in unit
    assert f"User={re.findall(r'user: (.*)', block)[0]}\n" in unit
    settings = re.sub(r"\$\{SITE_HOST[^}]*\}", "example.org", environment).replace(": ", "=").replace("  ", "")
    assert settings == (ROOT / "online/site.env").read_text("utf-8")
