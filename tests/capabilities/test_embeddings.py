"""`embed_text`: batches as the model takes them, vectors in a file, the nearest in the answer."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from capabilities.material import answered, call, named, refused, spent
from connections import MEMORY, connect, every_cell, roots, text_of
from mtu_mcp.amounts import counted
from mtu_mcp.app import bind_app, open_app
from mtu_mcp.capabilities.embeddings import embed_text
from mtu_mcp.gateway import Progress, open_scope
from mtu_mcp.sandbox import Options, Sandbox
from mtu_mcp.settings import Settings

ONE_GATEWAY = True

Environ = dict[str, str]
TEXTS = ["The cat sleeps on the sofa", "Quarterly revenue grew", "A cat is sleeping on my sofa", "北京烤鸭很好吃"]


@pytest.fixture
def environ(environ: Environ, tmp_path: Path) -> Environ:
    return {**environ, "MTU_TOOLSETS": "vectors", "MTU_ALLOWED_DIRS": str(tmp_path), "MTU_MAX_RETRIES": "0"}


def records(said: str) -> list[dict[str, Any]]:
    """The lines of the file an answer names."""
    return [json.loads(line) for line in named(said).read_text(encoding="utf-8").splitlines()]


def batches(gateway: Sandbox) -> list[int]:
    """How many texts each call that was answered held."""
    return [entry.notes["inputs"] for entry in gateway.journal.find("/embeddings") if "inputs" in entry.notes]


@every_cell
async def test_vectors_go_to_a_file_and_the_nearest_into_the_answer(cell: Any, environ: Environ) -> None:
    """Our promise: big things are files; the answer says where, and what can be told at once."""
    async with connect(cell, environ) as client:
        result = await call(client, "embed_text", texts=TEXTS, query="cat on a sofa", top=2)
    said = text_of(result)
    assert not result.is_error, said
    assert "4 texts, vectors of 1,536 numbers by text-embedding-3-small." in said
    found = records(said)
    assert [one["text"] for one in found] == TEXTS
    assert {len(one["embedding"]) for one in found} == {1536}
    assert found[0]["model"] == "text-embedding-3-small"
    data = result.structured_content
    assert data is not None
    assert [one["number"] for one in data["nearest"]] == [3, 1]
    assert next((pair["one"]["number"], pair["other"]["number"]) for pair in data["pairs"]) == (1, 3)
    assert data["path"] == str(named(said))
    assert len(data["receipts"]) == 1
    assert len(json.dumps(data)) < 3_000
    assert [block.uri for block in result.content if block.type == "resource_link"] == [data["uri"]]


async def test_a_single_text_is_one(environ: Environ) -> None:
    """Our promise: answers are read by people; "1 texts" makes them doubt the rest."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "embed_text", texts=TEXTS[:1])
        wrong = await refused(client, "embed_text", texts=TEXTS, model="gpt-4o")
    assert said.startswith("1 text, vectors of 1,536 numbers by text-embedding-3-small.")
    assert "This is not an embed model" in wrong


async def test_structured_content_says_what_the_text_says(environ: Environ) -> None:
    """Hosts read either the text or the structured content; each carries the whole answer."""
    async with connect(MEMORY, environ) as client:
        result = await call(client, "embed_text", texts=TEXTS, query="鸭")
    said, told = text_of(result), json.dumps(result.structured_content, ensure_ascii=False)
    for text in (*TEXTS, "鸭", "text-embedding-3-small", str(named(said))):
        assert text in said
        assert text in told.replace("\\\\", "\\")


