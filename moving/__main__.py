"""The command line: ``python -m moving wordpress FILE…``, in the folder of the site."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from moving import disqus, isso, jsonl
from moving.addresses import Addresses
from moving.index import Index
from moving.markdown import Articles
from moving.placing import Placing
from moving.records import MovingError, Progress, Reader, Record
from moving.report import Report
from moving.site import Site
from moving.uploads import Uploads
from moving.wxr import Wxr
from postbox.settings import SettingsError, read

INTERRUPTED = 130


@click.group(epilog="Exit status: 0 done, 1 a file cannot be taken in, 130 interrupted: run it again and it goes on.")
def main() -> None:
    """Bring a site in: its articles, pages, conversations, images and old addresses.

    Nothing is fetched and nothing written over; the same command again changes nothing.
    """


def _command(
    name: str, summary: str, *, has_uploads: bool = False
) -> Callable[[Callable[[Site], tuple[Reader, str]]], click.Command]:
    def made(reader_of: Callable[[Site], tuple[Reader, str]]) -> click.Command:
        def run(files: tuple[Path, ...], *, is_dry: bool, as_json: bool, uploads: Path | None = None) -> None:
            _run(reader_of, files, uploads, is_dry=is_dry, as_json=as_json)

        run.__doc__ = summary
        command = click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))(
            run
        )
        command = click.option("--dry-run", "is_dry", is_flag=True, help="Say what would be done, and write nothing.")(
            command
        )
        command = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")(command)
        if has_uploads:
            kind = click.Path(exists=True, file_okay=False, path_type=Path)
            command = click.option("--uploads", type=kind, help="A copy of wp-content/uploads, for the images.")(
                command
            )
        return main.command(name)(command)

    return made


@_command("wordpress", "Bring in what WordPress exports (Tools, Export, All content).", has_uploads=True)
def wordpress(site: Site) -> tuple[Reader, str]:
    return Wxr(site.timezone).read, "wp"


@_command("disqus", "Bring in the comments that Disqus exports.")
def from_disqus(_: Site) -> tuple[Reader, str]:
    return disqus.read, "disqus"


@_command("isso", "Bring in the comments of an Isso database.")
def from_isso(_: Site) -> tuple[Reader, str]:
    return isso.read, "isso"


@_command("comments", "Bring in comments in the exchange format (docs/moving-in.md).")
def comments(_: Site) -> tuple[Reader, str]:
    return jsonl.read, ""


def _run(
    reader_of: Callable[[Site], tuple[Reader, str]],
    files: tuple[Path, ...],
    uploads: Path | None,
    *,
    is_dry: bool,
    as_json: bool,
) -> None:
    try:
        with closing(Site(Path(), read(os.environ), is_dry=is_dry)) as site:
            report = move(site, reader_of(site), files, uploads, is_dry=is_dry)
    except (MovingError, SettingsError, OSError) as error:
        sys.exit(f"moving: {error}")
    except KeyboardInterrupt:
        print("moving: stopped; run the same command again and it goes on", file=sys.stderr)
        sys.exit(INTERRUPTED)
    print(report.as_json() if as_json else report.as_text())


def move(
    site: Site, source: tuple[Reader, str], files: tuple[Path, ...], uploads: Path | None, *, is_dry: bool
) -> Report:
    """Bring files in: one pass that finds out what there is, one that places it.

    Raises:
        MovingError: if a file cannot be taken in at all; nothing is written then.
    """
    reader, prefix = source
    report, folder = Report(is_dry), Uploads(uploads, site)
    index = Index(site, prefix, datetime.now(UTC), Addresses(folder.fetch, folder.faults))
    for record in _records(reader, files, "reading"):
        index.add(record)
    index.settle()
    placing = Placing(index, folder, Articles(site.config["MARKDOWN"]), report)
    for record in _records(reader, files, "writing"):
        placing.place(record)
    placing.finish()
    report.check()
    if not is_dry:
        os.sync()  # once for all of them
    return report


def _records(reader: Reader, files: tuple[Path, ...], label: str) -> Iterator[Record]:
    """Yield the records of all files, with a progress bar on a terminal."""
    size = sum(file.stat().st_size for file in files if file.is_file())
    with click.progressbar(length=size, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        progress: Progress = bar.update
        for file in files:
            yield from reader(file, progress)


if __name__ == "__main__":
    main()
