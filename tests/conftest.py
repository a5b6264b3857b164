"""Fixtures of all tests, and the markers that they bring."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from postbox.settings import Settings
from tests.support.place import Place, a_place
from tests.support.store import NOW, Clock


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


@pytest.fixture
def settings(shipped: Place, tmp_path: Path) -> Settings:
    """Settings of a place with comments and an inbox of its own, beside the shipped site."""
    return a_place(shipped, tmp_path / "mine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or Playwright's own where there is none."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return lambda: NOW
