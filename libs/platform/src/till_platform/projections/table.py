"""The tables of a read model, and the few ways a fold writes them: one statement for a whole batch, never a loop of round trips."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any

Row = tuple[Any, ...]
_BINARY = frozenset({"bigint", "boolean", "date", "integer", "jsonb", "numeric", "text", "timestamptz"})


@dataclass(frozen=True)
class Table:
    """One table of a projection. `columns` maps names to SQL types in order; rows are tuples in that order; `key` is the primary key.

    `indexes` are the bodies of `CREATE INDEX … ON <table>`, e.g. `"(store_id, placed_at DESC)"` or `"USING gin (name gin_trgm_ops)"`.
    """

    name: str
    columns: Mapping[str, str]
    key: Sequence[str]
    indexes: Sequence[str] = field(default=())

    def ddl(self) -> list[str]:
        """Return the statements that create the table, unqualified: the schema comes from the search path."""
        body = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        create = f"CREATE TABLE {self.name} ({body}, PRIMARY KEY ({', '.join(self.key)})) WITH (fillfactor=90)"
        return [create, *(f"CREATE INDEX ON {self.name} {index}" for index in self.indexes)]

    @cached_property
    def key_of(self) -> Callable[[Row], Row]:
        """How to get the primary key of a row. Asked for every row there is, so it is made once and runs in C."""
        names = list(self.columns)
        places = [names.index(name) for name in self.key]
        if places == list(range(len(places))):
            return itemgetter(slice(len(places)))
        return itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)

    @property
    def others(self) -> list[str]:
        """The columns that are not part of the key."""
        return [name for name in self.columns if name not in self.key]

    def latest(self, rows: Iterable[Row]) -> list[Row]:
        """Keep the last row of each key."""
        return list({self.key_of(row): row for row in rows}.values())

    @cached_property
    def copied_as(self) -> list[str]:
        """The types for a binary COPY, at half the price of one in text; none if a column needs its values read as text."""
        kinds = [self.type_of(name) for name in self.columns]
        return kinds if _BINARY.issuperset(kinds) else []

    @cached_property
    def narrow(self) -> list[int]:
        """The places of the columns whose numbers must fit 32 bits: a binary COPY would wrap larger ones silently."""
        return [place for place, name in enumerate(self.columns) if self.type_of(name) == "integer"]

    def type_of(self, column: str) -> str:
        """Return the SQL type of the column's values."""
        return self.columns[column].split(" NOT NULL")[0].split(" DEFAULT")[0]

    def array(self, column: str) -> str:
        """Return the SQL type of an array of the column's values, for `unnest`."""
        return self.type_of(column) + "[]"
