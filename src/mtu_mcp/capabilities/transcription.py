"""Speech to text, subtitles and segments, in the language spoken or in English."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.types import CallToolResult, ListRootsResult
from pydantic import Field

from mtu_mcp.app import App, current_app
from mtu_mcp.capabilities._answers import Answer
from mtu_mcp.capabilities._asks import ask_roots, folders
from mtu_mcp.capabilities._opening import open_here
from mtu_mcp.capabilities._params import File, ModelName, Options
from mtu_mcp.capabilities._recordings import MOST_BYTES, Outcome, must_cut, transcribe_pieces
from mtu_mcp.capabilities._spec import Capability, ToolSpec
from mtu_mcp.capabilities._upstream import asking, choose, further_fields, remark, upload_of
from mtu_mcp.capabilities._views import LONGEST
from mtu_mcp.errors import BadInput
from mtu_mcp.gateway import Segment, Transcript, TranscriptionRequest

if TYPE_CHECKING:
    from mtu_mcp.catalogue import AudioLimits
    from mtu_mcp.catalogue import Capability as Ability
    from mtu_mcp.media import Media

MOST_FILE_BYTES: Final = 8 * 1024**3
"""A day of video; longer recordings are cut and sent in pieces."""
_MOST: Final = {"data:": MOST_BYTES, "http:": 2 * 1024**3, "https": 2 * 1024**3}
"""What comes inside the call is held in memory, and what comes from a stranger's server fills the disk; a file does neither."""
SHORT: Final = 2_000
"""Characters up to which a transcript is only shown; longer ones are saved as well."""
MOST_SEGMENTS: Final = 2_000
"""Lines a player follows; some two hours of speech."""

Format = Literal["text", "srt", "vtt", "segments"]
RecordingName = Annotated[str, File("audio", "video")]


def _roots(ctx: Context, file: str) -> ListRoots | None:
    return ask_roots(ctx, [file])


async def transcribe(
    file: Annotated[RecordingName, Field(description="Sound or video: path, URL, data URI or mtu://media/ link.")],
    output: Annotated[Format, Field(description="segments: lines with times.")] = "text",
    language: Annotated[str | None, Field(description="Code of the language spoken, as en or zh.")] = None,
    to_english: Annotated[bool, Field(description="Translate to English.")] = False,
    speakers: Annotated[bool, Field(description="Tell the speakers apart.")] = False,
    hint: Annotated[str | None, Field(description="Names and terms to expect.")] = None,
    model: ModelName = None,
    options: Options = None,
    *,
    app: Annotated[App, Resolve(current_app)],
    roots: Annotated[ListRootsResult | None, Resolve(_roots)],
) -> CallToolResult:
    """Turn speech into text, subtitles (SRT, VTT) or timed segments. Long transcripts are saved as a file too."""
    extra = {**_fields(language, hint, speakers, to_english), **further_fields(options, "response_format")}
    if speakers and to_english:
        raise BadInput(
            "speakers and to_english do not go together.", advice="Transcribe with speakers, then translate."
        )
    capability = _capability(output, to_english, speakers)
    most = _MOST.get(file.strip()[:5].lower(), MOST_FILE_BYTES)
    workspace = app.workspace(folders(roots))
    media = await open_here(app, workspace, file, ("audio", "video"), most, app.download_large)
    chosen = await choose(app, capability, model)
    limits = app.catalogue.entry(chosen.model).audio
    if hint and limits and not limits.prompt:
        raise BadInput(f"{chosen.model} takes no hint.", advice="Leave it out, or name another model.")
    request = TranscriptionRequest(
        chosen.model,
        replace(upload_of(media), name=_name(media, limits)),
        response_format=_response_format(app, chosen.model, output, speakers),
        options=extra,
    )
    endpoint = "audio/translations" if to_english else "audio/transcriptions"
    async with asking(app, endpoint, chosen.model, capability):
        found = await _transcribed(app, media, request, endpoint, limits)
    transcript = found.transcript
    answer = Answer(app)
    answer.note(remark(chosen), *found.notes)
    answer.tell_page(**_for_page(app, transcript, media))
    await _show(app, answer, found, output, media, chosen.model)
    return answer.finish()


def _name(media: Media, limits: AudioLimits | None) -> str:
    """A name the model's maker knows the type of: OpenAI's API refuses the very bytes as .opus that it takes as .ogg."""
    listed = limits.formats if limits else ()
    stem, _, extension = media.name.rpartition(".")
    named = (
        extension.lower(),
        media.kind.extension,
        media.kind.mime.rpartition("/")[2],
    )  # audio/webm is .weba, or .webm
    known = next((name for name in named if name in listed), extension)
    return f"{stem}.{known}"


