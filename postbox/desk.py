"""The author's own web application: what waits, what is published, what was decided, and one comment with all of that.

It runs under a host name of its own, and every page but the sign-in asks for a session.
GET and HEAD change nothing; a decision is a POST that names the words it was made on.
"""

import asyncio
import hashlib
import logging
import math
import re
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from jinja2 import FileSystemLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from postbox.comment import Comment
from postbox.form import Refused, check
from postbox.moderation import Moderation, ModerationError
from postbox.settings import Settings
from postbox.shown import Line, Showing, Shown
from postbox.sign_in import SESSION_LASTS, SignIn
from postbox.site import Site, environment, load
from postbox.web import PRIVATE, read_form

Handler = Callable[[Request], Awaitable[Response]]

PAGE = 20
WISHES_SECONDS = 0.2
LISTS = {"/": "queue.html", "/published": "published.html", "/log": "log.html"}
LATER = "This could not be done just now. Try again in a minute."


class WrongWordsError(ValueError):
    """What the author typed himself has to be corrected; ``key`` is its field."""

    def __init__(self, text: str, key: str) -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True)
class Problem:
    """Why something was not done, to which comment; ``key`` is the field to correct, if it is one."""

    text: str
    id: str = ""
    author: str = ""
    key: str = ""


@dataclass
class Outcome:
    """What came of a form: the decisions made, the problems, and the status to answer with."""

    done: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    status: int = 200

    def fail(self, problem: Problem, status: int) -> None:
        """Add a problem; the gravest gives the status."""
        self.problems.append(problem)
        self.status = max(self.status, status)


