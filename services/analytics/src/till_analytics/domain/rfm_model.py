"""How the chain ranks its customers: where one score ends and the next begins, and what the cells of the grid are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from till_events.analytics import RfmGroup, RfmModelPublished
from till_events.base import Event
from till_platform.domain import Aggregate, Invalid

MODEL = "default"
"""A chain has one model at a time; its versions tell which rules an older score was given under."""

QUINTILES = 5


class UnusableRfmModel(Invalid):
    """The cut points or the groups of a model do not give every customer exactly one place."""

    code = "unusable-rfm-model"


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What a model decides, version aside; see `RfmModelPublished` for units. No cut points means five equal shares of customers."""

    window_days: int
    currency: str
    groups: tuple[RfmGroup, ...]
    recency_cuts: tuple[int, ...] = ()
    frequency_cuts: tuple[int, ...] = ()
    money_cuts: tuple[int, ...] = ()

    @property
    def recency_scores(self) -> int:
        """The best recency score there is."""
        return len(self.recency_cuts) + 1 if self.recency_cuts else QUINTILES

    @property
    def value_scores(self) -> int:
        """The best score for frequency, for money, and for their mean."""
        return _scores(self.frequency_cuts)

    def check(self) -> None:
        """Refuse a model that would leave a customer without a group, or with two."""
        if self.window_days < 1:
            raise UnusableRfmModel("the window must be at least one day long", field="window_days")
        _check_cuts("recency_cuts", self.recency_cuts, least=0)
        _check_cuts("frequency_cuts", self.frequency_cuts, least=1)
        _check_cuts("money_cuts", self.money_cuts, least=None)
        if _scores(self.frequency_cuts) != _scores(self.money_cuts):
            raise UnusableRfmModel("frequency and money must have the same number of scores", field="money_cuts")
        self._check_groups()

    def _check_groups(self) -> None:
        names = [group.group for group in self.groups]
        if len(set(names)) != len(names) or not all(names):
            raise UnusableRfmModel("every group needs a name of its own", field="groups")
        grid = [(0, 0), *product(range(1, self.recency_scores + 1), range(1, self.value_scores + 1))]
        places = [[group.group for group in self.groups if _holds(group, cell)] for cell in grid]
        if missing := [cell for cell, found in zip(grid, places, strict=True) if not found]:
            raise UnusableRfmModel("some scores belong to no group", field="groups", cells=missing)
        if doubled := [cell for cell, found in zip(grid, places, strict=True) if len(found) > 1]:
            raise UnusableRfmModel("some scores belong to two groups", field="groups", cells=doubled)
        if unreachable := sorted(set(names) - {name for found in places for name in found}):
            raise UnusableRfmModel("some groups hold no scores at all", field="groups", groups=unreachable)


class RfmModel(Aggregate):
    """The chain's ranking of customers by recency, frequency and money, and every version it ever had."""

    kind = "rfm-model"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.number = 0
        self.ranking: Ranking | None = None

    def publish(self, ranking: Ranking, at: datetime) -> None:
        """Rank customers this way from now on. The same ranking again changes nothing. Raises `UnusableRfmModel`."""
        ranking.check()
        if ranking == self.ranking:
            return
        self.record(
            RfmModelPublished(
                occurred_at=at,
                model_id=self.identity,
                version=self.number + 1,
                window_days=ranking.window_days,
                currency=ranking.currency,
                groups=ranking.groups,
                recency_cuts=ranking.recency_cuts,
                frequency_cuts=ranking.frequency_cuts,
                money_cuts=ranking.money_cuts,
            )
        )

    def apply(self, event: Event) -> None:
        assert isinstance(event, RfmModelPublished)
        self.number = event.version
        self.ranking = Ranking(
            window_days=event.window_days,
            currency=event.currency,
            groups=event.groups,
            recency_cuts=event.recency_cuts,
            frequency_cuts=event.frequency_cuts,
            money_cuts=event.money_cuts,
        )


def _scores(cuts: Sequence[int]) -> int:
    return len(cuts) + 1 if cuts else QUINTILES


def _check_cuts(field: str, cuts: Sequence[int], *, least: int | None) -> None:
    if list(cuts) != sorted(set(cuts)):
        raise UnusableRfmModel("cut points must rise", field=field)
    if least is not None and cuts and cuts[0] < least:
        raise UnusableRfmModel(f"cut points must not be below {least}", field=field)


def _holds(group: RfmGroup, cell: tuple[int, int]) -> bool:
    recency, value = cell
    return group.recency_from <= recency <= group.recency_to and group.value_from <= value <= group.value_to
