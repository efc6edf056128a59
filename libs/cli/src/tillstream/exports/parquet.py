"""An export as Parquet: one row for each event, the value's bytes as they stand in the log."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import polars as pl

from till_events.envelope import Envelope
from tillstream.audit.check import Entry

ROWS_AT_ONCE = 20_000
_MOMENT = pl.Datetime("us", "UTC")
SCHEMA: dict[str, Any] = {
    "source": pl.String,
    "position": pl.Int64,
    "stream": pl.String,
    "sequence": pl.Int64,
    "id": pl.String,
    "type": pl.String,
    "key": pl.String,
    "public": pl.Boolean,
    "occurred_at": _MOMENT,
    "recorded_at": _MOMENT,
    "correlation_id": pl.String,
    "causation_id": pl.String,
    "actor": pl.String,
    "store_id": pl.String,
    "traceparent": pl.String,
    "chain_hash": pl.Binary,
    "data": pl.Binary,
}

MAY_BE_ABSENT = frozenset({"causation_id", "actor", "store_id", "traceparent"})


def write_parquet(path: Path, entries: Iterable[Entry]) -> None:
    """Write the events to one file, in little memory: in pieces first, which are then put together beside it."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        pieces = Path(folder)
        events = iter(entries)
        for number in count():
            frame = _frame(islice(events, ROWS_AT_ONCE))
            if number and frame.is_empty():
                break
            frame.write_parquet(pieces / f"{number:09}.parquet")
        whole = pieces / "whole"
        pl.scan_parquet(pieces / "*.parquet").sink_parquet(whole, row_group_size=ROWS_AT_ONCE)
        shutil.move(whole, path)


def read_parquet(path: Path) -> Iterator[Entry]:
    """Yield the events of a file, some at a time. Raises `ValueError` for a file that is no export."""
    try:
        frame = pl.scan_parquet(path)
        if dict(frame.collect_schema()) != dict(pl.Schema(SCHEMA)):
            raise ValueError("its columns are not those of an export")
        (rows,) = frame.select(pl.len()).collect().row(0)
    except pl.exceptions.PolarsError as error:
        raise ValueError("not a Parquet file") from error
    for start in range(0, rows, ROWS_AT_ONCE):
        for row in frame.slice(start, ROWS_AT_ONCE).collect().iter_rows(named=True):
            yield _entry(row)


def _frame(entries: Iterable[Entry]) -> pl.DataFrame:
    return pl.DataFrame([_row(entry) for entry in entries], schema=SCHEMA, orient="row")


def _row(entry: Entry) -> tuple[Any, ...]:
    envelope = entry.envelope
    return (
        envelope.source,
        envelope.position,
        envelope.subject,
        envelope.sequence,
        envelope.id,
        envelope.type,
        envelope.key,
        entry.public,
        envelope.time,
        envelope.recorded_at,
        envelope.correlation_id,
        envelope.causation_id,
        envelope.actor,
        envelope.store_id,
        envelope.traceparent,
        entry.chain,
        entry.data,
    )


def _entry(row: dict[str, Any]) -> Entry:
    if any(row[name] is None for name in SCHEMA if name not in MAY_BE_ABSENT):
        raise ValueError("a column is empty that never is")
    envelope = Envelope(
        id=row["id"],
        type=row["type"],
        source=row["source"],
        subject=row["stream"],
        key=row["key"],
        sequence=row["sequence"],
        position=row["position"],
        time=row["occurred_at"],
        recorded_at=row["recorded_at"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        actor=row["actor"],
        store_id=row["store_id"],
        traceparent=row["traceparent"],
    )
    return Entry(envelope, row["data"], row["public"], row["chain_hash"])
