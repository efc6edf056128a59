"""Readers that use nothing of ours: each example reads a topic from any offset, checks what it reads, and goes on where it was."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from till_platform.local.jars import Jar, ensure, kafka_jars
from till_platform.local.settings import LocalSettings
from till_platform.testing.running import eventually

from .conftest import open_store, receipt, record

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SCHEMAS = ROOT / "contracts" / "events"
KEPT = ROOT / ".cache" / "examples"  # what was installed and compiled for the examples, for the next run
LANGUAGES = ("python", "node", "java")
# The validator that examples/java/pom.xml names; the other jars come with the local Kafka.
VALIDATOR = Jar(
    "dev.harrel", "json-schema", "1.8.2", "901240d73eb6609069aef2d5ee1b52f4efd3ed77bec30d7dc6a418bf5f1feb12", 206980
)
Done = subprocess.CompletedProcess[str]


def run(*command: str | Path, **more) -> Done:
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


class Missing(Exception):
    """What an example needs is not on this machine."""


def python() -> list[str | Path]:
    return [sys.executable, EXAMPLES / "python" / "subscribe.py"]


def node() -> list[str | Path]:
    if not shutil.which("npm"):
        raise Missing("the Node example was NOT run: it needs Node 20 and npm")

    def install(folder: Path) -> Done:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(EXAMPLES / "node" / name, folder)
        return run("npm", "ci", "--no-audit", "--no-fund", "--cache", KEPT / "npm", cwd=folder)

    folder = kept("node", (EXAMPLES / "node" / "package-lock.json").read_bytes(), install)
    shutil.copy(EXAMPLES / "node" / "subscribe.js", folder)
    return ["node", folder / "subscribe.js"]


def java() -> list[str | Path]:
    program, compiler = shutil.which("java"), shutil.which("javac")
    if not program or not compiler:
        raise Missing("the Java example was NOT run: it needs a JDK of version 17 or newer")
    needed = ("kafka-clients", "jackson-", "json-schema", "slf4j-api", "lz4", "snappy", "zstd")
    jars = [jar for jar in [*kafka_jars(), VALIDATOR] if jar.artifact.startswith(needed)]
    classpath = ":".join(map(str, ensure(jars, LocalSettings().jar_cache)))
    source = EXAMPLES / "java" / "Subscribe.java"
    compile_to = [compiler, "--release", "17", "-cp", classpath, source, "-d"]
    classes = kept("java", source.read_bytes() + classpath.encode(), lambda folder: run(*compile_to, folder))
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return [program, *quick, "-cp", f"{classes}:{classpath}", "Subscribe"]


def kept(name: str, made_of: bytes, make: Callable[[Path], Done]) -> Path:
    """Return a folder that is made once for each content of what it is made of."""
    folder = KEPT / f"{name}-{hashlib.sha256(made_of).hexdigest()[:16]}"
    if not folder.exists():
        making = folder.with_suffix(f".{os.getpid()}")
        making.mkdir(parents=True)
        done = make(making)
        assert done.returncode == 0, done.stderr
        making.rename(folder)
    return folder


@dataclass
class Reading:
    """What one example printed: on its first run, after one more sale, from offset 1, and held against a schema that is broken."""

    first: Done
    second: Done
    from_1: Done
    broken: Done


@dataclass
class Readings:
    """What all examples printed that can run here, why the others cannot, and the ids that were on the topic early and in the end."""

    of: dict[str, Reading]
    missing: dict[str, str]
    early: set[str]
    everything: set[str]


@pytest.fixture(scope="module")
def readings(infra, order, topic, tmp_path_factory) -> Readings:
    """Let all examples read at the same time."""
    home = tmp_path_factory.mktemp("examples")
    broken = broken_schemas(home / "schemas")

    def read(language: str, positions: str, *, start: int = 0, schemas: Path = SCHEMAS) -> Done:
        own = home / f"{language}-{positions}"
        group = ["--group", f"subscriber.{own.name}.{topic}"] if language == "node" else []
        given = ["--kafka", infra.kafka, "--topic", topic, "--schemas", schemas, "--positions", own]
        return run(*commands[language], *given, *group, "--from", str(start), "--until-end")

    with ThreadPoolExecutor(4) as pool:
        prepared = {name: pool.submit(make) for name, make in zip(LANGUAGES, (python, node, java), strict=True)}
        missing = {name: str(why) for name, one in prepared.items() if isinstance(why := one.exception(), Missing)}
        commands = {name: one.result() for name, one in prepared.items() if name not in missing}
        early = published(order)
        first = {name: pool.submit(read, name, "positions") for name in commands}
        against = {name: pool.submit(read, name, "broken", schemas=broken) for name in commands}
        found = {name: one.result() for name, one in first.items()}
        record(order, [receipt("late")])
        everything = published(order)
        second = {name: pool.submit(read, name, "positions") for name in commands}
        from_1 = {name: pool.submit(read, name, "another", start=1) for name in commands}
        of = {
            name: Reading(found[name], second[name].result(), from_1[name].result(), against[name].result())
            for name in commands
        }
    return Readings(of, missing, early, everything)


@pytest.fixture(params=LANGUAGES)
def reading(request, readings) -> Reading:
    """Return what one example printed; what it needs and is not there is said in the reason of the skip."""
    if request.param in readings.missing:
        pytest.skip(readings.missing[request.param])
    return readings.of[request.param]


def broken_schemas(folder: Path) -> Path:
    shutil.copytree(SCHEMAS, folder)
    broken = folder / "order" / "PurchaseRecorded.v1.json"
    schema = json.loads(broken.read_text())
    schema["properties"]["total_minor"] = {"type": "string"}
    broken.write_text(json.dumps(schema))
    return folder


def published(order) -> set[str]:
    """Return the ids of what is in the log for everybody, once all of it is on the topic."""
    eventually(
        lambda: order.rows("SELECT head.position = mark.position FROM log_head head, relay_mark mark") == [(True,)]
    )
    return {str(one) for (one,) in order.rows("SELECT id FROM log WHERE public")}


def lines(done: Done) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_late_joiner_fills_itself_from_offset_0_goes_on_where_it_was_and_begins_anywhere(reading, readings):
    first = lines(reading.first)
    assert {one["id"] for one in first} == readings.early
    assert len(first) == len(readings.early)

    second = lines(reading.second)
    assert {one["id"] for one in second} == readings.everything - readings.early
    assert [one["data"]["customer_id"] for one in second] == ["late"]

    from_1 = lines(reading.from_1)
    assert {one["id"] for one in from_1} == {one["id"] for one in [*first, *second] if one["offset"] >= 1}
    assert 0 < len(from_1) < len([*first, *second])


def test_control_an_event_that_is_not_what_its_schema_says_is_not_taken(reading):
    assert reading.broken.returncode == 1
    assert "is not what its schema says" in reading.broken.stderr
    assert "PurchaseRecorded" not in reading.broken.stdout


def test_the_jars_that_are_tried_are_those_that_the_java_example_names():
    coordinate = re.compile(r"<groupId>(.*)</groupId>\s*<artifactId>(.*)</artifactId>\s*<version>(.*)</version>")
    named = set(coordinate.findall((EXAMPLES / "java" / "pom.xml").read_text().partition("<dependencies>")[2]))
    assert named
    assert named <= {(jar.group, jar.artifact, jar.version) for jar in [*kafka_jars(), VALIDATOR]}


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

    with ThreadPoolExecutor() as pool:
        taken = [[line.split("\t")[1] for line in read] for read in pool.map(read, range(2))]
    assert set(taken[0] + taken[1]) < everything
    assert any(taken)
    assert [read(number) for number in range(2)] == [[], []]


async def test_whoever_reads_from_the_beginning_leaves_no_trace_with_the_services(infra, order, topic, tmp_path):
    """No group of its own, no request to the service, no row in its database that was not there."""
    published(order)
    checkpoints = order.rows("SELECT * FROM checkpoint ORDER BY 1, 2, 3")
    groups = await groups_of(infra.kafka)
    answered = requests(order)

    done = run(*python(), "--kafka", infra.kafka, "--topic", topic, "--schemas", SCHEMAS,
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
