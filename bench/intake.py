"""Benchmark of the intake, how many comments are accepted a second, ours beside Isso's: ``python bench/intake.py`` prints a table, ``--json`` the same as JSON.

Both answer the same client in the same rounds, first one then the other, each with a new database on the disk of this folder.
Ours is ``python -m postbox intake`` with everything on and the rate limit raised out of reach.
Isso is as it comes from PyPI, its guard off, behind gunicorn with four workers.
It is a peer and no dependency: it is installed into ``var/bench/isso`` at the first run.

``--slow-senders 1200`` measures something else: honest posts through the Caddy of ``online/`` (without Caddy, straight to the
intake), first alone and then while so many connections send a form of theirs a byte a second.
``--postgresql`` measures intakes that share an inbox in PostgreSQL, one and two, beside one whose inbox is a file.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import http.client
import json
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).parent.parent
# Not the folder for temporary files: that is memory on many machines, where a durable commit costs nothing.
FOLDER = ROOT / "var" / "bench"
PEER = ("isso==0.14.*", "gunicorn", "setuptools<81")  # 0.14 imports pkg_resources, which later setuptools lack
CLIENTS = (1, 16, 64)
ROUNDS = 5
WARM_SECONDS = 0.5
SECONDS = 3.0
MAX_SECONDS = 60.0  # for an answer, a start or an end
MAX_MADE_SECONDS = 600.0  # for an installation or a build
MAX_POSTS = 1_000_000
ARTICLE = "big-toe-and-glutes"
# Seventy-nine words; the eightieth is the number that makes each submission another one.
WORDS = (
    "I ran for years on what I thought were strong feet until a friend filmed me from behind and the big toe was"
    " doing nothing at all. Two weeks of the short foot exercise before breakfast and **the glute on that side woke up**,"
    " which no amount of bridges had done. I still lose it on the stairs when I am tired. Do shoes undo the"
    " work, or is it enough to practise barefoot at home? Thank you. Comment"
)
SLOT = "0" * 12
HOST = "feet.example"
HONEST = 4  # readers beside slow senders
ATTACK_SECONDS = 30.0  # longer than a form may take to arrive
DESCRIPTORS = 65_536  # as online/ gives each service


class BenchError(Exception):
    """The measurement cannot be done or does not count; the text says why, in one line."""


@dataclasses.dataclass(frozen=True)
class Service:
    """A running server: where it listens, its process, what it is sent, and how an acceptance and its row look."""

    name: str
    port: int
    pid: int
    target: str
    content_type: str
    body: bytes
    accepted: tuple[int, ...]
    database: Path
    table: str
    host: str = ""
    more_ports: tuple[int, ...] = ()  # of others that do the same

    @property
    def origin(self) -> str:
        """The name that it is asked by."""
        return self.host or f"127.0.0.1:{self.port}"

    def rows(self) -> int:
        """Return how many comments its database holds."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {self.table}").fetchone()[0])


