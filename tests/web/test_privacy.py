"""What is private stays so: the page says what is done, and nothing planted comes out, nor a hash of it."""

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from postbox.desk.sessions import SignIn
from postbox.moderation.service import Moderation
from postbox.privacy.retention import tidy
from postbox.settings import Settings
from postbox.store.submissions import Inbox
from postbox.store.subscriptions import Subscriptions
from press.errors import BuildError
from tests.support.intake import FORM
from tests.support.place import Place
from tests.support.process import end, environment, free_port, wait_until

# The page


def words(place: Place) -> str:
    """Return the words of the built privacy page."""
    main = place.page("/privacy/").partition("<main")[2].partition("</article>")[0]
    return " ".join(re.sub(r"<[^>]*>", "", main).split())


def test_the_page_says_the_days_that_are_in_force(place: Place) -> None:
    place.build(KEEP_ADDRESS_DAYS=101, KEEP_REJECTED_DAYS=1, KEEP_MESSAGE_DAYS=103, KEEP_BACKUP_DAYS=104)

    page = words(place)

    assert "before you changed it: 1 day after the last decision." in page
    assert "The code and your email address: 101 days after the last decision on your comment." in page
    assert "An address that you do not confirm: 1 day." in page
    assert "A message: 103 days after it came." in page
    assert "Backups: 104 days." in page


@pytest.mark.parametrize(("settings", "said"), [
    ({"INTAKE": ""}, r"When you comment|When you send|ask for email|How long|private link|legitimate"),
    ({"NOTICES": False}, r"email address, we|ask for email|and your email|confirm|our mail"),
    ({"KEEP_BACKUP_DAYS": 0}, r"[Bb]ackup"),
    ({"TELEPHONE": "", "TELEPHONE_SHOWN": ""}, r"\bring\b|07504"),
])  # fmt: skip
def test_the_page_says_nothing_of_what_is_not_done(place: Place, settings: dict[str, Any], said: str) -> None:
    place.build()
    assert re.search(said, words(place))

    place.build(**settings)

    assert not re.search(said, words(place))
    assert "If you want to complain" in words(place)
    assert "Every page can be read" in words(place)


def test_the_page_says_how_to_complain_and_names_the_regulator(shipped: Place) -> None:
    assert "within 30 days" in words(shipped)
    assert "without undue delay" in words(shipped)
    assert '<a href="https://ico.org.uk/">' in shipped.page("/privacy/")


def test_its_sentences_are_short(shipped: Place) -> None:
    sentences = re.split(r"(?<=[.:])\s", words(shipped))

    assert max(len(sentence.split()) for sentence in sentences) <= 32
    assert sum(len(sentence.split()) for sentence in sentences) / len(sentences) <= 15


@pytest.mark.parametrize("name", ["KEEP_ADDRESS_DAYS", "KEEP_REJECTED_DAYS", "KEEP_MESSAGE_DAYS"])
@pytest.mark.parametrize("days", [0, -1, 3651, "30", 30.5, True, None])
def test_days_that_keep_nothing_or_for_ever_are_refused(place: Place, name: str, days: Any) -> None:
    with pytest.raises(BuildError, match=re.escape(f"{name} is {days!r}; it must be a whole number from 1 to 3650")):
        place.build(**{name: days})


# The canaries

CANARY = "canary7{}7yranac"  # in no other text, and long enough to be found only where it was planted


