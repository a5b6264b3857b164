"""Broken and hostile files: refused in words, or gone past with the line; what is whole arrives."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.moving.exports import OldSite, a_disqus, a_wp_comment, a_wxr, an_item, counts
from tests.support.place import ROOT

BOMB = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n'
OUTSIDE = '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n'


@pytest.mark.parametrize(
    "doctype", ["<!DOCTYPE rss>\n", BOMB, OUTSIDE, OUTSIDE.replace("]>", '<!ENTITY c "<item>">]>')]
)
@pytest.mark.parametrize("kind", ["wordpress", "disqus"])
def test_a_document_type_is_refused_with_its_line(old: OldSite, doctype: str, kind: str) -> None:
    whole = a_wxr(an_item()) if kind == "wordpress" else a_disqus()
    head, _, rest = whole.partition("\n")

    result = old.run(kind, old.export(f"{head}\n{doctype}{rest}"))

    assert result.exit_code == 1
    assert (
        result.output
        == "moving: export.xml: line 2: it has a document type (<!DOCTYPE …>), which no export needs; delete it\n"
    )
    assert not (old.folder / "content/articles/shoes.md").exists()


@pytest.mark.parametrize(
    ("file", "cause"),
    [
        ("", "found no XML"),
        ("no xml at all", "found no XML"),
        ("<html><body></body></html>", "found <html>"),
        (a_disqus(), "expected <rss>, found <disqus>"),
        ('<?xml version="1.0" encoding="utf-7"?><rss></rss>', "it is written in utf-7; save it as UTF-8"),
        ("\ufeff".encode("utf-16-le") + "<rss/>".encode("utf-16-le"), "save it as UTF-8"),
    ],
)
def test_what_is_no_export_is_refused(old: OldSite, file: str | bytes, cause: str) -> None:
    result = old.run("wordpress", old.export(file))

    assert result.exit_code == 1
    assert cause in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (an_item(2, "broken").replace("</title>", ""), "mismatched tag"),
        (an_item(2, "broken").replace("<wp:status>", "<wp:sta"), "not well-formed (invalid token)"),
        (an_item(2, "broken").replace("</item>", ""), "this item is not closed; it is left out"),
        (an_item(2, "broken").replace("Some words.]]>", "Some words."), "mismatched tag"),
        (an_item(2, "broken").replace("</item>", "<x>&nbsp;</x></item>"), "undefined entity"),
        (an_item(2, "broken").replace("</item>", "<x>" * 30 + "</x>" * 30 + "</item>"), "more than"),
    ],
)
def test_one_broken_item_is_lost_with_its_line_and_no_other(old: OldSite, broken: str, cause: str) -> None:
    report = old.wordpress(an_item(1, "before"), broken, an_item(3, "behind"))

    [lost] = [line for line in report["left_out"] if line["kind"] == "unreadable"]
    assert cause in lost["text"]
    assert 8 <= int(lost["place"].rpartition(":")[2]) <= 13
    assert {p.stem for p in (old.folder / "content/articles").glob("*.md")} >= {"before", "behind"}
    assert counts(report, "article")[1] == 2


def test_a_file_cut_off_in_an_item_gives_all_before(old: OldSite) -> None:
    text = a_wxr(an_item(1, "before"), an_item(2, "cut"))

    report = old.move("wordpress", old.export(text[: text.index("About cut")]))

    assert counts(report, "article") == (1, 1, 0, 0)
    assert [line["text"] for line in report["left_out"]] == ["the file ends inside this item; export it again"]


def test_control_bytes_broken_utf_8_junk_and_foreign_namespaces_are_read_past_and_counted(old: OldSite) -> None:
    text = a_wxr(an_item(body="Bell\x07 and \x0bmore\ufffe")).encode().replace(b"Bell", b"B\xe9ll")
    text = b"\n\nWarning: junk\n" + text.replace(b"http://", b"https://")

    report = old.move("wordpress", old.export(text))

    assert old.body() == "B\ufffdll and more"
    said = [line["text"] for line in report["changes"]]
    assert "3 control characters that XML cannot hold were taken out" in said
    assert "1 bytes are no text in the file’s encoding; each is now “\ufffd”" in said


def test_an_old_encoding_that_is_declared_is_read(old: OldSite) -> None:
    text = a_wxr(an_item(body="Füße"), head='<?xml version="1.0" encoding="ISO-8859-1"?>\n')

    old.move("wordpress", old.export(text.encode("latin-1")))

    assert old.body() == "Füße"


def test_a_text_that_looks_like_an_export_stays_a_text(old: OldSite) -> None:
    old.wordpress(an_item(body="<pre>&lt;item&gt;</pre>\n<item><title>x</title></item>\n</rss>"), an_item(2, "feet"))

    assert (old.folder / "content/articles/feet.md").exists()
    assert len(list((old.folder / "content/articles").glob("*.md"))) == 3


def test_a_comment_without_a_number_or_with_anothers_is_named(old: OldSite) -> None:
    report = old.wordpress(
        an_item(comments=a_wp_comment("../x") + a_wp_comment("") + a_wp_comment(5)),
        an_item(2, "feet", comments=a_wp_comment(5)),
    )

    assert counts(report, "comment") == (4, 1, 0, 3)
    assert {line["text"] for line in report["left_out"]} == {"its number is another comment’s here, or none"}


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["element", "tag", "comment", "items"])
def test_a_hundred_and_fifty_megabytes_in_one_piece_take_little_memory(old: OldSite, shape: str) -> None:
    start, _, end = a_wxr("@").partition("@")
    pieces = {
        "element": ("<item><title>", "x" * 1_000_000, "</title></item>"),
        "tag": ('<item><title a="', "x" * 1_000_000, '"></title></item>'),
        "comment": ("<!-- ", "x" * 1_000_000, " -->"),
        "items": ("<item><title>", "<a/>" * 250_000, "</title></item>"),
    }
    with (old.folder / "export.xml").open("w") as file:
        file.write(start + pieces[shape][0])
        for _ in range(150 if shape != "items" else 30):
            file.write(pieces[shape][1])
        file.write(pieces[shape][2] + an_item(9, "behind") + end)

    run = subprocess.run(
        [sys.executable, "-m", "moving", "wordpress", "export.xml"],
        cwd=old.folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (250 * 2**20,) * 2),
    )

    assert run.returncode == 0, run.stderr
    assert "the item is larger than" in run.stdout
    assert Path(old.folder / "content/articles/behind.md").exists()
