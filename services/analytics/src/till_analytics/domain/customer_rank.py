"""A customer's rank, and when it changed."""

from dataclasses import dataclass
from datetime import date, datetime

from till_events.analytics import RfmScoreChanged
from till_events.base import Event
from till_events.ids import CustomerId
from till_platform.domain import Aggregate


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a customer stood at the end of a business day: what they did in the model's window, and what it is worth.

    `recency_days` count from the last day they bought, `frequency` counts receipts, `monetary_minor` is less refunds; score 1 is the worst.
    """

    customer_id: str
    recency_days: int
    frequency: int
    monetary_minor: int
    currency: str
    r: int
    f: int
    m: int
    group: str


class CustomerRank(Aggregate):
    """One customer's place in the chain's ranking. Only a change of scores or of group is a fact; another day passing is not."""

    kind = "rfm"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.as_of: date | None = None
        self.scores: tuple[int, int, int] | None = None
        self.group: str | None = None

    def rank(self, score: Score, *, as_of: date, model_version: int, at: datetime) -> None:
        """Take the score of a day. The same scores and group change nothing, nor does the score of a day before the last change."""
        if self.as_of is not None and as_of < self.as_of:
            return
        if (score.r, score.f, score.m) == self.scores and score.group == self.group:
            return
        self.record(
            RfmScoreChanged(
                occurred_at=at,
                customer_id=CustomerId(score.customer_id),
                as_of=as_of,
                recency_days=score.recency_days,
                frequency=score.frequency,
                monetary_minor=score.monetary_minor,
                currency=score.currency,
                r=score.r,
                f=score.f,
                m=score.m,
                group=score.group,
                model_version=model_version,
                previous_group=self.group,
            )
        )

    def apply(self, event: Event) -> None:
        assert isinstance(event, RfmScoreChanged)
        self.as_of = event.as_of
        self.scores = (event.r, event.f, event.m)
        self.group = event.group
