"""The Pelican plugin: published comments into articles and feeds, the facts of the site into every template.

A file of a comment that breaks a rule is set aside with a line on standard error; every other fault stops the build.
"""

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader
from pelican import signals
from pelican.contents import Article, Content
from pelican.generators import ArticlesGenerator, Generator, PagesGenerator, StaticGenerator
from pelican.urlwrappers import Category
from pelican.utils import set_date_tzinfo
from pelican.writers import Writer

from contract import manifest
from contract.comment import ARTICLE_ID
from contract.manifest import Site, dumps
from contract.templates import prepare
from press.assets import style
from press.assets.images import Images
from press.assets.og_image import social_images
from press.incremental.comments import Conversation, Conversations
from press.output import feeds, json_ld, tables
from press.output.feeds import Newest
from press.plugin import redirects

ALIGNED = re.compile(r'(<t[hd]) align="(left|center|right)"')  # a cell as Markdown writes it
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


def converse(article: Article, conversation: Conversation) -> None:
    """Give an article its conversation."""
    article.conversation = conversation
    article.comment_count = conversation.known.count
    article.updated = max([article.edited, *([conversation.latest] if conversation.latest else [])])


def register() -> None:
    """Connect to Pelican; it calls this once for each build."""
    signals.generator_init.connect(_prepare_templates)
    signals.article_generator_context.connect(_check_header)
    signals.page_generator_context.connect(_check_page)
    signals.page_generator_finalized.connect(_illustrate)
    signals.static_generator_finalized.connect(_clean_extra)
    signals.all_generators_finalized.connect(_add_facts)
    signals.article_writer_finalized.connect(_write_comment_feeds)
    signals.article_writer_finalized.connect(_write_static)
    signals.article_writer_finalized.connect(_write_images)
    signals.article_writer_finalized.connect(_write_facts)


def _prepare_templates(generator: Generator) -> None:
    """Load templates from this theme alone; Pelican would take a missing one from its own without a word."""
    templates = FileSystemLoader(Path(generator.theme, "templates"))
    generator.env.loader = ChoiceLoader([templates, DictLoader(UNUSED_TEMPLATES)])
    generator.env.globals |= {
        "structured": json_ld,
        "tag": feeds.tag,
        "latest": feeds.latest,
        "feed_entries": feeds.FEED_ENTRIES,
    }
    generator.env.filters["absolute"] = feeds.absolute
    prepare(generator.env)


def _check_header(generator: ArticlesGenerator, metadata: dict[str, Any]) -> None:
    """Refuse an article whose header lacks what its address, its comments or the lists need; Pelican adds the file's name."""
    for key in ("title", "date", "slug", "id", "summary"):
        if not metadata.get(key):
            raise SiteError(f"the header has no {key.capitalize()}; add it")
    metadata["formerly"] = metadata.get("formerly", "").split()
    for former in metadata["formerly"]:
        if cause := redirects.fault(former):
            raise SiteError(f"Formerly {cause}")
    for key, value in [("Slug", metadata["slug"]), ("Id", metadata["id"])]:
        if not ARTICLE_ID.fullmatch(value):
            raise SiteError(f"{key} “{value}” must be small letters, digits and single hyphens, 100 at most")
    _hold_back(generator, metadata)
    # Pelican 4.12 gives published articles one, and then asks drafts for theirs.
    metadata.setdefault("category", Category("articles", generator.settings))


def _check_page(generator: PagesGenerator, metadata: dict[str, Any]) -> None:
    metadata["formerly"] = metadata.get("formerly", "").split()
    for former in metadata["formerly"]:
        if cause := redirects.fault(former, is_page=True):
            raise SiteError(f"Formerly {cause}")
    _hold_back(generator, metadata)


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
    images = Images(
        Path(settings["PATH"]),
        Path(settings["IMAGE_CACHE"]),
        style.light(generator.env, settings["ACCENT"]),
    )
    for content in shown:
        html = ALIGNED.sub(r'\1 class="\2"', content._content)  # as align= is no HTML any more
        content._content = images.illustrate(tables.scrollable(html), Path(content.source_path))
    context["portrait"] = images.portrait(settings["PORTRAIT"])
    if images.faults:
        raise SiteError("\n".join(images.faults))
    context["images"] = images
    context["static_links"] = set()  # what texts link to, the images publish


def _clean_extra(generator: StaticGenerator) -> None:
    """Publish the files of ``content/extra`` without their metadata."""
    images = generator.context["images"]
    for file in generator.staticfiles:
        file.source_path = str(images.clean(Path(generator.path, file.source_path)).absolute())
    for note in images.notes:
        print(note, file=sys.stderr)  # noqa: T201  # a log would make it a fault
    if images.faults:
        raise SiteError("\n".join(images.faults))


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

    stylesheet, static = style.style(generator.env, settings["ACCENT"]), style.static(Path(generator.theme, "static"))
    context["static"] = static
    context["site"] = Site(
        name=settings["SITENAME"],
        language=settings["DEFAULT_LANG"],
        url=settings["SITE_URL"],
        is_preview=settings["PREVIEW"],
        accent=settings["ACCENT"][0],
        accent_dark=settings["ACCENT"][1],
        style=stylesheet,
        desk_style=style.style(generator.env, settings["ACCENT"], "desk/style.css"),
        script=static["loader.js"][0],
        feed_style=static["feed.css"][0],
        headers=style.headers(stylesheet),
        portrait=context["portrait"],
        article_count=min(len(listed), 3),
        redirects=redirects.redirects(shown, [*context["pages"], *context["hidden_pages"]]),
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


def _conversation(article: Article) -> manifest.Conversation:
    return manifest.Conversation(article.title, f"/{article.url}", article.closes.isoformat() if article.closes else "")


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
    # The press links what has not changed where it is.
    generator.context["images"].publish(Path(writer.output_path), getattr(writer, "stands", lambda file: False))


def _write_facts(generator: ArticlesGenerator, writer: Writer) -> None:
    """Hand the facts to the intake, by rename, and beside them to a web server what its configuration includes."""
    context, path = generator.context, Path(generator.settings["SITE_JSON"])
    servers = {
        f"{name}.conf": generator.env.get_template(f"{name}.txt").render(site=context["site"])
        for name in ("caddy", "nginx")
    }
    facts = dumps(replace(context["site"], conversations=context["conversations"], redirects={}))
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, text in (servers | {path.name: facts}).items():
        draft = path.with_name(f".{name}")
        draft.write_text(text, "utf-8")
        draft.replace(path.with_name(name))
