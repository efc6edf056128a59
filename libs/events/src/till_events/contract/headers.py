"""The headers every event travels with, as a schema: the CloudEvents attributes and the trace."""

from typing import Any

MOMENT = {"type": "string", "format": "date-time"}
TEXT = {"type": "string"}
NUMBER = {"type": "string", "pattern": "^[1-9][0-9]*$"}


def _described(shape: dict[str, Any], description: str) -> dict[str, Any]:
    return {**shape, "description": description}


ALWAYS: dict[str, dict[str, Any]] = {
    "ce_specversion": {"type": "string", "const": "1.0", "description": "CloudEvents version"},
    "ce_id": _described(TEXT, "UUIDv7 of the event. Whoever handles an event twice knows it by this"),
    "ce_type": _described(TEXT, "The event and its major version. A reader skips a type it does not know"),
    "ce_source": _described(TEXT, "The service that recorded the event"),
    "ce_subject": _described(TEXT, "The stream: what the event happened to, e.g. one order"),
    "ce_time": _described(MOMENT, "When it happened, where it happened. UTC"),
    "ce_dataschema": _described({"type": "string", "format": "uri"}, "Where the JSON Schema of the value is published"),
    "ce_recordedat": _described(MOMENT, "When it entered the log. UTC"),
    "ce_sequence": _described(
        NUMBER, "Place in the stream: 1, 2, 3, … without gaps over all events, the private ones included"
    ),
    "ce_logposition": _described(NUMBER, "Place in the owner's log: rising, in the order of recording"),
    "ce_partitionkey": _described(
        TEXT, "The Kafka key: the customer the stream is about, else the stream. Never changes"
    ),
    "ce_correlationid": _described(TEXT, "What everything that follows from one request has in common"),
    "content-type": {"type": "string", "const": "application/json", "description": "Of the value"},
}

SOMETIMES: dict[str, dict[str, Any]] = {
    "ce_causationid": _described(TEXT, "The event this one is an answer to"),
    "ce_actor": _described(TEXT, "Who did it: a role and the id of a person or system, never a name"),
    "ce_storeid": _described(TEXT, "The shop it happened in"),
    "traceparent": _described(TEXT, "W3C Trace Context of the request that led to it"),
    "ce_prevposition": _described(
        {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"},
        "Log position of the event in front of it in its partition, 0 for the first; on every record of a topic. A reader who does not"
        " know that event yet knows that records are missing",
    ),
    "ce_signature": _described(
        {"type": "string", "contentEncoding": "base64"},
        "Proof that the owner of the topic published this record, where records are signed",
    ),
}

HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0 in binary mode: every attribute is a header, as UTF-8 text. None holds personal data.",
    "properties": {**ALWAYS, **SOMETIMES},
    "required": list(ALWAYS),
}
