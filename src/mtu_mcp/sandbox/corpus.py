"""A small library of invented sources, searched with BM25, for every route that answers with search results.

The entries (`corpus.json`) tell common knowledge under the domains reserved for examples (RFC 2606), so nobody takes a
link for a real page. Latin text is cut into words, Chinese into pairs of characters.
"""

import functools
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

_K, _B = 1.4, 0.75
"""The usual constants of BM25 (Robertson and Zaragoza, 2009)."""
_WORTH = 0.3
"""Share of the best score below which a page only shares a common word with the query."""
_COMMON_WORDS = (
    "the a an of and or to in on for is are was were be what which who how why when where do does did can with by from "
    "about tell me please latest news search find it its that this at as i you we work works"
)
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Page:
    """One invented source. `date` is YYYY-MM-DD."""

    url: str
    title: str
    site: str
    date: str
    text: str

    @property
    def host(self) -> str:
        """The host of its URL."""
        return self.url.split("/")[2]


@dataclass(frozen=True, slots=True)
class Hit:
    """A page found, with its score and the sentence that fits best."""

    page: Page
    score: float
    quote: str


def terms(text: str) -> list[str]:
    """What a text is searched by."""
    found: list[str] = []
    for run in re.findall(r"[A-Za-z0-9À-ɏ]+|[㐀-鿿]+", text.lower()):
        if run[0] > "㐀":
            found += [run[place : place + 2] for place in range(max(len(run) - 1, 1))]
        elif run not in _COMMON:
            found.append(_singular(run))
    return found


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]


@functools.cache
def pages() -> tuple[Page, ...]:
    """The whole library."""
    raw = resources.files("mtu_mcp.sandbox").joinpath("corpus.json").read_text(encoding="utf-8")
    return tuple(Page(**each) for each in json.loads(raw))


@functools.cache
def _index() -> tuple[list[Counter[str]], Counter[str], float]:
    bags = [Counter(terms(page.title) * 3 + terms(page.text)) for page in pages()]
    spread: Counter[str] = Counter()
    for bag in bags:
        spread.update(bag.keys())
    return bags, spread, sum(sum(bag.values()) for bag in bags) / len(bags)


def search(
    query: str, top: int, *, only: Sequence[str] = (), without: Sequence[str] = (), since: str = "", until: str = "9"
) -> list[Hit]:
    """The best `top` pages for a query, best first; `only` and `without` are hosts (a host covers its subdomains)."""
    bags, spread, usual = _index()
    wanted = set(terms(query))
    hits: list[Hit] = []
    for page, bag in zip(pages(), bags, strict=True):
        if not since <= page.date <= until or (only and not _covers(only, page.host)) or _covers(without, page.host):
            continue
        length = sum(bag.values())
        score = 0.0
        for term in wanted & bag.keys():
            rarity = math.log(1 + (len(bags) - spread[term] + 0.5) / (spread[term] + 0.5))
            score += rarity * bag[term] * (_K + 1) / (bag[term] + _K * (1 - _B + _B * length / usual))
        if score > 0:
            hits.append(Hit(page, round(score, 4), _quote(page.text, wanted)))
    hits.sort(key=lambda hit: -hit.score)
    return [hit for hit in hits[:top] if hit.score >= hits[0].score * _WORTH]


def _covers(hosts: Sequence[str], host: str) -> bool:
    return any(host == each or host.endswith("." + each) for each in hosts)


def _quote(text: str, wanted: set[str]) -> str:
    sentences = re.findall(r"[^.!?。！？]+[.!?。！？]?", text)
    return max(sentences, key=lambda each: len(wanted & set(terms(each)))).strip()


def write_up(hits: Sequence[Hit], question: str) -> tuple[str, list[tuple[int, int, Hit]]]:
    """An answer made of the quotations, with the place of each link in it: `(start, end, hit)`."""
    if not hits:
        return f'The embedded gateway\'s small library has nothing about "{question}".', []
    text = "From the embedded gateway's small library of invented sources:"
    places: list[tuple[int, int, Hit]] = []
    for hit in hits:
        link = f"([{hit.page.host}]({hit.page.url}))"
        start = len(text) + len(f"\n- {hit.quote} ")
        text += f"\n- {hit.quote} {link}"
        places.append((start, start + len(link), hit))
    return text, places
