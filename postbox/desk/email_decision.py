"""The page that a mail to the author links to: one revision of one comment, and the decision on it.

The link itself says what may be decided, so nobody signs in; it opens no session and leads nowhere else on the desk.
GET and HEAD change nothing, for scanners of mail open every link.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from postbox.desk.actions import ON_WAITING, Actions, Outcome
from postbox.desk.context import DeskContext
from postbox.desk.presenters import Presenter
from postbox.desk.queue import flash, parse_int, parse_ints
from postbox.moderation.service import ReviewItem
from postbox.store.decisions import Decision
from postbox.store.tokens import DecisionLink, DecisionLinks
from postbox.web.forms import Refused


class EmailDecisionPages:
    """The handlers of the page."""

    def __init__(self, context: DeskContext, actions: Actions) -> None:
        self._context = context
        self._actions = actions
        self._moderation = context.moderation
        self._links = DecisionLinks(context.moderation.key)

    async def show(self, request: Request) -> Response:
        """Show the revision that a link is for, or what became of it."""
        link, asked = self._link(request), request.query_params
        if link.is_expired:
            return self._expired(link, 200, {}, is_sent="sent" in asked)
        outcome = Outcome(done=parse_ints(asked.get("done", "")), live=parse_int(asked.get("live", "")))
        return self._page(link, 200, {}, outcome)

    async def decide(self, request: Request) -> Response:
        """Carry out one decision on that revision, take one back that was made here, or mail a fresh link."""
        fields, link, outcome = await self._context.form(request), self._link(request), Outcome()
        action, now = fields.get("action", ""), self._context.clock()
        if link.is_expired:
            if action != "send" or self._revision(link.name)[1] != "waiting":
                return self._expired(link, 409, fields)
            self._context.outbox.send_link(link.name, now)
            return self._context.redirect(f"{request.url.path}?sent=")
        if action == "undo":
            ours = self._ours(link.name, parse_ints(fields.get("sequences", "")))
            self._actions.undo(ours, outcome, who=self._who)
        elif action in ON_WAITING:
            one = {**fields, "name": link.name}
            self._actions.attempt(link.name.rpartition(".")[0], one, outcome, who=self._who)
        else:
            raise Refused(400, "That form is none of the desk's. Go back and use its buttons.")
        if outcome.problems:
            return self._page(link, outcome.status, fields, outcome)
        await self._actions.see_live(outcome, now)
        return self._context.redirect(f"{request.url.path}?{flash(outcome)}")

    # How

    @property
    def _who(self) -> str:
        return f"{self._context.site.author}, by email"

    def _link(self, request: Request) -> DecisionLink:
        link = self._links.read(request.path_params["token"], self._context.clock())
        if not link:
            raise Refused(404, "That link is not complete, or was not made here.")
        return link

    def _revision(self, name: str) -> tuple[ReviewItem | None, str]:
        """Return the revision of a name, None if its words are not what they were, and its state in the words of the inbox."""
        history = self._moderation.history(name.rpartition(".")[0])
        for item in history:
            if item.name == name:
                return item, item.revision.state
        return None, "replaced" if history and history[-1].revision.state != "deleted" else "deleted"

    def _ours(self, name: str, sequences: list[int]) -> list[int]:
        """Return those decisions that were made on this revision by its link, with the answer that was published with it."""
        id, (item, _) = name.rpartition(".")[0], self._revision(name)
        made = [it for it in map(self._moderation.decisions.one, sequences) if it and it.who == self._who]
        on_it = [it for it in made if item and (it.comment, it.number) == (id, item.revision.number)]
        moments = {it.decided for it in on_it}
        answers = [it for it in made if it.action == "answer" and it.decided in moments]
        answers = [it for it in answers if (own := self._moderation.find(it.comment)) and own.reply_to == id]
        return [it.sequence for it in (*on_it, *answers)]

    def _page(self, link: DecisionLink, status: int, typed: Mapping[str, str], outcome: Outcome) -> Response:
        site, (item, state) = self._context.site, self._revision(link.name)
        presenter = Presenter(self._moderation, site)
        published = self._moderation.find(link.name.rpartition(".")[0]) if state == "published" else None
        made = presenter.lines(self._ours(link.name, outcome.done))
        values = {
            "state": state,
            "author": item.revision.author if item else "",
            "waiting": presenter.waiting(item) if item and state == "waiting" else None,
            "published": presenter.published(published) if published else None,
            "typed": typed,
            "done": [line for line in made if _holds(line.decision, state)],
            "live": outcome.live,
            "problems": outcome.problems,
        }
        return self._context.page("decision.html", status, site, place=None, **values)

    def _expired(self, link: DecisionLink, status: int, typed: Mapping[str, str], *, is_sent: bool = False) -> Response:
        waits = self._revision(link.name)[1] == "waiting"
        values = {"waits": waits, "is_sent": is_sent, "typed": typed}
        return self._context.page("expired.html", status, self._context.site, place=None, **values)


def _holds(decision: Decision, state: str) -> bool:
    """Tell whether nothing was decided since, for the page that says so may be opened again at any time."""
    return decision.action == "undo" if state == "waiting" else decision.can_be_undone
