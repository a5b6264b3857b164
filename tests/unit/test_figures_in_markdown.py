"""Figures, paths and gestures in a reader's text: what stands as a sign among them stays one."""

import pytest

from contract.reader_markdown import render


@pytest.mark.parametrize("text", [
    "3*10 calf raises, rest, then 2*12 with the towel. Is 4*8 too much?",
    "2**8 and 4**2", "5*6*7*8", "2*x and 3*y", "x*10 and y*12", "3***4***5", "3m*4m, 2m*5m", "3 * 10 * 2", "3* and 4*", "٣*٤ و ٥*٦", "1.5*2.5 and 2.5*1.5",
    "File is foot_pain_diary_2026.txt, see C:\\notes\\_old_\\ and ¯\\_(ツ)_/¯", "\\\\server\\my_files_here", "2_000_000",
])  # fmt: skip
def test_figures_paths_and_gestures_stay_as_typed(text: str) -> None:
    assert render(text) == f"<p>{text}</p>\n"


@pytest.mark.parametrize(("text", "html"), [
    ("*do 3*10 reps* now", "<em>do 3*10 reps</em> now"),
    ("**3*10**, *3 sets*, *5*", "<strong>3*10</strong>, <em>3 sets</em>, <em>5</em>"),
    ("un*frig*able", "un<em>frig</em>able"),
    ("3\\*10 and 2\\*12", "3*10 and 2*12"),
])  # fmt: skip
def test_emphasis_around_figures_stays_emphasis(text: str, html: str) -> None:
    assert render(text) == f"<p>{html}</p>\n"
