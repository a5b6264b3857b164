"""What a reader may send: the fields of a form, their limits, and every refusal in words."""

from collections.abc import Mapping

from contract.comment import CONTROL
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
    """Return what was sent and the errors by field, in the order of the form; it may be kept only if there are none."""
    author, body = " ".join(fields.get("name", "").split()), fields.get("comment", "").strip()
    email = fields.get("email", "").strip() if site.notices else ""
    submission = Submission(
        article=fields.get("article", ""),
        reply_to=fields.get("reply_to") or None,
        author=author,
        body=body,
        email=email,
    )
    errors = {
        "name": _error("Enter your name", "Name", author, site.name_length),
        "comment": _error("Enter your comment", "Comment", body, site.comment_length),
        "email": "" if not email or is_address(email) else WRONG_ADDRESS,
    }
    return submission, {field: error for field, error in errors.items() if error}


def check_enquiry(fields: Mapping[str, str], site: Site) -> tuple[Enquiry, dict[str, str]]:
    """Return what was typed into the contact form and the errors by field; it may be kept only if there are none."""
    name, contact = (" ".join(fields.get(key, "").split()) for key in ("name", "contact"))
    body = fields.get("message", "").strip()
    digits = sum(character.isdigit() for character in contact)
    errors = {
        "name": _error("Enter your name", "Name", name, site.name_length),
        "contact": _error("Enter your phone number or email address", "Phone or email", contact, ADDRESS_LENGTH),
        "message": _error("Enter your message", "Message", body, site.comment_length),
    }
    if "@" in contact and not is_address(contact):
        errors["contact"] = errors["contact"] or WRONG_ADDRESS
    elif "@" not in contact and digits < MIN_DIGITS:
        errors["contact"] = errors["contact"] or "Enter a whole phone number, like 020 7946 0000, or an email address"
    enquiry = Enquiry(name=name, contact=contact, body=body)
    return enquiry, {field: error for field, error in errors.items() if error}


def _error(empty: str, label: str, text: str, limit: int) -> str:
    if not text:
        return empty
    if length(text) > limit:
        return f"{label} must be {limit:,} characters or fewer"
    if found := CONTROL.search(text):
        return f"{label} has a character that cannot be shown (U+{ord(found[0]):04X}) after “{text[: found.start()][-20:]}”. Delete it"
    return ""
