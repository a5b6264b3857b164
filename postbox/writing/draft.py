"""Draft of a text as its form sends it: fields into the file, and everything that only a person can mend, said at its field."""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import imagesize
from anyascii import anyascii

from postbox.writing.text_file import TEXT_LENGTH, TextFile, edited, read

LINE_LENGTH = 200
PICTURE_BYTES = 25 * 1024 * 1024
PICTURE_PIXELS = 50_000_000
KINDS = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}
HEIC = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class DraftError(ValueError):
    """A field has to be corrected; ``key`` is its name."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


@dataclass(frozen=True)
class Picture:
    """A picture that was sent: its name, which is never another's, and what it shows."""

    name: str
    data: bytes
    alt: str

    @property
    def markdown(self) -> str:
        """What stands for it in a text."""
        return f"![{self.alt}]({{static}}/images/{self.name})"


def with_fields(data: bytes, form: Mapping[str, str], timezone: str, now: datetime) -> bytes:
    """Return a file with what a form says; a field that the form does not have stays.

    Raises:
        DraftError: at what cannot be written down at all.
        TextError: if the file is no text.
    """
    known = read(data)
    fields: dict[str, str | None] = {name: form[name.lower()] for name in ("Title", "Summary") if name.lower() in form}
    body = form.get("text")
    if body is not None and len(body) > TEXT_LENGTH:
        raise DraftError("text", f"The text has {len(body):,} characters; {TEXT_LENGTH:,} is the most.")
    slug = form.get("slug", "").strip()
    if slug and slug != known.field("slug"):
        if not SLUG.fullmatch(slug) or len(slug) > 100:
            raise DraftError("slug", "Write the address in small letters, digits and single hyphens, like big-toe.")
        fields |= {"Slug": slug, "Formerly": _formerly(known, slug)}
    if form.get("when") and form["when"] != local(known.field("date")):
        fields["Date"] = f"{_moment(form['when'], timezone):%Y-%m-%d %H:%M}"
    if form.get("updated"):
        fields["Modified"] = f"{now.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
    return edited(data, fields, body)


def completed(key: str, data: bytes, timezone: str, now: datetime, slug: str) -> bytes:
    """Return a file as it is published: with the lines that a new one lacks, and no draft any more."""
    known = read(data)
    fields: dict[str, str | None] = {}
    if known.field("status").lower() == "draft":
        fields["Status"] = None
    if key.startswith("articles/"):
        date = f"{now.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
        made = {"Id": known.field("slug") or slug, "Slug": slug, "Date": date}
        fields |= {name: value for name, value in made.items() if not known.field(name.lower())}
    return edited(data, fields)


def missing(key: str, data: bytes) -> dict[str, str]:
    """Return what has to be written before a text can be a page, by the field."""
    text, problems = read(data), {}
    if not text.field("title"):
        problems["title"] = "Give it a title."
    if key.startswith("articles/") and not text.field("summary"):
        problems["summary"] = "Write one sentence for under the title."
    if not text.body.strip():
        problems["text"] = "Write some words."
    return problems


def slug_of(title: str) -> str:
    """Return the address that a title makes."""
    return re.sub(r"[^a-z0-9]+", "-", anyascii(title).lower())[:60].strip("-") or "text"


def local(date: str) -> str:
    """Return the date of a header as a field for date and time has it."""
    found = re.match(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d))?", date)
    return f"{found[1]}T{found[2] or '00:00'}" if found else ""


def appears(date: str, timezone: str, now: datetime) -> str:
    """Return when a text appears, said in full, if that is to come."""
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return ""
    zone = ZoneInfo(timezone)
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)
    if moment <= now:
        return ""
    place = timezone.rpartition("/")[2].replace("_", " ")
    return (
        f"{DAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M}, {place} time"
    )


def picture(name: str, data: bytes, alt: str, *, is_too_large: bool) -> Picture:
    """Return a picture that can be published; it is told by its first bytes and never decoded here.

    Raises:
        DraftError: with what to do instead.
    """
    alt = " ".join(alt.replace("[", "(").replace("]", ")").split())
    if is_too_large:
        raise DraftError("picture", "This picture has more than 25 MB. Choose a smaller one.")
    if data[4:8] == b"ftyp" and data[8:12] in HEIC:
        raise DraftError("picture", "This picture is a HEIC; choose “Most compatible” when you pick it.")
    kind = next((kind for begin, kind in KINDS.items() if data.startswith(begin)), "")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "webp"
    width, height = imagesize.get(io.BytesIO(data)) if kind else (-1, -1)
    if not kind or min(width, height) < 1:
        raise DraftError("picture", "Choose a photograph: a JPEG, PNG or WebP.")
    if width * height > PICTURE_PIXELS:
        raise DraftError("picture", f"This picture has {width * height // 1_000_000} megapixels; 50 is the most.")
    if not alt:
        raise DraftError("alt", "Say what the picture shows, for those who cannot see it; then choose it again.")
    stem = slug_of(Path(name).stem)[:40]
    return Picture(f"{stem}-{hashlib.sha256(data).hexdigest()[:12]}.{kind}", data, alt)


def placed(text: str, mark: str, words: str) -> str:
    """Return a text with something at its mark, like ``[picture]`` on a line of its own, or at its end."""
    line = re.compile(rf"^[ \t]*{re.escape(mark)}[ \t]*$", re.MULTILINE)
    if line.search(text):
        return line.sub(lambda _: words, text, count=1)
    return f"{text.rstrip()}\n\n{words}\n" if text.strip() else f"{words}\n"


def _formerly(known: TextFile, slug: str) -> str | None:
    """Return the former addresses of a text that goes to another: with its last one, without that which it goes back to."""
    formers = [former for former in re.split(r"[,\s]+", known.field("formerly")) if former and former != slug]
    old = known.field("slug")
    if old and old not in formers:
        formers.append(old)
    return ", ".join(formers) or None


def _moment(text: str, timezone: str) -> datetime:
    """Return a local time; one that no clock of the zone shows is refused."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DraftError("when", "Write day and time, like 2026-12-01T07:00.") from None
    if moment.tzinfo or not 1970 <= moment.year < 2100:
        raise DraftError("when", "Write day and time, like 2026-12-01T07:00.")
    zone = ZoneInfo(timezone)
    back = moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back != moment:
        place = timezone.rpartition("/")[2].replace("_", " ")
        day = f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"
        raise DraftError(
            "when", f"There is no {moment:%H:%M} on {day} in {place}: the clocks go forward. Choose another time."
        )
    return moment
