"""Recordings too long for one request: cut at pauses, sent in pieces, joined on one clock, never paid for twice.

The operator's own model file says how short a piece has to be, so that seconds stand for hours. The embedded gateway
hears sound and silence in a WAV file and says how long each sound is; the lengths are all different, so every line of
a joined transcript can be held against the plan of the recording.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from capabilities.material import answered, bodies, call, read_named, refused, sound
from connections import MEMORY, connect, text_of
from media.speechlike import bursts, wav
from mtu_mcp.media.decoding import find_av
from mtu_mcp.sandbox import Sandbox

ONE_GATEWAY = True

Environ = dict[str, str]
WORDS = "/audio/transcriptions"
TALK = [1.1, 0.5, 1.2, 0.5, 1.3, 0.5, 1.4, 0.5, 1.5, 0.5, 1.6, 0.5, 1.7, 0.5, 1.8, 0.5, 1.9]
"""17.5 s; nine sounds, each of its own length."""
needs_av = pytest.mark.skipif(find_av() is None, reason="the extra `media` is not installed")


@pytest.fixture
def short(tmp_path: Path, environ: Environ) -> Environ:
    """A server to which whisper-1 takes five seconds, of WAV files that are too large to be compressed first."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "talk.wav").write_bytes(wav(bursts(TALK)))
    limits = {"audio": {"seconds": 5}}
    models = {"models": dict.fromkeys(("whisper-1", "gpt-4o-transcribe-diarize", "gpt-4o-transcribe"), limits)}
    (tmp_path / "models.json").write_text(json.dumps(models), encoding="utf-8")
    own = {"MTU_ALLOWED_DIRS": str(folder), "MTU_MODELS_FILE": str(tmp_path / "models.json"), "MTU_MAX_RETRIES": "0"}
    return {**environ, **own}


def planned() -> list[tuple[float, float]]:
    found, at = [], 0.0
    for index, seconds in enumerate(TALK):
        if not index % 2:
            found.append((at, at + seconds))
        at += seconds
    return found


def left(environ: Environ) -> list[str]:
    """Hidden files and folders in the output folder."""
    folder = Path(environ["MTU_OUTPUT_DIR"])
    return sorted(path.name.partition("-")[0] for path in folder.glob(".*")) if folder.is_dir() else []


async def test_pieces_are_joined_as_if_heard_in_one_go(short: Environ, gateway: Sandbox) -> None:
    """Our promise: joined with correct timestamps; a player can follow the recording."""
    async with connect(MEMORY, short) as client:
        said = await answered(client, "transcribe", file="talk.wav", output="srt", model="whisper-1")
    asked = gateway.journal.find(WORDS)
    assert 4 <= len(asked) <= 6
    assert all(one.notes["seconds"] <= 5.0 for one in asked)
    starts = [match[1] for match in re.finditer(r"(?m)^(\d\d:\d\d:\d\d,\d{3}) --> ", said)]
    assert starts == sorted(starts)
    assert f"sent in {len(asked)} pieces" in said
    assert "incomplete" not in said
    assert left(short) == []


async def test_every_sound_is_where_the_plan_has_it(short: Environ, gateway: Sandbox) -> None:
    """Our promise: as above, to a few hundredths; without the library WAV files are cut all the same."""
    async with without_av(short) as client:
        said = await answered(client, "transcribe", file="talk.wav", output="segments", model="whisper-1")
    found = re.findall(r"\[(\d\d):(\d\d):([\d.]+) - (\d\d):(\d\d):([\d.]+)\] \[sound without words, ([\d.]+) s", said)
    heard = [(float(one[2]), float(one[5]), float(one[6])) for one in found]
    assert len(heard) == len(planned())
    for (start, end, length), (first, last) in zip(heard, planned(), strict=True):
        assert start == pytest.approx(first, abs=0.08)
        assert end == pytest.approx(last, abs=0.08)
        assert length == pytest.approx(last - first, abs=0.1)


def without_av(environ: Environ) -> Any:
    """A client of a real child process in which the library cannot be imported."""
    from contextlib import asynccontextmanager

    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    from connections import MODERN, open_quietly

    @asynccontextmanager
    async def connected() -> Any:
        code = "import sys; sys.modules['av'] = None; from mtu_mcp.cli import main; sys.argv[1:] = ['serve']; main()"
        child = StdioServerParameters(command=sys.executable, args=["-c", code], env=dict(environ))
        with open_quietly() as errlog:
            async with Client(stdio_client(child, errlog=errlog), mode=MODERN) as client:
                yield client

    return connected()


