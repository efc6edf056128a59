"""Log lines as JSON (or coloured text for people), with the ids that tie them together and without anything personal."""

import logging
import sys
from collections.abc import Callable, MutableMapping
from time import monotonic
from typing import Any

import structlog

from till_platform import context
from till_platform.settings import Settings
from till_platform.telemetry.redaction import HIDDEN, SAFE_KEYS, described, shown
from till_platform.telemetry.tracing import trace_id

Line = MutableMapping[str, Any]
# Libraries whose messages are about connections and partitions. Of the others only the sentence is kept, without what is filled in.
_OURS = ("till_", "tillstream")
_TRUSTED = ("aiokafka", "uvicorn", "psycopg.pool", "faststream", *_OURS)
_SILENCE = 30.0
_SENTENCES = 256
_CHATTY = {
    "uvicorn.access": logging.CRITICAL,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
    "aiokafka": logging.WARNING,
}
_INTERNAL = frozenset({"exc_info", "stack_info", "_record", "_from_structlog"})


def configure_logging(settings: Settings) -> None:
    """Set up logging of this process, our own lines and those of libraries alike."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_line(settings.service),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(settings.service, settings.log_format))
    handler.addFilter(SeldomTheSame())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name, level in _CHATTY.items():
        logging.getLogger(name).setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.error").addFilter(_not_logged_already)


def json_lines(settings: Settings) -> logging.Formatter:
    """Return what makes a line of JSON of whatever is logged, with nothing personal in it, whatever form stderr gets."""
    return _formatter(settings.service, "json")


def _formatter(service: str, log_format: str) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_of_a_library, *_line(service)],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(log_format)],
    )


class SeldomTheSame(logging.Filter):
    """Lets a library say the same sentence every half minute: some say ten times a second that Kafka is away.

    What it says then bears how often it was held back meanwhile. Another sentence, or another error behind it, is said at once.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str, type | None], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(_OURS):
            return True
        now, error = self._clock(), record.exc_info[0] if record.exc_info else None
        sentence = (record.name, record.getMessage(), error)
        said, held_back = self._said.get(sentence, (-_SILENCE, 0))
        if now - said < _SILENCE:
            self._said[sentence] = said, held_back + 1
            return False
        if len(self._said) >= _SENTENCES:
            self._said.clear()
        self._said[sentence] = now, 0
        record.repeated = held_back
        return True


def _line(service: str) -> list[Any]:
    def named(_: Any, __: str, line: Line) -> Line:
        line["service"] = service
        return line

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        named,
        with_origin,
        with_error,
        without_personal_data,
    ]


def _renderer(log_format: str) -> Any:
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def with_origin(_: Any, __: str, line: Line) -> Line:
    """Add what the line belongs to: the command from outside, and the trace."""
    if origin := context.ambient():
        line.setdefault("correlation_id", origin.correlation_id)
        if origin.actor:
            line.setdefault("actor", origin.actor)
    if trace := trace_id():
        line.setdefault("trace_id", trace)
    return line


def with_error(_: Any, __: str, line: Line) -> Line:
    """Turn an exception into what went wrong and where."""
    error = line.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        line.update(described(error))
    return line


def without_personal_data(_: Any, __: str, line: Line) -> Line:
    """Hide the value of every key that is not known to be harmless."""
    for key, value in line.items():
        if key not in _INTERNAL:
            line[key] = shown(value) if key in SAFE_KEYS else HIDDEN
    return line


def _not_logged_already(record: logging.LogRecord) -> bool:
    """Our middleware logs what a request stumbled over, with its ids; uvicorn would do so once more."""
    return not record.getMessage().startswith("Exception in ASGI application")


def _of_a_library(_: Any, __: str, line: Line) -> Line:
    record: logging.LogRecord = line["_record"]
    if not record.name.startswith(_TRUSTED):
        line["event"] = str(record.msg)
    if repeated := getattr(record, "repeated", 0):
        line["repeated"] = repeated
    line["exc_info"] = record.exc_info
    return line
