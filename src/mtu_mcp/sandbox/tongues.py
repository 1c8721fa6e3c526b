"""Languages of Qwen-MT and a pocket dictionary, from which translations are made that nobody could take for a model's.

Words the dictionary has are replaced; a line that holds others is marked, in the target's own script. Terms and the
translation memory of a request are honoured to the letter, for those are what a client has to get right.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_LISTED = """
English en, Chinese zh, Traditional Chinese zh_tw, Russian ru, Japanese ja, Korean ko, Spanish es, French fr,
Portuguese pt, German de, Italian it, Thai th, Vietnamese vi, Indonesian id, Malay ms, Arabic ar, Hindi hi, Hebrew
he, Burmese my, Tamil ta, Urdu ur, Bengali bn, Polish pl, Dutch nl, Romanian ro, Turkish tr, Khmer km, Lao lo,
Cantonese yue, Czech cs, Greek el, Swedish sv, Hungarian hu, Danish da, Finnish fi, Ukrainian uk, Bulgarian bg,
Serbian sr, Telugu te, Afrikaans af, Armenian hy, Assamese as, Asturian ast, Basque eu, Belarusian be, Bosnian bs,
Catalan ca, Cebuano ceb, Croatian hr, Egyptian Arabic arz, Estonian et, Galician gl, Georgian ka, Gujarati gu,
Icelandic is, Javanese jv, Kannada kn, Kazakh kk, Latvian lv, Lithuanian lt, Luxembourgish lb, Macedonian mk,
Maithili mai, Maltese mt, Marathi mr, Mesopotamian Arabic acm, Moroccan Arabic ary, Najdi Arabic ars, Nepali ne,
North Azerbaijani az, North Levantine Arabic apc, Northern Uzbek uz, Norwegian Bokmål nb, Norwegian Nynorsk nn,
Occitan oc, Odia or, Pangasinan pag, Sicilian scn, Sindhi sd, Sinhala si, Slovak sk, Slovenian sl, South Levantine
Arabic ajp, Swahili sw, Tagalog tl, Ta'izzi-Adeni Arabic acq, Tosk Albanian sq, Tunisian Arabic aeb, Venetian vec,
Waray war, Welsh cy, Western Persian fa
"""
_ORDER = ("en", "zh", "fr", "de", "es", "ja", "ru")
_WORDS = """
good morning|早上好|bonjour|guten Morgen|buenos días|おはよう|доброе утро
good night|晚安|bonne nuit|gute Nacht|buenas noches|おやすみ|спокойной ночи
thank you|谢谢|merci|danke|gracias|ありがとう|спасибо
hello|你好|bonjour|hallo|hola|こんにちは|привет
goodbye|再见|au revoir|auf Wiedersehen|adiós|さようなら|до свидания
please|请|s'il vous plaît|bitte|por favor|ください|пожалуйста
yes|是|oui|ja|sí|はい|да
no|不|non|nein|no|いいえ|нет
and|和|et|und|y|と|и
the|这|le|der|el|その|этот
a|一个|un|ein|un|一つの|один
is|是|est|ist|es|です|есть
world|世界|monde|Welt|mundo|世界|мир
friend|朋友|ami|Freund|amigo|友達|друг
library|图书馆|bibliothèque|Bibliothek|biblioteca|図書館|библиотека
book|书|livre|Buch|libro|本|книга
house|房子|maison|Haus|casa|家|дом
water|水|eau|Wasser|agua|水|вода
tea|茶|thé|Tee|té|お茶|чай
cat|猫|chat|Katze|gato|猫|кошка
dog|狗|chien|Hund|perro|犬|собака
day|天|jour|Tag|día|日|день
time|时间|temps|Zeit|tiempo|時間|время
today|今天|aujourd'hui|heute|hoy|今日|сегодня
tomorrow|明天|demain|morgen|mañana|明日|завтра
welcome|欢迎|bienvenue|willkommen|bienvenido|ようこそ|добро пожаловать
name|名字|nom|Name|nombre|名前|имя
city|城市|ville|Stadt|ciudad|都市|город
beautiful|美丽|beau|schön|hermoso|美しい|красивый
new|新|nouveau|neu|nuevo|新しい|новый
open|打开|ouvrir|öffnen|abrir|開く|открыть
file|文件|fichier|Datei|archivo|ファイル|файл
one|一|un|eins|uno|一|один
two|二|deux|zwei|dos|二|два
three|三|trois|drei|tres|三|три
"""
_MARKS = {
    "zh": "【译】",
    "zh_tw": "【譯】",
    "yue": "【譯】",
    "ja": "【訳文】",
    "ko": "【번역】",
    "ru": "[перевод]",
    "uk": "[переклад]",
    "bg": "[превод]",
    "ar": "[ترجمة]",
    "he": "[תרגום]",
    "th": "[คำแปล]",
    "hi": "[अनुवाद]",
    "el": "[μετάφραση]",
}
_KEEP = r"⟦\d+⟧"

Pairs = Sequence[tuple[str, str]]


def _read_names() -> dict[str, str]:
    rows = (row.strip().rpartition(" ") for row in _LISTED.replace("\n", " ").split(","))
    return {word.casefold(): code for name, _, code in rows for word in (name, code)}


CODES: Mapping[str, str] = _read_names()
"""Name or code, in lower case, to code."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to translate into: a code of `CODES`, the terms and the remembered sentences as pairs."""

    target: str
    terms: Pairs = ()
    memory: Pairs = ()


