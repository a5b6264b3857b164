"""Machine under systemd: the commands of ``docs/publishing.md`` as they stand, in a Debian that has booted for them."""

import json
import re
import shlex
from collections.abc import Iterator

import pytest
import trustme

from tests.support.booted import Booted, booted, needs_boot
from tests.support.machine import SERVICES, commands
from tests.support.place import ROOT

pytestmark = needs_boot

# What pip would bring from a registry, which is another's.
PACKAGES = """/usr/bin/python3 -m venv --without-pip /srv/site/.venv
echo /packages >$(echo /srv/site/.venv/lib/python*/site-packages)/ours.pth
touch /srv/site/.venv/site
"""

PEBBLE = {
    "listenAddress": "localhost:14000",
    "managementListenAddress": "localhost:15000",
    "certificate": "/given/cert.pem",
    "privateKey": "/given/key.pem",
    "httpPort": 80,
    "tlsPort": 443,
    "ocspResponderURL": "",
    "externalAccountBindingRequired": False,
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine after the first commands, with Caddy."""
    with booted(tmp_path_factory.mktemp("booted")) as made:
        made.version(
            "postbox/doctor.py", "PATIENCE_SECONDS = 10\nSTART_SECONDS = 60", "PATIENCE_SECONDS = 3\nSTART_SECONDS = 8"
        )
        made.run("cp /given/gitconfig /root/.gitconfig")
        fetch, install = commands("as root:").split("online/", 1)
        made.run(f"{fetch}\n{PACKAGES}")
        made.link = made.run(f"cd /srv/site\nonline/{install}").splitlines()[-1]
        yield made


WORDS = "/var/lib/site/content"
POST = "curl --silent --max-time 60 --header 'Sec-Fetch-Site: same-origin' --data article=big-toe-and-glutes --data name=Tom"
TEXTS = (
    "from datetime import UTC, datetime; from pathlib import Path; from postbox.writing.texts import Texts; "
    f"texts, key = Texts(Path('{WORDS}'), Path('var/desk')), 'articles/new-0123456789ab'; "
)
HALF = f"{TEXTS}texts.working(key) or texts.save(key, b'Half a text', base='', number=0, now=datetime.now(UTC))"
WORKING = f"{TEXTS}print(texts.working(key).data)"
SPOILS = (
    "import sqlite3; sqlite3.connect('var/desk/texts.sqlite').execute('PRAGMA user_version=99'); raise SystemExit(1)"
)


def as_desk(machine: Booted, code: str) -> str:
    """Run Python as the desk's user."""
    return machine.run(f"cd /srv/site && runuser -u site-desk -- .venv/bin/python -c {shlex.quote(code)}")


def test_the_commands_end_with_services_held_to_what_they_need(machine: Booted) -> None:
    assert re.fullmatch(r"https://desk\.example\.org/sign-in/[\w-]{43}", machine.link)
    units = [*SERVICES, "site-intake.socket", "site-desk.socket", "web-site@caddy.path", "backup-site.timer", "caddy"]
    assert set(machine.run(f"systemctl is-active {' '.join(units)}").split()) == {"active"}

    for service in SERVICES:
        process = machine.run(f"systemctl show --property MainPID --value {service}").strip()
        status = dict(line.split(":\t", 1) for line in machine.run(f"cat /proc/{process}/status").splitlines())
        assert "0" not in status["Uid"].split()
        assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16), int(status["CapBnd"], 16)) == (
            "1", "2", 0, 0
        )  # fmt: skip
        sees = f"nsenter --mount --target {process}"  # what it sees, with the rights of root
        for path in ("/usr/x", "/etc/x", "/home/x"):
            assert "Read-only" in machine.run(f"{sees} touch {path} 2>&1 || true"), (service, path)
        hidden = "/srv/site/var/inbox" if service == "site-press" else "/root"
        assert machine.run(f"{sees} ls -A {hidden}") == ""


def test_it_says_how_it_is(machine: Booted) -> None:
    page = (ROOT / "docs/publishing.md").read_text("utf-8").partition("## How it is")[2]
    said, asked = re.findall(r"^`((?:journalctl|curl) [^`]+)`", page, re.MULTILINE)

    for port in ("8000", "8001"):
        assert '"wrong":[]' in machine.run(f"{asked.replace('8000', port)} --silent --fail")
    assert '"process": "intake"' in machine.run(f"{said} --no-pager")


