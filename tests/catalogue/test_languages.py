"""The languages of Qwen-MT, and the many ways to write one."""

import pytest

from mtu_mcp.catalogue.languages import LANGUAGES, find_language, near_languages


def test_there_are_92_each_with_a_name_and_a_code_of_its_own() -> None:
    """Model Studio, Qwen-MT: 92 languages."""
    assert len(LANGUAGES) == 92
    assert len({language.name for language in LANGUAGES}) == len({language.code for language in LANGUAGES}) == 92
    assert {"zh", "zh_tw", "yue", "acq", "ceb"} <= {language.code for language in LANGUAGES}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("French", "fr"),
        ("french", "fr"),
        (" FR ", "fr"),
        ("fr-CA", "fr"),
        ("Français", "fr"),
        ("zh-CN", "zh"),
        ("Simplified Chinese", "zh"),
        ("中文", "zh"),
        ("zh_TW", "zh_tw"),
        ("zh-Hant", "zh_tw"),
        ("Norwegian", "nb"),
        ("norwegian bokmal", "nb"),
        ("Ta'izzi-Adeni Arabic", "acq"),
        ("日本語", "ja"),
    ],
)
def test_what_is_clear_is_understood(written: str, code: str) -> None:
    """Our promise: names and codes in any case, with and without accents, and the usual other names."""
    found = find_language(written)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    ("written", "near"), [("Frensh", "French"), ("Portugese", "Portuguese"), ("Japanes", "Japanese")]
)
def test_a_slip_is_answered_with_the_nearest(written: str, near: str) -> None:
    """Our promise: an error says what to write instead."""
    assert find_language(written) is None
    assert near_languages(written)[0] == near


@pytest.mark.parametrize("written", ["", "Klingon", "xx", "?" * 5000])
def test_what_is_none_is_none(written: str) -> None:
    """Our promise: nothing is guessed."""
    assert find_language(written) is None
