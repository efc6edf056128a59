"""What a worker meets: repeats, rubbish in the middle of a key, being killed, being frozen. In the end read models equal their rebuild."""

import asyncio
import json
import signal

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from till_events.ids import new_id
from till_platform.testing.running import eventually

from .conftest import open_store, receipt, record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def order(chain):
    service = chain("order").start()
    with service.client() as client:
        open_store(client)
    return service


@pytest.fixture(scope="module")
def analytics(chain, order):
    return chain("analytics", TILL_SESSION_TIMEOUT_MS="6000").start()


def sold(analytics, customer: str) -> tuple[int, int]:
    """The receipts and cents that analytics knows of a customer."""
    query = "SELECT coalesce(sum(receipts), 0)::int, coalesce(sum(sales_minor), 0)::int FROM customer_days.days WHERE customer_id = %s"
    return analytics.rows(query, [customer])[0]


def topic_of(service) -> str:
    return f"{service._environment['TILL_NAMESPACE']}.{service.name}"


def publish(service, records: list[tuple[bytes | None, bytes | None, list]]) -> None:
    """Put records on the service's topic as some other program might."""

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=service._environment["TILL_KAFKA"]) as producer:
            for key, value, headers in records:
                await producer.send_and_wait(topic_of(service), value=value, key=key, headers=headers)

    asyncio.run(send())


def last_record_of(service, key: str):
    """Return the newest record of a key and its partition's end."""

    async def read():
        async with AIOKafkaConsumer(
            bootstrap_servers=service._environment["TILL_KAFKA"], auto_offset_reset="earliest"
        ) as client:
            partitions = [TopicPartition(topic_of(service), number) for number in range(6)]
            ends = await client.end_offsets(partitions)
            client.assign(partitions)
            found = None
            while any([await client.position(partition) < ends[partition] for partition in partitions]):
                for records in (await client.getmany(timeout_ms=200)).values():
                    found = next((r for r in reversed(records) if r.key == key.encode()), found)
            return found

    return eventually(lambda: asyncio.run(read()))


def test_records_that_come_again_change_nothing(order, analytics):
    record(order, [receipt("repeated", total=700)])
    eventually(lambda: sold(analytics, "repeated") == (1, 700))
    again = last_record_of(order, "repeated")
    publish(order, [(again.key, again.value, list(again.headers))] * 5)
    record(order, [receipt("repeated", total=50)])
    eventually(lambda: sold(analytics, "repeated") == (2, 750))
    assert analytics.rows("SELECT count(*) FROM dead_letter WHERE key = 'repeated'") == [(0,)]


def test_a_rewound_consumer_takes_everything_again_and_changes_nothing(order, analytics):
    """The checkpoint is set back by hand: what comes again is told by its place in the log."""
    record(order, [receipt("rewound") for _ in range(50)])
    eventually(lambda: sold(analytics, "rewound") == (50, 50_000))
    analytics.kill()
    with psycopg.connect(analytics.pg, autocommit=True) as connection:
        connection.execute("UPDATE checkpoint SET next_offset = 0")
    analytics.start()
    record(order, [receipt("rewound")])
    eventually(lambda: sold(analytics, "rewound") == (51, 51_000))


def append_by_hand(service, type_name: str, key: str, data: str) -> None:
    """Record an event that this code could not have recorded, as a newer or a broken version of the service would."""
    with psycopg.connect(service.pg) as connection:
        (position,) = connection.execute("UPDATE log_head SET position = position + 1 RETURNING position").fetchone()
        connection.execute(
            "INSERT INTO log (position, stream, sequence, id, type, key, data, public, occurred_at, recorded_at, correlation_id)"
            " VALUES (%s, %s, 1, %s, %s, %s, %s, true, now(), now(), 'test')",
            [position, f"novelty-{new_id()}", new_id(), type_name, key, data.encode()],
        )


def test_an_unknown_event_in_the_middle_of_a_key_is_skipped(order, analytics):
    record(order, [receipt("curious")])
    append_by_hand(order, "tillstream.order.NoveltyHappened.v1", "curious", "{}")
    record(order, [receipt("curious")])
    eventually(lambda: sold(analytics, "curious")[0] == 2)
    assert analytics.rows("SELECT count(*) FROM dead_letter WHERE key = 'curious'") == [(0,)]


def test_a_version_newer_than_this_code_waits_in_the_dead_letters(order, analytics):
    append_by_hand(order, "tillstream.order.PurchaseRecorded.v2", "modern", "{}")
    eventually(lambda: analytics.rows("SELECT reason FROM dead_letter WHERE key = 'modern'") == [("unknown-major",)])


