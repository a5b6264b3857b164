"""Benchmark of pages, what one costs its reader, ours beside its peers: ``python bench/page.py`` prints tables, ``--json`` the same as JSON.

Ours is built from the shipped content as ``make publish`` builds it; the peers are in ``bench/peers.py``.
All are served by one small server on loopback that compresses text with Brotli at its best, and opened in headless Chromium.
Bytes are those of all answers to a page, compressed and without their headers;
"at first use" are those that follow when the box for a comment gets the focus.
"To use" counts the requests, let through one by one as the browser makes them, until the page is painted,
both comments can be read and the form can be used.
Lighthouse runs as for a phone, over every page in our sitemap and over the peers' article: of five runs the one
with the middle blocking time, for it takes other work of the machine, four times over, for the page's.
Its paints are simulated for a slow phone; "seen" are those that Chromium really made.

``--ours`` links out peers and Lighthouse, and needs neither Node nor a network.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from xml.etree import ElementTree

import peers
from intake import MAX_MADE_SECONDS, ROOT, BenchError
from loopback import compressed, served
from peers import ADDRESS
from playwright.sync_api import Browser, Error, Playwright, Request, Route, sync_playwright

SITE_URL = "https://feet.example"
PAGES = ("/", ADDRESS, "/contact/", "/privacy/", "/articles/", "/404.html")
WITH_FORM = ("/", ADDRESS)
COLD_BUILDS = 5
GOAL = 1 / 4  # of the next best peer's bytes
MAX_LOOKS = 60
RUNS = 5
TRIES = 3  # of Lighthouse, which at times loses the start of its own recording (NO_NAVSTART)
SETTLED = 400  # milliseconds that a page has to act on an answer before it is given the next
# Words as they are seen, so that what is hidden or not yet painted does not count.
USABLE = """words => {
    const box = [...document.querySelectorAll("textarea")].find(box => !box.disabled && box.checkVisibility());
    const send = box?.closest("form, .isso-postbox")?.querySelector("[type=submit], button:not([type=button])");
    const text = document.body?.innerText.replace(/\\s+/g, " ") ?? "";
    const painted = performance.getEntriesByName("first-contentful-paint").length > 0;
    return painted && !!send && words.every(word => text.includes(word));
}"""
BLOCKING = "performance.getEntriesByType('resource').filter(r => r.renderBlockingStatus == 'blocking').length"


@dataclass(frozen=True)
class Page:
    """What one page costs; the fields that may be None are, where it has no conversation."""

    page: str
    html_bytes: int
    html_brotli_bytes: int
    bytes: int
    at_first_use: int | None
    requests: int
    to_use: int | None
    render_blocking: int
    third_party: int
    without_script: bool | None


@dataclass(frozen=True)
class Score:
    """What Lighthouse says of one page; ``faults`` are the audits that count and are not passed."""

    page: str
    scores: dict[str, int]
    first_paint_ms: float
    largest_paint_ms: float
    first_paint_seen_ms: float
    largest_paint_seen_ms: float
    blocking_ms: float
    layout_shift: float
    faults: tuple[str, ...]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a page costs its reader.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--ours", action="store_true", help="only our pages: no peers, no Lighthouse")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    try:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            results = _measure(Path(folder), playwright, with_peers=not arguments.ours)
    except (BenchError, Error, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
    print(json.dumps(results, indent=1, default=asdict) if arguments.json else _tables(results))


def _measure(folder: Path, playwright: Playwright, *, with_peers: bool) -> dict[str, Any]:
    site = folder / "site"
    for name in ("content", "theme", "contract", "press", "postbox"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pelicanconf.py", "publishconf.py"):
        shutil.copy(ROOT / name, site)
    builds = [_cold_build(site) for _ in range(COLD_BUILDS)]
    words = peers.words()
    chromium = shutil.which("chromium") or playwright.chromium.executable_path
    with contextlib.ExitStack() as running:
        origin = running.enter_context(served(site / "output"))
        browser = running.enter_context(
            playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=60_000)
        )
        results: dict[str, Any] = {
            "pages": [_page(browser, page, origin, page, words) for page in PAGES],
            "cold_build_seconds": median(builds),
        }
        if not with_peers:
            return results
        outputs = peers.built(folder, words)
        isso = running.enter_context(peers.isso(folder / "isso", words))
        theirs = {name: running.enter_context(served(output, isso)) for name, output in outputs.items()}
        results["peers"] = [_page(browser, name, at, ADDRESS, words) for name, at in theirs.items()]
        addresses = [(page, origin + page) for page in _sitemap(site / "output/sitemap.xml")]
        addresses += [(name, at + ADDRESS) for name, at in theirs.items()]
        results["lighthouse"] = [_score(page, address, chromium, folder) for page, address in addresses]
        drawings = (site / "content/images").glob("*.svg")
        results["drawings_bytes"] = sum(len(compressed(file.read_bytes())) for file in drawings)
    return results


def _cold_build(site: Path) -> float:
    """Return the seconds that a build takes from nothing, the start of Python included."""
    shutil.rmtree(site / "output", ignore_errors=True)
    command = [sys.executable, "-m", "press", "publish"]
    environment = os.environ | {"SITE_URL": SITE_URL}
    started = time.perf_counter()
    done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, timeout=MAX_MADE_SECONDS)
    if done.returncode:
        raise BenchError(f"the site could not be built: {done.stderr.strip()}")
    return time.perf_counter() - started


def _sitemap(file: Path) -> list[str]:
    locations = ElementTree.parse(file).iterfind(".//{*}loc")
    return [(location.text or "").removeprefix(SITE_URL) for location in locations]


def _page(browser: Browser, name: str, origin: str, address: str, words: peers.Words) -> Page:
    """Open a page as a new reader does and count."""
    requests: list[Request] = []
    tab = browser.new_page()
    tab.on("request", lambda request: requests.append(request))
    answer = tab.goto(origin + address, wait_until="networkidle")
    at_load = [request for request in requests if not request.url.startswith("data:")]
    sizes = _sizes(at_load)
    blocking = tab.evaluate(BLOCKING)
    html = answer.body() if answer else b""
    has_form = address in WITH_FORM
    if has_form:
        requests.clear()
        tab.locator("textarea").first.focus()
        tab.wait_for_timeout(SETTLED)
        at_first_use = sum(_sizes(requests))
    tab.close()
    return Page(
        page=name,
        html_bytes=len(html),
        html_brotli_bytes=sizes[0] if sizes else 0,
        bytes=sum(sizes),
        at_first_use=at_first_use if has_form else None,
        requests=len(at_load),
        to_use=_to_use(browser, origin + address, words) if has_form else None,
        render_blocking=blocking,
        third_party=len([request for request in at_load if not request.url.startswith(origin)]),
        without_script=_without_script(browser, origin + address, words) if has_form else None,
    )


def _sizes(requests: list[Request]) -> list[int]:
    return [request.sizes()["responseBodySize"] for request in requests]


def _to_use(browser: Browser, url: str, words: peers.Words) -> int:
    """Return how many requests it takes until both comments can be read and the form can be used."""
    waiting: list[Route] = []
    tab = browser.new_page()
    tab.route("**", lambda route: route.continue_() if route.request.url == url else waiting.append(route))
    tab.goto(url, wait_until="commit")
    let_through = 1
    for _ in range(MAX_LOOKS):
        tab.wait_for_timeout(SETTLED)
        if usable := tab.evaluate(USABLE, _beginnings(words)):
            break
        if waiting:
            waiting.pop(0).continue_()
            let_through += 1
    tab.unroute("**")  # lets the rest through, the icon that is asked for last too
    tab.wait_for_load_state("networkidle")
    tab.close()
    if not usable:
        raise BenchError(f"{url} never showed its comments and a form")
    return let_through


def _without_script(browser: Browser, url: str, words: peers.Words) -> bool:
    """Return whether comments and form are there with JavaScript off."""
    tab = browser.new_page(java_script_enabled=False)
    tab.goto(url, wait_until="networkidle")
    tab.wait_for_timeout(SETTLED)
    usable = bool(tab.evaluate(USABLE, _beginnings(words)))
    tab.close()
    return usable


def _beginnings(words: peers.Words) -> list[str]:
    return [comment[:40] for comment in words.comments]


def _score(page: str, url: str, chromium: str, folder: Path) -> Score:
    print(f"Lighthouse: {page}", file=sys.stderr)
    scores = [_lighthouse(page, url, chromium, folder) for _ in range(RUNS)]
    return sorted(scores, key=lambda score: score.blocking_ms)[RUNS // 2]


def _lighthouse(page: str, url: str, chromium: str, folder: Path) -> Score:
    script = peers.node_modules() / "lighthouse/cli/index.js"
    flags = ("--output=json", "--quiet", "--no-enable-error-reporting", "--chrome-flags=--headless=new --no-sandbox")
    for attempt in range(TRIES):
        with contextlib.suppress(*(BenchError,) if attempt < TRIES - 1 else ()):
            report = json.loads(peers.node(script, url, *flags, folder=folder, CHROME_PATH=chromium))
            break
    if error := report.get("runtimeError"):
        raise BenchError(f"Lighthouse on {page}: {error['message']}")
    audits, categories = report["audits"], report["categories"]
    seen = audits["metrics"]["details"]["items"][0]
    return Score(
        page=page,
        scores={name: round(100 * category["score"]) for name, category in categories.items()},
        first_paint_ms=audits["first-contentful-paint"]["numericValue"],
        largest_paint_ms=audits["largest-contentful-paint"]["numericValue"],
        first_paint_seen_ms=seen["observedFirstContentfulPaint"],
        largest_paint_seen_ms=seen["observedLargestContentfulPaint"],
        blocking_ms=audits["total-blocking-time"]["numericValue"],
        layout_shift=audits["cumulative-layout-shift"]["numericValue"],
        faults=tuple(
            f"{name}: {audits[each['id']]['title']} ({each['id']})"
            for name, category in categories.items()
            for each in category["auditRefs"]
            if each["weight"] and (audits[each["id"]]["score"] or 0) < 1 and audits[each["id"]]["score"] is not None
        ),
    )


def _tables(results: dict[str, Any]) -> str:
    pages: list[Page] = results["pages"]
    lines = [*_costs("our page", pages), "", f"cold build, a process of its own: {results['cold_build_seconds']:.2f} s"]
    lines[-1] += f" (median of {COLD_BUILDS})"
    if "peers" not in results:
        return "\n".join(lines)
    ours = next(page for page in pages if page.page == ADDRESS)
    best = min(results["peers"], key=lambda peer: peer.bytes)
    lines += ["", *_costs("the article by a peer, with Isso", results["peers"], ours=ours), ""]
    lines += [
        f"ours has {ours.bytes / best.bytes:.3f} of the bytes of the next best, {best.page} (goal: at most {GOAL:g}),"
        f" three drawings included; the peers have none, and with them {results['drawings_bytes']:,} bytes more",
        "",
        f"{'Lighthouse, as for a phone':34}{'perf':>6}{'access':>8}{'practice':>10}{'SEO':>6}"
        f"{'first ms':>10}{'largest':>9}{'seen':>6}{'largest':>9}{'blocking':>10}{'shift':>7}",
    ]
    for score in results["lighthouse"]:
        scores = "".join(f"{value:>{width}}" for value, width in zip(score.scores.values(), (6, 8, 10, 6), strict=True))
        lines += [
            f"{score.page:34}{scores}{score.first_paint_ms:>10.0f}{score.largest_paint_ms:>9.0f}"
            f"{score.first_paint_seen_ms:>6.0f}{score.largest_paint_seen_ms:>9.0f}{score.blocking_ms:>10.0f}{score.layout_shift:>7.3f}"
        ]
    return "\n".join([*lines, *(f"{score.page}: {fault}" for score in results["lighthouse"] for fault in score.faults)])


def _shown(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _costs(title: str, pages: list[Page], ours: Page | None = None) -> list[str]:
    lines = [
        f"{title:34}{'HTML':>8}{'brotli':>8}{'bytes':>8}{'at first use':>14}{'requests':>10}{'to use':>8}{'blocking':>10}{'elsewhere':>11}{'no script':>11}"
    ]
    for page in pages:
        whether = {None: "", True: "yes", False: "no"}[page.without_script]
        lines += [
            f"{page.page:34}{page.html_bytes:>8,}{page.html_brotli_bytes:>8,}{page.bytes:>8,}{_shown(page.at_first_use):>14}{page.requests:>10}{page.to_use or '':>8}"
            f"{page.render_blocking:>10}{page.third_party:>11}{whether:>11}"
            + (f"{page.bytes / ours.bytes:>9.1f}x ours" if ours else "")
        ]
    return lines


if __name__ == "__main__":
    main()
