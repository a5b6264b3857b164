"""Texts in a list: the title of each, its state in words, and in what order."""

from dataclasses import dataclass

from postbox.desk.context import DeskRequest
from postbox.writing import draft
from postbox.writing.publisher import is_new
from postbox.writing.text_file import TextError, TextFile, read
from postbox.writing.texts import WorkingCopy


@dataclass(frozen=True)
class Line:
    """A text in the list: its title, its state in words, and by what it is sorted."""

    key: str
    title: str
    state: str
    date: str


def lines_of(desk: DeskRequest) -> list[Line]:
    """Return a line for each text: unfinished ones first, then by date, the newest first."""
    working = {one.key: one for one in desk.texts.all_working()}
    lines = []
    for key in {*desk.texts.all_keys(), *working}:
        try:
            copy, stands = working.get(key), desk.texts.header(key)
            text = read(copy.data) if copy else stands
            date = copy.changed.isoformat() if copy else text.field("date")
            lines.append(Line(key, text.field("title") or "Without a title", state_of(desk, key, stands, copy), date))
        except TextError as error:
            lines.append(Line(key, key, f"Cannot be read: {error}", ""))
    return sorted(
        lines, key=lambda line: (line.state.startswith(("Draft", "Changed")), line.date, line.key), reverse=True
    )


def state_of(desk: DeskRequest, key: str, stands: TextFile, copy: WorkingCopy | None) -> str:
    """Return the state of a text in words."""
    if copy and copy.is_deleted:
        return "Thrown away" if is_new(key) else "Deleted"
    if not stands.fields:
        return "Draft"
    if copy:
        return "Changed, not published"
    if stands.field("status").lower() == "draft":
        return "Draft, off the site"
    if when := draft.appears(stands.field("date"), desk.site.timezone, desk.now):
        return f"Appears on {when}"
    return "Published"
