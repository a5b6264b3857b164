"""The intake and the desk as two users: whatever the intake's user does with all that it may write, it publishes nothing.

Only root can become another user. Where the tests are run by anyone else, both sides are that one user, and the tests
say so in their names: what is then shown is that data alone decides nothing, not that the system keeps the folders apart.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.comment import read
from contract.thread import read_all
from postbox.settings import Settings
from postbox.settings import read as read_settings
from tests.support.place import ARTICLE, ROOT, Place, a_place
from tests.support.process import environment, line_of
from tests.support.store import FORGED

IS_ROOT = os.geteuid() == 0
DESK, INTAKE, INBOX_GROUP = 64_101, 64_102, 64_103  # users and groups of no name, as in a container
PRESS, WORDS_GROUP = 64_104, 64_105
GROUPS = {DESK: [INBOX_GROUP, WORDS_GROUP], INTAKE: [INBOX_GROUP], PRESS: [WORDS_GROUP]}
AS = "as two users" if IS_ROOT else "as ONE user, for only root can become another"

# One process imports and tries everything, for the interpreter may lie where only root can read; then it forks for each
# order a child that gives its rights away for good, and runs the code of the order.
STAGE = """
import codecs, contextlib, io, json, os, pathlib, signal, sqlite3, struct, sys, traceback
from datetime import UTC, datetime
from pathlib import Path
from starlette.testclient import TestClient
import postbox.__main__, postbox.desk.app, postbox.store.submissions, postbox.public.app, postbox.moderation.service, postbox.settings, postbox.desk.sessions, postbox.writing.texts, press.draft_preview
codecs.lookup("utf-8-sig")  # Python loads a codec when it is first used, which a child may not

def run(order):
    signal.alarm(20)
    for number, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    if order["is_root"]:
        os.setgroups(order["groups"])
        os.setgid(order["user"])
        os.setuid(order["user"])
    os.umask(0o022)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ |= order["environment"]
    exec(compile(order["code"], "order", "exec"), globals() | order["values"] | {"settings": postbox.settings.read(os.environ)})

def end(order):
    status = 0
    try:
        run(order)
    except SystemExit as ended:
        status = int(bool(ended.code))
        print(ended.code if isinstance(ended.code, str) else "", end="", file=sys.stderr)
    except BaseException:
        status = 70
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

for line in sys.stdin:
    order = json.loads(line)
    if not (child := os.fork()):
        end(order)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
REHEARSAL = """
settings = postbox.settings.read(os.environ)
with contextlib.redirect_stdout(io.StringIO()):
    exec(POST)
    RECEIPT = answer.headers["location"]
    exec(DELETE)
postbox.moderation.service.Moderation.open(settings).review.queue()
"""

POST = """
client = TestClient(postbox.public.app.application(settings), follow_redirects=False)
with client:
    answer = client.post("/comments", data={"article": "big-toe-and-glutes", "name": "Tom", "comment": WORDS})
print(answer.status_code, answer.headers.get("location"))
"""
DELETE = """
client = TestClient(postbox.public.app.application(settings), follow_redirects=False)
with client:
    client.post(RECEIPT, data={"action": "delete"})
    print(client.get(RECEIPT).status_code)
"""
SAVE = """
texts = postbox.writing.texts.Texts(settings.content, settings.desk)
texts.save("articles/shoes", b"Title: Boots", base="", number=0, now=datetime.now(UTC))
"""
LIST = """
sys.argv[1:] = ["list"]
postbox.__main__.main()
"""


class Stage:
    """The process that forks."""

    def __init__(self, folder: Path, rehearsal: Settings) -> None:
        self.folder = folder
        head, loop = STAGE.split("for line in")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"{head}\nPOST, DELETE, WORDS = {POST!r}, {DELETE!r}, 'Rehearsed.'\n{REHEARSAL}\nfor line in{loop}",
            ],
            env=environment(rehearsal),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, house: "House", user: int, code: str, **values: Any) -> subprocess.CompletedProcess[str]:
        """Run code as a user in a house."""
        assert self.process.stdin
        out, err = self.folder / "out", self.folder / "err"
        for path in (out, err):
            path.unlink(missing_ok=True)
        order = {
            "user": user,
            "groups": GROUPS[user],
            "is_root": IS_ROOT,
            "folder": str(house.folder),
            "environment": environment(house.settings, HOME="/", LOGNAME="", USER="", LNAME="", USERNAME=""),
            "out": str(out),
            "err": str(err),
            "code": code,
            "values": values,
        }
        print(json.dumps(order), file=self.process.stdin, flush=True)
        status = int(line_of(self.process))
        return subprocess.CompletedProcess([], status, out.read_text("utf-8"), err.read_text("utf-8"))

    def close(self) -> None:
        """End it."""
        self.process.communicate(timeout=10)


