"""Caddy and nginx with the configuration that is installed for them: every answer of theirs, in a table."""

import gzip
import os
import re
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import brotli
import dns.resolver
import httpx2
import pytest

from contract.manifest import BuildStatus, Site, load
from postbox import doctor
from postbox.settings import Settings
from press.output.compression import COPIES, KINDS
from press.output.folder import files_below
from tests.support.intake import running as intake_of
from tests.support.machine import (
    BROTLI,
    NGINX,
    Machine,
    a_comment,
    a_reader,
    installed,
    needs_root,
    open_for_all,
    proxied,
)
from tests.support.place import ARTICLE, ROOT, Place
from tests.support.process import PATIENCE_SECONDS, free_port, wait_until

pytestmark = needs_root
SERVERS = [
    "caddy",
    pytest.param("nginx", marks=pytest.mark.skipif(not NGINX, reason="there is no nginx here")),
]
DESK = {"Host": "desk.feet.example"}


class Running(NamedTuple):
    """A web server before the three services; ``down`` is another one, before none."""

    name: str
    machine: Machine
    port: int
    down: int
    logs: tuple[Path, ...]
    ports: dict[str, int]
    nobody: int  # the port of no intake
    ports_apart: tuple[int, int]
    asked: list[str]  # of systemctl

    def reader(self, address: str = "127.0.0.1", *, is_down: bool = False) -> httpx2.Client:
        """Return a browser at an address of the network."""
        return a_reader(self.machine, self.name, self.down if is_down else self.port, address)

    def apart(self, host: str = "feet.example", *, is_down: bool = False) -> httpx2.Client:
        """Return a browser at a site below a path, or at its intake, which has a host of its own."""
        return a_reader(self.machine, self.name, self.ports_apart[is_down], host=host)

    @property
    def output(self) -> Path:
        return self.machine.site / "var/public/output"

    @property
    def site(self) -> Site:
        return load(self.machine.site / "var/site/site.json")

    @property
    def site_apart(self) -> Site:
        return load(self.machine.root / "apart/var/site/site.json")

    def logged(self) -> str:
        """Return all that the web servers have written."""
        files = [log.with_name(name) for log in self.logs for name in ("log", "access")]
        more = (self.machine.root / "var/log").rglob("*.log")
        lines = "".join(path.read_text() for path in (*files, *more) if path.exists()).splitlines(keepends=True)
        return "".join(line for line in lines if not re.search("GET /(mine|nowhere) ", line))  # of the owner's own


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A web server and what stands behind it."""
    with installed() as machine, ExitStack() as running:
        words = machine.root / "var/lib/site/content/articles"
        header = "Title: Shoes\nId: shoes\nSlug: shoes\nDate: 2026-11-20\nSummary: In short.\n"
        (words / "shoes.md").write_text(f"{header}Formerly: boots /2012/03/shoes/ /old /?p=7\n\nSome words.\n")
        if request.param == "nginx":
            machine.asked()
            machine.certificate()
            machine.run("online/install feet.example nginx")
        ports = running.enter_context(open_for_all(machine, POSTBOX_RATE_SENDER="5"))
        port, down, nobody = free_port(), free_port(), free_port()
        log = running.enter_context(proxied(machine, request.param, port, ports))
        other = running.enter_context(proxied(machine, request.param, down, {"8000": nobody, "8001": nobody + 1}))
        logs, apart = serve_apart(machine, request.param, nobody, running)
        made = Running(request.param, machine, port, down, (log, other, *logs), ports, nobody, apart, machine.asked())

        def is_compressed() -> bool:
            files = set(files_below(made.output))
            return all(f"{file}{ending}" in files for file in files if file.endswith(KINDS) for ending in COPIES)

        wait_until(is_compressed, "every file has its copies")
        yield made


# Of its owner, who has more than our site at his host.
HOST = {
    "caddy": """feet.example, www.feet.example {
	root * WWW
	respond /mine "Mine."
	import /srv/site/var/site/caddy.conf*
}
""",
    "nginx": """server {
	listen 443 ssl http2;
	server_name feet.example www.feet.example;
	ssl_certificate /etc/letsencrypt/live/site/fullchain.pem;
	ssl_certificate_key /etc/letsencrypt/live/site/privkey.pem;
	root WWW;
	location = /mine { return 200 "Mine."; }
	include /srv/site/var/site/nginx.conf*;
}
""",
}


def serve_apart(
    machine: Machine, name: str, nobody: int, running: ExitStack
) -> tuple[tuple[Path, Path], tuple[int, int]]:
    """Serve a site below a path, and its intake at a host of its own; give logs and ports, the second's before no intake."""
    folder = machine.root / "apart"
    place = Place(folder / "made")
    place.article("shoes", Formerly="boots /2012/03/shoes/ /old /?p=7")
    place.build(
        SITE_URL="https://feet.example/site",
        INTAKE="https://talk.feet.example",
        OUTPUT_PATH=str(folder / "www/site"),
        SITE_JSON=str(folder / "var/site/site.json"),
        SOCIAL_IMAGES=False,
    )
    talk = (ROOT / f"online/talk.{name}").read_text("utf-8").replace("example.org", "feet.example")
    options = f"{{\n\timport {machine.root}/etc/caddy/site-options.caddy\n}}\n" if name == "caddy" else ""
    text = f"{HOST[name]}{talk}".replace("/srv/site/var/site", f"{folder}/var/site").replace("WWW", f"{folder}/www")
    config = folder / "config"
    config.write_text(options + machine.here(text))
    settings = Settings(content=place.folder / "content", theme=place.folder / "theme", var=folder / "var")
    _, intake = running.enter_context(intake_of(replace(settings, proxy="127.0.0.1")))
    ports = free_port(), free_port()
    logs = [
        running.enter_context(proxied(machine, name, port, {"8000": behind}, config))
        for port, behind in zip(ports, (intake, nobody), strict=True)
    ]
    return (logs[0], logs[1]), ports


