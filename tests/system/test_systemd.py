"""Machine under systemd: the commands of ``docs/publishing.md`` as they stand, in a Debian that has booted for them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.booted import Booted, booted, needs_boot
from tests.support.machine import SERVICES, commands

pytestmark = needs_boot

# What pip would bring from a registry, which is another's.
PACKAGES = """/usr/bin/python3 -m venv --without-pip /srv/site/.venv
echo /packages >$(echo /srv/site/.venv/lib/python*/site-packages)/ours.pth
touch /srv/site/.venv/site
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine after the first commands, with Caddy."""
    with booted(tmp_path_factory.mktemp("booted")) as made:
        made.run("cp /given/gitconfig /root/.gitconfig")
        fetch, install = commands("as root:").split("online/", 1)
        made.run(f"{fetch}\n{PACKAGES}")
        made.link = made.run(f"cd /srv/site\nonline/{install}").splitlines()[-1]
        yield made


def test_x(machine: Booted) -> None:
    print(machine.link)
    print(machine.run("systemctl --no-pager list-units 'site-*'"))
    assert 0