class House:
    """A place as production has it: the folders of the intake and of the desk, each with its own user."""

    def __init__(self, folder: Path, shipped: Place, stage: "Stage") -> None:
        self.folder = folder
        self.stage = stage
        settings = a_place(shipped, folder)
        shutil.copytree(settings.theme, folder / "theme")
        self.settings = Settings(content=settings.content, theme=folder / "theme", var=settings.var)
        for name in ("articles", "images", "pages"):
            (settings.content / name).mkdir()
        (settings.content / "articles/shoes.md").write_text("Title: Shoes\nStatus: draft\n\nHidden.", "utf-8")
        self.settings.proofs.mkdir()
        self.settings.inbox.mkdir()
        self.settings.desk.mkdir()
        if IS_ROOT:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, DESK, DESK)
                path.chmod(0o755 if path.is_dir() else 0o644)
            os.chown(self.settings.inbox, DESK, INBOX_GROUP)
            for path in (self.settings.proofs, *(settings.content / name for name in ("articles", "images", "pages"))):
                os.chown(path, DESK, WORDS_GROUP)
                path.chmod(0o2770 if path == self.settings.proofs else 0o2750)
        self.settings.inbox.chmod(0o2770)
        self.settings.desk.chmod(0o700)
        assert stat.S_IMODE(self.settings.inbox.stat().st_mode) == 0o2770

    def run(self, user: int, code: str, **values: Any) -> subprocess.CompletedProcess[str]:
        """Run code as a user."""
        return self.stage.run(self, user, code, **values)

    def intake(self, code: str, **values: Any) -> str:
        """Run code as the intake's user; return what it printed."""
        ended = self.run(INTAKE, code, **values)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def desk(self, code: str, **values: Any) -> str:
        """Run code as the desk's user; return what it printed."""
        ended = self.run(DESK, code, **values)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def kept(self) -> dict[str, bytes]:
        """Return what the intake's user may not change: all but the inbox, and of the databases what they hold."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and self.settings.inbox not in path.parents and self.settings.desk not in path.parents
        } | {"key": (self.settings.desk / "key").read_bytes()}


@pytest.fixture(scope="module")
def stage(shipped: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The process that forks, once it has tried all that the users will do."""
    folder = tmp_path_factory.mktemp("stage")
    stage = Stage(folder, a_place(shipped, folder / "rehearsal"))
    yield stage
    stage.close()


