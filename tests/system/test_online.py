"""Commands of ``docs/publishing.md``, run as they stand on a machine that is a folder.

Debian's own tools make users and folders in it. What is not tried: the packages' download, systemd itself and a public address;
each service is started by its command line, as its user, in its environment.
"""

import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.place import ROOT
from tests.support.process import PATIENCE_SECONDS, free_port, listens, wait_until

ARTICLE = "big-toe-and-glutes"
SERVICES = ("site-press", "site-intake", "site-desk")
TOOLS = ("systemd-sysusers", "systemd-tmpfiles", "setpriv", "git", "make", "dpkg", "caddy")
PACKAGES = ("base-files", "systemd", "caddy", "nginx-common")  # whose own folders and files a machine begins with
PLACES = "srv/site|etc/|var/lib/site|var/backups|var/www|var/log"
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]
CADDY = shutil.which("caddy")

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0 or bool(MISSING), reason=f"only root makes users, and with {', '.join(TOOLS)}"
    ),
]


def commands(about: str) -> str:
    """Return the commands that stand below a sentence of the page."""
    page = (ROOT / "docs/publishing.md").read_text("utf-8")
    block = page.partition(about)[2].partition("```sh\n")[2].partition("```")[0]
    assert block, about
    return block


class Machine:
    """A folder that stands for a machine's root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.site = root / "srv/site"
        self.link = ""
        self._packages()
        self._tools()
        self._repository()

    def here(self, text: str) -> str:
        """Return a text with the machine's paths in place of a real one's."""
        return re.sub(rf"(?<![\w.-])/({PLACES})", rf"{self.root}/\1", text)

    def run(self, lines: str, **environment: str) -> str:
        """Run commands as root; return what they print."""
        ended = subprocess.run(
            ["/bin/sh", "-euc", self.here(lines)],
            env={
                "HOME": f"{self.root}/root",
                "PATH": f"{self.root}/bin:{os.environ['PATH']}:/usr/sbin",
                "GIT_CONFIG_COUNT": "2",
                "GIT_CONFIG_KEY_0": f"url.{self.root}/repository.insteadOf",
                "GIT_CONFIG_VALUE_0": "https://example.org/you/site.git",
                "GIT_CONFIG_KEY_1": "safe.directory",
                "GIT_CONFIG_VALUE_1": "*",
                **environment,
            },
            cwd=self.site if self.site.exists() else self.root,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def asked(self) -> list[str]:
        """Return what systemctl was asked for since it was last looked at."""
        notes = self.root / "systemctl"
        lines = notes.read_text().splitlines()
        notes.write_text("")
        return lines

    def packages(self) -> None:
        """Put an interpreter that every user can run, with the packages of this one, where make would install them."""
        base = next(path for path in (sys._base_executable, "/usr/bin/python3") if is_for_all(path))  # type: ignore[attr-defined]  # CPython's, for venv
        subprocess.run([base, "-m", "venv", "--without-pip", self.site / ".venv"], check=True)
        [folder] = (self.site / ".venv/lib").glob("python*/site-packages")
        (folder / "ours.pth").write_text(sysconfig.get_path("purelib"))
        (self.site / ".venv/site").touch()
        os.utime(self.site / "requirements.txt", (0, 0))

    def user(self, name: str) -> dict[str, Any]:
        """Return what makes a process this user's."""
        users = (line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines())
        groups = [line.split(":") for line in (self.root / "etc/group").read_text().splitlines()]
        [found] = [user for user in users if user[0] == name]
        more = [int(group[2]) for group in groups if name in group[3].split(",")]
        return {"user": int(found[2]), "group": int(found[3]), "extra_groups": more}

    def as_user(self, name: str, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python as a user in the site's folder."""
        return subprocess.run(
            [self.site / ".venv/bin/python", "-c", code],
            cwd=self.site,
            env={},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **self.user(name),
        )

    def unit(self, name: str) -> dict[str, list[str]]:
        """Return the settings of a service, what all share included; a later one adds to an earlier."""
        folder = self.root / "etc/systemd/system"
        found: dict[str, list[str]] = {}
        for file in (folder / f"{name}.service", folder / "site-.service.d/every.conf"):
            for line in file.read_text().splitlines():
                key, is_setting, value = line.partition("=")
                if is_setting and not line.startswith("#"):
                    found.setdefault(key, []).append(value)
        return found

    @contextmanager
    def service(self, name: str, **more: str) -> Iterator[Path]:
        """Run a service as systemd would, but for what only systemd can keep from it; give the file of its log."""
        unit, log = self.unit(name), self.root / f"{name}.log"
        environment = dict(
            setting.split("=", 1)
            for file in unit["EnvironmentFile"]
            for setting in shlex.split(Path(file).read_text(), comments=True)
        )
        options: dict[str, Any] = {
            "cwd": unit["WorkingDirectory"][0],
            "env": environment | more,
            **self.user(unit["User"][0]),
        }
        with log.open("a") as output:
            for command in unit.get("ExecStartPre", []):
                started = subprocess.run(
                    command.split(), stdout=output, stderr=output, timeout=60, check=False, **options
                )
                assert not started.returncode, log.read_text()
            process = subprocess.Popen(unit["ExecStart"][0].split(), stdout=output, stderr=output, **options)
        try:
            yield log
            assert process.poll() is None, log.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)

    def _packages(self) -> None:
        """Make the folders that Debian's packages own, and the files of web servers; nothing else stands there."""
        self.root.mkdir()
        for package in PACKAGES:
            listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False).stdout
            for path in map(Path, listed.split("\n")[:-1]):
                place = self.root / path.relative_to("/")
                if path.is_dir() and not path.is_symlink():
                    place.mkdir(parents=True, exist_ok=True)
                elif path.is_relative_to("/etc/caddy") or path.is_relative_to("/etc/nginx"):
                    shutil.copy(path, place)
        (self.root / "bin").mkdir(exist_ok=True)

    def _tools(self) -> None:
        """Turn the tools that would change the machine to this folder; systemctl only notes what it is asked for."""
        lookup = f"""awk -F: -v u="$user" '$1 == u {{ print $NUMBER }}' {self.root}/etc/passwd"""
        groups = (
            f"""awk -F: -v u="$user" '("," $4 ",") ~ ("," u ",") {{ print $3 }}' {self.root}/etc/group | paste -sd,"""
        )
        (self.root / "systemctl").touch()
        tools = {
            "apt-get": "# another test asks for the packages",
            "systemctl": f'echo "$@" >>{self.root}/systemctl',
            "systemd-sysusers": f'exec {shutil.which("systemd-sysusers")} --root={self.root} "$@"',
            "systemd-tmpfiles": f'exec {shutil.which("systemd-tmpfiles")} --root={self.root} "$@"',
            "runuser": f"""test "$1" = -u && user=$2 && shift 3
exec setpriv --reuid "$({lookup.replace("NUMBER", "3")})" --regid "$({lookup.replace("NUMBER", "4")})" --groups "$({groups})" "$@" """,
        }
        for name, lines in tools.items():
            (self.root / "bin" / name).write_text(f"#!/bin/sh\n{lines}\n")
            (self.root / "bin" / name).chmod(0o755)

    def _repository(self) -> None:
        """Make a repository of the files as they are now, the machine's paths in those of online/."""
        copy = self.root / "repository"
        made = (".git", ".venv", "node_modules", "var", "output")
        shutil.copytree(ROOT, copy, ignore=lambda folder, names: made if Path(folder) == ROOT else ["__pycache__"])
        for file in (copy / "online").rglob("*"):
            if file.is_file() and file.name != "tmpfiles.conf":  # its tool is told of the root
                file.write_text(self.here(file.read_text("utf-8")), "utf-8")
        git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(copy)]
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "The site"]):
            subprocess.run([*git, *arguments], check=True)


