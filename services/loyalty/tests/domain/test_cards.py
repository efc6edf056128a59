from itertools import islice

import pytest

from till_events.ids import AccountId
from till_events.loyalty import CardNumberTaken, LoyaltyAccountOpened, LoyaltyCardBlocked, LoyaltyCardIssued
from till_loyalty.domain.cards import Card, is_card_number, numbers_for
from till_loyalty.domain.errors import CardTaken, UnknownCard
from till_loyalty.domain.opening import block_card, issue_card, open_account
from till_platform.testing import given, happened

from .sentences import ACCOUNT, ANNA, NOON, account, empty_account, programme

NUMBER = next(numbers_for(ACCOUNT))


@pytest.mark.parametrize(
    ("number", "is_one"),
    [
        ("2000000000008", True),
        ("2912345678906", True),
        ("2000000000009", False),
        ("4006381333931", False),
        ("200000000000", False),
        ("20000000000O8", False),
        ("٢000000000008", False),
        ("", False),
    ],
)
def test_a_card_number_is_an_ean_13_of_the_in_store_range(number: str, is_one: bool) -> None:
    assert is_card_number(number) is is_one


def test_an_account_always_gets_the_same_numbers_offered_all_of_them_sound() -> None:
    offered = list(islice(numbers_for(ACCOUNT), 100))
    assert offered == list(islice(numbers_for(ACCOUNT), 100))
    assert len(set(offered)) == 100
    assert all(is_card_number(number) for number in offered)


def test_a_number_belongs_to_one_account() -> None:
    card = given(Card(Card.stream(NUMBER)))
    card.when(lambda c: c.take(ACCOUNT, at=NOON)).then(
        happened(CardNumberTaken, account_id=ACCOUNT, card_number=NUMBER)
    )
    card.when(lambda c: c.take(ACCOUNT, at=NOON)).then_nothing()
    card.when(lambda c: c.take(AccountId("somebody-else"), at=NOON)).then_refused(CardTaken)


def test_an_account_is_opened_once_on_the_lowest_level() -> None:
    fresh = given(empty_account())
    fresh.when(lambda a: open_account(a, customer_id=ANNA, programme=programme(), at=NOON)).then(
        happened(LoyaltyAccountOpened, account_id=ACCOUNT, customer_id=ANNA, tier="base", occurred_at=NOON)
    )
    fresh.when(lambda a: open_account(a, customer_id=ANNA, programme=programme(), at=NOON)).then_nothing()
    assert fresh.aggregate.key == ANNA


def test_a_card_is_issued_once_and_blocked_once() -> None:
    customer = account()
    customer.when(lambda a: issue_card(a, NUMBER, at=NOON)).then(happened(LoyaltyCardIssued, card_number=NUMBER))
    customer.when(lambda a: issue_card(a, NUMBER, at=NOON)).then_nothing()
    customer.when(lambda a: block_card(a, NUMBER, reason="lost", at=NOON)).then(
        happened(LoyaltyCardBlocked, card_number=NUMBER, reason="lost")
    )
    customer.when(lambda a: block_card(a, NUMBER, reason="lost", at=NOON)).then_nothing()


def test_only_a_card_of_the_account_can_be_blocked() -> None:
    account().when(lambda a: block_card(a, NUMBER, reason="lost", at=NOON)).then_refused(UnknownCard)
