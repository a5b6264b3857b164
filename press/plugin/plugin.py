"""Pelican plugin: published comments into articles and feeds, the facts of the site into every template.

A file of a comment that breaks a rule is set aside with a line on standard error; every other fault stops the build.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader, Template
from jinja2.runtime import Macro
from pelican import signals
from pelican.contents import Content
from pelican.generators import ArticlesGenerator, Generator, PagesGenerator, StaticGenerator
from pelican.readers import BaseReader, Readers
from pelican.urlwrappers import Category
from pelican.utils import set_date_tzinfo
from pelican.writers import Writer

from contract import atomic
from contract.addresses import rooted
from contract.manifest import Site, dumps
from contract.templates import prepare
from press.assets import style
from press.assets.images import Images
from press.errors import refuse, shown
from press.incremental.comments import Conversations
from press.incremental.parallel import on_every_core
from press.output import feeds, json_ld, tables
from press.output.feeds import Newest
from press.plugin import checks, facts
from press.plugin.reader import MarkdownReader

ALIGNED = re.compile(r'(<t[hd]) align="(left|center|right)"')  # a cell as Markdown writes it
SOCIAL_IMAGES_AT_ONCE = 16
# Pelican loads these even where it writes no such page.
UNUSED_TEMPLATES = {f"{name}.html": "" for name in ("author", "category", "period_archives")}


def register() -> None:
    """Connect to Pelican; it calls this once for each build."""
    signals.readers_init.connect(_use_reader)
    signals.generator_init.connect(prepare_templates)
    signals.article_generator_context.connect(_complete_header)
    signals.page_generator_context.connect(_hold_back)
    signals.article_generator_pretaxonomy.connect(_sort_articles)
    signals.page_generator_finalized.connect(_sort_pages)
    signals.page_generator_finalized.connect(_illustrate)
    signals.static_generator_finalized.connect(_clean_extra)
    signals.all_generators_finalized.connect(_add_facts)
    signals.article_writer_finalized.connect(_write_comment_feeds)
    signals.article_writer_finalized.connect(_write_stubs)
    signals.article_writer_finalized.connect(_write_static)
    signals.article_writer_finalized.connect(_write_images)
    signals.article_writer_finalized.connect(_write_facts)


def _use_reader(readers: Readers) -> None:
    """Read Markdown alone: other formats have headers that nobody checks."""
    readers.reader_classes = {"static": BaseReader, **dict.fromkeys(MarkdownReader.file_extensions, MarkdownReader)}


def prepare_templates(generator: Generator) -> None:
    """Load templates from this theme alone; Pelican would take a missing one from its own without a word."""
    templates = FileSystemLoader(Path(generator.theme, "templates"))
    generator.env.loader = ChoiceLoader([templates, DictLoader(UNUSED_TEMPLATES)])
    prepare(generator.env)
    uuid = checks.feed_uuid(generator.settings)
    generator.env.globals |= {
        "structured": json_ld,
        "feed_id": partial(feeds.feed_id, uuid),
        "comment_feed": partial(feeds.comment_feed, uuid, generator.env.filters["reader_html"]),
        "latest": feeds.latest,
        "feed_entries": feeds.FEED_ENTRIES,
        "once": _once(),
    }
    generator.env.filters["absolute"] = feeds.absolute
    generator.env.filters["rooted"] = rooted
    root = urlsplit(generator.settings["SITE_URL"]).path
    generator.env.template_class = type("Template", (_BelowRoot,), {"root": root})


def _once() -> Callable[[Macro, Site, str], str]:
    """Return what draws a macro for the first article and gives it to all: only the id in it differs."""
    drawn: dict[Macro, str] = {}

    def once(macro: Macro, site: Site, id: str) -> str:
        if macro not in drawn:
            drawn[macro] = macro(site, "{id}")
        return drawn[macro].replace("{id}", id)

    return once


class _BelowRoot(Template):
    """Template of a site below a path, ``root``: the addresses that it writes from the root lead there."""

    root: str

    def render(self, *args: Any, **kwargs: Any) -> str:
        return rooted(super().render(*args, **kwargs), self.root)


def _complete_header(generator: ArticlesGenerator, metadata: dict[str, Any]) -> None:
    _hold_back(generator, metadata)
    # Pelican 4.12 gives published articles one, and then asks drafts for theirs.
    metadata.setdefault("category", Category("articles", generator.settings))


def _hold_back(generator: Generator, metadata: dict[str, Any]) -> None:
    """Make a draft of what has a date to come; Pelican's own WITH_FUTURE_DATES asks the clock, whatever NOW says."""
    date, settings = metadata.get("date"), generator.settings
    metadata["appears"] = None
    metadata.setdefault("formerly", [])
    date = date and set_date_tzinfo(date, settings["TIMEZONE"])
    if date and date > facts.now_in(settings) and metadata.get("status") != "draft":
        metadata |= {"status": "draft", "appears": date}


