"""The desk's lists of comments: what waits, what is published, what was decided; and the decisions on several at once."""

import math
import re
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from postbox.deciding import Deciding, Outcome, Problem
from postbox.office import PAGE, Office
from postbox.shown import Line, Showing, Shown

LISTS = {"/": "queue.html", "/published": "published.html", "/log": "log.html"}


class Lists:
    """The handlers of the lists, and of what is undone on them."""

    def __init__(self, office: Office, deciding: Deciding) -> None:
        self._office = office
        self._deciding = deciding
        self._moderation = office.moderation

    async def browse(self, request: Request) -> Response:
        """Show the queue, what is published, or the log."""
        asked = request.query_params
        outcome = Outcome(done=numbers(asked.get("done", "")), live=whole(asked.get("live", "")))
        is_ticked = asked.get("tick") == "all"
        return self._list(request.url.path, whole(asked.get("page", "")), outcome, is_ticked=is_ticked)

    async def decide(self, request: Request) -> Response:
        """Carry out one decision on each comment that is ticked; one that is refused takes no other along."""
        fields, outcome = await self._office.form(request), Outcome()
        names, now = [name for name, value in fields.items() if value == "tick"], self._office.clock()
        for name in names:
            one = {"name": name, "action": fields.get("action", "")}
            self._deciding.attempt(name.rpartition(".")[0], one, outcome, who=self._office.site.author)
        if not names:
            outcome.fail(Problem("Tick the comments that you want to decide together."), 422)
        await self._deciding.see_live(outcome, now)
        return self._go_back(fields, outcome)

    async def undo(self, request: Request) -> Response:
        """Take decisions back."""
        fields, outcome = await self._office.form(request), Outcome()
        self._deciding.undo(numbers(fields.get("sequences", "")), outcome, who=self._office.site.author)
        return self._go_back(fields, outcome)

    def _go_back(self, fields: Mapping[str, str], outcome: Outcome) -> Response:
        """Lead back to the list that a form stood on, or show it with the problems."""
        if not outcome.problems:
            return self._office.redirect(way_back(fields, outcome))
        place, page = _place(fields)
        return self._list(place, page, outcome)

    def _list(self, place: str, page: int, outcome: Outcome, *, is_ticked: bool = False) -> Response:
        site, moderation = self._office.site, self._moderation
        showing = Showing(moderation, site)
        everything = moderation.all_published() if place == "/published" else []
        total = {"/": moderation.inbox.size(), "/log": moderation.decisions.size()}.get(place, len(everything))
        page, pages, after = turned_to(page, total)
        items: Sequence[Shown | Line]
        if place == "/published":
            items = [showing.published(comment) for comment in everything[after : after + PAGE]]
        elif place == "/log":
            items = [showing.line(decision) for decision in moderation.decisions.latest(most=PAGE, after=after)]
        else:
            items = [showing.waiting(judged) for judged in moderation.queue(most=PAGE, after=after)]
        values = {
            "back": f"{place}?page={page}",
            "items": items,
            "total": total,
            "page": page,
            "pages": pages,
            "is_ticked": is_ticked,
            "done": showing.lines(outcome.done),
            "live": outcome.live,
            "problems": outcome.problems,
        }
        return self._office.page(LISTS[place], outcome.status, site, place=place, **values)


def way_back(fields: Mapping[str, str], outcome: Outcome) -> str:
    """Return the address of the list that a form stood on, which then says what was done."""
    place, page = _place(fields)
    return f"{place}?page={page}&{said(outcome)}"


def said(outcome: Outcome) -> str:
    """Return what was done as a query, for the page that says so."""
    done = f"done={','.join(map(str, outcome.done))}"
    return f"{done}&live={outcome.live}" if outcome.live else done


def turned_to(page: int, total: int) -> tuple[int, int, int]:
    """Return the nearest page there is, how many there are, and how many items come before it."""
    pages = max(1, math.ceil(total / PAGE))
    page = min(max(page, 1), pages)
    return page, pages, (page - 1) * PAGE


def whole(text: str) -> int:
    """Return the number in a query, 0 if it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


def numbers(text: str) -> list[int]:
    """Return the numbers in a field; no page of ours sends more than two for each item of a list."""
    return [int(number) for number in re.findall(r"[0-9]{1,9}", text)][: 2 * PAGE]


def _place(fields: Mapping[str, str]) -> tuple[str, int]:
    place, _, page = fields.get("back", "").partition("?page=")
    return (place if place in LISTS else "/"), max(1, whole(page))
