"""Named conversations: what was said, in order, so that any model can go on with it after any restart.

A turn keeps its content as the wire has it (text, or a list of parts) with big media as references, never as
base64, so a conversation about a video stays small. Turns are only added; the whole exchange of one call (what was
asked, what was answered) is appended in one transaction once it was answered, so a conversation never ends in a
question that got no reply.
"""

import json
import unicodedata
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

import anyio

from mtu_mcp.errors import BadInput
from mtu_mcp.records import failures
from mtu_mcp.records.database import Changed, Database, unheard

if TYPE_CHECKING:
    import sqlite3

Role = Literal["system", "user", "assistant", "tool"]

NAME_LENGTH: Final = 100
OPENING_LENGTH: Final = 80


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    Attributes:
        role: Whose message it is, in the API's words.
        content: JSON: text, or a list of wire parts; media by reference.
        model: The model that wrote it; empty for what the user wrote.
        reasoning: What the model thought, if it showed that; it is not sent back in history.
        tool_calls: The calls the model asked for, as on the wire, or None.
        created: Seconds since the epoch; 0 means "when appended".
        extra: JSON for what a capability wants to find again, such as citations.
    """

    role: Role
    content: Any
    model: str = ""
    reasoning: str = ""
    tool_calls: list[Any] | None = None
    created: float = 0.0
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Conversation(NamedTuple):
    """A whole conversation, oldest turn first; times in seconds since the epoch."""

    name: str
    turns: list[Turn]
    model: str
    created: float
    updated: float


class Summary(NamedTuple):
    """A conversation in a list; `turns` is their number, `opening` the first words the user wrote."""

    name: str
    turns: int
    model: str
    updated: float
    opening: str


class _Queue:
    """The callers of one conversation: who holds it, and how many hold it or wait for it."""

    __slots__ = ("callers", "lock")

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.callers = 0


class Conversations:
    """The conversations of one owner.

    Every method raises `RecordsError` when the database cannot be used, and `BadInput` for a name that cannot be one.

    Args:
        database: Where they are kept.
        clock: Seconds since the epoch.
        owner: Whose they are; another owner's are not visible. Empty on a server that one person uses.
        changed: Hears of every change.
    """

    def __init__(
        self, database: Database, clock: Callable[[], float], *, owner: str = "", changed: Changed = unheard
    ) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._changed = changed
        self._queues: dict[str, _Queue] = {}

    async def load(self, name: str) -> Conversation | None:
        """The conversation of that name, or None if there is none."""
        key = conversation_name(name)
        return await self._database.read(lambda connection: self._load(connection, key))

    async def append(self, name: str, turns: Sequence[Turn]) -> None:
        """Add turns to a conversation, making it if need be: all of them or, on an error, none.

        They are on disk on return. A turn whose `created` is 0 gets the time of the clock.

        Raises:
            RecordsError: They were not kept; also when a turn's content is not JSON.
        """
        key = conversation_name(name)
        if not turns:
            return
        now = self._clock()
        rows = [_row(turn, now) for turn in turns]
        model = next((turn.model for turn in reversed(turns) if turn.model), "")
        opening = next((words for words in map(_opening, turns) if words), "")
        await self._database.write(lambda connection: self._append(connection, key, rows, model, opening, now))
        self._changed(self._owner, "conversations", key)

    async def list(self, limit: int = 100) -> "list[Summary]":
        """The conversations used last, newest first."""
        query = """
            SELECT name, (SELECT COUNT(*) FROM turns WHERE conversation = conversations.id), model, updated, opening
            FROM conversations WHERE owner = ? ORDER BY updated DESC, id DESC LIMIT ?
        """
        rows = await self._database.read(lambda it: it.execute(query, (self._owner, limit)).fetchall())
        return [Summary(*row) for row in rows]

    async def names(self, prefix: str = "", limit: int = 100) -> "list[str]":
        """Names that begin with `prefix` (case of ASCII letters aside), the one used last first."""
        escaped = _normal(prefix).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query = """
            SELECT name FROM conversations WHERE owner = ? AND name LIKE ? ESCAPE '\\'
            ORDER BY updated DESC, id DESC LIMIT ?
        """
        parameters = (self._owner, storable(escaped) + "%", limit)
        rows = await self._database.read(lambda it: it.execute(query, parameters).fetchall())
        return [row[0] for row in rows]

    async def delete(self, name: str) -> bool:
        """Delete a conversation with all its turns; says whether there was one."""
        key = conversation_name(name)
        query = "DELETE FROM conversations WHERE owner = ? AND name = ?"
        deleted = await self._database.write(lambda it: it.execute(query, (self._owner, key)).rowcount > 0)
        if deleted:
            self._changed(self._owner, "conversations", key)
        return deleted

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncGenerator[None]:
        """Hold a conversation while a call adds to it; a second call waits, in the order of arrival.

        Two calls at once would otherwise both answer from the same history and interleave. It holds within this
        process; between two processes `append` still keeps each exchange whole.
        """
        key = conversation_name(name)
        queue = self._queues.setdefault(key, _Queue())
        queue.callers += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.callers -= 1
            if not queue.callers:
                del self._queues[key]

    def _load(self, connection: "sqlite3.Connection", name: str) -> Conversation | None:
        found = connection.execute(
            "SELECT id, model, created, updated FROM conversations WHERE owner = ? AND name = ?", (self._owner, name)
        ).fetchone()
        if found is None:
            return None
        rows = connection.execute(
            "SELECT role, content, model, reasoning, tool_calls, created, extra"
            " FROM turns WHERE conversation = ? ORDER BY position",
            (found[0],),
        )
        try:
            turns = [_turn(row) for row in rows]
        except (ValueError, TypeError) as error:
            raise failures.unreadable(self._database.where, name) from error
        return Conversation(name, turns, *found[1:])

    def _append(
        self,
        connection: "sqlite3.Connection",
        name: str,
        rows: "list[tuple[Any, ...]]",
        model: str,
        opening: str,
        now: float,
    ) -> None:
        # An empty model or opening says nothing new, so the value that is there stays.
        connection.execute(
            """
            INSERT INTO conversations (owner, name, model, opening, created, updated) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (owner, name) DO UPDATE SET
                model = CASE excluded.model WHEN '' THEN model ELSE excluded.model END,
                opening = CASE opening WHEN '' THEN excluded.opening ELSE opening END,
                updated = MAX(updated, excluded.updated)
            """,
            (self._owner, name, storable(model), storable(opening), now, now),
        )
        identity = connection.execute(
            "SELECT id FROM conversations WHERE owner = ? AND name = ?", (self._owner, name)
        ).fetchone()[0]
        last = connection.execute(
            "SELECT COALESCE(MAX(position), 0) FROM turns WHERE conversation = ?", (identity,)
        ).fetchone()[0]
        connection.executemany(
            "INSERT INTO turns (conversation, position, role, content, model, reasoning, tool_calls, created, extra)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(identity, position, *row) for position, row in enumerate(rows, last + 1)],
        )


def conversation_name(text: str) -> str:
    """The name as it is kept: Unicode normal form C, without white space around it.

    Two ways to type one name are one conversation that way.

    Raises:
        BadInput: It is empty, longer than 100 characters, or holds control characters.
    """
    name = _normal(text).strip()
    if not name:
        raise BadInput("A conversation's name is empty.", advice="Give it a name of 1 to 100 characters.")
    if len(name) > NAME_LENGTH:
        raise BadInput(
            f"A conversation's name has {len(name)} characters; at most {NAME_LENGTH} are allowed.",
            advice="Give it a shorter name.",
        )
    # Cc control, Cs lone surrogate, Zl and Zp line and paragraph separator: they would break lists and addresses.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        raise BadInput(
            "A conversation's name holds a control character or a line break.", advice="Use a name of one plain line."
        )
    return name


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _row(turn: Turn, now: float) -> tuple[Any, ...]:
    return (
        turn.role,
        encoded(turn.content),
        storable(turn.model),
        storable(turn.reasoning),
        None if turn.tool_calls is None else encoded(turn.tool_calls),
        turn.created or now,
        encoded(dict(turn.extra)),
    )


def _turn(row: tuple[Any, ...]) -> Turn:
    role, content, model, reasoning, tool_calls, created, extra = row
    return Turn(
        role=role,
        content=json.loads(content),
        model=model,
        reasoning=reasoning,
        tool_calls=None if tool_calls is None else json.loads(tool_calls),
        created=created,
        extra=json.loads(extra),
    )


def encoded(value: object) -> str:
    """The value as JSON that SQLite can keep.

    Raises:
        RecordsError: It is not JSON.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        # Half of a surrogate pair (a stream cut inside an emoji) has no UTF-8; escaped, it comes back as it was.
        return text if _has_utf8(text) else json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise failures.unwritable(error) from error


def storable(text: str) -> str:
    """The text with question marks for what UTF-8 cannot carry."""
    return text if _has_utf8(text) else text.encode("utf-8", "replace").decode("utf-8")


def _has_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _opening(turn: Turn) -> str:
    """The first words of a user's turn, on one line; empty if it has none."""
    if turn.role != "user":
        return ""
    text = " ".join(_text(turn.content)[: OPENING_LENGTH * 4].split())
    return text if len(text) <= OPENING_LENGTH else text[: OPENING_LENGTH - 1] + "…"


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        for part in cast("list[object]", content):
            if isinstance(part, Mapping):
                text = cast("Mapping[str, object]", part).get("text")
                if isinstance(text, str) and text.strip():
                    return text
    return ""
