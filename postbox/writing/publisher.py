"""Publishing of texts: proved first, written whole, and put back if the site does not build with it.

Every file that is written is a version before it is there. After a crash the file holds the old text or the new one, and a
comparison with the versions says which.
"""

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from contract.manifest import BuildStatus
from postbox.writing.text_file import TextError, edited, hash_of, read
from postbox.writing.texts import NEW, Texts, Version

PROOF_SECONDS = 65.0  # the press gives one sixty
LIVE_SECONDS = 30.0  # the old bytes are put back no later
LOOK_SECONDS = 0.02
ASKED_MOST = 20  # proofs that wait


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
            raise TextError("The page cannot be drawn just now, for the press does not run. Your words are kept.")
        if len(list(asked.parent.glob("*.json"))) > ASKED_MOST:
            raise TextError("Too many pages wait to be drawn. Try again in a minute; your words are kept.")
        made.unlink(missing_ok=True)  # what it links to may have changed since
        draft = asked.with_name(f".{asked.name}")
        draft.write_text(json.dumps({"path": path, "text": data.decode("utf-8-sig")}), "utf-8")
        draft.replace(asked)
        end = time.monotonic() + PROOF_SECONDS
        while time.monotonic() < end:
            if proof := self._read(made, name):
                return proof
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

    def publish(self, key: str, data: bytes, why: str) -> Published:
        """Write the file of a text, or take it away if there is no ``data``, and wait for the press."""
        before = self._status().faults
        with self._texts.lock:
            old, now = self._texts.file(key), datetime.now(UTC)
            if old:
                self._texts.keep(key, old, "found", now)
            version = self._texts.keep(key, data or old, why, now)
            written = self._texts.put(key, data)
            if why != "published" and (working := self._texts.working(key)) and working.data != old:
                self._texts.keep(key, working.data, "replaced", now)
            self._texts.drop(key)
        done = self._wait(key, before, version, written)
        if done.state == "back":
            with self._texts.lock:
                if hash_of(self._texts.file(key)) == hash_of(data):
                    self._texts.put(key, old)
                    self._texts.keep(key, old or data, "undone", datetime.now(UTC))
                    if data:
                        self._texts.save(key, data, base=hash_of(old), number=0, now=datetime.now(UTC))
        return done

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
            # It was new: the text stays here, unfinished.
            done = self.publish(key, b"", "undone")
            if done.state != "back":
                self._texts.save(key, versions[0].data, base="", number=0, now=datetime.now(UTC))
            return done
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
        data = self._texts.file(key)
        done = self.publish(key, b"", "deleted")
        if done.state != "back":
            self._texts.save(key, data, base="", number=0, now=datetime.now(UTC), is_deleted=True)
        return done

    def take_off(self, key: str) -> Published:
        """Make a text a draft, whose words stay.

        Raises:
            LinkedError: if others link to it.
        """
        self.refuse_if_linked(key)
        draft, working = edited(self._texts.file(key), {"Status": "draft"}), self._texts.working(key)
        done = self.publish(key, draft, "taken off")
        if working and done.state != "back":
            data, now = edited(working.data, {"Status": "draft"}), datetime.now(UTC)
            self._texts.save(key, data, base=hash_of(draft), number=working.number, now=now)
        return done

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

    def _wait(self, key: str, before: list[str], version: int, written: datetime) -> Published:
        """Wait until the press has built the site with a file; a fault that was not told before is of this one."""
        end = time.monotonic() + LIVE_SECONDS
        while time.monotonic() < end:
            status = self._status()
            if not status.watching:
                return Published("later", version)
            if status.built > _stamp(written):
                seconds = (datetime.fromisoformat(status.finished) - written).total_seconds()
                return Published("live", version, max(0.01, seconds))
            if status.failed > _stamp(written) and status.faults:
                ours = [fault for fault in status.faults if fault not in before or f"{key}.md" in fault]
                return Published("back" if ours else "held", version, faults=ours or status.faults)
            time.sleep(LOOK_SECONDS)
        return Published("soon", version)


def is_new(key: str) -> bool:
    """Tell whether a text has never been published."""
    return bool(NEW.fullmatch(key))


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")
