"""Preview of a draft, called a proof: the page that a text would be, by the theme, settings and images that publish, for its author alone.

The desk puts a request into ``asked`` and reads the answer in ``made``, both below the folder PROOFS; a request is
``{"path": "articles/shoes.md", "text": "Title: …"}`` in a file named by its hash. Every other text is as it last was right,
so that nobody's unfinished work spoils a proof. Another process makes it, within a time; comments do not wait.
"""

import contextlib
import json
import os
import re
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import watchfiles

from contract import atomic, header
from press.builder import HERE
from press.errors import BuildError, place_of
from press.incremental.cache import Cache, version_of
from press.incremental.comments import Conversations
from press.incremental.pages import Page, PageRecord, Pages
from press.output.links import PageLinks, dead_links
from press.plugin.run import content_of, fingerprint_of, run, settings_of

REQUEST_BYTES = 4 * 1024 * 1024
NAME = re.compile(r"[0-9a-f]{64}\.json")
TEXT = re.compile(r"(articles|pages)/(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*\.md")
SECONDS = 60.0  # for one proof
KEPT = 60  # proofs
ROUND_MS = 500


@dataclass(frozen=True)
class Proof:
    """What came of a request: the page's file in the output, empty if there is none, and what is wrong: lines, 0 for none, and causes."""

    file: str = ""
    faults: list[tuple[int, str]] = field(default_factory=list)


@contextlib.contextmanager
def proving(config: Path, overrides: dict[str, Any], folder: Path) -> Iterator[None]:
    """Answer the requests in a folder meanwhile, one after the other."""
    asked, made = folders(folder)
    stop = threading.Event()

    def answer() -> None:
        for _ in watchfiles.watch(asked, stop_event=stop, step=3, rust_timeout=ROUND_MS, yield_on_timeout=True):
            for request in sorted(asked.iterdir(), key=_age):
                if not stop.is_set() and NAME.fullmatch(request.name):
                    with contextlib.suppress(OSError):  # on a full disk; whoever asks waits no longer than for a proof
                        _answer(config, overrides, request, made, stop)
                    request.unlink(missing_ok=True)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def folders(folder: Path) -> tuple[Path, Path]:
    """Return where is asked and where is answered; whoever may write the folder, desk and press, may write either."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / "asked", folder / "made"):
        if not path.is_dir():
            path.mkdir()
            path.chmod(stat.S_IMODE(folder.stat().st_mode))
    return folder / "asked", folder / "made"


def _answer(config: Path, overrides: dict[str, Any], request: Path, made: Path, stop: threading.Event) -> None:
    """Have another process make a proof; one that takes too long, or fails, is said to have."""
    process = get_context("spawn").Process(target=_prove, args=(config, overrides, request, made), daemon=True)
    process.start()
    end = time.monotonic() + SECONDS
    while process.is_alive() and not stop.is_set() and time.monotonic() < end:
        process.join(0.05)
    is_late = process.is_alive()
    process.terminate()
    process.join()
    if not stop.is_set() and not (made / request.name).exists():
        cause = f"takes longer than {SECONDS:.0f} s to draw; make it shorter" if is_late else "could not be drawn"
        _tell(made / request.name, Proof(faults=[(0, f"The page {cause}.")]))
    for path in sorted(made.glob("*.*"), key=_age)[: -2 * KEPT]:
        path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.lstat().st_mtime
    return 0.0


def _prove(config: Path, overrides: dict[str, Any], request: Path, made: Path) -> None:
    """Answer one request, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent ends this one
    os.nice(5)
    path, text = _read(request)
    with tempfile.TemporaryDirectory(prefix=".proof-", dir=made) as staging:
        try:
            proof = prove(config, overrides, path, text, Path(staging), made / f"{request.stem}.html")
        except (BuildError, OSError) as error:
            proof = Proof(faults=[_fault(line, path) for line in place_of(error).split("\n")])
        for image in Path(staging).rglob("images/*"):
            (made / "images").mkdir(exist_ok=True)
            image.replace(made / "images" / image.name)
    _tell(made / request.name, proof)


