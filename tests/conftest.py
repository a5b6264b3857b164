"""Fixtures of all tests, and the markers that they bring."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.place import Place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a real browser."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A copy of the site, not yet built."""
    return Place(tmp_path)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The shipped site, built once; look, do not change."""
    place = Place(tmp_path_factory.mktemp("shipped"))
    place.build()
    return place


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or Playwright's own where there is none."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def clock() -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
