"""`till events republish` on a topic that was wiped, shortened or soiled, while the service goes on."""

import asyncio
import json
import threading

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from till_platform.testing.running import eventually
from tillstream.exits import Exit

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(300)]
RECEIPTS = "SELECT count(*)::int, sum(total_minor)::int FROM receipts.receipts"


@pytest.fixture(scope="module", autouse=True)
def settled(shop) -> None:
    """What other tests have left in the dead letters is given up first. With the first of a key those are settled that waited for it."""
    shop.catch_up()
    for service in shop.services:
        while letters := shop.till("dlq", "list", service, "--json").json["letters"]:
            give_up = ("dlq", "discard", service, str(letters[0]["id"]), "--why", "another test's", "--yes")
            assert shop.till(*give_up).code == 0


async def admin(shop, work) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=shop.infra.kafka)
    await client.start()
    try:
        await work(client)
    finally:
        await client.close()


def wipe(shop, topic: str) -> None:
    asyncio.run(admin(shop, lambda client: client.delete_topics([topic])))


def shorten(shop, topic: str) -> None:
    """Let the oldest records of every partition go, as a retention time would."""
    first = {TopicPartition(topic, number): RecordsToDelete(1) for number in range(3) if ends(shop, topic)[number]}
    asyncio.run(admin(shop, lambda client: client.delete_records(first)))


def ends(shop, topic: str) -> list[int]:
    async def look() -> list[int]:
        async with AIOKafkaConsumer(bootstrap_servers=shop.infra.kafka) as client:
            places = [TopicPartition(topic, number) for number in range(3)]
            found = await client.end_offsets(places)
        return [found[place] for place in places]

    return asyncio.run(look())


def soil(shop, topic: str, key: bytes | None) -> None:
    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=shop.infra.kafka) as producer:
            for number in range(3):
                await producer.send_and_wait(topic, b"rubbish", key, partition=number)

    asyncio.run(publish())


def trade(shop, first: int) -> None:
    """Sell twenty times."""
    receipts = "".join(json.dumps(shop.receipt(number)) + "\n" for number in range(first, first + 20))
    with shop.attached.client("order") as client:
        answer = client.post("/v1/receipts:batch", content=receipts, headers={"Content-Type": "application/x-ndjson"})
    assert answer.text.count('"recorded"') == 20, answer.text


def everything_agrees(shop) -> None:
    shop.catch_up()
    done = shop.till("verify", "--json")
    assert done.code == 0, done.json["differences"]
    assert {found["dead_letters"] for found in done.json["services"].values()} == {0}


def test_a_part_of_the_log_published_again_changes_nothing_for_readers(shop) -> None:
    shop.catch_up()
    topic, before = shop.attached.topic("order"), shop.rows("order", RECEIPTS)
    records = sum(ends(shop, topic))
    done = shop.till("events", "republish", "--topic", topic, "--from", "2", "--to", "5", "--json")
    assert (done.code, done.json["events"]) == (0, 4), done
    assert sum(ends(shop, topic)) == records + 4, "control: the repeats are really there"
    everything_agrees(shop)
    assert shop.rows("order", RECEIPTS) == before


def test_a_topic_that_lost_its_oldest_records_is_refilled(shop) -> None:
    topic = shop.attached.topic("order")
    shorten(shop, topic)
    lost = shop.till("verify", "order", "--patience", "1")
    assert lost.code == Exit.FAILURE, "control: without it a reader from the beginning misses events"
    done = shop.till("events", "republish", "--topic", "order")
    assert done.code == 0, done
    everything_agrees(shop)


def test_a_topic_that_was_wiped_is_refilled(shop) -> None:
    topic = shop.attached.topic("order")
    wipe(shop, topic)
    eventually(lambda: shop.till("events", "republish", "--topic", topic).code == 0, within=60)
    everything_agrees(shop)


def test_a_soiled_topic_is_replaced_while_the_shop_goes_on_and_one_reader_is_away(shop) -> None:
    topic = shop.attached.topic("order")
    for key in (None, b"c-1"):
        soil(shop, topic, key)
    shop.catch_up()
    assert shop.till("verify", "order").code == Exit.FAILURE, "control: what nobody recorded stays on a topic"
    shop.services["customer"].stop()
    trade(shop, 500)
    trading = threading.Thread(target=lambda: [trade(shop, number) for number in range(600, 800, 20)])
    trading.start()
    done = shop.till("events", "republish", "--topic", topic, "--replace", "--json")
    trading.join()
    shop.services["customer"].start()
    assert done.code == 0, done

    for service in ("order", "customer"):
        for letter in shop.till("dlq", "list", service, "--json").json["letters"]:
            if letter["reason"] == "unreadable-envelope":
                give_up = ("dlq", "discard", service, str(letter["id"]), "--why", "rubbish", "--yes")
                assert shop.till(*give_up).code == 0
    everything_agrees(shop)
    ((receipts, _),) = shop.rows("order", RECEIPTS)
    entries = "SELECT count(*)::int FROM timelines.entries WHERE kind = 'purchase.recorded'"
    assert receipts == shop.rows("customer", entries)[0][0]


def test_what_is_no_topic_of_ours_is_not_published(shop) -> None:
    assert shop.till("events", "republish", "--topic", "till.bakery").code == Exit.NOT_FOUND
    assert shop.till("events", "republish", "--topic", "order", "--replace", "--from", "3").code == Exit.USAGE
