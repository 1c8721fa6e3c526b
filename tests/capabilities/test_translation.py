"""`translate_text`: Qwen-MT where its options arrive, words to a chat model where they do not, and structure kept."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from capabilities.material import answered, bodies, call, refused, spent
from connections import CELLS, MEMORY, Cell, connect, text_of
from mtu_mcp.sandbox import Options, Sandbox

ONE_GATEWAY = True
TEXT = "Good morning, my friend. Welcome to the library."
SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> world,
my friend.

2
00:00:03,000 --> 00:00:04,000
- Yes?
- No!
"""
PAGE = """# Hello `world`

The [book](https://x.org/a) is **new**.

```
hello = 1
```

| cat | dog |
|-----|:---:|
| tea | 12  |
"""


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    return {**environ, "MTU_TOOLSETS": "core,text", "MTU_ALLOWED_DIRS": str(tmp_path)}


def options(gateway: Sandbox) -> list[dict[str, Any]]:
    return [body["translation_options"] for body in bodies(gateway)]


def made(said: str) -> str:
    found = re.search(r"^Saved (.+?)(?: \(\d+ cues\))?$", said, re.MULTILINE)
    assert found, said
    return Path(found[1]).read_text(encoding="utf-8")


def read(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.transport in ("memory", "http")], ids=str)
async def test_a_text_is_translated_as_the_documents_say(cell: Cell, environ: dict[str, str], gateway: Sandbox) -> None:
    """Model Studio, Qwen-MT: one user message, translation_options on top, languages by their English names."""
    async with connect(cell, environ) as client:
        said = await answered(client, "translate_text", text=TEXT, target="FR", source="english")
    assert said.startswith("[fr] Bonjour, my ami. Bienvenue to le bibliothèque.\n\n[qwen-mt-plus · ")
    assert bodies(gateway)[-1]["messages"] == [{"role": "user", "content": TEXT}]
    assert options(gateway)[-1] == {"source_lang": "English", "target_lang": "French"}


@pytest.mark.parametrize("model", ["qwen-mt-plus", "qwen-mt-turbo", "qwen-mt-flash", "qwen-mt-lite"])
async def test_cumulative_and_incremental_streams_give_the_same_text(model: str, environ: dict[str, str]) -> None:
    """Model Studio, Qwen-MT: plus and turbo send the whole so far, flash and lite what is new."""
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "translate_text", text="hello world and goodbye", target="de", model=model)
    assert said.startswith("hallo Welt und auf Wiedersehen\n\n")


@pytest.mark.parametrize(
    "memory",
    [{"Yes, friend.": "Si fait."}, [["Yes, friend.", "Si fait."]], [{"source": "Yes, friend.", "target": "Si fait."}]],
)
async def test_terms_memory_and_domain_arrive_and_are_honoured(
    memory: Any, environ: dict[str, str], gateway: Sandbox
) -> None:
    """Model Studio, Qwen-MT: terms, tm_list, domains; our promise: pairs are taken in any of their usual forms."""
    async with connect(MEMORY, environ) as client:
        said = await answered(
            client,
            "translate_text",
            text="The cat\nYes, friend.",
            target="fr",
            terms={"cat": "MINOU"},
            memory=memory,
            domain="A picture book",
        )
    assert said.startswith("Le MINOU\nSi fait.")
    assert options(gateway)[0] == {
        "source_lang": "auto",
        "target_lang": "French",
        "terms": [{"source": "cat", "target": "MINOU"}],
        "tm_list": [{"source": "Yes, friend.", "target": "Si fait."}],
        "domains": "A picture book",
    }


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
async def test_subtitles_keep_numbers_times_and_lines(environ: dict[str, str], tmp_path: Path, ending: str) -> None:
    """SubRip; our promise: the number of cues, their times and their tags are those of the original."""
    (tmp_path / "film.srt").write_bytes(("\ufeff" + SRT).replace("\n", ending).encode())
    async with connect(MEMORY, environ) as client:
        result = await call(client, "translate_text", file=str(tmp_path / "film.srt"), target="Spanish")
    said = text_of(result)
    assert "(2 cues)" in said
    written = Path(re.findall(r"Saved (.+?) \(", said)[0])
    assert written.name.endswith("film-es.srt")
    data = read(written)
    assert data.decode().replace(ending, "\n") == (
        "1\n00:00:01,000 --> 00:00:02,500\n[es] <i>Hola</i>\nmundo, my amigo.\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\n- Sí?\n- No!\n"
    )
    assert (b"\n" in data) == ("\n" in ending)
    [link] = [block for block in result.content if block.type == "resource_link"]
    assert link.mime_type == "application/x-subrip"
    about = json.loads(written.with_name(written.name + ".json").read_text(encoding="utf-8"))
    assert about["target"] == "Spanish"


