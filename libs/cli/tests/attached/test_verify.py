"""`till verify` on services that run: all is well, and each kind of damage is found and named."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from tillstream.exits import Exit
from tillstream.verification import whole

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@contextmanager
def writable_log(shop, service: str) -> Iterator[psycopg.Connection]:
    """The log as somebody with the keys to the cellar can change it."""
    with psycopg.connect(shop.services[service].pg, autocommit=True) as connection:
        connection.execute("ALTER TABLE log DISABLE TRIGGER log_is_append_only")
        yield connection
        connection.execute("ALTER TABLE log ENABLE TRIGGER log_is_append_only")


def test_untouched_data_is_verified(shop) -> None:
    shop.catch_up()
    done = shop.till("verify", "--json")
    report = done.json
    assert (done.code, report["verified"], report["differences"]) == (0, True, [])
    ((events, heads),) = shop.rows("order", "SELECT count(*), count(*) FILTER (WHERE type ~ 'LogSigned') FROM log")
    assert heads, "signed heads are events like others, and disturb nobody"
    assert report["services"]["order"]["events"] == events
    assert {one["service"] for one in report["projections"]} == {"order", "customer"}
    assert all(one["digest"] == one["rebuilt_digest"] for one in report["projections"])


def test_two_who_verify_at_once_do_not_disturb_each_other(shop) -> None:
    with ThreadPoolExecutor(2) as threads:
        reports = list(threads.map(lambda _: whole.verify(shop.attached, lambda *_: None, ["order"]), range(2)))
    assert [report.differences for report in reports] == [[], []]


def test_a_byte_changed_in_the_log_is_found(shop) -> None:
    find = "SELECT position FROM log WHERE stream = 'product-p-2'"
    ((position,),) = shop.rows("order", find)
    flip = "UPDATE log SET data = set_byte(data, 40, get_byte(data, 40) # 1) WHERE position = %s"
    with writable_log(shop, "order") as log:
        log.execute(flip, [position])
        done = shop.till("verify", "order", "--json")
        log.execute(flip, [position])
    assert done.code == Exit.FAILURE
    assert f"is not byte for byte the event at position {position} of the log" in done.json["differences"][0]
    assert shop.till("verify", "order").code == 0


def test_a_hole_in_the_log_is_found(shop) -> None:
    with writable_log(shop, "order") as log:
        log.execute("UPDATE log SET position = -3 WHERE position = 3")
        done = shop.till("verify", "order", "--json")
        log.execute("UPDATE log SET position = 3 WHERE position = -3")
    assert done.code == Exit.FAILURE
    assert "there is a gap" in done.json["differences"][0]


def test_a_row_missing_in_a_read_model_is_found_and_a_rebuild_mends_it(shop) -> None:
    shop.rows("order", "DELETE FROM products.products WHERE product_id = 'p-2' RETURNING 1")
    done = shop.till("verify", "order")
    assert done.code == Exit.FAILURE
    assert "NOT verified." in done.out
    assert "read model products of order is" in done.out
    shop.till("projections", "rebuild", "order", "products")
    mended = shop.till("verify", "order")
    assert mended.code == 0
    assert "Everything agrees." in mended.out


def test_a_consumer_that_stands_still_is_named(shop, file) -> None:
    shop.services["customer"].signal("all", 19)
    try:
        shop.till("import", str(file("products.ndjson", [shop.product(number) for number in range(400, 420)])))
        done = shop.till("verify", "customer", "--patience", "1", "--json")
    finally:
        shop.services["customer"].signal("all", 18)
    assert done.code == Exit.FAILURE
    assert any(
        found.startswith("customer has ") and shop.attached.topic("order") in found
        for found in done.json["differences"]
    )


def test_a_record_that_nobody_recorded_is_found_on_the_topic_and_goes_when_the_topic_is_replaced(shop) -> None:
    shop.catch_up()

    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=shop.infra.kafka) as producer:
            await producer.send_and_wait(shop.attached.topic("customer"), b"{}", b"c-1", partition=0)

    unsettled = "SELECT count(*) FROM dead_letter WHERE settled_at IS NULL"
    ((letters,),) = shop.rows("customer", unsettled)
    asyncio.run(publish())
    shop.catch_up()
    done = shop.till("verify", "customer", "--json")
    assert done.code == Exit.FAILURE
    assert done.json["services"]["customer"]["dead_letters"] == letters + 1
    assert done.json["services"]["customer"]["topic"].endswith("is not one of our events")
    assert shop.till("verify", "order").code == 0
    assert shop.till("events", "republish", "--topic", "customer", "--replace").code == 0
    for service in ("order", "customer"):
        for letter in shop.till("dlq", "list", service, "--reason", "unreadable-envelope", "--json").json["letters"]:
            shop.till("dlq", "discard", service, str(letter["id"]), "--why", "written by a test", "--yes")
    assert shop.till("verify").code == 0