@pytest.mark.parametrize(("model", "most"), [("text-embedding-v4", 10), ("text-embedding-v2", 25)])
async def test_calls_hold_as_many_texts_as_the_model_takes(
    environ: Environ, gateway: Sandbox, model: str, most: int
) -> None:
    """Model Studio, text embedding: at most 10 texts (v3, v4) or 25 (v1, v2) a call."""
    texts = [f"text number {number}" for number in range(60)]
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "embed_text", texts=texts, model=model)
    assert sorted(batches(gateway)) == sorted([most] * (60 // most) + [60 % most] * bool(60 % most))
    assert [one["text"] for one in records(said)] == texts
    assert said.count(f"[{model}") == (1 if 60 / most > 3 else 3)


async def test_openai_models_get_all_in_one_call_up_to_2048(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, create embeddings: an array of at most 2,048."""
    texts = [f"text {number}" for number in range(2100)]
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "embed_text", texts=texts, dimensions=8)
    assert sorted(batches(gateway)) == [52, 2048]
    assert {len(one["embedding"]) for one in records(said)} == {8}
    assert [one["text"] for one in records(said)] == texts
    assert "vectors of 8 numbers" in said


async def test_many_long_texts_are_split_by_tokens(environ: Environ, gateway: Sandbox) -> None:
    """OpenAI API reference, create embeddings: at most 300,000 tokens in all inputs of a call."""
    texts = [f"{number} " + "词" * 7_000 for number in range(60)]
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "embed_text", texts=texts, dimensions=8)
    assert len(batches(gateway)) > 1
    assert sum(batches(gateway)) == 60
    assert {entry.status for entry in gateway.journal.find("/embeddings")} == {200}
    assert len(records(said)) == 60


async def test_a_model_of_unknown_limits_is_tried_with_less(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: a gateway that says a call holds too much is asked again with less; a refusal costs nothing."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "embed_text", texts=[f"t{n}" for n in range(39)], model="acme/embed")
    assert sorted(batches(gateway)) == [7, 16, 16]
    assert len(records(said)) == 39


@pytest.mark.parametrize(
    ("name", "content", "unit", "texts"),
    [
        ("a.txt", "one\n\n two lines\nof one \n\n\nthree", "paragraphs", ["one", "two lines\nof one", "three"]),
        ("b.txt", "\ufeffone\r\ntwo\r\n", "lines", ["one", "two"]),
        ("c.md", "# 标题\n\n正文", "paragraphs", ["# 标题", "正文"]),
        ("d.csv", 'id,Text\n1,"hello, you"\n2,\n3,世界\n', "rows", ["hello, you", "世界"]),
        ("e.csv", "编号;文本\n1;你好\n", "rows", ["你好"]),
        ("f.csv", "one\ntwo\n", "rows", ["one", "two"]),
        ("g.jsonl", '{"text":"one"}\n"two"\n\n{"id":3,"content":"three"}\n', "records", ["one", "two", "three"]),
        ("h.json", '["one",{"input":"two"}]', "records", ["one", "two"]),
    ],
)
async def test_texts_are_read_from_a_file(
    environ: Environ, tmp_path: Path, name: str, content: str, unit: str, texts: list[str]
) -> None:
    """Our promise: text, Markdown, CSV, JSON and JSONL; RFC 4180 for quotes in CSV."""
    (tmp_path / name).write_bytes(content.encode())
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "embed_text", file=str(tmp_path / name), dimensions=8)
    assert counted(len(texts), unit.removesuffix("s")) in said
    assert [one["text"] for one in records(said)] == texts


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "id,title\n1,x\n", "columns id, title; none is called text"),
        ("b.jsonl", '{"text":"x"}\n{"text":', "Line 2 of b.jsonl is not JSON"),
        ("c.jsonl", '{"name":"x"}', "Record 1 of c.jsonl has no text"),
        ("d.json", '{"text":"x"}', "no list of texts"),
        ("e.txt", " \n \n", "holds no texts"),
        ("f.pdf", "%PDF-1.7 x", "pdf"),
        ("g.png", "\x00\x01\x02", "accepted here: document"),
        ("h.csv", 'text\n"' + "x" * 200_000 + '"\n', "CSV"),
    ],
)
async def test_a_file_without_texts_says_what_it_lacks(
    environ: Environ, gateway: Sandbox, tmp_path: Path, name: str, content: str, expected: str
) -> None:
    """Our promise: an error names the place and what to write instead."""
    (tmp_path / name).write_text(content, encoding="latin-1")
    async with connect(MEMORY, environ) as client:
        assert expected in await refused(client, "embed_text", file=str(tmp_path / name))
    assert spent(gateway) == 0


async def test_a_file_outside_the_hosts_folders_is_not_read(environ: Environ, tmp_path: Path) -> None:
    """MCP roots: the host's folders bound what may be read."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "a.txt").write_text("secret", encoding="utf-8")
    asked = {name: value for name, value in environ.items() if name != "MTU_ALLOWED_DIRS"}
    async with connect(MEMORY, asked, list_roots_callback=roots(inside)) as client:
        assert "1 line, vectors" in await answered(client, "embed_text", file=str(inside / "a.txt"))
        assert "secret" not in await refused(client, "embed_text", file=str(outside / "a.txt"))


async def test_a_saved_file_is_searched_without_paying_for_its_texts_again(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: it never pays twice for what it has."""
    async with connect(MEMORY, environ) as client:
        first = await call(client, "embed_text", texts=TEXTS, model="text-embedding-3-large", dimensions=64)
        assert first.structured_content is not None
        uri = first.structured_content["uri"]
        again = await call(client, "embed_text", file=uri, query="sleeping cat", top=1)
        only_pairs = await answered(client, "embed_text", file=uri)
        anew = await answered(client, "embed_text", file=uri, model="text-embedding-3-small")
    assert batches(gateway) == [4, 1, 4]
    assert gateway.journal.find("/embeddings")[1].asked["model"] == "text-embedding-3-large"
    assert gateway.journal.find("/embeddings")[1].asked["dimensions"] == 64
    assert again.structured_content is not None
    assert again.structured_content["nearest"][0]["number"] == 3
    assert "Saved" not in text_of(again)
    assert "Most alike" in only_pairs
    assert "Saved" in anew


async def test_vectors_of_another_model_are_not_compared(environ: Environ, tmp_path: Path) -> None:
    """Our promise: numbers that mean nothing together are not shown as likeness."""
    (tmp_path / "v.jsonl").write_text(
        '{"text":"a","embedding":[1,0]}\n{"text":"b","embedding":[0,1]}', encoding="utf-8"
    )
    async with connect(MEMORY, environ) as client:
        said = await refused(
            client, "embed_text", file=str(tmp_path / "v.jsonl"), query="a", model="text-embedding-3-small"
        )
    assert "makes vectors of 1,536 numbers; those of v.jsonl have 2" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "Give texts or a file"),
        ({"texts": []}, "Give texts or a file"),
        ({"texts": ["a"], "file": "a.txt"}, "one of the two"),
        ({"texts": ["a", " "]}, "Text 2 is empty"),
        ({"texts": ["a"], "query": " "}, "query is empty"),
        ({"texts": ["x"] * 5_001}, "5,001 texts; one call takes 5,000"),
        ({"texts": ["a"], "dimensions": 4_000}, "at most 1,536 numbers"),
        ({"texts": ["a"], "dimensions": 100, "model": "text-embedding-v4"}, "2048, 1536, 1024"),
        ({"texts": ["a", "word " * 30_000]}, "Text 2 has 150,000 characters"),
    ],
)
async def test_what_cannot_work_is_said_before_anything_is_sent(
    environ: Environ, gateway: Sandbox, arguments: dict[str, Any], expected: str
) -> None:
    """Our promise: limits are checked before sending, with the figure."""
    async with connect(MEMORY, environ) as client:
        assert expected in await refused(client, "embed_text", **arguments)
    assert spent(gateway) == 0


async def test_a_text_too_long_by_the_gateways_count_is_said_in_its_words(environ: Environ) -> None:
    """OpenAI API reference, create embeddings: 8,192 tokens a text."""
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "embed_text", texts=["ok", "word " * 9_000])
    assert "input[1]" in said
    assert "8192" in said


async def test_a_wrong_model_is_answered_with_the_nearest(environ: Environ) -> None:
    async with connect(MEMORY, environ) as client:
        assert "text-embedding-3-small" in await refused(
            client, "embed_text", texts=["a"], model="text-embedding-3-smal"
        )


async def test_a_gateway_without_embeddings_says_so_in_one_sentence(environ: Environ) -> None:
    """Our promise: it tells the truth about what this gateway does not offer."""
    with Sandbox(Options(without=("/embeddings",))) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            said = await refused(client, "embed_text", texts=["a"])
    assert said.startswith("This gateway does not offer embeddings")


async def test_what_came_before_a_failure_is_kept(environ: Environ, gateway: Sandbox) -> None:
    """Our promise: it never loses what was paid for."""
    texts = [f"text number {number}" for number in range(45)]
    async with connect(MEMORY, environ) as client:
        await answered(client, "embed_text", texts=["warm"], model="text-embedding-v4")
        gateway.arm("500", "/embeddings")
        said = await answered(client, "embed_text", texts=texts, model="text-embedding-v4", query="number 44")
    came = records(said)
    assert 0 < len(came) < 45
    assert f"Only {len(came)} of 45 texts were embedded" in said


async def test_a_cancelled_call_keeps_what_had_come(environ: Environ, gateway: Sandbox, tmp_path: Path) -> None:
    """Our promise: cancellation keeps the part that arrived. Without a client, for only here is every report heard."""
    texts = [f"text number {number}" for number in range(45)]
    arrived = anyio.Event()

    async def hear(progress: Progress) -> None:
        if progress.done == 35:
            arrived.set()

    gateway.arm("stall", "/embeddings")
    async with open_app(Settings.read(environ)) as app:
        bind_app(app)
        with open_scope(hear):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(embed_text, texts, model="text-embedding-v4", app=app, roots=None))
                await arrived.wait()
                tasks.cancel_scope.cancel()
    entry = await gateway.journal.awaited(lambda entry: bool(entry.fault and entry.ended))
    assert entry.ended == "client closed"
    [kept] = (tmp_path / "made").glob("*.jsonl")
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 35


async def test_a_read_only_server_keeps_no_file(environ: Environ, tmp_path: Path) -> None:
    """Our promise, MTU_READ_ONLY."""
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "true"}) as client:
        said = await answered(client, "embed_text", texts=TEXTS, query="duck")
    assert "not kept because MTU_READ_ONLY" in said
    assert not (tmp_path / "made").exists()


async def test_a_disk_that_takes_nothing_does_not_take_the_answer(environ: Environ, tmp_path: Path) -> None:
    """Our promise: what was paid for is shown even where it cannot be saved."""
    (tmp_path / "made").write_text("a file where the folder should be", encoding="utf-8")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "embed_text", texts=TEXTS)
    assert "The vectors could not be saved" in said
    assert "Most alike" in said
