"""The image routes over a real socket, with the public `openai` client and with plain requests."""

import base64
import io
import json
from collections.abc import Iterator

import httpx
import openai
import pytest
from PIL import Image, ImageDraw

from mtu_mcp.sandbox import Options, Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the client's own
KEY = {"Authorization": "Bearer sk-test"}


@pytest.fixture
def client(gateway: Sandbox) -> Iterator[openai.OpenAI]:
    """The public client, unmodified."""
    with openai.OpenAI(base_url=gateway.base_url, api_key="sk-test", max_retries=0) as made:
        yield made


def _picture(width: int = 256, height: int = 256, form: str = "PNG", colour: tuple[int, ...] = (200, 40, 40)) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", (width, height), colour).save(out, form)
    return out.getvalue()


def _mask(width: int = 256, height: int = 256) -> bytes:
    made = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    ImageDraw.Draw(made).rectangle((64, 64, 192, 192), fill=(0, 0, 0, 0))
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()


def _opened(data: bytes) -> Image.Image:
    made = Image.open(io.BytesIO(data))
    made.load()
    return made


def _post(gateway: Sandbox, path: str, body: dict | None = None, **more) -> httpx.Response:
    return httpx.post(f"{gateway.base_url}{path}", json=body, headers=KEY, timeout=30, **more)


def _refused(gateway: Sandbox, path: str, body: dict | None = None, **more) -> dict:
    answer = _post(gateway, path, body, **more)
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]


def test_gpt_image_answers_base64_with_usage_and_what_was_used(client):
    """OpenAI API reference: GPT image models always return b64_json; usage counts input_tokens and output_tokens."""
    answer = client.images.generate(model="gpt-image-1", prompt="a red circle", size="1536x1024", quality="low", n=2)
    pictures = [_opened(base64.b64decode(item.b64_json)) for item in answer.data]
    assert [picture.size for picture in pictures] == [(1536, 1024)] * 2
    assert all(item.url is None for item in answer.data)
    assert (answer.size, answer.quality, answer.output_format, answer.background) == (
        "1536x1024",
        "low",
        "png",
        "opaque",
    )
    assert answer.usage.output_tokens == 2 * 400
    assert answer.usage.total_tokens == answer.usage.input_tokens + 800
    assert answer.usage.input_tokens_details.image_tokens == 0


def test_dall_e_answers_a_url_that_can_be_fetched(client):
    """OpenAI API reference: `url` is the default for DALL·E."""
    answer = client.images.generate(model="dall-e-2", prompt="a cat", size="512x512")
    assert answer.data[0].b64_json is None
    fetched = httpx.get(answer.data[0].url)
    assert fetched.headers["content-type"] == "image/png"
    assert _opened(fetched.content).size == (512, 512)


def test_dall_e_3_revises_the_prompt_and_signs_it(client):
    """OpenAI API reference: revised_prompt; our promise: signed."""
    answer = client.images.generate(model="dall-e-3", prompt="a cat", response_format="b64_json", size="1792x1024")
    assert answer.data[0].revised_prompt == "a cat [embedded gateway]"
    assert _opened(base64.b64decode(answer.data[0].b64_json)).size == (1792, 1024)


def test_qwen_image_takes_the_vendors_own_fields(gateway):
    """Alibaba Cloud Model Studio: size 1328*1328, negative_prompt, prompt_extend, watermark, seed."""
    body = {"model": "qwen-image", "prompt": "雪山", "size": "928*1664", "negative_prompt": "人", "watermark": False}
    answer = _post(gateway, "/images/generations", body)
    assert answer.status_code == 200
    assert _opened(httpx.get(answer.json()["data"][0]["url"]).content).size == (928, 1664)


