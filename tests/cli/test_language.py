"""Which language a terminal speaks, in which encoding, and how wide its words are: pure rules, tried for every system."""

import io

import pytest

from mtu_mcp.cli._console import decoded, encoding_for, set_up
from mtu_mcp.cli._language import first_of_list, language
from mtu_mcp.columns import cut, padded, width, wrapped


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh-Hans-CN"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_CN.GBK"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, "zh"),
        ({"LANG": "C", "LANGUAGE": "zh_CN"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8", "LANGUAGE": "zh_CN"}, "en"),
        ({"LANG": "POSIX"}, "en"),
        ({"LANGUAGE": "zh_CN"}, "zh"),
    ],
)
def test_the_locale_decides_in_gettexts_order(environ: dict[str, str], wanted: str) -> None:
    """GNU gettext manual, "Locale Environment Variables" and "Specifying a Priority List of Languages"."""
    assert language(environ, system=lambda: "zh_CN" if wanted == "en" else "en_US") == wanted


@pytest.mark.parametrize(
    ("system", "wanted"), [("zh_CN", "zh"), ("zh-Hans-CN", "zh"), ("zh_TW", "zh"), ("en_US", "en"), ("ja_JP", "en"), ("", "en")]
)  # fmt: skip
def test_without_variables_it_is_the_language_of_the_systems_menus(system: str, wanted: str) -> None:
    """Our promise: Windows and programs started from macOS's Finder have no such variables."""
    assert language({}, system=lambda: system) == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ('(\n    "zh-Hans-CN",\n    "en-CN"\n)\n', "zh-Hans-CN"),
        ("(\n    en,\n    zh\n)\n", "en"),
        ("(\n)\n", ""),
        ("", ""),
    ],
)
def test_what_macos_says_of_its_languages_is_read(said: str, wanted: str) -> None:
    """Apple's `defaults read -g AppleLanguages`: a property list in its old form."""
    assert first_of_list(said) == wanted


@pytest.mark.parametrize(
    ("current", "terminal", "wanted"),
    [
        ("ascii", False, "utf-8"),
        ("ANSI_X3.4-1968", True, "utf-8"),
        ("cp936", False, "utf-8"),
        ("cp936", True, "gbk"),
        ("GB18030", True, "gb18030"),
        ("cp950", True, "cp950"),
        ("cp437", True, "utf-8"),
        ("cp1252", False, "utf-8"),
        ("utf-8", True, "utf-8"),
        ("no-such-encoding", True, "utf-8"),
    ],
)
def test_all_is_written_in_utf_8_but_to_a_terminal_of_another_chinese(
    current: str, terminal: bool, wanted: str
) -> None:
    """Our promise: UTF-8 on every platform; a terminal set up for GBK would show it as rubbish."""
    assert encoding_for(current, terminal=terminal) == wanted


def test_a_stream_of_a_code_page_takes_any_character() -> None:
    """Our promise: no UnicodeEncodeError, not even for half a surrogate pair from a broken file name."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp437")
    set_up(stream, None)
    stream.write("中文 ✓ \udce4")
    stream.flush()
    assert raw.getvalue().decode("utf-8") == "中文 ✓ ?"


@pytest.mark.parametrize(
    ("data", "system"),
    [
        ("你好".encode(), "cp1252"),
        ("你好".encode("utf-8-sig"), "cp936"),
        ("你好".encode("utf-16"), "utf-8"),
        (b"\xfe\xff" + "你好".encode("utf-16-be"), "utf-8"),
        ("你好".encode("gbk"), "cp936"),
        ("你好".encode("big5"), "cp950"),
    ],
)
def test_text_of_a_windows_editor_is_read(data: bytes, system: str) -> None:
    """Notepad saves as UTF-8 with or without a mark, UTF-16, or in the system's code page."""
    assert decoded(data, system) == "你好"


@pytest.mark.parametrize(("data", "system"), [(b"\x89PNG\r\n\x1a\n\xff", "utf-8"), ("ü".encode("cp1252"), "cp1252")])
def test_what_is_no_text_is_not_guessed_at(data: bytes, system: str) -> None:
    """Our promise: a picture given for a text is a clear error."""
    with pytest.raises(UnicodeDecodeError):
        decoded(data, system)


def test_chinese_takes_two_columns() -> None:
    """Unicode Standard Annex 11: wide and full-width characters take two, combining ones none."""
    assert [width(text) for text in ("", "abc", "中文", "（", "é", "e\u0301", "a\u200bb", "한", "ｱ")] == [
        0,
        3,
        4,
        2,
        1,
        1,
        2,
        2,
        1,
    ]
    assert padded("中文", 6) == "中文  "
    assert padded("中文", 3) == "中文"
    assert cut("中文字", 5) == "中文"


@pytest.mark.parametrize("columns", range(8, 80))
def test_lines_are_never_wider_and_hold_all_that_was_there(columns: int) -> None:
    """CLREQ (W3C), 3.1.3: no closing punctuation at the beginning of a line, no opening bracket at its end."""
    text = "检查密钥（key）、地址和代理：MTU_TIMEOUT 必须大于 0 秒，“而不是” `x`。See the README, it lists them."
    lines = wrapped(text, columns)
    assert all(width(line) <= max(columns, len("MTU_TIMEOUT")) for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line[0] in "，。：、）”" for line in lines)
    assert not any(line[-1] in "（“" for line in lines)
    assert all(line == line.strip() for line in lines)


def test_english_is_broken_at_spaces_alone() -> None:
    """Our promise: a command can be copied from help."""
    assert wrapped("use  --dry-run\nor not", 9) == ["use", "--dry-run", "or not"]
    assert wrapped("", 10) == []