def translate(text: str, task: Task) -> str:
    """Translate line by line, so that lines stay lines."""
    return "\n".join(_line(line, task) for line in text.split("\n"))


def _line(line: str, task: Task) -> str:
    bare = line.strip()
    if not any(letter.isalpha() for letter in bare):
        return line
    if known := dict(task.memory).get(bare):
        return line.replace(bare, known)
    indent = line[: len(line) - len(line.lstrip())]
    said, missed = _replaced(bare, task)
    return indent + (f"{mark_of(task.target)} {said}" if missed else said)


def mark_of(target: str) -> str:
    """What stands before a line with words that could not be translated."""
    return _MARKS.get(target, f"[{target}]")


def _replaced(text: str, task: Task) -> tuple[str, bool]:
    terms = {source.casefold(): target for source, target in task.terms}
    words = _table(task.target)
    pattern = _pattern(tuple(terms), tuple(words))
    missed = False

    def change(found: re.Match[str]) -> str:
        nonlocal missed
        word = found[0]
        if re.fullmatch(_KEEP, word):
            return word
        if (term := terms.get(word.casefold())) is not None:
            return term
        if (known := words.get(word.casefold())) is not None:
            return known[0].upper() + known[1:] if word[0].isupper() else known
        missed = True
        return word

    said = pattern.sub(change, text)
    return said, missed


def _pattern(terms: Iterable[str], words: Iterable[str]) -> re.Pattern[str]:
    """Placeholders, then terms, then known words, then any other word; the longest first."""
    known = [*sorted(terms, key=len, reverse=True), *sorted(words, key=len, reverse=True)]
    parts = [rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])" if word.isascii() else re.escape(word) for word in known]
    return re.compile("|".join([_KEEP, *parts, r"[^\W\d_]+?(?=[^\x00-\u024f]|[^\w]|\d|$)"]), re.IGNORECASE)


@lru_cache(maxsize=16)
def _table(target: str) -> Mapping[str, str]:
    """Every word of every other language to its word in the target; empty for targets the dictionary lacks."""
    if target not in _ORDER:
        return {}
    table: dict[str, str] = {}
    for row in _WORDS.strip().splitlines():
        words = row.split("|")
        goal = words[_ORDER.index(target)]
        for word in words:
            table.setdefault(word.casefold(), goal)
    return table


_ASKED = re.compile(
    r"translat\w*[^\n]{0,120}?\b(?:in)?to\s+([A-Z][\w'’ -]*?)(?:\s*[.:：,;]|\s+and\b|\n|$)", re.IGNORECASE
)
_TERM = re.compile(r"^- (.+?) (?:→|->|=>) (.+)$", re.MULTILINE)


def read_prompt(instructions: str, question: str) -> str | None:
    """Translate what a prompt in words asks to translate; None when it asks for no translation.

    The instructions may stand in a message of their own, or before a colon in front of the text.
    """
    asked = _ASKED.search(instructions)
    text = question
    if asked is None and (asked := _ASKED.match(question.lstrip().removeprefix("Please ").lstrip())):
        _, colon, text = question.partition(":")
        if not colon or not text.strip():
            return None
    target = CODES.get(asked[1].strip().casefold()) if asked else None
    if target is None:
        return None
    terms = [(found[1], found[2]) for found in _TERM.finditer(instructions)]
    return translate(text.strip("\n") if instructions and text is question else text.strip(), Task(target, terms))
