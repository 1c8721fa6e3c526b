"""The Files API of the sandbox, raw and through the public client."""

import io
import struct
import zipfile
import zlib

import openai
import pytest

from mtu_mcp.sandbox import Options, Sandbox
from mtu_mcp.sandbox.paper import passages, read_text
from sandbox.asking import client_of, png


def upload(client, data=b"Hello there.", name="notes.txt", purpose="file-extract", **fields):
    return client.post("/v1/files", files={"file": (name, data)}, data={"purpose": purpose, **fields})


def error(answer):
    assert answer.status_code >= 400, answer.text
    return answer.json()["error"]["message"]


def docx(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        body = "".join(f"<w:p><w:r><w:t>{line}</w:t></w:r></w:p>" for line in text.splitlines())
        archive.writestr("word/document.xml", f"<w:document><w:body>{body}</w:body></w:document>")
    return out.getvalue()


def pdf(text):
    content = zlib.compress(f"BT /F1 12 Tf ({text}) Tj ET".encode("latin-1"))
    return b"%PDF-1.4\n1 0 obj <</Length 9>>\nstream\n" + content + b"\nendstream\nendobj\n%%EOF"


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
def test_a_file_is_uploaded_for_every_purpose_of_the_reference(raw, purpose):
    """OpenAI API reference, upload file."""
    made = upload(raw, b"{}", "data.jsonl", purpose).json()
    assert made["object"] == "file"
    assert (made["bytes"], made["filename"], made["purpose"]) == (2, "data.jsonl", purpose)
    assert (made["status"], made["status_details"]) == ("processed", None)
    assert "expires_at" not in made
    assert raw.get(f"/v1/files/{made['id']}").json() == made


def test_a_file_may_expire():
    """OpenAI API reference, upload file: expires_after as two fields of the form."""
    now = [1_000_000.0]
    with Sandbox(Options(clock=lambda: now[0])) as sandbox, client_of(sandbox) as client:
        fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
        made = upload(client, b"x", "a.txt", "user_data", **fields).json()
        assert made["expires_at"] == made["created_at"] + 3600
        now[0] += 3600
        assert client.get(f"/v1/files/{made['id']}").status_code == 404
        half = upload(client, b"x", "a.txt", "user_data", **{"expires_after[anchor]": "created_at"})
        assert "expires_after.seconds" in error(half)
        short = upload(client, b"x", "a.txt", "user_data", **{**fields, "expires_after[seconds]": "60"})
        assert "3600" in error(short)


@pytest.mark.parametrize(
    ("name", "data", "purpose", "said"),
    [
        ("a.txt", b"x", "weird", "Invalid value: 'weird'. Supported values are: 'assistants'"),
        ("a.txt", b"", "user_data", "File is empty."),
        ("a.txt", b"{}", "batch", "Invalid file format for Batch API. Must be .jsonl"),
        ("a.txt", b"{}", "fine-tune", "Must be .jsonl"),
        ("a.exe", b"MZ", "file-extract", "File type 'exe' is not supported."),
    ],
)
def test_what_no_gateway_takes_is_refused_with_the_reason(raw, name, data, purpose, said):
    """OpenAI API reference and Model Studio, upload file."""
    assert said in error(upload(raw, data, name, purpose))


def test_the_form_is_checked_strictly(raw):
    """Our promise: strict on requests."""
    assert "Missing required parameter: 'purpose'" in error(raw.post("/v1/files", files={"file": ("a", b"x")}))
    assert "Missing required parameter: 'file'" in error(raw.post("/v1/files", files={"purpose": (None, "batch")}))
    named = {"purpose": (None, "batch"), "file": (None, "a")}
    assert "expected a file" in error(raw.post("/v1/files", files=named))
    assert "Unknown parameter: 'colour'" in error(upload(raw, colour="red"))
    assert "multipart/form-data" in error(raw.post("/v1/files", json={"purpose": "batch"}))


def test_sizes_have_limits(speaking):
    """Model Studio: a picture of at most 20 MB to be read; options can lower every limit."""
    small = speaking(file_bytes=100)
    assert "exceeds size limit of 100 bytes" in error(upload(small, b"x" * 101))
    assert upload(small, b"x" * 101, "a.jsonl", "batch").status_code == 413
    assert upload(small, b"x" * 100).status_code == 200
    usual = speaking()
    assert "exceeds size limit of 20971520" in error(upload(usual, b"\x89PNG" + b"x" * 20_971_520, "a.png"))


def test_pages_of_the_list_follow_each_other(speaking):
    """OpenAI API reference, list files: after, limit, order, purpose; first_id, last_id and has_more."""
    client = speaking()
    ids = [upload(client, b"x", f"{n}.txt", "user_data").json()["id"] for n in range(5)]
    upload(client)
    first = client.get("/v1/files", params={"limit": 2, "purpose": "user_data"}).json()
    assert [one["id"] for one in first["data"]] == [ids[4], ids[3]]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[4], ids[3], True)
    after = {"after": ids[3], "purpose": "user_data"}
    rest = client.get("/v1/files", params=after).json()
    assert [one["id"] for one in rest["data"]] == [ids[2], ids[1], ids[0]]
    assert rest["has_more"] is False
    oldest = client.get("/v1/files", params={"order": "asc", "limit": 1}).json()
    assert oldest["data"][0]["id"] == ids[0]
    assert "No such File object" in error(client.get("/v1/files", params={"after": "file-none"}))
    assert "10000" in error(client.get("/v1/files", params={"limit": 10_001}))
    assert "Unknown parameter: 'page'" in error(client.get("/v1/files", params={"page": 1}))
    empty = client.get("/v1/files", params={"purpose": "evals"}).json()
    assert (empty["data"], empty["first_id"], empty["has_more"]) == ([], None, False)


