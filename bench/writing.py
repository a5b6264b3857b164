"""Benchmark of writing: how soon a text is live, how long its proof takes, and whether comments wait: ``python bench/writing.py``.

Our press watches a site of a thousand articles (``--size``; see ``corpus.py``), and our desk's publisher asks it:

- publish to live: from the file's rename until the whole site is built with it, and until the author is told;
- proof: of a text that is published already, from the request until its page is there;
- first proof with a photograph of 12 megapixels, of which every size has to be made; meanwhile comments are approved,
  and what is told is how long each took to its page.

It wants Linux and a quiet machine.
"""

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import brotli
import corpus
from builds import _is_whole, _log, _publish, _running
from intake import FOLDER, ROOT, BenchError
from PIL import Image

sys.path.append(str(ROOT))  # behind this folder, where press.py is a benchmark

from contract.manifest import STATUS_FILE, BuildStatus
from postbox.writing.publisher import Publisher
from postbox.writing.text_file import edited, read
from postbox.writing.texts import Texts

CHANGES, PROOFS, SECONDS = 20, 5, 600.0
PHOTOGRAPH = (4000, 3000)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How soon a text is live, and how long its proof takes.")
    parser.add_argument("--size", type=int, default=1_000, help="articles of the site")
    size = parser.parse_args().size
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix="writing-") as folder:
            figures = _measure(corpus.ours(Path(folder, "site"), size, has_images=False), size)
    except (BenchError, OSError) as error:
        sys.exit(f"bench: {error}")
    script = brotli.compress((ROOT / "theme/desk/write.js").read_bytes())
    print(json.dumps({"articles": size} | figures | {"script, brotli, bytes": len(script)}, indent=1))


def _measure(site: corpus.System, size: int) -> dict[str, object]:
    status = site.folder / "var/site" / STATUS_FILE
    (site.folder / "var/desk").mkdir(parents=True)
    texts = Texts(site.folder / "content", site.folder / "var/desk")
    publisher = Publisher(texts, site.folder / "var/proofs", lambda: BuildStatus.load(status))
    with _running(site, [*site.command[:-1], "watch"]):
        _wait(lambda: BuildStatus.load(status).watching and (site.folder / "var/proofs/asked").is_dir(), site)
        live, told, proofs = [], [], []
        for number in range(CHANGES):
            key = f"articles/article-{number * size // CHANGES:05}"
            started = time.perf_counter()
            done = publisher.publish(key, _changed(texts.file(key), f"Changed {number}."), "published")
            told.append(time.perf_counter() - started)
            live.append(done.seconds)
            if done.state != "live":
                raise BenchError(f"{key} is {done.state}: {' '.join(done.faults)}")
        for number in range(PROOFS):
            key = f"articles/article-{number:05}"
            proofs.append(_proof(publisher, key, _changed(texts.file(key), f"Proved {number}.")))
        photograph, waits = _with_photograph(site, publisher, texts, size)
    return {
        "publish to live, s, median and p95": [median(live), quantiles(live, n=20)[-1]],
        "publish to told, s, median and p95": [median(told), quantiles(told, n=20)[-1]],
        "proof, s, median and worst": [median(proofs), max(proofs)],
        "first proof with 12 megapixels, s": photograph,
        "comments meanwhile, s, number, median and worst": [len(waits), median(waits), max(waits)],
    }


def _with_photograph(site: corpus.System, publisher: Publisher, texts: Texts, size: int) -> tuple[float, list[float]]:
    """Prove a text with a new photograph; return the seconds, and those that each comment approved meanwhile took."""
    images = site.folder / "content/images"
    images.mkdir(exist_ok=True)
    Image.effect_noise(PHOTOGRAPH, 60).convert("RGB").save(images / "foot.jpg", quality=90)
    time.sleep(3)  # the press sees the folder change
    waits: list[float] = []
    is_done = threading.Event()

    def approve() -> None:
        for number in range(1_000):
            if is_done.is_set():
                return
            comment = corpus.new_comment(number, size)
            started = _publish(site, comment)
            _wait(partial(_is_whole, site, comment), site)
            waits.append(time.perf_counter() - started)
            time.sleep(0.2)

    approver = threading.Thread(target=approve, daemon=True)
    approver.start()
    key = "articles/article-00000"
    try:
        return _proof(publisher, key, _changed(texts.file(key), "![A foot]({static}/images/foot.jpg)")), waits
    finally:
        is_done.set()
        approver.join(SECONDS)


def _proof(publisher: Publisher, key: str, data: bytes) -> float:
    started = time.perf_counter()
    proof = publisher.prove(key, data)
    if not proof.is_whole:
        raise BenchError(f"no proof of {key}: {proof.faults}")
    return time.perf_counter() - started


def _changed(data: bytes, words: str) -> bytes:
    return edited(data, {"Modified": f"{datetime.now(UTC):%Y-%m-%d}"}, f"{read(data).body.rstrip()}\n\n{words}\n")


def _wait(is_done: Callable[[], bool], site: corpus.System) -> None:
    end = time.monotonic() + SECONDS
    while not is_done():
        if time.monotonic() > end:
            raise BenchError(f"waited {SECONDS:g} s; the press said {_log(site).read_text('utf-8')[-300:]}")
        time.sleep(0.002)


if __name__ == "__main__":
    main()
