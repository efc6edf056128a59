"""A trace runs from a request through what it leads to; without a collector it costs next to nothing."""

import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from till_platform import context
from till_platform.context import Context
from till_platform.telemetry import tracing
from till_platform.telemetry.tracing import collect, configure_tracing, current_traceparent, span, valid_traceparent

OUTSIDE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    collect(provider.get_tracer("test"))
    yield exporter
    collect(None)
    provider.shutdown()


def test_a_trace_from_outside_runs_through_the_request_into_what_is_recorded(house, spans) -> None:
    more = {**house.headers(), "traceparent": OUTSIDE, "Idempotency-Key": "k"}
    house.client.post("/v1/shelves", json={"shelf_id": "a", "store_id": "S1", "apples": 1}, headers=more)
    (request,) = spans.get_finished_spans()
    (recorded,) = house.log.contexts
    assert request.name == "POST /v1/shelves"
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (OUTSIDE[3:35], OUTSIDE[36:52])
    assert recorded.traceparent == f"00-{OUTSIDE[3:35]}-{request.context.span_id:016x}-01"
    assert dict(request.attributes) == {"till.method": "POST", "till.route": "/v1/shelves", "till.status": 201}


def test_what_is_handled_later_hangs_on_the_event_and_is_linked_to_its_batch(spans) -> None:
    with span("order.append"):
        event = current_traceparent()
    with span("loyalty.batch", kind="consumer", links=[event, event, None, "rubbish"], consumer="till.loyalty.worker"):
        batch = current_traceparent()
        with span("loyalty.when_purchase_recorded", parent=event):
            assert current_traceparent()[3:35] == event[3:35]
        assert current_traceparent() == batch
    append, reaction, consumed = spans.get_finished_spans()
    assert reaction.parent.span_id == append.context.span_id
    assert consumed.parent is None
    assert [link.context.span_id for link in consumed.links] == [append.context.span_id]
    assert dict(consumed.attributes) == {"till.consumer": "till.loyalty.worker"}


def test_a_span_holds_nothing_personal(house, spans) -> None:
    house.client.get("/v1/shelves/%2B48600100200?phone=%2B48600100200", headers=house.headers())
    with pytest.raises(ValueError), span("import", name_of_customer="Anna Nowak"):  # noqa: PT011 - any failure will do
        raise ValueError("Anna Nowak")
    _, failed = spans.get_finished_spans()
    assert failed.status.status_code is StatusCode.ERROR
    written = "".join(finished.to_json() for finished in spans.get_finished_spans())
    assert "Nowak" not in written
    assert "600100200" not in written


def test_without_a_collector_the_trace_is_passed_on_unchanged() -> None:
    with context.within(Context(correlation_id="c", traceparent=OUTSIDE)), span("anything"):
        assert current_traceparent() == OUTSIDE
    assert current_traceparent() is None


def test_without_a_collector_a_span_costs_next_to_nothing() -> None:
    started = time.process_time()
    for _ in range(10_000):
        with span("fold", count=1):
            pass
    assert (time.process_time() - started) / 10_000 < 0.00005


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"rubbish",
        OUTSIDE[:-1],
        OUTSIDE.upper(),
        "00-" + "0" * 32 + OUTSIDE[35:],
        OUTSIDE + "-x",
        "01" + OUTSIDE[2:],
        b"\xff" * 55,
    ],
)
def test_what_is_no_traceparent_is_dropped(header) -> None:
    assert valid_traceparent(header) is None


def test_spans_go_to_the_collector_that_the_settings_name(house, monkeypatch) -> None:
    assert configure_tracing(house.settings)() is None
    assert tracing._tracer is None
    stop = configure_tracing(
        house.settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:9", "trace_ratio": 0.0})
    )
    with span("not sampled"):
        assert int(current_traceparent()[-2:], 16) & 1 == 0
    stop()
    collect(None)
