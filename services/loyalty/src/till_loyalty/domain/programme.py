"""The programme: what the chain promised its customers, version by version."""

from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from till_events.base import Event
from till_events.ids import AccountId, CustomerId, account_id
from till_events.loyalty import ProgrammeRules, ProgramRulesPublished
from till_loyalty.domain.rules import Rules
from till_platform.domain import Aggregate, Invalid

MAIN = "main"
"""The one programme of a chain."""

RETURN_POLICIES = ("only_pending", "within_balance", "unlimited")
_LONGEST_DAYS = 36_500
_LONGEST_HOLD_MINUTES = 24 * 60


@lru_cache(maxsize=65_536)
def account_of(customer_id: CustomerId) -> AccountId:
    """Return the id of a customer's account in the chain's programme, whether or not it was opened yet."""
    return account_id(MAIN, customer_id)


class Programme(Aggregate):
    """A loyalty programme and all rules it ever had. Purchases are judged by the rules of their own time.

    Rules may be published for a time that is past, as a chain does that brings its history along: purchases judged before stay as
    they were judged, each accrual names its version.
    """

    kind = "programme"

    def __init__(self, id: str) -> None:  # noqa: A002 - the name `eventsourcing` knows
        super().__init__(id)
        self.name = ""
        self.versions: list[Rules] = []
        self._in_order: list[Rules] = []

    def publish(self, *, name: str, rules: ProgrammeRules, effective_from: datetime, at: datetime) -> None:
        """Let these rules hold from `effective_from` on. Raises `Invalid` naming the field that makes no sense."""
        if not name.strip():
            raise Invalid("a programme has a name", field="name")
        _check_zone_and_money(rules)
        _check_times(rules)
        _check_tiers(rules)
        self.record(
            ProgramRulesPublished(
                occurred_at=at,
                programme_id=self.identity,
                version=len(self.versions) + 1,
                name=name,
                effective_from=effective_from,
                rules=rules,
            )
        )

    def rules_at(self, at: datetime) -> Rules:
        """Return the rules in force at a time: the latest to have begun by then; the earliest of all if none had."""
        in_order = self._in_order
        for rules in reversed(in_order):
            if rules.effective_from <= at:
                return rules
        return in_order[0]

    def apply(self, event: Event) -> None:
        if isinstance(event, ProgramRulesPublished):
            self.name = event.name
            self.versions.append(Rules(event))
            self._in_order = sorted(self.versions, key=lambda rules: (rules.effective_from, rules.version))


def _check_zone_and_money(rules: ProgrammeRules) -> None:
    try:
        ZoneInfo(rules.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"{rules.zone!r} is not a time zone, e.g. Europe/Warsaw", field="zone") from None
    if not (
        len(rules.currency) == 3 and rules.currency.isascii() and rules.currency.isalpha() and rules.currency.isupper()
    ):
        raise Invalid(f"{rules.currency!r} is not an ISO 4217 currency", field="currency")
    if rules.point_value_minor < 1:
        raise Invalid("a point must be worth something at the till", field="point_value_minor")


def _check_times(rules: ProgrammeRules) -> None:
    if not 0 <= rules.pending_days <= _LONGEST_DAYS:
        raise Invalid("points cannot be pending for a negative time", field="pending_days")
    if not rules.pending_days < rules.validity_days <= _LONGEST_DAYS:
        raise Invalid("points must live longer than they are pending", field="validity_days")
    if not 1 <= rules.tier_window_days <= _LONGEST_DAYS:
        raise Invalid("spending is counted over at least one day", field="tier_window_days")
    if not 1 <= rules.hold_minutes <= _LONGEST_HOLD_MINUTES:
        raise Invalid("points are put aside for a minute at least and a day at most", field="hold_minutes")
    if rules.return_policy not in RETURN_POLICIES:
        raise Invalid(f"a return policy is one of {', '.join(RETURN_POLICIES)}", field="return_policy")


def _check_tiers(rules: ProgrammeRules) -> None:
    if not rules.tiers or rules.tiers[0].threshold_minor != 0:
        raise Invalid("the lowest tier is open to everybody: its threshold is 0", field="tiers")
    if any(not tier.tier.strip() for tier in rules.tiers) or len({tier.tier for tier in rules.tiers}) < len(
        rules.tiers
    ):
        raise Invalid("every tier has a name of its own", field="tiers")
    thresholds = [tier.threshold_minor for tier in rules.tiers]
    if any(later <= earlier for earlier, later in pairwise(thresholds)):
        raise Invalid("tiers run from the lowest threshold to the highest", field="tiers")
    if any(tier.earn_minor_per_point < 1 for tier in rules.tiers):
        raise Invalid("a point is earned by spending at least one minor unit", field="tiers")
