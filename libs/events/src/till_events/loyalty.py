"""What the loyalty service records: programmes, accounts, cards, points and tiers. Points are integers."""

from datetime import date
from typing import Annotated

from msgspec import Struct

from till_events.base import Event, Moment, PersonalText, Whole, known, private, published
from till_events.ids import AccountId, CardNumber, CustomerId, OrderId, PurchaseId, StoreId
from till_events.money import Currency, Minor, Points

ReturnPolicy = Annotated[str, known("only_pending", "within_balance", "unlimited")]


class Allocation(Struct, frozen=True):
    """How many points were taken from, or given back to, one lot. Written down so that no later rule can read history differently."""

    lot_id: str
    points: Points


class TierRule(Struct, frozen=True, kw_only=True):
    """A level of the programme: reached by spending `threshold_minor` within the window.

    `earn_minor_per_point` is how much must be spent for one point while on this level: 100 gives one point a dollar.
    """

    tier: str
    threshold_minor: Minor
    earn_minor_per_point: Minor


class ProgrammeRules(Struct, frozen=True, kw_only=True):
    """How points are earned and lost. Days are calendar days in `zone`; a lot expires at the end of its last local day.

    `point_value_minor` is what one point pays at the till. `tiers` run from the lowest to the highest, the first with threshold 0.
    `earning_excludes` names the tenders on which nothing is earned.
    """

    currency: Currency
    zone: str
    tiers: tuple[TierRule, ...]
    tier_window_days: Whole
    pending_days: Whole
    validity_days: Whole
    point_value_minor: Minor
    return_policy: ReturnPolicy
    hold_minutes: Whole
    earning_excludes: tuple[str, ...] = ("points", "gift_card")


@published(by="loyalty")
class ProgramRulesPublished(Event, frozen=True, kw_only=True):
    """The chain decided how its programme works from `effective_from` on. Purchases are judged by the rules of their own time."""

    programme_id: str
    version: Whole
    name: str
    effective_from: Moment
    rules: ProgrammeRules


@published(by="loyalty")
class LoyaltyAccountOpened(Event, frozen=True, kw_only=True):
    """A customer has an account for points."""

    account_id: AccountId
    customer_id: CustomerId
    programme_id: str
    tier: str


@published(by="loyalty")
class LoyaltyCardIssued(Event, frozen=True, kw_only=True):
    """A card that opens an account at the till was issued. `card_number` is an EAN-13 from the in-store range 20-29."""

    account_id: AccountId
    customer_id: CustomerId
    card_number: CardNumber
    symbology: Annotated[str, known("EAN-13")] = "EAN-13"


@published(by="loyalty")
class LoyaltyCardBlocked(Event, frozen=True, kw_only=True):
    """A card no longer opens the account: lost, stolen or replaced."""

    account_id: AccountId
    customer_id: CustomerId
    card_number: CardNumber
    reason: str


@published(by="loyalty")
class PointsAccrued(Event, frozen=True, kw_only=True):
    """A purchase earned points. They form a lot: spendable from `available_from`, worthless from `expires_at` on.

    `basis_minor` is the part of the purchase that earned, `tier` and `rules_version` say by which rule.
    """

    account_id: AccountId
    customer_id: CustomerId
    lot_id: str
    points: Points
    basis_minor: Minor
    currency: Currency
    spend_minor: Minor
    purchase_id: PurchaseId
    store_id: StoreId
    programme_id: str
    rules_version: Whole
    tier: str
    available_from: Moment
    expires_at: Moment


@published(by="loyalty")
class PointsReversed(Event, frozen=True, kw_only=True):
    """Goods went back, and so did the points they had earned.

    `points` is what should be taken back, `allocations` where it was taken from, `shortfall` what could not be collected because it was
    spent already. Nothing is silently forgiven: the shortfall stays on record.
    """

    account_id: AccountId
    customer_id: CustomerId
    return_id: str
    purchase_id: PurchaseId
    points: Points
    allocations: tuple[Allocation, ...]
    shortfall: Points
    policy: ReturnPolicy
    spend_minor: Minor
    currency: Currency


@published(by="loyalty")
class ReturnWithoutPoints(Event, frozen=True, kw_only=True):
    """Goods went back that had earned nothing here. Only the spending that counts towards the tier goes down."""

    account_id: AccountId
    customer_id: CustomerId
    return_id: str
    spend_minor: Minor
    currency: Currency
    purchase_id: PurchaseId | None = None


@published(by="loyalty")
class PointsExpired(Event, frozen=True, kw_only=True):
    """Points of a lot became worthless unused. They were unspendable from `expires_at` on, whenever this was announced."""

    account_id: AccountId
    customer_id: CustomerId
    lot_id: str
    points: Points
    expires_at: Moment


@published(by="loyalty")
class PointsHeld(Event, frozen=True, kw_only=True):
    """A till put points aside for a sale in progress. Nobody else can spend them until they are captured, released or time runs out."""

    account_id: AccountId
    customer_id: CustomerId
    hold_id: str
    points: Points
    allocations: tuple[Allocation, ...]
    value_minor: Minor
    currency: Currency
    store_id: StoreId
    expires_at: Moment
    order_id: OrderId | None = None


@published(by="loyalty")
class PointsRedeemed(Event, frozen=True, kw_only=True):
    """Held points paid for a sale."""

    account_id: AccountId
    customer_id: CustomerId
    hold_id: str
    points: Points
    allocations: tuple[Allocation, ...]
    value_minor: Minor
    currency: Currency
    store_id: StoreId
    purchase_id: PurchaseId | None = None
    order_id: OrderId | None = None


@published(by="loyalty")
class PointsHoldReleased(Event, frozen=True, kw_only=True):
    """Held points were not needed after all and are spendable again."""

    account_id: AccountId
    customer_id: CustomerId
    hold_id: str
    points: Points
    reason: Annotated[str, known("cancelled", "expired")]


@published(by="loyalty")
class PointsRestored(Event, frozen=True, kw_only=True):
    """A sale that was paid with points was undone: the points went back to the lots they came from, with their first expiry dates.

    `expired` is how many of them had expired meanwhile and so came back worthless.
    """

    account_id: AccountId
    customer_id: CustomerId
    hold_id: str
    points: Points
    allocations: tuple[Allocation, ...]
    expired: Points
    return_id: str | None = None


@published(by="loyalty")
class PointsAdjusted(Event, frozen=True, kw_only=True):
    """Somebody corrected a balance by hand, for a reason. A positive correction forms a lot of its own."""

    account_id: AccountId
    customer_id: CustomerId
    adjustment_id: str
    points: Points
    allocations: tuple[Allocation, ...]
    reason: str
    comment: PersonalText | None = None
    available_from: Moment | None = None
    expires_at: Moment | None = None


@published(by="loyalty")
class TierChanged(Event, frozen=True, kw_only=True):
    """A customer reached another level, by what was spent in the window that ends on `window_to`. The balance plays no part in it."""

    account_id: AccountId
    customer_id: CustomerId
    from_tier: str
    to_tier: str
    spend_minor: Minor
    currency: Currency
    window_from: date
    window_to: date
    rules_version: Whole


@private(by="loyalty")
class CardNumberTaken(Event, frozen=True, kw_only=True):
    """A card number belongs to an account and will never belong to another one."""

    card_number: CardNumber
    account_id: AccountId


@private(by="loyalty")
class PurchaseCredited(Event, frozen=True, kw_only=True):
    """A purchase that named a card and no customer was credited to the card's account, where its returns will look for it."""

    purchase_id: PurchaseId
    account_id: AccountId
