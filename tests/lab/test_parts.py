"""Clients of Kafka go where the broker sends them: each member must be sent through its own edge."""

from pathlib import Path

from faultlab.lab.parts import PartsBehindEdges


def test_the_broker_sends_every_member_through_its_own_edge_and_the_lab_by_none(tmp_path: Path):
    parts = PartsBehindEdges(tmp_path, {"order-1": 5001, "order-2": 5002})
    kafka = parts.kafka_part
    settings = kafka._settings()
    advertised = dict(one.split("://") for one in settings["advertised.listeners"].split(","))
    listeners = dict(one.split("://") for one in settings["listeners"].split(","))
    assert advertised == {"PLAINTEXT": kafka.address, "EDGE0": "127.0.0.1:5001", "EDGE1": "127.0.0.1:5002"}
    assert listeners["EDGE0"] == f"127.0.0.1:{kafka.port_for('order-1')}"
    assert listeners["EDGE1"] == f"127.0.0.1:{kafka.port_for('order-2')}"
    assert listeners["PLAINTEXT"] == kafka.address == parts.kafka
    assert set(settings["listener.security.protocol.map"].split(",")) >= {"EDGE0:PLAINTEXT", "EDGE1:PLAINTEXT"}
