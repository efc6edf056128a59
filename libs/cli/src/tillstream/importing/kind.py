import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from tillstream.exits import CommandFailed, Exit

_XLSX = b"PK\x03\x04"
_MARKS = b"\xef\xbb\xbf"
_LOOKED_AT = 100
_LONGEST = 1024 * 1024


class Kind(StrEnum):
    """What a file holds."""

    CUSTOMERS = "customers"
    RECEIPTS = "receipts"
    PRODUCTS = "products"

    @property
    def service(self) -> str:
        """Who takes it."""
        return "customer" if self is Kind.CUSTOMERS else "order"

    @property
    def needed(self) -> frozenset[str]:
        """What every row must say at least, where a row is a JSON document; by that it is told what a file holds."""
        return _NEEDED[self]


_NEEDED = {
    Kind.CUSTOMERS: frozenset[str](),
    Kind.RECEIPTS: frozenset(
        {"store_id", "till_id", "receipt_number", "occurred_at", "total_minor", "lines", "tenders"}
    ),
    Kind.PRODUCTS: frozenset({"product_id", "name"}),
}


def kind_of(file: Path, service: str | None = None) -> Kind:
    """Look into a file and say what it holds: JSON lines are receipts or products, a spreadsheet or CSV is a list of customers.

    Raises CommandFailed where it holds nothing of the kind, or nothing for the service that was asked for.
    """
    kind = _looked_at(file)
    if service is not None and kind.service != service:
        raise CommandFailed(
            f"{file} looks like {kind}, which {service} does not take", f"--service {kind.service}", Exit.USAGE
        )
    return kind


def _looked_at(file: Path) -> Kind:
    with file.open("rb") as opened:
        if opened.read(len(_XLSX)) == _XLSX:
            return Kind.CUSTOMERS
        opened.seek(0)
        lines = [line for line in _first_lines(opened) if line]
    if not lines:
        raise CommandFailed(f"{file} is empty", code=Exit.USAGE)
    if not lines[0].startswith((b"{", b"[")):
        return Kind.CUSTOMERS
    for line in lines:
        names = fields_of(line)
        for kind in (Kind.RECEIPTS, Kind.PRODUCTS):
            if names and len(kind.needed & names) * 2 > len(kind.needed):
                return kind
    raise CommandFailed(
        f"{file} holds neither receipts nor products, one JSON document a line",
        "their fields are described at /docs of the order service",
        Exit.USAGE,
    )


def fields_of(line: bytes) -> set[str] | None:
    """Return the names of a JSON document's fields, or None for what is no JSON object."""
    try:
        document: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return set(document) if isinstance(document, dict) else None


def _first_lines(opened: Any) -> Iterator[bytes]:
    for number in range(_LOOKED_AT):
        line = opened.readline(_LONGEST)
        if not line:
            return
        yield (line.removeprefix(_MARKS) if number == 0 else line).strip()
