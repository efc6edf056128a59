"""No text that comes in may hold a NUL character: PostgreSQL keeps none, and an event that holds one could never be read."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from till_platform.http.problems import Refusal

NUL = "\x00"
_SIGNS = (b"\\u0000", b"\x00")  # the second in documents that are not UTF-8, which Python reads all the same
REFUSAL = "the request holds a NUL character, which no text may"


def holding_nul(named: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the names of fields that hold one, however deep: `lines.0.name`."""
    return list(dict.fromkeys(name for field, value in named for name in _inside(value, field)))


def holding_nul_in_json(document: bytes) -> list[str]:
    """Return the names of the document's fields that hold one; none of what is no JSON document, which is refused for that."""
    if not any(sign in document for sign in _SIGNS):
        return []
    try:
        return holding_nul([("", json.loads(document))])
    except (ValueError, RecursionError):
        return []


def refuse_nul(named: Iterable[tuple[str, Any]]) -> None:
    """Raise a `Refusal` that names the fields that hold one, e.g. those of a form."""
    refuse_fields(holding_nul(named))


def refuse_fields(fields: Sequence[str]) -> None:
    """Raise a `Refusal` if there are such fields."""
    if fields:
        raise Refusal(422, "invalid", REFUSAL, errors=complaints(fields))


def complaints(fields: Iterable[str]) -> list[dict[str, str]]:
    """Return what is wrong with the fields, as a problem tells it."""
    return [{"field": field, "reason": "holds a NUL character"} for field in fields]


def _inside(value: Any, name: str) -> Iterator[str]:
    match value:
        case str() if NUL in value:
            yield name or "body"
        case dict():
            for key, inner in value.items():
                inner_name = f"{name}.{key}" if name else str(key)
                if NUL in key:
                    yield inner_name.replace(NUL, "")
                yield from _inside(inner, inner_name)
        case list():
            for place, inner in enumerate(value):
                yield from _inside(inner, f"{name}.{place}" if name else str(place))
