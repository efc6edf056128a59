"""Events to bytes and back. The bytes an event is recorded as are the bytes everybody reads for ever."""

from till_events.base import CATALOGUE
from till_events.registry import MAX_BYTES, UnknownMajor, UnknownType, UnreadableEvent, Unrecordable

__all__ = [
    "MAX_BYTES",
    "UnknownMajor",
    "UnknownType",
    "UnreadableEvent",
    "Unrecordable",
    "decode",
    "encode",
    "type_of",
    "types_of",
    "upcast",
]

encode = CATALOGUE.encode
decode = CATALOGUE.decode
type_of = CATALOGUE.type_of
types_of = CATALOGUE.types_of
upcast = CATALOGUE.upcast
