"""Workflow that publishes the site: its steps, run as they stand in a fresh clone, and its cache in the next."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.machine import commands
from tests.support.place import ROOT

WORKFLOW = (ROOT / ".github/workflows/site.yml").read_text("utf-8")
STEPS = re.findall(r"^ +- run: (.+)$", WORKFLOW, re.MULTILINE)
[CACHED] = re.findall(r"uses: actions/cache@.*\n +with:\n +path: (\S+)$", WORKFLOW, re.MULTILINE)


def clone(folder: Path) -> Path:
    """Clone what git has of the site, or would have; its environment finds what is installed here."""
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, capture_output=True, timeout=60, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], timeout=60, check=True)
    [packages] = (folder / ".venv/lib").glob("python*/site-packages")
    (packages / "here.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    (folder / ".venv/site").touch()
    return folder


def run(folder: Path, intake: str) -> None:
    """Run the steps as the workflow does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SITE_", "POSTBOX_"))}
    ours = dict(re.findall(r'^      (SITE_\w+): "?(.+?)"?$', WORKFLOW, re.MULTILINE)) | {"SITE_INTAKE": intake}
    ours["BASE_URL"] = "https://name.github.io/site"
    for step in STEPS:
        shell = ["/bin/bash", "-eo", "pipefail", "-c", step]
        subprocess.run(shell, cwd=folder, env=kept | ours, timeout=120, check=True)


def made(folder: Path) -> dict[str, int]:
    """Return when each image was made."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / CACHED / "images").iterdir()}


@pytest.mark.parametrize("intake", ["", "https://talk.example.org"])
def test_the_steps_publish_the_site_and_the_next_run_makes_no_image_again(tmp_path: Path, intake: str) -> None:
    first, second = clone(tmp_path / "first"), clone(tmp_path / "second")

    run(first, intake)
    shutil.copytree(first / CACHED, second / CACHED)  # as the cache of the workflow does
    run(second, intake)

    page = (first / "output/index.html").read_text("utf-8")
    assert 'href="/site/contact/"' in page
    assert page.count('http-equiv="Content-Security-Policy"') == 1
    assert ('<form class="part" id="join"' in page) == bool(intake)
    assert not list((first / "output").glob("_*"))
    assert made(second) == made(first) != {}
    assert (second / "output/index.html").read_text("utf-8") == page


def test_the_one_command_for_a_static_host_writes_the_site(tmp_path: Path) -> None:
    folder = clone(tmp_path / "site")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SITE_", "POSTBOX_"))}

    for line in commands("## A static host").splitlines():
        subprocess.run(["/bin/sh", "-c", line], cwd=folder, env=environment, timeout=120, check=True)

    assert "https://example.org/" in (folder / "output/feed.xml").read_text("utf-8")


def test_it_names_no_host_and_no_more_rights_than_pages_need() -> None:
    assert re.findall(r"[\w-]+(?:\.[\w-]+)*\.(?:org|com|net|io|dev)\b", WORKFLOW) == []
    assert re.findall(r"^  (\S+): (read|write)$", WORKFLOW, re.MULTILINE) == [
        ("contents", "read"), ("pages", "write"), ("id-token", "write")
    ]  # fmt: skip
