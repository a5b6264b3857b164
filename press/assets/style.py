"""Stylesheet, design tokens and static files of the theme, and the response headers that go with them."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightningcss
import rjsmin
from jinja2 import Environment

TOKEN = re.compile(r"--([\w-]+):\s*([^;}]+);")
USE = re.compile(r"var\(--([\w-]+)\)")


def style(theme: Environment, accent: Sequence[str], name: str = "style.css") -> str:
    """Return a stylesheet, minified; ``accent`` is for light paper and for dark."""
    template, fixed = theme.get_template(name), constants(theme, accent)

    def kept(token: re.Match[str]) -> str:
        return "" if token[1] in fixed else token[0].replace(", ", ",")  # a minifier leaves the values of tokens alone

    source = with_values(TOKEN.sub(kept, template.render(accent=accent)), fixed)
    return str(lightningcss.process_stylesheet(source, filename=template.filename or "", minify=True))


def constants(theme: Environment, accent: Sequence[str]) -> dict[str, str]:
    """Return the tokens that nothing changes, neither print nor forced colours: in a page the value of each stands in its place."""
    times = Counter(name for name, _ in TOKEN.findall(theme.get_template("style.css").render(accent=accent)))
    tokens = TOKEN.findall(theme.get_template("tokens.css").render(accent=accent))
    return {name: value.replace(", ", ",") for name, value in tokens if times[name] == 1 and "var(" not in value}


def with_values(text: str, tokens: Mapping[str, str]) -> str:
    """Return a style or a drawing with the value of each of these tokens where its name stood."""
    return USE.sub(lambda found: tokens.get(found[1], found[0]).replace('"', "'"), text)


def light(theme: Environment, accent: Sequence[str]) -> dict[str, str]:
    """Return the tokens of the stylesheet by name, those of two schemes as they are in the light one."""
    tokens = TOKEN.findall(theme.get_template("style.css").render(accent=accent))
    # Reversed, so that the first stands: what forced colours say comes later.
    return {name: re.sub(r"light-dark\((.*), .*\)", r"\1", value) for name, value in reversed(tokens)}


def static(folder: Path, made: Mapping[str, str]) -> dict[str, tuple[str, bytes]]:
    """Return the theme's files that pages refer to, and those ``made`` of templates, by name: each one's address and content.

    An address changes with its content. A script goes out without its comments and spaces.
    """
    files: dict[str, tuple[str, bytes]] = {}
    sources = {path.name: path.read_text("utf-8") for path in folder.iterdir()} | dict(made)
    for name, text in sorted(sources.items()):
        data = (rjsmin.jsmin(text) if name.endswith(".js") else text).encode()
        stem, _, kind = name.rpartition(".")
        files[name] = (f"/theme/{stem}.{hashlib.sha256(data).hexdigest()[:12]}.{kind}", data)
    return files


def headers(style: str, intake: str = "") -> dict[str, str]:
    """Return the headers of every answer; the policy names the one stylesheet by its hash, and the origin of an ``intake`` apart."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    ours = f"'self' {intake}".rstrip()
    policy = {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "media-src": "'self'",
        "connect-src": ours,
        "manifest-src": "'self'",
        "form-action": ours,
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
