"""Names that can be mistaken for the author's: by their look, their words or their claim, and the names of others, which pass."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postbox.public.impersonation import claims_a_role, looks_like, skeleton


@pytest.mark.parametrize("name", [
    "David", "DAVID", "David.", "«David»", "David ✓", "David 🦶", "David👑", "Dávid", "Davîd✓", "Đavid", "Ɗavid", "Davıd",
    "D a v i d", "D.a.v.i.d.", "D-A-V-I-D", "Ｄ ａ ｖ ｉ ｄ", "Ｄａｖｉｄ", "𝐃𝐚𝐯𝐢𝐝", "Ⓓavid", "🅳🅰🆅🅸🅳", "🇩🇦🇻🇮🇩", "ᴅᴀᴠɪᴅ",
    "Dаvіd", "Dаѵid", "Dανιd", "DΑVID", "Ꭰavid", "ꓓavid", "ᗪavid",  # Cyrillic, Greek, Cherokee, Lisu, Canadian letters
    "Davᴉd", "Dɐvid", "Davld", "DAVlD", "Dav|d", "Dav1d", "D4v1d", "d@vid", "Dav!d", "David2", "David1985", "Dav1d!",
    "\u202eDavid", "\u202edivaD\u202c", "Da\u202eiv\u202cd", "Da\u200bvid", "Da\u200cvid", "David\ufe0f", "David\u3164",
    "Da\u034fvid", "David\U000e0041", "Da\u00advid",
    "David (author)", "David T.", "Coach David", "The real David", "TheRealDavid", "DavidAuthor", "david_author", "David’s team",
])  # fmt: skip
def test_a_name_that_looks_like_the_authors_is_told(name: str) -> None:
    assert looks_like(name, "David")


@pytest.mark.parametrize("name", [
    "Davidson", "Davina", "Dave", "Davide", "Davy", "Dawid", "Devi", "Vida", "Di", "Tom", "A", "Д", "דוד", "नमस्ते‌जी", "李", "🦶", "…", "",
])  # fmt: skip
def test_another_name_is_another(name: str) -> None:
    assert not looks_like(name, "David")


@pytest.mark.parametrize(("name", "own", "expected"), [
    ("David", "David Brown", True),
    ("David B", "David Brown", True),
    ("David Green", "David Brown", False),
    ("Isabel", "Abel", False),
    ("Adrnin", "Admin", True),
    ("fromthegroundup", "From the ground up", True),
    ("Ground", "From the ground up", False),
    ("Tom", "", False),
    ("…", "…", False),
])  # fmt: skip
def test_a_first_name_is_enough_and_a_part_of_a_word_is_not(name: str, own: str, expected: bool) -> None:
    assert looks_like(name, own) is expected


@pytest.mark.parametrize(("name", "language"), [
    ("Author", "en-GB"), ("The author", "en-GB"), ("AUTHOR.", "en"), ("4uth0r", "en"), ("Ａｕｔｈｏｒ", "en"), ("ᴬᵘᵗʰᵒʳ", "en"), ("Аuthоr", "en"), ("ΑUΤΗΟR", "en"), ("МОDЕRАТОR", "en"),
    ("Owner ✔️ 👑", "en"), ("site owner", "en"), ("admin", "en"), ("Adm1n", "en"), ("SiteAdmin", "en"), ("moderator", "en"),
    ("Die Autorin", "de"), ("Propriétaire", "fr-FR"), ("Dueño", "es"), ("L’autrice", "it"), ("Beheerder", "nl-BE"),
    ("Admin", "de"), ("The author", "cy"),
])  # fmt: skip
def test_a_name_that_claims_a_part_in_the_site_is_told(name: str, language: str) -> None:
    assert claims_a_role(name, language)


@pytest.mark.parametrize("name", [
    "Arthur", "Audrey", "Theo", "Thea", "Ed", "Editha", "Owen", "Authority", "Real Madrid fan", "Official", "Autor",
    "",
])  # fmt: skip
def test_a_name_that_claims_nothing_passes(name: str) -> None:
    assert not claims_a_role(name, "en")


@settings(deadline=None)
@given(st.lists(st.characters(categories=["Cf", "Cc", "Mn"]), min_size=6, max_size=6))
def test_nothing_unseen_between_the_letters_tells_two_names_apart(between: list[str]) -> None:
    assert skeleton("".join(map("".join, zip(between, " David", strict=True)))) == skeleton("David")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_whatever_is_typed_looks_like_itself_in_any_case(name: str) -> None:
    assert looks_like(name, name) is bool(skeleton(name))
    assert skeleton(skeleton(name)) == skeleton(name)
