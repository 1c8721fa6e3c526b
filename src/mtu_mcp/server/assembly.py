"""Puts a server together: which tools this person sees, which resources there are, what hosts are told first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from mcp.server.apps import client_supports_apps
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    INVALID_PARAMS,
    Completion,
    ListResourcesResult,
    ListToolsResult,
    Prompt,
    PromptReference,
    ResourceTemplateReference,
    SubscribeRequestParams,
    ToolAnnotations,
    UnsubscribeRequestParams,
)

import mtu_mcp
from mtu_mcp.capabilities import INSTRUCTIONS, capabilities
from mtu_mcp.capabilities._approval import FREE
from mtu_mcp.capabilities._spec import Completer, PromptSpec, ResourceSpec, ToolSpec
from mtu_mcp.errors import Refused
from mtu_mcp.server import views
from mtu_mcp.server.edge import (
    after_approval,
    after_choice,
    check_arguments,
    explained,
    guard_resource,
    guard_tool,
    one_as_list,
)
from mtu_mcp.server.handoff import Calls
from mtu_mcp.server.icon import icons
from mtu_mcp.server.limits import calling
from mtu_mcp.server.logs import without_rich
from mtu_mcp.server.middleware import bound_to, client_of
from mtu_mcp.server.prompts import rendered, shown
from mtu_mcp.server.schemas import slim
from mtu_mcp.server.subscriptions import Subscriptions
from mtu_mcp.server.tool_icons import draws, with_icons

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.mcpserver import Context
    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage
    from mcp.types import (
        CallToolResult,
        CompletionArgument,
        CompletionContext,
        GetPromptResult,
        InputRequiredResult,
        PaginatedRequestParams,
    )
    from pydantic import AnyUrl

    from mtu_mcp.app import App
    from mtu_mcp.settings import Settings

NAME: Final = "mtu-mcp"
LIST_TTL_MS: Final = 3_600_000
"""The lists depend on settings read at start, so a client may keep them for an hour."""


class MtuServer(MCPServer[Any]):
    """The SDK's server with three rules of ours: unknown arguments are refused, resources say what they hold, and
    templates and prompts complete.
    """

    def __init__(
        self,
        tools: Iterable[ToolSpec],
        resources: Iterable[ResourceSpec],
        app: App,
        prompts: Iterable[PromptSpec] = (),
    ) -> None:
        self.app = app
        self.latest = views.Latest()
        resources = [*resources, *views.resources()]
        self._prompts = {spec.name: spec for spec in prompts}
        self._specs = {spec.name: spec for spec in tools}
        self._fixed = {spec.uri: spec for spec in resources if "{" not in spec.uri}
        self._families = [(UriTemplate.parse(spec.uri), spec) for spec in resources if "{" in spec.uri]
        calls = Calls(app)
        self.subscriptions = Subscriptions(app, self._find)
        hint = CacheHint(ttl_ms=LIST_TTL_MS)
        with without_rich():
            super().__init__(
                NAME,
                title="Mtu",
                icons=icons(),
                instructions=INSTRUCTIONS,
                version=mtu_mcp.__version__,
                tools=[build_tool(spec, ask=_asks(spec, app), calls=calls) for spec in self._specs.values()],
                middleware=[bound_to(app, self.subscriptions.look)],
                subscriptions=self.subscriptions,
                extensions=[views.extension()],
                log_level=cast("Any", app.settings.log_level),
                cache_hints={
                    "tools/list": hint,
                    "prompts/list": hint,
                    "resources/list": hint,
                    "resources/templates/list": hint,
                },
            )
        for spec in (*self._fixed.values(), *(spec for _, spec in self._families)):
            meta = views.meta_of_resource(spec.uri)
            self.resource(spec.uri, name=_name(spec.uri), title=spec.title, mime_type=spec.mime, meta=meta)(spec.fn)
        self.completion()(self._complete)
        lowlevel = self._lowlevel_server  # MCPServer has no place for these two
        lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, self.subscriptions.follow)
        lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self.subscriptions.unfollow)

    async def serve_streams(
        self, read: ReadStream[SessionMessage | Exception], write: WriteStream[SessionMessage]
    ) -> None:
        """Serve one connection over a pair of streams, in the era the client opens with, until `read` closes."""
        lowlevel = self._lowlevel_server  # the SDK offers no other way to run on given streams
        await lowlevel.run(read, write, lowlevel.create_initialization_options())

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool, refusing arguments it does not have.

        Raises:
            ToolError: The tool or one of the arguments is not there, or the call failed.
        """
        try:
            spec, tool = self._specs.get(name), self._tool_manager.get_tool(name)
            if spec is None or tool is None:
                raise ToolError(f"There is no tool {name[:80]!r}. The tools are: {', '.join(self._specs)}.")
            check_arguments(spec.fn, set(tool.parameters.get("properties", {})), arguments)
            one_as_list(tool.parameters, arguments)
            with calling():
                return self.latest.handed(name, await super().call_tool(name, arguments, context), context)
        except Refused as error:
            raise ToolError(str(error)) from error
        except ToolError as error:
            raise explained(name, error) from error

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource with the media type of what it really holds.

        Raises:
            ResourceNotFoundError: No resource has this address.
            ResourceError: It could not be read.
        """
        del context
        spec, arguments = self._find(str(uri))
        content = await guard_resource(str(uri), lambda: spec.fn(**arguments))
        meta = views.meta_of_resource(spec.uri)
        return [ReadResourceContents(content=content.data, mime_type=content.mime, meta=meta)]

    async def _handle_list_tools(
        self, ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        tools = (await super()._handle_list_tools(ctx, params)).tools
        pages = client_supports_apps(ctx)
        if pages:
            tools = views.with_pages(tools)
        if pages or self.app.settings.tool_icons or draws(client_of(ctx)[0]):
            tools = with_icons(tools)
        return ListToolsResult(tools=tools)

    async def _handle_list_resources(
        self, ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        listed = await super()._handle_list_resources(ctx, params)
        if client_supports_apps(ctx):
            return listed
        return ListResourcesResult(resources=views.without_pages(listed.resources))

    async def list_prompts(self) -> list[Prompt]:
        """List the prompts whose tools are listed."""
        return [shown(spec) for spec in self._prompts.values()]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Render a prompt.

        Raises:
            MCPError: There is no such prompt, or an argument is missing; the SDK would answer an internal error and
                log a traceback.
        """
        del context
        if name not in self._prompts:
            raise MCPError(INVALID_PARAMS, f"There is no prompt {name[:80]!r}.")
        return rendered(self._prompts[name], arguments or {})

    def _find(self, uri: str) -> tuple[ResourceSpec, dict[str, Any]]:
        if uri in self._fixed:
            return self._fixed[uri], {}
        for template, spec in self._families:
            matched = template.match(uri)
            if matched is not None:
                return spec, dict(matched)
        raise ResourceNotFoundError(f"There is no resource {uri[:200]!r}.")

    async def _complete(
        self,
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        complete = self._completers(ref).get(argument.name)
        if complete is None:
            return None
        given = (context.arguments if context else None) or {}
        values = await complete(argument.value, given)
        return Completion(values=values[:100], total=len(values), has_more=len(values) > 100)

    def _completers(self, ref: PromptReference | ResourceTemplateReference) -> Mapping[str, Completer]:
        if isinstance(ref, PromptReference):
            return self._prompts[ref.name].complete if ref.name in self._prompts else {}
        found = [spec.complete for _, spec in self._families if spec.uri == ref.uri and spec.complete]
        return found[0] if found else {}


def build_server(app: App) -> MtuServer:
    """Assemble the server that `app.settings` describes."""
    found = capabilities()
    tools = [tool for capability in found for tool in capability.tools if _listed(tool, app.settings)]
    names = {tool.name for tool in tools}
    prompts = [prompt for capability in found for prompt in capability.prompts if names.issuperset(prompt.tools)]
    return MtuServer(tools, [resource for capability in found for resource in capability.resources], app, prompts)


def build_tool(spec: ToolSpec, *, ask: bool = False, calls: Calls | None = None) -> Tool:
    """Turn a capability's description into a tool of the SDK.

    Args:
        spec: The description.
        ask: Whether the user is asked about its cost.
        calls: Where its work goes on when the call is over; None for work that ends with the call.
    """
    guarded = guard_tool(spec.fn, spec)
    if calls is not None and spec.name not in FREE:
        guarded = calls.detached(guarded)
    if spec.takes_files:
        guarded = after_choice(guarded, spec)
    tool = Tool.from_function(
        after_approval(guarded) if ask else guarded,
        title=spec.title,
        description=_description(spec),
        annotations=_annotations(spec),
        meta={"anthropic/searchHint": spec.search_hint} if spec.search_hint else None,
        structured_output=False,
    )
    tool.parameters = slim(tool.parameters)
    return tool


def _asks(spec: ToolSpec, app: App) -> bool:
    return app.budget.confirm_above is not None and spec.name not in FREE


def _listed(tool: ToolSpec, settings: Settings) -> bool:
    return tool.toolset in settings.toolsets and not (tool.writes and settings.read_only)


def _description(spec: ToolSpec) -> str:
    lines = (spec.fn.__doc__ or "").strip().splitlines()
    return " ".join(line.strip() for line in lines if line.strip())


def _annotations(spec: ToolSpec) -> ToolAnnotations:
    if spec.read_only:
        return ToolAnnotations(read_only_hint=True, open_world_hint=spec.open_world)
    return ToolAnnotations(
        read_only_hint=False,
        destructive_hint=spec.destructive,
        idempotent_hint=spec.idempotent or None,
        open_world_hint=spec.open_world,
    )


def _name(uri: str) -> str:
    return (
        uri.removeprefix("mtu://")
        .removeprefix("ui://mtu-mcp/")
        .replace("/{", "-")
        .replace("{", "")
        .replace("+", "")
        .replace("}", "")
    )