async def test_without_the_library_compressed_sound_is_refused_with_what_to_install(
    short: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: the decoding is an extra; the error names it, and nothing is spent."""
    from media import samples

    (tmp_path / "given" / "talk.mp3").write_bytes(samples.mp3(400))
    async with without_av(short) as client:
        said = await refused(client, "transcribe", file="talk.mp3", model="whisper-1")
    assert "pip install 'mtu-mcp[media]'" in said
    assert not gateway.journal.find(WORDS)


async def test_a_recording_over_the_gateways_size_is_cut(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """OpenAI API reference: files of at most 25 MB."""
    (tmp_path / "long.wav").write_bytes(wav(bursts([2.0, 0.5] * 57, rate=2000) * 48, rate=48000, channels=2))
    assert (tmp_path / "long.wav").stat().st_size > 26_214_400
    async with without_av({**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        said = await answered(client, "transcribe", file="long.wav", model="whisper-1")
    asked = gateway.journal.find(WORDS)
    assert len(asked) == 2
    assert all(one.status == 200 for one in asked)
    assert "sent in 2 pieces" in said


@needs_av
async def test_a_film_is_sent_as_its_sound(short: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: a video with sound is a recording."""
    from media.test_cutting import encoded

    (tmp_path / "given" / "film.mp4").write_bytes(encoded("mp4", "aac", film=True))
    async with connect(MEMORY, short) as client:
        said = await answered(client, "transcribe", file="film.mp4", model="whisper-1")
    asked = gateway.journal.find(WORDS)
    assert {one.notes["kind"] for one in asked} == {"mp3"}
    assert f"sent in {len(asked)} pieces" in said


@needs_av
@pytest.mark.parametrize(("name", "form", "film"), [("talk.aac", "adts", False), ("screen.mov", "mov", True)])
async def test_a_recording_of_a_type_the_model_does_not_know_is_converted(
    environ: Environ, gateway: Sandbox, tmp_path: Path, name: str, form: str, film: bool
) -> None:
    """OpenAI API reference: flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav, webm."""
    from media.test_cutting import encoded

    (tmp_path / name).write_bytes(encoded(form, "aac", film=film))
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        said = await answered(client, "transcribe", file=name, model="whisper-1")
    [asked] = gateway.journal.find(WORDS)
    assert asked.notes["kind"] == "mp3"
    assert "pieces" not in said


@pytest.mark.parametrize("fault", ["500", "503:0", "rate-limit:0"])
async def test_a_piece_that_failed_at_no_cost_is_asked_for_again(fault: str, short: Environ, gateway: Sandbox) -> None:
    """Our promise: retry per piece, where nothing was billed."""
    gateway.arm(fault, WORDS)
    async with connect(MEMORY, short) as client:
        said = await answered(client, "transcribe", file="talk.wav", model="whisper-1")
    tries = gateway.journal.find(WORDS)
    good = [one for one in tries if one.status == 200]
    assert len(tries) == len(good) + 1
    assert f"sent in {len(good)} pieces" in said
    assert "incomplete" not in said


@pytest.mark.parametrize("fault", ["cut", "not-json", "filtered"])
async def test_pieces_that_came_are_kept_and_the_same_call_asks_for_the_others(
    fault: str, short: Environ, gateway: Sandbox
) -> None:
    """Our promise: never paid twice; what is there is given, kept, and said to be a part."""
    gateway.arm(fault, WORDS)
    async with connect(MEMORY, short) as client:
        first = await call(client, "transcribe", file="talk.wav", model="whisper-1")
        said, tries = text_of(first), len(gateway.journal.find(WORDS))
        assert not first.is_error, said
        assert "[missing: " in said
        assert "The transcript is incomplete: of " in said
        assert "Make the same call again" in said
        assert "[missing: " in read_named(said, "The whole is at ").decode()
        assert left(short) == [".parts"]
        again = await answered(client, "transcribe", file="talk.wav", model="whisper-1")
    assert len(gateway.journal.find(WORDS)) == tries + 1
    assert f"{tries - 1} of {tries} pieces were kept from an earlier call" in again
    assert "missing" not in again
    assert left(short) == []


async def test_other_arguments_are_another_transcript(short: Environ, gateway: Sandbox) -> None:
    """Our promise: only the same file and the same parameters share pieces."""
    gateway.arm("not-json", WORDS)
    async with connect(MEMORY, short) as client:
        await call(client, "transcribe", file="talk.wav", model="whisper-1")
        before = len(gateway.journal.find(WORDS))
        said = await answered(client, "transcribe", file="talk.wav", model="whisper-1", language="en")
    assert len(gateway.journal.find(WORDS)) == 2 * before
    assert "kept from an earlier call" not in said


async def test_pieces_outlive_the_server(short: Environ, gateway: Sandbox) -> None:
    """Our promise: resume per piece, after a crash too; damaged files of pieces are asked for again."""
    gateway.arm("not-json", WORDS)
    async with connect(MEMORY, short) as client:
        await call(client, "transcribe", file="talk.wav", model="whisper-1")
    tries = len(gateway.journal.find(WORDS))
    spoil_a_piece(short)
    async with connect(MEMORY, short) as client:
        said = await answered(client, "transcribe", file="talk.wav", model="whisper-1")
    assert len(gateway.journal.find(WORDS)) == tries + 2
    assert "incomplete" not in said


def spoil_a_piece(environ: Environ) -> None:
    [kept] = Path(environ["MTU_OUTPUT_DIR"]).glob(".parts-*")
    spoilt, *_ = sorted(kept.glob("*.json"))
    spoilt.write_bytes(b'{"start": 0')


async def test_a_wrong_key_stops_at_once(short: Environ, gateway: Sandbox) -> None:
    """Our promise: what would fail for every piece is asked once, or as often as pieces are under way."""
    async with connect(MEMORY, {**short, "MTU_API_KEY": "sk-wrong"}) as client:
        assert "MTU_API_KEY" in await refused(client, "transcribe", file="talk.wav", model="whisper-1")
    assert len(gateway.journal.find(WORDS)) <= 3
    assert left(short) == []


async def test_speakers_carry_the_number_of_their_piece(short: Environ, gateway: Sandbox) -> None:
    """Our promise: nobody is led to believe that speaker A of two pieces is one person."""
    async with connect(MEMORY, short) as client:
        said = await answered(client, "transcribe", file="talk.wav", output="segments", speakers=True)
    assert " 1-A: " in said
    assert " 2-A: " in said
    assert "1-A and 2-A may be different people" in said
    assert all(one["chunking_strategy"] == "auto" for one in bodies(gateway, WORDS))


async def test_progress_counts_the_pieces(short: Environ) -> None:
    """MCP specification, progress: rising figures with a total."""
    told: list[tuple[float, float | None, str | None]] = []

    async def note(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))

    async with connect(MEMORY, short) as client:
        arguments = {"file": "talk.wav", "model": "whisper-1"}
        await client.call_tool("transcribe", arguments, progress_callback=note)
    assert any(re.search(r"piece \d of \d", message or "") for _, _, message in told), told


