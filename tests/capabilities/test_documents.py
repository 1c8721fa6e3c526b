"""`ask_document`: by id, by path, as text and as a list; kept in conversations, and read here where it must be."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import docx
import pytest

from capabilities.material import answered, call, messages, picture, refused, spent
from connections import HANDSHAKE, MEMORY, Cell, connect, roots, text_of
from mtu_mcp.sandbox import Sandbox
from mtu_mcp.sandbox.faults import FAULTS

Environ = dict[str, str]
TOWER = "The Eiffel Tower stands in Paris.\n\nIt is 330 metres high.\n\nIt was finished in 1889.\n"
BRIDGE = "The Golden Gate Bridge opened in 1937.\n\nIts towers are 227 metres high.\n"


@pytest.fixture
def listed(environ: Environ, tmp_path: Path) -> Environ:
    return environ | {"MTU_TOOLSETS": "core,documents", "MTU_ALLOWED_DIRS": str(tmp_path)}


@pytest.fixture
def tower(tmp_path: Path) -> str:
    path = tmp_path / "tower.txt"
    path.write_text(TOWER, encoding="utf-8")
    return str(path)


@pytest.fixture
def bridge(tmp_path: Path) -> str:
    path = tmp_path / "bridge.md"
    path.write_text(BRIDGE, encoding="utf-8")
    return str(path)


def uploads(gateway: Sandbox) -> int:
    return sum(entry.method == "POST" for entry in gateway.journal.find("/v1/files"))


def pdf(text: str) -> bytes:
    """A PDF of one page, written by hand (ISO 32000-1, 7.5)."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, places = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, io.SEEK_END)
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def word(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "height", "330 metres"
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


@pytest.mark.parametrize("cell", [MEMORY, Cell("memory", HANDSHAKE)], ids=str)
async def test_a_file_is_uploaded_and_asked(cell: Cell, listed: Environ, gateway: Sandbox, tower: str) -> None:
    """Model Studio, long context: purpose file-extract, the role first, then fileid:// in a system message."""
    async with connect(cell, listed, list_roots_callback=roots(Path(tower).parent)) as client:
        said = await answered(client, "ask_document", question="How high is it, in metres?", documents=[tower])
    assert 'From tower.txt: "It is 330 metres high."' in said
    assert "[qwen-long · " in said
    assert "tower.txt is file-fe-" in said
    role, document, question = messages(gateway)
    assert (role["role"], document["role"], question["role"]) == ("system", "system", "user")
    assert document["content"].startswith("fileid://file-fe-")


async def test_several_documents_and_ids_are_read_together(
    listed: Environ, gateway: Sandbox, tower: str, bridge: str
) -> None:
    """Model Studio, long context: several ids, separated by commas."""
    kept = gateway.desk.files.add(b"Big Ben rings in London.", "ben.txt", "file-extract").id
    async with connect(MEMORY, listed) as client:
        said = await answered(
            client, "ask_document", question="Where does Big Ben ring?", documents=[tower, bridge, f"fileid://{kept}"]
        )
    assert "London" in said
    assert "3 documents read: tower.txt, bridge.md, ben.txt" in said
    assert messages(gateway)[1]["content"].count("fileid://") == 3


async def test_documents_are_added_later_and_never_uploaded_twice(
    listed: Environ, gateway: Sandbox, tower: str, bridge: str
) -> None:
    """Model Studio, long context: a further system message later; our promise: an unchanged file is not sent twice."""
    ask = {"conversation": "sights"}
    async with connect(MEMORY, listed) as client:
        await answered(client, "ask_document", question="How high is it?", documents=[tower], **ask)
    async with connect(MEMORY, listed) as client:
        said = await answered(client, "ask_document", question="When was it finished?", **ask)
        assert "1889" in said
        said = await answered(client, "ask_document", question="When did the bridge open?", documents=[bridge], **ask)
        assert "1937" in said
        assert [message["role"] for message in messages(gateway)] == [
            *("system", "system", "user", "assistant", "user", "assistant"),
            *("system", "user"),
        ]
        await answered(client, "ask_document", question="And the height?", documents=[tower, bridge], **ask)
    assert uploads(gateway) == 2
    assert sum("fileid://" in str(message["content"]) for message in messages(gateway)) == 2


async def test_a_changed_file_is_uploaded_again_and_a_deleted_one_too(
    listed: Environ, gateway: Sandbox, tower: str
) -> None:
    """Our promise: the hash decides, and what the gateway has lost is given to it again."""
    ask = {"conversation": "sights", "documents": [tower]}
    async with connect(MEMORY, listed) as client:
        await answered(client, "ask_document", question="How high is it?", **ask)
        first = gateway.desk.files.all()[-1].id
        gateway.desk.files.remove(first)
        assert "give the document itself again" in await refused(
            client, "ask_document", question="How high is it?", conversation="sights"
        )
        assert "330" in await answered(client, "ask_document", question="How high is it, in metres?", **ask)
        assert first not in json.dumps(messages(gateway))
        assert "330" in await answered(
            client, "ask_document", question="How high is it, in metres?", conversation="sights"
        )
        assert sum("fileid://" in str(message["content"]) for message in messages(gateway)) == 1
        await anyio.Path(tower).write_text(TOWER.replace("330", "331"), encoding="utf-8")
        await answered(client, "ask_document", question="How high is it now?", **ask)
    assert uploads(gateway) == 3


async def test_text_and_lists_of_documents_are_sent_as_they_are(listed: Environ, gateway: Sandbox) -> None:
    """Model Studio, long context: plain text, and a JSON list, in the second system message."""
    async with connect(MEMORY, listed) as client:
        said = await answered(client, "ask_document", question="How high, in metres?", text=TOWER)
        assert "330 metres" in said
        assert messages(gateway)[1]["content"] == TOWER
        texts = [{"title": "Tower", "content": TOWER}, {"file_name": "bridge.md", "content": BRIDGE}]
        said = await answered(client, "ask_document", question="When did the bridge open?", texts=texts)
        assert "From bridge.md" in said
        again = await answered(
            client, "ask_document", question="东京在哪里？", texts=[{"title": "城", "content": "东京在日本。"}]
        )
        assert "东京在日本。" in again
    assert not uploads(gateway)


async def test_a_document_given_as_text_stays_in_its_conversation(listed: Environ) -> None:
    """Our promise: conversations outlive the server."""
    async with connect(MEMORY, listed) as client:
        await answered(client, "ask_document", question="How high?", text=TOWER, conversation="t")
    async with connect(MEMORY, listed) as client:
        assert "1889" in await answered(client, "ask_document", question="When finished?", conversation="t")


async def test_parsing_is_waited_for_with_progress(other_gateway: Any, tower: str) -> None:
    """Model Studio: status goes to processed; until then the file cannot be read."""
    sandbox, environ = other_gateway(parse_polls=3)
    heard: list[str] = []

    async def hear(_done: float, _total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async with connect(MEMORY, environ) as client:
        arguments = {"question": "How high is it, in metres?", "documents": [tower]}
        result = await client.call_tool("ask_document", arguments, progress_callback=hear)
    assert "330 metres" in text_of(result)
    assert any("uploading tower.txt" in message or "parsing tower.txt" in message for message in heard)
    assert len(sandbox.journal.find("/v1/chat/completions")) == 1


async def test_an_id_that_is_still_parsed_is_asked_again(other_gateway: Any) -> None:
    """Model Studio: "File parsing in progress, please try again later." costs nothing."""
    now = [0.0]

    def clock() -> float:
        now[0] += 1
        return 1_000_000.0 + now[0]

    sandbox, environ = other_gateway(clock=clock)
    made = sandbox.desk.files.add(TOWER.encode(), "tower.txt", "file-extract", ready=1_000_000.0 + 8)
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "ask_document", question="How high is it, in metres?", documents=[made.id])
    assert "330 metres" in said
    assert len(sandbox.journal.find("/v1/chat/completions")) > 1
    assert said.count("[qwen-long") == 1


async def test_a_file_nobody_can_parse_is_refused_with_the_reason(listed: Environ, tmp_path: Path) -> None:
    """Model Studio: status error."""
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.4\nnothing to read")
    async with connect(MEMORY, listed) as client:
        said = await refused(client, "ask_document", question="What?", documents=[str(tmp_path / "scan.pdf")])
    assert "could not read scan.pdf" in said


@pytest.mark.parametrize("options", [{"dialect": "new-api"}, {"without": ("/files",)}])
async def test_without_files_the_text_is_taken_out_here(
    other_gateway: Any, tmp_path: Path, options: dict[str, Any]
) -> None:
    """New API answers 501, others 404: the documents go as text, and the answer says so."""
    sandbox, environ = other_gateway(**options)
    (tmp_path / "a.pdf").write_bytes(pdf("The tower is 330 metres high."))
    (tmp_path / "b.docx").write_bytes(word("The bridge opened in 1937.", "It is red."))
    page = "<html><head><style>x</style></head><body><p>Big&nbsp;Ben rings in London.</p><script>no</script></body>"
    (tmp_path / "c.html").write_text(page, encoding="utf-8")
    documents = [str(tmp_path / name) for name in ("a.pdf", "b.docx", "c.html")]
    async with connect(MEMORY, environ) as client:
        for question, expected in (
            ("How high is the tower?", "330 metres"),
            ("When did the bridge open?", "1937"),
            ("Where does Big Ben ring?", "London"),
        ):
            said = await answered(client, "ask_document", question=question, documents=documents)
            assert expected in said
            assert "This gateway does not offer files" in said
            assert "sent instead" in said
    sent = json.dumps(sandbox.journal.find("/v1/chat/completions")[0].asked, ensure_ascii=False)
    assert "fileid://" not in sent
    assert "height | 330 metres" in sent or "file_name" in sent


async def test_a_gateway_without_a_document_model_uses_one_for_chat(other_gateway: Any, tower: str) -> None:
    """Our promise: it tells the truth about why another model was used."""
    sandbox, environ = other_gateway(models=("gpt-4o",))
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "ask_document", question="Repeat: fine", documents=[tower])
        assert "gpt-4o was used: the gateway lists no model for documents." in said
        assert not uploads(sandbox)
        assert "330 metres" in messages(sandbox)[1]["content"]
        assert "can only be read by a model for documents" in await refused(
            client, "ask_document", question="x", documents=["file-fe-abc"]
        )


