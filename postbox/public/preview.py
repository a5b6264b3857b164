"""Preview: the site, its form and a reloading browser on one port, for the owner's own machine."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from contract.manifest import STATUS_FILE, BuildStatus, load
from postbox.public import app as intake
from postbox.settings import Settings

RELOAD = 'new EventSource("/preview/changes").onmessage = () => location.reload();\n'
POLL_SECONDS = 0.1


class Pages(StaticFiles):
    """The built site with its headers, its redirects and its own page for what is not there."""

    def __init__(self, settings: Settings) -> None:
        """Serve the output of the build."""
        super().__init__(directory=settings.output, html=True, check_dir=False)
        self._settings = settings

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer like a static host that honours ``_headers`` and ``_redirects``."""
        site = load(self._settings.site)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404:
                raise
            response = FileResponse(self._settings.output / "404.html", 404)
        if response.status_code == 404 and (moved := self._moved(scope)):
            return RedirectResponse(moved, 301)
        response.headers.update(site.headers_for(scope["path"]))
        return response

    def _moved(self, scope: Scope) -> str | None:
        """Return where an address leads that an article had before."""
        place = self._settings.output / "_redirects"
        lines = place.read_text("utf-8").splitlines() if place.is_file() else []
        moved = {unquote(line.split()[0]): line.split()[1] for line in lines if line and "?" not in line.split()[0]}
        return moved.get(scope["path"]) or moved.get(f"{scope['path']}/")


def application(settings: Settings) -> Starlette:
    """Return the whole site as one ASGI application."""

    async def changes(request: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            told = settings.site.with_name(STATUS_FILE)
            seen = BuildStatus.load(told).finished
            while not await request.is_disconnected():
                await asyncio.sleep(POLL_SECONDS)
                if (now := BuildStatus.load(told).finished) != seen:
                    seen = now
                    yield "data: built\n\n"

        return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def reload(request: Request) -> Response:
        return Response(RELOAD, media_type="text/javascript")

    app = intake.application(settings)
    app.routes.extend(
        [Route("/preview/changes", changes), Route("/preview/reload.js", reload), Mount("/", Pages(settings))]
    )
    return app