@dataclasses.dataclass(frozen=True)
class Load:
    """What one service did for so many clients; ``client_cpu`` is 1 where the client had no time left, and measured itself.

    ``sent`` counts the warm-up too, so it is what the database has to hold.
    """

    per_second: float
    p50_seconds: float
    p99_seconds: float
    client_cpu: float
    sent: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--slow-senders", type=int, metavar="N", help="measure honest posts beside N slow senders")
    parser.add_argument("--postgresql", action="store_true", help="measure intakes that share an inbox in PostgreSQL")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    try:
        if arguments.slow_senders:
            results, table = _measure_attack(arguments.slow_senders), _attack_table
        elif arguments.postgresql:
            import shared_inbox  # which needs what the tests need

            results, table = shared_inbox.measure(), shared_inbox.table
        else:
            results, table = _measure(), _table
    except (BenchError, OSError, EOFError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
    print(json.dumps(results, indent=1) if arguments.json else table(results))


def _measure_attack(senders: int) -> dict[str, Any]:
    """Post alone, then beside slow senders; each acceptance must be a row."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))  # which servers and senders inherit
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as folder,
        ProcessPoolExecutor(max_workers=1, mp_context=spawn) as client,
        serve_ours(site := built(Path(folder)), POSTBOX_PROXY="127.0.0.1") as ours,
        behind_caddy(site, ours) as service,
    ):
        alone = loaded(client, service, HONEST, first=0, seconds=ATTACK_SECONDS)
        counts = spawn.Array("i", 2)
        attack = spawn.Process(target=_attack, args=(service, senders, counts), daemon=True)
        attack.start()
        try:
            deadline = time.monotonic() + MAX_SECONDS
            while counts[0] < senders:
                if time.monotonic() > deadline or not attack.is_alive():
                    raise BenchError(f"only {counts[0]} of {senders} slow senders could connect")
                time.sleep(0.1)
            under = loaded(client, service, HONEST, first=alone.sent, seconds=ATTACK_SECONDS)
            opened, ended = counts[:]
        finally:
            attack.kill()
            attack.join(MAX_SECONDS)
        if ours.rows() != alone.sent + under.sent:
            raise BenchError(f"{ours.name} accepted {alone.sent + under.sent} comments and holds {ours.rows()}")
    loads = {"alone": dataclasses.asdict(alone), "under": dataclasses.asdict(under)}
    return {"server": service.name, "senders": senders, "opened": opened, "ended": ended} | loads


def _attack_table(results: dict[str, Any]) -> str:
    lines = [f"{results['server']}, {HONEST} readers, each load {ATTACK_SECONDS:g} s"]
    lines += [f"{'':30}{'a second':>9}{'p50 ms':>9}{'p99 ms':>9}"]
    for words, load in (("alone", results["alone"]), (f"beside {results['senders']:,} slow senders", results["under"])):
        times = f"{load['p50_seconds'] * 1000:>9.1f}{load['p99_seconds'] * 1000:>9.1f}"
        lines += [f"{words:30}{load['per_second']:>9,.0f}{times}"]
    return "\n".join(
        [*lines, f"slow connections opened {results['opened']:,}, ended by the server {results['ended']:,}"]
    )


def _attack(service: Service, senders: int, counts: Any) -> None:
    asyncio.run(_slow_senders(service, senders, counts))


async def _slow_senders(service: Service, senders: int, counts: Any) -> None:
    async def send() -> None:
        head = _head(service)
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
                writer.write(head)
                counts[0] += 1
                while not reader.at_eof():
                    writer.write(b"a")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(65_536), 1)
                    await writer.drain()
                writer.close()
            counts[1] += 1

    await asyncio.gather(*(send() for _ in range(senders)))


@contextlib.contextmanager
def behind_caddy(site: Path, ours: Service) -> Iterator[Service]:
    """Put the web server in front as online/ has it, but for its port and its certificates."""
    caddy = shutil.which("caddy")
    if not caddy:
        yield ours
        return
    options, block = (ROOT / "online" / name for name in ("site-options.caddy", "site.caddy"))
    text = block.read_text("utf-8").replace("example.org", HOST).replace("/srv/site/var/public", str(site))
    text = f"{{\n\timport {options}\n}}\n{text.replace('/srv/site', str(site))}"
    (site / "Caddyfile").write_text(text)
    command = [caddy, "adapt", "--adapter", "caddyfile", "--config", str(site / "Caddyfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_SECONDS)
    if done.returncode:
        raise BenchError(f"Caddy refuses its configuration: {done.stderr.strip()}")
    config = json.loads(done.stdout.replace("127.0.0.1:8000", f"127.0.0.1:{ours.port}")) | {"admin": {"disabled": True}}
    [server] = config["apps"]["http"]["servers"].values()
    port = free_port()
    server |= {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable": True}}
    (site / "caddy.json").write_text(json.dumps(config))
    run, environment = [caddy, "run", "--config", str(site / "caddy.json")], environment_of(HOME=str(site))
    with running(run, site, environment, port, log="caddy.log"):
        yield dataclasses.replace(ours, name="our intake behind Caddy", port=port, host=HOST)


def _measure() -> dict[str, Any]:
    commands = install_peer()
    loads: dict[int, list[tuple[Load, Load]]] = {clients: [] for clients in CLIENTS}
    memory = []
    # Started afresh, not forked: the client shares nothing with this process but what it is told.
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(dir=FOLDER) as folder,
        ProcessPoolExecutor(max_workers=1, mp_context=spawn) as client,
    ):
        site = built(Path(folder))
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
            with serve_ours(site) as ours, serve_peer(commands, Path(folder) / f"isso-{number}") as isso:
                started = _one_comment_and_its_receipt(ours)
                _post_one(isso)
                sent = {ours: 1, isso: 1}
                for clients in CLIENTS:
                    pair = {}
                    for service in (ours, isso) if number % 2 == 0 else (isso, ours):
                        pair[service] = loaded(client, service, clients, first=sent[service])
                        sent[service] += pair[service].sent
                    loads[clients].append((pair[ours], pair[isso]))
                memory.append((started, _resident(ours.pid)))
                for service, most in sent.items():
                    if service.rows() != most:
                        raise BenchError(f"{service.name} accepted {most} comments and holds {service.rows()}")
    return {
        "loads": [_row(clients, pairs) for clients, pairs in loads.items()],
        "idle_bytes": median(before for before, _ in memory),
        "idle_bytes_after": median(after for _, after in memory),
        "rounds": ROUNDS,
        "seconds": SECONDS,
    }


def _row(clients: int, pairs: list[tuple[Load, Load]]) -> dict[str, Any]:
    """Return the medians of all rounds; the ratio is that of each round, so a slow one slows both sides of it."""
    keys = ("per_second", "p50_seconds", "p99_seconds", "client_cpu")
    ours, isso = ({key: median(getattr(pair[side], key) for pair in pairs) for key in keys} for side in (0, 1))
    ratio = median(ours.per_second / isso.per_second for ours, isso in pairs)
    return {"clients": clients, "ours": ours, "isso": isso, "ratio": ratio}


def _table(results: dict[str, Any]) -> str:
    lines = [f"{'':9}{'our intake':^36}{'Isso 0.14':^36}"]
    lines += [f"{'clients':9}" + f"{'a second':>9}{'p50 ms':>9}{'p99 ms':>9}{'client':>9}" * 2 + f"{'ratio':>9}"]
    for row in results["loads"]:
        sides = "".join(
            f"{side['per_second']:>9,.0f}{side['p50_seconds'] * 1000:>9.1f}{side['p99_seconds'] * 1000:>9.1f}"
            f"{side['client_cpu']:>9.0%}"
            for side in (row["ours"], row["isso"])
        )
        lines += [f"{row['clients']:<9}{sides}{row['ratio']:>8.1f}x"]
    megabytes = (results[key] / 1e6 for key in ("idle_bytes", "idle_bytes_after"))
    lines += [
        "",
        "our memory, resident: {:.1f} MB idle after a comment and its receipt, {:.1f} after the load".format(
            *megabytes
        ),
        f"medians of {results['rounds']} rounds of {results['seconds']:g} s; every answer was an acceptance, and every acceptance a row",
        "client: the share of a core that the client took; near 100% it would have measured itself",
    ]
    return "\n".join(lines)


def install_peer() -> Path:
    """Return the folder of Isso's commands, installed into an environment of its own where there is none yet."""
    home = FOLDER / "isso"
    if not (home / "installed").exists():
        print("installing Isso into var/bench/isso", file=sys.stderr)
        FOLDER.mkdir(parents=True, exist_ok=True)
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEER],
        ):
            done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_MADE_SECONDS)
            if done.returncode:
                fault = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
                raise BenchError(f"Isso could not be installed, so there is nothing to compare with: {fault}")
        (home / "installed").touch()
    return home / "bin"


