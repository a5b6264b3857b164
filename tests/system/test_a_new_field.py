"""A field of a comment that is declared once has its place everywhere; shown by declaring one in a copy of the code."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.place import ROOT

DECLARATION = """
    town: str = _reader_field(
        key="Town", form_name="town", label="Your town (optional)", hint="Shown beside your name.", noun="Town"
    )
"""
WALK = """
import json, os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from starlette.testclient import TestClient
from contract.comment import READER_FIELDS
from postbox.desk import app as desk
from postbox.desk.sessions import SignIn
from postbox.mail.compose import Composer
from postbox.moderation.service import Moderation
from postbox.privacy.subject_access import about_comment
from postbox.public import app as intake
from postbox.settings import read
from contract.manifest import load
from contract.templates import environment
from jinja2 import FileSystemLoader
from press.builder import build

settings, seen = read(os.environ), {}
facts = {"SITE_URL": "https://feet.example", "SITE_JSON": str(settings.site)}
build(Path("pelicanconf.py"), **facts)
seen["the form on the page"] = Path("output/index.html").read_text()
form = {"article": "big-toe-and-glutes", "name": "Tom", "comment": "Hello."}
with TestClient(intake.application(settings), follow_redirects=False) as reader:
    seen["an error"] = reader.post("/comments", data=form | {"town": "Leeds" * 99}).text
    seen["the preview"] = reader.post("/comments", data=form | {"town": "Leeds", "action": "preview"}).text
    receipt = reader.post("/comments", data=form | {"town": "Leeds"}).headers["location"]
    seen["the receipt"] = reader.get(receipt).text
    reader.post(receipt, data=form | {"town": "Leeds-on-Sea"})
    seen["its writer's download"] = reader.get(f"{receipt}/kept.json").text
moderation = Moderation.open(settings)
[item] = moderation.review.queue()
changed = moderation.work.inbox.connection
changed.execute("UPDATE revision SET town = 'Elsewhere' WHERE state = 'waiting'")
assert moderation.review.queue()[0].name != item.name, "the name of a revision"
changed.execute("UPDATE revision SET town = 'Leeds-on-Sea' WHERE state = 'waiting'")
theme = environment(FileSystemLoader(settings.theme / "templates"))
now = datetime.now(UTC)
seen["the mail"] = Composer(settings, moderation, theme).draft("comment", item.name, load(settings.site), now).text
with TestClient(desk.application(settings), follow_redirects=True) as david:
    david.post("/sign-in", data={"token": SignIn(settings.desk).issue(now)})
    seen["the queue"] = david.get("/").text
seen["the command line"] = os.popen(f"{os.sys.executable} -m postbox show {item.revision.id}").read()
moderation.approve(item.name, who="David", now=now)
[file] = Path("content/comments").glob(f"*/{item.revision.id}.md")
seen["the file"] = file.read_text()
seen["the export"] = json.dumps(about_comment(moderation, item.revision.id))
build(Path("pelicanconf.py"), **facts)
seen["the page"] = Path("output/index.html").read_text()
moderation.forget(item.revision.id, who="David", now=now)
left = b"".join(path.read_bytes() for folder in ("content", "var/inbox", "var/desk") for path in Path(folder).rglob("*") if path.is_file())
seen["left after an erasure"] = left.decode("utf-8", "replace")
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every place shows once a field is declared and a comment has gone all its way."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("contract", "postbox", "press", "theme", "content"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pelicanconf.py", folder)
    declared = folder / "contract/comment.py"
    source = declared.read_text("utf-8")
    assert source.count("    body: str = _reader_field(") == 1
    declared.write_text(
        source.replace("    body: str = _reader_field(", f"{DECLARATION}    body: str = _reader_field(")
    )
    (folder / "walk.py").write_text(WALK)
    walk = subprocess.run(
        [sys.executable, "walk.py"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert walk.returncode == 0, walk.stderr
    found: dict[str, str] = json.loads(walk.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("place", "words"), [
    ("the form on the page", "Your town (optional)"),
    ("an error", "Town must be 80 characters or fewer"),
    ("the preview", "Leeds"), ("the receipt", "Leeds"),
    ("its writer's download", "Leeds-on-Sea"),
    ("the mail", "Leeds-on-Sea"), ("the queue", "Leeds-on-Sea"), ("the command line", "Leeds-on-Sea"),
    ("the file", "\nTown: Leeds-on-Sea\n"), ("the export", "Leeds-on-Sea"), ("the page", "Leeds-on-Sea"),
])  # fmt: skip
def test_a_field_that_is_declared_has_its_place(walked: dict[str, str], place: str, words: str) -> None:
    assert words in walked[place], f"forgotten: {place}"


def test_an_erasure_leaves_nothing_of_a_field_that_is_declared(walked: dict[str, str]) -> None:
    assert not re.search("Leeds|Elsewhere", walked["left after an erasure"])
