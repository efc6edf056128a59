"""Writing and reading a projection's own tables inside the batch's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import Connection, DataError
from psycopg.errors import UniqueViolation

from till_platform.arrays import array
from till_platform.pipelining import in_pipeline
from till_platform.projections.table import Row, Table


class Db:
    """The tables of one projection, in the transaction of one batch. Table names are unqualified: live and rebuilt tables read alike."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def upsert(self, table: Table, rows: Iterable[Row]) -> None:
        """Write whole rows; of several rows with one key the last one stands."""
        updates = ", ".join(f"{name} = excluded.{name}" for name in table.others)
        self._write(table, table.latest(rows), f"DO UPDATE SET {updates}" if updates else "DO NOTHING")

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows whose keys are new; a row that is there already stays as it is."""
        self._write(table, table.latest(rows), "DO NOTHING")

    def append(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows that are new by nature, one per event. A row that is there already stays as it is.

        Outside of a pipeline by COPY, which is several times faster for many. Values are of their columns' own types: what goes into a
        `jsonb` is wrapped in `Jsonb`.
        """
        if in_pipeline(self._connection):
            self.insert(table, rows)
            return
        ordered = sorted(table.latest(rows), key=table.key_of)
        if not ordered:
            return
        kinds = table.copied_as
        query = f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN {'(FORMAT BINARY)' if kinds else ''}"
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor, cursor.copy(query) as copy:
                if kinds:
                    copy.set_types(kinds)
                for row in ordered:
                    if table.narrow:
                        _must_fit(row, table.narrow)
                    copy.write_row(row)
        except UniqueViolation:
            self._write(table, ordered, "DO NOTHING")
        except (OverflowError, UnicodeEncodeError) as error:  # before the server could refuse the value as data
            raise DataError(f"{table.name}: a value does not fit its column ({type(error).__name__})") from None

    def add(self, table: Table, rows: Iterable[Row], *, sums: Sequence[str]) -> None:
        """Add to running totals: columns named in `sums` are added up, the others outside the key take the latest value."""
        given = list(rows)
        if len({table.key_of(row) for row in given}) < len(given):
            given = _added_up(table, given, sums)
        updates = ", ".join(
            f"{name} = {table.name}.{name} + excluded.{name}" if name in sums else f"{name} = excluded.{name}"
            for name in table.others
        )
        self._write(table, given, f"DO UPDATE SET {updates}")

    def get(self, table: Table, keys: Iterable[Row]) -> dict[Row, Row]:
        """Return the rows with these keys as they stand, to be changed and upserted."""
        wanted = sorted(set(keys))
        if not wanted:
            return {}
        columns = ", ".join(f"{table.name}.{name}" for name in table.columns)
        arrays = ", ".join(f"%s::{table.array(name)}" for name in table.key)
        joined = " AND ".join(f"{table.name}.{name} = wanted.{name}" for name in table.key)
        query = (
            f"SELECT {columns} FROM {table.name} JOIN unnest({arrays}) AS wanted ({', '.join(table.key)}) ON {joined}"
        )
        found = self._connection.execute(query, [array(column) for column in zip(*wanted, strict=True)])
        return {table.key_of(row): row for row in found}

    def delete(self, table: Table, keys: Iterable[Row]) -> None:
        """Remove the rows with these keys."""
        unwanted = sorted(set(keys))
        if unwanted:
            arrays = ", ".join(f"%s::{table.array(name)}" for name in table.key)
            query = f"DELETE FROM {table.name} WHERE ({', '.join(table.key)}) IN (SELECT * FROM unnest({arrays}))"
            self._connection.execute(query, [array(column) for column in zip(*unwanted, strict=True)])

    def execute(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """Run a statement of the projection's own that changes rows."""
        self._connection.execute(query, parameters)

    def _write(self, table: Table, rows: Sequence[Row], on_conflict: str) -> None:
        if not rows:
            return
        arrays = ", ".join(f"%s::{table.array(name)}" for name in table.columns)
        key = ", ".join(table.key)
        query = (
            f"INSERT INTO {table.name} ({', '.join(table.columns)}) SELECT * FROM unnest({arrays}) "
            f"ON CONFLICT ({key}) {on_conflict}"
        )
        ordered = sorted(rows, key=table.key_of)  # one order of locks for every writer
        self._connection.execute(query, [array(column) for column in zip(*ordered, strict=True)])


def _added_up(table: Table, rows: Iterable[Row], sums: Sequence[str]) -> list[Row]:
    """Return one row for each key."""
    summed = {position for position, name in enumerate(table.columns) if name in sums}
    totals: dict[Row, list[Any]] = {}
    for row in rows:
        key = table.key_of(row)
        if (total := totals.get(key)) is None:
            totals[key] = list(row)
            continue
        for position, value in enumerate(row):
            total[position] = total[position] + value if position in summed else value
    return [tuple(total) for total in totals.values()]


def _must_fit(row: Row, narrow: Sequence[int]) -> None:
    """Raise OverflowError if a number is larger than its 32 bits: in binary it would be cut off without a word."""
    for place in narrow:
        if row[place] is not None and not -(2**31) <= row[place] < 2**31:
            raise OverflowError(row[place])
