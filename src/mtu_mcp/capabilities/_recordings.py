"""Recordings too long for one request: cut, asked for a few pieces at a time, joined, and never paid twice.

Every piece's transcript is on the disk before the recording's is whole, under a name made of the recording's bytes and
of what was asked: the same call made again, after a failure, a cancel or a crash, asks for the missing pieces alone.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from mtu_mcp.amounts import counted
from mtu_mcp.capabilities._joining import Part, join
from mtu_mcp.capabilities._series import AT_ONCE
from mtu_mcp.errors import BadAnswer, Filtered, MtuError, Overloaded, StorageError, Unreachable, UpstreamFailure
from mtu_mcp.gateway import Segment, Transcript, TranscriptionRequest, Upload, branch, current_scope

if TYPE_CHECKING:
    from mtu_mcp.app import App
    from mtu_mcp.catalogue import AudioLimits
    from mtu_mcp.media import Media
    from mtu_mcp.media.partials import Partial
    from mtu_mcp.media.pieces import Limits, Piece

MOST_BYTES: Final = 25 * 1024 * 1024
"""The Audio API takes files of at most 25 MB."""
WHOLE_SECONDS: Final = 30 * 60.0
"""A recording up to this length is sent as it is where the model has no known limit."""

_HOPEFUL: Final = (Overloaded, UpstreamFailure, Unreachable, BadAnswer, Filtered)
"""Failures of one piece; any other, such as a wrong key, would be the same for all."""

Ask = Callable[[TranscriptionRequest], Awaitable[Transcript]]


@dataclass(slots=True)
class Outcome:
    """What came of a long recording.

    Attributes:
        transcript: All that is there, joined.
        notes: What the reader should know.
        whole: Whether nothing is missing.
    """

    transcript: Transcript
    notes: list[str]
    whole: bool


async def must_cut(media: Media, name: str, limits: AudioLimits | None, seconds: float) -> bool:
    """Whether a recording has to be cut, or is better cut and can be.

    Pieces are files of speech that every model takes, so one of a type that the model is not known to take is cut too,
    if only into one. Where it cannot be, it is sent as it is: a gateway may take more than the model's maker.
    """
    from mtu_mcp.media.cutting import can_cut
    from mtu_mcp.media.decoding import find_av

    most = (limits and limits.file_bytes) or MOST_BYTES
    if (media.size or 0) > most or (limits and limits.seconds and seconds > limits.seconds):
        return True
    listed = limits.formats if limits else ()
    better = seconds > WHOLE_SECONDS or (listed and name.rpartition(".")[2].lower() not in listed)
    return bool(better) and await anyio.to_thread.run_sync(lambda: can_cut(media, find_av()))


async def transcribe_pieces(
    app: App, media: Media, request: TranscriptionRequest, ask: Ask, limits: AudioLimits | None, about: str
) -> Outcome:
    """Transcribe a long recording.

    Args:
        app: The running server.
        media: The recording.
        request: What to ask of each piece; its file is replaced.
        ask: Asks for one.
        limits: Of the model.
        about: The endpoint; part of what makes two calls the same.

    Raises:
        MtuError: Nothing could be transcribed; the first piece's own error.
    """
    from mtu_mcp.media.decoding import require_short

    require_short(media.name, request.seconds)  # as its head says; else a lie is found out after a day is decoded
    allowed = _allowed(limits)
    async with _scratch(app) as folder:
        partial = await _partial(app, media, request, about)
        pieces = await _cut(media, folder, allowed)
        work = _Work(request, ask, [Part(piece) for piece in pieces], partial, about)
        await work.recall()
        await work.run()
    return await work.outcome()


def _allowed(limits: AudioLimits | None) -> Limits:
    from mtu_mcp.media.pieces import PIECE_SECONDS, Limits

    seconds = min(PIECE_SECONDS, 0.95 * limits.seconds) if limits and limits.seconds else PIECE_SECONDS
    return Limits(seconds, round(0.96 * ((limits and limits.file_bytes) or MOST_BYTES)))


@asynccontextmanager
async def _scratch(app: App) -> AsyncGenerator[Path]:
    """A folder for the pieces' files, gone afterwards; the system's own where the output folder takes none."""
    import shutil

    from mtu_mcp.media.partials import scratch

    try:
        if app.settings.read_only:
            raise StorageError("MTU_READ_ONLY is set.")
        made = await anyio.to_thread.run_sync(scratch, app.library.folder)
    except StorageError:
        made = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


async def _partial(app: App, media: Media, request: TranscriptionRequest, about: str) -> Partial | None:
    if app.settings.read_only:
        return None
    await current_scope().report("reading the recording")
    asked = json.dumps(
        [about, request.model, request.response_format, dict(request.options)], sort_keys=True, default=str
    )
    key = await anyio.to_thread.run_sync(_key, media, asked)
    return app.library.partial(key)


def _key(media: Media, asked: str) -> str:
    digest = hashlib.sha256(asked.encode("utf-8", "replace"))
    with media.open() as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:40]


async def _cut(media: Media, folder: Path, limits: Limits) -> list[Piece]:
    """All pieces; between two of them a cancelled call stops."""
    from mtu_mcp.media.cutting import cut
    from mtu_mcp.media.decoding import find_av

    found: list[Piece] = []
    source = cut(media, folder, limits, find_av())
    try:
        while (piece := await anyio.to_thread.run_sync(next, source, None)) is not None:
            found.append(piece)
            await current_scope().report(f"cutting the recording: {counted(round(piece.end / 60), 'minute')}")
    except OSError as error:
        raise StorageError(
            f"There is no room for the pieces of {media.name} ({error.strerror or error}).",
            advice="Free some space or set MTU_OUTPUT_DIR.",
        ) from error
    finally:
        source.close()
    return found


@dataclass(slots=True)
class _Work:
    """The pieces of one recording while they are asked for."""

    request: TranscriptionRequest
    ask: Ask
    parts: list[Part]
    partial: Partial | None
    about: str
    recalled: int = 0
    failures: dict[int, MtuError] = field(default_factory=dict[int, MtuError])
    free: set[int] = field(default_factory=set[int])
    unkept: str = ""
    hopeless: bool = False

    @property
    def missing(self) -> list[Part]:
        """Pieces without a transcript."""
        return [part for part in self.parts if part.transcript is None]

    async def recall(self) -> None:
        """Take what an earlier call has kept."""
        kept = await anyio.to_thread.run_sync(self.partial.load) if self.partial else {}
        for part in self.parts:
            part.transcript = _read(kept.get(f"{part.piece.number:03}"), part.piece)
        self.recalled = len(self.parts) - len(self.missing)

    async def run(self) -> None:
        """Ask for what is missing; what failed at no cost is asked for once more at the end."""
        for _ in range(2):
            again = [part for part in self.missing if part.piece.number not in self.failures or self._may_retry(part)]
            if not again or self.hopeless:
                return
            self.free.clear()
            await self._round(again)

    def _may_retry(self, part: Part) -> bool:
        error = self.failures[part.piece.number]
        return part.piece.number in self.free and isinstance(error, Overloaded | UpstreamFailure | Unreachable)

    async def _round(self, parts: Sequence[Part]) -> None:
        turns = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for part in parts:
                tasks.start_soon(self._one, part, turns)

    async def _one(self, part: Part, turns: anyio.CapacityLimiter) -> None:
        number, total = part.piece.number, len(self.parts)
        async with turns:
            if self.hopeless:
                return
            with branch(f"piece {number} of {total}") as scope:
                try:
                    part.transcript = await self.ask(self._asked(part.piece))
                except MtuError as error:
                    self.failures[number] = error
                    self.hopeless = self.hopeless or not isinstance(error, _HOPEFUL)
                    if not any(one.owed for one in scope.exchanges):
                        self.free.add(number)
                    return
            self.failures.pop(number, None)
            await self._keep(part)
        done = total - len(self.missing)
        await current_scope().report(f"piece {done} of {total} is written down", done, total)

    def _asked(self, piece: Piece) -> TranscriptionRequest:
        from dataclasses import replace

        upload = Upload(piece.name, piece.kind.mime, opener=piece.opener)
        return replace(self.request, file=upload, seconds=piece.seconds)

    async def _keep(self, part: Part) -> None:
        if self.partial is None or part.transcript is None:
            return
        try:
            await anyio.to_thread.run_sync(
                self.partial.keep, f"{part.piece.number:03}", _written(part.transcript, part.piece)
            )
        except StorageError as error:
            self.unkept = f"The pieces could not be kept for a later call: {error}"

    async def outcome(self) -> Outcome:
        """Join what there is.

        Raises:
            MtuError: There is nothing.
        """
        missing, total = self.missing, len(self.parts)
        if len(missing) == total:
            raise next(
                (self.failures[one.piece.number] for one in missing if one.piece.number in self.failures),
                BadAnswer("Nothing was transcribed."),
            )
        if not missing and self.partial:
            await anyio.to_thread.run_sync(self.partial.clear)
        longest = counted(round(max((one.piece.seconds for one in self.parts), default=0) / 60), "minute")
        notes = [f"The recording was sent in {total} pieces of up to {longest}."] if total > 1 else []
        if self.recalled:
            notes.append(f"{self.recalled} of {total} pieces were kept from an earlier call and not asked for again.")
        if missing:
            notes.append(self._lacking(missing))
        if total > 1 and any(one.speaker for part in self.parts if part.transcript for one in part.transcript.segments):
            notes.append("Speakers are told apart within each piece: 1-A and 2-A may be different people.")
        if missing:
            notes.append(self.unkept)
        return Outcome(join(self.parts, self.request.model), notes, whole=not missing)

    def _lacking(self, missing: Sequence[Part]) -> str:
        places = ", ".join(
            f"{one.piece.number} ({_clock(one.piece.start)} to {_clock(one.piece.end)})" for one in missing[:10]
        )
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        known = [self.failures[one.piece.number] for one in missing if one.piece.number in self.failures]
        why = f": {known[-1].message}" if known else "."
        kept = (
            " Make the same call again: only the missing pieces are then asked for."
            if self.partial and not self.unkept
            else ""
        )
        return f"The transcript is incomplete: of {len(self.parts)} pieces, {places}{more} could not be transcribed{why}{kept}"


def _clock(seconds: float) -> str:
    return f"{seconds // 3600:.0f}:{seconds // 60 % 60:02.0f}:{seconds % 60:02.0f}"


def _written(transcript: Transcript, piece: Piece) -> dict[str, Any]:
    said = {name: value for name, value in asdict(transcript).items() if name in _KEPT}
    return {"start": piece.start, "end": piece.end, "transcript": said}


_KEPT: Final = ("text", "language", "duration", "segments", "words")


def _read(kept: Mapping[str, Any] | None, piece: Piece) -> Transcript | None:
    """A kept piece, if it is of the very stretch that is asked for."""
    try:
        if kept is None or abs(kept["start"] - piece.start) > 0.01 or abs(kept["end"] - piece.end) > 0.01:
            return None
        said = kept["transcript"]
        segments, words = (tuple(Segment(**row) for row in said[name]) for name in ("segments", "words"))
        return Transcript(str(said["text"]), str(said["language"]), said["duration"], segments, words)
    except (KeyError, TypeError, ValueError):
        return None
