"""Words: what a reader saw at the old site is seen here, and no code that was shown runs."""

import runpy

import pytest

from contract.reader_markdown import render
from moving.markdown import Articles, of_comment
from moving.seen import seen
from moving.wording import CLEANER, html_of, paragraphs, tree_of
from tests.moving.exports import OLD, OldSite, a_wp_comment, an_item
from tests.support.place import ROOT

ARTICLES = Articles(runpy.run_path(str(ROOT / "pelicanconf.py"))["MARKDOWN"])


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>Plain words.</p>", "Plain words."),
        ("<p>A <b>b</b> <em>c</em><br>d</p>", "A **b** *c*  \nd"),
        ("<p>5 * 3 * 2, a_b, _c_, [test] and {x}</p>", r"5 \* 3 \* 2, a_b, \_c\_, \[test] and \{x}"),
        ("<p>AT&amp;T &amp;copy; &lt;b&gt; a &lt; b</p>", "AT&T &amp;copy; &lt;b> a < b"),
        ("<p># no heading</p>", r"\# no heading"),
        ("<p>Words<br>#define X</p>", "Words  \n\\#define X"),
        ("<p>1. no list</p>", r"1\. no list"),
        ("<p>a&nbsp;b</p>", "a&nbsp;b"),
        ("<ul><li>a<ul><li>b</li></ul></li></ul>", "-   a\n    -   b"),
        ("<ol><li>a</li><li>b</li></ol>", "1.  a\n2.  b"),
        ('<ol start="3"><li>a</li></ol>', '<ol start="3"><li>a</li></ol>'),
        ("<ul><li>a</li></ul><ul><li>b</li></ul>", "-   a\n\n<ul><li>b</li></ul>"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<pre>a\n\n  b &lt;i&gt;</pre>", "```\na\n\n  b <i>\n```"),
        ("<pre>``` in it</pre>", "````\n``` in it\n````"),
        ("<pre>a <b>b</b></pre>", "<pre>a <b>b</b></pre>"),
        ("<ul><li><pre>x</pre></li></ul>", "<ul><li><pre>x</pre></li></ul>"),
        ("<p>H<sub>2</sub>O</p>", "H<sub>2</sub>O"),
        ("<p><code>a`b</code></p>", "`` a`b ``"),
        ('<p><a href="https://a.example/x_(y)">a]b</a></p>', r"[a\]b](<https://a.example/x_(y)>)"),
        ("<p>Wow!<a href='https://a.example/'>x</a></p>", r"Wow\![x](https://a.example/)"),
        ("<figure><img src='/a.jpg' alt='A'><figcaption>B</figcaption></figure>", '<figure><img alt="A" src="/a.jpg"/><figcaption>B</figcaption></figure>'),
        ("<pre>a <b>b</b></pre><p>c&nbsp;d ~~~</p><p><code>e<br>f</code>&nbsp;g</p>", "<pre>a <b>b</b></pre>\n\nc&nbsp;d ~~~\n\n<p><code>e<br/>f</code>&nbsp;g</p>"),
        ("<table><tr><td>a</td></tr></table>", "<table><tbody><tr><td>a</td></tr></tbody></table>"),
    ],
)  # fmt: skip
def test_html_becomes_markdown_where_the_site_shows_the_same(html: str, markdown: str) -> None:
    made = ARTICLES.convert(tree_of(CLEANER.clean(html)))

    assert made.text == markdown
    assert made.is_equal


@pytest.mark.parametrize(
    "html",
    [
        "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>",
        "<pre>&lt;script&gt;alert(1)&lt;/script&gt;</pre>",
        "<p><code>&lt;script&gt;alert(1)&lt;/script&gt;</code></p>",
        "<p>\\&lt;script&gt;alert(1)&lt;/script&gt;</p>",
        "<blockquote><pre>&lt;script&gt;alert(1)&lt;/script&gt;\n\n&lt;b&gt;</pre></blockquote>",
        "<ul><li><p>a</p><pre>\n\n&lt;script&gt;alert(1)&lt;/script&gt;</pre></li></ul>",
        "<script>alert(1)</script><p onclick='alert(1)' style='x'>a</p>",
        "<p><a href='javascript:alert(1)'>a</a><img src=x onerror=alert(1)></p>",
        "<svg onload=alert(1)></svg><p>a</p>",
    ],
)
def test_no_code_runs_that_was_shown_or_hidden(html: str) -> None:
    tree = tree_of(CLEANER.clean(html))
    expected = seen(str(tree))

    made = ARTICLES.convert(tree)

    shown = ARTICLES._parser.convert(made.text)
    assert seen(shown) == expected
    assert not any(isinstance(token, tuple) and token[1] in ("script", "svg") for token in seen(shown))
    assert "onclick" not in shown
    assert "javascript:" not in shown
    assert "onerror" not in shown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One\ntwo\n\nThree", "<p>One<br>two</p>\n<p>Three</p>"),
        ("<p>Whole</p>", "<p>Whole</p>"),
        ("<h2>Head</h2>\nWords", "<h2>Head</h2>\n<p>Words</p>"),
        ("<ul>\n<li>a</li>\n<li>b\nc</li>\n</ul>", "<ul>\n<li>a</li>\n<li>b<br>c</li>\n</ul>"),
        ("<blockquote>a\n\nb</blockquote>c", "<blockquote>\n<p>a</p>\n<p>b</p>\n</blockquote>\n<p>c</p>"),
        ('<a href="x"\nclass="y">z</a>', '<p><a href="x" class="y">z</a></p>'),
        ("", ""),
    ],
)
def test_the_classic_editors_blank_lines_are_paragraphs(text: str, html: str) -> None:
    assert paragraphs(text) == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<!-- wp:paragraph {\"a\":1} -->\n<p>a\nb</p>\n<!-- /wp:paragraph -->\n\nloose\n\nwords", "<p>a\nb</p>\n<p>loose</p>\n<p>words</p>"),
        ('[code lang="php"]<?php echo "<b>"; ?>[/code]', '<pre><code>&lt;?php echo "&lt;b&gt;"; ?&gt;</code></pre>'),
        ("[sourcecode]&lt;b&gt;[/sourcecode]", "<pre><code>&lt;b&gt;</code></pre>"),
        ('[caption id="x" width="3"]<img src="/a.jpg" alt="A"> Words[/caption]', '<figure><img src="/a.jpg" alt="A"><figcaption>Words</figcaption></figure>'),
        ('<iframe src="//www.example.com/embed/x"></iframe>', '<p><a href="https://www.example.com/embed/x">https://www.example.com/embed/x</a></p>'),
        ("[embed]https://v.example/1[/embed]", '<p><a href="https://v.example/1">https://v.example/1</a></p>'),
        ('[video mp4="https://v.example/1.mp4"][/video]', '<p><a href="https://v.example/1.mp4">https://v.example/1.mp4</a></p>'),
        ('[plugin id="3"] [test]', '<p>[plugin id="3"] [test]</p>'),
        ("<pre>a\n\nb</pre>", "<pre>a\n\nb</pre>"),
    ],
)  # fmt: skip
def test_blocks_and_shortcodes_become_what_they_showed(text: str, html: str) -> None:
    assert seen(html_of(text, lambda keys: "").html) == seen(html)


