"""Disqus, Isso and the exchange format: comments find their articles, and the way out is as good as the way in."""

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.comment import CommentError
from contract.exchange import Exchanged, dumps, loads
from postbox.settings import Settings
from tests.moving.exports import OLD, OldSite, a_disqus, a_disqus_post, a_wp_comment, an_item, counts
from tests.support.commands import done
from tests.support.place import a_comment


@pytest.fixture
def shoes(old: OldSite) -> OldSite:
    """A site with an article that WordPress had under another address."""
    old.wordpress(an_item(1, "shoes"))
    return old


@pytest.mark.parametrize(
    "address",
    [
        f"{OLD}/2012/03/shoes/",
        "http://localhost:4000/2012/03/shoes/index.html",
        f"{OLD}/2012/03/shoes?x=y",
        f"{OLD}/?p=1",
        f"{OLD}/articles/shoes/",
    ],
)
def test_disqus_comments_find_their_article_by_any_of_its_addresses(shoes: OldSite, address: str) -> None:
    posts = a_disqus_post(400), a_disqus_post(401, parent="400", message="<p>One <b>more</b></p>")

    report = shoes.move("disqus", shoes.export(a_disqus(*posts, link=address)))

    assert counts(report, "comment") == (2, 2, 0, 0)
    assert shoes.text("comments/shoes/401.md") == (
        "Id: 401\nArticle: shoes\nReply-To: 400\nAuthor: Tom\nDate: 2012-03-02T10:15:00Z\n\nOne **more**\n"
    )


def test_a_thread_without_an_article_is_named_with_the_cure(shoes: OldSite) -> None:
    export = shoes.export(a_disqus(a_disqus_post(400), a_disqus_post(401, thread=9), link=f"{OLD}/lost/"))

    report = shoes.move("disqus", export)
    article = shoes.folder / "content/articles/shoes.md"
    article.write_text(article.read_text().replace("Formerly: ", "Formerly: /lost/ "))
    again = shoes.move("disqus", export)

    assert [line["text"] for line in report["left_out"]] == [
        f"no article has this address; add it to Formerly and run again: {OLD}/lost/",
        "its article is left out, or not in the export",
    ]
    assert counts(again, "comment") == (2, 1, 0, 1)


def test_disqus_spam_stays_behind_and_what_was_deleted_keeps_its_place_for_replies(shoes: OldSite) -> None:
    posts = [
        a_disqus_post(400, isSpam="true"),
        a_disqus_post(401, isDeleted="true"),
        a_disqus_post(402, parent="401"),
        a_disqus_post(403, isDeleted="true"),
        a_disqus_post(404, name="tom@secret.example"),
    ]

    report = shoes.move("disqus", shoes.export(a_disqus(*posts)))

    assert counts(report, "comment") == (5, 3, 0, 2)
    assert "Removed: yes" in shoes.text("comments/shoes/401.md")
    assert {p.stem for p in (shoes.folder / "content/comments/shoes").iterdir()} == {"401", "402", "404"}
    assert "secret.example" not in str(shoes.tree())


def test_the_same_comment_from_wordpress_and_disqus_is_one(old: OldSite) -> None:
    old.wordpress(an_item(comments=a_wp_comment(5)))
    export = old.export(
        a_disqus(a_disqus_post(400), a_disqus_post(401, parent="400", createdAt="2012-03-03T10:15:00Z"))
    )

    report = old.move("disqus", export)
    again = old.move("disqus", export)

    assert report["counts"]["comment"] == {"in": 2, "imported": 2, "already_here": 1, "held": 0, "left_out": 0}
    assert again["counts"]["comment"]["already_here"] == 2
    assert "Reply-To: 5\n" in old.text("comments/shoes/401.md")
    assert not (old.folder / "content/comments/shoes/400.md").exists()


def test_a_number_that_is_anothers_here_gets_a_prefix(old: OldSite) -> None:
    old.wordpress(an_item(1, "feet", comments=a_wp_comment(400)), an_item(2, "shoes"))

    old.move("disqus", old.export(a_disqus(a_disqus_post(400), a_disqus_post(401, parent="400"))))

    assert "Reply-To: disqus400\n" in old.text("comments/shoes/401.md")
    assert "Id: disqus400\n" in old.text("comments/shoes/disqus400.md")


