"""Benchmark of a storm on the front page, through Caddy as online/ has it: ``python bench/storm.py`` prints a table, ``--json`` the same as JSON.

wrk asks as fast as it can, over connections that stay open: for a plain file of as many bytes that a bare Caddy sends; for the
front page, in Brotli, with its headers; and for the front page while comments come in, each durable before its answer.
Every answer must be 200, and every comment accepted must be a row.

It wants Debian's Caddy and wrk (``apt-get install caddy wrk``), and a quiet machine.
"""

import argparse
import contextlib
import dataclasses
import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import brotli
from intake import (
    FOLDER,
    HOST,
    SLOT,
    BenchError,
    Service,
    behind_caddy,
    built,
    environment_of,
    free_port,
    running,
    serve_ours,
)

CONNECTIONS = 64
SECONDS = 10
COMMENTS_A_SECOND = 20
MAX_SECONDS = 60.0
RATE = re.compile(r"Requests/sec: +([\d.]+)")
TIME = re.compile(r"^ +(50|99)% +([\d.]+)(us|ms|s)$", re.MULTILINE)
WRONG = re.compile(r"Non-2xx.*|Socket errors.*")
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclasses.dataclass(frozen=True)
class Storm:
    """What was asked for, and how many answers a second came, the middle one and one in a hundred after so many milliseconds."""

    about: str
    per_second: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(description="Measure a storm on the front page, through Caddy.")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    if missing := [tool for tool in ("caddy", "wrk") if not shutil.which(tool)]:
        sys.exit(f"bench: apt-get install {' '.join(missing)}")
    try:
        results = _measure()
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
    print(json.dumps(results, indent=1) if arguments.json else _table(results))


def _measure() -> dict[str, Any]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, contextlib.ExitStack() as running:
        site = built(Path(folder))
        page = brotli.compress((site / "output/index.html").read_bytes())
        (site / "output/index.html.br").write_bytes(page)
        ours = running.enter_context(serve_ours(site, POSTBOX_PROXY="127.0.0.1"))
        front = running.enter_context(behind_caddy(site, ours))
        plain = running.enter_context(_plain(Path(folder), page))
        storms = [_storm("a plain file", plain), _storm("the front page", front.port)]
        with _comments(front) as comments:
            storms.append(_storm("the front page, with comments coming in", front.port))
        if ours.rows() != len(comments):
            raise BenchError(f"{len(comments)} comments were accepted, and {ours.rows()} are there")
    cuts = quantiles(comments, n=100)
    accepted = {"accepted": len(comments), "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}
    return {"bytes": len(page), "storms": [dataclasses.asdict(storm) for storm in storms], "comments": accepted}


def _storm(about: str, port: int) -> Storm:
    """Ask for one page as fast as wrk can."""
    print(about, file=sys.stderr)
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{SECONDS}s",
        "--latency",
        "-H",
        f"Host: {HOST}",
        "-H",
        "Accept-Encoding: br",
    ]
    address = f"http://127.0.0.1:{port}/"
    told = subprocess.run([*command, address], capture_output=True, text=True, timeout=MAX_SECONDS, check=True).stdout
    rate, times = (
        RATE.search(told),
        {share: float(time) * MILLISECONDS[unit] for share, time, unit in TIME.findall(told)},
    )
    if not rate or len(times) != 2 or (wrong := WRONG.search(told)):
        raise BenchError(f"{about}: {wrong[0] if rate and len(times) == 2 and wrong else told.strip()}")
    return Storm(about, float(rate[1]), times["50"], times["99"])


@contextlib.contextmanager
def _plain(folder: Path, data: bytes) -> Iterator[int]:
    """Send a file of these bytes by a Caddy that knows nothing else; give its port."""
    (folder / "plain").mkdir()
    (folder / "plain/index.html").write_bytes(data)
    port = free_port()
    command = ["caddy", "file-server", "--root", str(folder / "plain"), "--listen", f"127.0.0.1:{port}"]
    with running(command, folder, environment_of(HOME=str(folder)), port, log="plain.log"):
        yield port


@contextlib.contextmanager
def _comments(service: Service) -> Iterator[list[float]]:
    """Send comments at a steady pace meanwhile; the list fills with the seconds that each took until it was accepted."""
    seconds: list[float] = []
    refused: list[float] = []
    is_over = threading.Event()

    def send() -> None:
        started = time.monotonic()
        for number in range(10 * SECONDS * COMMENTS_A_SECOND):
            if is_over.wait(max(0.0, started + number / COMMENTS_A_SECOND - time.monotonic())):
                return
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=MAX_SECONDS)
            body = service.body.replace(SLOT.encode(), f"{number:012}".encode())
            with contextlib.closing(connection):
                asked = time.perf_counter()
                connection.request("POST", service.target, body, {"Content-Type": service.content_type, "Host": HOST})
                status = connection.getresponse().status
                (seconds if status in service.accepted else refused).append(time.perf_counter() - asked)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield seconds
    finally:
        is_over.set()
        sender.join(MAX_SECONDS)
    if refused:
        raise BenchError(f"{len(refused)} comments were refused")


def _table(results: dict[str, Any]) -> str:
    lines = [f"Caddy, {CONNECTIONS} connections, each storm {SECONDS} s, {results['bytes']:,} bytes an answer"]
    lines += [f"{'':42}{'a second':>9}{'p50 ms':>9}{'p99 ms':>9}"]
    for storm in results["storms"]:
        lines += [f"{storm['about']:42}{storm['per_second']:>9,.0f}{storm['p50_ms']:>9.1f}{storm['p99_ms']:>9.1f}"]
    taken = results["comments"]
    about = f"{taken['accepted']} comments, {COMMENTS_A_SECOND} a second"
    return "\n".join([*lines, f"{about:51}{taken['p50_ms']:>9.1f}{taken['p99_ms']:>9.1f}"])


if __name__ == "__main__":
    main()
