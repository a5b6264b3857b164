"""Benchmark of moving in: an export of many posts and comments, beside pelican-import on the same file.

pelican-import brings no comments, so it is measured on its posts; it needs pandoc, and is left out where there is none.
Each runs in a process of its own; memory is the most that it held (``ru_maxrss``).
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.moving.exports import OldSite, a_wp_comment, a_wxr, an_item
from tests.support.place import ROOT

_WORDS = "feet toe ground shoe heel ankle balance walk run stand muscle glute core power stability reach step bend"
WORDS = _WORDS.split()


def main() -> None:
    """Print posts a second and peak memory of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--comments", type=int, default=100_000)
    parser.add_argument(
        "--peer-posts", type=int, default=0, help="measure pelican-import on so many posts only (0: all)"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        site = OldSite(Path(name))
        export = site.folder / "export.xml"
        _write(export, asked.posts, asked.comments)
        print(f"{export.stat().st_size / 1e6:.0f} MB, {asked.posts:,} posts, {asked.comments:,} comments")
        for label in ("first", "again"):
            _measure(
                f"moving ({label})",
                [sys.executable, "-m", "moving", "wordpress", "export.xml"],
                site.folder,
                asked.posts,
            )
        if not shutil.which("pandoc"):
            print("pelican-import: no pandoc here, left out")
            return
        posts = asked.peer_posts or asked.posts
        if posts != asked.posts:
            _write(export, posts, asked.comments * posts // asked.posts)
        command = [
            str(Path(sys.executable).with_name("pelican-import")),
            "--wpfile",
            "-m",
            "markdown",
            "-o",
            "peer",
            "export.xml",
        ]
        (site.folder / "peer").mkdir()
        _measure("pelican-import", command, site.folder, posts)


def _write(path: Path, posts: int, comments: int) -> None:
    chance = random.Random(1)  # the same export each time
    start, _, end = a_wxr("@").partition("@")
    with path.open("w", encoding="utf-8") as file:
        file.write(start)
        for post in range(1, posts + 1):
            replies = "".join(_comment(chance, post * 1000 + n, n) for n in range(comments // posts))
            body = "\n\n".join(_paragraph(chance) for _ in range(8))
            file.write(an_item(post, f"post-{post}", body=body, comments=replies))
        file.write(end)


def _comment(chance: random.Random, id: int, number: int) -> str:
    parent = str(id - 1) if number and chance.random() < 0.5 else "0"
    return a_wp_comment(id, parent=parent, content=_sentence(chance), date_gmt=f"2012-03-{1 + number % 28:02} 10:15:00")


def _paragraph(chance: random.Random) -> str:
    sentences = " ".join(_sentence(chance) for _ in range(4))
    return f'{sentences} <em>{chance.choice(WORDS)}</em> &amp; <a href="https://a.example/{chance.random()}">more</a>.'


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=14)).capitalize() + "."


def _measure(label: str, command: list[str], folder: Path, posts: int) -> None:
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        run = subprocess.Popen(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=said, stderr=said
        )
        _, status, used = os.wait4(run.pid, 0)  # of this process alone
        run.returncode = os.waitstatus_to_exitcode(status)
        seconds, processor = time.perf_counter() - started, used.ru_utime + used.ru_stime
        said.seek(0)
        lines = said.read().split("\n")
    print(
        f"{label}: exit {run.returncode}, {seconds:.1f} s ({processor:.1f} s of processor),"
        f" {posts / seconds:.0f} posts a second, at most {used.ru_maxrss / 1024:.0f} MB",
        flush=True,
    )
    print("\n".join(lines[-5:] if run.returncode else lines[:4]), flush=True)


if __name__ == "__main__":
    main()
