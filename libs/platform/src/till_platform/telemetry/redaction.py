"""What may leave a process in logs and traces: a list of keys that hold no personal data. Whatever is not on it is hidden."""

import re
import traceback
from collections.abc import Mapping
from typing import Any

from till_platform.domain import DomainError

HIDDEN = "[hidden]"
_LONGEST = 1000
_FRAMES = 8
_SOURCES = re.compile(r".*/(src|site-packages|lib/python3\.\d+)/")

# Ids are surrogates: a customer's id says nothing without the customer service. Phone numbers, e-mail addresses, names, card numbers,
# texts and anything a person typed never get onto this list.
SAFE_KEYS: frozenset[str] = frozenset(
    """
    event level timestamp logger service version pid environment part
    correlation_id causation_id trace_id span_id actor role traceparent
    event_id event_type type stream sequence position from_position to_position
    order_id customer_id store_id till_id purchase_id product_id account_id message_id template_id programme_id rule_id import_id
    topic partition partitions offset next_offset high_watermark lag group consumer projection reaction job sender watcher effect kind
    count repeated commands events records rows lines batch seconds ms bytes attempts tries pause outcome why status code state reason_code
    method route check host port address
    error where failure cause sqlstate constraint
    """.split()  # noqa: SIM905 - read as a list of words, by subject
)
_OUTSPOKEN = (OSError, TimeoutError, TypeError, AttributeError, NameError, ImportError, NotImplementedError)


def safe(facts: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """Return the facts that may be shown."""
    return {key: shown(value) for key, value in facts.items() if key in SAFE_KEYS and value is not None}


def shown(value: Any) -> str | int | float | bool:
    """Return a plain value as it is, text cut short; of anything else only what it is."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
    if isinstance(value, list | tuple) and all(isinstance(item, int) for item in value):
        return str(shown(",".join(map(str, value))))
    return f"<{type(value).__name__}>"


def described(error: BaseException) -> dict[str, Any]:
    """Say what went wrong and where, without what somebody typed: an exception's message often quotes it."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = (f"{_SOURCES.sub('', frame.filename)}:{frame.lineno} {frame.name}" for frame in frames)
    facts: dict[str, Any] = {
        "error": type(error).__name__,
        "where": " > ".join(places),
    }
    if message := _message(error):
        facts["failure"] = message
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        facts["cause"] = " ".join(filter(None, [type(cause).__name__, _message(cause)]))
    if sqlstate := getattr(error, "sqlstate", None):
        facts["sqlstate"] = sqlstate
        facts["constraint"] = getattr(getattr(error, "diag", None), "constraint_name", None)
    return facts


def _message(error: BaseException) -> str:
    """Return the message of an exception whose message is about programs, not about people."""
    if isinstance(error, DomainError):
        return f"{error.code}: {error.detail}"
    if isinstance(error, _OUTSPOKEN) or type(error).__module__.startswith(("aiokafka.", "redis.")):
        return str(shown(str(error)))
    sqlstate = getattr(error, "sqlstate", None)
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None:
        return ""
    # The database's classes 22 and 23 quote the value that was refused; so does the driver, unless it is about the connection.
    if sqlstate and not sqlstate.startswith(("22", "23")):
        return str(shown(diagnosis.message_primary or ""))
    about_the_connection = any(kind.__name__ in {"OperationalError", "InterfaceError"} for kind in type(error).__mro__)
    return str(shown(str(error))) if about_the_connection and not sqlstate else ""
