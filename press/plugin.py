"""The Pelican plugin: published comments into articles and feeds, the facts of the site into every template.

A file of a comment that breaks a rule is set aside with a line on standard error; every other fault stops the build.
"""

import base64
import hashlib
import heapq
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import lightningcss
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader
from pelican import signals
from pelican.contents import Article, Content
from pelican.generators import ArticlesGenerator, Generator, PagesGenerator
from pelican.urlwrappers import Category
from pelican.utils import set_date_tzinfo
from pelican.writers import Writer

from postbox import site
from postbox.comment import ARTICLE_ID, Comment, Entry
from postbox.site import Site, dumps, prepare
from press import structured
from press.conversations import Conversation, Conversations
from press.images import Images
from press.social import social_images

FEED_ENTRIES = 50
ALIGNED = re.compile(r'(<t[hd]) align="(left|center|right)"')  # a cell as Markdown writes it
INDENTS = re.compile(rb"^ *(?://.*\n)?", re.MULTILINE)  # and lines of comment
WORDS_A_MINUTE = 220  # silent reading of English is about 238 (Brysbaert 2019)
FACTS = (
    "tagline",
    "author",
    "pronoun",
    "telephone",
    "telephone_shown",
    "invitation",
    "role",
    "trading_name",
    "postal_address",
    "email",
    "area",
    "hours",
    "timezone",
    "intake",
    "name_length",
    "comment_length",
    "notices",
    "keep_address_days",
    "keep_rejected_days",
    "keep_message_days",
    "keep_backup_days",
)
MOST_DAYS = 3650  # ten years

# Pelican loads these even where it writes no such page.
UNUSED_TEMPLATES = {f"{name}.html": "" for name in ("author", "category", "period_archives")}


class SiteError(ValueError):
    """The site cannot be built as it stands; the text names the file and the cure."""


@dataclass(frozen=True)
class Neighbour:
    """What an article shows of the one before or after it."""

    title: str
    url: str


@dataclass(frozen=True)
class Newest:
    """The newest comments on some articles, for a feed: ``(article, entry, date)``; they are looked for when asked for."""

    articles: list[Article]

    def __iter__(self) -> Iterator[tuple[Article, Entry, datetime]]:
        talked = [(_newest(article), place) for place, article in enumerate(self.articles) if article.comment_count]
        # An article that none of the latest came to has none of them.
        places = sorted(place for _, place in heapq.nlargest(FEED_ENTRIES, talked))
        found = [
            (article, entry, entry.comment.date or article.date)
            for article in (self.articles[place] for place in places)
            for entry in article.conversation
            if not entry.comment.removed
        ]
        found.reverse()  # of two with one date, the later in the conversation is the newer
        return iter(sorted(found, key=lambda dated: dated[2], reverse=True)[:FEED_ENTRIES])


def _newest(article: Article) -> float:
    """Return the date of the newest comment on an article; an undated one takes its article's."""
    known = article.conversation.known
    dates = [known.newest] if known.newest is not None else []
    return max([*dates, article.date.timestamp()] if known.has_undated else dates)  # type: ignore[no-any-return]


def converse(article: Article, conversation: Conversation) -> None:
    """Give an article its conversation."""
    article.conversation = conversation
    article.comment_count = conversation.known.count
    article.updated = max([article.edited, *([conversation.latest] if conversation.latest else [])])


def register() -> None:
    """Connect to Pelican; it calls this once for each build."""
    signals.generator_init.connect(_prepare_templates)
    signals.article_generator_context.connect(_check_header)
    signals.page_generator_context.connect(_hold_back)
    signals.page_generator_finalized.connect(_illustrate)
    signals.all_generators_finalized.connect(_add_facts)
    signals.article_writer_finalized.connect(_write_comment_feeds)
    signals.article_writer_finalized.connect(_write_static)
    signals.article_writer_finalized.connect(_write_images)
    signals.article_writer_finalized.connect(_write_facts)


