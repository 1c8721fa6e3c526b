"""What two pieces both heard is there once; nothing either of them alone heard is lost."""

from dataclasses import replace

import pytest

from mtu_mcp.capabilities._joining import Part, join
from mtu_mcp.gateway import Segment, Transcript
from mtu_mcp.media import kind_of_name
from mtu_mcp.media.pieces import Piece


def part(number: int, start: float, end: float, transcript: Transcript | None, overlap: float = 0.0) -> Part:
    return Part(Piece(number, start, end, overlap, "x.mp3", kind_of_name("x.mp3"), lambda: None), transcript)


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("we went to the old har", "to the old harbour at noon", "we went to the old harbour at noon"),
        ("We went, he said, home.", "he said home. Then it rained.", "We went, he said, home. Then it rained."),
        ("we went to the", "the the harbour at noon", "we went to the the the harbour at noon"),
        ("今天天气很好我们去", "很好我们去公园散步", "今天天气很好我们去公园散步"),
        ("", "and then", "and then"),
        ("and then", "", "and then"),
        ("nothing alike", "in these two", "nothing alike in these two"),
    ],
)
def test_words_heard_twice_are_written_once(first: str, second: str, whole: str) -> None:
    """Our promise: overlaps merged; what one piece cut off, the other has."""
    parts = [part(1, 0, 20, Transcript(first)), part(2, 16, 36, Transcript(second), 4.0)]
    assert join(parts, "m").text == whole


def test_segments_and_words_in_the_overlap_are_there_once() -> None:
    """Our promise: correct timestamps; none runs backwards."""
    one = Transcript(
        "It was late. We went to the old har",
        segments=(Segment(0.0, 15.0, "It was late."), Segment(15.5, 20.0, "We went to the old har")),
        words=(Segment(15.5, 16.0, "We"), Segment(16.5, 17.0, "to"), Segment(19.0, 20.0, "har")),
    )
    two = Transcript(
        "to the old harbour. It rained.",
        segments=(Segment(0.5, 6.0, "to the old harbour."), Segment(6.5, 9.0, "It rained.")),
        words=(Segment(0.5, 1.0, "to"), Segment(3.0, 4.5, "harbour")),
    )
    joined = join([part(1, 0, 20, one), part(2, 16, 40, two, 4.0)], "m")
    assert (
        " ".join(segment.text for segment in joined.segments) == "It was late. We went to the old harbour. It rained."
    )
    times = [segment.start for segment in joined.segments]
    assert times == sorted(times)
    assert joined.segments[-1].start == 22.5
    assert [word.text for word in joined.words] == ["We", "to", "harbour"]
    assert joined.duration == 40


def test_a_missing_piece_is_marked_where_it_would_stand() -> None:
    """Our promise: an answer in part is marked as such."""
    there = Transcript("Here.", segments=(Segment(1.0, 2.0, "Here."),))
    joined = join([part(1, 0, 20, there), part(2, 20, 40, None), part(3, 40, 60, replace(there))], "m")
    assert joined.text == "Here.\n[missing: 20 s to 40 s of the recording]\nHere."
    assert [segment.start for segment in joined.segments] == [1.0, 20, 41.0]


def test_segments_without_times_stay_without() -> None:
    """Some gateways give none."""
    joined = join([part(1, 0, 20, Transcript("a", segments=(Segment(None, None, "a"),)))], "m")
    assert joined.segments[0].start is None
