"""The read models say what the accounts themselves say, however the events come in."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from psycopg_pool import ConnectionPool

from till_events.ids import CardNumber, CustomerId, account_id
from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import numbers_for
from till_loyalty.domain.opening import block_card, issue_card, open_account
from till_loyalty.domain.programme import MAIN, Programme
from till_loyalty.projections import ledgers
from till_loyalty.projections.accounts import Accounts
from till_loyalty.projections.answers import answer_for
from till_loyalty.projections.holds import Holds
from till_loyalty.projections.ledgers import Ledgers
from till_loyalty.projections.lots import Lots, accounts_off_their_tier
from till_platform.batch import Fact
from till_platform.domain import DomainError
from till_platform.projections.reads import Reads
from till_platform.testing.projections import fact, rows_after

from ..domain.sentences import NOON, programme  # noqa: TID252 - tests have no package name to be imported by
from ..domain.steps import POLICIES, STEPS, Step, take_step  # noqa: TID252 - as above

pytestmark = pytest.mark.integration

PROJECTIONS = (Accounts(), Lots(), Holds(), Ledgers())
slow = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
pasts = st.lists(st.lists(STEPS, max_size=25), min_size=1, max_size=3)


def live(customer: str, steps: list[Step], p: Programme) -> tuple[Account, list[Fact[Any]]]:
    """Let these things happen to a customer; return the account and the facts it published."""
    account = Account(Account.stream(account_id(MAIN, customer)))
    open_account(account, customer_id=CustomerId(customer), programme=p, at=NOON)
    issue_card(account, card_of(customer), at=NOON)
    for count, step in enumerate(steps):
        try:
            take_step(account, p, step, count)
        except DomainError:
            continue
    if len(steps) % 5 == 4:
        block_card(account, card_of(customer), reason="lost", at=NOON)
    facts = []
    for recorded in account.collect_events():
        read = fact(recorded.event, stream=account.id)
        read.headers["ce_sequence"] = b"%d" % recorded.originator_version
        facts.append(read)
    return account, facts


def card_of(customer: str) -> CardNumber:
    return next(numbers_for(account_id(MAIN, customer)))


def cut(facts: list[Fact[Any]], sizes: list[int]) -> list[list[Fact[Any]]]:
    batches, rest = [], facts
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    return [batch for batch in [*batches, rest] if batch]


def dealt(hands: list[list[Fact[Any]]], order: list[int]) -> list[Fact[Any]]:
    """Merge the facts of several accounts in some order that keeps each account's own."""
    hands = [list(hand) for hand in hands]
    merged = [hands[choice % len(hands)].pop(0) for choice in order if hands[choice % len(hands)]]
    return merged + [left for hand in hands for left in hand]


@for_all(pasts, st.lists(st.integers(1, 9), max_size=20), st.lists(st.integers(0, 2), max_size=60))
@slow
def test_any_batches_in_any_order_of_accounts_give_the_same_rows(
    pool: ConnectionPool, happened: list[list[Step]], sizes: list[int], order: list[int]
) -> None:
    p = programme(pending_days=2, validity_days=20)
    hands = [live(f"customer-{place}", steps, p)[1] for place, steps in enumerate(happened)]
    with pool.connection() as connection:
        for projection in PROJECTIONS:
            at_once = rows_after(connection, projection, [dealt(hands, [])])
            in_pieces = rows_after(connection, projection, cut(dealt(hands, order), sizes))
            assert at_once == in_pieces


@for_all(st.lists(STEPS, max_size=40), st.sampled_from(POLICIES), st.integers(0, 800))
@slow
async def test_the_till_the_ledger_and_the_account_agree_on_the_balance(
    pool: ConnectionPool, reads: Reads, happened: list[Step], policy: str, hours: int
) -> None:
    p = programme(pending_days=2, validity_days=20, return_policy=policy)
    account, facts = live("anna", happened, p)
    with pool.connection() as connection:
        for projection in PROJECTIONS:
            rows_after(connection, projection, [facts])
        latest = max(read.event.occurred_at for read in facts)
        at: datetime = max(latest, NOON + timedelta(hours=hours))
        answer = answer_for(connection, card_of("anna"), at)
    assert answer is not None
    told = msgspec.json.decode(answer.body)
    assert (told["balance"], told["pending"]) == (account.balance_at(at), account.pending_at(at))
    assert told["version"] == account.version
    then = await ledgers.balance_at(reads, account.identity, at)
    assert (then["balance"], then["pending"]) == (account.balance_at(at), account.pending_at(at))
    remaining = sum(lot.remaining for lot in account.lots.values())
    entries = await ledgers.entries(reads, account.identity, before=None, limit=1)
    assert entries[0]["balance"] == then["points"] == remaining
    just_before = answer.valid_until - timedelta(milliseconds=1)
    assert account.balance_at(just_before) == account.balance_at(at), "an answer is true for as long as it says"


@for_all(pasts, st.integers(0, 500))
@slow
async def test_whoever_is_off_their_tier_is_found_and_nobody_else(
    pool: ConnectionPool, reads: Reads, happened: list[list[Step]], days: int
) -> None:
    p = programme()
    at = NOON + timedelta(days=days)
    rules = p.rules_at(at)
    _, since, until = rules.window(rules.local_day(at))
    lives = [live(f"customer-{place}", steps, p) for place, steps in enumerate(happened)]
    with pool.connection() as connection:
        for projection in PROJECTIONS:
            rows_after(connection, projection, [[read for _, facts in lives for read in facts]])
    found = await accounts_off_their_tier(
        reads,
        since=since,
        until=until,
        tiers=[tier.tier for tier in rules.terms.tiers],
        thresholds=[tier.threshold_minor for tier in rules.terms.tiers],
    )
    off = [a.identity for a, _ in lives if a.tier != rules.tier_for(a.spending.between(since, until)).tier]
    assert found == sorted(off)
