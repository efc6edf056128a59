"""The day of a small chain: receipts one by one and by the hundred, registrations, points redeemed, orders of which customers hear."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any, Self

from faultlab.lab.history import Command, History
from faultlab.lab.installation import Installation
from faultlab.lab.till import Request, Till

TILLS = 6
CUSTOMERS = 24
WEALTH = 1_000_000
STORES = ("S1", "S2")
BATCH = 200
PAUSE = 0.08


class Trade:
    """Some tills, each with a seed, and the customers they know. All ids carry the seed of the run."""

    def __init__(self, installation: Installation, history: History, seed: int) -> None:
        self._name = f"{seed}"
        self._installation = installation
        self._history = history
        self._tills = [Till(installation, history, Random(f"{seed} till {number}")) for number in range(TILLS)]
        self._customers = [f"c{seed}-{number}" for number in range(CUSTOMERS)]
        self._cards: dict[str, tuple[str, str]] = {}
        self._serial = 0

    async def open(self) -> None:
        """Open the stores and let everybody have a card, some points and a phone that may be written to."""
        till = self._tills[0]
        for store in STORES:
            body = {"store_id": store, "name": store, "zone": "America/New_York", "currency": "USD"}
            await till.send(Request("order", "/v1/stores", body, self._command("store", store, 0)))
        await asyncio.gather(*(self._register(till, customer) for customer in self._customers))
        await asyncio.gather(*(self._endow(till, customer) for customer in self._customers))
        consents = "SELECT count(*) FROM consents.consents WHERE granted"
        while await asyncio.to_thread(self._installation.rows, "notification", consents) < [(CUSTOMERS,)]:  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.2)

    async def go_on(self, over: asyncio.Event) -> None:
        """Trade until it is over, and then let every till end what it has begun."""
        await asyncio.gather(*(self._work(till, over) for till in self._tills))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for till in self._tills:
            await till.close()

    async def _work(self, till: Till, over: asyncio.Event) -> None:
        acts: list[Callable[[Till], Awaitable[None]]]
        acts = [self._sell, self._sell_many, self._register_somebody, self._redeem, self._order]
        while not over.is_set():
            (act,) = till.random.choices(acts, weights=[40, 30, 6, 12, 12])
            await act(till)
            await asyncio.sleep(till.random.uniform(0, 2 * PAUSE))

    async def _register(self, till: Till, customer: str) -> None:
        phone = f"+48{int.from_bytes(customer.encode()[-6:], 'big') % 10**9:09d}"
        consent = {"purpose": "transactional", "channel": "sms", "wording": "v1", "collected_from": "till"}
        body = {"customer_id": customer, "name": "Anna Kowalska", "phones": [phone], "consents": [consent]}
        await till.send(Request("customer", "/v1/customers", body, self._command("registration", customer, 0)))

    async def _register_somebody(self, till: Till) -> None:
        await self._register(till, f"c{self._next()}")

    async def _endow(self, till: Till, customer: str) -> None:
        account = await self._account(till, customer)
        self._cards[customer] = account["account_id"], account["cards"][0]["card_number"]
        reason = f"gift-{self._next()}"
        body = {"points": WEALTH, "reason": reason}
        path = f"/v1/accounts/{account['account_id']}/adjustments"
        await till.send(Request("loyalty", path, body, self._command("points", reason, WEALTH)))

    async def _account(self, till: Till, customer: str) -> Any:
        while True:
            if found := (await till.get("loyalty", "/v1/accounts", customer_id=customer))["items"]:
                return found[0]
            await asyncio.sleep(0.2)

    def _receipt(self, till: Till, number: str) -> dict[str, Any]:
        total = till.random.randrange(100, 5_000)
        return {
            "store_id": till.random.choice(STORES),
            "till_id": "1",
            "receipt_number": number,
            "occurred_at": datetime.now(UTC).isoformat(),
            "currency": "USD",
            "total_minor": total,
            "lines": [{"line_id": 1, "product_id": "milk", "quantity": "1", "paid_minor": total}],
            "tenders": [{"method": "card", "amount_minor": total}],
            "customer_id": till.random.choice(self._customers),
        }

    async def _sell(self, till: Till) -> None:
        number = f"R{self._next()}"
        body = self._receipt(till, number)
        await till.send(Request("order", "/v1/receipts", body, self._command("receipt", number, body["total_minor"])))

    async def _sell_many(self, till: Till) -> None:
        receipts = [self._receipt(till, f"B{self._next()}") for _ in range(BATCH)]
        told = {one["receipt_number"]: one["total_minor"] for one in receipts}
        command = Command(f"{self._name}-{self._next()}", "receipt", told)
        body = "\n".join(map(json.dumps, receipts)).encode()
        await till.send(Request("order", "/v1/receipts:batch", body, command))

    async def _redeem(self, till: Till) -> None:
        account, card = self._cards[till.random.choice(self._customers)]
        name, points = f"H{self._next()}", till.random.randrange(1, 50)
        body = {"points": points, "store_id": till.random.choice(STORES), "order_id": name}
        held = await till.send(
            Request("loyalty", f"/v1/cards/{card}/holds", body, self._command("redemption", name, points))
        )
        if held is not None:
            path = f"/v1/accounts/{account}/holds/{held.json()['hold_id']}/capture"
            paid = self._command("capture", f"{name}-paid", points)
            await till.send(Request("loyalty", path, {"purchase_id": f"{name}-paid"}, paid))

    async def _order(self, till: Till) -> None:
        """Place an order and cancel it: of that the customer is told at any hour."""
        name, total = f"W{self._next()}", till.random.randrange(100, 5_000)
        body = {
            "store_id": till.random.choice(STORES),
            "lines": [{"line_id": 1, "product_id": "milk", "quantity": "1", "paid_minor": total}],
            "customer_id": till.random.choice(self._customers),
            "external_id": name,
        }
        placed = await till.send(Request("order", "/v1/orders", body, self._command("order", name, total)))
        if placed is not None:
            path = f"/v1/orders/{placed.json()['order_id']}/status"
            cancelled = self._command("cancellation", f"{name}-cancelled", 0)
            await till.send(Request("order", path, {"status": "cancelled", "reason": f"{name}-cancelled"}, cancelled))

    def _command(self, kind: str, subject: str, about: int) -> Command:
        return Command(f"{self._name}-{self._next()}", kind, {subject: about}, secrets.token_hex(16))

    def _next(self) -> str:
        self._serial += 1
        return f"{self._name}-{self._serial}"
