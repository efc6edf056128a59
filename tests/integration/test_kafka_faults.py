"""What Kafka may do to us: go away, come back, come back empty. And what a relay may meet between sending and marking."""

import asyncio
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from till_platform.testing.running import eventually

from .conftest import post, receipt, record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def earned(loyalty, customer: str) -> tuple[int, int]:
    """The lots and points that loyalty knows of a customer."""
    query = (
        "SELECT count(*)::int, coalesce(sum(lots.points), 0)::int FROM lots.lots JOIN accounts.accounts USING (account_id)"
        " WHERE customer_id = %s"
    )
    return loyalty.rows(query, [customer])[0]


def records_on_the_topic_of(service) -> int:
    async def count() -> int:
        topic, kafka = f"{service._environment['TILL_NAMESPACE']}.{service.name}", service._environment["TILL_KAFKA"]
        async with AIOKafkaConsumer(bootstrap_servers=kafka) as client:
            ends = await client.end_offsets([TopicPartition(topic, number) for number in range(6)])
        return sum(ends.values())

    return asyncio.run(count())


def test_while_kafka_is_away_sales_are_accepted_and_when_it_is_back_everyone_hears_of_them(own_stack, order, loyalty):
    record(order, [receipt("patient")])
    eventually(lambda: earned(loyalty, "patient")[0] == 1)
    own_stack.kafka_part.kill()
    with order.client() as client:
        post(client, "/v1/receipts", receipt("patient"), status=201)
    assert {answer["status"] for answer in record(order, [receipt("patient") for _ in range(100)])} == {"recorded"}
    assert earned(loyalty, "patient")[0] == 1, "control: there is no way but Kafka"
    own_stack.kafka_part.start()
    eventually(lambda: earned(loyalty, "patient")[0] == 102, within=90)


def test_a_relay_killed_between_sending_and_marking_sends_again_and_nobody_counts_twice(order, loyalty):
    for _ in range(3):
        record(order, [receipt("relayed") for _ in range(400)])
        order.kill()
        order.start()
    # and once more, surely: what was sent is acknowledged, and the mark is what it was before
    eventually(lambda: earned(loyalty, "relayed")[0] == 1_200, within=90)
    (before,) = order.rows("SELECT position, ends::text FROM relay_mark")
    record(order, [receipt("relayed") for _ in range(100)])
    eventually(lambda: earned(loyalty, "relayed")[0] == 1_300)
    order.kill()
    with psycopg.connect(order.pg, autocommit=True) as connection:
        connection.execute("UPDATE relay_mark SET position = %s, ends = %s::jsonb", before)
    order.start()
    record(order, [receipt("relayed")])
    eventually(lambda: earned(loyalty, "relayed")[0] == 1_301, within=90)
    logged = order.rows("SELECT count(*)::int FROM log WHERE public")[0][0]
    assert records_on_the_topic_of(order) >= logged + 100, "control: the repeats are really there"


def test_two_relays_at_once_publish_in_order(order, loyalty):
    """The second stands by; the first is frozen for longer than its lease, and wakes up to find that it does not lead any more."""
    order.start("relay", instance="-2")
    record(order, [receipt("led") for _ in range(100)])
    order.signal("all", signal.SIGSTOP)
    eventually(lambda: order.rows("SELECT epoch FROM relay_mark")[0][0] > 1, within=60)
    order.signal("all", signal.SIGCONT)
    record(order, [receipt("led") for _ in range(100)])
    eventually(lambda: earned(loyalty, "led")[0] == 200, within=60)


def test_a_topic_that_was_wiped_is_refilled_from_the_log_and_readers_notice_only_repeats(order, loyalty):
    before = earned(loyalty, "relayed")
    loyalty.stop()
    record(order, [receipt("before-the-wipe")])
    topic = f"{order._environment['TILL_NAMESPACE']}.order"

    async def wipe() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=order._environment["TILL_KAFKA"])
        await admin.start()
        await admin.delete_topics([topic])
        await admin.close()

    asyncio.run(wipe())
    record(order, [receipt("after-the-wipe")])
    loyalty.start()
    # two customers, two partitions: either may be heard of first
    eventually(lambda: earned(loyalty, "after-the-wipe")[0] == 1, within=120)
    eventually(lambda: earned(loyalty, "before-the-wipe")[0] == 1, within=60)
    assert earned(loyalty, "relayed") == before
    assert loyalty.rows("SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_verification_waits_while_kafka_is_away_and_says_so(own_stack, order):
    own_stack.kafka_part.kill()
    with ThreadPoolExecutor(1) as threads:
        verifying = threads.submit(order.run, "verify")
        eventually(lambda: order.rows("SELECT 1 FROM pg_namespace WHERE nspname = 'receipts__compared'"), within=60)
        own_stack.kafka_part.start()
        done = verifying.result()
    assert b"trying again" in done.stderr, "control: Kafka was away"
    assert done.returncode == 0, done.stderr


def test_kafka_that_lost_everything_is_filled_again(own_stack, order, loyalty):
    own_stack.kafka_part.kill()
    shutil.rmtree(own_stack.data_dir / "kafka")
    own_stack.kafka_part.start()
    record(order, [receipt("after-the-loss")])
    eventually(lambda: earned(loyalty, "after-the-loss")[0] == 1, within=120)


def test_in_the_end_every_read_model_equals_its_rebuild(order, loyalty):
    order.stop()
    order.start()
    for service in (order, loyalty):
        found = service.verify()
        assert all(found.values()), found
