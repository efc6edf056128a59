"""Who may do what with Kafka: a principal for each service, which may write its own topic and read that and what it subscribes to.

A principal, its topic and its groups share a name: `till.order` writes the topic `till.order` and reads in groups that begin with
`till.order.`. A system outside is given a name in the same space, so that no two ever share one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from till_events.topics import topic_of

Operation = Literal["READ", "WRITE", "ALL"]
Resource = Literal["topic", "group"]


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One thing a principal may do. Whoever may read or write something may see it, too. `prefixed`: everything whose name begins so."""

    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A name and all that it may do. None may create, change or delete a topic: an administrator does."""

    name: str
    writes: Sequence[str] = ()
    reads: Sequence[str] = ()
    group: str
    any_group_below: bool = False

    @property
    def rules(self) -> list[Rule]:
        """What it may do, one by one."""
        found = [Rule("topic", topic, "WRITE") for topic in self.writes]
        found += [Rule("topic", topic, "READ") for topic in self.reads]
        return [*found, Rule("group", self.group, "READ", self.any_group_below)]


def of_service(name: str, consumer: str, sources: Iterable[str], namespace: str = "till") -> Principal:
    """Return the principal of a service. It reads its own topic in any case: its relay looks whether that is still what it wrote."""
    return Principal(
        name=topic_of(name, namespace),
        writes=[topic_of(name, namespace)],
        reads=sorted(topic_of(source, namespace) for source in {name, *sources}),
        group=f"{namespace}.{consumer}",
    )


def of_subscriber(name: str, topics: Iterable[str], namespace: str = "till") -> Principal:
    """Return the principal of a system outside that reads some topics, in groups of its own choice below its name."""
    own = f"{namespace}.{name}"
    return Principal(name=own, reads=sorted(topics), group=f"{own}.", any_group_below=True)
