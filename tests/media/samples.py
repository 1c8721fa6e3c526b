"""Tiny files of every kind, built from the formats' own rules."""

import io
import struct
import wave

from PIL import Image


def picture(form="PNG", size=(64, 48), mode="RGB", color="red", **options):
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, form, **options)
    return out.getvalue()


def noise(size, mode="RGB"):
    return Image.effect_noise(size, 90).convert(mode)


def wav(seconds=1.0, rate=8000, channels=1):
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\0\0" * int(seconds * rate) * channels)
    return out.getvalue()


def extensible_wav(seconds=1.0, rate=48000):
    """WAVE_FORMAT_EXTENSIBLE with the PCM sub-format, 24 bits, stereo."""
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 2, rate, rate * 6, 6, 24, 22, 24, 3) + guid
    data = b"\0" * int(seconds * rate) * 6
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mp3(frames=100, tags=b"", kbps=(0x90,)):
    """MPEG-1 layer III at 44,100 Hz; 0x90 is 128 kbit/s and 417 bytes a frame, 0xB0 is 192 kbit/s and 626."""
    sizes = {0x90: 417, 0xB0: 626}
    body = b""
    for index in range(frames):
        byte = kbps[index % len(kbps)]
        body += bytes([0xFF, 0xFB, byte, 0x00]) + b"\0" * (sizes[byte] - 4)
    return tags + body


def xing_mp3(claimed, frames=50):
    first = bytearray(mp3(1))
    first[36:48] = b"Xing" + struct.pack(">II", 1, claimed)
    return bytes(first) + mp3(frames)


def id3(size=300):
    return b"ID3\x04\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + b"\0" * size


def adts(frames=50, length=200):
    """AAC LC, 44,100 Hz, stereo."""
    header = bytes([0xFF, 0xF1, 0x50, 0x80 | length >> 11, length >> 3 & 255, (length & 7) << 5 | 0x1F, 0xFC])
    return (header + b"\0" * (length - 7)) * frames


def amr(frames=50):
    return b"#!AMR\n" + (b"\x3c" + b"\0" * 31) * frames


def amr_wide(frames=50):
    return b"#!AMR-WB\n" + (b"\x44" + b"\0" * 60) * frames


def flac(samples=96000, rate=48000, channels=2):
    info = struct.pack(">HH", 4096, 4096) + b"\0" * 6
    info += (rate << 44 | channels - 1 << 41 | 15 << 36 | samples).to_bytes(8) + b"\0" * 16
    return b"fLaC" + b"\x80" + len(info).to_bytes(3) + info


def ogg_page(packet, position, serial=7, flags=0):
    segments = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    return b"OggS\0" + bytes([flags]) + struct.pack("<qIIIB", position, serial, 0, 0, len(segments)) + segments + packet


def opus(seconds=2.0):
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, 48000, 0, 0)
    return ogg_page(head, 0, flags=2) + ogg_page(b"\0" * 900, int(seconds * 48000) + 312, flags=4)


def vorbis(seconds=2.0):
    head = b"\x01vorbis" + struct.pack("<IBIiiiBB", 0, 2, 44100, 0, 0, 0, 0xB8, 1)
    return ogg_page(head, 0, flags=2) + ogg_page(b"\0" * 900, int(seconds * 44100), flags=4)


def aiff(frames=22050, rate=22050):
    exponent = rate.bit_length() - 1
    extended = struct.pack(">HQ", 16383 + exponent, rate << 63 - exponent)
    comm = struct.pack(">hIh", 1, frames, 16) + extended
    body = b"AIFF" + b"COMM" + struct.pack(">I", len(comm)) + comm
    return b"FORM" + struct.pack(">I", len(body)) + body


def box(name, *content):
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


IDENTITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
QUARTER = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)


