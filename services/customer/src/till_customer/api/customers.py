"""Registering customers, changing what is known of them, and finding them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from till_customer.api.access import CustomerSettingsDep, Host, Reader, Registrar, SurroundingsDep, sees_persons
from till_customer.api.schemas import CustomerReply, ProfileBody, RegisterBody
from till_customer.commands.change_profile import ChangeProfile, change_profile
from till_customer.commands.grant_consent import Consent
from till_customer.commands.register_customer import RegisterCustomer, register_customer, resembling
from till_customer.domain import contacts, places
from till_customer.domain.customer import AlreadyRegistered, Customer, NoAddress
from till_customer.domain.known_customers import IdentifierTaken
from till_customer.projections.customers import KnownByReadModels, customers_by, customers_by_name
from till_events.customer import Acquisition
from till_platform.domain import NotFound
from till_platform.http import (
    ClockDep,
    CursorDep,
    LogDep,
    Once,
    Page,
    ReadsDep,
    Refusal,
    Version,
    must_be,
    problems,
    tag,
)

router = APIRouter(prefix="/v1/customers", tags=["customers"])


class Found(BaseModel):
    """A customer in a list. `likeness` is how alike the names are, 0 to 100, when a name was looked for."""

    customer_id: str
    name: str
    kind: str
    phone: str | None
    email: str | None
    store_id: str | None
    external_id: str | None
    locale: str
    likeness: int | None = None


@router.post("", status_code=201, responses=problems(AlreadyRegistered, IdentifierTaken, NoAddress))
async def register(
    body: RegisterBody,
    who: Registrar,
    around: SurroundingsDep,
    settings: CustomerSettingsDep,
    log: LogDep,
    reads: ReadsDep,
    clock: ClockDep,
    once: Once,
) -> CustomerReply:
    """Register a customer. The same registration again is answered as before; a phone that others have too is allowed, and told."""
    for store_id in filter(None, (body.store_id, *(consent.store_id for consent in body.consents))):
        who.must_reach(store_id)
    country, zone = await around.country_and_zone(body.store_id)
    country = body.country or places.country_of(body.locale or "") or country
    command = RegisterCustomer(
        parts={"locale": settings.default_locale, "zone": zone, **_given(body.parts())},
        customer_id=body.customer_id,
        country=places.country(country) if country else None,
        acquisition=Acquisition(**body.acquisition.model_dump()) if body.acquisition else None,
        consents=[Consent(**consent.model_dump()) for consent in body.consents],
        occurred_at=body.occurred_at,
    )
    known = KnownByReadModels(reads)
    others = await resembling(command, known, clock.now())
    return await once(
        lambda: log.retrying(lambda: register_customer(command, log, known, clock.now())),
        lambda customer: CustomerReply.of(customer, resembling=others),
    )


@router.patch("/{customer_id}", responses=problems(NotFound, IdentifierTaken))
async def change(
    customer_id: str,
    body: ProfileBody,
    who: Host,
    version: Version,
    around: SurroundingsDep,
    response: Response,
    log: LogDep,
    reads: ReadsDep,
    clock: ClockDep,
) -> CustomerReply:
    """Change what is known of a customer. Particulars that are left out stay as they are; only real changes are recorded."""
    if body.store_id:
        who.must_reach(body.store_id)
    country, _zone = await around.country_and_zone(body.store_id)
    command = ChangeProfile(
        customer_id=customer_id,
        parts=body.parts(),
        country=places.country(body.country) if body.country else country,
        occurred_at=body.occurred_at,
    )
    customer = await change_profile(
        command, log, KnownByReadModels(reads), lambda customer: must_be(version, customer), clock.now()
    )
    tag(response, customer.version)
    return CustomerReply.of(customer)


@router.get("/{customer_id}", responses=problems(NotFound))
async def show(customer_id: str, who: Reader, response: Response, log: LogDep) -> CustomerReply:
    """Show a customer. Analysts and auditors see no names, phones or addresses."""
    customer = await log.load(Customer, customer_id)
    tag(response, customer.version)
    return CustomerReply.of(customer, sees_persons=sees_persons(who))


@router.get("")
async def find(
    _host: Host,
    around: SurroundingsDep,
    reads: ReadsDep,
    cursor: CursorDep,
    phone: Annotated[str | None, Query(max_length=60)] = None,
    email: Annotated[str | None, Query(max_length=254)] = None,
    card: Annotated[str | None, Query(max_length=64)] = None,
    external_id: Annotated[str | None, Query(max_length=128)] = None,
    name: Annotated[str | None, Query(max_length=200, description="In any script; the likest first.")] = None,
    country: Annotated[str | None, Query(max_length=2, description="In which a phone is meant.")] = None,
) -> Page[Found]:
    """Find customers by exactly one of phone, e-mail address, card, another system's id, or name."""
    asked = {"phone": phone, "email": email, "card": card, "external_id": external_id, "name": name}
    given = [(kind, value) for kind, value in asked.items() if value is not None]
    if len(given) != 1:
        raise Refusal(400, "one-criterion-needed", "ask by exactly one of phone, email, card, external_id or name")
    ((kind, value),) = given
    if kind == "name":
        return await _by_name(reads, value, cursor)
    if kind == "phone":
        place, _zone = await around.country_and_zone()
        # A plus that was not encoded reads as a space.
        written = f"+{value[1:]}" if value.startswith(" ") else value
        value = contacts.phone(written, places.country(country) if country else place)
    elif kind == "email":
        value = contacts.email(value)
    after = str(cursor.after[0]) if cursor.after else None
    rows = await customers_by(
        reads, kind, "".join(value.split()) if kind == "card" else value, after=after, limit=cursor.fetch
    )
    return cursor.page(rows, key=lambda row: (row["customer_id"],), item=_found)


async def _by_name(reads: ReadsDep, name: str, cursor: CursorDep) -> Page[Found]:
    after = (int(str(cursor.after[0])), str(cursor.after[1])) if cursor.after else None
    rows = await customers_by_name(reads, name, after=after, limit=cursor.fetch)
    return cursor.page(rows, key=lambda row: (row["likeness"], row["customer_id"]), item=_found)


def _found(row: dict[str, Any]) -> Found:
    fields = {field: row.get(field) for field in Found.model_fields}
    likeness = row.get("likeness")
    return Found.model_validate({**fields, "likeness": likeness // 10_000 if likeness is not None else None})


def _given(parts: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null: whoever registers a customer takes nothing away, so a null there says nothing."""
    return {field: value for field, value in parts.items() if value is not None}
