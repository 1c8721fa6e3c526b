"""POST /completions: the legacy text completions, and fill-in-the-middle of the Qwen coders on the same path.

OpenAI's models follow the API reference (every field of it; a prompt may be a text, texts, tokens or lists of tokens; `suffix` only
for gpt-3.5-turbo-instruct). Qwen's coders read the marks `<|fim_prefix|>`, `<|fim_suffix|>` and `<|fim_middle|>` inside the prompt and
know fewer fields (Model Studio, code completion, 2025-11).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox.bodies import note, read_json
from mtu_mcp.sandbox.chat_fields import STREAM_OPTIONS
from mtu_mcp.sandbox.chat_rules import parameter_error
from mtu_mcp.sandbox.desk import SIGNATURE, desk_of
from mtu_mcp.sandbox.drafts import Draft
from mtu_mcp.sandbox.fields import Table, boolean, check_body, either, integer, listing, mapping, number, string
from mtu_mcp.sandbox.programs import continue_code
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import DONE, event, json_reply, stream_reply
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.tokens import pieces

Body = dict[str, Any]
_DEFAULT_TOKENS = 16
_FIM_TOKENS = 1_024
_PREFIX, _SUFFIX, _MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
_COMMON: Table = {
    "model": string(1).required(),
    "max_tokens": integer(1),
    "presence_penalty": number(-2, 2),
    "stop": either(string(), listing(string(), 0, 4)),
    "stream": boolean(),
    "stream_options": STREAM_OPTIONS,
    "top_p": number(0, 1),
}
COMPLETION: Table = {
    **_COMMON,
    "prompt": either(string(), listing(either(string(), integer(0), listing(integer(0), 1)), 1, 2048)).required(),
    "best_of": integer(1, 20),
    "echo": boolean(),
    "frequency_penalty": number(-2, 2),
    "logit_bias": mapping(number(-100, 100)),
    "logprobs": integer(0, 5),
    "n": integer(1, 128),
    "seed": integer(-(2**63), 2**63 - 1),
    "suffix": string(),
    "temperature": number(0, 2),
    "user": string(),
}
FILLING: Table = {
    **_COMMON,
    "prompt": string(1).required(),
    "seed": integer(0, 2**31 - 1),
    "temperature": number(0, below=2),
}


@dataclass(frozen=True, slots=True)
class _Choice:
    """One completion: its text, what stands before it when it is echoed, and why it ended."""

    index: int
    text: str
    finish: str
    echoed: str = ""


async def create_completion(request: Request) -> Response:
    """Continue a text."""
    desk = desk_of(request)
    raw = await read_json(request)
    name = raw.get("model")
    if not isinstance(name, str) or not name:
        raise Invalid("you must provide a model parameter", param="model", code="missing_required_parameter")
    model = _model(request, name)
    table = COMPLETION if "complete" in model.kinds else FILLING
    body = check_body(table, raw, unknown="drop" if desk.dialect == "new-api" else "refuse")
    note(request, body)
    prompts = _prompts(body["prompt"])
    _check_rules(body, model, prompts)
    choices = _choices(body, model, prompts)
    head: Body = {
        "id": desk.new_id("cmpl-"),
        "object": "text_completion",
        "created": desk.now(),
        "model": model.id,
    }
    usage = _usage(body, prompts, choices)
    if body.get("stream"):
        return stream_reply(request, _chunks(body, head, choices, usage))
    return json_reply(head | {"choices": [_choice(body, choice) for choice in choices], "usage": usage})


def _model(request: Request, name: str) -> Model:
    """The model; one that only chats is refused in OpenAI's words."""
    model = desk_of(request).model(name)
    if model.kinds & {"complete", "fill"}:
        return model
    if "chat" in model.kinds:
        msg = "This is a chat model and not supported in the v1/completions endpoint. Did you mean to use v1/chat/completions?"
        raise Refusal(404, msg, param="model")
    raise Refusal(404, f"The model `{name}` does not support completions.", param="model")


def _prompts(prompt: Any) -> list[str]:
    """Every prompt as text; tokens have no words here, so each is shown as its number."""
    if isinstance(prompt, str):
        return [prompt]
    parts: list[Any] = prompt
    if all(isinstance(part, int) for part in parts):
        return [_words(parts)]
    if any(isinstance(part, int) for part in parts):
        msg = "Invalid type for 'prompt': expected a string, an array of strings, or tokens, but got a mixture."
        raise Invalid(msg, param="prompt", code="invalid_type")
    return [part if isinstance(part, str) else _words(part) for part in parts]


def _words(tokens: Sequence[int]) -> str:
    return " ".join(f"<{token}>" for token in tokens)


