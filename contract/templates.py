"""Jinja environment that draws the theme, in the build and in the web applications, so that all pages are of one site."""

import calendar
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import BaseLoader, Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from contract.comment import READER_FIELDS
from contract.reader_markdown import render

# Handed to Pelican too. Pelican's own default has no autoescape: a commenter called <script> came out live.
JINJA_OPTIONS: dict[str, Any] = {
    "autoescape": select_autoescape(enabled_extensions=("html", "xml"), disabled_extensions=("txt",), default=True),
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
}

MONTHS = tuple(calendar.month_name)


def prepare(environment: Environment) -> None:
    """Give an environment with ``JINJA_OPTIONS`` what the theme's templates call."""
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters["day"] = day
    environment.filters.setdefault("reader_html", reader_html)
    environment.globals["reader_fields"] = READER_FIELDS


def reader_html(text: str, render: Callable[[str], str] = render) -> Markup:
    """Return a reader's words as markup; the one place where sanitised HTML becomes that."""
    return Markup(render(text))  # noqa: S704  # sanitised by render


def environment(loader: BaseLoader) -> Environment:
    """Return the environment that draws the theme outside the build."""
    made = Environment(loader=loader, **JINJA_OPTIONS)  # noqa: S701  # the options have it
    prepare(made)
    return made


@lru_cache(1_000)
def day(date: datetime, timezone: str) -> str:
    """Return the day in the site's own zone, like “22 November 2026”."""
    local = date.astimezone(ZoneInfo(timezone))
    return f"{local.day} {MONTHS[local.month]} {local.year}"
