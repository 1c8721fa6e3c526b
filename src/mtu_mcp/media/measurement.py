"""What a file's own headers say of it: how large, how long."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Measurement:
    """A file's figures; None where unknown.

    Attributes:
        width: Pixels, as stored for pictures, as shown (turned) for ISO video.
        height: Pixels, likewise.
        seconds: Length of the sound or the video.
        rate: Sound samples a second.
        channels: Sound channels.
        has_sound: Whether there is a sound track.
        frames: Video frames.
        has_picture: Whether there is a video track, for containers that may hold sound alone.
    """

    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    rate: int | None = None
    channels: int | None = None
    has_sound: bool | None = None
    frames: int | None = None
    has_picture: bool | None = None

    @property
    def dimensions(self) -> tuple[int, int] | None:
        """Width and height, when both are known."""
        return (self.width, self.height) if self.width and self.height else None

    @property
    def fps(self) -> float | None:
        """Video frames a second, when both figures are known."""
        return self.frames / self.seconds if self.frames and self.seconds else None


NOTHING: Final = Measurement()
