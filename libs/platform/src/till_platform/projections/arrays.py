"""Columns as PostgreSQL array literals. psycopg dumps an array value by value, which costs a fold more than the fold itself."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

_PLAIN = ({int}, {Decimal}, {date})
"""Types whose `str` is what PostgreSQL reads and never needs quotes."""


def array(values: Sequence[Any]) -> str | list[Any]:
    """Return the values as a literal for `%s::type[]`: numbers, days and texts at once, anything else as a list for psycopg."""
    kinds = set(map(type, values))
    if kinds in _PLAIN:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str}:
        body = '","'.join(values)
        if "\\" not in body and body.count('"') == 2 * (len(values) - 1):
            return '{"' + body + '"}'
    if kinds <= {str, type(None)}:
        return "{" + ",".join(map(_text, values)) + "}"
    return list(values)


def _text(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
