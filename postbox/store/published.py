"""Index of the published comments: where each lies and how old it is, so that no list reads them all.

A folder is read again when its time has changed, which every file that comes, goes or is replaced by rename changes.
"""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from contract.comment import Comment, CommentError, read

_UNDATED = datetime.min.replace(tzinfo=UTC)


class PublishedComments:
    """The folder of published comments, for all threads of a process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._folders: dict[str, tuple[int, dict[str, datetime]]] = {}  # its time; when each comment is from

    def article_of(self, id: str) -> str | None:
        """Return the article in whose folder a file of this id lies, if there is one."""
        for _ in range(2):
            for article, (_, known) in self._folders.items():
                if id in known and (self._root / article / f"{id}.md").exists():
                    return article
            self._scan()
        return None

    def newest(self, *, limit: int, offset: int = 0) -> list[Comment]:
        """Return some of the comments, the newest first, those without a date last."""
        dated = [(date, id, article) for article, (_, ids) in self._scan().items() for id, date in ids.items()]
        dated.sort(reverse=True)
        places = dated[offset:] if limit < 0 else dated[offset : offset + limit]
        found = (self._read(self._root / article / f"{id}.md") for _, id, article in places)
        return [comment for comment in found if comment]

    def count(self) -> int:
        """Return how many there are."""
        return sum(len(ids) for _, ids in self._scan().values())

    def _scan(self) -> dict[str, tuple[int, dict[str, datetime]]]:
        with self._lock:
            folders: dict[str, tuple[int, dict[str, datetime]]] = {}
            for entry in os.scandir(self._root) if self._root.is_dir() else ():
                if entry.is_dir(follow_symlinks=False):
                    time = entry.stat(follow_symlinks=False).st_mtime_ns
                    known = self._folders.get(entry.name)
                    is_known = known and known[0] == time
                    folders[entry.name] = known if known and is_known else (time, self._read_folder(Path(entry.path)))
            self._folders = folders
            return folders

    def _read_folder(self, folder: Path) -> dict[str, datetime]:
        comments = (self._read(path) for path in folder.glob("*.md"))
        return {comment.id: comment.date or _UNDATED for comment in comments if comment}

    @staticmethod
    def _read(path: Path) -> Comment | None:
        """Return a comment that can be read and was not removed."""
        try:
            comment = read(path)
        except (CommentError, OSError):
            return None
        return None if comment.removed else comment
