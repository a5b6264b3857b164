"""Command line: ``postbox COMMAND``. Each command loads what it needs itself, so that the intake cannot publish."""

import asyncio
import contextlib
import functools
import getpass
import json
import os
import socket
import sqlite3
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from contract.comment import CONTROL, DETAILS
from postbox.settings import Settings, read

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from postbox.moderation.service import Moderation
    from postbox.privacy.subject_access import DataSubject


LAST_SECONDS = 0.3  # for whoever has been let in, and has not asked yet


def main() -> None:
    """Run one command; a fault is one line on standard error and status 1."""
    try:
        cli()
    except (ValueError, OSError, OverflowError, sqlite3.Error) as error:
        sys.exit(f"postbox: {_plain_text(error)}")


@click.group(epilog="Exit status: 0 done, 1 could not be done and why, 2 no such command.")
def cli() -> None:
    """Comments from a reader's form to a Markdown file."""


def _command(function: Callable[..., None]) -> click.Command:
    """Register a command, which is given the settings and whose answer can be had as JSON."""

    @functools.wraps(function)
    def run(*, as_json: bool, **given: Any) -> None:  # as_json is for _answer
        function(read(os.environ), **given)

    name = function.__name__.strip("_").replace("_", "-")
    return cli.command(name)(click.option("--json", "as_json", is_flag=True, help="Print JSON.")(run))


_REVISION = click.argument("revision", metavar="ID.REVISION", help="The first word of its line in `list`.")
_ID = click.argument("id", metavar="ID", help="The id of a comment.")
END_SECONDS = 20  # for what is being answered, before a process ends without
_WHOSE = "The id of a comment or a message, an email address or a telephone number."


@_command
def _list(settings: Settings) -> None:
    """Show what waits, one comment a line, first what is not held."""
    from postbox.privacy.subject_access import item_plainly

    queue, lines = _moderation(settings).review.queue(), []
    for item in queue:
        waiting = item.revision
        answers = f" (answers {waiting.reply_to})" if waiting.reply_to else ""
        held = f"[held: {'; '.join(waiting.held)}]" if waiting.held else ""
        words = f"{waiting.author}: {waiting.body}"
        columns = (item.name, f"{waiting.received:%Y-%m-%d %H:%M}", f"{waiting.article}{answers}", words, held)
        lines.append("  ".join(_one_line(column) for column in columns if column))
    _answer([item_plainly(item) for item in queue], lines)


@_command
@_ID
def _show(settings: Settings, id: str) -> None:
    """Show a comment whole: its words, what it answers, why it is held, what became of it."""
    from postbox.privacy.subject_access import about_comment

    about, lines = about_comment(_moderation(settings), id), []
    words = ("state", "received", "article", "reply_to", "author", *DETAILS, "held", "reason")
    for revision in about["revisions"]:
        lines += [revision["name"], *(_one_line(f"{word}: {revision[word]}") for word in words if revision[word])]
        lines += [f"\n{revision['body']}\n"]
    if about["published"]:
        lines += ["published:", *(f"{key}: {value}" for key, value in about["published"].items() if value)]
    _answer(about, lines)


@_command
@_REVISION
def _approve(settings: Settings, revision: str) -> None:
    """Publish a comment."""
    _moderation(settings).approve(revision, **_by())
    _answer({"published": revision})


@_command
@_REVISION
@click.option("--reason", default="", help="A note to the writer, who can then change the comment and send it again.")
@click.option("--spam", is_flag=True, help="As spam.")
def _reject(settings: Settings, revision: str, reason: str, *, spam: bool) -> None:
    """Keep a comment out."""
    moderation = _moderation(settings)
    decide = moderation.spam if spam else functools.partial(moderation.reject, reason=reason)
    decide(revision, **_by())
    _answer({"spam" if spam else "rejected": revision})


@_command
@_ID
@click.option("--text", help="The words, instead of standard input.")
def _reply(settings: Settings, id: str, text: str | None) -> None:
    """Reply as the author, in the words of --text or standard input."""
    moderation = _moderation(settings)
    answered = moderation.review.find(id)
    if not answered:
        raise ValueError(f"{id} is not published, so it cannot be answered")
    words = (sys.stdin.read() if text is None else text).strip()
    moderation.answer(answered.article, answered.id, words, **_by())
    _answer({"answered": id})


