"""Kafka with the doors closed: who may do what, tried by everybody on everything, on a stack started by `till up --secure`."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from pydantic import SecretStr

from till_events.base import declaration_of
from till_events.ids import new_id
from till_events.order import PurchaseRecorded
from till_platform.kafka.connection import connection_options
from till_platform.kafka.principals import Principal, Rule
from till_platform.kafka.signatures import Trust
from till_platform.settings import KafkaSettings
from till_platform.testing.running import eventually
from till_platform.worker.cursor import Cursor
from till_platform.worker.reading import FORGED, Reader
from tillstream.access.administrator import administering
from tillstream.access.services import principals_of_services
from tillstream.attached import Attached

from .conftest import open_store, post, receipt

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]  # the first one starts the stack
TABLE = yaml.safe_load((Path(__file__).parents[2] / "contracts/access.yaml").read_text())
RECEIPT = declaration_of(PurchaseRecorded).type.encode()
APART = "apart"
"""An installation of its own on the same cluster, in which no service runs: so what is tried there disturbs nobody."""
REFUSED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError)
NOT_ALLOWED, THERE_ALREADY = 29, 36


@dataclass
class Secure:
    """A stack with its doors closed, and the `till` command."""

    data_dir: Path

    def till(self, *words: str, code: int = 0, **environment: str) -> dict:
        """Run a command with --json, see that it ends as expected, and return what it said."""
        command = [Path(sys.executable).parent / "till", "--data-dir", self.data_dir, *words, "--json"]
        done = subprocess.run(
            command, env={**os.environ, **environment}, check=False, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == code, done.stderr[-3000:]
        return json.loads(done.stdout or done.stderr)

    def down(self) -> None:
        subprocess.run([Path(sys.executable).parent / "till", "--data-dir", self.data_dir, "down"], check=False)

    @property
    def attached(self) -> Attached:
        return Attached(self.data_dir)

    @property
    def admin(self) -> KafkaSettings:
        return self.attached.kafka

    def as_user(self, name: str, password: str) -> KafkaSettings:
        return self.admin.model_copy(update={"kafka_user": name, "kafka_password": SecretStr(password)})

    def rows(self, service: str, query: str, *parameters) -> list:
        with psycopg.connect(self.attached.database(service), autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def refusal_of(self, service: str) -> str:
        """Why a service is not ready, if it is not."""
        answer = httpx2.get(f"{self.attached.state.apis[service]}/readyz", timeout=10)
        return "" if answer.status_code == 200 else answer.text


@pytest.fixture(scope="module")
def secure(request, tmp_path_factory) -> Iterator[Secure]:
    if request.config.getoption("--infra") == "external":
        pytest.skip("these tests need a Kafka of their own")
    stack = Secure(tmp_path_factory.mktemp("secure"))
    try:
        stack.till("up", "-d", "--secure")
        yield stack
    finally:
        stack.down()


@pytest.fixture(scope="module")
def sold(secure):
    """A shop, and one receipt of ann's."""
    with secure.attached.client("order") as client:
        open_store(client)
        post(client, "/v1/receipts", receipt("ann", number="first"), status=201)


@asynccontextmanager
async def running(client):
    await client.start()
    try:
        await asyncio.sleep(0)
        yield client
    finally:
        await (client.close if isinstance(client, AIOKafkaAdminClient) else client.stop)()


async def allowed(work) -> bool:
    try:
        await asyncio.wait_for(work, 20)
    except REFUSED:
        return False
    return True


