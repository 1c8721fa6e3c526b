"""The one place where what a capability raises becomes what a model reads.

Three things happen to every tool and resource here: an error of ours becomes its sentence, any other exception
becomes a short apology (its text may hold anything, so it goes to the log and not to the model), and the gateway's
key is taken out of whatever leaves, wherever it came from.
"""

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError, UnexpectedToolError
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, EmbeddedResource, ResourceLink, TextContent, TextResourceContents
from pydantic import ValidationError

from mtu_mcp.app import current_app
from mtu_mcp.capabilities._approval import Spending
from mtu_mcp.capabilities._attachments import Latest, helped, with_latest
from mtu_mcp.capabilities._spec import Content
from mtu_mcp.errors import BadInput, MtuError, NotFound
from mtu_mcp.server.limits import holding
from mtu_mcp.server.logs import hide

if TYPE_CHECKING:
    from mtu_mcp.capabilities._spec import ToolSpec

logger = logging.getLogger(__name__)

MOST_COMPLAINTS = 5
MOST_LETTERS = 400_000
"""Characters that the text of an answer may have, and again its data; tools cut and keep what is long far below that, so
this holds back only what a gateway made up, which would reach the host as one line of megabytes."""


def guard_tool(
    fn: Callable[..., Awaitable[CallToolResult]], spec: "ToolSpec"
) -> Callable[..., Awaitable[CallToolResult]]:
    """Wrap a tool so that it always answers, and never with the key.

    Args:
        fn: The tool.
        spec: What it is, so that an error about a file it names says how that can be handed in.
    """

    @functools.wraps(fn)
    async def guarded(*args: Any, **kwargs: Any) -> CallToolResult:
        try:
            with holding():
                result = await fn(*args, **kwargs)
        except MtuError as error:
            result = failed(str(helped(error, kwargs, spec)))
        except (MCPError, ToolError):
            raise
        except Exception as error:
            logger.exception("%s broke", fn.__name__)
            result = failed(_apology(fn.__name__, error))
        return redacted(result)

    return guarded


def after_approval(fn: Callable[..., Awaitable[CallToolResult]]) -> Callable[..., Awaitable[CallToolResult]]:
    """Wrap a tool so that the user's word on its cost comes before everything else it asks or does."""

    @functools.wraps(fn)
    async def asked(*args: Any, spending: bool = False, **kwargs: Any) -> CallToolResult:
        del spending  # noted in the scope; refused before this is reached
        return await fn(*args, **kwargs)

    _take(asked, fn, "spending", Spending)
    return asked


def after_choice(
    fn: Callable[..., Awaitable[CallToolResult]], spec: "ToolSpec"
) -> Callable[..., Awaitable[CallToolResult]]:
    """Wrap a tool so that `latest` in its parameters for files is a file before it runs."""
    opened = with_latest(fn, spec)
    _take(opened, fn, "latest", Latest)
    return opened


def _take(wrapped: Callable[..., Any], fn: Callable[..., Any], name: str, annotation: Any) -> None:
    """Give a wrapper the signature of what it wraps and one parameter more, filled by a resolver."""
    # Spelt out, since names in a signature that was put together are not looked up in the tool's own module.
    hints = get_type_hints(fn, include_extras=True)
    own = [one.replace(annotation=hints[each]) for each, one in inspect.signature(fn).parameters.items()]
    first = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    # Resolvers run in the order of the parameters, so this one goes before the tool's own.
    place = next((at for at, one in enumerate(own) if one.kind is inspect.Parameter.KEYWORD_ONLY), len(own))
    wrapped.__dict__["__signature__"] = inspect.Signature([*own[:place], first, *own[place:]])
    wrapped.__annotations__ = {**hints, name: annotation}


async def guard_resource(uri: str, read: Callable[[], Awaitable[Content]]) -> Content:
    """Read a resource; errors come out as the SDK's own, the only ones whose text it shows.

    Raises:
        ResourceNotFoundError: There is no such conversation, model or file.
        MCPError: The address cannot be right, or names what is too large to be read.
        ResourceError: Anything else.
    """
    try:
        content = await read()
    except NotFound as error:
        raise ResourceNotFoundError(hide_key(str(error))) from error
    except BadInput as error:
        raise MCPError(INVALID_PARAMS, hide_key(str(error)), {"uri": uri}) from error
    except MtuError as error:
        raise ResourceError(hide_key(str(error))) from error
    except (MCPError, ResourceError):
        raise
    except Exception as error:
        logger.exception("reading %s broke", uri)
        raise ResourceError(_apology(uri, error)) from error
    return Content(hide_key(content.data), content.mime) if isinstance(content.data, str) else content


