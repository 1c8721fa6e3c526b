"""Making pictures, changing them, and making more like one.

Which it is follows from the arguments: a prompt alone makes, a prompt with pictures edits, a picture alone varies.
A picture is on disk, with its prompt beside it, before anything is shown: what was paid for must not depend on a
host that shows it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve, Sample
from mcp.types import CallToolResult, CreateMessageResult, ListRootsResult
from pydantic import Field

from mtu_mcp.amounts import counted
from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_model, ask_roots, can_sample, folders, said
from mtu_mcp.capabilities._endpoints import ask
from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.capabilities._params import ModelName, Options, PictureName
from mtu_mcp.capabilities._parts import image_part, text_part
from mtu_mcp.capabilities._picture_limits import require_prompt, require_takes
from mtu_mcp.capabilities._pictures import inside, keep_picture, picture_bytes, unlike, without_pictures
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._upstream import asking, choose, further_fields, limited_to, remark, upload_of
from mtu_mcp.capabilities._views import share_of_cost
from mtu_mcp.errors import BadAnswer, BadInput, MtuError, NotOffered
from mtu_mcp.gateway import (
    ChatRequest,
    ImageEdit,
    ImageRequest,
    ImagesAnswer,
    ImageVariation,
    MadeImage,
)

if TYPE_CHECKING:
    from mtu_mcp.media import Media, Workspace

MOST_INPUT_BYTES: Final = 50 * 1024 * 1024
"""The Images API takes pictures of less than 50 MB."""
MOST_MADE_BYTES: Final = 64 * 1024 * 1024
MOST_REFERENCES: Final = 16
"""The Images API takes at most 16 pictures to edit."""

BRIEF: Final = (
    "You write prompts for an image model. Rewrite the request as one vivid, concrete prompt of at most 120 words: "
    "subject, setting, composition, light, style. Keep every fact of the request and its language. Answer with the "
    "prompt alone."
)
REFINED_TOKENS: Final = 400

Quality = Literal["auto", "low", "medium", "high"]
Format = Literal["png", "jpeg", "webp"]


def _roots(ctx: Context, images: list[str] | None, mask: str | None) -> ListRoots | None:
    return ask_roots(ctx, [*(images or ()), mask])


def _refined(ctx: Context, prompt: str | None, refine_prompt: bool) -> Sample | None:
    if not (refine_prompt and prompt and can_sample(ctx)):
        return None
    return ask_model(BRIEF, prompt, max_tokens=REFINED_TOKENS)


async def generate_image(
    prompt: Annotated[str | None, Field(description="What to draw or change.")] = None,
    images: Annotated[
        list[PictureName] | None,
        Field(description="Pictures to edit or combine; without a prompt, to vary.", max_length=MOST_REFERENCES),
    ] = None,
    mask: Annotated[PictureName | None, Field(description="PNG whose transparent part may change.")] = None,
    n: Annotated[int, Field(ge=1, le=10)] = 1,
    size: Annotated[str | None, Field(description="Such as 1024x1024.")] = None,
    quality: Quality | None = None,
    output_format: Format | None = None,
    refine_prompt: Annotated[bool, Field(description="Let your host's model write the prompt out first.")] = False,
    model: ModelName = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
    refined: Annotated[CreateMessageResult | None, Resolve(_refined)],
) -> CallToolResult:
    """Make pictures from a prompt, edit or combine pictures, or make variations of one. They are saved as files and
    shown small.
    """
    prompt = prompt if prompt and prompt.strip() else None
    _require_sense(prompt, images or [], mask)
    capability = "image" if not images else "image_edit" if prompt else "image_vary"
    chosen = await choose(app, capability, model)
    answer = Answer(app)
    answer.note(remark(chosen))
    named = {"size": size, "quality": quality, "output_format": output_format}
    extra = {"n": n, **{name: value for name, value in named.items() if value}, **further_fields(options)}
    workspace = app.workspace(folders(roots))
    opened = await _open(app, workspace, images or [])
    masks = await _open(app, workspace, [mask] if mask else [])
    known = app.catalogue.entry(chosen.model)
    await require_takes(known, extra, opened, masks)
    full = await _full_prompt(app, answer, prompt, refine_prompt, refined)
    require_prompt(known, full)
    started = time.time()
    if "markdown_images" in known.traits:
        made = await _by_chat(app, answer, chosen.model, full, opened, masked=bool(masks), extra=extra)
    else:
        made = await _make(app, chosen.model, full, opened, masks, extra)
    about = {
        "prompt": prompt,
        "full_prompt": full if full != prompt else None,
        "model": made.model or chosen.model,
        "parameters": extra,
        "images": [text if text.strip()[:5].lower() != "data:" else "(data URI)" for text in images or []],
        "seconds": round(time.time() - started, 2),
    }
    await _hand_over(app, answer, made, prompt or "variation", about)
    return answer.finish()


def _require_sense(prompt: str | None, images: Sequence[str], mask: str | None) -> None:
    """Refuse what no endpoint does, before anything is opened or spent."""
    if mask and not (images and prompt):
        raise BadInput("mask needs images and a prompt: it marks what may change in the first of them.")
    if not images and not prompt:
        raise BadInput("Give a prompt, or images to make variations of.")
    if len(images) > 1 and not prompt:
        raise BadInput(
            f"Variations are made of one picture; there are {len(images)}.", advice="Add a prompt to combine them."
        )


async def _full_prompt(
    app: App, answer: Answer, prompt: str | None, refine: bool, refined: CreateMessageResult | None
) -> str | None:
    """Return the prompt to send: refined by the host's model, else by a model of the gateway, else as it came."""
    if not (refine and prompt):
        return prompt
    written = said(refined)
    if refined is not None and written:
        answer.note(f"The host's model ({refined.model}) wrote the prompt: {written}")
        return written
    lent = "The host's model gave none" if refined is not None else "The host lends no model"
    chosen = await app.catalogue.choose("chat")
    messages = [{"role": "system", "content": BRIEF}, {"role": "user", "content": prompt}]
    options = limited_to(app, chosen.model, REFINED_TOKENS)
    try:
        reply = await app.gateway.chat(ChatRequest(chosen.model, messages, options=options))
    except MtuError as error:
        answer.note(f"The prompt was sent as it is: {chosen.model} could not refine it ({error.message}).")
        return prompt
    if not reply.text.strip() or reply.cut:
        answer.note(f"The prompt was sent as it is: {chosen.model} gave no complete one.")
        return prompt
    answer.note(f"{lent}, so {chosen.model} wrote the prompt: {reply.text.strip()}")
    return reply.text.strip()


