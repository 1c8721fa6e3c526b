"""What a prompt names that can be painted: colours and things, in English and Chinese.

No model is behind this: a table of words. A colour right before a thing belongs to it ("a red circle", "蓝色的海"); "background" is a
thing too; a colour that belongs to nothing colours the whole picture. A prompt that names nothing gets colours from its hash.
"""

import colorsys
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

Colour = tuple[int, int, int]

COLOURS: Mapping[Colour, str] = {
    (214, 57, 51): "red scarlet 红 紅 赤 朱",
    (150, 30, 45): "crimson maroon 深红 暗红",
    (240, 140, 50): "orange 橙 橘",
    (245, 205, 70): "yellow 黄 黃",
    (212, 165, 50): "gold golden 金",
    (84, 160, 90): "green 绿 綠",
    (30, 95, 65): "dark-green emerald 墨绿 深绿",
    (60, 175, 170): "teal turquoise cyan 青",
    (60, 120, 205): "blue 蓝 藍",
    (28, 45, 95): "navy indigo 深蓝 藏青",
    (135, 195, 235): "sky-blue azure 天蓝 浅蓝 淡蓝",
    (125, 85, 185): "purple violet 紫",
    (236, 130, 170): "pink rose 粉 粉红",
    (130, 85, 55): "brown 棕 褐 咖啡色",
    (235, 222, 195): "beige cream ivory 米色 米白",
    (140, 145, 150): "gray grey silver 灰 银",
    (38, 40, 46): "black 黑",
    (248, 248, 245): "white 白",
}

THINGS: Mapping[str, str] = {
    "background": "background backdrop 背景 底色",
    "sun": "sun sunrise sunset sunny 太阳 太陽 日出 日落 夕阳 朝阳",
    "moon": "moon moonlight moonlit 月亮 月光 明月 月",
    "stars": "stars starry constellation galaxy 星空 繁星 群星 星夜",
    "cloud": "cloud clouds cloudy 云 雲 白云",
    "rain": "rain rainy raining 雨",
    "snow": "snow snowy snowing snowflake 雪",
    "rainbow": "rainbow 彩虹",
    "mountain": "mountain mountains hill hills peak peaks alps volcano 山 雪山 山峰 山水",
    "sea": "sea ocean lake river water beach waves harbour harbor 海 大海 湖 河 江 水 海洋 海浪 海边",
    "field": "field meadow grass lawn garden park 草地 草原 田野 花园 公园 草",
    "city": "city skyline skyscraper skyscrapers town street 城市 大楼 高楼 街道 街",
    "house": "house home cottage cabin library temple village 小镇 村 村庄 房子 房屋 小屋 家 屋 图书馆",
    "tree": "tree trees forest pine woods 树 樹 树木 森林 树林 松",
    "flower": "flower flowers tulip daisy blossom blossoms 花 花朵 鲜花",
    "boat": "boat ship sailboat sail 船 帆船 小船 舟",
    "cat": "cat cats kitten kitty 猫 貓 小猫",
    "fish": "fish fishes goldfish 鱼 魚 金鱼",
    "bird": "bird birds seagull 鸟 鳥 小鸟 海鸥",
    "cup": "cup mug tea coffee teacup 杯 茶 咖啡 杯子",
    "book": "book books notebook 书 書 书本",
    "apple": "apple apples 苹果 蘋果",
    "heart": "heart hearts love 爱心 心形 心 爱",
    "star": "star 星星 五角星 星",
    "circle": "circle circles ball disc dot sphere 圆 圓 圆形 球",
    "square": "square squares cube box 方 正方形 方块 方形 立方体",
    "triangle": "triangle triangles pyramid 三角 三角形",
    "rectangle": "rectangle rectangles 长方形 矩形",
}

