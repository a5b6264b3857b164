"""What the theme is made of besides its templates: the style, its tokens, the files of ``static/``, and the headers that go with them."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_letters

import lightningcss
from jinja2 import Environment

TOKEN = re.compile(r"--([\w-]+):\s*([^;}]+);")
USE = re.compile(r"var\(--([\w-]+)\)")
LENGTH = re.compile(r"[\d.]+[a-z]+")
INDENTS = re.compile(rb"^ *(?://.*\n)?", re.MULTILINE)  # and lines of comment


def style(theme: Environment, accent: Sequence[str], name: str = "style.css") -> str:
    """Return the one stylesheet, or one that stands behind it, as it is in a page; ``accent`` is for light paper and for dark."""
    template, short = theme.get_template(name), tokens(theme, accent)

    def defined(found: re.Match[str]) -> str:
        token = short.get(found[1], f"--{found[1]}")
        return f"{token}: {found[2]};" if token.startswith("--") else ""

    source = shorten(TOKEN.sub(defined, template.render(accent=accent)), short)
    return str(lightningcss.process_stylesheet(source, filename=template.filename or "", minify=True))


def tokens(theme: Environment, accent: Sequence[str]) -> dict[str, str]:
    """Return what stands in a page for each token: a length that is one everywhere as it is, another by a name of one letter."""
    values: dict[str, list[str]] = {}
    for name, value in _tokens(theme, accent):
        values.setdefault(name, []).append(value)
    letters = iter(ascii_letters)
    return {
        name: value[0] if len(value) == 1 and LENGTH.fullmatch(value[0]) else f"--{next(letters, name)}"
        for name, value in values.items()
    }


def shorten(text: str, tokens: Mapping[str, str]) -> str:
    """Return a style or a drawing with its tokens as they stand in a page."""

    def used(found: re.Match[str]) -> str:
        token = tokens.get(found[1], f"--{found[1]}")
        return f"var({token})" if token.startswith("--") else token

    return USE.sub(used, text)


def light(theme: Environment, accent: Sequence[str]) -> dict[str, str]:
    """Return the tokens of the stylesheet by name, those of two schemes as they are in the light one."""
    # Reversed, so that the first stands: what forced colours say comes later.
    tokens = reversed(_tokens(theme, accent))
    return {name: re.sub(r"light-dark\((.*), .*\)", r"\1", value) for name, value in tokens}


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
        "media-src": "'self'",
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


def _tokens(theme: Environment, accent: Sequence[str]) -> list[tuple[str, str]]:
    return TOKEN.findall(theme.get_template("style.css").render(accent=accent))
