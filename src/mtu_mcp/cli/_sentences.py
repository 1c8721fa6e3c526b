"""Our sentences in another language, kept as gettext keeps them: a catalogue in the PO format, keyed by the English.

Most of what a person reads was written elsewhere, by the checks, by the error tree, by argparse, and is finished when it
comes here: it has to stay English there, because models and programs read it. So a finished sentence is recognised
by the templates of the catalogue, its values are taken out and put into the translation. What is not recognised
stays as it is, which is right for what a gateway or a file said itself.

Sources: the GNU gettext manual, "The Format of PO Files".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{(\w+)[^{}]*\}")
_END: Final = re.compile(r"(?<=[.!?]) (?=\S)")
_SENTENCES: Final = 8
"""How many sentences are looked for in a text; nothing we say has more."""
_DEPTH: Final = 3
"""How deep a sentence may stand in another."""
_OURS: Final = frozenset(("sentence", "problem", "trouble"))
"""Places in which a sentence of ours stands; with another text there, it is not the sentence."""
_LONGEST: Final = 4000
"""Characters of a text that may be a sentence."""


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Give the messages of a PO file and their translations; its header and what is not translated are left out.

    Args:
        text: The file, with neither plural forms nor contexts.
    """
    for block in re.split(r"\n\s*\n", text):
        fields = {"msgid": "", "msgstr": ""}
        field = ""
        for line in block.splitlines():
            keyword, quote, rest = line.partition('"')
            if line.startswith("#") or not quote:
                continue
            field = keyword.strip() or field
            fields[field] += json.loads(quote + rest.rstrip())
        if fields["msgid"] and fields["msgstr"]:
            yield fields["msgid"], fields["msgstr"]


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence with places for values.

    Attributes:
        texts: Its own text before, between and after the places.
        names: The places' names.
        translation: The same sentence in the other language.
    """

    texts: tuple[str, ...]
    names: tuple[str, ...]
    translation: str

    @classmethod
    def of(cls, message: str, translation: str) -> Template:
        """Read a message with `{name}` in the places of its values."""
        parts = _PLACEHOLDER.split(message)  # text, name, text, name, ..., text
        return cls(tuple(parts[::2]), tuple(parts[1::2]), _PLACEHOLDER.sub(r"{\1}", translation))

    @property
    def weight(self) -> int:
        """How many characters are its own."""
        return sum(map(len, self.texts))

    def values(self, text: str) -> dict[str, str] | None:
        """Return what stands in the places, each as short as can be and never empty; None for another sentence.

        Looks through the text once, from left to right, since what it is given may have been made to be slow.
        """
        first, *others = self.texts
        if not (text.startswith(first) and text.endswith(others[-1]) and len(text) >= self.weight + len(self.names)):
            return None
        found: dict[str, str] = {}
        start, end = len(first), len(text) - len(others[-1])
        for name, own in zip(self.names, others[:-1], strict=False):
            place = text.find(own, start + 1, end)
            if place < 0:
                return None
            found[name] = text[start:place]
            start = place + len(own)
        found[self.names[-1]] = text[start:end]
        return found if start < end else None


@dataclass(frozen=True)
class Sentences:
    """A catalogue.

    Attributes:
        messages: Translations by their English.
    """

    messages: Mapping[str, str]

    def of(self, message: str) -> str:
        """Return the translation of a message, or the message."""
        return self.messages.get(message, message)

    def told(self, text: str) -> str:
        """Return the translation of one or more finished sentences; what is not recognised stays as it is."""
        said = ""
        for _ in range(_SENTENCES):
            cuts = [cut.span() for cut in islice(_END.finditer(text), _SENTENCES)]
            heads = [(self._recognised(text[:start]), text[end:]) for start, end in cuts]
            known = next((one for one in heads if one[0] and self._begins(one[1])), None)
            whole = None if known else self._recognised(text)
            if whole is not None:
                return said + whole
            known = known or next((one for one in heads if one[0]), None)
            if known is None:
                break
            said, text = said + (known[0] or ""), known[1]
        return said + text

    def _begins(self, text: str) -> bool:
        """Whether a text is, or begins with, a sentence that is known."""
        cuts = (cut.start() for cut in islice(_END.finditer(text), _SENTENCES))
        return any(self._recognised(text[:cut]) for cut in (*cuts, len(text)))

    def _recognised(self, text: str, depth: int = _DEPTH) -> str | None:
        if text in self.messages:
            return self.messages[text]
        if not depth or len(text) > _LONGEST:
            return None
        for template in self._templates:
            found = template.values(text)
            if found is None:
                continue
            values = {name: self._recognised(value, depth - 1) for name, value in found.items()}
            if any(name in _OURS and value is None for name, value in values.items()):
                continue
            return template.translation.format(**{name: values[name] or value for name, value in found.items()})
        return None

    @cached_property
    def _templates(self) -> tuple[Template, ...]:
        """Those with places, the most telling first."""
        made = [Template.of(*pair) for pair in self.messages.items() if _PLACEHOLDER.search(pair[0])]
        return tuple(sorted(made, key=lambda one: -one.weight))
