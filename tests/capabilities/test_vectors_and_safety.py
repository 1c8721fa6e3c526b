"""`embed_text` and `moderate_content` under everything a gateway does wrong and everything no sensible caller sends."""

from pathlib import Path
from typing import Any

import pytest

from capabilities.material import BROKE, answered, call, picture
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Options, Sandbox
from mtu_mcp.sandbox.faults import FAULTS

ONE_GATEWAY = True

Environ = dict[str, str]
HARMLESS = {
    "pings",
    "split-utf8",
    "crlf",
    "no-done",
    "no-blank-end",
    "slow",
    "lying-content-type",
    "garbled",
}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("embed_text", "/embeddings", {"texts": ["a cat", "两只猫"], "query": "cat"}),
    ("moderate_content", "/moderations", {"texts": ["hello"]}),
    ("moderate_content", "/moderations", {"images": ["fox.png"]}),
]


@pytest.fixture
def environ(environ: Environ, tmp_path: Path) -> Environ:
    (tmp_path / "fox.png").write_bytes(picture())
    return {**environ, "MTU_TOOLSETS": "all", "MTU_ALLOWED_DIRS": str(tmp_path), "MTU_MAX_RETRIES": "0"}


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_every_fault_gets_a_clear_error_or_an_answer(fault: str, environ: Environ, gateway: Sandbox) -> None:
    """Our promise: an error says what happened and what to do next, and the server lives on."""
    timeout = "1" if fault == "stall" else "30"
    async with connect(MEMORY, {**environ, "MTU_TIMEOUT": timeout}) as client:
        await answered(client, "list_models", can="embed")
        for tool, path, arguments in CALLS[:1] if fault == "stall" else CALLS:
            gateway.desk.faults.clear()
            gateway.arm("slow:0.001" if fault == "slow" else fault, path)
            result = await call(client, tool, **arguments)
            said = text_of(result)
            where = f"{tool} under {fault}: {said}"
            assert BROKE not in said, where
            assert "<html" not in said.lower(), where
            assert environ["MTU_API_KEY"] not in said, where
            if result.is_error:
                assert 20 < len(said) < 700, where
            assert fault not in HARMLESS or not result.is_error, where
        gateway.desk.faults.clear()
        await answered(client, "moderate_content", texts=["still there?"])


@pytest.mark.parametrize("dialect", ["openai", "new-api", "dashscope"])
async def test_they_work_in_every_dialect(dialect: Any, environ: Environ) -> None:
    """New API and One API serve embeddings and moderations."""
    with Sandbox(Options(dialect=dialect)) as other:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": other.base_url}) as client:
            for tool, _, arguments in CALLS:
                await answered(client, tool, **arguments)


EVIL: list[Any] = [
    None,
    True,
    0,
    -1,
    10**40,
    1.5,
    "",
    "  ",
    "\x00",
    "\x1b[31m\u202e",
    "a\ud800b",
    "x" * 300_000,
    "../../etc/passwd",
    "/dev/zero",
    "file:///etc/passwd",
    "http://[::1",
    "https://169.254.169.254/latest",
    "data:,",
    "data:text/plain;base64,!!!",
    "mtu://media/..%2Fmtu.db",
    "mtu://status",
    [],
    [""],
    [None],
    [[]],
    ["\ud83d"],
    ["x" * 300_000],
    {},
    {"a": 1},
]


@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        ("embed_text", "texts"),
        ("embed_text", "file"),
        ("embed_text", "query"),
        ("embed_text", "top"),
        ("embed_text", "model"),
        ("embed_text", "dimensions"),
        ("moderate_content", "texts"),
        ("moderate_content", "images"),
        ("moderate_content", "model"),
    ],
)
async def test_odd_values_of_any_argument_get_a_clear_answer(tool: str, argument: str, environ: Environ) -> None:
    """Our promise: an error always says what to fix; RFC 8259, section 8.2, lets half a surrogate pair through."""
    async with connect(MEMORY, environ) as client:
        for value in EVIL:
            rest = {} if argument in ("file", "images") else {"texts": ["tea"]}
            result = await call(client, tool, **{**rest, argument: value})
            said = text_of(result)
            assert BROKE not in said, (value, said)
            assert "Traceback" not in said
            if result.is_error:
                assert 10 < len(said) < 2_000, (str(value)[:80], said[:2_500])
        await answered(client, tool, texts=["tea"])


EVIL_FILES = {
    "deep.jsonl": b"[" * 5_000,
    "null.jsonl": b"null\n",
    "numbers.jsonl": b"1\n2\n",
    "half.jsonl": b'{"text":"\\ud800 half"}',
    "vectors.jsonl": b'{"text":"a","embedding":["x"]}\n{"text":"b","embedding":[1e999]}',
    "none.jsonl": b'{"text":"a","embedding":[]}',
    "zero.jsonl": b'{"text":"a","embedding":[0,0],"model":"text-embedding-3-small"}\n{"text":"b","embedding":[0,0],"model":7}',
    "mixed.jsonl": b'{"text":"a","embedding":[1]}\n{"text":"b"}',
    "infinite.jsonl": b'{"text":"a","embedding":[NaN],"model":"m"}\n{"text":"b","embedding":[Infinity],"model":"m"}',
    "quotes.csv": b'text\n"never closed\n',
    "ragged.csv": b"id,text\n1\n2,two,3\n",
    "nul.csv": b"text\na\x00b\n",
    "empty.json": b"[]",
    "object.json": b'[{"text":{"a":1}}]',
    "bom.txt": b"\xef\xbb\xbf\n\xef\xbb\xbfx",
    "latin.txt": "naïve".encode("latin-1"),
}


async def test_odd_files_get_a_clear_answer(environ: Environ, tmp_path: Path) -> None:
    """Our promise: a broken file is named, with what is wrong in it."""
    paths = [tmp_path / name for name in EVIL_FILES]
    for path, content in zip(paths, EVIL_FILES.values(), strict=True):
        path.write_bytes(content)
    async with connect(MEMORY, environ) as client:
        for path in paths:
            for arguments in ({}, {"query": "a"}):
                result = await call(client, "embed_text", file=str(path), **arguments)
                said = text_of(result)
                assert BROKE not in said, (path.name, said)
                assert "nan" not in said.lower(), (path.name, said)
                if result.is_error:
                    assert 10 < len(said) < 700, (path.name, said)
