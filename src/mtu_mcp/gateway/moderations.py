"""Moderation: which categories of harm a text or picture falls under.

The API's keys hold slashes and hyphens; some gateways pass them on as Python spells them (`self_harm_intent`), so the
known ones are put back into the API's spelling. Unknown categories are kept as they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mtu_mcp.gateway.exchange import current_scope
from mtu_mcp.gateway.shapes import mapping, number, sequence, text
from mtu_mcp.gateway.usage import Usage
from mtu_mcp.gateway.wire import Call

if TYPE_CHECKING:
    from mtu_mcp.gateway.wire import Wire

ENDPOINT: Final = "moderations"
_EXPECTED: Final = ("results",)
_LONGEST_NAME: Final = 200
_SPELT: Final = {
    name.replace("/", "_").replace("-", "_"): name
    for name in (
        "harassment/threatening",
        "hate/threatening",
        "illicit/violent",
        "self-harm",
        "self-harm/instructions",
        "self-harm/intent",
        "sexual/minors",
        "violence/graphic",
    )
}


@dataclass(frozen=True, slots=True)
class ModerationRequest:
    """What is to be judged.

    Attributes:
        model: The model's name.
        input: Texts, each judged alone, or parts in the API's form (text, image_url), judged together.
        options: Further fields of the API's body.
    """

    model: str
    input: Sequence[str] | Sequence[Mapping[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one input.

    Attributes:
        flagged: Whether any category applies.
        categories: The categories that apply.
        scores: For each category a score between 0 and 1; empty where the gateway gives none.
    """

    flagged: bool
    categories: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Moderation:
    """Verdicts in the order of the inputs; one alone where the input was parts."""

    verdicts: tuple[Verdict, ...]
    model: str = ""
    request_id: str = ""


async def moderate(wire: "Wire", request: ModerationRequest) -> Moderation:
    """Judge texts or a picture.

    Raises:
        BadAnswer: Not one verdict for each input.
    """
    payload = {**request.options, "model": request.model, "input": list(request.input)}
    wanted = len(request.input) if all(isinstance(one, str) for one in request.input) else 1
    async with wire.spend(ENDPOINT, request.model, payload) as entry:
        await current_scope().report("moderating")
        async with wire.open(Call(ENDPOINT, request.model, payload, key=entry.idempotency_key)) as body:
            entry.request_id = body.request_id
            raw = mapping(await body.json(_EXPECTED))
            entry.usage, entry.served = Usage.read(raw.get("usage")), text(raw.get("model"))
            verdicts = tuple(_verdict(mapping(item)) for item in sequence(raw.get("results")))
            if len(verdicts) != wanted:
                raise body.odd(f"{len(verdicts)} verdicts for {wanted} inputs")
            return Moderation(verdicts, entry.served, body.request_id)


def _verdict(raw: Mapping[str, Any]) -> Verdict:
    applied = tuple(_name(key) for key, value in mapping(raw.get("categories")).items() if value is True)
    scored = ((_name(key), number(value)) for key, value in mapping(raw.get("category_scores")).items())
    scores = {name: score for name, score in scored if score is not None}
    return Verdict(raw.get("flagged") is True or bool(applied), applied, scores)


def _name(key: object) -> str:
    name = text(key)[:_LONGEST_NAME]
    return _SPELT.get(name, name)
