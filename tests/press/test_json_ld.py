"""Structured data: what machines read says what the page says."""

from datetime import UTC, datetime

import pytest

from press.output.json_ld import DEPTH
from tests.support.pages import Thing, data, every_comment
from tests.support.place import ARTICLE, SITE_URL, Place, a_comment

ADDRESS = f"/articles/{ARTICLE}/"
TITLE = "Your big toe and your glutes must be talking to each other for stability and power."


def ids(thing: Thing) -> list[str]:
    """Return the ids of the comments in a thing, each before its replies."""
    return [comment["url"].rpartition("#comment-")[2] for comment in every_comment(thing)]


def test_the_front_page_is_a_web_site_and_the_person_behind_it(shipped: Place) -> None:
    website = data(shipped, "/")
    person = website["publisher"]

    assert (website["@type"], website["name"], website["url"]) == ("WebSite", "From the ground up", f"{SITE_URL}/")
    assert (person["@type"], person["name"], person["telephone"]) == ("Person", "David", "+447504439555")
    assert person["@id"] == data(shipped, ADDRESS)["author"]["@id"]


def test_an_article_is_a_blog_posting(shipped: Place) -> None:
    article = data(shipped, ADDRESS)

    assert article["@type"] == "BlogPosting"
    assert article["headline"] == TITLE
    assert article["description"] == "Get your feet talking to your glutes for stability and power."
    assert article["datePublished"] == "2026-11-22T00:00:00+00:00"
    assert article["url"] == f"{SITE_URL}{ADDRESS}"
    assert article["author"]["name"] == "David"
    assert "dateModified" not in article


def test_the_other_pages_say_what_they_are(shipped: Place) -> None:
    archive, contact = data(shipped, "/articles/"), data(shipped, "/contact/")

    assert (archive["@type"], archive["url"]) == ("CollectionPage", f"{SITE_URL}/articles/")
    assert (contact["@type"], contact["about"]["telephone"]) == ("ContactPage", "+447504439555")


def test_a_reply_is_nested_in_what_it_answers_and_the_count_is_that_of_the_page(shipped: Place) -> None:
    article = data(shipped, ADDRESS)

    [first] = article["comment"]
    [reply] = first["comment"]
    assert first["author"] == {"@type": "Person", "name": "Alexis"}
    assert first["text"].startswith("I love the feet and totally get what you are saying.")
    assert reply["author"] == {"@type": "Person", "name": "David"}
    assert reply["url"] == f"{SITE_URL}{ADDRESS}#comment-0002"
    assert article["commentCount"] == len(ids(article)) == 2
    assert "2 thoughts <small>" in shipped.page(ADDRESS)


HOSTILE = "</script><script>alert(1)</script><!-- “words”"
CHAIN = [f"{number:04}" for number in range(5000, 5000 + DEPTH + 20)]


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A site with a guest's changed article, and a conversation with everything that can be in one."""
    place = Place(tmp_path_factory.mktemp("lively"))
    place.article("second", Modified="2026-11-21 09:00", Author="Alexis")
    place.comment(a_comment(id="1000", author=HOSTILE, body=HOSTILE))
    place.comment(a_comment(id="1001", reply_to="1000", removed="yes", author="", body=""))
    place.comment(a_comment(id="1002", reply_to="1001", author="Una", date=datetime(2026, 11, 23, 10, 15, tzinfo=UTC)))
    for id, above in zip(CHAIN, [None, *CHAIN], strict=False):
        place.comment(a_comment(id=id, reply_to=above))
    place.build()
    return place


def test_an_article_that_was_changed_says_when_and_a_guest_has_not_the_owners_number(lively: Place) -> None:
    article = data(lively, "/articles/second/")

    assert article["dateModified"] == "2026-11-21T09:00:00+00:00"
    assert article["author"] == {"@type": "Person", "name": "Alexis"}


def test_a_comment_has_a_date_only_where_its_source_gives_one(lively: Place) -> None:
    dates = {comment["url"][-4:]: comment.get("datePublished") for comment in every_comment(data(lively, ADDRESS))}

    assert {id: date for id, date in dates.items() if date} == {"1002": "2026-11-23T10:15:00Z"}


def test_a_chain_too_deep_to_nest_goes_on_flat_and_loses_none(lively: Place) -> None:
    article = data(lively, ADDRESS)

    assert [id for id in ids(article) if id in CHAIN] == CHAIN
    assert article["commentCount"] == len(ids(article)) == len(CHAIN) + 4
    assert depth(article) == DEPTH + 1


def test_the_replies_of_a_removed_comment_move_up_and_words_that_end_the_script_stay_words(lively: Place) -> None:
    [answered] = [comment for comment in data(lively, ADDRESS)["comment"] if comment["url"].endswith("1000")]

    assert [reply["author"]["name"] for reply in answered["comment"]] == ["Una"]
    assert answered["text"] == answered["author"]["name"] == HOSTILE


def test_what_is_not_set_is_not_said(place: Place) -> None:
    place.build(TELEPHONE="", TELEPHONE_SHOWN="", ROLE="Coach")

    person = data(place, "/contact/")["about"]

    assert person["jobTitle"] == "Coach"
    assert not {"telephone", "email", "address", "areaServed"} & person.keys()


def depth(thing: Thing) -> int:
    """Return how deep the comments of a thing nest."""
    return max((1 + depth(comment) for comment in thing["comment"]), default=0)