def _prepare_templates(generator: Generator) -> None:
    """Load templates from this theme alone; Pelican would take a missing one from its own without a word."""
    theme = Path(generator.theme, "templates")
    generator.env.loader = ChoiceLoader([FileSystemLoader(theme), DictLoader(UNUSED_TEMPLATES)])
    generator.env.globals |= {"structured": structured, "tag": _tag, "latest": _latest, "feed_entries": FEED_ENTRIES}
    generator.env.filters["absolute"] = _absolute
    prepare(generator.env)


def _check_header(generator: ArticlesGenerator, metadata: dict[str, Any]) -> None:
    """Refuse an article whose header lacks what its address, its comments or the lists need; Pelican adds the file's name."""
    for key in ("title", "date", "slug", "id", "summary"):
        if not metadata.get(key):
            raise SiteError(f"the header has no {key.capitalize()}; add it")
    metadata["formerly"] = metadata.get("formerly", "").split()
    for key, value in [
        ("Slug", metadata["slug"]),
        ("Id", metadata["id"]),
        *(("Formerly", s) for s in metadata["formerly"]),
    ]:
        if not ARTICLE_ID.fullmatch(value):
            raise SiteError(f"{key} “{value}” must be small letters, digits and single hyphens, 100 at most")
    _hold_back(generator, metadata)
    # Pelican 4.12 gives published articles one, and then asks drafts for theirs.
    metadata.setdefault("category", Category("articles", generator.settings))


def _hold_back(generator: Generator, metadata: dict[str, Any]) -> None:
    """Make a draft of what has a date to come; Pelican's own WITH_FUTURE_DATES asks the clock, whatever NOW says."""
    date, settings = metadata.get("date"), generator.settings
    if date and set_date_tzinfo(date, settings["TIMEZONE"]) > now_in(settings):
        metadata["status"] = "draft"


def _illustrate(generator: PagesGenerator) -> None:
    """Put their images into the texts that a reader can see, and let these alone bring files along; Pelican copies those of drafts too."""
    settings, context = generator.settings, generator.context
    shown: list[Content] = [
        *context["articles"],
        *context["hidden_articles"],
        *context["pages"],
        *context["hidden_pages"],
    ]
    if settings["PREVIEW"]:
        shown += [*context["drafts"], *context["draft_pages"]]
    images = Images(Path(settings["PATH"]), Path(settings["IMAGE_CACHE"]), _light(generator))
    for content in shown:
        html = ALIGNED.sub(r'\1 class="\2"', content._content)  # as align= is no HTML any more
        content._content = images.illustrate(html, Path(content.source_path))
    context["portrait"] = images.portrait(settings["PORTRAIT"])
    if images.faults:
        raise SiteError("\n".join(images.faults))
    context["images"] = images
    context["static_links"] = set(chain.from_iterable(content.get_static_links() for content in shown))


