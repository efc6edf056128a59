"""An auditor at work on services that run: logs, topics, exports, and an export put back."""

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from till_platform.audit.keys import PublicKey
from till_platform.eventstore.schema import migrate
from tillstream.audit.places import check_topic
from tillstream.exits import Exit
from tillstream.local.database_examined import _signatures
from tillstream.local.directory import DataDirectory
from tillstream.topics import ends_of, open_topics, read_to

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
SCRIPT = Path(__file__).parents[4] / "tools" / "verify_export.py"
ROWS = "SELECT to_jsonb(log) FROM log ORDER BY position"


@pytest.fixture(scope="module")
def keys(shop):
    return [PublicKey.of_pem(DataDirectory(shop.data_dir).audit_public_key.read_text())]


@contextmanager
def forger(shop, service):
    """The log as somebody with the keys to the cellar can change it, put right again in the end."""
    with psycopg.connect(shop.services[service].pg, autocommit=True) as connection:
        connection.execute("ALTER TABLE log DISABLE TRIGGER log_is_append_only")
        connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM log")
        try:
            yield connection
        finally:
            connection.execute("DELETE FROM log WHERE position <= (SELECT max(position) FROM kept)")
            connection.execute("INSERT INTO log SELECT * FROM kept")
            connection.execute("ALTER TABLE log ENABLE TRIGGER log_is_append_only")


@pytest.mark.parametrize("place", [[], ["--topic"]], ids=["log", "topic"])
def test_what_nobody_touched_is_sound_with_nothing_but_the_public_key(shop, place) -> None:
    done = shop.till("audit", "verify", *place, "--json")
    assert done.code == 0, done
    logs = {log["source"]: log for log in done.json["logs"]}
    assert set(logs) == {"/tillstream/order", "/tillstream/customer"}
    assert all(log["heads"] and log["problem"] is None for log in logs.values())
    assert logs["/tillstream/order"]["signed_to"] >= 10
    assert "Nothing was altered" in shop.till("audit", "verify", *place).out


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE log SET data = set_byte(data, 30, get_byte(data, 30) # 1) WHERE position = 4", "altered"),
        ("UPDATE log SET actor = 'cashier:99' WHERE position = 4", "altered"),
        ("UPDATE log SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 4", "altered"),
        ("DELETE FROM log WHERE position = 4", "missing"),
        ("UPDATE log SET position = CASE position WHEN 4 THEN -5 ELSE -4 END WHERE position IN (4, 5)", "altered"),
    ],
)
def test_what_a_forger_does_to_the_log_is_named(shop, statement, kind) -> None:
    with forger(shop, "order") as log:
        log.execute(statement)
        log.execute("UPDATE log SET position = -position WHERE position < 0")
        done = shop.till("audit", "verify", "--service", "order", "--json")
        told = shop.till("audit", "verify", "--service", "order")
    assert (done.code, told.code) == (Exit.FAILURE, Exit.FAILURE)
    (log,) = done.json["logs"]
    assert (log["problem"]["position"], log["problem"]["kind"]) == (4, kind)
    if kind == "altered":
        ((stream,),) = shop.rows("order", "SELECT stream FROM log WHERE position = 4")
        assert f"position 4: altered: {stream}@1" in told.out or "product-" in told.out
    assert shop.till("audit", "verify", "--service", "order").code == 0