def is_for_all(python: str) -> bool:
    """Tell whether a user of no name can run an interpreter of this one's version."""
    code = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    nobody: dict[str, Any] = {"user": 64_104, "group": 64_104, "extra_groups": []}
    try:
        return subprocess.run([python, "-c", code], cwd="/", env={}, check=False, **nobody).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine after the first commands; pytest's own folder lets no other user in."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder) / "machine")
        fetch, install = commands("as root:").replace("install example.org", "install feet.example").split("online/", 1)
        machine.run(fetch)
        machine.packages()
        machine.link = machine.run(f"cd /srv/site\nonline/{install}").splitlines()[-1]
        yield machine


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


@contextmanager
def proxied(machine: Machine, server: str, port: int, ports: dict[str, int]) -> Iterator[Path]:
    """Run a web server with the configuration that is written for it; give the file of what it logs."""
    folder = Path(tempfile.mkdtemp(dir=machine.root))
    os.chown(folder, 64_105, 64_105)
    log = folder / "log"
    if server == "caddy":
        file = machine.root / "etc/caddy/Caddyfile"
        adapted = subprocess.run([str(CADDY), "adapt", "--config", file], capture_output=True, text=True, check=False)
        assert adapted.returncode == 0, adapted.stderr
        text = adapted.stdout
        for theirs, ours in ports.items():
            text = text.replace(f"127.0.0.1:{theirs}", f"127.0.0.1:{ours}")
        config = json.loads(text) | {"admin": {"disabled": True}}
        servers = config["apps"]["http"]["servers"]
        [site] = [server for server in servers.values() if server["listen"] == [":443"]]
        servers.clear()
        servers["site"] = site
        site |= {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable": True}}
        (folder / "caddy.json").write_text(json.dumps(config))
        command = [str(CADDY), "run", "--config", str(folder / "caddy.json")]
        options: dict[str, Any] = {"user": 64_105, "group": 64_105, "extra_groups": []}
    else:
        text = (machine.site / "var/site/nginx.conf").read_text()
        for theirs, ours in ports.items():
            text = text.replace(f"127.0.0.1:{theirs}", f"127.0.0.1:{ours}")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; events {{}} http {{ {temporary} access_log {folder}/access;"
            f" server {{ listen 127.0.0.1:{port}; root {machine.site}/var/public/output;\n{text}\n}} }}"
        )
        command = [str(shutil.which("nginx", path="/usr/sbin:/usr/bin")), "-p", str(folder), "-e", "stderr"]
        command += ["-c", str(folder / "nginx.conf")]
        options = {}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=folder, env={"HOME": str(folder), "PATH": "/usr/bin"}, **options
        )
    try:
        wait_until(lambda: listens(port) or process.poll() is not None, f"{server} listens")
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@contextmanager
def open_for_all(machine: Machine, **more: str) -> Iterator[dict[str, int]]:
    """Run the three services; give the ports of intake and desk by those that they have in earnest."""
    port = free_port()
    with ExitStack() as running:
        environment = {"POSTBOX_PORT": str(port), "POSTBOX_DESK_PORT": str(port + 1)} | more
        for service in SERVICES:
            running.enter_context(machine.service(service, **environment))
        wait_until(lambda: listens(port) and listens(port + 1), "intake and desk listen")
        yield {"8000": port, "8001": port + 1}


def a_reader(port: int, address: str = "127.0.0.1", host: str = "feet.example") -> httpx2.Client:
    """Return a browser at an address of the network."""
    transport = httpx2.HTTPTransport(local_address=address)
    origin = f"http://127.0.0.1:{port}"
    # Longer than a web server waits for an intake that is down.
    return httpx2.Client(base_url=origin, transport=transport, headers={"Host": host}, timeout=PATIENCE_SECONDS)


def a_comment(words: str) -> dict[str, str]:
    """Return what a reader sends."""
    return {"article": ARTICLE, "name": "Tom", "comment": words}


@pytest.mark.skipif(not CADDY, reason="there is no Caddy here; test_plugin reads what is written for it")
def test_a_comment_goes_through_caddy_and_three_users_to_its_page(machine: Machine) -> None:
    port = free_port()
    with open_for_all(machine) as ports, proxied(machine, "caddy", port, ports) as log, a_reader(port) as reader:
        receipt = reader.post("/comments", data=a_comment("Through all three.")).headers["location"]
        listed = machine.run("online/postbox list")
        machine.run(f"online/postbox approve {listed.split()[0]}")
        page = machine.site / f"var/public/output/articles/{ARTICLE}/index.html"
        wait_until(lambda: "Through all three." in page.read_text("utf-8"), "the comment is on its page")
        shown = reader.get(f"/articles/{ARTICLE}/")
        answers = {address: reader.get(address).status_code for address in (receipt, "/healthz", "/nowhere")}
        with a_reader(port, host="desk.feet.example") as owner:
            desk = {address: owner.get(address).status_code for address in ("/", "/healthz")}
            link = machine.run("online/postbox sign-in").strip()
            button = owner.get(link.partition(".example")[2])
        health = [httpx2.get(f"http://127.0.0.1:{one}/healthz") for one in ports.values()]

    assert "Through all three." in shown.text
    assert "style-src 'sha256-" in shown.headers["content-security-policy"]
    assert answers == {receipt: 200, "/healthz": 404, "/nowhere": 404}
    assert desk == {"/": 401, "/healthz": 404}
    assert button.status_code == 200
    assert [answer.status_code for answer in health] == [200, 200], [answer.text for answer in health]
    [file] = (machine.site / WORDS / "comments" / ARTICLE).glob(f"{listed[:12]}.md")
    assert file.stat().st_uid == machine.user("site-desk")["user"]
    with proxied(machine, "caddy", port, ports) as log, a_reader(port) as reader, a_reader(port) as owner:
        assert reader.get(receipt).status_code == 502
        assert owner.get(f"/comment/{listed[:12]}", headers={"Host": "desk.feet.example"}).status_code == 502
        assert listed[:12] not in log.read_text()


@pytest.mark.parametrize("server", ["caddy", "nginx"])
def test_behind_a_web_server_the_limit_is_a_readers_own_network_and_not_what_he_claims(
    machine: Machine, server: str
) -> None:
    if not shutil.which(server, path=f"{os.environ['PATH']}:/usr/sbin"):
        pytest.skip(f"there is no {server} here")
    port = free_port()
    claims = [{"X-Forwarded-For": f"198.51.{number}.1"} for number in range(3)]
    with (
        open_for_all(machine, POSTBOX_RATE_SENDER="2") as ports,
        proxied(machine, server, port, ports) as log,
        a_reader(port) as reader,
        a_reader(port, "127.0.1.1") as another,
    ):
        answers = [reader.post("/comments", data=a_comment(f"{server} {c}"), headers=c) for c in claims]
        elsewhere = another.post("/comments", data=a_comment(f"{server} elsewhere"))
        receipt = answers[0].headers["location"]
        assert reader.get(receipt).status_code == 200

    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert elsewhere.status_code == 303
    logged = "".join(path.read_text() for path in log.parent.iterdir() if path.name in ("log", "access"))
    assert receipt.rpartition("/")[2] not in logged


def test_a_backup_is_brought_back_while_another_was_written_since(machine: Machine) -> None:
    with open_for_all(machine) as ports, a_reader(ports["8000"]) as reader:
        before = reader.post("/comments", data=a_comment("Before the backup.")).headers["location"]
        machine.run(commands("A backup holds"))
        after = reader.post("/comments", data=a_comment("After the backup.")).headers["location"]
    archive = machine.root / "root/site.tar.gz"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    machine.asked()

    machine.run(commands("To bring it back"))

    assert machine.asked() == ["stop site-intake site-desk", "start site-intake site-desk"]
    assert "Before the backup." in machine.run("online/postbox list")
    with open_for_all(machine) as ports, a_reader(ports["8000"]) as reader:
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