@pytest.fixture
def house(shipped: Place, stage: Stage) -> Iterator[House]:
    """A house where either user can get to its own rooms; pytest's own folder lets nobody else in."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield House(Path(folder) / "house", shipped, stage)


def named(test: Any) -> Any:
    """Give a test the name of how it was run."""
    return pytest.mark.parametrize("users", [AS])(test)


@named
@pytest.mark.parametrize("first", ["intake", "desk"])
def test_either_may_start_first_and_both_write_the_inbox(house: House, users: str, first: str) -> None:
    if first == "desk":
        assert house.desk(LIST) == ""
    assert house.intake(POST, WORDS="One.").startswith("303 ")
    [line] = house.desk(LIST).splitlines()
    house.desk('sys.argv[1:] = ["approve", NAME]\npostbox.__main__.main()', NAME=line.split()[0])

    receipt = house.intake(POST, WORDS="Two.").split()[1]
    delete = (
        'client = TestClient(postbox.public.app.application(settings))\nclient.post(RECEIPT, data={"action": "delete"})'
    )
    house.intake(delete, RECEIPT=receipt)

    assert house.desk(LIST) == ""
    [file] = [path for path in (house.settings.comments / ARTICLE).glob("*.md") if len(path.stem) > 4]
    assert read(file).body == "One."
    if IS_ROOT:
        assert file.stat().st_uid == DESK
        assert "user 64101 at the command line" in house.desk(
            "for d in postbox.moderation.service.Moderation.open(settings).work.decisions.latest(): print(d.who)"
        )


DENIED = [
    "Path(content, 'comments/big-toe-and-glutes/evil.md').write_text('x')",
    "Path(content, 'comments/big-toe-and-glutes/0001.md').write_text('x')",
    "Path(content, 'comments/big-toe-and-glutes/0001.md').unlink()",
    "Path(content, 'comments/big-toe-and-glutes').rename(Path(content, 'comments/x'))",
    "Path(content, 'comments/evil').mkdir()", "Path(content, 'articles/evil.md').write_text('x')",
    "Path(content, 'comments/big-toe-and-glutes/0001.md').chmod(0o777)",
    "Path(var, 'site/site.json').write_text('{}')", "Path(var, 'site/site.new').write_text('{}')",
    "Path(var, 'inbox').rename(Path(var, 'other'))", "Path(var, 'inbox').chmod(0o777)", "Path(var, 'new').mkdir()",
    "Path('theme/templates/receipt.html').write_text('x')", "os.listdir(Path(var, 'desk'))",
    "Path(var, 'desk/key').read_bytes()", "Path(var, 'desk/key').write_bytes(b'x')",
    "Path(var, 'desk/desk.sqlite').read_bytes()", "Path(var, 'desk/sessions.sqlite').read_bytes()",
    "Path(var, 'desk/sessions.sqlite').write_bytes(b'')", "Path(var, 'desk/new').write_bytes(b'x')",
    "Path(var, 'desk').chmod(0o777)", "Path(var, 'inbox/mine').hardlink_to(Path(var, 'desk/key'))",
    "Path(var, 'inbox/mine').hardlink_to(Path(content, 'comments/big-toe-and-glutes/0001.md'))",
    "sqlite3.connect(Path(var, 'desk/desk.sqlite')).execute('SELECT * FROM decision').fetchall()",
    "sqlite3.connect(Path(var, 'desk/sessions.sqlite')).execute('SELECT * FROM session').fetchall()", "os.setuid(0)",
    "os.listdir(Path(content, 'articles'))", "Path(content, 'articles/shoes.md').read_bytes()",
    "Path(content, 'articles/shoes.md').write_text('x')", "Path(content, 'articles/shoes.md').unlink()",
    "Path(content, 'pages/evil.md').write_text('x')", "Path(content, 'images/evil.jpg').write_bytes(b'x')",
    "os.listdir(Path(var, 'proofs'))", "os.listdir(Path(var, 'proofs/asked'))", "Path(var, 'proofs/made/new').touch()",
    "Path(var, 'proofs/asked', '0' * 64 + '.json').write_text('{}')", "Path(var, 'proofs').rename(Path(var, 'x'))",
    "sqlite3.connect(Path(var, 'desk/texts.sqlite')).execute('SELECT * FROM working_copy').fetchall()",
    f"os.setuid({DESK})", f"os.setgid({DESK})",
]  # fmt: skip


@named
def test_the_intakes_user_can_do_nothing_with_what_is_not_its_own(house: House, users: str) -> None:
    house.desk("postbox.desk.sessions.SignIn(settings.desk).issue(datetime.now(UTC))" + LIST + SAVE)
    house.run(PRESS, "press.draft_preview.folders(settings.proofs)")
    house.intake(POST, WORDS="One.")
    before = house.kept()

    if not IS_ROOT:  # the nearest: that the modes would keep another user out
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (house.settings.desk, house.settings.inbox)}
        assert modes == {"desk": 0o700, "inbox": 0o2770}
        assert stat.S_IMODE((house.settings.desk / "key").stat().st_mode) == 0o600
        return
    tried = house.intake(
        "content, var = settings.content, settings.var\n"
        "for code in DENIED:\n"
        "    try: print('DONE', code, eval(code))\n"
        "    except (PermissionError, sqlite3.OperationalError) as error: pass\n"
        "print('tried')",
        DENIED=DENIED,
    )

    assert tried == "tried\n"
    assert house.kept() == before


MANY = 'db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})'
# Each is run by the intake's user in var/inbox, with `db` a connection to the inbox there and the names of what it is after.
ATTACKS = {
    "rows that say they are published": "db.execute(\"UPDATE revision SET state = 'published'\")",
    "rows of every damage": "for statement in FORGED:\n    try: db.execute(statement)\n    except sqlite3.Error: pass",
    "triggers": """
