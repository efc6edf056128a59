"""An event and its envelope as one JSON object, for where there are no headers: exports, webhooks, live pages.

CloudEvents 1.0, structured mode.
"""

from typing import Any

import msgspec

from till_events.envelope import Envelope, UnreadableEnvelope, from_attributes, to_attributes

CONTENT_TYPE = "application/cloudevents+json"

_lines = msgspec.json.Decoder(dict[str, msgspec.Raw])


def to_structured(envelope: Envelope, data: bytes) -> dict[str, Any]:
    """Return the event as one object for `msgspec` to encode. `data` goes in untouched: what comes out again is byte for byte the log's."""
    return {**to_attributes(envelope), "datacontenttype": "application/json", "data": msgspec.Raw(data)}


def to_line(envelope: Envelope, data: bytes) -> bytes:
    """Return the event as one line of JSON without its line end: a line of an export, or the data of a server-sent event."""
    return msgspec.json.encode(to_structured(envelope, data))


def from_line(line: bytes) -> tuple[Envelope, bytes]:
    """Read envelope and data back; unknown attributes are ignored. Raises `UnreadableEnvelope`."""
    try:
        document = _lines.decode(line)
        data = bytes(document.pop("data"))
        return from_attributes(
            {name: msgspec.json.decode(text, type=str) for name, text in document.items() if _is_text(text)}
        ), data
    except KeyError as missing:
        raise UnreadableEnvelope(f"{missing} is missing") from missing
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEnvelope("not a JSON object of texts and data") from error


def _is_text(value: msgspec.Raw) -> bool:
    return bytes(value).startswith(b'"')
