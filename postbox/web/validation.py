"""Validation of what is typed into a form: limits, and every error in words."""

from collections.abc import Mapping

from contract.comment import CONTROL, READER_FIELDS, Words
from contract.manifest import Site
from postbox.contact import can_be_answered, looks_like_address
from postbox.email_address import ADDRESS_LENGTH, addresses_in, is_address, to_ascii
from postbox.reader_text import clean_text, shows_something
from postbox.store.messages import Enquiry
from postbox.store.submissions import Submission

WRONG_ADDRESS = "Enter an email address in the correct format, like name@example.com"
OUT_OF_REACH = "We can’t send email to an address with such a letter before the @. Enter another, or leave this empty"
NO_WAY_BACK = "Enter a full phone number or email address"
ADDRESS_AS_NAME = "Enter a name instead of an email address or phone number: everyone can read it"


def length(text: str) -> int:
    """Return how long a browser says that ``text`` is: UTF-16 code units (HTML, 4.10.19.3)."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def check(fields: Mapping[str, str], site: Site) -> tuple[Submission, dict[str, str]]:
    """Return what was sent and the errors by field of the form, in its order; it may be kept only if there are none."""
    words, errors = {}, {}
    for name, declared in READER_FIELDS.items():
        text = clean_text(fields.get(declared.form_name, ""))
        words[name] = text = text.strip() if declared.rows else " ".join(text.split())
        if text or declared.is_required:
            errors[declared.form_name] = text_error(declared.noun, text, getattr(site, declared.limit))
    if looks_like_address(words["author"]):
        errors["name"] = errors["name"] or ADDRESS_AS_NAME
    typed = clean_text(fields.get("email", "")).strip() if site.notices else ""
    email = to_ascii(typed) or typed
    if email and not is_address(email):
        errors["email"] = OUT_OF_REACH if list(addresses_in(typed)) == [typed] else WRONG_ADDRESS
    article, reply_to = fields.get("article", ""), fields.get("reply_to") or None
    submission = Submission(article=article, reply_to=reply_to, email=email, **words)
    return submission, {field: error for field, error in errors.items() if error}


def form_values(words: Words) -> dict[str, str]:
    """Return the fields of a form that has these words in it."""
    return {READER_FIELDS[name].form_name: text for name, text in words.words.items()}


def check_enquiry(fields: Mapping[str, str], site: Site) -> tuple[Enquiry, dict[str, str]]:
    """Return what was typed into the contact form and the errors by field; it may be kept only if there are none."""
    name, contact = (" ".join(clean_text(fields.get(key, "")).split()) for key in ("name", "contact"))
    body = clean_text(fields.get("message", "")).strip()
    errors = {
        "name": text_error("Name", name, site.name_length),
        "contact": text_error("Phone number or email address", contact, ADDRESS_LENGTH),
        "message": text_error("Message", body, site.comment_length),
    }
    if not can_be_answered(contact):
        errors["contact"] = errors["contact"] or (WRONG_ADDRESS if "@" in contact else NO_WAY_BACK)
    enquiry = Enquiry(name=name, contact=contact, body=body)
    return enquiry, {field: error for field, error in errors.items() if error}


def text_error(noun: str, text: str, limit: int) -> str:
    """Return what is wrong with a text that is asked for, in words for its writer, or nothing."""
    if not shows_something(text):
        return f"Enter your {noun[0].lower()}{noun[1:]}"
    if length(text) > limit:
        return f"{noun} must be {limit:,} characters or fewer"
    if found := CONTROL.search(text):
        return f"{noun} has a character that cannot be shown (U+{ord(found[0]):04X}) after “{text[: found.start()][-20:]}”. Delete it"
    return ""
