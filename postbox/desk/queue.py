"""The desk's lists of comments: what waits, what is published, what was decided; and the decisions on several at once."""

import math
import re
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from postbox.desk.actions import Actions, Outcome, Problem
from postbox.desk.context import PAGE, DeskContext
from postbox.desk.presenters import CommentView, Line, Presenter

LISTS = {"/": "queue.html", "/published": "published.html", "/log": "log.html"}


class QueuePages:
    """The handlers of the lists, and of what is undone on them."""

    def __init__(self, context: DeskContext, actions: Actions) -> None:
        self._context = context
        self._actions = actions
        self._moderation = context.moderation

    async def browse(self, request: Request) -> Response:
        """Show the queue, what is published, or the log."""
        asked = request.query_params
        outcome = Outcome(done=parse_ints(asked.get("done", "")), live=parse_int(asked.get("live", "")))
        is_ticked = asked.get("tick") == "all"
        return self._list(request.url.path, parse_int(asked.get("page", "")), outcome, is_ticked=is_ticked)

    async def decide(self, request: Request) -> Response:
        """Carry out one decision on each comment that is ticked; one that is refused takes no other along."""
        fields, outcome = await self._context.form(request), Outcome()
        names, now = [name for name, value in fields.items() if value == "tick"], self._context.clock()
        for name in names:
            one = {"name": name, "action": fields.get("action", "")}
            self._actions.attempt(name.rpartition(".")[0], one, outcome, who=self._context.site.author)
        if not names:
            outcome.fail(Problem("Tick the comments that you want to decide together."), 422)
        await self._actions.see_live(outcome, now)
        return self._go_back(fields, outcome)

    async def undo(self, request: Request) -> Response:
        """Take decisions back."""
        fields, outcome = await self._context.form(request), Outcome()
        self._actions.undo(parse_ints(fields.get("sequences", "")), outcome, who=self._context.site.author)
        return self._go_back(fields, outcome)

    def _go_back(self, fields: Mapping[str, str], outcome: Outcome) -> Response:
        """Lead back to the list that a form stood on, or show it with the problems."""
        if not outcome.problems:
            return self._context.redirect(way_back(fields, outcome))
        place, page = _place(fields)
        return self._list(place, page, outcome)

    def _list(self, place: str, page: int, outcome: Outcome, *, is_ticked: bool = False) -> Response:
        site, moderation = self._context.site, self._moderation
        presenter = Presenter(moderation, site)
        everything = moderation.all_published() if place == "/published" else []
        total = {"/": moderation.inbox.size(), "/log": moderation.decisions.size()}.get(place, len(everything))
        page, pages, offset = paginate(page, total)
        items: Sequence[CommentView | Line]
        if place == "/published":
            items = [presenter.published(comment) for comment in everything[offset : offset + PAGE]]
        elif place == "/log":
            items = [presenter.line(decision) for decision in moderation.decisions.latest(limit=PAGE, offset=offset)]
        else:
            items = [presenter.waiting(item) for item in moderation.queue(limit=PAGE, offset=offset)]
        values = {
            "back": f"{place}?page={page}",
            "items": items,
            "total": total,
            "page": page,
            "pages": pages,
            "is_ticked": is_ticked,
            "done": presenter.lines(outcome.done),
            "live": outcome.live,
            "problems": outcome.problems,
        }
        return self._context.page(LISTS[place], outcome.status, site, place=place, **values)


def way_back(fields: Mapping[str, str], outcome: Outcome) -> str:
    """Return the address of the list that a form stood on, which then says what was done."""
    place, page = _place(fields)
    return f"{place}?page={page}&{flash(outcome)}"


def flash(outcome: Outcome) -> str:
    """Return what was done as a query, for the page that says so."""
    done = f"done={','.join(map(str, outcome.done))}"
    return f"{done}&live={outcome.live}" if outcome.live else done


def paginate(page: int, total: int) -> tuple[int, int, int]:
    """Return the nearest page there is, how many there are, and how many items come before it."""
    pages = max(1, math.ceil(total / PAGE))
    page = min(max(page, 1), pages)
    return page, pages, (page - 1) * PAGE


def parse_int(text: str) -> int:
    """Return the number in a query, 0 if it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def parse_ints(text: str) -> list[int]:
    """Return the numbers in a field; no page of ours sends more than two for each item of a list."""
    return [int(number) for number in re.findall(r"[0-9]{1,9}", text)][: 2 * PAGE]


def _place(fields: Mapping[str, str]) -> tuple[str, int]:
    place, _, page = fields.get("back", "").partition("?page=")
    return (place if place in LISTS else "/"), max(1, parse_int(page))