async def tried(settings: KafkaSettings, topics: list[str], groups: list[str]) -> dict[tuple[str, str], bool]:
    """What a principal can do: write, read and create each topic, and read in each group."""
    found: dict[tuple[str, str], bool] = {}
    options = connection_options(settings)
    async with running(AIOKafkaAdminClient(**options)) as admin, running(AIOKafkaProducer(**options)) as producer:
        shown = set(await admin.list_topics())
        for topic in topics:
            found["write", topic] = await allowed(producer.send_and_wait(topic, b"tried", partition=0))
            found["read", topic] = topic in shown and await _reads(options, topic)
            (answer,) = (await admin.create_topics([NewTopic(topic, 1, 1)])).topic_errors
            assert answer[1] in {NOT_ALLOWED, THERE_ALREADY}
            found["create", topic] = answer[1] != NOT_ALLOWED
        for group in groups:
            found["group", group] = await allowed(admin.list_consumer_group_offsets(group))
    return found


async def _reads(options: dict, topic: str) -> bool:
    """Whether a record comes. A topic that Kafka does not even show is never asked for: aiokafka would ask without a pause."""
    async with running(AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="none")) as consumer:
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek(place, 0)
        try:
            return bool(await consumer.getmany(timeout_ms=10_000))
        except TopicAuthorizationFailedError:
            return False


def test_every_principal_can_do_to_every_topic_and_group_what_the_table_says_and_no_more(secure, tmp_path):
    here = {"TILL_NAMESPACE": APART, "TILL_PARTITIONS": "1", **_as_administrator(secure)}
    secure.till("access", "services", "--out", str(tmp_path), **here)
    outside = secure.till("access", "grant", "bi", "--topics", "order,loyalty", **here)

    def apart(name: str) -> str:
        return name.replace("till.", f"{APART}.", 1)

    users = {
        apart(row["principal"]): (
            (tmp_path / f"{name}.password").read_text(),
            {apart(topic) for topic in row["writes"]},
            {apart(topic) for topic in row["reads"]},
            apart(row["group"]),
        )
        for name, row in TABLE.items()
    }
    users[f"{APART}.bi"] = (
        outside["client"]["sasl.password"],
        set(),
        {f"{APART}.order", f"{APART}.loyalty"},
        f"{APART}.bi.any",
    )
    users["admin"] = "", set(), set(), ""
    topics = [*(f"{APART}.{name}" for name in TABLE), "till.order"]
    groups = [group for _, _, _, group in users.values() if group] + ["till.order.worker"]

    async def everybody() -> dict:
        admin = connection_options(secure.admin)
        async with running(AIOKafkaProducer(**admin)) as producer:
            for topic in topics[:-1]:
                await producer.send_and_wait(topic, b"there is something to read", partition=0)
        people = {
            name: secure.as_user(name, password) if password else secure.admin for name, (password, *_) in users.items()
        }
        return {
            name: await tried(who, topics if name != "admin" else topics[:-1], groups) for name, who in people.items()
        }

    found = asyncio.run(everybody())
    for name, (_, writes, reads, group) in users.items():
        everything = name == "admin"
        expected = {("group", one): everything or one == group for one in groups}
        for topic in topics if not everything else topics[:-1]:
            expected["write", topic] = everything or topic in writes
            expected["read", topic] = everything or topic in reads
            expected["create", topic] = everything
        assert found[name] == expected, name


def _as_administrator(secure: Secure) -> dict[str, str]:
    """The settings of an administrator as an operator gives them."""
    folder = secure.data_dir / "secrets/kafka"
    return {
        "TILL_KAFKA": secure.admin.kafka,
        "TILL_KAFKA_PROTOCOL": "SASL_SSL",
        "TILL_KAFKA_USER": "admin",
        "TILL_KAFKA_PASSWORD_FILE": str(folder / "admin.password"),
        "TILL_KAFKA_CA_FILE": str(folder / "ca.pem"),
    }


