"""Faults of the build as the desk tells them: what is meant, where it is corrected, what the author can do."""

import pytest

from postbox.desk.faults import SHOWN, explain, explain_all

YOURS = "Open it, correct it and publish; the site follows by itself."
DETAILS = "Open “Your details”, correct them and publish; the site follows by itself."
PICTURE = "Put a good copy of the picture there; the site follows by itself."
ASK = "Ask whoever runs the site."
DESIGN = f"{ASK} It is nothing that you wrote."


@pytest.mark.parametrize(("fault", "what", "line", "problem", "cure", "address"), [
    ("content/articles/shoes.md:3: Date is missing.", "The article “shoes”", "3", "Date is missing", YOURS, "/write/articles/shoes"),
    ("/srv/a b/content/pages/about.md: no title", "The page “about”", "", "no title", YOURS, "/write/pages/about"),
    ("content/images/foot.jpg: it cannot be read", "The picture “foot”", "", "it cannot be read", PICTURE, ""),
    ("content/comments/feet/0001.md:2: two ids", "The comment “0001”", "2", "two ids", ASK, ""),
    ("content/site.toml:4: “rôle” is not a fact", "Your details", "4", "“rôle” is not a fact", DETAILS, "/details"),
    ("content/site.toml:4: portrait: it is broken.", "Photograph of you", "", "it is broken", DETAILS, "/details#portrait"),
    ("theme/templates/articles/x.html:9: no such macro", "The site’s settings or design", "9", "no such macro", DESIGN, ""),
    ("pelicanconf.py: INTAKE: it ends in a slash", "The site’s settings or design", "", "INTAKE: it ends in a slash", DESIGN, ""),
    (" The disk is full. ", "The site", "", "The disk is full", ASK, ""),
    ("", "The site", "", "", ASK, ""),
])  # fmt: skip
def test_a_fault_says_what_is_wrong_and_where_it_is_corrected(
    fault: str, what: str, line: str, problem: str, cure: str, address: str
) -> None:
    told = explain(fault)

    assert (told.what, told.line, told.problem, told.cure, told.address) == (what, line, problem, cure, address)
    assert told.file == (fault.partition(":")[0] if cure != ASK or line else "")


def test_each_file_is_told_once_with_how_many_faults_it_has_besides_and_ten_files_at_most() -> None:
    faults = [f"content/articles/a{number}.md:{line}: x" for line in (1, 2, 3) for number in range(SHOWN + 5)]

    told = explain_all(faults)

    assert [(one.what, one.line, one.more) for one in told] == [(f"The article “a{n}”", "1", 2) for n in range(SHOWN)]
