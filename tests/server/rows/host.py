"""A host that tries pages of the gateway's documentation, and the list of what it tries.

One client, one server and one embedded gateway of a dialect serve all cases, as they do a person's day; a case finds the
journal empty. What a case has used is written down, so that it can be held against what the README says serves the page.
"""

import json
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from anyio.from_thread import BlockingPortal
from mcp import Client
from mcp.types import CallToolResult, TextResourceContents

from capabilities.material import BROKE
from connections import MEMORY, connect, text_of
from mtu_mcp.sandbox import Options, Sandbox

KEY = "sk-test-key-0123456789"
LONGEST_REFUSAL = 420
"""Characters: a sentence on what happened, one on what to do."""


@dataclass(repr=False)
class Host:
    """One way to the server, and what stands behind it.

    Attributes:
        client: Connected to a server that lists every tool.
        gateway: What the server asks.
        folder: Where files to send are put; the server may read it.
        dialect: The gateway's.
        environ: The server's variables, for another client.
        used: Tools and resources used since the case began.
    """

    client: Client
    gateway: Sandbox
    folder: Path
    dialect: str
    environ: dict[str, str]
    used: set[str] = field(default_factory=set[str])

    @property
    def relay(self) -> bool:
        """Whether the gateway only passes requests on, as New API does: it keeps nothing and knows fewer fields."""
        return self.dialect == "new-api"

    @property
    def purpose(self) -> str:
        """What a file is for that is only kept: OpenAI's word, or Model Studio's."""
        return "file-extract" if self.dialect == "dashscope" else "user_data"

    def begin(self) -> None:
        """Forget what earlier cases did."""
        self.gateway.desk.faults.clear()
        self.gateway.journal.clear()
        self.used.clear()

    async def call(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """The result of a call, whatever it is."""
        self.used.add(tool)
        result = await self.client.call_tool(tool, arguments)
        assert isinstance(result, CallToolResult)
        assert BROKE not in text_of(result)
        return result

    async def ask(self, tool: str, /, **arguments: Any) -> str:
        """The text of a call that has to succeed."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, text_of(result)
        return text_of(result)

    async def facts(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call that has to succeed."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, text_of(result)
        return result.structured_content or {}

    async def operate(self, name: str, /, **arguments: Any) -> Any:
        """The JSON that an operation answered."""
        return (await self.facts("call_operation", name=name, arguments=arguments, confirm=True)).get("result")

    async def refused(self, tool: str, /, **arguments: Any) -> str:
        """The text of a call that has to fail: short, whole sentences, and no apology."""
        result = await self.call(tool, **arguments)
        said = text_of(result)
        assert result.is_error, said
        assert "\n" not in said, said
        assert len(said) <= LONGEST_REFUSAL, said
        assert said.endswith("."), said
        assert not said.startswith("Error executing tool"), said
        return said

    async def lacking(self, endpoint: str, tool: str, /, **arguments: Any) -> str:
        """The text of a call for which the gateway has no endpoint: it names the endpoint, and says so once."""
        said = await self.refused(tool, **arguments)
        told = said.replace("offer GET ", "offer ", 1)  # a list that shares its path with what makes things
        assert told.startswith(f"This gateway does not offer {endpoint} (it answered "), said
        assert said.count("does not offer") == 1, said
        return said

    async def read(self, uri: str, named: str = "") -> Any:
        """The JSON of a resource; `named` is its address as the README has it."""
        self.used.add(named or uri)
        [content] = (await self.client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        return json.loads(content.text) if content.mime_type == "application/json" else content.text

    def sent(self, path: str = "/chat/completions", place: int = -1) -> dict[str, Any]:
        """The body that reached an endpoint, the last one unless said otherwise; long strings are shortened."""
        found = [entry.asked for entry in self.gateway.journal.find(path) if entry.method == "POST"]
        assert found, f"nothing reached {path}: {[entry.path for entry in self.gateway.journal]}"
        return cast("dict[str, Any]", found[place])

    def put(self, name: str, data: bytes | str) -> str:
        """A file to send."""
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)


Case = Callable[[Host], Awaitable[None]]
CASES: dict[str, Case] = {}
"""What is tried for each page, by the page's title."""
ONCE: set[Case] = set()
"""Cases in which no gateway takes part that could speak in dialects."""


def serves(*pages: str, under: str = "", once: bool = False) -> Callable[[Case], Case]:
    """Say which pages a case tries.

    Args:
        pages: Titles as the table of contents has them.
        under: The headings all of them stand under.
        once: No gateway takes part, so that one dialect is as good as another.
    """

    def remember(case: Case) -> Case:
        for page in pages:
            title = f"{under} / {page}" if under else page
            assert title not in CASES, title
            CASES[title] = case
        if once:
            ONCE.add(case)
        return case

    return remember


@contextmanager
def hosted(portal: BlockingPortal, options: Options, folder: Path, key: str = KEY) -> Generator[Host]:
    """Run a gateway and connect a host to a server that lists every tool, in the portal's loop."""
    with Sandbox(options) as gateway:
        environ = {
            "MTU_BASE_URL": gateway.base_url,
            "MTU_API_KEY": key,
            "MTU_OUTPUT_DIR": str(folder / "made"),
            "MTU_DATABASE_URL": str(folder / "mtu.db"),
            "MTU_ALLOWED_DIRS": str(folder),
            "MTU_TOOLSETS": "all",
            "MTU_MAX_RETRIES": "0",
        }
        with portal.wrap_async_context_manager(connect(MEMORY, environ)) as client:
            yield Host(client, gateway, folder, options.dialect, environ)
