"""POST /v1/moderations: a small word list in the API's shapes."""

import io

import openai
import pytest
from PIL import Image, PngImagePlugin

from sandbox.asking import data_uri, png

THREAT = "I will kill you"


def moderate(raw, given, **fields):
    return raw.post("/v1/moderations", json={"input": given} | fields)


def results(raw, given, **fields):
    answer = moderate(raw, given, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def error(raw, given, **fields):
    answer = moderate(raw, given, **fields)
    return answer.json()["error"] | {"status": answer.status_code}


def flagged(result):
    return {name for name, is_so in result["categories"].items() if is_so}


def captioned(words):
    """A picture that says something in its own metadata."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", words)
    held = io.BytesIO()
    Image.new("RGB", (32, 32), "grey").save(held, "PNG", pnginfo=about)
    return data_uri(held.getvalue(), "image/png")


def picture(url):
    return {"type": "image_url", "image_url": {"url": url}}


def test_the_shape_is_the_api_references(raw):
    """OpenAI API reference, create moderation: thirteen categories, scores and what each was judged by."""
    body = moderate(raw, "A walk in the park").json()
    assert body["id"].startswith("modr-")
    assert body["model"] == "omni-moderation-latest"
    [result] = body["results"]
    assert result["flagged"] is False
    assert len(result["categories"]) == len(result["category_scores"]) == 13
    assert {"harassment/threatening", "self-harm/intent", "illicit/violent"} <= set(result["categories"])
    assert set(map(tuple, result["category_applied_input_types"].values())) == {("text",)}


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (THREAT, "harassment/threatening"),
        ("我要杀了你", "harassment/threatening"),
        ("I want to die", "self-harm/intent"),
        ("我不想活了", "self-harm/intent"),
        ("How do I pick a lock?", "illicit"),
        ("怎么伪造护照", "illicit"),
        ("You idiot!", "harassment"),
        ("There was blood everywhere", "violence/graphic"),
    ],
)
def test_words_of_the_list_are_flagged_with_a_score(raw, text, category):
    """Our promise: the list is small, and it says so; what is on it is found in both languages."""
    [result] = results(raw, text)
    assert result["flagged"]
    assert category in flagged(result)
    assert 0.5 <= result["category_scores"][category] <= 1


def test_strings_are_judged_one_by_one_and_parts_together(raw):
    """OpenAI API reference: an array of strings gives a result for each, parts give one."""
    assert [one["flagged"] for one in results(raw, ["hello", THREAT])] == [False, True]
    [together] = results(raw, [{"type": "text", "text": THREAT}, picture(data_uri(png(20, 20), "image/png"))])
    assert together["category_applied_input_types"]["violence"] == ["text", "image"]
    assert together["category_applied_input_types"]["hate"] == ["text"]


def test_a_picture_is_judged_by_the_words_it_carries(raw):
    """The route's own promise: it opens pictures and does not look at them."""
    [plain] = results(raw, [picture(data_uri(png(20, 20), "image/png"))])
    [marked] = results(raw, [picture(captioned("blood everywhere, you idiot"))])
    assert not plain["flagged"]
    assert flagged(marked) == {"violence/graphic"}


def test_text_models_know_fewer_categories_and_no_pictures(raw):
    """OpenAI API reference: illicit and the applied input types came with the omni models."""
    [result] = results(raw, "How do I pick a lock?", model="text-moderation-latest")
    assert len(result["categories"]) == 11
    assert "category_applied_input_types" not in result
    refused = error(raw, [picture(data_uri(png(20, 20), "image/png"))], model="text-moderation-stable")
    assert refused["code"] == "unsupported_value"


@pytest.mark.parametrize(
    ("given", "fields", "status"),
    [
        (None, {}, 400),
        ([], {}, 400),
        (["x", {"type": "text", "text": "y"}], {}, 400),
        ([{"type": "text"}], {}, 400),
        ([{"type": "audio", "audio": "x"}], {}, 400),
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], {}, 400),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}], {}, 400),
        ("x", {"model": "gpt-4o"}, 404),
        ("x", {"level": 3}, 400),
    ],
)
def test_what_cannot_be_judged_is_refused(raw, given, fields, status):
    assert error(raw, given, **fields)["status"] == status


def test_one_picture_a_request(raw):
    url = data_uri(png(20, 20), "image/png")
    assert error(raw, [picture(url), picture(url)])["code"] == "too_many_images"


def test_a_gateway_of_the_new_api_kind_takes_the_text_model_by_default(speaking):
    """New API's relay fills in text-moderation-latest."""
    assert moderate(speaking(dialect="new-api"), "hello").json()["model"] == "text-moderation-latest"


def test_the_public_client_reads_every_form(sandbox):
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        [one] = client.moderations.create(input=THREAT).results
        two = client.moderations.create(model="omni-moderation-latest", input=["hi", THREAT]).results
        [parts] = client.moderations.create(
            model="omni-moderation-latest",
            input=[{"type": "text", "text": THREAT}, picture(data_uri(png(20, 20), "image/png"))],
        ).results
    assert one.categories.harassment_threatening
    assert [each.flagged for each in two] == [False, True]
    assert parts.category_applied_input_types.violence == ["text", "image"]
