"""An event told in one line for people, or as one line of JSON for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
from rich.text import Text

from till_events.envelope import to_attributes
from till_events.structured import to_line
from tillstream.events.masking import masked
from tillstream.events.recorded import Recorded

COLOURS = {
    "analytics": "magenta", "customer": "green", "loyalty": "yellow", "notification": "blue", "order": "cyan",
}  # fmt: skip
LONGEST = 140
_SAME = "″"


def shown(event: Recorded, *, unmask: bool) -> Recorded:
    """Return the event as it may be seen."""
    return event if unmask else replace(event, data=masked(event.envelope.type, event.data))


def json_line(event: Recorded) -> str:
    """Return CloudEvents 1.0, structured mode, on one line; content that is not JSON as `data_base64`."""
    try:
        msgspec.json.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = {**to_attributes(event.envelope), "data_base64": event.data}
        return msgspec.json.encode(content).decode()
    return to_line(event.envelope, event.data).decode()


def line(event: Recorded) -> Text:
    """Return when it was recorded (UTC), by whom, what, about what, under which key (″: the same), and the rest in brief."""
    envelope = event.envelope
    key = _SAME if envelope.key == envelope.subject else envelope.key
    return Text.assemble(
        (f"{envelope.recorded_at:%Y-%m-%d %H:%M:%S.%f}"[:-3], "dim"),
        "  ",
        (f"{event.service:<12}", COLOURS.get(event.service, "white")),
        " ",
        (f"{event.name:<24}", "bold"),
        f" {envelope.subject}@{envelope.sequence}  {key}  ",
        (summary(event), "dim"),
    )


def summary(event: Recorded) -> str:
    """Return the content in brief: `total_minor=1250 currency=USD lines=3`. What subject and key tell already is left out."""
    try:
        content = msgspec.json.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"{len(event.data)} bytes that are not JSON"
    if not isinstance(content, dict):
        return str(content)[:LONGEST]
    told = {event.envelope.key, *event.envelope.subject.split("-", 1)}
    text = " ".join(f"{name}={value}" for name, value in _flat(content) if name != "occurred_at" and value not in told)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", text) for inner, text in _flat(value))
        elif isinstance(value, list):
            plain = all(not isinstance(item, dict | list) for item in value)
            yield name, ",".join(str(item) for item in value) if plain and len(value) <= 3 else str(len(value))
        elif value is not None:
            yield name, str(value)
