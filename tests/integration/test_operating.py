"""Looking everything over, backing it up, and bringing it back after all of it was destroyed."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from till_events.ids import new_id
from till_platform.testing.running import eventually
from tillstream.backups.cut import one_point
from tillstream.exits import Exit

from .conftest import Operated, receipt

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]
AHEAD = "SELECT max(last_position) FROM checkpoint WHERE topic = 'till.order'"


def findings(operated: Operated, code: int) -> dict[str, dict]:
    found = json.loads(operated.till("doctor", "--json", code=code).stdout)["findings"]
    return {one["name"]: one for one in found}


def test_the_doctor_looks_at_everything_and_finds_nothing_where_all_is_well(operated):
    found = findings(operated, Exit.OK)
    assert all(one["ok"] and one["detail"] and one["remedy"] is not None for one in found.values())
    each = {
        "tables of",
        "outbox of",
        "dead letters of",
        "effects of",
        "webhooks of",
        "signatures of",
        "headroom of",
        "checkpoints of",
        "API of",
        "lag of",
    }
    wanted = {f"{what} {service}" for what in each for service in operated.attached.services}
    wanted |= {
        f"{what} till.{name}"
        for what in ("topic", "retention of", "oldest records of")
        for name in operated.attached.services
    }
    wanted |= {"Python", "versions", "disk", "PostgreSQL", "clocks", "Valkey", "Kafka", "access to Kafka"}
    assert wanted <= set(found)


def test_the_doctor_names_what_is_wrong_with_a_topic_and_the_command_that_mends_it(operated):
    kafka = operated.attached.state.kafka
    with retention(kafka, "till.loyalty", "604800000"):
        found = findings(operated, Exit.FAILURE)
    (wrong,) = [one for one in found.values() if not one["ok"]]
    assert (wrong["name"], wrong["detail"]) == ("retention of till.loyalty", "retention.ms is 604800000")
    assert wrong["remedy"].startswith(f"kafka-configs --bootstrap-server {kafka} --alter")
    findings(operated, Exit.OK)


def test_the_doctor_names_dead_letters_and_the_command_that_shows_them(operated):
    with psycopg.connect(operated.attached.database("customer"), autocommit=True) as database:
        (letter,) = database.execute(
            'INSERT INTO dead_letter (consumer, topic, partition, "offset", reason, detail, headers) '
            "VALUES ('customer.worker', 'till.order', 0, -1, 'test', 'test', '{}') RETURNING id"
        ).fetchone()
    try:
        found = findings(operated, Exit.FAILURE)
    finally:
        operated.till("dlq", "discard", "customer", str(letter), "--why", "nothing was lost", "--yes")
    findings(operated, Exit.OK)
    (wrong,) = [one for one in found.values() if not one["ok"]]
    assert (wrong["name"], wrong["remedy"]) == ("dead letters of customer", "till dlq list customer")


@contextmanager
def retention(kafka: str, topic: str, milliseconds: str) -> Iterator[None]:
    async def alter(value: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        kept = {"retention.ms": value, "retention.bytes": "-1", "cleanup.policy": "delete"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, kept)])
        await admin.close()

    asyncio.run(alter(milliseconds))
    try:
        yield
    finally:
        asyncio.run(alter("-1"))


@contextmanager
def trade(operated: Operated) -> Iterator[None]:
    """Sell all the while, as tills do."""
    done = threading.Event()

    def sell() -> None:
        with operated.attached.client("order") as order:
            store = order.get("/v1/stores").json()["items"][0]["store_id"]
            while not done.wait(0.1):
                lines = "\n".join(json.dumps(receipt(f"c-{new_id()[-4:]}", store_id=store)) for _ in range(5))
                order.post("/v1/receipts:batch", content=lines, headers={"Content-Type": "application/x-ndjson"})

    selling = threading.Thread(target=sell)
    selling.start()
    try:
        yield
    finally:
        done.set()
        selling.join()


def test_at_one_point_nobody_has_taken_an_event_that_its_owners_log_has_not(operated):
    databases = {name: operated.attached.database(name) for name in operated.attached.services}
    with trade(operated):
        for _ in range(5):
            with one_point(databases) as snapshots:
                taken = [at_snapshot(databases[name], one.id, AHEAD) for name, one in snapshots.items()]
                assert max(filter(None, taken)) <= snapshots["order"].log_position


def test_control_databases_read_one_after_the_other_are_not_at_one_point(operated):
    with (
        psycopg.connect(operated.attached.database("order"), autocommit=True) as order,
        psycopg.connect(operated.attached.database("loyalty"), autocommit=True) as loyalty,
    ):
        (recorded,) = order.execute("SELECT position FROM log_head").fetchone()
        with trade(operated):
            eventually(lambda: loyalty.execute(AHEAD).fetchone()[0] > recorded, within=120)


def at_snapshot(address: str, snapshot: str, query: str) -> int | None:
    with psycopg.connect(address) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        return connection.execute(query).fetchone()[0]


def test_after_everything_was_destroyed_a_backup_brings_it_back(operated, tmp_path):
    with trade(operated):
        made = json.loads(operated.till("backup", str(tmp_path / "backup"), "--json").stdout)
    assert set(made["services"]) == set(operated.attached.services)
    before = {name: events(operated, name, dump["log_position"]) for name, dump in made["services"].items()}
    assert operated.till("restore", str(tmp_path / "backup"), "--yes", code=Exit.CONFLICT).stderr.count("till down")

    operated.till("down")
    shutil.rmtree(operated.data_dir)
    operated.till("restore", str(tmp_path / "backup"))
    operated.till("up", "-d")

    after = {name: events(operated, name, dump["log_position"]) for name, dump in made["services"].items()}
    assert after == before, "what a service has recorded since it started, a signed head, comes behind that"
    operated.till("verify")
    findings(operated, Exit.OK)
    with operated.attached.client("order") as order:  # and trade goes on
        store = order.get("/v1/stores").json()["items"][0]["store_id"]
        key = {"Idempotency-Key": new_id()}
        assert order.post("/v1/receipts", json=receipt(store_id=store), headers=key).status_code == 201


def events(operated: Operated, service: str, up_to: int) -> tuple:
    query = "SELECT count(*), max(position), md5(string_agg(id::text || md5(data), '' ORDER BY position)) FROM log WHERE position <= %s"
    with psycopg.connect(operated.attached.database(service)) as database:
        return database.execute(query, [up_to]).fetchone()


def test_a_backup_that_was_changed_since_is_not_restored(operated, tmp_path):
    folder = tmp_path / "backup"
    operated.till("backup", str(folder))
    dump = folder / "loyalty.dump"
    dump.write_bytes(dump.read_bytes()[:-1] + b"?")
    refused = operated.till("restore", str(folder), "--data-dir", str(tmp_path / "other"), code=Exit.FAILURE)
    assert "the backup of loyalty is not what it was" in refused.stderr
    assert operated.till("backup", str(folder), code=Exit.CONFLICT).stderr.count("is not empty")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert operated.till("restore", str(empty), "--yes", code=Exit.NOT_FOUND).stderr.count("holds no backup")
