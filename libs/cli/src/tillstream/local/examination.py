"""Everything a human would look at, in the order of what hangs on what: the machine, the parts, the databases, Kafka, the services."""

import platform
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from till_events.topics import topic_of
from tillstream.local.database_examined import examine_database
from tillstream.local.directory import DataDirectory
from tillstream.local.finding import START_AGAIN, Finding
from tillstream.local.issuer import Issuer, Role
from tillstream.local.kafka_examined import examine_kafka
from tillstream.local.services import answers, consumers, installed_services
from tillstream.local.state import StackState

_PACKAGES = ("tillstream", "tillstream-platform", "tillstream-events")
LITTLE_DISK_BYTES = 2_000_000_000
LARGEST_CLOCK_DIFFERENCE_SECONDS = 1.0
LARGE_LAG = 10_000
_TAKEN = "SELECT topic, max(last_position) FROM checkpoint GROUP BY topic"
_HEAD = "SELECT position FROM log_head"


def examine(directory: DataDirectory) -> list[Finding]:
    """Everything that can be told from outside about a running stack; when nothing runs, only that and the machine."""
    state = StackState.read(directory)
    findings = list(_machine(directory))
    if not state.running:
        detail = f"{state.phase}{f': {state.problem}' if state.problem else ''}"
        return [*findings, Finding("stack", ok=False, detail=detail, remedy=state.remedy or "till up -d")]
    findings += _processes(state)
    findings += _postgres(state)
    findings += _consumers(state)
    findings += _valkey(state)
    findings += examine_kafka(state, directory)
    findings += _services(state, directory)
    return findings


def _machine(directory: DataDirectory) -> Iterator[Finding]:
    yield Finding("Python", ok=True, detail=platform.python_version())
    found = {name: version(name) for name in _PACKAGES} | {
        f"tillstream-{name}": version(f"tillstream-{name}") for name in installed_services()
    }
    yield Finding(
        "versions",
        ok=len(set(found.values())) == 1,
        detail=", ".join(f"{name} {number}" for name, number in found.items())
        if len(set(found.values())) > 1
        else version("tillstream"),
        remedy="make setup (installs all packages of one version)",
    )
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
                yield from examine_database(service, database)
        except psycopg.Error as error:
            yield Finding(
                f"database of {service}",
                ok=False,
                detail=type(error).__name__,
                remedy=f"till logs postgres ({START_AGAIN})",
            )


def _consumers(state: StackState) -> Iterator[Finding]:
    """After a restore of databases as of different moments, a consumer may have taken what its source has never recorded."""
    heads: dict[str, int] = {}
    taken: dict[str, dict[str, int]] = {}
    try:
        for service, address in state.databases.items():
            with psycopg.connect(address, connect_timeout=3) as database:
                taken[service] = dict(database.execute(_TAKEN).fetchall())  # read before the logs, which only grow
        for service, address in state.databases.items():
            with psycopg.connect(address, connect_timeout=3) as database:
                heads[topic_of(service, state.namespace)] = (database.execute(_HEAD).fetchone() or (0,))[0]
    except psycopg.Error:
        return  # told already
    for service, places in taken.items():
        ahead = [f"{topic} by {at - heads[topic]}" for topic, at in sorted(places.items()) if at > heads.get(topic, at)]
        yield Finding(
            f"checkpoints of {service}",
            ok=not ahead,
            detail=f"ahead of the log of {', '.join(ahead)}" if ahead else "not ahead of any log",
            remedy="till restore, from a backup made by till backup",
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


def _valkey(state: StackState) -> Iterator[Finding]:
    try:
        with Redis.from_url(state.redis, socket_timeout=3) as client:
            yield Finding("Valkey", ok=True, detail=str(client.info("server").get("valkey_version", "answers")))
    except RedisError as error:
        yield Finding("Valkey", ok=False, detail=type(error).__name__, remedy=f"till logs valkey ({START_AGAIN})")


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
