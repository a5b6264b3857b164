"""Page that a mail to the author links to: one revision of one comment, and the decision on it.

The link itself says what may be decided, so nobody signs in; it opens no session and leads nowhere else on the desk.
GET and HEAD change nothing, for scanners of mail open every link.
"""

from collections.abc import Mapping

from starlette.responses import Response

from postbox.desk import actions
from postbox.desk.actions import ON_WAITING, Outcome
from postbox.desk.context import LATER, OUT_OF_DATE, DeskRequest
from postbox.desk.paging import parse_int, parse_ints
from postbox.desk.presenters import Presenter
from postbox.desk.queue import flash
from postbox.moderation.review import ReviewItem
from postbox.store.decisions import Decision
from postbox.store.tokens import DecisionLink, DecisionLinks
from postbox.web.forms import Refused


def show(desk: DeskRequest) -> Response:
    """Show the revision that a link is for, or what became of it."""
    link = _link(desk)
    if link.is_expired:
        return _expired(desk, link, 200, {}, is_sent="sent" in desk.query)
    outcome = Outcome(done=parse_ints(desk.query.get("done", "")), live=parse_int(desk.query.get("live", "")))
    return _page(desk, link, {}, outcome)


def decide(desk: DeskRequest) -> Response:
    """Carry out one decision on that revision, take one back that was made here, or mail a fresh link."""
    link, outcome, action = _link(desk), Outcome(), desk.form.get("action", "")
    address = desk.request.url.path
    if link.is_expired:
        if action != "send" or _revision(desk, link.name)[1] != "waiting":
            return _expired(desk, link, 409, desk.form)
        desk.work.outbox.send_link(link.name, desk.now)
        return desk.redirect(f"{address}?sent=")
    if action == "undo":
        ours = _ours(desk, link.name, parse_ints(desk.form.get("sequences", "")))
        actions.undo(desk, ours, outcome, who=_who(desk))
    elif action in ON_WAITING:
        form = {**desk.form, "name": link.name}
        actions.attempt(desk, link.name.rpartition(".")[0], form, outcome, who=_who(desk))
    else:
        raise Refused(400, OUT_OF_DATE)
    if outcome.problems:
        return _page(desk, link, desk.form, outcome)
    actions.see_live(desk, outcome)
    return desk.redirect(f"{address}?{flash(outcome)}")


def _who(desk: DeskRequest) -> str:
    return f"{desk.site.author}, by email"


def _link(desk: DeskRequest) -> DecisionLink:
    if desk.work.set_aside:
        raise Refused(503, LATER)
    link = DecisionLinks(desk.context.store.key).read(desk.request.path_params["token"], desk.now)
    if not link:
        raise Refused(404, "That link is not complete, or was not made here.")
    return link


def _revision(desk: DeskRequest, name: str) -> tuple[ReviewItem | None, str]:
    """Return the revision of a name, None if its words are not what they were, and its state in the words of the inbox."""
    history = desk.moderation.review.history(name.rpartition(".")[0])
    for item in history:
        if item.name == name:
            return item, item.revision.state
    return None, "replaced" if history and history[-1].revision.state != "deleted" else "deleted"


def _ours(desk: DeskRequest, name: str, sequences: list[int]) -> list[int]:
    """Return those decisions that were made on this revision by its link, with the answer that was published with it."""
    id, (item, _) = name.rpartition(".")[0], _revision(desk, name)
    found = [desk.work.decisions.one(sequence) for sequence in sequences]
    made = [decision for decision in found if decision and decision.who == _who(desk)]
    on_it = [d for d in made if item and (d.comment, d.number) == (id, item.revision.number)]
    moments = {decision.decided for decision in on_it}
    answers = [d for d in made if d.action == "answer" and d.decided in moments]
    answers = [d for d in answers if (own := desk.moderation.review.find(d.comment)) and own.reply_to == id]
    return [decision.sequence for decision in (*on_it, *answers)]


def _page(desk: DeskRequest, link: DecisionLink, typed: Mapping[str, str], outcome: Outcome) -> Response:
    item, state = _revision(desk, link.name)
    presenter = Presenter(desk.moderation, desk.site)
    published = desk.moderation.review.find(link.name.rpartition(".")[0]) if state == "published" else None
    made = presenter.decisions(_ours(desk, link.name, outcome.done))
    values = {
        "state": state,
        "author": item.revision.author if item else "",
        "waiting": presenter.waiting(item) if item and state == "waiting" else None,
        "published": presenter.published(published) if published else None,
        "typed": typed,
        "done": [view for view in made if _holds(view.decision, state)],
        "live": outcome.live,
        "problems": outcome.problems,
    }
    return desk.page("decision.html", outcome.status, place=None, **values)


def _expired(
    desk: DeskRequest, link: DecisionLink, status: int, typed: Mapping[str, str], *, is_sent: bool = False
) -> Response:
    waits = _revision(desk, link.name)[1] == "waiting"
    return desk.page("expired.html", status, place=None, waits=waits, is_sent=is_sent, typed=typed)


def _holds(decision: Decision, state: str) -> bool:
    """Tell whether nothing was decided since, for the page that says so may be opened again at any time."""
    return decision.action == "undo" if state == "waiting" else decision.can_be_undone
