"""Measurement of intakes that share an inbox in PostgreSQL, one and two of them, beside one whose inbox is a file.

PostgreSQL is the one of the tests, but durable: on this folder's disk, with fsync.
"""

import contextlib
import dataclasses
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import intake
import psycopg

sys.path.insert(0, str(intake.ROOT))

from postbox.settings import Settings
from tests.support.engines import Cluster, as_intake, cluster, hand_over

KINDS = ("a file", "PostgreSQL", "PostgreSQL, two intakes")
KEYS = ("per_second", "p50_seconds", "p99_seconds", "client_cpu")


@dataclasses.dataclass(frozen=True)
class Shared(intake.Service):
    """An intake on PostgreSQL, or several; ``address`` is how its owner asks how many comments there are."""

    address: str = ""

    def rows(self) -> int:
        """Return how many comments its database holds."""
        with psycopg.connect(self.address) as connection:
            row = connection.execute("SELECT count(*) FROM postbox.comment").fetchone()
        return int(row[0]) if row else 0


def measure() -> dict[str, Any]:
    """Measure each kind in each round, with a new database each time."""
    loads: dict[int, dict[str, list[intake.Load]]] = {c: {kind: [] for kind in KINDS} for c in intake.CLIENTS}
    intake.FOLDER.mkdir(parents=True, exist_ok=True)
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(dir=intake.FOLDER) as folder,
        ProcessPoolExecutor(max_workers=1, mp_context=spawn) as client,
        cluster(intake.FOLDER, is_durable=True) as server,
    ):
        site = intake.built(Path(folder))
        for number in range(intake.ROUNDS):
            print(f"round {number + 1} of {intake.ROUNDS}", file=sys.stderr)
            for kind in KINDS[:: 1 if number % 2 == 0 else -1]:
                with (
                    intake.serve_ours(site) if kind == KINDS[0] else _shared(site, server, KINDS.index(kind)) as service
                ):
                    sent = 0
                    for clients in intake.CLIENTS:
                        load = intake.loaded(client, service, clients, first=sent)
                        sent += load.sent
                        loads[clients][kind].append(load)
                    if service.rows() != sent:
                        raise intake.BenchError(f"{kind} accepted {sent} comments and holds {service.rows()}")
    rows = [
        {"clients": clients, "kind": kind, **{key: median(getattr(load, key) for load in found) for key in KEYS}}
        for clients, kinds in loads.items()
        for kind, found in kinds.items()
    ]
    return {"loads": rows, "rounds": intake.ROUNDS, "seconds": intake.SECONDS}


def table(results: dict[str, Any]) -> str:
    """Return the results as a table."""
    lines = [f"{'clients':9}{'inbox':26}{'a second':>9}{'p50 ms':>9}{'p99 ms':>9}{'client':>9}"]
    for row in results["loads"]:
        times = f"{row['p50_seconds'] * 1000:>9.1f}{row['p99_seconds'] * 1000:>9.1f}{row['client_cpu']:>9.0%}"
        lines += [f"{row['clients']:<9}{row['kind']:26}{row['per_second']:>9,.0f}{times}"]
    return "\n".join(
        [*lines, "", f"medians of {results['rounds']} rounds of {results['seconds']:g} s; every acceptance was a row"]
    )


@contextlib.contextmanager
def _shared(site: Path, server: Cluster, intakes: int) -> Iterator[intake.Service]:
    """Run so many intakes on an empty inbox."""
    desk = Settings(content=site / "content", var=site / "var", **server.fresh())  # type: ignore[arg-type]  # two texts
    hand_over(desk)
    told = {"POSTBOX_INBOX": as_intake(desk).postgresql, "POSTBOX_INBOX_KEY": desk.inbox_key}
    with contextlib.ExitStack() as running:
        services = [running.enter_context(intake.serve_ours(site, log=f"log-{n}", **told)) for n in range(intakes)]
        given = {field.name: getattr(services[0], field.name) for field in dataclasses.fields(intake.Service)}
        more = tuple(service.port for service in services[1:])
        yield Shared(**given | {"more_ports": more}, address=desk.postgresql)
