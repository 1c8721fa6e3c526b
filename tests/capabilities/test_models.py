"""`list_models` and the resources beside it: what there is, what it can do and costs."""

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mcp import MCPError
from mcp.types import ResourceTemplateReference

from capabilities.material import answered, call, refused
from connections import MEMORY, connect, text_of
from mtu_mcp.app import App
from mtu_mcp.capabilities._upstream import asking
from mtu_mcp.catalogue import CAPABILITIES
from mtu_mcp.errors import UnknownModel
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]


async def read(client: Any, uri: str) -> Any:
    return json.loads((await client.read_resource(uri)).contents[0].text)


async def test_the_list_is_the_gateways_own_with_what_is_known_of_each(environ: Environ) -> None:
    """OpenAI API reference, list models; our promise: live, with abilities, limits and prices."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "list_models")
    data: Any = result.structured_content
    omni = next(row for row in data["models"] if row["name"] == "qwen-omni-turbo")
    assert data["live"] is True
    assert data["total"] == len(data["models"])
    assert "omni" in omni["can"]
    assert omni["context"] == 32_768
    assert omni["cny_per_1k"]["text in"] == 0.0004
    assert all(f"- {row['name']}" in text_of(result) for row in data["models"])


async def test_it_is_narrowed_by_ability_and_name_and_names_the_default(environ: Environ) -> None:
    """Our promise."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "list_models", can="image")
        named = await call(client, "list_models", name="OMNI-FLASH")
        none = await answered(client, "list_models", name="没有")
    data: Any = result.structured_content
    assert data["default"] == "gpt-image-1.5"
    assert "Without a model, gpt-image-1.5 is used." in text_of(result)
    assert all("image" in row["can"] for row in data["models"])
    assert all("omni-flash" in row["name"] for row in named.structured_content["models"])
    assert none == "No model fits."


async def test_a_gateway_that_cannot_list_is_answered_with_the_known_models_and_why(
    environ: Environ, gateway: Sandbox
) -> None:
    """Our promise: it always answers, and tells the truth about where the list comes from."""
    gateway.arm("502-html", "/models", times=9)
    async with connect(MEMORY, {**environ, "MTU_MAX_RETRIES": "0"}) as client:
        result = await call(client, "list_models")
    data: Any = result.structured_content
    assert data["live"] is False
    assert data["models"]
    assert "502 Bad Gateway" in text_of(result)


async def test_long_lists_are_cut_and_say_so(environ: Environ) -> None:
    """Our promise: 100 rows; gateways list hundreds."""
    with Sandbox(Options(models=tuple(f"model-{number}" for number in range(130)))) as many:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": many.base_url}) as client:
            result = await call(client, "list_models")
    assert "Shown: 100 of 130" in text_of(result)
    assert result.structured_content["total"] == 130


async def test_a_wrong_ability_is_refused_with_the_right_ones(environ: Environ) -> None:
    """Our promise: an error heals."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "list_models", can="fly")
    assert "can='fly'" in said
    assert all(word in said for word in CAPABILITIES)


@pytest.mark.parametrize("can", CAPABILITIES)
async def test_every_ability_the_catalogue_knows_can_be_asked_for(environ: Environ, can: str) -> None:
    """Our promise: `moderate`, `speech`, `fill_in` and the rest, as they stand in the rows."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "list_models", can=f" {can.replace('_', '-').upper()} ")
    data: Any = result.structured_content
    assert all(can in row["can"] for row in data["models"])
    assert data["models"] or can in ("realtime", "rerank", "caption_audio", "audio_chat", "math", "complete")


