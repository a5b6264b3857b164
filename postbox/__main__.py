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

from contract.comment import CONTROL
from postbox.reader_text import TURNING
from postbox.settings import Settings, read

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from postbox.moderation.service import Moderation
    from postbox.privacy.subject_access import DataSubject

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
    whose = "the id of a comment or a message, an email address or a telephone number"
    forgetting = command("forget", _forget, "erase a comment, a message, or all that is a person's", ("WHO", whose))
    forgetting.add_argument("--yes", action="store_true", help="do it; without, what a person has is only shown")
    exporting = command("export", _export, "print all that is kept about a comment, a person or everyone, as JSON")
    exporting.add_argument("who", metavar="WHO", nargs="?", help=whose)
    command("tidy", _tidy, "erase what has been kept long enough, as the desk does every hour")
    command("sign-in", _sign_in, "print a link that signs in to the desk, once, within 15 minutes")
    command("backup", _backup, "write all that a restored site needs to standard output, as tar.gz")
    command("intake", _intake, "answer the forms of the site")
    command("desk", _desk, "serve the desk, where comments are item")
    command("preview", _preview, "serve the built site and answer its forms, on this machine")
    return parser


# Judging; none of it is loaded into the process that faces the internet


def _moderation(settings: Settings) -> "Moderation":
    from postbox.moderation.service import Moderation

    moderation, now = Moderation(settings), datetime.now(UTC)
    moderation.erase_again(now=now)
    moderation.carry_out_deletions(now=now)
    return moderation


def _by() -> dict[str, Any]:
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user can be a mere number
        who = f"user {os.getuid()}"
    return {"who": f"{who} at the command line", "now": datetime.now(UTC)}


def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.privacy.subject_access import item_plainly

    queue = _moderation(settings).queue()
    if arguments.json:
        _print([item_plainly(item) for item in queue])
        return
    for item in queue:
        waiting = item.revision
        answers = f" (answers {waiting.reply_to})" if waiting.reply_to else ""
        held = f"[held: {'; '.join(waiting.held)}]" if waiting.held else ""
        words = f"{waiting.author}: {waiting.body}"
        columns = (item.name, f"{waiting.received:%Y-%m-%d %H:%M}", f"{waiting.article}{answers}", words, held)
        print("  ".join(_plain_text(" ".join(column.split())) for column in columns if column))


def _show(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.privacy.subject_access import about_comment

    about = about_comment(_moderation(settings), arguments.id)
    if arguments.json:
        _print(about)
        return
    for revision in about["revisions"]:
        words = ("state", "received", "article", "reply_to", "author", "held", "reason")
        print(
            revision["name"], *(f"{word}: {_plain_text(revision[word])}" for word in words if revision[word]), sep="\n"
        )
        print(f"\n{_plain_text(revision['body'])}\n")
    if about["published"]:
        print(
            "published:",
            *(f"{key}: {_plain_text(value)}" for key, value in about["published"].items() if value),
            sep="\n",
        )


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
    from postbox.privacy import subject_access

    moderation, who = _moderation(settings), arguments.who
    theirs = subject_access.find(moderation, who)
    if not arguments.yes and who not in theirs.ids:
        _print(subject_access.about(moderation, theirs)) if arguments.json else _print_what_goes(moderation, theirs)
        raise ValueError("nothing is erased yet; say it again with --yes")
    subject_access.forget(moderation, theirs, **_by())
    _done(arguments, "forgotten", who)


def _export(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.privacy import subject_access

    moderation, who = _moderation(settings), arguments.who
    if not who:
        _print(subject_access.everyone(moderation))
        return
    theirs = subject_access.find(moderation, who)
    _print(
        subject_access.about_comment(moderation, who)
        if who in theirs.comments
        else subject_access.about(moderation, theirs)
    )


def _tidy(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.privacy.retention import tidy

    tidied = asdict(tidy(settings, _moderation(settings), now=datetime.now(UTC)))
    _print(tidied) if arguments.json else print("erased:", ", ".join(f"{key} {n}" for key, n in tidied.items()))


def _sign_in(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.desk.sessions import SignIn

    link = f"{settings.desk_url}/sign-in/{SignIn(settings.desk).issue(datetime.now(UTC))}"
    _print({"link": link}) if arguments.json else print(link)


def _backup(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.privacy import backup

    if sys.stdout.isatty():
        raise ValueError("a backup is no text for a terminal; send it to a file: backup >FILE.tar.gz")
    backup.write(settings, sys.stdout.buffer)


def _print_what_goes(moderation: "Moderation", theirs: "DataSubject") -> None:
    for id in theirs.comments:
        words = moderation.find(id) or moderation.history(id)[-1].revision
        print(f"comment {id}: {_line(words.author, words.body)}")
    for it in theirs.addresses:
        print(f"address of {it.comment}" + ("" if it.is_confirmed else ", never confirmed: the comment stays"))
    for message in theirs.messages:
        print(f"message {message.id}: {_line(message.name, message.body)}")
    for id in theirs.mentions:
        print(f"stays: the words of {id} mention it; `forget {id}` erases them")


def _line(author: str, body: str) -> str:
    return " ".join(_plain_text(f"{author}: {body}").split())


def _plain_text(text: object) -> str:
    """Return words as a terminal may have them: none of them drives it or turns the others round."""
    return TURNING.sub("\ufffd", CONTROL.sub("\ufffd", str(text)))


def _done(arguments: argparse.Namespace, what: str, which: str) -> None:
    _print({what: which}) if arguments.json else print(f"{what}: {which}")


def _print(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


# Running


def _intake(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.public import app as intake

    _run("intake", intake.application(settings), settings, settings.host, settings.port)


def _desk(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.desk import app as desk

    if not settings.smtp:
        print(f"Mails are kept as files in {settings.mail}/ until POSTBOX_SMTP names a server.", flush=True)
    _run("desk", desk.application(settings), settings, settings.desk_host, settings.desk_port)


def _preview(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.public import preview

    _run("preview", preview.application(settings), settings, settings.host, settings.port)


def _run(process: str, application: "Starlette", settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop; a proxy's word is taken only where one is configured."""
    import uvicorn

    from postbox import log
    from postbox.web import access_log

    log.start()
    try:
        uvicorn.run(
            access_log.AccessLog(application, process=process, host=host, port=port, **_that_matter(settings)),
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
