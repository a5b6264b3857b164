"""What the theme is made of besides its templates: the style, its tokens, the files of ``static/``, and the headers that go with them."""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import lightningcss
from jinja2 import Environment

INDENTS = re.compile(rb"^ *(?://.*\n)?", re.MULTILINE)  # and lines of comment


def style(theme: Environment, accent: Sequence[str]) -> str:
    """Return the one stylesheet, as it stands in every page; ``accent`` is for light paper and for dark."""
    filename = theme.get_template("style.css").filename or ""
    return str(lightningcss.process_stylesheet(_source(theme, accent), filename=filename, minify=True))


def light(theme: Environment, accent: Sequence[str]) -> dict[str, str]:
    """Return the tokens of the stylesheet by name, those of two schemes as they are in the light one."""
    tokens = re.findall(r"--([\w-]+): (?:light-dark\((.*?), .*?\)|(.*?));", _source(theme, accent))
    # Reversed, so that the first stands: what forced colours say comes later.
    return {name: light or value for name, light, value in reversed(tokens)}


def static(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return the files of the theme that pages refer to, each with an address that changes with its content.

    One may name another that comes before it in the alphabet. A script goes out without indents and lines of comment.
    """
    files: dict[str, tuple[str, bytes]] = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for name, (address, _) in files.items():
            data = data.replace(f"/theme/{name}".encode(), address.encode())
        if path.suffix == ".js":
            data = INDENTS.sub(b"", data)
        digest = hashlib.sha256(data).hexdigest()[:12]
        files[path.name] = (f"/theme/{path.stem}.{digest}{path.suffix}", data)
    return files


def headers(style: str) -> dict[str, str]:
    """Return what goes with every answer; the policy names the one stylesheet by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Strict-Transport-Security": "max-age=31536000",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "public, max-age=0, must-revalidate",
    }


def _source(theme: Environment, accent: Sequence[str]) -> str:
    return theme.get_template("style.css").render(accent=accent)
