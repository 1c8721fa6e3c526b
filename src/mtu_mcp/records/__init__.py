"""Records: what we keep.

Owns: the SQLite file, its migrations, its failures in words, the named conversations, the jobs and the ledger in it.
Asks for: a path (or `":memory:"`) and a clock; opens nothing before the first operation.
Knows nothing of: the protocol, the gateway, the catalogue, files of pictures and sound (only their references).
Because: an answer was paid for, so once it is shown it must outlive this process, and one room must promise that.
"""

from mtu_mcp.records.caps import Caps
from mtu_mcp.records.commitments import Commitment
from mtu_mcp.records.conversations import Conversation, Conversations, Role, Summary, Turn, conversation_name
from mtu_mcp.records.database import Database
from mtu_mcp.records.jobs import Job, Jobs
from mtu_mcp.records.ledger import Ledger, Spent, Tally
from mtu_mcp.records.rows import Closing, Opening
from mtu_mcp.records.store import Records

__all__ = [
    "Caps",
    "Closing",
    "Commitment",
    "Conversation",
    "Conversations",
    "Database",
    "Job",
    "Jobs",
    "Ledger",
    "Opening",
    "Records",
    "Role",
    "Spent",
    "Summary",
    "Tally",
    "Turn",
    "conversation_name",
]
