"""The site as the public sees it, at the address in SITE_URL."""

import os
import re

from pelicanconf import *  # noqa: F403  # Pelican's way to build one configuration on another

SITE_URL = os.environ.get("SITE_URL", "").rstrip("/")
if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?(/[A-Za-z0-9_~.-]*[A-Za-z0-9_~-])*", SITE_URL):
    raise SystemExit("SITE_URL must be the site's address: SITE_URL=https://example.org make publish")

INTAKE = os.environ.get("SITE_INTAKE", INTAKE)  # noqa: F405  # of pelicanconf
plain = os.environ.get("SITE_PLAIN_HOST", "")
if plain not in ("", "yes"):
    raise SystemExit("SITE_PLAIN_HOST must be yes, where the host sends no headers and no redirects, or unset")
PLAIN_HOST = plain == "yes"
SITE_PUSH = os.environ.get("SITE_PUSH", "")  # commands that send what was printed to where it is served
OUTPUT_PATH = os.environ.get(
    "SITE_OUTPUT", "output"
)  # the folder that it stands in must be the build's own to write in
