"""What a call may cost, against what it did cost: the first is never less, for any endpoint of the embedded gateway."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from capabilities.material import picture, sound
from mtu_mcp.catalogue.facts import shipped
from mtu_mcp.gateway import (
    BaiduSearch,
    ChatRequest,
    EmbeddingRequest,
    Exchange,
    Gateway,
    ImageRequest,
    ModerationRequest,
    ResponsesRequest,
    Scope,
    SpeechRequest,
    TranscriptionRequest,
    Upload,
    Usage,
)
from mtu_mcp.gateway.demands import Demand, measured, tokens
from mtu_mcp.money.estimates import batched, bound, foreseen, settled
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.settings import Settings

FACTS = shipped()
LONG_ZH = "把下面这段话翻译成英语,并说明其中的典故:山重水复疑无路,柳暗花明又一村。" * 40
LONG_EN = "Explain, in detail, how a bill becomes a law; name every step & its purpose (1-12). " * 60
CODE = "def f(x):\n\treturn {k: v**2 for k, v in x.items() if v%3==0}\n" * 80


class Account:
    """Books that remember what they were told and refuse nothing."""

    def __init__(self) -> None:
        self.before_count = 0
        self.settled: list[Exchange] = []

    async def before(self, exchange: Exchange, scope: Scope) -> None:
        self.before_count += 1

    async def after(self, exchange: Exchange, scope: Scope) -> None:
        self.settled.append(exchange)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
async def asked(sandbox: Sandbox) -> AsyncIterator[tuple[Gateway, Account]]:
    account = Account()
    settings = Settings.read({"MTU_BASE_URL": sandbox.base_url, "MTU_API_KEY": "sk-test"})
    gateway = Gateway(settings, books=account)
    yield gateway, account
    await gateway.aclose()


def talk(model: str, text: str, *parts: dict[str, Any], **options: Any) -> Callable[[Gateway], Awaitable[Any]]:
    content: Any = [*parts, {"type": "text", "text": text}] if parts else text
    return lambda gateway: gateway.chat(ChatRequest(model, [{"role": "user", "content": content}], options=options))


def data(raw: bytes, mime: str) -> str:
    import base64

    return f"data:{mime};base64,{base64.b64encode(raw).decode()}"


CALLS: dict[str, Callable[[Gateway], Awaitable[Any]]] = {
    "english": talk("qwen-math-plus", LONG_EN),
    "chinese": talk("gpt-4o", LONG_ZH),
    "code": talk("gpt-4o", CODE, n=2),
    "bounded": talk("gpt-4o", "Count to 300", max_tokens=60),
    "picture": talk(
        "qwen-omni-turbo",
        "What?",
        {"type": "image_url", "image_url": {"url": data(picture(900, 900), "image/png")}},
        modalities=["text"],
    ),
    "sound": talk(
        "qwen-omni-turbo",
        "What is said?",
        {"type": "input_audio", "input_audio": {"data": data(sound(12.0, "Hello."), "audio/wav"), "format": "wav"}},
        modalities=["text"],
    ),
    "spoken answer": talk(
        "qwen-omni-turbo", "Hello", modalities=["text", "audio"], audio={"voice": "Chelsie", "format": "wav"}
    ),
    "search": talk("qwen-plus", "tea", enable_search=True),
    "thoughts": talk("qwen-plus", LONG_EN, enable_thinking=True),
    "reasoning": talk("deepseek-reasoner", LONG_ZH),
    "marked": lambda it: it.chat(
        ChatRequest(
            "qwen-plus",
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": LONG_EN * 3, "cache_control": {"type": "ephemeral"}}],
                }
            ],
        )
    ),
    "long": talk("qwen3-max", LONG_EN * 40),
    "image by tokens": lambda it: it.generate_images(
        ImageRequest("gpt-image-1", "a fox", {"size": "1536x1024", "quality": "high"})
    ),
    "image by quality": lambda it: it.generate_images(ImageRequest("dall-e-3", "a fox", {"quality": "hd"})),
    "research": talk("jina-deepsearch-v1", "tea"),
    "responses": lambda it: it.respond(ResponsesRequest("gpt-4o", LONG_EN, {"tools": [{"type": "web_search"}]})),
    "image": lambda it: it.generate_images(ImageRequest("dall-e-2", "a fox", {"n": 2, "size": "256x256"})),
    "transcription": lambda it: it.transcribe(
        TranscriptionRequest("whisper-1", Upload("a.wav", "audio/wav", data=sound(9.0, "Hello.")))
    ),
    "speech": lambda it: it.speak(SpeechRequest("tts-1", "Hello there.", "alloy")),
    "embeddings": lambda it: it.embed(EmbeddingRequest("text-embedding-3-small", [LONG_EN, LONG_ZH])),
    "moderation": lambda it: it.moderate(ModerationRequest("omni-moderation-latest", [LONG_EN])),
    "baidu": lambda it: it.search_baidu(BaiduSearch("tea")),
}


@pytest.mark.parametrize("name", CALLS)
async def test_no_call_costs_more_than_was_foreseen(name: str, asked: tuple[Gateway, Account]) -> None:
    """Our promise: estimates before spending are on the high side, so a cap is not passed by the bill."""
    gateway, account = asked
    await CALLS[name](gateway)
    assert account.before_count == len(account.settled) == 1
    [exchange] = account.settled
    entry = FACTS.entry(exchange.model)
    before = foreseen(entry, exchange.endpoint, exchange.demand, FACTS.assumed, ceilings=True)
    after = settled(entry, exchange, FACTS.assumed, ceilings=True)
    assert exchange.state == "done"
    assert before.cny is not None
    assert after.charge.cny is not None
    assert after.charge.cny <= before.cny
    usage, most = exchange.usage, bound(entry, exchange.endpoint, exchange.demand, FACTS.assumed.figures)[0]
    if usage is not None:
        assert usage.input_tokens <= most.input_tokens


async def test_a_broken_connection_owes_nothing_when_it_was_never_made(asked: tuple[Gateway, Account]) -> None:
    """Our promise: what never reached the gateway costs nothing."""
    account = Account()
    settings = Settings.read(
        {"MTU_BASE_URL": "http://127.0.0.1:9/v1", "MTU_API_KEY": "sk-test", "MTU_MAX_RETRIES": "0"}
    )
    gateway = Gateway(settings, books=account)
    with pytest.raises(Exception, match="gateway"):
        await talk("gpt-4o", "Hello")(gateway)
    await gateway.aclose()
    [exchange] = account.settled
    found = settled(FACTS.entry("gpt-4o"), exchange, FACTS.assumed, ceilings=True)
    assert (exchange.state, found.charge.cny, found.charge.basis) == ("failed", 0, "none")


def test_text_is_counted_from_above() -> None:
    """OpenAI's tokenizer page: about four letters of English a token; Chinese about one character."""
    assert tokens("") == 0
    assert tokens("abcd") == 2
    assert tokens("中文") == 4
    assert tokens("a中") == 3


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({"max_tokens": 7, "max_completion_tokens": 9}, {"max_out": 7}),
        ({"max_output_tokens": "12", "n": "3"}, {"max_out": 12, "answers": 3}),
        ({"n": None, "max_tokens": None}, {"max_out": None, "answers": 1}),
        ({"tools": [{"type": "web_search_preview"}]}, {"searches": True}),
        ({"tools": ["x", {"type": 3}]}, {"searches": False}),
        ({"previous_response_id": "r", "input": [{"type": "input_file", "file_id": "f"}]}, {"stored": 2}),
        ({"messages": [{"content": "fileid://a,fileid://b"}]}, {"stored": 2}),
        ({"messages": [{"content": [{"type": "video", "video": ["a", "b"]}]}]}, {"frames": 2}),
        ({"messages": [{"content": [{"type": "video_url", "video_url": {"url": "https://x"}}]}]}, {"videos": 1}),
        ({"input": "Hello", "voice": "alloy"}, {"characters": 5}),
        ({"modalities": ["text", "audio"]}, {"speaks": True}),
    ],
)
def test_a_request_is_counted_by_what_it_says(request_: dict[str, Any], wanted: dict[str, Any]) -> None:
    """OpenAI API reference and Alibaba Cloud Model Studio: the fields that decide about cost."""
    found = measured(request_)
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_a_request_nested_without_end_is_counted() -> None:
    """Our promise: no depth breaks the count."""
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert measured({"messages": deep}).text_in > 0


