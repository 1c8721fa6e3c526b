"""Every dialect of error becomes one tree."""

import json

import httpx
import pytest

from gateway.scripted import Scripted, events, json_body, open_gateway
from mtu_mcp.errors import (
    BadAnswer,
    Filtered,
    MtuError,
    NotAuthorized,
    NotOffered,
    Overloaded,
    QuotaExhausted,
    Rejected,
    SettingsError,
    UnknownModel,
    Unreachable,
    UpstreamError,
    UpstreamFailure,
)
from mtu_mcp.gateway import (
    BaiduSearch,
    ChatRequest,
    EmbeddingRequest,
    ImageRequest,
    ImageVariation,
    Invocation,
    Upload,
    all_operations,
    open_scope,
)

QUESTION = ChatRequest("some-model", [{"role": "user", "content": "hello"}])


def openai(message: str, kind: str = "", code: object = None) -> str:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})


NEW_API = "(request id: 202512061234)"
CASES = [
    # the OpenAI API reference, error codes
    (401, openai("Incorrect API key provided: sk-x", "invalid_request_error", "invalid_api_key"), NotAuthorized),
    (403, openai("Country not supported", "", "unsupported_country"), NotAuthorized),
    (404, openai("The model `x` does not exist or you do not have access to it.", "", "model_not_found"), UnknownModel),
    (429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), QuotaExhausted),
    (429, openai("Rate limit reached", "requests", "rate_limit_exceeded"), Overloaded),
    (400, openai("Too long", "invalid_request_error", "context_length_exceeded"), Rejected),
    (400, openai("Rejected by the safety system", "image_generation_user_error", "moderation_blocked"), Filtered),
    (400, openai("Your request was rejected", "invalid_request_error", "content_policy_violation"), Filtered),
    (404, openai("Previous response not found", "", "previous_response_not_found"), Rejected),
    (409, openai("Conflict"), Rejected),
    (413, openai("Too large"), Rejected),
    (422, openai("Unprocessable"), Rejected),
    (500, openai("The server had an error", "server_error"), UpstreamFailure),
    (402, openai("Payment required"), QuotaExhausted),
    # Alibaba Cloud Model Studio, error codes
    (400, openai("Access denied, account overdue", "Arrearage", "Arrearage"), QuotaExhausted),
    (400, openai("Model not exist.", "invalid_request_error", None), UnknownModel),
    (400, openai("Input data may contain inappropriate content.", "data_inspection_failed"), Filtered),
    (429, openai("Too many", "limit_requests", "limit_requests"), Overloaded),
    (400, '{"code":"InvalidParameter","message":"bad voice","request_id":"rid-1"}', Rejected),
    (401, '{"code":"InvalidApiKey","message":"Invalid API-key provided.","request_id":"rid-1"}', NotAuthorized),
    (429, '{"code":"Throttling.AllocationQuota","message":"Allocated quota exceeded","request_id":"x"}', Overloaded),
    (400, '{"code":"DataInspectionFailed","message":"inappropriate","request_id":"x"}', Filtered),
    # New API and One API
    (401, openai(f"无效的令牌 {NEW_API}", "new_api_error", ""), NotAuthorized),
    (403, openai(f"用户额度不足 {NEW_API}", "new_api_error", "insufficient_user_quota"), QuotaExhausted),
    (403, openai("token quota", "new_api_error", "pre_consume_token_quota_failed"), QuotaExhausted),
    (500, openai("field messages is required", "new_api_error", "invalid_request"), Rejected),
    (500, openai(f"field prompt is required {NEW_API}", "new_api_error", ""), Rejected),
    (500, openai("max_tokens is invalid", "new_api_error", None), Rejected),
    (503, openai("分组 default 下模型 x 的可用渠道不存在", "new_api_error", "get_channel_failed"), UnknownModel),
    (503, openai("No available channel for model x under group default", "new_api_error", 503), UnknownModel),
    (501, openai("API not implemented", "new_api_error", "api_not_implemented"), NotOffered),
    (404, openai("Invalid URL (POST /v1/x)", "invalid_request_error", ""), NotOffered),
    (400, openai("sensitive", "new_api_error", "sensitive_words_detected"), Filtered),
    (400, openai("blocked", "upstream_error", "prompt_blocked"), Filtered),
    (500, openai("not implemented", "new_api_error", "convert_request_failed"), NotOffered),
    (401, '{"error":{"message":"无效的令牌","type":"one_api_error"}}', NotAuthorized),
    (500, openai("db error", "new_api_error", ""), UpstreamFailure),
    # Anthropic, LiteLLM, Jina, vLLM, FastAPI, Gemini
    (529, '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', Overloaded),
    (400, '{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}', Rejected),
    (400, '{"error":{"message":"Invalid model name passed in model=x","type":"None","code":"400"}}', UnknownModel),
    (429, '{"error":{"message":"No deployments available","type":"None","param":"None","code":"429"}}', Overloaded),
    (400, '{"error":"Messages array is required and must not be empty"}', Rejected),
    (401, '{"error":"Unauthorized"}', NotAuthorized),
    (404, '{"detail":"Not Found"}', NotOffered),
    (
        404,
        '{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}',
        UnknownModel,
    ),
    (422, '{"detail":[{"loc":["body","messages"],"msg":"field required","type":"missing"}]}', Rejected),
    (400, '[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]', NotAuthorized),
    (
        400,
        openai("Budget has been exceeded! Current cost: 1.2, Max budget: 1.0", "budget_exceeded", "400"),
        QuotaExhausted,
    ),
    (400, openai("No connected db.", "no_db_connection", "400"), NotAuthorized),
    (500, openai("1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format')}"), Rejected),
    (500, openai("files_settings is not set, set it on your config.yaml file.", "None", "500"), NotOffered),
    (400, openai("'custom_llm_provider' must be set. Either via: `Router(...)`", "None", "400"), NotOffered),
    (400, openai("litellm.ContextWindowExceededError: too long", "None", "400"), Rejected),
    (400, openai("litellm.BadRequestError: Input data may contain inappropriate content", "None", "400"), Filtered),
    (400, openai("litellm.ContentPolicyViolationError: no", "None", "400"), Filtered),
    (
        502,
        openai("litellm.BadGatewayError: <!DOCTYPE html> <html><title>502</title></html> x", "None", "502"),
        UpstreamFailure,
    ),
    # models that take text alone: llama.cpp, vLLM, DeepSeek, OpenAI
    (500, openai("image input is not supported - hint: you may need to provide the mmproj", "server_error"), Rejected),
    (400, '{"object":"error","message":"m is not a multimodal model","type":"BadRequestError","code":400}', Rejected),
    (400, '{"object":"error","message":"At most 0 image(s) may be provided in one prompt.","code":400}', Rejected),
    (422, openai("messages[0]: unknown variant `image_url`, expected `text`", "invalid_request_error"), Rejected),
    (400, openai("Invalid content type. image_url is only supported by certain models."), Rejected),
    # Hugging Face, transformers serve with one model
    (400, "{\"detail\":\"Server is pinned to 'tiny'; requested 'gpt-5.1'\"}", UnknownModel),
    # llama.cpp, its server's paths
    (404, openai("File Not Found", "not_found_error", 404), NotOffered),
    (503, openai("Loading model", "unavailable_error", 503), UpstreamFailure),
    # no words at all, or the words of something in between
    (404, "", NotOffered),
    (405, "", NotOffered),
    (404, "<html><head><title>404 Not Found</title></head></html>", NotOffered),
    (502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", UpstreamFailure),
    (500, "Internal Server Error", UpstreamFailure),
    (504, "", UpstreamFailure),
    (400, "", Rejected),
    (418, "null", Rejected),
    (302, "", BadAnswer),
    # under status 200
    (200, openai("oh no", "server_error", None), UpstreamFailure),
    (200, '{"error":"plain words"}', UpstreamFailure),
    (200, '{"error":{"message":"slow down","code":"429"}}', Overloaded),
    (200, '{"code":"ModelNotFound","message":"Model not exist.","request_id":"x"}', UnknownModel),
    (200, '{"success":false,"message":"no"}', UpstreamFailure),
    # New API and One API: their panel's interface, which a base URL without /v1 may lead to
    (200, '{"success":false,"message":"未登录/not logged in"}', NotAuthorized),
    (200, '{"success":false,"message":"无权进行此操作，未登录且未提供 access token"}', NotAuthorized),
    (200, '{"success":false,"message":"无权进行此操作，access token 无效"}', NotAuthorized),
    (200, '{"success":false,"message":"Unauthorized, not logged in and no access token provided"}', NotAuthorized),
    (200, '{"success":false,"message":"该令牌已过期"}', NotAuthorized),
    (401, openai("该令牌额度已用尽", "one_api_error"), QuotaExhausted),
    (200, '{"success":false,"message":"用户额度不足"}', QuotaExhausted),
    (200, '{"object":"error","message":"is required","code":null}', Rejected),
    (
        200,
        '{"choices":[{"finish_reason":"error","message":{"content":"Error: boom","type":"error"}}]}',
        UpstreamFailure,
    ),
    (200, "<!doctype html><title>New API</title>", NotOffered),
    (200, "", BadAnswer),
    (200, "{}", BadAnswer),
    (200, "[]", BadAnswer),
    (200, '{"choices":[]}', BadAnswer),
    (200, "hello", BadAnswer),
    (200, '{"choices": [{"message"', BadAnswer),
    (204, "", BadAnswer),
]