db.execute("CREATE TRIGGER more AFTER UPDATE ON revision BEGIN UPDATE revision SET body = 'EVIL', state = 'published'; END")
db.execute("CREATE TRIGGER most AFTER UPDATE ON comment BEGIN INSERT INTO comment (id, article) VALUES (random(), 'x'); END")
db.execute("UPDATE comment SET deletion = 'delete'")
""",
    "views in place of tables": """
db.execute("ALTER TABLE revision RENAME TO real")
db.execute("CREATE VIEW revision AS SELECT comment, number, author, 'EVIL' || random() AS body, digest, received, held, state, reason FROM real")
""",
    "a view that never ends is only slow": """
db.execute("ALTER TABLE revision RENAME TO real")
db.execute("CREATE VIEW revision AS SELECT real.* FROM real, (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n)")
""",
    "tables without types": """
db.execute("DROP TABLE revision")
db.execute("CREATE TABLE revision (comment, number, author, body, digest, received, held, state, reason)")
id = db.execute("SELECT id FROM comment").fetchone()[0]
db.execute("INSERT INTO revision VALUES (?, 1, x'ff', x'00', 1, 2, 3, 'waiting', 4)", (id,))
db.execute("INSERT INTO revision VALUES (?, 'one', NULL, 5, NULL, NULL, NULL, 'waiting', NULL)", (id,))
""",
    "a database of a newer version": "db.execute('PRAGMA user_version = 99')",
    "a database of no version": "db.execute('PRAGMA user_version = 0')",
    "no database": "db.close(); path.write_bytes(b'EVIL' * 10000)",
    "half a database": "db.execute('PRAGMA wal_checkpoint(TRUNCATE)'); db.close(); os.truncate(path, 5000)",
    "an empty file": "db.close(); path.unlink(); path.touch()",
    "a folder": "db.close(); path.unlink(); path.mkdir()",
    "a pipe": "db.close(); path.unlink(); os.mkfifo(path, 0o660)",
    "a file that nobody may read": "db.close(); path.unlink(); path.touch(); path.chmod(0)",
    "a link to the desk's database": "db.close(); path.unlink(); path.symlink_to(desk / 'desk.sqlite')",
    "a link to the sessions": "db.close(); path.unlink(); path.symlink_to(desk / 'sessions.sqlite')",
    "a link to the desk's key": "db.close(); path.unlink(); path.symlink_to(desk / 'key')",
    "a link to the desk's lock, which is empty": "db.close(); path.unlink(); path.symlink_to(desk / 'lock')",
    "a link to a comment": "db.close(); path.unlink(); path.symlink_to(comments / '0001.md')",
    "a link to a comment to be": "db.close(); path.unlink(); path.symlink_to(comments / 'evil.md')",
    "a link to an article to be": "db.close(); path.unlink(); path.symlink_to(content / 'articles/evil.md')",
    "a log that is a link to the key": "db.close(); wal.unlink(missing_ok=True); wal.symlink_to(desk / 'key')",
    "a log that is a link to a comment": "db.close(); wal.unlink(missing_ok=True); wal.symlink_to(comments / '0001.md')",
    "a log that is a link to a comment to be": "db.close(); wal.unlink(missing_ok=True); wal.symlink_to(comments / 'evil.md')",
    "an index that is a link to the key": "db.close(); shm.unlink(missing_ok=True); shm.symlink_to(desk / 'key')",
    "an index that is a link to a comment": "db.close(); shm.unlink(missing_ok=True); shm.symlink_to(comments / '0001.md')",
    "an index of noise": "db.close(); shm.write_bytes(os.urandom(32768))",
    "a log of noise": "db.close(); wal.write_bytes(bytes.fromhex('377f0682') + os.urandom(32768))",
    "a key that is a link to the desk's": "key.unlink(missing_ok=True); key.symlink_to(desk / 'key')",
    "a key that is a link to a comment to be": "key.unlink(missing_ok=True); key.symlink_to(comments / 'evil.md')",
    "a key that is a pipe": "key.unlink(missing_ok=True); os.mkfifo(key, 0o660)",
    "a key that is a folder": "key.unlink(missing_ok=True); key.mkdir()",
    "a journal that has a comment deleted": "forge_journal(comments / '0001.md')",
    "a journal that has the key deleted": "forge_journal(desk / 'key')",
    "a journal that has the decisions deleted": "forge_journal(desk / 'desk.sqlite')",
    "a journal that is a link to the key": "db.close(); journal.symlink_to(desk / 'key')",
    "a key without an end": "key.unlink(missing_ok=True); key.symlink_to('/dev/zero')",
    "a key of eight gigabytes": "key.touch(); os.truncate(key, 8 << 30)",
    "a database of eight gigabytes": "db.close(); path.unlink(); path.touch(); os.truncate(path, 8 << 30)",
    # Zeros in the last column are written and not made first, for which this process has no memory.
    "a row of three hundred megabytes": """