def test_the_web_server_is_told_when_its_file_has_changed(server: Running) -> None:
    [enabled, reloaded] = [line for line in server.asked if server.name in line]

    assert f"web-site@{server.name}.path" in enabled
    assert reloaded == f"reload-or-restart {server.name}"
    units = server.machine.root / "etc/systemd/system"
    assert f"PathChanged={server.machine.site}/var/site/%i.conf\n" in (units / "web-site@.path").read_text()
    assert "systemctl reload %i.service\n" in (units / "web-site@.service").read_text()


PART = {"Range": "bytes=9999999-", "Accept-Encoding": "br"}
# What is asked, the answer's status, and whose headers come with it: those of a page, a feed, an image or what is kept.
ANSWERS = [
    ("GET", "/", {}, 200, "/"),
    ("HEAD", "/", {}, 200, "/"),
    ("GET", f"/articles/{ARTICLE}", {}, 301, "/"),
    ("GET", "/articles/boots/", {}, 301, "/"),
    ("GET", "/nowhere", {}, 404, "/"),
    ("HEAD", "/nowhere", {}, 404, "/"),
    ("GET", "/nowhere.xml", {}, 404, "/"),
    ("GET", "/images/nowhere.png", {}, 404, "/"),
    ("GET", "/theme/nowhere.js", {}, 404, "/"),
    ("GET", "/_headers", {}, 404, "/"),
    ("GET", "/_redirects", {}, 404, "/"),
    ("POST", "/", {}, 405, "/"),
    ("POST", "SCRIPT", {}, 405, "/"),
    ("GET", "/", PART, 416, "/"),
    ("GET", "SCRIPT", PART, 416, "/"),
    ("GET", "SCRIPT", {}, 200, "/theme/"),
    ("HEAD", "SCRIPT", {}, 200, "/theme/"),
    ("GET", "/feed.xml", {}, 200, "/feed.xml"),
    ("GET", "/comments.xml", {}, 200, "/feed.xml"),
    ("GET", "/comments/nowhere", {}, 404, "INTAKE"),
    ("GET", "/", {"Host": "www.feet.example"}, 301, "/"),
]


BELOW = [(method, f"/site{path}", *rest) for method, path, *rest in ANSWERS if rest[-1] != "INTAKE"]
BELOW += [("GET", "/site", {}, 301, "/")]
TALK: list[Any] = [
    ("GET", "/", {}, 301, "/"),
    ("HEAD", "/", {}, 301, "/"),
    ("GET", "/robots.txt", {}, 200, "/"),
    ("GET", "/nowhere", {}, 404, "/"),
    ("HEAD", "/nowhere", {}, 404, "/"),
    ("POST", "/nowhere", {}, 404, "/"),
    ("GET", "/talk-404.html", {}, 404, "/"),
    ("GET", "/site.json", {}, 404, "/"),
    ("GET", "/healthz", {}, 404, "/"),
    ("GET", "/comments/nowhere", {}, 404, "INTAKE"),
    ("POST", "/comments/nowhere", {}, 404, "INTAKE"),
]