def test_what_has_no_place_here_is_named(old: OldSite) -> None:
    report = old.wordpress(
        an_item(body='[plugin id="3"] <!-- wp:latest-posts /--> <iframe src="https://v.example/1"></iframe>')
    )

    assert [line["text"] for line in report["changes"]] == [
        "players made links: 1",
        "shortcode of a plugin left as text: [plugin]",
        "block that WordPress fills in, left out: latest-posts",
    ]


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>Plain<br>words</p>", "Plain\nwords"),
        ("<p>a * b * c, x_y_z, 1 &lt; 2</p>", r"a \* b \* c, x_y_z, 1 < 2"),
        ("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", r"\<script>alert(1)</script>"),
        ("<blockquote><p>said</p></blockquote><p><b>No</b></p>", "> said\n\n**No**"),
        ("<p>&gt; not a quote</p>", r"\> not a quote"),
        ('<p><a href="https://a.example/">a</a></p>', "[a](https://a.example/)"),
    ],
)
def test_a_comments_html_becomes_a_readers_markdown_that_is_shown_the_same(html: str, markdown: str) -> None:
    made, is_equal = of_comment(html)

    assert (made, is_equal) == (markdown, True)
    assert seen(render(made)) == seen(html)


def test_a_comment_whose_form_cannot_be_kept_keeps_its_words_and_is_named(old: OldSite) -> None:
    report = old.wordpress(
        an_item(comments=a_wp_comment(5, content="<h2>Loud</h2><table><tr><td>a*b*</td></tr></table>"))
    )

    assert old.text("comments/shoes/5.md").endswith("\n\nLoud\n\na\\*b\\*\n")
    assert [line["text"] for line in report["changes"]] == ["its words are kept, their form is not"]


@pytest.mark.parametrize(
    ("href", "link"),
    [
        (f"{OLD}/2012/03/feet/", "[x]({filename}/articles/feet.md)"),
        ("http://www.old.example/2012/03/feet/#comment-7", "[x]({filename}/articles/feet.md#comment-7)"),
        ("/2012/03/feet/#comment-999", "[x]({filename}/articles/feet.md)"),
        (f"{OLD}/?p=2", "[x]({filename}/articles/feet.md)"),
        (f"{OLD}/about/", "[x]({filename}/pages/about.md)"),
        (f"{OLD}/", "[x](/)"),
        (f"{OLD}/feed/", "[x](/feed.xml)"),
        (f"{OLD}/2012/03/secret/", "x"),
        (f"{OLD}/2012/03/to-come/", "x"),
        (f"{OLD}/category/all/", "x"),
        ("#nowhere", "x"),
        ("https://a.example/{x}|y", "[x](https://a.example/%7Bx%7D%7Cy)"),
        ("mailto:a@b.example", "[x](mailto:a@b.example)"),
    ],
)
def test_a_link_leads_where_its_page_is_now_or_is_words(old: OldSite, href: str, link: str) -> None:
    report = old.wordpress(
        an_item(1, "shoes", body=f'<a href="{href}">x</a>'),
        an_item(2, "feet", comments=a_wp_comment(7)),
        an_item(3, "secret", status="private"),
        an_item(4, "to-come", post_date_gmt="2999-01-01 00:00:00"),
        an_item(5, "about", post_type="page", link=f"{OLD}/about/"),
    )

    assert old.body() == link
    assert [line["text"] for line in report["changes"]] == ([f"link made words: {href}"] if link == "x" else [])


@pytest.mark.parametrize(
    "sign", ["<pre>", "[code]", "[caption]<img>", "<!-- wp:x ", "<iframe", "<b>", "[", "![a", "*a ", "`", "<div>"]
)
def test_hostile_text_takes_no_more_than_its_length(old: OldSite, sign: str) -> None:
    text = sign * (10_000 // len(sign))

    report = old.wordpress(an_item(body=text, comments=a_wp_comment(5, content=text)))

    assert report["counts"]["article"]["imported"] == 1
