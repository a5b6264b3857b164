"""Receipt of a comment: the private page on which its writer sees what became of it, changes it or deletes it."""

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contract.manifest import Conversation
from contract.thread import Entry
from postbox.public.comments import as_entry, held, published
from postbox.public.context import Errors, Handlers, posting, reading
from postbox.store.submissions import Inbox, InboxError, Revision, Submission
from postbox.store.subscriptions import Subscriptions
from postbox.web.forms import PRIVATE, Refused
from postbox.web.validation import check, form_values


class ReceiptPages(Handlers):
    """Handlers of the receipt."""

    @reading
    async def show(self, request: Request) -> Response:
        """Show a comment's writer what became of it."""
        return await self._page(
            await self._own(request), {}, {}, has_stopped=request.query_params.get("done") == "stop"
        )

    @posting
    async def change(self, request: Request, fields: dict[str, str], errors: Errors) -> Response:
        """Keep a writer's change, delete the comment or stop its mail; then show the receipt again."""
        context, revisions, action = self._context, await self._own(request), fields.get("action")
        id, latest = revisions[0].id, revisions[-1]
        place = {"article": latest.article, "reply_to": latest.reply_to or ""}
        submission, wrong = check({**fields, **place}, context.site)
        try:
            if action == "delete":
                await context.write(lambda inbox: inbox.delete(id))
            elif action == "stop":
                await context.write(lambda inbox: Subscriptions(inbox).stop(id))
            elif errors := errors or wrong:
                return await self._page(revisions, fields, errors, status=422)
            elif action == "preview":
                answered = published(context, latest.article, latest.reply_to or "")
                preview = as_entry("preview", latest.article, submission, revisions[0].received, answered)
                return await self._page(revisions, fields, {}, preview=preview)
            else:
                await context.write(lambda inbox: self._keep_change(inbox, id, submission, fields))
        except InboxError as error:
            revisions = await context.read(lambda inbox: inbox.revisions(id))
            return await self._page(revisions, fields, {"": str(error)}, status=409)
        except (sqlite3.Error, OSError) as error:
            return await self._page(revisions, fields, context.sorry("comment", error), status=503)
        return context.redirect(f"/receipt/{context.receipt(id)}", "?done=stop" if action == "stop" else "")

    @reading
    async def export(self, request: Request) -> Response:
        """Hand a comment's writer all that is kept with it."""
        revisions = await self._own(request)
        subscription = await self._context.read(lambda inbox: Subscriptions(inbox).of(revisions[0].id))
        kept = {
            "id": revisions[0].id,
            "revisions": [_exported(revision) for revision in revisions],
            "email": asdict(subscription) if subscription else None,
        }
        name = f"comment-{revisions[0].id}.json"
        headers = self._context.site.headers | PRIVATE | {"Content-Disposition": f'attachment; filename="{name}"'}
        return JSONResponse(kept, headers=headers)

    def _keep_change(self, inbox: Inbox, id: str, submission: Submission, fields: Mapping[str, str]) -> None:
        now = self._context.clock()
        inbox.change(id, submission, now, held(self._context, inbox, id, submission, fields, now))

    async def _own(self, request: Request) -> list[Revision]:
        receipt = request.path_params["receipt"]
        revisions = await self._context.read(lambda inbox: inbox.by_receipt(receipt))
        if not revisions:
            raise Refused(404, "That link doesn’t work. The comment may have been deleted.")
        return revisions

    async def _page(
        self,
        revisions: list[Revision],
        values: Mapping[str, str],
        errors: Errors,
        *,
        preview: Entry | None = None,
        has_stopped: bool = False,
        status: int = 200,
    ) -> Response:
        context, latest = self._context, revisions[-1]
        answered = published(context, latest.article, latest.reply_to or "")
        on_page = [revision for revision in revisions if revision.state in ("published", "removed")][-1:]
        is_published = [revision.state for revision in on_page] == ["published"]
        before = (on_page if is_published else revisions[-2:-1]) if latest.state == "waiting" else []
        entry = as_entry(latest.id, latest.article, latest, revisions[0].received, answered) if latest.body else None
        return await context.page(
            "receipt.html",
            status,
            conversation=context.site.conversations.get(latest.article, Conversation("", "/")),
            latest=latest,
            is_published=is_published,
            has_stopped=has_stopped,
            subscription=await context.read(lambda inbox: Subscriptions(inbox).of(latest.id)),
            receipt=context.receipt(latest.id),
            entry=entry,
            before=next(
                (as_entry(f"before{old.id}", old.article, old, old.received, answered) for old in before if old.body),
                None,
            ),
            preview=preview,
            values=values or form_values(latest),
            errors=errors,
        )


def _exported(revision: Revision) -> dict[str, object]:
    state = "rejected" if revision.state == "spam" else revision.state
    place = {"article": revision.article, "reply_to": revision.reply_to}
    why = {"held": revision.held, "reason": revision.reason}
    return {"received": revision.received.isoformat(), "state": state, **place, **revision.words, **why}
