"""Order of a conversation, and the files that it is read from.

A file that breaks a rule is set aside and takes no other along: its replies stay, below a placeholder.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contract.comment import FILE_BYTES, Comment, CommentError, is_ours, path_of, read, read_file


@dataclass(frozen=True)
class Problem:
    """A file that was set aside, and why: the line, what was found and the cure."""

    path: Path
    cause: str

    def __str__(self) -> str:
        return f"{self.path}: {self.cause}"


@dataclass(frozen=True)
class Entry:
    """One place in a conversation; ``depth`` is 0 for a comment on the article itself.

    An ``is_missing`` comment is a placeholder: its file was set aside, and its replies stand below.
    """

    comment: Comment
    depth: int
    parent: Comment | None
    is_missing: bool


def read_all(root: Path) -> tuple[dict[str, list[Entry]], list[Problem]]:
    """Read every comment below ``root``.

    Returns:
        The conversation of each article id in reading order, and the files set aside.
        A file set aside takes no other along: its replies stay, below a placeholder.
    """
    folders: dict[Path, list[Path]] = {}
    for path in sorted(filter(lambda path: is_ours(path.name), root.rglob("*.md"))):
        folders.setdefault(path.parent, []).append(path)
    conversations: dict[str, list[Entry]] = {}
    problems: list[Problem] = []
    taken: dict[str, str] = {}
    for folder, paths in folders.items():
        comments, faults = gather(root, folder, [path.name for path in paths], taken)
        problems += faults
        if comments:
            conversations[folder.name] = list(thread(comments))
    return conversations, problems


def _read(folder: Path, name: str) -> Comment:
    return read(folder / name)


def gather(
    root: Path,
    folder: Path,
    names: Iterable[str],
    taken: dict[str, str],
    read: Callable[[Path, str], Comment] = _read,
) -> tuple[list[Comment], list[Problem]]:
    """Read the files of one folder below ``root``, in their order.

    Args:
        root: the folder of all comments.
        folder: the folder.
        names: its files.
        taken: for the ids of comments in folders before this one, their articles; those of this one are added.
        read: how a file is read, of a folder and a name.

    Returns:
        The comments that can stand, and the files set aside.
    """
    comments: dict[str, Comment] = {}
    problems: list[Problem] = []
    places = set()
    is_place = folder.parent == root
    for name in names:
        places.add(name.removesuffix(".md"))
        try:
            comment = read(folder, name)
            if not is_place:
                raise CommentError(f"line 1: files lie at {comment.article}/{comment.id}.md; move it there")
            if taken.setdefault(comment.id, comment.article) != comment.article:
                cause = f"line 1: Id {comment.id} is also in {taken[comment.id]}/{comment.id}.md"
                raise CommentError(f"{cause}; give one of them an Id of its own")
        except (CommentError, OSError) as error:
            problems.append(Problem(folder / name, str(error)))
            continue
        comments[comment.id] = comment
    astray = {
        c.id: f"Reply-To {c.reply_to} is no comment of this article; correct or delete the line"
        for c in comments.values()
        if c.reply_to and c.reply_to not in places
    }
    astray |= dict.fromkeys(
        _cycle(comments.values()), "Reply-To leads back to this comment; correct or delete the line"
    )
    for id, cause in astray.items():
        path = path_of(root, comments.pop(id).article, id)
        text = read_file(path, FILE_BYTES).decode("utf-8-sig", "replace")
        before, _, _ = f"\n{text}".partition("\nReply-To:")
        line = before.count("\n") + 1
        problems.append(Problem(path, f"line {line}: {cause}"))
    return list(comments.values()), problems


def thread(comments: Collection[Comment]) -> Iterator[Entry]:
    """Yield one article's comments in reading order, each before its replies; a chain of any length will do.

    Within a parent the undated come first, by id, then the dated, by date and id.
    A removed comment stays only where a reply still hangs on it.
    A reply to an id that is not among ``comments`` stands below a placeholder.
    """
    known = {c.id: c for c in comments}
    absent = {
        c.reply_to: Comment(id=c.reply_to, article=c.article, removed="yes")
        for c in comments
        if c.reply_to and c.reply_to not in known
    }
    everyone = known | absent
    shown: set[str] = set()
    for comment in known.values():
        place: Comment | None = None if comment.removed else comment
        while place and place.id not in shown:
            shown.add(place.id)
            place = everyone.get(place.reply_to or "")
    replies: dict[str | None, list[Comment]] = {}
    for id in shown:
        replies.setdefault(everyone[id].reply_to, []).append(everyone[id])
    for siblings in replies.values():
        siblings.sort(key=lambda c: (c.date is not None, c.date, c.id), reverse=True)
    stack = [(comment, 0) for comment in replies.get(None, [])]
    while stack:
        comment, depth = stack.pop()
        yield Entry(comment, depth, everyone.get(comment.reply_to or ""), comment.id in absent)
        stack += [(reply, depth + 1) for reply in replies.get(comment.id, [])]


def count(conversation: Iterable[Entry]) -> int:
    """Return how many comments there are to read."""
    return sum(not entry.comment.removed for entry in conversation)


def _cycle(comments: Iterable[Comment]) -> list[str]:
    """Return the ids that can be reached from themselves: what is left once every end of a chain is taken away."""
    parents = {c.id: c.reply_to for c in comments}
    replies = Counter(parents.values())
    ends = [id for id in parents if not replies[id]]
    while ends:
        parent = parents.pop(ends.pop())
        replies[parent] -= 1
        if parent in parents and not replies[parent]:
            ends.append(parent)
    return list(parents)
