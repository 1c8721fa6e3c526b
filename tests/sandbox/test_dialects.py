"""Keys, models and refusals in three dialects."""

import httpx
import pytest

from sandbox.asking import Chat


def test_a_call_without_a_key_is_refused(raw):
    """OpenAI API reference: 401."""
    answer = raw.get("/v1/models", headers={"authorization": ""})
    assert answer.status_code == 401
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_two_keys_are_always_wrong(raw):
    """Our promise: `sk-wrong` is unknown and `sk-broke` has no quota."""
    assert raw.get("/v1/models", headers={"authorization": "Bearer sk-wrong"}).status_code == 401
    broke = raw.get("/v1/models", headers={"authorization": "Bearer sk-broke"})
    assert (broke.status_code, broke.json()["error"]["code"]) == (429, "insufficient_quota")


def test_configured_keys_shut_out_all_others(speaking):
    client = speaking(keys=("sk-mine",))
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers={"authorization": "Bearer sk-mine"}).status_code == 200


def test_models_are_listed_and_found_with_slashes_in_their_names(raw):
    """Ids may hold slashes and colons, encoded or not."""
    listed = raw.get("/v1/models").json()
    assert listed["object"] == "list"
    assert {"id", "object", "created", "owned_by"} == set(listed["data"][0])
    assert raw.get("/v1/models/acme%2Ftiny%3Afree").json()["id"] == "acme/tiny:free"
    assert raw.get("/v1/models/acme/tiny:free").json()["id"] == "acme/tiny:free"
    assert raw.get("/v1/models/none").status_code == 404


def test_the_list_of_models_can_be_chosen(speaking):
    client = speaking(models=("gpt-4o", "my/own"))
    assert [each["id"] for each in client.get("/v1/models").json()["data"]] == ["gpt-4o", "my/own"]
    assert Chat(client)(model="my/own").status_code == 200
    assert Chat(client)(model="gpt-4.1").status_code == 404


def test_an_unknown_path_is_named_in_the_refusal(raw):
    """As OpenAI and New API word it."""
    assert raw.post("/v1/nothing").json()["error"]["message"] == "Invalid URL (POST /v1/nothing)"
    assert raw.get("/v1/chat/completion").status_code == 404


def test_a_body_that_is_not_json_is_refused(raw):
    answer = raw.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"})
    assert "could not parse the JSON body" in answer.json()["error"]["message"]
    assert raw.post("/v1/chat/completions", data={"model": "gpt-4o"}).status_code == 400


@pytest.fixture
def new_api(speaking) -> httpx.Client:
    return speaking(dialect="new-api")


def test_new_api_answers_validation_failures_with_500_and_a_request_id(new_api):
    """New API's source: plain validation failures default to HTTP 500; messages end in the request id."""
    answer = new_api.post("/v1/chat/completions", json={"model": "gpt-4o"})
    error = answer.json()["error"]
    assert answer.status_code == 500
    assert error["message"] == f"field messages is required (request id: {answer.headers['x-request-id']})"
    assert error["type"] == "new_api_error"


def test_new_api_drops_fields_it_does_not_know(new_api):
    """New API re-serialises requests through a fixed struct: HTTP 200, silently."""
    assert Chat(new_api)(colour=1, search_options={"freshness": 5}, model="qwen-plus").status_code == 200


def test_new_api_loses_the_partial_flag(new_api):
    messages = [{"role": "user", "content": "Repeat: x"}, {"role": "assistant", "content": "Spring", "partial": True}]
    assert "so it goes on" not in Chat(new_api).text(messages, model="qwen-plus")


def test_new_api_words_a_missing_model_and_quota_its_own_way(new_api):
    missing = Chat(new_api).error(model="gpt-17")
    assert missing["status"] == 503
    assert "gpt-17" in missing["message"]
    broke = new_api.get("/v1/models", headers={"authorization": "Bearer sk-broke"})
    assert (broke.status_code, broke.json()["error"]["code"]) == (403, "insufficient_user_quota")


def test_new_api_takes_a_bare_key_and_refuses_without_param(new_api):
    assert new_api.get("/v1/models", headers={"authorization": "sk-bare"}).status_code == 200
    refused = new_api.get("/v1/models", headers={"authorization": ""})
    assert set(refused.json()["error"]) == {"message", "type", "code"}


@pytest.mark.parametrize("path", ["/v1/images/variations", "/v1/files", "/v1/files/file-1/content", "/v1/fine-tunes"])
def test_new_api_does_not_implement_some_documented_routes(new_api, path):
    answer = new_api.post(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "api_not_implemented")


def test_new_api_lists_endpoint_types(new_api):
    assert new_api.get("/v1/models").json()["data"][0]["supported_endpoint_types"] == ["openai", "openai-response"]


def test_dashscope_adds_its_request_id_beside_the_error(speaking):
    """Model Studio: `request_id` is a sibling; parameter errors have the code `invalid_parameter_error`."""
    client = speaking(dialect="dashscope")
    answer = Chat(client)(temperature=9)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.json()["error"]["code"] == "invalid_parameter_error"
    broke = client.get("/v1/models", headers={"authorization": "Bearer sk-broke"})
    assert (broke.status_code, broke.json()["error"]["code"]) == (400, "Arrearage")


def test_an_endpoint_can_be_missing(speaking):
    """Our promise: `without` takes a route away as a gateway that lacks it would."""
    client = speaking(without=("/responses",))
    assert client.post("/v1/responses", json={}).json()["error"]["message"] == "Invalid URL (POST /v1/responses)"
