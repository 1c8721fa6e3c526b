"""Translating texts and files between 92 languages with Qwen-MT.

A file keeps its structure: Markdown its code, links, headings and tables, subtitles their numbers and times. The result is a
new file in the output folder; the original is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import BeforeValidator, Field

from mtu_mcp.amounts import counted
from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._params import DocumentName, ModelName, Options
from mtu_mcp.capabilities._spec import Capability, Content, ResourceSpec, ToolSpec
from mtu_mcp.capabilities._texts import text_or_file
from mtu_mcp.capabilities._upstream import choose, further_fields, remark
from mtu_mcp.errors import BadInput, MtuError

if TYPE_CHECKING:
    from mtu_mcp.catalogue.languages import Language

SHORT: Final = 2_000
"""Characters of a translated file up to which it is shown whole."""
FORMATS: Final = {"md": "md", "markdown": "md", "srt": "srt", "vtt": "vtt", "txt": "txt", "text": "txt", "": "txt"}
"""Extensions of files that are read, and of what is made of them."""


def _as_pairs(value: Any) -> Any:
    """Take a list of pairs, or of the API's {"source", "target"}, for the object it stands for."""
    if not isinstance(value, list):
        return value
    pairs: dict[Any, Any] = {}
    for item in cast("list[Any]", value):
        if isinstance(item, Mapping):
            pair = cast("Mapping[str, Any]", item)
            pairs[pair.get("source")] = pair.get("target")
        elif isinstance(item, list) and len(cast("list[Any]", item)) == 2:
            pairs[item[0]] = item[1]
        else:
            return cast("Any", value)
    return pairs


Pairs = Annotated[dict[str, str] | None, BeforeValidator(_as_pairs)]


def _roots(ctx: Context, file: str | None) -> ListRoots | None:
    return ask_roots(ctx, [file])


async def translate_text(
    target: Annotated[str, Field(description="Name or code, see mtu://languages.")],
    text: str | None = None,
    file: Annotated[DocumentName | None, Field(description="Or a .md, .srt, .vtt or .txt file.")] = None,
    source: str = "auto",
    terms: Annotated[Pairs, Field(description="Term: translation.")] = None,
    memory: Annotated[Pairs, Field(description="Sentence: translation.")] = None,
    domain: Annotated[str | None, Field(description="Subject, in English.")] = None,
    model: ModelName = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Translate text, or a Markdown or subtitle file with its structure intact, into a new file."""
    from mtu_mcp.capabilities._translating import Order, Translator

    order = Order(_language("target", target), _source(source), terms or {}, memory or {}, _domain(domain))
    if order.source == order.target:
        raise BadInput(f"source and target are both {order.target.name}.")
    _require_pairs(terms=order.terms, memory=order.memory)
    extra = further_fields(options, "translation_options")
    name, said = await text_or_file(app, folders(roots), text, file)
    if not any(letter.isalpha() for letter in said):
        raise BadInput("There is nothing to translate: the text holds no letter.")
    chosen = await choose(app, "translate", model)
    translator = Translator(app, order, chosen, asked=bool(model), extra=extra)
    await translator.prepare(asked=bool(model))
    made, form, counted = await _translated(translator, name, said)
    answer = Answer(app)
    answer.note("" if translator.notes else remark(chosen), *translator.notes)
    about = {"source": name or None, "model": chosen.model, "target": order.target.name, "options": order.options()}
    title = f"{PurePath(name).stem or said[:40]} {order.target.code}"
    if file is None:
        await answer.say_long(made, title=title, about=about, extension=form)
    else:
        await _keep(app, answer, made, title, form, counted, about)
    return answer.finish()


def _language(argument: str, asked: str) -> Language:
    """The language somebody means.

    Raises:
        BadInput: None of the 92; the nearest are named.
    """
    from mtu_mcp.catalogue.languages import find_language, near_languages

    found = find_language(asked)
    if found is None:
        near = near_languages(asked)
        advice = f"Nearest: {', '.join(near)}." if near else "mtu://languages lists all 92."
        raise BadInput(f"{argument} {asked[:60]!r} is none of Qwen-MT's languages.", advice=advice)
    return found


def _source(asked: str) -> Language | None:
    return None if asked.strip().lower() in ("", "auto", "detect") else _language("source", asked)


def _domain(given: str | None) -> str:
    domain = (given or "").strip()
    if sum(not letter.isascii() for letter in domain) * 4 > len(domain):
        raise BadInput("domain must be written in English.", advice="Qwen-MT reads it in no other language.")
    return domain


def _require_pairs(**given: Mapping[str, str]) -> None:
    for name, pairs in given.items():
        if any(not source.strip() or not target.strip() for source, target in pairs.items()):
            raise BadInput(f"{name} holds an empty word.", advice="Write source and translation of each.")


async def _translated(translator: Any, name: str, said: str) -> tuple[str, str, int]:
    """Translate by what the text is; return it with its extension and how many cues it has.

    Raises:
        BadInput: A file of a kind whose structure is not known here.
    """
    from mtu_mcp.capabilities._layouts import READERS, count_cues, layout_of

    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending not in FORMATS:
        raise BadInput(
            f"{name} cannot be translated as a file.", advice="Give .md, .srt, .vtt or .txt, or the words as text."
        )
    form = FORMATS[ending] if name else await anyio.to_thread.run_sync(layout_of, said)
    lines = next((end for end in ("\r\n", "\n", "\r") if end in said), "\n")  # the last was the old Macs'
    plain = said.replace(lines, "\n")
    reader = READERS.get(form)
    if reader:
        made = await translator.layout(await anyio.to_thread.run_sync(reader, plain))
    else:
        made = await translator.prose(plain)
    return made.replace("\n", lines), form, count_cues(plain) if form in ("srt", "vtt") else 0


async def _keep(app: App, answer: Answer, made: str, title: str, form: str, cues: int, about: dict[str, Any]) -> None:
    """Save a translated file and show how it begins; one that cannot be saved is shown whole, for it is paid for."""
    if app.settings.read_only:
        await answer.say_long(made, title=title, about=about, extension=form)
        answer.note("It is not saved because MTU_READ_ONLY is set.")
        return
    try:
        saved = await app.library.save_text(made, title=title, extension=form, about=about)
    except MtuError as error:
        answer.say(made[: answer.longest])
        answer.note(f"It could not be saved: {error}")
        return
    answer.say(f"Saved {saved.path}" + (f" ({counted(cues, 'cue')})" if cues else ""))
    answer.say(made if len(made) <= SHORT else f"{made[:SHORT]} …")
    answer.link(saved)


async def languages() -> Content:
    """The languages `translate_text` knows, by name and code."""
    from mtu_mcp.catalogue.languages import LANGUAGES

    return Content(
        json.dumps({language.name: language.code for language in LANGUAGES}, ensure_ascii=False), "application/json"
    )


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            translate_text,
            title="Translate",
            toolset="text",
            search_hint="localize subtitles srt glossary",
        ),
    ),
    resources=(ResourceSpec("mtu://languages", languages, "Languages"),),
)
