"""Preview: the site, its form and a reloading browser on one port, for the owner's own machine."""

import asyncio
from collections.abc import AsyncIterator

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
        address = scope["path"] if scope["path"].endswith("/") else f"{scope['path']}/"
        if moved := site.redirects.get(address):
            return RedirectResponse(moved, 301)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404:
                raise
            response = FileResponse(self._settings.output / "404.html", 404)
        response.headers.update(site.headers_for(scope["path"]))
        return response


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
