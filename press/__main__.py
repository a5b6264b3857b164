"""Command line: ``python -m press publish``, ``watch``, ``serve`` and ``article``."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from press.builder import Builder
    from press.incremental.parallel import Progress
    from press.watch import Watcher

PROGRESS_SECONDS = 0.5
PUSH_TRIES = 4  # of a command that sends once and ends: some 14 seconds of pauses
START_SECONDS, LOOK_SECONDS = 30.0, 0.05  # for a server to listen, or to end


@click.group()
def cli() -> None:
    """Build the site."""


def main() -> None:
    """Run one command; a fault is said on standard error, with status 1."""
    gc.disable()  # a run has it off until its end, and what it imports stays too
    from press.errors import BuildError, place_of

    try:
        cli(prog_name="press")
    except (BuildError, OSError) as error:
        sys.exit(f"{place_of(error)}\nNot built; the last good output stays as it was.")


@cli.command()
def publish() -> None:
    """Write the site for the address in SITE_URL into output/, and send it with the commands in SITE_PUSH."""
    from press.builder import Builder
    from press.deploy import commands_of
    from press.errors import BuildError

    started = time.perf_counter()
    with contextlib.closing(Builder(Path("publishconf.py"), {}, progress=_progress())) as builder:
        commands = commands_of(builder.push_commands)
        try:
            builder.build_all()
        except BuildError:  # what was printed all the same, like an erasure, is sent
            _send(builder, commands)
            raise
        for line in builder.held_back:
            print(line)
        seconds = time.perf_counter() - started
        print(f"output/ holds the site for {os.environ['SITE_URL']}, built in {seconds:.2f} s", flush=True)
        if not _send(builder, commands):
            sys.exit(1)
    gc.freeze()  # on its way out Python would look through all of it once more


def _send(builder: "Builder", commands: list[list[str]]) -> bool:
    """Send what was printed, in a few tries; tell whether it has arrived, and say why it has not."""
    from press.deploy import Deployment

    said: list[str] = []
    with contextlib.closing(Deployment(commands, said.append)) as deployment:
        for _ in range(PUSH_TRIES if commands and builder.state.unsent else 0):
            if said:
                print(said.pop(), file=sys.stderr, flush=True)
            while not (ended := deployment.turn(builder.state, is_quiet=True)):
                time.sleep(LOOK_SECONDS)
            builder.tell(**ended)
            if not said:
                print("sent")
                return True
    if said:
        print(f"Not sent: {builder.state.push_fault}. Correct that, then say it again.", file=sys.stderr)
    return not said


@cli.command()
def watch() -> None:
    """Write the site for the address in SITE_URL into output/, and what changes from then on."""
    with _watcher("publishconf.py", is_compressing=True) as (_, watcher):
        watcher.build_all()
        print("watching", flush=True)
        _tell_systemd()
        watcher.run()


@cli.command()
@click.option("--port", default="8000", help="8000 unless told")
def serve(port: str) -> None:
    """Serve the site on this machine, drafts included, and rebuild it on every change."""
    from press.builder import PREVIEW

    number = _free_port(port)
    site_url = f"http://localhost:{number}"
    print("Building the site …", file=sys.stderr, flush=True)
    with _watcher("pelicanconf.py", SITE_URL=site_url, **PREVIEW) as (builder, watcher):
        if not watcher.build_all() and not builder.has_output:
            sys.exit(1)
        print("Starting the site and the desk …", file=sys.stderr, flush=True)
        with _servers(number, site_url) as servers:
            watcher.run(lambda: any(server.poll() is not None for server in servers))
            sys.exit("One of the servers ended; what it said stands above.")


@cli.command()
@click.argument("title")
def article(title: str) -> None:
    """Begin an article: a draft with its header, in content/articles/."""
    from pelican.settings import DEFAULT_CONFIG
    from pelican.utils import slugify

    title = " ".join(title.split())
    slug = slugify(title, DEFAULT_CONFIG["SLUG_REGEX_SUBSTITUTIONS"])[:60].strip("-")
    if not slug:
        sys.exit('TITLE must have a letter or a digit: make article TITLE="Shoes and what they do"')
    path = Path(os.environ.get("SITE_CONTENT", "content"), "articles", f"{slug}.md")
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


def _tell_systemd() -> None:
    """Let what waits for the first build begin, where systemd has started this process (sd_notify(3))."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(b"READY=1", address.replace("@", "\0", 1))


