"""The worker's part of a trace: a batch of one trace continues it; a batch of many, or one of long ago, is linked to all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from till_platform.batch import Batch, Fact
from till_platform.telemetry import tracing

REPLAY = timedelta(minutes=15)
"""What was recorded longer ago is read again, or for the first time by a read model that is new: its trace was over, and stays so."""

LOOKED_AT = 1_000
"""So many events of a batch are asked for their traces: one with more is a backlog, and of more traces than a span can be linked to."""


@contextmanager
def projecting(name: str, batch: Batch) -> Iterator[None]:
    """Open a span for the fold of one read model; costs nothing while nobody collects."""
    if not tracing.collecting():
        yield
        return
    traceparents = _distinct(batch)
    traces = {traceparent[3:35] for traceparent in traceparents}
    of_one = len(traces) == 1 and len(traceparents) <= tracing.MOST_LINKS
    parent = traceparents[-1] if of_one and not _of_long_ago(batch.facts[-1]) else None
    with tracing.span(
        f"project {name}", parent=parent, links=traceparents, kind="consumer", projection=name, events=len(batch)
    ):
        yield


def _distinct(batch: Batch) -> list[str]:
    """Return the traceparents of a batch, one more at most than a span may be linked to: nobody asks for the rest."""
    found: dict[str, None] = {}
    for fact in islice(batch, LOOKED_AT):
        if traceparent := fact.traceparent:
            found[traceparent] = None
            if len(found) > tracing.MOST_LINKS:
                break
    return list(found)


def _of_long_ago(fact: Fact[Any]) -> bool:
    return datetime.now(UTC) - fact.recorded_at > REPLAY
