"""The settings of the processes: the environment, read once, at the top.

Each is ``POSTBOX_`` and the name of a field below in capitals, like ``POSTBOX_PORT=8080``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class SettingsError(ValueError):
    """A setting cannot be used; the text names it and says what it takes."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Folders, addresses and limits; sizes in bytes, times in seconds.

    ``rate_sender`` posts of one network (/24 or /48) and ``rate_overall`` of all are taken in ``rate_seconds``.
    ``desk_url`` is where David's browser finds the desk, a host name of its own without a closing slash.
    ``proxy`` is the web server in front, as addresses or networks with commas; only its word is taken for a sender's.
    """

    content: Path = Path("content")
    theme: Path = Path("theme")
    output: Path = Path("output")
    var: Path = Path("var")
    host: str = "127.0.0.1"
    port: int = 8000
    desk_url: str = "http://127.0.0.1:8001"
    desk_host: str = "127.0.0.1"
    desk_port: int = 8001
    form_bytes: int = 64 * 1024
    form_fields: int = 20
    resend_seconds: int = 600
    rate_sender: int = 30
    rate_overall: int = 600
    rate_seconds: int = 600
    proxy: str = ""

    @property
    def comments(self) -> Path:
        """The folder of published comments."""
        return self.content / "comments"

    @property
    def site(self) -> Path:
        """The facts that the build hands over."""
        return self.var / "site" / "site.json"

    @property
    def inbox(self) -> Path:
        """What readers sent; the intake writes here and nowhere else."""
        return self.var / "inbox"

    @property
    def desk(self) -> Path:
        """Decisions and the keys that sign them; the intake cannot read it."""
        return self.var / "desk"


def read(environ: Mapping[str, str]) -> Settings:
    """Return the settings in an environment.

    Raises:
        SettingsError: at a number that is none, or a name that no setting has.
    """
    defaults = {f"POSTBOX_{name.upper()}": (name, value) for name, value in asdict(Settings()).items()}
    given = {name: value for name, value in environ.items() if name.startswith("POSTBOX_")}
    if unknown := given.keys() - defaults.keys():
        raise SettingsError(f"{min(unknown)} is not a setting; the settings are {', '.join(defaults)}")
    values: dict[str, Any] = {}
    for variable, text in given.items():
        name, default = defaults[variable]
        try:
            values[name] = type(default)(text)
            if isinstance(default, int) and values[name] < 0:
                raise ValueError
        except ValueError:
            raise SettingsError(f"{variable} must be a whole number, not “{text}”") from None
    return Settings(**values)
