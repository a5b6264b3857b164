"""The page of one comment, for who is signed in: how it looks, what can be decided on it, and all that became of it."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from postbox.desk.actions import Actions, Outcome
from postbox.desk.context import PAGE, DeskContext
from postbox.desk.presenters import Presenter
from postbox.desk.queue import way_back
from postbox.web.forms import Refused


class CommentPages:
    """The handlers of the page."""

    def __init__(self, context: DeskContext, actions: Actions) -> None:
        self._context = context
        self._actions = actions

    async def show(self, request: Request) -> Response:
        """Show one comment."""
        return self._page(request.path_params["id"], {}, Outcome())

    async def decide(self, request: Request) -> Response:
        """Carry out one decision, or show the comment as it is now, with every word that was typed."""
        fields, id, outcome = await self._context.form(request), request.path_params["id"], Outcome()
        now = self._context.clock()
        self._actions.attempt(id, fields, outcome, who=self._context.site.author)
        if outcome.problems:
            return self._page(id, fields, outcome)
        await self._actions.see_live(outcome, now)
        return self._context.redirect(way_back(fields, outcome))

    def _page(self, id: str, typed: Mapping[str, str], outcome: Outcome) -> Response:
        site, moderation = self._context.site, self._context.moderation
        history, published = moderation.history(id), moderation.find(id)
        if not history and not published:
            raise Refused(404, "That comment is not here.")
        presenter = Presenter(moderation, site)
        waiting = [item for item in history if item.revision.state == "waiting"][-1:]
        values = {
            "waiting": presenter.waiting(waiting[0]) if waiting else None,
            "published": presenter.published(published) if published else None,
            "revisions": [
                (item.revision, presenter.time(item.revision.received)) for item in reversed(history[-PAGE:])
            ],
            "older": max(0, len(history) - PAGE),
            "typed": typed,
            "done": presenter.lines(outcome.done),
            "problems": outcome.problems,
        }
        return self._context.page("comment.html", outcome.status, site, place="", **values)
