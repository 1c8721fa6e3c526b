"""What the pages are tried with: results as the tools give them, and a host that plays its part of MCP Apps."""

import base64
import io
import json
import math
import wave
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from mtu_mcp.server import views

VIEW = "mtu-mcp/view"
Result = dict[str, Any]


def picture(hue: int, side: int = 320) -> str:
    """A picture with something to see in it, in base64."""
    image = Image.new("HSV", (side, side), (hue, 110, 215)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((side * 0.2, side * 0.2, side * 0.8, side * 0.8), fill=(250, 240, 215))
    draw.polygon([(0, side), (side * 0.4, side * 0.55), (side, side)], fill=(60, 80, 90))
    held = io.BytesIO()
    image.save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode("ascii")


def sound(seconds: float = 6.0) -> str:
    """A tone, in base64."""
    held = io.BytesIO()
    with wave.open(held, "wb") as made:
        made.setparams((1, 2, 8000, 0, "NONE", ""))
        steps = range(int(seconds * 8000))
        made.writeframes(b"".join(int(900 * math.sin(step / 6)).to_bytes(2, "little", signed=True) for step in steps))
    return base64.b64encode(held.getvalue()).decode("ascii")


def linked(name: str, mime: str) -> dict[str, Any]:
    return {"type": "resource_link", "name": name, "uri": f"mtu://media/{name}", "mimeType": mime}


PROMPTS = (
    "A lighthouse in a storm at dusk, oil on canvas, thick strokes",
    "月光下的竹林，水墨画风格，留白",
    "A plan of a small house <b>with</b> a garden",
)
TEXT = "Welcome to the harbour. The ferry leaves at nine! 下一班船十点出发。 Please keep your tickets."
SEGMENTS = [
    {"start": 0.0, "end": 1.5, "text": "Good morning, everybody.", "speaker": "A"},
    {"start": 1.5, "end": 3.0, "text": "早上好，我们开始吧。", "speaker": "B"},
    {"start": 3.0, "end": 4.5, "text": "First the budget <script>alert(1)</script>.", "speaker": "A"},
    {"start": 4.5, "end": 6.0, "text": "Then lunch.", "speaker": "B"},
]


def gallery(count: int = 3) -> Result:
    content: list[dict[str, Any]] = [{"type": "text", "text": "Saved /made/1.png (320x320)"}]
    files: list[dict[str, Any]] = []
    for number, prompt in enumerate(PROMPTS[:count]):
        name = f"20261122-10000{number}-picture.png"
        content.append({"type": "image", "data": picture(number * 80), "mimeType": "image/png"})
        content.append(linked(name, "image/png"))
        facts = {
            "prompt": prompt,
            "model": "gpt-image-1",
            "cny": 0.2912,
            "path": f"/made/{name}",
            "created": 1795341600.0,
        }
        files.append({"uri": f"mtu://media/{name}", "name": name, "mime": "image/png", **facts})
    return {"content": content, "_meta": {VIEW: {"files": files}}}


def transcription() -> Result:
    told = {
        "transcript": "Good morning",
        "segments": SEGMENTS,
        "source": {"name": "talk.wav", "mime": "audio/wav", "uri": "mtu://media/talk.wav"},
    }
    return {"content": [{"type": "text", "text": "Good morning"}], "_meta": {VIEW: told}}


def speech() -> Result:
    content = [
        {"type": "text", "text": "Saved /made/hello.wav (6.0 s of wav)"},
        {"type": "audio", "data": sound(), "mimeType": "audio/wav"},
        linked("hello.wav", "audio/wav"),
    ]
    facts = {"text": TEXT, "model": "tts-1", "voice": "alloy", "seconds": 6.0}
    files = [
        {"uri": "mtu://media/hello.wav", "name": "hello.wav", "mime": "audio/wav", "path": "/made/hello.wav", **facts}
    ]
    return {"content": content, "_meta": {VIEW: {"files": files}}}


def comparison() -> Result:
    code = "Use a **set**:\n\n```python\nseen = set()\nfor one in rows:\n    seen.add(one)\n```\n\n- fast\n- short <img src=x onerror=alert(1)>"
    answers = [
        {
            "model": "gpt-5.1",
            "answer": code,
            "seconds": 3.21,
            "tokens_in": 42,
            "tokens_out": 180,
            "cny_estimated": 0.0121,
        },
        {
            "model": "qwen3-max",
            "answer": "用集合（`set`）去重。\n\n1. 遍历各行\n2. 加入集合",
            "seconds": 1.4,
            "tokens_in": 40,
            "tokens_out": 96,
            "cny_estimated": 0.0032,
        },
        {"model": "gemini-3-pro", "error": "The gateway is overloaded. Try again in 30 s."},
    ]
    verdict = {"model": "claude-opus-4-5", "text": "Best: A\n\nIt shows working code.", "best": "gpt-5.1"}
    data = {
        "prompt": "How do I remove duplicates from a list?",
        "answers": answers,
        "verdict": verdict,
        "notes": [],
        "receipts": ["[gpt-5.1 · 42 tokens in, 180 out]"],
    }
    return {"content": [{"type": "text", "text": "| model |"}], "structuredContent": data}


def search() -> Result:
    sources = [
        {
            "n": 1,
            "title": "Tide tables 2026",
            "url": "https://tides.example/2026",
            "quote": "High water at 09:14, 4.2 m. " * 9,
            "site": "tides.example",
            "date": "2026-11-20",
        },
        {"n": 2, "title": "港口公告", "url": "https://harbour.example/news", "quote": "渡轮时刻有调整。"},
        {"n": 3, "title": "Not a link", "url": "javascript:alert(1)"},
    ]
    data = {
        "query": "When does the ferry leave?",
        "engine": "baidu",
        "model": "qwen3-max",
        "sources": sources,
        "answer": "The ferry leaves at **09:30** [1], after high water [2].\n\n- winter timetable [1]\n- no service on Mondays [7]",
        "visited": ["https://tides.example/2026", "https://harbour.example/news"],
        "queries": ["ferry timetable"],
        "notes": ["Results are of today."],
        "receipts": [],
    }
    return {"content": [{"type": "text", "text": "The ferry"}], "structuredContent": data}


def _sum(name: str, cny: float, calls: int, **more: Any) -> dict[str, Any]:
    zero = {"held": 0.0, "input_tokens": 0, "output_tokens": 0, "seconds": 0.0, "pictures": 0, "searches": 0}
    return {"name": name, "calls": calls, "cny": cny, **zero, **more}


def usage(month: str = "2026-10", capped: bool = True) -> Result:
    spent = [0.4, 0.02, 1.9, 2.4, 0.0, 0.7, 5.3, 1.1, 0.3, 2.2, 3.1]
    days = [_sum(f"{month}-{2 * day + 1:02}", cny, int(cny * 9) + 1) for day, cny in enumerate(spent)]
    models = [
        _sum("gpt-image-1", 9.1, 31, pictures=31),
        _sum("qwen3-omni-flash-2026-09-15-realtime", 4.2, 40, input_tokens=120_000, output_tokens=4_000),
        _sum("gpt-5.1", 3.3, 22, input_tokens=44_000, output_tokens=9_000, held=0.8),
        _sum("whisper-1", 0.82, 5, seconds=340.5),
    ]
    tools = [_sum("generate_image", 9.1, 31), _sum("chat", 7.5, 62), _sum("transcribe", 0.82, 5), _sum("", 0.0, 1)]
    limits = [
        {"name": "day", "setting": "MTU_BUDGET_DAY", "cny": 5.0, "spent": 3.1, "remaining": 1.9},
        {"name": "month", "setting": "MTU_BUDGET_MONTH", "cny": 20.0, "spent": 17.42, "remaining": 2.58},
    ]
    data = {
        "month": month,
        "total": _sum("total", 17.42, 98, held=0.8),
        "days": days,
        "models": models,
        "tools": tools,
        "states": {"done": 97, "failed": 1},
        "limits": limits if capped else [],
        "call_limit": 2.0 if capped else None,
        "confirm_above": 1.0 if capped else None,
        "assumed": 0.82,
        "unpriced": 1,
        "lost": 0,
        "notes": [],
        "receipts": [],
    }
    return {"content": [{"type": "text", "text": "2026-10: CNY 17.42"}], "structuredContent": data}


LISTENER = """
const complain = (text) => parent.postMessage({ complaint: String(text) }, "*");
addEventListener("error", (event) => complain(event.message || `not loaded: ${event.target.tagName}`), true);
addEventListener("unhandledrejection", (event) => complain(event.reason));
addEventListener("securitypolicyviolation", (event) => complain(`${event.violatedDirective}: ${event.blockedURI}`));
console.error = console.warn = complain;
"""
"""The driver does not hear the console of a frame of another origin, so the frame tells the host what goes wrong."""

SAMPLES: dict[str, tuple[dict[str, Any], Result]] = {
    "gallery": ({"prompt": PROMPTS[0], "model": "gpt-image-1"}, gallery()),
    "player": ({"file": "mtu://media/talk.wav"}, transcription()),
    "comparison": ({"prompt": "How?"}, comparison()),
    "search": ({"query": "When?"}, search()),
    "usage": ({}, usage()),
}
"""For each page: what the tool was called with, and what it answered."""


def host_page(folder: Path, html: str, given: dict[str, Any]) -> str:
    """Write a host's page that shows `html` in a frame, and return its address.

    Args:
        folder: Where to write.
        html: The page shown, as `resources/read` gives it.
        given: What the host knows: `context`, `can`, `input`, `result`, `reads` (by address), `calls` (by tool), `fails`.
    """
    declared = views.meta_of_resource("ui://any")
    assert declared
    domains = " ".join(declared["ui"]["csp"]["resourceDomains"]) or "'none'"
    csp = f"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src {domains}; media-src {domains}; connect-src 'none'"
    inserted = f'<meta http-equiv="Content-Security-Policy" content="{csp}"><script>{LISTENER}</script>'
    framed = html.replace("<head>", f"<head>{inserted}", 1)
    text = Path(__file__).with_name("host.html").read_text(encoding="utf-8")
    for mark, value in (("GIVEN", given), ("FRAMED", framed)):
        text = text.replace(f"/*{mark}*/", json.dumps(value).replace("<", "\\u003c"))
    file = folder / "host.html"
    file.write_text(text, encoding="utf-8")
    return file.as_uri()
