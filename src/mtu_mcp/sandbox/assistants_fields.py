"""The fields of the Assistants API, version 2, as its reference listed them before OpenAI removed it."""

from typing import Any

from starlette.requests import Request

from mtu_mcp.sandbox.chat_fields import FUNCTION, METADATA
from mtu_mcp.sandbox.desk import Desk
from mtu_mcp.sandbox.fields import (
    Table,
    anything,
    boolean,
    either,
    integer,
    listing,
    mapping,
    number,
    one_of,
    record,
    string,
    typed,
)
from mtu_mcp.sandbox.refusals import Invalid, Refusal

Body = dict[str, Any]
LONGEST = 256_000
"""Characters of instructions, and of a message's text."""

_TOOL = typed(
    {
        "code_interpreter": {},
        "file_search": {"file_search": mapping(anything())},
        "function": {"function": record(FUNCTION).required()},
    }
)
_FORMAT = typed({"text": {}, "json_object": {}, "json_schema": {"json_schema": mapping(anything()).required()}})
_RESOURCES = record(
    {
        "code_interpreter": record({"file_ids": listing(string(1), 0, 20)}),
        "file_search": record(
            {"vector_store_ids": listing(string(1), 0, 1), "vector_stores": listing(anything(), 0, 1)}
        ),
    }
)
_SETTINGS: Table = {
    "instructions": string(0, LONGEST),
    "tools": listing(_TOOL, 0, 128),
    "metadata": METADATA,
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "response_format": either(one_of("auto"), _FORMAT),
}
ASSISTANT: Table = {
    **_SETTINGS,
    "model": string(1).required(),
    "name": string(0, 256),
    "description": string(0, 512),
    "tool_resources": _RESOURCES,
}
ASSISTANT_CHANGES: Table = {**ASSISTANT, "model": string(1)}
_CONTENT = typed(
    {
        "text": {"text": string(1, LONGEST).required()},
        "image_file": {
            "image_file": record({"file_id": string(1).required(), "detail": one_of("auto", "low", "high")}).required()
        },
        "image_url": {
            "image_url": record({"url": string(1).required(), "detail": one_of("auto", "low", "high")}).required()
        },
    }
)
_ATTACHMENT = record(
    {"file_id": string(1).required(), "tools": listing(typed({"code_interpreter": {}, "file_search": {}}))}
)
MESSAGE: Table = {
    "role": one_of("user", "assistant").required(),
    "content": either(string(1, LONGEST), listing(_CONTENT, 1)).required(),
    "attachments": listing(_ATTACHMENT, 0, 20),
    "metadata": METADATA,
}
THREAD: Table = {"messages": listing(record(MESSAGE)), "tool_resources": _RESOURCES, "metadata": METADATA}
THREAD_CHANGES: Table = {"tool_resources": _RESOURCES, "metadata": METADATA}
LABELS: Table = {"metadata": METADATA}
_CHOICE = typed(
    {
        "function": {"function": record({"name": string(1).required()}).required()},
        "code_interpreter": {},
        "file_search": {},
    }
)
RUN: Table = {
    **_SETTINGS,
    "assistant_id": string(1).required(),
    "model": string(1),
    "additional_instructions": string(0, LONGEST),
    "additional_messages": listing(record(MESSAGE)),
    "reasoning_effort": one_of("none", "minimal", "low", "medium", "high", "xhigh"),
    "max_prompt_tokens": integer(256),
    "max_completion_tokens": integer(256),
    "truncation_strategy": record({"type": one_of("auto", "last_messages").required(), "last_messages": integer(1)}),
    "tool_choice": either(one_of("none", "auto", "required"), _CHOICE),
    "parallel_tool_calls": boolean(),
    "stream": boolean(),
}
THREAD_RUN: Table = {
    **{name: rule for name, rule in RUN.items() if not name.startswith("additional_") and name != "reasoning_effort"},
    "thread": record(THREAD),
    "tool_resources": _RESOURCES,
}
OUTPUTS: Table = {
    "tool_outputs": listing(
        record({"tool_call_id": string(1).required(), "output": string().required()}), 1
    ).required(),
    "stream": boolean(),
}


def require_version(request: Request, version: int = 2) -> None:
    """Refuse a call without the header that names the version of this API."""
    wanted = f"assistants=v{version}"
    if wanted not in request.headers.get("openai-beta", "").replace(" ", "").split(","):
        msg = (
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
            f"Please try again by setting the header 'OpenAI-Beta: {wanted}'."
        )
        raise Refusal(400, msg, code="invalid_beta")


def require_files(desk: Desk, attachments: list[Body], path: str) -> None:
    """Refuse attachments of files that are not there."""
    for place, each in enumerate(attachments):
        if desk.files.find(each["file_id"]) is None:
            msg = f"No such File object: {each['file_id']}"
            raise Invalid(msg, param=f"{path}[{place}].file_id", code="file_not_found")
