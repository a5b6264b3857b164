"""Limits that contradict each other are refused at the start, where a reader's words would be lost later."""

from dataclasses import replace

import pytest

from postbox.public import app as intake
from postbox.settings import Settings, SettingsError
from press.errors import BuildError
from tests.support.place import Place


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [("COMMENT_LENGTH", 60_000, "19,114"), ("COMMENT_LENGTH", 0, "19,114"), ("NAME_LENGTH", 501, "500")],
)
def test_no_site_is_built_that_takes_what_it_cannot_publish(place: Place, name: str, value: int, most: str) -> None:
    with pytest.raises(BuildError, match=f"{name} is {value}; it must be a whole number from 1 to {most}"):
        place.build(**{name: value})  # type: ignore[arg-type]  # a setting, not the preview


def test_the_longest_comment_that_is_taken_can_be_published(place: Place) -> None:
    place.build(COMMENT_LENGTH=19_114)


def test_no_intake_starts_whose_forms_have_no_room_for_the_longest_comment(settings: Settings) -> None:
    with pytest.raises(
        SettingsError, match="POSTBOX_FORM_BYTES is 8000, too small for COMMENT_LENGTH, 4000; set it to 40096"
    ):
        intake.application(replace(settings, form_bytes=8000))
