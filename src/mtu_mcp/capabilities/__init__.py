"""What a model can do: one file, one capability, with its parameters, its questions, its tools and resources.

Owns: the tools and their prose. Asks for: an App, and the host's answers through resolvers.
Knows nothing of: transports, the other capabilities. Because: a colleague who wants to change how pictures are made
should open one file; files with a leading underscore are what several of them share.
"""

from importlib import import_module
from typing import Final

from mtu_mcp.capabilities._spec import Capability

INDEX: Final = (
    "chat",
    "omni",
    "images",
    "transcription",
    "speech",
    "translation",
    "code",
    "search",
    "comparison",
    "models",
    "jobs",
    "documents",
    "batches",
    "files",
    "operations",
    "embeddings",
    "moderation",
    "prompts",
    "library",
    "usage",
    "status",
)
"""Every capability file, in the order hosts list their tools. A test holds it against the folder."""

INSTRUCTIONS: Final = """\
Mtu gives you other models and their senses. chat asks another language model (second opinions, long texts, \
conversations kept by name). understand looks at pictures, listens to one sound or watches one video. generate_image \
makes or edits pictures and saves them as files. transcribe turns speech into text or subtitles. web_search answers \
from the web with sources. list_models says what there is and what it costs. get_job \
gives the result of work handed off.
Files: give absolute paths inside the folders the user allowed, or URLs, or the mtu://media/ links of earlier answers. \
A file that is only in the chat is out of reach: ask the user to save it there and give "latest" instead of a path (or \
"latest sound", "latest 2 pictures"), or "upload" for a page to hand it in. \
Calls cost the user money: do not repeat one whose answer arrived. Tell the user the path of every file made, since \
some hosts hide pictures. An error says what to fix; pass that on instead of trying again unchanged."""


def capabilities() -> list[Capability]:
    """Return every capability of the index."""
    return [import_module(f"{__name__}.{name}").CAPABILITY for name in INDEX]
