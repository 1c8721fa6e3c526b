"""`moderate_content`: a verdict for each text and picture."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from capabilities.material import answered, bodies, call, picture, refused, spent
from connections import MEMORY, connect, every_cell, roots, text_of
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
THREAT = "I will kill you | now"


def captioned(words: str) -> bytes:
    """A picture that says something in its own metadata, which is all the embedded gateway reads of it."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", words)
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "grey").save(out, "PNG", pnginfo=about)
    return out.getvalue()


def inline(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


@pytest.fixture
def environ(environ: Environ, tmp_path: Path) -> Environ:
    return {**environ, "MTU_TOOLSETS": "safety", "MTU_ALLOWED_DIRS": str(tmp_path), "MTU_MAX_RETRIES": "0"}


@every_cell
async def test_texts_and_pictures_get_a_row_each(cell: Any, environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: a short table of what is flagged, with scores; the same as data."""
    (tmp_path / "plain.png").write_bytes(picture())
    kept = {**environ, "MTU_KEEP_METADATA": "true"}  # the embedded gateway knows a picture by its caption alone
    async with connect(cell, kept) as client:
        result = await call(
            client,
            "moderate_content",
            texts=["Good morning", THREAT, "我不想活了"],
            images=[str(tmp_path / "plain.png"), inline(captioned("blood everywhere"))],
        )
    said = text_of(result)
    assert not result.is_error, said
    assert said.startswith("3 of 5 flagged by omni-moderation-latest.")
    assert "\n[omni-moderation-latest · CNY 0 (list price)]" in said, "nothing about nothing, and no tokens to count"
    assert "| text 1: Good morning | no | none |" in said
    assert "| text 2: I will kill you \\| now | yes | harassment/threatening 0.82, violence 0.82 |" in said
    assert "| text 3: 我不想活了 | yes | self-harm/intent 0.82 |" in said
    assert "| image 1: plain.png | no | none |" in said
    assert "| yes | violence/graphic 0.82 |" in said
    data = result.structured_content
    assert data is not None
    assert [row["flagged"] for row in data["results"]] == [False, True, True, False, True]
    assert data["results"][1]["categories"] == {"harassment/threatening": 0.82, "violence": 0.82}
    assert [isinstance(body["input"][0], str) for body in bodies(gateway, "/moderations")] == [True, False, False]


async def test_a_url_is_left_to_the_gateway(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, create moderation: image_url is a URL or a data URL."""
    url = gateway.desk.shelve(picture(), "image/png", "png")
    async with connect(MEMORY, environ) as client:
        await answered(client, "moderate_content", images=[url])
    assert bodies(gateway, "/moderations")[0]["input"] == [{"type": "image_url", "image_url": {"url": url}}]


async def test_a_picture_that_cannot_be_judged_leaves_the_others_their_verdicts(environ: Environ) -> None:
    """Our promise: one failure does not take the rest with it, and says why."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "moderate_content", texts=["hello"], images=["https://example.com/x.png"])
        alone = await refused(client, "moderate_content", images=["https://example.com/x.png"])
    said = text_of(result)
    assert not result.is_error
    assert "| text 1: hello | no | none |" in said
    assert "| image 1: https://example.com/x.png | not judged | " in said
    assert "Failed to download" in said
    assert "Failed to download" in alone
    assert result.structured_content is not None
    assert result.structured_content["results"][1]["flagged"] is None


async def test_a_model_that_reads_text_alone_is_not_sent_pictures(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference: text-moderation models take no images."""
    async with connect(MEMORY, {**environ, "MTU_MODEL_MODERATE": "text-moderation-latest"}) as client:
        said = await refused(client, "moderate_content", images=[inline(picture())])
        assert "by text-moderation-latest" in await answered(client, "moderate_content", texts=["hello"])
    assert "judges text alone" in said
    assert "omni-moderation-latest" in said
    assert spent(gateway) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "nothing to judge"),
        ({"texts": [], "images": []}, "nothing to judge"),
        ({"texts": ["a", ""]}, "Text 2 is empty"),
        ({"texts": ["x"] * 101}, "101 texts; one call takes 100"),
        ({"images": ["data:image/png;base64,aaaa"] * 21}, "21 images; one call takes 20"),
        ({"images": ["notes.txt"]}, "notes.txt"),
        ({"texts": ["a"], "model": "x" * 300}, "no model's name"),
    ],
)
async def test_what_cannot_work_is_said_before_anything_is_sent(
    environ: Environ, gateway: Sandbox, arguments: dict[str, Any], expected: str
) -> None:
    """Our promise: limits are checked before sending, with the figure."""
    async with connect(MEMORY, environ) as client:
        assert expected in await refused(client, "moderate_content", **arguments)
    assert spent(gateway) == 0


async def test_a_picture_outside_the_hosts_folders_is_not_sent(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """MCP roots: the host's folders bound what may be read."""
    inside = tmp_path / "in"
    inside.mkdir()
    for file in (inside / "a.png", tmp_path / "b.png"):
        file.write_bytes(picture())
    asked = {name: value for name, value in environ.items() if name != "MTU_ALLOWED_DIRS"}
    async with connect(MEMORY, asked, list_roots_callback=roots(inside)) as client:
        await answered(client, "moderate_content", images=[str(inside / "a.png")])
        await refused(client, "moderate_content", images=[str(tmp_path / "b.png")])
    assert spent(gateway) == 1


async def test_a_gateway_without_moderations_says_so_in_one_sentence(environ: Environ) -> None:
    """Our promise: it tells the truth about what this gateway does not offer."""
    with Sandbox(Options(without=("/moderations",))) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            said = await refused(client, "moderate_content", texts=["a"])
    assert said.startswith("This gateway does not offer moderations")


async def test_a_wrong_model_is_answered_with_the_nearest(environ: Environ) -> None:
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "moderate_content", texts=["a"], model="omni-moderation-newest")
    assert "omni-moderation-latest" in said
