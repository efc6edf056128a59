"""PostgreSQL, Valkey and Kafka as the local stack starts them, with edges between them and whoever uses them."""

from collections.abc import Mapping
from pathlib import Path

from till_platform.local.kafka import Kafka, find_java
from till_platform.local.ports import HOST, Ports
from till_platform.local.postgres import Postgres
from till_platform.local.settings import LocalSettings
from till_platform.local.stack import LocalStack


class KafkaBehindEdges(Kafka):
    """A broker with a listener for each member, which tells that member the address of its edge.

    Clients of Kafka go where the broker says it is, so an edge that only stood before the address they begin with would be passed by.
    `edges` gives the port of each member's edge by its name.
    """

    def __init__(self, data_dir: Path, ports: Ports, settings: LocalSettings, edges: Mapping[str, int]) -> None:
        super().__init__(data_dir, ports, settings.jar_cache, find_java(settings.java_home))
        self._edges = dict(edges)

    def port_for(self, member: str) -> int:
        """Return the port behind a member's edge."""
        return self._ports[f"kafka-for-{member}"]

    def prepare(self) -> None:
        """Take the same ports at every start."""
        for member in self._edges:
            self._ports.claim(f"kafka-for-{member}")
        super().prepare()

    def _settings(self) -> dict[str, str]:
        settings = super()._settings()
        listeners, advertised = [settings["listeners"]], [settings["advertised.listeners"]]
        protocols = ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"]
        for number, (member, edge) in enumerate(sorted(self._edges.items())):
            listeners.append(f"EDGE{number}://{HOST}:{self.port_for(member)}")
            advertised.append(f"EDGE{number}://{HOST}:{edge}")
            protocols.append(f"EDGE{number}:PLAINTEXT")
        return {
            **settings,
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join(protocols),
            "inter.broker.listener.name": "PLAINTEXT",
            "num.network.threads": "1",
        }


class PartsBehindEdges(LocalStack):
    """The local stack, but for a Kafka that sends every member through its edge."""

    def __init__(self, data_dir: Path, kafka_edges: Mapping[str, int], disks: Mapping[str, Path] | None = None) -> None:
        """`disks` names where a part keeps its data, if not in `data_dir`."""
        super().__init__(data_dir)
        disks = disks or {}
        self.postgres_part = Postgres(disks.get("postgres", self.data_dir), self.ports)
        self.kafka_part: KafkaBehindEdges = KafkaBehindEdges(
            disks.get("kafka", self.data_dir), self.ports, LocalSettings(), kafka_edges
        )
