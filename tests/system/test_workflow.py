"""Workflow that publishes the site: its steps, run as they stand in a copy of what is in git."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.place import ROOT

WORKFLOW = (ROOT / ".github/workflows/site.yml").read_text("utf-8")
MADE = (".git", ".venv", "node_modules", "var", "output", "tests", "bench")
STEPS = re.findall(r"^ +- run: (.+)$", WORKFLOW, re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the site, with an environment of its own that finds what is installed here."""
    shutil.copytree(
        ROOT, tmp_path / "site", ignore=lambda folder, names: MADE if Path(folder) == ROOT else ["__pycache__"]
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "site/.venv"], check=True)
    [folder] = (tmp_path / "site/.venv/lib").glob("python*/site-packages")
    (folder / "here.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    (tmp_path / "site/.venv/site").touch()
    return tmp_path / "site"


@pytest.mark.parametrize("intake", ["", "https://talk.example.org"])
def test_the_steps_of_the_workflow_publish_the_site(checkout: Path, intake: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SITE_", "POSTBOX_"))}
    ours = dict(re.findall(r'^      (SITE_\w+): "?(.+?)"?$', WORKFLOW, re.MULTILINE)) | {"SITE_INTAKE": intake}
    ours["BASE_URL"] = "https://name.github.io/site"

    for step in STEPS:
        subprocess.run(["/bin/bash", "-eo", "pipefail", "-c", step], cwd=checkout, env=kept | ours, check=True)

    page = (checkout / "output/index.html").read_text("utf-8")
    assert 'href="/site/contact/"' in page
    assert page.count('http-equiv="Content-Security-Policy"') == 1
    assert ('<form class="part" id="join"' in page) == bool(intake)
    assert (checkout / "var/press/cache").exists()
    assert not list((checkout / "output").glob("_*"))