def test_a_topic_that_somebody_wrote_anew_is_found_out(shop, keys) -> None:
    """Each time the records of the topic, copied to another one with one of them changed."""

    async def records():
        async with open_topics(shop.attached.kafka, [shop.attached.topic("order")]) as client:
            return [
                record
                async for polled in read_to(client, await ends_of(client))
                for some in polled.values()
                for record in some
            ]

    found = sorted(asyncio.run(records()), key=lambda record: int(dict(record.headers)["ce_logposition"]))
    copies = [(record.key, record.value, list(record.headers)) for record in found]
    key, value, headers = copies[2]
    actor = [(name, b"cashier:99" if name == "ce_actor" else text) for name, text in headers]
    schema = [(name, b"https://example.org" if name == "ce_dataschema" else text) for name, text in headers]

    def place(copy):
        return int(dict(copy[2])["ce_logposition"])

    def saying(position, headers):
        return [
            *((name, text) for name, text in headers if name != "ce_prevposition"),
            ("ce_prevposition", b"%d" % position),
        ]

    third = place(copies[2])

    def verdict(records):
        """What is said of these records on one partition, each saying that it follows what is in front of it in the log."""
        topic = f"audit.{uuid4().hex[:8]}"
        before = dict(zip(map(place, copies), [0, *map(place, copies)], strict=False))
        follows = [
            (key, value, saying(before[place((key, value, headers))], headers)) for key, value, headers in records
        ]

        async def publish() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=shop.infra.kafka)
            await admin.start()
            await admin.create_topics([NewTopic(topic, 1, 1)])
            await admin.close()
            async with AIOKafkaProducer(bootstrap_servers=shop.infra.kafka) as producer:
                for key, value, headers in follows:
                    await producer.send_and_wait(topic, value, key, partition=0, headers=headers)

        asyncio.run(publish())
        problem = check_topic(shop.attached.kafka, topic, "order", keys, lambda *_: None).problem
        return (problem.position, problem.kind) if problem else None

    assert verdict(copies) is None
    assert verdict([*copies, *copies[4:]]) is None
    assert verdict([*copies[:2], (key, value[:-1] + b" }", headers), *copies[3:]]) == (third, "altered")
    assert verdict([*copies[:2], (key, value, actor), *copies[3:]]) == (third, "altered")
    assert verdict([*copies[:2], (key, value, schema), *copies[3:]]) == (third, "altered")
    assert verdict([*copies[:2], *copies[3:]]) == (third, "missing")
    assert verdict([*copies[:2], copies[3], copies[2], *copies[4:]]) == (place(copies[3]), "reordered")
    assert verdict([*copies[3:5], *copies]) is None, "sent too early, and once more in its place"
    assert verdict([(b"x", b"{}", [("ce_logposition", b"%d" % third)]), *copies]) == (0, "added")


@pytest.mark.parametrize("name", ["logs.jsonl", "logs.parquet"])
def test_an_export_is_sound_and_put_back_it_is_the_same_log(shop, tmp_path, name) -> None:
    file = tmp_path / name
    done = shop.till("events", "export", str(file), "--json")
    assert (done.code, file.stat().st_mode & 0o777) == (0, 0o600), done
    ((events,),) = shop.rows("order", "SELECT count(*) FROM log")
    assert done.json["exported"]["order"] == events
    assert list(tmp_path.iterdir()) == [file]
    assert shop.till("audit", "verify", "--export", str(file)).code == 0

    one = tmp_path / f"order-{name}"
    assert shop.till("events", "export", str(one), "--service", "order").code == 0
    database = shop.infra.database("restored")
    key = str(DataDirectory(shop.data_dir).audit_public_key)
    put_back = ["events", "import", str(one), "--service", "order", "--database", database, "--public-key", key]
    done = shop.till(*put_back, "--json")
    assert (done.code, done.json) == (0, {"imported": {"order": events}, "events": events})
    with psycopg.connect(database) as restored:
        assert restored.execute(ROWS).fetchall() == shop.rows("order", ROWS)
    assert shop.till("audit", "verify", "--service", "order", "--database", database).code == 0
    again = shop.till(*put_back)
    assert (again.code, "events already" in again.err) == (Exit.CONFLICT, True)


def test_the_auditors_own_script_agrees_on_a_real_export(shop, tmp_path) -> None:
    file = tmp_path / "logs.jsonl"
    shop.till("events", "export", str(file))
    key = str(DataDirectory(shop.data_dir).audit_public_key)

    def script() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(SCRIPT), str(file), key], capture_output=True, text=True, check=False
        )

    assert script().returncode == 0, script()
    text = file.read_text(encoding="utf-8")
    assert "Łukasz Król" in text
    file.write_text(text.replace("Łukasz Król", "Łukasz Krol", 1), encoding="utf-8")
    done = script()
    assert done.returncode == 1
    assert "altered: customer-c-1@1" in done.stdout


