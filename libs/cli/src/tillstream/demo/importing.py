"""Telling the services the chain's history, over HTTP, as its systems would: stores, products, customers, receipts."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from tillstream.attached import Attached
from tillstream.demo.dataset import CURRENCY, ZONE, Dataset
from tillstream.demo.people import person, write_list
from tillstream.demo.receipts import documents
from tillstream.exits import CommandFailed, Exit
from tillstream.importing.pace import Pace
from tillstream.local.issuer import Role

Tell = Callable[[str, int, int], None]
"""Told what is imported, how much of it is answered, and how much there is."""

AT_ONCE = 200
_HARMLESS = {"recorded", "repeated", "listed", "changed", "created", "updated", "skipped"}


@dataclass(frozen=True)
class Imported:
    """What was answered, by kind and status."""

    counts: dict[str, Counter[str]]


def import_history(attached: Attached, dataset: Dataset, tell: Tell) -> Imported:
    """Import everything; raise CommandFailed with the first refusal. What is there already is answered as repeated and changes nothing."""
    counts = {"stores": _open_stores(attached, dataset, tell)}
    with attached.client("order", Role.INTEGRATION, subject="demo") as order:
        products = (msgspec.json.encode(product) for product in dataset.products())
        counts["products"] = _stream(
            order, "/v1/products:batch", products, lambda done: tell("products", done, dataset.products_count)
        )
    counts["customers"] = _import_customers(attached, dataset, tell)
    counts["receipts"] = import_receipts(attached, dataset, tell)
    return Imported(counts)


def import_receipts(attached: Attached, dataset: Dataset, tell: Tell, pace: Pace | None = None) -> Counter[str]:
    """Import the receipts, at the pace given, else as fast as they are taken."""
    with attached.client("order", Role.INTEGRATION, subject="demo") as order:
        return _stream(
            order,
            "/v1/receipts:batch",
            documents(dataset),
            lambda done: tell("receipts", done, dataset.receipts_count),
            pace,
        )


def _open_stores(attached: Attached, dataset: Dataset, tell: Tell) -> Counter[str]:
    counts: Counter[str] = Counter()
    with attached.client("order", Role.ADMIN, subject="demo") as order:
        for number, store in enumerate(dataset.stores, 1):
            body = {"store_id": store, "name": f"Store {store}", "zone": ZONE, "currency": CURRENCY, "country": "US"}
            answer = order.post("/v1/stores", json=body, headers={"Idempotency-Key": f"demo-store-{store}"})
            if answer.status_code not in {200, 201}:
                raise CommandFailed(f"store {store} was refused: {answer.text}")
            counts["recorded" if answer.status_code == 201 else "repeated"] += 1
            tell("stores", number, len(dataset.stores))
    return counts


def _import_customers(attached: Attached, dataset: Dataset, tell: Tell) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder, attached.client("customer", Role.ADMIN, subject="demo") as customer:
        path = Path(folder) / "customers.csv"
        rows = write_list((person(household, first) for household, first in dataset.households), path)
        with (
            path.open("rb") as file,
            customer.stream(
                "POST", "/v1/imports", files={"file": (path.name, file, "text/csv")}, data={"wording": "demo-2026"}
            ) as answer,
        ):
            return _answers(answer, "customers", lambda done: tell("customers", done, rows))


def _stream(
    client: httpx2.Client, path: str, lines: Iterable[bytes], tell: Callable[[int], None], pace: Pace | None = None
) -> Counter[str]:
    """Send JSON lines of any number and count the answers by status."""
    with client.stream(
        "POST",
        path,
        content=_joined(lines, pace or Pace()),
        headers={"Content-Type": "application/x-ndjson"},
        timeout=600,
    ) as answer:
        return _answers(answer, path, tell)


def _joined(lines: Iterable[bytes], pace: Pace) -> Iterator[bytes]:
    rest, at_once = iter(lines), pace.at_once(AT_ONCE)
    while some := list(islice(rest, at_once)):
        pace.wait(len(some))
        yield b"\n".join(some) + b"\n"


def _answers(answer: httpx2.Response, what: str, tell: Callable[[int], None]) -> Counter[str]:
    if answer.status_code != 200:
        answer.read()
        raise CommandFailed(f"{what}: {answer.status_code} {answer.text[:500]}")
    counts: Counter[str] = Counter()
    for line in answer.iter_lines():
        told: dict[str, Any] = json.loads(line)
        if "status" not in told and told.get("problem"):
            raise CommandFailed(
                f"{what}: {told['problem']['detail']}", "till doctor; then the same command again", Exit.UNAVAILABLE
            )
        if "status" not in told:
            continue
        counts[told["status"]] += 1
        if told["status"] not in _HARMLESS:
            raise CommandFailed(f"{what}: {line[:500]}", "the data was not taken as it is; nothing was half recorded")
        tell(counts.total())
    return counts