def explained(tool: str, error: ToolError) -> ToolError:
    """Word what the SDK raised before a tool's body ran: arguments that do not fit, or a question's own failure."""
    cause = error.__cause__
    if isinstance(cause, MtuError):
        return ToolError(hide_key(str(cause)))
    if isinstance(cause, ValidationError):
        wrong = cause.errors(include_url=False, include_context=False, include_input=False)
        said = [f"{'.'.join(map(str, one['loc']))[:80]}: {one['msg'][:300]}." for one in wrong[:MOST_COMPLAINTS]]
        return ToolError(hide_key(f"The arguments of {tool} do not fit. {' '.join(said)}"))
    if isinstance(error, UnexpectedToolError):
        logger.error("%s broke before it began", tool, exc_info=cause)
        return ToolError(_apology(tool, cause if isinstance(cause, Exception) else error))
    return ToolError(hide_key(str(error)))


def failed(text: str) -> CallToolResult:
    """A tool result the model reads as an error."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def hide_key(text: str) -> str:
    """Take the gateway's key out of a text, and what UTF-8 cannot carry: half a surrogate pair ends the connection."""
    return hide(text, *current_app().settings.secrets).encode("utf-8", "replace").decode("utf-8")


def redacted(result: CallToolResult) -> CallToolResult:
    """Take the gateway's key out of everything a result says, and the end off what no host would read."""
    left = _Room()
    for block in result.content:
        if isinstance(block, TextContent):
            block.text = left.cut(hide_key(block.text))
        elif isinstance(block, ResourceLink):
            block.name, block.uri = hide_key(block.name), hide_key(block.uri)
        elif isinstance(block, EmbeddedResource) and isinstance(block.resource, TextResourceContents):
            block.resource.text = hide_key(block.resource.text)
    if result.structured_content is not None:
        result.structured_content = _hide_in(result.structured_content, _Room())
    if result.meta is not None:
        result.meta = _hide_in(result.meta, _Room())
    return result


class _Room:
    """What is left of the characters an answer may have."""

    def __init__(self) -> None:
        self._left = MOST_LETTERS

    def cut(self, text: str) -> str:
        """As much of a text as there is room for; one that is cut says so."""
        kept, self._left = text[: self._left], max(0, self._left - len(text))
        return kept if len(kept) == len(text) else f"{kept}… (cut; {len(text):,} characters)"


def _hide_in(value: Any, left: _Room) -> Any:
    if isinstance(value, str):
        return left.cut(hide_key(value))
    if isinstance(value, list):
        return [_hide_in(item, left) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {_hide_in(key, left): _hide_in(item, left) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _apology(what: str, error: Exception) -> str:
    return (
        f"Something inside mtu-mcp broke while running {what} ({type(error).__name__}). This is a fault of the server, "
        "not of the request; its log on stderr has the details."
    )


def check_arguments(fn: Callable[..., Any], known: set[str], arguments: dict[str, Any]) -> None:
    """Refuse arguments the tool does not have: a misspelt one would otherwise be dropped in silence.

    Raises:
        ToolError: Naming them, and the ones there are.
    """
    unknown = sorted(set(arguments) - known)
    if unknown:
        names = ", ".join(name for name in inspect.signature(fn).parameters if name in known)
        raise ToolError(f"There is no argument {', '.join(map(repr, unknown))[:200]}. The arguments are: {names}.")


def one_as_list(schema: Mapping[str, Any], arguments: dict[str, Any]) -> None:
    """Take one word for a list of one where a list of words is wanted, as models write it: `media="latest"`."""
    for name, wanted in schema.get("properties", {}).items():
        value = arguments.get(name)
        words = wanted.get("type") == "array" and wanted.get("items", {}).get("type") == "string"
        # A list that was written as JSON is read by the SDK.
        if words and isinstance(value, str) and not value.lstrip().startswith("["):
            arguments[name] = [value]
