"""Our side of the wire.

Owns: requests as bytes, answers from bytes in any shape a gateway sends, failures, retries, what was spent.
Asks for: Settings, and optionally a transport, a clock and a way to wait.
Knows nothing of: MCP, tools, files' whereabouts, prices, conversations.
Because: gateways disagree about everything the API leaves open, and one room must know all of it so that no other does.
"""

from typing import TYPE_CHECKING, Final

from mtu_mcp.deferral import deferred

if TYPE_CHECKING:
    from mtu_mcp.gateway.arguments import check_arguments
    from mtu_mcp.gateway.batches import Batch, BatchPage, BatchRequest
    from mtu_mcp.gateway.chat import ChatAnswer, ChatRequest
    from mtu_mcp.gateway.citations import Citation
    from mtu_mcp.gateway.client import Gateway
    from mtu_mcp.gateway.completions import Completion, CompletionRequest
    from mtu_mcp.gateway.embeddings import EmbeddingRequest, Embeddings
    from mtu_mcp.gateway.exchange import Bound, Exchange, News, Progress, Scope, branch, current_scope, open_scope
    from mtu_mcp.gateway.files import FileEntry, FilePage
    from mtu_mcp.gateway.images import ImageEdit, ImageRequest, ImagesAnswer, ImageVariation, MadeImage
    from mtu_mcp.gateway.models import ModelEntry
    from mtu_mcp.gateway.moderations import Moderation, ModerationRequest, Verdict
    from mtu_mcp.gateway.operations import Invocation, Operation, Outcome, all_operations
    from mtu_mcp.gateway.responses import ResponsesAnswer, ResponsesRequest
    from mtu_mcp.gateway.search import BaiduAnswer, BaiduSearch, SearchHit
    from mtu_mcp.gateway.speech import SpeechRequest, SpokenAnswer
    from mtu_mcp.gateway.toolcalls import ToolCall
    from mtu_mcp.gateway.transcripts import Segment, Transcript, TranscriptionRequest
    from mtu_mcp.gateway.uploads import Upload
    from mtu_mcp.gateway.usage import Usage

__all__ = [
    "BaiduAnswer",
    "BaiduSearch",
    "Batch",
    "BatchPage",
    "BatchRequest",
    "Bound",
    "ChatAnswer",
    "ChatRequest",
    "Citation",
    "Completion",
    "CompletionRequest",
    "EmbeddingRequest",
    "Embeddings",
    "Exchange",
    "FileEntry",
    "FilePage",
    "Gateway",
    "ImageEdit",
    "ImageRequest",
    "ImageVariation",
    "ImagesAnswer",
    "Invocation",
    "MadeImage",
    "ModelEntry",
    "Moderation",
    "ModerationRequest",
    "News",
    "Operation",
    "Outcome",
    "Progress",
    "ResponsesAnswer",
    "ResponsesRequest",
    "Scope",
    "SearchHit",
    "Segment",
    "SpeechRequest",
    "SpokenAnswer",
    "ToolCall",
    "Transcript",
    "TranscriptionRequest",
    "Upload",
    "Usage",
    "Verdict",
    "all_operations",
    "branch",
    "check_arguments",
    "current_scope",
    "open_scope",
]

# Each name is loaded when it is first used: dozens of dataclasses take longer to build than all else a server does
# before its first answer.
_HOMES: Final = {
    "BaiduAnswer": "search",
    "BaiduSearch": "search",
    "Batch": "batches",
    "BatchPage": "batches",
    "BatchRequest": "batches",
    "Bound": "exchange",
    "ChatAnswer": "chat",
    "ChatRequest": "chat",
    "Citation": "citations",
    "Completion": "completions",
    "CompletionRequest": "completions",
    "EmbeddingRequest": "embeddings",
    "Embeddings": "embeddings",
    "Exchange": "exchange",
    "FileEntry": "files",
    "FilePage": "files",
    "Gateway": "client",
    "ImageEdit": "images",
    "ImageRequest": "images",
    "ImageVariation": "images",
    "ImagesAnswer": "images",
    "Invocation": "operations",
    "MadeImage": "images",
    "ModelEntry": "models",
    "Moderation": "moderations",
    "ModerationRequest": "moderations",
    "News": "exchange",
    "Operation": "operations",
    "Outcome": "operations",
    "Progress": "exchange",
    "ResponsesAnswer": "responses",
    "ResponsesRequest": "responses",
    "Scope": "exchange",
    "SearchHit": "search",
    "Segment": "transcripts",
    "SpeechRequest": "speech",
    "SpokenAnswer": "speech",
    "ToolCall": "toolcalls",
    "Transcript": "transcripts",
    "TranscriptionRequest": "transcripts",
    "Upload": "uploads",
    "Usage": "usage",
    "Verdict": "moderations",
    "all_operations": "operations",
    "check_arguments": "arguments",
    "branch": "exchange",
    "current_scope": "exchange",
    "open_scope": "exchange",
}

__getattr__ = deferred(__name__, _HOMES)
