"""One customer told twice is one customer; what belongs to one customer belongs to nobody else; a list is brought in once."""

import pytest

from till_customer.domain.customer_import import Counts, CustomerImport
from till_customer.domain.identities import import_of, listed_at, named_by
from till_customer.domain.known_customers import IdentifierTaken, check_not_taken, identifiers_of
from till_events.customer import CustomerImportCompleted, CustomerImportStarted
from till_platform.testing import Given, given, happened

from .people import ANNA, NOON, later

CARD = "2000000000013"


def test_a_customer_whom_another_system_names_is_the_same_under_every_list() -> None:
    assert named_by("1C-42") == named_by("1C-42") != named_by("1C-43")


def test_a_row_of_a_list_is_the_same_customer_under_every_mapping() -> None:
    assert listed_at("file", 7) == listed_at("file", 7)
    assert len({listed_at("file", 7), listed_at("file", 8), listed_at("other", 7)}) == 3


def test_the_same_list_read_the_same_way_is_the_same_import() -> None:
    assert import_of("file", "upsert", "name=A") == import_of("file", "upsert", "name=A")
    assert len({import_of("file", "a", "b"), import_of("file", "ab"), import_of("file", "b", "a")}) == 3


def test_a_card_or_another_systems_id_of_somebody_else_is_refused_and_says_whose() -> None:
    with pytest.raises(IdentifierTaken) as refused:
        check_not_taken(ANNA, {("card", CARD): "cust-ewa", ("external_id", "1C-42"): ANNA})
    assert refused.value.facts == {"field": "card", "customer_id": "cust-ewa"}


def test_ones_own_card_is_no_obstacle() -> None:
    assert identifiers_of("1C-42", [CARD]) == [("external_id", "1C-42"), ("card", CARD)]
    assert identifiers_of(None, []) == []
    check_not_taken(ANNA, dict.fromkeys(identifiers_of("1C-42", [CARD]), ANNA))


def begin(bringing: CustomerImport) -> None:
    bringing.start(file_name="a.csv", file_sha256="file", mode="upsert", mapping={"name": "A"}, at=NOON)


def begun() -> Given[CustomerImport]:
    bringing = CustomerImport(CustomerImport.stream("i-1"))
    begin(bringing)
    bringing.collect_events()
    return given(bringing)


def test_a_list_that_was_begun_is_gone_on_with_and_not_begun_again() -> None:
    given(CustomerImport("import-i-1")).when(begin).then(
        happened(CustomerImportStarted, import_id="i-1", file_name="a.csv", mapping={"name": "A"})
    )
    begun().when(begin).then_nothing()


def test_a_list_read_to_its_end_says_what_became_of_every_row() -> None:
    counts = Counts(created=3, updated=2, skipped=1, rejected=4)
    assert counts.rows == 10
    outcome = begun().when(lambda i: i.complete(counts, started_at=NOON, at=later(minutes=1)))
    outcome.then(happened(CustomerImportCompleted, created=3, updated=2, skipped=1, rejected=4, started_at=NOON))
    assert (outcome.aggregate.counts, outcome.aggregate.completed_at) == (counts, later(minutes=1))


def test_a_repeat_that_found_nothing_new_is_not_recorded_and_one_that_did_is() -> None:
    done = begun()
    done.when(lambda i: i.complete(Counts(created=3), started_at=NOON, at=NOON))
    done.when(lambda i: i.complete(Counts(skipped=3), started_at=NOON, at=NOON)).then_nothing()
    done.when(lambda i: i.complete(Counts(skipped=2, updated=1), started_at=NOON, at=NOON)).then(
        happened(CustomerImportCompleted, updated=1)
    )
