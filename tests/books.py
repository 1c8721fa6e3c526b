"""The ledger as it is on disk, read past the server."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any


def rows_in(database: str | Path, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of every row, in the order the rows were written."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(f"SELECT {', '.join(columns)} FROM ledger ORDER BY id").fetchall()


def rows(environ: Mapping[str, str], *columns: str) -> list[tuple[Any, ...]]:
    """The same of a server with these variables."""
    return rows_in(environ["MTU_DATABASE_URL"], *columns)
