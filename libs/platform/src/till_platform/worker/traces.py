"""The worker's part of a trace: a batch of one trace continues it; a batch of many, or one of long ago, is linked to all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from till_platform.batch import Batch
from till_platform.telemetry import tracing

REPLAY = timedelta(minutes=15)
"""What was recorded longer ago is read again, or for the first time by a read model that is new: its trace was over, and stays so."""


@contextmanager
def projecting(name: str, batch: Batch) -> Iterator[None]:
    """Open a span for the fold of one read model; costs nothing while nobody collects."""
    if not tracing.collecting():
        yield
        return
    traceparents = list(dict.fromkeys(fact.traceparent for fact in batch if fact.traceparent))
    traces = {traceparent[3:35] for traceparent in traceparents}
    parent = traceparents[-1] if len(traces) == 1 and not _of_long_ago(batch) else None
    with tracing.span(
        f"project {name}", parent=parent, links=traceparents, kind="consumer", projection=name, events=len(batch)
    ):
        yield


def _of_long_ago(batch: Batch) -> bool:
    return datetime.now(UTC) - max(fact.recorded_at for fact in batch) > REPLAY
