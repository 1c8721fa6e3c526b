"""Text to speech: one sound file, however long the text.

The Audio API takes 4,096 characters a call; a longer text is spoken in parts, cut where sentences end, and the parts are put
end to end. That is safe for WAV, PCM, MP3 and AAC; a long text asked for as FLAC is made as WAV, and as Opus as MP3, and the
answer says so. The file is on disk before anything is said about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer, incomplete
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._params import DocumentName, ModelName, Options
from mtu_mcp.capabilities._series import in_pieces, split_text
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._texts import text_or_file
from mtu_mcp.capabilities._upstream import asking, choose, further_fields, remark
from mtu_mcp.capabilities._views import share_of_cost
from mtu_mcp.catalogue.tokens import estimate_text_tokens
from mtu_mcp.errors import BadInput, LimitExceeded, MtuError
from mtu_mcp.gateway import SpeechRequest, SpokenAnswer

if TYPE_CHECKING:
    from mtu_mcp.media import Kind

ENDPOINT: Final = "audio/speech"
MOST_CHARACTERS: Final = 4096
"""The Audio API takes at most 4,096 characters a call."""
MOST_PARTS: Final = 50
"""Calls for one file: about 200,000 characters, some four hours of sound."""
MOST_INLINE: Final = 150_000
"""Bytes of sound put into the answer itself, besides the link; some hosts end a connection at 1 MB."""
PCM_RATE: Final = 24_000
SAFE: Final = {"flac": "wav", "opus": "mp3"}
"""What the parts of a long text are asked for as, where parts of the format itself cannot be joined."""
VOICE: Final = "alloy"

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


def _roots(ctx: Context, file: str | None) -> ListRoots | None:
    return ask_roots(ctx, [file])


async def speak(
    text: Annotated[str | None, Field(description="Any length.")] = None,
    file: Annotated[DocumentName | None, Field(description="Or a text file.")] = None,
    voice: Annotated[str, Field(description="alloy, coral, nova, onyx, ...")] = VOICE,
    format: Format = "mp3",  # noqa: A002 - the word models expect
    speed: Annotated[float | None, Field(ge=0.25, le=4)] = None,
    instructions: Annotated[str | None, Field(description="Tone, accent, pace.")] = None,
    model: ModelName = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Turn text into speech, saved as a file."""
    title, said = await text_or_file(app, folders(roots), text, file)
    extra = {"speed": speed, **further_fields(options, "voice", "response_format", "speed", "instructions")}
    chosen = await choose(app, "speech", model)
    answer = Answer(app)
    answer.note(remark(chosen))
    if instructions:
        extra["instructions"] = instructions
    parts = _parts(app, chosen.model, said)
    asked = SAFE.get(format, format) if len(parts) > 1 else format
    if asked != format:
        answer.note(f"{len(parts)} parts of {format} cannot be joined safely, so it was made as {asked}.")

    async def say(part: str) -> SpokenAnswer:
        return await app.gateway.speak(SpeechRequest(chosen.model, part, voice.strip() or VOICE, asked, options=extra))

    async with asking(app, ENDPOINT, chosen.model, "speech"):
        spoken, failure = await in_pieces(parts, say, "speaking")
        if failure and not spoken:
            raise failure
    if failure:
        answer.note(f"Only parts 1 to {len(spoken)} of {len(parts)} were spoken: {failure}")
    about = {"text": said, "voice": voice, "model": chosen.model, "parameters": extra}
    await _hand_over(app, answer, spoken, asked, title or said, about)
    return answer.finish()


def _parts(app: App, model: str, said: str) -> list[str]:
    """Cut what is to be said into calls.

    Raises:
        BadInput: There is nothing to say.
        LimitExceeded: It would take more than `MOST_PARTS` calls.
    """
    if not any(letter.isalnum() for letter in said):
        raise BadInput("There is nothing to say: the text holds no letter and no digit.")
    most, window = MOST_CHARACTERS, app.catalogue.entry(model).input_window
    tokens = estimate_text_tokens(said)
    if window and tokens > window:  # a Chinese text of 4,096 characters can pass a window counted in tokens
        most = max(200, min(most, int(len(said) / tokens * window * 0.9)))
    parts = [part.strip() for part in split_text(said, most) if any(letter.isalnum() for letter in part)]
    if len(parts) > MOST_PARTS:
        raise LimitExceeded(
            f"The text has {len(said):,} characters, {len(parts)} calls' worth; at most {MOST_PARTS} are made for one file.",
            advice="Speak it chapter by chapter.",
        )
    return parts


