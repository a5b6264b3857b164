"""Refusals of moderation: a code each, and the words for it in one place."""

_WORDS = {
    "not waiting": "{comment} isn’t waiting: it was decided or deleted since you read it",
    "set aside": "{comment} cannot be read just now, for the inbox is set aside; try again once that is fixed",
    "changed": "{comment} has changed since you read it; read what it says now",
    "unanswerable": "{comment} replies to {cause}, which is not published; reject it, or publish that first",
    "not theirs": "{comment} would replace a comment that is not its writer's; reject it",
    "not published": "{comment} is no longer published",
    "a reader's": "{comment} is a reader's; only its writer can change it",
    "answered": "Someone has replied since; remove it instead",
    "not undoable": "That can’t be undone now: something was decided since",
    "unknown": "{comment} is no comment here",
    "broken": "{comment} cannot be published: {cause}",
    "nobody": "nothing is kept about {comment}",
}


class ModerationError(ValueError):
    """A decision that cannot be carried out; ``code`` says why, ``str()`` what to do, naming the comment by its id.

    ``hint`` is for the command line alone, which has ids where a page has buttons.
    """

    def __init__(self, code: str, id: str = "", cause: str = "", hint: str = "") -> None:
        self.code, self._cause = code, cause
        super().__init__(self.about(id) + hint)

    def about(self, comment: str) -> str:
        """Return the words with a name for the comment that its reader knows."""
        return _WORDS[self.code].format(comment=comment, cause=self._cause)
