"""Both engines of an inbox: a PostgreSQL of the test session's own, empty for each test that asks."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from postbox.settings import Settings
from postbox.store.handover import Sender
from postbox.store.postgresql import Connection
from postbox.store.shared_inbox import SharedInbox
from postbox.store.submissions import TABLES
from tests.support.place import ROOT
from tests.support.process import PATIENCE_SECONDS, end, wait_until

Overrides = dict[str, str]

ENGINES = ("sqlite", "postgresql")
KEY = "5e" * 32
OPTIONS = (
    "listen_addresses=",
    "autovacuum=off",
    "max_connections=60",
    "shared_buffers=16MB",
    "log_min_messages=fatal",
)
DATABASE = "postbox"
EMPTIED = (*TABLES, "site_file", "published", "rate")
MADE = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)  # by who runs PostgreSQL, as the page says


class Cluster:
    """A running PostgreSQL on a socket in a temporary folder, and the databases in it."""

    def __init__(self, folder: Path, *, is_durable: bool = False) -> None:
        """Make and start it, by default without what only a power cut shows; root's is run by Debian's user postgres, for initdb refuses root."""
        self._folder = folder
        self._options = (*OPTIONS, f"fsync={'on' if is_durable else 'off'}")
        folder.chmod(0o755)  # services of users of their own reach the socket
        self._as = ["setpriv", "--pdeathsig=QUIT"]  # so that it ends with whoever started it, however that ends
        if os.getuid() == 0:
            self._as += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(folder, "postgres")
        data = [self._program("initdb"), "-D", str(folder / "data"), "-U", "owner", "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            [*self._as, *data, "--locale=C", "--no-sync"], check=True, capture_output=True, cwd=folder, timeout=60
        )
        self.start()

    def prepare(self) -> None:
        """Make the roles, and the inbox that each test finds empty."""
        [page] = MADE.findall((ROOT / "docs/publishing.md").read_text("utf-8"))
        with self.owner("postgres") as owner:
            for statement in page.split(";"):
                owner.execute(statement.encode())
        SharedInbox(Settings(**self.settings())).connection.close()  # type: ignore[arg-type]  # two texts

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [argument for option in self._options for argument in ("-c", option)]
        folder = str(self._folder)
        self.process = subprocess.Popen(
            [*self._as, self._program("postgres"), "-D", f"{folder}/data", "-k", folder, *options],
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            wait_until(self._answers, "PostgreSQL answers")
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """End it as a power cut would, and wait until its own processes have seen so."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "PostgreSQL is gone")

    def stop(self) -> None:
        """End it at once."""
        end(self.process, signal.SIGQUIT)

    @contextmanager
    def owner(self, database: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
        """Connect as whoever may do anything."""
        address = f"postgresql://owner@/{database}?host={self._folder}"
        with psycopg.connect(address, autocommit=True, connect_timeout=PATIENCE_SECONDS) as connection:
            yield connection

    def fresh(self) -> Overrides:
        """Return the settings of the inbox, emptied; whoever was left connected to it is not any more."""
        with self.owner(DATABASE) as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (DATABASE,),
            )
            owner.execute(f"TRUNCATE {', '.join(f'postbox.{table}' for table in EMPTIED)} RESTART IDENTITY".encode())
        return self.settings()

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._folder / ".s.PGSQL.5432"

    def settings(self, role: str = "desk") -> Overrides:
        """Return the settings of the inbox for a role."""
        return {"postgresql": f"postgresql://postbox_{role}@/{DATABASE}?host={self._folder}", "inbox_key": KEY}

    def _answers(self) -> bool:
        try:
            with self.owner("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    @staticmethod
    def _program(name: str) -> str:
        """Return the newest of what Debian keeps below its versions, or what is on the path."""
        debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
        found = str(debian[-1]) if debian else shutil.which(name)
        assert found, f"{name} of PostgreSQL is not installed; `make test` says how"
        return found


@contextmanager
def cluster(folder: Path | None = None, *, is_durable: bool = False) -> Iterator[Cluster]:
    """Run a PostgreSQL for as long as it is needed, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir=folder) as name:  # short, as the path of a socket has to be
        running = Cluster(Path(name), is_durable=is_durable)
        try:
            running.prepare()
            yield running
        finally:
            running.stop()


def hand_over(settings: Settings) -> None:
    """Hand over to the intakes what is public, as the desk does."""
    with closing(Connection(settings.postgresql, wait_seconds=PATIENCE_SECONDS)) as connection:
        Sender(settings).send(connection)


def as_intake(settings: Settings) -> Settings:
    """Return the settings of an intake beside a desk: the same inbox, in the intakes' own role."""
    return replace(settings, postgresql=settings.postgresql.replace("postbox_desk", "postbox_intake"))