@pytest.mark.parametrize(("form", "name"), [("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_the_output_format_is_honoured(client, form, name):
    """OpenAI API reference: output_format and output_compression."""
    compression = {} if form == "png" else {"output_compression": 40}
    answer = client.images.generate(model="gpt-image-1", prompt="x", output_format=form, **compression)
    assert _opened(base64.b64decode(answer.data[0].b64_json)).format == name
    assert answer.output_format == form


def test_a_transparent_background_is_transparent(client):
    """OpenAI API reference: background transparent, png or webp."""
    answer = client.images.generate(model="gpt-image-1", prompt="a red star", background="transparent")
    assert _opened(base64.b64decode(answer.data[0].b64_json)).getpixel((2, 2))[3] == 0
    assert answer.background == "transparent"


def test_a_stream_shows_blurred_pictures_first(client):
    """OpenAI API reference: image_generation.partial_image events, then image_generation.completed."""
    with client.images.generate(model="gpt-image-1", prompt="a red circle", stream=True, partial_images=2) as stream:
        events = list(stream)
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert events[2].usage.output_tokens == 1056
    assert len({event.b64_json for event in events}) == 3


def test_the_stream_names_its_events_and_has_no_done(gateway):
    """OpenAI API reference: image streams carry `event:` lines and no [DONE]."""
    body = {"model": "gpt-image-1", "prompt": "x", "stream": True}
    text = _post(gateway, "/images/generations", body).text
    assert text.startswith("event: image_generation.completed\ndata: {")
    assert "[DONE]" not in text


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"model": "gpt-image-1", "prompt": "x", "response_format": "url"}, "response_format", "Unknown parameter"),
        ({"model": "gpt-image-1", "prompt": "x", "colour": "red"}, "colour", "Unknown parameter: 'colour'."),
        ({"model": "gpt-image-1"}, "prompt", "Missing required parameter: 'prompt'."),
        ({"model": "gpt-image-1", "prompt": 5}, "prompt", "expected a string"),
        ({"model": "gpt-image-1", "prompt": ""}, "prompt", "string too short"),
        ({"model": "gpt-image-1", "prompt": "x" * 32_001}, "prompt", "maximum length 32000"),
        ({"model": "dall-e-3", "prompt": "x" * 4_001}, "prompt", "maximum length 4000"),
        ({"model": "dall-e-2", "prompt": "x" * 1_001}, "prompt", "maximum length 1000"),
        ({"model": "dall-e-3", "prompt": "x", "n": 2}, "n", "Expected a value <= 1"),
        ({"model": "gpt-image-1", "prompt": "x", "n": 11}, "n", "Expected a value <= 10"),
        ({"model": "gpt-image-1", "prompt": "x", "n": "2"}, "n", "expected an integer"),
        ({"model": "gpt-image-1", "prompt": "x", "size": "512x512"}, "size", "'1024x1024'"),
        ({"model": "gpt-image-1", "prompt": "x", "size": "1024×1024"}, "size", "Supported values are"),
        ({"model": "dall-e-3", "prompt": "x", "size": "auto"}, "size", "'1792x1024'"),
        ({"model": "dall-e-2", "prompt": "x", "style": "vivid"}, "style", "Unknown parameter"),
        ({"model": "gpt-image-1", "prompt": "x", "quality": "hd"}, "quality", "'high'"),
        ({"model": "gpt-image-1", "prompt": "x", "partial_images": 2}, "partial_images", "'stream'"),
        ({"model": "gpt-image-1", "prompt": "x", "output_compression": 50}, "output_compression", "'png'"),
        (
            {"model": "gpt-image-1", "prompt": "x", "output_format": "jpeg", "background": "transparent"},
            "background",
            "'jpeg'",
        ),
    ],
)
def test_a_wrong_request_is_refused_by_the_name_of_its_field(gateway, body, param, said):
    """OpenAI API reference: fields, lengths and sizes by model."""
    error = _refused(gateway, "/images/generations", body)
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert said in error["message"]


def test_a_model_that_paints_nothing_is_refused(client):
    """OpenAI API: 404 for a model that is not there or not for this endpoint."""
    with pytest.raises(openai.NotFoundError):
        client.images.generate(model="dall-e-9", prompt="x")
    with pytest.raises(openai.NotFoundError):
        client.images.generate(model="whisper-1", prompt="x")


