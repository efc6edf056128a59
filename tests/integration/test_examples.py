"""Readers that use nothing of ours: each example reads a topic from any offset, checks what it reads, and goes on where it was."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from till_platform.local.jars import Jar, ensure, kafka_jars
from till_platform.local.settings import LocalSettings
from till_platform.testing.running import eventually

from .conftest import open_store, receipt, record

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SCHEMAS = ROOT / "contracts" / "events"
# The validator that examples/java/pom.xml names; the other jars come with the local Kafka.
VALIDATOR = Jar(
    "dev.harrel", "json-schema", "1.8.2", "901240d73eb6609069aef2d5ee1b52f4efd3ed77bec30d7dc6a418bf5f1feb12", 206980
)
Command = Callable[..., subprocess.CompletedProcess[str]]


def run(*command: str | Path, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120, **more)


@pytest.fixture(scope="module")
def order(chain):
    service = chain("order").start()
    with service.client() as client:
        open_store(client)
    record(service, [receipt(f"early-{number}") for number in range(12)])
    return service


@pytest.fixture(scope="module")
def topic(order):
    (name,) = {topic for (topic,) in order.rows("SELECT topic FROM relay_mark")}
    return name


@pytest.fixture(scope="module", params=["python", "node", "java"])
def reader(request, infra, topic, tmp_path_factory) -> Command:
    """Run an example to the end of the topic; what it needs and is not there is said in the reason of the skip."""
    command = {"python": python, "node": node, "java": java}[request.param](tmp_path_factory)

    def read(positions: Path, *, start: int = 0, schemas: Path = SCHEMAS) -> subprocess.CompletedProcess[str]:
        group = ["--group", f"subscriber.{positions.parent.name}"] if request.param == "node" else []
        given = ["--kafka", infra.kafka, "--topic", topic, "--schemas", schemas, "--positions", positions]
        return run(*command, *given, *group, "--from", str(start), "--until-end")

    return read


def python(_) -> list[str | Path]:
    return [sys.executable, EXAMPLES / "python" / "subscribe.py"]


def node(tmp_path_factory) -> list[str | Path]:
    if not shutil.which("npm"):
        pytest.skip("the Node example was NOT run: it needs Node 20 and npm")
    folder = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(EXAMPLES / "node", folder, ignore=shutil.ignore_patterns("node_modules"))
    installed = run("npm", "ci", "--no-audit", "--no-fund", cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return ["node", folder / "subscribe.js"]


def java(_) -> list[str | Path]:
    found = shutil.which("java")
    if not found or not shutil.which("javac"):
        pytest.skip("the Java example was NOT run: it needs a JDK of version 17 or newer")
    jars = ensure([*kafka_jars(), VALIDATOR], LocalSettings().jar_cache)
    needed = ("kafka-clients", "jackson-", "json-schema", "slf4j-api", "lz4", "snappy", "zstd")
    classpath = ":".join(str(jar) for jar in jars if jar.name.startswith(needed))
    return [found, "-cp", classpath, EXAMPLES / "java" / "Subscribe.java"]


def published(order) -> set[str]:
    """Return the ids of what is in the log for everybody, once all of it is on the topic."""
    eventually(
        lambda: order.rows("SELECT head.position = mark.position FROM log_head head, relay_mark mark") == [(True,)]
    )
    return {str(one) for (one,) in order.rows("SELECT id FROM log WHERE public")}


def lines(done: subprocess.CompletedProcess[str]) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_late_joiner_fills_itself_from_offset_0_goes_on_where_it_was_and_begins_anywhere(reader, order, tmp_path):
    everything = published(order)
    first = lines(reader(tmp_path / "positions.json"))
    assert {one["id"] for one in first} == everything
    assert len(first) == len(everything)

    record(order, [receipt("late")])
    second = lines(reader(tmp_path / "positions.json"))
    assert {one["id"] for one in second} == published(order) - everything
    assert [one["data"]["customer_id"] for one in second] == ["late"]

    from_1 = lines(reader(tmp_path / "another.json", start=1))
    assert {one["id"] for one in from_1} == {one["id"] for one in [*first, *second] if one["offset"] >= 1}
    assert 0 < len(from_1) < len([*first, *second])


def test_control_an_event_that_is_not_what_its_schema_says_is_not_taken(reader, order, tmp_path):
    published(order)
    shutil.copytree(SCHEMAS, tmp_path / "schemas")
    broken = tmp_path / "schemas" / "order" / "PurchaseRecorded.v1.json"
    schema = json.loads(broken.read_text())
    schema["properties"]["total_minor"] = {"type": "string"}
    broken.write_text(json.dumps(schema))
    done = reader(tmp_path / "positions.json", schemas=tmp_path / "schemas")
    assert done.returncode == 1
    assert "is not what its schema says" in done.stderr
    assert "PurchaseRecorded" not in done.stdout


def test_kcat_reads_a_partition_and_goes_on_where_it_was(infra, order, topic, tmp_path):
    if not shutil.which("kcat"):
        pytest.skip("the kcat example was NOT run: it needs kcat (apt install kcat)")
    everything = published(order)
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}

    def read(number: int) -> list[str]:
        done = run(
            EXAMPLES / "kcat" / "subscribe.sh", infra.kafka, topic, str(number), SCHEMAS, tmp_path / "kept", env=path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    taken = {number: [line.split("\t")[1] for line in read(number)] for number in range(2)}
    assert set(taken[0] + taken[1]) < everything
    assert any(taken.values())
    assert [read(number) for number in range(2)] == [[], []]


async def test_whoever_reads_from_the_beginning_leaves_no_trace_with_the_services(infra, order, topic, tmp_path):
    """No group of its own, no request to the service, no row in its database that was not there."""
    published(order)
    checkpoints = order.rows("SELECT * FROM checkpoint ORDER BY 1, 2, 3")
    groups = await groups_of(infra.kafka)
    answered = requests(order)

    done = run(*python(None), "--kafka", infra.kafka, "--topic", topic, "--schemas", SCHEMAS,
               "--positions", tmp_path / "positions.json", "--until-end")  # fmt: skip

    assert lines(done)
    assert await groups_of(infra.kafka) == groups
    assert order.rows("SELECT * FROM checkpoint ORDER BY 1, 2, 3") == checkpoints
    assert requests(order) == answered


async def groups_of(kafka: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return {name for name, *_ in await admin.list_consumer_groups()}
    finally:
        await admin.close()


def requests(order) -> list[str]:
    """Return the counters of what was asked of the service, its probes and figures apart."""
    with order.client() as client:
        text = client.get("/metrics").text
    return [line for line in text.splitlines() if line.startswith("till_http_requests_total") and "/v1/" in line]
