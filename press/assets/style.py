"""Stylesheet, design tokens and static files of the theme, and the response headers that go with them."""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import lightningcss
from jinja2 import Environment

TOKEN = re.compile(r"--([\w-]+):\s*([^;}]+);")
INDENTS = re.compile(rb"^ *(?://.*\n)?", re.MULTILINE)  # and lines of comment


def style(theme: Environment, accent: Sequence[str], name: str = "style.css") -> str:
    """Return a stylesheet, minified; ``accent`` is for light paper and for dark."""
    template = theme.get_template(name)
    source = template.render(accent=accent)
    return str(lightningcss.process_stylesheet(source, filename=template.filename or "", minify=True))


def light(theme: Environment, accent: Sequence[str]) -> dict[str, str]:
    """Return the tokens of the stylesheet by name, those of two schemes as they are in the light one."""
    tokens = TOKEN.findall(theme.get_template("style.css").render(accent=accent))
    # Reversed, so that the first stands: what forced colours say comes later.
    return {name: re.sub(r"light-dark\((.*), .*\)", r"\1", value) for name, value in reversed(tokens)}


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
    """Return the headers of every answer; the policy names the one stylesheet by its hash."""
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