@pytest.mark.parametrize(
    ("where", "method", "path", "headers", "status", "like"),
    [(where, *row) for where, rows in (("site", ANSWERS), ("below", BELOW), ("talk", TALK)) for row in rows],
)
def test_every_answer_has_every_header_once(
    server: Running, where: str, method: str, path: str, headers: dict[str, str], status: int, like: str
) -> None:
    site = server.site if where == "site" else server.site_apart
    browser = server.reader() if where == "site" else server.apart(f"{'talk.' * (where == 'talk')}feet.example")

    with browser as reader:
        answer = reader.request(method, path.replace("SCRIPT", site.script), headers=headers)

    if status == 416 and server.name == "nginx" and where == "site" and BROTLI.exists():
        status = 200  # its module for Brotli sends the whole, whatever part is asked for
    assert answer.status_code == status
    _check_headers(server, site, answer, like)


def _check_headers(server: Running, site: Site, answer: httpx2.Response, like: str) -> None:
    wanted = site.headers_for(like) | (
        {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"} if like == "INTAKE" else {}
    )
    missing = site.headers.keys() - wanted.keys()
    found = {name: answer.headers.get_list(name) for name in site.headers}
    if answer.status_code == 416 and server.name == "nginx":  # which sends what is added to such an answer twice
        found = {name: [*dict.fromkeys(values)] for name, values in found.items()}
    assert found == {name: [value] for name, value in wanted.items()} | {name: [] for name in missing}


def test_the_rest_of_the_owners_host_stays_his(server: Running) -> None:
    with server.apart() as reader:
        mine, nowhere = reader.get("/mine"), reader.get("/nowhere")

    assert (mine.text, nowhere.text.count("may have moved")) == ("Mine.", 0)
    assert "content-security-policy" not in mine.headers
    assert "content-security-policy" not in nowhere.headers


@pytest.mark.parametrize("root", ["", "/site"])
def test_what_has_not_changed_is_not_sent_again(server: Running, root: str) -> None:
    site = server.site_apart if root else server.site
    for path, like in (("/", "/"), (site.script, "/theme/"), ("/feed.xml", "/feed.xml")):
        for accepted in ("br", "gzip", "identity"):
            with server.apart() if root else server.reader() as reader:
                path = f"{root}{path.removeprefix(root)}"
                first = reader.get(path, headers={"Accept-Encoding": accepted})
                tag, date = first.headers["etag"], first.headers["last-modified"]
                known = {"Accept-Encoding": accepted, "If-None-Match": tag, "If-Modified-Since": date}
                again = reader.get(path, headers=known)

            assert (again.status_code, again.content) == (304, b""), (path, accepted)
            _check_headers(server, site, again, like)


@pytest.mark.parametrize(("path", "file"), [
    ("/", "index.html"), ("/feed.xml", "feed.xml"), ("SCRIPT", ""), ("ICON", ""), ("/nowhere", "404.html"),
])  # fmt: skip
@pytest.mark.parametrize("accepted", ["gzip, deflate, br, zstd", "gzip", "identity"])
def test_what_was_compressed_at_print_is_what_is_sent(server: Running, path: str, file: str, accepted: str) -> None:
    path = path.replace("SCRIPT", server.site.script).replace("ICON", server.site.icon)
    plain = (server.output / (file or path[1:])).read_bytes()
    with server.reader() as reader, reader.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        sent = b"".join(answer.iter_raw())

    has_brotli = server.name == "caddy" or BROTLI.exists()
    encoding = "" if accepted == "identity" else "br" if "br" in accepted and has_brotli else "gzip"
    assert answer.headers.get("content-encoding", "") == encoding
    assert answer.headers.get_list("vary") == ["Accept-Encoding"]
    read = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[encoding]
    assert read(sent) == plain
    copy = {"br": ".br", "gzip": ".gz", "": ""}[encoding]
    assert sent == (server.output / f"{file or path[1:]}{copy}").read_bytes()


@pytest.mark.parametrize(("asked", "host", "leads_to"), [
    ("/articles/boots/", "", "/articles/shoes/"),
    ("/articles/boots", "", "/articles/shoes/"),
    ("/articles/boots/?a=1&b=%C3%A9", "", "/articles/shoes/?a=1&b=%C3%A9"),
    ("/2012/03/shoes?a=1", "", "/articles/shoes/?a=1"),
    ("/old/", "", "/articles/shoes/"),
    ("/?p=7", "", "/articles/shoes/"),
    ("/articles/boots/comments.xml", "", "/articles/shoes/comments.xml"),
    (f"/articles/{ARTICLE}?a=1", "", f"/articles/{ARTICLE}/?a=1"),
    ("/articles/shoes/?a=1", "www.feet.example", "https://feet.example/articles/shoes/?a=1"),
])  # fmt: skip
def test_an_old_address_leads_on_with_its_query(server: Running, asked: str, host: str, leads_to: str) -> None:
    with server.reader() as reader:
        answer = reader.get(asked, headers={"Host": host} if host else {})

    assert (answer.status_code, answer.headers["location"]) == (301, leads_to)


def test_where_intake_or_desk_is_down_a_page_says_so_and_that_the_words_are_one_step_back(server: Running) -> None:
    id = "k3v9tq2mxw7d"
    site, talk = server.reader(is_down=True), server.apart("talk.feet.example", is_down=True)
    asked: list[tuple[httpx2.Client, str, str, dict[str, Any]]] = [
        (site, "POST", "/comments", {"data": a_comment("Kept.")}),
        (site, "GET", f"/comments/receipt/{id}", {}),
        (site, "GET", f"/comment/{id}", {"headers": DESK}),
        (talk, "POST", "/comments", {"data": a_comment("Kept.")}),
        (talk, "GET", f"/comments/receipt/{id}", {}),
    ]
    with site, talk, ThreadPoolExecutor(len(asked)) as pool:
        answers = [*pool.map(lambda one: one[0].request(one[1], one[2], **one[3]), asked)]

    for answer in answers[:3]:
        assert answer.status_code == 502
        assert answer.text == (server.output / "502.html").read_text("utf-8")
    for answer in answers[:2]:
        _check_headers(server, server.site, answer, "/")
    assert answers[2].headers["cache-control"] == "no-store"
    for answer in answers[3:]:
        assert (answer.status_code, "go one step back" in answer.text) == (502, True)
        leads = re.findall(r' (?:href|src)="([^"#]+)', answer.text)
        assert [address for address in leads if not address.startswith(("https://feet.example/site/", "tel:"))] == []
        _check_headers(server, server.site_apart, answer, "/")
    assert id not in server.logged()


@pytest.mark.parametrize("host", ["feet.example", "talk.feet.example"])
def test_a_post_while_the_intake_starts_again_is_held_until_it_has(server: Running, host: str) -> None:
    port = server.nobody
    browser = server.apart(host, is_down=True) if "talk" in host else server.reader("127.0.5.1", is_down=True)
    with ExitStack() as running, browser as reader, ThreadPoolExecutor(1) as pool:
        held = running.enter_context(socket.create_server(("127.0.0.1", port)))  # as systemd does

        answer = pool.submit(reader.post, "/comments", data=a_comment("While it starts."))
        wait_until(lambda: bool(select.select([held], [], [], 0)[0]), "it waits")
        running.enter_context(server.machine.service("site-intake", held, POSTBOX_PORT=str(port)))

        assert answer.result(PATIENCE_SECONDS).status_code == 303


@pytest.mark.parametrize("host", ["feet.example", "talk.feet.example"])
def test_what_is_far_too_long_is_refused_with_the_way_back(server: Running, host: str) -> None:
    with server.apart(host) if "talk" in host else server.reader() as reader:
        answer = reader.post("/comments", data=a_comment("x" * 200_000))

    assert answer.status_code == 413
    assert "go one step back" in answer.text


def test_a_comment_goes_through_three_users_to_its_page_and_no_log_names_it(server: Running) -> None:
    machine = server.machine
    with server.reader() as reader:
        receipt = reader.post("/comments", data=a_comment("Through all three.")).headers["location"]
        [listed] = [line for line in machine.run("online/postbox list").splitlines() if "all three" in line]
        machine.run(f"online/postbox approve {listed.split()[0]}")
        page = server.output / f"articles/{ARTICLE}/index.html"
        wait_until(lambda: "Through all three." in page.read_text("utf-8"), "the comment is on its page")
        shown = reader.get(f"/articles/{ARTICLE}/")
        answers = {path: reader.get(path).status_code for path in (receipt, "/healthz")}
        desk = {path: reader.get(path, headers=DESK).status_code for path in ("/", "/healthz")}
        link = machine.run("online/postbox sign-in").strip().partition(".example")[2]
        button = reader.get(link, headers=DESK)

    assert "Through all three." in shown.text
    assert (answers, desk) == ({receipt: 200, "/healthz": 404}, {"/": 401, "/healthz": 404})
    assert button.status_code == 200
    [file] = (machine.root / "var/lib/site/content/comments" / ARTICLE).glob(f"{listed[:12]}.md")
    assert file.stat().st_uid == machine.user("site-desk")["user"]
    logged = server.logged()
    assert not [word for word in (receipt.rpartition("/")[2], listed[:12], link, "127.0.0.1 -") if word in logged]


def test_the_limit_is_a_readers_own_network_and_not_what_he_claims(server: Running) -> None:
    with server.reader("127.0.2.1") as reader, server.reader("127.0.3.1") as another:
        claims = [{"X-Forwarded-For": f"198.51.{number}.1"} for number in range(6)]
        answers = [reader.post("/comments", data=a_comment(f"Number {c}"), headers=c) for c in claims]
        elsewhere = another.post("/comments", data=a_comment("Elsewhere"))

    assert [answer.status_code for answer in answers] == [303] * 5 + [429]
    assert elsewhere.status_code == 303


@pytest.mark.parametrize("host", ["feet.example", "talk.feet.example"])
def test_a_slow_sender_holds_up_nobody(server: Running, host: str) -> None:
    port = server.ports_apart[0] if "talk" in host else server.port
    head = f"POST /comments HTTP/1.1\r\nHost: {host}\r\nContent-Length: 500\r\n\r\nname="
    with ExitStack() as open, a_reader(server.machine, server.name, port, "127.0.4.1", host) as reader:
        for _ in range(20):
            slow = open.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS))
            if server.name == "nginx":
                context = ssl.create_default_context(cadata=server.machine.authority)
                slow = open.enter_context(context.wrap_socket(slow, server_hostname="feet.example"))
            slow.sendall(head.encode())
        answer = reader.post("/comments", data=a_comment("Meanwhile."))

    assert answer.status_code == 303


