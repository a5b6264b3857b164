"""The command line: ``python -m postbox COMMAND``."""

import argparse
import os
import sqlite3
import sys
from datetime import UTC, datetime

import uvicorn
from starlette.applications import Starlette

from postbox.settings import Settings, read


def main() -> None:
    """Run one command; a fault is one line on standard error and status 1."""
    arguments = _parser().parse_args()
    try:
        arguments.run(read(os.environ), arguments)
    except (ValueError, OSError, OverflowError, sqlite3.Error) as error:
        sys.exit(f"postbox: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m postbox", description="Comments from a reader's form to a Markdown file."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run)
        return added

    command("list", _list, "show what waits, one comment a line, oldest first")
    for name, run, summary in (("approve", _approve, "publish a comment"), ("reject", _reject, "keep a comment out")):
        command(name, run, summary).add_argument(
            "revision", metavar="ID.REVISION", help="the first word of its line in `list`"
        )
    command("intake", _intake, "answer the forms of the site")
    command("preview", _preview, "serve the built site and answer its forms, on this machine")
    return parser


def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.moderation import Moderation  # not at the top: the process that faces the internet never loads it

    for judged in Moderation(settings).queue():
        waiting = judged.waiting
        answers = f" (answers {waiting.reply_to})" if waiting.reply_to else ""
        print(
            f"{judged.name}  {waiting.received:%Y-%m-%d %H:%M}  {waiting.article}{answers}  {waiting.author}: {' '.join(waiting.body.split())}"
        )


def _approve(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.moderation import Moderation

    path = Moderation(settings).approve(arguments.revision, now=datetime.now(UTC))
    print(f"published: {path}")


def _reject(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox.moderation import Moderation

    Moderation(settings).reject(arguments.revision, now=datetime.now(UTC))
    print(f"rejected: {arguments.revision}")


def _intake(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox import intake

    _run(intake.application(settings), settings)


def _preview(settings: Settings, arguments: argparse.Namespace) -> None:
    from postbox import preview

    _run(preview.application(settings), settings)


def _run(application: Starlette, settings: Settings) -> None:
    uvicorn.run(
        application, host=settings.host, port=settings.port, log_level="warning", server_header=False, date_header=False
    )


if __name__ == "__main__":
    main()
