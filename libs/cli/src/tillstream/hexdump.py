"""Bytes as people can look at them."""

from typing import Any

import msgspec

_WIDTH = 16


def readable(data: bytes) -> Any:
    """Return the JSON document that the bytes are, or None if they are none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def hexdump(data: bytes) -> str:
    """Return offset, bytes and what of them is ASCII, sixteen to a line."""
    lines = []
    for start in range(0, len(data), _WIDTH):
        part = data[start : start + _WIDTH]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):<{_WIDTH * 3 - 1}}  {text}")
    return "\n".join(lines)
