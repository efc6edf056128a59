"""Where a read model and its rebuild part: the first row that is not the same in both, and the events that speak of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import msgspec
from psycopg import Connection, sql
from psycopg.rows import dict_row

from till_platform.batch import Fact
from till_platform.projections.projection import Projection
from till_platform.projections.table import Table

MOST_EVENTS = 20
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """An event that speaks of a row."""

    topic: str
    position: int
    type: str
    stream: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The first row of a table, by its key, that is not the same live and rebuilt; None where there is none. `rows` differ in all."""

    table: str
    key: Row
    live: Row | None
    rebuilt: Row | None
    rows: int
    events: Sequence[Cause] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that are not the same; all of them where a row is only on one side."""
        if self.live is None or self.rebuilt is None:
            return list(self.live or self.rebuilt or ())
        return [name for name, value in self.live.items() if self.rebuilt[name] != value]


def first_difference(connection: Connection[Any], projection: Projection, schema: str) -> Difference | None:
    """Compare the live tables of a projection with those in `schema`, row by row, in the order of their keys."""
    for table in projection.tables:
        if (found := _first(connection, projection.name, schema, table)) is not None:
            return found
    return None


def _first(connection: Connection[Any], live: str, rebuilt: str, table: Table) -> Difference | None:
    same = sql.SQL(" AND ").join(sql.SQL("live.{0} = rebuilt.{0}").format(sql.Identifier(name)) for name in table.key)
    order = sql.SQL(", ").join(
        sql.SQL("coalesce(live.{0}, rebuilt.{0})").format(sql.Identifier(name)) for name in table.key
    )
    query = sql.SQL(
        "SELECT to_jsonb(live) AS live, to_jsonb(rebuilt) AS rebuilt, count(*) OVER () AS rows FROM {} AS live"
        " FULL JOIN {} AS rebuilt ON {} WHERE live::text IS DISTINCT FROM rebuilt::text ORDER BY {} LIMIT 1"
    ).format(sql.Identifier(live, table.name), sql.Identifier(rebuilt, table.name), same, order)
    found = connection.cursor(row_factory=dict_row).execute(query).fetchone()
    if found is None:
        return None
    one = found["live"] or found["rebuilt"]
    return Difference(
        table.name, {name: one[name] for name in table.key}, found["live"], found["rebuilt"], int(found["rows"])
    )


class Causes:
    """Gathers the events that speak of a row: those in which most of its key is found, under whatever name."""

    def __init__(self, difference: Difference) -> None:
        self._difference = difference
        self._wanted = [_words_of(value) for value in difference.key.values()]
        self._best = 1
        self._found: list[Cause] = []

    def add(self, facts: Iterable[Fact[Any]]) -> None:
        """Look at some facts."""
        for fact in facts:
            said = set(_leaves(msgspec.to_builtins(fact.event))) | {
                fact.key,
                fact.stream,
                fact.stream.partition("-")[2],
            }
            said |= {word[:10] for word in said}
            score = sum(not words.isdisjoint(said) for words in self._wanted)
            if score > self._best:
                self._best, self._found = score, []
            if score == self._best:
                self._found.append(Cause(fact.topic, fact.position, fact.type, fact.stream, fact.sequence))

    def told(self) -> Difference:
        """Return the difference with the last of these events, in the order of their logs."""
        return replace(self._difference, events=sorted(self._found, key=_order)[-MOST_EVENTS:])


def _order(cause: Cause) -> tuple[str, int]:
    return cause.topic, cause.position


def _words_of(value: Any) -> set[str]:
    """Return how an event may say this; a business day is that of its shop, which may be the neighbour of the day in UTC."""
    text = str(value)
    try:
        day = date.fromisoformat(text).toordinal() if len(text) == 10 else 0
    except ValueError:
        day = 0
    return {date.fromordinal(near).isoformat() for near in (day - 1, day, day + 1)} if day > 1 else {text}


def _leaves(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None:
        yield value.isoformat() if isinstance(value, datetime) else str(value)
