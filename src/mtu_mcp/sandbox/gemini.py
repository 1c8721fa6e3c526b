"""What Gemini models do on chat/completions when a gateway translates for them: search with Google, answer with pictures.

Searching is asked for by a function tool named `googleSearch`. Gateways of the New API kind drop the grounding metadata;
others (LiteLLM) pass it on beside the choices as `vertex_ai_grounding_metadata`. Pictures stand inside the text, as
Markdown links with the bytes in a data URI.
"""

import base64
from collections.abc import Sequence
from typing import Any

from mtu_mcp.sandbox.conversation import Talk
from mtu_mcp.sandbox.corpus import Hit, search, write_up
from mtu_mcp.sandbox.desk import SIGNATURE
from mtu_mcp.sandbox.drafts import Draft
from mtu_mcp.sandbox.painting import paint
from mtu_mcp.sandbox.roster import Model

Body = dict[str, Any]
SEARCH_TOOL = "googleSearch"
_SIDE = 256


def wants_search(model: Model, tools: Sequence[Body]) -> bool:
    """Whether a request asks this model to search."""
    return model.owner == "google" and any(tool.get("function", {}).get("name") == SEARCH_TOOL for tool in tools)


def searched(talk: Talk, *, passes_on: bool) -> Draft:
    """An answer from the library, with the metadata if this gateway passes it on."""
    hits = search(talk.question, 5)
    text, places = write_up(hits, talk.question)
    return Draft(f"{text} {SIGNATURE}", grounding=_metadata(talk.question, hits, places) if passes_on else None)


def _metadata(question: str, hits: Sequence[Hit], places: Sequence[tuple[int, int, Hit]]) -> Body:
    return {
        "webSearchQueries": [question],
        "groundingChunks": [{"web": {"uri": hit.page.url, "title": hit.page.title}} for hit in hits],
        "groundingSupports": [
            {"segment": {"startIndex": start, "endIndex": end}, "groundingChunkIndices": [place]}
            for place, (start, end, _) in enumerate(places)
        ],
    }


def painted(talk: Talk) -> Draft:
    """A small picture of what was asked, inside the text."""
    data = base64.b64encode(paint(talk.question or "nothing", _SIDE, _SIDE)).decode("ascii")
    return Draft(f"Here is what you asked for. {SIGNATURE}\n\n", picture=f"![image](data:image/png;base64,{data})")
