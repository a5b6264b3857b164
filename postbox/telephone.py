"""Telephone numbers in their ways of writing: ``07700 900456``, ``+44 (0)7700 900456`` and ``0044 7700 900456`` are one.

The rules of the countries are Google's libphonenumber's, loaded with the first number that is compared, so that who only keeps
messages never pays for them. A number counts if its length is possible: whether it is in use is not ours to say.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

DEFAULT_REGION = "GB"
MIN_DIGITS = 6
TEXT_LENGTH = 20_000  # characters that are searched
MAX_TRIES = 2000  # of what might be a number and is none, in one text

_NEXT = re.compile(r"(?<=\d) (?=\+)|(?<=\d{6}) (?=0\d{3})")  # in “07700 900456 07700 900457”


def region_of(telephone: str, language: str) -> str:
    """Return the country (ISO 3166) whose numbers are written without its code: of the site's own number, of its language, or GB."""
    import phonenumbers as numbers

    try:
        found = numbers.region_code_for_number(numbers.parse(telephone))
    except numbers.NumberParseException:
        found = None
    known = (region for region in (found, language.upper().rpartition("-")[2]) if region in numbers.SUPPORTED_REGIONS)
    return next(known, DEFAULT_REGION)


def canonical(text: str, region: str = DEFAULT_REGION) -> str:
    """Return a number as it is dialled from anywhere (E.164), or as within its town; nothing for what is not one number."""
    import phonenumbers as numbers

    try:
        number = numbers.parse(text, region)
    except numbers.NumberParseException:
        return ""
    return "" if any(c.isalpha() for c in text) else _dialled(number)


def numbers_in(text: str, region: str = DEFAULT_REGION) -> Iterator[tuple[int, str, str]]:
    """Yield the numbers in the first ``TEXT_LENGTH`` characters of a text: where each starts, as written, and canonical.

    Linear in the length of the text.
    """
    import phonenumbers as numbers

    apart = _NEXT.sub(";", text[:TEXT_LENGTH])
    for match in numbers.PhoneNumberMatcher(apart, region, numbers.Leniency.POSSIBLE, MAX_TRIES):
        dialled = _dialled(match.number)
        if dialled and len(_digits(match.raw_string)) >= MIN_DIGITS:
            yield match.start, match.raw_string, dialled


def mentions(text: str, number: str, region: str = DEFAULT_REGION) -> bool:
    """Tell whether a number, in any way of writing, is in a text; most texts are passed over by its last digits.

    What no country dials so is in a text that has no other digits.
    """
    wanted, digits = canonical(number, region), _digits(text[:TEXT_LENGTH])
    if not wanted:
        return len(digits) >= MIN_DIGITS and digits == _digits(number)
    return wanted[-MIN_DIGITS:] in digits and any(found == wanted for _, _, found in numbers_in(text, region))


def is_number(text: str) -> bool:
    """Tell whether a text is written like one number, by its digits alone."""
    return not any(c.isalpha() for c in text) and len(_digits(text)) >= MIN_DIGITS


def _digits(text: str) -> str:
    digits = "".join(re.findall(r"\d+", text))
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)


def _dialled(number: "PhoneNumber") -> str:
    import phonenumbers as numbers

    possible = numbers.is_possible_number_with_reason(number)
    if possible == numbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return numbers.national_significant_number(number)
    is_whole = possible == numbers.ValidationResult.IS_POSSIBLE
    return numbers.format_number(number, numbers.PhoneNumberFormat.E164) if is_whole else ""
