"""Message of one mail: blocks of plain text, and HTML from the theme that shows the same blocks.

- Lines that all begin with ``> `` are a quotation, the only place for what a reader wrote (``quoted`` makes them);
- a block that ends with a line which is an address of the site or of the desk, or one that rings or writes to somebody
  (``tel:``, ``mailto:``), is a link, its words the lines above;
- everything else is a paragraph, its lines as they are.

A name in a sentence goes through ``one_line``, and every word that one reader sends another through ``plain``.
So a reader's words can neither begin a block nor a header, and nothing of theirs becomes a link of ours.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from itertools import groupby

from jinja2 import Environment

from contract.manifest import Site
from postbox.email_address import is_address

COLUMNS = 76
SUBJECT_LENGTH = 120
NAME_LENGTH = 80

CONTACT = ("tel:", "mailto:")
_JOINERS = "\u200c\u200d"  # without them Persian is misspelt and a family of emoji falls apart
# By category: control, format, lone surrogate (UTF-8 has no bytes for it), line and paragraph separator.
_REPLACEMENTS = {"Cc": "", "Cf": "", "Cs": "\ufffd", "Zl": " ", "Zp": " "}
_ID = re.compile(r"[\w.+-]{1,100}@[\w.-]{1,200}", re.ASCII)
_UNSUBSCRIBE = re.compile(r"(?!.*=\?)https?://[\w.:/?&=%~-]{1,800}", re.ASCII)
# What some program that shows mail would make a link of, and a little more; each branch looks at a few signs, so it is linear.
_CLICKABLE = re.compile(
    r"[^\s.]\.[^\W\d_][\w-]"  # host.tld, in any script
    r"|www\.\w"
    r"|[^\W_]:[/\\]"  # https://
    r"|[^\W\d_]:\(?[\w+]"  # mailto:tom, tel:+44
    r"|[/\\]{2}\w"  # //host, \\server
    r"|[^\s@]@[^\s@]"  # tom@host
    r"|(?:[0-9]{1,3}\.){3}[0-9]"
    r"|[a-z0-9]。[a-z0-9]",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class MailDraft:
    """One mail before it is a message; ids are left part and host, without angle brackets.

    ``subject`` may hold what a reader wrote.
    ``message_id`` is the same each time that one draft is sent, so that a mail taken twice can be told.
    ``reply_to`` is left out if it is not one address, ``unsubscribe`` is where one click ends such mails (RFC 8058).
    """

    to: str
    subject: str
    text: str
    message_id: str
    in_reply_to: str = ""
    reply_to: str = ""
    unsubscribe: str = ""


@dataclass(frozen=True)
class Block:
    """A part of a draft: ``kind`` is paragraph, quotation or link; ``lines`` are its words, ``address`` is the link's."""

    kind: str
    lines: Sequence[str]
    address: str = ""

    @property
    def is_contact(self) -> bool:
        """Whether the link rings or writes to somebody."""
        return self.address.startswith(CONTACT)


class MailDraftError(ValueError):
    """No mail can be made of a draft; the text says why."""


def compose(
    draft: MailDraft, site: Site, theme: Environment, *, sender: Address, date: datetime, ours: tuple[str, ...]
) -> EmailMessage:
    """Return a draft as text and HTML, ASCII throughout, each line short enough for any server.

    Args:
        draft: what is to be said.
        site: the facts of the site, for ``mail/layout.html``.
        theme: the environment that has it.
        sender: from whom.
        date: when.
        ours: how the addresses begin that may be links.

    Raises:
        MailDraftError: if the recipient, an id or the address to unsubscribe is none.
    """
    _check(draft)
    subject = one_line(draft.subject, SUBJECT_LENGTH).replace("=?", "= ?")  # =?utf-8?q?=0A?= would be decoded
    blocks = _blocks(draft.text, ours)
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = draft.to
    if is_address(draft.reply_to):
        message["Reply-To"] = draft.reply_to
    message["Subject"] = subject
    message["Date"] = date
    message["Message-ID"] = f"<{draft.message_id}>"
    if draft.in_reply_to:
        message["In-Reply-To"] = message["References"] = f"<{draft.in_reply_to}>"
    message["Auto-Submitted"] = "auto-generated"
    if draft.unsubscribe:
        message["List-Unsubscribe"] = f"<{draft.unsubscribe}>"
    if draft.unsubscribe.startswith("https:"):
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("\n\n".join("\n".join(_rows(block)) for block in blocks) + "\n")
    html = theme.get_template("mail/layout.html").render(site=site, subject=subject, blocks=blocks)
    message.add_alternative(html, subtype="html")
    return message


