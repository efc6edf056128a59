"""What the demo has to tell when everything has caught up: figures, one customer's life, the live orders and their messages."""

from collections.abc import Sequence
from typing import Any

from tillstream.attached import Attached
from tillstream.demo.live import LiveOrder
from tillstream.exits import CommandFailed
from tillstream.local.issuer import Role

TIMELINE = 40


def best_customers(attached: Attached, last_day: str, limit: int = 10) -> list[dict[str, Any]]:
    """Return the customers who spent most, as analytics knows them, up to the last day of the history."""
    rows: list[dict[str, Any]] = _get(attached, "analytics", "/v1/customers/top", {"limit": limit, "as_of": last_day})[
        "rows"
    ]
    return rows


def score(attached: Attached, last_day: str) -> dict[str, Any]:
    """Let analytics score all customers by recency, frequency and money as of a day, and return what it answers."""
    with attached.client("analytics", Role.ADMIN, subject="demo") as client:
        answer = client.post(
            "/v1/rfm/scores", json={"as_of": last_day}, headers={"Idempotency-Key": f"demo-rfm-{last_day}"}
        )
    if answer.status_code not in {200, 201}:
        raise CommandFailed(f"scoring was refused: {answer.text[:300]}")
    found: dict[str, Any] = answer.json()
    return found


def groups(attached: Attached, last_day: str) -> dict[str, Any]:
    """Return how many customers are in each named group."""
    found: dict[str, Any] = _get(attached, "analytics", "/v1/rfm/groups", {"as_of": last_day})
    return found


def life_of(attached: Attached, customer_id: str) -> dict[str, Any]:
    """Return one customer from all sides: what they did, their card, their points by lot, their tier."""
    timeline = _get(attached, "customer", f"/v1/customers/{customer_id}/timeline", {"limit": TIMELINE})["items"]
    sides = _get(attached, "customer", f"/v1/customers/{customer_id}/360", {})
    (account,) = _get(attached, "loyalty", "/v1/accounts", {"customer_id": customer_id})["items"]
    card = _get(attached, "loyalty", f"/v1/cards/{sides['cards'][0]['card_number']}", {})
    lots = _get(attached, "loyalty", f"/v1/accounts/{account['account_id']}/lots", {})
    return {
        "customer_id": customer_id,
        "tier": account["tier"],
        "rfm_group": sides["rfm_group"],
        "card": card,
        "lots": lots["items"][:5],
        "timeline": timeline,
    }


def outcomes(attached: Attached, orders: Sequence[LiveOrder]) -> list[dict[str, Any]]:
    """Return the live orders with the messages that each caused, or why it caused none."""
    return [
        {
            "number": order.number,
            "customer_id": order.customer.customer_id,
            "consent": {"sms": order.customer.agrees_to_sms, "email": order.customer.agrees_to_email},
            "statuses": order.statuses,
            "messages": [
                {
                    name: message[name]
                    for name in ("channel", "template_id", "outcome", "reason", "deferred_until", "urgent")
                }
                for message in messages_of(attached, order.order_id)
            ],
        }
        for order in orders
    ]


def messages_of(attached: Attached, order_id: str) -> list[dict[str, Any]]:
    """Return the messages that an order caused."""
    found: list[dict[str, Any]] = _get(attached, "notification", "/v1/messages", {"order_id": order_id, "limit": 100})[
        "items"
    ]
    return found


def message_counts(attached: Attached) -> list[dict[str, Any]]:
    """Return how many messages came to which outcome, and why."""
    found: list[dict[str, Any]] = _get(attached, "notification", "/v1/messages:summary", {})["counts"]
    return found


def dead_letters(attached: Attached) -> int:
    """Return how many records could not be taken, in all services."""
    return sum(len(_get(attached, service, "/v1/dead-letters", {})["items"]) for service in attached.services)


def _get(attached: Attached, service: str, path: str, query: dict[str, Any]) -> Any:
    with attached.client(service, Role.ADMIN, subject="demo") as client:
        answer = client.get(path, params=query)
    if answer.status_code != 200:
        raise CommandFailed(f"GET {path} of {service}: {answer.status_code} {answer.text[:300]}")
    return answer.json()
