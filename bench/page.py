"""What a page costs its reader: ``python bench/page.py`` prints a table, ``--json`` the same as JSON.

Pages are built from the shipped content as ``make publish`` builds them and opened in headless Chromium.
"""

import argparse
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import brotli
from playwright.sync_api import Browser, Request, sync_playwright

ROOT = Path(__file__).parent.parent
PAGES = ("/", "/articles/big-toe-and-glutes/", "/contact/", "/privacy/", "/articles/", "/404.html")
COLD_BUILDS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        for name in ("content", "theme", "press", "postbox"):
            shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pelicanconf.py", "publishconf.py"):
            shutil.copy(ROOT / name, site)
        builds = [_cold_build(site) for _ in range(COLD_BUILDS)]
        rows = _measure(site / "output")
    if arguments.json:
        print(json.dumps({"pages": rows, "cold_build_seconds": median(builds)}, indent=1))
        return
    print(f"{'page':34}{'HTML':>8}{'brotli':>8}{'requests':>10}{'blocking':>10}{'elsewhere':>11}")
    for row in rows:
        values = (row[key] for key in ("html_bytes", "brotli_bytes", "requests", "render_blocking", "third_party"))
        print(
            f"{row['page']:34}"
            + "".join(f"{value:>{width}}" for value, width in zip(values, (8, 8, 10, 10, 11), strict=True))
        )
    print(f"\ncold build, a process of its own: {median(builds):.2f} s (median of {COLD_BUILDS})")


def _cold_build(site: Path) -> float:
    """Return the seconds that a build takes from nothing, the start of Python included."""
    shutil.rmtree(site / "output", ignore_errors=True)
    command = [sys.executable, "-m", "press", "publish"]
    started = time.perf_counter()
    subprocess.run(
        command, cwd=site, env=os.environ | {"SITE_URL": "https://feet.example"}, check=True, capture_output=True
    )
    return time.perf_counter() - started


def _measure(output: Path) -> list[dict[str, str | int]]:
    handler = functools.partial(_Quiet, directory=output)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        origin = f"http://127.0.0.1:{server.server_port}"
        rows = [_page(browser, origin, page, output) for page in PAGES]
        browser.close()
        server.shutdown()
    return rows


def _page(browser: Browser, origin: str, page: str, output: Path) -> dict[str, str | int]:
    html = (output / page.lstrip("/") / ("index.html" if page.endswith("/") else "")).read_bytes()
    requests: list[Request] = []
    tab = browser.new_page()
    tab.on("request", lambda request: requests.append(request))
    tab.goto(origin + page, wait_until="networkidle")
    blocking = tab.evaluate(
        "performance.getEntriesByType('resource').filter(r => r.renderBlockingStatus == 'blocking').length"
    )
    tab.close()
    return {
        "page": page,
        "html_bytes": len(html),
        "brotli_bytes": len(brotli.compress(html)),
        "requests": len([request for request in requests if not request.url.startswith("data:")]),
        "render_blocking": blocking,
        "third_party": len([r for r in requests if not r.url.startswith((origin, "data:"))]),
    }


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the table readable."""


if __name__ == "__main__":
    main()
