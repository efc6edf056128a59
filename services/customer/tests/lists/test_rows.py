from datetime import UTC, date, datetime

import pytest

from till_customer.domain.customer import Customer
from till_customer.domain.list_cells import answer, day, moment, several, text
from till_customer.domain.list_columns import FIELDS, check_mapping, suggested
from till_customer.domain.list_row import Reading, read_row, register_listed, update_listed
from till_customer.domain.places import Place
from till_events.customer import ConsentGranted, ConsentWithdrawn, CustomerProfileChanged, CustomerRegistered
from till_platform.domain import Invalid
from till_platform.testing import given, happened

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PHONE = "+79161234567"
RU = Reading(country="RU", zone="Europe/Moscow")


def listed(reading: Reading = RU, **cells: object):
    return read_row({field: [cell] for field, cell in cells.items()}, reading, now=NOW)


def stranger() -> Customer:
    return Customer(Customer.stream("c-1"))


def known(*consents: object) -> Customer:
    customer = stranger()
    customer.register({"name": "Иванов Иван", "phones": [PHONE]}, at=NOW.replace(year=2020))
    for consent in consents:
        customer.record(consent)
    customer.collect_events()
    return customer


def test_headings_in_three_languages_are_recognised() -> None:
    assert suggested(["ФИО", "Моб. телефон", "E-mail", "Дата рождения", "Комментарий", "Согласие на SMS"]) == {
        "ФИО": "name",
        "Моб. телефон": "phone",
        "E-mail": "email",
        "Дата рождения": "birth_date",
        "Согласие на SMS": "consent_marketing_sms",
    }
    assert suggested(["Imię", "Nazwisko", "Telefon", "Telefon (2)", "Nr karty"]) == {
        "Imię": "first_name",
        "Nazwisko": "last_name",
        "Telefon": "phone",
        "Telefon (2)": "phone",
        "Nr karty": "card",
    }
    assert suggested(["Full_Name", "DOB", "Name", "ID"]) == {
        "Full_Name": "name",
        "DOB": "birth_date",
        "ID": "external_id",
    }


@pytest.mark.parametrize("mapping", [{}, {"Name": "nome"}, {"Surname": "name"}, {"Name": "name", "Client": "name"}])
def test_a_mapping_that_cannot_be_meant_is_refused(mapping: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        check_mapping(["Name", "Client"], mapping)


def test_every_field_is_its_own_heading() -> None:
    assert all(suggested([field]) == {field: field} for field in FIELDS)


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (79161234567.0, "79161234567"),
        ('="0012"', "0012"),
        ("'+7916", "+7916"),
        (None, ""),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_a_spreadsheets_ways_of_writing_text_are_understood(cell: object, read: str) -> None:
    assert text(cell, "phone") == read


@pytest.mark.parametrize("cell", ["=1+1", '=HYPERLINK("http://x")', "@SUM(A1)", "Ив�нов"])
def test_formulas_and_unreadable_letters_are_no_values(cell: str) -> None:
    with pytest.raises(Invalid):
        text(cell, "name")


@pytest.mark.parametrize(
    ("cell", "order", "read"),
    [
        ("2026-12-31", "dmy", date(2026, 12, 31)),
        ("31.12.2026", "dmy", date(2026, 12, 31)),
        ("1/2/2026", "dmy", date(2026, 2, 1)),
        ("1/2/2026", "mdy", date(2026, 1, 2)),
        ("20261231", "dmy", date(2026, 12, 31)),
        ("2026-12-31 23:59", "dmy", date(2026, 12, 31)),
        (datetime(2026, 12, 31, 5, tzinfo=UTC), "dmy", date(2026, 12, 31)),
        ("", "dmy", None),
    ],
)
def test_days_are_read_as_they_are_written_where_the_list_comes_from(cell, order, read) -> None:
    assert day(cell, "birth_date", order) == read


@pytest.mark.parametrize("cell", ["31.02.2026", "1.1.26", "yesterday", 33000.0, "2026-13-01"])
def test_what_is_no_day_is_refused(cell: object) -> None:
    with pytest.raises(Invalid):
        day(cell, "birth_date", "dmy")


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("2026-01-31T10:00:00Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 10:00:00+0300", datetime(2026, 1, 31, 7, tzinfo=UTC)),
        ("31.01.2026 9:30", datetime(2026, 1, 31, 6, 30, tzinfo=UTC)),
        ("31.01.2026", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        (datetime(2026, 1, 31, 12), datetime(2026, 1, 31, 9, tzinfo=UTC)),  # noqa: DTZ001 - spreadsheets know no zones
        (date(2026, 1, 31), datetime(2026, 1, 31, 9, tzinfo=UTC)),
        (None, None),
    ],
)
def test_a_time_without_a_zone_is_the_lists_own(cell, read) -> None:
    assert moment(cell, "registered_at", "dmy", "Europe/Moscow") == read


@pytest.mark.parametrize("cell", ["2026-01-31 noon", "2026-01-31 25:00", "2026-01-31 10:61:00"])
def test_what_is_no_time_is_refused(cell: str) -> None:
    with pytest.raises(Invalid, match="not a time") as refused:
        moment(cell, "registered_at", "dmy", "Europe/Moscow")
    assert refused.value.facts == {"field": "registered_at"}


