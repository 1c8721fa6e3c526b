"""Languages that Qwen-MT translates between: 92, each by its English name and its code (Model Studio, 2026-01).

People and models write a language in many ways: `French`, `fr`, `FR`, `zh-CN`, `Simplified Chinese`, `Francais`. What is
clear is understood; what is not is answered with the nearest names. The first Qwen-MT models of early 2025 knew only 26 of them.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LISTED: Final = """
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
_OTHER_NAMES: Final = """
zh Simplified Chinese, zh Mandarin, zh zh-CN, zh zh-Hans, zh 中文, zh 简体中文, zh 汉语, zh_tw zh-Hant, zh_tw zh-HK, zh_tw 繁體中文, zh_tw 繁体中文,
en 英语, en 英文, en en-US, en en-GB, ja 日语, ja 日本語, ja 日文, ko 韩语, ko 한국어, fr 法语, fr français, de 德语, de Deutsch,
es 西班牙语, es español, es Castilian, ru 俄语, ru русский, pt 葡萄牙语, pt português, pt pt-BR, it italiano, ar 阿拉伯语, th 泰语, vi 越南语,
yue 粤语, nb Norwegian, nb no, nb Bokmål, nn Nynorsk, fa Persian, fa Farsi, az Azerbaijani, uz Uzbek, sq Albanian, tl Filipino, my Myanmar,
ms Bahasa Melayu, id Bahasa Indonesia, he iw, or Oriya, km Cambodian, el Modern Greek, ca Valencian, ar Standard Arabic, arz Egyptian
"""


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its English name, as a request spells it, and its code."""

    name: str
    code: str


def _read() -> tuple[Language, ...]:
    rows = (row.strip().rpartition(" ") for row in _LISTED.replace("\n", " ").split(","))
    return tuple(Language(name, code) for name, _, code in rows)


LANGUAGES: Final = _read()


def _folded(text: str) -> str:
    """The letters of a name, without case, accents, blanks and marks."""
    parts = unicodedata.normalize("NFKD", text[:80]).casefold()
    return "".join(letter for letter in parts if letter.isalnum())


def _index() -> Mapping[str, Language]:
    by_code = {language.code: language for language in LANGUAGES}
    found = {_folded(word): language for language in LANGUAGES for word in (language.name, language.code)}
    for row in _OTHER_NAMES.replace("\n", " ").split(","):
        code, _, name = row.strip().partition(" ")
        found.setdefault(_folded(name), by_code[code])
    return found


_INDEX: Final = _index()


def find_language(text: str) -> Language | None:
    """The language of that name or code; regions are ignored where the language is not split by them (`fr-CA`)."""
    folded = _folded(text)
    found = _INDEX.get(folded)
    if found is None and len(head := text.strip().replace("_", "-").partition("-")[0]) in (2, 3):
        found = _INDEX.get(_folded(head))
    return found


def near_languages(text: str) -> tuple[str, ...]:
    """At most three names most like it, best first."""
    import difflib

    near = difflib.get_close_matches(_folded(text), list(_INDEX), n=6, cutoff=0.6)
    return tuple(dict.fromkeys(_INDEX[folded].name for folded in near))[:3]