def quoted(words: str) -> str:
    """Return what a reader wrote as a block of its own, a quotation, whatever is in it."""
    lines = (_cleaned(line).expandtabs(4) for line in words.strip().splitlines())
    return "\n".join(f"> {line}".rstrip() for line in lines) or ">"


def one_line(words: str, limit: int = NAME_LENGTH) -> str:
    """Return words for the middle of a sentence: one line of at most ``limit`` characters, none invisible or turning the others round."""
    line = " ".join(_cleaned(" ".join(words.split()), kept="").split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def plain(words: str) -> str:
    """Return words in which nothing can be clicked: what a program that shows mail could make a link of is “[link]”.

    Whatever stands between two spaces goes as a whole, and rather one word too many. Linear in the length of ``words``.
    """
    return re.sub(r"\S+", lambda found: "[link]" if _is_clickable(found[0]) else found[0], _cleaned(words))


def _is_clickable(word: str) -> bool:
    # Without marks: normalising takes the square of the length of a run of them.
    seen = "".join(c for c in word if unicodedata.category(c)[0] not in "CM")
    return bool(_CLICKABLE.search(unicodedata.normalize("NFKC", seen)))


def _cleaned(text: str, kept: str = f"\n\t{_JOINERS}") -> str:
    """Return a text without the signs that are not seen, of which only ``kept`` stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in kept else _REPLACEMENTS.get(unicodedata.category(c), c) for c in text)


def _check(draft: MailDraft) -> None:
    if not is_address(draft.to):
        raise MailDraftError(f"“{draft.to}” is not an address")
    for id in (draft.message_id, draft.in_reply_to or draft.message_id):
        if not _ID.fullmatch(id):
            raise MailDraftError(f"“{id}” is not the id of a message")
    if draft.unsubscribe and not _UNSUBSCRIBE.fullmatch(draft.unsubscribe):
        raise MailDraftError(f"“{draft.unsubscribe}” is not where one can unsubscribe")


def _blocks(text: str, ours: tuple[str, ...]) -> list[Block]:
    lines = (line.rstrip() for line in _cleaned(text).expandtabs(4).split("\n"))
    return [_block(list(group), ours) for has_words, group in groupby(lines, key=bool) if has_words]


def _block(lines: list[str], ours: tuple[str, ...]) -> Block:
    if all(line == ">" or line.startswith("> ") for line in lines):
        return Block("quotation", [line[2:] for line in lines])
    if lines[-1].startswith((*ours, *CONTACT)) and re.fullmatch(r"[!-~]+", lines[-1]):
        return Block("link", lines[:-1], lines[-1])
    return Block("paragraph", lines)


def _rows(block: Block) -> Iterator[str]:
    """Yield a block as rows of plain text, wrapped."""
    prefix = "> " if block.kind == "quotation" else ""
    for line in block.lines:
        for row in _wrapped(line, COLUMNS - len(prefix)):
            yield f"{prefix}{row}".rstrip()
    if block.address and not block.is_contact:  # whose words are the number or the address
        yield block.address


def _wrapped(line: str, limit: int) -> Iterator[str]:
    """Yield a line in rows of at most so many columns; a word that is longer stays whole."""
    if _columns(line) <= limit:
        yield line
        return
    row: list[str] = []
    used = 0
    for word in line.split():
        wide = _columns(word)
        if row and used + 1 + wide > limit:
            yield " ".join(row)
            row, used = [], 0
        used += wide + bool(row)
        row.append(word)
    yield " ".join(row)


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes (UAX 11)."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.category(c) not in ("Mn", "Me", "Cf")
        for c in text
    )


class _OneLineHeader(UnstructuredHeader, BaseHeader):
    """A header on one line, or as encoded words if it is not ASCII.

    Python's own folding makes encoded words of any long one, of an id and an address too, where they mean nothing.
    """

    def fold(self, *, policy: Policy) -> str:
        text = str(self)
        if not text.isascii():
            text = Header(text, "utf-8", header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {text}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("subject", "message-id", "in-reply-to", "references", "list-unsubscribe"):
    _HEADERS.map_to_type(_name, _OneLineHeader)
_POLICY = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)