# The doctor


class Names:
    """The world's name servers: every name leads here, and these have texts."""

    def __init__(self) -> None:
        self.texts = {
            "feet.example": ["v=spf1 mx -all"],
            "_dmarc.feet.example": ["v=DMARC1; p=none"],
            "_domainkey.feet.example": [],
        }

    def addresses(self, name: str, *rest: Any, **more: Any) -> Any:
        if name not in ("feet.example", "www.feet.example", "desk.feet.example", "127.0.0.1"):
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", rest[0]))]

    def resolve(self, name: str, kind: str, **more: Any) -> Any:
        if name not in self.texts:
            raise dns.resolver.NXDOMAIN
        return [SimpleNamespace(strings=(text.encode(),)) for text in self.texts[name]]


@pytest.fixture
def world(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Names, Settings]:
    """The names and the settings of a machine whose doctor finds nothing wrong; its folders are copies."""
    if server.name != "nginx":
        pytest.skip("the doctor asks by TLS")
    names, var = Names(), tmp_path / "var"
    for folder, mode in (("site", 0o755), ("desk", 0o700), ("erased", 0o700), ("inbox", 0o2770)):
        (var / folder).mkdir(parents=True, mode=mode)
        (var / folder).chmod(mode)
    for name in ("site.json", "press.json"):
        text = (server.machine.site / "var/site" / name).read_text()
        (var / "site" / name).write_text(
            text.replace('"https://feet.example"', f'"https://feet.example:{server.port}"')
        )
    (tmp_path / "authority").write_text(server.machine.authority)
    (tmp_path / "site-2026.tar").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority"))
    monkeypatch.setattr(socket, "getaddrinfo", names.addresses)
    monkeypatch.setattr(dns.resolver, "resolve", names.resolve)
    monkeypatch.setattr(doctor, "BACKUPS", tmp_path)
    monkeypatch.setattr(doctor, "SECRETS", tmp_path / "authority")
    (tmp_path / "authority").chmod(0o600)
    settings = Settings(
        var=var, port=int(server.ports["8000"]), desk_port=int(server.ports["8001"]), desk_url=f"https://desk.feet.example:{server.port}",
        smtp="smtp://localhost:9", mail_from="David <david@feet.example>", mail_to="you@mail.example",
    )  # fmt: skip
    return names, settings


