"""A text completion from its pieces."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mtu_mcp.gateway.shapes import mapping, sequence, text
from mtu_mcp.gateway.streams import Assembler, characters
from mtu_mcp.gateway.texts import Text


class CompletionAssembler(Assembler):
    """Puts the first choice of a text completion together; chunks and the whole object have one shape."""

    expected: ClassVar[tuple[str, ...]] = ("choices", "usage")

    def __init__(self) -> None:
        super().__init__()
        self.finish = ""
        self._text = Text()
        self._heard = False

    @property
    def begun(self) -> bool:
        """Whether a choice is here: an empty continuation is an answer, too."""
        return self._heard

    @property
    def complete(self) -> bool:
        """Whether a finish reason came."""
        return bool(self.finish)

    @property
    def letters(self) -> int:
        """Characters of the text."""
        return self._text.size

    @property
    def activity(self) -> str:
        """How much is here."""
        return f"answering ({characters(self._text.size)})" if self._text.size else "waiting for the answer"

    @property
    def partial(self) -> str:
        """The text so far."""
        return self.strike(self._text.value())

    def take(self, raw: Mapping[str, Any], name: str) -> None:  # noqa: ARG002 - these chunks have no names
        """Take one chunk."""
        self.id = self.id or text(raw.get("id"))
        self.model = self.model or text(raw.get("model"))
        if raw.get("usage"):
            self.count(raw["usage"])
        for item in sequence(raw.get("choices")):
            choice = mapping(item)
            if choice.get("index") not in (0, None):
                continue
            self._heard = True
            # Some gateways answer this endpoint with a chat's shape.
            message = mapping(choice.get("delta")) or mapping(choice.get("message"))
            self._text.add(text(choice.get("text")) or text(message.get("content")))
            self.finish = text(choice.get("finish_reason")) or self.finish

    def take_whole(self, raw: Mapping[str, Any]) -> None:
        """Take a text_completion object."""
        self.take(raw, "")
