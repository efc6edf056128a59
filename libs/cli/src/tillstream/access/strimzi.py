"""Principals and topics as the resources that Strimzi's operator makes them from."""

from collections.abc import Iterable
from typing import Any

import yaml

from till_platform.kafka.principals import Principal, Rule
from till_platform.kafka.topics import KEPT_FOR_EVER
from till_platform.settings import KafkaSettings

API = "kafka.strimzi.io/v1"


def kafka_user(principal: Principal, cluster: str, bytes_per_second: int | None = None) -> dict[str, Any]:
    """Return a `KafkaUser`. The operator makes the password and keeps it in a Secret of the same name."""
    spec: dict[str, Any] = {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": [_acl(rule) for rule in principal.rules]},
    }
    if bytes_per_second is not None:
        spec["quotas"] = {"consumerByteRate": bytes_per_second}
    return _resource("KafkaUser", principal.name, cluster, spec)


def kafka_topic(name: str, cluster: str, settings: KafkaSettings) -> dict[str, Any]:
    """Return a `KafkaTopic`, cut and kept as services expect it."""
    spec = {"partitions": settings.partitions, "replicas": settings.replication, "config": dict(KEPT_FOR_EVER)}
    return _resource("KafkaTopic", name, cluster, spec)


def as_yaml(resources: Iterable[dict[str, Any]]) -> str:
    """Return the resources as one file for `kubectl apply`."""
    return str(yaml.safe_dump_all(resources, sort_keys=False))


def _acl(rule: Rule) -> dict[str, Any]:
    pattern = "prefix" if rule.prefixed else "literal"
    resource = {"type": rule.resource, "name": rule.name, "patternType": pattern}
    return {"resource": resource, "operations": [rule.operation.capitalize()], "host": "*"}


def _resource(kind: str, name: str, cluster: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"strimzi.io/cluster": cluster}}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