async def failure(script: Scripted | Exception, **changes: object) -> UpstreamError:
    gateway, _, _ = open_gateway(script, max_retries=0, **changes)
    with pytest.raises(MtuError) as caught:
        await gateway.chat(QUESTION)
    assert isinstance(caught.value, UpstreamError)
    return caught.value


@pytest.mark.parametrize(("status", "body", "kind"), CASES)
async def test_each_dialect_of_error_lands_in_the_tree(status: int, body: str, kind: type[UpstreamError]):
    """Each block of cases says whose documents it follows."""
    error = await failure(Scripted(status, {}, (body.encode(),)))
    assert type(error) is kind, error
    assert str(error).endswith(".")
    assert error.advice
    assert len(error.message) <= 480
    assert "<" not in str(error)


async def test_a_request_id_is_kept_and_taken_out_of_the_words():
    """New API ends its messages with the id; our promise is that a person can quote it."""
    error = await failure(json_body(openai(f"broken {NEW_API}", "new_api_error"), 500))
    assert (error.request_id, error.message) == ("202512061234", 'The gateway failed (it answered 500): "broken".')


@pytest.mark.parametrize(
    ("body", "headers"),
    [('{"error":{"message":"x"},"request_id":"rid-7"}', {}), ('{"error":{"message":"x"}}', {"x_request_id": "rid-7"})],
)
async def test_a_request_id_is_read_beside_the_error_or_in_a_header(body: str, headers: dict[str, str]):
    """Alibaba Cloud Model Studio puts it beside the error, OpenAI into x-request-id."""
    assert (await failure(json_body(body, 400, **headers))).request_id == "rid-7"


