"""`till dlq` on a service that met records it could not take."""

import asyncio
from datetime import UTC, datetime
from itertools import count

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from till_events.codec import encode, type_of
from till_events.envelope import Envelope, to_headers
from till_events.ids import CardNumber, new_id
from till_events.loyalty import LoyaltyCardIssued
from till_platform.testing.running import eventually
from tillstream.exits import Exit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TYPE = type_of(LoyaltyCardIssued)
_positions = count(1)


def publish(shop, *contents: bytes) -> None:
    """Put records of one key on the topic of a service that does not run here."""

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=shop.infra.kafka) as producer:
            for content in contents:
                position = next(_positions)
                headers = to_headers(
                    Envelope(
                        id=new_id(), type=TYPE, source="/tillstream/loyalty", subject="account-1", key="account-1",
                        sequence=position, position=position, time=datetime.now(UTC), recorded_at=datetime.now(UTC),
                        correlation_id="test",
                    )
                )  # fmt: skip
                follows = ("ce_prevposition", b"%d" % (position - 1))
                await producer.send_and_wait(
                    shop.attached.topic("loyalty"), content, b"account-1", headers=[*headers, follows]
                )

    asyncio.run(send())


def letters(shop, *options: str) -> list:
    return shop.till("dlq", "list", "order", "--json", *options).json["letters"]


def test_letters_are_listed_by_reason_shown_with_their_bytes_and_given_up_with_a_reason(shop) -> None:
    assert letters(shop) == []
    issued = LoyaltyCardIssued(
        occurred_at=datetime.now(UTC), account_id="1", customer_id="c-1", card_number=CardNumber("2900000000001"),
    )  # fmt: skip
    publish(shop, b"\x00\xffnot JSON", b'{"occurred_at": 7}', encode(issued))
    eventually(
        lambda: shop.rows("order", "SELECT count(*) FROM dead_letter WHERE settled_at IS NULL") == [(3,)], within=60
    )
    bad, worse, waiting = letters(shop)
    assert (bad["service"], bad["reason"], bad["type"]) == ("order", "unreadable-event", TYPE)
    assert waiting["reason"] == "waiting"
    assert "unreadable-event" in shop.till("dlq", "list").out
    assert letters(shop, "--reason", "unreadable-envelope") == []

    shown = shop.till("dlq", "show", "order", str(bad["id"]))
    assert "00 ff 6e 6f 74 20 4a 53 4f 4e" in shown.out
    assert "..not JSON" in shown.out
    assert '"occurred_at": 7' in shop.till("dlq", "show", "order", str(worse["id"])).out
    assert "7b 22 6f 63 63 75" in shop.till("dlq", "show", "order", str(worse["id"]), "--bytes").out

    assert shop.till("dlq", "retry", "order", str(bad["id"])).code == Exit.CONFLICT
    every = shop.till("dlq", "retry", "order", "--all", "--json")
    assert (every.code, every.json["taken"]) == (Exit.ROW_ERRORS, 0)

    give_up = ("dlq", "discard", "order", str(bad["id"]))
    assert shop.till(*give_up).code == Exit.USAGE
    assert shop.till(*give_up, "--why", " ", "--yes").code == Exit.USAGE
    assert shop.till(*give_up, "--why", "nobody is here to be asked").code == Exit.USAGE
    for letter, taken in ((bad, 0), (worse, 1)):
        done = shop.till("dlq", "discard", "order", str(letter["id"]), "--why", "written by a test", "--yes", "--json")
        assert (done.code, done.json) == (0, {"discarded": letter["id"], "taken": taken})
    assert shop.till(*give_up, "--why", "once more", "--yes").code == Exit.CONFLICT
    assert letters(shop) == []
    since = [one for one in letters(shop, "--settled") if one["id"] >= bad["id"]]
    settled = {one["id"]: (one["settled_how"], one["settled_why"]) for one in since}
    discarded = ("discarded", "written by a test")
    assert settled == {bad["id"]: discarded, worse["id"]: discarded, waiting["id"]: ("retried", None)}
    assert shop.rows("order", "SELECT customer_id FROM cards.cards") == [("c-1",)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE dead_letter SET settled_why = 'something nicer' RETURNING 1",
        "UPDATE dead_letter SET settled_at = NULL RETURNING 1",
        "DELETE FROM dead_letter RETURNING 1",
    ],
)
def test_who_gave_a_letter_up_and_why_is_never_changed(shop, change) -> None:
    assert shop.rows("order", "SELECT 1 FROM dead_letter WHERE settled_how = 'discarded'"), "control: there are some"
    with pytest.raises(psycopg.errors.RaiseException, match=r"settled|kept"):
        shop.rows("order", change)


def test_a_letter_that_is_not_there_is_not_found(shop) -> None:
    assert shop.till("dlq", "show", "order", "4711").code == Exit.NOT_FOUND
    assert shop.till("dlq", "retry", "order", "4711").code == Exit.NOT_FOUND
    assert shop.till("dlq", "retry", "order").code == Exit.USAGE
    assert shop.till("dlq", "list", "bakery").code == Exit.NOT_FOUND
    assert shop.till("dlq", "list", "loyalty").code == Exit.UNAVAILABLE