def test_what_is_sent_while_the_intake_starts_again_waits_until_it_has(machine: Booted) -> None:
    posts = f"{POST} --write-out '%{{http_code}}\\n' --output /dev/null http://127.0.0.1:8000/comments --data comment"

    said = machine.run(f"systemctl restart site-intake & for i in 1 2 3 4; do {posts}=Held$i; done; wait")

    assert said.split() == ["303"] * 4


def test_a_wrong_article_keeps_neither_the_press_from_watching_nor_a_comment_back(machine: Booted) -> None:
    machine.run(f"echo wrong >{WORDS}/articles/wrong.md && systemctl restart site-press")
    machine.run(f"{POST} --data comment=Meanwhile http://127.0.0.1:8000/comments")
    [line] = [line for line in machine.run("/srv/site/online/postbox list").splitlines() if "Meanwhile" in line]

    machine.run(f"/srv/site/online/postbox approve {line.split()[0]}")

    machine.until("grep -q Meanwhile /srv/site/var/public/output/articles/big-toe-and-glutes/index.html")
    assert "wrong.md" in machine.run("cat /srv/site/var/site/press.json")
    machine.run(f"rm {WORDS}/articles/wrong.md")
    machine.until("! grep -q wrong.md /srv/site/var/site/press.json")


def test_an_update_keeps_what_is_written(machine: Booted) -> None:
    as_desk(machine, HALF)
    machine.version("theme/templates/404.html", "It may have moved.", "It has moved.")

    assert "More in theme/templates/404.html" in machine.run(commands("An update"))

    machine.until("grep -q 'It has moved.' /srv/site/var/public/output/404.html")
    assert as_desk(machine, WORKING) == "b'Half a text'\n"


@pytest.mark.parametrize(("old", "new"), [
    ('"""', "!!!"), ("\n", f"\n{SPOILS}\n"),
], ids=["no Python", "spoils a database"])  # fmt: skip
def test_an_update_that_does_not_start_gives_way(machine: Booted, old: str, new: str) -> None:
    as_desk(machine, HALF)
    before = machine.run("git -C /srv/site rev-parse HEAD")
    machine.version("postbox/__init__.py", old, new)

    assert "does not start; the version before runs again" in machine.run(commands("An update"), status=1)

    assert machine.run("git -C /srv/site rev-parse HEAD") == before
    assert machine.run(f"systemctl is-active {' '.join(SERVICES)}").split() == ["active"] * 3
    assert as_desk(machine, WORKING) == "b'Half a text'\n"
    machine.version("postbox/__init__.py", new, old)


def test_the_press_draws_what_the_desks_user_asks_for(machine: Booted) -> None:
    header = "Title: Draft\nId: draft\nSlug: draft\nDate: 2026-11-20\nSummary: In short.\n\nUnfinished."
    request, name = json.dumps({"path": "articles/draft.md", "text": header}), "0" * 64
    asking = f"from pathlib import Path; p = Path('var/proofs/asked/.x'); p.write_text({request!r}); p.replace(p.with_name('{name}.json'))"

    as_desk(machine, asking)

    machine.until(f"test -e /srv/site/var/proofs/made/{name}.json")
    told = machine.run(f"cat /srv/site/var/proofs/made/{name}.json")
    assert json.loads(told) == {"file": "articles/draft/index.html", "faults": []}
    as_desk(machine, f"from pathlib import Path; Path('var/proofs/made/{name}.json').unlink()")


def test_an_intake_with_a_host_of_its_own_is_installed_and_the_site_is_sent(machine: Booted) -> None:
    env = machine.run("cat /etc/site/site.env")
    lines = commands("what sends the site there").replace("web@example.org:site/", "/srv/site/served/")
    machine.run("mkdir /srv/site/served && chown site-press /srv/site/served")
    machine.run("cat >>/etc/site/site.env <<'END'\nINCLUDED\nEND\n".replace("INCLUDED", lines))

    machine.run(commands("As root:"))

    machine.until("test -e /srv/site/served/index.html")
    assert 'action="https://talk.example.org/comments"' in machine.run("cat /srv/site/served/articles/*/index.html")
    allowed = "systemctl show --property IPAddressAllow --value site-press"
    assert set(machine.run(allowed).split()) == {"0.0.0.0/0", "::/0"}
    assert machine.run("systemctl is-active caddy").strip() == "active"
    hosts = set(re.findall(r"^([a-z., ]+) \{", machine.run("cat /etc/caddy/site.caddy"), re.MULTILINE))
    assert hosts == {"talk.example.org", "desk.example.org"}

    machine.run(f"cat >/etc/site/site.env <<'END'\n{env}\nEND\n{commands('As root:')}")
    assert machine.run(allowed).strip() == ""


