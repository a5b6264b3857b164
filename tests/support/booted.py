"""Machine that is booted: this one's own Debian, its files under a layer that goes with it, and systemd as its first process.

It has a network of its own with nothing but itself in it. systemd-nspawn makes it in some three seconds.
"""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.machine import git, make_repository
from tests.support.process import end, wait_until

LONGEST = 1800  # seconds that it may run
TOOLS = ("systemd-nspawn", "unshare", "nsenter", "caddy", "nginx", "certbot", "pebble", "rsync", "curl")
MISSING = [tool for tool in TOOLS if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin")]

needs_boot = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0 or bool(MISSING), reason=f"only root boots a machine, and with {', '.join(TOOLS)}"
    ),
]
BOOT = """mount --make-rprivate / && mount --bind / "$1/root" && exec systemd-nspawn --quiet --directory "$1/root" \
--volatile=overlay --kill-signal=SIGKILL --register=no --keep-unit --private-network --console=pipe --timezone=off --machine=site \
--bind="$1/given:/given" --bind-ro="$2:/packages" --boot systemd.unit=basic.target"""
GIT = """[url "/given/repository"]
	insteadOf = https://example.org/you/site.git
[safe]
	directory = *
"""


class Booted:
    """A machine that runs; ``given`` is a folder that it shares, with the repository of the site."""

    def __init__(self, process: int, given: Path) -> None:
        self._process, self.given, self.link = process, given, ""

    def run(self, lines: str, *, status: int = 0, seconds: int = 280) -> str:
        """Run commands as root; return what they print."""
        environment = ["HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        ended = subprocess.run(
            ["nsenter", "-t", str(self._process), "-a", "env", "-i", *environment, "/bin/sh", "-euc", lines],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert ended.returncode == status, ended.stdout + ("" if "journalctl" in lines else self.journal())
        return ended.stdout

    def until(self, condition: str) -> None:
        """Wait a bounded time for a command to go well."""
        self.run(f"for i in $(seq 200); do if {condition}; then exit; fi; sleep 0.1; done; exit 1")

    def journal(self) -> str:
        """Return the last that its services said."""
        return self.run("journalctl --no-pager --lines 40 --output cat || true")

    def version(self, path: str, old: str, new: str) -> None:
        """Let there be a new version of the site's code."""
        file = self.given / "repository" / path
        file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")
        git(self.given / "repository", "commit", "-qam", f"More in {path}")


@contextmanager
def booted(folder: Path) -> Iterator[Booted]:
    """Boot a machine, with what the package registry would bring in /packages; end it."""
    (folder / "root").mkdir()
    make_repository(folder / "given/repository", str)
    (folder / "given/gitconfig").write_text(GIT)
    log = folder / "log"
    command = [
        "timeout",
        "--kill-after=10",
        str(LONGEST),
        "unshare",
        "--mount",
        "/bin/sh",
        "-c",
        BOOT,
        "sh",
        str(folder),
    ]
    with log.open("wb") as output:
        boot = subprocess.Popen(
            [*command, sysconfig.get_path("purelib")], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: boot.poll() is not None or bool(_first_of(boot.pid)), "there is a first process")
        assert boot.poll() is None, log.read_text("utf-8", "replace")
        machine = Booted(_first_of(boot.pid), folder / "given")
        wait_until(lambda: machine.run("systemctl is-active basic.target || true").strip() == "active", "it has booted")
        yield machine
    finally:
        end(boot)


def _first_of(boot: int) -> int:
    """Return the first process of the machine that a process of ours boots, 0 while there is none."""
    process = boot
    for name in ("systemd-nspawn", "systemd"):
        process = next((child for child in _children(process) if _name(child) == name), 0)
    return process


def _children(process: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


def _name(process: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""
