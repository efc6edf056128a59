"""One script of what our code does with Kafka, on a real one or on the model: what is seen on one must be seen on the other."""

import asyncio
import random

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, RequestTimedOutError
from aiokafka.protocol.produce import ProduceRequest
from faultlab.simulation import kafka_clients
from faultlab.simulation.kafka import Broker
from faultlab.simulation.world import World

from till_platform.kafka.topics import ensure_topics
from till_platform.relay.kafka_side import KafkaSide
from till_platform.settings import Settings

PARTITIONS = 2
LOST_ANSWER = 0.03


def made_up(seed, steps=30):
    """A script as chance has it: each step is what is done, and with what."""
    chance = random.Random(seed)
    steps = [_step(chance) for _ in range(steps)]
    return [("send", (0, 3)), ("send", (1, 2)), *steps, ("wipe", ()), *[_step(chance) for _ in range(4)], ("ends", ())]


def _step(chance):
    number = chance.randrange(PARTITIONS)
    return chance.choice(
        [
            ("send", (number, chance.randrange(1, 6))),
            ("send", (number, 1)),
            ("send losing the answer", (number, chance.randrange(1, 4))),
            ("fetch", (number, chance.randrange(0, 12))),
            ("fetch", (number, chance.randrange(0, 4))),
            ("before", (number, chance.randrange(1, 8))),
            ("ends", ()),
            ("begins", ()),
            ("empty", ()) if chance.random() < 0.3 else ("ends", ()),
        ]
    )


class Played:
    """Plays a script and writes down what each step showed. `side`, `reader` and how answers are lost is for each Kafka to say."""

    def __init__(self):
        self._sent = 0

    async def play(self, script):
        self.producer = await self.side.open()
        try:
            return [(name, await self._seen(name, values)) for name, values in script]
        finally:
            await self.side.close()

    async def _seen(self, name, values):
        step = getattr(self, name.replace(" ", "_"))
        try:
            return await step(*values)
        except KafkaError as error:
            return type(error).__name__

    async def send(self, number, amount):
        batch = self.producer.create_batch()
        for _ in range(amount):
            self._sent += 1
            value, headers = b"%d" % self._sent, [("ce_logposition", b"%d" % self._sent)]
            batch.append(timestamp=None, value=value, key=b"k", headers=headers)
        batch.close()
        future = await self.producer.send_batch(batch, self.topic, partition=number)
        return (await future).offset

    async def send_losing_the_answer(self, number, amount):
        self.lose_an_answer()
        return await self.send(number, amount)

    async def ends(self):
        return await self.side.end_offsets()

    async def begins(self):
        found = await self.reader.beginning_offsets(self.places)
        return {place.partition: offset for place, offset in found.items()}

    async def before(self, number, end):
        """Look before an end that may be none; not at the very end, where the next record would be waited for."""
        last = (await self.side.end_offsets())[number]
        return await self.side.positions_before({number: last if end - 1 == last else end})

    async def fetch(self, number, offset):
        """Read from an offset to the end, wherever the reader was."""
        place, end = TopicPartition(self.topic, number), (await self.side.end_offsets())[number]
        self.only(place)
        self.reader.seek(place, offset)
        found = []
        while not found or found[-1][0] + 1 < end:
            polled = await self.poll(place)
            found += [(record.offset, record.value) for record in polled.get(place, [])]
            if offset == end:
                return found
        return found

    async def empty(self):
        await self.side.empty()

    @property
    def places(self):
        return [TopicPartition(self.topic, number) for number in range(PARTITIONS)]


class OnTheModel(Played):
    topic = "till.order"

    def __init__(self, *, idempotent=True):
        super().__init__()
        self.world = World(1)
        self.world.chance = self._chance
        self.broker = Broker(self.world, PARTITIONS)
        self.process = self.world.process("stage")
        self.side = kafka_clients.KafkaSide(self.broker, self.process, self.topic, idempotent=idempotent)
        self.reader = kafka_clients.Consumer(self.broker, self.process, "group", [self.topic])
        self.reader._reassigning = False
        self._losing = False

    def run(self, script):
        task = self.process.create_task(self.play(script))
        while not task.done():
            self.world.step()
        return task.result()

    def _chance(self, probability):
        lost, self._losing = self._losing and probability == LOST_ANSWER, False
        return lost

    def lose_an_answer(self):
        self._losing = True

    def only(self, place):
        self.reader._assigned = frozenset([place])

    async def poll(self, _):
        return await self.reader.getmany(timeout_ms=200, max_records=100)

    async def wipe(self):
        self.broker.wipe(self.topic)


class OnKafka(Played):
    def __init__(self, kafka, namespace):
        super().__init__()
        self.settings = Settings.read(
            service="order",
            environment="local",
            pg="",
            redis="",
            kafka=kafka,
            partitions=PARTITIONS,
            namespace=namespace,
        )
        self.side = KafkaSide(self.settings)
        self.topic = self.side.topic

    def run(self, script):
        return asyncio.run(self._run(script))

    async def _run(self, script):
        await ensure_topics(self.settings, ["order"])
        async with AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka, enable_auto_commit=False, auto_offset_reset="none"
        ) as self.reader:
            return await self.play(script)

    def lose_an_answer(self):
        """Let the broker answer the next batch, and the producer never hear of it."""
        client = self.producer.client
        real = client.send

        async def send(node, request, **how):
            answer = await real(node, request, **how)
            if isinstance(request, ProduceRequest):
                client.send = real
                raise RequestTimedOutError("the answer is lost")
            return answer

        client.send = send

    def only(self, place):
        self.reader.assign([place])

    async def poll(self, place):
        """Ask for this partition: what went wrong with one that was ours before may still be waiting to be raised."""
        return await self.reader.getmany(place, timeout_ms=200, max_records=100)

    async def wipe(self):
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka)
        await admin.start()
        try:
            await admin.delete_topics([self.topic])
        finally:
            await admin.close()
        await ensure_topics(self.settings, ["order"])
