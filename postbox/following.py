"""The page that each mail to a reader links to: whether the address is theirs, what it wants to be told, and the way out.

GET changes nothing, for scanners of mail open every link. A link whose address is gone looks like one that never was.
"""

import sqlite3
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from postbox.followers import WANTS, Follower, Followers
from postbox.form import Refused
from postbox.front import Front
from postbox.inbox import Inbox
from postbox.log import fault
from postbox.site import Conversation

_Change = Callable[[Followers, Follower], None]


class Following:
    """The handlers of the page."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._followers = Followers(front.inbox)

    async def choices(self, request: Request) -> Response:
        """Show what an address can choose."""
        return self._page(self._follower(request))

    async def choose(self, request: Request) -> Response:
        """Record a choice; whoever has the link reads the mail of the address."""
        fields, follower = await self._front.fields(request), self._follower(request)
        wants = [want for want in WANTS if fields.get(want) == "yes"]
        match fields.get("action"):
            case "choose" if wants:
                await self._change(lambda followers, it: followers.choose(it.comment, wants), follower)
            case "choose" | "stop":
                await self._change(lambda followers, it: followers.stop(it.comment), follower)
            case "never":
                await self._change(lambda followers, it: followers.refuse(it.address), follower)
            case _:
                raise Refused(400, "That form is none of this site’s. Go back and use its buttons.")
        return self._front.redirect(self._front.site, f"/mail/{request.path_params['token']}")

    async def unsubscribe(self, request: Request) -> Response:
        """Stop at once, as the button of a mail program asks (RFC 8058): whatever the form says and wherever it comes from."""
        await self._change(lambda followers, it: followers.stop(it.comment), self._follower(request))
        return self._page(None)

    def _follower(self, request: Request) -> Follower | None:
        return self._followers.by_token(request.path_params["token"])

    async def _change(self, change: _Change, follower: Follower | None) -> None:
        def carry_out(inbox: Inbox) -> None:
            if follower:
                change(Followers(inbox), follower)

        try:
            await self._front.write(carry_out)
        except (sqlite3.Error, OSError) as error:
            fault(error)
            raise Refused(503, "This could not be done just now. Go back and try again in a minute.") from None

    def _page(self, follower: Follower | None) -> Response:
        revisions = self._front.inbox.revisions(follower.comment) if follower else []
        conversation = self._front.site.conversations.get(
            revisions[0].article if revisions else "", Conversation("", "/")
        )
        is_published = any(revision.state == "published" for revision in revisions)
        return self._front.page(
            "follow.html", 200, follower=follower, conversation=conversation, is_published=is_published
        )