async def test_read_only_keeps_no_pieces(short: Environ, gateway: Sandbox) -> None:
    """Our promise: MTU_READ_ONLY makes no files."""
    gateway.arm("not-json", WORDS)
    async with connect(MEMORY, {**short, "MTU_READ_ONLY": "1"}) as client:
        said = await answered(client, "transcribe", file="talk.wav", model="whisper-1")
    assert "The transcript is incomplete" in said
    assert "Make the same call again" not in said
    assert left(short) == []


async def test_an_output_folder_that_cannot_be_written_loses_nothing_that_came(
    short: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: a full or read-only disk gives a clear word and keeps the answer in the reply."""
    (tmp_path / "made").write_bytes(b"in the way")
    gateway.arm("not-json", WORDS)
    async with connect(MEMORY, short) as client:
        said = await answered(client, "transcribe", file="talk.wav", model="whisper-1")
    assert "sound" in said
    assert "could not be kept for a later call" in said


async def test_a_short_recording_is_sent_as_it_is(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: what needs no cutting is not touched."""
    (tmp_path / "voice.wav").write_bytes(sound(2.0, "Hello there."))
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        said = await answered(client, "transcribe", file="voice.wav")
    assert said.startswith("Hello there.")
    assert "pieces" not in said
    assert len(gateway.journal.find(WORDS)) == 1


@pytest.mark.skipif(find_av() is None, reason="the extra `media` is not installed")
async def test_a_recording_that_says_it_lasts_for_days_is_refused_at_once(
    environ: Environ, gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: bounded time; RFC 9639, 8.2: the last 36 bits before the checksum are the count of samples."""
    from media.test_cutting import encoded

    data = bytearray(encoded("flac", "flac"))
    data[21:26] = bytes([data[21] | 0x0F]) + b"\xff\xff\xff\xff"
    (tmp_path / "days.flac").write_bytes(data)
    async with connect(MEMORY, {**environ, "MTU_ALLOWED_DIRS": str(tmp_path)}) as client:
        assert "longer than 24 hours" in await refused(client, "transcribe", file="days.flac", model="whisper-1")
    assert not gateway.journal.find(WORDS)
