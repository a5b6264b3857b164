"""Text as a reader typed or pasted it: line ends of other programs, marks that show nothing, signs that hide or turn words.

A sign that forms a visible one (a flag, a family of emoji, a Persian word, a soft hyphen) is part of the words and stays.
After Unicode's UAX 14 (line ends), UTS 51 (flags of regions) and UTR 36 (signs that deceive). Everything is linear in the text.
"""

import re
import unicodedata

# What PowerPoint, Word, PDF readers and Notes write for a new line; str.splitlines() takes them for one too.
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# A byte order mark and a word joiner come along with pasted words; an address book puts its numbers between two marks of direction.
_PASTED_MARK = re.compile("[\ufeff\u2060]")
_PASTED_NUMBER = re.compile("[\u202a\u202d\u2066\u2068]([+0-9(][0-9()./ \xa0-]{3,40})[\u202c\u2069]")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_HIDING = re.compile(
    "[\u202a-\u202e\u2066-\u2069]"  # turn the direction of what follows
    "|[\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e007f]"  # show nothing
    "|[\u200b-\u200d]{2}|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2}"  # alone they form a sign, in a row they carry a message
    "|(?<=[A-Za-z\xc0-\u052f])\u200b(?=[A-Za-z\xc0-\u052f])"  # cuts a word of a script that ends words with spaces
)
# Blank to the eye, though neither space nor control nor mark by category (DerivedCoreProperties, Default_Ignorable_Code_Point).
BLANK = re.compile("[\u115f\u1160\u2065\u2800\u3164\uffa0\ufff0-\ufff8\ufffc\U0001d159\U000e0000-\U000e0fff]")

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Mc", "Me", "Mn", "Zl", "Zp", "Zs"}


def clean_text(text: str) -> str:
    """Return a text with a newline for each line end of any program, without the marks that pasting brings along.

    For a field of one line, ``" ".join(clean_text(text).split())``.
    """
    if text.isascii() and text.isprintable():
        return text
    return _PASTED_NUMBER.sub(r"\1", _PASTED_MARK.sub("", _LINE_END.sub("\n", text)))


def shows_something(text: str) -> bool:
    """Tell whether a person sees anything of a text: a letter, a figure or a sign, not only spaces, marks and fillers.

    A character that this Python does not know yet counts as seen: it may be a new emoji.
    """
    return any(unicodedata.category(c) not in _UNSEEN for c in BLANK.sub("", text))


def hides_something(text: str) -> bool:
    """Tell whether a text has characters that hide what it says or turn it round, and form no visible sign."""
    return not text.isascii() and bool(_HIDING.search(_FLAG.sub("", text)))