def _add_facts(generators: list[Generator]) -> None:
    """Give each article its conversation and every template the facts of the site."""
    generator = next(g for g in generators if isinstance(g, ArticlesGenerator))
    settings, context = generator.settings, generator.context
    listed, unlisted = (
        generator.articles,
        [*generator.hidden_articles, *(generator.drafts if settings["PREVIEW"] else [])],
    )
    shown = [*listed, *unlisted]
    if settings["INTAKE"] not in ("/comments", ""):
        raise SiteError(f"INTAKE is “{settings['INTAKE']}”; the intake answers at /comments, or is empty for no forms")
    _check_days(settings)
    _check_addresses([*listed, *generator.hidden_articles, *generator.drafts])

    now = now_in(settings)
    conversations = settings.get("CONVERSATIONS") or Conversations(Path(settings["PATH"], "comments"))
    conversations.scan()
    for problem in conversations.problems:
        print(f"set aside: {os.path.relpath(problem.path)}: {problem.cause}", file=sys.stderr)  # noqa: T201  # a log would make it a fault
    for article in shown:
        article.override_url = article.url  # Pelican's “URL:” header; without one it works the address out each time
        article.edited = getattr(article, "modified", article.date)
        article.closes = _closes(article, settings)
        article.is_open = not article.closes or now < article.closes
        article.minutes = max(1, round(len(_words(article.content).split()) / WORDS_A_MINUTE))
        article.newer = article.older = None
        converse(article, conversations[article.id])

    for newer, older in pairwise(listed):
        newer.older, older.newer = Neighbour(older.title, older.url), Neighbour(newer.title, newer.url)

    for article in shown:
        article.social = ""
    if settings["SOCIAL_IMAGES"]:
        titles = {article.title for article in shown}
        social = social_images(
            context["images"], generator.env.get_template("social.svg"), titles, settings["SITENAME"]
        )
        for article in shown:
            article.social = social[article.title]

    style, static = _style(generator), _static(generator)
    context["static"] = static
    context["site"] = Site(
        name=settings["SITENAME"],
        language=settings["DEFAULT_LANG"],
        url=settings["SITE_URL"],
        is_preview=settings["PREVIEW"],
        accent=settings["ACCENT"][0],
        accent_dark=settings["ACCENT"][1],
        style=style,
        script=static["loader.js"][0],
        feed_style=static["feed.css"][0],
        headers=_headers(style),
        portrait=context["portrait"],
        article_count=min(len(listed), 3),
        redirects={
            f"/articles/{slug}/{file}": f"/{a.url}{file}"
            for a in shown
            for slug in a.formerly
            for file in ("", "comments.xml")
        },
        **{fact: settings[fact.upper()] for fact in FACTS},
    )
    context["due"] = _due(generator, shown, now)
    context["drafts"] = generator.drafts if settings["PREVIEW"] else []  # not even a template sees them
    context["conversations"] = {article.id: _conversation(article) for article in shown}
    context["comment_entries"] = Newest(listed)


def now_in(settings: dict[str, Any]) -> datetime:
    return settings["NOW"] or datetime.now(UTC)


def _due(generator: ArticlesGenerator, shown: Iterable[Article], now: datetime) -> datetime | None:
    """Return when the site changes by itself: an article or a page is published, or a conversation closes."""
    held_back = [*generator.drafts, *(page for page in generator.context["draft_pages"] if hasattr(page, "date"))]
    times = [*(content.date for content in held_back), *(article.closes for article in shown if article.closes)]
    return min((time for time in times if time > now), default=None)


def _check_days(settings: dict[str, Any]) -> None:
    """Refuse a time that would erase what has just come, or never."""
    for name, least in (("ADDRESS", 1), ("REJECTED", 1), ("MESSAGE", 1), ("BACKUP", 0)):
        days = settings[f"KEEP_{name}_DAYS"]
        if type(days) is not int or not least <= days <= MOST_DAYS:
            raise SiteError(f"KEEP_{name}_DAYS is {days!r}; it must be a whole number from {least} to {MOST_DAYS}")


def _check_addresses(articles: Iterable[Article]) -> None:
    """Refuse two articles with one id or one address: one would take over the other's comments or readers."""
    seen: dict[tuple[str, str], Article] = {}
    for article in articles:
        for kind, value in [("Id", article.id), *(("Slug", slug) for slug in (article.slug, *article.formerly))]:
            if other := seen.get((kind, value)):
                raise SiteError(
                    f"{_source(article)}: {kind} “{value}” is also that of {_source(other)}; change one of them"
                )
            seen[kind, value] = article


def _source(article: Article) -> str:
    return os.path.relpath(str(article.source_path))


def _words(html: str) -> str:
    """Return the words of a page, without its drawings."""
    return re.sub(r"<svg.*?</svg>|<[^>]*>", " ", html, flags=re.DOTALL)


def _closes(article: Article, settings: dict[str, Any]) -> datetime | None:
    """When an article stops taking comments: by its own header (``Comments: closed``), or so many days after its date."""
    if getattr(article, "comments", "") == "closed":
        return article.date  # type: ignore[no-any-return]  # Pelican ships no types
    days = settings["CLOSE_AFTER_DAYS"]
    return article.date + timedelta(days=days) if days else None