class Canaries:
    """Words that are nowhere else, by what they are; a name ``public_…`` may come out."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def word(self, what: str) -> str:
        """Plant a word."""
        return self.plant(what, CANARY.format(what.replace("_", "")))

    def plant(self, what: str, text: str) -> str:
        """Plant a text that was made elsewhere."""
        self.planted[what] = text
        return text


def forms(text: str) -> dict[str, bytes]:
    """Return what would give a text away: itself, and its usual hashes, each as it may be written."""
    data, found = text.encode(), {"itself": text.encode(), "quoted": quote(text, safe="").encode()}
    found["base64"] = base64.b64encode(data)[:-4]  # the end depends on what follows
    for name in ("md5", "sha1", "sha256"):
        for spelling in {text, text.lower(), text.upper()}:
            digest = hashlib.new(name, spelling.encode()).digest()
            found[f"{name} {spelling}"] = digest
            found[f"{name} {spelling} hex"] = digest.hex().encode()
            found[f"{name} {spelling} base64"] = base64.b64encode(digest).rstrip(b"=")
            found[f"{name} {spelling} base64url"] = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return found


def found_in(files: Iterable[Path], canaries: Canaries) -> set[tuple[str, str, str]]:
    """Return which canary is found, in which form, in which file; in a name of a file too."""
    found = set()
    texts = [(path, path.read_bytes() + b"\0" + bytes(path)) for path in files]
    for what, canary in canaries.planted.items():
        for form, needle in forms(canary).items():
            found |= {
                (what, form, path.name) for path, text in texts if needle in text or needle.upper() in text.upper()
            }
    return found


def files_below(*folders: Path) -> list[Path]:
    """Return every file below some folders."""
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("form", sorted(forms("x")))
def test_a_canary_that_is_planted_on_purpose_is_found_in_each_form(tmp_path: Path, form: str) -> None:
    canaries = Canaries()
    canary = canaries.word("planted")
    form = form.replace(" x", f" {canary}").replace(" X", f" {canary.upper()}")
    (tmp_path / "page.html").write_bytes(b"<p>" + forms(canary)[form] + b"</p>")

    assert ("planted", form, "page.html") in found_in(files_below(tmp_path), canaries)


@contextmanager
def running(settings: Settings, command: str, log: Path) -> Iterator[None]:
    """Run a process as in earnest; all that it says goes to ``log``."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "postbox", command],
            cwd=settings.var.parent,
            env=environment(settings),
            stdout=file,
            stderr=file,
        )
        port = {"intake": settings.port, "desk": settings.desk_port}[command]
        try:
            wait_until(lambda: is_listening(port), f"the {command} listens")
            yield
        finally:
            end(process)


def is_listening(port: int) -> bool:
    """Tell whether something answers there."""
    try:
        httpx2.get(f"http://127.0.0.1:{port}/", timeout=1)
    except httpx2.TransportError:
        return False
    return True


