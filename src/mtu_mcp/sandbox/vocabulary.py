"""The few plain words the moderation route knows, in English and Chinese, by category.

A list of words is no judge: it misses what is meant and flags what is quoted. It is short and mild on purpose, so that
a test can be flagged without anybody having to read worse. Words are matched whole in English, anywhere in Chinese.
"""

import re
from collections.abc import Mapping
from typing import Final

CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""The thirteen categories of the API reference."""
OF_PICTURES: Final = frozenset(
    {"self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "violence", "violence/graphic"}
)
"""Those that are judged in pictures too."""

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "harassment": ("idiot|stupid fool|you are worthless|shut up", "你这个白痴|蠢货|废物"),
    "harassment/threatening": ("i will kill you|i will hurt you|i will find you", "我要杀了你|我要打死你|弄死你"),
    "hate": ("subhuman|inferior race", "劣等种族|低等民族"),
    "hate/threatening": ("exterminate them all", "把他们都灭绝"),
    "illicit": ("pick a lock|buy cocaine|forge a passport|launder money", "撬锁|买毒品|伪造护照|洗钱"),
    "illicit/violent": ("build a bomb|make a bomb", "制造炸弹|做炸弹"),
    "self-harm": ("cut myself|hurt myself|self-harm", "割腕|伤害自己|自残"),
    "self-harm/instructions": ("how to hurt myself", "如何自残|怎样自残"),
    "self-harm/intent": ("want to die|kill myself", "我想死|不想活了|自杀"),
    "sexual": ("pornographic|naked photos", "色情|裸照"),
    "sexual/minors": ("child pornography", "儿童色情"),
    "violence": ("kill|stab|murder|shoot him|build a bomb", "杀了|杀死|谋杀|捅死|炸弹"),
    "violence/graphic": ("blood everywhere|severed head", "血肉横飞|断头"),
}
_FIRST, _EACH = 0.82, 0.05


def scores_of(text: str) -> dict[str, float]:
    """A score between 0 and 1 for each category; 0 where no word of it is in the text."""
    return {category: _score(_PATTERNS[category], text) for category in CATEGORIES}


def _score(pattern: re.Pattern[str], text: str) -> float:
    found = len(pattern.findall(text))
    return min(0.99, _FIRST + _EACH * (found - 1)) if found else 0.0


def _pattern(english: str, chinese: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{english})\b|{chinese}", re.IGNORECASE)


_PATTERNS: Final = {category: _pattern(*words) for category, words in _WORDS.items()}
