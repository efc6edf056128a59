"""Orders of the present: placed now, through the API, by customers with and without consent, and taken through their statuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from till_events.ids import new_id
from tillstream.attached import Attached
from tillstream.demo.people import Person
from tillstream.exits import CommandFailed
from tillstream.local.issuer import Role

ORDERS = 36
_PATHS: Sequence[tuple[str, ...]] = (
    ("approval", "assembly", "delivery", "completed"),
    ("approval", "assembly", "delivery"),
    ("approval", "assembly", "delivery", "completed", "returned"),
    ("approval", "cancelled"),
    ("approval", "assembly"),
    ("cancelled",),
)


@dataclass(frozen=True)
class LiveOrder:
    """An order of the demo and the way it went."""

    order_id: str
    number: str
    customer: Person
    statuses: list[str] = field(default_factory=list)


def place_live_orders(
    attached: Attached, people: Sequence[Person], stores: Sequence[str], products: Sequence[str]
) -> list[LiveOrder]:
    """Place orders and walk them on. Every way is gone by somebody who agreed to messages and by somebody who did not."""
    willing = [one for one in people if one.agrees]
    unwilling = [one for one in people if not one.agrees]
    placed = []
    with attached.client("order", Role.MANAGER, subject="web-shop") as order:
        for number in range(ORDERS):
            group = unwilling if number % 3 == 2 and unwilling else willing
            customer = group[number % len(group)]
            way = _PATHS[number % len(_PATHS)]
            placed.append(_walk(order, number, customer, way, stores[number % len(stores)], products))
    return placed


def _walk(
    order: httpx2.Client, number: int, customer: Person, way: tuple[str, ...], store: str, products: Sequence[str]
) -> LiveOrder:
    lines = [
        {
            "line_id": line,
            "product_id": products[(number * 7 + line) % len(products)],
            "quantity": str(line),
            "paid_minor": 250 * line + number,
        }
        for line in (1, 2, 3)
    ]
    soon = datetime.now(UTC) + timedelta(hours=1)
    body = {
        "store_id": store,
        "customer_id": customer.customer_id,
        "channel": "web" if number % 2 else "phone",
        "lines": lines,
        "delivery": {"method": "courier", "address": f"{number + 1} Elm Street", "promised_to": soon.isoformat()},
    }
    card = _post(order, "/v1/orders", body)
    live = LiveOrder(card["order_id"], card["number"], customer, [card["status"]])
    for status in way:
        move: dict[str, Any] = {"status": status}
        if status == "delivery":
            move |= {"promised_from": datetime.now(UTC).isoformat(), "promised_to": soon.isoformat()}
        if status == "completed":
            due = card["due_minor"]
            move["payment"] = {"payment_id": new_id(), "method": "card", "amount_minor": due}
        if status in {"cancelled", "returned"}:
            move["reason"] = "the customer changed their mind"
        card = _post(order, f"/v1/orders/{live.order_id}/status", move)
        live.statuses.append(card["status"])
    return live


def _post(client: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body, headers={"Idempotency-Key": new_id()})
    if answer.status_code not in {200, 201}:
        raise CommandFailed(f"POST {path}: {answer.status_code} {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found