def test_an_operators_price_does_away_with_the_assumption() -> None:
    """Our promise: MTU_MODELS_FILE knows better."""
    from mtu_mcp.catalogue.overrides import read

    own = FACTS.changed(
        read(
            json.loads(
                '{"models": {"acme-1": {"prices": {"input_text": 1, "output_text": 2}}},'
                ' "assumed": {"prices": {"text": {"output_text": 1}}, "figures": {"output": 100}}}'
            )
        )
    )
    demand = Demand(text_in=1000, max_out=500)
    known = foreseen(own.entry("acme-1"), "chat/completions", demand, own.assumed, ceilings=True)
    assert (known.cny, known.basis) == (2.0, "list")
    assumed = foreseen(own.entry("acme-2"), "chat/completions", Demand(text_in=0), own.assumed, ceilings=True)
    assert (assumed.cny, assumed.basis) == (0.1, "assumed")
    unknown = foreseen(own.entry("acme-2"), "chat/completions", demand, own.assumed, ceilings=False)
    assert (unknown.cny, unknown.basis) == (None, "unknown")


@pytest.mark.parametrize(
    "wrong",
    [
        {"assumed": {"price": {}}},
        {"assumed": {"prices": {"texts": {}}}},
        {"assumed": {"prices": {"text": {"output_text": -1}}}},
        {"assumed": {"figures": {"output": 0.5}}},
    ],
)
def test_wrong_assumptions_are_named(wrong: dict[str, Any]) -> None:
    """Our promise: a mistyped price would make every sum wrong in silence."""
    from mtu_mcp.catalogue.overrides import read

    with pytest.raises(ValueError, match=r"assumed|text"):
        read(wrong)


