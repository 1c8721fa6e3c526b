"""Languages whisper-1 is documented to support: ISO-639-1 code to the name `verbose_json` answers with."""

import re
from collections.abc import Mapping

_LISTED = """
af afrikaans, ar arabic, az azerbaijani, be belarusian, bg bulgarian, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german,
el greek, en english, es spanish, et estonian, fa persian, fi finnish, fr french, gl galician, he hebrew, hi hindi, hr croatian,
hu hungarian, hy armenian, id indonesian, is icelandic, it italian, ja japanese, kk kazakh, kn kannada, ko korean, lt lithuanian,
lv latvian, mi maori, mk macedonian, mr marathi, ms malay, ne nepali, nl dutch, no norwegian, pl polish, pt portuguese, ro romanian,
ru russian, sk slovak, sl slovenian, sr serbian, sv swedish, sw swahili, ta tamil, th thai, tl tagalog, tr turkish, uk ukrainian,
ur urdu, vi vietnamese, yue cantonese, zh chinese
"""

LANGUAGES: Mapping[str, str] = {found[1]: found[2] for found in re.finditer(r"([a-z]+) ([a-z]+)", _LISTED)}
