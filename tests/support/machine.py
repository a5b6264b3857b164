"""Machine that is a folder: the site installed in it by the commands of ``docs/publishing.md``, its services and web servers run.

Debian's own tools make users and folders in it. What is not tried: the packages' download, systemd itself and a public address;
each service is started by its command line, as its user, in its environment.
"""

import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

from tests.support.place import ARTICLE, ROOT
from tests.support.process import PATIENCE_SECONDS, end, free_port, listens, wait_until

SERVICES = ("site-press", "site-intake", "site-desk")
TOOLS = ("systemd-sysusers", "systemd-tmpfiles", "setpriv", "git", "make", "dpkg", "caddy")
PACKAGES = ("base-files", "systemd", "caddy", "nginx-common")  # whose own folders and files a machine begins with
BROTLI = Path("/etc/nginx/modules-enabled/50-mod-http-brotli-static.conf")  # of nginx, a package of its own
PLACES = "srv/site|etc/|var/lib/site|var/backups|var/www|var/log"
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")

needs_root = [
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
        self.link = self.authority = ""
        self._packages()
        self._tools()
        make_repository(root / "repository", self.here)

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
        subprocess.run([base, "-m", "venv", "--without-pip", self.site / ".venv"], check=True, timeout=60)
        [folder] = (self.site / ".venv/lib").glob("python*/site-packages")
        (folder / "ours.pth").write_text(sysconfig.get_path("purelib"))
        (self.site / ".venv/site").touch()
        os.utime(self.site / "requirements.txt", (0, 0))

    def certificate(self) -> None:
        """Put a certificate where certbot would, of an authority of the tests' own."""
        authority, folder = trustme.CA(), self.root / "etc/letsencrypt/live/site"
        self.authority = authority.cert_pem.bytes().decode()
        names = ("feet.example", "www.feet.example", "desk.feet.example", "talk.feet.example", "127.0.0.1")
        issued = authority.issue_cert(*names)
        folder.mkdir(parents=True)
        issued.private_key_pem.write_to_path(str(folder / "privkey.pem"))
        for part in issued.cert_chain_pems:
            part.write_to_path(str(folder / "fullchain.pem"), append=True)

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
    def service(self, name: str, held: socket.socket | None = None, **more: str) -> Iterator[Path]:
        """Run a service as systemd would, but for what only systemd can keep from it; give the file of its log.

        ``held`` is the socket that its own unit holds open.
        """
        unit, log, notify = self.unit(name), self.root / f"{name}.log", self.root / f"{name}.notify"
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
        command = unit["ExecStart"][0].split()
        if held:
            start = f'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@" 3<&{held.fileno()}'
            command, options["pass_fds"] = ["/bin/bash", "-c", start, "bash", *command], [held.fileno()]
        with log.open("a") as output, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            if unit.get("Type") == ["notify"]:
                notify.unlink(missing_ok=True)
                ready.bind(str(notify))
                ready.settimeout(60)
                notify.chmod(0o666)
                options["env"]["NOTIFY_SOCKET"] = str(notify)
            process = subprocess.Popen(command, stdout=output, stderr=output, **options)
            try:
                assert unit.get("Type") != ["notify"] or ready.recv(100) == b"READY=1", log.read_text()
                yield log
                assert process.poll() is None, log.read_text()
            finally:
                end(process)

    def _packages(self) -> None:
        """Make the folders that Debian's packages own, and the files of web servers; nothing else stands there."""
        self.root.mkdir()
        for package in PACKAGES:
            listed = subprocess.run(
                ["dpkg", "-L", package], capture_output=True, text=True, timeout=60, check=False
            ).stdout
            for path in map(Path, listed.split("\n")[:-1]):
                place = self.root / path.relative_to("/")
                if path.is_dir() and not path.is_symlink():
                    place.mkdir(parents=True, exist_ok=True)
                elif path.is_relative_to("/etc/caddy") or path.is_relative_to("/etc/nginx"):
                    shutil.copy(path, place)
        if BROTLI.exists():
            shutil.copy(BROTLI, self.root / "etc/nginx/modules-enabled")
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
            "chown": f"""user=$1 && exec {shutil.which("chown")} "$({lookup.replace("NUMBER", "3")})" "$2" """,
            "systemctl": f'echo "$@" >>{self.root}/systemctl',
            "systemd-sysusers": f'exec {shutil.which("systemd-sysusers")} --root={self.root} "$@"',
            "systemd-tmpfiles": f'exec {shutil.which("systemd-tmpfiles")} --root={self.root} "$@"',
            "runuser": f"""test "$1" = -u && user=$2 && shift 3
exec setpriv --reuid "$({lookup.replace("NUMBER", "3")})" --regid "$({lookup.replace("NUMBER", "4")})" --groups "$({groups})" "$@" """,
        }
        for name, lines in tools.items():
            (self.root / "bin" / name).write_text(f"#!/bin/sh\n{lines}\n")
            (self.root / "bin" / name).chmod(0o755)


def make_repository(copy: Path, here: Callable[[str], str]) -> None:
    """Make a repository of the files as they are now, what ``here`` makes of them in place of those of online/."""
    made = (".git", ".venv", "node_modules", "var", "output")
    shutil.copytree(ROOT, copy, ignore=lambda folder, names: made if Path(folder) == ROOT else ["__pycache__"])
    for file in (copy / "online").rglob("*"):
        if file.is_file() and file.name != "tmpfiles.conf":  # its tool is told of the root
            file.write_text(here(file.read_text("utf-8")), "utf-8")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "The site"]):
        git(copy, *arguments)


