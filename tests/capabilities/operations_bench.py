"""What each operation needs before it can be called, made through `call_operation` itself."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp import Client

from capabilities.material import call, picture, sound
from connections import text_of

CHAT = [{"role": "user", "content": "Say: hello"}]
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
EXAMPLE = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
REQUEST = {
    "custom_id": "one",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "gpt-4o", "messages": CHAT},
}
Arguments = dict[str, Any]


class Bench:
    """Calls operations and keeps what later ones need.

    Args:
        client: Connected to a server that may read `folder`.
        folder: Where files to send are put.
        purpose: What files are for that are only kept.
    """

    def __init__(self, client: Client, folder: Path, purpose: str = "user_data") -> None:
        self.client = client
        self.folder = folder
        self.purpose = purpose

    async def __call__(self, name: str, /, **arguments: Any) -> Any:
        """The result of an operation that has to succeed."""
        result = await call(self.client, "call_operation", name=name, arguments=arguments, confirm=True)
        assert not result.is_error, f"{name}: {text_of(result)}"
        return (result.structured_content or {}).get("result")

    def put(self, name: str, data: bytes) -> str:
        """A file to send."""
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    async def file(self, purpose: str = "") -> str:
        """An uploaded file."""
        purpose = purpose or self.purpose
        if self.purpose == "file-extract" and purpose == "assistants":
            purpose = self.purpose
        lines = {"fine-tune": [EXAMPLE] * 12, "batch": [REQUEST]}.get(purpose, [{"a": 1}])
        form = "json" if purpose == "file-extract" else "jsonl"
        path = self.put(f"{purpose}.{form}", "\n".join(map(json.dumps, lines)).encode())
        return (await self("upload_file", file=path, purpose=purpose))["id"]

    async def completion(self) -> str:
        """A kept chat completion."""
        return (await self("create_chat_completion", model="gpt-4o", messages=CHAT, store=True))["id"]

    async def response(self, **more: Any) -> str:
        """A kept response."""
        return (await self("create_response", model="gpt-4o", input="Say: hello", **more))["id"]

    async def batch(self) -> str:
        """A batch."""
        file = await self.file("batch")
        made = await self("create_batch", input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")
        return made["id"]

    async def job(self, polls: int = 0) -> str:
        """A fine-tuning job that was looked at some times."""
        made = await self("create_fine_tuning_job", model="gpt-4o-mini", training_file=await self.file("fine-tune"))
        for _ in range(polls):
            await self("get_fine_tuning_job", job_id=made["id"])
        return made["id"]

    async def tuned(self) -> str:
        """A model somebody tuned."""
        return (await self("get_fine_tuning_job", job_id=await self.job(2)))["fine_tuned_model"]

    async def assistant(self) -> str:
        """An assistant with a function."""
        return (await self("create_assistant", model="gpt-4o", tools=[WEATHER]))["id"]

    async def assistant_file(self) -> Arguments:
        """An assistant of version 1 with a file."""
        given = {"assistant_id": await self.assistant(), "file_id": await self.file("assistants")}
        await self("create_assistant_file", **given)
        return given

    async def thread(self, **more: Any) -> str:
        """A thread."""
        return (await self("create_thread", **more))["id"]

    async def message(self) -> Arguments:
        """A message with a file."""
        file = await self.file("assistants")
        said = {"role": "user", "content": "Hello", "attachments": [{"file_id": file}]}
        thread = await self.thread(messages=[said])
        [message] = (await self("list_messages", thread_id=thread))["data"]
        return {"thread_id": thread, "message_id": message["id"]}

    async def message_file(self) -> Arguments:
        """A message and its file."""
        message = await self.message()
        [file] = (await self("list_message_files", **message))["data"]
        return {**message, "file_id": file["id"]}

    async def run(self, words: str = "Say: hello", polls: int = 0) -> Arguments:
        """A run that was looked at some times."""
        thread = await self.thread(messages=[{"role": "user", "content": words}])
        run = await self("create_run", thread_id=thread, assistant_id=await self.assistant())
        given = {"thread_id": thread, "run_id": run["id"]}
        for _ in range(polls):
            await self("get_run", **given)
        return given

    async def outputs(self) -> Arguments:
        """A run that waits for a function, and the function's answer."""
        given = await self.run("What is the weather?", 2)
        run = await self("get_run", **given)
        [asked] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        return {**given, "tool_outputs": [{"tool_call_id": asked["id"], "output": "Rain"}]}

    async def step(self) -> Arguments:
        """A run and one of its steps."""
        given = await self.run(polls=2)
        [step] = (await self("list_run_steps", **given))["data"]
        return {**given, "step_id": step["id"]}

    async def nothing(self) -> Arguments:
        """No arguments."""
        return {}