async def test_limits_are_checked_before_anything_is_sent(listed: Environ, gateway: Sandbox) -> None:
    """Model Studio, long context: 1,000,000 tokens of text, 9,000 of any other message."""
    long = "word " * 1_000_000
    async with connect(MEMORY, listed) as client:
        said = await refused(client, "ask_document", question="What?", text=long)
        assert "1,250,000 tokens; qwen-long takes 1,000,000" in said
        assert "question has about 12,500 tokens; qwen-long takes 9,000" in await refused(
            client, "ask_document", question="word " * 10_000, text="x"
        )
        said = await refused(client, "ask_document", question="What?", text="word " * 200_000, model="gpt-4o")
        assert "250,000 tokens; gpt-4o takes " in said
    assert not spent(gateway)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"question": "What?"}, "There is no document."),
        ({"question": "  ", "text": "x"}, "question is empty"),
        ({"question": "What?", "text": "  "}, "There is no document."),
        ({"question": "What?", "texts": [{"title": "x"}]}, "texts[0] has no content"),
        ({"question": "What?", "documents": ["/etc/passwd"]}, "MTU_ALLOWED_DIRS"),
        ({"question": "What?", "documents": ["file-none"]}, "Invalid file [id:file-none]"),
        ({"question": "What?", "documents": ["x"] * 101}, "documents"),
    ],
)
async def test_hostile_arguments_give_a_reason(listed: Environ, arguments: dict[str, Any], said: str) -> None:
    """Our promise: an error says what to fix."""
    async with connect(MEMORY, listed) as client:
        assert said in await refused(client, "ask_document", **arguments)


