"""The command line: ``python -m postbox COMMAND``."""

import argparse
import getpass
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from postbox.comment import CONTROL
from postbox.settings import Settings, read

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from postbox.moderation import Judged, Moderation

Command = Callable[[Settings, argparse.Namespace], None]


def main() -> None:
    """Run one command; a fault is one line on standard error and status 1."""
    arguments = _parser().parse_args()
    try:
        arguments.run(read(os.environ), arguments)
    except (ValueError, OSError, OverflowError, sqlite3.Error) as error:
        sys.exit(f"postbox: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m postbox",
        description="Comments from a reader's form to a Markdown file.",
        epilog="Exit status: 0 done, 1 could not be done and why, 2 no such command.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, summary: str, *positional: tuple[str, str]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        for argument, help in positional:
            added.add_argument(argument.lower().replace(".", "_"), metavar=argument, help=help)
        added.add_argument("--json", action="store_true", help="print JSON")
        added.set_defaults(run=run)
        return added

    revision = ("ID.REVISION", "the first word of its line in `list`")
    id = ("ID", "the id of a comment")
    command("list", _list, "show what waits, one comment a line, first what is not held")
    command("show", _show, "show a comment whole: its words, what it answers, why it is held, what became of it", id)
    command("approve", _approve, "publish a comment", revision)
    rejecting = command("reject", _reject, "keep a comment out", revision)
    rejecting.add_argument("--reason", default="", help="a word to its writer, shown on the receipt")
    rejecting.add_argument("--spam", action="store_true", help="as spam")
    replying = command(
        "reply", _reply, "answer a published comment as the author; the words come from standard input", id
    )
    replying.add_argument("--text", help="the words, instead of standard input")
    command("forget", _forget, "erase every word of a comment, on its page and here", id)
    exporting = command("export", _export, "print all that is kept about a comment, or about every comment, as JSON")
    exporting.add_argument("id", metavar="ID", nargs="?", help="the id of a comment")
    command("sign-in", _sign_in, "print a link that signs in to the desk, once, within 15 minutes")
    command("backup", _backup, "write all that a restored site needs to standard output, as tar.gz")
    command("intake", _intake, "answer the forms of the site")
    command("desk", _desk, "serve the desk, where comments are judged")
    command("preview", _preview, "serve the built site and answer its forms, on this machine")
    return parser


# Judging; none of it is loaded into the process that faces the internet


def _moderation(settings: Settings) -> "Moderation":
    from postbox.moderation import Moderation

    moderation = Moderation(settings)
    moderation.grant_wishes(now=datetime.now(UTC))
    return moderation


def _by() -> dict[str, Any]:
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user can be a mere number
        who = f"user {os.getuid()}"
    return {"who": f"{who} at the command line", "now": datetime.now(UTC)}


def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    queue = _moderation(settings).queue()
    if arguments.json:
        _print([_judged(judged) for judged in queue])
        return
    for judged in queue:
        waiting = judged.waiting
        answers = f" (answers {waiting.reply_to})" if waiting.reply_to else ""
        held = f"[held: {'; '.join(waiting.held)}]" if waiting.held else ""
        words = f"{waiting.author}: {waiting.body}"
        columns = (judged.name, f"{waiting.received:%Y-%m-%d %H:%M}", f"{waiting.article}{answers}", words, held)
        print("  ".join(_plain_text(" ".join(column.split())) for column in columns if column))


def _show(settings: Settings, arguments: argparse.Namespace) -> None:
    _print_all_about(_moderation(settings), arguments.id, as_json=arguments.json)


def _approve(settings: Settings, arguments: argparse.Namespace) -> None:
    _moderation(settings).approve(arguments.id_revision, **_by())
    _done(arguments, "published", arguments.id_revision)


def _reject(settings: Settings, arguments: argparse.Namespace) -> None:
    moderation = _moderation(settings)
    if arguments.spam:
        moderation.spam(arguments.id_revision, **_by())
    else:
        moderation.reject(arguments.id_revision, reason=arguments.reason, **_by())
    _done(arguments, "spam" if arguments.spam else "rejected", arguments.id_revision)


def _reply(settings: Settings, arguments: argparse.Namespace) -> None:
    moderation = _moderation(settings)
    answered = moderation.find(arguments.id)
    if not answered:
        raise ValueError(f"{arguments.id} is not published, so it cannot be answered")
    text = arguments.text if arguments.text is not None else sys.stdin.read()
    moderation.answer(answered.article, answered.id, text.strip(), **_by())
    _done(arguments, "answered", arguments.id)


def _forget(settings: Settings, arguments: argparse.Namespace) -> None:
    _moderation(settings).forget(arguments.id, **_by())
    _done(arguments, "forgotten", arguments.id)


def _export(settings: Settings, arguments: argparse.Namespace) -> None:
    moderation = _moderation(settings)
    if arguments.id:
        _print_all_about(moderation, arguments.id, as_json=True)
        return
    ids = {comment.id for comment in moderation.all_published()} | {r.id for r in moderation.inbox.everything()}
    _print([_all_about(moderation, id) for id in sorted(ids)])


def _sign_in(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.sign_in import SignIn

    link = f"{settings.desk_url}/sign-in/{SignIn(settings.desk).issue(datetime.now(UTC))}"
    _print({"link": link}) if arguments.json else print(link)


def _backup(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox import backup

    if sys.stdout.isatty():
        raise ValueError("a backup is no text for a terminal; send it to a file: backup >FILE.tar.gz")
    backup.write(settings, sys.stdout.buffer)


def _print_all_about(moderation: "Moderation", id: str, *, as_json: bool) -> None:
    about = _all_about(moderation, id)
    if not about["published"] and not about["revisions"]:
        raise ValueError(f"{id} is no comment here")
    if as_json:
        _print(about)
        return
    for revision in about["revisions"]:
        words = ("state", "received", "article", "reply_to", "author", "held", "reason")
        print(
            revision["name"], *(f"{word}: {_plain_text(revision[word])}" for word in words if revision[word]), sep="\n"
        )
        print(f"\n{_plain_text(revision['body'])}\n")
    if about["published"]:
        print("published:", *(f"{key}: {value}" for key, value in about["published"].items() if value), sep="\n")


def _all_about(moderation: "Moderation", id: str) -> dict[str, Any]:
    published = moderation.find(id)
    return {
        "id": id,
        "published": _plain(published) if published else None,
        "revisions": [_judged(judged) for judged in moderation.history(id)],
        "decisions": [_plain(decision) for decision in moderation.log() if decision.comment == id],
    }


def _judged(judged: "Judged") -> dict[str, Any]:
    return {"name": judged.name} | _plain(judged.waiting)


def _plain(record: Any) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(record).items()}


def _plain_text(text: object) -> str:
    """Return words as a terminal may have them: none of them drives it."""
    return CONTROL.sub("\ufffd", str(text))


def _done(arguments: argparse.Namespace, what: str, which: str) -> None:
    _print({what: which}) if arguments.json else print(f"{what}: {which}")


def _print(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


# Running


def _intake(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox import intake

    _run("intake", intake.application(settings), settings, settings.host, settings.port)


def _desk(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox import desk

    if not settings.smtp:
        print(f"Mails are kept as files in {settings.mail}/ until POSTBOX_SMTP names a server.", flush=True)
    _run("desk", desk.application(settings), settings, settings.desk_host, settings.desk_port)


def _preview(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox import preview

    _run("preview", preview.application(settings), settings, settings.host, settings.port)


def _run(process: str, application: "Starlette", settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop; a proxy's word is taken only where one is configured."""
    import uvicorn

    from postbox import log, watched

    log.start()
    try:
        uvicorn.run(
            watched.Watched(application, process=process, host=host, port=port, **_that_matter(settings)),
            host=host,
            port=port,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=bool(settings.proxy),
            forwarded_allow_ips=settings.proxy or None,
        )
    except SystemExit as ended:  # it has statuses of its own, and has said why
        sys.exit(bool(ended.code))


def _that_matter(settings: Settings) -> dict[str, str | int]:
    """Return what is told of the settings as a process starts, each named here, so that no secret ever is."""
    names = ("content", "theme", "var", "desk_url", "proxy", "rate_sender", "rate_overall", "rate_seconds")
    told = {name: getattr(settings, name) for name in names}
    return {name: value if isinstance(value, int) else str(value) for name, value in told.items()}


if __name__ == "__main__":
    main()
