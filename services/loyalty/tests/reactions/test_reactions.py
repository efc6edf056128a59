"""What follows for points from what happens elsewhere, without IO."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from till_events.base import Event
from till_events.customer import CustomerRegistered
from till_events.ids import CardNumber
from till_events.loyalty import LoyaltyAccountOpened, LoyaltyCardIssued, PointsAccrued, PointsReversed
from till_loyalty.domain.account import Account
from till_loyalty.domain.cards import Card, numbers_for
from till_loyalty.domain.errors import CardTaken
from till_loyalty.domain.opening import block_card
from till_loyalty.domain.programme import MAIN, Programme, account_of
from till_loyalty.reactions.when_customer_is_registered import WhenCustomerIsRegistered
from till_loyalty.reactions.when_purchase_is_recorded import WhenPurchaseIsRecorded
from till_loyalty.reactions.when_purchase_is_returned import WhenPurchaseIsReturned
from till_platform.domain import Aggregate
from till_platform.testing.projections import fact

from ..domain.sentences import ANNA, NOON, programme, purchase, returned  # noqa: TID252 - tests have no package name to be imported by

A = TypeVar("A", bound=Aggregate)
REACTIONS = (WhenCustomerIsRegistered(), WhenPurchaseIsRecorded(), WhenPurchaseIsReturned())
FIRST_CARD = next(numbers_for(account_of(ANNA)))


class Service:
    """The service as its reactions see it: aggregates at hand, nothing else."""

    def __init__(self) -> None:
        self._kept: dict[str, Aggregate] = {Programme.stream(MAIN): programme()}
        self.now = NOON

    def get(self, cls: type[A], identity: str) -> A:
        found = self._kept.setdefault(cls.stream(identity), cls(cls.stream(identity)))
        assert isinstance(found, cls)
        return found

    def effect(self, *_: Any, **__: Any) -> None:
        raise AssertionError("points cause nothing outside")

    def rows(self, *_: Any) -> list[tuple[Any, ...]]:
        raise AssertionError("reactions decide by what is recorded, not by read models that may be late")

    def hears(self, *events: Event) -> list[Event]:
        """React to events; return what was recorded about anybody's points."""
        for event in events:
            read = fact(event)
            for reaction in REACTIONS:
                if type(event) in reaction.of:
                    assert self._named(reaction.wants(read))
                    assert self._named(reaction.also_wants(read, self)) is not None
                    reaction.react(read, self)
        accounts = [kept for kept in self._kept.values() if isinstance(kept, Account)]
        return [recorded.event for account in accounts for recorded in account.collect_events()]

    def _named(self, wanted: Iterable[tuple[type[Aggregate], str]]) -> list[Aggregate]:
        return [self.get(cls, identity) for cls, identity in wanted]


@pytest.fixture
def service() -> Service:
    return Service()


def registered(*cards: str, at: datetime = NOON) -> CustomerRegistered:
    numbers = tuple(CardNumber(card) for card in cards)
    return CustomerRegistered(occurred_at=at, customer_id=ANNA, name="Anna", card_numbers=numbers)


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


def by_card(number: str = "r1", *, at: datetime = NOON, card: str = FIRST_CARD) -> Event:
    return replace(purchase(number, at=at), customer_id=None, card_number=CardNumber(card))


def test_who_registers_gets_an_account_and_a_card_once(service: Service) -> None:
    assert kinds(service.hears(registered())) == [LoyaltyAccountOpened, LoyaltyCardIssued]
    assert service.hears(registered()) == []


def test_who_buys_before_registering_gets_them_too_and_keeps_them(service: Service) -> None:
    assert kinds(service.hears(purchase())) == [LoyaltyAccountOpened, LoyaltyCardIssued, PointsAccrued]
    assert service.hears(registered()) == []


def test_a_number_that_somebody_else_has_is_not_given_again(service: Service) -> None:
    first, second = islice(numbers_for(account_of(ANNA)), 2)
    service.get(Card, first).take(account_of("somebody-else"), at=NOON)
    assert [event.card_number for event in service.hears(registered()) if isinstance(event, LoyaltyCardIssued)] == [
        second
    ]


def test_nobody_is_left_without_a_card_silently(service: Service) -> None:
    for number in islice(numbers_for(account_of(ANNA)), 20):
        service.get(Card, number).take(account_of("somebody-else"), at=NOON)
    with pytest.raises(CardTaken):
        service.hears(registered())


def test_cards_brought_along_open_the_account_if_they_can(service: Service) -> None:
    taken = next(numbers_for(account_of("x")))
    service.get(Card, taken).take(account_of("somebody-else"), at=NOON)
    events = service.hears(registered("2912345678906", "5901234123457", "42", taken))
    assert [event.card_number for event in events if isinstance(event, LoyaltyCardIssued)] == ["2912345678906"]


def test_a_purchase_of_nobody_we_know_earns_nothing(service: Service) -> None:
    assert service.hears(replace(purchase(), customer_id=None)) == []
    assert service.hears(by_card(card="2912345678906")) == []


def test_a_purchase_known_by_its_card_earns_and_its_return_finds_it(service: Service) -> None:
    service.hears(registered())
    assert kinds(service.hears(by_card())) == [PointsAccrued]
    assert kinds(service.hears(replace(returned(), customer_id=None))) == [PointsReversed]


def test_a_blocked_card_earns_for_what_was_bought_before_and_nothing_after(service: Service) -> None:
    service.hears(registered(at=NOON - timedelta(days=9)))
    block_card(service.get(Account, account_of(ANNA)), FIRST_CARD, reason="lost", at=NOON)
    service.hears()
    assert service.hears(by_card("after", at=NOON)) == []
    assert kinds(service.hears(by_card("before", at=NOON - timedelta(hours=1)))) == [PointsAccrued]


def test_a_return_of_somebody_without_an_account_is_nothing_to_us(service: Service) -> None:
    assert service.hears(returned()) == []
    assert service.hears(replace(returned(), customer_id=None)) == []
    assert service.hears(replace(returned(), customer_id=None, purchase_id=None)) == []
