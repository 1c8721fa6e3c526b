"""Sources an answer rests on, in one shape whatever the endpoint.

Chat completions nest them (`{"type": "url_citation", "url_citation": {...}}`), Responses has them flat, Jina adds an
exact quote and no positions, other gateways put a plain list of addresses beside the choices, and those that relay
Gemini may pass on its grounding metadata.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mtu_mcp.gateway.shapes import mapping, sequence, text, whole

_MOST: Final = 1000
_GROUNDING: Final = ("groundingMetadata", "grounding_metadata", "vertex_ai_grounding_metadata")


@dataclass(frozen=True, slots=True)
class Citation:
    """One source.

    Attributes:
        url: Its address, never empty.
        title: Its title, empty when the gateway gave none.
        quote: Words of the source the answer rests on.
        start: First character of the answer it supports, counted from 0; None when not said.
        end: The character after the last one.
        date: As the gateway wrote it.
    """

    url: str
    title: str = ""
    quote: str = ""
    start: int | None = None
    end: int | None = None
    date: str = ""


def read_annotation(raw: object, shift: int = 0) -> Citation | None:
    """Read one annotation, nested or flat; None when it names no address.

    Args:
        raw: The annotation as it came.
        shift: Characters of the answer before the part that the positions count from.
    """
    outer = mapping(raw)
    inner = mapping(outer.get("url_citation")) or outer
    url = text(inner.get("url")).strip()
    if not url:
        return None
    start, end = whole(inner.get("start_index")), whole(inner.get("end_index"))
    return Citation(
        url=url,
        title=text(inner.get("title")).strip(),
        quote=text(inner.get("exactQuote")) or text(inner.get("quote")),
        start=None if start is None else start + shift,
        end=None if end is None else end + shift,
        date=_date(inner),
    )


def read_annotations(raw: object, shift: int = 0) -> list[Citation]:
    """Read a list of annotations, leaving out what names no address."""
    found = (read_annotation(item, shift) for item in sequence(raw)[:_MOST])
    return [citation for citation in found if citation]


def read_sources(body: Mapping[str, Any]) -> list[Citation]:
    """Read sources that stand beside the choices: `search_results`, `search_info.search_results`, `citations`."""
    beside = body.get("search_results") or mapping(body.get("search_info")).get("search_results")
    return [source for item in sequence(beside or body.get("citations"))[:_MOST] if (source := _source(item))]


def read_grounding(body: Mapping[str, Any]) -> tuple[list[Citation], list[str]]:
    """Read Gemini's grounding metadata under any name a gateway gives it: the pages, and what was searched for."""
    pages: list[Citation] = []
    queries: list[str] = []
    for name in _GROUNDING:
        raw = body.get(name)
        for item in sequence(raw) or (raw,):
            found = mapping(item)
            for chunk in sequence(found.get("groundingChunks") or found.get("grounding_chunks"))[:_MOST]:
                web = mapping(mapping(chunk).get("web"))
                if url := text(web.get("uri")).strip():
                    pages.append(Citation(url=url, title=text(web.get("title")).strip()))
            asked = found.get("webSearchQueries") or found.get("web_search_queries")
            queries += [words for query in sequence(asked)[:_MOST] if (words := text(query).strip())]
    return pages, queries


def distinct(citations: Iterable[Citation]) -> tuple[Citation, ...]:
    """The same citations in order, each once."""
    return tuple(dict.fromkeys(citations))


def _source(raw: object) -> Citation | None:
    if isinstance(raw, str):
        return Citation(url=text(raw).strip()) if raw.strip() else None
    item = mapping(raw)
    url = (text(item.get("url")) or text(item.get("link"))).strip()
    if not url:
        return None
    return Citation(url=url, title=text(item.get("title")).strip(), quote=text(item.get("snippet")), date=_date(item))


def _date(item: Mapping[str, Any]) -> str:
    return text(item.get("dateTime")) or text(item.get("date")) or text(item.get("published_date"))
