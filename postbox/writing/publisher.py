"""Publishing of texts: proved first, written whole, and put back if the site does not build with it.

Every file that is written is a version before it is there. After a crash the file holds the old text or the new one, and a
comparison with the versions says which.
"""

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from contract import atomic
from contract.facts import FILE as FACTS_FILE
from contract.manifest import BuildStatus
from postbox import log
from postbox.writing.text_file import TextError, edited, hash_of, read
from postbox.writing.texts import FAULT_LENGTH, NEW, Pending, Texts, Version

PROOF_SECONDS = 65.0  # the press gives one sixty
LIVE_SECONDS = 30.0  # the old bytes are put back no later
LOOK_SECONDS = 0.02
ASKED_MOST = 20  # proofs that wait
NO_PRESS = "The page cannot be drawn just now, for the part that makes the pages does not run. Your words are kept."


class LinkedError(ValueError):
    """A text that is to go is linked from others; ``linkers`` are their keys."""

    def __init__(self, linkers: list[str]) -> None:
        super().__init__(f"linked from {', '.join(linkers)}")
        self.linkers = linkers


@dataclass(frozen=True)
class Proof:
    """The page that a text would be: what it is found by, its file, empty if there is none, and what is wrong, with lines."""

    name: str
    file: str = ""
    faults: list[tuple[int, str]] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the text can be published so."""
        return bool(self.file) and not self.faults


@dataclass(frozen=True)
class Published:
    """What came of a change to a file.

    ``state`` is live, soon (not seen yet), later (no press runs), held (another file is wrong) or back (this one was, and
    the old one is there again). ``seconds`` is until it was live, ``version`` what can be undone.
    """

    state: str
    version: int
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class Publisher:
    """Changes to the files of texts, and the proofs before them."""

    def __init__(self, texts: Texts, proofs: Path, status: Callable[[], BuildStatus]) -> None:
        self._texts, self._proofs, self._status = texts, proofs, status
        self._waiting: set[int] = set()  # versions that a thread of this process waits for

    # Proofs

    def prove(self, key: str, data: bytes) -> Proof:
        """Have the press draw the page of exactly these bytes.

        Raises:
            TextError: if no press runs, or too many wait.
        """
        name, path = self._name(key, data), f"{key}.md"
        made = self._proofs / "made" / f"{name}.json"
        asked = self._proofs / "asked" / f"{name}.json"
        if not self._status().watching:
            raise TextError(NO_PRESS)
        if len(list(asked.parent.glob("*.json"))) > ASKED_MOST:
            raise TextError("Too many pages wait to be drawn. Try again in a minute; your words are kept.")
        request = json.dumps({"path": path, "text": data.decode("utf-8-sig")})
        with self._texts.lock:  # one who asks for the same writes the same draft
            made.unlink(missing_ok=True)  # what it links to may have changed since
            atomic.write(asked, request.encode(), is_durable=False)
        end = time.monotonic() + PROOF_SECONDS
        while time.monotonic() < end:
            if proof := self._read(made, name):
                return proof
            if not self._status().watching:
                raise TextError(NO_PRESS)
            time.sleep(LOOK_SECONDS)
        raise TextError("The page took too long to draw. Try again; your words are kept.")

    def proof(self, key: str, data: bytes) -> Proof | None:
        """Return what is known of the page of these bytes."""
        name = self._name(key, data)
        return self._read(self._proofs / "made" / f"{name}.json", name)

    def proof_page(self, name: str) -> bytes | None:
        """Return the page of a proof, or None."""
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            return None
        try:
            return (self._proofs / "made" / f"{name}.html").read_bytes()
        except OSError:
            return None

    def image(self, name: str) -> Path | None:
        """Return an image of a proof that is not published yet."""
        path = self._proofs / "made" / "images" / name
        return path if re.fullmatch(r"[\w-]+(\.[\w-]+)+", name) and path.is_file() else None

    def _name(self, key: str, data: bytes) -> str:
        return sha256(key.encode() + b"\0" + data).hexdigest()

    @staticmethod
    def _read(made: Path, name: str) -> Proof | None:
        try:
            told = json.loads(made.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return Proof(name, told["file"], [(line, cause) for line, cause in told["faults"]])

    # Changes

    def publish(self, key: str, data: bytes, why: str, *, kept: bytes = b"", number: int | None = None) -> Published:
        """Write the file of a text, or take it away if there is no ``data``, and wait for the press.

        ``kept`` is what stays here as its unfinished copy; one that there was stays as a version. ``number`` is that of the
        copy that ``data`` was made of: one that was saved since stays as it is, with more to publish.
        """
        texts, before = self._texts, self._status().faults
        with texts.lock:
            old, now, working = texts.file(key), datetime.now(UTC), texts.working(key)
            if old:
                texts.keep(key, old, "found", now)
            version = texts.keep(key, data or old, why, now)
            last = texts.pending().get(key)  # what was there before both is what the site was built with
            good = last.old if last and last.hash == hash_of(old) else old
            pending = Pending(key, good, hash_of(data), version, now, before)
            texts.expect(pending)
            try:
                pending = replace(pending, written=texts.put(key, data))
            except OSError:
                texts.settle(key, version)
                if last:
                    texts.expect(last)
                raise
            if why != "published" and working and working.data != old:
                texts.keep(key, working.data, "replaced", now)
            texts.drop(key)
            if working and number not in (None, working.number) and not working.is_deleted:
                more = _with_lines_of(data, working.data)
                texts.save(key, more, base=hash_of(data), number=working.number - 1, now=now)
            elif kept:
                number = working.number if working else 0
                texts.save(key, kept, base=hash_of(data), number=number, now=now, is_deleted=why == "deleted")
            self._waiting.add(version)
        try:
            done = self._wait(pending)
            self._settle(pending, done)
        finally:
            self._waiting.discard(version)
        return done

    def catch_up(self) -> None:
        """Finish or put back what was written while no press ran, or by a process that ended before the press had told."""
        for key in self._texts.pending():
            with self._texts.lock:
                pending = self._texts.pending().get(key)
                if not pending or pending.version in self._waiting:
                    continue
                if hash_of(self._texts.file(key)) != pending.hash:  # not yet when the process ended, or another since
                    self._texts.settle(key, pending.version)
                    continue
                self._keep_whole(pending)
                if done := self._told(pending):
                    self._settle(pending, done)

    def _keep_whole(self, pending: Pending) -> None:
        """Do what a process that ended between a file and its unfinished copy had left to do."""
        key, working = pending.key, self._texts.working(pending.key)
        version = self._texts.version(key, pending.version)
        if working and working.data and hash_of(working.data) == pending.hash:
            self._texts.drop(key)
        elif not pending.hash and version and (not working or working.base):
            is_deleted = version.why == "deleted"
            self._texts.save(key, version.data, base="", number=0, now=datetime.now(UTC), is_deleted=is_deleted)

    def _settle(self, pending: Pending, done: Published) -> None:
        """Put the old bytes back if the site does not build with the new ones; what has not been told is still waited for."""
        key, texts, now = pending.key, self._texts, datetime.now(UTC)
        with texts.lock:
            made, last = texts.version(key, pending.version), texts.pending().get(key, pending)
            if (
                done.state == "live" and last.version > pending.version
            ):  # what is live now is what the later one falls back to
                texts.expect(replace(last, old=made.data if made and pending.hash else b""))
            if done.state == "back" and hash_of(texts.file(key)) == pending.hash:
                working = texts.working(key)
                texts.put(key, last.old)
                texts.keep(key, last.old or (made.data if made else b""), "undone", now)
                texts.drop(key)
                unfinished = working or made  # what was written on it since is more than what was published
                if unfinished and pending.hash and key != FACTS_FILE:  # the facts have no unfinished copy
                    number = working.number if working else 0
                    texts.save(key, unfinished.data, base=hash_of(last.old), number=number, now=now)
                log.event("a text was put back, for the site did not build with it", version=pending.version)
            if done.state in ("live", "back"):
                texts.settle(key, pending.version)

    def undo(self, key: str, id: int) -> Published:
        """Take a change back, if it is the last.

        Raises:
            TextError: if the file is another by now.
        """
        versions = self._texts.versions(key, before=id + 1)
        stands = self._texts.file(key)
        if not versions or versions[0].id != id or hash_of(stands) not in ("", versions[0].hash):
            raise TextError("This was changed again since, so it cannot be undone here. Look at the earlier versions.")
        earlier = self._before(versions)
        if not earlier:
            return self.publish(key, b"", "undone", kept=versions[0].data)  # it was new
        return self.publish(key, earlier.data, "undone")

    @staticmethod
    def _before(versions: list[Version]) -> Version | None:
        """Return what stood in the file before the first of some versions, the latest of which comes first."""
        made, *older = versions
        if made.why == "deleted":
            return made
        return next((one for one in older if one.why != "replaced" and one.hash != made.hash), None)

    def delete(self, key: str) -> Published:
        """Take a text off the site; it can be restored.

        Raises:
            LinkedError: if others link to it.
        """
        self.refuse_if_linked(key)
        return self.publish(key, b"", "deleted", kept=self._texts.file(key))

    def take_off(self, key: str) -> Published:
        """Make a text a draft, whose words stay.

        Raises:
            LinkedError: if others link to it.
        """
        self.refuse_if_linked(key)
        draft, working = edited(self._texts.file(key), {"Status": "draft"}), self._texts.working(key)
        return self.publish(key, draft, "taken off", kept=edited(working.data, {"Status": "draft"}) if working else b"")

    def refuse_if_linked(self, key: str) -> None:
        """Raise what links to a text, for it would lead nowhere."""
        text = read(self._texts.file(key))
        slug = text.field("slug") or Path(key).name
        address = re.escape(f"/articles/{slug}/" if key.startswith("articles/") else f"/{slug}/")
        link = re.compile(rf"\{{filename\}}[^)\s]*\b{re.escape(Path(key).name)}\.md|\(<?{address}|\"{address}")
        linkers = []
        for other in self._texts.all_keys():
            data = b""
            with suppress(TextError):  # one that cannot be read is no page of the site either
                data = b"" if other == key else self._texts.file(other)
            if link.search(data.decode("utf-8", "replace")) and read(data).field("status").lower() != "draft":
                linkers.append(other)
        if linkers:
            raise LinkedError(linkers)

    def _wait(self, pending: Pending) -> Published:
        """Wait until the press has told of a file."""
        end = time.monotonic() + LIVE_SECONDS
        while time.monotonic() < end:
            if not self._status().watching:
                return Published("later", pending.version)
            if done := self._told(pending):
                return done
            time.sleep(LOOK_SECONDS)
        return Published("soon", pending.version)

    def _told(self, pending: Pending) -> Published | None:
        """Return what the press tells of a file; a fault that was not told before is of this one, if it came soon after."""
        status, written, version = self._status(), pending.written, pending.version
        if status.built > _stamp(written):
            seconds = (datetime.fromisoformat(status.finished) - written).total_seconds()
            return Published("live", version, max(0.01, seconds))
        if status.failed > _stamp(written) and status.faults:
            is_late = status.failed > _stamp(written + timedelta(seconds=LIVE_SECONDS))
            ours = [fault for fault in status.faults if self._is_of(pending, fault, is_late=is_late)]
            return Published("back" if ours else "held", version, faults=ours or status.faults)
        return None

    def _is_of(self, pending: Pending, fault: str, *, is_late: bool) -> bool:
        is_named = self._texts.place(pending.key) in fault
        return is_named or not (is_late or fault[:FAULT_LENGTH] in {known[:FAULT_LENGTH] for known in pending.faults})


def _with_lines_of(published: bytes, data: bytes) -> bytes:
    """Return an unfinished text with the lines that it lacks and got when it was published, for its address stays."""
    stands, text = read(published), read(data)
    names = [name for name in ("Id", "Slug", "Date") if stands.field(name.lower()) and not text.field(name.lower())]
    return edited(data, {name: stands.field(name.lower()) for name in names})


def is_new(key: str) -> bool:
    """Tell whether a text has never been published."""
    return bool(NEW.fullmatch(key))


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")
