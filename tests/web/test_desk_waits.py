"""The desk while another process holds the lock of decisions: only who decides waits; and a backup that hardly holds it."""

import fcntl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest
from starlette.testclient import TestClient

import contract.manifest
from postbox.moderation import service
from postbox.moderation.service import Moderation
from postbox.settings import Settings
from tests.support.desk import a_published, client, name_of, published, seen, send, signed_in
from tests.support.place import ARTICLE

__all__ = ["client"]  # fixtures


@pytest.fixture
def david(client: TestClient, settings: Settings) -> TestClient:
    """David, signed in."""
    return signed_in(client, settings)


def test_who_reads_is_answered_while_who_decides_waits(david: TestClient, settings: Settings) -> None:
    id = send(settings)
    name = name_of(settings, id)
    with (settings.desk / "lock").open("w") as held, ThreadPoolExecutor() as threads:
        fcntl.flock(held, fcntl.LOCK_EX)
        deciding = threads.submit(david.post, f"/comment/{id}", data={"name": name, "action": "publish"})

        assert [david.get(address).status_code for address in ("/", "/published", "/log", f"/comment/{id}")] == [
            200
        ] * 4
        assert not deciding.done()
        assert not list(settings.comments.glob(f"*/{id}.md"))

        fcntl.flock(held, fcntl.LOCK_UN)
        assert deciding.result(30).status_code == 303

    assert published(settings, id)


def test_the_facts_of_the_site_are_parsed_once_however_much_is_decided(david: TestClient, settings: Settings) -> None:
    ids = [send(settings) for _ in range(3)]
    names = {name_of(settings, id): "tick" for id in ids}

    with patch("contract.manifest.load", wraps=contract.manifest.load) as load:
        settings.site.touch()
        answer = david.post("/", data=names | {"action": "reject", "back": "/?page=1"})
        david.get("/")

    assert answer.status_code == 303
    assert load.call_count in (1, 2)  # a task of the desk may look in the same moment


def test_a_backup_is_of_one_moment_and_who_decides_while_files_are_copied_does_not_wait(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, goes, later = a_published(settings), a_published(settings, body="Gone."), send(settings, body="Later.")
    name, words, copy_file = name_of(settings, later), seen(settings, stays), service._copy_file
    moderation, before = Moderation.open(settings), (settings.comments / ARTICLE / f"{stays}.md").read_bytes()
    decided: list[int] = []

    def decide() -> list[int]:
        other, who, now = Moderation.open(settings), "David", datetime.now(UTC)
        removed = other.remove(ARTICLE, stays, seen=words, who=who, now=now)
        return [other.approve(name, who=who, now=now), other.forget(goes, who=who, now=now), removed]

    def copy_once_decided(path: Path, copy: Path) -> None:
        with ThreadPoolExecutor() as threads:
            decided.extend([] if decided else threads.submit(decide).result(30))
        copy_file(path, copy)

    monkeypatch.setattr(service, "_copy_file", copy_once_decided)
    (copy := tmp_path / "copy").mkdir()
    moderation.copy(copy)

    copies = {path.stem: path.read_bytes() for path in copy.rglob("*.md")}
    assert (copies[stays], copies.get(later)) == (before, None)
    assert b"Gone." not in copies[goes]
    assert published(settings, later)
    assert not published(settings, stays)