def test_yes_and_no_are_understood_in_three_languages() -> None:
    assert [answer(cell, "c") for cell in ("да", "TAK", "yes", 1.0, True, "x")] == [True] * 6
    assert [answer(cell, "c") for cell in ("нет", "Nie", "no", 0.0, False, "-")] == [False] * 6
    assert answer(" ", "c") is None
    with pytest.raises(Invalid):
        answer("perhaps", "c")


def test_one_cell_may_list_several_phones() -> None:
    assert several("8 (916) 123-45-67, 8 495 1234567; \n", "phone") == ["8 (916) 123-45-67", "8 495 1234567"]


def test_a_row_becomes_a_customer_with_what_was_agreed() -> None:
    row = listed(
        last_name="Иванов", first_name="Иван", phone=89161234567.0, gender="муж.", registered_at="31.01.2020",
        consent_marketing_sms="да", consent_marketing_email="да", campaign="spring",
    )  # fmt: skip
    registered_at = datetime(2020, 1, 31, 9, tzinfo=UTC)
    given(stranger()).when(lambda c: register_listed(c, row, RU, at=NOW)).then(
        happened(CustomerRegistered, name="Иван Иванов", phones=(PHONE,), gender="male", occurred_at=registered_at),
        happened(
            ConsentGranted,
            channel="sms",
            address=PHONE,
            occurred_at=registered_at,
            collected_from="import",
            wording="import",
        ),
    )


def test_a_phone_that_lost_its_plus_gets_it_back_where_no_country_is_named() -> None:
    row = listed(Reading(), name="Jan", phone=48501234567.0)
    given(stranger()).when(lambda c: register_listed(c, row, RU, at=NOW)).then(
        happened(CustomerRegistered, phones=("+48501234567",))
    )


def test_a_row_that_names_a_shop_is_read_as_in_that_shops_place() -> None:
    reading = Reading(country="RU", zone="Europe/Moscow", locale="pl", stores={"b1": Place("DE", "Europe/Berlin")})
    row = listed(reading, name="Uwe", phone="030 123456", store_id="b1", registered_at="31.01.2026 12:00")
    given(stranger()).when(lambda c: register_listed(c, row, reading, at=NOW)).then(
        happened(
            CustomerRegistered,
            phones=("+4930123456",),
            zone="Europe/Berlin",
            locale="pl",
            occurred_at=datetime(2026, 1, 31, 11, tzinfo=UTC),
        )
    )


def test_the_same_row_again_changes_nothing() -> None:
    row = listed(name="Иванов Иван", phone="8 916 123 45 67", consent_marketing_sms="да")
    first = given(stranger()).when(lambda c: register_listed(c, row, RU, at=NOW)).aggregate
    given(first).when(lambda c: update_listed(c, row, RU, at=NOW)).then_nothing()


def test_an_update_adds_contacts_and_never_erases_by_an_empty_cell() -> None:
    row = listed(name="Иванов Пётр", phone="+79031112233", email="", birth_date=None)
    given(known()).when(lambda c: update_listed(c, row, RU, at=NOW)).then(
        happened(CustomerProfileChanged, changed=("name", "phones"), phones=(PHONE, "+79031112233"))
    )


def consent(kind: type, year: int):
    what = {"customer_id": "c-1", "purpose": "marketing", "channel": "sms", "address": PHONE}
    told = {"collected_from": "web"} | ({"wording": "2021"} if kind is ConsentGranted else {})
    return kind(occurred_at=NOW.replace(year=year), **what, **told)


def test_a_list_never_revives_a_consent_withdrawn_since() -> None:
    row = listed(phone=PHONE, consent_marketing_sms="да")
    withdrawn = known(consent(ConsentGranted, 2021), consent(ConsentWithdrawn, 2022))
    given(withdrawn).when(lambda c: update_listed(c, row, RU, at=NOW)).then_nothing()


def test_a_list_that_says_when_consent_was_given_is_heard_by_that_time() -> None:
    withdrawn = known(consent(ConsentGranted, 2021), consent(ConsentWithdrawn, 2022))
    older = listed(phone=PHONE, consent_marketing_sms="да", consent_at="2021-06-01")
    newer = listed(phone=PHONE, consent_marketing_sms="да", consent_at="2023-06-01")
    key = ("marketing", "sms", PHONE)
    assert not given(withdrawn).when(lambda c: update_listed(c, older, RU, at=NOW)).aggregate.agrees(key)
    assert given(withdrawn).when(lambda c: update_listed(c, newer, RU, at=NOW)).aggregate.agrees(key)


def test_a_no_withdraws_what_stands_and_says_nothing_of_what_does_not() -> None:
    row = listed(phone=PHONE, consent_marketing_sms="нет")
    given(known(consent(ConsentGranted, 2021))).when(lambda c: update_listed(c, row, RU, at=NOW)).then(
        happened(ConsentWithdrawn, collected_from="import")
    )
    given(known()).when(lambda c: update_listed(c, row, RU, at=NOW)).then_nothing()


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"name": "A", "country": "Poland"}, "country"),
        ({"name": "A", "zone": "Warsaw"}, "zone"),
        ({"name": "A", "gender": "?"}, "gender"),
        ({"name": "A", "customer_id": "a@b.c"}, "customer_id"),
        ({"name": "A", "birth_date": "soon"}, "birth_date"),
        ({"name": "A", "registered_at": "2999-01-01"}, "occurred_at"),
        ({"name": "A", "consent_loyalty_email": "maybe"}, "consent_loyalty_email"),
    ],
)
def test_a_cell_that_makes_no_sense_is_named_by_its_field(cells: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        listed(**cells)
    assert refusal.value.facts["field"] == field
