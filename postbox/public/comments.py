"""The pages on which a reader joins a conversation: the form with its preview, and the receipt of what was sent."""

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contract.comment import Comment, CommentError, path_of, read
from contract.manifest import Conversation
from contract.thread import Entry
from postbox.public.context import IntakeContext
from postbox.public.spam_signals import HONEYPOT, reasons
from postbox.store.submissions import Inbox, InboxError, Revision, Submission
from postbox.store.subscriptions import Subscriptions
from postbox.web.forms import PRIVATE, Refused
from postbox.web.validation import check

REPEATED_WITHIN = timedelta(days=1)


class CommentPages:
    """The handlers of a comment's form and of its receipt."""

    def __init__(self, context: IntakeContext) -> None:
        self._context = context
        self._inbox = context.inbox
        self._subscriptions = Subscriptions(context.inbox)

    # A comment

    async def post(self, request: Request) -> Response:
        """Keep a comment and lead to its receipt; or show the form again, with a preview or the errors, and every word."""
        fields, site = await self._context.fields(request), self._context.site
        submission, errors = check(fields, site)
        conversation = site.conversations.get(submission.article)
        if not conversation:
            raise Refused(
                404, "That article is not here. It may have moved. Go back and copy your words before you look for it."
            )
        answered = self._published(submission.article, submission.reply_to or "")
        if submission.reply_to and not answered:
            errors = {
                "": "The comment that you answer is gone. Send yours again to add it to the article itself"
            } | errors
            submission = replace(submission, reply_to=None)
        if not conversation.is_open(self._context.clock()):
            errors = {"": "This conversation is closed"}
        form = _Form(conversation, submission, answered, fields)
        if wait := self._context.wait(request):
            return self._context.too_often(wait, lambda sorry: self._form(form, sorry, status=429))
        if errors:
            return self._form(form, errors, status=422)
        if fields.get("action") == "preview":
            return self._form(form, {}, preview=_entry("preview", submission, self._context.clock(), answered))
        try:
            receipt = await self._context.write(lambda inbox: self._keep(inbox, submission, request, fields))
        except (sqlite3.Error, OSError) as error:
            return self._form(form, {"": self._context.sorry("comment", error)}, status=503)
        return self._context.redirect(site, f"/receipt/{receipt}")

    async def reply(self, request: Request) -> Response:
        """Show a comment and the form that answers it."""
        article, id = request.path_params["article"], request.path_params["id"]
        answered, conversation = self._published(article, id), self._context.site.conversations.get(article)
        if not answered or not conversation:
            raise Refused(404, "That comment is not here. It may have been removed.")
        submission = Submission(article=article, reply_to=id, author="", body="")
        opened = {"opened": str(int(self._context.clock().timestamp()))}
        return self._form(_Form(conversation, submission, answered, opened), {})

    # Its receipt

    async def receipt(self, request: Request) -> Response:
        """Show a comment's writer what became of it."""
        return self._receipt(self._own(request), {}, {})

    async def change(self, request: Request) -> Response:
        """Keep a writer's change, delete the comment or stop its mail; then show the receipt again."""
        revisions = self._own(request)
        id, latest = revisions[0].id, revisions[-1]
        fields = await self._context.fields(request)
        is_less = fields.get("action") in ("delete", "stop")
        if not is_less and (wait := self._context.wait(request)):  # nobody's flood keeps a writer's words on a page
            return self._context.too_often(wait, lambda sorry: self._receipt(revisions, fields, sorry, status=429))
        submission, errors = check(
            {**fields, "article": latest.article, "reply_to": latest.reply_to or ""}, self._context.site
        )
        try:
            if fields.get("action") == "delete":
                await self._context.write(lambda inbox: inbox.delete(id))
            elif fields.get("action") == "stop":
                await self._context.write(lambda inbox: Subscriptions(inbox).stop(id))
            elif errors:
                return self._receipt(revisions, fields, errors, status=422)
            elif fields.get("action") == "preview":
                answered = self._published(latest.article, latest.reply_to or "")
                preview = _entry("preview", submission, revisions[0].received, answered)
                return self._receipt(revisions, fields, {}, preview=preview)
            else:
                await self._context.write(lambda inbox: self._keep_change(inbox, id, submission, fields))
        except InboxError as error:
            return self._receipt(self._inbox.revisions(id), fields, {"": str(error)}, status=409)
        except (sqlite3.Error, OSError) as error:
            return self._receipt(revisions, fields, {"": self._context.sorry("comment", error)}, status=503)
        return self._context.redirect(self._context.site, f"/receipt/{self._inbox.receipt(id)}")

    async def export(self, request: Request) -> Response:
        """Hand a comment's writer all that is kept with it."""
        revisions = self._own(request)
        subscription = self._subscriptions.of(revisions[0].id)
        words = ("article", "reply_to", "author", "body", "held", "reason")
        kept = {
            "id": revisions[0].id,
            "revisions": [
                {"received": it.received.isoformat(), "state": "rejected" if it.state == "spam" else it.state}
                | {key: it.__dict__[key] for key in words}
                for it in revisions
            ],
            "email": asdict(subscription) if subscription else None,
        }
        name = f"comment-{revisions[0].id}.json"
        headers = self._context.site.headers | PRIVATE | {"Content-Disposition": f'attachment; filename="{name}"'}
        return JSONResponse(kept, headers=headers)

    # How

    def _keep(self, inbox: Inbox, submission: Submission, request: Request, fields: Mapping[str, str]) -> str:
        """Add a submission in the writer's transaction; return its receipt."""
        meta = self._context.meta(request, fields)
        id = inbox.add(submission, meta, self._held(inbox, "", submission, fields, meta.received))
        if submission.email:
            Subscriptions(inbox).ask(id, submission.email)
        return inbox.receipt(id)

    def _keep_change(self, inbox: Inbox, id: str, submission: Submission, fields: Mapping[str, str]) -> None:
        now = self._context.clock()
        inbox.change(id, submission, now, self._held(inbox, id, submission, fields, now))

    def _held(
        self, inbox: Inbox, id: str, submission: Submission, fields: Mapping[str, str], now: datetime
    ) -> list[str]:
        return list(
            reasons(
                author=submission.author,
                body=submission.body,
                honeypot=fields.get(HONEYPOT, ""),
                seconds=self._context.seconds_open(fields),
                repeated=inbox.repeated(submission.body, now - REPEATED_WITHIN, apart_from=id),
                site_author=self._context.site.author,
            )
        )

    def _own(self, request: Request) -> list[Revision]:
        revisions = self._inbox.by_receipt(request.path_params["receipt"])
        if not revisions:
            raise Refused(404, "That link is not complete, or its comment is gone.")
        return revisions

    def _published(self, article: str, id: str) -> Comment | None:
        if not id:
            return None
        try:
            comment = read(path_of(self._context.settings.comments, article, id))
        except (CommentError, OSError):
            return None
        return None if comment.removed else comment

    def _form(
        self, form: "_Form", errors: dict[str, str], *, preview: Entry | None = None, status: int = 200
    ) -> Response:
        values = {
            "form": form,
            "errors": errors,
            "preview": preview,
            "is_open": form.conversation.is_open(self._context.clock()),
        }
        return self._context.page("comment.html", status, **values)

    def _receipt(
        self,
        revisions: list[Revision],
        values: Mapping[str, str],
        errors: dict[str, str],
        *,
        preview: Entry | None = None,
        status: int = 200,
    ) -> Response:
        latest = revisions[-1]
        answered = self._published(latest.article, latest.reply_to or "")
        page = [revision.state for revision in revisions if revision.state in ("published", "removed")]
        return self._context.page(
            "receipt.html",
            status,
            conversation=self._context.site.conversations.get(latest.article, Conversation("", "/")),
            latest=latest,
            is_published=page[-1:] == ["published"],
            subscription=self._subscriptions.of(latest.id),
            receipt=self._inbox.receipt(latest.id),
            entry=_entry(latest.id, latest, revisions[0].received, answered) if latest.body else None,
            preview=preview,
            values=values or {"name": latest.author, "comment": latest.body},
            errors=errors,
        )


@dataclass(frozen=True)
class _Form:
    """What a form page shows besides its errors: whose conversation it joins, what it answers, and what was typed."""

    conversation: Conversation
    submission: Submission
    answered: Comment | None
    values: Mapping[str, str]


def _entry(id: str, words: Submission | Revision, date: datetime, parent: Comment | None) -> Entry:
    """Return a comment as it will look once published."""
    date = date.astimezone(UTC).replace(microsecond=0)
    return Entry(
        Comment(id=id, article=words.article, author=words.author, date=date, body=words.body),
        0,
        parent,
        is_missing=False,
    )
