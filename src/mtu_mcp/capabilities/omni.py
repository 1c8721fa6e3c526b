"""Understanding pictures, one sound, one video or a video's frames with Qwen-Omni, over several turns.

One message may hold text and one other modality: several pictures, or one sound, or one video. What the model
documents as its limits is checked here before anything is sent, since a refusal after uploading 150 MB helps nobody.
Where the gateway lists no Omni model, a chat model that sees is asked about pictures; nothing else hears or watches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._effects import unheeded
from mtu_mcp.capabilities._params import ConversationName, File, ModelName, Options
from mtu_mcp.capabilities._parts import (
    Part,
    audio_part,
    bare_audio_part,
    frames_part,
    image_part,
    text_part,
    video_part,
)
from mtu_mcp.capabilities._replies import relay
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._talk import as_messages, assistant_turn, converse, keep, open_talk, remembered, user_turn
from mtu_mcp.capabilities._upstream import asking, choose, further_fields, remark, require_words
from mtu_mcp.errors import BadInput, LimitExceeded, NotOffered
from mtu_mcp.gateway import ChatAnswer, ChatRequest

if TYPE_CHECKING:
    from mtu_mcp.catalogue import Choice, OmniLimits
    from mtu_mcp.media import Family, Media, Workspace

FAMILIES: tuple[Family, ...] = ("image", "audio", "video")
MediaName = Annotated[str, File(*FAMILIES)]
MEGABYTE = 1024 * 1024
BARE = ("OpenAI", "Google")
"""Makers whose models take a sound as base64 alone (OpenAI API reference, input_audio; Google's OpenAI interface)."""


async def _roots(ctx: Context, media: list[str] | None, conversation: str | None) -> ListRoots | None:
    return ask_roots(ctx, [*(media or ()), *await remembered(current_app(), conversation)])


async def understand(
    question: Annotated[str, Field(description="What to find out.", min_length=1)],
    media: Annotated[
        list[MediaName] | None,
        Field(description="Pictures, or one sound, or one video: paths, URLs, mtu://media/ links."),
    ] = None,
    frames: Annotated[bool, Field(description="The pictures are frames of one video, in order.")] = False,
    model: ModelName = None,
    conversation: ConversationName = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Look at pictures, listen to a sound or watch a video, and answer a question about it. In a conversation, later
    questions need not repeat the media.
    """
    require_words("question", question)
    chosen, seeing = await _choose(app, model)
    limits = app.catalogue.entry(chosen.model).limits
    workspace = app.workspace(folders(roots))
    bare = app.catalogue.entry(chosen.model).vendor in BARE
    opened = await _open_all(app, workspace, media or [], limits, bare=bare)
    if seeing:
        _require_pictures(opened)
    parts = await _parts(opened, frames, limits, plain=seeing or bare, bare=bare)

    async def restore(part: Mapping[str, Any]) -> Part:
        if seeing and part["family"] not in ("image", "unknown"):
            return text_part(f"[{part['family']}: {part['name']}]")
        [again] = await _open_all(app, workspace, [part["reference"]], limits, bare=bare)
        return await _part(again, bare=bare)

    extra = {**({} if seeing else {"modalities": ["text"]}), **further_fields(options)}
    async with open_talk(app, conversation, chosen.model, [question]) as talk:

        async def send() -> ChatAnswer:
            asked = {"role": "user", "content": [*parts, text_part(question)]}
            messages = [*await as_messages(talk, restore), asked]
            return await app.gateway.chat(ChatRequest(chosen.model, messages, options=extra))

        async with asking(app, "chat/completions", chosen.model, "vision" if seeing else "omni"):
            reply = await converse(talk, send)
        turns = [await user_turn(app, talk, question, media or [], opened), assistant_turn(reply)]
        unkept = await keep(app, talk, turns)
    answer = Answer(app)
    await relay(app, answer, reply, question)
    answer.note(remark(chosen), *unheeded(extra, reply), *talk.notes, unkept)
    return answer.finish()


async def _choose(app: App, asked: str | None) -> tuple[Choice, bool]:
    """Return the model, and whether it is one that only sees, for want of an Omni model.

    Raises:
        NotOffered: The gateway lists neither.
    """
    chosen = await choose(app, "omni", asked)
    offer = await app.catalogue.offered()
    if (asked or "").strip() or app.settings.model_omni or not offer.live or chosen.model in offer.names:
        return chosen, False
    seeing = await choose(app, "vision", None)
    if seeing.model not in offer.names and (able := await app.catalogue.entries("vision")):
        seeing = replace(seeing, model=able[0].name, why="it is the first whose entry in the list says so")
    if seeing.model not in offer.names:
        raise NotOffered(
            f"This gateway lists no Qwen-Omni model such as {chosen.model}, nor another that is known to see pictures.",
            advice="If it has one all the same, name it as `model`.",
        )
    why = f"the gateway lists no Qwen-Omni model, and of those that see pictures {seeing.why}"
    return replace(seeing, why=why, expected=False), True


def _require_pictures(opened: Sequence[Media]) -> None:
    """Refuse what only an Omni model takes.

    Raises:
        NotOffered: There is a sound or a video.
    """
    families = {media.kind.family for media in opened}
    for family, does, advice in (
        ("audio", "listens to sound", "transcribe writes down what is said in it."),
        ("video", "watches video", "Some of its frames can be given as pictures."),
    ):
        if family in families:
            needed = (
                "That needs a Qwen-Omni model such as qwen3-omni-flash, by its name as `model` if the list is wrong."
            )
            raise NotOffered(f"This gateway lists no model that {does}.", advice=f"{needed} {advice}")


async def _open_all(
    app: App, workspace: Workspace, references: Sequence[str], limits: OmniLimits | None, *, bare: bool
) -> list[Media]:
    from mtu_mcp.media import open_reference

    most = max(limits.image_bytes, limits.audio_bytes, limits.video_bytes) if limits else 256 * MEGABYTE
    where: dict[str, Any] = {"workspace": workspace, "library": app.library, "families": FAMILIES}
    opened: list[Media] = []
    for text in references:
        media = await open_reference(text, **where, max_bytes=most)
        if bare and media.url and media.kind.family == "audio":  # no address of a sound is read there
            media = await open_reference(text, **where, max_bytes=most, keep_urls=False, download=app.download)
        opened.append(media)
    return opened


async def _parts(
    opened: Sequence[Media], frames: bool, limits: OmniLimits | None, *, plain: bool, bare: bool
) -> list[Part]:
    found = {"image" if media.kind.family == "unknown" else media.kind.family for media in opened}
    if len(found) > 1:
        raise BadInput(
            f"One question can be about pictures, a sound or a video, not {' and '.join(sorted(found))} together.",
            advice="Ask about one of them, then about the next in the same conversation.",
        )
    if found & {"audio", "video"} and len(opened) > 1:
        raise BadInput(f"One question can be about one {opened[0].kind.family}; there are {len(opened)}.")
    if limits is not None:
        if not frames:
            _require_count(opened, limits)
        for media in opened:
            await _check(media, limits)
    if not frames:
        return [await _part(media, bare=bare) for media in opened]
    if found != {"image"}:
        raise BadInput("frames is for pictures; give the video itself without it.")
    if limits and not limits.frames_min <= len(opened) <= limits.frames_max:
        raise LimitExceeded(
            f"A video can be given as {limits.frames_min} to {limits.frames_max} frames; there are {len(opened)}."
        )
    if plain:  # only Qwen-Omni has a part for frames
        return [
            *[await _part(media, bare=bare) for media in opened],
            text_part("(They are frames of one video, in order.)"),
        ]
    return [await frames_part(opened)]


async def _part(media: Media, *, bare: bool) -> Part:
    """The part for a file; an address that does not tell what it is counts as a picture, the commonest case."""
    sound = bare_audio_part if bare else audio_part
    make = {"audio": sound, "video": video_part}.get(media.kind.family, image_part)
    return await make(media)


def _require_count(opened: Sequence[Media], limits: OmniLimits) -> None:
    """Refuse more pictures than the model takes; of sounds and videos there is one."""
    inline = sum(not media.url for media in opened)
    if limits.images is not None and len(opened) > limits.images:
        raise LimitExceeded(f"One question can be about {limits.images:,} pictures; there are {len(opened):,}.")
    if limits.images_inline is not None and inline > limits.images_inline:
        raise LimitExceeded(
            f"{inline:,} of the pictures are files; the model takes {limits.images_inline:,} that are sent as text.",
            advice="Ask about fewer at a time, or give public URLs.",
        )


async def _check(media: Media, limits: OmniLimits) -> None:
    """Compare what can be known of a file with the model's limits; a URL is measured by the gateway."""
    if media.url:
        return
    family = media.kind.family
    most = {"image": limits.image_bytes, "audio": limits.audio_bytes, "video": limits.video_bytes}[family]
    size = media.size or 0
    if size > most:
        raise LimitExceeded(f"{media.name} has {size / MEGABYTE:.1f} MB; the model takes {most / MEGABYTE:.0f} MB.")
    # Base64 makes four bytes of three, and the gateway counts the encoded string.
    if (size + 2) // 3 * 4 > limits.data_uri_bytes:
        raise LimitExceeded(
            f"{media.name} has {size / MEGABYTE:.1f} MB; a local file may have "
            f"{limits.data_uri_bytes * 3 / 4 / MEGABYTE:.1f} MB, since it is sent as text.",
            advice="Make it smaller, or give a public URL of it instead.",
        )
    await _check_length(media, limits)


async def _check_length(media: Media, limits: OmniLimits) -> None:
    from mtu_mcp.media import measure

    measured = await measure(media)
    most = {"audio": limits.audio_seconds, "video": limits.video_seconds}.get(media.kind.family)
    if most is not None and measured.seconds is not None and measured.seconds > most:
        raise LimitExceeded(
            f"{media.name} lasts {measured.seconds:.0f} s; the model takes {most:.0f} s.",
            advice="Give a shorter piece, or another model with list_models.",
        )
    width, height = measured.width, measured.height
    if media.kind.family == "image" and width and height:
        if limits.image_side_above and min(width, height) <= limits.image_side_above:
            raise LimitExceeded(
                f"{media.name} is {width}x{height}; each side must be over {limits.image_side_above} pixels."
            )
        if limits.image_ratio and max(width, height) > limits.image_ratio * min(width, height):
            raise LimitExceeded(
                f"{media.name} is {width}x{height}; sides may differ by {limits.image_ratio}:1 at most."
            )


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            understand,
            title="Understand pictures, sound or video",
            search_hint="describe photo OCR",
        ),
    )
)
