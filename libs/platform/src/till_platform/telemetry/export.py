"""Traces, figures and log lines sent to an OpenTelemetry collector by OTLP, if the settings name one."""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from till_platform.settings import Settings
from till_platform.telemetry.logs import json_lines
from till_platform.telemetry.tracing import configure_tracing

_BESIDE = frozenset({"event", "level", "logger", "timestamp", "service", "trace_id"})


def configure_export(settings: Settings) -> Callable[[], None]:
    """Send what this process tells to the collector from now on. Return what sends the rest and ends it.

    Imported on demand, and called after a fork: it starts threads.
    """
    stops = [configure_tracing(settings)]
    if settings.otlp_endpoint is not None:
        stops += [_send_figures(settings, settings.otlp_endpoint), _send_lines(settings, settings.otlp_endpoint)]

    def stop() -> None:
        for one in reversed(stops):
            one()

    return stop


def _send_figures(settings: Settings, endpoint: str) -> Callable[[], None]:
    from till_platform.telemetry.figures_export import FiguresExport

    export = FiguresExport(endpoint, service=settings.service, seconds=settings.otlp_metrics_seconds)
    export.start()
    return export.stop


def _send_lines(settings: Settings, endpoint: str) -> Callable[[], None]:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    from till_platform.telemetry.resource import resource_of

    provider = LoggerProvider(resource_of(settings.service), shutdown_on_exit=False)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(endpoint=endpoint.rstrip("/") + "/v1/logs"))
    )
    handler = _Lines(provider.get_logger("tillstream"))
    handler.setFormatter(json_lines(settings))
    handler.addFilter(_not_about_the_export)
    logging.getLogger().addHandler(handler)

    def stop() -> None:
        logging.getLogger().removeHandler(handler)
        provider.shutdown()

    return stop


class _Lines(logging.Handler):
    """Sends the same lines that are written to stderr, after everything personal was hidden in them."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        from opentelemetry._logs import LogRecord, SeverityNumber

        line = json.loads(self.format(record))
        moment = int(datetime.fromisoformat(line["timestamp"]).timestamp() * 1_000_000_000)
        self._logger.emit(
            LogRecord(
                timestamp=moment,
                observed_timestamp=moment,
                severity_text=record.levelname,
                severity_number=SeverityNumber[
                    {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(record.levelname, record.levelname)
                ],
                body=line["event"],
                attributes=dict(_attributes(line.items())),
                context=_context(line.get("trace_id")),
            )
        )


def _attributes(items: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    for key, value in items:
        if key not in _BESIDE and value is not None:
            yield key, value if isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False)


def _context(trace_id: str | None) -> Any:
    """A line belongs to the trace that it names; the span within it is not known here."""
    from opentelemetry.trace import get_current_span, set_span_in_context

    span = get_current_span()
    return set_span_in_context(span) if trace_id and span.get_span_context().is_valid else None


def _not_about_the_export(record: logging.LogRecord) -> bool:
    """What is said while lines are sent must not be sent: it would never end."""
    return not record.name.startswith(("opentelemetry", "urllib3", "requests"))
