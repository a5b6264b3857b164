"""Lists of comments: the moderation queue, what is published, the audit log; and the decisions on several at once."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from postbox.desk import actions, details
from postbox.desk.actions import Outcome, Problem
from postbox.desk.context import PER_PAGE, DeskRequest
from postbox.desk.paging import paginate, parse_int, parse_ints
from postbox.desk.presenters import CommentView, DecisionView, Presenter

LISTS = {"/": "queue.html", "/published": "published.html", "/log": "log.html"}


def browse(desk: DeskRequest) -> Response:
    """Show the queue, what is published, or the log."""
    outcome = Outcome(done=parse_ints(desk.query.get("done", "")), live=parse_int(desk.query.get("live", "")))
    return _list(desk, desk.request.url.path, desk.query, outcome)


def decide(desk: DeskRequest) -> Response:
    """Carry out one decision on each comment that is selected; one that is refused takes no other along."""
    outcome = Outcome()
    names = [name for name, value in desk.form.items() if value == "tick"]
    for name in names:
        one = {"name": name, "action": desk.form.get("action", "")}
        actions.attempt(desk, name.rpartition(".")[0], one, outcome, who=desk.site.author)
    if not names:
        outcome.fail(Problem("Select the comments that you want to decide together."), 422)
    actions.see_live(desk, outcome)
    return _go_back(desk, outcome)


def undo(desk: DeskRequest) -> Response:
    """Take decisions back."""
    outcome = Outcome()
    actions.undo(desk, parse_ints(desk.form.get("sequences", "")), outcome, who=desk.site.author)
    return _go_back(desk, outcome)


def way_back(form: Mapping[str, str], outcome: Outcome) -> str:
    """Return the address of the list that a form stood on, which then says what was done."""
    place, page = _place(form)
    return f"{place}?page={page}&{flash(outcome)}"


def flash(outcome: Outcome) -> str:
    """Return what was done as a query, for the page that says so."""
    done = f"done={','.join(map(str, outcome.done))}"
    return f"{done}&live={outcome.live}" if outcome.live else done


def _go_back(desk: DeskRequest, outcome: Outcome) -> Response:
    """Lead back to the list that a form stood on, or show it with the problems."""
    if not outcome.problems:
        return desk.redirect(way_back(desk.form, outcome))
    place, page = _place(desk.form)
    return _list(desk, place, {"page": str(page)}, outcome)


def _list(desk: DeskRequest, place: str, query: Mapping[str, str], outcome: Outcome) -> Response:
    presenter, review, decisions = Presenter(desk.moderation, desk.site), desk.moderation.review, desk.work.decisions
    counts = {"/": desk.work.inbox.size, "/log": decisions.size, "/published": review.published_count}
    total = counts[place]()
    page = paginate(query, total)
    items: Sequence[CommentView | DecisionView]
    if place == "/published":
        items = [presenter.published(c) for c in review.all_published(limit=PER_PAGE, offset=page.offset)]
    elif place == "/log":
        items = [presenter.decision(d) for d in decisions.latest(limit=PER_PAGE, offset=page.offset)]
    else:
        items = [presenter.waiting(item) for item in review.queue(limit=PER_PAGE, offset=page.offset)]
    values = {
        "back": f"{place}?page={page.number}",
        "items": items,
        "total": total,
        "page": page,
        "selected": query.get("tick", ""),
        "done": presenter.decisions(outcome.done),
        "live": outcome.live,
        "problems": outcome.problems,
        "is_unknown": place == "/" and details.is_unknown(desk),
    }
    return desk.page(LISTS[place], outcome.status, place=place, **values)


def _place(form: Mapping[str, str]) -> tuple[str, int]:
    place, _, page = form.get("back", "").partition("?page=")
    return (place if place in LISTS else "/"), max(1, parse_int(page))
