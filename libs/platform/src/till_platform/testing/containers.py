"""The parts as containers: the images, variables and health checks of deploy/compose/compose.yaml."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy

IMAGES = {
    "KAFKA": "apache/kafka:4.3.1@sha256:77e3df9054047a88b520d0cc46e16696d3b22022e1d580aeccd2632df6532837",
    "POSTGRES": "postgres:18.6-trixie@sha256:4ef4dbc939d61acea57712655ddb4b4ab27419c913f94cca0cd57cb3ea3c2280",
    "VALKEY": "valkey/valkey:9.1.2@sha256:418652cfb58ef879d4978c33553735d7147016032d5aefaa14c828e611eb9dfd",
}
PASSWORD = "test"  # noqa: S105 - of a database that ends with the tests


@contextmanager
def containers() -> Iterator[tuple[str, str, str]]:
    """Start the three, and yield the addresses of Kafka, PostgreSQL (its administrator) and Valkey."""
    outside = _free_port()
    kafka = _container("KAFKA", ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9092"]).with_bind_ports(19092, outside)
    for name, value in _kafka_settings(outside).items():
        kafka.with_env(name, value)
    postgres = _container("POSTGRES", ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres"])
    postgres.with_exposed_ports(5432).with_env("POSTGRES_PASSWORD", PASSWORD)
    postgres.with_env(
        "POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"
    )
    postgres.with_command(["postgres", "-c", "max_connections=300"])
    valkey = _container("VALKEY", ["valkey-cli", "ping"]).with_exposed_ports(6379)
    with kafka, postgres, valkey:
        yield (
            f"127.0.0.1:{outside}",
            f"postgresql://postgres:{PASSWORD}@127.0.0.1:{postgres.get_exposed_port(5432)}/postgres",
            f"redis://127.0.0.1:{valkey.get_exposed_port(6379)}/0",
        )


def _container(part: str, healthy: list[str]) -> DockerContainer:
    image = os.environ.get(f"TILL_IMAGE_{part}") or IMAGES[part]
    return DockerContainer(image).waiting_for(ExecWaitStrategy(healthy).with_startup_timeout(120))


def _kafka_settings(outside: int) -> dict[str, str]:
    """One broker that is its own controller. It must be told the port that clients see before it starts."""
    return {
        "CLUSTER_ID": "dGlsbHN0cmVhbS10ZXN0cw",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "INSIDE://:9092,OUTSIDE://:19092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"INSIDE://localhost:9092,OUTSIDE://127.0.0.1:{outside}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LOG_RETENTION_MS": "-1",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "500",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
