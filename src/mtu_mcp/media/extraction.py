"""The words of a document, for gateways that cannot read files themselves.

Texts, JSON and HTML need nothing but the standard library; PDF and Word need the libraries of the extra `documents`,
imported only here and only when such a file comes. A document is hostile until it is read: archives are measured before
they are unpacked, and text beyond what any model takes is refused, not gathered.
"""

import io
import logging
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

from mtu_mcp.errors import BadInput, LimitExceeded
from mtu_mcp.media import names

if TYPE_CHECKING:
    from mtu_mcp.media.media import Media

_log = logging.getLogger(__name__)

MOST_CHARACTERS: Final = 40_000_000
"""Characters of one document: more than ten million tokens, the largest window there is."""
MOST_UNPACKED: Final = 512 * 1024 * 1024
INSTALL: Final = 'pip install "mtu-mcp[documents]"'
_PLAIN: Final = ("txt", "md", "csv", "json", "jsonl", "srt", "vtt")
_HIDDEN: Final = ("script", "style", "template", "noscript", "head")
_BLOCKS: Final = (
    "p",
    "div",
    "br",
    "li",
    "tr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "ul",
    "ol",
    "pre",
    "blockquote",
)


def extract_text(media: "Media") -> str:
    """Take the words out of a document. Blocking.

    Raises:
        BadInput: It holds no words, is of a kind that is not read here, or a library for it is missing.
        LimitExceeded: It holds more than any model takes.
    """
    extension = media.kind.extension
    if extension in _PLAIN:
        text = media.read().decode("utf-8-sig", "replace")
    elif extension == "html":
        text = _page_text(media.read().decode("utf-8-sig", "replace"))
    elif extension == "pdf":
        text = _gathered(media, _pdf_pages(media))
    elif extension == "docx":
        text = _gathered(media, _docx_parts(media))
    else:
        raise BadInput(
            f"{names.quote(media.name)} is {media.kind.mime}, whose text cannot be taken out here.",
            advice="Give it as PDF, DOCX, HTML or text.",
        )
    if len(text) > MOST_CHARACTERS:
        raise _too_long(media)
    if not text.strip():
        raise BadInput(
            f"{names.quote(media.name)} holds no text.", advice="A scan needs a model that sees: understand."
        )
    return text.replace("\x00", "")


def _gathered(media: "Media", parts: Iterator[str]) -> str:
    found: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > MOST_CHARACTERS:
            raise _too_long(media)
        found.append(part)
    return "\n\n".join(filter(None, found))


def _pdf_pages(media: "Media") -> Iterator[str]:
    try:
        import pypdf
    except ImportError as error:
        raise _missing(media, "pypdf") from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it complains of every odd file on stderr
    with media.open() as stream:
        try:
            reader = pypdf.PdfReader(stream)
            if reader.is_encrypted and not reader.decrypt(""):
                raise BadInput(f"{names.quote(media.name)} is protected by a password.", advice="Save it without one.")
            for page in reader.pages:
                yield page.extract_text()
        except BadInput:
            raise
        except Exception as error:  # a broken file raises whatever its bytes provoke
            raise _broken(media, error) from error


def _docx_parts(media: "Media") -> Iterator[str]:
    try:
        import docx
        from docx.table import Table
    except ImportError as error:
        raise _missing(media, "python-docx") from error
    data = media.read()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
                raise _too_long(media)
        document = docx.Document(io.BytesIO(data))
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                yield "\n".join(" | ".join(cell.text for cell in row.cells) for row in block.rows)
            else:
                yield block.text
    except LimitExceeded:
        raise
    except Exception as error:  # a broken file raises whatever its bytes provoke
        raise _broken(media, error) from error


class _Words(HTMLParser):
    """Gathers what a page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin hidden parts and new lines."""
        del attrs
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End hidden parts and lines."""
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if not self._hidden:
            self.parts.append(data)


def _page_text(markup: str) -> str:
    words = _Words()
    words.feed(markup)
    words.close()
    lines = (" ".join(line.split()) for line in "".join(words.parts).splitlines())
    return "\n".join(filter(None, lines))


def _missing(media: "Media", package: str) -> BadInput:
    return BadInput(f"Reading {names.quote(media.name)} here needs {package}.", advice=f"Install it: {INSTALL}")


def _broken(media: "Media", error: Exception) -> BadInput:
    _log.info("%s cannot be read: %r", media.name, error)
    return BadInput(
        f"{names.quote(media.name)} cannot be read ({type(error).__name__}).", advice="Save it anew, or give its text."
    )


def _too_long(media: "Media") -> LimitExceeded:
    return LimitExceeded(
        f"{names.quote(media.name)} holds more than {MOST_CHARACTERS:,} characters of text.",
        advice="Give a part of it.",
    )
