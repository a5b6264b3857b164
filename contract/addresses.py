"""Addresses in HTML: those from the root of the site, led to where the site lies."""

import re

TAG = re.compile(r"""<[a-z][^\s"'>/]*(?:\s(?:[^"'>]|"[^"]*"|'[^']*')*)?>""", re.IGNORECASE)
ATTRIBUTE = re.compile(
    r"""(\s(?:href|src|poster|action|cite|data|(srcset|imagesrcset))\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""",
    re.IGNORECASE,
)
FIRST, EACH = re.compile(r"""^(["']?\s*)/(?!/)"""), re.compile(r"""(^["']?\s*|,\s*)/(?!/)""")


def rooted(html: str, base: str) -> str:
    """Write ``base`` before each address from the root, like ``/contact/``: a path (``/site``), or where another site lies."""

    def attribute(found: re.Match[str]) -> str:
        return found[1] + (EACH if found[2] else FIRST).sub(lambda at: f"{at[1]}{base}/", found[3])

    return TAG.sub(lambda tag: ATTRIBUTE.sub(attribute, tag[0]), html) if base else html
