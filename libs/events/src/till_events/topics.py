"""Where events are published: one topic per owner, so that nothing of one owner can overtake anything else of it."""

from typing import get_args

from till_events.base import Owner

OWNERS: tuple[str, ...] = get_args(Owner)
DEFAULT_PARTITIONS = 12


def topic_of(owner: str, namespace: str = "till") -> str:
    """Return the topic that carries the public log of `owner`, e.g. `till.order`.

    Installations that share a Kafka cluster differ in their `namespace`.
    """
    return f"{namespace}.{owner}"


def source_of(owner: str) -> str:
    """Return the CloudEvents source of `owner`, e.g. `/tillstream/order`."""
    return f"/tillstream/{owner}"
