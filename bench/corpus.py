"""A corpus of any size, the same each time, and the site that each system of ``bench/builds.py`` builds from it.

Every article has four hundred words, one of five categories, three of fifty tags and ten comments, some of them replies.
Each system gets these words in its own form, and as little of a theme as its maker offers:

- ours, with the repository's theme and settings; once more without social images, for no peer draws any;
- the same without the press, which shows what its memory, its caches and its watching gain;
- Pelican with its ``simple`` theme and a plugin that reads our files of comments, once more with its own cache on;
- Hugo with what ``hugo new theme`` writes, the comments as its data files;
- Debian's ikiwiki, with comments as its own files, which it does not thread.
"""

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import peers
from intake import ROOT
from peers import write

COMMENTS = 10
REPLIES = 0.4  # of all comments
START = datetime(2020, 1, 1, 8, tzinfo=UTC)
SITE_URL = "https://feet.example"
VOCABULARY = """
ankle arch back balance barefoot big body bone breath calf core day each floor foot forward gait glute ground heel hip
inside joint knee leg long morning muscle never open outside pelvis press pull push quiet rest roll run shoe short side
slow small soft sole spine spread squat stair stand step stiff still strong toe turn twist walk week weight wide
and but for from into not of on over that the then to under when with your
"""
WORDS = VOCABULARY.split()
PELICAN_SETTINGS = f"""\
{peers.PELICAN_SETTINGS.format(theme="simple")}
SITEURL = "{SITE_URL}"
ARTICLE_PATHS = ["articles"]
PLUGIN_PATHS = ["."]
PLUGINS = ["conversation"]
"""
PELICAN_PLUGIN = """\
from pathlib import Path
from markdown import Markdown
from pelican import signals

def add(generator):
    markdown = Markdown(extensions=["extra"])
    for article in generator.articles:
        replies = {}
        for file in Path("content/comments", article.id).glob("*.md"):
            head, _, body = file.read_text("utf-8").partition("\\n\\n")
            comment = dict(line.split(": ", 1) for line in head.splitlines())
            comment["html"] = markdown.reset().convert(body)
            replies.setdefault(comment.get("Reply-To"), []).append(comment)
        article.conversation = list(thread(replies, None, 0))

def thread(replies, parent, depth):
    for comment in sorted(replies.get(parent, []), key=lambda comment: comment["Date"]):
        yield comment, depth
        yield from thread(replies, comment["Id"], depth + 1)

def register():
    signals.article_generator_finalized.connect(add)
"""
PELICAN_ARTICLE = """\
{% extends "!theme/article.html" %}{% block content %}{{ super() }}
{% for comment, depth in article.conversation %}<section id="{{ comment.Id }}" class="depth-{{ depth }}">
<p>{{ comment.Author | e }}, {{ comment.Date }}</p>{{ comment.html }}</section>{% endfor %}{% endblock %}
"""
HUGO_COMMENTS = """\
{{ $all := sort (index hugo.Data.comments .File.ContentBaseName) "date" }}
{{ partial "thread.html" (dict "all" $all "parent" "" "page" .) }}
"""
HUGO_THREAD = """\
{{ range where .all "reply_to" .parent }}<section id="{{ .id }}">
<p>{{ .author }}, {{ .date }}</p>{{ .body | $.page.RenderString (dict "display" "block") }}
{{ partial "thread.html" (dict "all" $.all "parent" .id "page" $.page) }}</section>{{ end }}
"""
IKIWIKI_SETTINGS = f"""\
# IkiWiki::Setup::Yaml - YAML formatted setup file
wikiname: From the ground up
srcdir: {{folder}}/content
destdir: {{folder}}/output
url: {SITE_URL}
usedirs: 1
rss: 0
atom: 1
tagbase: tags
add_plugins: [comments, tag]
disable_plugins: [openid, passwordauth, emailauth, recentchanges, editpage]
comments_pagespec: articles/*
"""
IKIWIKI_INDEX = '[[!inline pages="articles/* and !*/Discussion and !comment(*)" archive=yes show=0]]\n'


@dataclass(frozen=True)
class Comment:
    """A comment; its ``id``, which no other has, ends its text too."""

    id: str
    article: str
    reply_to: str
    author: str
    date: str
    body: str