async def test_models_and_prices_are_resources(environ: Environ) -> None:
    """MCP specification, resources."""
    async with connect(MEMORY, environ) as client:
        models = await read(client, "mtu://models")
        prices = await read(client, "mtu://prices")
    assert models["live"] is True
    assert {"gpt-4o", "acme/tiny:free"} <= {row["name"] for row in models["models"]}
    assert prices["qwen-omni-turbo"]["text in"] == 0.0004
    assert "source" in prices["qwen-omni-turbo"]
    plus = prices["qwen-plus"]
    assert (plus["text in"], plus["text out"], plus["text out, when the model thinks"]) == (0.0008, 0.002, 0.008)
    assert (plus["cached text in"], plus["share of the price in a batch"]) == (0.00016, 0.5)
    assert plus["text out, above 131,072 tokens of input"] == 0.02
    assert "Alibaba" in plus["source"]
    assert prices["gpt-4o"]["converted from"] == "USD at CNY 7.5"
    assert prices["dall-e-3"]["each hd 1792x1024 picture made"] == 0.9


async def test_a_model_tells_all_that_is_published_of_it_and_a_list_the_ordinary_lines(environ: Environ) -> None:
    """Our promise: a row of a list stays short; one model's page holds its steps, its windows and its sources."""
    async with connect(MEMORY, environ) as client:
        one = await read(client, "mtu://models/qwen3-max")
        result = await call(client, "list_models", name="qwen3-max")
        drawn = await answered(client, "list_models", name="dall-e-3")
    assert (one["context"], one["max_input"], one["max_output"]) == (262_144, 258_048, 65_536)
    assert one["cny_per_1k"]["text in, above 32,768 tokens of input"] == 0.004
    assert one["source"].count("Alibaba") == 2
    [row] = cast("Any", result.structured_content)["models"]
    assert row["cny_per_1k"] == {"text in": 0.0025, "text out": 0.01, "each search": 0.004}
    assert "each picture made, at most 0.9" in drawn


@pytest.mark.parametrize("address", ["acme/tiny:free", "acme%2Ftiny%3Afree"])
async def test_one_model_is_read_by_its_name_even_with_a_vendor_in_it(environ: Environ, address: str) -> None:
    """RFC 6570, reserved expansion: names hold slashes and colons."""
    async with connect(MEMORY, environ) as client:
        one = await read(client, f"mtu://models/{address}")
    assert one["name"] == "acme/tiny:free"


async def test_a_model_that_is_not_there_is_answered_with_the_nearest(environ: Environ) -> None:
    """MCP specification, resources: an unknown resource is an error; our promise: with near names."""
    async with connect(MEMORY, environ) as client:
        with pytest.raises(MCPError, match="gpt-4o"):
            await client.read_resource("mtu://models/gpt4o")


async def test_model_names_complete(environ: Environ) -> None:
    """MCP specification, completion."""
    template = ResourceTemplateReference(type="ref/resource", uri="mtu://models/{+model}")
    async with connect(MEMORY, environ) as client:
        given = await client.complete(template, {"name": "model", "value": "OMNI-FLASH"})
    assert "qwen3-omni-flash" in given.completion.values


async def test_a_model_its_maker_took_away_is_said_to_be_so(environ: Environ) -> None:
    """Our promise: the truth; OpenAI retired dall-e-2 on 2026-05-12, and a gateway may serve it longer."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "list_models", name="dall-e-2")
    gone = datetime.now(UTC).date() >= date(2026, 5, 12)
    assert ("retired by its maker 2026-05-12" if gone else "retires 2026-05-12") in said


async def test_a_model_that_is_listed_and_not_served_is_not_named_as_its_own_cure() -> None:
    """New API lists a model whose channel is off, and answers 503."""

    class Listing:
        async def nearest(self, name: str, capability: str | None = None) -> tuple[str, ...]:
            del capability
            return (name, "qwen-omni-turbo")

    app = cast("App", SimpleNamespace(catalogue=Listing(), missing={}))
    with pytest.raises(UnknownModel) as caught:
        async with asking(app, "chat/completions", "qwen3-omni-flash", "omni"):
            raise UnknownModel("The gateway does not have the model.", advice="Choose another.")
    assert "Nearest names: qwen-omni-turbo." in caught.value.advice
    assert "in the gateway's list all the same" in caught.value.advice
