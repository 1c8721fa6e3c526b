"""`generate_image`: pictures made, edited and varied, on disk before they are shown."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from capabilities.material import (
    answered,
    bodies,
    call,
    mask,
    messages,
    named,
    picture,
    read_named,
    refused,
    spent,
)
from connections import MEMORY, HostModel, connect, text_of
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]


@pytest.fixture
def folder(tmp_path: Path, environ: Environ) -> Path:
    """A folder the user allowed, with a picture, its mask and a second picture."""
    given = tmp_path / "图片"
    given.mkdir()
    (given / "fox.png").write_bytes(picture(color="orange"))
    (given / "猫.png").write_bytes(picture(color="gray"))
    (given / "mask.png").write_bytes(mask())
    environ["MTU_ALLOWED_DIRS"] = str(given)
    return given


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def sidecar(said: str) -> dict[str, Any]:
    path = named(said)
    return json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))


async def test_a_picture_is_saved_under_a_telling_name_with_its_prompt_beside_it(environ: Environ) -> None:
    """Our promise: files under telling names, a JSON sidecar with prompt, model, parameters and time."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "generate_image", prompt="一只红狐狸 in snow", size="1024x1024", quality="low")
    assert "一只红狐狸-in-snow" in named(said).name
    assert opened(read_named(said)).size == (1024, 1024)
    about = sidecar(said)
    assert about["prompt"] == "一只红狐狸 in snow"
    assert about["model"] == "gpt-image-1.5"
    assert about["parameters"] == {"n": 1, "size": "1024x1024", "quality": "low"}
    assert about["created"].endswith("Z")
    assert about["seconds"] >= 0
    assert str(named(said).parent) == environ["MTU_OUTPUT_DIR"]


async def test_a_small_preview_is_shown_and_the_whole_is_linked(environ: Environ) -> None:
    """Claude Desktop takes 1 MB a result; our promise: a small preview, a link to the whole, nothing in both."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "generate_image", prompt="a red fox")
        [link] = [block for block in result.content if block.type == "resource_link"]
        [shown] = [block for block in result.content if block.type == "image"]
        read = await client.read_resource(link.uri)
    assert [block.type for block in result.content] == ["text", "image", "resource_link"]
    small = base64.b64decode(shown.data)
    assert max(opened(small).size) <= 512
    assert len(small) <= 150_000
    assert base64.b64decode(read.contents[0].blob) == read_named(text_of(result))
    assert read.contents[0].mime_type == "image/png"
    assert link.size == len(read_named(text_of(result)))
    assert result.structured_content is None


async def test_several_pictures_become_several_files(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference: n from 1 to 10."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "generate_image", prompt="a fox", n=3, output_format="jpeg")
    paths = [line.split(" (")[0].removeprefix("Saved ") for line in text_of(result).splitlines() if "Saved" in line]
    assert len(set(paths)) == 3
    assert all(path.endswith(".jpg") for path in paths)
    assert [block.type for block in result.content].count("image") == 3
    [body] = bodies(gateway, "/images/generations")
    assert body["n"] == 3
    assert body["output_format"] == "jpeg"


async def test_further_fields_go_with_the_request(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference: background; our promise: options as the API names them."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "generate_image", prompt="a fox", options={"background": "transparent"})
    assert bodies(gateway, "/images/generations")[0]["background"] == "transparent"
    assert sidecar(said)["parameters"]["background"] == "transparent"


async def test_a_picture_is_edited_under_its_mask(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """OpenAI API reference, edits: one picture in the field `image`, the mask beside it."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "generate_image", prompt="make it snow", images=["fox.png"], mask="mask.png")
    [asked] = bodies(gateway, "/images/edits")
    assert {"prompt", "model", "image", "mask", "n"} <= set(asked)
    assert opened(read_named(said)).size[0] >= 1024
    assert sidecar(said)["images"] == ["fox.png"]