[id] = db.execute("SELECT id FROM comment").fetchone()
db.execute("DROP TABLE revision")
db.execute("CREATE TABLE revision (comment, number, author, digest, received, held, state, reason, body)")
db.execute("INSERT INTO revision VALUES (?, 1, 'E', x'', '2026', '[]', 'waiting', '', zeroblob(300000000))", (id,))
assert db.execute("SELECT length(body) FROM revision").fetchone() == (300000000,)
""",
    **{
        f"a {table} of thirty megabytes": f"long = 'x' * 30_000_000; db.execute({insert!r}, (long,))"
        for table, insert in {
            "subscription": "INSERT INTO subscription (comment, address, events) VALUES (?, 'x', '')",
            "message": "INSERT INTO message (id, name, contact, body, received, held) VALUES (?, '', '', '', '', '[]')",
            "refusal": "INSERT INTO refused VALUES (CAST(? AS BLOB))",
            "comment": "INSERT INTO comment (id, article, deletion) VALUES (?, 'x', 'delete')",
            "event": "INSERT INTO event (kind, about) VALUES ('comment', ?)",
            "erasure": "INSERT INTO erasure (kind, about) VALUES ('message', ?)",
        }.items()
    },
    "fifty thousand deletion requests": MANY.format(50_000)
    + " INSERT INTO comment (id, article, deletion) SELECT 'x' || i, 'x', 'delete' FROM n\")",
    "five thousand revisions of one comment": MANY.format(5_000)
    + " INSERT INTO revision (comment, number, author, body, digest, received, held, state)"
    " SELECT id, i + 1, 'E', i, x'', '2026', '[]', 'replaced' FROM n, comment\")",
    "the right to write, kept": """
