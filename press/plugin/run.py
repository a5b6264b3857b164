"""Run of Pelican: its settings read afresh, and what it only logs taken for a fault."""

import contextlib
import functools
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from pelican import Pelican
from pelican.settings import read_settings

from contract.reader_markdown import render
from contract.templates import reader_html
from press.errors import BuildError, place_of, refuse, warnings
from press.incremental.cache import Cache, digest
from press.incremental.parallel import cores
from press.output.folder import SPARE, link
from press.plugin import snapshot
from press.plugin.reader import FOLDERS, MarkdownReader

HELD = 1_000  # texts of readers, each on a page and then in a feed
# Where a build goes, when it is, and what it is handed: no page hangs on these.
NOT_SHOWN = {"OUTPUT_PATH", "SITE_JSON", "PRESS_CACHE", "IMAGE_CACHE", "PROOFS", "NOW"}


def settings_of(config: Path, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return the settings as their files are now.

    Raises:
        BuildError: if they cannot be read.
    """
    folder = config.absolute().parent
    for name, module in list(
        sys.modules.items()
    ):  # one configuration imports the other, and Python keeps what it imported
        if Path(getattr(module, "__file__", None) or "/").parent == folder:
            del sys.modules[name]
    # Compiled, a file is trusted by its size and the second in which it was written.
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))  # where the command is not run as a module
    try:
        return dict(read_settings(str(config), override=overrides))
    except Exception as error:  # whatever a configuration raises is reported, with its place
        raise BuildError(place_of(error)) from error
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = written


@contextlib.contextmanager
def content_of(settings: dict[str, Any], texts: dict[str, str]) -> Iterator[Path]:
    """Make a content folder with these articles and pages, by their path, beside the images and files that there are now."""
    content = Path(settings["PATH"])
    folders = tuple(str(content / path) for kind in FOLDERS.values() for path in settings[kind])
    with tempfile.TemporaryDirectory(prefix=SPARE, dir=Path(settings["PRESS_CACHE"]).parent) as made:
        copy = Path(made, "content").absolute()
        for place, inner, files in os.walk(content):
            if Path(place) == content:
                inner[:] = [name for name in inner if name != "comments"]
            target = copy / Path(place).relative_to(content)
            target.mkdir()  # without the rights of its model: systemd lets no service set the bit of a group
            for path in (Path(place, name) for name in (*inner, *files)):
                if path.is_symlink():
                    (target / path.name).symlink_to(path.readlink())
                elif path.is_file() and not (path.suffix == ".md" and place.startswith(folders)):
                    link(path, target / path.name)
        for name, text in texts.items():
            file = copy / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        yield copy


def fingerprint_of(settings: dict[str, Any], config: Path, version: bytes) -> bytes:
    """Return the hash of what every page hangs on: the settings, the theme, this code and its libraries.

    Of a function in the settings no hash can be taken, so their source counts too, and that of further plugins.
    """
    shown = {key: value for key, value in settings.items() if key not in NOT_SHOWN}
    told = json.dumps(shown, sort_keys=True, default=lambda value: getattr(value, "__qualname__", str(value)))
    sources = [path for folder in (config.parent, *settings["PLUGIN_PATHS"]) for path in Path(folder).glob("*.py")]
    files = sorted(path for path in (*sources, *Path(settings["THEME"]).rglob("*")) if path.is_file())
    return digest(version, told.encode(), *(part for path in files for part in (path.name.encode(), path.read_bytes())))


def run(settings: dict[str, Any], fingerprint: bytes, cache: Cache, known: bytes = b"") -> None:
    """Run Pelican; what it only logs is a fault too, for it would leave the page out and call that a success.

    ``fingerprint`` is the hash of what every page hangs on; with the snapshot of a run, if it is ``known``, Pelican need not run.

    Raises:
        BuildError: with everything that is wrong.
    """
    filters = {"reader_html": partial(reader_html, render=functools.lru_cache(HELD)(render))}
    environment = {"bytecode_cache": _Compiled(fingerprint, cache), "auto_reload": False}  # each run loads them anew
    settings = snapshot.Settings(
        settings,
        PLUGINS=[*settings["PLUGINS"], "press.plugin.hooks"],
        JINJA_FILTERS=settings["JINJA_FILTERS"] | filters,
        JINJA_ENVIRONMENT=settings["JINJA_ENVIRONMENT"] | environment,
    )
    with warnings(settings) as faults:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                if known:
                    snapshot.restore(known, settings, settings["PRESS"])
                else:
                    if cache.is_empty and cores() > 1:
                        MarkdownReader(settings).read_ahead()
                    Pelican(settings).run()
            settings["PRESS"].render_all()
        except Exception as error:  # whatever a template, a plugin or an article raises is reported, with its place
            faults.append(place_of(error))
    refuse(faults)


class _Compiled(BytecodeCache):
    """Templates as Jinja has compiled them, what they make of constants included; it checks that their source is the same."""

    def __init__(self, fingerprint: bytes, cache: Cache) -> None:
        self._fingerprint, self._cache = fingerprint, cache

    def load_bytecode(self, bucket: Bucket) -> None:
        key = self._key(bucket)
        self._cache.live.add(key)
        if code := self._cache.get(key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._cache.put(self._key(bucket), bucket.bytecode_to_string())

    def _key(self, bucket: Bucket) -> bytes:
        return digest(b"compiled", self._fingerprint, bucket.key.encode())
