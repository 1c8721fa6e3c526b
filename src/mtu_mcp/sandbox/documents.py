"""qwen-long: answers that quote the passage of a document that fits the question best.

Documents come in system messages, as Model Studio has it: `fileid://` with ids separated by commas, or the text of the
document itself (or a JSON list of documents) in a system message after the first. What is not there is not made up.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mtu_mcp.sandbox.chat_rules import parameter_error
from mtu_mcp.sandbox.chat_wire import Envelope
from mtu_mcp.sandbox.conversation import RULES, answer, read_talk, text_of
from mtu_mcp.sandbox.corpus import terms
from mtu_mcp.sandbox.desk import SIGNATURE, Desk, desk_of, entry_of
from mtu_mcp.sandbox.drafts import Draft, Usage, compact
from mtu_mcp.sandbox.filing import EXTRACT
from mtu_mcp.sandbox.paper import Passage, passages, read_text
from mtu_mcp.sandbox.replies import json_reply, stream_reply
from mtu_mcp.sandbox.roster import Model
from mtu_mcp.sandbox.tokens import count_text, pieces

Body = dict[str, Any]
MARK = "fileid://"
MOST_FILES = 100
MOST_TEXT = 1_000_000
"""Tokens of a document given as text."""
MOST_SAID = 9_000
"""Tokens of any message that is no document."""


@dataclass(slots=True)
class Reading:
    """What was given: passages, names, and the messages that are no documents."""

    passages: list[Passage] = field(default_factory=list[Passage])
    names: list[str] = field(default_factory=list[str])
    messages: list[Body] = field(default_factory=list[Body])
    tokens: int = 0

    def add(self, name: str, text: str) -> None:
        """Take in one document."""
        self.names.append(name)
        self.passages += passages(name, text)
        self.tokens += len(pieces(text))


def create_answer(request: Request, body: Body, model: Model) -> Response:
    """Answer a chat with qwen-long."""
    desk = desk_of(request)
    if body.get("tools") or body.get("functions"):
        raise parameter_error("This model does not support tools.")
    reading = read_documents(desk, body["messages"], model)
    entry_of(request).notes |= {"documents": reading.names}
    draft = Draft(_text(body, reading)).shortened(
        [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop", []),
        body.get("max_completion_tokens", body.get("max_tokens")),
    )
    said = count_text(text_of(message.get("content")) for message in reading.messages)
    usage = Usage(said + reading.tokens, draft.tokens)
    envelope = Envelope(desk.new_id("chatcmpl-"), desk.now(), model.id, model.family)
    if not body.get("stream"):
        return json_reply(envelope.completion([draft], usage))
    counted = body.get("stream_options", {}).get("include_usage", False)
    return stream_reply(request, envelope.chunks([draft], usage, counted=counted))


def read_documents(desk: Desk, messages: list[Body], model: Model) -> Reading:
    """Tell documents from talk, and read them.

    The first system message is the role unless it names files; every later one is a document.
    """
    reading = Reading()
    systems, ids = 0, 0
    for place, message in enumerate(messages):
        text = text_of(message.get("content"))
        if message["role"] == "system":
            systems += 1
            if text.strip().startswith(MARK):
                wanted = [part.strip() for part in text.split(",")]
                ids += len(wanted)
                if ids > MOST_FILES:
                    raise parameter_error("Too many files provided.")
                for each in wanted:
                    _read_file(desk, each.removeprefix(MARK), reading)
                continue
            if systems > 1:
                _read_given(text, reading)
                continue
        if len(pieces(text)) > MOST_SAID:
            raise parameter_error(f"Range of input length should be [1, {MOST_SAID}]", f"messages[{place}].content")
        reading.messages.append(message)
    if reading.tokens > model.context:
        raise parameter_error(f"Total message token length exceed model limit ({model.context} tokens).")
    return reading


def _read_file(desk: Desk, file_id: str, reading: Reading) -> None:
    stored = desk.files.find(file_id)
    if stored is None or stored.purpose != EXTRACT:
        raise parameter_error(f"Invalid file [id:{file_id}].")
    if not stored.parsed(desk.options.clock()):
        raise parameter_error("File parsing in progress, please try again later.")
    if stored.error:
        raise parameter_error(f"File [id:{file_id}] cannot be parsed.")
    reading.add(stored.name, read_text(stored.name, stored.data))


def _read_given(text: str, reading: Reading) -> None:
    if len(pieces(text)) > MOST_TEXT:
        raise parameter_error(f"Range of input length should be [1, {MOST_TEXT}]")
    try:
        listed: Any = json.loads(text)
    except ValueError:
        listed = None
    objects: list[Any] = listed if isinstance(listed, list) else []  # pyright: ignore[reportUnknownVariableType]
    if not objects or not all(isinstance(each, dict) and "content" in each for each in objects):
        reading.add("the text given", text)
        return
    for number, each in enumerate(objects, 1):
        found: Body = each
        reading.add(str(found.get("file_name") or found.get("title") or f"document {number}"), str(found["content"]))


def _text(body: Body, reading: Reading) -> str:
    talk = read_talk(reading.messages)
    found = best(reading.passages, talk.question)
    if found is None:
        said = next((text for rule in RULES if (text := rule(talk)) is not None), "")
        hold = "document holds" if len(reading.names) == 1 else f"{len(reading.names)} documents hold"
        nothing = f"The {hold} nothing about that." if reading.names else ""
        text = said or f"{nothing} {answer(talk)}".strip()
    else:
        text = f'From {found.document}: "{found.text}"'
        if len(reading.names) > 1:
            text += f" ({len(reading.names)} documents read: {', '.join(reading.names)})"
    if body.get("response_format", {}).get("type", "text") != "text":
        return compact({"answer": text, "source": SIGNATURE})
    return f"{text} {SIGNATURE}"


def best(given: list[Passage], question: str) -> Passage | None:
    """The passage that shares the rarest words with the question; None when none shares any."""
    wanted = set(terms(question))
    bags = [set(terms(each.text)) | set(terms(each.document)) for each in given]
    spread = Counter(term for bag in bags for term in bag & wanted)
    scores = [sum(math.log(1 + len(bags) / spread[term]) for term in bag & wanted) for bag in bags]
    top = max(scores, default=0.0)
    return given[scores.index(top)] if top > 0 else None
