"""Intake of a site on another origin: it takes the site's two forms from there, and everything else as strictly as ever."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from contract.manifest import dumps, load
from postbox.public import app as intake
from postbox.settings import Settings
from tests.support.intake import FORM, MESSAGE, browser, sent

TALK, ORIGIN = "https://talk.example.org", "https://name.github.io"
FROM_SITE = {"origin": ORIGIN, "sec-fetch-site": "cross-site"}


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A browser at an intake whose site lies at another origin, below a path."""
    site = load(settings.site)
    apart = replace(site, url=f"{ORIGIN}/site", intake=f"{TALK}/comments")
    settings.site.write_text(dumps(apart), "utf-8")
    with browser(intake.application(settings)) as client:
        client.base_url = TALK
        yield client


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
@pytest.mark.parametrize(("path", "form"), [("/comments", FORM), ("/comments/message", MESSAGE)])
def test_a_form_of_the_site_is_taken_and_its_script_may_read_the_answer(
    client: TestClient, path: str, form: dict[str, str], site: str | None
) -> None:
    answer = client.post(path, data=form, headers={"origin": ORIGIN} | ({"sec-fetch-site": site} if site else {}))

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{TALK}/comments/")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("origin", "site"),
    [
        ("https://evil.example", "cross-site"),
        ("https://name.github.io.evil.example", "cross-site"),
        ("https://other.github.io", "same-site"),
        ("http://name.github.io", "cross-site"),
        ("https://name.github.io:8443", "cross-site"),
        ("https://name.github.io/site", "cross-site"),
        ("https://NAME.github.io", "cross-site"),
        ("null", "cross-site"),
        ("", "cross-site"),
        (None, "cross-site"),
        (None, "same-site"),
        (ORIGIN, "none"),
        ("https://evil.example", None),
    ],
)
def test_a_form_of_any_other_origin_is_refused_and_its_script_reads_nothing(
    client: TestClient, origin: str | None, site: str | None
) -> None:
    headers = {name: value for name, value in (("origin", origin), ("sec-fetch-site", site)) if value is not None}

    answer = client.post("/comments", data=FORM, headers=headers)

    assert answer.status_code == 403
    assert answer.headers.get("access-control-allow-origin") in (None, ORIGIN if origin == ORIGIN else None)


def test_private_pages_take_their_own_forms_alone(client: TestClient) -> None:
    receipt = sent(client, action="send").removeprefix(TALK)

    from_site = client.post(receipt, data={"action": "delete"}, headers=FROM_SITE)
    asked_first = client.options(receipt, headers=FROM_SITE | {"access-control-request-method": "DELETE"})
    from_itself = client.post(receipt, data={"action": "delete"}, headers={"sec-fetch-site": "same-origin"})

    assert [from_site.status_code, asked_first.status_code, from_itself.status_code] == [403, 403, 303]


def test_a_page_of_the_intake_leads_to_the_site_and_loads_nothing_from_there(client: TestClient) -> None:
    receipt = sent(client).removeprefix(TALK)

    for page in (client.get(receipt), client.post("/comments", data=FORM | {"comment": ""}), client.get("/gone")):
        assert f'<a class="brand" href="{ORIGIN}/site/"' in page.text
        assert f'href="{ORIGIN}/site/contact/"' in page.text
        assert all(f" {name}" not in page.text for name in ('href="/', 'src="', 'rel="icon"', "<script"))


def test_a_site_at_home_reads_and_posts_from_its_own_origin_alone(settings: Settings) -> None:
    with browser(intake.application(settings)) as client:
        answer = client.post(
            "/comments", data=FORM, headers={"origin": "https://feet.example", "sec-fetch-site": "cross-site"}
        )

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