async def _transcribed(
    app: App, media: Media, request: TranscriptionRequest, endpoint: str, limits: AudioLimits | None
) -> Outcome:
    """Ask in one call, or in several for a recording that is too long for one."""
    from mtu_mcp.media import measure

    seconds = (await measure(media)).seconds or 0.0
    request = replace(request, seconds=seconds)
    ask = app.gateway.translate_audio if endpoint == "audio/translations" else app.gateway.transcribe
    if await must_cut(media, request.file.name, limits, seconds):
        return await transcribe_pieces(app, media, request, ask, limits, endpoint)
    return Outcome(await ask(request), [], whole=True)


def _for_page(app: App, transcript: Transcript, media: Media) -> dict[str, Any]:
    """The transcript as a player follows it, and the recording where a page can ask for it: in the output folder."""
    source: dict[str, Any] = {"name": media.name, "mime": media.kind.mime}
    if media.path is not None and media.path.parent == app.library.folder:
        source["uri"] = f"mtu://media/{quote(media.path.name, safe='')}"
    segments = [
        {"start": one.start, "end": one.end, "text": one.text.strip(), "speaker": one.speaker}
        for one in transcript.segments[:MOST_SEGMENTS]
        if one.start is not None
    ]
    return {"transcript": transcript.text[:LONGEST], "segments": segments, "source": source}


def _capability(output: Format, to_english: bool, speakers: bool) -> Ability:
    if speakers:
        return "diarize"
    if to_english:
        return "translate_audio"
    return "transcribe" if output == "text" else "timestamps"


def _response_format(app: App, model: str, output: Format, speakers: bool) -> str:
    """The format to ask for: the one wanted if the model is known to give it, else the nearest that holds times."""
    wanted = {"text": ("json",), "segments": ("verbose_json",), "srt": ("srt",), "vtt": ("vtt",)}[output]
    if speakers:
        wanted = ("diarized_json",)
    audio = app.catalogue.entry(model).audio
    known = audio.answers if audio else ()
    return next((name for name in (*wanted, "verbose_json", "json") if name in known), wanted[0])


def _fields(language: str | None, hint: str | None, speakers: bool, to_english: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if language and not to_english:
        fields["language"] = language
    if hint:
        fields["prompt"] = hint
    if speakers:
        fields["chunking_strategy"] = "auto"  # required by the diarizing model beyond 30 s
    return fields


async def _show(app: App, answer: Answer, found: Outcome, output: Format, media: Media, model: str) -> None:
    transcript = found.transcript
    text, extension = render(transcript, output)
    if output != "text" and extension == "txt" and not transcript.segments:
        other = "" if "whisper-1" in model else " A model such as whisper-1 gives them."
        answer.note(f"{model} gave no times, so this is the plain text.{other}")
    if not text.strip():
        answer.say("No speech was found.")
        return
    about = {"source": media.name, "model": transcript.model or model, "language": transcript.language}
    if not found.whole:
        about["incomplete"] = "true"
    if (len(text) > SHORT or not found.whole) and not app.settings.read_only:
        title = f"{media.name} transcript{'' if found.whole else ' incomplete'}"
        await answer.keep_text(text, title=title, about=about, extension=extension)
        answer.say(text[: answer.longest])
        if len(text) > answer.longest:
            answer.note(f"Shown: the first {answer.longest:,} of {len(text):,} characters.")
        return
    await answer.say_long(text, title=f"{media.name} transcript", about=about, extension=extension)


def render(transcript: Transcript, output: Format) -> tuple[str, str]:
    """Return the transcript in a format, and the extension of such a file; plain text where there are no times."""
    if output in ("srt", "vtt") and transcript.body:
        return transcript.body, output
    if output == "text" or not transcript.segments:
        return transcript.text, "txt"
    if output == "segments":
        return "\n".join(map(_line, transcript.segments)), "txt"
    timed = [segment for segment in transcript.segments if segment.start is not None and segment.end is not None]
    if not timed:
        return transcript.text, "txt"
    if output == "srt":
        cues = (f"{number}\n{_cue(segment, ',')}" for number, segment in enumerate(timed, 1))
        return "\n\n".join(cues) + "\n", "srt"
    return "WEBVTT\n\n" + "\n\n".join(_cue(segment, ".") for segment in timed) + "\n", "vtt"


def _line(segment: Segment) -> str:
    speaker = f"{segment.speaker}: " if segment.speaker else ""
    times = "" if segment.start is None else f"[{clock(segment.start, '.')} - {clock(segment.end or 0, '.')}] "
    return f"{times}{speaker}{segment.text.strip()}"


def _cue(segment: Segment, mark: str) -> str:
    speaker = f"{segment.speaker}: " if segment.speaker else ""
    return f"{clock(segment.start or 0, mark)} --> {clock(segment.end or 0, mark)}\n{speaker}{segment.text.strip()}"


def clock(seconds: float, mark: str) -> str:
    """Write a time as subtitles do: hours, minutes, seconds, and milliseconds after `mark`."""
    milliseconds = round(max(seconds, 0.0) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


CAPABILITY = Capability(
    tools=(
        ToolSpec(
            transcribe,
            title="Transcribe speech",
            search_hint="audio recording meeting subtitles whisper",
        ),
    )
)
