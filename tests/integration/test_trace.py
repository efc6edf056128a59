"""One trace from the till into every read model: through the command, the log, Kafka, a reaction, and Kafka again."""

from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from till_events.ids import new_id
from till_platform.testing.running import eventually

from .conftest import open_store, receipt

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Takes spans over OTLP, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans = defaultdict(list)
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    service = next(
                        a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
                    )
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            spans[span.trace_id.hex()].append((service, span.name, span.span_id, span.parent_span_id))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def collector():
    made = Collector()
    yield made
    made.close()


def test_a_receipts_trace_reaches_the_points_it_earned_in_the_customers_timeline(chain, collector):
    services = {
        name: chain(name, TILL_OTLP_ENDPOINT=collector.url).start()
        for name in ("order", "loyalty", "customer", "analytics")
    }
    with services["order"].client() as client:
        open_store(client)
        headers = {"Idempotency-Key": new_id(), "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        assert client.post("/v1/receipts", json=receipt("traced"), headers=headers).status_code == 201
    expected = {
        ("till-order", "POST /v1/receipts"),
        ("till-order", "project receipts"),
        ("till-analytics", "project sales"),
        ("till-customer", "project timelines"),
        ("till-loyalty", "react when_purchase_is_recorded"),
        ("till-loyalty", "project ledgers"),
    }
    eventually(lambda: expected <= {(service, name) for service, name, *_ in collector.spans[TRACE]}, within=60)

    spans = collector.spans[TRACE]
    by_id = {span_id: name for _, name, span_id, _ in spans}
    reacted = next(span_id for _, name, span_id, _ in spans if name == "react when_purchase_is_recorded")
    earned = [parent for service, name, _, parent in spans if (service, name) == ("till-loyalty", "project ledgers")]
    assert reacted in earned, "the points' read model hangs under the reaction that gave the points"
    timelines = [
        parent for service, name, _, parent in spans if (service, name) == ("till-customer", "project timelines")
    ]
    assert {by_id.get(parent) for parent in timelines} >= {"POST /v1/receipts", "react when_purchase_is_recorded"}
