"""Facts of a site, as the build hands them over."""

from dataclasses import MISSING, fields
from typing import Any

from contract.manifest import Site


def a_site(**facts: Any) -> Site:
    """Return a site with whatever is interesting about it; the rest is unset."""
    unset: dict[str, Any] = {f.name: "" for f in fields(Site) if f.default is MISSING and f.default_factory is MISSING}
    limits = {"name_length": 80, "comment_length": 4000, "notices": True, "is_preview": False, "headers": {}}
    limits |= dict.fromkeys(("keep_address_days", "keep_rejected_days", "keep_message_days", "keep_backup_days"), 30)
    return Site(**unset | limits | facts)