def _sort_articles(generator: ArticlesGenerator) -> None:
    """Let articles of one date be in a certain order; Pelican reads them in none."""
    for articles in (generator.articles, generator.hidden_articles, generator.drafts):
        articles.sort(key=_address)
        articles.sort(key=lambda article: article.date, reverse=True)


def _sort_pages(generator: PagesGenerator) -> None:
    for pages in (generator.pages, generator.hidden_pages, generator.draft_pages):
        pages.sort(key=_address)


def _address(content: Content) -> tuple[str, str]:
    return content.slug, content.lang


def _illustrate(generator: PagesGenerator) -> None:
    """Put their images into the texts that a reader can see, and let these alone bring files along; Pelican copies those of drafts too."""
    settings, context = generator.settings, generator.context
    kinds = ["articles", "hidden_articles", "pages", "hidden_pages"]
    kinds += ["drafts", "draft_pages"] if settings["PREVIEW"] else []
    visible: list[Content] = [content for kind in kinds for content in context[kind]]
    images = Images(
        Path(settings["PATH"]),
        Path(settings["IMAGE_CACHE"]),
        style.light(generator.env, settings["ACCENT"]),
        style.constants(generator.env, settings["ACCENT"]),
    )
    for content in visible:
        html = content._content
        if "<table" in html:
            html = tables.scrollable(ALIGNED.sub(r'\1 class="\2"', html))  # as align= is no HTML any more
        content._content = images.illustrate(html, Path(content.source_path))
    context["portrait"] = images.portrait(settings["PORTRAIT"])
    refuse(images.faults)
    context["images"] = images
    context["static_links"] = set()  # what texts link to, the images publish


def _clean_extra(generator: StaticGenerator) -> None:
    """Publish the files of ``content/extra`` without their metadata."""
    images = generator.context["images"]
    odd = [file for file in generator.staticfiles if not Path(generator.path, file.source_path).is_file()]
    refuse(f"{checks.source(file)}: this is no ordinary file; delete it" for file in odd)
    for file in generator.staticfiles:
        file.source_path = str(images.clean(Path(generator.path, file.source_path)).absolute())
    for note in images.notes:
        print(note, file=sys.stderr)  # noqa: T201  # a log would make it a fault
    refuse(images.faults)


def _add_facts(generators: list[Generator]) -> None:
    """Check the site as a whole; give each article its conversation and every template the facts of the site."""
    generator = next(g for g in generators if isinstance(g, ArticlesGenerator))
    settings, context = generator.settings, generator.context
    listed, hidden, drafts = generator.articles, generator.hidden_articles, generator.drafts
    pages, draft_pages = [*context["pages"], *context["hidden_pages"]], context["draft_pages"]
    visible = [*listed, *hidden, *(drafts if settings["PREVIEW"] else [])]
    checks.check_settings(settings)
    checks.check_ids([*listed, *hidden, *drafts])
    checks.check_tags([*listed, *hidden, *drafts])
    facts.set_languages(settings, [*visible, *pages, *(draft_pages if settings["PREVIEW"] else [])])
    facts.set_facts(settings, visible)
    checks.check_addresses(settings, [*pages, *visible, *context["staticfiles"]], draft_pages)
    facts.set_neighbours(listed)
    drawing = _add_social_images(generator, visible) if settings["SOCIAL_IMAGES"] else iter(())
    next(drawing, None)  # forks go on with it, and this process with the conversations
    add_conversations(settings, visible)
    list(drawing)

    icon = generator.env.get_template("icon.svg").render(light=context["images"].light)
    feed_style = style.style(generator.env, settings["ACCENT"], "feed.css")
    context["static"] = style.static(Path(generator.theme, "static"), {"feed.css": feed_style, "icon.svg": icon})
    context["site"] = facts.site_of(generator, listed, visible)
    held_back = [*drafts, *draft_pages]
    context["held_back"] = sorted((checks.source(content), facts.until(content)) for content in held_back)
    context["due"] = facts.due([*visible, *held_back])
    context["drafts"] = drafts if settings["PREVIEW"] else []  # not even a template sees them
    context["conversations"] = {article.id: facts.conversation_of(article) for article in visible}
    context["comment_entries"] = Newest(listed)


