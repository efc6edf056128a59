"""A small Tillstream as a chain would run it, two instances of each service, and every edge of it in our hands."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from faultlab.lab.member import Member
from faultlab.lab.parts import PartsBehindEdges
from faultlab.lab.provider import Provider
from faultlab.lab.proxy import FAIR, HOST, Edge
from faultlab.lab.volumes import MEGABYTES, Volume
from till_platform.testing.running import AUDIENCE, ISSUER, Issuer

ROOT = Path(__file__).resolve().parents[2]
"""Where `faultlab` is imported from, by instances without a defence."""
SERVICES = ("order", "customer", "loyalty", "notification", "analytics")
MEMBERS = (
    "order-1",
    "order-2",
    "customer-1",
    "loyalty-1",
    "loyalty-2",
    "notification-1",
    "notification-2",
    "analytics-1",
)
NAMESPACE = "lab"
PARTITIONS = 6
SESSION_TIMEOUT_MS = 6_000
READY_WITHIN = 120.0
BEHIND = ("api", "postgres", "kafka", "valkey", "sms")
"""What an edge leads to: its member's own API, or what the member needs."""

_WATCH = """
CREATE SCHEMA IF NOT EXISTS lab;
CREATE TABLE IF NOT EXISTS lab.went_back (
    consumer text, topic text, partition integer, from_offset bigint, to_offset bigint, from_position bigint, to_position bigint
);
CREATE OR REPLACE FUNCTION lab.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lab.went_back VALUES (OLD.consumer, OLD.topic, OLD.partition, OLD.next_offset, NEW.next_offset,
                                      OLD.last_position, NEW.last_position);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER lab_note AFTER UPDATE ON checkpoint FOR EACH ROW
    WHEN (NEW.next_offset < OLD.next_offset OR NEW.last_position < OLD.last_position) EXECUTE FUNCTION lab.note();
"""
"""Every step back of a checkpoint is noted beside it, in the same transaction, however short it lasts (I8)."""


class Installation:
    """`async with Installation(directory, random) as installation:` gives all parts running and ready, with fair weather."""

    def __init__(self, directory: Path, random: Random, weakened: str = "", *, small_disks: bool = False) -> None:
        """With `small_disks` PostgreSQL, Kafka and the instances' logs have disks of their own, which may be full."""
        self.directory = directory
        self._weakened = weakened
        directory.mkdir(parents=True, exist_ok=True)
        self.provider = Provider(random)
        self.issuer = Issuer(directory)
        names = [
            (member, to) for member in MEMBERS for to in BEHIND if to != "sms" or member.startswith("notification")
        ]
        self.edges = {(member, to): Edge(f"{member} to {to}", random) for member, to in names}
        self.members: dict[str, Member] = {}
        self.databases: dict[str, str] = {}
        self.parts: PartsBehindEdges
        places = {"postgres": "disks/postgres", "kafka": "disks/kafka", "logs": "logs"}
        self.volumes = [Volume(name, directory / places[name]) for name in MEGABYTES] if small_disks else []

    async def __aenter__(self) -> Self:
        for edge in self.edges.values():
            await edge.open()
        kafka_edges = {member: self.edges[member, "kafka"].port for member in MEMBERS}
        for volume in self.volumes:
            await asyncio.to_thread(volume.mount)
        disks = {volume.name: volume.path for volume in self.volumes}
        self.parts = PartsBehindEdges(self.directory, kafka_edges, disks)
        try:
            await asyncio.to_thread(self.parts.start)
            self.databases = {service: self.parts.database(service) for service in SERVICES}
            for name in MEMBERS:
                api, worker = (self.parts.ports.claim(f"{what}-of-{name}") for what in ("api", "worker"))
                self.members[name] = Member(name, self._environment(name), api, worker, self.directory, self._weakened)
            for (name, to), edge in self.edges.items():
                edge.upstream = self._upstream(name, to)
            await asyncio.gather(*(asyncio.to_thread(self._migrate, service) for service in SERVICES))
            for member in self.members.values():
                member.start()
            await self.until_ready()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop everything, whatever state it is in."""
        self.parts.postgres_part.thaw()
        self.parts.kafka_part.thaw()
        await asyncio.gather(*(asyncio.to_thread(member.kill) for member in self.members.values()))
        await asyncio.to_thread(self.parts.stop)
        for volume in self.volumes:
            await asyncio.to_thread(volume.unmount)
        for edge in self.edges.values():
            await edge.close()
        self.provider.close()

    async def until_ready(self, within: float = READY_WITHIN) -> None:
        """Wait until every member says that it is ready; start those that have ended."""
        waiting = list(self.members.values())
        async with asyncio.timeout(within):
            while waiting:
                ready = await asyncio.gather(*(asyncio.to_thread(member.is_ready) for member in waiting))
                waiting = [member for member, is_ready in zip(waiting, ready, strict=True) if not is_ready]
                for member in waiting:
                    member.start()
                await asyncio.sleep(0.2)

    def heal_edges(self) -> None:
        """Give every edge fair weather."""
        for edge in self.edges.values():
            edge.become(FAIR)

    def members_of(self, service: str) -> list[Member]:
        """Return the instances of a service."""
        return [member for member in self.members.values() if member.service == service]

    def rows(self, service: str, query: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """Ask a service's database, not by way of any edge."""
        with psycopg.connect(self.databases[service], autocommit=True, connect_timeout=5) as connection:
            return connection.execute(query, parameters).fetchall()

    def run(self, service: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command of a service to its end."""
        member = self.members_of(service)[0]
        return subprocess.run(  # noqa: S603 - our own command
            member.command(*arguments), env=member.environment, check=False, capture_output=True, timeout=120
        )

    def _migrate(self, service: str) -> None:
        done = self.run(service, "migrate")
        if done.returncode:
            raise RuntimeError(f"{service} migrate: {done.stderr.decode(errors='replace')[-2_000:]}")
        with psycopg.connect(self.databases[service], autocommit=True) as connection:
            connection.execute(_WATCH)

    def _upstream(self, name: str, to: str) -> Callable[[], int]:
        if to == "api":
            return partial(int, self.members[name].port)
        if to == "kafka":
            return partial(self.parts.kafka_part.port_for, name)
        if to == "sms":
            return partial(int, self.provider.port)
        return partial(self.parts.ports.__getitem__, to)

    def _environment(self, name: str) -> dict[str, str]:
        service = name.rpartition("-")[0]
        edge = {to: self.edges[name, to].port for member, to in self.edges if member == name}
        given = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "TILL_ENVIRONMENT": "local",
            "TILL_PG": _through(self.databases[service], edge["postgres"]),
            "TILL_KAFKA": f"{HOST}:{edge['kafka']}",
            "TILL_REDIS": _through(self.parts.redis, edge["valkey"]),
            "TILL_NAMESPACE": NAMESPACE,
            "TILL_PARTITIONS": str(PARTITIONS),
            "TILL_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "TILL_AUTH_ISSUER": ISSUER,
            "TILL_AUTH_AUDIENCE": AUDIENCE,
            "TILL_AUTH_JWKS_FILE": str(self.issuer.jwks_file.absolute()),
        }
        if "sms" in edge:
            given["TILL_SMS_URL"] = f"http://{HOST}:{edge['sms']}/messages"
            given["TILL_PROVIDER_SECONDS"] = "2"
            given["TILL_QUIET_FROM"] = given["TILL_QUIET_UNTIL"] = "00:00"  # a run does not wait for morning
        return given


def _through(address: str, port: int) -> str:
    """Return an address with another port: that of an edge."""
    parts = urlsplit(address)
    login, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{at}{HOST}:{port}"))