@_command
@click.argument("who", metavar="WHO", help=_WHOSE)
@click.option("--yes", is_flag=True, help="Do it; without, what a person has is only shown.")
def _forget(settings: Settings, who: str, *, yes: bool) -> None:
    """Erase a comment, a message, or all that is a person's."""
    from postbox.privacy import subject_access

    moderation = _moderation(settings)
    theirs = subject_access.find(moderation, who)
    if not yes and who not in theirs.ids:
        _answer(subject_access.about(moderation, theirs), _what_goes(moderation, theirs))
        raise ValueError("nothing is erased yet; say it again with --yes")
    subject_access.forget(moderation, theirs, **_by())
    _answer({"forgotten": who})


@_command
@click.argument("who", metavar="WHO", required=False, help=f"{_WHOSE} Without it, every comment.")
@click.option("--messages", is_flag=True, help="Every message from the contact form instead, with how to answer it.")
def _export(settings: Settings, who: str | None, *, messages: bool) -> None:
    """Print as JSON all that is kept about a person, or every comment in the exchange format, one a line."""
    from postbox.privacy import export, subject_access

    moderation = _moderation(settings)
    if who and messages:
        raise ValueError("--messages prints everybody's; leave out WHO, or --messages")
    if not who:
        for line in export.messages(moderation) if messages else export.lines(moderation):
            print(_plain_json(line))
    elif who in (theirs := subject_access.find(moderation, who)).comments:
        _answer(subject_access.about_comment(moderation, who), is_json=True)
    else:
        _answer(subject_access.about(moderation, theirs), is_json=True)


@_command
def _tidy(settings: Settings) -> None:
    """Erase what has been kept long enough, as the desk does every hour."""
    from postbox.privacy.retention import tidy

    tidied = asdict(tidy(_moderation(settings), now=datetime.now(UTC)))
    _answer(tidied, [f"erased: {', '.join(f'{key} {count}' for key, count in tidied.items())}"])


@_command
def _sign_in(settings: Settings) -> None:
    """Print a link that signs in to the desk once, within 15 minutes."""
    from postbox.desk.sessions import SignIn

    link = f"{settings.desk_url}/sign-in/{SignIn(settings.desk).issue(datetime.now(UTC))}"
    _answer({"link": link}, [link])


@_command
def _backup(settings: Settings) -> None:
    """Write all that a restored site needs to standard output, as tar.gz."""
    from postbox.privacy import backup

    if sys.stdout.isatty():
        raise ValueError("a backup is no text for a terminal; send it to a file: backup >FILE.tar.gz")
    backup.write(settings, sys.stdout.buffer)


@_command
@click.argument("file", metavar="FILE", help="A database, like var/inbox/inbox.sqlite of a backup.")
@click.option("--replace", is_flag=True, help="Also where there are comments or messages, which are then gone.")
def _load_inbox(settings: Settings, file: str, *, replace: bool) -> None:
    """Put an inbox that was a file into PostgreSQL."""
    if not settings.postgresql:
        raise ValueError("POSTBOX_INBOX is not set; without PostgreSQL the file itself is the inbox, in var/inbox/")
    from postbox.store.shared_inbox import SharedInbox

    if not Path(file).is_file():
        raise ValueError(f"{file} is not there")
    comments = SharedInbox(settings, role="desk").load(Path(file), may_replace=replace)
    _moderation(settings)  # which erases again
    _answer({"comments": comments})


@_command
@click.option("--started", is_flag=True, help="Only whether all has started, waiting a minute for that.")
@click.option("--mail", is_flag=True, help="Send its owner an email.")
def _doctor(settings: Settings, *, started: bool, mail: bool) -> None:
    """Say what is wrong with the machine and its site, one line each with the cure."""
    from postbox import doctor

    checks = doctor.started(settings) if started else doctor.checks(settings, mail=mail)
    findings = list(checks)
    _answer([asdict(finding) for finding in findings], [finding.line for finding in findings])
    if any(finding.cure for finding in findings):
        sys.exit(1)


def _moderation(settings: Settings) -> "Moderation":
    from postbox.moderation.service import Moderation

    moderation, now = Moderation.open(settings), datetime.now(UTC)
    moderation.erase_again(now=now)
    moderation.carry_out_deletions(now=now)
    return moderation


