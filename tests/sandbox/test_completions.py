"""POST /v1/completions: the legacy endpoint, and the Qwen coders' fill-in-the-middle on it."""

from typing import Any

import httpx
import openai
import pytest

from mtu_mcp.sandbox import Sandbox
from sandbox.asking import read_events

LEGACY = "gpt-3.5-turbo-instruct"
CODER = "qwen-coder-turbo"


def complete(raw: httpx.Client, prompt: Any = "def add(a, b):\n", **fields: Any) -> httpx.Response:
    return raw.post("/v1/completions", json={"model": LEGACY, "prompt": prompt, "max_tokens": 64} | fields)


def first(raw: httpx.Client, prompt: Any = "def add(a, b):\n", **fields: Any) -> dict[str, Any]:
    answer = complete(raw, prompt, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]


def test_a_prompt_goes_on(raw: httpx.Client) -> None:
    """OpenAI API reference, create completion: the object."""
    answer = complete(raw).json()
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"] == [{"text": "    return a + b\n", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert answer["usage"]["total_tokens"] == sum(
        answer["usage"][key] for key in ("prompt_tokens", "completion_tokens")
    )


def test_a_gap_is_filled_between_the_marks(raw: httpx.Client) -> None:
    """Model Studio, code completion: <|fim_prefix|>, <|fim_suffix|>, <|fim_middle|>."""
    prompt = "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\nprint(add(1, 2))<|fim_middle|>"
    assert first(raw, prompt, model=CODER)["text"] == "a + b\n"
    assert first(raw, "<|fim_prefix|>print(max([1, 2<|fim_suffix|>", model=CODER)["text"] == "]))\n"


def test_the_field_suffix_is_for_one_legacy_model(raw: httpx.Client) -> None:
    """OpenAI API reference: suffix is only supported for gpt-3.5-turbo-instruct."""
    assert first(raw, "def f(x):\n    return ", suffix="\nprint(f(1))")["text"] == "x\n"
    assert complete(raw, suffix="x", model="davinci-002").status_code == 400
    assert complete(raw, suffix="x", model=CODER).status_code == 400


def test_choices_echo_logprobs_stop_and_limit(raw: httpx.Client) -> None:
    """OpenAI API reference: n, best_of, echo, logprobs, stop, max_tokens."""
    answer = complete(raw, ["def f(x):\n", "def g(y):\n"], n=2, best_of=2, echo=True, logprobs=1).json()
    texts = [choice["text"] for choice in answer["choices"]]
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert texts[0] == "def f(x):\n    return x\n"
    assert texts[2].startswith("def g(y):\n    return y\n")
    logprobs = answer["choices"][0]["logprobs"]
    assert "".join(logprobs["tokens"]) == texts[0]
    assert len(logprobs["text_offset"]) == len(logprobs["token_logprobs"]) == len(logprobs["tokens"])
    assert first(raw, stop=["+"])["text"] == "    return a "
    assert first(raw, max_tokens=2)["finish_reason"] == "length"


def test_tokens_are_a_prompt_too(raw: httpx.Client) -> None:
    """OpenAI API reference: a prompt is a string, strings, tokens or lists of tokens."""
    assert first(raw, [1, 2, 3])["text"]
    assert len(complete(raw, [[1, 2], [3]]).json()["choices"]) == 2
    assert complete(raw, ["a", 1]).status_code == 400


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": None}, "prompt"),
        ({"model": "gpt-4o"}, "not supported in the v1/completions endpoint"),
        ({"model": "nobody"}, "does not exist"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"max_tokens": 5000}, "maximum context length"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": []}, "Unknown parameter: 'messages'"),
        ({"model": CODER, "n": 2}, "Unknown parameter: 'n'"),
        ({"model": CODER, "prompt": "<|fim_suffix|>after<|fim_middle|>"}, "suffix alone"),
    ],
)
def test_what_the_reference_forbids_is_refused(raw: httpx.Client, fields: dict[str, Any], words: str) -> None:
    """OpenAI API reference, create completion; Model Studio, code completion."""
    prompt = fields.pop("prompt", "x")
    answer = complete(raw, prompt, **fields)
    assert answer.status_code in {400, 404}
    assert words in answer.json()["error"]["message"]


def test_a_stream_is_the_same_text_in_pieces(raw: httpx.Client) -> None:
    """OpenAI API reference: chunks of the same object, then the usage, then [DONE]."""
    answer = complete(raw, stream=True, stream_options={"include_usage": True})
    *chunks, last = read_events(answer.text)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "    return a + b\n"
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0
    assert answer.text.endswith("data: [DONE]\n\n")


def test_the_public_client_completes_and_streams(sandbox: Sandbox) -> None:
    """Our promise: the public `openai` client works unmodified."""
    sandbox.desk.faults.clear()
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        whole = client.completions.create(model=LEGACY, prompt="def f(x):\n", max_tokens=50).choices[0].text
        with client.completions.create(model=LEGACY, prompt="def f(x):\n", max_tokens=50, stream=True) as stream:
            assert "".join(chunk.choices[0].text for chunk in stream) == whole == "    return x\n"