async def test_markdown_keeps_its_code_links_and_tables(
    environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """CommonMark and GitHub's tables; our promise: what is no word never reaches the model."""
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "translate_text", file=str(tmp_path / "page.md"), target="fr")
    expected = (
        PAGE.replace("Hello `", "Bonjour `")
        .replace("The [book]", "Le [livre]")
        .replace("is **new**", "est **nouveau**")
    )
    expected = expected.replace("| cat | dog |", "| chat | chien |").replace("| tea |", "| thé |")
    assert made(said) == expected
    sent = bodies(gateway)[0]["messages"][0]["content"]
    assert sent.splitlines()[:2] == ["Hello ⟦1⟧", "The ⟦1⟧book⟦2⟧ is **new**."]
    assert "hello = 1" not in sent


async def test_plain_text_keeps_its_paragraphs(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: blank lines stay where they were."""
    (tmp_path / "letter.txt").write_text("\nHello world\n\n\nGoodbye\n", encoding="utf-8")
    async with connect(MEMORY, environ) as client:
        assert made(await answered(client, "translate_text", file=str(tmp_path / "letter.txt"), target="fr")) == (
            "\nBonjour monde\n\n\nAu revoir\n"
        )


async def test_a_long_text_is_sent_in_parts_under_the_models_limit(environ: dict[str, str], gateway: Sandbox) -> None:
    """Model Studio, Qwen-MT: at most 8,192 tokens of input."""
    text = "\n\n".join(f"Hello world {number}." for number in range(1500))
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "translate_text", text=text, target="fr")
    assert len(bodies(gateway)) > 1
    assert said.startswith("Bonjour monde 0.\n\nBonjour monde 1.\n\n")
    assert "Bonjour monde 1499." in said
    assert all(entry.status == 200 for entry in gateway.journal.find("/chat/completions"))


async def test_a_model_with_a_smaller_window_gets_smaller_parts(environ: dict[str, str], gateway: Sandbox) -> None:
    """The first Qwen-MT models took 2,048 tokens: a refusal for length is answered with halves, not passed on."""
    gateway.arm("status:400", "/chat/completions")
    async with connect(MEMORY, environ) as client:
        await refused(client, "translate_text", text=TEXT, target="fr")  # another refusal is passed on
        said = await answered(
            client, "translate_text", text="Hello 世界 " * 2500, target="fr", options={"max_tokens": 2000}
        )
    assert "incomplete" not in said
    assert len(bodies(gateway)) > 3, "an answer that stopped at its limit is asked again in halves"


@pytest.mark.parametrize("text", ["Hello", TEXT])
async def test_where_a_gateway_drops_the_options_a_chat_model_is_asked_in_words(
    text: str, environ: dict[str, str]
) -> None:
    """New API's request struct has no translation_options; our promise: it is noticed, and said."""
    with Sandbox(Options(dialect="new-api")) as dropping:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": dropping.base_url}) as client:
            first = await answered(client, "translate_text", text=text, target="fr", terms={"Hello": "ALLÔ"})
            before = len(bodies(dropping))
            second = await answered(client, "translate_text", text=TEXT, target="fr")
        asked = bodies(dropping)
    assert ("ALLÔ" if text == "Hello" else "Bonjour") in first
    assert "drops translation_options" in first
    assert "so a chat model was asked in words." in first
    assert "Bonjour" in second
    assert before == 2
    assert len(asked) - before == (1 if text == TEXT else 2), "what is known of the gateway is not paid for again"
    assert asked[1]["messages"][0]["role"] == "system"
    assert "into French" in asked[1]["messages"][0]["content"]


async def test_a_file_keeps_its_structure_in_words_too(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: the fallback is no excuse for lost cues."""
    (tmp_path / "film.srt").write_text(SRT, encoding="utf-8")
    with Sandbox(Options(dialect="new-api")) as dropping:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": dropping.base_url}) as client:
            said = await answered(client, "translate_text", file=str(tmp_path / "film.srt"), target="fr")
    times = re.findall(r"^\d+\n.+ --> .+$", SRT, re.MULTILINE)
    assert re.findall(r"^\d+\n.+ --> .+$", made(said), re.MULTILINE) == times
    assert "<i>Bonjour</i>" in made(said)


@pytest.mark.parametrize(
    ("offered", "arguments", "words"),
    [
        (("gpt-4o",), {}, "This gateway lists no Qwen-MT model, so a chat model was asked in words."),
        (("gpt-4o", "qwen-mt-plus"), {"model": "gpt-4o"}, "gpt-4o is no translation model, so it was asked in words."),
    ],
)
async def test_a_chat_model_translates_and_the_answer_says_so(
    offered: tuple[str, ...], arguments: dict[str, Any], words: str, environ: dict[str, str]
) -> None:
    """Our promise: why another model was used is said."""
    with Sandbox(Options(models=offered)) as lacking:
        async with connect(MEMORY, {**environ, "MTU_BASE_URL": lacking.base_url}) as client:
            said = await answered(client, "translate_text", text="Hello world", target="de", **arguments)
    assert said.startswith("Hallo Welt")
    assert words in said
    assert "[gpt-4o · " in said


async def test_text_that_is_in_the_language_already_comes_back_without_a_second_bill(
    environ: dict[str, str], gateway: Sandbox
) -> None:
    """Our promise: an answer that may well be right is not asked for twice."""
    async with connect(MEMORY, environ) as client:
        assert "你好，世界" in await answered(client, "translate_text", text="你好，世界", target="zh")
    assert len(bodies(gateway)) == 1


async def test_lines_that_come_back_merged_are_asked_for_again(
    environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: a model that merges lines cannot merge cues."""
    cues = "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},500\nHello world {n}\n\n" for n in range(1, 9))
    (tmp_path / "film.srt").write_text(cues, encoding="utf-8")
    arguments = {"file": str(tmp_path / "film.srt"), "target": "fr", "memory": {"Hello world 3": "\u2028a\nb"}}
    async with connect(MEMORY, environ) as client:
        # One line that comes back as two makes the whole one line too long.
        said = await answered(client, "translate_text", **arguments)
    assert re.findall(r"Bonjour monde (\d)", made(said)) == ["1", "2", "4", "5", "6", "7", "8"]
    assert made(said).count(" --> ") == 8
    assert len(bodies(gateway)) > 1


async def test_what_was_translated_before_a_failure_is_kept(environ: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: what was paid for is never lost."""
    text = "\n\n".join(f"Hello world {number}." for number in range(8000))
    gateway.arm("slow:0.0001", "/chat/completions", times=3)
    gateway.arm("500", "/chat/completions")
    async with connect(MEMORY, {**environ, "MTU_MAX_RETRIES": "0"}) as client:
        said = await answered(client, "translate_text", text=text, target="fr")
    assert said.startswith("Bonjour monde 0.")
    assert re.search(r"Note: The last [\d,]+ characters are untranslated: The gateway failed", said)


async def test_a_cut_answer_is_said_to_be_incomplete(environ: dict[str, str], gateway: Sandbox) -> None:
    """Our promise: partial answers are returned and marked."""
    gateway.arm("cut:4", "/chat/completions")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "translate_text", text=TEXT * 10, target="fr")
    assert "The answer is incomplete: " in said


async def test_a_cut_batch_of_lines_is_asked_for_again_and_is_whole_in_the_end(
    environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: a file is never short of lines because a stream broke."""
    (tmp_path / "film.srt").write_text(SRT, encoding="utf-8")
    gateway.arm("cut:4", "/chat/completions")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "translate_text", file=str(tmp_path / "film.srt"), target="fr")
    assert "- Oui?\n- Non!" in made(said)
    assert "incomplete" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": "Hi", "target": "Klingon"}, "mtu://languages lists all 92"),
        ({"text": "Hi", "target": "Frensh"}, "Nearest: French"),
        ({"text": "Hi", "target": "fr", "source": "Elvish"}, "source 'Elvish'"),
        ({"text": "Hi", "target": "fr", "source": "French"}, "both French"),
        ({"target": "fr"}, "either text or file"),
        ({"text": "1 + 1 = 2", "target": "fr"}, "no letter"),
        ({"text": "Hi", "target": "fr", "domain": "医学论文的摘要"}, "English"),
        ({"text": "Hi", "target": "fr", "terms": {"": "x"}}, "terms holds an empty word"),
        ({"text": "Hi", "target": "fr", "terms": [["a", "b", "c"]]}, "terms"),
        (
            {"text": "Hi", "target": "fr", "terms": {f"word {n}": "wort" * 20 for n in range(900)}},
            "terms and memory are about",
        ),
        ({"text": "Hi", "target": "fr", "options": {"translation_options": {}}}, "translation_options"),
        ({"text": "你好，世界。" * 180_000, "target": "fr"}, "at most 200"),
        ({"file": "/etc/passwd", "target": "fr"}, "MTU_ALLOWED_DIRS"),
    ],
)
async def test_what_cannot_be_translated_is_refused_before_anything_is_spent(
    arguments: dict[str, Any], words: str, environ: dict[str, str], gateway: Sandbox
) -> None:
    """Our promise: limits are checked with their figures before money is spent."""
    async with connect(MEMORY, environ) as client:
        assert words in await refused(client, "translate_text", **arguments)
    assert not spent(gateway)


