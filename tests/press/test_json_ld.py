"""Structured data: what machines read says what the page says."""

from datetime import UTC, datetime

from press.output.json_ld import DEPTH
from tests.support.pages import Thing, data, every_comment
from tests.support.place import SITE_URL, Place, a_comment

ARTICLE = "/articles/big-toe-and-glutes/"
TITLE = "Your big toe and your glutes must be talking to each other for stability and power."


def ids(thing: Thing) -> list[str]:
    """Return the ids of the comments in a thing, each before its replies."""
    return [comment["url"].rpartition("#comment-")[2] for comment in every_comment(thing)]


def test_the_front_page_is_a_web_site_and_the_person_behind_it(shipped: Place) -> None:
    website = data(shipped, "/")
    person = website["publisher"]

    assert (website["@type"], website["name"], website["url"]) == ("WebSite", "From the ground up", f"{SITE_URL}/")
    assert (person["@type"], person["name"], person["telephone"]) == ("Person", "David", "+447504439555")
    assert person["@id"] == data(shipped, ARTICLE)["author"]["@id"]


def test_an_article_is_a_blog_posting(shipped: Place) -> None:
    article = data(shipped, ARTICLE)

    assert article["@type"] == "BlogPosting"
    assert article["headline"] == TITLE
    assert article["description"] == "Get your feet talking to your glutes for stability and power."
    assert article["datePublished"] == "2026-11-22T00:00:00+00:00"
    assert article["url"] == article["mainEntityOfPage"] == f"{SITE_URL}{ARTICLE}"
    assert article["author"]["name"] == "David"
    assert "dateModified" not in article


def test_the_other_pages_say_what_they_are(shipped: Place) -> None:
    archive, contact = data(shipped, "/articles/"), data(shipped, "/contact/")

    assert (archive["@type"], archive["url"]) == ("CollectionPage", f"{SITE_URL}/articles/")
    assert (contact["@type"], contact["about"]["telephone"]) == ("ContactPage", "+447504439555")


def test_a_reply_is_nested_in_what_it_answers(shipped: Place) -> None:
    article = data(shipped, ARTICLE)

    [first] = article["comment"]
    [reply] = first["comment"]

    assert first["author"] == {"@type": "Person", "name": "Alexis"}
    assert first["text"].startswith("I love the feet and totally get what you are saying.")
    assert reply["author"] == {"@type": "Person", "name": "David"}
    assert reply["url"] == f"{SITE_URL}{ARTICLE}#comment-0002"


def test_the_count_is_that_of_the_page(shipped: Place) -> None:
    article = data(shipped, ARTICLE)

    assert article["commentCount"] == len(ids(article)) == 2
    assert "2 thoughts <small>" in shipped.page(ARTICLE)


def test_a_comment_has_a_date_only_where_its_source_gives_one(place: Place) -> None:
    place.comment(a_comment(date=datetime(2026, 11, 23, 10, 15, tzinfo=UTC)))

    place.build()

    first, _, dated = every_comment(data(place, ARTICLE))
    assert "datePublished" not in first
    assert dated["datePublished"] == "2026-11-23T10:15:00Z"


def test_an_article_that_was_changed_says_when(place: Place) -> None:
    place.article("second", Modified="2026-11-21 09:00")

    place.build()

    assert data(place, "/articles/second/")["dateModified"] == "2026-11-21T09:00:00+00:00"


def test_a_guest_is_an_author_without_the_owners_number(place: Place) -> None:
    place.article("second", Author="Alexis")

    place.build()

    assert data(place, "/articles/second/")["author"] == {"@type": "Person", "name": "Alexis"}


def test_a_chain_too_deep_to_nest_goes_on_flat_and_loses_none(place: Place) -> None:
    chain = [f"{number:04}" for number in range(1000, 1000 + DEPTH + 20)]
    for id, above in zip(chain, [None, *chain], strict=False):
        place.comment(a_comment(id=id, reply_to=above))

    place.build()

    article = data(place, ARTICLE)
    assert [id for id in ids(article) if id in chain] == chain
    assert article["commentCount"] == len(ids(article)) == len(chain) + 2
    assert depth(article) == DEPTH + 1


def test_the_replies_of_a_removed_comment_move_up(place: Place) -> None:
    place.comment(a_comment(id="1000"))
    place.comment(a_comment(id="1001", reply_to="1000", removed="yes", author="", body=""))
    place.comment(a_comment(id="1002", reply_to="1001", author="Una"))

    place.build()

    article = data(place, ARTICLE)
    answered = next(comment for comment in article["comment"] if comment["url"].endswith("1000"))
    assert [reply["author"]["name"] for reply in answered["comment"]] == ["Una"]
    assert article["commentCount"] == len(ids(article)) == 4


def test_what_is_not_set_is_not_said(place: Place) -> None:
    place.build(TELEPHONE="", TELEPHONE_SHOWN="", ROLE="Coach")

    person = data(place, "/contact/")["about"]

    assert person["jobTitle"] == "Coach"
    assert not {"telephone", "email", "address", "areaServed"} & person.keys()


def test_words_that_look_like_the_end_of_the_script_stay_words(place: Place) -> None:
    hostile = "</script><script>alert(1)</script><!-- “words”"
    place.comment(a_comment(author=hostile, body=hostile))

    place.build()

    comment = list(every_comment(data(place, ARTICLE)))[-1]
    assert comment["text"] == comment["author"]["name"] == hostile


def depth(thing: Thing) -> int:
    """Return how deep the comments of a thing nest."""
    return max((1 + depth(comment) for comment in thing["comment"]), default=0)
