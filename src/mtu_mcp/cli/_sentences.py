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
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{(\w+)[^{}]*\}")
_END: Final = re.compile(r"(?<=[.!?]) (?=\S)")


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
        pattern: What matches the finished sentence.
        weight: How many of its characters are its own.
        worded: Whether there are letters among them; otherwise any text of its form would match.
        translation: The same sentence in the other language.
    """

    pattern: re.Pattern[str]
    weight: int
    worded: bool
    translation: str

    @classmethod
    def of(cls, message: str, translation: str) -> Template:
        """Read a message with `{name}` in the places of its values."""
        own = _PLACEHOLDER.sub("", message)
        parts = _PLACEHOLDER.split(message)  # text, name, text, name, ..., text
        seen: set[str] = set()
        pattern = ""
        for number, part in enumerate(parts):
            if number % 2 == 0:
                pattern += re.escape(part)
            else:
                pattern += f"(?P={part})" if part in seen else f"(?P<{part}>.+?)"
                seen.add(part)
        plain = _PLACEHOLDER.sub(r"{\1}", translation)
        return cls(re.compile(pattern, re.DOTALL), len(own), any(map(str.isalpha, own)), plain)


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
        heads = [(self._recognised(text[: cut.start()]), text[cut.end() :]) for cut in _END.finditer(text)]
        for head, rest in heads:
            if head is not None and (told := self.told(rest)) != rest:
                return head + told
        whole = self._recognised(text)
        if whole is not None:
            return whole
        return next((head + rest for head, rest in heads if head is not None), text)

    def _recognised(self, text: str) -> str | None:
        if text in self.messages:
            return self.messages[text]
        for template in self._templates:
            found = template.pattern.fullmatch(text)
            if found is None:
                continue
            values = {name: self._recognised(value) for name, value in found.groupdict().items()}
            if template.worded or any(value is not None for value in values.values()):
                known = {
                    name: value if values[name] is None else values[name] for name, value in found.groupdict().items()
                }
                return template.translation.format(**known)
        return None

    @cached_property
    def _templates(self) -> tuple[Template, ...]:
        """Those with places, the most telling first."""
        made = [Template.of(*pair) for pair in self.messages.items() if _PLACEHOLDER.search(pair[0])]
        return tuple(sorted(made, key=lambda one: -one.weight))
