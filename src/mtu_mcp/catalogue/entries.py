"""What is known of one model. `None` and an empty value mean "not known", never "no limit"."""

from dataclasses import dataclass
from datetime import date

from mtu_mcp.catalogue.capabilities import Capability
from mtu_mcp.catalogue.prices import Prices
from mtu_mcp.catalogue.tokens import OmniRates


@dataclass(frozen=True, slots=True)
class OmniLimits:
    """What one message to a Qwen-Omni model may hold; sizes in bytes, lengths in seconds.

    Attributes:
        images: Most pictures; None where only the model's input tokens bound them.
        images_inline: Most pictures as base64.
        image_bytes: Size of one picture.
        image_side_above: Both sides must be longer than this, in pixels.
        image_ratio: The longer side is at most this many times the shorter.
        audio_bytes: Size of one sound.
        audio_seconds: Length of one sound.
        video_bytes: Size of one video file.
        video_seconds: Length of one video file.
        frames_min: Fewest pictures in a list of frames.
        frames_max: Most pictures in a list of frames.
        data_uri_bytes: Length of one base64 string must stay under this.
    """

    image_bytes: int
    audio_bytes: int
    audio_seconds: int
    video_bytes: int
    video_seconds: int
    frames_min: int
    frames_max: int
    data_uri_bytes: int
    images: int | None = None
    images_inline: int | None = None
    image_side_above: int | None = None
    image_ratio: int | None = None


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a picture model takes; empty and None where not known.

    Attributes:
        prompt_chars: Longest prompt.
        count: Most pictures a call.
        sizes: Values of `size`; empty where any is taken or none is known.
        qualities: Values of `quality`.
        references: Most pictures to edit from.
        reference_bytes: Size of one of them.
        mask_bytes: Size of a mask.
        square: Whether pictures to edit must be square.
    """

    prompt_chars: int | None = None
    count: int | None = None
    sizes: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    references: int | None = None
    reference_bytes: int | None = None
    mask_bytes: int | None = None
    square: bool = False


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """What a recognition model takes; empty and None where not known.

    Attributes:
        file_bytes: Size of a recording.
        formats: File types that are taken, told by the file's name.
        answers: Values of `response_format`.
        prompt: Whether it takes a prompt.
        seconds: Length of a recording.
    """

    file_bytes: int | None = None
    formats: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    prompt: bool = True
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingLimits:
    """What an embedding model takes; empty and None where not known. Tokens of one text: the entry's `context`.

    Attributes:
        batch: Most texts a call.
        tokens_together: Most tokens of all texts of a call.
        sizes: Values of `dimensions`; empty where none are listed.
        largest: The highest value of `dimensions`, where any below it is taken.
    """

    batch: int | None = None
    tokens_together: int | None = None
    sizes: tuple[int, ...] = ()
    largest: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one model.

    Attributes:
        name: As the gateway spells it.
        family: Its family; empty for a model nothing is known of.
        vendor: Who makes it.
        capabilities: What it can do; empty when not known. `chat` means plain chat completions.
        traits: What a request must heed. `thinks_when_asked`, `thinks_by_default`, `always_thinks`; `no_sampling`
            (temperature and the like are refused or ignored); `max_completion_tokens` (instead of max_tokens);
            `chat_search` (web_search_options in chat) and `responses_search` (the web_search tool of the Responses
            API); `responses_only`; `markdown_images` (pictures inside the text of a chat); `no_pictures` (a moderation
            model that judges text alone).
        context: Tokens of input and output together.
        max_input: Tokens of input.
        max_output: Tokens of output.
        limits: For models that take pictures, sound and video together.
        rates: How such a model counts media.
        images: For models that make pictures.
        audio: For models that write down speech.
        embeddings: For models that turn texts into vectors.
        prices: List prices.
        retires: The day its maker takes it away; a gateway may serve it longer.
        note: One sentence worth telling.
        source: Where these facts were published, and when; empty where the name is all there is to go by.
    """

    name: str
    family: str = ""
    vendor: str = ""
    capabilities: tuple[Capability, ...] = ()
    traits: tuple[str, ...] = ()
    context: int | None = None
    max_input: int | None = None
    max_output: int | None = None
    limits: OmniLimits | None = None
    rates: OmniRates | None = None
    images: ImageLimits | None = None
    audio: AudioLimits | None = None
    embeddings: EmbeddingLimits | None = None
    prices: Prices | None = None
    retires: date | None = None
    note: str = ""
    source: str = ""

    @property
    def input_window(self) -> int | None:
        """Tokens a request may hold: the published most, or else the whole context."""
        return self.max_input if self.max_input is not None else self.context

    def can(self, capability: str) -> bool:
        """Whether it is known to do this."""
        return capability in self.capabilities

    def retired(self, today: date) -> bool:
        """Whether its maker has taken it away by that day."""
        return self.retires is not None and self.retires <= today