async def test_several_references_are_combined(environ: Environ, gateway: Sandbox, folder: Path) -> None:
    """OpenAI API reference, edits: up to 16 pictures, each of 64x64 counted as 65 + 129 tokens."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "generate_image", prompt="both", images=["fox.png", "猫.png", "fox.png"])
        many = await refused(client, "generate_image", prompt="all", images=["fox.png"] * 17)
    assert "583 tokens in" in said
    assert "at most 16" in many
    assert spent(gateway) == 1


async def test_a_picture_alone_is_varied_and_fetched_from_the_gateways_own_address(
    environ: Environ, gateway: Sandbox, folder: Path
) -> None:
    """OpenAI API reference, variations (dall-e-2 answers a URL); our promise: the picture is on disk before it expires."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "generate_image", images=["fox.png"], size="256x256")
    assert opened(read_named(said)).size == (256, 256)
    assert "dall-e-2 was used" in said
    assert [entry.path for entry in gateway.journal][-1].startswith("/sandbox/files/")


async def test_a_made_picture_can_be_edited_by_its_link(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: mtu://media/ links of earlier answers are taken where a file is."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "generate_image", prompt="红 fox, a & b")
        [link] = [block for block in result.content if block.type == "resource_link"]
        await answered(client, "generate_image", prompt="bluer", images=[link.uri])
    assert bodies(gateway, "/images/edits")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "Give a prompt, or images"),
        ({"prompt": "  "}, "Give a prompt, or images"),
        ({"prompt": "a", "mask": "mask.png"}, "mask needs images and a prompt"),
        ({"images": ["fox.png"], "mask": "mask.png"}, "mask needs images and a prompt"),
        ({"images": ["fox.png", "猫.png"]}, "there are 2"),
        ({"prompt": "a", "n": 0}, "greater than or equal to 1"),
        ({"prompt": "a", "n": 11}, "less than or equal to 10"),
        ({"prompt": "a", "quality": "best"}, "'low', 'medium' or 'high'"),
        ({"prompt": "a", "images": ["sound.wav"]}, "no file"),
        ({"prompt": "a", "options": {"prompt": "b"}}, "options may not set prompt"),
    ],
)
async def test_what_no_endpoint_does_is_refused_before_it_costs(
    environ: Environ, gateway: Sandbox, folder: Path, arguments: dict[str, Any], words: str
) -> None:
    """OpenAI API reference: what the three image endpoints take."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "generate_image", **arguments)
    assert words in said or "sound.wav" in said
    assert not spent(gateway)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prompt": "a" * 1001}, "The prompt has 1,001 characters; dall-e-2 takes 1,000."),
        ({"prompt": "a", "size": "1024x1536"}, "of size '1024x1536'; it knows 256x256, 512x512, 1024x1024."),
        ({"prompt": "a", "quality": "high", "model": "dall-e-3"}, "of quality 'high'; it knows auto, hd, standard."),
        ({"prompt": "a", "n": 2, "model": "dall-e-3"}, "dall-e-3 makes 1 picture a call, not 2."),
        ({"prompt": "a", "images": ["fox.png", "猫.png"]}, "dall-e-2 takes 1 picture to edit; there are 2."),
        ({"prompt": "a", "images": ["large.bmp"]}, "large.bmp has 4.8 MB; dall-e-2 takes 4 MB."),
        ({"prompt": "a", "images": ["fox.png"], "mask": "large.bmp"}, "large.bmp has 4.8 MB; dall-e-2 takes 4 MB."),
        ({"images": ["wide.png"]}, "wide.png is 64x32; dall-e-2 takes square pictures."),
    ],
)
async def test_what_the_model_is_known_not_to_take_is_refused_with_the_figure(
    environ: Environ, gateway: Sandbox, folder: Path, arguments: dict[str, Any], words: str
) -> None:
    """OpenAI API reference: what each model takes; our promise: told before anything is uploaded."""
    (folder / "wide.png").write_bytes(picture(64, 32))
    (folder / "large.bmp").write_bytes(picture(1300, 1300, form="BMP"))
    async with connect(MEMORY, environ) as client:
        assert words in await refused(client, "generate_image", **{"model": "dall-e-2", **arguments})
    assert not spent(gateway)


async def test_a_quality_left_to_the_model_is_not_refused(environ: Environ) -> None:
    """OpenAI API reference: `auto` selects the best quality for the given model, whichever it is."""
    async with connect(MEMORY, environ) as client:
        await answered(client, "generate_image", prompt="a", quality="auto", model="dall-e-3")


async def test_a_size_the_model_does_not_have_is_refused_with_those_it_has(environ: Environ) -> None:
    """OpenAI API reference: sizes by model; the gateway's words are quoted."""
    async with connect(MEMORY, environ) as client:
        assert "1536x1024" in await refused(client, "generate_image", prompt="a", size="3x3")