db.close()
told, tell = os.pipe()
if not os.fork():
    signal.alarm(5)  # the system ends it
    held = sqlite3.connect(path, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    os.write(tell, b"held")
    signal.pause()
os.read(told, 4)
""",
}
ATTACK = """
import struct
content, desk = settings.content, settings.desk
comments, inbox = content / "comments/big-toe-and-glutes", settings.inbox
path, wal, shm, journal, key = (inbox / n for n in ("inbox.sqlite", "inbox.sqlite-wal", "inbox.sqlite-shm", "inbox.sqlite-journal", "key"))
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA foreign_keys=OFF")
db.execute("PRAGMA ignore_check_constraints=ON")

def forge_journal(victim):
    '''Leave a rollback journal that names its victim as the super-journal, which SQLite deletes once it has rolled back.'''
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    name, magic = str(victim).encode(), bytes.fromhex("d9d505f920a163d7")
    header = magic + struct.pack(">5I", 0, 1, path.stat().st_size // 4096, 512, 4096)
    tail = struct.pack(">2I", len(name), sum(name))
    journal.write_bytes(header.ljust(512, b"\\0") + struct.pack(">I", 0x40000000 // 4096 + 1) + name + tail + magic)
    journal.chmod(0o660)
"""
SEE = """
try:
    moderation = postbox.moderation.service.Moderation.open(settings)
    for see in (lambda: moderation.carry_out_deletions(now=datetime.now(UTC)), moderation.review.queue, moderation.work.decisions.latest, moderation.work.inbox.size):
        try: print(see())
        except Exception: traceback.print_exc(file=sys.stdout)
except Exception:
    traceback.print_exc(file=sys.stdout)
"""
# A forged journal stays, so nobody needs to wait until it goes.
HURRY = "import types; postbox.store.submissions.time = types.SimpleNamespace(sleep=lambda seconds: None)\n"
DESK_RUNS = """
postbox.store.database.STATEMENT_SECONDS = 0.5
token = postbox.desk.sessions.SignIn(settings.desk).issue(datetime.now(UTC))
with TestClient(postbox.desk.app.application(settings), follow_redirects=False) as client:
    client.post("/sign-in", data={"token": token})
    print([client.get(page).status_code for page in ("/", "/published", "/log", "/messages")])
"""


@named
@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_the_intakes_user_lays_in_the_inbox_publishes_nothing(house: House, users: str, attack: str) -> None:
    house.desk("postbox.desk.sessions.SignIn(settings.desk)" + LIST)
    house.intake(POST, WORDS="One.")
    [line] = house.desk(LIST).splitlines()
    before, decisions = house.kept(), _rows(house, "desk.sqlite", "decision")

    house.intake(ATTACK + ATTACKS[attack], FORGED=FORGED)
    seen = house.desk(HURRY + SEE)
    listed = house.run(DESK, HURRY + LIST)
    exported = house.run(DESK, HURRY + LIST.replace("list", "export"))

    after = house.kept()
    assert after == before
    assert [p.name for p in house.settings.comments.rglob("*")].count("evil.md") == 0
    assert read_all(house.settings.comments)[1] == []
    assert _rows(house, "sessions.sqlite", "session") == []
    published = [row for row in _rows(house, "desk.sqlite", "decision") if row not in decisions]
    assert {row["action"] for row in published} <= {"delete"}  # a deletion is the one thing that the inbox may ask for
    assert not [row for row in published if row["comment"] in ("0001", "0002")]
    leaked = "".join([seen, listed.stdout, listed.stderr, exported.stdout, exported.stderr])
    secret = (house.settings.desk / "key").read_bytes()
    assert secret.hex() not in leaked
    for path in house.settings.inbox.iterdir():
        is_ours = path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 30  # what is larger is a hole
        assert not is_ours or secret not in path.read_bytes()
    assert listed.returncode in (0, 1)
    assert "Traceback" not in listed.stderr
    assert line
    assert house.desk(HURRY + DESK_RUNS) == "[200, 200, 200, 200]\n"


def _rows(house: House, database: str, table: str) -> list[dict[str, Any]]:
    code = (
        f"db = sqlite3.connect(settings.desk / {database!r}); db.row_factory = sqlite3.Row\n"
        f"print([dict(row) for row in db.execute('SELECT * FROM {table}')])"
    )
    rows: list[dict[str, Any]] = eval(house.desk(code))
    return rows


@named
def test_a_decision_signed_with_another_key_is_none(house: House, users: str) -> None:
    house.desk(LIST)
    house.intake(POST, WORDS="One.")

    guess = """
import hashlib, hmac
[item] = postbox.store.submissions.Inbox.open(settings).waiting()
words = "\\0".join((item.id, "1", item.article, "", item.author, item.body))
print(item.id + "." + hmac.new((settings.inbox / "key").read_bytes(), words.encode(), hashlib.sha256).hexdigest()[:16])
"""
    name = house.intake(guess).strip()
    ended = house.run(DESK, 'sys.argv[1:] = ["approve", NAME]\npostbox.__main__.main()', NAME=name)

    assert ended.returncode == 1
    assert "has changed since" in ended.stderr


@named
def test_desk_and_press_ask_and_answer_for_a_proof_and_only_the_desk_writes_a_text(house: House, users: str) -> None:
    assert house.run(PRESS, "press.draft_preview.folders(settings.proofs)").returncode == 0

    house.desk(
        "Path(settings.proofs, 'asked/a.json').write_text('{}')\nPath(settings.content, 'articles/new.md').write_text('x')"
    )
    answer = """
assert Path(settings.proofs, "asked/a.json").read_text() == "{}"
Path(settings.proofs, "asked/a.json").unlink()
Path(settings.proofs, "made/a.html").write_text("proof")
print(Path(settings.content, "articles/new.md").read_text())
for code in (lambda: Path(settings.content, "articles/new.md").write_text("y"), lambda: list(settings.desk.iterdir()), lambda: list(settings.inbox.iterdir())):
    try: print("DONE", code())
    except PermissionError: pass
"""
    answered = house.run(PRESS, answer)
    seen = house.desk(
        "print(Path(settings.proofs, 'made/a.html').read_text()); Path(settings.proofs, 'made/a.html').unlink()"
    )

    assert (answered.returncode, answered.stderr, seen) == (0, "", "proof\n")
    assert answered.stdout == "x\n" if IS_ROOT else answered.stdout.startswith("x\n")


def test_these_settings_are_read_as_the_processes_read_them(house: House) -> None:
    kept = {k: v for k, v in environment(house.settings).items() if k.startswith("POSTBOX_")}

    assert read_settings(kept) == house.settings
    assert ROOT.exists()
