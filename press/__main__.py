"""The command line: ``python -m press publish`` and ``python -m press serve``."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import watchfiles
from pelican.settings import DEFAULT_CONFIG
from pelican.utils import slugify

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
    summary = "begin an article: a draft with its header, in content/articles/"
    article = commands.add_parser("article", help=summary, description=summary)
    article.add_argument("title")
    article.set_defaults(run=_article)
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
    desk_port = _free_port(str(port + 1))
    site_url = f"http://localhost:{port}"
    # Another host name than the site's, though the same machine: a cookie goes to every port of a host.
    desk_url = f"http://127.0.0.1:{desk_port}"
    _preview(site_url)
    postbox = [sys.executable, "-m", "postbox"]
    environment = os.environ | {
        "POSTBOX_PORT": str(port),
        "POSTBOX_DESK_PORT": str(desk_port),
        "POSTBOX_DESK_URL": desk_url,
    }
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    servers = [subprocess.Popen([*postbox, command], env=environment) for command in ("preview", "desk")]
    try:
        link = subprocess.run([*postbox, "sign-in"], env=environment, check=True, capture_output=True, text=True).stdout
        command = f"{os.path.relpath(sys.executable)} -m postbox"
        print(f"\nThe site              {site_url}/\nThe desk, to judge    {link.strip()}", flush=True)
        print(
            f"  or on this line     {command} list\n                      {command} approve ID.REVISION\n", flush=True
        )
        while _watch(site_url, servers):
            pass
        sys.exit("One of the servers ended; what it said stands above.")
    except KeyboardInterrupt:
        pass
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def _preview(site_url: str) -> None:
    started = time.perf_counter()
    build(Path("pelicanconf.py"), SITE_URL=site_url, **PREVIEW)
    print(f"built in {time.perf_counter() - started:.2f} s", flush=True)


def _watch(site_url: str, servers: list[subprocess.Popen[bytes]]) -> bool:
    """Rebuild on every change; return False once a server has ended, True when the configuration must be watched anew."""
    for changes in watchfiles.watch(*WATCHED, step=WATCH_STEP_MS, rust_timeout=WATCH_ROUND_MS, yield_on_timeout=True):
        if changes:
            try:
                _preview(site_url)
            except BuildError as error:
                print(f"{error}\nNot built; the last good output stays as it was.", file=sys.stderr, flush=True)
        if any(server.poll() is not None for server in servers):
            return False
        if any(Path(path).name == "pelicanconf.py" for _, path in changes):
            return True
    return False


def _article(arguments: argparse.Namespace) -> None:
    title = " ".join(arguments.title.split())
    slug = slugify(title, DEFAULT_CONFIG["SLUG_REGEX_SUBSTITUTIONS"])[:60].strip("-")
    if not slug:
        sys.exit('TITLE must have a letter or a digit: make article TITLE="Shoes and what they do"')
    path = Path("content", "articles", f"{slug}.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "Title": title,
        "Id": slug,
        "Slug": slug,
        "Date": f"{datetime.now().astimezone():%Y-%m-%d}",
        "Status": "draft",
        "Summary": f"{title}.",
    }
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("".join(f"{key}: {value}\n" for key, value in header.items()) + "\nWrite here.\n")
    except FileExistsError:
        sys.exit(f"{path} is there already; choose another title, or change that one")
    print(f"{path}: write it, then delete the line “Status: draft” to publish it")


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