def add_conversations(settings: dict[str, Any], articles: list[Content]) -> None:
    conversations = settings.get("CONVERSATIONS") or Conversations(Path(settings["PATH"], "comments"))
    conversations.scan()
    for problem in conversations.problems:
        print(f"set aside: {shown(problem.path)}: {problem.cause}", file=sys.stderr)  # noqa: T201  # a log would make it a fault
    for article in articles:
        facts.set_conversation(article, conversations[article.id])


def _add_social_images(generator: ArticlesGenerator, articles: list[Content]) -> Iterator[None]:
    """Give articles their images, part by part."""
    from press.assets import og_image  # with libraries that a run without Pelican needs not

    images, name = generator.context["images"], og_image.shown(generator.settings["SITENAME"])
    ground = generator.env.get_template("social.svg").render(light=images.light, site_name=name)
    social = og_image.SocialImages(images, ground)
    titles = list(dict.fromkeys(article.title for article in articles))
    missing = social.missing(titles)
    social.draw_all(missing[:1])  # with the ground, which every fork would draw again
    for part in on_every_core(social.draw_all, missing, SOCIAL_IMAGES_AT_ONCE):  # into the folder of images
        if "PRESS" in generator.settings:
            generator.settings["PRESS"].progress("drawing social images", len(part), len(missing))
        yield
    drawn = social.draw_all(titles)
    for article in articles:
        article.social = drawn[article.title]


def _write_comment_feeds(generator: ArticlesGenerator, writer: Writer) -> None:
    template = generator.get_template("comments")
    for article in [*generator.articles, *generator.hidden_articles]:
        file, entries = f"{article.url}comments.xml", Newest([article])
        writer.write_file(file, template, generator.context, article=article, comment_entries=entries)


def _write_stubs(generator: ArticlesGenerator, writer: Writer) -> None:
    """Lead on from former addresses by pages, where the host has no redirects; a query or a feed's address cannot be a page."""
    site = generator.context["site"]
    if not site.is_plain_host:
        return
    addresses = {
        old.strip("/"): new for old, new in site.redirects.items() if not re.search(r"\?|\.xml$|//|/\.\.?(/|$)", old)
    }
    for old, new in addresses.items():
        file = old if old.endswith((".html", ".htm")) else f"{old}/index.html"
        writer.write_file(file, generator.get_template("moved"), generator.context, address=new)


def _write_static(generator: ArticlesGenerator, writer: Writer) -> None:
    for address, data in generator.context["static"].values():
        path = Path(writer.output_path + address)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _write_images(generator: ArticlesGenerator, writer: Writer) -> None:
    # The press links what has not changed where it is.
    generator.context["images"].publish(Path(writer.output_path), getattr(writer, "is_kept", lambda file: False))


def _write_facts(generator: ArticlesGenerator, writer: Writer) -> None:
    """Hand the facts to the intake, by rename, and beside them to a web server what its configuration includes."""
    context, path = generator.context, Path(generator.settings["SITE_JSON"])
    site = context["site"]
    names = dict.fromkeys(("caddy", "nginx"), site.intake_path)
    if site.is_apart:
        names |= dict.fromkeys(("talk-caddy", "talk-nginx"), site.intake)
    written = {
        f"{name}.conf": generator.env.get_template(f"{name}.txt").render(site=replace(site, intake=intake))
        for name, intake in names.items()
    }
    if site.is_apart:  # whose host shows these, with all that they lead to on the site
        for name in ("404", "502"):
            page = generator.env.get_template(f"{name}.html").render(site=site.elsewhere)
            written[f"talk-{name}.html"] = rooted(page, site.origin)
    written[path.name] = dumps(replace(site, conversations=context["conversations"], redirects={}))
    for name, text in written.items():
        atomic.write(path.with_name(name), text.encode(), is_durable=False)
