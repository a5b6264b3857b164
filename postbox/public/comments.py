"""Pages on which a reader joins a conversation: the form, a reply, the preview."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from contract.comment import Comment, CommentError, Words, path_of, read
from contract.manifest import Conversation
from contract.thread import Entry
from postbox.public.context import Errors, Handlers, IntakeContext, posting, reading
from postbox.public.spam_signals import HONEYPOT, reasons
from postbox.store.submissions import Inbox, Submission
from postbox.store.subscriptions import Subscriptions
from postbox.web.forms import Refused
from postbox.web.validation import check

REPEATED_WITHIN = timedelta(days=1)


class CommentPages(Handlers):
    """Handlers of a comment's form."""

    @posting
    async def post(self, request: Request, fields: dict[str, str], errors: Errors) -> Response:
        """Keep a comment and lead to its receipt; or show the form again, with a preview or the errors, and every word."""
        context = self._context
        submission, wrong = check(fields, context.site)
        errors = errors or wrong
        conversation = context.site.conversations.get(submission.article)
        if not conversation:
            raise Refused(
                404, "That article is not here. It may have moved. Go back and copy your words before you look for it."
            )
        answered = published(context, submission.article, submission.reply_to or "")
        if submission.reply_to and not answered:
            errors = {
                "": "The comment you are replying to is no longer here. Send yours again to add it to the article itself"
            } | errors
            submission = replace(submission, reply_to=None)
        if not conversation.is_open(context.clock()):
            errors = {"": "This conversation is closed"}
        form = _Form(conversation, submission, answered, fields)
        if errors:
            return await self._page(form, errors, status=422)
        if fields.get("action") == "preview":
            entry = as_entry("preview", submission.article, submission, context.clock(), answered)
            return await self._page(form, {}, preview=entry)
        try:
            receipt = await context.write(lambda inbox: self._keep(inbox, submission, request, fields))
        except (sqlite3.Error, OSError) as error:
            return await self._page(form, context.sorry("comment", error), status=503)
        return context.redirect(f"/receipt/{receipt}")

    @reading
    async def reply(self, request: Request) -> Response:
        """Show a comment and the form that answers it."""
        context, article, id = self._context, request.path_params["article"], request.path_params["id"]
        answered, conversation = published(context, article, id), context.site.conversations.get(article)
        if not answered or not conversation:
            raise Refused(404, "That comment is not here. It may have been removed.")
        submission = Submission(article=article, reply_to=id)
        return await self._page(_Form(conversation, submission, answered, {}), {})

    def _keep(self, inbox: Inbox, submission: Submission, request: Request, fields: Mapping[str, str]) -> str:
        """Add a submission in the writer's transaction; return its receipt."""
        meta = self._context.meta(request, fields)
        id = inbox.add(submission, meta, held(self._context, inbox, "", submission, fields, meta.received))
        if submission.email:
            Subscriptions(inbox).ask(id, submission.email)
        return inbox.receipt(id)

    async def _page(
        self, form: "_Form", errors: Errors, *, preview: Entry | None = None, status: int = 200
    ) -> Response:
        is_open = form.conversation.is_open(self._context.clock())
        return await self._context.page(
            "comment.html", status, form=form, errors=errors, preview=preview, is_open=is_open
        )


@dataclass(frozen=True)
class _Form:
    """What a form page shows besides its errors: whose conversation it joins, what it answers, and what was typed."""

    conversation: Conversation
    submission: Submission
    answered: Comment | None
    values: Mapping[str, str]


def published(context: IntakeContext, article: str, id: str) -> Comment | None:
    """Return a published comment, or None."""
    if not id:
        return None
    try:
        comment = read(path_of(context.settings.comments, article, id))
    except (CommentError, OSError):
        return None
    return None if comment.removed else comment


def held(
    context: IntakeContext, inbox: Inbox, id: str, words: Words, fields: Mapping[str, str], now: datetime
) -> list[str]:
    """Return why a comment deserves a second look."""
    return list(
        reasons(
            author=words.author,
            body=words.body,
            honeypot=fields.get(HONEYPOT, ""),
            seconds=context.seconds_open(fields),
            repeated=inbox.repeated(words.body, now - REPEATED_WITHIN, apart_from=id),
            site=context.site,
        )
    )


def as_entry(id: str, article: str, words: Words, date: datetime, parent: Comment | None) -> Entry:
    """Return a comment as it will look once published."""
    date = date.astimezone(UTC).replace(microsecond=0)
    return Entry(Comment(id=id, article=article, date=date, **words.words), 0, parent, is_missing=False)
