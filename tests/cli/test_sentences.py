"""The sentences in Chinese, held against the code: none missing, none left over, the same values in the same places."""

import argparse
import re
from pathlib import Path

import pytest

from mtu_mcp.cli._language import catalogue
from mtu_mcp.cli._sentences import Sentences, entries
from mtu_mcp.gateway import all_operations
from sentences import PLACE, SOURCES, asked, folded, sentences, strings

MESSAGES = dict(entries((SOURCES / "cli" / "zh_CN.po").read_text(encoding="utf-8")))
FOLDED = {folded(message) for message in MESSAGES}
SPOKEN = [
    *sorted((SOURCES / "cli").glob("*.py")),
    *sorted((SOURCES / "checkup").glob("*.py")),
    SOURCES / "money" / "report.py",
]
"""Files all of whose sentences are read by a person at a terminal."""
RAISING = [
    SOURCES / name
    for name in (
        "settings.py",
        "admission.py",
        "gateway/keys.py",
        "gateway/connections.py",
        "gateway/failures.py",
        "records/failures.py",
        "server/auth.py",
        "server/http.py",
    )
]
"""Files whose errors reach a terminal, through the doctor or the start of a command."""
OTHERS = [
    *sorted((SOURCES / "gateway").glob("*.py")),
    *(
        SOURCES / name
        for name in (
            "records/ledger.py",
            "capabilities/_approval.py",
            "capabilities/_attachments.py",
            "capabilities/operations.py",
        )
    ),
]
"""Files of which only some errors do, or questions, or words of what goes on."""
NOT_WORDS = {
    "\\d of \\d",
    "bold red",
    "{} is not in the package",
}
"""Styles and assertions."""
COMMANDS = {
    "mtu-mcp install {}",
    "mtu-mcp install claude-desktop",
    "  mtu-mcp install claude-desktop --key sk-your-key",
    "sudo timedatectl set-ntp true",
    "sudo sntp -sS time.apple.com",
}
FOR_PROGRAMS = {
    "mtu-mcp: listening on http://{}/{}",
    "mtu-mcp: for people, in a browser: http://{}/ui/",
    "Key of the Mtu API",
    "the value of {}",
}
"""A log, what Visual Studio Code asks, and what is printed into a file of settings."""
PREFIX = re.compile(r"mtu-mcp( \w+)?:[{} ]+")
"""What stands before a sentence that is looked up on its own."""
NEVER_AT_A_TERMINAL = {
    "A turn was not kept, because it is not JSON: {}.",
    "Keep text, numbers, lists and objects only; sound and pictures by reference.",
    "The conversation {} in {} holds a turn that cannot be read.",
    "Delete that conversation, or restore the file from a backup.",
    "The database {} is closed, because the server is stopping.",
    "Start it again.",
    "has expired",
    "not yet valid",
    "ostname mismatch",
    "IP address mismatch",
    "record layer failure",
}
"""Errors of other calls than a terminal's, and words by which the libraries' errors are told apart."""
PARTS = {
    "The gateway's certificate is not trusted{}.",
    "This gateway does not offer {} (it answered {}{}).",
    " (it answered {})",
}
"""Put together in the code; the test of what a gateway answers tries the whole."""
WHOLES = {
    "{name} with {model} may cost up to about CNY {cny}. You want to be asked above CNY {limit}. Go on?",
    "{name} with {model} may cost up to about CNY {cny}, at an assumed price. You want to be asked above CNY {limit}. Go on?",
    "{number} days",
    "{number} characters",
    "1 character",
    "{number} hours",
    "{number} minutes",
    "The gateway's certificate is not trusted ({detail}).",
    "The gateway's certificate is not trusted.",
    "{sentence} (it answered {status})",
    "This gateway does not offer {endpoint} (it answered {status}).",
    "This gateway does not offer {endpoint} (it answered {status} with {page}).",
    "Set {variable} to another file (or to :memory: to keep nothing) and restart the host.",
    "It was removed by OpenAI on {day}, a gateway may still serve it.",
}
"""What comes of parts."""


def own_words(path: Path) -> set[str]:
    exempt = NOT_WORDS | COMMANDS | FOR_PROGRAMS | NEVER_AT_A_TERMINAL | PARTS
    return {text for text in sentences(path) if text not in exempt and not PREFIX.fullmatch(text)}


