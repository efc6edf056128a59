"""What a read model is: a name for ever, a version, the events it is built of, its tables, and a fold."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from till_events.base import Event
from till_platform.batch import Batch
from till_platform.projections.db import Db
from till_platform.projections.table import Table


class Projection(ABC):
    """A read model, built from topics and thrown away and rebuilt at will.

    `name` is also the PostgreSQL schema of its tables and never changes; a higher `version` means a rebuild. `fold` gets a whole batch and
    must not look at a clock, at chance, at the network, or at tables that are not its own: the same log gives the same rows. Events of
    different topics and keys arrive in any order relative to each other, so rows must not depend on that order.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    of: ClassVar[Sequence[type[Event]]]
    tables: ClassVar[Sequence[Table]]

    @abstractmethod
    def fold(self, batch: Batch, db: Db) -> None:
        """Apply the events of a batch, in their order, with as few statements as possible."""