def prove(config: Path, overrides: dict[str, Any], path: str, text: str, staging: Path, page: Path) -> Proof:
    """Write the page that a text would be.

    Args:
        config: the configuration.
        overrides: what stands in place of its settings.
        path: the text's, below the content folder; it may be there already.
        text: the whole file.
        staging: an empty folder; images are in it afterwards.
        page: where the page goes.

    Raises:
        BuildError: with everything that is wrong.
    """
    settings = settings_of(config, overrides) | {"SITE_JSON": str(staging / "site.json")}
    settings["NOW"] = _now(settings, path, text)
    version = version_of(HERE, HERE.parent / "contract")
    with contextlib.closing(Cache(Path(settings["PRESS_CACHE"]), version)) as cache:
        records = {
            file: PageRecord(record[0], record[1], PageLinks(*record[2]))
            for file, record in cache.state.get("records", {}).items()
        }
        conversations = Conversations(Path(settings["PATH"], "comments"), cache.state.get("conversations"))
        sources = cache.state.get("sources", {})
        texts = {file: known[2] for file, key in sources.items() if (known := cache.get(key))} | {path: text}
        fingerprint = fingerprint_of(settings, config, version)
        pages = OnePage(Path(settings["OUTPUT_PATH"]).resolve(), staging, fingerprint, {}, cache, lambda *_: None)
        pages.path = path
        with content_of(settings, texts) as content:
            changed = {
                "PRESS": pages,
                "CONVERSATIONS": conversations,
                "PATH": str(content),
                "OUTPUT_PATH": str(staging),
            }
            run(settings | changed, fingerprint, cache)
    if not pages.proof:
        return Proof(faults=[(0, "This text has no page: it is a draft, or nothing leads to it.")])
    page.write_bytes(pages.data)
    links = {file: record.links for file, record in records.items()} | pages.links
    files = (
        links.keys()
        | pages.by_file.keys()
        | pages.files
        | {file.relative_to(staging).as_posix() for file in staging.rglob("*")}
    )
    dead = dead_links([pages.proof], links, files)
    return Proof(
        pages.proof, [(_line_of(text, address), f"The link to {address}: {cause}.") for _, address, cause in dead]
    )


class OnePage(Pages):
    """Pages of a run of which one alone is rendered: that of the text in ``path``."""

    path = proof = ""
    data = b""

    def render_all(self) -> None:
        """Render the page, whatever the output holds."""
        for file, page in self.by_file.items():
            if self._is_it(page) and file.endswith(".html"):
                drawn = self.render(page)
                self.data = (self._output / file).read_bytes() if drawn is None else drawn  # as it is already
                self.proof = file

    def _is_it(self, page: Page) -> bool:
        content = page.variables.get("article") or page.variables.get("page")
        return content is not None and content.source_path.endswith(f"/content/{self.path}")


def _now(settings: dict[str, Any], path: str, text: str) -> Any:
    """Return the time for which a page is made: that of the text, if its date is to come."""
    now = settings["NOW"]
    with contextlib.suppress(header.HeaderError):
        kind = header.PAGE if path.startswith("pages/") else header.ARTICLE
        date = header.read(text.replace("\r\n", "\n"), kind, settings["HEADER_KEYS"]).values.get("date")
        if date and not date.tzinfo:
            date = date.replace(tzinfo=ZoneInfo(settings["TIMEZONE"]))
        if date and date.timestamp() > (now.timestamp() if now else time.time()):
            return date + timedelta(seconds=1)
    return now


def _read(request: Path) -> tuple[str, str]:
    """Return the path and the text of a request; one that breaks the rules ends this process, and that is told."""
    descriptor = os.open(request, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            sys.exit(f"{request.name} is no ordinary file")
        asked = json.loads(file.read(REQUEST_BYTES))
    path, text = asked["path"], asked["text"]
    if not (isinstance(text, str) and TEXT.fullmatch(path)) or ".." in path:
        sys.exit(f"{request.name} asks for what is no text")
    return path, text


def _fault(told: str, path: str) -> tuple[int, str]:
    """Return the line of a text and what is wrong there, of the line of an error."""
    found = re.fullmatch(rf"\S*{re.escape(path)}:(?:(\d+):)? *(.*)", told)
    return (int(found[1] or 0), found[2]) if found else (0, re.sub(r"\S*/content/", "content/", told))


def _line_of(text: str, address: str) -> int:
    at = text.find(address)
    return text.count("\n", 0, at) + 1 if at >= 0 else 0


def _tell(path: Path, proof: Proof) -> None:
    atomic.write(path, json.dumps(asdict(proof), ensure_ascii=False).encode(), is_durable=False)
