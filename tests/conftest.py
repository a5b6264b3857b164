"""Fixtures of all tests, and the markers that they bring."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from postbox.settings import Settings
from tests.support.engines import ENGINES, Cluster, Overrides, cluster, hand_over
from tests.support.place import Place, a_place
from tests.support.process import serve
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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    """The site as `make serve` serves it, for a reader who may send as often as they like, and its address."""
    yield from serve(tmp_path_factory.mktemp("served"), POSTBOX_RATE_SENDER="1000")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module that says so on both engines, but those about the file of an inbox."""
    is_for_both = getattr(metafunc.module, "ON_BOTH_ENGINES", False)
    if is_for_both and "engine" in metafunc.fixturenames and not metafunc.definition.get_closest_marker("sqlite"):
        metafunc.parametrize("engine", ENGINES, indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL for all tests of a session."""
    with cluster() as running:
        yield running


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Overrides:
    """The settings of an inbox on the engine that a test is run on: a file by default."""
    is_file = getattr(request, "param", "sqlite") == "sqlite"
    return {} if is_file else request.getfixturevalue("postgresql").fresh()


@pytest.fixture
def settings(shipped: Place, tmp_path: Path, engine: Overrides) -> Settings:
    """Settings of a place with comments and an inbox of its own, beside the shipped site."""
    made = a_place(shipped, tmp_path / "mine", **engine)
    if engine:
        hand_over(made)
    return made


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
