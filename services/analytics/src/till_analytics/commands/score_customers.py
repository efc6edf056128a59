"""Rank all customers as of a business day, and record who rose and who fell."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from till_analytics.domain.customer_rank import CustomerRank, Score
from till_analytics.domain.rfm_model import MODEL, Ranking, RfmModel
from till_analytics.projections.rfm_scores import rfm_scores
from till_platform.domain import DomainError, Invalid
from till_platform.eventstore.log import Log
from till_platform.projections.reads import Reads

CHUNK = 1_000
"""Customers saved in one transaction."""

PAGE = 20 * CHUNK
"""Customers scored by one query: few queries, since each ranks everybody, and not all customers in memory at once."""


@dataclass(frozen=True, kw_only=True)
class ScoreCustomers:
    """The business day to score as of, and the moment at which it is done."""

    as_of: date
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What came of it: how many customers were scored, how many of them changed, and how many are in each group now."""

    as_of: date
    model_version: int
    customers: int
    changed: int
    groups: dict[str, int]


async def score_customers(command: ScoreCustomers, log: Log, reads: Reads) -> Scored:
    """Score everybody who ever bought. Only changes are recorded, so doing it again changes nothing.

    Raises `Invalid` for a day that has not come anywhere on earth, `NotFound` when no model was published.
    """
    if command.as_of > (command.at + timedelta(hours=14)).date():
        raise Invalid("that day has not come yet", field="as_of")
    model = await log.load(RfmModel, MODEL)
    assert model.ranking is not None
    changed = 0
    groups: Counter[str] = Counter()
    async for scores in _pages(reads, model.ranking, command.as_of):
        groups.update(score.group for score in scores)
        for first in range(0, len(scores), CHUNK):
            chunk = _Chunk(scores[first : first + CHUNK], command, model.number)
            changed += await log.retrying(partial(chunk.rank, log))
    return Scored(
        as_of=command.as_of,
        model_version=model.number,
        customers=groups.total(),
        changed=changed,
        groups={group.group: groups[group.group] for group in model.ranking.groups if groups[group.group]},
    )


async def _pages(reads: Reads, ranking: Ranking, as_of: date) -> AsyncIterator[list[Score]]:
    after = None
    while True:
        rows = await rfm_scores(reads, ranking, as_of, buyers_only=True, after=after, limit=PAGE)
        yield [Score(**row, currency=ranking.currency) for row in rows]
        if len(rows) < PAGE:
            return
        after = rows[-1]["customer_id"]


@dataclass(frozen=True)
class _Chunk:
    """Some customers, ranked in one transaction. Done again after a conflict, it records only what is not recorded yet."""

    scores: Sequence[Score]
    command: ScoreCustomers
    model_version: int

    async def rank(self, log: Log) -> int:
        ranks = await log.load_many(CustomerRank, [score.customer_id for score in self.scores])
        for score in self.scores:
            ranks[score.customer_id].rank(
                score, as_of=self.command.as_of, model_version=self.model_version, at=self.command.at
            )
        changed = [rank for rank in ranks.values() if rank.pending]
        for outcome in await log.save_each(changed):
            if isinstance(outcome, DomainError):
                raise outcome
        return len(changed)
