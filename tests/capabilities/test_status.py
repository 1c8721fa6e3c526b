"""`mtu://status`: how the server stands, and what to fix."""

import json
from pathlib import Path
from typing import Any

from capabilities.material import answered
from connections import MEMORY, connect
from mtu_mcp import __version__
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]


async def status(environ: Environ, *, after: str = "") -> tuple[dict[str, Any], str]:
    async with connect(MEMORY, environ) as client:
        if after:
            await answered(client, "web_search", query=after, results_only=True)
        text = (await client.read_resource("mtu://status")).contents[0].text
    return json.loads(text), text


async def test_it_tells_the_settings_in_force_and_never_the_key(environ: Environ) -> None:
    """Our promise: nothing of the key in any output."""
    facts, text = await status(environ)
    assert facts["version"] == __version__
    assert facts["gateway"] == environ["MTU_BASE_URL"]
    assert facts["key"] == "set"
    assert environ["MTU_API_KEY"] not in text
    assert facts["models"] > 20
    assert facts["defaults"]["omni"] == "qwen3-omni-flash"
    assert facts["database"].endswith(": fine")
    assert facts["problems"] == []


async def test_it_says_what_to_set_when_there_is_no_key(environ: Environ) -> None:
    """Our promise: without a key the server starts, and says the one thing to fix."""
    facts, _ = await status({**environ, "MTU_API_KEY": ""})
    assert facts["key"] == "missing: set MTU_API_KEY"
    assert "MTU_API_KEY" in facts["models"]
    [wrong] = [check for check in facts["checks"] if check["verdict"] == "bad"]
    assert wrong["name"] == "key"  # once, and not of the list of models again
    assert "mended: key." in next(check["said"] for check in facts["checks"] if check["name"] == "gateway")


async def test_it_names_every_setting_that_could_not_be_used_and_a_broken_database(
    environ: Environ, tmp_path: Path
) -> None:
    """Our promise: silently ignoring a bad value would be worse."""
    (tmp_path / "mtu.db").write_bytes(b"this is no database" * 100)
    facts, _ = await status({**environ, "MTU_TIMEOUT": "soon", "MTU_MAX_RETRIES": "-1"})
    assert [problem.partition(" ")[0] for problem in facts["problems"]] == ["MTU_TIMEOUT", "MTU_MAX_RETRIES"]
    assert "fine" not in facts["database"]


async def test_it_tells_what_the_gateway_was_found_to_lack(environ: Environ) -> None:
    """Our promise: it tells the truth about what this gateway does not offer."""
    with Sandbox(Options(without=("/ai_search/web_search",))) as lacking:
        facts, _ = await status({**environ, "MTU_BASE_URL": lacking.base_url}, after="tea")
    assert "baidu" in facts["not_offered"]


async def test_it_names_the_default_for_everything_a_tool_needs_a_model_for(environ: Environ) -> None:
    """Our promise: what will be used is known before it is; what nobody would expect comes with its reason."""
    facts, _ = await status({**environ, "MTU_MODEL_SPEECH": "tts-1"})
    found = facts["defaults"]
    wanted = {"speech": "tts-1", "translate": "qwen-mt-plus", "embed": "text-embedding-3-small"}
    wanted |= {"document": "qwen-long", "moderate": "omni-moderation-latest", "research": "jina-deepsearch-v1"}
    assert {name: found[name] for name in wanted} == wanted
    assert found["image_vary"] == "dall-e-2: the gateway offers no other for this, though its maker retired it"
    assert {"code", "fill_in", "image_edit", "diarize", "gemini_search", "vision", "translate_audio"} <= set(found)


async def test_where_the_gateway_has_none_it_says_so(environ: Environ) -> None:
    """Our promise: a first choice that is not offered is not shown as if it were."""
    with Sandbox(Options(models=("gpt-4o",))) as small:
        facts, _ = await status({**environ, "MTU_BASE_URL": small.base_url})
    assert facts["defaults"]["chat"] == "gpt-4o"
    assert facts["defaults"]["speech"].endswith("and the gateway lists none for this")
    assert "1 model is listed." in json.dumps(facts["checks"])
