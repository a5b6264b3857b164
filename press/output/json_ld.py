"""Structured data (schema.org as JSON-LD) from the same facts and records that a page shows."""

from typing import Any

from pelican.contents import Article

from contract.comment import DATE_FORMAT
from contract.manifest import Site
from contract.thread import Entry

# How deep comments nest; JSON encoders give up on a chain of hundreds, so beyond this replies stand side by side.
DEPTH = 50

Thing = dict[str, Any]


def front_page(site: Site) -> Thing:
    """The practice's page: a WebSite and the Person behind it."""
    return _page(
        "WebSite",
        name=site.name,
        url=f"{site.url}/",
        description=site.tagline,
        inLanguage=site.language,
        publisher=person(site),
    )


def article(site: Site, article: Article) -> Thing:
    """A BlogPosting with its conversation; an undated comment has no date here either."""
    return _page(
        "BlogPosting",
        headline=article.title,
        description=article.summary,
        url=f"{site.url}/{article.url}",
        datePublished=article.date.isoformat(),
        dateModified=article.modified.isoformat() if hasattr(article, "modified") else None,
        inLanguage=article.language,
        image=f"{site.url}{article.social}" if article.social else None,
        author=person(site) if article.author.name == site.author else _thing("Person", name=article.author.name),
        commentCount=article.comment_count,
        comment=_comments(f"{site.url}/{article.url}", article.conversation),
    )


def archive(site: Site, title: str, path: str) -> Thing:
    """A page of the list of articles."""
    return _page(
        "CollectionPage",
        name=title,
        url=f"{site.url}/{path}",
        isPartOf=_thing("WebSite", name=site.name, url=f"{site.url}/"),
    )


def contact(site: Site, title: str) -> Thing:
    """How to reach the person."""
    return _page("ContactPage", name=title, url=f"{site.url}/contact/", about=person(site))


def person(site: Site) -> Thing:
    """Whose site it is."""
    return _thing(
        "Person",
        **{"@id": f"{site.url}/#person"},
        name=site.author,
        telephone=site.telephone,
        jobTitle=site.role,
        email=site.email,
        address=site.postal_address,
        areaServed=site.area,
        url=f"{site.url}/",
    )


def _comments(url: str, conversation: list[Entry]) -> list[Thing]:
    roots: list[Thing] = []
    places: dict[str, list[Thing]] = {}  # where the replies to a comment go
    for entry in conversation:
        comment = entry.comment
        siblings = places.get(comment.reply_to or "", roots)
        if comment.removed:  # what hangs on it moves up
            places[comment.id] = siblings
            continue
        thing = _thing(
            "Comment",
            url=f"{url}#comment-{comment.id}",
            author=_thing("Person", name=comment.author, url=comment.website),
            text=comment.body,
            datePublished=comment.date.strftime(DATE_FORMAT) if comment.date else None,
            comment=[],
        )
        siblings.append(thing)
        places[comment.id] = thing["comment"] if entry.depth < DEPTH else siblings
    return roots


def _page(kind: str, **values: Any) -> Thing:
    return {"@context": "https://schema.org"} | _thing(kind, **values)


def _thing(kind: str, **values: Any) -> Thing:
    return {"@type": kind} | {key: value for key, value in values.items() if value is not None and value != ""}