def git(folder: Path, *arguments: str) -> None:
    """Run git in a repository of the tests' own."""
    command = ["git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, timeout=60)


def is_for_all(python: str) -> bool:
    """Tell whether a user of no name can run an interpreter of this one's version."""
    code = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    nobody: dict[str, Any] = {"user": 64_104, "group": 64_104, "extra_groups": []}
    try:
        return subprocess.run([python, "-c", code], cwd="/", env={}, timeout=60, check=False, **nobody).returncode == 0
    except OSError:
        return False


@contextmanager
def new_machine() -> Iterator[Machine]:
    """Give a machine with nothing but its packages, in a folder that lets every user in."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Machine(Path(folder) / "machine")


@contextmanager
def installed() -> Iterator[Machine]:
    """Give a machine after the first commands."""
    with new_machine() as machine:
        fetch, install = commands("as root:").replace("install example.org", "install feet.example").split("online/", 1)
        machine.run(fetch)
        machine.packages()
        machine.link = machine.run(f"cd /srv/site\nonline/{install}").splitlines()[-1]
        yield machine


@contextmanager
def proxied(
    machine: Machine, server: str, port: int, ports: dict[str, int], config: Path | None = None
) -> Iterator[Path]:
    """Run a web server with the configuration that is installed for it, or another; give the file of what it logs.

    ``ports`` are those of intake and desk, by the ones that they have in earnest.
    """
    folder = Path(tempfile.mkdtemp(dir=machine.root))
    os.chown(folder, 64_105, 64_105)
    log, file = folder / "log", folder / "config"
    installed = machine.root / ("etc/caddy/Caddyfile" if server == "caddy" else "etc/nginx/conf.d/site.conf")
    made = (_caddy if server == "caddy" else _nginx)(machine, config or installed, folder, port)
    for theirs, ours in ports.items():
        made = made.replace(f"127.0.0.1:{theirs}", f"127.0.0.1:{ours}")
    file.write_text(made)
    if server == "caddy":
        command = ["caddy", "run", "--config", str(file)]
        options: dict[str, Any] = {"user": 64_105, "group": 64_105, "extra_groups": []}
    else:
        command, options = [str(NGINX), "-p", str(folder), "-e", "stderr", "-c", str(file)], {}
    environment = {"HOME": str(folder), "PATH": "/usr/bin"}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environment, **options)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None, f"{server} listens")
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        end(process)


def _caddy(machine: Machine, file: Path, folder: Path, port: int) -> str:
    """Return the configuration of a Caddy without certificates, at one port."""
    command = ["caddy", "adapt", "--config", str(file), "--adapter", "caddyfile"]
    adapted = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert adapted.returncode == 0, adapted.stderr
    config = json.loads(adapted.stdout) | {"admin": {"disabled": True}}
    servers = config["apps"]["http"]["servers"]
    [site] = [server for server in servers.values() if server["listen"] == [":443"]]
    servers.clear()
    servers["site"] = site | {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable": True}}
    return json.dumps(config)


def _nginx(machine: Machine, file: Path, folder: Path, port: int) -> str:
    """Return the configuration of an nginx with a certificate, at one port; it redirects from another."""
    made = re.compile(rf"include ({machine.root}\S+)\*;")
    site = made.sub(lambda found: machine.here(Path(found[1]).read_text()), file.read_text())
    site = re.sub(r"listen \[::\].*", "", site).replace("listen 443", f"listen 127.0.0.1:{port}")
    site = site.replace("listen 80", f"listen 127.0.0.1:{free_port()}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    modules = BROTLI.read_text().replace("modules/", "/usr/lib/nginx/modules/") if "brotli_static" in site else ""
    return (
        f"{modules}daemon off; pid {folder}/pid; events {{}} http {{ {temporary} access_log {folder}/access;"
        f" include {machine.root}/etc/nginx/mime.types; default_type application/octet-stream;\n{site}\n}}"
    )


@contextmanager
def open_for_all(machine: Machine, **more: str) -> Iterator[dict[str, int]]:
    """Run the three services; give the ports of intake and desk by those that they have in earnest."""
    port = free_port()
    with ExitStack() as running:
        environment = {"POSTBOX_PORT": str(port), "POSTBOX_DESK_PORT": str(port + 1)} | more
        for service, number in zip(SERVICES, (0, port, port + 1), strict=True):
            held = running.enter_context(socket.create_server(("127.0.0.1", number))) if number else None
            running.enter_context(machine.service(service, held, **environment))
        for number in (port, port + 1):  # the socket holds this until they listen
            httpx2.get(f"http://127.0.0.1:{number}/healthz", timeout=PATIENCE_SECONDS)
        yield {"8000": port, "8001": port + 1}


def a_reader(
    machine: Machine, server: str, port: int, address: str = "127.0.0.1", host: str = "feet.example"
) -> httpx2.Client:
    """Return a browser at an address of the network; nginx it asks by TLS."""
    secure = ssl.create_default_context(cadata=machine.authority) if server == "nginx" else False
    transport = httpx2.HTTPTransport(local_address=address, verify=secure)
    origin = f"{'https' if server == 'nginx' else 'http'}://127.0.0.1:{port}"
    # Longer than a web server waits for an intake that is down.
    return httpx2.Client(base_url=origin, transport=transport, headers={"Host": host}, timeout=PATIENCE_SECONDS)


def a_comment(words: str) -> dict[str, str]:
    """Return what a reader sends."""
    return {"article": ARTICLE, "name": "Tom", "comment": words}