def ill(settings: Settings, **more: bool) -> list[str]:
    """Return what the doctor finds wrong."""
    return [finding.line for finding in doctor.checks(settings, **more) if finding.cure]


def test_the_doctor_finds_nothing_wrong_with_a_whole_machine(world: tuple[Names, Settings]) -> None:
    _, settings = world

    findings = [*doctor.checks(settings)]

    assert [finding.line for finding in findings if finding.cure] == []
    assert len(findings) == 15


def tell(settings: Settings, **changes: Any) -> None:
    """Change what the press has told."""
    path = settings.site.with_name("press.json")
    path.write_text(replace(BuildStatus.load(path), **changes).dumps())


# What is wrong, and how the one line about that begins and ends.
ILLS: dict[str, tuple[Callable[[Names, Settings], Any], str, str]] = {
    "SPF": (lambda n, s: n.texts.update({"feet.example": []}), "SPF: there is no such record", "names"),
    "two SPF": (lambda n, s: n.texts.update({"feet.example": ["v=spf1 a", "v=spf1 mx"]}), "SPF: v=spf1 a; v=spf1 mx", "names"),
    "DMARC": (lambda n, s: n.texts.pop("_dmarc.feet.example"), "DMARC: there is no such record", "p=none"),
    "DKIM": (lambda n, s: n.texts.pop("_domainkey.feet.example"), "DKIM: there is no key", "and add that"),
    "a dead press": (lambda n, s: os.utime(s.var / "site/press.json", (0, 0)), "press alive: nothing has been heard", "journalctl -u site-press"),
    "a text": (lambda n, s: tell(s, faults=["var/lib/site/content/articles/x.md:1: wrong"]), "texts: var/lib", "says more"),
    "a theme": (lambda n, s: tell(s, faults=["theme/templates/404.html:1: wrong"]), "press alive: 1 faults", "site-press"),
    "rights": (lambda n, s: s.desk.chmod(0o755), "rights:", "/desk"),
    "no backup": (lambda n, s: (doctor.BACKUPS / "site-2026.tar").unlink(), "backup: there is none", "backup-site"),
    "an old backup": (lambda n, s: os.utime(doctor.BACKUPS / "site-2026.tar", (0, 0)), "backup: the last is", "backup-site"),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLS)
