"""Second pass: each item is imported, held for the desk or left out, and counted.

Files are added and never written over: the images of an article, its comments, then the article itself. What stands,
stands; so going on after an interruption, a second run and a newer export are one and the same way.
"""

import html
import re
from datetime import UTC, datetime
from pathlib import PurePosixPath

from bs4 import BeautifulSoup

from contract.comment import BODY_BYTES, CONTROL, DATE_FORMAT, Comment, CommentError, dumps, is_web_address
from contract.header import HeaderError, read
from moving import records, wording
from moving.addresses import file_key
from moving.index import EMAIL, Index, Place, name_of, slug_of, tag_of
from moving.markdown import Articles, of_comment
from moving.records import Attachment, Fault, Other, Post, Record, Remark
from moving.report import Line, Report
from moving.uploads import Uploads

TEXT_BYTES = 1 << 20  # as many as the press reads
SUMMARY_CHARACTERS = 300
NOBODY = "Anonymous"
KINDS = {"post": "article", "page": "page"}


class Placing:
    """The second pass over all files of an import."""

    def __init__(self, index: Index, uploads: Uploads, articles: Articles, report: Report) -> None:
        self._index, self._site, self._addresses = index, index.site, index.addresses
        self._uploads, self._articles, self._report = uploads, articles, report
        self._seen: set[str] = set()
        self._places_kept: set[str] = set()
        self._attachments: list[Attachment] = []

    def place(self, record: Record) -> None:
        """Take one record to where it belongs, and count it."""
        report = self._report
        if isinstance(record, Post):
            report.take(KINDS[record.kind])
            self._post(record)
        elif isinstance(record, records.Comment):
            report.take("comment")
            self._comment(record)
        elif isinstance(record, Attachment):
            report.take("file")
            self._attachments.append(record)
        elif isinstance(record, Other):
            report.take("other")
            report.leave_out("other", record.place, record.title, f"{record.kind[:40]}")
        elif isinstance(record, Fault):
            report.take("unreadable")
            report.leave_out("unreadable", record.place, "", record.cause)
        elif isinstance(record, Remark):
            report.changes.append(Line("file", record.place, "", record.text))

    def finish(self) -> None:
        """Count the uploaded files, now that it is known which of them a text shows."""
        for attachment in self._attachments:
            key, name = file_key(attachment.url), PurePosixPath(attachment.url).name
            if key in self._uploads.used:
                self._report.imported("file", stood=key in self._uploads.stood)
                if remade := self._uploads.remade.get(key):
                    self._report.changes.append(Line("file", attachment.place, name, remade))
            else:
                reason = self._uploads.faults.get(key, "no text shows it")
                self._report.leave_out("file", attachment.place, name, reason)

    # Articles and pages

    def _post(self, post: Post) -> None:
        report, kind = self._report, KINDS[post.kind]
        place = self._index.places.get(post.key)
        if post.state == records.LEFT_OUT or not place:
            report.leave_out(kind, post.place, post.title, post.reason or "its number is missing")
            return
        changes: list[str] = list(place.remarks)
        try:
            text = self._text(post, place, changes)
        except HeaderError as error:
            report.leave_out(kind, post.place, post.title, f"the press would refuse it: {error}")
            return
        if post.state == records.DRAFT:
            report.drafts.append(Line(kind, post.place, post.title, post.reason))
        if len(text.encode()) > TEXT_BYTES:
            report.leave_out(kind, post.place, post.title, f"its text is larger than {TEXT_BYTES:,} bytes")
            return
        stood = self._site.has(place.path)
        if not stood:
            self._site.write(place.path, text.encode())
        elif self._site.text(place.path) != text and post.key not in self._seen:
            report.edited.append(Line(kind, post.place, post.title, f"{place.path} says something else"))
        self._seen.add(post.key)
        report.imported(kind, stood=stood)
        report.changes += [Line(kind, post.place, post.title, change) for change in changes]

    def _text(self, post: Post, place: Place, changes: list[str]) -> str:
        found = wording.html_of(
            CONTROL.sub("", post.body.replace("\t", " " * 8)), lambda keys: self._addresses.gallery(keys, post.number)
        )
        soup = wording.tree_of(found.html)
        changes += self._addresses.rewrite(soup, post.link)
        summary = _summary(post, found.teaser, soup)
        body = self._articles.convert(soup)
        if body.kept:
            changes.append(f"kept as HTML, as Markdown would show it otherwise: {body.kept} blocks")
        if not body.is_equal:
            changes.append("shown otherwise than it was: look at its page")
        if found.is_flat:
            changes.append(f"nested more than {wording.DEPTH} deep: its words alone are kept")
        if found.media:
            changes.append(f"players made links: {found.media}")
        changes += [f"shortcode of a plugin left as text: [{name}]" for name in sorted(found.shortcodes)]
        changes += [f"block that WordPress fills in, left out: {name}" for name in sorted(found.blocks)]
        slugs = dict.fromkeys(slug_of(tag_of(tag)) for tag in post.tags)
        tags = [self._index.tags[slug] for slug in slugs if slug]
        for tag in post.tags:
            if tag_of(tag).casefold() not in [one.casefold() for one in tags]:
                changes.append(f"tag that has the address of another, or none: {tag}")
        header = _header(post, place, summary, tags)
        whole = "".join(f"{key}: {value}\n" for key, value in header.items() if value) + f"\n{body.text}\n"
        return self._without_slips(whole, KINDS[post.kind])

    def _without_slips(self, text: str, kind: str) -> str:
        """Write lines of a text that would be taken for lines of its header so that they are not, and are seen the same."""
        try:
            read(text, kind, self._site.config["HEADER_KEYS"])
        except HeaderError as error:
            lines = text.split("\n")
            for number, _ in error.faults:
                lines[number - 1] = lines[number - 1].replace(":", "&#58;", 1)
            text = "\n".join(lines)
            read(text, kind, self._site.config["HEADER_KEYS"])
        return text

    # Comments

    def _comment(self, comment: records.Comment) -> None:
        index, report = self._index, self._report
        name = f"comment {comment.key}"

        def leave_out(reason: str) -> None:
            report.leave_out("comment", comment.place, name, reason)

        article, id = index.threads.get(comment.thread, ""), index.names.get(comment.key, "")
        if comment.key in index.needed:
            self._keep_place(comment.key, comment.thread)
        if comment.state == records.LEFT_OUT:
            return leave_out(comment.reason)
        if not article:
            return leave_out(self._no_article(comment.thread))
        known = index.comment(comment.key)
        if not id or not known or known.thread != comment.thread:
            return leave_out("its number is another comment’s here, or none")
        if id in self._site.erased:
            return leave_out("erased here since")
        if comment.key in index.twins:
            return report.imported("comment", stood=True)
        if comment.state == records.REMOVED:
            return self._removed(comment, article, id, name)
        try:
            made, changes = self._made(comment, article, id)
        except CommentError as error:
            return leave_out(str(error))
        if made.reply_to:
            self._keep_place(index.parents[comment.key], comment.thread)
        if comment.state == records.HELD or id in self._site.at_desk:
            self._hold(comment, made, name)
        else:
            self._publish(made, article)
        report.changes += [Line("comment", comment.place, name, change) for change in changes]
        return None

    def _no_article(self, thread: str) -> str:
        address = self._index.address_of(thread)
        if address is not None:
            return f"no article has this address; add it to Formerly and run again: {address[:300]}"
        return "its article is left out, or not in the export"

    def _publish(self, made: Comment, article: str) -> None:
        path = f"comments/{article}/{made.id}.md"
        stood = self._site.has(path)
        if not stood:
            self._site.write(path, dumps(made).encode())
            self._site.comments[made.id] = article
        self._report.imported("comment", stood=stood)

    def _hold(self, comment: records.Comment, made: Comment, name: str) -> None:
        state = self._site.at_desk.get(made.id, "")
        if (
            self._site.has(f"comments/{made.article}/{made.id}.md")
            and made.id not in self._places_kept
            and state != "waiting"
        ):
            self._report.imported("comment", stood=True)
        elif state in ("", "waiting"):
            if not state:
                received = made.date or datetime.fromtimestamp(0, UTC)
                self._site.hold(made, received, comment.held)
                self._site.at_desk[made.id] = "waiting"
            self._report.hold("comment", comment.place, name, "; ".join(comment.held) or "it waits at the desk already")
        else:
            self._report.leave_out("comment", comment.place, name, f"decided at the desk since: {state}")

    def _removed(self, comment: records.Comment, article: str, id: str, name: str) -> None:
        if comment.key in self._index.needed or comment.reason:
            stood = self._site.has(f"comments/{article}/{id}.md") and id not in self._places_kept
            self._write_place(id, article, self._index.parent_of(comment.key), comment.date, comment.reason or "yes")
            self._report.imported("comment", stood=stood)
        else:
            self._report.leave_out("comment", comment.place, name, "removed there, and nothing hangs on it")

    def _keep_place(self, key: str, thread: str) -> None:
        """Keep the place of what is not published, for the replies below it."""
        index = self._index
        article, id = index.threads.get(thread, ""), index.names.get(key, "")
        known = index.comment(key)
        if key in index.needed and article and id and not (known and known.state == records.REMOVED):
            self._write_place(id, article, index.parent_of(key), known.date if known else None, "yes")

    def _write_place(self, id: str, article: str, reply_to: str, date: datetime | None, removed: str) -> None:
        path = f"comments/{article}/{id}.md"
        if not self._site.has(path) and id not in self._places_kept:
            place = Comment(id=id, article=article, reply_to=reply_to or None, date=date, removed=removed)
            self._site.write(path, dumps(place).encode())
            self._site.comments[id] = article
        self._places_kept.add(id)

    def _made(self, comment: records.Comment, article: str, id: str) -> tuple[Comment, list[str]]:
        """Return the public record of a comment, and what was changed for it."""
        changes: list[str] = []
        author = name_of(comment.author)
        if not author:
            changes.append("its writer’s name is missing, or is an email address: it says “Anonymous”")
        website = comment.website.strip()
        if website and (not is_web_address(website) or "@" in website or CONTROL.search(website) or len(website) > 500):
            changes.append("its writer’s website is no address: left out")
            website = ""
        body = CONTROL.sub("", comment.body.replace("\r\n", "\n").replace("\r", "\n"))
        if comment.is_html:
            body, is_equal = _words(body)
            if not is_equal:
                changes.append("its words are kept, their form is not")
        if EMAIL.search(body):
            changes.append("an email address stands in its words, which are as they were typed")
        if comment.key in self._index.circles or (
            comment.parent not in ("", "0") and comment.key not in self._index.parents
        ):
            changes.append("what it answered is not in this conversation: it stands alone")
        made = Comment(
            id=id,
            article=article,
            reply_to=self._index.parent_of(comment.key) or None,
            author=author or NOBODY,
            is_author=comment.is_author,
            website=website or None,
            date=comment.date,
            body=body.strip("\n"),
            **comment.more,
        )
        return made, changes