def built(folder: Path) -> Path:
    """Return a built copy of the site."""
    site = folder / "site"
    for name in ("content", "theme", "contract", "press", "postbox"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pelicanconf.py", "publishconf.py"):
        shutil.copy(ROOT / name, site)
    command = [sys.executable, "-m", "press", "publish"]
    environment = environment_of(SITE_URL="https://feet.example")
    done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, timeout=MAX_MADE_SECONDS)
    if done.returncode:
        raise BenchError(f"the site could not be built: {done.stderr.strip()}")
    return site


@contextlib.contextmanager
def serve_ours(site: Path, *, log: str = "log", **more: str) -> Iterator[Service]:
    port = free_port()
    raised = {"POSTBOX_RATE_SENDER": str(MAX_POSTS), "POSTBOX_RATE_OVERALL": str(MAX_POSTS)}
    inbox = site / "var" / "inbox"
    shutil.rmtree(inbox, ignore_errors=True)
    command = [sys.executable, "-m", "postbox", "intake"]
    fields = {"article": ARTICLE, "name": "Tom", "comment": f"{WORDS} {SLOT}"}
    with running(command, site, environment_of(POSTBOX_PORT=str(port), **raised, **more), port, log=log) as pid:
        yield Service(
            name="our intake",
            port=port,
            pid=pid,
            target="/comments",
            content_type="application/x-www-form-urlencoded",
            body=urlencode(fields).encode(),
            accepted=(303,),
            database=inbox / "inbox.sqlite",
            table="comment",
        )


