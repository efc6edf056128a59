"""Columns as PostgreSQL array literals. psycopg dumps an array value by value, which costs a fold more than the fold itself."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID

_PLAIN = ({int}, {Decimal}, {date}, {datetime}, {UUID}, {bool})
"""Types whose `str` is what PostgreSQL reads and never needs quotes."""


def array(values: Sequence[Any]) -> str | list[Any]:
    """Return the values as a literal for `%s::type[]`: those of the usual types at once, anything else as a list for psycopg."""
    kinds = set(map(type, values))
    if kinds in _PLAIN:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str}:
        body = '","'.join(values)
        if "\\" not in body and body.count('"') == 2 * (len(values) - 1):
            return '{"' + body + '"}'
    if kinds <= {str, NoneType}:
        return _with_nulls(values, _quoted)
    if kinds - {NoneType} in _PLAIN:
        return _with_nulls(values, str)
    return list(values)


def _with_nulls(values: Sequence[Any], written: Callable[[Any], str]) -> str:
    return "{" + ",".join("NULL" if value is None else written(value) for value in values) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