@dataclass(frozen=True)
class Article:
    """An article; its id is its slug."""

    id: str
    title: str
    date: str
    category: str
    tags: tuple[str, ...]
    summary: str
    text: str
    comments: tuple[Comment, ...]


@dataclass(frozen=True)
class System:
    """A site and how it is built: ``command`` runs in ``folder``, and ``makes`` these folders, the pages in the first.

    ``comment`` returns the file that publishes a comment, and its text.
    """

    name: str
    folder: Path
    command: list[str]
    comment: Callable[[Path, Comment], tuple[Path, str]]
    makes: tuple[str, ...] = ("output", "cache")
    environment: Mapping[str, str] = field(default_factory=dict)

    def page(self, article: str) -> Path:
        """Return where the page of an article is built."""
        return self.folder / self.makes[0] / "articles" / article / "index.html"


def articles(count: int) -> Iterator[Article]:
    """Yield so many articles; a longer corpus begins with the shorter one."""
    chance = random.Random(6)
    for number in range(count):
        id, date = f"article-{number:05}", START + timedelta(hours=5 * number)
        comments: list[Comment] = []
        for place in range(COMMENTS):
            reply_to = chance.choice(comments).id if comments and chance.random() < REPLIES else ""
            comments += [_comment(chance, f"{number:05}{place:02}", id, reply_to, date + timedelta(hours=place))]
        yield Article(
            id=id,
            title=f"{_words(chance, 6).capitalize()} {number}",
            date=f"{date:%Y-%m-%dT%H:%M:%SZ}",
            category=chance.choice(("Feet", "Hips", "Running", "Standing", "Walking")),
            tags=tuple(f"tag-{tag:02}" for tag in chance.sample(range(50), 3)),
            summary=_sentences(chance, 12),
            text=_text(chance),
            comments=tuple(comments),
        )


def new_comment(number: int, size: int) -> Comment:
    """Return a comment that is not in the corpus of that size, on any article, now and then a reply."""
    chance = random.Random(number)
    article = chance.randrange(size)
    reply_to = f"{article:05}{chance.randrange(COMMENTS):02}" if chance.random() < REPLIES else ""
    return _comment(chance, f"new{number:05}", f"article-{article:05}", reply_to, START + timedelta(days=2200))


def ours(folder: Path, size: int, *, has_images: bool = True) -> System:
    """Write our site."""
    _write_ours(folder, size)
    shutil.copytree(ROOT / "theme", folder / "theme")
    shutil.copy(ROOT / "publishconf.py", folder)
    shutil.copy(ROOT / "content/site.toml", folder / "content")
    write(folder / "pelicanconf.py", (ROOT / "pelicanconf.py").read_text("utf-8") + f"SOCIAL_IMAGES = {has_images}\n")
    command = [sys.executable, "-m", "press", "publish"]
    environment = {"SITE_URL": SITE_URL, "PYTHONPATH": str(ROOT)}
    return System("ours" if has_images else "no images", folder, command, _file_of_ours, ("output", "var"), environment)


def without_press(folder: Path, size: int) -> System:
    """Write our site once more, built by Pelican with our plugin and theme and nothing of the press's own."""
    site = ours(folder, size)
    command = [sys.executable, "-m", "pelican", "content", "-s", "publishconf.py", "--fatal=warnings"]
    return replace(site, name="without", command=command)


def pelican(folder: Path, size: int, *, cached: bool = False) -> System:
    """Write stock Pelican's."""
    _write_ours(folder, size, has_categories=True)
    write(folder / "settings.py", f"{PELICAN_SETTINGS}CACHE_CONTENT = LOAD_CONTENT_CACHE = {cached}\n")
    write(folder / "conversation.py", PELICAN_PLUGIN)
    write(folder / "templates/article.html", PELICAN_ARTICLE)
    command = [sys.executable, "-m", "pelican", "content", "-s", "settings.py", "--fatal=errors"]
    return System("its cache" if cached else "Pelican", folder, command, _file_of_ours)


def hugo(folder: Path, size: int) -> System:
    """Write Hugo's."""
    home = peers.hugo_site(folder, in_page=HUGO_COMMENTS)
    shutil.rmtree(folder / "themes/starter/content")  # three posts, without comments
    write(folder / "layouts/_partials/thread.html", HUGO_THREAD)
    for article in articles(size):
        fields = {key: getattr(article, key) for key in ("title", "date", "summary", "tags")}
        lines = [f"{key}: {json.dumps(value)}" for key, value in (fields | {"categories": [article.category]}).items()]
        write(folder / f"content/articles/{article.id}.md", "\n".join(("---", *lines, "---", "", article.text)))
        for comment in article.comments:
            write(*_file_of_hugo(folder, comment))
    environment = {"HUGO_CACHEDIR": str(folder / "cache")}
    return System("Hugo", folder, [str(home / "hugo/binaries/hugo")], _file_of_hugo, ("public", "cache"), environment)