@contextlib.contextmanager
def _servers(port: int, site_url: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run the preview and the desk, and end them."""
    desk_port = _free_port(str(port + 1))
    # Another host name than the site's, though the same machine: a cookie goes to every port of a host.
    desk_url = f"http://127.0.0.1:{desk_port}"
    postbox = [sys.executable, "-m", "postbox"]
    environment = os.environ | {
        "POSTBOX_PORT": str(port),
        "POSTBOX_DESK_PORT": str(desk_port),
        "POSTBOX_DESK_URL": desk_url,
    }
    servers = [subprocess.Popen([*postbox, command], env=environment) for command in ("preview", "desk")]
    try:
        _wait_for(servers, port, desk_port)
        sign_in = [*postbox, "sign-in"]
        link = subprocess.check_output(sign_in, env=environment, text=True, timeout=START_SECONDS)
        command = f"{os.path.relpath(sys.executable)} -m postbox"
        print(f"\nRead the site         {site_url}/\nReview and write      {link.strip()}")
        print(f"  or on this line     {command} list\n                      {command} approve ID.REVISION")
        print("Stop                  Ctrl+C\n", flush=True)
        yield servers
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            try:
                server.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(servers: list[subprocess.Popen[bytes]], *ports: int) -> None:
    """Wait until the servers listen or one has ended, so that what they say stands above the links."""
    for port in ports:
        for _ in range(int(START_SECONDS / LOOK_SECONDS)):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0 or any(server.poll() is not None for server in servers):
                    break
            time.sleep(LOOK_SECONDS)


@contextlib.contextmanager
def _watcher(config: str, *, is_compressing: bool = False, **overrides: Any) -> Iterator[tuple["Builder", "Watcher"]]:
    """Make a builder and what watches for it, until the process is told to end."""
    from press.builder import Builder
    from press.deploy import Deployment, commands_of
    from press.draft_preview import proving
    from press.watch import Watcher, watching

    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # a script that starts it in the background has had the second ignored
        signal.signal(number, signal.default_int_handler)
    options: dict[str, Any] = {"is_watching": True, "is_compressing": is_compressing, "progress": _progress()}
    with contextlib.closing(Builder(Path(config), overrides, **options)) as builder:
        content, theme = builder.folders
        with (
            contextlib.ExitStack() as proofs,
            watching(content, theme, Path.cwd(), builder.image_cache) as changes,
            contextlib.suppress(KeyboardInterrupt),
        ):
            proofs.enter_context(proving(Path(config), overrides, builder.proofs))
            say = partial(print, file=sys.stderr, flush=True)
            deployment = Deployment(commands, say) if (commands := commands_of(builder.push_commands)) else None
            with contextlib.closing(deployment) if deployment else contextlib.nullcontext():
                yield builder, Watcher(builder, changes, content / "comments", say, deployment)


def _progress() -> "Progress":
    """Return what says on a terminal what a long build is doing, for whoever waits."""
    doing, done, shown = "", 0, time.monotonic()

    def tell(what: str, number: int, of: int) -> None:
        nonlocal doing, done, shown
        doing, done = what, number + (done if what == doing else 0)
        if time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            print(f"\033[K{what}: {done:,}{f' of {of:,}' if of else ''}", end="\r", file=sys.stderr, flush=True)

    return tell if sys.stderr.isatty() else lambda *_: None


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
