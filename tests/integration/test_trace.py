"""One trace from the till into every read model: the command, the log, Kafka, a reaction, and Kafka again. Figures and lines too."""

from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from till_events.ids import new_id
from till_platform.testing.running import eventually

from .conftest import open_store, receipt

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CRASHED = "5cf92f3577b34da6a3ce929d0e0e4737"


class Collector:
    """Takes spans, figures and log lines over OTLP, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans = defaultdict(list)
        self.figures = defaultdict(dict)
        self.lines = defaultdict(list)
        takers = {"/v1/traces": self._take_spans, "/v1/metrics": self._take_figures, "/v1/logs": self._take_lines}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                takers[self.path](self.rfile.read(int(self.headers["Content-Length"])))
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

    def _take_spans(self, body: bytes) -> None:
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            for span in (span for scope in part.scope_spans for span in scope.spans):
                seen = (service_of(part), span.name, span.span_id, span.parent_span_id)
                self.spans[span.trace_id.hex()].append(seen)

    def _take_figures(self, body: bytes) -> None:
        for part in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (metric for scope in part.scope_metrics for metric in scope.metrics):
                points = getattr(metric, metric.WhichOneof("data")).data_points
                self.figures[service_of(part)].setdefault(metric.name, []).extend(points)

    def _take_lines(self, body: bytes) -> None:
        for part in ExportLogsServiceRequest.FromString(body).resource_logs:
            for line in (line for scope in part.scope_logs for line in scope.log_records):
                self.lines[service_of(part)].append(line)


def service_of(part) -> str:
    return next(one.value.string_value for one in part.resource.attributes if one.key == "service.name")


@pytest.fixture(scope="module")
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="module")
def services(collector, chain):  # in this order: services end first, and send the rest then
    telling = {"TILL_OTLP_ENDPOINT": collector.url, "TILL_OTLP_METRICS_SECONDS": "1"}
    found = {name: chain(name, **telling).start() for name in ("order", "loyalty", "customer", "analytics")}
    with found["order"].client() as client:
        open_store(client)
    return found


def sell(order, trace: str, customer: str) -> None:
    with order.client() as client:
        headers = {"Idempotency-Key": new_id(), "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        assert client.post("/v1/receipts", json=receipt(customer), headers=headers).status_code == 201


def test_a_receipts_trace_reaches_the_points_it_earned_in_the_customers_timeline(services, collector):
    sell(services["order"], TRACE, "traced")
    expected = {
        ("till-order", "POST /v1/receipts"),
        ("till-order", "project receipts"),
        ("till-analytics", "project sales"),
        ("till-customer", "project timelines"),
        ("till-loyalty", "react when_purchase_is_recorded"),
        ("till-loyalty", "project ledgers"),
    }
    eventually(lambda: expected <= {(service, name) for service, name, *_ in collector.spans[TRACE]}, within=60)

    def under(service: str, name: str) -> set[str]:
        """Return the names of the spans that spans of this name hang under."""
        names = {span_id: found for _, found, span_id, _ in collector.spans[TRACE]}
        return {
            names.get(parent) for where, found, _, parent in collector.spans[TRACE] if (where, found) == (service, name)
        }

    reaction = "react when_purchase_is_recorded"
    eventually(lambda: reaction in under("till-loyalty", "project ledgers"))
    eventually(lambda: {"POST /v1/receipts", reaction} <= under("till-customer", "project timelines"))


def test_a_trace_goes_on_after_whoever_took_the_sale_and_whoever_was_to_hear_of_it_were_killed(services, collector):
    services["loyalty"].kill()
    sell(services["order"], CRASHED, "crashed")
    services["order"].kill()
    heard_before = {(service, name) for service, name, *_ in collector.spans[CRASHED]}
    assert ("till-loyalty", "react when_purchase_is_recorded") not in heard_before
    services["order"].start()
    services["loyalty"].start()

    expected = {("till-loyalty", "react when_purchase_is_recorded"), ("till-loyalty", "project ledgers")}
    eventually(lambda: expected <= {(service, name) for service, name, *_ in collector.spans[CRASHED]}, within=90)
    ((recorded,),) = services["order"].rows(
        "SELECT traceparent FROM log WHERE type = 'tillstream.order.PurchaseRecorded.v1' AND key = 'crashed'"
    )
    (parent,) = {one for _, name, _, one in collector.spans[CRASHED] if name == "react when_purchase_is_recorded"}
    assert recorded[3:52] == f"{CRASHED}-{parent.hex()}"


def test_figures_reach_the_collector_under_the_names_they_have_at_metrics(services, collector):
    def arrived() -> bool:
        points = collector.figures["till-order"].get("till_events_recorded_total", [])
        names = {one.value.string_value for point in points for one in point.attributes}
        return "PurchaseRecorded" in names and "till_consumer_lag_seconds" in collector.figures["till-analytics"]

    eventually(arrived, within=30)
    seconds = max(collector.figures["till-order"]["till_append_seconds"], key=lambda point: point.count)
    assert seconds.count == sum(seconds.bucket_counts) > 0
    assert len(seconds.bucket_counts) == len(seconds.explicit_bounds) + 1
    assert not seconds.HasField("min")


def test_lines_reach_the_collector_with_nothing_personal_in_them(services, collector):
    with services["customer"].client() as client:
        body = {"name": {"given": "Canary", "family": "Kanarek"}, "phone": "+48600100200", "unknown": "canary-field"}
        client.post("/v1/customers", json=body, headers={"Idempotency-Key": new_id()})
    services["analytics"].stop()  # what is left is sent at the end
    assert any(line.body.string_value for line in collector.lines["till-analytics"])
    assert all(line.severity_text for line in collector.lines["till-analytics"])
    everything = "".join(map(str, (line for lines in collector.lines.values() for line in lines)))
    assert "anary" not in everything
    assert "600100200" not in everything
