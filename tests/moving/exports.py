"""Builders of exports, each with one interesting difference, and of the site that they are brought into."""

import json
import sqlite3
from html import escape
from typing import Any

from click.testing import CliRunner, Result

from moving.__main__ import main
from tests.support.place import Place

OLD = "https://old.example"
ISSO = """
CREATE TABLE preferences (key VARCHAR PRIMARY KEY, value VARCHAR);
CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR(256) UNIQUE, title VARCHAR(256));
CREATE TABLE comments (
    tid REFERENCES threads(id), id INTEGER PRIMARY KEY, parent INTEGER, created FLOAT NOT NULL, modified FLOAT,
    mode INTEGER, remote_addr VARCHAR, text VARCHAR NOT NULL, author VARCHAR, email VARCHAR, website VARCHAR,
    likes INTEGER DEFAULT 0, dislikes INTEGER DEFAULT 0, voters BLOB NOT NULL, notification INTEGER DEFAULT 0);
CREATE TRIGGER remove_stale_threads AFTER DELETE ON comments BEGIN
    DELETE FROM threads WHERE id NOT IN (SELECT tid FROM comments); END;
PRAGMA user_version = 5
"""  # as Isso 0.14 makes it


def cdata(text: str) -> str:
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def a_wp_comment(id: int | str = 5, **fields: str) -> str:
    """Return a comment as WordPress exports it: approved, by a reader."""
    values = {
        "author": "Tom",
        "author_email": "tom@secret.example",
        "author_url": "",
        "author_IP": "203.0.113.7",
        "date": "2012-03-02 11:15:00",
        "date_gmt": "2012-03-02 10:15:00",
        "content": "Hello.",
        "approved": "1",
        "type": "comment",
        "parent": "0",
        "user_id": "0",
    } | fields
    inner = "".join(f"<wp:comment_{key}>{cdata(value)}</wp:comment_{key}>" for key, value in values.items())
    return f"<wp:comment><wp:comment_id>{id}</wp:comment_id>{inner}</wp:comment>"


def an_item(
    id: int | str = 1,
    slug: str = "shoes",
    *,
    body: str = "Some words.",
    excerpt: str = "",
    tags: str = "",
    meta: dict[str, str] | None = None,
    comments: str = "",
    **fields: str,
) -> str:
    """Return an item as WordPress exports it: a published post."""
    values = {
        "post_date": "2012-03-01 11:00:00",
        "post_date_gmt": "2012-03-01 10:00:00",
        "comment_status": "open",
        "post_name": slug,
        "status": "publish",
        "post_parent": "0",
        "post_type": "post",
        "post_password": "",
    } | {key: value for key, value in fields.items() if key not in ("title", "link")}
    inner = "".join(f"<wp:{key}>{cdata(value)}</wp:{key}>" for key, value in values.items())
    metas = "".join(
        f"<wp:postmeta><wp:meta_key>{key}</wp:meta_key><wp:meta_value>{cdata(value)}</wp:meta_value></wp:postmeta>"
        for key, value in (meta or {}).items()
    )
    return (
        f"<item>\n<title>{cdata(fields.get('title', f'About {slug}'))}</title>"
        f"<link>{escape(fields.get('link', f'{OLD}/2012/03/{slug}/'))}</link>"
        "<pubDate>Thu, 01 Mar 2012 10:00:00 +0000</pubDate><dc:creator>ada</dc:creator>\n"
        f"<content:encoded>{cdata(body)}</content:encoded><excerpt:encoded>{cdata(excerpt)}</excerpt:encoded>\n"
        f"<wp:post_id>{id}</wp:post_id>{inner}{tags}{metas}\n{comments}</item>\n"
    )


def a_file(id: int, url: str, **fields: str) -> str:
    """Return an attachment as WordPress exports it."""
    alt = fields.pop("alt", "")
    item = an_item(
        id,
        f"file-{id}",
        body="",
        post_type="attachment",
        status="inherit",
        meta={"_wp_attachment_image_alt": alt},
        **fields,
    )
    return item.replace("</item>", f"<wp:attachment_url>{escape(url)}</wp:attachment_url></item>")


