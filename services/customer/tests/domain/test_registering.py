from datetime import date

import pytest

from till_customer.domain.customer import AlreadyRegistered, Customer
from till_customer.domain.profile import MOST_CONTACTS, identity
from till_events.customer import CustomerProfileChanged, CustomerRegistered
from till_platform.domain import Invalid
from till_platform.testing import given, happened

from .people import ANNA, EMAIL, NOON, PHONE, later, registered, stranger


def test_a_stranger_becomes_a_customer_in_the_forms_we_keep() -> None:
    written = {
        "name": "  Anna   Nowak ",
        "phones": ["501 234 567", "+48 501-234-567"],
        "emails": ["Anna@Example.COM"],
        "birth_date": date(1990, 5, 4),
        "locale": "PL_pl",
        "zone": "Europe/Warsaw",
        "card_numbers": ["2000 0000 0001 3"],
    }
    given(stranger()).when(lambda c: c.register(written, at=NOON, country="PL")).then(
        happened(
            CustomerRegistered,
            customer_id=ANNA,
            name="Anna Nowak",
            phones=(PHONE,),
            emails=(EMAIL,),
            locale="pl-PL",
            card_numbers=("2000000000013",),
        )
    )


def test_the_customers_language_tells_the_country_of_a_phone_if_nothing_else_does() -> None:
    written = {"name": "Anna", "phones": ["501234567"], "locale": "pl-PL"}
    given(stranger()).when(lambda c: c.register(written, at=NOON)).then(happened(CustomerRegistered, phones=(PHONE,)))


def test_the_same_registration_again_changes_nothing() -> None:
    written = {"name": "Anna Nowak", "phones": [PHONE], "emails": [EMAIL], "locale": "pl-PL", "zone": "Europe/Warsaw"}
    given(stranger(), registered()).when(lambda c: c.register(written, at=later(days=1))).then_nothing()


def test_another_registration_of_a_customer_is_refused_and_says_whose() -> None:
    given(stranger(), registered()).when(lambda c: c.register({"name": "Jan"}, at=NOON)).then_refused(
        AlreadyRegistered, customer_id=ANNA, version=1
    )


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "A" * 201}, "name"),
        ({"name": "An\x00na"}, "name"),
        ({"name": "Anna\ud800"}, "name"),
        ({"name": "A", "phones": ["501234567"]}, "phones"),
        ({"name": "A", "phones": ["+48 50"]}, "phones"),
        ({"name": "A", "phones": ["ring me"]}, "phones"),
        ({"name": "A", "phones": [f"+4850123{n:04}" for n in range(MOST_CONTACTS + 1)]}, "phones"),
        ({"name": "A", "emails": ["anna at example"]}, "emails"),
        ({"name": "A", "birth_date": date(1899, 12, 31)}, "birth_date"),
        ({"name": "A", "birth_date": date(2026, 11, 21)}, "birth_date"),
        ({"name": "A", "gender": "?"}, "gender"),
        ({"name": "A", "kind": "cat"}, "kind"),
        ({"name": "A", "locale": "polish language"}, "locale"),
        ({"name": "A", "zone": "Warsaw"}, "zone"),
        ({"name": "A", "zone": "../../etc/passwd"}, "zone"),
        ({"name": "A", "card_numbers": ["12 34!"]}, "card_numbers"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(parts: dict[str, object], field: str) -> None:
    given(stranger()).when(lambda c: c.register(parts, at=NOON)).then_refused(Invalid, field=field)


@pytest.mark.parametrize("written", ["", "anna@example.com", "+48501234567", "a/b", "a b", "-x", "x" * 65, "Анна"])
def test_an_id_that_could_be_a_person_or_break_an_address_is_refused(written: str) -> None:
    with pytest.raises(Invalid):
        identity(written)


@pytest.mark.parametrize("written", ["1", "0199d7c5-6a3e-7c55-9f0e-5e0f4d0f3c11", "1C:00042", "hh_2042.1"])
def test_a_source_systems_own_id_is_kept_as_it_is(written: str) -> None:
    assert identity(written) == written


def test_a_refusal_never_repeats_a_phone_or_an_address() -> None:
    for parts in ({"name": "A", "phones": ["12345"]}, {"name": "A", "emails": ["secret@"]}):
        outcome = given(stranger()).when(lambda c, parts=parts: c.register(parts, at=NOON, country="PL"))
        assert outcome.refusal is not None
        assert "12345" not in repr((outcome.refusal.detail, outcome.refusal.facts))
        assert "secret" not in repr((outcome.refusal.detail, outcome.refusal.facts))


def test_a_correction_records_the_whole_profile_and_names_what_changed() -> None:
    given(stranger(), registered()).when(
        lambda c: c.change_profile({"name": "Anna Kowalska", "emails": [EMAIL], "gender": "female"}, at=later(days=1))
    ).then(
        happened(
            CustomerProfileChanged, changed=("name", "gender"), name="Anna Kowalska", phones=(PHONE,), emails=(EMAIL,)
        )
    )


def test_a_correction_that_corrects_nothing_is_not_recorded() -> None:
    given(stranger(), registered()).when(
        lambda c: c.change_profile({"name": "Anna  Nowak", "phones": ["501 23 45 67"]}, at=NOON)
    ).then_nothing()


def test_an_optional_particular_can_be_taken_away_but_the_name_cannot() -> None:
    anna = given(stranger(), registered(birth_date=date(1990, 5, 4)))
    anna.when(lambda c: c.change_profile({"birth_date": None}, at=NOON)).then(
        happened(CustomerProfileChanged, changed=("birth_date",), birth_date=None)
    )
    given(stranger(), registered()).when(lambda c: c.change_profile({"name": None}, at=NOON)).then_refused(
        Invalid, field="name"
    )


def test_a_customer_is_what_the_events_add_up_to() -> None:
    anna = stranger()
    anna.register({"name": "Anna"}, at=NOON)
    anna.change_profile({"name": "Anna Nowak"}, at=later(days=1))
    again = Customer.project(None, anna.collect_events())
    assert again is not None
    assert (again.profile, again.registered_at, again.version) == (anna.profile, NOON, 2)
