"""Everything there is to judge a run by, read once when all is at rest, and not by way of any edge."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from faultlab.lab.history import Command, read
from faultlab.lab.installation import NAMESPACE, PARTITIONS, SERVICES, Installation
from faultlab.lab.provider import Call
from till_events import catalogue
from till_events.codec import decode

assert catalogue
_LOG = (
    "SELECT position, stream, sequence, id::text, type, key, data, public, causation_id, coalesce(traceparent, '')"
    " FROM log ORDER BY position"
)
_LETTERS = 'SELECT topic, partition, "offset", value, reason, settled_at IS NOT NULL FROM dead_letter ORDER BY id'


@dataclass(frozen=True, slots=True)
class Logged:
    """A row of a log, with its event decoded by nothing but the published language."""

    event: Any
    position: int
    stream: str
    sequence: int
    id: str
    type: str
    key: str
    data: bytes
    public: bool
    causation_id: str | None
    traceparent: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a topic."""

    offset: int
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]

    @property
    def position(self) -> int:
        """The place in the log that it says it has; 0 if it says none, or nothing that is a number."""
        said = self.headers.get("ce_logposition", b"0")
        return int(said) if said.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter of a service."""

    topic: str
    partition: int
    offset: int
    value: bytes
    reason: str
    settled: bool


@dataclass
class Evidence:
    """What a run left behind. Maps go by service, `topics` by the service that publishes, then by partition."""

    history: Mapping[str, Command] = field(default_factory=dict)
    logs: Mapping[str, Sequence[Logged]] = field(default_factory=dict)
    topics: Mapping[str, Sequence[Sequence[Record]]] = field(default_factory=dict)
    checkpoints: Mapping[str, Sequence[tuple[str, int, int, int]]] = field(default_factory=dict)
    went_back: Mapping[str, Sequence[tuple[Any, ...]]] = field(default_factory=dict)
    letters: Mapping[str, Sequence[Letter]] = field(default_factory=dict)
    parked: Mapping[str, int] = field(default_factory=dict)
    equal: Mapping[str, bool] = field(default_factory=dict)
    accounts: Mapping[str, int] = field(default_factory=dict)
    receipts: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    sales: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of analytics: how many receipts and what they come to, by store."""
    messages: Sequence[tuple[str, str]] = ()
    calls: Sequence[Call] = ()
    wiped: frozenset[str] = frozenset()
    rubbish: Sequence[tuple[str, bytes]] = ()
    unsettled: str = ""

    def log(self, service: str) -> Sequence[Logged]:
        """Return a log in order."""
        return self.logs.get(service, ())


async def gather(installation: Installation, wiped: frozenset[str], rubbish: Sequence[tuple[str, bytes]]) -> Evidence:
    """Read everything; the caller adds what it saw itself."""
    with (installation.directory / "history.jsonl").open(encoding="utf-8") as lines:
        history = read(lines)
    ask = installation.rows
    found = await asyncio.gather(*(asyncio.to_thread(_read_log, installation, service) for service in SERVICES))
    return Evidence(
        history=history,
        logs=dict(zip(SERVICES, found, strict=True)),
        topics={service: await read_topic(installation, service) for service in SERVICES},
        checkpoints={
            s: _places(ask(s, "SELECT topic, partition, next_offset, last_position FROM checkpoint")) for s in SERVICES
        },
        went_back={service: ask(service, "SELECT * FROM lab.went_back") for service in SERVICES},
        letters={service: [Letter(*row) for row in ask(service, _LETTERS)] for service in SERVICES},
        parked={service: ask(service, "SELECT count(*) FROM parked_key")[0][0] for service in SERVICES},
        equal=await _verify(installation),
        accounts=dict(ask("loyalty", "SELECT account_id, points FROM accounts.accounts")),
        receipts={name: (store, total) for name, store, total in ask("order", _RECEIPTS)},
        sales={store: (number, total) for store, number, total in ask("analytics", _SALES)},
        messages=ask("notification", "SELECT message_id, outcome FROM messages.messages"),
        calls=list(installation.provider.calls),
        wiped=wiped,
        rubbish=rubbish,
    )


_RECEIPTS = "SELECT purchase_id, store_id, total_minor FROM receipts.receipts"
_SALES = "SELECT store_id, sum(receipts)::bigint, sum(sales_minor)::bigint FROM sales.receipts GROUP BY store_id"


async def read_topic(installation: Installation, service: str) -> list[list[Record]]:
    """Return all records of a service's topic, partition by partition."""
    partitions = [TopicPartition(f"{NAMESPACE}.{service}", number) for number in range(PARTITIONS)]
    found: list[list[Record]] = [[] for _ in partitions]
    async with AIOKafkaConsumer(bootstrap_servers=installation.parts.kafka, auto_offset_reset="earliest") as client:
        client.assign(partitions)
        ends = await client.end_offsets(partitions)
        await client.seek_to_beginning(*partitions)
        while any([await client.position(partition) < ends[partition] for partition in partitions]):
            for partition, records in (await client.getmany(timeout_ms=500)).items():
                found[partition.partition] += [Record(r.offset, r.key, r.value, dict(r.headers)) for r in records]
    return found


def _read_log(installation: Installation, service: str) -> list[Logged]:
    rows = installation.rows(service, _LOG)
    return [Logged(decode(row[4], row[6]), *row) for row in rows]


def _places(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, int, int, int]]:
    """Name topics by their owner, and leave out those of services that this chain does without."""
    named = [(topic.removeprefix(f"{NAMESPACE}."), *rest) for topic, *rest in rows]
    return [place for place in named if place[0] in SERVICES]


async def _verify(installation: Installation) -> dict[str, bool]:
    """Let every service build its read models anew beside the live ones and compare."""
    done = await asyncio.gather(*(asyncio.to_thread(installation.run, service, "verify") for service in SERVICES))
    found: dict[str, bool] = {}
    for service, one in zip(SERVICES, done, strict=True):
        lines = [json.loads(line) for line in one.stdout.splitlines()]
        found |= {f"{service}.{line['name']}": bool(line["equal"]) for line in lines}
        if not lines:
            found[f"{service}: {one.stderr.decode(errors='replace')[-300:]}"] = False
    return found