def a_wxr(
    *items: str, version: str = "1.2", authors: str = "", head: str = '<?xml version="1.0" encoding="UTF-8" ?>\n'
) -> str:
    """Return a whole export; an author's email address stands in its head."""
    authors = (
        authors
        or "<wp:author><wp:author_id>2</wp:author_id><wp:author_email>ada@secret.example</wp:author_email></wp:author>"
    )
    spaces = "".join(
        f' xmlns:{name}="{where}"'
        for name, where in (
            ("excerpt", f"http://wordpress.org/export/{version}/excerpt/"),
            ("content", "http://purl.org/rss/1.0/modules/content/"),
            ("dc", "http://purl.org/dc/elements/1.1/"),
            ("wp", f"http://wordpress.org/export/{version}/"),
        )
    )
    return (
        f'{head}<rss version="2.0"{spaces}>\n<channel><title>Old</title><link>{OLD}</link><wp:wxr_version>{version}</wp:wxr_version>'
        f"<wp:base_site_url>{OLD}</wp:base_site_url><wp:base_blog_url>{OLD}</wp:base_blog_url>{authors}\n"
        f"{''.join(items)}</channel>\n</rss>\n"
    )


def a_disqus_post(id: int, thread: int = 1, **fields: str) -> str:
    """Return a comment as Disqus exports it."""
    parent = f'<parent dsq:id="{fields.pop("parent")}" />' if "parent" in fields else ""
    name = fields.pop("name", "Tom")
    values = {
        "message": "<p>Hello.</p>",
        "createdAt": "2012-03-02T10:15:00Z",
        "isDeleted": "false",
        "isSpam": "false",
    } | fields
    inner = "".join(f"<{key}>{cdata(value)}</{key}>" for key, value in values.items())
    return (
        f'<post dsq:id="{id}"><id />{inner}<author><email>tom@secret.example</email><name>{name}</name></author>'
        f'<ipAddress>203.0.113.7</ipAddress><thread dsq:id="{thread}" />{parent}</post>\n'
    )


def a_disqus(*posts: str, link: str = f"{OLD}/2012/03/shoes/") -> str:
    """Return a whole Disqus export of one thread."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">\n'
        f'<thread dsq:id="1"><id>x</id><link>{link}</link><title>Shoes</title></thread>\n{"".join(posts)}</disqus>\n'
    )


class OldSite(Place):
    """A fresh site in a folder, and what is brought into it by the command line."""

    def export(self, text: str | bytes, name: str = "export.xml") -> str:
        """Write an export, and return its name."""
        (self.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return name

    def isso(self, *rows: dict[str, Any], uri: str = "/2012/03/shoes/") -> str:
        """Write a database as Isso does; each comment is Tom's, published."""
        with sqlite3.connect(self.folder / "comments.db") as database:
            database.executescript(ISSO)
            database.execute("INSERT INTO threads (id, uri, title) VALUES (1, ?, 'Shoes')", (uri,))
            for row in rows:
                values = {
                    "tid": 1, "mode": 1, "created": 1330683300.25, "remote_addr": "203.0.113.0", "text": "Hello.",
                    "author": "Tom", "email": "tom@secret.example", "website": None, "parent": None, "voters": b"",
                } | row  # fmt: skip
                database.execute(
                    f"INSERT INTO comments ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                    [*values.values()],
                )
        database.close()
        return "comments.db"

    def run(self, *arguments: str) -> Result:
        """Run the command line in the folder."""
        return CliRunner().invoke(main, arguments)

    def move(self, *arguments: str) -> dict[str, Any]:
        """Bring a file in, and return the report."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        report: dict[str, Any] = json.loads(result.stdout)
        return report

    def wordpress(self, *items: str, **head: str) -> dict[str, Any]:
        """Bring in an export of these items."""
        return self.move("wordpress", self.export(a_wxr(*items, **head)))

    def text(self, path: str) -> str:
        """Return a file of the content."""
        return (self.folder / "content" / path).read_text("utf-8")

    def body(self, path: str = "articles/shoes.md") -> str:
        """Return what stands below the header of a file."""
        return self.text(path).partition("\n\n")[2].strip()

    def tree(self) -> dict[str, bytes]:
        """Return every file of the content."""
        return {
            p.relative_to(self.folder).as_posix(): p.read_bytes()
            for p in sorted((self.folder / "content").rglob("*"))
            if p.is_file()
        }


def counts(report: dict[str, Any], kind: str) -> tuple[int, int, int, int]:
    """Return what came in, was imported, is held and was left out."""
    found = report["counts"][kind]
    return found["in"], found["imported"], found["held"], found["left_out"]
