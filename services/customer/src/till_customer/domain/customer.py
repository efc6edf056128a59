from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import structs

from till_customer.domain import contacts, places
from till_customer.domain.consent import ConsentKey, Standing, check_subject
from till_customer.domain.profile import Profile, identity
from till_events.base import Event
from till_events.customer import (
    Acquisition,
    ConsentGranted,
    ConsentWithdrawn,
    CustomerProfileChanged,
    CustomerRegistered,
)
from till_events.ids import CustomerId, StoreId
from till_platform.domain import Aggregate, DomainError, Invalid


class AlreadyRegistered(DomainError):
    """The chain knows this customer already. Change the profile instead."""

    code = "customer-already-registered"


class NoAddress(DomainError):
    """It was not said at which address the customer agreed, and the profile does not name exactly one."""

    code = "consent-needs-address"
    kind = "invalid"


class Customer(Aggregate):
    """Somebody who buys: who they are, how to reach them, and what they agreed to."""

    kind = "customer"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.profile: Profile | None = None
        self.acquisition: Acquisition | None = None
        self.registered_at: datetime | None = None
        self.consents: dict[ConsentKey, Standing] = {}
        self._heard: set[tuple[ConsentKey, bool, datetime, str | None]] = set()

    def register(
        self,
        parts: Mapping[str, Any],
        *,
        at: datetime,
        country: str | None = None,
        acquisition: Acquisition | None = None,
    ) -> None:
        """Enter the customer in the chain's base. The same registration again changes nothing, another one is refused.

        Raises `AlreadyRegistered`, or `Invalid` naming the field that is wrong.
        """
        country = country or places.country_of(parts.get("locale") or "")
        profile = Profile.checked(parts, country=country, at=at)
        if self.profile is not None:
            if profile == self.profile:
                return
            raise AlreadyRegistered(
                "this customer is registered with other particulars", customer_id=self.identity, version=self.version
            )
        self.record(
            CustomerRegistered(
                occurred_at=at,
                customer_id=CustomerId(identity(self.identity)),
                acquisition=acquisition,
                **structs.asdict(profile),
            )
        )

    def change_profile(self, parts: Mapping[str, Any], *, at: datetime, country: str | None = None) -> None:
        """Correct what is known of the customer; only what really differs is recorded. Raises `Invalid` naming the field."""
        before = self.known
        after = before.with_changes(parts, country=country or places.country_of(before.locale), at=at)
        if changed := after.changed_from(before):
            self.record(
                CustomerProfileChanged(
                    occurred_at=at, customer_id=CustomerId(self.identity), changed=changed, **structs.asdict(after)
                )
            )

    def grant_consent(
        self,
        purpose: str,
        channel: str,
        address: str | None,
        *,
        wording: str,
        collected_from: str,
        at: datetime,
        opt_in: str = "single",
        store_id: str | None = None,
        country: str | None = None,
    ) -> None:
        """Agree to be written to. Without an address, the only phone or e-mail of the profile is meant.

        The same grant heard twice changes nothing. One that happened before a withdrawal is recorded and changes nothing either.
        """
        key = self.subject(purpose, channel, address, country)
        wording = _words("wording", wording)
        if (key, True, at, wording) in self._heard:
            return
        self.record(
            ConsentGranted(
                occurred_at=at,
                customer_id=CustomerId(self.identity),
                purpose=key.purpose,
                channel=key.channel,
                address=key.address,
                wording=wording,
                collected_from=collected_from,
                opt_in=opt_in,
                store_id=StoreId(store_id) if store_id else None,
            )
        )

    def withdraw_consent(
        self,
        purpose: str,
        channel: str,
        address: str | None,
        *,
        collected_from: str,
        at: datetime,
        store_id: str | None = None,
        country: str | None = None,
    ) -> None:
        """Agree no longer. Without an address, every address of that channel is meant. A customer may withdraw what was never granted."""
        for key in self._withdrawn(purpose, channel, address, country):
            if (key, False, at, None) not in self._heard:
                self.record(
                    ConsentWithdrawn(
                        occurred_at=at,
                        customer_id=CustomerId(self.identity),
                        purpose=key.purpose,
                        channel=key.channel,
                        address=key.address,
                        collected_from=collected_from,
                        store_id=StoreId(store_id) if store_id else None,
                    )
                )

    def agrees(self, key: ConsentKey) -> bool:
        """Whether the customer may be written to: the latest word on this purpose, channel and address was yes."""
        standing = self.consents.get(key)
        return standing is not None and standing.granted

    def subject(self, purpose: str, channel: str, address: str | None, country: str | None) -> ConsentKey:
        """Return what a consent is about, in the form it is kept; without an address, about the only one the profile has.

        Raises `NoAddress` if it has none or several, or `Invalid`.
        """
        check_subject(purpose, channel)
        if address is None:
            own = self._own_addresses(channel)
            if len(own) != 1:
                raise NoAddress("say which phone or e-mail address is meant", field="address", channel=channel)
            return ConsentKey(purpose, channel, own[0])
        written = contacts.address(address, channel, country or places.country_of(self.known.locale))
        return ConsentKey(purpose, channel, written)

    @property
    def known(self) -> Profile:
        """The profile of a customer who exists."""
        if self.profile is None:
            raise LookupError(f"{self.id} was never registered")
        return self.profile

    def apply(self, event: Event) -> None:
        match event:
            case CustomerRegistered():
                self.profile = Profile.of(event)
                self.acquisition = event.acquisition
                self.registered_at = event.occurred_at
            case CustomerProfileChanged():
                self.profile = Profile.of(event)
            case ConsentGranted():
                self._hear(event, granted=True, wording=event.wording)
            case ConsentWithdrawn():
                self._hear(event, granted=False, wording=None)

    def _hear(self, event: ConsentGranted | ConsentWithdrawn, *, granted: bool, wording: str | None) -> None:
        key = ConsentKey(event.purpose, event.channel, event.address)
        heard = Standing(granted=granted, since=event.occurred_at, wording=wording)
        self._heard.add((key, granted, event.occurred_at, wording))
        standing = self.consents.get(key)
        if standing is None or heard.rank >= standing.rank:
            self.consents[key] = heard

    def _withdrawn(self, purpose: str, channel: str, address: str | None, country: str | None) -> list[ConsentKey]:
        check_subject(purpose, channel)
        if address is not None:
            return [self.subject(purpose, channel, address, country)]
        own = {ConsentKey(purpose, channel, address) for address in self._own_addresses(channel)}
        standing = {key for key in self.consents if key[:2] == (purpose, channel) and self.agrees(key)}
        if not own | standing:
            raise NoAddress("the customer has no address for this channel", field="address", channel=channel)
        return sorted(own | standing)

    def _own_addresses(self, channel: str) -> tuple[str, ...]:
        profile = self.known
        return {"sms": profile.phones, "phone": profile.phones, "email": profile.emails}.get(channel, ())


def _words(field: str, value: str) -> str:
    text = " ".join(value.split())
    if not 0 < len(text) <= 200 or not text.isprintable():
        raise Invalid(
            "1 to 200 characters: somebody must be able to find later what the customer was shown", field=field
        )
    return text
