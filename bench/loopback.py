"""A server on loopback for any folder of pages: text goes out in Brotli at its best, whoever wrote it."""

import contextlib
import functools
import http.client
import mimetypes
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import brotli

TEXT = ("text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml")
MAX_SECONDS = 60.0  # for an answer of Isso's


@contextlib.contextmanager
def served(root: Path, isso: int = 0) -> Iterator[str]:
    """Serve a folder with the headers that its ``_headers`` asks for, and the Isso on a port below ``/isso``; give the origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, root, isso)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@functools.cache
def compressed(body: bytes) -> bytes:
    """Return what goes over the wire for a text."""
    return bytes(brotli.compress(body, quality=11))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, root: Path, isso: int, *more: Any) -> None:
        self.root, self.isso = root, isso
        super().__init__(*more)

    def do_GET(self) -> None:
        of_isso = self.isso and self.path.startswith("/isso/")
        status, kind, body = self._of_isso() if of_isso else self._of_folder()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if kind.partition(";")[0] in TEXT:
            body = compressed(body)
            self.send_header("Content-Encoding", "br")
        self.send_header("Content-Length", str(len(body)))
        for name, value in _headers(self.root / "_headers", self.path).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def _of_folder(self) -> tuple[int, str, bytes]:
        file = self.root / self.path.partition("?")[0].lstrip("/")
        file = file / "index.html" if file.is_dir() else file
        if not file.is_file():
            return 404, "text/plain", b""
        return 200, mimetypes.guess_type(file.name)[0] or "application/octet-stream", file.read_bytes()

    def _of_isso(self) -> tuple[int, str, bytes]:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", self.isso, timeout=MAX_SECONDS)
        kept = {name: value for name, value in self.headers.items() if name in ("Content-Type", "Accept")}
        connection.request(self.command, self.path.removeprefix("/isso"), sent, kept)
        answer = connection.getresponse()
        with contextlib.closing(connection):
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the table readable."""


def _headers(file: Path, path: str) -> dict[str, str]:
    """Return what a host that reads ``_headers`` sends for a path: each block that fits adds, and ``!`` takes away."""
    headers: dict[str, str] = {}
    pattern = ""
    for line in file.read_text("utf-8").splitlines() if file.exists() else []:
        name, _, value = line.strip().partition(": ")
        if not line.startswith(" "):
            pattern = name
        elif fnmatchcase(path, pattern) and name.startswith("! "):
            headers.pop(name.removeprefix("! "), None)
        elif fnmatchcase(path, pattern):
            headers[name] = value
    return headers
