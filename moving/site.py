"""The site that is moved into: its settings, what stands in it already, and the one way in which a file is added.

Pelican's settings are a Python file of plain values; run as that, it needs no Pelican.
"""

import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from contract import atomic
from contract.comment import Comment, CommentError, path_of, read
from contract.facts import FactsError
from moving.records import MovingError
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.erasures import Erasures
from postbox.store.submissions import Inbox, Submission

HEADER_CHARACTERS = 64 * 1024
OWN_FOLDERS = {"theme", "images", "files", "comments", "drafts", "preview"}


@dataclass(frozen=True)
class Standing:
    """An article or a page that stands here; ``path`` is below content/, ``date`` as it is written."""

    kind: str
    path: str
    id: str
    slug: str
    formerly: tuple[str, ...]
    date: str
    tags: tuple[str, ...]


class Site:
    """What stands; and what is written, all of it or nothing and over nothing, unless ``is_dry``."""

    def __init__(self, folder: Path, settings: Settings, *, is_dry: bool) -> None:
        """Read what is there.

        Raises:
            MovingError: if the folder holds no site, or the facts of it are wrong.
        """
        config = folder / "pelicanconf.py"
        if not config.is_file():
            raise MovingError(f"there is no {config}; run this in the folder of the site")
        try:
            self.config: dict[str, Any] = runpy.run_path(str(config))
        except FactsError as error:
            raise MovingError(str(error)) from None
        self.timezone = ZoneInfo(self.config["TIMEZONE"])
        self.content, self._settings, self._is_dry = settings.content, settings, is_dry
        self.standing = [*self._texts("article", "articles"), *self._texts("page", "pages")]
        self.comments = {path.stem: path.parent.name for path in settings.comments.glob("*/*.md")}
        has_erased = (settings.erased / "log").exists()
        self.erased = Erasures(settings.erased).of("comment") if has_erased else set()
        is_made = (settings.inbox / "inbox.sqlite").exists()
        self._inbox = Inbox.open(settings) if settings.postgresql or is_made or not is_dry else None
        self.at_desk = self._at_desk()

    def close(self) -> None:
        """Close the inbox."""
        if self._inbox:
            self._inbox.connection.close()

    @property
    def taken(self) -> set[str]:
        """The first parts of addresses at the root that are the site's own."""
        made = {
            str(value).partition("/")[0] for key, value in self.config.items() if key.endswith("_SAVE_AS") and value
        }
        extra = self.content / "extra"
        return made | OWN_FOLDERS | ({path.name for path in extra.iterdir()} if extra.is_dir() else set())

    def article_path(self, slug: str) -> str:
        """Return the path of an article's page from the root."""
        return "/" + str(self.config["ARTICLE_URL"]).format(slug=slug)

    def page_path(self, slug: str) -> str:
        """Return the path of a page from the root."""
        return "/" + str(self.config["PAGE_URL"]).format(slug=slug)

    # Files

    def has(self, path: str) -> bool:
        """Tell whether a file stands; an empty one is what a power cut left."""
        file = self.content / path
        return file.exists() and file.stat().st_size > 0

    def text(self, path: str) -> str:
        """Return the text of a file that stands."""
        return (self.content / path).read_text("utf-8", errors="replace")

    def write(self, path: str, data: bytes) -> None:
        """Add a file whole, by rename; a draft that an interruption left is written over."""
        if self._is_dry:
            return
        atomic.write(self.content / path, data, is_durable=False)

    # Comments

    def comment(self, article: str, id: str) -> Comment | None:
        """Return a comment that stands, also one that was removed; None if there is none that can be read."""
        try:
            return read(path_of(self.content / "comments", article, id))
        except (CommentError, OSError):
            return None

    def comments_of(self, article: str) -> list[Comment]:
        """Return the comments on an article that stand and can be read, but for those removed."""
        found = (self.comment(article, path.stem) for path in (self.content / "comments" / article).glob("*.md"))
        return [comment for comment in found if comment and not comment.removed]

    def hold(self, comment: Comment, received: datetime, held: tuple[str, ...]) -> None:
        """Put a comment before the desk."""
        if self._is_dry or not self._inbox:
            return
        words = Submission(article=comment.article, reply_to=comment.reply_to, **comment.words)
        with transaction(self._inbox.connection):
            self._inbox.add_known(comment.id, words, received, held)

    # How

    def _at_desk(self) -> dict[str, str]:
        if not self._inbox:
            return {}
        rows = self._inbox.connection.execute("SELECT comment, state FROM revision ORDER BY number")
        return {str(row["comment"]): str(row["state"]) for row in rows}

    def _texts(self, kind: str, folder: str) -> Iterator[Standing]:
        for path in sorted((self.content / folder).rglob("*.md")):
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                head = file.read(HEADER_CHARACTERS).partition("\n\n")[0]
            fields = {
                key.lower(): value.strip()
                for key, value in re.findall(r"^([A-Za-z-]+)[ \t]*:(.*)$", head, re.MULTILINE)
            }
            yield Standing(
                kind=kind,
                path=path.relative_to(self.content).as_posix(),
                id=fields.get("id", ""),
                slug=fields.get("slug", ""),
                formerly=tuple(fields.get("formerly", "").split()),
                date=fields.get("date", ""),
                tags=tuple(tag for tag in re.split(r"\s*[,;]\s*", fields.get("tags", "")) if tag),
            )