def test_isso_comments_arrive_by_their_state_and_the_database_is_only_read(shoes: OldSite) -> None:
    file = shoes.isso(
        {"id": 1, "text": "Hello *there*."},
        {"id": 2, "mode": 2, "parent": 1},
        {"id": 3, "mode": 4, "text": "", "author": None},
        {"id": 4, "parent": 3, "author": None, "website": "https://tom.example/"},
        {"id": 5, "mode": 4, "text": ""},
        {"id": 6, "mode": 7},
    )
    before = (shoes.folder / file).read_bytes()

    report = shoes.move("isso", file)

    assert counts(report, "comment") == (6, 3, 1, 2)
    assert (
        shoes.text("comments/shoes/isso1.md")
        == "Id: isso1\nArticle: shoes\nAuthor: Tom\nDate: 2012-03-02T10:15:00Z\n\nHello *there*.\n"
    )
    assert "Reply-To: isso3\nAuthor: Anonymous\nWebsite: https://tom.example/\n" in shoes.text(
        "comments/shoes/isso4.md"
    )
    assert "Removed: yes" in shoes.text("comments/shoes/isso3.md")
    assert [(line["name"], line["text"]) for line in report["held"]] == [("comment isso2", "it waited in Isso")]
    assert (shoes.folder / file).read_bytes() == before
    assert "secret.example" not in str(shoes.tree())


@pytest.mark.parametrize("trap", ["no database", "no tables", "a view that never ends", "a table without columns"])
def test_a_file_that_is_no_isso_database_is_refused(shoes: OldSite, trap: str) -> None:
    path = Path(shoes.isso())
    if trap == "no database":
        path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    else:
        with sqlite3.connect(path) as database:
            database.executescript("DROP TABLE comments")
            if trap == "a view that never ends":
                database.execute(
                    "CREATE VIEW comments AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id FROM n) SELECT * FROM n"
                )
            elif trap == "a table without columns":
                database.execute("CREATE TABLE comments (id)")
        database.close()

    result = shoes.run("isso", str(path))

    assert result.exit_code == 1
    assert result.output.startswith("moving: comments.db: it ")
    assert "Traceback" not in result.output


def test_a_round_trip_through_the_exchange_format_is_the_identity(
    old: OldSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comments = (
        a_wp_comment(5, user_id="2", author_url="https://a.example/")
        + a_wp_comment(6, parent="9")
        + a_wp_comment(9, approved="spam")
    )
    old.wordpress(
        an_item(
            comments=comments
            + a_wp_comment(7, approved="0", content="Wait *here*")
            + a_wp_comment(8, date_gmt="", date="")
        )
    )
    exported = done(_settings(old), "export")

    other = OldSite(tmp_path / "other")
    monkeypatch.chdir(other.folder)
    (other.folder / "content/articles/shoes.md").write_text(old.text("articles/shoes.md"))
    for path in (other.folder / "content/comments").glob("*/*.md"):
        path.unlink()
    report = other.move("comments", other.export(exported, "comments.jsonl"))

    assert counts(report, "comment") == (7, 6, 1, 0)
    assert done(_settings(other), "export") == exported
    assert {k: v for k, v in other.tree().items() if "/comments/" in k} == {
        k: v for k, v in old.tree().items() if "/comments/" in k
    }


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("{", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "it is no object"),
        ('{"email": "a@b.example"}', "“email” is no field; the fields are id, article, state"),
        ('{"id": 5}', "every other field a text"),
        ('{"id": "a", "article": "shoes", "body": "x", "author": "T"}', "state is one of published, waiting, removed"),
        ('{"id": "a", "article": "shoes", "state": "removed"}', "removed says by whom"),
        (
            '{"id": "a", "article": "shoes", "state": "published", "author": "T", "body": "x", "date": "yesterday"}',
            "date: “yesterday” is no date",
        ),
        ('{"id": "../a", "article": "shoes", "state": "published", "author": "T", "body": "x"}', "Id: use 1 to 32"),
    ],
)
def test_a_line_that_breaks_a_rule_is_lost_alone_with_the_cure(shoes: OldSite, line: str, cause: str) -> None:
    good = dumps(Exchanged(a_comment(id="good", article="shoes")))

    report = shoes.move("comments", shoes.export(f"{line}\n\n{good}\n", "comments.jsonl"))

    assert counts(report, "comment") == (1, 1, 0, 0)
    [lost] = report["left_out"]
    assert lost["place"] == "comments.jsonl:1"
    assert cause in lost["text"]


@given(body=st.text(min_size=1).filter(str.strip), waits=st.booleans(), held=st.lists(st.text(), max_size=3))
def test_any_comment_comes_back_as_it_was(body: str, waits: bool, held: list[str]) -> None:
    try:
        exchanged = Exchanged(a_comment(body=body), waits, tuple(held) if waits else ())
    except CommentError:
        return

    line = dumps(exchanged)

    assert loads(line) == exchanged
    assert "\n" not in line
    assert json.loads(line)["state"] == ("waiting" if waits else "published")


def _settings(old: OldSite) -> Settings:
    return Settings(content=old.folder / "content", theme=old.folder / "theme", var=old.folder / "var")
