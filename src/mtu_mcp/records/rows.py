"""What is written into a row of the ledger: at first what a call may cost, at the end what it did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Opening:
    """A call about to be sent; `reserved` is the most it may cost, in CNY."""

    owner: str
    call: str
    tool: str
    job: str
    endpoint: str
    model: str
    idempotency_key: str
    reserved: float
    basis: str


@dataclass(frozen=True, slots=True)
class Closing:
    """How a call ended and what it cost, in CNY; `seconds` are seconds of sound."""

    state: str
    served: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    pictures: int = 0
    searches: int = 0
    cny: float = 0.0
    basis: str = "none"
    request_id: str = ""
    idempotency_key: str = ""
    job: str = ""