class Desk:
    """The handlers, and what they share: the theme, moderation and the sessions."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Open everything; the facts of the site are read for each answer, as the build last wrote them."""
        self._settings = settings
        self._clock = clock
        self._theme = environment(FileSystemLoader(settings.theme / "templates"))
        self._moderation = Moderation(settings)
        self._sign_in = SignIn(settings.desk)
        secure = settings.desk_url.startswith("https:")
        self._cookie = "__Host-desk" if secure else "desk"
        self._cookie_is: dict[str, Any] = {"secure": secure, "httponly": True, "samesite": "strict"}

    # Signing in

    async def link(self, request: Request) -> Response:
        """Show the button that signs in; the link itself does nothing, for scanners of mail open it too."""
        return self._page("sign_in.html", 200, self._site(), place=None, token=request.path_params["token"])

    async def sign_in(self, request: Request) -> Response:
        """Use a link up and open a session."""
        fields, site = await self._form(request), self._site()
        session = self._sign_in.redeem(fields.get("token", ""), self._clock())
        if not session:
            raise Refused(401, "That link was used before, or is older than 15 minutes.")
        response = RedirectResponse("/", 303, headers=site.headers)
        seconds = int(SESSION_LASTS.total_seconds())
        response.set_cookie(self._cookie, session, max_age=seconds, **self._cookie_is)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Close the session."""
        await self._form(request)
        self._sign_in.close(request.cookies[self._cookie])
        response = RedirectResponse("/", 303, headers=self._site().headers)
        response.delete_cookie(self._cookie, **self._cookie_is)
        return response

    def signed_in(self, handler: Handler) -> Handler:
        """Return a handler for the signed in alone."""

        async def guarded(request: Request) -> Response:
            if not self._is_signed_in(request):
                raise Refused(401, "You are not signed in.")
            return await handler(request)

        return guarded

    # Pages

    async def browse(self, request: Request) -> Response:
        """Show the queue, what is published, or the log."""
        asked = request.query_params
        outcome = Outcome(done=_numbers(asked.get("done", "")))
        is_ticked = asked.get("tick") == "all"
        return self._list(request.url.path, _number(asked.get("page", "")), outcome, is_ticked=is_ticked)

    async def comment(self, request: Request) -> Response:
        """Show one comment and all that became of it."""
        return self._comment(request.path_params["id"], {}, Outcome())

    # Decisions

    async def decide(self, request: Request) -> Response:
        """Carry out one decision, or show the comment as it is now, with every word that was typed."""
        fields, id, outcome = await self._form(request), request.path_params["id"], Outcome()
        self._attempt(id, fields, outcome)
        return self._comment(id, fields, outcome) if outcome.problems else self._go_back(fields, outcome)

    async def decide_all(self, request: Request) -> Response:
        """Carry out one decision on each comment that is ticked; one that is refused takes no other along."""
        fields, outcome = await self._form(request), Outcome()
        names = [name for name, value in fields.items() if value == "tick"]
        for name in names:
            self._attempt(name.rpartition(".")[0], {"name": name, "action": fields.get("action", "")}, outcome)
        if not names:
            outcome.fail(Problem("Tick the comments that you want to decide together."), 422)
        return self._go_back(fields, outcome)

    async def undo(self, request: Request) -> Response:
        """Take decisions back, the latest first."""
        fields, outcome, who = await self._form(request), Outcome(), self._site().author
        for sequence in sorted(_numbers(fields.get("sequences", "")), reverse=True):
            try:
                outcome.done.append(self._moderation.undo(sequence, who=who, now=self._clock()))
            except ModerationError as error:
                outcome.fail(Problem(f"{error}."), 409)
        return self._go_back(fields, outcome)

    # What cannot be done, and what is done unasked

    async def refused(self, request: Request, error: Exception) -> Response:
        """Answer with a sentence, never with a 500."""
        code, reason, headers = 503, LATER, {}
        if isinstance(error, Refused):
            code, reason = error.status, str(error)
        elif isinstance(error, HTTPException):
            code, reason, headers = error.status_code, "That page is not here.", dict(error.headers or {})
        try:
            if isinstance(error, HTTPException) and not self._is_signed_in(request):
                code, reason = 401, "You are not signed in."
            place = None if code == 401 else ""
            # A strict cookie is not sent along a link from another site, like that of mail in the browser.
            is_away = code == 401 and request.headers.get("sec-fetch-site") == "cross-site"
            answer = self._page("refused.html", code, self._site(), place=place, reason=reason, is_away=is_away)
        except Exception:  # the theme, the facts or a database is what is broken
            headers = PRIVATE | {"Content-Security-Policy": "default-src 'none'"}
            answer = PlainTextResponse(LATER, 503)
        answer.headers.update(headers)
        return answer

    async def grant_wishes(self) -> None:
        """Take comments off their pages as soon as their writers delete them, until cancelled."""
        logged = ""
        while True:
            try:
                self._moderation.grant_wishes(now=self._clock())
                logged = ""
            except Exception as error:  # what cannot be granted now may be later, and nothing else may stop for it
                if repr(error) != logged:
                    logging.getLogger(__name__).exception("A writer's deletion could not be carried out")
                logged = repr(error)
            await asyncio.sleep(WISHES_SECONDS)

    # How

    def _attempt(self, id: str, fields: Mapping[str, str], outcome: Outcome) -> None:
        """Carry out a decision, or say what stopped it."""
        site, made = self._site(), 0
        try:
            for sequence in self._decide(id, fields, site):
                outcome.done.append(sequence)
                made += 1
        except WrongWordsError as error:
            text, key, status = str(error), error.key, 422
        except (ValueError, OverflowError) as error:
            text, key, status = self._why(error, id, fields.get("name", "")), "", 409
        except (sqlite3.Error, OSError):
            text, key, status = LATER, "", 503
        else:
            return
        if made:
            text = f"The comment is published, but your answer is not. {text}"
        outcome.fail(Problem(text, id, Showing(self._moderation, site).author(id), key), status)

    def _decide(self, id: str, fields: Mapping[str, str], site: Site) -> Iterator[int]:
        moderation, name = self._moderation, fields.get("name", "")
        by: dict[str, Any] = {"who": site.author, "now": self._clock()}
        match fields.get("action"):
            case "publish" if fields.get("answer", "").strip():
                raise WrongWordsError("You wrote an answer. Press “Publish and answer”, or empty the box", "answer")
            case "publish":
                yield moderation.approve(name, **by)
            case "publish and answer":
                words = _own_words("answer", fields, site)
                yield moderation.approve(name, **by)
                comment = self._published(name.rpartition(".")[0])
                yield moderation.answer(comment.article, comment.id, words, **by)
            case "reject":
                yield moderation.reject(name, reason=" ".join(fields.get("reason", "").split()), **by)
            case "spam":
                yield moderation.spam(name, **by)
            case "answer":
                words, comment = _own_words("answer", fields, site), self._published(id)
                if name != moderation.seen(comment):
                    raise ModerationError(f"{id} has changed since; read it again")
                yield moderation.answer(comment.article, id, words, **by)
            case "edit":
                words, comment = _own_words("comment", fields, site), self._published(id)
                yield moderation.edit(comment.article, id, words, seen=name, **by)
            case "remove":
                yield moderation.remove(self._published(id).article, id, seen=name, **by)
            case _:
                raise Refused(400, "That form is none of the desk's. Go back and use its buttons.")

    def _published(self, id: str) -> Comment:
        comment = self._moderation.find(id)
        if not comment:
            raise ModerationError(f"{id} is not published any more")
        return comment

    def _why(self, error: Exception, id: str, name: str) -> str:
        """Say why a decision was refused to one who sees the page, and not the ids of the command line."""
        if name.rpartition(".")[0] == id:
            waiting = [judged.name for judged in self._moderation.history(id) if judged.waiting.state == "waiting"]
            if not waiting:
                return "This comment does not wait any more; it was decided or deleted since you read it."
            if name not in waiting:
                return "This comment has changed since you read it. Nothing was done; read what it says now."
        return f"{str(error).replace(name or id, 'This comment').replace(id, 'This comment')}. Nothing was done."

    def _go_back(self, fields: Mapping[str, str], outcome: Outcome) -> Response:
        """Lead back to the list that a form stood on, which says what was done; or show it with the problems."""
        place, _, page = fields.get("back", "").partition("?page=")
        place = place if place in LISTS else "/"
        if outcome.problems:
            return self._list(place, _number(page), outcome)
        address = f"{place}?page={_number(page)}&done={','.join(map(str, outcome.done))}"
        return RedirectResponse(address, 303, headers=self._site().headers)

    def _list(self, place: str, page: int, outcome: Outcome, *, is_ticked: bool = False) -> Response:
        site, moderation = self._site(), self._moderation
        showing = Showing(moderation, site)
        everything = moderation.all_published() if place == "/published" else []
        total = {"/": moderation.inbox.size(), "/log": moderation.log_size()}.get(place, len(everything))
        pages = max(1, math.ceil(total / PAGE))
        page = min(page, pages)
        after = (page - 1) * PAGE
        items: Sequence[Shown | Line]
        if place == "/published":
            items = [showing.published(comment) for comment in everything[after : after + PAGE]]
        elif place == "/log":
            items = [showing.line(decision) for decision in moderation.log(most=PAGE, after=after)]
        else:
            items = [showing.waiting(judged) for judged in moderation.queue(most=PAGE, after=after)]
        values = {
            "back": f"{place}?page={page}",
            "items": items,
            "total": total,
            "page": page,
            "pages": pages,
            "is_ticked": is_ticked,
        }
        return self._page(LISTS[place], outcome.status, site, place=place, **values, **self._said(outcome, showing))

    def _comment(self, id: str, typed: Mapping[str, str], outcome: Outcome) -> Response:
        site, history, published = self._site(), self._moderation.history(id), self._moderation.find(id)
        if not history and not published:
            raise Refused(404, "That comment is not here.")
        showing = Showing(self._moderation, site)
        waiting = [judged for judged in history if judged.waiting.state == "waiting"][-1:]
        values = {
            "waiting": showing.waiting(waiting[0]) if waiting else None,
            "published": showing.published(published) if published else None,
            "revisions": [(it.waiting, showing.time(it.waiting.received)) for it in reversed(history[-PAGE:])],
            "older": max(0, len(history) - PAGE),
            "typed": typed,
        }
        return self._page("comment.html", outcome.status, site, place="", **values, **self._said(outcome, showing))

    def _said(self, outcome: Outcome, showing: Showing) -> dict[str, Any]:
        decisions = [self._moderation.decision(sequence) for sequence in outcome.done]
        return {"done": [showing.line(one) for one in decisions if one], "problems": outcome.problems}

    def _is_signed_in(self, request: Request) -> bool:
        return self._sign_in.is_open(request.cookies.get(self._cookie, ""), self._clock())

    async def _form(self, request: Request) -> dict[str, str]:
        most_fields = self._settings.form_fields + PAGE  # one more for each comment that can be ticked
        return await read_form(request, most_bytes=self._settings.form_bytes, most_fields=most_fields)

    def _site(self) -> Site:
        """Return the facts of the site with the desk's style and headers: no script, kept by nobody."""
        site = load(self._settings.site)
        style = site.style + (self._settings.theme / "templates/desk/style.css").read_text("utf-8")
        digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = dict(part.split(maxsplit=1) for part in site.headers["Content-Security-Policy"].split(";"))
        policy |= {"style-src": f"'sha256-{digest}'", "script-src": "'none'", "connect-src": "'none'"}
        headers = {"Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items())}
        return replace(site, style=style, headers=site.headers | PRIVATE | headers)

    def _page(self, template: str, code: int, site: Site, **values: object) -> Response:
        html = self._theme.get_template(f"desk/{template}").render(site=site, **values)
        return HTMLResponse(html, code, headers=site.headers)


def application(settings: Settings) -> Starlette:
    """Return the desk as an ASGI application."""
    desk = Desk(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        granting = asyncio.create_task(desk.grant_wishes())
        yield
        granting.cancel()
        with suppress(asyncio.CancelledError):
            await granting

    app = Starlette(
        routes=[
            *(Route(place, desk.signed_in(desk.browse)) for place in LISTS),
            Route("/", desk.signed_in(desk.decide_all), methods=["POST"]),
            Route("/comment/{id:path}", desk.signed_in(desk.comment)),
            Route("/comment/{id:path}", desk.signed_in(desk.decide), methods=["POST"]),
            Route("/undo", desk.signed_in(desk.undo), methods=["POST"]),
            Route("/sign-in/{token}", desk.link),
            Route("/sign-in", desk.sign_in, methods=["POST"]),
            Route("/sign-out", desk.signed_in(desk.sign_out), methods=["POST"]),
        ],
        exception_handlers={Refused: desk.refused, HTTPException: desk.refused, Exception: desk.refused},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # its redirects would go out without our headers
    return app


def _own_words(key: str, fields: Mapping[str, str], site: Site) -> str:
    """Return what the author typed; his words keep the rules of everybody's."""
    submission, errors = check({"name": site.author, "comment": fields.get(key, "")}, site)
    if error := errors.get("comment"):
        error = error.replace("Comment", key.capitalize(), 1).replace("your comment", f"your {key}", 1)
        raise WrongWordsError(error, key)
    return submission.body


def _number(text: str) -> int:
    return max(1, int(text)) if re.fullmatch(r"[0-9]{1,9}", text) else 1


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", text)][: 2 * PAGE]