def test_a_part_of_a_log_can_be_exported_and_checked(shop, tmp_path) -> None:
    file = tmp_path / "part.jsonl"
    done = shop.till("events", "export", str(file), "--service", "order", "--from", "5", "--to", "1000000")
    assert done.code == 0, done
    checked = shop.till("audit", "verify", "--export", str(file), "--json").json
    assert (checked["sound"], checked["logs"][0]["first"]) == (True, 5)
    out = shop.till("events", "export", "-", "--service", "order", "--from", "5", "--to", "7").out
    assert [json.loads(line)["logposition"] for line in out.splitlines()] == ["5", "6", "7"]
    assert shop.till("events", "export", "-", "--format", "parquet").code == Exit.USAGE
    assert shop.till("events", "export", "-", "--from", "5", "--to", "4").code == Exit.USAGE


def test_an_export_in_which_one_byte_is_wrong_is_not_put_back_and_the_row_is_named(shop, tmp_path) -> None:
    file = tmp_path / "order.jsonl"
    shop.till("events", "export", str(file), "--service", "order")
    lines = file.read_bytes().splitlines(keepends=True)
    database = shop.infra.database("restored")
    ways = {
        "row 3": [*lines[:2], lines[2].replace(b'"occurred_at":"20', b'"occurred_at":"19'), *lines[3:]],
        "row 5": [*lines[:4], *lines[5:]],
        "row 7": [*lines[:6], lines[6][:40] + b"\n", *lines[7:]],
        "row 2": [lines[0], lines[0], *lines[1:]],
    }
    for row, damaged in ways.items():
        file.write_bytes(b"".join(damaged))
        done = shop.till("events", "import", str(file), "--service", "order", "--database", database)
        assert (done.code, f"nothing was imported: {row}:" in done.err) == (Exit.FAILURE, True), done
        with psycopg.connect(database) as empty:
            assert empty.execute("SELECT count(*), (SELECT position FROM log_head) FROM log").fetchone() == (0, 0)
    file.write_bytes(b"".join(lines))
    assert shop.till("events", "import", str(file), "--service", "customer", "--database", database).code == Exit.USAGE
    assert shop.till("events", "import", str(file), "--service", "order", "--database", database).code == 0


def test_the_public_key_is_printed_for_whoever_wants_to_keep_it(shop, keys) -> None:
    told = shop.till("audit", "keys", "--json").json
    assert PublicKey.of_pem(told["public_key"]).id == told["key"] == keys[0].id
    assert {(row["service"], row["key"]) for row in told["used"]} == {("order", told["key"]), ("customer", told["key"])}
    assert "BEGIN PUBLIC KEY" in shop.till("audit", "keys").out


def test_doctor_tells_how_far_each_log_is_signed_and_misses_a_signature_that_is_long_due(shop) -> None:
    with psycopg.connect(shop.services["order"].pg) as database:
        assert _signatures("order", database).ok
    with psycopg.connect(shop.infra.database("unsigned"), autocommit=True) as database:
        migrate(database)
        database.execute(
            "INSERT INTO log SELECT 1, 'sale-1', 1, gen_random_uuid(), 'Sold', 'sale-1', '{}', true, now(), now() - interval '1 hour', 'c'"
        )
        database.execute("UPDATE log_head SET position = 1")
        finding = _signatures("order", database)
    assert (finding.ok, finding.detail) == (False, "0 of 1 events are signed")


def test_another_key_is_not_believed(shop, tmp_path) -> None:
    from till_platform.audit.keys import SigningKey, new_key

    file = tmp_path / "other.pem"
    file.write_text(SigningKey(new_key()).public.pem)
    done = shop.till("audit", "verify", "--public-key", str(file), "--json")
    assert done.code == Exit.FAILURE
    assert all("neither given nor announced" in log["problem"]["detail"] for log in done.json["logs"])
