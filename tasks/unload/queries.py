"""The SQL of the unload, from the named blocks of queries.sql."""

import re
from functools import cache
from importlib.resources import files

from psycopg import sql

_BLOCK = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


@cache
def _blocks() -> dict[str, str]:
    text = files("tasks.unload").joinpath("queries.sql").read_text(encoding="utf-8")
    return {found[1]: found[2].strip() for found in _BLOCK.finditer(text)}


def query(name: str, /, **identifiers: sql.Composable) -> sql.Composed:
    """The named block, its places in braces filled with composed identifiers."""
    return sql.SQL(_blocks()[name]).format(**identifiers)
