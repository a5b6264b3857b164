"""The site that exports are brought into."""

from pathlib import Path

import pytest

from tests.moving.exports import OldSite


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OldSite:
    """A fresh site, as the working directory."""
    site = OldSite(tmp_path)
    monkeypatch.chdir(tmp_path)
    return site
