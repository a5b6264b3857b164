"""Writer of pages, through which Pelican hands them to the press."""

from typing import Any

from jinja2 import Template
from pelican import writers
from pelican.paginator import Paginator

from press.incremental.pages import Page, Pages


class Writer(writers.Writer):  # type: ignore[misc]  # Pelican ships no types
    """Pelican's own, which hands every page to ``Pages`` instead of writing it."""

    def write_file(
        self,
        name: str,
        template: Template,
        context: dict[str, Any],
        relative_urls: bool = False,
        paginated: dict[str, Any] | None = None,
        template_name: str | None = None,
        override_output: bool = False,
        url: str | None = None,
        **variables: Any,
    ) -> None:
        """Take a page, or each page of a list that is cut into several."""
        if not name:
            return
        pages: Pages = self.settings["PRESS"]
        per_page = self.settings["PAGINATED_TEMPLATES"].get(template_name)
        lists = {key: value for key, value in variables.items() if key in ("articles", "dates")}
        if not (per_page and lists):
            pages.add(Page(name, template, variables), context)
            return
        cut = {key: Paginator(name, url, value, self.settings, per_page) for key, value in lists.items()}
        last = max(paginator.num_pages for paginator in cut.values())
        for number in range(1, last + 1):
            shown = dict(variables)
            for key, paginator in cut.items():
                shown[f"{key}_paginator"] = paginator
                shown[f"{key}_page"] = page = paginator.page(number)
                shown[f"{key}_previous_page"] = paginator.page(number - 1) if number > 1 else None
                shown[f"{key}_next_page"] = paginator.page(number + 1) if number < last else None
            pages.add(Page(page.save_as, template, shown), context)

    def is_kept(self, file: str) -> bool:
        """Tell whether a file with a hash in its name is in the output already."""
        return bool(self.settings["PRESS"].keep(file))
