"""The facts of the site, then how the engine is set.

What a person would change of the facts stands in content/site.toml; templates, feeds and structured data read all of them.
"""

import logging
import os
from pathlib import Path

from contract import facts
from contract.comment import IGNORED
from contract.templates import JINJA_OPTIONS

# The facts

PATH = os.environ.get("SITE_CONTENT", "content")
globals().update(facts.settings(Path(__file__).parent / PATH))  # SITENAME, TAGLINE, AUTHOR, TELEPHONE, HOURS …
DEFAULT_LANG = "en-GB"
TIMEZONE = "Europe/London"
LOCALE = ["C.UTF-8", "C"]  # the same bytes on a machine of another language
SOCIAL_IMAGES = True  # a picture for each article, where a link to it is shared
ACCENT = ("#0e5c52", "#82d3c1")  # links and buttons, on light paper and on dark

FEED_UUID = (
    "509ad31e-ae37-4c98-b4c3-b109e63d95de"  # names the site in its feeds for ever; for another site make another
)
HEADER_KEYS: list[
    str
] = []  # keys of your own in the headers of articles and pages: "Mood" is {{ article.mood }} in a template

# Comments

INTAKE = "/comments"  # where the intake answers, or a host of its own, like https://talk.example.org; empty for no form
NAME_LENGTH = 80  # characters, as a browser counts them
COMMENT_LENGTH = 4000
CLOSE_AFTER_DAYS = 0  # a conversation closes so many days after its article's date; 0 for never

# Private data

NOTICES = True  # readers can leave an email address and hear when their comment is published or answered
KEEP_ADDRESS_DAYS = 365  # an email address, and what recognises a form sent twice, after the last decision
KEEP_REJECTED_DAYS = 30  # words that are on no page, after the last decision; an address that nobody confirms
KEEP_MESSAGE_DAYS = 365  # what came through the contact form
KEEP_BACKUP_DAYS = 30  # how long you yourself keep backups, for the privacy page; 0 if you make none

# The engine

SITE_URL = "http://localhost:8000"
SITEURL = ""  # so that Pelican's own links start at the root
PLAIN_HOST, SITE_PUSH = False, ""  # publishconf.py takes them from the environment
NOW = None  # a datetime in place of the clock, for the same bytes on another day
PREVIEW = False  # True shows drafts and future articles, marked
OUTPUT_PATH = "output"
SITE_JSON = "var/site/site.json"  # what the intake reads
PROOFS = "var/proofs"  # pages of unfinished texts, which the desk asks for and the press draws
PRESS_CACHE = "var/press/cache"  # what the last build knew; can be deleted at any time
IMAGE_CACHE = "var/press/images"  # what was made of images, by the hash of their content; can be deleted at any time
LOG_FILTER = [  # of these the press says where they are, and the cure
    (logging.WARNING, "Empty alt attribute for image %s in %s"),
    (logging.WARNING, 'Unable to generate valid slug for %s "%s".'),
]
THEME = "theme"
THEME_STATIC_PATHS: list[str] = []  # the plugin writes the script, under a name with its hash
TEMPLATE_EXTENSIONS = [".html", ".xml", ".txt"]
JINJA_ENVIRONMENT = JINJA_OPTIONS
PLUGINS = ["press.plugin"]
MARKDOWN = {
    "output_format": "html5",
    "extensions": [
        "markdown.extensions.extra",
        "markdown.extensions.sane_lists",
        "press.plugin.lists",
        "press.plugin.plain_text",
    ],
    # Aligned columns as an attribute, of which press.plugin makes a class: a style attribute is a policy error.
    "extension_configs": {"markdown.extensions.extra": {"tables": {"use_align_attribute": True}}},
}
FORMATTED_FIELDS: list[str] = []  # the summary is plain text

IGNORE_FILES = list(IGNORED)
ARTICLE_PATHS = ["articles"]  # the default would read every comment as an article
PAGE_PATHS = ["pages"]
STATIC_PATHS = ["extra"]  # and what published texts link to with {static}
PATH_METADATA = r"extra/(?P<save_as>.+)"  # files of extra/ go to the root of the site
USE_FOLDER_AS_CATEGORY = False
WITH_FUTURE_DATES = True  # press.plugin makes them drafts, by NOW

ARTICLE_URL = "articles/{slug}/"
ARTICLE_SAVE_AS = "articles/{slug}/index.html"
ARTICLE_LANG_URL = "articles/{lang}/{slug}/"
ARTICLE_LANG_SAVE_AS = "articles/{lang}/{slug}/index.html"
PAGE_URL = "{slug}/"
PAGE_SAVE_AS = "{slug}/index.html"
PAGE_LANG_URL = "{lang}/{slug}/"
PAGE_LANG_SAVE_AS = "{lang}/{slug}/index.html"
DRAFT_URL = DRAFT_PAGE_URL = "drafts/{slug}/"
DRAFT_LANG_URL = DRAFT_PAGE_LANG_URL = "drafts/{lang}/{slug}/"
DRAFT_SAVE_AS = DRAFT_PAGE_SAVE_AS = DRAFT_LANG_SAVE_AS = DRAFT_PAGE_LANG_SAVE_AS = ""
ARTICLE_TRANSLATION_ID = PAGE_TRANSLATION_ID = (
    None  # each is listed like any other; press.plugin pairs those of one slug
)
AUTHOR_SAVE_AS = CATEGORY_SAVE_AS = ""
TAG_URL = "articles/about/{slug}/"
TAG_SAVE_AS = "articles/about/{slug}/index.html"
FEED_ALL_ATOM = CATEGORY_FEED_ATOM = TRANSLATION_FEED_ATOM = AUTHOR_FEED_ATOM = AUTHOR_FEED_RSS = (
    None  # the theme has its own
)

DIRECT_TEMPLATES = [
    "index",
    "archives",
    "contact",
    "privacy",
    "404",
    "502",
    "feed",
    "comments",
    "sitemap",
    "robots",
    "headers",
    "redirects",
]
ARCHIVES_URL = "articles/"
ARCHIVES_SAVE_AS = "articles/index.html"
CONTACT_SAVE_AS = "contact/index.html"
PRIVACY_SAVE_AS = "privacy/index.html"
FEED_SAVE_AS = "feed.xml"
COMMENTS_SAVE_AS = "comments.xml"
SITEMAP_SAVE_AS = "sitemap.xml"
ROBOTS_SAVE_AS = "robots.txt"
HEADERS_SAVE_AS = "_headers"
REDIRECTS_SAVE_AS = "_redirects"
PAGINATED_TEMPLATES = {"archives": 100}
PAGINATION_PATTERNS = [
    (1, "articles/", "articles/index.html"),
    (2, "articles/page/{number}/", "articles/page/{number}/index.html"),
]
