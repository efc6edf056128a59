import asyncio
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from redis import Redis
from redis.exceptions import RedisError

from till_events.topics import topic_of
from till_platform.audit.heads import stream_of
from till_platform.kafka.connection import connection_options
from tillstream.attached import kafka_of
from tillstream.local.directory import DataDirectory
from tillstream.local.issuer import Issuer, Role
from tillstream.local.services import answers, consumers
from tillstream.local.state import StackState

LITTLE_DISK_BYTES = 2_000_000_000
LARGEST_CLOCK_DIFFERENCE_SECONDS = 1.0
LARGE_LAG = 10_000
LONG_UNSIGNED_SECONDS = 600
_SIGNED = """
SELECT head.position, signed.position, coalesce(extract(epoch FROM clock_timestamp() - (
    SELECT recorded_at FROM log WHERE log.position > signed.position AND stream <> %(stream)s ORDER BY log.position LIMIT 1
))::float8, 0)
FROM log_head AS head, (SELECT coalesce((
    SELECT (convert_from(data, 'UTF8')::jsonb ->> 'position')::bigint FROM log WHERE stream = %(stream)s ORDER BY sequence DESC LIMIT 1
), 0) AS position) AS signed
"""
START_AGAIN = "what died is started again by itself; if it goes on: till down && till up -d"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and when it is not well, the command that mends it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def examine(directory: DataDirectory) -> list[Finding]:
    """Everything that can be told from outside about a running stack; when nothing runs, only that and the machine."""
    state = StackState.read(directory)
    findings = list(_machine(directory))
    if not state.running:
        detail = f"{state.phase}{f': {state.problem}' if state.problem else ''}"
        return [*findings, Finding("stack", ok=False, detail=detail, remedy=state.remedy or "till up -d")]
    findings += _processes(state)
    findings += _postgres(state)
    findings += _valkey(state)
    findings += asyncio.run(_topics(state, directory))
    findings += _services(state, directory)
    return findings


def _machine(directory: DataDirectory) -> Iterator[Finding]:
    yield Finding("Python", ok=True, detail=platform.python_version())
    folder = next(path for path in (directory.path.absolute(), *directory.path.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    yield Finding(
        "disk",
        ok=free > LITTLE_DISK_BYTES,
        detail=f"{free / 1e9:.1f} GB free in {folder}",
        remedy="free some space, or move the data directory and start with --data-dir",
    )


def _processes(state: StackState) -> Iterator[Finding]:
    for process in state.processes.values():
        pid = f"pid {process.pid}" if process.pid else "no process"
        restarts = f", restarted {process.restarts} times" if process.restarts else ""
        yield Finding(
            process.name,
            ok=process.healthy,
            detail=f"{'up' if process.healthy else 'DOWN'} at {process.address}, {pid}{restarts}",
            remedy=f"till logs {process.name} ({START_AGAIN})",
        )


def _postgres(state: StackState) -> Iterator[Finding]:
    for service, address in state.databases.items():
        try:
            with psycopg.connect(address, connect_timeout=3) as database:
                if service == min(state.databases):
                    yield from _server(database)
                yield from _backlog(service, database)
                yield _signatures(service, database)
        except psycopg.Error as error:
            yield Finding(
                f"database of {service}",
                ok=False,
                detail=type(error).__name__,
                remedy=f"till logs postgres ({START_AGAIN})",
            )


def _server(database: psycopg.Connection) -> Iterator[Finding]:
    row = database.execute("SELECT current_setting('server_version'), clock_timestamp()").fetchone()
    assert row is not None
    difference = abs((datetime.now(UTC) - row[1]).total_seconds())
    yield Finding("PostgreSQL", ok=True, detail=str(row[0]))
    yield Finding(
        "clocks",
        ok=difference < LARGEST_CLOCK_DIFFERENCE_SECONDS,
        detail=f"PostgreSQL and this program differ by {difference:.3f} s",
        remedy="set the clock of this machine (timedatectl set-ntp true)",
    )


def _backlog(service: str, database: psycopg.Connection) -> Iterator[Finding]:
    """What waits in the tables every service has: events nobody could read, and messages to the outside not delivered yet."""
    row = database.execute("SELECT count(*) FROM dead_letter WHERE settled_at IS NULL").fetchone()
    letters = int(row[0]) if row else 0
    yield Finding(f"dead letters of {service}", ok=letters == 0, detail=str(letters), remedy=f"till dlq list {service}")
    row = database.execute(
        "SELECT count(*) FILTER (WHERE attempts > 0), count(*) FROM effect WHERE done_at IS NULL AND not_before < clock_timestamp()"
    ).fetchone()
    failing, due = (int(row[0]), int(row[1])) if row else (0, 0)
    yield Finding(
        f"effects of {service}",
        ok=failing == 0,
        detail=f"{due} due, {failing} tried in vain",
        remedy=f"till logs {service}",
    )


def _signatures(service: str, database: psycopg.Connection) -> Finding:
    """How far the log is signed. What nobody signs can be changed by whoever runs the database."""
    found = database.execute(_SIGNED, {"stream": stream_of(service)}).fetchone()
    head, signed, waited = found or (0, 0, 0.0)
    return Finding(
        f"signatures of {service}",
        ok=waited < LONG_UNSIGNED_SECONDS,
        detail=f"{signed:,} of {head:,} events are signed",
        remedy=f"till logs {service}; with no TILL_AUDIT_KEY it signs nothing, and till down && till up -d gives it one",
    )


def _valkey(state: StackState) -> Iterator[Finding]:
    try:
        with Redis.from_url(state.redis, socket_timeout=3) as client:
            yield Finding("Valkey", ok=True, detail=str(client.info("server").get("valkey_version", "answers")))
    except RedisError as error:
        yield Finding("Valkey", ok=False, detail=type(error).__name__, remedy=f"till logs valkey ({START_AGAIN})")


async def _topics(state: StackState, directory: DataDirectory) -> list[Finding]:
    admin = AIOKafkaAdminClient(**connection_options(kafka_of(state, directory)), request_timeout_ms=5000)
    try:
        await admin.start()
        found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    except KafkaError as error:
        return [Finding("Kafka", ok=False, detail=type(error).__name__, remedy=f"till logs kafka ({START_AGAIN})")]
    finally:
        await admin.close()
    findings = [Finding("Kafka", ok=True, detail=f"answers, {len(found)} topics")]
    for service in state.apis:
        partitions = found.get(topic_of(service), 0)
        detail = f"{partitions} partitions" if partitions else "is missing"
        again = "till down && till up -d"
        remedy = (
            f"TILL_PARTITIONS={partitions}; {again} (a topic keeps its number)" if partitions else f"{again} (makes it)"
        )
        findings.append(
            Finding(f"topic {topic_of(service)}", ok=partitions == state.partitions, detail=detail, remedy=remedy)
        )
    return findings


def _services(state: StackState, directory: DataDirectory) -> Iterator[Finding]:
    token = Issuer(directory.issuer_key, directory.jwks).sign(Role.ADMIN, None, "till", 5)
    for service, url in state.apis.items():
        ready = answers(f"{url}/readyz")
        yield Finding(
            f"API of {service}",
            ok=ready,
            detail=f"{url} {'is ready' if ready else 'is not ready'}",
            remedy=f"till logs {service}",
        )
        lag = sum(row["lag"] for row in consumers(state.workers[service], token))
        yield Finding(
            f"lag of {service}",
            ok=lag < LARGE_LAG,
            detail=f"{lag} events",
            remedy=f"wait, or look into it: till logs -f {service}",
        )
