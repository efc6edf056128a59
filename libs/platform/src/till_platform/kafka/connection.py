"""How every client of ours reaches Kafka."""

from typing import Any

from till_platform.settings import KafkaSettings


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the options that all aiokafka clients share: address, name, and the credentials where the doors are closed."""
    return {
        "bootstrap_servers": settings.kafka,
        "client_id": f"till-{settings.service}",
        **settings.kafka_security,
    }
