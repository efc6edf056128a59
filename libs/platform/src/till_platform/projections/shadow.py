"""Tables that are being built beside the live ones, and how far they have come. Both move in one transaction, so a rebuild can go on."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from psycopg import Connection, sql

from till_platform.code import fingerprint_of
from till_platform.projections import tables
from till_platform.projections.projection import Projection
from till_platform.worker.cursor import Cursor, Partition

_RUN = "CREATE TABLE {} (run uuid NOT NULL, code text NOT NULL, started_at timestamptz NOT NULL)"
_PROGRESS = """
CREATE TABLE {} (topic text, partition integer, next_offset bigint NOT NULL, last_position bigint NOT NULL, PRIMARY KEY (topic, partition))
"""
_SAVE = """
INSERT INTO {} SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset, last_position = excluded.last_position
"""
RUN, PROGRESS = "rebuild_run", "rebuild_progress"


class Shadow:
    """The tables of some projections in schemas named after them with a suffix. They are built together, and gone on with together."""

    def __init__(self, connection: Connection[Any], projections: Sequence[Projection], suffix: str) -> None:
        self._connection = connection
        self._projections = sorted(projections, key=lambda part: part.name)
        self._suffix = suffix

    @property
    def code(self) -> str:
        """What must be the same for a rebuild to be gone on with: which projections, their versions, and the code."""
        versions = [(part.name, part.version, fingerprint_of(type(part))) for part in self._projections]
        return hashlib.sha256(repr(versions).encode()).hexdigest()

    def schema(self, projection: Projection) -> str:
        """Return the schema in which a projection is being built."""
        return projection.name + self._suffix

    def create(self) -> None:
        """Begin anew with empty tables."""
        with self._connection.transaction():
            self.drop()
            run = uuid4()
            for part in self._projections:
                tables.create(self._connection, part, self.schema(part))
                self._connection.execute(sql.SQL(_RUN).format(self._table(part, RUN)))
                insert = sql.SQL("INSERT INTO {} VALUES (%s, %s, clock_timestamp())").format(self._table(part, RUN))
                self._connection.execute(insert, [run, self.code])
            self._connection.execute(sql.SQL(_PROGRESS).format(self._progress))

    def can_go_on(self) -> bool:
        """Whether an interrupted rebuild of just these projections, by just this code, is there."""
        runs = set()
        for part in self._projections:
            table = f"{self.schema(part)}.{RUN}"
            if self._connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
                return False
            runs.update(self._connection.execute(self._select("run, code", part)).fetchall())
        return len(runs) == 1 and {code for _, code in runs} == {self.code}

    def started_at(self) -> datetime:
        """Return when it was begun."""
        (found,) = self._connection.execute(self._select("started_at", self._projections[0])).fetchone() or (None,)
        assert isinstance(found, datetime)
        return found

    def cursors(self) -> dict[Partition, Cursor]:
        """Return how far the tables have come."""
        query = sql.SQL("SELECT topic, partition, next_offset, last_position FROM {}").format(self._progress)
        return {(topic, number): Cursor(*place) for topic, number, *place in self._connection.execute(query)}

    def save(self, cursors: Mapping[Partition, Cursor]) -> None:
        """Keep how far the tables have come, in the transaction that brought them there."""
        places = sorted(cursors)
        columns = [
            [topic for topic, _ in places],
            [number for _, number in places],
            [cursors[place].next_offset for place in places],
            [cursors[place].last_position for place in places],
        ]
        self._connection.execute(sql.SQL(_SAVE).format(self._progress), columns)

    def forget_progress(self) -> None:
        """Leave nothing in the schemas but the tables of the projections."""
        for part in self._projections:
            self._connection.execute(sql.SQL("DROP TABLE {}").format(self._table(part, RUN)))
        self._connection.execute(sql.SQL("DROP TABLE {}").format(self._progress))

    def drop(self) -> None:
        """Drop what was built."""
        for part in self._projections:
            tables.drop(self._connection, self.schema(part))

    @property
    def _progress(self) -> sql.Identifier:
        return self._table(self._projections[0], PROGRESS)

    def _table(self, part: Projection, name: str) -> sql.Identifier:
        return sql.Identifier(self.schema(part), name)

    def _select(self, columns: str, part: Projection) -> sql.Composed:
        return sql.SQL("SELECT " + columns + " FROM {}").format(self._table(part, RUN))