@pytest.mark.parametrize("path", SPOKEN + RAISING, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_sentence_has_its_chinese(path: Path) -> None:
    """Our promise: what a terminal shows speaks Chinese where the locale does."""
    assert [text for text in asked(path) if text not in MESSAGES] == []
    assert [text for text in own_words(path) if folded(text) not in FOLDED] == []


def test_no_chinese_is_left_over_from_a_sentence_that_is_gone() -> None:
    """A catalogue that keeps what nobody says misleads whoever mends it."""
    code = {folded(text) for path in SPOKEN + RAISING + OTHERS for text in strings(path)}
    code |= {folded(text) for text in strings(Path(argparse.__file__))}
    code |= {operation.instead for operation in all_operations().values()}
    assert [message for message in MESSAGES if folded(message) not in code and message not in WHOLES] == []


@pytest.mark.parametrize("message", MESSAGES)
def test_the_chinese_has_the_same_values_and_the_same_commands(message: str) -> None:
    """GNU gettext manual, "Preparing Translatable Strings": what is put in must have its place in every language."""
    chinese = MESSAGES[message]
    assert sorted(PLACE.findall(message)) == sorted(PLACE.findall(chinese))
    code = r"--[a-z-]+|\bMTU_[A-Z_]+|\bSSL_[A-Z_]+|`[^`]+`|\bmtu-mcp [a-z]+(?= )"
    assert sorted(re.findall(code, message)) == sorted(re.findall(code, chinese))
    assert message.endswith("\n") == chinese.endswith("\n")
    assert len(message) - len(message.lstrip()) == len(chinese) - len(chinese.lstrip())


def test_every_sentence_in_the_catalogue_is_there_once_and_has_its_chinese() -> None:
    """The GNU gettext manual, "The Format of PO Files": a message is defined once."""
    text = (SOURCES / "cli" / "zh_CN.po").read_text(encoding="utf-8")
    assert text.count("\nmsgid ") == text.count("\nmsgstr ") == len(MESSAGES) + 1


def chinese() -> Sentences:
    known = catalogue("zh")
    assert known is not None
    return known


LOOKED_UP = {text for path in SPOKEN for text in asked(path)}
FINISHED = [one for one in MESSAGES if re.search(r"\{\w+\}", one) and one not in LOOKED_UP and "{{" not in one]


@pytest.mark.parametrize("message", FINISHED)
def test_a_finished_sentence_is_recognised_and_its_values_are_kept(message: str) -> None:
    """Our promise: the checks and errors stay English where models read them, and are Chinese at a terminal."""
    names = [place[1:-1] for place in PLACE.findall(message)]
    inner = {
        "sentence": "The gateway failed",
        "name": "MTU_TIMEOUT",
        "problem": "must be more than 0 seconds",
        "trouble": "The gateway failed",
    }
    shown = {"sentence": "网关出错", "name": "MTU_TIMEOUT", "problem": "必须大于 0 秒", "trouble": "网关出错"}
    values = {name: inner.get(name, f"<{name} 值>") for name in names}
    wanted = MESSAGES[message].format(**{name: shown.get(name, values[name]) for name in names})
    assert chinese().told(message.format(**values)) == wanted


@pytest.mark.parametrize(
    ("english", "wanted"),
    [
        ("There is no key for the gateway.", "没有网关的密钥。"),
        ("MTU_X must be an absolute path, not 'a': hosts start servers in any folder.", "MTU_X 必须是绝对路径，而不是 'a'：主机可能在任何文件夹中启动服务器。"),
        ("/a: models that nobody knows.", "/a: models that nobody knows."),
        ("MTU_TIMEOUT must be more than 0 seconds. MTU_PORT is no setting and is not read.", "MTU_TIMEOUT 必须大于 0 秒。MTU_PORT 不是设置项，不会被读取。"),
        ("No connection to the gateway: nothing listens at the proxy 127.0.0.1:9.", "无法连接网关：代理 127.0.0.1:9 没有程序在监听。"),
        ('The gateway failed (it answered 500): "It broke: twice. Really".', '网关出错（返回 500）："It broke: twice. Really"。'),
        ("It did not answer within 30 s. Traceback (most recent call last)", "它在 30 秒内没有响应。Traceback (most recent call last)"),
        ("Nobody has heard of this sentence. Nor of this one.", "Nobody has heard of this sentence. Nor of this one."),
        ("/a folder/with. Dots/该文件 cannot be written: No space left on device.", "无法写入 /a folder/with. Dots/该文件：No space left on device。"),
    ],
)  # fmt: skip
def test_sentences_are_told_apart_and_what_is_not_ours_is_left(english: str, wanted: str) -> None:
    """Our promise: a gateway's own words are quoted as they are."""
    assert chinese().told(english) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "It did not answer within 30 s. " + "Some words: and more (here). " * 140,
        "a: b (c) {d} " * 300,
        "is not there (" * 280,
        'The gateway failed: "' + "x y. " * 700 + '".',
        "{}: " * 1000 + ".",
        "a. b: c. " * 440,
    ],
    ids=lambda text: text[:20],
)
def test_a_text_that_was_made_to_be_slow_is_told_all_the_same(text: str) -> None:
    """CWE-1333: what a gateway or a child process says is matched against hundreds of sentences; no pattern backtracks."""
    told = chinese().told(text)
    assert told.count("b") == text.count("b")
    assert told[-40:].rstrip("。.") == text[-40:].rstrip("。.")