def test_an_unreadable_event_parks_its_key_and_nobody_elses_and_is_released_in_order(order, analytics):
    record(order, [receipt("parked"), receipt("flowing")])
    eventually(lambda: sold(analytics, "parked")[0] == 1 and sold(analytics, "flowing")[0] == 1)
    append_by_hand(order, "tillstream.order.PurchaseRecorded.v1", "parked", '{"broken": true')
    record(order, [receipt("parked", total=11), receipt("parked", total=22), receipt("flowing")])
    eventually(lambda: sold(analytics, "flowing")[0] == 2)
    buried = "SELECT id, reason FROM dead_letter WHERE key = 'parked' ORDER BY id"
    eventually(lambda: len(analytics.rows(buried)) == 3)
    (bad, reason), *_ = analytics.rows(buried)
    assert reason == "unreadable-event"
    assert sold(analytics, "parked") == (1, 1_000)

    with analytics.client() as client:
        assert client.get(f"/v1/dead-letters/{bad}").json()["headers"]["ce_partitionkey"] == "parked"
        assert client.post(f"/v1/dead-letters/{bad}/retry").status_code == 409
        settled = client.post(f"/v1/dead-letters/{bad}/discard", json={"why": "printed by a broken till"})
        assert settled.json() == {"taken": 2}, settled.text
    assert sold(analytics, "parked") == (3, 1_033)
    record(order, [receipt("parked", total=33)])
    eventually(lambda: sold(analytics, "parked") == (4, 1_066))
    kept = "SELECT settled_how, settled_why FROM dead_letter WHERE id = %s"
    assert analytics.rows(kept, [bad]) == [("discarded", "printed by a broken till")]


def test_rubbish_without_headers_is_kept_with_its_bytes_and_holds_up_nobody(order, analytics):
    publish(order, [(None, b"\xff\xfe rubbish \x00", []), (b"who", b"{}", [("ce_type", b"\xff")])])
    record(order, [receipt("after-rubbish")])
    eventually(lambda: sold(analytics, "after-rubbish")[0] == 1)
    kept = eventually(
        lambda: analytics.rows("SELECT value FROM dead_letter WHERE reason = 'unreadable-envelope' ORDER BY id") or None
    )
    assert bytes(kept[0][0]) == b"\xff\xfe rubbish \x00"


def sold_to_all(analytics, prefix: str) -> tuple[int, int]:
    """The receipts and cents of all customers whose id begins so."""
    query = (
        "SELECT coalesce(sum(receipts), 0)::int, coalesce(sum(sales_minor), 0)::int FROM customer_days.days"
        " WHERE starts_with(customer_id, %s)"
    )
    return analytics.rows(query, [prefix])[0]


def test_a_worker_killed_in_the_middle_of_batches_loses_nothing_and_does_nothing_twice(order, analytics):
    for _ in range(3):
        record(order, [receipt(f"killed-{number % 40}") for number in range(1_000)])
        analytics.kill()
        analytics.start(wait=False)
    eventually(lambda: sold_to_all(analytics, "killed-") == (3_000, 3_000_000), within=120)


def test_while_a_worker_is_frozen_another_takes_over_and_the_sleeper_writes_nothing_when_it_wakes(order, analytics):
    analytics.start("worker", instance="-2")
    for so_far in (1, 2, 3):
        record(order, [receipt(f"zombie-{number % 20}") for number in range(300)])
        analytics.signal("worker-2", signal.SIGSTOP)
        record(order, [receipt(f"zombie-{number % 20}") for number in range(300)])
        eventually(lambda so_far=so_far: sold_to_all(analytics, "zombie-")[0] == 600 * so_far, within=60)
        analytics.signal("worker-2", signal.SIGCONT)
    record(order, [receipt(f"zombie-{number}") for number in range(20)])
    eventually(lambda: sold_to_all(analytics, "zombie-") == (1_820, 1_820_000), within=60)


def test_a_read_model_rebuilt_while_events_arrive_is_the_same(order, analytics):
    import threading

    stop = threading.Event()

    def trade() -> None:
        while not stop.is_set():
            record(order, [receipt("rebuilt") for _ in range(50)])

    trading = threading.Thread(target=trade)
    trading.start()
    try:
        done = analytics.run("rebuild", "sales", "customer_days")
    finally:
        stop.set()
        trading.join()
    assert done.returncode == 0, done.stderr.decode()
    (count,) = order.rows("SELECT count(*)::int FROM receipts.receipts WHERE customer_id = 'rebuilt'")[0]
    eventually(
        lambda: order.rows("SELECT count(*)::int FROM receipts.receipts WHERE customer_id = 'rebuilt'")[0][0] >= count
    )
    eventually(
        lambda: sold(analytics, "rebuilt")[0] == order.rows("SELECT count(*)::int FROM log WHERE key = 'rebuilt'")[0][0]
    )


def test_in_the_end_every_read_model_equals_its_rebuild(order, analytics):
    assert all(order.verify().values())
    found = analytics.verify()
    assert found
    assert all(found.values()), json.dumps(found)