async def test_a_refused_key_under_200_says_to_look_at_the_address_too():
    """New API: the panel beside the API answers 200 and "not logged in", whatever key is sent."""
    error = await failure(Scripted(200, {}, ('{"success":false,"message":"未登录"}'.encode(),)))
    assert str(error).startswith('The gateway refused the key: "未登录".')
    assert "MTU_API_KEY" in error.advice
    assert "MTU_BASE_URL" in error.advice


@pytest.mark.parametrize(
    "answer", [json_body('{"detail":"Not Found"}', 404), Scripted(200, {}, (b"<!doctype html><title>Shop</title>",))]
)
async def test_an_address_where_nobody_chats_is_the_wrong_address(answer: Scripted):
    """Our promise: one thing to do. Every gateway of this kind completes chats, so the address is what is wrong."""
    error = await failure(answer)
    assert type(error) is NotOffered
    assert error.advice == "Check MTU_BASE_URL; the Mtu API's own is https://api.mtuo.ai/v1."


async def test_the_example_of_a_key_is_told_from_a_key():
    """Our promise: what was copied from the README unchanged is said to be so, and not sent."""
    gateway, transport, _ = open_gateway(api_key="sk-your-key")
    with pytest.raises(NotAuthorized, match="still the example"):
        await gateway.chat(QUESTION)
    assert transport.sent == []


async def test_a_missing_endpoint_is_named_with_the_status():
    """Our promise: a 501 becomes a sentence about the endpoint, not a stack of JSON."""
    gateway, _, _ = open_gateway(json_body(openai("API not implemented", code="api_not_implemented"), 501))
    with pytest.raises(NotOffered, match=r"does not offer images/variations \(it answered 501\)\."):
        await gateway.vary_image(ImageVariation("dall-e-2", Upload("a.png", "image/png", data=b"x")))