_NIGHT = re.compile(r"\b(night|midnight|moon\w*|starry|galaxy|space)\b|夜|月亮|月光|星空|明月|星夜", re.IGNORECASE)
_DUSK = re.compile(r"\b(sunset|sunrise|dusk|dawn)\b|日出|日落|夕阳|黄昏|朝阳|晚霞", re.IGNORECASE)
# Words that hold a colour's or a thing's character and mean something else.
_MISLEADING = re.compile(
    r"江南|小心|中心|粉丝|黄昏|金额|现金|星期|月份|水平|水墨|火山灰|家具|大家|国家|方法|方式|地方|花费|江山|心情|关心|开心|白天|明白"
)
_LONGEST_REACH = 12


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing to paint, with the colour the prompt gives it, if any."""

    name: str
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a prompt names: things in order (each once), and colours of the whole."""

    things: tuple[Thing, ...]
    colours: tuple[Colour, ...]
    night: bool
    dusk: bool


def read_prompt(prompt: str) -> Reading:
    """Find the colours and things a prompt names."""
    text = _MISLEADING.sub(lambda found: "＿" * len(found.group()), prompt)
    things: list[Thing] = []
    free: list[Colour] = []
    waiting: tuple[Colour, int] | None = None
    for found in _WORDS.finditer(text):
        meaning = _MEANINGS[found.group().lower().replace(" ", "-")]
        if not isinstance(meaning, str):
            if waiting:
                free.append(waiting[0])
            waiting = (meaning, found.end())
            continue
        own = waiting[0] if waiting and found.start() - waiting[1] <= _LONGEST_REACH else None
        if waiting and own is None:
            free.append(waiting[0])
        waiting = None
        if meaning == "background":
            if own is not None:
                free.insert(0, own)
        elif all(thing.name != meaning for thing in things):
            things.append(Thing(meaning, own))
    if waiting:
        free.append(waiting[0])
    return Reading(tuple(things), tuple(dict.fromkeys(free)), bool(_NIGHT.search(prompt)), bool(_DUSK.search(prompt)))


def digest(text: str, salt: str = "") -> bytes:
    """32 bytes that depend on the text alone."""
    return hashlib.sha256(f"{salt}|{text}".encode("utf-8", errors="replace")).digest()


def colours_of(seed: bytes, count: int) -> list[Colour]:
    """Harmonious colours from a hash: one hue and its neighbours, light to dark."""
    hue = seed[0] / 256
    turn = (0.06, 0.09, -0.07, 0.5)[seed[1] % 4]
    colours: list[Colour] = []
    for at in range(count):
        tone = colorsys.hls_to_rgb((hue + turn * at) % 1.0, 0.72 - 0.36 * at / max(1, count - 1), 0.42 + seed[2] / 1024)
        colours.append((round(tone[0] * 255), round(tone[1] * 255), round(tone[2] * 255)))
    return colours


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours; ``share`` 0 gives the first, 1 the second."""
    mixed = [round(a + (b - a) * share) for a, b in zip(first, second, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def lighter(colour: Colour, share: float = 0.3) -> Colour:
    """Towards white."""
    return blend(colour, (255, 255, 255), share)


def darker(colour: Colour, share: float = 0.3) -> Colour:
    """Towards a warm black."""
    return blend(colour, (20, 18, 26), share)


def _meanings() -> dict[str, Colour | str]:
    table: dict[str, Colour | str] = {}
    for colour, words in COLOURS.items():
        table.update(dict.fromkeys(words.split(), colour))
    for name, words in THINGS.items():
        table.update(dict.fromkeys(words.split(), name))
    return table


_MEANINGS = _meanings()


def _pattern() -> re.Pattern[str]:
    by_length = sorted(_MEANINGS, key=len, reverse=True)
    latin = "|".join(word.replace("-", "[- ]") for word in by_length if word.isascii())
    chinese = "|".join(word for word in by_length if not word.isascii())
    return re.compile(rf"\b(?:{latin})\b|{chinese}", re.IGNORECASE)


_WORDS = _pattern()