class Reader:
    """A reader who sends, each time with words of their own, from an address and with a browser that are canaries too."""

    def __init__(self, settings: Settings, canaries: Canaries, client: httpx2.Client) -> None:
        self.settings = settings
        self.canaries = canaries
        self.client = client
        client.headers |= {
            "user-agent": canaries.word("browser"),
            "x-forwarded-for": canaries.plant("network", "203.0.113.77"),
            "referer": f"https://{canaries.word('referer')}.example/",
        }

    def comment(self, what: str, *, is_public: bool = False, is_confirmed: bool = True) -> str:
        """Send a comment with an address; return its id."""
        kind = "public_" if is_public else ""
        answer = self.client.post(
            "/comments",
            data=FORM
            | {
                "name": self.canaries.word(f"{kind}name_{what}"),
                "comment": self.canaries.word(f"{kind}words_{what}"),
                "email": self.canaries.word(f"address_{what}") + "@feet.example",
            },
        )
        assert answer.status_code == 303
        receipt = self.canaries.plant(
            f"receipt_{what}", answer.headers["location"].rpartition("/")[2].partition(".")[2]
        )
        id = answer.headers["location"].rpartition("/")[2].partition(".")[0]
        inbox = Inbox.open(self.settings)
        subscription = Subscriptions(inbox).of(id)
        assert subscription
        token = Subscriptions(inbox).token(subscription)
        self.canaries.plant(f"mail_token_{what}", token.partition(".")[2])
        if is_confirmed:
            self.client.post(f"/comments/mail/{token}", data={"action": "choose", "author": "yes"})
        self.client.get(f"/comments/receipt/{id}.{receipt}/kept.json")
        return id

    def change(self, id: str, what: str) -> None:
        """Change a comment."""
        receipt = Inbox.open(self.settings).receipt(id)
        fields = {"name": self.canaries.word(f"name_{what}"), "comment": self.canaries.word(f"words_{what}")}
        assert self.client.post(f"/comments/receipt/{receipt}", data=fields | {"action": "change"}).status_code == 303

    def message(self, what: str) -> None:
        """Send a message."""
        fields = {
            "name": self.canaries.word(f"name_{what}"),
            "contact": self.canaries.word(f"contact_{what}") + "@feet.example",
            "message": self.canaries.word(f"message_{what}"),
        }
        answer = self.client.post("/comments/message", data=fields)
        assert answer.status_code == 303
        self.canaries.plant(f"receipt_{what}", answer.headers["location"].partition(".")[2])

    def trouble(self) -> None:
        """Ask for what is not there, and send what is refused; none of it may be told to the log."""
        word = self.canaries.word("refused")
        posts: list[dict[str, Any]] = [
            {"data": FORM | {"name": word, "comment": word, "email": f"{word}@"}},
            {"data": FORM | {"name": word, "article": word, "comment": word}},
            {"data": FORM | {"comment": word * 5000}},
            {"data": {f"{word}{number}": word for number in range(99)}},
            {
                "content": f"{word}=\xff".encode("latin-1"),
                "headers": {"content-type": "application/x-www-form-urlencoded"},
            },
            {"json": {"name": word}},
        ]
        assert {self.client.post("/comments", **post).status_code for post in posts} == {400, 404, 413, 415, 422}
        for address in (f"/comments/receipt/{word}", f"/comments/{word}", f"/comments/reply/{word}/{word}?{word}"):
            assert self.client.get(address).status_code == 404


def moderate(settings: Settings, canaries: Canaries, reader: Reader) -> None:
    """Let readers send, and decide on some of it, as in earnest."""
    moderation = Moderation.open(settings)

    def decide(id: str, decision: str, **more: str) -> None:
        [item] = [item for item in moderation.review.history(id) if item.revision.state == "waiting"]
        getattr(moderation, decision)(item.name, who=canaries.word("who"), now=datetime.now(UTC), **more)

    shown = reader.comment("shown", is_public=True)
    decide(shown, "approve")
    reader.change(shown, "changed")
    reader.change(shown, "changed_again")
    decide(reader.comment("rejected"), "reject", reason=canaries.word("reason"))
    decide(reader.comment("spam"), "spam")
    forgotten = reader.comment("forgotten")
    decide(forgotten, "approve")
    moderation.forget(forgotten, who="David", now=datetime.now(UTC))
    removed = reader.comment("removed")
    decide(removed, "approve")
    comment = moderation.review.find(removed)
    assert comment
    moderation.remove(
        comment.article, removed, seen=moderation.review.seen(comment), who="David", now=datetime.now(UTC)
    )
    deleted = reader.comment("deleted")
    reader.client.post(f"/comments/receipt/{Inbox.open(settings).receipt(deleted)}", data={"action": "delete"})
    reader.comment("waiting")
    reader.comment("asked", is_confirmed=False)
    reader.message("message")
    reader.trouble()


