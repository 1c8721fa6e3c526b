"""The fields of POST /responses, as the API reference lists them.

Tools, JSON schemas and locations are flat here where chat/completions nests them; `store` is true unless said otherwise.
"""

from collections.abc import Mapping

from mtu_mcp.sandbox.chat_fields import EFFORT, FUNCTION, METADATA, PLACE
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

SEARCH_TOOLS = ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11")


_PARTS: Mapping[str, Table] = {
    "input_text": {"text": string().required(), "prompt_cache_breakpoint": anything()},
    "output_text": {"text": string().required(), "annotations": listing(anything()), "logprobs": listing(anything())},
    "refusal": {"refusal": string().required()},
    "input_image": {"image_url": string(), "file_id": string(), "detail": one_of("auto", "low", "high", "original")},
    "input_file": {key: string() for key in ("file_id", "file_url", "file_data", "filename", "detail")},
    "input_audio": {"input_audio": record({"data": string(1).required(), "format": one_of("mp3", "wav").required()})},
}
_STATE: Table = {"id": string(1), "status": string()}
_ITEMS: Mapping[str, Table] = {
    "message": {
        **_STATE,
        "role": one_of("user", "assistant", "system", "developer").required(),
        "content": either(string(), listing(typed(_PARTS), 1)).required(),
        "phase": string(),
    },
    "function_call": {
        **_STATE,
        "call_id": string(1).required(),
        "name": string(1).required(),
        "arguments": string().required(),
    },
    "function_call_output": {
        **_STATE,
        "call_id": string(1).required(),
        "output": either(string(), listing(typed(_PARTS))).required(),
    },
    "web_search_call": {**_STATE, "action": mapping(anything()), "results": anything()},
    "reasoning": {
        **_STATE,
        "summary": listing(anything()),
        "content": listing(anything()),
        "encrypted_content": string(),
    },
    "item_reference": {"id": string(1).required()},
}
_SEARCH: Table = {
    "filters": record({"allowed_domains": listing(string(1), 0, 100)}),
    "search_context_size": one_of("low", "medium", "high"),
    "user_location": record({"type": one_of("approximate"), **PLACE}),
    "external_web_access": boolean(),
}
_PREVIEW: Table = {key: rule for key, rule in _SEARCH.items() if key in {"search_context_size", "user_location"}}
_TOOLS: dict[str, Table] = {
    "function": {**FUNCTION, "parameters": mapping(anything())},
    **{name: _PREVIEW if "preview" in name else _SEARCH for name in SEARCH_TOOLS},
    "custom": {"name": string(1, 64).required(), "description": string(), "format": mapping(anything())},
}
UNOFFERED: Mapping[str, tuple[str, ...]] = {
    "file_search": ("vector_store_ids", "max_num_results", "ranking_options", "filters"),
    "code_interpreter": ("container",),
    "image_generation": (
        *("model", "size", "quality", "output_format", "output_compression", "background", "moderation"),
        *("partial_images", "input_fidelity", "input_image_mask", "action"),
    ),
    "mcp": (
        *("server_label", "server_url", "connector_id", "server_description", "authorization", "headers"),
        *("allowed_tools", "require_approval", "defer_loading"),
    ),
    "computer_use_preview": ("display_width", "display_height", "environment"),
    "local_shell": (),
    "shell": ("environment",),
    "apply_patch": (),
}
"""Tools of the API that nothing here can run, with their fields."""
_TOOLS.update((name, dict.fromkeys(fields, anything())) for name, fields in UNOFFERED.items())
_CHOICES: Mapping[str, Table] = {
    "function": {"name": string(1).required()},
    "custom": {"name": string(1).required()},
    "allowed_tools": {
        "mode": one_of("auto", "required").required(),
        "tools": listing(mapping(anything())).required(),
    },
    **{name: {} for name in SEARCH_TOOLS},
}
_FORMAT = typed(
    {
        "text": {},
        "json_object": {},
        "json_schema": {
            "name": string(1, 64).required(),
            "schema": mapping(anything()).required(),
            "description": string(),
            "strict": boolean(),
        },
    }
)
INCLUDABLE = (
    "web_search_call.action.sources",
    "web_search_call.results",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
)
TABLE: Table = {
    "model": string(1).required(),
    "input": either(string(), listing(typed(_ITEMS, "message"), 1)).required(),
    "instructions": string(),
    "tools": listing(typed(_TOOLS), 0, 128),
    "tool_choice": either(one_of("none", "auto", "required"), typed(_CHOICES)),
    "include": listing(one_of(*INCLUDABLE)),
    "previous_response_id": string(1),
    "conversation": either(string(1), record({"id": string(1).required()})),
    "background": boolean(),
    "store": boolean(),
    "stream": boolean(),
    "stream_options": record({"include_obfuscation": boolean()}),
    "max_output_tokens": integer(16),
    "max_tool_calls": integer(1),
    "metadata": METADATA,
    "parallel_tool_calls": boolean(),
    "prompt": record({"id": string(1).required(), "version": string(), "variables": mapping(anything())}),
    "reasoning": record(
        {
            "effort": EFFORT,
            "summary": one_of("auto", "concise", "detailed"),
            "generate_summary": one_of("auto", "concise", "detailed"),
        }
    ),
    "text": record({"format": _FORMAT, "verbosity": one_of("low", "medium", "high")}),
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "top_logprobs": integer(0, 20),
    "truncation": one_of("auto", "disabled"),
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "safety_identifier": string(0, 128),
    "prompt_cache_key": string(),
    "prompt_cache_retention": one_of("in_memory", "in-memory", "24h"),
    "user": string(),
}