async def test_what_has_no_text_is_refused_where_files_are_not_kept(other_gateway: Any, tmp_path: Path) -> None:
    """Our promise: an error says what to fix."""
    _, environ = other_gateway(dialect="new-api")
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "empty.html").write_text("<html><body><script>x</script></body></html>", encoding="utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nbroken")
    (tmp_path / "broken.docx").write_bytes(word("x")[:500])
    async with connect(MEMORY, environ) as client:
        for name, said in (
            ("a.png", "cannot be taken out here"),
            ("empty.html", "holds no text"),
            ("broken.pdf", "cannot be read"),
            ("broken.docx", "cannot be read"),
        ):
            assert said in await refused(client, "ask_document", question="?", documents=[str(tmp_path / name)])


@pytest.mark.parametrize(("package", "name"), [("pypdf", "a.pdf"), ("docx", "a.docx")])
def test_a_missing_library_is_named_with_how_to_install_it(tmp_path: Path, package: str, name: str) -> None:
    """Our promise: an optional part says what to install."""
    (tmp_path / name).write_bytes(pdf("x") if name.endswith("pdf") else word("x"))
    code = f"""
import sys; sys.modules[{package!r}] = None
from pathlib import Path
from mtu_mcp.errors import BadInput
from mtu_mcp.media import Media, extract_text, kind_of
data = Path(sys.argv[1]).read_bytes()
try:
    extract_text(Media({name!r}, kind_of(data, {name!r}), len(data), data=data))
except BadInput as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert 'pip install "mtu-mcp[documents]"' in done.stdout


@pytest.mark.parametrize("path", ["/files", "/chat/completions"])
@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "stall"])
async def test_every_fault_of_a_gateway_gives_an_answer(
    listed: Environ, gateway: Sandbox, tower: str, fault: str, path: str
) -> None:
    """Our promise: a clear error, or an answer; the server lives on."""
    async with connect(MEMORY, listed | {"MTU_MAX_RETRIES": "0", "MTU_TIMEOUT": "5"}) as client:
        gateway.arm(fault, path)
        said = text_of(await call(client, "ask_document", question="How high?", documents=[tower]))
        assert "Something inside mtu-mcp broke" not in said
        gateway.desk.faults.clear()
        assert "330" in await answered(client, "ask_document", question="How high, in metres?", documents=[tower])


async def test_the_setting_names_the_model(listed: Environ) -> None:
    """Our promise: MTU_MODEL_DOCUMENT."""
    async with connect(MEMORY, listed | {"MTU_MODEL_DOCUMENT": "qwen-long-latest"}) as client:
        assert "[qwen-long-latest" in await answered(client, "ask_document", question="How high?", text=TOWER)


async def test_the_tool_is_small(listed: Environ) -> None:
    """Our promise: the list of tools stays small."""
    async with connect(MEMORY, listed) as client:
        [tool] = [one for one in (await client.list_tools()).tools if one.name == "ask_document"]
    text = json.dumps(tool.model_dump(by_alias=True, exclude_none=True), ensure_ascii=False, separators=(",", ":"))
    assert len(text) / 4 <= 230