def test_the_doctor_names_what_is_wrong_and_the_cure(world: tuple[Names, Settings], name: str) -> None:
    harm, begins, ends = ILLS[name]
    harm(*world)

    line = ill(world[1])[0]

    assert line.startswith(f"wrong  {begins}"), line
    assert line.endswith(ends), line


def test_the_doctor_asks_through_the_public_names(world: tuple[Names, Settings], server: Running) -> None:
    _, settings = world
    site = settings.site.read_text().replace(f":{server.port}", f":{server.down}")
    settings.site.write_text(site)

    lines = ill(replace(settings, desk_url="https://nowhere.example", port=9))

    about = [line.split(":")[0].removeprefix("wrong  ") for line in lines]
    assert about == ["nowhere.example", "intake from outside", "desk from outside", "intake alive"], lines


def test_the_doctor_asks_for_the_names_that_lead_here(world: tuple[Names, Settings]) -> None:
    _, settings = world
    facts = settings.site.read_text()
    settings.site.write_text(facts.replace('"intake": "/comments"', '"intake": "https://talk.feet.example/comments"'))

    about = [finding.about for finding in doctor.checks(settings)]

    assert about[:3] == ["talk.feet.example", "desk.feet.example", "site from outside"]


def test_a_test_mail_that_is_not_taken_is_told(world: tuple[Names, Settings]) -> None:
    [line] = ill(world[1], mail=True)

    assert re.match(r"wrong  test mail: localhost:9: .*POSTBOX_SMTP", line), line
