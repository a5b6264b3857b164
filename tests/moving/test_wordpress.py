"""WordPress: what comes along, what waits, what stays private, and under which names."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from moving.site import Site
from postbox.store.database import transaction
from postbox.store.erasures import Erasures
from postbox.store.submissions import Inbox
from tests.moving.exports import OLD, OldSite, a_file, a_wp_comment, a_wxr, an_item, counts


def waiting(old: OldSite) -> list[tuple[str, str, tuple[str, ...]]]:
    inbox = Inbox(old.folder / "var/inbox")
    found = [(revision.id, revision.author, revision.held) for revision in inbox.waiting()]
    inbox.connection.close()
    return found


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_a_post_arrives_with_its_comments_and_its_addresses(old: OldSite, version: str) -> None:
    item = an_item(
        123,
        "shoes",
        title="Shoes &amp; what they do",
        body="First line\nand second.\n\nThe <em>next</em> paragraph.",
        tags='<category domain="post_tag" nicename="feet"><![CDATA[Feet, bare]]></category>',
        meta={"_wp_old_slug": "boots"},
        comments=a_wp_comment(7) + a_wp_comment(8, parent="7", user_id="2", content="An *answer*."),
        comment_status="closed",
    )

    report = old.wordpress(item, version=version)

    assert old.text("articles/boots.md") == (
        "Title: Shoes & what they do\nId: boots\nSlug: shoes\nDate: 2012-03-01T10:00:00Z\n"
        "Summary: First line and second.\nTags: Feet bare\n"
        "Formerly: /2012/03/shoes/ /2012/03/boots/ /?p=123\nComments: closed\n\n"
        "First line  \nand second.\n\nThe *next* paragraph.\n"
    )
    assert (
        old.text("comments/boots/7.md") == "Id: 7\nArticle: boots\nAuthor: Tom\nDate: 2012-03-02T10:15:00Z\n\nHello.\n"
    )
    assert "Reply-To: 7\nAuthor: Tom\nIs-Author: yes" in old.text("comments/boots/8.md")
    assert old.text("comments/boots/8.md").endswith("An \\*answer\\*.\n")
    assert counts(report, "article") == (1, 1, 0, 0)
    assert counts(report, "comment") == (2, 2, 0, 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "draft"}, "a draft"),
        ({"status": "pending"}, "pending"),
        ({"status": "private"}, "private"),
        ({"post_password": "open sesame"}, "protected by a password"),
    ],
)
@pytest.mark.parametrize("type", ["post", "page"])
def test_what_was_not_public_is_a_draft_and_named(old: OldSite, fields: dict[str, Any], reason: str, type: str) -> None:
    report = old.wordpress(an_item(post_type=type, **fields))

    text = old.text(f"{'articles' if type == 'post' else 'pages'}/shoes.md")
    assert "\nStatus: draft\n" in text
    assert "sesame" not in text
    assert [(line["place"], line["text"]) for line in report["drafts"]] == [("export.xml:4", reason)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"approved": "spam"}, "spam"),
        ({"approved": "trash"}, "in the bin"),
        ({"type": "pingback"}, "a ping"),
        ({"type": "trackback"}, "a ping"),
        ({"type": "note"}, "an editor’s note"),
        ({"type": "order_note"}, "no comment of a reader (order_note)"),
        ({"content": " "}, "Body: is empty; write it below an empty line, or mark the comment Removed: yes"),
        ({"content": "é" * 30_000}, "Body: use 57,344 bytes at most"),
    ],
)
def test_a_comment_that_stays_behind_is_named_with_its_reason(
    old: OldSite, fields: dict[str, str], reason: str
) -> None:
    report = old.wordpress(an_item(comments=a_wp_comment(5, **fields)))

    assert counts(report, "comment") == (1, 0, 0, 1)
    assert [(line["name"], line["text"]) for line in report["left_out"]] == [("comment 5", reason)]
    assert not (old.folder / "content/comments/shoes").exists()
    assert waiting(old) == []


def test_a_pending_comment_waits_at_the_desk_and_nobody_is_mailed(old: OldSite) -> None:
    report = old.wordpress(an_item(comments=a_wp_comment(5, approved="0")))

    assert counts(report, "comment") == (1, 0, 1, 0)
    assert waiting(old) == [("5", "Tom", ("it waited in WordPress",))]
    assert Inbox(old.folder / "var/inbox").events(limit=9) == []


def test_a_parent_that_is_not_published_keeps_its_place(old: OldSite) -> None:
    spam = a_wp_comment(5, approved="spam", parent="4")
    pending = a_wp_comment(6, approved="0", content="Wait.")
    replies = a_wp_comment(7, parent="5") + a_wp_comment(8, parent="6") + a_wp_comment(9, parent="99")

    old.wordpress(an_item(comments=replies + spam + pending + a_wp_comment(4)))

    assert (
        old.text("comments/shoes/5.md")
        == "Id: 5\nArticle: shoes\nReply-To: 4\nDate: 2012-03-02T10:15:00Z\nRemoved: yes\n"
    )
    assert "Removed: yes" in old.text("comments/shoes/6.md")
    assert old.text("comments/shoes/99.md") == "Id: 99\nArticle: shoes\nRemoved: yes\n"
    assert [id for id, _, _ in waiting(old)] == ["6"]


def test_replies_in_a_circle_or_to_another_article_stand_alone_and_are_named(old: OldSite) -> None:
    circle = a_wp_comment(5, parent="6") + a_wp_comment(6, parent="5") + a_wp_comment(7, parent="7")

    report = old.wordpress(
        an_item(1, "shoes", comments=circle), an_item(2, "feet", comments=a_wp_comment(8, parent="5"))
    )

    alone = [line["name"] for line in report["changes"] if "stands alone" in line["text"]]
    assert len(alone) == 3
    assert {"comment 7", "comment 8"} < set(alone)
    assert sum("Reply-To" in old.text(f"comments/shoes/{id}.md") for id in (5, 6)) == 1
    assert "Reply-To" not in old.text("comments/feet/8.md")


@pytest.mark.parametrize(
    ("fields", "authors", "is_author"),
    [
        ({"user_id": "2"}, "", True),
        ({"user_id": "3"}, "", False),
        ({"user_id": "0", "author": "ada"}, "", False),
        (
            {"user_id": "3", "author_email": "Ada@secret.example"},
            "<wp:author><wp:author_email>ada@secret.example</wp:author_email></wp:author>",
            True,
        ),
        (
            {"user_id": "0", "author_email": "ada@secret.example"},
            "<wp:author><wp:author_email>ada@secret.example</wp:author_email></wp:author>",
            False,
        ),
    ],
)
def test_only_an_author_of_the_export_has_the_badge(
    old: OldSite, fields: dict[str, str], authors: str, is_author: bool
) -> None:
    old.wordpress(an_item(comments=a_wp_comment(5, **fields)), authors=authors)

    assert ("Is-Author: yes" in old.text("comments/shoes/5.md")) == is_author


@pytest.mark.parametrize(
    ("fields", "date"),
    [
        ({}, "2012-03-01T10:00:00Z"),
        ({"post_date_gmt": "0000-00-00 00:00:00", "post_date": "2012-07-01 11:00:00"}, "2012-07-01T10:00:00Z"),
        ({"post_date_gmt": "0000-00-00 00:00:00", "post_date": "0000-00-00 00:00:00"}, "2012-03-01T10:00:00Z"),
        ({"post_date_gmt": "2999-01-01 00:00:00"}, "2999-01-01T00:00:00Z"),
    ],
)
def test_a_date_is_that_of_greenwich_else_the_local_one_else_that_of_the_feed(
    old: OldSite, fields: dict[str, Any], date: str
) -> None:
    old.wordpress(an_item(**fields))

    assert f"\nDate: {date}\n" in old.text("articles/shoes.md")
    assert "Status" not in old.text("articles/shoes.md")


@pytest.mark.parametrize(
    ("slug", "id"),
    [
        ("%d0%be%d0%b1%d1%83%d0%b2%d1%8c", "obuv"),
        ("%d0%be%d0%b1%d1%83%d0", "obu"),  # cut within a letter
        ("s" * 171, "s" * 100),
        ("", "post-9"),
        ("%f0%9f", "post-9"),
    ],
)
def test_an_id_is_made_of_the_slug_in_plain_letters(old: OldSite, slug: str, id: str) -> None:
    old.wordpress(an_item(9, slug, link=f"{OLD}/?p=9"))

    assert f"Id: {id}\nSlug: {id}\n" in old.text(f"articles/{id}.md")


def test_two_slugs_that_come_out_alike_and_a_page_in_our_way_get_addresses_of_their_own(old: OldSite) -> None:
    report = old.wordpress(
        an_item(1, "obuv"),
        an_item(2, "%d0%be%d0%b1%d1%83%d0%b2%d1%8c"),
        an_item(3, "contact", post_type="page", link=f"{OLD}/contact/"),
        an_item(4, "big-toe-and-glutes"),
    )

    assert "Id: post-2\nSlug: obuv-post-2\n" in old.text("articles/post-2.md")
    assert "Slug: contact-page\nDate: 2012-03-01T10:00:00Z\nFormerly: /?page_id=3\n" in old.text(
        "pages/contact-page.md"
    )
    assert "Id: post-4\n" in old.text("articles/post-4.md")
    assert any("its address is another’s here" in line["text"] for line in report["changes"])


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"excerpt": "In <b>short</b> &amp; plain."}, "In short & plain."),
        ({"body": "Before more.<!--more-->After."}, "Before more."),
        ({"body": "<h2>No</h2><p>The first sentence of it all. The second.</p>"}, "The first sentence of it all."),
        ({"body": "", "title": "Only a title"}, "Only a title"),
    ],
)
def test_a_summary_is_the_excerpt_else_the_teaser_else_the_first_sentence(
    old: OldSite, fields: dict[str, Any], summary: str
) -> None:
    old.wordpress(an_item(**fields))

    assert f"\nSummary: {summary}\n" in old.text("articles/shoes.md")


def test_words_that_look_like_a_header_stay_words(old: OldSite) -> None:
    old.wordpress(an_item(body="Status: draft\n\nDate: tomorrow\n\nStatus: draft"))

    assert old.body() == "Status&#58; draft\n\nDate&#58; tomorrow\n\nStatus&#58; draft"


def test_everything_else_is_left_out_by_name(old: OldSite) -> None:
    report = old.wordpress(
        an_item(1, "menu", post_type="nav_menu_item"),
        an_item(2, "gone", status="trash", comments=a_wp_comment(5)),
        an_item(3, "about", post_type="page", comments=a_wp_comment(6)),
    )

    assert [(line["kind"], line["name"], line["text"]) for line in report["left_out"]] == [
        ("other", "About menu", "nav_menu_item"),
        ("comment", "comment 5", "its article is left out, or not in the export"),
        ("article", "About gone", "in the bin"),
        ("comment", "comment 6", "on a page, where there are no comments here"),
    ]


def test_no_address_password_or_number_of_anyone_comes_out(old: OldSite) -> None:
    comments = a_wp_comment(5, author="tom@secret.example") + a_wp_comment(
        6, approved="0", author_url="mailto:tom@secret.example"
    )
    comments += a_wp_comment(7, author_url="http://tom@secret.example/")

    result = old.run("wordpress", old.export(a_wxr(an_item(comments=comments, post_password="sesame"))))

    said = result.output + "".join(map(str, old.tree().values()))
    assert "Author: Anonymous" in old.text("comments/shoes/5.md")
    assert not re.search(r"secret\.example|203\.0\.113|sesame", said)
    assert b"secret.example" not in (old.folder / "var/inbox/inbox.sqlite").read_bytes()


def test_again_changes_nothing_and_a_newer_export_adds_what_is_new(old: OldSite) -> None:
    first = an_item(1, "shoes", comments=a_wp_comment(5) + a_wp_comment(6, approved="0"))
    old.wordpress(first)
    before = old.tree()

    again = old.wordpress(first)
    same = old.tree()
    old.wordpress(
        an_item(1, "sandals", meta={"_wp_old_slug": "shoes"}, comments=a_wp_comment(5) + a_wp_comment(7)),
        an_item(2, "feet"),
    )

    assert same == before
    assert again["counts"]["comment"] == {"in": 2, "imported": 1, "already_here": 1, "held": 1, "left_out": 0}
    assert again["edited"] == again["changes"] == []
    added = old.tree().keys() - before.keys()
    assert added == {"content/articles/feet.md", "content/comments/shoes/7.md"}
    assert {name: old.tree()[name] for name in before} == before
    assert len(waiting(old)) == 1


def test_what_was_edited_here_stays_and_is_named(old: OldSite) -> None:
    old.wordpress(an_item(comments=a_wp_comment(5)))
    article = old.folder / "content/articles/shoes.md"
    article.rename(article.with_name("renamed.md")).write_text(
        old.text("articles/renamed.md").replace("Some words", "Better words")
    )

    report = old.wordpress(an_item(comments=a_wp_comment(5)))

    assert old.body("articles/renamed.md") == "Better words."
    assert not article.exists()
    assert [line["text"] for line in report["edited"]] == ["articles/renamed.md says something else"]


def test_what_a_person_has_erased_and_what_was_decided_does_not_come_back(old: OldSite) -> None:
    item = an_item(comments=a_wp_comment(5) + a_wp_comment(6, approved="0") + a_wp_comment(7))
    old.wordpress(item)
    (old.folder / "content/comments/shoes/5.md").unlink()
    Erasures(old.folder / "var/erased").add([("comment", "5")])
    inbox = Inbox(old.folder / "var/inbox")
    with transaction(inbox.connection):
        inbox.set_state("6", 1, "rejected")

    report = old.wordpress(item)

    assert [(line["name"], line["text"]) for line in report["left_out"]] == [
        ("comment 5", "erased here since"),
        ("comment 6", "decided at the desk since: rejected"),
    ]
    assert not (old.folder / "content/comments/shoes/5.md").exists()


@pytest.mark.parametrize("stopped_at", range(7))
def test_stopped_anywhere_and_run_again_gives_the_same_site(
    old: OldSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: int
) -> None:
    items = [
        an_item(n, f"post-{n}", comments=a_wp_comment(10 * n, parent=f"9{n}") + a_wp_comment(10 * n + 1, approved="0"))
        for n in (1, 2)
    ]
    file = old.export(a_wxr(*items))
    write, written = Site.write, []

    def interrupted(site: Site, path: str, data: bytes) -> None:
        written.append(path)
        if len(written) == stopped_at + 1:
            (site.content / path).parent.mkdir(parents=True, exist_ok=True)
            (site.content / path).with_name(f".{path.rpartition('/')[2]}.new").write_bytes(data[:9])
            raise KeyboardInterrupt
        write(site, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Site, "write", interrupted)
        stopped = old.run("wordpress", file)
    old.move("wordpress", file)

    whole = OldSite(tmp_path / "whole")
    monkeypatch.chdir(whole.folder)
    whole.move("wordpress", whole.export(a_wxr(*items)))
    assert stopped.exit_code == (130 if stopped_at < 6 else 0)
    assert ("run the same command again" in stopped.output) == (stopped_at < 6)
    assert old.tree() == whole.tree()
    assert waiting(old) == waiting(whole)


def test_a_dry_run_says_the_same_and_writes_nothing(old: OldSite) -> None:
    items = (
        an_item(comments=a_wp_comment(5) + a_wp_comment(6, approved="0", parent="5")),
        an_item(2, "feet", status="private"),
    )
    before = {p for p in old.folder.rglob("*") if p.is_file()}
    file = old.export(a_wxr(*items))

    dry: dict[str, Any] = old.move("wordpress", file, "--dry-run")
    after = {p for p in old.folder.rglob("*") if p.is_file()}
    wet = old.move("wordpress", file)

    assert after - before == {old.folder / file}
    assert dry.pop("dry_run") is True
    assert wet.pop("dry_run") is False
    assert dry == wet


def test_images_come_from_the_folder_of_uploads_in_their_own_size_with_words(old: OldSite) -> None:
    uploads = old.folder / "uploads/2012/03"
    uploads.mkdir(parents=True)
    for name in ("foot.jpg", "toe.png"):
        Image.new("RGB", (8, 6), "tan").save(uploads / name)
    (uploads / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (uploads / "notes.pdf").write_bytes(b"%PDF")
    (uploads / "broken.mp4").write_bytes(b"\0\0\0\x0cftypisom" + b"\0\0\0\x99moov" + bytes(8))
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("tan", "teal")]
    frames[0].save(uploads / "step.GIF", save_all=True, append_images=frames[1:], comment=b"taken at home")
    where = f"{OLD}/wp-content/uploads/2012/03"
    body = (
        f'<a href="{where}/foot.jpg"><img src="{where}/foot-300x200.jpg?w=300" alt=""></a>\n\n<img src="{where}/toe.png">\n\n'
        f'<img src="{where}/broken.jpg" alt="Broken"> <img src="{where}/lost.jpg" alt="Lost">'
        f' <img src="https://elsewhere.example/x.jpg" alt="Far"> <a href="{where}/notes.pdf">Notes</a>'
        f' <a href="{where}/broken.mp4">Film</a>\n\n<img src="{where}/step.GIF" alt="A step">'
    )
    files = [
        a_file(13, f"{where}/step.GIF"),
        a_file(14, f"{where}/broken.mp4"),
        a_file(10, f"{where}/foot.jpg", alt="A foot"),
        a_file(11, f"{where}/toe.png", title="IMG_1234"),
        a_file(12, f"{where}/unused.jpg"),
    ]

    report = old.move("wordpress", old.export(a_wxr(an_item(body=body), *files)), "--uploads", "uploads")

    [gif] = [
        path.relative_to(old.folder / "content").as_posix() for path in old.folder.rglob("content/images/**/step*")
    ]
    assert old.body() == (
        "![A foot]({static}/images/2012/03/foot.jpg)\n\n[toe.png]({static}/images/2012/03/toe.png)\n\n"
        "Broken Lost [Far](https://elsewhere.example/x.jpg) [Notes]({static}/files/2012/03/notes.pdf)"
        f" Film\n\n![A step]({{static}}/{gif})"
    )
    assert counts(report, "file") == (5, 3, 0, 2)
    with Image.open(old.folder / "content" / gif) as picture:
        assert (picture.format, picture.size, picture.info) == ("PNG", (8, 6), {})
    reasons = [line["text"].partition(":")[0] for line in report["changes"]]
    assert reasons == [
        "link made words",
        "image made link, as it has no text alternative",
        "image made words, as it is no picture",
        "image made words, as its file is not in --uploads",
        "image made link, as it is on another site",
        "a GIF that moves, of which the first picture is shown",
    ]
    again = old.move("wordpress", old.export(a_wxr(an_item(body=body), *files)), "--uploads", "uploads")
    assert again["counts"]["file"]["already_here"] == 3


def test_a_file_outside_the_folder_of_uploads_is_not_copied(old: OldSite) -> None:
    (old.folder / "uploads").mkdir()
    (old.folder / "secret.pdf").write_bytes(b"secret")
    (old.folder / "uploads/link.pdf").symlink_to(old.folder / "secret.pdf")
    where = f"{OLD}/wp-content/uploads"
    files = [
        a_file(n, f"{where}/{name}") for n, name in enumerate(("../secret.pdf", "%2e%2e/secret.pdf", "link.pdf"), 10)
    ]
    body = " ".join(f'<a href="{where}/{name}">x</a>' for name in ("../secret.pdf", "%2e%2e/secret.pdf", "link.pdf"))

    report = old.move("wordpress", old.export(a_wxr(an_item(body=body), *files)), "--uploads", "uploads")

    assert counts(report, "file") == (3, 0, 0, 3)
    assert not (old.folder / "content/files").exists()


def test_the_report_is_readable_and_the_account_adds_up(old: OldSite) -> None:
    spam = "".join(a_wp_comment(n, approved="spam") for n in range(100, 130))
    file = old.export(a_wxr(an_item(comments=a_wp_comment(5) + spam), an_item(2, "secret", status="private")))

    said = old.run("wordpress", file).output

    assert re.search(r"articles +2 = +2 \+ +0 \+ +0 ", said)
    assert re.search(r"comments +31 = +1 \+ +0 \+ +30 ", said)
    assert "30 × comment: spam\n    export.xml:8  comment 100\n" in said
    assert "and 10 more; --json names every one" in said
    assert "1 × article: private\n    export.xml:9  About secret" in said


def test_exports_in_parts_are_one_site_and_exports_of_two_sites_are_refused(old: OldSite) -> None:
    one = old.export(a_wxr(an_item(1, "shoes", body=f'<a href="{OLD}/2012/03/feet/">Feet</a>')), "one.xml")
    two = old.export(
        a_wxr(an_item(2, "feet"), an_item(1, "shoes", body=f'<a href="{OLD}/2012/03/feet/">Feet</a>')), "two.xml"
    )
    other = old.export(a_wxr().replace(OLD, "https://other.example"), "other.xml")

    report = json.loads(old.run("wordpress", one, two, "--json").stdout)
    refused = old.run("wordpress", one, other)

    assert old.body() == "[Feet]({filename}/articles/feet.md)"
    assert report["counts"]["article"] == {"in": 3, "imported": 3, "already_here": 1, "held": 0, "left_out": 0}
    assert refused.exit_code == 1
    assert "bring in one after the other" in refused.output