def _conversation(article: Article) -> site.Conversation:
    return site.Conversation(article.title, f"/{article.url}", article.closes.isoformat() if article.closes else "")


def _tag(site: Site, article: Article, comment: Comment | None = None) -> str:
    """Return the permanent name of an entry in a feed (RFC 4151), which outlives a rename of its article."""
    place = f"tag:{urlsplit(site.url).hostname},{article.date.date().isoformat()}:{article.id}"
    return f"{place}/{comment.id}" if comment else place


def _latest(dates: Iterable[datetime]) -> str:
    """Return the latest date of a feed; an empty one must have a date too, and the clock would make each build differ."""
    return max(dates, default=datetime(1970, 1, 1, tzinfo=UTC)).isoformat()


def _absolute(html: str, url: str) -> str:
    """Write the links of the page at ``url`` out in full, as a feed reader needs them."""
    return re.sub(r'(\s(?:href|src|poster)=")(?![a-z]+:)([^"]*)', lambda found: found[1] + urljoin(url, found[2]), html)


def _style(generator: Generator) -> str:
    filename = generator.env.get_template("style.css").filename
    return str(lightningcss.process_stylesheet(_style_source(generator), filename=filename, minify=True))


def _light(generator: Generator) -> dict[str, str]:
    """Return the tokens of the stylesheet by name, those of two schemes as they are in the light one."""
    tokens = re.findall(r"--([\w-]+): (?:light-dark\((.*?), .*?\)|(.*?));", _style_source(generator))
    # Reversed, so that the first stands: what forced colours say comes later.
    return {name: light or value for name, light, value in reversed(tokens)}


def _style_source(generator: Generator) -> str:
    return str(generator.env.get_template("style.css").render(accent=generator.settings["ACCENT"]))


def _static(generator: Generator) -> dict[str, tuple[str, bytes]]:
    """Return the files of the theme that pages refer to, each with an address that changes with its content.

    One may name another that comes before it in the alphabet. A script goes out without indents and lines of comment.
    """
    files: dict[str, tuple[str, bytes]] = {}
    for path in sorted(Path(generator.theme, "static").iterdir()):
        data = path.read_bytes()
        for name, (address, _) in files.items():
            data = data.replace(f"/theme/{name}".encode(), address.encode())
        if path.suffix == ".js":
            data = INDENTS.sub(b"", data)
        digest = hashlib.sha256(data).hexdigest()[:12]
        files[path.name] = (f"/theme/{path.stem}.{digest}{path.suffix}", data)
    return files


def _headers(style: str) -> dict[str, str]:
    """Return what goes with every answer; the policy names the one stylesheet by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "public, max-age=0, must-revalidate",
    }


def _write_comment_feeds(generator: ArticlesGenerator, writer: Writer) -> None:
    template = generator.get_template("comments")
    for article in [*generator.articles, *generator.hidden_articles]:
        writer.write_file(
            f"{article.url}comments.xml",
            template,
            generator.context,
            article=article,
            comment_entries=Newest([article]),
        )


def _write_static(generator: ArticlesGenerator, writer: Writer) -> None:
    for address, data in generator.context["static"].values():
        path = Path(writer.output_path + address)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _write_images(generator: ArticlesGenerator, writer: Writer) -> None:
    # The press leaves what has not changed where it is.
    generator.context["images"].publish(Path(writer.output_path), getattr(writer, "stands", lambda file: False))


def _write_facts(generator: ArticlesGenerator, writer: Writer) -> None:
    """Hand the facts to the intake, by rename, and beside them to a web server what its configuration includes."""
    context, path = generator.context, Path(generator.settings["SITE_JSON"])
    servers = {
        f"{name}.conf": generator.env.get_template(f"{name}.txt").render(site=context["site"])
        for name in ("caddy", "nginx")
    }
    facts = dumps(replace(context["site"], conversations=context["conversations"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, text in (servers | {path.name: facts}).items():
        draft = path.with_name(f".{name}")
        draft.write_text(text, "utf-8")
        draft.replace(path.with_name(name))
