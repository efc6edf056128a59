"""F10, F12, F19: what is delivered again, what nobody recorded, and what is lost of a topic."""

import asyncio
import shutil
from random import Random

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from faultlab.lab.damage import Damage, topic_of
from faultlab.lab.installation import PARTITIONS, SERVICES

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

_READ_BY = "SELECT DISTINCT topic FROM checkpoint WHERE next_offset > 0 ORDER BY topic"


async def deliver_again(damage: Damage, dice: Random) -> None:
    """A relay's mark or a consumer's checkpoints are set back, as by a backup that was restored in part."""
    service, back = dice.choice(SERVICES), dice.choice([1, 50, 5_000])
    if dice.random() < 0.5:
        damage.note("F10", f"sets the relay of {service} back by {back}")
        # A new epoch, or the relay that leads would go on from where it believes to be.
        rewind = f"UPDATE relay_mark SET position = greatest(0, position - {back}), epoch = epoch + 1"
        await damage.as_administrator(service, rewind)
        return
    read = await asyncio.to_thread(damage.installation.rows, service, _READ_BY)
    topic = dice.choice([topic for (topic,) in read])
    damage.note("F10", f"sets {service} back by {back} on each partition of {topic}")
    damage.rewound.add(service)
    rewind = f"UPDATE checkpoint SET next_offset = greatest(0, next_offset - {back}) WHERE topic = '{topic}'"
    await damage.as_administrator(service, rewind, _END_SESSIONS)


async def write_rubbish(damage: Damage, dice: Random) -> None:
    """Somebody who may not writes to a topic: no envelope, half of one, a megabyte, bytes that are no text."""
    mark, number = b"rubbish %d " % dice.getrandbits(48), dice.randrange(PARTITIONS)
    value = mark + dice.choice([b"", b"\xff\xfe\x00", b'{"deep": ' + b"[" * 5_000, b"x" * 900_000])
    headers = dice.choice([[], [("ce_type", b"\xff")], [("ce_logposition", b"soon"), ("ce_prevposition", b"0")]])
    key = dice.choice([None, b"who"])
    async with damage.alone_with("kafka"):
        # On a topic made anew, what others write can stand in for what was lost: a known limit.
        owner = damage.topic_without(damage.wiped, dice)
        if owner is None:
            return
        damage.rubbish.append((owner, value))
        damage.note("F12", f"writes {len(value)} bytes of rubbish to the topic of {owner}")
        async with AIOKafkaProducer(bootstrap_servers=damage.installation.parts.kafka) as producer:
            await producer.send_and_wait(topic_of(owner), value=value, key=key, headers=headers, partition=number)


async def wipe(damage: Damage, dice: Random) -> None:
    """A topic is deleted; or, when no rubbish lies anywhere, all that Kafka has on its disk."""
    async with damage.alone_with("kafka"):
        soiled = {owner for owner, _ in damage.rubbish}
        if not soiled and dice.random() < 0.3:
            await _wipe_everything(damage)
            return
        owner = damage.topic_without(soiled, dice)
        if owner is None:
            return
        damage.wiped.add(owner)
        damage.note("F19", f"deletes the topic of {owner}")
        admin = AIOKafkaAdminClient(bootstrap_servers=damage.installation.parts.kafka)
        await admin.start()
        try:
            await admin.delete_topics([topic_of(owner)])
        finally:
            await admin.close()


async def _wipe_everything(damage: Damage) -> None:
    part = damage.installation.parts.kafka_part
    damage.wiped |= set(SERVICES)
    damage.note("F19", "deletes all that kafka has on its disk")
    await asyncio.to_thread(part.kill)
    await asyncio.to_thread(shutil.rmtree, part.data_dir / "kafka")
    await asyncio.to_thread(part.start)