def test_without_a_model_it_is_dall_e_2_unless_a_field_says_otherwise(gateway):
    """OpenAI API reference: the default is dall-e-2, or a GPT image model if a parameter specific to those is used."""
    assert "url" in _post(gateway, "/images/generations", {"prompt": "x", "size": "256x256"}).json()["data"][0]
    assert "usage" in _post(gateway, "/images/generations", {"prompt": "x", "output_format": "png"}).json()


def test_one_picture_with_a_mask_is_edited(client):
    """OpenAI API reference: images/edits with a mask of the same size."""
    answer = client.images.edit(
        model="gpt-image-1",
        image=("a.png", _picture()),
        mask=("m.png", _mask()),
        prompt="a green tree",
        size="1024x1024",
    )
    made = _opened(base64.b64decode(answer.data[0].b64_json)).convert("RGB")
    assert made.getpixel((100, 100)) == (200, 40, 40)
    assert made.getpixel((512, 300)) != (200, 40, 40)
    assert answer.usage.input_tokens_details.image_tokens == 65 + 129


def test_several_references_are_taken_as_a_list(client, gateway):
    """OpenAI API reference: up to 16 images, sent as image[]."""
    parts = [(f"{at}.webp", _picture(form="WEBP")) for at in range(3)]
    answer = client.images.edit(model="gpt-image-1", image=parts, prompt="side by side", input_fidelity="high")
    assert len(answer.data) == 1
    assert answer.usage.input_tokens_details.image_tokens == 3 * (65 + 129 + 4160)
    assert "image[]" in str(gateway.journal.find("/images/edits")[-1].asked)


def test_numbered_picture_fields_are_taken_too(gateway):
    """Some clients write image[0], image[1]; gateways accept it."""
    files = {f"image[{at}]": (f"{at}.png", _picture()) for at in range(2)}
    answer = _post(gateway, "/images/edits", None, files=files, data={"model": "gpt-image-1", "prompt": "x"})
    assert answer.status_code == 200


def test_an_edit_streams(client):
    """OpenAI API reference: image_edit.partial_image and image_edit.completed."""
    with client.images.edit(
        model="gpt-image-1", image=("a.png", _picture()), prompt="x", stream=True, partial_images=1
    ) as stream:
        assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


def test_dall_e_2_edits_the_transparent_area_of_the_picture_itself(client):
    """OpenAI API reference: without a mask the image must have transparency."""
    answer = client.images.edit(
        model="dall-e-2", image=("a.png", _mask()), prompt="x", size="256x256", response_format="b64_json"
    )
    assert _opened(base64.b64decode(answer.data[0].b64_json)).size == (256, 256)
    with pytest.raises(openai.BadRequestError, match="transparent area"):
        client.images.edit(model="dall-e-2", image=("a.png", _picture()), prompt="x")


@pytest.mark.parametrize(
    ("model", "image", "mask", "param", "said"),
    [
        ("gpt-image-1", b"not a picture", None, "image", "unsupported image format"),
        ("gpt-image-1", b"", None, "image", "empty"),
        ("gpt-image-1", _picture(form="GIF"), None, "image", "got GIF"),
        ("gpt-image-1", _picture()[:150], None, "image", "unreadable"),
        ("gpt-image-1", _picture(), _mask(128, 128), "mask", "128x128"),
        ("gpt-image-1", _picture(), _picture(), "mask", "alpha"),
        ("gpt-image-1", _picture(), _picture(form="JPEG"), "mask", "PNG"),
        ("dall-e-2", _picture(256, 200), None, "image", "256x200"),
        ("dall-e-2", _picture(form="JPEG"), None, "image", "got JPEG"),
        ("dall-e-2", b"\0" * (4 * 1024 * 1024), None, "image", "smaller than 4 MB"),
        ("gpt-image-1", b"\0" * (50 * 1024 * 1024), None, "image", "smaller than 50 MB"),
    ],
)
def test_a_picture_outside_the_limits_is_refused_with_the_figure(gateway, model, image, mask, param, said):
    """OpenAI API reference: png, webp or jpg below 50 MB; dall-e-2 a square png below 4 MB; the mask like the image."""
    files = {"image": ("a.png", image)} | ({"mask": ("m.png", mask)} if mask else {})
    error = _refused(gateway, "/images/edits", None, files=files, data={"model": model, "prompt": "x"})
    assert error["param"] == param
    assert said in error["message"]


