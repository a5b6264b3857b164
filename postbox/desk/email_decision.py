"""Page that a mail to the author links to: one revision of one comment, the decision on it, and what became of it.

The link itself says what may be decided, so nobody signs in; it opens no session and leads nowhere else on the desk.
Once decided, it takes the last act back, and replies to the comment or removes it while the page has these very words.
GET and HEAD change nothing, for scanners of mail open every link.
"""

from collections.abc import Mapping

from starlette.responses import Response

from contract.comment import Comment
from postbox.desk import actions
from postbox.desk.actions import ON_PUBLISHED, ON_WAITING, Outcome
from postbox.desk.context import LATER, OUT_OF_DATE, DeskRequest
from postbox.desk.paging import parse_int, parse_ints
from postbox.desk.presenters import Presenter
from postbox.desk.queue import flash
from postbox.moderation.review import ReviewItem
from postbox.store.decisions import Decision
from postbox.store.tokens import DecisionLink, DecisionLinks
from postbox.web.forms import Refused

KEPT_OUT = ("rejected", "spam", "removed")


def show(desk: DeskRequest) -> Response:
    """Show the revision that a link is for, or what became of it."""
    link = _link(desk)
    if link.is_expired:
        return _expired(desk, link, 200, {}, is_sent="sent" in desk.query)
    outcome = Outcome(done=parse_ints(desk.query.get("done", "")), live=parse_int(desk.query.get("live", "")))
    return _page(desk, link, {}, outcome)


def decide(desk: DeskRequest) -> Response:
    """Carry out one decision on that revision, take one back, or mail a fresh link."""
    link, outcome, action = _link(desk), Outcome(), desk.form.get("action", "")
    address = desk.request.url.path
    if link.is_expired:
        if action != "send" or _revision(desk, link.name)[1] != "waiting":
            return _expired(desk, link, 409, desk.form)
        desk.work.outbox.send_link(link.name, desk.now)
        return desk.redirect(f"{address}?sent=")
    if action == "undo":
        named = parse_ints(desk.form.get("sequences", ""))
        taken_back = [act.sequence for act in _acts(desk, link.name) if act.sequence in named]
        actions.undo(desk, taken_back, outcome, who=_who(desk))
    elif action in (*ON_WAITING, *ON_PUBLISHED):
        published = _published(desk, link.name)
        seen = desk.moderation.review.seen(published) if published else ""
        form = {**desk.form, "name": seen if action in ON_PUBLISHED else link.name}
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
        raise Refused(404, "That link doesn’t work. Open it again from the email.")
    return link


def _revision(desk: DeskRequest, name: str) -> tuple[ReviewItem | None, str]:
    """Return the revision of a name, None if its words are not what they were, and its state in the words of the inbox."""
    history = desk.moderation.review.history(name.rpartition(".")[0])
    for item in history:
        if item.name == name:
            return item, item.revision.state
    return None, "replaced" if history and history[-1].revision.state != "deleted" else "deleted"


def _published(desk: DeskRequest, name: str) -> Comment | None:
    """Return the comment as it is published, if these are the words of the revision of a name."""
    item, state = _revision(desk, name)
    comment = desk.moderation.review.find(item.revision.id) if item and state == "published" else None
    return comment if comment and item and comment.words == item.revision.words else None


def _acts(desk: DeskRequest, name: str) -> list[Decision]:
    """Return what was decided on the revision of a name, and the replies to it since, in order."""
    item, _ = _revision(desk, name)
    on_comment = desk.work.decisions.of(item.revision.id) if item else []
    made = [decision for decision in on_comment if item and decision.number == item.revision.number]
    replies = desk.moderation.review.replies_since(made[0]) if made and _published(desk, name) else []
    return sorted([*made, *replies], key=lambda act: act.sequence)


def _last(acts: list[Decision]) -> list[Decision]:
    """Return the last of what was decided, with the comment that was published in the same moment, if it can be undone."""
    together = [act.action for act in acts[-2:]] == ["publish", "answer"] and acts[-2].decided == acts[-1].decided
    last = acts[-2:] if together else acts[-1:]
    return last if all(act.can_be_undone for act in last) else []


def _page(desk: DeskRequest, link: DecisionLink, typed: Mapping[str, str], outcome: Outcome) -> Response:
    item, state = _revision(desk, link.name)
    presenter, acts = Presenter(desk.moderation, desk.site), _acts(desk, link.name)
    published, last = _published(desk, link.name), _last(acts)
    # Of an earlier act the page would say what is no longer so.
    current = last or [act for act in acts[-1:] if act.action == "undo"]
    values = {
        "state": "replaced" if state == "published" and not published else state,
        "author": item.revision.author if item else "",
        "when": presenter.time(acts[-1].decided) if acts else "",
        "waiting": presenter.waiting(item) if item and state == "waiting" else None,
        "kept_out": presenter.waiting(item) if item and state in KEPT_OUT else None,
        "reason": item.revision.reason if item else "",
        "published": presenter.published(published) if published else None,
        "typed": typed,
        "done": [presenter.decision(act) for act in current if act.sequence in outcome.done],
        "undoable": ",".join(str(act.sequence) for act in last),
        "live": outcome.live,
        "problems": outcome.problems,
    }
    return desk.page("decision.html", outcome.status, place=None, **values)


def _expired(
    desk: DeskRequest, link: DecisionLink, status: int, typed: Mapping[str, str], *, is_sent: bool = False
) -> Response:
    waits = _revision(desk, link.name)[1] == "waiting"
    return desk.page("expired.html", status, place=None, waits=waits, is_sent=is_sent, typed=typed)