def just(**arguments: Any) -> Callable[[Bench], Awaitable[Arguments]]:
    """Arguments that need nothing before them."""

    async def made(bench: Bench) -> Arguments:
        del bench
        return arguments

    return made


def one(name: str, make: Callable[[Bench], Awaitable[Any]], /, **more: Any) -> Callable[[Bench], Awaitable[Arguments]]:
    """One id made before, under its name, and further arguments."""

    async def made(bench: Bench) -> Arguments:
        return {name: await make(bench), **more}

    return made


def with_more(make: Callable[[Bench], Awaitable[Arguments]], **more: Any) -> Callable[[Bench], Awaitable[Arguments]]:
    """Arguments made before, and further ones."""

    async def made(bench: Bench) -> Arguments:
        return {**await make(bench), **more}

    return made


def sending(name: str, file: str, data: bytes, /, **more: Any) -> Callable[[Bench], Awaitable[Arguments]]:
    """A file of the allowed folder under its parameter's name."""

    async def made(bench: Bench) -> Arguments:
        return {name: bench.put(file, data), **more}

    return made


async def _batch_file(bench: Bench) -> Arguments:
    file = await bench.file("batch")
    return {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}


async def _notes(bench: Bench) -> Arguments:
    return {"file": bench.put("notes.txt", b"notes"), "purpose": bench.purpose}


async def _assistant_and_file(bench: Bench) -> Arguments:
    return {"assistant_id": await bench.assistant(), "file_id": await bench.file("assistants")}


async def _run(bench: Bench) -> Arguments:
    return {"thread_id": await bench.thread(), "assistant_id": await bench.assistant()}


async def _background(bench: Bench) -> str:
    return await bench.response(background=True)


async def _running_job(bench: Bench) -> str:
    return await bench.job(1)


async def _finished_job(bench: Bench) -> str:
    return await bench.job(3)


async def _paused_job(bench: Bench) -> str:
    job = await bench.job(1)
    await bench("pause_fine_tuning_job", job_id=job)
    return job