async def test_a_web_page_under_200_means_there_is_no_such_path():
    """New API answers paths it does not know with its own front end."""
    gateway, _, _ = open_gateway(
        Scripted(200, {"content-type": "text/html"}, (b"<!DOCTYPE html><title>New API</title>",))
    )
    with pytest.raises(NotOffered, match='HTML page titled "New API"'):
        await gateway.search_baidu(BaiduSearch("news"))


async def test_words_of_the_gateway_are_shortened_and_cleaned():
    """Our promise: at most 300 characters of upstream text, on one line, without control characters."""
    error = await failure(json_body(openai("a\u0000b\nc\u202e" + "x" * 50_000), 400))
    quote = error.message.partition('"')[2].rpartition('"')[0]
    assert quote.startswith("a b c x")
    assert len(quote) == 300


async def test_the_key_is_struck_from_quotes():
    """Our promise: a secret is never shown; OpenAI quotes the key it refuses."""
    error = await failure(json_body(openai("Incorrect API key provided: sk-secret-key"), 401))
    assert "sk-secret-key" not in str(error)
    assert "***" in str(error)


async def test_what_a_relay_finds_too_large_is_to_be_sent_smaller():
    """RFC 9110, 15.5.14; nginx answers so with a page that says nothing of what to do."""
    page = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
    error = await failure(Scripted(413, {}, (page,)))
    assert type(error) is Rejected
    assert error.advice == "It is too large: send a smaller file, or less text."


async def test_a_file_that_is_missing_is_no_missing_endpoint():
    """llama.cpp has the same words for a path that others have for a file."""
    gateway, _, _ = open_gateway(json_body(openai("File Not Found", "not_found_error", 404), 404))
    with pytest.raises(Rejected):
        await gateway.retrieve_file("file-1")


@pytest.mark.parametrize(
    ("status", "words", "advice"),
    [
        (500, "image input is not supported - hint: provide the mmproj", "Ask a model that takes pictures"),
        (400, "request (4015 tokens) exceeds the available context size (512 tokens)", "Send less text"),
        (400, "This model's maximum context length is 4096 tokens", "Send less text"),
        (400, "temperature must be at most 2", "Change the request as it says."),
    ],
)
async def test_a_refused_request_says_what_would_be_taken(status: int, words: str, advice: str):
    """Our promise: an error says what to do next."""
    error = await failure(json_body(openai(words), status))
    assert type(error) is Rejected
    assert error.advice.startswith(advice)


async def test_a_missing_endpoint_keeps_the_words_that_say_how_to_get_it():
    """llama.cpp's server: embeddings have to be switched on."""
    words = "This server does not support embeddings. Start it with `--embeddings`"
    gateway, _, _ = open_gateway(json_body(openai(words, "not_supported_error", 501), 501))
    with pytest.raises(NotOffered) as caught:
        await gateway.embed(EmbeddingRequest("m", ["tea"]))
    assert caught.value.message == f'This gateway does not offer embeddings (it answered 501: "{words}").'


async def test_a_page_inside_a_relays_words_is_named_by_its_title():
    """LiteLLM quotes whatever came from behind it."""
    page = "<!DOCTYPE html> <html><head><title>502 Bad Gateway</title></head> <body>nginx</body></html>"
    error = await failure(json_body(openai(f"litellm.BadGatewayError: {page} No fallback was attempted", "", 502), 502))
    words = "litellm.BadGatewayError: an HTML page titled '502 Bad Gateway' No fallback was attempted"
    assert error.message == f'The gateway failed (it answered 502): "{words}".'


async def test_files_that_cannot_be_listed_are_a_missing_endpoint():
    """llama.cpp's server has no files, and says "File Not Found" of the path."""
    missing = openai("File Not Found", "not_found_error", 404)
    gateway, _, _ = open_gateway(json_body(missing, 404))
    with pytest.raises(NotOffered, match="does not offer files"):
        await gateway.list_files()


async def test_a_method_that_is_not_allowed_is_named():
    """LiteLLM answers 405 to a list of stored completions, and makes completions all the same."""
    gateway, _, _ = open_gateway(json_body('{"detail":"Method Not Allowed"}', 405))
    with pytest.raises(NotOffered) as caught:
        await gateway.list_models()
    assert caught.value.message == "This gateway does not offer GET models (it answered 405)."