async def _open(app: App, workspace: Workspace, references: Sequence[str]) -> list[Media]:
    return [await open_here(app, workspace, text, ("image",), MOST_INPUT_BYTES) for text in references]


async def _make(
    app: App,
    model: str,
    prompt: str | None,
    opened: list[Media],
    masks: list[Media],
    extra: dict[str, Any],
) -> ImagesAnswer:
    pictures = [upload_of(picture) for picture in opened]
    if prompt and not pictures:
        async with asking(app, "images/generations", model, "image"):
            return await app.gateway.generate_images(ImageRequest(model, prompt, options=extra))
    if prompt:
        edit = ImageEdit(model, prompt, pictures, upload_of(masks[0]) if masks else None, options=extra)
        async with asking(app, "images/edits", model, "image_edit"):
            return await app.gateway.edit_images(edit)
    try:
        async with asking(app, "images/variations", model, "image_vary"):
            return await app.gateway.vary_image(ImageVariation(model, pictures[0], options=extra))
    except NotOffered as error:
        raise NotOffered(
            error.message, advice="Few still do: add a prompt that says what may differ, and the picture is edited."
        ) from error


async def _by_chat(
    app: App,
    answer: Answer,
    model: str,
    prompt: str | None,
    opened: list[Media],
    *,
    masked: bool,
    extra: dict[str, Any],
) -> ImagesAnswer:
    """Ask a model that gives its pictures inside the text of a chat, as gateways pass on Gemini's."""
    if masked:
        raise BadInput(f"{model} takes no mask.", advice="Say in the prompt what may change, or use another model.")
    unheeded = [name for name in ("n", "size", "quality", "output_format") if extra.pop(name, 1) != 1]
    if unheeded:
        answer.note(f"{model} makes one picture as it likes, so {', '.join(unheeded)} was not sent.")
    parts = [await image_part(picture) for picture in opened]
    content = [*parts, text_part(prompt or "Make a variation of this picture.")]
    reply = await ask(app, model, [{"role": "user", "content": content}], extra, "image")
    answer.say(without_pictures(reply.text))
    found = [await picture_bytes(app, answer, uri) for uri in inside(reply.text)]
    if not any(found):
        raise BadAnswer(f"{model} answered without a picture.", advice=(reply.text or reply.refusal)[:300])
    return ImagesAnswer(tuple(MadeImage(data=data) for data in found if data), reply.usage, reply.model)


async def _hand_over(app: App, answer: Answer, made: ImagesAnswer, title: str, about: dict[str, Any]) -> None:
    """Save every picture, then show it small and link it."""
    failures: list[str] = []
    shown = 0
    for number, image in enumerate(made.images, 1):
        if image.error:
            failures.append(f"number {number} was not made ({image.error.rstrip('.。')})")
            continue
        try:
            data = await _bytes(app, image)
        except MtuError as error:
            rest = f" and is still at {image.url} for a while" if image.url else ""
            failures.append(f"number {number} could not be read ({str(error).rstrip('.')}){rest}")
            continue
        revised = {"revised_prompt": image.revised_prompt} if image.revised_prompt else {}
        await keep_picture(app, answer, data, title, {**about, **share_of_cost(len(made.images)), **revised})
        answer.note(await unlike(about["parameters"], data))
        shown += 1
    if not shown:
        raise BadAnswer("No picture came back.", advice=_sentence(failures)[:600])
    asked = about["parameters"].get("n")
    answer.note(_short(shown, max(asked if isinstance(asked, int) else 1, len(made.images)), failures))


def _short(came: int, asked: int, failures: Sequence[str]) -> str:
    """Say how many pictures came and what became of the others; empty when all came."""
    if came >= asked:
        return ""
    why = _sentence(failures)
    return f"{came} of {counted(asked, 'picture')} came{': ' + why if why else '; the gateway says nothing of the others.'}"


def _sentence(failures: Sequence[str]) -> str:
    return f"{'; '.join(failures)}." if failures else ""


async def _bytes(app: App, image: MadeImage) -> bytes:
    if image.data is not None:
        return image.data
    return (await app.download(image.url, MOST_MADE_BYTES)).data


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            generate_image,
            title="Make or edit pictures",
            writes=True,
            search_hint="draw image illustration logo inpaint",
        ),
    )
)
