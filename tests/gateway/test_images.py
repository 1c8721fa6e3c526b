"""Pictures in every form a gateway gives them."""

import base64
import io
import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import BadAnswer, BadInput, Filtered, Rejected
from mtu_mcp.gateway import ImageEdit, ImageRequest, ImagesAnswer, ImageVariation, MadeImage, Upload, open_scope
from mtu_mcp.gateway.forms import Form

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
B64 = base64.b64encode(PNG).decode()
URL = "https://cdn.test/a.png?sig=1"


async def made(body: dict[str, Any]) -> ImagesAnswer:
    gateway, _, _ = open_gateway(json_body(json.dumps(body)))
    return await gateway.generate_images(ImageRequest("m", "a cat"))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"b64_json": B64}, MadeImage(PNG)),
        ({"url": URL}, MadeImage(url=URL)),
        ({"url": "", "b64_json": B64, "revised_prompt": ""}, MadeImage(PNG)),
        ({"url": URL, "b64_json": "", "revised_prompt": "a tabby"}, MadeImage(url=URL, revised_prompt="a tabby")),
        ({"url": None, "b64_json": B64}, MadeImage(PNG)),
        ({"url": f"data:image/png;base64,{B64}"}, MadeImage(PNG)),
        ({"b64_json": f"data:image/png;base64,{B64}"}, MadeImage(PNG)),
        ({"url": "data:image/svg+xml,%3Csvg%2F%3E"}, MadeImage(b"<svg/>")),
        ({"b64_json": URL, "url": ""}, MadeImage(url=URL)),
        ({"url": B64}, MadeImage(PNG)),
        ({"b64_json": "\n".join(B64[i : i + 76] for i in range(0, len(B64), 76)) + "\n"}, MadeImage(PNG)),
        ({"b64_json": B64.rstrip("=")}, MadeImage(PNG)),
        ({"b64_json": B64.replace("+", "-").replace("/", "_")}, MadeImage(PNG)),
        ({"url": [URL]}, MadeImage(url=URL)),
        (URL, MadeImage(url=URL)),
    ],
)
async def test_a_picture_is_found_in_whichever_field_holds_it(item: Any, expected: MadeImage):
    """OpenAI API reference for the two fields; New API always sends both, one of them empty."""
    assert (await made({"created": 1, "data": [item]})).images == (expected,)


@pytest.mark.parametrize(
    "body",
    [
        {"images": [{"url": URL}]},
        {"data": {"url": URL}},
        {"output": {"results": [{"url": URL}]}},
        {"output": {"choices": [{"message": {"content": [{"image": URL}]}}]}},
        {"url": URL},
    ],
)
async def test_a_picture_is_found_in_other_gateways_places(body: dict[str, Any]):
    """Model Studio's own protocol and other servers."""
    assert (await made(body)).images == (MadeImage(url=URL),)


async def test_what_was_used_is_echoed():
    """OpenAI API reference: usage counts input_tokens here, and the settings used are named."""
    answer = await made(
        {
            "created": 1700000000,
            "data": [{"b64_json": B64}],
            "size": "1024x1024",
            "quality": "high",
            "output_format": "png",
            "usage": {"input_tokens": 50, "output_tokens": 4160, "input_tokens_details": {"image_tokens": 40}},
        }
    )
    assert (answer.created, answer.size, answer.quality, answer.output_format) == (
        1700000000,
        "1024x1024",
        "high",
        "png",
    )
    assert answer.usage
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.input_image) == (50, 4160, 40)


async def test_one_failed_picture_does_not_hide_the_others():
    """Seedream reports an error for each picture."""
    answer = await made({"data": [{"error": {"code": "X", "message": "too dark"}}, {"url": URL, "size": "2048x2048"}]})
    assert answer.images == (MadeImage(error="too dark"), MadeImage(url=URL, size="2048x2048"))


async def test_when_every_picture_failed_it_is_an_error():
    """Our promise: an answer without a picture is not an answer."""
    with pytest.raises(Filtered, match="bad words"):
        await made(
            {
                "data": [
                    {"error": {"code": "OutputImageSensitiveContentDetected.content_filter", "message": "bad words"}}
                ]
            }
        )


@pytest.mark.parametrize("body", [{"data": []}, {"data": [{}]}, {"data": [None, 1]}, {"data": [{"b64_json": "!"}]}, {}])
async def test_no_picture_is_a_bad_answer(body: dict[str, Any]):
    """Our promise: an answer without a picture is not an answer."""
    with pytest.raises(BadAnswer, match="no picture"):
        await made(body)


