"""The command line: ``python -m press publish`` and ``python -m press serve``."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import watchfiles

from press.build import PREVIEW, BuildError, build

WATCHED = ("content", "theme", "pelicanconf.py")
# The default waits 50 ms for more changes; an approved comment can be on its page by then.
WATCH_STEP_MS = 3
WATCH_ROUND_MS = 500


def main() -> None:
    """Run one command; a fault is said on standard error, with status 1."""
    parser = argparse.ArgumentParser(prog="python -m press", description="Build the site.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    summary = "write the site for the address in SITE_URL into output/"
    commands.add_parser("publish", help=summary, description=summary).set_defaults(run=_publish)
    summary = "serve the site on this machine, drafts included, and rebuild it on every change"
    serve = commands.add_parser("serve", help=summary, description=summary)
    serve.add_argument("--port", default="8000", help="8000 unless told")
    serve.set_defaults(run=_serve)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (BuildError, OSError) as error:
        sys.exit(f"{error}\nNot built; the last good output stays as it was.")


def _publish(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    build(Path("publishconf.py"))
    print(f"output/ holds the site for {os.environ['SITE_URL']}, built in {time.perf_counter() - started:.2f} s")


def _serve(arguments: argparse.Namespace) -> None:
    port = _free_port(arguments.port)
    site_url = f"http://localhost:{port}"
    _preview(site_url)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = subprocess.Popen(
        [sys.executable, "-m", "postbox", "preview"], env=os.environ | {"POSTBOX_PORT": str(port)}
    )
    try:
        postbox = f"{os.path.relpath(sys.executable)} -m postbox"
        print(f"\nThe site              {site_url}/", f"What waits            {postbox} list", sep="\n")
        print(f"To publish a comment  {postbox} approve ID.REVISION\n", flush=True)
        while server.poll() is None:
            _watch(site_url, server)
        sys.exit(f"The server ended with status {server.returncode}.")
    except KeyboardInterrupt:
        pass
    finally:
        server.terminate()
        server.wait()


def _preview(site_url: str) -> None:
    started = time.perf_counter()
    build(Path("pelicanconf.py"), SITE_URL=site_url, **PREVIEW)
    print(f"built in {time.perf_counter() - started:.2f} s", flush=True)


def _watch(site_url: str, server: subprocess.Popen[bytes]) -> None:
    """Rebuild on every change until the server ends, or the configuration is replaced and must be watched anew."""
    for changes in watchfiles.watch(*WATCHED, step=WATCH_STEP_MS, rust_timeout=WATCH_ROUND_MS, yield_on_timeout=True):
        if changes:
            try:
                _preview(site_url)
            except BuildError as error:
                print(f"{error}\nNot built; the last good output stays as it was.", file=sys.stderr, flush=True)
        if server.poll() is not None or any(Path(path).name == "pelicanconf.py" for _, path in changes):
            return


def _free_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        sys.exit(f"PORT must be a number from 1 to 65535, not “{text}”: make serve PORT=8080")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except PermissionError:
            sys.exit(f"Port {text} needs more rights than you have; take one above 1023: make serve PORT=8080")
        except OSError:
            sys.exit(
                f"Port {text} is in use; end what uses it, or take another: make serve PORT={int(text) % 65535 + 1}"
            )
    return int(text)


if __name__ == "__main__":
    main()
