"""The schema, as the steps that lead to it.

The list only grows: a step that has been released is never edited, because files out there have run it. A file
records in `user_version` how many steps it has run. Statements are listed one by one, not as a script, since
`executescript` commits behind our back and a half-run step would leave a file no version understands.
"""

from typing import Final

# "mtuR": tells our files from another program's, which we must not add tables to.
APPLICATION_ID: Final = 0x6D747552

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        # `owner` is "" while one person uses a server; it is part of the key so that callers of a shared server
        # can have conversations of the same name without a rebuild of the table.
        """
        CREATE TABLE conversations (
            id INTEGER PRIMARY KEY,
            owner TEXT NOT NULL DEFAULT '',
            name TEXT NOT NULL,
            model TEXT NOT NULL DEFAULT '',
            opening TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            updated REAL NOT NULL,
            UNIQUE (owner, name)
        )
        """,
        "CREATE INDEX conversations_by_use ON conversations (owner, updated DESC)",
        """
        CREATE TABLE turns (
            id INTEGER PRIMARY KEY,
            conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            role TEXT NOT NULL,
            content TEXT NOT NULL,
            model TEXT NOT NULL DEFAULT '',
            reasoning TEXT NOT NULL DEFAULT '',
            tool_calls TEXT,
            created REAL NOT NULL,
            extra TEXT NOT NULL DEFAULT '{}',
            UNIQUE (conversation, position)
        )
        """,
    ),
    (
        # `holder` and `seen`: which process works on it and its last sign of life. `fingerprint` and `delivered` are for
        # calls that ask the same again.
        """
        CREATE TABLE jobs (
            id TEXT PRIMARY KEY,
            owner TEXT NOT NULL DEFAULT '',
            kind TEXT NOT NULL,
            state TEXT NOT NULL,
            title TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            updated REAL NOT NULL,
            remote TEXT NOT NULL DEFAULT '',
            request TEXT NOT NULL DEFAULT '{}',
            result TEXT NOT NULL DEFAULT '{}',
            note TEXT NOT NULL DEFAULT '',
            cost REAL,
            fingerprint TEXT NOT NULL DEFAULT '',
            delivered REAL,
            holder TEXT NOT NULL DEFAULT '',
            seen REAL NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX jobs_by_age ON jobs (owner, created DESC)",
        "CREATE INDEX jobs_by_fingerprint ON jobs (owner, fingerprint) WHERE fingerprint <> ''",
    ),
    (
        # One row for each upstream call that may cost money; `reserved` is what it holds while it runs. Money is CNY.
        """
        CREATE TABLE ledger (
            id INTEGER PRIMARY KEY,
            owner TEXT NOT NULL DEFAULT '',
            call TEXT NOT NULL,
            tool TEXT NOT NULL DEFAULT '',
            job TEXT NOT NULL DEFAULT '',
            endpoint TEXT NOT NULL,
            model TEXT NOT NULL DEFAULT '',
            served TEXT NOT NULL DEFAULT '',
            state TEXT NOT NULL,
            input_tokens INTEGER NOT NULL DEFAULT 0,
            output_tokens INTEGER NOT NULL DEFAULT 0,
            cached_tokens INTEGER NOT NULL DEFAULT 0,
            reasoning_tokens INTEGER NOT NULL DEFAULT 0,
            seconds REAL NOT NULL DEFAULT 0,
            pictures INTEGER NOT NULL DEFAULT 0,
            searches INTEGER NOT NULL DEFAULT 0,
            cny REAL NOT NULL DEFAULT 0,
            basis TEXT NOT NULL DEFAULT 'none',
            reserved REAL NOT NULL DEFAULT 0,
            started REAL NOT NULL,
            ended REAL,
            request_id TEXT NOT NULL DEFAULT '',
            idempotency_key TEXT NOT NULL UNIQUE,
            process TEXT NOT NULL
        )
        """,
        "CREATE INDEX ledger_by_time ON ledger (started)",
        "CREATE INDEX ledger_by_call ON ledger (call)",
        "CREATE INDEX ledger_running ON ledger (process) WHERE state = 'running'",
    ),
    (
        # The gateway's name for work that goes on there after its call was answered; `process` is then empty.
        "ALTER TABLE ledger ADD COLUMN remote TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX ledger_by_remote ON ledger (remote) WHERE remote <> ''",
        "CREATE INDEX ledger_by_job ON ledger (job) WHERE job <> ''",
    ),
)