@contextlib.contextmanager
def serve_peer(commands: Path, folder: Path) -> Iterator[Service]:
    port = free_port()
    folder.mkdir()
    database = folder / "comments.db"
    settings = folder / "isso.cfg"
    settings.write_text(f"[general]\ndbpath = {database}\nhost = http://127.0.0.1:{port}\n[guard]\nenabled = false\n")
    command = [str(commands / "gunicorn"), "-w", "4", "--preload", "-b", f"127.0.0.1:{port}", "isso.run"]
    fields = {"author": "Tom", "text": f"{WORDS} {SLOT}", "title": "Big toe and glutes"}
    with running(command, folder, environment_of(ISSO_SETTINGS=str(settings)), port) as pid:
        yield Service(
            name="Isso",
            port=port,
            pid=pid,
            target=f"/new?uri=/articles/{ARTICLE}/",
            content_type="application/json",
            body=json.dumps(fields).encode(),
            accepted=(201, 202),
            database=database,
            table="comments",
        )


@contextlib.contextmanager
def running(
    command: list[str], folder: Path, environment: dict[str, str], port: int, *, log: str = "log"
) -> Iterator[int]:
    """Start a server, wait until it listens, and end it: this process and no other."""
    told = folder / log
    with told.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + MAX_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                lines = told.read_text().strip().splitlines() or ["it said nothing"]
                raise BenchError(f"{' '.join(command[-3:])} did not start: {lines[-1]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(MAX_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(MAX_SECONDS)


def environment_of(**more: str) -> dict[str, str]:
    """Return this process's environment without settings of a postbox that someone runs here."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POSTBOX_")} | more


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), MAX_SECONDS):
        return True
    return False


def _one_comment_and_its_receipt(ours: Service) -> int:
    """Return the memory of an idle intake that has done once all that it does."""
    receipt = _post_one(ours)
    connection = http.client.HTTPConnection("127.0.0.1", ours.port, timeout=MAX_SECONDS)
    connection.request("GET", receipt)
    if (status := connection.getresponse().status) != 200:
        raise BenchError(f"our intake answered {status} for the receipt of an accepted comment")
    connection.close()
    return _resident(ours.pid)


def _post_one(service: Service) -> str:
    """Post the first comment and return where its answer leads; Isso's makes the thread that all others join."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=MAX_SECONDS)
    connection.request("POST", service.target, service.body, {"Content-Type": service.content_type})
    answer = connection.getresponse()
    if answer.status not in service.accepted:
        raise BenchError(f"{service.name} answered {answer.status}: {answer.read()[:200]!r}")
    connection.close()
    return answer.headers.get("Location", "")


def _resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    asked = ["ps", "-o", "rss=", "-p", str(pid)]
    return 1024 * int(subprocess.run(asked, capture_output=True, check=True, timeout=MAX_SECONDS).stdout)


def loaded(client: Executor, service: Service, clients: int, *, first: int, seconds: float = SECONDS) -> Load:
    return client.submit(_load, service, clients, first, seconds).result(WARM_SECONDS + seconds + 2 * MAX_SECONDS)


def _load(service: Service, clients: int, first: int, seconds: float) -> Load:
    """Be so many readers at once, in the client's own process; the submissions are numbered from ``first``."""
    gc.collect()
    gc.disable()  # a pause of the client is none of the server
    try:
        readers = _readers(service, clients, first, seconds)
        return asyncio.run(asyncio.wait_for(readers, WARM_SECONDS + seconds + MAX_SECONDS))
    except TimeoutError:
        raise BenchError(f"{service.name} left a comment without an answer for {MAX_SECONDS:g} seconds") from None
    finally:
        gc.enable()


async def _readers(service: Service, clients: int, first: int, seconds: float) -> Load:
    numbers = iter(range(first, first + MAX_POSTS))
    warm = await _together(service, clients, numbers, WARM_SECONDS)
    started, busy = time.perf_counter(), time.process_time()
    times = await _together(service, clients, numbers, seconds)
    elapsed = time.perf_counter() - started
    return Load(
        per_second=len(times) / elapsed,
        p50_seconds=median(times),
        p99_seconds=quantiles(times, n=100, method="inclusive")[98],
        client_cpu=(time.process_time() - busy) / elapsed,
        sent=len(warm) + len(times),
    )


async def _together(service: Service, clients: int, numbers: Iterator[int], seconds: float) -> list[float]:
    end = time.perf_counter() + seconds
    ports = (service.port, *service.more_ports)
    readers = await asyncio.gather(*(_reader(service, ports[n % len(ports)], numbers, end) for n in range(clients)))
    return [time for times in readers for time in times]


async def _reader(service: Service, port: int, numbers: Iterator[int], end: float) -> list[float]:
    """Post one comment after the other until ``end`` and return the seconds that each took.

    The connection is kept for as long as the server keeps it; a new one is part of the time, as it is for a reader.
    """
    before, after = (_head(service) + service.body).split(SLOT.encode())
    times = []
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while (started := time.perf_counter()) < end:
        reader, writer = streams = streams or await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"%b%012d%b" % (before, next(numbers), after))
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        times.append(time.perf_counter() - started)
        if int(answer.split(maxsplit=2)[1]) not in service.accepted:
            raise BenchError(f"{service.name} answered {answer.splitlines()[0].decode()}: {body[:200]!r}")
        if b"\r\nconnection: close\r\n" in answer:
            writer.close()
            streams = None
    if streams:
        streams[1].close()
    return times


def _head(service: Service) -> bytes:
    return (
        f"POST {service.target} HTTP/1.1\r\nHost: {service.origin}\r\nUser-Agent: bench\r\nAccept: */*\r\n"
        f"Content-Type: {service.content_type}\r\nContent-Length: {len(service.body)}\r\n"
        f"Origin: http://{service.origin}\r\nSec-Fetch-Site: same-origin\r\n\r\n"
    ).encode()


if __name__ == "__main__":
    main()