def _words(text: str) -> tuple[str, bool]:
    """Return a reader's Markdown of what WordPress or Disqus show of a comment."""
    if len(text.encode()) > BODY_BYTES:
        raise CommentError(f"Body: use {BODY_BYTES:,} bytes at most")
    if not re.search(r"[<>&\\`*_\[\]~+#]|^\s|^-\s|^\d+[.)]|  ", text, re.MULTILINE):
        return re.sub(r"\n{3,}", "\n\n", text.strip()), True
    html = wording.comment_html(text)
    return of_comment(str(wording.tree_of(html)))


def _header(post: Post, place: Place, summary: str, tags: list[str]) -> dict[str, str]:
    date = post.date or datetime.fromtimestamp(0, UTC)
    is_article = post.kind == "post"
    return {
        "Title": _line(post.title) or place.slug,
        "Id": place.id if is_article else "",
        "Slug": place.slug,
        "Date": date.strftime(DATE_FORMAT) if is_article or post.date else "",
        "Status": "draft" if post.state == records.DRAFT else "",
        "Summary": (_line(summary) or _line(post.title) or place.slug) if is_article else "",
        "Tags": ", ".join(tags) if is_article else "",
        "Formerly": " ".join(place.formerly),
        "Comments": "closed" if is_article and post.is_closed else "",
    }


def _summary(post: Post, teaser: str, soup: BeautifulSoup) -> str:
    """Return the excerpt, else what stood before “more”, else the first sentence."""
    for text in (post.excerpt, teaser):
        if words := _line(html.unescape(re.sub(r"<[^<>]*>", " ", text))):
            return words if len(words) <= SUMMARY_CHARACTERS else _sentence(words)
    first = next((p for p in soup.find_all(["p", "li", "blockquote"]) if p.get_text().strip()), None)
    return _sentence(_line(first.get_text(" "))) if first else ""


def _sentence(words: str) -> str:
    found = re.match(r".{20,}?[.!?…](?=\s|$)", words)
    sentence = found[0] if found else words
    return sentence if len(sentence) <= SUMMARY_CHARACTERS else sentence[:SUMMARY_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _line(text: str) -> str:
    return " ".join(CONTROL.sub("", text).split())