@pytest.fixture
def world(machine: Booted) -> str:
    """What lies beyond the machine, in it: an authority for certificates, the name servers and a mail server."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(machine.given / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(machine.given / "cert.pem"))
    authority.cert_pem.write_to_path(str(machine.given / "authority.crt"))
    (machine.given / "pebble.json").write_text(json.dumps({"pebble": PEBBLE}))
    texts = {
        "example.org.": "v=spf1 mx -all",
        "_dmarc.example.org.": "v=DMARC1; p=none",
        "_domainkey.example.org.": "v=DKIM1",
    }
    asked = "".join(
        f"curl --silent --fail --data {shlex.quote(json.dumps({'host': host, 'value': value}))} localhost:8055/set-txt\n"
        for host, value in texts.items()
    )
    machine.run(
        """systemd-run --quiet --unit=names pebble-challtestsrv -http01 '' -https01 '' -tlsalpn01 '' -defaultIPv6 '' -dns01 127.0.0.1:53
systemd-run --quiet --unit=authority --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_WFE_NONCEREJECT=0 pebble -config /given/pebble.json -dnsserver 127.0.0.1:53
systemd-run --quiet --unit=mail --setenv=PYTHONUNBUFFERED=1 /srv/site/.venv/bin/python -m aiosmtpd --nosetuid --listen localhost:25
echo 'nameserver 127.0.0.1' >/etc/resolv.conf
echo 'server = https://localhost:14000/dir' >>/etc/letsencrypt/cli.ini
cp /given/authority.crt /usr/local/share/ca-certificates/
update-ca-certificates >/dev/null
"""
    )
    machine.until("curl --silent --fail https://localhost:15000/roots/0 >/usr/local/share/ca-certificates/site.crt")
    machine.until("curl --silent --output /dev/null localhost:8055")
    return machine.run(f"update-ca-certificates >/dev/null\n{asked}")


def test_with_nginx_the_certificate_comes_first_and_is_renewed(machine: Booted, world: str) -> None:
    machine.run("systemctl disable --quiet --now caddy && systemctl start nginx")
    packages, certificate, _, _, install = commands("the certificate comes first").splitlines()
    machine.run(f"{packages}\n{certificate}\ncd /srv/site\n{install}")
    machine.until("curl --silent --fail --output /dev/null https://example.org/")
    number = "openssl x509 -noout -serial -in /etc/letsencrypt/live/site/cert.pem"
    first, reloads = machine.run(number), machine.run("journalctl --unit nginx --output cat").count("Reloaded")

    machine.run("certbot renew --force-renewal --no-random-sleep-on-renew")

    assert machine.run(number) != first
    assert machine.run("journalctl --unit nginx --output cat").count("Reloaded") == reloads + 1
    posts = f"{POST} --write-out '%{{http_code}}\\n' --output /dev/null https://example.org/comments --data comment"
    said = machine.run(f"systemctl restart site-intake & for i in 1 2 3 4; do {posts}=Through$i; done; wait")
    assert said.split() == ["303"] * 4
    receipt = machine.run(f"{POST} --write-out '%{{redirect_url}}' https://example.org/comments --data comment=Last")
    machine.run(f"curl --silent --fail --output /dev/null {receipt}")
    secret = receipt.rpartition("/")[2]
    assert machine.run(f"! journalctl --no-pager | grep --fixed-strings {secret}") == ""
    assert machine.run(f"! grep --recursive --fixed-strings {secret} /var/log/nginx") == ""
    machine.run(
        "echo \"POSTBOX_SMTP='smtp://localhost:25'\nPOSTBOX_MAIL_FROM='site@example.org'\nPOSTBOX_MAIL_TO='you@example.net'\" >>/etc/site/desk.env"
    )
    machine.run("systemctl restart site-desk && /srv/site/online/backup")
    machine.until("curl --silent --fail --output /dev/null localhost:8001/healthz")
    found = machine.run("/srv/site/online/doctor --mail").splitlines()
    assert [line for line in found if not line.startswith("fine")] == []
    assert "sent to you@example.net" in found[-3]
    machine.until("journalctl --unit mail --output cat | grep -q 'Email from your site reaches you'")
