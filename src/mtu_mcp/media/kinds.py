"""What bytes are, told by their first bytes alone.

An extension is a claim made by whoever named the file; a model that is handed `notes.png` holding a private key
would send it. So only the bytes decide, and the name merely tells one plain text from another (.srt from .vtt).
Our own table, because the formats the gateway takes are few and a wrong answer here opens the wrong door.
"""

from dataclasses import dataclass
from typing import Final, Literal

Family = Literal["image", "audio", "video", "document", "unknown"]

HEAD: Final = 4096
"""Bytes from the start that `kind_of` wants; more does no harm."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is: its family, its media type, and the usual extension, lower case, without a dot."""

    family: Family
    mime: str
    extension: str


UNKNOWN: Final = Kind("unknown", "application/octet-stream", "bin")
TEXT: Final = Kind("document", "text/plain", "txt")

_BY_EXTENSION: Final = {
    kind.extension: kind
    for kind in (
        Kind("image", "image/png", "png"),
        Kind("image", "image/jpeg", "jpg"),
        Kind("image", "image/webp", "webp"),
        Kind("image", "image/gif", "gif"),
        Kind("image", "image/bmp", "bmp"),
        Kind("image", "image/tiff", "tiff"),
        Kind("image", "image/heic", "heic"),
        Kind("image", "image/avif", "avif"),
        Kind("image", "image/x-icon", "ico"),
        Kind("audio", "audio/mpeg", "mp3"),
        Kind("audio", "audio/wav", "wav"),
        Kind("audio", "audio/flac", "flac"),
        Kind("audio", "audio/ogg", "ogg"),
        Kind("audio", "audio/mp4", "m4a"),
        Kind("audio", "audio/aac", "aac"),
        Kind("audio", "audio/amr", "amr"),
        Kind("audio", "audio/aiff", "aiff"),
        Kind("audio", "audio/x-ms-wma", "wma"),
        Kind("audio", "audio/webm", "weba"),
        Kind("audio", "audio/x-matroska", "mka"),
        Kind("audio", "audio/3gpp", "3ga"),
        Kind("video", "video/mp4", "mp4"),
        Kind("video", "video/quicktime", "mov"),
        Kind("video", "video/3gpp", "3gp"),
        Kind("video", "video/x-msvideo", "avi"),
        Kind("video", "video/x-matroska", "mkv"),
        Kind("video", "video/webm", "webm"),
        Kind("video", "video/x-flv", "flv"),
        Kind("video", "video/x-ms-wmv", "wmv"),
        Kind("video", "video/mpeg", "mpeg"),
        Kind("video", "video/mp2t", "ts"),
        Kind("video", "video/ogg", "ogv"),
        Kind("document", "application/pdf", "pdf"),
        Kind("document", "application/zip", "zip"),
        Kind("document", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
        Kind("document", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
        Kind("document", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
        Kind("document", "application/epub+zip", "epub"),
        Kind("document", "application/x-mobipocket-ebook", "mobi"),
        Kind("document", "application/msword", "doc"),
        Kind("document", "image/svg+xml", "svg"),
        TEXT,
        Kind("document", "text/markdown", "md"),
        Kind("document", "text/csv", "csv"),
        Kind("document", "text/html", "html"),
        Kind("document", "text/vtt", "vtt"),
        Kind("document", "application/x-subrip", "srt"),
        Kind("document", "application/json", "json"),
        Kind("document", "application/jsonl", "jsonl"),
    )
}
_OTHER_SPELLINGS: Final = {
    "jpeg": "jpg",
    "jpe": "jpg",
    "tif": "tiff",
    "heif": "heic",
    "oga": "ogg",
    "opus": "ogg",
    "m4b": "m4a",
    "mpga": "mp3",
    "wave": "wav",
    "aif": "aiff",
    "m4v": "mp4",
    "qt": "mov",
    "3gpp": "3gp",
    "mpg": "mpeg",
    "markdown": "md",
    "htm": "html",
}
_TEXTS: Final = frozenset({"txt", "md", "csv", "html", "vtt", "srt", "json", "jsonl", "svg"})

_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"fLaC", "flac"),
    (b"#!AMR\n", "amr"),
    (b"#!AMR-WB\n", "amr"),
    (b"FLV\x01", "flv"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpeg"),
    (b"%PDF-", "pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "doc"),
)
_RIFF: Final = {b"WEBP": "webp", b"WAVE": "wav", b"AVI ": "avi"}
_BRANDS: Final = {
    b"qt  ": "mov",
    b"M4A ": "m4a",
    b"M4B ": "m4a",
    b"avif": "avif",
    b"avis": "avif",
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "heic"),
}
_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_VIDEO: Final = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")


def kind_of(data: bytes, name: str = "") -> Kind:
    """Tell what a file is from its first `HEAD` bytes.

    Args:
        data: The bytes; the first `HEAD` are enough, fewer only when the file is shorter.
        name: The file's name; it only tells one plain text from another.

    Returns:
        The kind, `UNKNOWN` when nothing fits. ISO and Matroska files count as video: see `references` for those
        that hold sound alone.
    """
    head = data[:HEAD]
    for start, extension in _STARTS:
        if head.startswith(start):
            return _BY_EXTENSION[extension]
    extension = _contained(head) or _packed(head, name) or _framed(head) or _written(head, name)
    return _BY_EXTENSION[extension] if extension else UNKNOWN


def kind_of_name(name: str) -> Kind:
    """What a name claims to be, for things that cannot be looked into: an address, a file yet to be written."""
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    return _BY_EXTENSION.get(_OTHER_SPELLINGS.get(extension, extension), UNKNOWN)


def _contained(head: bytes) -> str:
    if head[:4] in (b"RIFF", b"RF64"):
        return _RIFF.get(head[8:12], "")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "3gp" if brand[:3] in (b"3gp", b"3g2") else _BRANDS.get(brand, "mp4")
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip") and head[:1] <= b"\x01":
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm" if b"webm" in head[:64] else "mkv"
    if head.startswith(b"OggS\x00"):
        return "ogv" if b"\x80theora" in head else "ogg"
    if head.startswith(_ASF):
        return "wmv" if _ASF_VIDEO in head else "wma"
    if head.startswith(b"BM") and len(head) >= 26 and head[14:18] in (b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0"):
        return "bmp"
    return ""


def _packed(head: bytes, name: str) -> str:
    """Documents that are archives; which of Office's formats, only the name tells before the archive is read."""
    if head[60:68] == b"BOOKMOBI":
        return "mobi"
    if not head.startswith(b"PK\x03\x04"):
        return ""
    if head[30:58] == b"mimetypeapplication/epub+zip":
        return "epub"
    claimed = kind_of_name(name).extension
    office = any(mark in head for mark in (b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/"))
    return claimed if office and claimed in ("docx", "xlsx", "pptx") else "zip"


def _framed(head: bytes) -> str:
    from mtu_mcp.media.frames import adts_frame, follows_itself

    if head.startswith(b"ID3") and len(head) >= 10:
        start = 10 + synchsafe(head[6:10])
        if head[start : start + 4] == b"fLaC":
            return "flac"
        return "aac" if adts_frame(head[start : start + 7]) else "mp3"
    if follows_itself(head, 0):
        return "aac" if adts_frame(head[:7]) else "mp3"
    if len(head) >= 377 and head[0] == head[188] == head[376] == 0x47:
        return "ts"
    return ""


def synchsafe(four: bytes) -> int:
    """An ID3v2 size: four bytes of seven bits each (ID3v2.4, section 6.2)."""
    return (four[0] & 127) << 21 | (four[1] & 127) << 14 | (four[2] & 127) << 7 | four[3] & 127


def _written(head: bytes, name: str) -> str:
    if not head or b"\x00" in head:
        return ""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A character may be cut in two where the head ends.
        if error.reason != "unexpected end of data" or len(head) < HEAD:
            return ""
        text = head[: error.start].decode("utf-8-sig", "ignore")
    start = text.lstrip()[:1024].lower()
    if start.startswith("<svg") or (start.startswith("<?xml") and "<svg" in start):
        return "svg"
    claimed = kind_of_name(name).extension
    return claimed if claimed in _TEXTS and claimed != "svg" else "txt"
