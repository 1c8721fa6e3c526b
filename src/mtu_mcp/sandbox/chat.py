"""POST /chat/completions: one route, and the family of the model decides whose rules it follows.

The order is that of real gateways: the body is JSON, the model exists, the fields are known, the rules hold, the prompt
fits, and only then is anything answered.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mtu_mcp.sandbox import deepsearch, documents, omni, translation
from mtu_mcp.sandbox.attachments import measure_picture, open_url
from mtu_mcp.sandbox.bodies import read_json
from mtu_mcp.sandbox.caching import use_cache
from mtu_mcp.sandbox.chat_fields import check_chat
from mtu_mcp.sandbox.chat_rules import check_rules, check_window, prompt_texts, thinks
from mtu_mcp.sandbox.chat_wire import Envelope
from mtu_mcp.sandbox.conversation import Talk, answer, decline, read_talk, text_of
from mtu_mcp.sandbox.corpus import search, write_up
from mtu_mcp.sandbox.desk import SIGNATURE, Desk, desk_of, entry_of
from mtu_mcp.sandbox.drafts import Draft, Usage, compact
from mtu_mcp.sandbox.ears import hear
from mtu_mcp.sandbox.gemini import painted, searched, wants_search
from mtu_mcp.sandbox.instances import make_instance
from mtu_mcp.sandbox.programs import continue_code
from mtu_mcp.sandbox.refusals import Invalid, Refusal
from mtu_mcp.sandbox.replies import json_reply, stream_reply
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.stored_chat import keep
from mtu_mcp.sandbox.tokens import FLASH, count_image, count_text, pieces
from mtu_mcp.sandbox.tool_choice import pick_calls

Body = dict[str, Any]


async def create_completion(request: Request) -> Response:
    """Answer a chat."""
    desk = desk_of(request)
    raw = await read_json(request)
    name = raw.get("model")
    if not isinstance(name, str) or not name:
        raise Invalid("you must provide a model parameter", param="model", code="missing_required_parameter")
    model = desk.model(name, "chat")
    if model.family == "jina":
        return await deepsearch.create_report(request, raw)
    if model.family == "mt":
        return translation.create_translation(request, raw, model)
    body = check_chat(model.family, raw, drops=desk.dialect == "new-api")
    check_rules(body, model)
    if model.family == "omni":
        return await omni.create_answer(request, body, model)
    if "documents" in model.traits:
        return documents.create_answer(request, body, model)
    return _create_text(request, desk, body, model)


def _create_text(request: Request, desk: Desk, body: Body, model: Model) -> Response:
    talk = read_talk(body["messages"])
    pictures, picture_tokens = _look(desk, body["messages"], model)
    prompt = count_text(prompt_texts(body))
    check_window(prompt + picture_tokens, model)
    drafts = [_shorten(body, _draft(desk, body, model, talk, pictures, place)) for place in range(body.get("n", 1))]
    cached, newly = use_cache(desk, model.id, body["messages"]) if model.family == "qwen" else (0, 0)
    usage = Usage(
        prompt + picture_tokens,
        sum(draft.tokens for draft in drafts),
        sum(draft.reasoning_tokens for draft in drafts),
        {"text": prompt, "image": picture_tokens},
        {"text": sum(draft.tokens - draft.reasoning_tokens for draft in drafts)},
        cached,
        newly,
    )
    envelope = Envelope(
        desk.new_id("chatcmpl-"),
        desk.now(),
        model.id,
        model.family,
        body.get("top_logprobs", 0) if body.get("logprobs") else None,
    )
    completion = envelope.completion(drafts, usage)
    keep(desk, body, completion, entry_of(request).request_id)
    if not body.get("stream"):
        return json_reply(completion)
    counted = body.get("stream_options", {}).get("include_usage", False)
    return stream_reply(request, envelope.chunks(drafts, usage, counted=counted))


def _shorten(body: Body, draft: Draft) -> Draft:
    stop: str | list[str] = body.get("stop", [])
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    return draft.shortened([stop] if isinstance(stop, str) else stop, limit)


def _look(desk: Desk, messages: list[Body], model: Model) -> tuple[list[str], int]:
    """Sentences about the pictures and sounds of the last user message, and the tokens of all of them."""
    words: list[str] = []
    tokens = 0
    last = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=-1)
    for place, message in enumerate(messages):
        parts: list[Body] = message["content"] if isinstance(message.get("content"), list) else []
        for index, part in enumerate(parts):
            path = f"messages[{place}].content[{index}]"
            if part["type"] == "input_audio" and "hears" in model.traits:
                heard, length = hear(part["input_audio"], path)
                tokens += length
                words += [heard] if place == last else []
            elif part["type"] in {"input_audio", "file"}:
                raise Refusal(400, f"Invalid content type. {part['type']} is not supported by this model.", param=path)
            if part["type"] == "image_url":
                picture = measure_picture(open_url(desk, part["image_url"]["url"], path), path)
                low = part["image_url"].get("detail") == "low"
                tokens += _picture_tokens(picture.width, picture.height, model, low=low)
                words += [picture.words] if place == last else []
    return words, tokens


def _picture_tokens(width: int, height: int, model: Model, *, low: bool) -> int:
    """Qwen's formula, or OpenAI's: 85, and 170 for each tile of 512 px once scaled to 2048 and 768 (vision guide)."""
    if model.family != "openai":
        return count_image(height, width, FLASH)
    if low:
        return 85
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    return 85 + 170 * -(-int(width * scale) // 512) * -(-int(height * scale) // 512)


def _draft(desk: Desk, body: Body, model: Model, talk: Talk, pictures: list[str], place: int) -> Draft:
    reasoning = _thoughts(body, talk) if thinks(body, model) else ""
    tools: list[Body] = [*body.get("tools", []), *body.get("functions", [])]
    if wants_search(model, tools):
        return searched(talk, passes_on=desk.dialect != "new-api")
    if "paints" in model.traits:
        return painted(talk)
    if declined := decline(talk):
        return Draft(reasoning=reasoning, refusal=declined) if model.family == "openai" else Draft(declined, reasoning)
    parallel = body.get("parallel_tool_calls", model.family != "qwen")
    choice = body.get("tool_choice", body.get("function_call"))
    calls = pick_calls(desk, tools, choice, talk, parallel=parallel)
    if calls:
        return Draft(reasoning=reasoning, tool_calls=calls, finish="tool_calls")
    made = _object(body, talk)
    if made is not None:
        return Draft(made, reasoning)
    if "searches" in model.traits or body.get("enable_search"):
        return _searched(desk, body, model, talk, reasoning)
    if "coder" in model.id and body["messages"][-1].get("partial"):
        return Draft(continue_code(text_of(body["messages"][-1]["content"])))
    if body["messages"][-1].get("partial") or body["messages"][-1].get("prefix"):
        return Draft(f" … and so it goes on. {SIGNATURE}", reasoning)
    text = f"I was sent {'; '.join(pictures)}. " if pictures else ""
    variant = f" (choice {place + 1})" if place else ""
    return Draft(f"{text}{answer(talk)}{variant} {SIGNATURE}", reasoning)


def _thoughts(body: Body, talk: Talk) -> str:
    """What there is to think, cut at the budget as the real models are."""
    thoughts = (
        f"The question has {len(talk.question.split())} words and follows {len(talk.asked)} earlier ones. "
        "I try my fixed rules in order: repeat, recall, count, calculate, reflect."
    )
    return "".join(pieces(thoughts)[: body.get("thinking_budget")])


def _object(body: Body, talk: Talk) -> str | None:
    wanted: Body = body.get("response_format", {})
    if wanted.get("type") == "json_schema":
        return compact(make_instance(wanted["json_schema"].get("schema", {"type": "object"}), talk.question))
    if wanted.get("type") == "json_object":
        return compact({"answer": answer(talk), "question": talk.question, "source": SIGNATURE})
    return None


def _searched(desk: Desk, body: Body, model: Model, talk: Talk, reasoning: str) -> Draft:
    options: Body = body.get("web_search_options", {})
    wanted = {"low": 3, "high": 8}.get(options.get("search_context_size", ""), 5)
    asked: Body = body.get("search_options", {})
    since = ""
    if days := asked.get("freshness"):
        since = (datetime.fromtimestamp(desk.now(), UTC) - timedelta(days=days)).date().isoformat()
    found = search(talk.question, wanted, only=asked.get("assigned_site_list", []), since=since)
    text, places = write_up(found, talk.question)
    if "searches" not in model.traits:  # Qwen gives no list of sources in this protocol
        return Draft(f"{text} {SIGNATURE}", reasoning)
    notes = tuple(
        {
            "type": "url_citation",
            "url_citation": {"start_index": start, "end_index": end, "url": hit.page.url, "title": hit.page.title},
        }
        for start, end, hit in places
    )
    return Draft(f"{text} {SIGNATURE}", reasoning, annotations=notes)


ROUTES = [Route("/v1/chat/completions", create_completion, methods=["POST"])]