def mails(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Return to whom each mail went, and all that a reader of it can find."""
    for path in settings.mail.glob("[!.]*.eml"):
        mail = message_from_bytes(path.read_bytes(), policy=default)
        parts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
        yield mail["To"].addresses[0].addr_spec, "\n".join([*map(str, mail.values()), *parts]).encode()


def sign_in(settings: Settings, canaries: Canaries, client: httpx2.Client) -> None:
    """Sign in to the desk."""
    token = canaries.plant("sign_in", SignIn(settings.desk).issue(datetime.now(UTC)))
    answer = client.post("/sign-in", data={"token": token})
    assert answer.status_code == 303
    canaries.plant("session", answer.cookies["desk"])


def test_nothing_private_comes_out_of_the_build_the_files_or_the_logs(place: Place) -> None:
    port = free_port()
    settings = Settings(
        content=place.folder / "content",
        theme=place.folder / "theme",
        output=place.output,
        var=place.folder / "var",
        port=port,
        desk_port=port + 1,
        proxy="127.0.0.1",
    )
    place.build()
    canaries, logs = Canaries(), place.folder / "logs"
    logs.mkdir()
    public = (place.output, settings.content, settings.site.parent, logs, settings.erased)

    with (
        running(settings, "intake", logs / "intake"),
        running(settings, "desk", logs / "desk"),
        httpx2.Client(base_url=f"http://127.0.0.1:{settings.port}") as client,
        httpx2.Client(base_url=f"http://127.0.0.1:{settings.desk_port}") as david,
    ):
        moderate(settings, canaries, reader := Reader(settings, canaries, client))
        sign_in(settings, canaries, david)
        wait_until(lambda: len({to for to, _ in mails(settings)}) == 2, "the author and a reader have mail")
        wait_until(lambda: any(b"messagemessage" in text for _, text in mails(settings)), "the message is mailed")
        for address in (
            "/",
            "/published",
            "/log",
            *(f"/comment/{item.revision.id}" for item in Moderation.open(settings).review.queue()),
        ):
            assert david.get(address).status_code == 200
        template = settings.theme / "templates/contact_form.html"
        whole, site = template.read_text("utf-8"), settings.site.read_text("utf-8")
        template.write_text("{{ nobody }}", "utf-8")
        settings.site.write_text("{}", "utf-8")
        unlucky = canaries.word("unlucky")
        assert reader.client.post(f"/comments/message?{unlucky}", data={"name": unlucky}).status_code == 503
        assert david.get(f"/?{unlucky}").status_code == 200
        template.write_text(whole, "utf-8")
        settings.site.write_text(site, "utf-8")
    place.build()

    assert '"fault", "error": "UndefinedError"' in (logs / "intake").read_text("utf-8")
    found = found_in(files_below(*public), canaries)
    assert {what for what, _, _ in found} == {"public_name_shown", "public_words_shown"}
    assert {form for _, form, _ in found} == {"itself", "quoted"}
    assert {"comments.xml", "index.html"} <= {name for *_, name in found}
    kept = {what for what, *_ in found_in(files_below(settings.inbox, settings.desk), canaries)}
    assert {"words_waiting", "words_rejected", "address_waiting", "message_message", "who"} <= kept
    assert not kept & {"words_forgotten", "name_deleted", "address_deleted", "browser", "network", "referer", "refused"}

    letters = place.folder / "letters"
    for number, (to, text) in enumerate(mails(settings)):
        (letters / to).mkdir(parents=True, exist_ok=True)
        (letters / to / str(number)).write_bytes(text)
    by_reader = {
        folder.name: {what for what, *_ in found_in(files_below(folder), canaries)} for folder in letters.iterdir()
    }
    to_author = by_reader.pop(settings.mail_to)
    assert {"message_message", "contact_message", "words_waiting"} <= to_author
    assert not [
        what for what in to_author if what.startswith(("address", "receipt", "mail_token", "browser", "network"))
    ]
    assert by_reader
    for address, whats in by_reader.items():
        [own] = [
            what
            for what, canary in canaries.planted.items()
            if f"{canary}@feet.example" == address or canary == address
        ]
        assert whats <= {own, own.replace("address", "mail_token")}

    long_after = datetime.now(UTC) + timedelta(days=4000)
    tidy(Moderation.open(settings), now=long_after)

    kept = {what for what, *_ in found_in(files_below(settings.inbox, settings.desk), canaries)}
    published, waiting = (
        {"public_name_shown", "public_words_shown"},
        {"name_waiting", "words_waiting", "address_waiting"},
    )
    asked, changed = {"name_asked", "words_asked"}, {"name_changed_again", "words_changed_again"}
    assert kept - {"session", "sign_in"} == published | waiting | asked | changed | {"who"}