def track(handler, number, scale, duration, samples, size=(0, 0), matrix=IDENTITY):
    tkhd = struct.pack(">IIIIII", 7, 0, 0, number, 0, duration) + b"\0" * 16 + matrix
    tkhd += struct.pack(">II", size[0] << 16, size[1] << 16)
    if handler == b"vide":
        entry = box(b"avc1", b"\0" * 24, struct.pack(">HH", *size), b"\0" * 50)
    else:
        entry = box(b"mp4a", b"\0" * 16, struct.pack(">HHHHHH", 2, 16, 0, 0, 44100, 0))
    return box(
        b"trak",
        box(b"tkhd", tkhd),
        box(
            b"mdia",
            box(b"mdhd", struct.pack(">IIIII", 0, 0, 0, scale, duration), b"\0" * 4),
            box(b"hdlr", struct.pack(">II", 0, 0), handler, b"\0" * 13),
            box(
                b"minf",
                box(
                    b"stbl",
                    box(b"stsd", struct.pack(">II", 0, 1), entry),
                    box(b"stsz", struct.pack(">III", 0, 1, samples)),
                ),
            ),
        ),
    )


def mp4(seconds=10, size=(640, 360), sound=True, picture_track=True, brand=b"isom", matrix=IDENTITY, extra=b""):
    tracks = []
    if picture_track:
        tracks.append(track(b"vide", 1, 600, seconds * 600, seconds * 25, size, matrix))
    if sound:
        tracks.append(track(b"soun", 2, 44100, seconds * 44100, seconds * 43))
    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, seconds * 1000), b"\0" * 80)
    return box(b"ftyp", brand, b"\0\0\2\0isomiso2") + box(b"mdat", b"\0" * 64) + box(b"moov", mvhd, *tracks) + extra


def fragmented_mp4(fragments=4, samples=30):
    """As browsers record: no durations up front, 1/600 s units, 20 units a sample."""
    moov = box(
        b"moov",
        box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 0), b"\0" * 80),
        track(b"vide", 1, 600, 0, 0, (320, 240)),
        box(b"mvex", box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 20, 0, 0))),
    )
    moof = box(
        b"moof",
        box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)), box(b"trun", struct.pack(">II", 0, samples))),
    )
    return box(b"ftyp", b"isom\0\0\0\0") + moov + (moof + box(b"mdat", b"\0" * 8)) * fragments


def element(name, content):
    raw = name.to_bytes((name.bit_length() + 7) // 8)
    return raw + (1 << 56 | len(content)).to_bytes(8) + content


def matroska(kind=b"matroska", seconds=3.0, picture_track=True, sound=True, length=True):
    tracks = b""
    if picture_track:
        sizes = element(0xB0, (320).to_bytes(2)) + element(0xBA, (180).to_bytes(2))
        tracks += element(0xAE, element(0x83, b"\x01") + element(0xE0, sizes))
    if sound:
        figures = element(0xB5, struct.pack(">f", 48000.0)) + element(0x9F, b"\x02")
        tracks += element(0xAE, element(0x83, b"\x02") + element(0xE1, figures))
    info = element(0x2AD7B1, (1_000_000).to_bytes(3))
    if length:
        info += element(0x4489, struct.pack(">d", seconds * 1000))
    segment = element(0x1549A966, info) + element(0x1654AE6B, tracks) + element(0x1F43B675, b"\0" * 20)
    return element(0x1A45DFA3, element(0x4282, kind)) + element(0x18538067, segment)


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def avi(frames=50, fps=25, size=(160, 120), sound=True):
    avih = struct.pack("<10I", 1_000_000 // fps, 0, 0, 0, frames, 0, 2, 0, *size) + b"\0" * 16
    video = b"vids" + b"\0" * 16 + struct.pack("<IIII", 1, fps, 0, frames) + b"\0" * 20
    lists = chunk(b"LIST", b"strl" + chunk(b"strh", video))
    if sound:
        lists += chunk(b"LIST", b"strl" + chunk(b"strh", b"auds" + b"\0" * 52))
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", avih) + lists)
    return chunk(b"RIFF", b"AVI " + header + chunk(b"LIST", b"movi" + b"\0" * 40))