async def test_a_list_that_is_missing_does_not_deny_the_path_itself():
    """Most gateways complete chats and keep none: GET and POST share the path."""
    gateway, _, _ = open_gateway(json_body('{"error":{"message":"Not found"}}', 404))
    listing = Invocation(all_operations()["list_chat_completions"], {})
    with pytest.raises(NotOffered, match="does not offer GET chat/completions"):
        await gateway.invoke(listing)


async def test_a_refusal_too_long_to_be_read_whole_keeps_its_sentence():
    """llama-cpp-python lists every shape a message could have had, with the message each time."""
    body = json.dumps({"error": {"message": 'bad "audio" part: ' + "x" * 100_000, "type": "t"}}).encode()
    error = await failure(Scripted(400, {}, (body,)))
    assert error.message.startswith('The gateway rejected the request: "bad "audio" part: xxx')


async def test_an_answer_without_a_byte_may_be_a_text_too_long():
    """llama-cpp-python: a prompt over the window ends the stream before it begins, under 200."""
    for script in (events(), json_body("")):
        error = await failure(script)
        assert error.message == "The gateway's answer is empty."
        assert "longer than the model's window" in error.advice


async def test_a_redirect_is_not_followed_and_says_where_it_led():
    """Our promise: the key goes to the configured address only."""
    error = await failure(Scripted(301, {"location": "https://elsewhere.test/v1/chat?token=1"}, ()))
    assert type(error) is BadAnswer
    assert "https://elsewhere.test/v1/chat," in error.message
    assert "token" not in error.message


async def test_a_long_refusal_is_read_only_in_part():
    """Our promise: at most 64 KB of an error are read."""
    chunk = b"x" * 16384
    gateway, transport, _ = open_gateway(Scripted(400, {}, [chunk] * 4 + [RuntimeError("read too far")]))
    with pytest.raises(Rejected):
        await gateway.chat(QUESTION)
    assert transport.closed == 1


async def test_a_refusal_that_breaks_off_still_counts():
    """Our promise: the status alone is enough."""
    assert type(await failure(Scripted(401, {}, (b'{"err', httpx.ReadError("reset"))))) is NotAuthorized


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[Errno 111] refused"), "No connection to the gateway"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "SSL_CERT_FILE"),
        (httpx.ConnectTimeout(""), "No connection"),
        (httpx.ReadTimeout(""), "No bytes for 600 s"),
        (httpx.RemoteProtocolError("disconnected"), "broke"),
        (httpx.ReadError(""), "broke"),
        (httpx.UnsupportedProtocol("no scheme"), "MTU_BASE_URL"),
    ],
)
async def test_a_broken_way_says_what_to_check(error: Exception, words: str):
    """Our promise: every error says what to do next."""
    found = await failure(error)
    assert type(found) is Unreachable
    assert words in str(found)


async def test_without_a_key_nothing_is_sent_and_the_variable_is_named():
    """Our promise: the tools are listed without a key, and each call says what to set."""
    gateway, transport, _ = open_gateway(api_key=None)
    with open_scope() as scope, pytest.raises(NotAuthorized, match="MTU_API_KEY"):
        await gateway.chat(QUESTION)
    assert not transport.sent
    assert not scope.exchanges


@pytest.mark.parametrize("key", ["你的密钥", "sk-a\nb", "Bearer sk-a"])
async def test_a_key_no_header_can_carry_is_refused_before_sending(key: str):
    """RFC 9110: header values are visible ASCII here."""
    from pydantic import SecretStr

    gateway, transport, _ = open_gateway(api_key=SecretStr(key))
    with pytest.raises(NotAuthorized, match="MTU_API_KEY"):
        await gateway.list_models()
    assert not transport.sent


async def test_a_wrong_variable_is_named_at_the_first_call():
    """Our promise: the server starts whatever the environment holds."""
    gateway, transport, _ = open_gateway(problems=("MTU_TIMEOUT must be a number.",))
    with pytest.raises(SettingsError, match="MTU_TIMEOUT"):
        await gateway.generate_images(ImageRequest("m", "a cat"))
    assert not transport.sent


async def test_a_proxy_that_cannot_be_used_names_its_variable():
    """Our promise: the operator is told which variable to correct."""
    gateway, _, _ = open_gateway(proxy="nonsense://host")
    with pytest.raises(SettingsError, match="MTU_PROXY"):
        await gateway.list_models()
