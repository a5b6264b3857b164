"""The page of one comment, for who is signed in: how it looks, what can be decided on it, and all that became of it."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from postbox.deciding import Deciding, Outcome
from postbox.form import Refused
from postbox.lists import way_back
from postbox.office import PAGE, Office
from postbox.shown import Showing


class OneComment:
    """The handlers of the page."""

    def __init__(self, office: Office, deciding: Deciding) -> None:
        self._office = office
        self._deciding = deciding

    async def show(self, request: Request) -> Response:
        """Show one comment."""
        return self._page(request.path_params["id"], {}, Outcome())

    async def decide(self, request: Request) -> Response:
        """Carry out one decision, or show the comment as it is now, with every word that was typed."""
        fields, id, outcome = await self._office.form(request), request.path_params["id"], Outcome()
        now = self._office.clock()
        self._deciding.attempt(id, fields, outcome, who=self._office.site.author)
        if outcome.problems:
            return self._page(id, fields, outcome)
        await self._deciding.see_live(outcome, now)
        return self._office.redirect(way_back(fields, outcome))

    def _page(self, id: str, typed: Mapping[str, str], outcome: Outcome) -> Response:
        site, moderation = self._office.site, self._office.moderation
        history, published = moderation.history(id), moderation.find(id)
        if not history and not published:
            raise Refused(404, "That comment is not here.")
        showing = Showing(moderation, site)
        waiting = [judged for judged in history if judged.waiting.state == "waiting"][-1:]
        values = {
            "waiting": showing.waiting(waiting[0]) if waiting else None,
            "published": showing.published(published) if published else None,
            "revisions": [(it.waiting, showing.time(it.waiting.received)) for it in reversed(history[-PAGE:])],
            "older": max(0, len(history) - PAGE),
            "typed": typed,
            "done": showing.lines(outcome.done),
            "problems": outcome.problems,
        }
        return self._office.page("comment.html", outcome.status, site, place="", **values)
