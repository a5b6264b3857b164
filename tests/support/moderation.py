"""Place without a build, and what readers and the author do in it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from contract.comment import Comment, path_of, read
from contract.manifest import dumps as site_dumps
from contract.thread import read_all
from postbox.moderation.review import ReviewItem
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from postbox.store.database import transaction
from postbox.store.submissions import Inbox
from tests.support.facts import a_site
from tests.support.place import ARTICLE, ROOT
from tests.support.store import KEYS, Clock, a_submission, add

SITE = a_site(author="David")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a place with the shipped comments and the facts of a site."""
    return a_place(tmp_path)


def a_place(folder: Path) -> Settings:
    """Make a place with the shipped comments and the facts of a site; return its settings."""
    settings = Settings(content=folder / "content", var=folder / "var")
    (settings.comments / ARTICLE).mkdir(parents=True)
    for id in ("0001", "0002"):
        shutil.copy(ROOT / "content/comments" / ARTICLE / f"{id}.md", settings.comments / ARTICLE)
    settings.site.parent.mkdir(parents=True)
    settings.site.write_text(site_dumps(SITE), "utf-8")
    return settings


def by(clock: Clock) -> dict[str, Any]:
    """Return who decides, and when."""
    return {"who": "David", "now": clock()}


def a_waiting(settings: Settings, clock: Clock, **fields: str | None) -> str:
    """Put a comment in the inbox; return its id."""
    return add(Inbox(settings.inbox), clock(), key=next(KEYS), **({"article": ARTICLE} | fields))  # type: ignore[arg-type]


def the_one_waiting(moderator: Moderation, id: str) -> ReviewItem:
    """Return the revision of a comment that waits."""
    [item] = [item for item in moderator.review.history(id) if item.revision.state == "waiting"]
    return item


def a_published(settings: Settings, clock: Clock, **fields: str | None) -> str:
    """Put a comment in the inbox and publish it; return its id."""
    id = a_waiting(settings, clock, **fields)
    moderator = Moderation.open(settings)
    moderator.approve(the_one_waiting(moderator, id).name, **by(clock))
    return id


def change(settings: Settings, clock: Clock, id: str, body: str) -> None:
    """Change a comment, as its writer does."""
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.change(id, a_submission(article=ARTICLE, body=body), clock(), ())


def delete(settings: Settings, id: str) -> None:
    """Delete a comment, as its writer does."""
    inbox = Inbox(settings.inbox)
    with transaction(inbox.connection):
        inbox.delete(id)


def file_of(settings: Settings, id: str) -> Path:
    """Return where a comment's file lies once it is published."""
    return path_of(settings.comments, ARTICLE, id)


def published(settings: Settings, id: str) -> Comment:
    """Return a comment's file."""
    return read(file_of(settings, id))


def files(settings: Settings) -> dict[str, bytes]:
    """Return every file of the content folder."""
    return {str(p.relative_to(settings.content)): p.read_bytes() for p in settings.content.rglob("*") if p.is_file()}


def assert_page_and_inbox_agree(settings: Settings) -> None:
    """The page shows the words that the inbox says it shows, and every file can be read."""
    assert read_all(settings.comments)[1] == []
    moderator, inbox = Moderation.open(settings), Inbox(settings.inbox)
    for id in {revision.id for revision in inbox.everything()}:
        of_page = [r for r in inbox.revisions(id) if r.state in ("published", "removed")]
        shown = of_page[-1].body if of_page and of_page[-1].state == "published" else None
        comment = moderator.review.find(id)
        assert (comment.body if comment else None) == shown
        assert sum(r.state == "waiting" for r in inbox.revisions(id)) <= 1


def everywhere(settings: Settings) -> bytes:
    """Return the bytes of every file there is, what lies beside the databases included."""
    folder = settings.var.parent
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
