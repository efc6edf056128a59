"""The worker's part of a trace: a batch of one trace continues it, a batch of many is linked to all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from till_platform.batch import Batch
from till_platform.telemetry import tracing


@contextmanager
def projecting(name: str, batch: Batch) -> Iterator[None]:
    """Open a span for the fold of one read model; costs nothing while nobody collects."""
    if not tracing.collecting():
        yield
        return
    traceparents = list(dict.fromkeys(fact.traceparent for fact in batch if fact.traceparent))
    traces = {traceparent[3:35] for traceparent in traceparents}
    parent = traceparents[-1] if len(traces) == 1 else None
    with tracing.span(
        f"project {name}", parent=parent, links=traceparents, kind="consumer", projection=name, events=len(batch)
    ):
        yield
