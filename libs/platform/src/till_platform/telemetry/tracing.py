"""One trace from the HTTP command through the log and Kafka into every projection; costs next to nothing while nobody collects it."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from till_platform import context
from till_platform.settings import Settings
from till_platform.telemetry.redaction import safe

Kind = Literal["internal", "server", "producer", "consumer", "client"]
_KINDS = {kind: SpanKind[kind.upper()] for kind in ("internal", "server", "producer", "consumer", "client")}
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
MOST_LINKS = 64


class Current:
    """The span that is open: it may learn its name and facts on the way."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span | None) -> None:
        self._span = span

    def name(self, name: str) -> None:
        """Give the span a better name."""
        if self._span:
            self._span.update_name(name)

    def note(self, **facts: Any) -> None:
        """Note facts, by the keys that logs may have too; others are left out."""
        if self._span:
            self._span.set_attributes({f"till.{key}": value for key, value in safe(facts).items()})


_NOBODY_LOOKS = Current(None)
_tracer: trace.Tracer | None = None


def collect(tracer: trace.Tracer | None) -> None:
    """Open spans with this tracer from now on; with None, open none."""
    global _tracer  # noqa: PLW0603 - one tracer per process, set by `main` before anything is traced
    _tracer = tracer


def collecting() -> bool:
    """Return whether anybody collects spans."""
    return _tracer is not None


@contextmanager
def span(
    name: str, *, parent: str | None = None, links: Iterable[str | None] = (), kind: Kind = "internal", **facts: Any
) -> Iterator[Current]:
    """Open a span: under `parent` (a traceparent) if given, else under the open one. `links` are traceparents of what is handled together.

    An exception marks it as failed; its message is left out, since it may quote what somebody typed.
    """
    if _tracer is None:
        yield _NOBODY_LOOKS
        return
    with _tracer.start_as_current_span(
        name,
        context=_under(parent),
        kind=_KINDS[kind],
        links=_links(links),
        attributes={f"till.{key}": value for key, value in safe(facts).items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        try:
            yield Current(opened)
        except Exception as error:
            opened.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def current_traceparent() -> str | None:
    """Return the W3C traceparent that what happens now belongs to: of the open span, else of the ambient context."""
    if _tracer is not None:
        opened = trace.get_current_span().get_span_context()
        if opened.is_valid:
            return f"00-{opened.trace_id:032x}-{opened.span_id:016x}-{opened.trace_flags:02x}"
    origin = context.ambient()
    return origin.traceparent if origin else None


def valid_traceparent(header: bytes | str | None) -> str | None:
    """Return the traceparent if it is one, else None: what comes from outside is not passed on unread."""
    if header is None:
        return None
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    return text if _span_context(text) else None


def trace_id() -> str | None:
    """Return the id of the trace that is open, for log lines."""
    traceparent = current_traceparent()
    return traceparent[3:35] if traceparent else None


def configure_tracing(settings: Settings) -> Callable[[], None]:
    """Collect spans if the settings name a collector. Return what flushes them at the end."""
    if settings.otlp_endpoint is None:
        collect(None)
        return lambda: None
    tracer, stop = tracer_to(settings.otlp_endpoint, service=settings.service, ratio=settings.trace_ratio)
    collect(tracer)
    return stop


def tracer_to(endpoint: str, *, service: str, ratio: float) -> tuple[trace.Tracer, Callable[[], None]]:
    """Return a tracer that sends spans to an OTLP collector, and what flushes and ends it. Imported on demand: most processes have none."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from till_platform.telemetry.resource import resource_of

    provider = TracerProvider(
        resource=resource_of(service),
        sampler=ParentBased(TraceIdRatioBased(ratio)),
        shutdown_on_exit=False,
    )
    address = endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    return provider.get_tracer("tillstream"), provider.shutdown


def _under(parent: str | None) -> Any:
    remote = _span_context(parent) if parent else None
    return trace.set_span_in_context(NonRecordingSpan(remote)) if remote else None


def _links(traceparents: Iterable[str | None]) -> list[Link]:
    distinct = dict.fromkeys(filter(None, traceparents))
    contexts = (_span_context(traceparent) for traceparent in list(distinct)[:MOST_LINKS])
    return [Link(remote) for remote in contexts if remote]


def _span_context(traceparent: str) -> SpanContext | None:
    match = _TRACEPARENT.fullmatch(traceparent)
    if not match:
        return None
    remote = SpanContext(
        int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(int(match[3], 16))
    )
    return remote if remote.is_valid else None
