from datetime import date
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from till_events.ids import account_id, message_id, new_id, purchase_id, return_id

DAY = date(2026, 11, 22)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1f"), max_size=6)


def test_new_ids_are_unique_and_sort_by_creation():
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert sorted(ids) == ids
    assert {UUID(id_).version for id_ in ids} == {7}


def test_what_is_printed_on_a_receipt_names_the_same_purchase_for_ever():
    assert purchase_id("waw-01", "2", "000417", DAY) == "be1fb53e-2f55-5d9f-9fb5-80598c38564d"


def test_an_id_is_the_same_today_as_it_was():
    assert return_id("waw-01", "2", "Z-0009", DAY) == "45b67c35-aa9b-5e2c-abbb-447cfa2aa6b1"
    assert account_id("main", "customer-1") == "a1dc2242-d26f-597a-97b3-55d9b7adf160"
    assert message_id("event-1", "customer-1", "welcome", "sms") == "8e0cc34d-9a5d-5cac-9cbe-91bf6ca80016"


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_two_receipts_have_one_id_only_if_they_are_one(one, other):
    assert (purchase_id(*one, DAY) == purchase_id(*other, DAY)) == (one == other)


def test_a_receipt_and_a_return_slip_with_the_same_number_are_two_things():
    assert purchase_id("waw-01", "2", "9", DAY) != return_id("waw-01", "2", "9", DAY)


def test_the_day_is_part_of_the_name_since_tills_start_their_numbers_again():
    assert purchase_id("waw-01", "2", "9", DAY) != purchase_id("waw-01", "2", "9", date(2026, 11, 23))