def test_a_receipt_gets_through_to_loyalty_and_analytics(secure, sold):
    eventually(lambda: secure.rows("loyalty", "SELECT count(*)::int FROM lots.lots") == [(1,)], within=60)
    eventually(lambda: secure.rows("analytics", "SELECT count(*)::int FROM sales.receipts") == [(1,)], within=60)
    for service in TABLE:
        assert secure.rows(service, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_system_outside_is_let_in_limited_and_let_out(secure, sold):
    granted = secure.till("access", "grant", "press", "--topics", "order", "--bytes-per-second", "777")
    client = granted["client"]
    press = secure.as_user(client["sasl.username"], client["sasl.password"])

    async def first_topic() -> str:
        options = {**connection_options(press), "group_id": client["group.id"]}
        async with running(AIOKafkaConsumer("till.order", **options, auto_offset_reset="earliest")) as consumer:
            return (await asyncio.wait_for(consumer.getone(), 30)).topic

    assert asyncio.run(first_topic()) == "till.order"
    (listed,) = [one for one in secure.till("access", "list")["principals"] if one["principal"] == "till.press"]
    assert (listed["reads"], listed["writes"]) == (["till.order"], [])
    assert (listed["groups"], listed["bytes_per_second"]) == (["till.press.*"], 777)
    assert secure.till("access", "grant", "press", "--topics", "order", code=5)["title"] == "conflict"
    assert secure.till("access", "grant", "radio", "--topics", "nothing", code=4)["title"] == "not-found"
    secure.till("access", "revoke", "press")
    assert secure.till("access", "revoke", "press", code=4)["title"] == "not-found"
    assert "press" not in str(secure.till("access", "list"))


@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_whoever_is_not_let_in_is_told_to_look_at_both_password_and_authority(secure, wrong, tmp_path):
    from till_platform.local.certificates import make_certificates

    make_certificates(tmp_path)
    change = {
        "password": {"TILL_KAFKA_PASSWORD": "wrong"},
        "authority": {"TILL_KAFKA_CA_FILE": str(tmp_path / "ca.pem")},
    }[wrong]
    told = secure.till("access", "list", code=7, **{**_as_administrator(secure), **change})["detail"]
    assert "TILL_KAFKA_PASSWORD" in told
    assert "TILL_KAFKA_CA_FILE" in told
    assert {"password": "user or password are wrong", "authority": "is not vouched for"}[wrong] in told


def test_a_principal_that_is_no_administrator_may_not_say_who_may_do_what(secure):
    folder = secure.data_dir / "secrets/kafka"
    order = {"TILL_KAFKA_USER": "till.order", "TILL_KAFKA_PASSWORD_FILE": str(folder / "order.password")}
    told = secure.till("access", "revoke", "nobody", code=6, **{**_as_administrator(secure), **order})
    assert "does not let till.order" in told["detail"]


def findings(secure: Secure, code: int = 0) -> dict[str, dict]:
    return {one["name"]: one for one in secure.till("doctor", code=code)["findings"]}


def test_the_doctor_gets_in_and_finds_nothing_where_all_is_well(secure, sold):
    found = findings(secure)
    assert all(one["ok"] for one in found.values())
    assert found["access to Kafka"]["detail"].startswith("doors closed")
    assert {f"topic till.{name}" for name in TABLE} <= found.keys()


@pytest.mark.parametrize(
    ("principal", "rule", "told"),
    [
        ("till.press", Rule("topic", "till.", "ALL", prefixed=True), "till.press may write till.analytics, till.customer"),
        ("till.analytics", Rule("topic", "till.order", "WRITE"), "till.analytics may write topic till.order, which it does not need"),
    ],
)  # fmt: skip
def test_the_doctor_names_who_may_do_what_nobody_needs_and_its_command_mends_it(secure, sold, principal, rule, told):
    async def allow_too_much() -> None:
        async with administering(secure.admin) as administrator:
            await administrator.permit(principal, [rule])

    asyncio.run(allow_too_much())
    (wrong,) = [one for one in findings(secure, code=1).values() if not one["ok"]]
    assert told in wrong["detail"]
    secure.till(*wrong["remedy"].removeprefix("till ").partition(" (")[0].split())
    assert findings(secure)["access to Kafka"]["ok"]


def test_the_doctor_names_what_a_service_may_not_do(secure, sold):
    change_rules(secure, "till.notification", Rule("topic", "till.customer", "READ"))
    try:
        wrong = findings(secure, code=1)["access to Kafka"]
        assert "till.notification may not read topic till.customer" in wrong["detail"]
    finally:
        restore_rules(secure, "notification")
    eventually(lambda: not secure.refusal_of("notification"), within=90)


def change_rules(secure: Secure, principal: str, *rules: Rule) -> None:
    """Take rules away from a service."""

    async def forbid() -> None:
        async with administering(secure.admin) as administrator:
            await administrator.forbid(principal, rules)

    asyncio.run(forbid())


def restore_rules(secure: Secure, service: str) -> None:
    async def allow() -> None:
        async with administering(secure.admin) as administrator:
            await administrator.allow(principals_of_services("till")[service])

    asyncio.run(allow())


def test_a_relay_that_may_not_write_says_so_and_goes_on_when_it_may_again(secure, sold):
    """aiokafka's producer never recovers from that: the relay makes a new one."""
    change_rules(secure, "till.order", Rule("topic", "till.order", "WRITE"))
    with secure.attached.client("order") as client:
        for number in range(3):
            post(client, "/v1/receipts", receipt("ben", number=f"ben-{number}"), status=201)
        eventually(lambda: "Kafka refuses us (topic: till.order)" in secure.refusal_of("order"), within=30)
        post(client, "/v1/receipts", receipt("ben", number="ben-3"), status=201)
    (published,) = secure.rows("order", "SELECT log_head.position > relay_mark.position FROM log_head, relay_mark")
    assert published == (True,), "control: nothing got out"
    restore_rules(secure, "order")
    eventually(lambda: not secure.refusal_of("order"), within=60)
    query = "SELECT count(*)::int FROM lots.lots JOIN accounts.accounts USING (account_id) WHERE customer_id = 'ben'"
    eventually(lambda: secure.rows("loyalty", query) == [(4,)], within=60)


@pytest.mark.parametrize(
    "rule", [Rule("topic", "till.order", "READ"), Rule("group", "till.loyalty.worker", "READ")], ids=["topic", "group"]
)
def test_a_worker_that_may_not_read_says_so_and_goes_on_when_it_may_again(secure, sold, rule):
    change_rules(secure, "till.loyalty", rule)
    eventually(lambda: rule.name in secure.refusal_of("loyalty"), within=60)
    restore_rules(secure, "loyalty")
    eventually(lambda: not secure.refusal_of("loyalty"), within=90)
    assert secure.attached.state.processes["loyalty"].restarts == 0, "it is not a crash loop"


def test_an_event_that_another_service_forged_is_refused_by_all_who_read_it(secure, sold):
    """Analytics has stolen the right to write on order's topic, and writes a receipt that fits in every respect but one."""

    async def steal() -> None:
        async with administering(secure.admin) as administrator:
            thief = principals_of_services("till")["analytics"]
            await administrator.allow(
                Principal(name=thief.name, writes=[*thief.writes, "till.order"], reads=thief.reads, group=thief.group)
            )

    asyncio.run(steal())
    password = (secure.data_dir / "secrets/kafka/analytics.password").read_text()
    before = secure.rows("loyalty", "SELECT count(*)::int FROM lots.lots")
    record = asyncio.run(_forge(secure.as_user("till.analytics", password)))
    place = (record.topic, record.partition)
    for service in [name for name, row in TABLE.items() if "till.order" in row["reads"]]:
        query = 'SELECT reason, partition, "offset" FROM dead_letter WHERE topic = %s'
        eventually(
            lambda service=service, query=query: (
                secure.rows(service, query, "till.order") == [(FORGED, record.partition, record.offset)]
            ),
            within=60,
        )
        assert secure.rows(service, "SELECT count(*) FROM parked_key") == [(0,)]
    with secure.attached.client("order") as client:
        post(client, "/v1/receipts", receipt("eve", number="genuine"), status=201)
    eventually(
        lambda: secure.rows("loyalty", "SELECT count(*)::int FROM lots.lots") == [(before[0][0] + 1,)], within=60
    )
    control = Reader([PurchaseRecorded]).read({place: [record]}, {place: _before(record)})
    assert control.entries[0].fact is not None, "control: a reader that trusts everybody takes it"
    trust = Trust.of((secure.data_dir / "secrets/kafka/trusted.json").read_text())
    assert Reader([PurchaseRecorded], trust).read({place: [record]}, {place: _before(record)}).entries[0].fact is None
    restore_rules(secure, "analytics")


def _before(record) -> Cursor:
    return Cursor(record.offset, int(dict(record.headers)["ce_prevposition"]))


async def _forge(thief: KafkaSettings):
    """Publish a copy of ann's receipt for eve, with the next position of its partition, and return the record as readers see it."""
    options = connection_options(thief)
    topic = "till.order"
    async with running(AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="none")) as consumer:
        places = [TopicPartition(topic, number) for number in range(6)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, 0)
        genuine = last = None
        read = 0
        while read < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                read += len(records)
                for record in records:
                    if dict(record.headers)["ce_type"] == RECEIPT and genuine is None:
                        genuine = record
                    if genuine is not None and record.partition == genuine.partition:
                        last = record
        assert genuine is not None
        assert last is not None
        position = int(dict(last.headers)["ce_logposition"])
        changed = {
            "ce_id": new_id().encode(),
            "ce_subject": b"purchase-forged",
            "ce_logposition": b"%d" % (position + 1),
            "ce_prevposition": b"%d" % position,
        }
        headers = [(name, changed.get(name, value)) for name, value in genuine.headers]
        value = genuine.value.replace(b"first", b"forge")
        async with running(AIOKafkaProducer(**options)) as producer:
            sent = await producer.send_and_wait(
                topic, value, key=genuine.key, partition=genuine.partition, headers=headers
            )
        consumer.seek(TopicPartition(topic, sent.partition), sent.offset)
        return await consumer.getone(TopicPartition(topic, sent.partition))