def _check_rules(body: Body, model: Model, prompts: Sequence[str]) -> None:
    if "stream_options" in body and not body.get("stream"):
        msg = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal(400, msg, param="stream_options")
    if body.get("best_of", 1) < body.get("n", 1) and "best_of" in body:
        raise Refusal(400, "You requested that the server return more choices than it will generate (best_of < n).")
    if body.get("best_of", 1) > 1 and body.get("stream"):
        raise Refusal(400, "You cannot stream with best_of greater than 1.", param="best_of")
    if "suffix" in body and model.id != "gpt-3.5-turbo-instruct":
        msg = f"The model `{model.id}` does not support the `suffix` parameter."
        raise Refusal(400, msg, param="suffix", code="unsupported_parameter")
    longest = max(len(pieces(prompt)) for prompt in prompts)
    wanted = body.get("max_tokens", _DEFAULT_TOKENS if "complete" in model.kinds else _FIM_TOKENS)
    if "fill" in model.kinds:
        if wanted > model.output:
            raise parameter_error(f"Range of max_tokens should be [1, {model.output}]")
        if _SUFFIX in prompts[0] and not prompts[0].startswith(_PREFIX):
            raise parameter_error(f"The prompt must begin with {_PREFIX}: a suffix alone cannot be completed.")
    if longest + wanted > model.context:
        msg = (
            f"This model's maximum context length is {model.context} tokens, however you requested {longest + wanted} tokens "
            f"({longest} in your prompt; {wanted} for the completion). Please reduce your prompt; or completion length."
        )
        raise Refusal(400, msg, code="context_length_exceeded")


def _choices(body: Body, model: Model, prompts: Sequence[str]) -> list[_Choice]:
    stop: str | list[str] = body.get("stop", [])
    marks = [stop] if isinstance(stop, str) else stop
    limit = body.get("max_tokens", _DEFAULT_TOKENS if "complete" in model.kinds else _FIM_TOKENS)
    found: list[_Choice] = []
    for prompt in prompts:
        for variant in range(body.get("n", 1)):
            said = _continued(prompt, body.get("suffix", ""), model)
            mark = f"# choice {variant + 1}\n" if variant else ""
            draft = Draft(said + mark).shortened(marks, limit)
            found.append(_Choice(len(found), draft.text, draft.finish, prompt if body.get("echo") else ""))
    return found


def _continued(prompt: str, suffix: str, model: Model) -> str:
    if "fill" in model.kinds and prompt.startswith(_PREFIX):
        before, _, rest = prompt.removeprefix(_PREFIX).partition(_SUFFIX)
        return continue_code(before, rest.partition(_MIDDLE)[0])
    if "fill" in model.kinds or suffix or any(mark in prompt for mark in ("def ", "{", "(", "=")):
        return continue_code(prompt, suffix)
    return f" … and so it goes on. {SIGNATURE}"


def _choice(body: Body, choice: _Choice) -> Body:
    text = choice.echoed + choice.text
    return {
        "text": text,
        "index": choice.index,
        "logprobs": _logprobs(text) if "logprobs" in body else None,
        "finish_reason": choice.finish,
    }


def _logprobs(text: str) -> Body:
    """Of text that fixed rules wrote each token was certain: log probability 0."""
    tokens = pieces(text)
    offsets = [0, *accumulate(map(len, tokens))][: len(tokens)]
    return {
        "tokens": tokens,
        "token_logprobs": [0.0] * len(tokens),
        "top_logprobs": [{token: 0.0} for token in tokens],
        "text_offset": offsets,
    }


def _chunks(body: Body, head: Body, choices: Sequence[_Choice], usage: Body) -> Iterator[str]:
    counted = body.get("stream_options", {}).get("include_usage", False)
    rest: Mapping[str, Any] = {"usage": None} if counted else {}
    for choice in choices:
        for part in [*([choice.echoed] if choice.echoed else []), *pieces(choice.text)]:
            logprobs = _logprobs(part) if "logprobs" in body else None
            piece = {"text": part, "index": choice.index, "logprobs": logprobs, "finish_reason": None}
            yield event({**head, "choices": [piece], **rest})
        last = {"text": "", "index": choice.index, "logprobs": None, "finish_reason": choice.finish}
        yield event({**head, "choices": [last], **rest})
    if counted:
        yield event({**head, "choices": [], "usage": usage})
    yield DONE


def _usage(body: Body, prompts: Sequence[str], choices: Sequence[_Choice]) -> Body:
    sent = sum(len(pieces(prompt)) for prompt in prompts)
    made = sum(len(pieces(choice.text)) for choice in choices) * body.get("best_of", 1)
    return {"prompt_tokens": sent, "completion_tokens": made, "total_tokens": sent + made}


ROUTES = [Route("/v1/completions", create_completion, methods=["POST"])]
