"""What the statements mean that projections write and read their tables by: the few forms that `till_platform.projections.db` has."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from faultlab.simulation.postgres import Result, Transaction

Meaning = Callable[[Transaction, Any], Result]
_WRITE = re.compile(
    r"INSERT INTO (?P<table>\w+) \((?P<columns>[^)]+)\) SELECT \* FROM unnest\((?P<types>.*)\) "
    r"ON CONFLICT \((?P<key>[^)]+)\) DO (?P<action>NOTHING|UPDATE SET (?P<updates>.+))"
)
_READ = re.compile(
    r"SELECT (?P<columns>.+) FROM (?P<table>\w+) JOIN unnest\((?P<types>.*)\) AS wanted \((?P<key>[^)]+)\) ON .*"
)


def meaning_of_read_model(query: Any) -> Meaning:
    """Return what a statement of a projection does; a search path is set by a composed one."""
    if isinstance(query, str):
        if query.startswith("SET LOCAL search_path = public"):
            return _into("public")
        return _parsed(query)
    _, schema, _ = query
    return _into(schema._obj[0])


@cache
def _into(schema: str) -> Meaning:
    def move(transaction: Transaction, _: Any) -> Result:
        transaction.session.schema = schema
        return Result()

    return move


@cache
def _parsed(query: str) -> Meaning:
    if match := _WRITE.fullmatch(query):
        types = _types(match)
        columns, key = match["columns"].split(", "), match["key"].split(", ")
        return _writing(match["table"], columns, types, key, (match["updates"] or "").split(", "))
    if match := _READ.fullmatch(query):
        columns = [name.split(".")[1] for name in match["columns"].split(", ")]
        return _reading(match["table"], columns, _types(match))
    raise AssertionError(f"the model of PostgreSQL does not know this statement: {query}")


_ELEMENT = re.compile(r'"([^"]*)"|([^",]+)')
_READ_AS: dict[str, Callable[[str], Any]] = {"text": str, "uuid": str, "int": int, "bigint": int, "bool": "True".__eq__}


def _types(match: re.Match[str]) -> list[str]:
    return [kind.removeprefix("%s::").removesuffix("[]") for kind in match["types"].split(", ")]


def column(given: Any, kind: str) -> list[Any]:
    """Read an array as `till_platform.arrays` writes it, or take the list that it left as it was."""
    if not isinstance(given, str):
        return list(given)
    found = [quoted or bare for quoted, bare in _ELEMENT.findall(given[1:-1])]
    return [None if value == "NULL" else _READ_AS[kind](value) for value in found]


def _writing(
    table: str, columns: Sequence[str], types: Sequence[str], key: Sequence[str], updates: Sequence[str]
) -> Meaning:
    replaced = [update.split(" = ")[0] for update in updates if "= excluded." in update]
    added = [update.split(" = ")[0] for update in updates if "+ excluded." in update]

    def write(transaction: Transaction, values: Any) -> Result:
        name = f"{transaction.session.schema}.{table}"
        for found in zip(*map(column, values, types), strict=True):
            new = dict(zip(columns, found, strict=True))
            place = tuple(new[part] for part in key)
            if transaction.insert(name, place, new) or not (replaced or added):
                continue
            transaction.lock(name, place)
            old = transaction.get(name, place)
            if old is None:
                transaction.put(name, place, new)
                continue
            changed = {column: new[column] for column in replaced} | {c: old[c] + new[c] for c in added}
            transaction.put(name, place, {**old, **changed})
        return Result()

    return write


def _reading(table: str, columns: Sequence[str], types: Sequence[str]) -> Meaning:
    def read(transaction: Transaction, values: Any) -> Result:
        name = f"{transaction.session.schema}.{table}"
        wanted = zip(*map(column, values, types), strict=True)
        found = [row for place in wanted if (row := transaction.get(name, tuple(place)))]
        return Result([tuple(row[column] for column in columns) for row in found])

    return read