@pytest.mark.parametrize(("tokens_in", "per_million"), [(30_000, 2.5), (40_000, 4), (200_000, 7)])
def test_the_step_that_a_request_can_reach_is_what_it_may_cost(tokens_in: int, per_million: float) -> None:
    """Alibaba's price page: all tokens of a request cost what its step costs."""
    demand = Demand(text_in=tokens_in, max_out=1_000)
    found = foreseen(FACTS.entry("qwen3-max"), "chat/completions", demand, FACTS.assumed, ceilings=True)
    assert (found.cny, found.basis) == (pytest.approx((tokens_in + 4 * 1_000) * per_million / 1e6), "list")


def test_before_a_call_it_may_think_and_nothing_is_cached() -> None:
    """Our promise: a cap holds whatever the model does."""
    entry = FACTS.entry("qwen-plus")
    plain = foreseen(entry, "chat/completions", Demand(text_in=1_000, max_out=1_000), FACTS.assumed, ceilings=True)
    marked = Demand(text_in=1_000, max_out=1_000, caches=True)
    assert plain.cny == pytest.approx(0.0008 + 0.008)
    kept = foreseen(entry, "chat/completions", marked, FACTS.assumed, ceilings=True)
    assert kept.cny == pytest.approx(0.001 + 0.008)


@pytest.mark.parametrize(
    ("asked", "dollars"),
    [({}, 0.04), ({"quality": "hd"}, 0.08), ({"quality": "hd", "size": "1792x1024"}, 0.12), ({"size": "auto"}, 0.08)],
)
def test_a_picture_may_cost_what_its_size_and_quality_cost(asked: dict[str, str], dollars: float) -> None:
    """OpenAI's price list: dall-e-3, by size and quality."""
    demand = measured({"prompt": "a fox", "n": 1, **asked})
    found = foreseen(FACTS.entry("dall-e-3"), "images/generations", demand, FACTS.assumed, ceilings=True)
    assert (found.cny, found.basis) == (pytest.approx(7.5 * dollars), "list")


def test_markers_sizes_and_qualities_are_read_from_the_request() -> None:
    """Alibaba's page on the context cache and OpenAI's API reference: where they stand."""
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    assert measured({"messages": [{"role": "user", "content": [part]}]}).caches
    assert not measured({"messages": [{"role": "user", "content": "cache_control"}]}).caches
    found = measured({"prompt": "a fox", "size": "1024x1024", "quality": "hd"})
    assert (found.size, found.quality) == ("1024x1024", "hd")
    assert measured({"prompt": "a fox", "size": 5, "quality": None}).size == ""


def test_a_line_of_a_batch_has_no_discount_of_the_cache() -> None:
    """Alibaba's page on the context cache: "the batch interface cannot have the discount of the cache"."""
    hit = Usage(input_tokens=10_000, cached_tokens=10_000)
    found = batched(FACTS.entry("qwen-plus"), "chat/completions", hit, FACTS.assumed, ceilings=True)
    assert found.cny == pytest.approx(0.5 * 10_000 * 0.8 / 1e6)


def ended(model: str, partial: str, state: Any = "done", usage: Usage | None = None) -> float:
    """What a chat cost that went in as 1,000 tokens of text and may have brought 4,096."""
    entry = FACTS.entry(model)
    exchange = Exchange("chat/completions", model, state=state, usage=usage, partial=partial)
    exchange.demand, exchange.owed = Demand(text_in=1000, max_out=4096), True
    return settled(entry, exchange, FACTS.assumed, ceilings=False).charge.cny or 0.0


def test_an_answer_that_nobody_counted_costs_what_is_seen_of_it() -> None:
    """Our promise: a sum that is shown is near what is billed; some relays send no usage at all."""
    held = ended("gpt-4o", "")
    assert ended("gpt-4o", "Yes.") < held / 4
    assert ended("gpt-4o", "Yes.") == ended("gpt-4o", "Yes.", "cut")
    assert ended("gpt-4o", "word " * 2000) > ended("gpt-4o", "Yes.")
    counted = Usage(input_tokens=1000, output_tokens=4000)
    assert ended("gpt-4o", "Yes.", usage=counted) > ended("gpt-4o", "Yes.")


def test_thoughts_that_nobody_counted_are_not_forgotten() -> None:
    """Our promise: the words of a model that thinks do not tell what its thoughts cost."""
    assert ended("o3", "Yes.") == ended("o3", "")
    for name in ("gemini-2.5-pro", "gemini-2.5-flash", "deepseek-v4-flash", "claude-opus-5", "qwen3.5-plus"):
        assert ended(name, "Yes.") == ended(name, "") > 0, name
    assert ended("gemini-2.5-flash-lite", "Yes.") < ended("gemini-2.5-flash-lite", "")
    assert ended("gpt-5.1", "Yes.") == ended("gpt-5.1", "") > 0
