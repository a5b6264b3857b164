"""Page of one comment: how it looks, what can be decided on it, and all that became of it."""

from collections.abc import Mapping

from starlette.responses import Response

from postbox.desk import actions
from postbox.desk.actions import Outcome
from postbox.desk.context import LATER, PER_PAGE, DeskRequest
from postbox.desk.presenters import Presenter
from postbox.desk.queue import way_back
from postbox.web.forms import Refused


def show(desk: DeskRequest) -> Response:
    """Show one comment."""
    return _page(desk, {}, Outcome())


def decide(desk: DeskRequest) -> Response:
    """Carry out one decision, or show the comment as it is now, with every word that was typed."""
    outcome = Outcome()
    actions.attempt(desk, desk.request.path_params["id"], desk.form, outcome, who=desk.site.author)
    if outcome.problems:
        return _page(desk, desk.form, outcome)
    actions.see_live(desk, outcome)
    return desk.redirect(way_back(desk.form, outcome))


def _page(desk: DeskRequest, typed: Mapping[str, str], outcome: Outcome) -> Response:
    id, review = desk.request.path_params["id"], desk.moderation.review
    history, published = review.history(id), review.find(id)
    if not history and not published:
        if desk.work.set_aside:
            raise Refused(503, LATER)
        raise Refused(404, "That comment is not here.")
    presenter = Presenter(desk.moderation, desk.site)
    waiting = [item for item in history if item.revision.state == "waiting"][-1:]
    shown = reversed(history[-PER_PAGE:])
    values = {
        "waiting": presenter.waiting(waiting[0]) if waiting else None,
        "published": presenter.published(published) if published else None,
        "revisions": [(item.revision, presenter.time(item.revision.received)) for item in shown],
        "older": max(0, len(history) - PER_PAGE),
        "typed": typed,
        "done": presenter.decisions(outcome.done),
        "problems": outcome.problems,
    }
    return desk.page("comment.html", outcome.status, place="", **values)