def test_dashscope_lists_without_first_and_last(speaking):
    """Model Studio, OpenAI compatible file interface."""
    client = speaking(dialect="dashscope")
    made = upload(client).json()
    assert made["id"].startswith("file-fe-")
    listed = client.get("/v1/files").json()
    assert listed.keys() == {"object", "data", "has_more"}
    assert "2000" in error(client.get("/v1/files", params={"limit": 2001}))
    assert "'file-extract', 'batch', and 'fine-tune'" in error(upload(client, purpose="user_data"))
    assert "Not allowed to download" in error(client.get(f"/v1/files/{made['id']}/content"))
    batch = upload(client, b"{}", "b.jsonl", "batch").json()["id"]
    assert batch.startswith("file-batch-")
    assert client.get(f"/v1/files/{batch}/content").status_code == 400


def test_new_api_implements_no_files(speaking):
    """New API: the whole family is 501; batches have no route."""
    client = speaking(dialect="new-api")
    for answer in (client.get("/v1/files"), upload(client), client.delete("/v1/files/x")):
        assert answer.status_code == 501
        assert answer.json()["error"]["code"] == "api_not_implemented"
    assert client.post("/v1/batches", json={}).status_code == 404


def test_a_document_is_parsed_after_some_polls(speaking):
    """Model Studio: status goes to processed; before that the document cannot be read."""
    client = speaking(parse_polls=2)
    made = upload(client).json()
    assert made["status"] == "uploaded"
    where = f"/v1/files/{made['id']}"
    assert [client.get(where).json()["status"] for _ in range(3)] == ["uploaded", "uploaded", "processed"]


def test_a_document_is_parsed_after_some_seconds():
    """Model Studio: parsing takes time."""
    now = [1_000_000.0]
    with Sandbox(Options(clock=lambda: now[0], parse_seconds=30)) as sandbox, client_of(sandbox) as client:
        where = f"/v1/files/{upload(client).json()['id']}"
        assert client.get(where).json()["status"] == "uploaded"
        now[0] += 30
        assert client.get(where).json()["status"] == "processed"


def test_what_holds_no_text_ends_in_an_error(raw):
    """Our promise: nothing is made up; a file that cannot be read says so."""
    made = upload(raw, b"%PDF-1.4\nnothing", "scan.pdf").json()
    assert (made["status"], made["status_details"]) == ("error", "The file cannot be parsed.")


def test_content_comes_back_byte_for_byte_and_a_deleted_file_is_gone(raw):
    """OpenAI API reference, retrieve file content, delete file."""
    data = b'{"a": "\xe4\xbd\xa0"}\n'
    file_id = upload(raw, data, "a.jsonl", "batch").json()["id"]
    assert raw.get(f"/v1/files/{file_id}/content").content == data
    assert raw.delete(f"/v1/files/{file_id}").json() == {"id": file_id, "object": "file", "deleted": True}
    for answer in (raw.get(f"/v1/files/{file_id}"), raw.delete(f"/v1/files/{file_id}")):
        assert answer.status_code == 404
        assert "No such File object" in error(answer)
    secret = upload(raw, b"x", "a.txt", "assistants").json()["id"]
    assert "purpose: assistants" in error(raw.get(f"/v1/files/{secret}/content"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"The tower is 330 metres high."),
        ("a.docx", docx("Intro\nThe tower is 330 metres high.")),
        ("a.pdf", pdf("The tower is 330 metres high.")),
    ],
)
def test_words_of_a_document_are_found(name, data):
    """Our promise: what is quoted stands in the document."""
    text = read_text(name, data)
    assert "The tower is 330 metres high." in text
    assert any("330" in each.text for each in passages(name, text))


def test_pictures_are_read_as_pictures():
    """Model Studio: qwen-long takes pictures as documents."""
    assert read_text("a.png", png(8, 6)) == "A picture of 8x6 pixels."
    with pytest.raises(ValueError, match="picture"):
        read_text("a.png", b"no picture")


def test_a_picture_that_would_fill_the_memory_is_a_file_that_cannot_be_parsed(sandbox):
    """Our promise: the embedded gateway takes what it is given and says what is wrong with it, as a real one does."""
    size = struct.pack(">II", 60_000, 60_000)
    head = b"IHDR" + size + b"\x01\0\0\0\0"
    huge = png(8, 6)[:8] + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + png(8, 6)[33:]
    with client_of(sandbox) as client:
        assert upload(client, huge, "huge.png").json()["status"] == "error"


def test_the_public_client_works_on_files(sandbox):
    """The public `openai` package, unmodified."""
    with openai.OpenAI(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        made = client.files.create(
            file=("你好.jsonl", b"{}\n"),
            purpose="batch",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
        assert made.expires_at == made.created_at + 3600
        assert client.files.retrieve(made.id).filename == "你好.jsonl"
        others = [client.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(3)]
        listed = [one.id for one in client.files.list(limit=2)]
        assert set(listed) >= {made.id, *others}
        assert len(listed) == len(set(listed))
        assert client.files.content(made.id).read() == b"{}\n"
        assert client.files.delete(made.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(made.id)
        extract = client.files.create(file=("a.txt", b"words"), purpose="file-extract")
        assert client.files.wait_for_processing(extract.id, poll_interval=0).status == "processed"