async def test_a_stream_of_pictures_is_put_together():
    """OpenAI API reference, image streaming events."""
    first = {"type": "image_generation.partial_image", "b64_json": "AAAA", "partial_image_index": 0}
    last = {"type": "image_generation.completed", "b64_json": B64, "usage": {"input_tokens": 1, "output_tokens": 2}}
    body = "".join(f"event: {item['type']}\ndata: {json.dumps(item)}\n\n" for item in (first, last))
    gateway, _, _ = open_gateway(events(body.encode()))
    answer = await gateway.generate_images(ImageRequest("m", "a cat", {"stream": True}))
    assert answer.images == (MadeImage(PNG),)
    assert answer.usage
    assert answer.usage.output_tokens == 2


async def test_an_edit_is_a_form_streamed_from_disk(tmp_path: Path):
    """OpenAI API reference: several images are `image[]`; RFC 7578 for the form."""
    big = bytes(range(256)) * 4096
    (tmp_path / "in.png").write_bytes(big)
    gateway, transport, _ = open_gateway(json_body(json.dumps({"data": [{"url": URL}]})))
    images = [Upload("猫.png", "image/png", path=tmp_path / "in.png"), Upload("b.png", "image/png", data=PNG)]
    with open_scope() as scope:
        await gateway.edit_images(ImageEdit("m", "红色", images, Upload("mask.png", "image/png", data=b"M"), {"n": 2}))
    sent = transport.sent[0]
    assert sent.url == "https://gateway.test/v1/images/edits"
    assert int(sent.headers["content-length"]) == len(sent.body)
    assert "transfer-encoding" not in sent.headers
    parts = read_form(sent.headers["content-type"], sent.body)
    assert parts == [
        ('name="n"', b"2"),
        ('name="model"', b"m"),
        ('name="prompt"', "红色".encode()),
        ('name="image[]"; filename="猫.png"', big),
        ('name="image[]"; filename="b.png"', PNG),
        ('name="mask"; filename="mask.png"', b"M"),
    ]
    assert [exchange.endpoint for exchange in scope.exchanges] == ["images/edits"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.png", "a.png"),
        ('a"; name="model\r\n.png', "a__ name=_model__.png"),
        ("", "file"),
        ("...", "file"),
        ("x" * 300 + ".png", "x" * 116 + ".png"),
        ("猫.png", "猫.png"),
    ],
)
async def test_a_file_name_cannot_break_the_form(name: str, safe: str):
    """RFC 7578: the name stands in quotes in a header; our promise is that no path leaves the machine."""
    gateway, transport, _ = open_gateway(json_body(json.dumps({"data": [{"url": URL}]})))
    await gateway.vary_image(ImageVariation("m", Upload(name, "image/png\r\nX: y", data=b"x")))
    body = transport.sent[0].body.decode()
    assert f'name="image"; filename="{safe}"\r\nContent-Type: application/octet-stream\r\n' in body


async def test_a_file_that_is_gone_is_the_callers_matter(tmp_path: Path):
    """Our promise: one tree of errors, sorted by who can fix it."""
    gateway, transport, _ = open_gateway()
    with open_scope() as scope, pytest.raises(BadInput, match=r"gone\.png cannot be read"):
        await gateway.vary_image(ImageVariation("m", Upload("gone.png", "image/png", path=tmp_path / "gone.png")))
    assert not transport.sent
    assert scope.exchanges[0].state == "failed"


async def test_an_answer_that_is_too_large_is_not_kept():
    """Our promise: JSON answers are bounded at 64 MB."""
    chunk = b" " * (8 << 20)
    gateway, transport, _ = open_gateway(Scripted(200, {}, (b'{"data":[', *[chunk] * 9)))
    with pytest.raises(BadAnswer, match="67,108,864 bytes"):
        await gateway.generate_images(ImageRequest("m", "a cat"))
    assert transport.closed == 1


async def test_an_error_keeps_its_words():
    """OpenAI API reference: gpt-image refuses response_format by name."""
    gateway, _, _ = open_gateway(json_body('{"error":{"message":"Unknown parameter: response_format"}}', 400))
    with pytest.raises(Rejected, match="Unknown parameter: response_format"):
        await gateway.generate_images(ImageRequest("m", "a cat", {"response_format": "url"}))


def read_form(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    boundary = content_type.partition("boundary=")[2].encode()
    parts: list[tuple[str, bytes]] = []
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = head.decode().partition("form-data; ")[2].partition("\r\n")[0]
        parts.append((name, value.removesuffix(b"\r\n")))
    return parts


async def test_a_file_is_opened_by_its_own_opener_at_every_attempt(tmp_path: Path) -> None:
    """Our promise: the checked way to a file is the one it is read by; opening the path again could follow a swap."""
    opened: list[int] = []

    def opener() -> BinaryIO:
        opened.append(1)
        return io.BytesIO(b"bytes the checks let through")

    upload = Upload("a.png", "image/png", path=tmp_path / "swapped.png", opener=opener)
    form = await Form([], [("image", upload)]).measure()
    body = b"".join([piece async for piece in form.stream()])
    assert b"bytes the checks let through" in body
    assert len(body) == form.length
    assert opened == [1, 1]
