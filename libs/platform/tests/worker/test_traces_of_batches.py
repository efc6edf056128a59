"""A fold is part of the trace it goes on with, and linked to traces that are many, or over."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from till_platform.batch import Batch
from till_platform.telemetry.tracing import MOST_LINKS, collect
from till_platform.worker.traces import LOOKED_AT, projecting

ONE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    collect(provider.get_tracer("test"))
    yield exporter
    collect(None)
    provider.shutdown()


def fact(traceparent: str, age: timedelta = timedelta()) -> SimpleNamespace:
    return SimpleNamespace(traceparent=traceparent, recorded_at=datetime.now(UTC) - age)


@pytest.mark.parametrize(
    ("facts", "is_nested"),
    [
        ([fact(ONE), fact(ONE)], True),
        ([fact(ONE), fact(OTHER)], False),
        ([fact(ONE, timedelta(days=400))], False),
        ([fact(ONE, timedelta(minutes=5))], True),
    ],
)
def test_a_replay_is_linked_to_the_trace_of_long_ago_and_does_not_prolong_it(spans, facts, is_nested):
    with projecting("sales", Batch(facts)):
        pass
    (fold,) = spans.get_finished_spans()
    assert (fold.parent is not None) is is_nested
    assert {f"{link.context.trace_id:032x}" for link in fold.links} == {one.traceparent[3:35] for one in facts}


def test_a_batch_of_more_traces_than_a_span_is_linked_to_is_not_read_to_its_end(spans):
    many = [fact(f"00-{number:032x}-b7ad6b7169203331-01") for number in range(1, MOST_LINKS + 2)]
    with projecting("sales", Batch([*many, SimpleNamespace()])):
        pass
    (fold,) = spans.get_finished_spans()
    assert fold.parent is None
    assert [link.context.trace_id for link in fold.links] == list(range(1, MOST_LINKS + 1))


def test_a_backlog_without_traces_is_not_searched_to_its_end(spans):
    with projecting("sales", Batch([*[fact(None)] * LOOKED_AT, SimpleNamespace()])):
        pass
    (fold,) = spans.get_finished_spans()
    assert (fold.parent, list(fold.links)) == (None, [])


def test_more_spans_of_one_trace_than_a_span_is_linked_to_are_no_parent_since_others_may_follow(spans):
    many = [fact(f"00-{7:032x}-{number:016x}-01") for number in range(1, MOST_LINKS + 3)]
    with projecting("sales", Batch(many)):
        pass
    (fold,) = spans.get_finished_spans()
    assert (fold.parent, len(fold.links)) == (None, MOST_LINKS)