def test_after_everything_was_destroyed_a_backup_brings_it_back_behind_closed_doors(secure, sold, tmp_path):
    """The last one: it takes the stack away. Kafka's own memory of who may do what is lost with it, and made anew."""
    for service in TABLE:
        for (letter,) in secure.rows(service, "SELECT id::int FROM dead_letter WHERE settled_at IS NULL"):
            secure.till("dlq", "discard", service, str(letter), "--why", "forged", "--yes")
    sales = "SELECT count(*)::int, sum(total_minor)::bigint FROM receipts.receipts"
    before = secure.rows("order", sales), secure.rows("loyalty", "SELECT count(*)::int FROM lots.lots")
    secure.till("backup", str(tmp_path / "backup"))
    keys = tmp_path / "secrets"
    shutil.copytree(secure.data_dir / "secrets", keys)
    secure.down()
    shutil.rmtree(secure.data_dir)

    shutil.copytree(keys, secure.data_dir / "secrets")
    assert secure.till("restore", str(tmp_path / "backup"))["secure"]
    secure.till("up", "-d")

    assert secure.attached.state.secure, "who had closed doors has closed doors"
    assert (secure.rows("order", sales), secure.rows("loyalty", "SELECT count(*)::int FROM lots.lots")) == before
    assert secure.till("verify")["verified"]
    assert all(one["ok"] for one in findings(secure).values())
    with secure.attached.client("order") as client:  # and trade goes on
        post(client, "/v1/receipts", receipt("ann", number="after"), status=201)
    lots = before[1][0][0] + 1
    eventually(lambda: secure.rows("loyalty", "SELECT count(*)::int FROM lots.lots") == [(lots,)], within=60)
