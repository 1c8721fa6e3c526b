"""Jina DeepSearch on chat/completions (model `jina-deepsearch-v1`): thoughts, queries and visited pages, then the answer.

After the published stream of the open-source server: think chunks, `url` and `query` deltas without content, a
`thinking_end` that is not the end, the whole answer in the last chunk with the totals, and no `[DONE]`. Errors of the
request are plain strings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mtu_mcp.sandbox.chat_fields import check_chat
from mtu_mcp.sandbox.conversation import read_talk
from mtu_mcp.sandbox.corpus import Hit, search
from mtu_mcp.sandbox.desk import SIGNATURE, Desk, desk_of
from mtu_mcp.sandbox.drafts import compact
from mtu_mcp.sandbox.instances import make_instance
from mtu_mcp.sandbox.refusals import BareRefusal, Invalid
from mtu_mcp.sandbox.replies import event, json_reply, stream_reply
from mtu_mcp.sandbox.tokens import count_text, pieces

Body = dict[str, Any]
_FOUND = {"low": 3, "medium": 5, "high": 8}


@dataclass(frozen=True, slots=True)
class Report:
    """One finished search: `kind` is "text" or "json"."""

    id: str
    created: int
    model: str
    question: str
    queries: tuple[str, ...]
    found: tuple[Hit, ...]
    read: tuple[Hit, ...]
    answer: str
    kind: str
    thoughts: tuple[str, ...]
    prompt_tokens: int
    annotations: tuple[Body, ...]

    @property
    def usage(self) -> Body:
        """The totals."""
        written = len(pieces(self.answer)) + sum(len(pieces(each)) for each in self.thoughts)
        total = self.prompt_tokens + written
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": written, "total_tokens": total}

    @property
    def tail(self) -> Body:
        """What stands beside the choices at the end."""
        return {
            "usage": self.usage,
            "visitedURLs": [hit.page.url for hit in self.found],
            "readURLs": [hit.page.url for hit in self.read],
            "numURLs": len(self.found),
        }

    def head(self, kind: str) -> Body:
        """What every part begins with."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": f"fp_{self.id}",
        }


async def create_report(request: Request, raw: Body) -> Response:
    """Search, and answer in Jina's shapes."""
    desk = desk_of(request)
    messages: Any = raw.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BareRefusal(400, {"error": "Messages array is required and must not be empty"})
    try:
        body = check_chat("jina", raw, drops=desk.dialect == "new-api")
    except Invalid as refusal:
        raise BareRefusal(400, {"error": refusal.message}) from refusal
    if body["messages"][-1]["role"] != "user":
        raise BareRefusal(400, {"error": "Last message must be from user"})
    report = _research(desk, body)
    if body.get("stream"):
        return stream_reply(request, _chunks(report))
    message = {"role": "assistant", "content": report.answer, "type": report.kind, "annotations": [*report.annotations]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return json_reply(report.head("chat.completion") | {"choices": [choice]} | report.tail)


def _research(desk: Desk, body: Body) -> Report:
    talk = read_talk(body["messages"])
    most = body.get("max_returned_urls", 100)
    only = [*body.get("only_hostnames", []), *body.get("only_domains", [])]
    without = [*body.get("bad_hostnames", []), *body.get("bad_domains", [])]
    found = search(talk.question, _FOUND.get(body.get("reasoning_effort", "medium"), 5), only=only, without=without)
    read = found[: max(1, len(found) // 2 + 1)]
    answer, kind = _answer(body, talk.question, read)
    cited = read[: body.get("max_annotations", 10)] if kind == "text" else []
    return Report(
        id=str(int(desk.options.clock() * 1000)),
        created=desk.now(),
        model="jina-deepsearch-v1",
        question=talk.question,
        queries=(talk.question[:80], f"{talk.question[:60]} overview"),
        found=tuple(found[:most]),
        read=tuple(read[:most]),
        answer=answer,
        kind=kind,
        thoughts=_thoughts(talk.question, read),
        prompt_tokens=count_text([*talk.told, talk.system]),
        annotations=tuple(_annotation(hit) for hit in cited),
    )


def _answer(body: Body, question: str, read: list[Hit]) -> tuple[str, str]:
    wanted: Body = body.get("response_format", {})
    if wanted.get("type") == "json_schema":
        schema: Body = wanted.get("json_schema", {}).get("schema", {"type": "object"})
        return compact(make_instance(schema, question)), "json"
    if not read:
        return f'The embedded gateway\'s small library has nothing about "{question}". {SIGNATURE}', "text"
    lines = [f"{hit.quote}[^{place}]" for place, hit in enumerate(read, 1)]
    notes = [f"[^{place}]: {hit.quote} [{hit.page.title}]({hit.page.url})" for place, hit in enumerate(read, 1)]
    return " ".join(lines) + f" {SIGNATURE}\n\n" + "\n\n".join(notes), "text"


def _thoughts(question: str, read: list[Hit]) -> tuple[str, ...]:
    first = f"I look in the small library of the embedded gateway for: {question}. "
    return (first, *(f"Reading {hit.page.title}. " for hit in read), "That is all there is to read. ")


def _annotation(hit: Hit) -> Body:
    return {
        "type": "url_citation",
        "url_citation": {
            "title": hit.page.title,
            "exactQuote": hit.quote,
            "url": hit.page.url,
            "dateTime": f"{hit.page.date} 00:00:00",
        },
    }


def _chunks(report: Report) -> Iterator[str]:
    def chunk(delta: Body, finish: str | None = None, **beside: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event(report.head("chat.completion.chunk") | {"choices": [choice]} | beside)

    yield chunk({"role": "assistant", "content": "<think>", "type": "think"})
    visits = iter(report.read)
    for place, thought in enumerate(report.thoughts):
        yield from (chunk({"content": part, "type": "think"}) for part in pieces(thought))
        if place < len(report.queries):
            yield chunk({"type": "think", "query": report.queries[place]})
        if (hit := next(visits, None)) is not None:
            yield chunk({"type": "think", "url": hit.page.url})
    yield chunk({"content": "</think>\n\n", "type": "think"}, "thinking_end")
    delta: Body = {"content": report.answer, "type": report.kind, "annotations": [*report.annotations]}
    yield chunk(delta, "stop", **report.tail)
