"""Validation of what is typed into a form: limits, and every error in words."""

from collections.abc import Mapping

from contract.comment import CONTROL, READER_FIELDS, Words
from contract.manifest import Site
from postbox.email_address import ADDRESS_LENGTH, is_address
from postbox.store.messages import Enquiry
from postbox.store.submissions import Submission

MIN_DIGITS = 6  # of a telephone number
WRONG_ADDRESS = "Enter an email address in the correct format, like name@example.com"


def length(text: str) -> int:
    """Return how long a browser says that ``text`` is: UTF-16 code units (HTML, 4.10.19.3)."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def check(fields: Mapping[str, str], site: Site) -> tuple[Submission, dict[str, str]]:
    """Return what was sent and the errors by field of the form, in its order; it may be kept only if there are none."""
    words, errors = {}, {}
    for name, declared in READER_FIELDS.items():
        text = fields.get(declared.form_name, "")
        words[name] = text = text.strip() if declared.rows else " ".join(text.split())
        if text or declared.is_required:
            errors[declared.form_name] = text_error(declared.noun, text, getattr(site, declared.limit))
    email = fields.get("email", "").strip() if site.notices else ""
    errors["email"] = WRONG_ADDRESS if email and not is_address(email) else ""
    article, reply_to = fields.get("article", ""), fields.get("reply_to") or None
    submission = Submission(article=article, reply_to=reply_to, email=email, **words)
    return submission, {field: error for field, error in errors.items() if error}


def form_values(words: Words) -> dict[str, str]:
    """Return the fields of a form that has these words in it."""
    return {READER_FIELDS[name].form_name: text for name, text in words.words.items()}


def check_enquiry(fields: Mapping[str, str], site: Site) -> tuple[Enquiry, dict[str, str]]:
    """Return what was typed into the contact form and the errors by field; it may be kept only if there are none."""
    name, contact = (" ".join(fields.get(key, "").split()) for key in ("name", "contact"))
    body = fields.get("message", "").strip()
    digits = sum(character.isdigit() for character in contact)
    errors = {
        "name": text_error("Name", name, site.name_length),
        "contact": text_error("Phone number or email address", contact, ADDRESS_LENGTH),
        "message": text_error("Message", body, site.comment_length),
    }
    if "@" in contact and not is_address(contact):
        errors["contact"] = errors["contact"] or WRONG_ADDRESS
    elif "@" not in contact and digits < MIN_DIGITS:
        errors["contact"] = errors["contact"] or "Enter a whole phone number, like 020 7946 0000, or an email address"
    enquiry = Enquiry(name=name, contact=contact, body=body)
    return enquiry, {field: error for field, error in errors.items() if error}


def text_error(noun: str, text: str, limit: int) -> str:
    """Return what is wrong with a text that is asked for, in words for its writer, or nothing."""
    if not text:
        return f"Enter your {noun[0].lower()}{noun[1:]}"
    if length(text) > limit:
        return f"{noun} must be {limit:,} characters or fewer"
    if found := CONTROL.search(text):
        return f"{noun} has a character that cannot be shown (U+{ord(found[0]):04X}) after “{text[: found.start()][-20:]}”. Delete it"
    return ""