async def test_a_wrong_model_is_answered_with_picture_models(environ: Environ) -> None:
    """Our promise: an error heals."""
    async with connect(MEMORY, environ) as client:
        assert "gpt-image-1" in await refused(client, "generate_image", prompt="a", model="gpt-imag-1")


async def test_a_gateway_without_variations_is_told_in_one_sentence(environ: Environ, folder: Path) -> None:
    """New API answers 501 "API not implemented" to /v1/images/variations."""
    with Sandbox(Options(dialect="new-api")) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            said = await refused(client, "generate_image", images=["fox.png"])
            await answered(client, "generate_image", prompt="still alive")
    assert said.startswith("This gateway does not offer images/variations (it answered 501).")


async def test_a_gateway_without_pictures_is_told_in_one_sentence(environ: Environ, folder: Path) -> None:
    """Our promise: an endpoint the gateway lacks is answered with a sentence saying so."""
    with Sandbox(Options(without=("/images/generations", "/images/edits"))) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            made = await refused(client, "generate_image", prompt="a fox")
            edited = await refused(client, "generate_image", prompt="a fox", images=["fox.png"])
    assert "does not offer images/generations (it answered 404)" in made
    assert "does not offer images/edits (it answered 404)" in edited


async def test_a_picture_that_cannot_be_saved_is_still_shown(environ: Environ, tmp_path: Path) -> None:
    """Our promise: what was paid for is never lost; a file in the folder's place stands for any broken disk."""
    (tmp_path / "made").write_bytes(b"in the way")
    async with connect(MEMORY, environ) as client:
        result = await call(client, "generate_image", prompt="a fox")
    assert not result.is_error
    assert "could not be saved" in text_of(result)
    [shown] = [block for block in result.content if block.type == "image"]
    assert max(opened(base64.b64decode(shown.data)).size) == 1024


async def test_read_only_hides_the_tool(environ: Environ) -> None:
    """Our promise: MTU_READ_ONLY lists only what changes no files."""
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "1"}) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        said = await refused(client, "generate_image", prompt="a fox")
    assert "generate_image" not in names
    assert "chat" in names
    assert "There is no tool" in said


async def test_a_prompt_is_refined_by_the_hosts_model(environ: Environ, gateway: Sandbox) -> None:
    """MCP specification, sampling; our promise: refine_prompt lets the host's own model write the prompt."""
    host = HostModel("A vivid red fox at dawn, low angle")
    async with connect(MEMORY, environ, sampling_callback=host) as client:
        said = await answered(client, "generate_image", prompt="a fox", refine_prompt=True)
    assert bodies(gateway, "/images/generations")[0]["prompt"] == host.answer
    assert "The host's model (host-model) wrote the prompt: A vivid red fox" in said
    assert "a fox" in host.asked[0].messages[0].content.text
    assert sidecar(said)["prompt"] == "a fox"
    assert sidecar(said)["full_prompt"] == host.answer


async def test_without_sampling_a_model_of_the_gateway_refines_the_prompt(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: host features have a fallback, and the answer says so."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "generate_image", prompt="a fox", refine_prompt=True)
    assert "The host lends no model, so gpt-5.1 wrote the prompt" in said
    assert "max_tokens" not in bodies(gateway)[0]
    assert messages(gateway)[1] == {"role": "user", "content": "a fox"}


async def test_a_prompt_nobody_can_refine_is_sent_as_it_is(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a nicety that fails does not take the picture with it."""
    gateway.arm("500", "/chat/completions")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "generate_image", prompt="a fox", refine_prompt=True)
    assert "The prompt was sent as it is" in said
    assert bodies(gateway, "/images/generations")[0]["prompt"] == "a fox"
