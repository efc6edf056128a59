"""The figures of Prometheus's registry, sent by OTLP: the same names, the same numbers."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import inf
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from till_platform.telemetry.metrics import REGISTRY
from till_platform.telemetry.resource import resource_of

PATIENCE_SECONDS = 3.0
"""So long the collector may take, at the end too: a process that is to stop does not wait for one that is away."""

Labels = tuple[tuple[str, str], ...]


class FiguresExport:
    """Sends all figures every few seconds, and once more when it ends."""

    def __init__(self, endpoint: str, *, service: str, seconds: float) -> None:
        self._exporter = OTLPMetricExporter(endpoint=endpoint.rstrip("/") + "/v1/metrics", timeout=PATIENCE_SECONDS)
        self._resource = resource_of(service)
        self._scope = InstrumentationScope("tillstream")
        self._seconds = seconds
        self._began = time.time_ns()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._send_forever, name="figures", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send once more and end."""
        self._end.set()
        self._thread.join(PATIENCE_SECONDS)
        self._exporter.shutdown()

    def _send_forever(self) -> None:
        while not self._end.wait(self._seconds):
            self._send()
        self._send()

    def _send(self) -> None:
        metrics = list(metrics_of(REGISTRY.collect(), self._began, time.time_ns()))
        scope = ScopeMetrics(self._scope, metrics, "")
        self._exporter.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))


def metrics_of(families: Iterable[Family], began: int, now: int) -> Iterator[Metric]:
    """Return the figures as OTLP has them. Counters and histograms count since the process began; times are nanoseconds."""
    cumulative = AggregationTemporality.CUMULATIVE
    for family in families:
        data: Sum | Gauge | Histogram
        if family.type == "histogram":
            data = Histogram(list(_histograms(family.samples, began, now)), cumulative)
        else:
            counts = family.type == "counter"
            points = [
                NumberDataPoint(sample.labels, began, now, sample.value)
                for sample in family.samples
                if not sample.name.endswith("_created")
            ]
            data = Sum(points, cumulative, is_monotonic=True) if counts else Gauge(points)
        if data.data_points:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield Metric(name, family.documentation, family.unit or "", data)


def _histograms(samples: Iterable[Sample], began: int, now: int) -> Iterator[HistogramDataPoint]:
    found: defaultdict[Labels, dict[str, Any]] = defaultdict(lambda: {"below": {}})
    for sample in samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        part = found[tuple(sorted(labels.items()))]
        if sample.name.endswith("_bucket"):
            part["below"][float(sample.labels["le"])] = int(sample.value)
        elif sample.name.endswith("_sum"):
            part["sum"] = sample.value
    for series, part in found.items():
        bounds = sorted(part["below"])
        counts = [part["below"][bound] for bound in bounds]
        each = [count - before for count, before in zip(counts, [0, *counts], strict=False)]
        yield HistogramDataPoint(
            dict(series),
            began,
            now,
            counts[-1],
            part["sum"],
            each,
            [one for one in bounds if one != inf],
            None,  # type: ignore[arg-type]  # Prometheus keeps neither the smallest nor the largest; None leaves them out
            None,  # type: ignore[arg-type]
        )
