"""Chinese everywhere a person puts it: folders, file names, prompts, conversations, transcripts; over every transport."""

import shutil
from pathlib import Path

from mcp import Client

from connections import Cell, connect, every_cell, roots, text_of
from mtu_mcp.sandbox import samples


def named(result: str, folder: Path) -> list[Path]:
    """The files that an answer says it saved into a folder."""
    words = (line.removeprefix("Saved ").partition(" (")[0] for line in result.splitlines())
    return [Path(one) for one in words if one.startswith(str(folder))]


async def say(client: Client, tool: str, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


@every_cell
async def test_chinese_goes_through_whole(cell: Cell, environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: UTF-8 on every platform, from the host's folders to the gateway and back into files and resources."""
    folder, made = tmp_path / "小雅的 文件夹（一）", tmp_path / "输出 目录"
    folder.mkdir()
    picture = Path(shutil.copyfile(samples.PICTURE, folder / "照片，第 1 张？.png"))
    recording = Path(shutil.copyfile(samples.RECORDING_ZH, folder / "会议录音“甲”.wav"))
    environ = {**environ, "MTU_OUTPUT_DIR": str(made), "MTU_DATABASE_URL": str(folder / "数据库.db")}
    async with connect(cell, environ, list_roots_callback=roots(folder)) as client:
        assert "小雅" in await say(client, "chat", prompt="我叫小雅。", conversation="旅行 计划：杭州")
        assert "小雅" in await say(client, "chat", prompt="我叫什么名字？", conversation="旅行 计划：杭州")
        for way in (str(picture), picture.as_uri(), picture.name):
            assert "800x600" in await say(client, "understand", question="这是什么？", media=[way])
        assert await say(client, "transcribe", file=str(recording)) != ""
        assert samples.RECORDING_ZH_WORDS in await say(client, "transcribe", file=recording.as_uri(), output="srt")
        assert "造纸术" in await say(client, "web_search", query="造纸术是谁改进的？")
        [file] = named(await say(client, "generate_image", prompt="山上的红色圆圈，夜晚 🌙"), made)
        assert file.exists()
        assert "山上的红色圆圈" in file.name
        assert '"山上的红色圆圈，夜晚 🌙"' in file.with_name(f"{file.name}.json").read_text(encoding="utf-8")
        listed = (await client.read_resource("mtu://conversations")).contents[0]
        assert "旅行 计划：杭州" in getattr(listed, "text", "")
        wrong = await client.call_tool("understand", {"question": "？", "media": [str(folder / "照片，第 1 张.png")]})
        assert wrong.is_error
        assert picture.name in text_of(wrong)