def _by() -> dict[str, Any]:
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user can be a mere number
        who = f"user {os.getuid()}"
    return {"who": f"{who} at the command line", "now": datetime.now(UTC)}


def _what_goes(moderation: "Moderation", theirs: "DataSubject") -> Iterator[str]:
    for id in theirs.comments:
        words = moderation.review.find(id) or moderation.review.history(id)[-1].revision
        yield _one_line(f"comment {id}: {words.author}: {words.body}")
    for address in theirs.addresses:
        yield f"address of {address.comment}" + ("" if address.is_confirmed else ", never confirmed: the comment stays")
    for message in theirs.messages:
        yield _one_line(f"message {message.id}: {message.name}: {message.body}")
    for id in theirs.mentions:
        yield f"stays: the words of {id} mention it; `forget {id}` erases them"


def _answer(value: Any, lines: Iterable[str] | None = None, *, is_json: bool = False) -> None:
    """Print lines, by default one for each item of a dict; or all of it as JSON, what a terminal must not have escaped."""
    if not is_json and not click.get_current_context().params["as_json"]:
        for line in (f"{key}: {item}" for key, item in value.items()) if lines is None else lines:
            print(_plain_text(line))
        return
    print(_plain_json(json.dumps(value, ensure_ascii=False, indent=1)))


def _plain_json(text: str) -> str:
    for character in set(text) - set(_plain_text(text)):
        text = text.replace(character, json.dumps(character)[1:-1])
    return text


def _plain_text(text: object) -> str:
    """Return words as a terminal may have them: none of them drives it or turns the direction of others."""
    return "".join(c for c in CONTROL.sub("\ufffd", str(text)) if unicodedata.category(c) != "Cf")


def _one_line(text: str) -> str:
    return " ".join(_plain_text(text).split())


@_command
def _intake(settings: Settings) -> None:
    """Answer the forms of the site."""
    from postbox.public import app as intake

    _run("intake", intake.application(settings), settings, settings.host, settings.port)


@_command
def _desk(settings: Settings) -> None:
    """Serve the desk, where comments are judged."""
    from postbox.desk import app as desk

    if not settings.smtp:
        print(f"Mails are kept as files in {settings.mail}/ until POSTBOX_SMTP names a server.", flush=True)
    _run("desk", desk.application(settings), settings, settings.desk_host, settings.desk_port)


@_command
def _preview(settings: Settings) -> None:
    """Serve the built site and answer its forms, on this machine."""
    from postbox.public import preview

    _run("preview", preview.application(settings), settings, settings.host, settings.port)


def _run(process: str, application: "Starlette", settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop; a proxy's word is taken only where one is configured."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Answer those who came in the last moment, and end."""
            for server in self.servers:
                server.close()
            await asyncio.sleep(LAST_SECONDS)
            await super().shutdown(sockets)

    from postbox import log
    from postbox.web import access_log

    log.start()
    # What is told of the settings is named here, each by itself, so that no secret ever is.
    names = (
        "content",
        "theme",
        "var",
        "desk_url",
        "proxy",
        "rate_sender",
        "rate_overall",
        "rate_reads",
        "rate_seconds",
    )
    told = {name: getattr(settings, name) for name in names}
    facts = {name: value if isinstance(value, int) else str(value) for name, value in told.items()}
    watched = access_log.AccessLog(application, process=process, host=host, port=port, **facts)
    quiet: dict[str, Any] = {"log_config": None, "log_level": "warning", "access_log": False}
    unnamed: dict[str, Any] = {"server_header": False, "date_header": False}
    ending: dict[str, Any] = {"timeout_graceful_shutdown": END_SECONDS}
    proxy: dict[str, Any] = {"proxy_headers": bool(settings.proxy), "forwarded_allow_ips": settings.proxy or None}
    server = Server(uvicorn.Config(watched, host=host, port=port, **quiet, **unnamed, **ending, **proxy))
    with contextlib.suppress(KeyboardInterrupt, SystemExit):  # it has statuses of its own, and has said why
        server.run(_held_open())
    sys.exit(not server.started)


def _held_open() -> list[socket.socket] | None:
    """Return the socket that systemd keeps open while this process starts again, if it does (sd_listen_fds(3))."""
    is_ours = os.environ.get("LISTEN_PID") == str(os.getpid())
    return [socket.socket(fileno=3)] if is_ours else None


if __name__ == "__main__":
    main()
