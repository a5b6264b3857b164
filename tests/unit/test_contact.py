"""Ways to answer someone: numbers in any way of writing, addresses in any script, and neither taken for a name."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbox.contact import MAX_LINKS, can_be_answered, contact_links, looks_like_address
from postbox.email_address import addresses_in, is_address, to_ascii
from postbox.telephone import canonical, mentions, region_of

JANE = "+447700900456"


@pytest.mark.parametrize("written", [
    "07700 900456", "07700900456", "+44 (0)7700 900456", "+44 7700 900456", "0044 7700 900456", "+447700900456", "44 7700 900456", "7700 900456",
    "(07700) 900-456", "07700/900456", "+44.7700.900456", "０７７００ ９００４５６", "٠٧٧٠٠ ٩٠٠٤٥٦", "0 7 7 0 0 9 0 0 4 5 6",
])  # fmt: skip
def test_one_number_in_its_ways_of_writing_is_one_number(written: str) -> None:
    assert canonical(written) == JANE
    assert mentions(f"Ring me on {written}, after six.", "07700900456")


@pytest.mark.parametrize(
    "other", ["07700 900457", "+49 7700 900456", "900456", "+1 770 090 0456", "jane@example.org", ""]
)
def test_another_number_is_another(other: str) -> None:
    assert canonical(other) != JANE
    assert not mentions(other, JANE)


@pytest.mark.parametrize(("text", "number", "expected"), [
    ("07700 900457 07700 900456", JANE, True),
    ("07504 000000 or ann@example.org, else 07700900456", JANE, True),
    ("+49 7700 900456", JANE, False),
    ("on 2026-11-28 at 07700 metres, 900456 steps", JANE, False),
    ("ref. 1234567890123456789", "1234567890123456789", True),  # in no country, so by its figures
    ("0" * 20_000 + " 07700 900456", JANE, False),  # beyond what is searched
])  # fmt: skip
def test_a_number_is_found_among_words(text: str, number: str, expected: bool) -> None:
    assert mentions(text, number) is expected


@pytest.mark.parametrize(("telephone", "language", "region"), [
    ("+447504439555", "de", "GB"), ("+49 89 1234567", "en", "DE"), ("", "en-GB", "GB"), ("", "de", "DE"), ("", "nl-BE", "BE"), ("", "en", "GB"), ("x", "zh-Hant", "GB"),
])  # fmt: skip
def test_the_country_is_that_of_the_sites_number_or_of_its_language(telephone: str, language: str, region: str) -> None:
    assert region_of(telephone, language) == region


def test_who_only_keeps_messages_loads_no_countries() -> None:
    code = (
        "import sys; from postbox.contact import can_be_answered, looks_like_address;"
        "can_be_answered('07700 900456'), looks_like_address('Ann'); sys.exit('phonenumbers' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(("contact", "links"), [
    ("07504 439555 after six", [("07504 439555", "tel:+447504439555")]),
    ("020 7946 0000, or 0044 7700 900456", [("020 7946 0000", "tel:+442079460000"), ("0044 7700 900456", "tel:+447700900456")]),
    ("07504 000000 or ann@example.org", [("07504 000000", "tel:+447504000000"), ("ann@example.org", "mailto:ann@example.org")]),
    ("Ann <ann@example.org>; 07504 000000", [("ann@example.org", "mailto:ann@example.org"), ("07504 000000", "tel:+447504000000")]),
    ("info@bücher.example", [("info@bücher.example", "mailto:info@xn--bcher-kva.example")]),
    ("josé@example.org", [("josé@example.org", "mailto:jos%C3%A9@example.org")]),
    ("a?b&c%d=#e+f@example.org", [("a?b&c%d=#e+f@example.org", "mailto:a%3Fb%26c%25d%3D%23e%2Bf@example.org")]),
    ("ask 123456", [("123456", "tel:123456")]),  # as dialled within the town
    ("a@b.example A, +44 7700 900456, 07700 900456, a@b.example", [("a@b.example", "mailto:a@b.example"), ("+44 7700 900456", "tel:+447700900456")]),
    ("tom07700900456@x.example", [("tom07700900456@x.example", "mailto:tom07700900456@x.example")]),
    *[(words, []) for words in ("", "ring me", "12345", "tom@feet", "javascript:alert(1)", "ann@example.org?bcc=bob@example.org", "@@@")],
])  # fmt: skip
def test_each_number_and_address_of_a_line_can_be_clicked(contact: str, links: list[tuple[str, str]]) -> None:
    assert contact_links(contact) == links


@pytest.mark.parametrize(("contact", "expected"), [
    ("07504 000000 or ann@example.org", True), ("josé@example.org", True), ("info@bücher.example", True), ("١٢٣٤٥٦٧", True), ("0044 7700 900456", True),
    ("", False), ("ring me", False), ("12345", False), ("tom@feet", False), ("tom123456@feet", False),
])  # fmt: skip
def test_a_line_with_a_number_or_an_address_is_taken(contact: str, expected: bool) -> None:
    assert can_be_answered(contact) is expected


@given(st.text("0+7 ()-@.aé/,;:\u202a<>?\n", max_size=400))
def test_no_line_makes_more_or_other_links(contact: str) -> None:
    links = contact_links(contact)

    assert len(links) <= MAX_LINKS
    assert all(
        href.isascii() and href.partition(":")[0] in ("tel", "mailto") and label in contact for label, href in links
    )


@pytest.mark.parametrize(("text", "sent"), [
    ("info@bücher.example", "info@xn--bcher-kva.example"), ("info@BÜCHER.example", "info@xn--bcher-kva.example"), ("a@straße.example", "a@xn--strae-oqa.example"),
    ("a@例子.公司", "a@xn--fsqu00a.xn--55qx5d"), ("Tom@Reader.Example", "Tom@Reader.Example"),
    *[(text, "") for text in ("josé@example.org", "a@-ü.example", "a@ü..example", "a@ü", "ü", "a@" + "ü" * 64 + ".example", "a@ü.example\nBcc: b", "a@" + "ü." * 50_000)],
])  # fmt: skip
def test_a_host_in_any_script_is_written_as_mail_is_sent_to_it(text: str, sent: str) -> None:
    assert to_ascii(text) == sent
    assert not sent or is_address(sent)


def test_the_addresses_of_a_text_come_as_they_are_written() -> None:
    text = (
        "Write to «josé@example.org», mailto:info@bücher.example, or (ann@example.org). Not to tom@feet, @ann or a b@."
    )

    assert list(addresses_in(text)) == ["josé@example.org", "info@bücher.example", "ann@example.org"]


@pytest.mark.parametrize("name", [
    "jane@example.org", "Jane (jane@example.org)", "JANE@EXAMPLE.ORG", "jane＠example.org", "josé@example.org", "info@bücher.example",
    "07700 900456", "+44 (0)7700 900456", "Jane 07700-900456", "٠٧٧٠٠٩٠٠٤٥٦", "1234567",
])  # fmt: skip
def test_an_address_or_a_number_is_no_name(name: str) -> None:
    assert looks_like_address(name)


@pytest.mark.parametrize("name", [
    "Jane", "@jane", "jane at example.org", "Tom 1985", "Agent 007", "R2D2", "Bus 12 34", "Jane @ home",
    "J. P. 2026-11", "…", "",
])  # fmt: skip
def test_a_name_with_figures_or_a_sign_is_one(name: str) -> None:
    assert not looks_like_address(name)
