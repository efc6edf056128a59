"""A chain in which the loyalty service lives: its neighbours tell what happens, tills ask."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
from redis import Redis

from till_events.customer import CustomerRegistered
from till_events.ids import CardNumber, CustomerId, ProductId, PurchaseId, StoreId, account_id, new_id
from till_events.order import Line, PurchaseRecorded, PurchaseReturned, ReturnedLine, Tender
from till_loyalty.domain.programme import MAIN
from till_platform.testing.neighbours import Neighbours
from till_platform.testing.running import ServiceUnderTest, eventually

LONG_AGO = datetime.now(UTC) - timedelta(days=60)
"""So long ago that what was bought then can be spent, and did not expire."""


@dataclass
class Shop:
    loyalty: ServiceUnderTest
    neighbours: Neighbours
    cache: Redis
    clients: dict[tuple[str, tuple[str, ...]], httpx2.Client] = field(default_factory=dict)

    def staff(self, role: str, *stores: str) -> httpx2.Client:
        """Return a client that speaks for somebody of the staff; a cashier's stores are those given."""
        if (role, stores) not in self.clients:
            self.clients[role, stores] = self.loyalty.client(role, stores=list(stores) or "*")
        return self.clients[role, stores]

    def till(self, store: str = "s1") -> httpx2.Client:
        """Return a client that speaks for a cashier of this store."""
        return self.staff("cashier", store)

    def close(self) -> None:
        for client in self.clients.values():
            client.close()
        self.loyalty.stop()

    def somebody(self, points: int = 0, **registered: Any) -> str:
        """Register a customer who once bought for so many points; return the number of their card."""
        customer_id = CustomerId(new_id())
        registration = CustomerRegistered(occurred_at=LONG_AGO, customer_id=customer_id, name="Anna", **registered)
        self.neighbours.tell(registration)
        if points:
            self.neighbours.tell(purchase(customer_id, points * 100))
        return self.card_of(customer_id, points)

    def card_of(self, customer_id: str, points: int) -> str:
        """Wait until the customer has a card and so many points in all, and return its number."""

        def found() -> str | None:
            account = self.account(customer_id)
            return account["cards"][0]["card_number"] if account and account["points"] == points else None

        return eventually(found) or ""

    def account(self, customer_id: str) -> dict[str, Any] | None:
        items = self.till().get("/v1/accounts", params={"customer_id": customer_id}).json()["items"]
        return items[0] if items else None

    def ask(self, card: str) -> dict[str, Any]:
        """Ask the till's question."""
        answer = self.till().get(f"/v1/cards/{card}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def hold(self, card: str, points: int, *, key: str | None = None, store: str = "s1") -> httpx2.Response:
        return self.till(store).post(
            f"/v1/cards/{card}/holds", json={"points": points, "store_id": store}, headers=once(key)
        )


def once(key: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": key or new_id()}


def purchase(
    customer_id: CustomerId | None,
    total: int,
    *,
    at: datetime = LONG_AGO,
    card: str | None = None,
    paid: Sequence[tuple[str, int]] | None = None,
) -> PurchaseRecorded:
    number = PurchaseId(new_id())
    return PurchaseRecorded(
        occurred_at=at,
        purchase_id=number,
        store_id=StoreId("s1"),
        till_id="1",
        receipt_number=number,
        business_date=at.date(),
        currency="USD",
        total_minor=total,
        lines=(Line(line_id=1, product_id=ProductId("milk"), quantity=Decimal(1), paid_minor=total),),
        tenders=tuple(Tender(*tender) for tender in paid or (("cash", total),)),
        customer_id=customer_id,
        card_number=CardNumber(card) if card else None,
    )


def back(bought: PurchaseRecorded, refunds: Sequence[tuple[str, int]]) -> PurchaseReturned:
    total = sum(amount for _, amount in refunds)
    number = new_id()
    return PurchaseReturned(
        occurred_at=bought.occurred_at + timedelta(days=1),
        return_id=number,
        store_id=bought.store_id,
        till_id="1",
        return_number=number,
        business_date=bought.business_date,
        currency=bought.currency,
        total_minor=total,
        lines=(ReturnedLine(product_id=ProductId("milk"), quantity=Decimal(1), refund_minor=total),),
        refunds=tuple(Tender(*refund) for refund in refunds),
        purchase_id=bought.purchase_id,
        customer_id=bought.customer_id,
    )


def account_of(customer_id: str) -> str:
    return account_id(MAIN, customer_id)
