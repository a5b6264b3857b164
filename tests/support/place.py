"""Copy of the site to change at will, settings of a place beside the shipped site, a builder of comments."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from contract.comment import Comment, dumps, path_of
from postbox.settings import Settings
from press.builder import PREVIEW, build

ROOT = Path(__file__).parent.parent.parent
SITE_URL = "https://feet.example"
ARTICLE = "big-toe-and-glutes"
RICH = """Some words and a [link in them](/contact/).

![A foot on sand](/images/sand.png)

## A heading

| Exercise | How often | How long | For whom |
| --- | :-: | --: | :-- |
| Short foot | three times a day | 10 minutes | whoever stands all day |

### A smaller one

    a line of code that is far longer than any telephone is wide and so has to be scrolled to be read to its end

> Words of another.

1. One
2. Two

A claim.[^1]

[^1]: Its ground.
"""  # every part that an article can have
# One for all tests: what is in it has the hash of its content in its name.
IMAGE_CACHE = tempfile.TemporaryDirectory()


class Place:
    """A copy of the site in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("content", "theme"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "pelicanconf.py", folder)
        for comment in (folder / "content/comments").glob("*/*.md"):
            if comment.stem not in ("0001", "0002"):
                comment.unlink()

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def comments(self) -> Path:
        return self.folder / "content" / "comments"

    def settings(self) -> dict[str, Any]:
        """Return what a build here is told beyond its configuration."""
        settings = {"SITE_URL": SITE_URL, "SITE_JSON": str(self.folder / "var/site/site.json")}
        return settings | {"IMAGE_CACHE": IMAGE_CACHE.name, "PRESS_CACHE": str(self.folder / "var/press/cache")}

    def build(self, *, preview: bool = False, **overrides: Any) -> None:
        """Build as `make publish` does, or as `make serve` does."""
        build(self.folder / "pelicanconf.py", **(self.settings() | (PREVIEW if preview else {}) | overrides))

    def page(self, address: str) -> str:
        """Return the built page or file at an address from the root."""
        return (self.output / address.lstrip("/") / ("index.html" if address.endswith("/") else "")).read_text(
            "utf-8", errors="replace"
        )

    def write(self, path: str, text: str) -> Path:
        """Write a file below the copy's content folder."""
        file = self.folder / "content" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def image(self, path: str, *, size: tuple[int, int] = (8, 6), colour: str = "tan", **options: Any) -> Path:
        """Write an image below the copy's content folder; each name is a picture of its own."""
        file = self.write(path, "")
        image = Image.new("RGB", size, colour)
        image.putpixel((0, 0), tuple(hashlib.sha256(path.encode()).digest()[:3]))
        image.save(file, **options)
        return file

    def article(self, slug: str, *, text: str = "Some words.", **header: str) -> Path:
        """Write a second article."""
        fields = {
            "Title": f"About {slug}",
            "Id": slug,
            "Slug": slug,
            "Date": "2026-11-20",
            "Summary": "In short.",
        } | header
        lines = "".join(f"{key}: {value}\n" for key, value in fields.items() if value)
        return self.write(f"articles/{slug}.md", f"{lines}\n{text}\n")

    def comment(self, comment: Comment) -> Path:
        """Write a comment as moderation would."""
        path = path_of(self.comments, comment.article, comment.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dumps(comment), "utf-8")
        return path


def a_comment(**fields: Any) -> Comment:
    """Return a comment with whatever is interesting about it."""
    return Comment(**{"id": "abcd", "article": ARTICLE, "author": "Tom", "body": "Hello."} | fields)


def a_place(shipped: Place, folder: Path, **settings: Any) -> Settings:
    """Make a place with comments and an inbox of its own beside the shipped site; return its settings."""
    made = Settings(content=folder / "content", theme=shipped.folder / "theme", var=folder / "var", **settings)
    shutil.copytree(shipped.comments, made.comments)
    made.site.parent.mkdir(parents=True)
    shutil.copy(shipped.folder / "var/site/site.json", made.site)
    return made
