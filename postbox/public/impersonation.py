"""Names that can be mistaken for the author's, or that claim to speak for the site.

Names are compared by what they look like (UTS 39, section 4, with Unicode's own confusables), without regard to case, width,
accents, signs, spacing, invisible characters and figures for letters; then by words: “David T.” and “TheRealDavid” are held.
Linear in the length of a name, which a form limits.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable

from confusable_homoglyphs.utils import load

from postbox.reader_text import BLANK

# By language: words that claim a part in running the site.
_ROLES = {
    "en": "author owner admin administrator moderator webmaster editor",
    "de": "autor autorin verfasser verfasserin inhaber inhaberin betreiber betreiberin moderatorin redaktion",
    "fr": "auteur autrice propriétaire administrateur administratrice modérateur modératrice rédaction",
    "es": "autor autora propietario propietaria dueño dueña administrador administradora moderador moderadora",
    "it": "autore autrice proprietario proprietaria titolare amministratore amministratrice moderatore moderatrice",
    "nl": "auteur schrijver schrijfster eigenaar eigenares beheerder redactie",
}
# What may stand beside a claim in a name without spaces; no shorter ones, or Isabel would be taken for Abel.
_BESIDE = "the real official site blog der die das echte offizielle seite vrai officiel verdadero oficial sitio vero ufficiale sito"
_LEET = str.maketrans("0134578@$€!¡|+", "oieastbaseiiit")
_FIGURES_AFTER = re.compile(r"(?<=[^\W\d_])[\d@$€!|+]+(?!\w)")
_TURNED = re.compile("\u202e([^\u202c\u202e]*)\u202c?")  # shown from right to left, whatever the letters are
_LATIN = re.compile(r"LETTER (?:SMALL CAPITAL |TURNED |REVERSED |SIDEWAYS |OPEN |DOTLESS )*([A-Z])(?: WITH .*)?")


def looks_like(name: str, own: str) -> bool:
    """Tell whether a name can be mistaken for ``own`` or for its first word, or has the whole of it among its words."""
    return _claims(name, (own,))


def claims_a_role(name: str, language: str) -> bool:
    """Tell whether a name says that its bearer writes or runs the site, in English or in the site's language (BCP 47)."""
    return _claims(name, tuple(f"{_ROLES['en']} {_ROLES.get(language[:2].lower(), '')}".split()))


def skeleton(name: str) -> str:
    """Return the words that a name looks like: small letters, most of them Latin, with single spaces between words.

    Two names with one skeleton can be mistaken for each other.
    """
    return " ".join("".join(_letters(c) for c in BLANK.sub("", name) if _is_seen(c)).split())


def _claims(name: str, own: tuple[str, ...]) -> bool:
    whole, within = _patterns(own)
    turned = _TURNED.sub(lambda found: found[1][::-1], name)
    ways = {name, turned, _FIGURES_AFTER.sub(" ", turned)}  # Dav1d, and David1
    texts = {skeleton(way) for way in ways}
    return any(whole.fullmatch(text.replace(" ", "")) or within.search(text) for text in texts)


@functools.lru_cache(16)  # the same few with every comment
def _patterns(own: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what such a name is without its spaces (possessive, so linear), and what stands in it as whole words."""
    names = [words.split() for words in map(skeleton, own) if words]
    short = [[name[0], initial] for name in names if len(name) > 1 for initial in ("", name[-1][0])]
    claim = _any_of("".join(name) for name in names + short)
    beside = _any_of(skeleton(f"{_BESIDE} {_ROLES['en']}").split())
    words = _any_of(" ".join(name) for name in names if len("".join(name)) > 1)
    return re.compile(rf"(?>(?!{claim})(?:{beside}))*+(?>{claim})(?>{claim}|{beside})*+"), re.compile(
        rf"(?<!\S)(?:{words})(?!\S)"
    )


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True)) or "(?!)"


def _is_seen(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CM"


@functools.lru_cache(4096)
def _letters(character: str) -> str:
    """Return the small letters that a character looks like, or a space."""
    text = unicodedata.normalize("NFKD", character).translate(_LEET)
    for _ in range(2):  # ᴅ is like ꭰ, and in capitals that is like D
        alike = "".join(_PROTOTYPES.get(c, c) for c in text).casefold()
        text = unicodedata.normalize("NFKD", alike).translate(_LEET)
    return "".join(_latin(c) for c in text if _is_seen(c)).replace("l", "i") or " "


def _latin(character: str) -> str:
    """Return the letter that a character is a variant of by its name (turned, negative circled, of a flag), or itself, or a space."""
    found = not character.isascii() and _LATIN.search(unicodedata.name(character, ""))
    if found and ("LATIN" in found.string or "REGIONAL" in found.string):
        return found[1].lower()
    return character if character.isalnum() else " "


def _prototypes() -> dict[str, str]:
    """Return what each character looks like (UTS 39, confusables.txt); the file lists a pair in both directions."""
    pairs = {key: [like["c"].strip("\u200e") for like in likes] for key, likes in load("confusables.json").items()}
    pairs = {key.strip("\u200e"): likes for key, likes in pairs.items()}
    return {
        c: likes[0]
        for c, likes in pairs.items()
        if len(c) == len(likes) == 1 and (len(likes[0]) > 1 or len(pairs[likes[0]]) > 1 or likes[0] < c)
    }


_PROTOTYPES = _prototypes()  # before the first comment is here to wait for it