def ikiwiki(folder: Path, size: int) -> System:
    """Write ikiwiki's; its command refreshes, and builds everything where there is nothing."""
    write(folder / "ikiwiki.setup", IKIWIKI_SETTINGS.format(folder=folder))
    write(folder / "content/index.mdwn", IKIWIKI_INDEX)
    for article in articles(size):
        head = f'[[!meta title="{article.title}" date="{article.date}" description="{article.summary}"]]\n'
        head += f"[[!tag {article.category} {' '.join(article.tags)}]]\n"
        write(folder / f"content/articles/{article.id}.mdwn", f"{head}\n{article.text}")
        for comment in article.comments:
            write(*_file_of_ikiwiki(folder, comment))
    command = ["ikiwiki", "--setup", "ikiwiki.setup", "--refresh"]
    return System("ikiwiki", folder, command, _file_of_ikiwiki, ("output", "content/.ikiwiki"))


def _write_ours(folder: Path, size: int, *, has_categories: bool = False) -> None:
    """Write articles and comments as files of ours, which stock Pelican reads too; only that one knows categories."""
    for article in articles(size):
        head = f"Title: {article.title}\nId: {article.id}\nSlug: {article.id}\nDate: {article.date}\n"
        head += f"Category: {article.category}\n" if has_categories else ""
        head += f"Tags: {', '.join(article.tags)}\nSummary: {article.summary}\n"
        write(folder / f"content/articles/{article.id}.md", f"{head}\n{article.text}")
        for comment in article.comments:
            write(*_file_of_ours(folder, comment))


def _file_of_ours(folder: Path, comment: Comment) -> tuple[Path, str]:
    reply = f"Reply-To: {comment.reply_to}\n" if comment.reply_to else ""
    head = f"Id: {comment.id}\nArticle: {comment.article}\n{reply}Author: {comment.author}\nDate: {comment.date}\n"
    return folder / f"content/comments/{comment.article}/{comment.id}.md", f"{head}\n{comment.body}\n"


def _file_of_hugo(folder: Path, comment: Comment) -> tuple[Path, str]:
    return folder / f"data/comments/{comment.article}/{comment.id}.json", json.dumps(asdict(comment))


def _file_of_ikiwiki(folder: Path, comment: Comment) -> tuple[Path, str]:
    fields = f'format=mdwn username="{comment.author}" subject="comment {comment.id}" date="{comment.date}"'
    text = f'[[!comment {fields} content="""\n{comment.body}\n"""]]\n'
    return folder / f"content/articles/{comment.article}/comment_{comment.id}._comment", text


def _comment(chance: random.Random, id: str, article: str, reply_to: str, date: datetime) -> Comment:
    body = f"{_sentences(chance, 20)} **{_words(chance, 3)}** {_words(chance, 16)}?\n\n{_words(chance, 10)}: {id}."
    return Comment(id, article, reply_to, _words(chance, 1).capitalize(), f"{date:%Y-%m-%dT%H:%M:%SZ}", body)


def _text(chance: random.Random) -> str:
    """Return four hundred words of Markdown."""
    points = "\n".join(f"- {_words(chance, 10)}" for _ in range(4))
    link = f"[{_words(chance, 2)}](https://example.org/)"
    paragraphs = (
        f"{_sentences(chance, 80)} *{_words(chance, 3)}* {_words(chance, 5)}, {link}.",
        f"{_sentences(chance, 80)} **{_words(chance, 4)}** {_words(chance, 6)}.",
        f"## {_words(chance, 5)}",
        points,
        _sentences(chance, 85),
        f"> {_sentences(chance, 20)}",
        _sentences(chance, 70),
    )
    return "\n\n".join(paragraphs) + "\n"


def _sentences(chance: random.Random, count: int) -> str:
    return " ".join(f"{_words(chance, min(12, count - done)).capitalize()}." for done in range(0, count, 12))


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS, k=count))
