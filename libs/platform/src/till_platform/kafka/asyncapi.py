"""A service's own AsyncAPI page. The contract others build on is `contracts/asyncapi.yaml`."""

from collections.abc import Sequence
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from till_events.topics import topic_of


def describe(service: str, version: str, consumer: str, sources: Sequence[str]) -> dict[str, Any]:
    """Return what the service publishes and reads, without connecting to anything."""
    broker = KafkaBroker(logger=None)
    broker.publisher(
        topic_of(service), title=topic_of(service), description=f"The public log of the {service} service."
    )

    async def read(_: Sequence[Any]) -> None:
        """Read events into read models and reactions, one batch in one transaction."""

    broker.subscriber(
        *(topic_of(source) for source in sources),
        batch=True,
        group_id=consumer,
        ack_policy=AckPolicy.MANUAL,
        title=consumer,
    )(read)
    document: dict[str, Any] = (
        AsyncAPI(broker, title=f"Tillstream {service}", version=version).to_specification().to_jsonable()
    )
    return document