LABELS = {"metadata": {"colour": "blue"}}
VOICE = sound(1.0, "Hello there.")
RECIPES: dict[str, Callable[[Bench], Awaitable[Arguments]]] = {
    "create_chat_completion": just(model="gpt-4o", messages=CHAT, temperature=0.5),
    "list_chat_completions": just(limit=5, order="desc", metadata={"a": "b"}),
    "get_chat_completion": one("completion_id", Bench.completion),
    "update_chat_completion": one("completion_id", Bench.completion, **LABELS),
    "delete_chat_completion": one("completion_id", Bench.completion),
    "list_chat_messages": one("completion_id", Bench.completion),
    "create_response": just(model="gpt-4o", input="Say: hello", store=False),
    "count_input_tokens": just(model="gpt-4o", input="Say: hello", instructions="Be brief."),
    "get_response": one("response_id", Bench.response, include=["message.output_text.logprobs"]),
    "delete_response": one("response_id", Bench.response),
    "cancel_response": one("response_id", _background),
    "list_input_items": one("response_id", Bench.response, order="asc"),
    "create_completion": just(model="qwen-coder-turbo", prompt="<|fim_prefix|>def f(<|fim_suffix|>"),
    "create_embedding": just(model="text-embedding-3-small", input=["one", "two"]),
    "create_moderation": just(input="I like tea."),
    "upload_file": _notes,
    "list_files": just(limit=3),
    "get_file": one("file_id", Bench.file),
    "delete_file": one("file_id", Bench.file),
    "get_file_content": one("file_id", lambda bench: bench.file("fine-tune")),
    "list_models": just(),
    "get_model": just(model="acme/tiny:free"),
    "delete_model": one("model", Bench.tuned),
    "create_batch": _batch_file,
    "list_batches": just(),
    "get_batch": one("batch_id", Bench.batch),
    "cancel_batch": one("batch_id", Bench.batch),
    "create_fine_tuning_job": one(
        "training_file", lambda bench: bench.file("fine-tune"), model="gpt-4o-mini", suffix="mine"
    ),
    "list_fine_tuning_jobs": just(limit=2),
    "get_fine_tuning_job": one("job_id", Bench.job),
    "cancel_fine_tuning_job": one("job_id", Bench.job),
    "pause_fine_tuning_job": one("job_id", _running_job),
    "resume_fine_tuning_job": one("job_id", _paused_job),
    "list_fine_tuning_events": one("job_id", _finished_job),
    "list_fine_tuning_checkpoints": one("job_id", _finished_job),
    "create_speech": just(model="gpt-4o-mini-tts", input="Hello.", voice="coral", response_format="wav"),
    "create_transcription": sending("file", "voice.wav", VOICE, model="whisper-1", response_format="srt"),
    "create_translation": sending("file", "voice.wav", VOICE, model="whisper-1"),
    "create_image": just(model="gpt-image-1", prompt="a red fox", size="1024x1024"),
    "create_image_edit": sending("image", "fox.png", picture(256, 256), prompt="snow", model="gpt-image-1"),
    "create_image_variation": sending("image", "fox.png", picture(256, 256), model="dall-e-2", size="256x256"),
    "create_assistant": just(model="gpt-4o", name="Ann", instructions="Be short."),
    "list_assistants": just(limit=1),
    "get_assistant": one("assistant_id", Bench.assistant),
    "modify_assistant": one("assistant_id", Bench.assistant, name="Bea"),
    "delete_assistant": one("assistant_id", Bench.assistant),
    "create_assistant_file": _assistant_and_file,
    "list_assistant_files": one("assistant_id", Bench.assistant),
    "get_assistant_file": Bench.assistant_file,
    "delete_assistant_file": Bench.assistant_file,
    "create_thread": just(messages=[{"role": "user", "content": "Hello"}]),
    "get_thread": one("thread_id", Bench.thread),
    "modify_thread": one("thread_id", Bench.thread, **LABELS),
    "delete_thread": one("thread_id", Bench.thread),
    "create_message": one("thread_id", Bench.thread, role="user", content="Hello"),
    "list_messages": one("thread_id", lambda bench: bench.thread(messages=CHAT), order="asc"),
    "get_message": Bench.message,
    "modify_message": with_more(Bench.message, **LABELS),
    "delete_message": Bench.message,
    "list_message_files": Bench.message,
    "get_message_file": Bench.message_file,
    "create_run": with_more(_run, include=["step_details.tool_calls[*].file_search.results[*].content"]),
    "create_thread_and_run": one(
        "assistant_id", Bench.assistant, thread={"messages": [{"role": "user", "content": "Hi"}]}
    ),
    "list_runs": one("thread_id", Bench.thread),
    "get_run": Bench.run,
    "modify_run": with_more(Bench.run, **LABELS),
    "submit_tool_outputs": Bench.outputs,
    "cancel_run": Bench.run,
    "list_run_steps": lambda bench: bench.run(polls=2),
    "get_run_step": Bench.step,
}
"""How each operation is called with success."""