def test_seventeen_pictures_are_one_too_many(gateway):
    """OpenAI API reference: up to 16 images."""
    files = [("image[]", (f"{at}.png", _picture(16, 16))) for at in range(17)]
    error = _refused(gateway, "/images/edits", None, files=files, data={"model": "gpt-image-1", "prompt": "x"})
    assert "maximum length 16" in error["message"]


def test_text_where_a_file_belongs_is_refused(gateway):
    """Our promise: types are checked in forms too."""
    files = {"mask": ("m.png", _mask())}
    data = {"model": "gpt-image-1", "prompt": "x", "image": "a.png"}
    assert "expected a file" in _refused(gateway, "/images/edits", None, files=files, data=data)["message"]


def test_variations_are_made_of_a_square_png(client):
    """OpenAI API reference: images/variations, dall-e-2 only."""
    answer = client.images.create_variation(
        image=("a.png", _picture()), n=3, size="512x512", response_format="b64_json"
    )
    made = [base64.b64decode(item.b64_json) for item in answer.data]
    assert len(set(made)) == 3
    assert {_opened(data).size for data in made} == {(512, 512)}
    with pytest.raises(openai.BadRequestError, match="square"):
        client.images.create_variation(image=("a.png", _picture(100, 50)))


def test_a_new_api_gateway_has_no_variations_and_always_writes_all_three_keys():
    """The New API project: images/variations answers 501, and the image object has no optional keys."""
    with Sandbox(Options(dialect="new-api")) as gateway:
        answer = _post(gateway, "/images/variations", None, files={"image": ("a.png", _picture())})
        assert answer.status_code == 501
        item = _post(gateway, "/images/generations", {"model": "gpt-image-1", "prompt": "x"}).json()["data"][0]
        assert item["url"] == item["revised_prompt"] == ""
        assert item["b64_json"]
        item = _post(gateway, "/images/generations", {"model": "dall-e-2", "prompt": "x"}).json()["data"][0]
        assert item["b64_json"] == ""
        assert item["url"].startswith("http://127.0.0.1")
        assert _post(gateway, "/images/generations", {"prompt": "x"}).status_code == 500
        unknown = {"model": "dall-e-2", "prompt": "x", "colour": "red"}
        assert _post(gateway, "/images/generations", unknown).status_code == 200


def test_newer_models_take_any_size_in_multiples_of_sixteen(gateway):
    """OpenAI API reference, 2026: WIDTHxHEIGHT, multiples of 16, 1:3 to 3:1, at most 3840x2160."""
    from mtu_mcp.sandbox.image_fields import picture_size
    from mtu_mcp.sandbox.refusals import Invalid

    assert picture_size("gpt", "gpt-image-2", "1600x640", "") == (1600, 640)
    for wrong in ("1600x500", "1000x1000", "3856x2160", "x", "2176x2176x1"):
        with pytest.raises(Invalid, match="multiples of 16"):
            picture_size("gpt", "gpt-image-2", wrong, "")


def test_a_faulty_stream_is_cut_after_the_events_asked_for(gateway):
    """Our promise: faults work on every stream, this one too."""
    gateway.arm("error-in-stream:1", "/images/generations")
    body = {"model": "gpt-image-1", "prompt": "x", "stream": True, "partial_images": 2}
    lines = [line for line in _post(gateway, "/images/generations", body).text.splitlines() if line.startswith("data:")]
    assert "error" in json.loads(lines[-1].removeprefix("data:"))
