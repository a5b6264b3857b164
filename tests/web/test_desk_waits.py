"""The desk while another process holds the lock of decisions, as a backup does: only who decides waits."""

import fcntl
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
from starlette.testclient import TestClient

import contract.manifest
from postbox.settings import Settings
from tests.support.desk import client, name_of, published, send, signed_in

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
    settings.site.touch()

    with patch("contract.manifest.load", wraps=contract.manifest.load) as load:
        answer = david.post("/", data=names | {"action": "reject", "back": "/?page=1"})
        david.get("/")

    assert answer.status_code == 303
    assert load.call_count == 1
