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
from tests.support.engines import Overrides
from tests.support.facts import a_site
from tests.support.place import ARTICLE, ROOT
from tests.support.store import KEYS, NOW, Clock, a_submission, add, dump

SITE = a_site(author="David")


@pytest.fixture
def settings(tmp_path: Path, engine: Overrides) -> Settings:
    """Settings of a place with the shipped comments and the facts of a site."""
    return a_place(tmp_path, **engine)


def a_place(folder: Path, **settings: Any) -> Settings:
    """Make a place with the shipped comments and the facts of a site; return its settings."""
    made = Settings(content=folder / "content", var=folder / "var", **settings)
    (made.comments / ARTICLE).mkdir(parents=True)
    for id in ("0001", "0002"):
        shutil.copy(ROOT / "content/comments" / ARTICLE / f"{id}.md", made.comments / ARTICLE)
    made.site.parent.mkdir(parents=True)
    made.site.write_text(site_dumps(SITE), "utf-8")
    return made


class House:
    """A place in which readers write and David decides, each at the same moment."""

    now = NOW

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.moderation = Moderation.open(settings)
        self.review = self.moderation.review
        self.inbox = self.moderation.work.inbox
        self.decisions = self.moderation.work.decisions
        self.by: dict[str, Any] = {"who": "David", "now": self.now}

    def send(self, **fields: Any) -> str:
        """Send a comment; return its id."""
        return add(self.inbox, self.now, key=next(KEYS), **({"article": ARTICLE} | fields))

    def change(self, id: str, body: str, **fields: Any) -> None:
        """Change a comment, as its writer does."""
        with transaction(self.inbox.connection):
            self.inbox.change(id, a_submission(**{"article": ARTICLE, "body": body} | fields), self.now, ())

    def delete(self, id: str) -> None:
        """Delete a comment, as its writer does."""
        with transaction(self.inbox.connection):
            self.inbox.delete(id)

    def published(self, **fields: Any) -> str:
        """Send a comment and publish it; return its id."""
        id = self.send(**fields)
        self.approve(id)
        return id

    def name(self, id: str) -> str:
        """Return what a decision on what waits of a comment carries."""
        [name] = [item.name for item in self.review.history(id) if item.revision.state == "waiting"]
        return name

    def seen(self, id: str) -> str:
        """Return what a decision on a published comment carries."""
        return self.review.seen(self.comment(id))

    def approve(self, id: str) -> int:
        """Publish what waits of a comment."""
        return self.moderation.approve(self.name(id), **self.by)

    def reject(self, id: str, reason: str = "") -> int:
        """Reject what waits of a comment."""
        return self.moderation.reject(self.name(id), reason=reason, **self.by)

    def answer(self, id: str, words: str) -> int:
        """Answer a comment as David."""
        return self.moderation.answer(ARTICLE, id, words, **self.by)

    def edit(self, id: str, words: str, *, seen: str) -> int:
        """Edit a comment of David's."""
        return self.moderation.edit(ARTICLE, id, words, seen=seen, **self.by)

    def remove(self, id: str) -> int:
        """Take a published comment off its page."""
        return self.moderation.remove(ARTICLE, id, seen=self.seen(id), **self.by)

    def undo(self, sequence: int) -> int:
        """Undo a decision."""
        return self.moderation.undo(sequence, **self.by)

    def forget(self, id: str) -> None:
        """Erase a comment."""
        self.moderation.forget(id, **self.by)

    def carry_out_deletions(self) -> int:
        """Take off their pages what their writers deleted."""
        return self.moderation.carry_out_deletions(now=self.now)

    def file(self, id: str) -> Path:
        """Return where a comment's file lies once it is published."""
        return file_of(self.settings, id)

    def comment(self, id: str) -> Comment:
        """Return a comment's file."""
        return read(self.file(id))

    def files(self) -> dict[str, bytes]:
        """Return every file of the content folder."""
        return files(self.settings)

    def everywhere(self) -> bytes:
        """Return the bytes of every file there is."""
        return everywhere(self.settings)

    def states(self) -> list[tuple[str, int, str, str]]:
        """Return what the inbox says became of every revision."""
        return [(r.id, r.number, r.state, r.reason) for r in self.inbox.everything()]


@pytest.fixture
def house(settings: Settings) -> House:
    """A place in which nothing was written yet."""
    return House(settings)


def by(clock: Clock) -> dict[str, Any]:
    """Return who decides, and when."""
    return {"who": "David", "now": clock()}


def a_waiting(settings: Settings, clock: Clock, **fields: str | None) -> str:
    """Put a comment in the inbox; return its id."""
    return add(Inbox.open(settings), clock(), key=next(KEYS), **({"article": ARTICLE} | fields))  # type: ignore[arg-type]


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
    inbox = Inbox.open(settings)
    with transaction(inbox.connection):
        inbox.change(id, a_submission(article=ARTICLE, body=body), clock(), ())


def delete(settings: Settings, id: str) -> None:
    """Delete a comment, as its writer does."""
    inbox = Inbox.open(settings)
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
    moderator, inbox = Moderation.open(settings), Inbox.open(settings)
    for id in {revision.id for revision in inbox.everything()}:
        of_page = [r for r in inbox.revisions(id) if r.state in ("published", "removed")]
        shown = of_page[-1].body if of_page and of_page[-1].state == "published" else None
        comment = moderator.review.find(id)
        assert (comment.body if comment else None) == shown
        assert sum(r.state == "waiting" for r in inbox.revisions(id)) <= 1


def everywhere(settings: Settings) -> bytes:
    """Return the bytes of every file there is, what lies beside the databases included, and of PostgreSQL's rows."""
    folder, rows = settings.var.parent, dump(settings) if settings.postgresql else []
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()) + "".join(rows).encode()
