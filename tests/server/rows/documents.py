"""Long documents with qwen-long: by file id, as text, as a JSON list; one, several, and more later."""

import json
import re
from typing import Any

from server.rows.host import Host, serves

LONG = "通义千问 项目 / 文本生成 / 长上下文"
BY_ID = f"{LONG} / 通过file-id传入文档信息"
AS_TEXT = f"{LONG} / 通过纯文本传入信息"
AS_JSON = f"{LONG} / 通过JSON字符串传入文档信息"
TOWER = "The Eiffel Tower stands in Paris.\n\nIt is 330 metres high."
BRIDGE = "The Golden Gate Bridge opened in 1937.\n\nIts towers are 227 metres high."


def systems(host: Host) -> list[str]:
    """The system messages of the last chat after the role."""
    return [one["content"] for one in host.sent()["messages"][1:] if one["role"] == "system"]


def require_ids(host: Host, said: str, count: int) -> None:
    """The documents went by id; where the gateway keeps no files they went as text, and the answer says so."""
    if host.relay:
        assert "does not offer files (it answered 501). So the text of the documents was taken out here" in said, said
        return
    assert sum(len(re.findall(r"fileid://file-fe-\S+?(?=,|$)", one)) for one in systems(host)) == count
    assert all(one.asked["purpose"] == "file-extract" for one in host.gateway.journal.find("/files") if one.asked)


@serves("简单示例", under=BY_ID)
async def by_id(host: Host) -> None:
    """Model Studio, long context: upload for file-extract, the role first, then fileid:// in a system message."""
    tower = host.put("tower.txt", TOWER)
    said = await host.ask("ask_document", question="How high is it?", documents=[tower], system="Be exact.")
    assert "330 metres" in said
    assert host.sent()["model"] == "qwen-long"
    assert host.sent()["messages"][0] == {"role": "system", "content": "Be exact."}
    require_ids(host, said, 1)
    if host.relay:
        return
    given = said.partition("tower.txt is ")[2].partition(".")[0]
    assert "330 metres" in await host.ask("ask_document", question="How high is it?", documents=[given])
    assert systems(host) == [f"fileid://{given}"]


@serves("传入多文档", under=BY_ID)
async def ids(host: Host) -> None:
    """Model Studio, long context: several ids, separated by commas."""
    files = [host.put("tower2.txt", TOWER + "\n"), host.put("bridge2.txt", BRIDGE + "\n")]
    said = await host.ask("ask_document", question="When was the bridge opened?", documents=files)
    assert "1937" in said
    require_ids(host, said, 2)
    assert host.relay or systems(host)[0].count(",") == 1


@serves("追加文档", under=BY_ID)
async def more_ids(host: Host) -> None:
    """Model Studio, long context: after an answer, another system message with the new id."""
    name = f"ids {host.dialect}"
    first, second = host.put("tower3.txt", TOWER + "\n\n"), host.put("bridge3.txt", BRIDGE + "\n\n")
    await host.ask("ask_document", question="How high is it?", documents=[first], conversation=name)
    said = await host.ask("ask_document", question="When was the bridge opened?", documents=[second], conversation=name)
    assert "1937" in said
    require_ids(host, said, 2)
    roles = [one["role"] for one in host.sent()["messages"]]
    assert roles == ["system", "system", "user", "assistant", "system", "user"]


@serves("简单示例", under=AS_TEXT)
async def text(host: Host) -> None:
    """Model Studio, long context: the text itself as the second system message."""
    assert "330 metres" in await host.ask("ask_document", question="How high is it?", text=TOWER)
    assert systems(host) == [TOWER]
    assert not host.gateway.journal.find("/files")


@serves("传入多文档", under=AS_TEXT)
async def texts(host: Host) -> None:
    """Model Studio, long context: several texts; here each has its title."""
    said = await host.ask("ask_document", question="When was the bridge opened?", text=f"{TOWER}\n\n{BRIDGE}")
    assert "1937" in said
    assert systems(host) == [f"{TOWER}\n\n{BRIDGE}"]


@serves("追加文档", under=AS_TEXT)
async def more_text(host: Host) -> None:
    """Model Studio, long context: after an answer, another system message with the new text."""
    name = f"text {host.dialect}"
    await host.ask("ask_document", question="How high is it?", text=TOWER, conversation=name)
    said = await host.ask("ask_document", question="When was the bridge opened?", text=BRIDGE, conversation=name)
    assert "1937" in said
    assert systems(host) == [TOWER, BRIDGE]


def listed(*texts: str) -> list[dict[str, Any]]:
    return [{"title": f"document {place}", "content": text} for place, text in enumerate(texts, 1)]


@serves("简单示例", under=AS_JSON)
async def as_json(host: Host) -> None:
    """Model Studio, long context: a JSON string of documents with file_name, file_type, title and content."""
    given = [{"file_name": "tower.txt", "file_type": "txt", "title": "Tower", "content": TOWER}]
    assert "330 metres" in await host.ask("ask_document", question="How high is it?", texts=given)
    [one] = json.loads(systems(host)[0])
    assert one["content"] == TOWER
    assert "tower.txt" in json.dumps(one)


@serves("传入多文档", under=AS_JSON)
async def several_as_json(host: Host) -> None:
    """Model Studio, long context: several documents in the JSON string."""
    short = "330 metres.", "Opened in 1937."  # the journal keeps 200 characters
    said = await host.ask("ask_document", question="When was it opened?", texts=listed(*short))
    assert "1937" in said
    assert [one["content"] for one in json.loads(systems(host)[0])] == list(short)


@serves("追加文档", under=AS_JSON)
async def more_as_json(host: Host) -> None:
    """Model Studio, long context: another JSON string after an answer."""
    name = f"json {host.dialect}"
    await host.ask("ask_document", question="How high is it?", texts=listed(TOWER), conversation=name)
    said = await host.ask(
        "ask_document", question="When was the bridge opened?", texts=listed(BRIDGE), conversation=name
    )
    assert "1937" in said
    assert len(systems(host)) == 2
