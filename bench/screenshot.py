"""Take the picture at the head of the README: the front page on a phone and on a desk, as ``make serve`` shows it."""

import functools
import http.server
import shutil
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from press.builder import build

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "bench" / "front-page.png"
SHEET = """<body style="margin:0;display:flex;gap:32px;align-items:start;padding:32px;background:#dcd8d0">
<iframe src="{0}" width="1120" height="760" style="border:0"></iframe><iframe src="{0}" width="360" height="760" style="border:0"></iframe>"""


def main() -> None:
    """Build the site, open it twice beside itself, take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        build(
            ROOT / "pelicanconf.py",
            OUTPUT_PATH=f"{folder}/output",
            SITE_JSON=f"{folder}/site.json",
            PATH=str(ROOT / "content"),
        )
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=f"{folder}/output")
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1576, "height": 824})
            page.set_content(SHEET.format(f"http://127.0.0.1:{server.server_port}/"), wait_until="networkidle")
            page.screenshot(path=PICTURE)
            browser.close()
            server.shutdown()


if __name__ == "__main__":
    main()
