"""The sheet with the drawings of the article, on paper."""

import re

import pytest
from playwright.sync_api import Browser

from tests.support.place import Place


@pytest.mark.parametrize("margin", ["10mm", "20mm"])
def test_the_drawings_print_on_one_sheet_of_a4(browser: Browser, shipped: Place, margin: str) -> None:
    page = browser.new_page()
    page.set_content(shipped.page("/drawings/"))

    paper = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), margin))  # type: ignore[arg-type]

    page.close()
    assert len(re.findall(rb"/Type /Page\b", paper)) == 1


def test_the_article_leads_to_the_sheet(shipped: Place) -> None:
    assert '<a href="/drawings/">' in shipped.page("/articles/big-toe-and-glutes/")
