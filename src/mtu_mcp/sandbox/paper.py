"""What a document says: the text inside uploaded files, taken out with nothing but the standard library.

The sandbox must read what a test or a person uploads, not every file there is: PDF text that stands in plain literal
strings, the running text of DOCX, XLSX and EPUB, and text files. What cannot be read is refused as unreadable, never
made up; a scanned page has no words here.
"""

import html
import io
import re
import zipfile
import zlib
from dataclasses import dataclass

from PIL import Image

READABLE = ("txt", "docx", "pdf", "xlsx", "epub", "mobi", "md", "csv", "json", "bmp", "png", "jpg", "jpeg", "gif")
"""File types qwen-long takes (Model Studio, "Long context")."""
_MOST_TEXT = 64 * 1024 * 1024
_PARTS = {
    "docx": re.compile(r"word/document\.xml"),
    "xlsx": re.compile(r"xl/(sharedStrings\.xml|worksheets/.*\.xml)"),
    "epub": re.compile(r".*\.x?html?"),
}
_ESCAPES = {"n": "\n", "r": "\n", "t": "\t", "b": "", "f": ""}


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that can be quoted."""

    document: str
    text: str


def can_read(name: str, data: bytes) -> bool:
    """Whether there is anything to read in a file."""
    try:
        return bool(read_text(name, data).strip())
    except ValueError:
        return False


def read_text(name: str, data: bytes) -> str:
    """The words of a file; ValueError when they cannot be taken out."""
    extension = name.rpartition(".")[2].lower()
    if extension in _PARTS:
        return _zipped(data, _PARTS[extension])
    if data.startswith(b"%PDF-"):
        return _printed(data)
    if extension in {"bmp", "png", "jpg", "jpeg", "gif"}:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                return f"A picture of {picture.width}x{picture.height} pixels."
        except (OSError, Image.DecompressionBombError) as error:
            raise ValueError("not a picture") from error
    if b"\x00" in data[:4096]:
        raise ValueError("not text")
    return data.decode("utf-8-sig", "replace")


def _zipped(data: bytes, wanted: re.Pattern[str]) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if wanted.fullmatch(entry.filename)]
            small = [entry for entry in entries if entry.file_size <= _MOST_TEXT]
            return "\n".join(_untagged(archive.read(entry).decode("utf-8", "replace")) for entry in small)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError("not an archive") from error


def _untagged(markup: str) -> str:
    spaced = re.sub(r"</(?:w:p|p|h\d|li|si|row|div)>", "\n", markup)
    return html.unescape(re.sub(r"<[^>]+>", "", spaced))


def _printed(data: bytes) -> str:
    """Text of a PDF: literal strings shown by Tj, TJ and ' in its content streams, packed by Flate or not at all."""
    lines: list[str] = []
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\n?endstream", data, re.DOTALL):
        raw = found[1]
        try:
            unpacked = zlib.decompressobj().decompress(raw, _MOST_TEXT)
        except zlib.error:
            unpacked = raw
        if b"BT" in unpacked:
            lines += _shown(unpacked.decode("latin-1"))
    return "\n".join(lines)


def _shown(content: str) -> list[str]:
    literal = r"\((?:[^()\\]|\\.)*\)"
    shown = re.finditer(rf"({literal})\s*(?:Tj|')|\[((?:\s*(?:{literal}|-?[\d.]+))*)\s*\]\s*TJ", content, re.DOTALL)
    return ["".join(_plain(each) for each in re.findall(literal, found[1] or found[2], re.DOTALL)) for found in shown]


def _plain(literal: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), literal[1:-1], flags=re.DOTALL)


def passages(document: str, text: str, most: int = 600) -> list[Passage]:
    """A document cut into paragraphs, and long paragraphs into sentences joined up to about `most` characters."""
    found: list[Passage] = []
    for paragraph in re.split(r"\n\s*\n|\r\n\s*\r\n", text):
        piece = ""
        for sentence in re.findall(r"[^.!?。！？\n]+[.!?。！？\n]*\s*", paragraph) or [paragraph]:
            if piece and len(piece) + len(sentence) > most:
                found.append(Passage(document, piece.strip()))
                piece = ""
            piece += sentence
        if piece.strip():
            found.append(Passage(document, piece.strip()))
    return found
