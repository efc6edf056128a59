"""The same promises with the log as it is: group commit, conflicts and the table of answers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import pytest
from pydantic import BaseModel

from till_events import catalogue
from till_events.order import OrderPaymentRecorded
from till_platform.domain import Aggregate, Invalid
from till_platform.eventstore.schema import migrate
from till_platform.http import LogDep, Once, Who, allow
from till_platform.testing.logs import open_log

pytestmark = pytest.mark.integration
assert catalogue  # importing it declares every event


class Parcel(Aggregate):
    kind = "parcel"
    paid = 0

    def pay(self, amount: int) -> None:
        if self.paid:
            raise Invalid("this parcel is paid")
        self.record(
            OrderPaymentRecorded(
                occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
                order_id=self.identity,
                store_id="S1",
                payment_id="p-1",
                method="card",
                amount_minor=amount,
                paid_minor=amount,
                currency="USD",
            )
        )

    def apply(self, event: Any) -> None:
        self.paid = event.paid_minor


class Payment(BaseModel):
    parcel_id: str
    amount: int


class ParcelReply(BaseModel):
    parcel_id: str
    paid: int

    @classmethod
    def of(cls, parcel: Parcel) -> "ParcelReply":
        return cls(parcel_id=parcel.identity, paid=parcel.paid)


async def pay_parcel(body: Payment, who: Annotated[Who, allow("cashier")], log: LogDep, once: Once) -> ParcelReply:
    async def command() -> Parcel:
        parcel = await log.find(Parcel, body.parcel_id)
        parcel.pay(body.amount)
        await log.save(parcel)
        return parcel

    return await once(command, ParcelReply.of)


@pytest.fixture
def recorded(infra, house) -> Iterator[psycopg.Connection]:
    """Let the house record into PostgreSQL, and return a connection to look at what it recorded."""
    house.app.post("/v1/payments", status_code=201)(pay_parcel)
    address = infra.database("http")
    with psycopg.connect(address, autocommit=True) as connection:
        migrate(connection)
        with open_log(address, threads=8) as log:
            house.app.state.parts.log = log
            yield connection


@pytest.fixture
def pay(house, recorded) -> Callable[..., Any]:
    def pay(key: str, parcel_id: str = "p", amount: int = 100) -> Any:
        headers = {**house.headers(), "Idempotency-Key": key}
        return house.client.post("/v1/payments", json={"parcel_id": parcel_id, "amount": amount}, headers=headers)

    return pay


def at_once(work: Callable[[int], Any], times: int = 20) -> list[Any]:
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(work, range(times)))


def test_twenty_at_once_under_one_key_are_one_event_and_one_answer(pay, recorded) -> None:
    answers = at_once(lambda _: pay("k1"))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert recorded.execute("SELECT count(*) FROM log").fetchone() == (1,)
    assert recorded.execute("SELECT count(*) FROM answer").fetchone() == (1,)


def test_twenty_keys_are_twenty_commands_of_which_one_is_first(pay, recorded) -> None:
    answers = at_once(lambda number: pay(f"k{number}"))
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert recorded.execute("SELECT count(*) FROM log").fetchone() == (1,)


def test_answers_say_where_their_events_are(pay, recorded) -> None:
    answers = at_once(lambda number: pay(f"k{number}", f"p{number}"))
    positions = {int(answer.headers["x-event-position"]): answer.json()["parcel_id"] for answer in answers}
    streams = dict(recorded.execute("SELECT position, stream FROM log").fetchall())
    assert streams == {position: f"parcel-{parcel}" for position, parcel in positions.items()}
    assert sorted(positions) == list(range(1, 21))


def test_the_answer_is_kept_with_the_events_and_both_know_who_asked(pay, recorded) -> None:
    answer = pay("k1")
    row = recorded.execute("SELECT actor, correlation_id FROM log").fetchone()
    assert row == ("cashier:17", answer.headers["x-correlation-id"])
    assert recorded.execute("SELECT key, status, body FROM answer").fetchone() == ("17:k1", 201, answer.content)


def test_a_repeat_that_the_rules_refuse_by_now_gets_the_first_answer(pay) -> None:
    first, again, other = pay("k1"), pay("k1"), pay("k1", amount=200)
    assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (201, first.content, "true")
    assert (other.status_code, other.json()["type"]) == (422, "https://tillstream.dev/problems/idempotency-key-reused")
    assert pay("k2").json()["type"].endswith("/invalid")