@dataclass(frozen=True, slots=True)
class _Sound:
    data: bytes
    kind: Kind
    extension: str


async def _hand_over(
    app: App, answer: Answer, spoken: list[SpokenAnswer], asked: str, title: str, about: dict[str, Any]
) -> None:
    """Join what was spoken, save it, and only then show it."""
    sounds = [_sound(one.sound, asked) for one in spoken]
    answer.note(*(incomplete(_cut(one, sound)) for one, sound in zip(spoken, sounds, strict=True)))
    joined = _joined(sounds)
    if not joined:
        answer.note(f"The {len(sounds)} parts cannot be joined, so they are {len(sounds)} files.")
    files = [joined] if joined else sounds
    for number, sound in enumerate(files, 1):
        if sound.extension != asked and (sound.extension, asked) != ("ogg", "opus"):
            answer.note(f"It is {sound.extension}, not {asked}: the gateway sent that.")
        name = f"{title[:60]} {number}" if len(files) > 1 else title
        await _keep(app, answer, sound, name, about)


def _sound(data: bytes, asked: str) -> _Sound:
    """Tell what came by its bytes; samples without a header look like nothing."""
    from mtu_mcp.media import kind_of
    from mtu_mcp.media.splicing import mended

    kind = kind_of(data)
    extension = kind.extension if kind.family == "audio" else asked
    return _Sound(mended(data, kind), kind, extension)


def _cut(one: SpokenAnswer, sound: _Sound) -> str:
    from mtu_mcp.media.splicing import ends_early

    return one.cut or ("the sound ends before the file says it should" if ends_early(sound.data, sound.kind) else "")


def _joined(sounds: list[_Sound]) -> _Sound | None:
    from mtu_mcp.media.splicing import join_sounds

    first = sounds[0]
    if len(sounds) == 1:
        return first
    if any(sound.extension != first.extension for sound in sounds):
        return None
    if first.extension == "pcm":
        return _Sound(b"".join(sound.data[: len(sound.data) // 2 * 2] for sound in sounds), first.kind, "pcm")
    data = join_sounds([sound.data for sound in sounds], first.kind)
    return _Sound(data, first.kind, first.extension) if data else None


async def _keep(app: App, answer: Answer, sound: _Sound, title: str, about: dict[str, Any]) -> None:
    """Save one file; sound that cannot be saved is put into the answer, for it is paid for."""
    from mtu_mcp.media import Media, measure

    if sound.extension == "pcm":
        seconds: float | None = len(sound.data) / 2 / PCM_RATE
        form = "16-bit little-endian samples, 24 kHz, mono, no header"
    else:
        seconds = (await measure(Media(title, sound.kind, len(sound.data), data=sound.data))).seconds
        form = sound.extension
    length = f"{seconds:.1f} s of " if seconds else ""
    try:
        saved = await app.library.save(
            sound.data, title=title, extension=sound.extension, about={**about, "seconds": seconds, **share_of_cost()}
        )
    except MtuError as error:
        answer.say(f"{length}speech were made, but could not be saved; this answer holds all that is left of them.")
        answer.note(str(error))
        answer.play(sound.data, sound.kind.mime)
        return
    answer.say(f"Saved {saved.path} ({length}{form})")
    if len(sound.data) <= MOST_INLINE and sound.kind.family == "audio":
        answer.play(sound.data, sound.kind.mime)
    answer.link(saved)


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            speak,
            title="Speak text",
            toolset="audio",
            writes=True,
            search_hint="TTS voice read aloud narration",
        ),
    )
)
