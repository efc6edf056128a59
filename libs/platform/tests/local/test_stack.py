import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis import Redis

from till_platform.local import LocalProblem, LocalStack
from till_platform.testing.running import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A second stack, to be killed and taken over: used from test to test, with whatever it has in it."""
    stack = LocalStack.shared(tmp_path_factory.mktemp("spare"))
    yield stack
    stack.stop()


def processes_of(data_dir: Path) -> list[str]:
    """Everything on this machine that was started for this directory."""
    return [
        f"{process.pid} {process.info['cmdline']}"
        for process in psutil.process_iter(["cmdline", "cwd"])
        if str(data_dir) in " ".join([*(process.info["cmdline"] or ()), str(process.info["cwd"])])
    ]


async def publish(kafka: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    async with producer:
        await producer.send_and_wait(topic, value)


async def first_record(kafka: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="none", enable_auto_commit=False)
    async with consumer:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        return (await consumer.getone()).value


async def make_topic(kafka: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


def test_a_service_reaches_its_own_database_with_its_own_password_only(stack: LocalStack) -> None:
    order, customer = stack.database("till_order"), stack.database("till_customer")
    with psycopg.connect(order) as database:
        assert database.execute("SELECT current_user, current_database()").fetchone() == ("till_order", "till_order")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(order.removesuffix("till_order") + "till_customer")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(customer.replace("till_customer:", "till_order:"))


def test_asking_for_a_database_again_gives_the_same_one(stack: LocalStack) -> None:
    assert stack.database("till_order") == stack.database("till_order")


def test_the_log_is_written_to_the_disk_at_every_commit(stack: LocalStack) -> None:
    with psycopg.connect(stack.postgres_admin_dsn) as admin:
        for setting in ("fsync", "synchronous_commit"):
            assert admin.execute("SELECT current_setting(%s)", [setting]).fetchone() == ("on",)


def test_cyrillic_names_are_compared_without_regard_to_case(stack: LocalStack) -> None:
    with psycopg.connect(stack.postgres_admin_dsn) as admin:
        assert admin.execute("SELECT lower('ŻÓŁĆ ИВАНОВ')").fetchone() == ("żółć иванов",)


def test_passwords_can_be_read_by_their_owner_only(stack: LocalStack) -> None:
    assert (stack.data_dir / "secrets" / "postgres.json").stat().st_mode & 0o077 == 0


async def test_a_topic_is_never_made_by_a_typing_error(stack: LocalStack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        await admin.describe_topics(["till.ordre"])
        assert "till.ordre" not in await admin.list_topics()
    finally:
        await admin.close()


def test_two_stacks_on_one_machine_do_not_meet(stack: LocalStack, spare: LocalStack) -> None:
    assert len({stack.kafka, spare.kafka, stack.redis, spare.redis}) == 4
    with Redis.from_url(stack.redis) as ours, Redis.from_url(spare.redis) as theirs:
        ours.set("card", "4006381333931")
        assert theirs.get("card") is None


async def test_a_frozen_broker_answers_nobody_and_goes_on_when_thawed(stack: LocalStack) -> None:
    await make_topic(stack.kafka, "till.frozen")
    stack.kafka_part.freeze()
    try:
        assert not stack.kafka_part.is_ready()
        assert stack.kafka_part.running
    finally:
        stack.kafka_part.thaw()
    await publish(stack.kafka, "till.frozen", b"later")
    assert await first_record(stack.kafka, "till.frozen") == b"later"


async def test_killing_every_part_at_once_and_starting_again_keeps_rows_records_and_addresses(
    spare: LocalStack,
) -> None:
    before = (spare.kafka, spare.redis, spare.database("till_order"))
    await make_topic(spare.kafka, "till.order")
    await publish(spare.kafka, "till.order", b"OrderPlaced")
    with psycopg.connect(before[2]) as database:
        database.execute("CREATE TABLE log (data text)")
        database.execute("INSERT INTO log VALUES ('OrderPlaced')")
    for part in spare.parts:
        part.kill()
    assert not any(part.running for part in spare.parts)

    spare.start()

    assert (spare.kafka, spare.redis, spare.database("till_order")) == before
    with psycopg.connect(before[2]) as database:
        assert database.execute("SELECT data FROM log").fetchall() == [("OrderPlaced",)]
    assert await first_record(spare.kafka, "till.order") == b"OrderPlaced"


def test_a_shared_stack_is_used_again(spare: LocalStack) -> None:
    eventually(lambda: all(part.is_ready() for part in spare.parts))
    again = LocalStack.shared(spare.data_dir)
    assert [part.pid for part in again.parts] == [part.pid for part in spare.parts]
    assert again.database("till_order") == spare.database("till_order")


def test_a_stack_whose_owner_was_killed_is_taken_over_with_its_data_and_ends_when_asked(spare: LocalStack) -> None:
    """The owner that was killed is `spare`: nobody told its parts, and nothing but the folder is known to the next owner."""
    with psycopg.connect(spare.database("till_kept")) as database:
        database.execute("CREATE TABLE log AS SELECT 'OrderPlaced' AS data")
    old_pids = [part.pid for part in spare.parts]

    with LocalStack(spare.data_dir) as stack:
        assert not set(old_pids) & {part.pid for part in stack.parts}
        with psycopg.connect(stack.database("till_kept")) as database:
            assert database.execute("SELECT data FROM log").fetchall() == [("OrderPlaced",)]
    assert not any(part.running for part in spare.parts)
    assert processes_of(spare.data_dir) == []


def test_a_taken_port_is_named_and_nothing_is_left_running(stack: LocalStack, tmp_path: Path) -> None:
    taken = int(stack.kafka.rpartition(":")[2])
    with pytest.raises(LocalProblem, match=f"port {taken}, asked for kafka, is taken"):
        LocalStack(tmp_path, {"kafka": taken}).start()
    assert processes_of(tmp_path) == []


def test_a_part_that_cannot_read_its_files_says_why_and_nothing_is_left_running(tmp_path: Path) -> None:
    postgres = LocalStack(tmp_path).postgres_part
    postgres.start()
    postgres.stop()
    (tmp_path / "postgres" / "global" / "pg_control").write_bytes(b"")
    with pytest.raises(LocalProblem) as failure:
        LocalStack(tmp_path).start()
    assert failure.value.problem.startswith("postgres ended right after its start")
    assert "pg_control" in failure.value.problem
    assert processes_of(tmp_path) == []


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10**9, 10**9 - 5_000_000, 5_000_000)
    )
    with pytest.raises(LocalProblem, match="is full"):
        LocalStack(tmp_path).start()
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "postgres").exists()
