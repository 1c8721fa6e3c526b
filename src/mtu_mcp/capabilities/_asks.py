"""Questions to the host, asked before a tool's body runs: its folders (roots), its own model (sampling), its user.

Resolvers decide, bodies spend: on the 2026-07-28 protocol a resolver runs again in every round of a call and its
question has to come out the same each time. A host that did not declare a capability is never asked, because the
SDK then fails the whole call; every asker has a plain answer for that case.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Sample
from mcp.types import CreateMessageResult, ListRootsResult, SamplingMessage, TextContent

REMOTE: Final = ("http://", "https://", "data:", "mtu://")


def ask_roots(ctx: Context, references: Iterable[str | None]) -> ListRoots | None:
    """Ask for the host's folders if one of the references is a local path and the host has folders to name."""
    local = any(text and not text.strip().lower().startswith(REMOTE) for text in references)
    capabilities = ctx.client_capabilities
    return ListRoots() if local and capabilities is not None and capabilities.roots is not None else None


def folders(roots: ListRootsResult | None) -> tuple[Path, ...]:
    """Return the folders a host named."""
    from mtu_mcp.media import folders_from_roots

    return folders_from_roots(str(root.uri) for root in roots.roots) if roots else ()


def can_sample(ctx: Context) -> bool:
    """Whether the host lends us its own model."""
    return ctx.client_capabilities is not None and ctx.client_capabilities.sampling is not None


def can_ask(ctx: Context) -> bool:
    """Whether the host can put a form before its user. Hosts older than the modes of elicitation declare it empty."""
    asked = ctx.client_capabilities.elicitation if ctx.client_capabilities is not None else None
    return asked is not None and (asked.form is not None or asked.url is None)


def ask_model(system: str, text: str, *, max_tokens: int) -> Sample:
    """Ask the host's own model; the question must be built from arguments and remembered results alone."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return Sample([message], max_tokens=max_tokens, system_prompt=system)


def said(result: CreateMessageResult | None) -> str:
    """Return the text of the host model's answer; empty when there is none."""
    if result is None:
        return ""
    blocks: Sequence[object] = result.content if isinstance(result.content, list) else [result.content]
    return "\n".join(block.text for block in blocks if isinstance(block, TextContent)).strip()
