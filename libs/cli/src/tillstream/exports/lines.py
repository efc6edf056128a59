"""An event as a line of an export: CloudEvents 1.0 in structured mode, the value's bytes exactly as they stand in the log."""

import base64
import binascii
from typing import Any

import msgspec

from till_events.envelope import UnreadableEnvelope, from_attributes, to_attributes
from tillstream.audit.check import Entry

_lines = msgspec.json.Decoder(dict[str, msgspec.Raw])
_texts = msgspec.json.Decoder(str)


class UnreadableLine(ValueError):
    """A line that no export has: cut off, written anew by another program, or something else altogether."""


def to_line(entry: Entry) -> bytes:
    """Return the line without its end. `data` is the last member, and its bytes are those of the log.

    Where those are not JSON on one line, which no service of ours records, they go as `data_base64`.
    """
    members: dict[str, Any] = {**to_attributes(entry.envelope), "datacontenttype": "application/json"}
    if not entry.public:
        members["private"] = True
    if entry.chain is not None:
        members["chainhash"] = entry.chain.hex()
    if _is_one_line_of_json(entry.data):
        members["data"] = msgspec.Raw(entry.data)
    else:
        members["data_base64"] = base64.b64encode(entry.data).decode()
    return msgspec.json.encode(members)


def from_line(line: bytes) -> Entry:
    """Read a line back. Raises `UnreadableLine` for one that differs in a single byte from how an export writes it."""
    try:
        members = _lines.decode(line)
        data, encoded = members.pop("data", None), members.pop("data_base64", None)
        chain, private = members.pop("chainhash", None), members.pop("private", None)
        attributes = {name: _texts.decode(text) for name, text in members.items() if name != "datacontenttype"}
        entry = Entry(
            from_attributes(attributes),
            bytes(data) if data is not None else base64.b64decode(_texts.decode(encoded or b"")),
            private is None,
            bytes.fromhex(_texts.decode(chain)) if chain is not None else None,
        )
        written = to_line(entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnreadableEnvelope, binascii.Error) as error:
        raise UnreadableLine(str(error)) from error
    except ValueError as error:
        raise UnreadableLine("a hash that is not hexadecimal, or a type that is none") from error
    if written != line:
        raise UnreadableLine("not as an export writes it: a member was added, or another program has written it anew")
    return entry


def _is_one_line_of_json(data: bytes) -> bool:
    if not data or b"\n" in data or b"\r" in data or data.strip() != data:
        return False
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