async def test_a_file_of_another_kind_is_refused(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: a structure that is not known is not broken."""
    (tmp_path / "page.html").write_text("<p>Hello</p>", encoding="utf-8")
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "translate_text", file=str(tmp_path / "page.html"), target="fr")
    assert ".md, .srt, .vtt or .txt" in said


async def test_nothing_is_saved_when_nothing_may_be_written(environ: dict[str, str], tmp_path: Path) -> None:
    """Our promise: MTU_READ_ONLY."""
    (tmp_path / "letter.txt").write_text("Hello world", encoding="utf-8")
    async with connect(MEMORY, {**environ, "MTU_READ_ONLY": "true"}) as client:
        said = await answered(client, "translate_text", file=str(tmp_path / "letter.txt"), target="fr")
    assert said.startswith("Bonjour monde")
    assert "MTU_READ_ONLY" in said


async def test_the_languages_are_a_resource(environ: dict[str, str]) -> None:
    """Our promise: mtu://languages names all 92 with their codes."""
    async with connect(MEMORY, environ) as client:
        [content] = (await client.read_resource("mtu://languages")).contents
    languages = json.loads(content.text)
    assert len(languages) == 92
    assert languages["Traditional Chinese"] == "zh_tw"


async def test_the_setting_chooses_the_model(environ: dict[str, str]) -> None:
    """Our promise: MTU_MODEL_TRANSLATE."""
    async with connect(MEMORY, {**environ, "MTU_MODEL_TRANSLATE": "qwen-mt-lite"}) as client:
        assert "[qwen-mt-lite · " in await answered(client, "translate_text", text=TEXT, target="fr")


@pytest.mark.parametrize("ending", ["md", "txt"])
async def test_a_line_longer_than_a_models_window_is_cut_before_it_is_sent(
    ending: str, environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: one of 1.2 MB had been sent whole, refused, and halved again and again, while all other calls waited."""
    path = tmp_path / f"long.{ending}"
    path.write_text("Some words of a line. " * 10_000, encoding="utf-8")
    async with connect(MEMORY, environ) as client:
        said = await answered(client, "translate_text", target="French", file=str(path))
    assert max(len(body["messages"][-1]["content"]) for body in bodies(gateway)) < 40_000
    assert made(said).count("Some words") == 10_000


async def test_a_line_that_would_take_too_many_calls_is_refused(
    environ: dict[str, str], gateway: Sandbox, tmp_path: Path
) -> None:
    """Our promise: what would become dear is refused before anything is sent, however its lines are."""
    path = tmp_path / "long.md"
    path.write_text("汉字" * 600_000, encoding="utf-8")
    async with connect(MEMORY, environ) as client:
        said = await refused(client, "translate_text", target="French", file=str(path))
    assert "at most 200" in said
    assert not bodies(gateway)
