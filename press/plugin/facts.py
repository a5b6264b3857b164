"""Facts of a build: what each article and template is given, and what the intake is handed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from pelican.contents import Article, Content
from pelican.generators import Generator

from contract import manifest
from contract.facts import FACTS
from contract.manifest import Site
from contract.templates import day
from press.assets import style
from press.incremental.comments import Conversation
from press.plugin.redirects import redirects

# Of which a fact has the name in small letters.
SETTINGS = (
    *(fact.setting for fact in FACTS if fact.name not in ("sitename", "portrait")),
    "TIMEZONE", "NAME_LENGTH", "COMMENT_LENGTH", "NOTICES",
    "KEEP_ADDRESS_DAYS", "KEEP_REJECTED_DAYS", "KEEP_MESSAGE_DAYS", "KEEP_BACKUP_DAYS",
)  # fmt: skip
ICONS = ("favicon.svg", "favicon.png", "favicon.ico")


@dataclass(frozen=True)
class Neighbour:
    """What an article shows of another: the one before or after it, or itself in another language."""

    title: str
    url: str
    language: str


def now_in(settings: dict[str, Any]) -> datetime:
    """Return what time it is for a build."""
    return settings["NOW"] or datetime.now(UTC)


def set_conversation(article: Article, conversation: Conversation) -> None:
    """Give an article its conversation."""
    article.conversation = conversation
    article.comment_count = conversation.known.count
    article.updated = max([article.edited, *([conversation.latest] if conversation.latest else [])])


def set_languages(settings: dict[str, Any], contents: Iterable[Content]) -> None:
    """Give texts their language, and what there is of each in others: the texts with its slug."""
    pairs: dict[tuple[str, str], list[Content]] = {}
    for content in contents:
        content.language = settings["DEFAULT_LANG"] if content.in_default_lang else content.lang
        pairs.setdefault((type(content).__name__, content.slug), []).append(content)
    for pair in pairs.values():
        for content in pair:
            others = (other for other in pair if other is not content and other.status != "hidden")
            content.in_other_languages = tuple(map(neighbour, others))


def set_facts(settings: dict[str, Any], articles: Iterable[Article]) -> None:
    """Give articles what does not come from their header."""
    now = now_in(settings)
    for article in articles:
        # Pelican's headers “URL:” and “Save_as:”; without them it works the address out each time.
        article.override_url, article.override_save_as = article.url, article.save_as
        article.edited = getattr(article, "modified", article.date)
        article.closes = _closes(article, settings)
        article.is_open = not article.closes or now < article.closes
        article.newer = article.older = None
        article.social = ""


def set_neighbours(articles: list[Article]) -> None:
    """Lead from each article to the one before and after it."""
    for newer, older in pairwise(articles):
        newer.older, older.newer = neighbour(older), neighbour(newer)


def neighbour(content: Content) -> Neighbour:
    """Return what another text shows of this one."""
    return Neighbour(content.title, content.url, content.language)


def site_of(generator: Generator, listed: list[Article], shown: list[Article]) -> Site:
    """Return the facts of the site; the intake's further facts are ``conversation_of`` each article."""
    settings, context, env = generator.settings, generator.context, generator.env
    stylesheet, static = style.style(env, settings["ACCENT"]), context["static"]
    apart = (
        settings["INTAKE"] if "://" in settings["INTAKE"] and not settings["PREVIEW"] else ""
    )  # the preview takes posts itself
    own = {file.save_as for file in context["staticfiles"]}
    return Site(
        name=settings["SITENAME"],
        language=settings["DEFAULT_LANG"],
        url=settings["SITE_URL"],
        intake=settings["INTAKE"] and f"{apart}/comments",
        is_preview=settings["PREVIEW"],
        is_plain_host=settings["PLAIN_HOST"],
        accent=settings["ACCENT"][0],
        accent_dark=settings["ACCENT"][1],
        style=stylesheet,
        desk_style=style.style(env, settings["ACCENT"], "desk/style.css"),
        script=static["comments.js"][0],
        feed_style=static["feed.css"][0],
        headers=style.headers(stylesheet, apart),
        portrait=context["portrait"],
        article_count=min(len(listed), 3),
        icon=next((f"/{name}" for name in ICONS if name in own), static["icon.svg"][0]),
        pages={f"/{page.url}": page.title for page in context["pages"]},
        redirects=redirects([*shown, *context["pages"], *context["hidden_pages"]]),
        **{name.lower(): settings[name] for name in SETTINGS},
    )


def due(contents: Iterable[Content]) -> datetime | None:
    """Return when the site changes by itself: a text that is held back appears, or an open conversation closes.

    It is past already for what falls due during the build, which took it as it was before.
    """
    times = [time for c in contents for time in (c.appears, getattr(c, "is_open", False) and c.closes) if time]
    return min(times, default=None)


def until(content: Content) -> str:
    """Return how long a text is held back."""
    if not content.appears:
        return "a draft"
    return f"until {day(content.appears, content.timezone.key)}, {content.appears:%H:%M}"


def conversation_of(article: Article) -> manifest.Conversation:
    """Return what the intake knows of an article."""
    return manifest.Conversation(article.title, f"/{article.url}", article.closes.isoformat() if article.closes else "")


def _closes(article: Article, settings: dict[str, Any]) -> datetime | None:
    """When an article stops taking comments: by its own header (``Comments: closed``), or so many days after its date."""
    if getattr(article, "comments", "") == "closed":
        return article.date  # type: ignore[no-any-return]  # Pelican ships no types
    days = settings["CLOSE_AFTER_DAYS"]
    return article.date + timedelta(days=days) if days else None
