"""What the customer service records: who the customers are and what they agreed to."""

from datetime import date
from typing import Annotated

from msgspec import Struct

from till_events.base import Event, Moment, Personal, PersonalText, Whole, known, published
from till_events.ids import CardNumber, CustomerId, StoreId

MessageChannel = Annotated[str, known("sms", "email", "push", "post", "phone")]
Purpose = Annotated[str, known("transactional", "marketing", "loyalty", "survey")]


class Acquisition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the customer came to the chain: the source, the campaign, or what they answered when asked."""

    source: Annotated[str, known("store", "web", "phone", "import", "referral", "advertisement")]
    campaign: str | None = None
    answer: PersonalText | None = None


@published(by="customer")
class CustomerRegistered(Event, frozen=True, kw_only=True):
    """Somebody became known to the chain.

    Phones are E.164, e-mail addresses lower case, `locale` BCP 47, `zone` the IANA zone in which the customer sleeps.
    """

    customer_id: CustomerId
    name: PersonalText
    kind: Annotated[str, known("person", "company")] = "person"
    phones: Annotated[tuple[str, ...], Personal] = ()
    emails: Annotated[tuple[str, ...], Personal] = ()
    birth_date: Annotated[date | None, Personal] = None
    gender: PersonalText | None = None
    locale: str = "en"
    zone: str = "UTC"
    store_id: StoreId | None = None
    external_id: str | None = None
    card_numbers: tuple[CardNumber, ...] = ()
    acquisition: Acquisition | None = None
    interests: tuple[str, ...] = ()


@published(by="customer")
class CustomerProfileChanged(Event, frozen=True, kw_only=True):
    """What is known about a customer changed. Carries the whole new profile and names what changed in `changed`."""

    customer_id: CustomerId
    changed: tuple[str, ...]
    name: PersonalText
    kind: Annotated[str, known("person", "company")] = "person"
    phones: Annotated[tuple[str, ...], Personal] = ()
    emails: Annotated[tuple[str, ...], Personal] = ()
    birth_date: Annotated[date | None, Personal] = None
    gender: PersonalText | None = None
    locale: str = "en"
    zone: str = "UTC"
    store_id: StoreId | None = None
    external_id: str | None = None
    card_numbers: tuple[CardNumber, ...] = ()
    interests: tuple[str, ...] = ()


@published(by="customer")
class ConsentGranted(Event, frozen=True, kw_only=True):
    """A customer agreed to be written to for one purpose, by one channel, at one address.

    `address` is the phone (E.164) or e-mail address (lower case) agreed to. `wording` names the version of the text that was shown.
    The current state of a consent is the one with the latest `occurred_at`, whatever order they arrive in.
    """

    customer_id: CustomerId
    purpose: Purpose
    channel: MessageChannel
    address: PersonalText
    wording: str
    collected_from: Annotated[str, known("till", "web", "phone", "paper", "import")]
    opt_in: Annotated[str, known("single", "confirmed", "unknown")] = "single"
    store_id: StoreId | None = None


@published(by="customer")
class ConsentWithdrawn(Event, frozen=True, kw_only=True):
    """A customer no longer agrees to be written to for one purpose, by one channel, at one address."""

    customer_id: CustomerId
    purpose: Purpose
    channel: MessageChannel
    address: PersonalText
    collected_from: Annotated[str, known("till", "web", "phone", "paper", "import", "unsubscribe_link")]
    store_id: StoreId | None = None


@published(by="customer")
class CustomerImportStarted(Event, frozen=True, kw_only=True):
    """Somebody began to bring a customer list into the chain's base."""

    import_id: str
    file_name: str
    file_sha256: str
    mode: Annotated[str, known("update", "skip")]
    mapping: dict[str, str]


@published(by="customer")
class CustomerImportCompleted(Event, frozen=True, kw_only=True):
    """A customer list was read to its end. The counts add up to its rows."""

    import_id: str
    created: Whole
    updated: Whole
    skipped: Whole
    rejected: Whole
    started_at: Moment
